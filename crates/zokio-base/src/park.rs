//! The seams between sibling crates: how a worker waits, how it is woken, where wake-ups go, and
//! where work that would block goes.
//!
//! The scheduler is generic over [`Park`] and knows nothing of files, sockets or timers. The
//! driver and the timer wheel hand what became ready to a [`WakeSink`] and know nothing of run
//! queues. The crate that joins them (`zokio-runtime`) implements [`Park`] over both.
//!
//! A worker's turn of waiting is one call, because waiting is also when batches move: what is
//! pending is submitted, the thread waits until the nearer of the next deadline and the limit,
//! and completions drain into the sink. A pair of bare `park` and `unpark` would lose that.
//!
//! Invariants:
//!
//! 1. An [`Unpark::unpark`] that happens before a [`Park::park`] makes that call return without
//!    waiting; one that happens during the call ends it. Calls may coalesce, none is lost.
//! 2. [`Park::poll`] never waits.
//! 3. A sink never runs foreign code in the middle of a drain: it collects, or schedules tasks.

use crate::sync::Weak;
use std::task::Waker;
use std::time::{Duration, Instant};

/// Where a worker waits for events.
pub trait Park {
    /// Ends a wait from another thread.
    type Unpark: Unpark;

    /// A handle that ends this value's waits.
    fn unparker(&self) -> Self::Unpark;

    /// When the wait has to end by itself at the latest: the next timer's deadline.
    ///
    /// A stepped worker reports this instead of waiting.
    fn deadline(&self) -> Option<Instant>;

    /// Submits what is pending and drains what is ready, without waiting.
    fn poll<S: WakeSink>(&mut self, sink: &mut S);

    /// Submits what is pending, waits until something is ready, [`deadline`](Self::deadline) has
    /// come, `limit` has passed or somebody unparks, and drains what is ready.
    fn park<S: WakeSink>(&mut self, limit: Option<Duration>, sink: &mut S);

    /// The thread stops taking turns here, and it is not said when another begins. Submits what is
    /// pending, and sees to it that what was promised goes on meanwhile. Never waits.
    fn leave<S: WakeSink>(&mut self, sink: &mut S);

    /// Ends all that is under way: every operation is cancelled or handed over, every timer and
    /// every waiter is woken. Waits for what cannot be cancelled, until `deadline` at the latest.
    /// Called once, by the last owner, after all tasks were dropped.
    fn shutdown<S: WakeSink>(&mut self, deadline: Option<Instant>, sink: &mut S);
}

/// Ends a [`Park::park`].
pub trait Unpark: Clone + Send + Sync + 'static {
    /// Ends the current wait, or the next one if there is none.
    fn unpark(&self);

    /// Whether the thread is in its wait, and nobody has ended that yet: false in the work before and
    /// after it, and outside of [`Park::park`]. A guess by the time it is used. Always true if the
    /// implementation cannot tell.
    fn is_waiting(&self) -> bool {
        true
    }

    /// Hands to `sink` what is due, on another thread than the one that parks, which is stuck on its way
    /// into its wait or out of it. Never waits: not for that thread either, whatever it is stuck in.
    /// Does nothing if the implementation cannot do that.
    fn relieve<S: WakeSink>(&self, sink: &mut S) {
        let _ = sink;
    }
}

/// Where completions and expired timers go.
pub trait WakeSink {
    /// Takes a waker that is to be woken once the drain is over.
    fn wake(&mut self, waker: Waker);
}

/// A list of wakers is the simplest sink: whoever owns it wakes them after the drain.
impl WakeSink for Vec<Waker> {
    fn wake(&mut self, waker: Waker) {
        self.push(waker);
    }
}

/// Runs work that would block, somewhere it may.
///
/// The blocking pool lives above the driver; the driver reaches it through this seam.
pub trait Offload: Send + Sync + 'static {
    /// Runs `job` on a thread that may block. If the pool is shutting down the job is dropped
    /// without being run; what it owns must clean up in its own drop.
    fn offload(&self, job: Box<dyn FnOnce() + Send + 'static>);

    /// Has `wait`, in which a job is or will be, ended when the pool shuts down.
    fn watch(&self, _wait: Weak<dyn Interrupt>) {}
}

/// A wait that others can end.
pub trait Interrupt: Send + Sync {
    /// Ends it, and those that come after it.
    fn interrupt(&self);
}
