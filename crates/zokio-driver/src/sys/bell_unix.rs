//! Waiting in `poll(2)`, with a pair of sockets as the rope.

use super::{Bell, Wait, Waited};
use crate::sys::{self, poll_of};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

pub(super) type Rope = UnixStream;

/// How often the bell is looked at where there are no descriptors left for a rope.
const LOOK_MS: i32 = 50;

/// How often a rope is pulled that the system does not move.
const PULLS_MAX: u32 = 16;

pub(super) fn pull(mut rope: &Rope) {
    for _ in 0..PULLS_MAX {
        match rope.write(&[1]) {
            // Memory that lacks for a moment, or a signal, must not lose it.
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => {}
            // Full, it was pulled before.
            Ok(_) | Err(_) => return,
        }
    }
}

impl Bell {
    /// Waits until `fd` is ready, for `limit` at most: a wait may be late early, and is made again. What
    /// cannot be waited for is ready: a file is.
    pub fn wait(&self, fd: BorrowedFd<'_>, wait: Wait, limit: Option<Duration>) -> Waited {
        if self.is_rung() {
            return Waited::Rung;
        }
        let events = match wait {
            Wait::ToRead => libc::POLLIN,
            Wait::ToWrite => libc::POLLOUT,
        };
        let target = poll_of(fd.as_raw_fd(), events);
        let limit_ms = limit.map_or(-1, |limit| i32::try_from(limit.as_millis()).unwrap_or(-1));
        let mut alone = [target];
        if poll(&mut alone, 0) {
            return Waited::Ready;
        }
        if limit_ms == 0 {
            return Waited::Late;
        }
        let is_ready;
        match UnixStream::pair() {
            Ok((near, far)) => {
                if !self.leave(far) {
                    return Waited::Rung;
                }
                let mut both = [target, poll_of(near.as_raw_fd(), libc::POLLIN)];
                poll(&mut both, limit_ms);
                is_ready = both[0].revents != 0;
                self.take_away();
            }
            Err(_) => {
                // Short of descriptors, a wait may be over early.
                is_ready = poll(
                    &mut alone,
                    if limit_ms < 0 {
                        LOOK_MS
                    } else {
                        limit_ms.min(LOOK_MS)
                    },
                );
            }
        }
        match (self.is_rung(), is_ready) {
            (true, _) => Waited::Rung,
            (false, true) => Waited::Ready,
            (false, false) => Waited::Late,
        }
    }
}

/// Waits until `fd` is ready, for ever.
pub fn wait_writable(fd: BorrowedFd<'_>) {
    poll(&mut [poll_of(fd.as_raw_fd(), libc::POLLOUT)], -1);
}

/// Whether one of `all` is ready within `limit_ms`, negative for "for ever". A signal ends a wait that has a
/// limit.
fn poll(all: &mut [libc::pollfd], limit_ms: i32) -> bool {
    loop {
        match sys::poll(all, limit_ms) {
            Ok(count) => return count > 0,
            Err(error) if error.kind() == io::ErrorKind::Interrupted && limit_ms < 0 => {}
            // A descriptor that cannot be polled counts as ready: the caller tries it.
            Err(_) => return true,
        }
    }
}

#[cfg(all(test, zokio_loom))]
pub(super) fn model_rope() -> (Rope, impl FnOnce() -> bool) {
    let (near, far) = UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    let heard = move || std::io::Read::read(&mut &near, &mut [0]).is_ok();
    (far, heard)
}
