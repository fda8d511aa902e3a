//! [`Timer`]: what [`Sleep`](crate::Sleep) and [`Interval`](crate::Interval) have in common.
//!
//! Life of a timer: `Idle` (made or reset; nothing is in any wheel), `Armed` (polled; an entry waits in
//! the shard's wheel), `Done` (was seen to be due). An armed timer whose key finds nothing has fired.
//! One whose runtime has ended never fires, and its next poll panics unless the deadline has come
//! anyway (invariant 2 of `shard`): nobody is told that a time has passed that has not.
//!
//! Moving a timer moves its deadline and its key; the entry stays where it is, so nothing here
//! needs to be pinned.

use crate::error;
use crate::handle;
use crate::instant::Instant;
use crate::shard::{Closed, DueAtOnce, Entry, Shard};
use std::task::{Context, Poll};
use std::time::Duration;
use zokio_base::foreign::KeptWaker;
use zokio_base::pad::CachePadded;
use zokio_base::slab::Key;
use zokio_base::sync::Arc;

#[derive(Debug, Clone, Copy)]
enum State {
    Idle,
    Armed(Key),
    Done,
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
            state: State::Idle,
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
            state: State::Idle,
        }
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// What the timer's clock shows.
    pub(crate) fn now(&self) -> Instant {
        Instant::from_std(self.shard.source.clock.now())
    }

    pub(crate) fn is_elapsed(&self) -> bool {
        match self.state {
            State::Idle => false,
            State::Armed(key) => !self.shard.is_waiting(key),
            State::Done => true,
        }
    }

    /// Sets another deadline. An entry that waits is moved with its waker, so that whoever polled
    /// last is woken at the new time.
    pub(crate) fn reset(&mut self, deadline: Instant, due: DueAtOnce) {
        self.deadline = deadline;
        let State::Armed(key) = self.state else {
            self.state = State::Idle;
            return;
        };
        match self.shard.source.upcoming(deadline, due) {
            // Due already: fire it here.
            None => {
                self.state = State::Done;
                if let Some(waker) = self.shard.cancel(key) {
                    waker.wake();
                }
            }
            Some(when) => {
                if !self.shard.reset(key, when) {
                    self.state = State::Idle;
                }
            }
        }
    }

    /// Waits until the deadline has come. `due` says whether one that has only just passed waits for
    /// the floor.
    ///
    /// # Panics
    /// If the runtime has ended and the deadline has not come.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, due: DueAtOnce) -> Poll<()> {
        match self.state {
            State::Done => return Poll::Ready(()),
            State::Armed(key) => match self.shard.update(key, cx.waker()) {
                Entry::Waiting => return Poll::Pending,
                Entry::Gone => {}
                Entry::Stranded => {
                    self.expect_come();
                    let _ = self.shard.cancel(key);
                }
            },
            State::Idle => {
                if let Some(when) = self.shard.source.upcoming(self.deadline, due) {
                    match self.shard.insert(when, KeptWaker::of(cx.waker())) {
                        Ok(key) => {
                            self.state = State::Armed(key);
                            return Poll::Pending;
                        }
                        // The floor may lie in the future although the deadline does not.
                        Err(Closed) => self.expect_come(),
                    }
                }
            }
        }
        self.state = State::Done;
        Poll::Ready(())
    }

    /// The runtime has ended. That is no answer to the question whether the time has come.
    fn expect_come(&self) {
        if !self.shard.source.has_come(self.deadline) {
            panic!("{}", error::SHUT_DOWN);
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let State::Armed(key) = self.state {
            // The waker is dropped without the shard's lock (crate invariant 2).
            drop(self.shard.cancel(key));
        }
    }
}
