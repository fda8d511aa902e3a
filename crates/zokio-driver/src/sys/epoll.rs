//! Waits below a millisecond on an epoll set, whose own time-out counts milliseconds.
//!
//! A wait is split: whole milliseconds by the set itself, the rest by `ppoll` on the set's
//! descriptor, which is readable when the set has events and whose time-out counts nanoseconds.
#![allow(unsafe_code)]

use super::SetFd;
use std::io;
use std::time::Duration;

/// The longest time-out of the set's own wait: its count of milliseconds is an `i32`.
const COARSE_MAX: Duration = Duration::from_millis(i32::MAX as u64);

/// The part of `timeout` that the set waits itself, and the part that `wait_fine` waits afterwards.
pub(crate) fn split_timeout(timeout: Duration) -> (Duration, Duration) {
    if timeout >= COARSE_MAX {
        return (COARSE_MAX, Duration::ZERO);
    }
    let fine = Duration::from_nanos(u64::from(timeout.subsec_nanos() % 1_000_000));
    (timeout - fine, fine)
}

/// Waits for events in the set, less than a millisecond. Returns whether there are any.
pub(crate) fn wait_fine(set: SetFd, timeout: Duration) -> io::Result<bool> {
    debug_assert!(timeout < Duration::from_millis(1));
    let mut polled = libc::pollfd {
        fd: set.raw(),
        events: libc::POLLIN,
        revents: 0,
    };
    let timeout = libc::timespec {
        tv_sec: 0,
        tv_nsec: timeout.subsec_nanos() as _,
    };
    // SAFETY: one live `pollfd`, one live `timespec`, no signal mask.
    let ready = unsafe { libc::ppoll(&raw mut polled, 1, &raw const timeout, std::ptr::null()) };
    if ready >= 0 {
        return Ok(ready > 0);
    }
    let error = io::Error::last_os_error();
    // A signal ends the wait, as an event does.
    if error.kind() == io::ErrorKind::Interrupted {
        Ok(false)
    } else {
        Err(error)
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;

    #[test]
    fn the_parts_make_the_whole() {
        for nanos in [0, 1, 999_999, 1_000_000, 1_000_001, 5_300_000_000_u64] {
            let whole = Duration::from_nanos(nanos);
            let (coarse, fine) = split_timeout(whole);
            assert_eq!(coarse + fine, whole);
            assert_eq!(coarse.subsec_nanos() % 1_000_000, 0);
            assert!(fine < Duration::from_millis(1));
        }
        assert_eq!(split_timeout(Duration::MAX), (COARSE_MAX, Duration::ZERO));
    }
}
