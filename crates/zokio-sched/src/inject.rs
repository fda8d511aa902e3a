//! The injection queue, one part for each worker: its inbox.
//!
//! An inbox holds tasks of two kinds. *Remote* ones come from threads that run no worker of this
//! scheduler. *Overflow* comes from the inbox' own worker, whose ring was full. Each kind is a
//! queue of its own, first in, first out.
//!
//! How nobody starves: once there is overflow, the worker pushes behind it and not into the ring,
//! so that the order stays ring, then overflow. The ring therefore runs empty within
//! [`RING_LEN`](crate::local_queue::RING_LEN) turns and is filled again from here, both kinds in
//! turn ([`Inbox::refill`]). While the ring does not run empty, remote tasks are moved behind the
//! local ones at a regular interval ([`Inbox::admit_remote`]). After a stall the ring's tasks become
//! the first of the overflow ([`Inbox::prepend_overflow`]), and refills are small until it turns out
//! that these tasks do not stall as well: then remote tasks wait behind one of them, not behind all.
//!
//! Invariants:
//!
//! 1. The lengths are stored under the lock and read without it: they are exact for whoever holds
//!    the lock, and a hint for others.
//! 2. After [`Inbox::close`] nothing gets in, and what was in is given back to the caller.
//! 3. No task is dropped while the lock is held: dropping one may run foreign code.

use std::fmt;
use zokio_base::sync::atomic::{AtomicUsize, Ordering};
use zokio_base::sync::{Mutex, MutexGuard};
use zokio_task::{Notified, TaskQueue};

/// A queue of owned items. Tasks use the intrusive [`TaskQueue`]; models use something smaller.
pub(crate) trait Fifo: Default {
    /// The entry of the queue.
    type Item;
    /// Appends `item`.
    fn push_back(&mut self, item: Self::Item);
    /// Takes the oldest item.
    fn pop_front(&mut self) -> Option<Self::Item>;
    /// Moves all of `other` behind the items of this queue.
    fn append(&mut self, other: &mut Self);
    /// How many items there are.
    fn len(&self) -> usize;
}

/// One worker's part of the injection queue.
pub(crate) struct Inbox<F: Fifo> {
    inner: Mutex<Inner<F>>,
    overflow_len: AtomicUsize,
    remote_len: AtomicUsize,
}

struct Inner<F> {
    overflow: F,
    remote: F,
    closed: bool,
    /// Which kind the next refill begins with.
    remote_next: bool,
}

impl<F: Fifo> fmt::Debug for Inbox<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").field("len", &self.len()).finish()
    }
}

impl<F: Fifo> Inbox<F> {
    /// An open, empty inbox.
    pub(crate) fn new() -> Self {
        Self {
            inner: Mutex::new(Inner {
                overflow: F::default(),
                remote: F::default(),
                closed: false,
                remote_next: false,
            }),
            overflow_len: AtomicUsize::new(0),
            remote_len: AtomicUsize::new(0),
        }
    }

    /// Stores the lengths (invariant 1). Relaxed: a reader that must not miss an item is ordered
    /// by the fences of the idle protocol; the others only want a hint.
    fn publish(&self, inner: &MutexGuard<'_, Inner<F>>) {
        self.overflow_len
            .store(inner.overflow.len(), Ordering::Relaxed);
        self.remote_len.store(inner.remote.len(), Ordering::Relaxed);
    }

