//! [`Timer`]: what [`Sleep`](crate::Sleep) and [`Interval`](crate::Interval) have in common.
//!
//! Life of a timer: `Idle` (made or reset; nothing is in any wheel), `Armed` (polled; an entry waits in
//! the shard's wheel), `Done` (was seen to be due). An armed timer whose key finds nothing has fired.
//! Moving a timer moves its deadline and its key; the entry stays where it is, so nothing here
//! needs to be pinned.

use crate::error;
use crate::handle;
use crate::instant::Instant;
use crate::shard::{Closed, Shard};
use std::task::{Context, Poll};
use std::time::Duration;
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
    pub(crate) fn reset(&mut self, deadline: Instant) {
        self.deadline = deadline;
        let State::Armed(key) = self.state else {
            self.state = State::Idle;
            return;
        };
        match self.shard.source.upcoming(deadline) {
            // Due already: fire it here.
            None => {
                if let Some(waker) = self.shard.cancel(key) {
                    waker.wake();
                }
                self.state = State::Done;
            }
            Some(when) => {
                if !self.shard.reset(key, when) {
                    self.state = State::Idle;
                }
            }
        }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.state {
            State::Done => return Poll::Ready(()),
            State::Armed(key) => {
                if self.shard.update(key, cx.waker()) {
                    return Poll::Pending;
                }
            }
            State::Idle => {
                if let Some(when) = self.shard.source.upcoming(self.deadline) {
                    match self.shard.insert(when, cx.waker().clone()) {
                        Ok(key) => self.state = State::Armed(key),
                        Err(Closed) => panic!("{}", error::SHUT_DOWN),
                    }
                    return Poll::Pending;
                }
            }
        }
        self.state = State::Done;
        Poll::Ready(())
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
