//! [`Timer`]: what [`Sleep`](crate::Sleep) and [`Interval`](crate::Interval) have in common.
//!
//! Life of a timer: `Fresh` (nothing is in any wheel), `Armed` (polled; an entry waits in the shard's
//! wheel), `Done` (was seen to be due). An armed timer whose key finds nothing has fired. One whose
//! runtime has ended never fires, and its next poll panics unless the deadline has come anyway (invariant 2
//! of `shard`): nobody is told that a time has passed that has not.
//!
//! A reset arms the timer where there is somebody to wake. A task may poll a timer, find it due, set it
//! anew and wait for it without another poll. So a poll that is ready leaves its waker here, and the
//! reset puts that one into the wheel. Where there is none (nobody has polled the timer since it fired)
//! the timer is `Reset`, and nobody waits for it. Rejected: to put an entry without a waker into the wheel
//! there, as a worker would have to wake for it.
//!
//! Moving a timer moves its deadline and its key; the entry stays where it is, so nothing here
//! needs to be pinned.

use crate::error;
use crate::handle;
use crate::instant::Instant;
use crate::shard::{Closed, DueAtOnce, Entry, Shard};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use zokio_base::foreign::KeptWaker;
use zokio_base::pad::CachePadded;
use zokio_base::slab::Key;
use zokio_base::sync::Arc;

#[derive(Debug)]
enum State {
    Fresh,
    /// Set anew, and nobody waits for it: the clock says whether it has elapsed.
    Reset,
    Armed(Key),
    /// With the waker of the poll that was ready.
    Done(Option<KeptWaker>),
}

#[derive(Debug)]
pub(crate) struct Timer {
    shard: Arc<CachePadded<Shard>>,
    deadline: Instant,
    state: State,
}

impl Timer {
    /// A timer of the current runtime.
    #[track_caller]
    pub(crate) fn at(deadline: Instant) -> Self {
        Self {
            shard: handle::with_current(|timers| timers.shard_here().clone()),
            deadline,
            state: State::Fresh,
        }
    }

    /// A timer of the current runtime that is due after `duration`, by the runtime's clock.
    #[track_caller]
    pub(crate) fn after(duration: Duration) -> Self {
        let shard = handle::with_current(|timers| timers.shard_here().clone());
        let now = Instant::from_std(shard.source.clock.now());
        Self {
            shard,
            deadline: now.later(duration),
            state: State::Fresh,
        }
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The time that the timer's clock shows.
    pub(crate) fn now(&self) -> Instant {
        Instant::from_std(self.shard.source.clock.now())
    }

    pub(crate) fn is_elapsed(&self) -> bool {
        match self.state {
            State::Fresh => false,
            State::Reset => self.shard.source.is_due(self.deadline),
            State::Armed(key) => !self.shard.is_waiting(key),
            State::Done(_) => true,
        }
    }

    /// Sets another deadline, at which whoever polled last is woken.
    pub(crate) fn reset(&mut self, deadline: Instant, due: DueAtOnce) {
        self.deadline = deadline;
        if let State::Armed(key) = self.state {
            return self.move_entry(key, due);
        }
        self.state = match std::mem::replace(&mut self.state, State::Reset) {
            State::Done(Some(waker)) => self.arm(waker, due),
            _ => State::Reset,
        };
    }

    /// The next state of a timer whose last poll, with `waker`, was ready.
    fn arm(&self, waker: KeptWaker, due: DueAtOnce) -> State {
        let Some(when) = self.shard.source.upcoming(self.deadline, due) else {
            // Due already: fire it here.
            waker.wake();
            return State::Done(None);
        };
        match self.shard.insert(when, waker) {
            Ok(key) => State::Armed(key),
            // The task that waits learns of the end by the poll that this brings about.
            Err(Closed(waker)) => {
                waker.wake();
                State::Reset
            }
        }
    }

    /// An entry that waits is moved with its waker.
    fn move_entry(&mut self, key: Key, due: DueAtOnce) {
        match self.shard.source.upcoming(self.deadline, due) {
            // Due already: fire it here.
            None => {
                self.state = State::Done(None);
                if let Some(waker) = self.shard.cancel(key) {
                    waker.wake();
                }
            }
            Some(when) => {
                if !self.shard.reset(key, when) {
                    self.state = State::Reset;
                }
            }
        }
    }

    /// A timer that has come due goes on to `deadline`, from the next poll on: until then it wakes nobody.
    pub(crate) fn go_on(&mut self, deadline: Instant) {
        self.deadline = deadline;
        self.state = State::Fresh;
    }

    /// Waits until the deadline has come. `due` says whether one that has only just passed waits for
    /// the floor.
    ///
    /// # Panics
    /// If the runtime has ended and the deadline has not come.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, due: DueAtOnce) -> Poll<()> {
        ready!(self.poll_due(cx, due));
        match &self.state {
            State::Done(Some(waker)) if waker.will_wake(cx.waker()) => {}
            _ => self.state = State::Done(Some(KeptWaker::of(cx.waker()))),
        }
        Poll::Ready(())
    }

    /// As [`poll`](Self::poll), for a caller that goes on to the next deadline at once: no waker is kept.
    pub(crate) fn poll_due(&mut self, cx: &mut Context<'_>, due: DueAtOnce) -> Poll<()> {
        match self.state {
            State::Done(_) => {}
            State::Armed(key) => match self.shard.update(key, cx.waker()) {
                Entry::Waiting => return Poll::Pending,
                Entry::Gone => {}
                Entry::Stranded => {
                    self.expect_come();
                    let _ = self.shard.cancel(key);
                }
            },
            State::Fresh | State::Reset => {
                if let Some(when) = self.shard.source.upcoming(self.deadline, due) {
                    match self.shard.insert(when, KeptWaker::of(cx.waker())) {
                        Ok(key) => {
                            self.state = State::Armed(key);
                            return Poll::Pending;
                        }
                        // The floor may lie in the future although the deadline does not.
                        Err(Closed(waker)) => {
                            drop(waker);
                            self.expect_come();
                        }
                    }
                }
            }
        }
        Poll::Ready(())
    }

    /// The runtime has ended. That is no answer to the question whether the time has come.
    fn expect_come(&self) {
        if !self.shard.source.has_come(self.deadline) {
            panic!("{}", error::SHUT_DOWN);
        }
    }
}

impl Timer {
    /// Takes the entry out of the wheel.
    #[inline(never)]
    fn disarm(&self, key: Key) {
        // The waker is dropped without the shard's lock (crate invariant 2).
        drop(self.shard.cancel(key));
    }
}

impl Drop for Timer {
    /// A time-out whose future was ready at once drops a timer that was never armed: nothing is called for it.
    #[inline]
    fn drop(&mut self) {
        if let State::Armed(key) = self.state {
            self.disarm(key);
        }
    }
}