    /// How many tasks of both kinds wait here.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.overflow_len() + self.remote_len()
    }

    /// How many tasks came from the worker's own ring.
    #[inline]
    pub(crate) fn overflow_len(&self) -> usize {
        self.overflow_len.load(Ordering::Relaxed)
    }

    /// How many tasks came from other threads.
    #[inline]
    pub(crate) fn remote_len(&self) -> usize {
        self.remote_len.load(Ordering::Relaxed)
    }

    /// Takes in an item from another thread, or gives it back after [`close`](Self::close).
    pub(crate) fn push_remote(&self, item: F::Item) -> Result<(), F::Item> {
        let mut inner = self.inner.lock();
        if inner.closed {
            return Err(item);
        }
        inner.remote.push_back(item);
        self.publish(&inner);
        Ok(())
    }

    /// Takes in an item that found the ring full, or gives it back after [`close`](Self::close).
    pub(crate) fn push_overflow(&self, item: F::Item) -> Result<(), F::Item> {
        let mut inner = self.inner.lock();
        if inner.closed {
            return Err(item);
        }
        inner.overflow.push_back(item);
        self.publish(&inner);
        Ok(())
    }

    /// As [`push_overflow`](Self::push_overflow), for many items at once; leaves them in `items`
    /// after [`close`](Self::close).
    pub(crate) fn append_overflow(&self, items: &mut F) {
        let mut inner = self.inner.lock();
        if !inner.closed {
            inner.overflow.append(items);
            self.publish(&inner);
        }
    }

    /// As [`append_overflow`](Self::append_overflow), but the items come before those that wait here:
    /// they were queued earlier.
    pub(crate) fn prepend_overflow(&self, items: &mut F) {
        let mut inner = self.inner.lock();
        if !inner.closed {
            items.append(&mut inner.overflow);
            std::mem::swap(items, &mut inner.overflow);
            self.publish(&inner);
        }
    }

    /// Hands up to `max` items to `take`, of both kinds in turn, and returns how many. `take` runs
    /// under the lock: it only stores the item.
    pub(crate) fn refill(&self, max: usize, mut take: impl FnMut(F::Item)) -> usize {
        if self.len() == 0 || max == 0 {
            return 0;
        }
        let mut inner = self.inner.lock();
        let mut taken = 0;
        while taken < max {
            let item = if inner.remote_next {
                inner
                    .remote
                    .pop_front()
                    .or_else(|| inner.overflow.pop_front())
            } else {
                inner
                    .overflow
                    .pop_front()
                    .or_else(|| inner.remote.pop_front())
            };
            let Some(item) = item else { break };
            inner.remote_next = !inner.remote_next;
            take(item);
            taken += 1;
        }
        self.publish(&inner);
        taken
    }

    /// Lets remote items join the queue of the worker's own, behind what waits there: up to `max`
    /// go to `take`, if nothing of the worker's waits here and the ring has `room`. Those for which
    /// there is no room go behind the overflow. Returns how many `take` got.
    pub(crate) fn admit_remote(
        &self,
        room: usize,
        max: usize,
        mut take: impl FnMut(F::Item),
    ) -> usize {
        if self.remote_len() == 0 {
            return 0;
        }
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        let mut taken = 0;
        if inner.overflow.len() == 0 {
            while taken < room.min(max) {
                let Some(item) = inner.remote.pop_front() else {
                    break;
                };
                take(item);
                taken += 1;
            }
        }
        // A ring that stays full without ever overflowing must not keep them out.
        if taken < max {
            inner.overflow.append(&mut inner.remote);
        }
        self.publish(&guard);
        taken
    }

    /// Lets nothing in any more and returns what was in.
    pub(crate) fn close(&self) -> F {
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        inner.closed = true;
        let mut left = std::mem::take(&mut inner.overflow);
        left.append(&mut inner.remote);
        self.publish(&guard);
        left
    }
}

impl Fifo for TaskQueue {
    type Item = Notified;

    fn push_back(&mut self, item: Notified) {
        TaskQueue::push_back(self, item);
    }

    fn pop_front(&mut self) -> Option<Notified> {
        TaskQueue::pop_front(self)
    }

    fn append(&mut self, other: &mut Self) {
        TaskQueue::append(self, other);
    }

    fn len(&self) -> usize {
        TaskQueue::len(self)
    }
}

#[cfg(all(test, zokio_loom))]
#[path = "tests/model_inject.rs"]
mod model;

#[cfg(all(test, not(zokio_model)))]
#[path = "tests/inject.rs"]
mod tests;
