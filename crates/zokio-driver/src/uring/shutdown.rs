//! The end of a lane: nothing new, what changes nothing is cancelled, the rest is waited for.
//!
//! 1. The mailbox closes; what it holds is submitted, since writes that were asked for are to happen.
//! 2. Reads, opens and what has many completions are cancelled: they may wait for ever, and nothing is
//!    lost with them.
//! 3. Completions are reaped until nothing is in flight, within a bound: [`GRACE`], or less if the
//!    shutdown has a deadline of its own.
//! 4. The operations that the kernel has not taken by then run elsewhere: nobody waits for ever.
//! 5. An operation that it has taken is abandoned. Its waiter is told that it is lost. The operation keeps
//!    its slot, since the kernel may yet write to its memory.
//! 6. A thread of its own, the *keeper*, goes on reaping as long as there are such operations: what they
//!    hold is given back when the kernel is done with it, and what they leave to be done is done.
//!
//! Invariant: an operation has its slot until its last completion. A slot's operation keeps the plane
//! and with it the ring (it has a reference), so that where no thread is to be had for the keeper, all
//! of it stays allocated: a leak, and never a write to freed memory.

use super::lane::Lane;
use crate::op::plane::Plane;
use crate::op::table::{Cancel, Kind};
use crate::sys::{poll, poll_of};
use std::cell::Cell;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};
use zokio_base::clock::real_now;
use zokio_base::foreign;
use zokio_base::park::WakeSink;
use zokio_base::sync::std_atomic::Ordering;
use zokio_base::sync::thread;

/// How long [`Lane::shutdown`] waits for what cannot be cancelled.
const GRACE: Duration = Duration::from_secs(10);

/// How long one wait for completions is: another thread may be reaping meanwhile.
const STEP_MS: i32 = 10;

/// The longest wait of the keeper's.
const KEEPER_STEP_MS_MAX: i32 = 1000;

std::thread_local! {
    static IS_KEEPER: Cell<bool> = const { Cell::new(false) };
}

impl Lane {
    /// Ends the lane: see the module's steps 1 to 5. Called by its last owner, when all tasks are gone.
    /// Returns how many operations were abandoned; `keep` is for those.
    pub fn shutdown<S: WakeSink>(&self, deadline: Option<Instant>, sink: &mut S) -> usize {
        let mut until = real_now() + GRACE;
        if let Some(deadline) = deadline {
            until = until.min(deadline);
        }
        self.close();
        self.submit_into(sink);
        if self.fd().is_none() {
            return 0;
        }
        // Best effort: what cannot be cancelled is waited for.
        let _ = self.cancel_where(|finisher| {
            let row = finisher.flying().row();
            matches!(row.kind, Kind::Read | Kind::Open) || row.cancel == Cancel::Always
        });
        loop {
            // At least once: what is complete is complete, however little time there is.
            self.submit_into(sink);
            let reaped = self.reap(sink);
            if self.in_flight() == 0 || real_now() >= until {
                break;
            }
            if reaped == 0 {
                self.wait(STEP_MS);
            }
        }
        for waker in self.give_up_submitting() {
            sink.wake(waker);
        }
        let mut wakers = Vec::new();
        let count = self
            .slots
            .for_each(|finisher| wakers.extend(finisher.lose()));
        for waker in wakers {
            sink.wake(waker);
        }
        // ORDERING: Relaxed: a metric.
        self.abandoned.fetch_add(count as u64, Ordering::Relaxed);
        count
    }

    /// Waits for a completion, for a short time.
    pub(super) fn wait(&self, limit_ms: i32) {
        let Some(fd) = self.fd() else { return };
        wait_readable(fd, limit_ms);
    }

    /// Reaps until nothing is in flight.
    fn keep(&self) {
        let mut step = STEP_MS;
        while self.in_flight() > 0 {
            let mut wakers: Vec<Waker> = Vec::new();
            if self.reap(&mut wakers) == 0 {
                self.wait(step);
                step = (step * 2).min(KEEPER_STEP_MS_MAX);
            }
            foreign::wake_all(wakers);
        }
    }
}

/// Has a thread look after the operations that the lane of `worker` has abandoned (step 6).
pub(crate) fn keep(plane: &Arc<Plane>, worker: usize) {
    let plane = plane.clone();
    let keeper = thread::Builder::new().name("zokio-keeper".to_owned());
    // Without a thread all of it stays: see the invariant. Nobody joins this one: it waits for the
    // kernel, which may take for ever.
    let _ = keeper.spawn(move || {
        IS_KEEPER.set(true);
        plane.lane(worker).keep();
    });
}

/// Whether this thread looks after what was abandoned: it may block, and no pool takes work from it.
pub(crate) fn is_keeper() -> bool {
    IS_KEEPER.get()
}

/// Waits until `fd` is readable, for `limit_ms` at most. May return early.
pub(super) fn wait_readable(fd: RawFd, limit_ms: i32) {
    // A failure is an early return.
    let _ = poll(&mut [poll_of(fd, libc::POLLIN)], limit_ms);
}
