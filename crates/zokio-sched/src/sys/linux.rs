//! Linux: `membarrier`, `gettid`, and `/proc` for what a thread is doing.
#![allow(unsafe_code)]

use super::Probe;
use std::fs;
use zokio_base::sync::OnceLock;

/// Commands of `membarrier`, from the kernel's `linux/membarrier.h`.
const CMD_PRIVATE_EXPEDITED: libc::c_int = 1 << 3;
const CMD_REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;

fn membarrier(command: libc::c_int) -> bool {
    // SAFETY: `membarrier` takes three integers and touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
}

/// Whether [`barrier`] works. Registers the process the first time.
pub(crate) fn barrier_available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| membarrier(CMD_REGISTER_PRIVATE_EXPEDITED))
}

/// Makes every running thread of the process execute a full fence. False if that failed.
pub(crate) fn barrier() -> bool {
    barrier_available() && membarrier(CMD_PRIVATE_EXPEDITED)
}

/// The kernel's name for the calling thread.
pub(crate) fn thread_id() -> u32 {
    // SAFETY: `gettid` takes nothing and cannot fail.
    let id = unsafe { libc::syscall(libc::SYS_gettid) };
    u32::try_from(id).unwrap_or(0)
}

/// Finds out what the thread is doing. None if it is gone, or `/proc` is not there.
pub(crate) fn probe(thread: u32) -> Option<Probe> {
    let stat = fs::read_to_string(format!("/proc/self/task/{thread}/stat")).ok()?;
    // The second field is the name in parentheses, which may hold anything; the third the state.
    let state = stat[stat.rfind(')')? + 1..].trim_start().chars().next()?;
    let schedstat = fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).ok();
    let ran_ns = schedstat.and_then(|text| text.split_whitespace().next()?.parse().ok());
    Some(Probe {
        blocked: matches!(state, 'S' | 'D' | 'T' | 't'),
        ran_ns,
    })
}

#[cfg(all(test, not(zokio_shuttle)))]
mod tests {
    #![allow(clippy::disallowed_methods)] // Tests start threads.

    use super::*;
    use zokio_base::sync::thread;

    #[test]
    fn this_thread_runs() {
        let probe = probe(thread_id()).unwrap();
        assert!(!probe.blocked);
    }

    #[test]
    fn a_waiting_thread_is_blocked() {
        let (send_id, receive_id) = std::sync::mpsc::channel();
        let (send_end, receive_end) = std::sync::mpsc::channel::<()>();
        let other = thread::spawn(move || {
            send_id.send(thread_id()).unwrap();
            let _ = receive_end.recv();
        });
        let id = receive_id.recv().unwrap();
        while !probe(id).unwrap().blocked {
            thread::yield_now();
        }
        drop(send_end);
        other.join().unwrap();
    }
}
