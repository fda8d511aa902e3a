//! The end of a lane: nothing new, what changes nothing is cancelled, the rest is waited for.
//!
//! 1. The mailbox closes; what it holds is submitted, since writes that were asked for are to happen.
//! 2. Reads, opens and what has many completions are cancelled: they may wait for ever, and nothing is
//!    lost with them.
//! 3. Completions are reaped until nothing is in flight, within a bound.
//! 4. What the kernel has not taken by then runs elsewhere: nobody waits for ever.
//! 5. What it has taken is leaked, never freed: the kernel may yet write to it.
#![allow(unsafe_code)]

use super::lane::Lane;
use crate::op::table::{Cancel, Kind};
use std::os::fd::RawFd;
use std::time::Duration;
use zokio_base::clock::real_now;
use zokio_base::park::WakeSink;

/// How long [`Lane::shutdown`] waits for what cannot be cancelled.
const GRACE: Duration = Duration::from_secs(10);

/// How long one wait for completions is: another thread may be reaping meanwhile.
const STEP_MS: i32 = 10;

impl Lane {
    /// Ends the lane: see the module's steps. Called by its last owner, when all tasks are gone.
    /// Returns how many operations had to be leaked.
    pub fn shutdown<S: WakeSink>(&self, sink: &mut S) -> usize {
        self.shutdown_within(GRACE, sink)
    }

    /// As [`shutdown`](Self::shutdown), with another bound.
    pub fn shutdown_within<S: WakeSink>(&self, grace: Duration, sink: &mut S) -> usize {
        self.close();
        self.submit_pending();
        if self.fd().is_none() {
            return 0;
        }
        // Best effort: what cannot be cancelled is waited for.
        let _ = self.cancel_where(|finisher| {
            let row = finisher.flying().row();
            matches!(row.kind, Kind::Read | Kind::Open) || row.cancel == Cancel::Always
        });
        let start = real_now();
        while self.in_flight() > 0 && real_now().duration_since(start) < grace {
            self.submit_pending();
            if self.reap(sink) == 0 {
                self.wait();
            }
        }
        for waker in self.give_up_submitting() {
            sink.wake(waker);
        }
        let left = self.slots.drain();
        let count = left.len();
        for finisher in left {
            if let Some(waker) = finisher.abandon() {
                sink.wake(waker);
            }
        }
        count
    }

    /// Waits for a completion, for a short time.
    fn wait(&self) {
        let Some(fd) = self.fd() else { return };
        wait_readable(fd, STEP_MS);
    }
}

/// Waits until `fd` is readable, for `limit_ms` at most. May return early.
pub(super) fn wait_readable(fd: RawFd, limit_ms: i32) {
    let mut poll = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one valid element. A failure is an early return.
    unsafe { libc::poll(&mut poll, 1, limit_ms) };
}
