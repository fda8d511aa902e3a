//! What an epoll set can do that `mio` has no call for.
//!
//! Waits below a millisecond, since the set's own time-out counts milliseconds: a wait is split, whole
//! milliseconds by the set itself, the rest by `ppoll` on the set's descriptor, which is readable
//! when the set has events and whose time-out counts nanoseconds.
//!
//! And taking events while another thread waits in the set, which the system allows and `mio`, with
//! its one buffer, does not.
#![allow(unsafe_code)]

use super::SetFd;
use crate::poll::ready::Ready;
use mio::Token;
use std::io;
use std::time::Duration;

/// How many events are taken beside a waiting thread at once.
const BESIDE_MAX: usize = 64;

/// The longest time-out of the set's own wait: its count of milliseconds is an `i32`.
const COARSE_MAX: Duration = Duration::from_millis(i32::MAX as u64);

/// What of `timeout` the set waits itself, and what `wait_fine` waits afterwards.
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

/// Takes some of the events that are there, without waiting, and gives them to `each`.
pub(crate) fn take_beside(set: SetFd, mut each: impl FnMut(Token, Ready)) -> io::Result<()> {
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; BESIDE_MAX];
    // SAFETY: room for as many events as are asked for.
    let count = unsafe { libc::epoll_wait(set.raw(), events.as_mut_ptr(), BESIDE_MAX as i32, 0) };
    let Ok(count) = usize::try_from(count) else {
        let error = io::Error::last_os_error();
        return match error.kind() {
            io::ErrorKind::Interrupted => Ok(()),
            _ => Err(error),
        };
    };
    for event in &events[..count] {
        // A copy each: the structure is packed on some targets.
        let (bits, token) = (event.events, event.u64);
        each(Token(token as usize), ready_of(bits as i32));
    }
    Ok(())
}

/// What the bits of an event say: the same as `mio` reads from them.
fn ready_of(bits: i32) -> Ready {
    let has = |bit: i32| bits & bit != 0;
    let states = [
        (has(libc::EPOLLIN | libc::EPOLLPRI), Ready::READABLE),
        (has(libc::EPOLLOUT), Ready::WRITABLE),
        (
            has(libc::EPOLLHUP) || has(libc::EPOLLIN) && has(libc::EPOLLRDHUP),
            Ready::READ_CLOSED,
        ),
        (
            has(libc::EPOLLHUP)
                || has(libc::EPOLLOUT) && has(libc::EPOLLERR)
                || bits == libc::EPOLLERR,
            Ready::WRITE_CLOSED,
        ),
        (has(libc::EPOLLPRI), Ready::PRIORITY),
        (has(libc::EPOLLERR), Ready::ERROR),
    ];
    let mut ready = Ready::EMPTY;
    for (_, state) in states.into_iter().filter(|(is_set, _)| *is_set) {
        ready |= state;
    }
    ready
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use mio::net::UnixStream;
    use std::io::Write;

    /// Two ends of a connection, the first of them in a state of its own.
    fn ends(state: usize) -> (UnixStream, Option<UnixStream>) {
        let (one, mut other) = UnixStream::pair().unwrap();
        match state {
            0 => {}
            1 => other.write_all(b"x").unwrap(),
            2 => other.shutdown(std::net::Shutdown::Write).unwrap(),
            3 => return (one, None),
            _ => {
                // Unread bytes at the closed end: a reset.
                (&one).write_all(b"x").unwrap();
                return (one, None);
            }
        }
        (one, Some(other))
    }

    #[test]
    fn events_are_read_as_mio_reads_them() {
        let mut seen = Vec::new();
        for state in 0..5 {
            let (mut end, _other) = ends(state);
            let mut poll = mio::Poll::new().unwrap();
            let both = mio::Interest::READABLE | mio::Interest::WRITABLE;
            let registry = poll.registry().try_clone().unwrap();
            registry.register(&mut end, Token(7), both).unwrap();
            let mut ours = None;
            take_beside(SetFd::of(&poll), |token, ready| {
                assert_eq!(token, Token(7));
                assert!(ours.replace(ready).is_none());
            })
            .unwrap();
            let ours = ours.expect("an event for what is there at registration");

            let mut events = mio::Events::with_capacity(8);
            let now = Some(Duration::ZERO);
            poll.poll(&mut events, now).unwrap();
            assert!(events.is_empty(), "an event taken by both");
            registry.reregister(&mut end, Token(7), both).unwrap();
            poll.poll(&mut events, now).unwrap();
            assert_eq!(ours, Ready::from_mio(events.iter().next().unwrap()));
            seen.push(ours);
        }
        seen.dedup();
        assert!(seen.len() >= 4, "the states differ: {seen:?}");
    }

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
