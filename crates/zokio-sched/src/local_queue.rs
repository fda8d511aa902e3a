//! The local run queue: a fixed ring with one owner and any number of thieves.
//!
//! The owner pushes at the tail and pops at the head; thieves take half of what is there from the
//! head. `head` and `tail` count up for good, with 64 bits on every machine: at a task in a nanosecond
//! they would wrap after 584 years. So a value of `head` names one state of the ring, and a
//! compare-exchange on it cannot mistake a later state for an earlier one. (With 32 bits a thief that
//! is preempted for some minutes could claim what it has not copied.)
//!
//! Slots are atomic words. A thief copies what it wants *before* it claims it; if the claim fails
//! the copies are worth nothing and are forgotten. So a slot may be read and written at the same
//! time, but never with consequences, and no data race is tolerated anywhere.
//!
//! Invariants:
//!
//! 1. Only the owner writes `tail` and the slots. [`Owner`] is neither `Sync` nor `Clone`: whoever
//!    holds it is the owner.
//! 2. `head` moves only by compare-exchange, and only forward. Whoever moves it past an item owns
//!    that item.
//! 3. `tail - head <= RING_LEN`: the owner reads `head` before it writes a slot.
//!
//! Why a thief that claims `[h, h + n)` has read what the owner pushed there, and not what it
//! pushed one round later: to write slot `h + RING_LEN` the owner must have read a `head` beyond
//! `h`. That value comes from the thief's own claim or from a later one in the same release
//! sequence, so the owner's write happens after the claim, and the claim comes after the copy.
//!
//! Rejected: reserving with a second counter, then copying (two compare-exchanges for each theft
//! and a thief that stops half-way blocks the ring); a Chase-Lev deque (last in, first out for the
//! owner, which starves old tasks).

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::ptr::{NonNull, null_mut};
use zokio_base::pad::CachePadded;
use zokio_base::sync::Arc;
use zokio_base::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// How many items a ring holds. Models shrink it, so that it wraps around within a few steps.
pub(crate) const RING_LEN: usize = if cfg!(zokio_model) { 4 } else { 256 };

/// How often a thief tries anew when somebody else moved the head under it. Each failure is
/// somebody else's progress.
const STEAL_TRIES_MAX: usize = 4;

struct Ring<T> {
    head: CachePadded<AtomicU64>,
    tail: CachePadded<AtomicU64>,
    slots: Box<[AtomicPtr<T>]>,
}

impl<T> Ring<T> {
    fn slot(&self, at: u64) -> &AtomicPtr<T> {
        // The low bits are all that is wanted.
        &self.slots[at as usize & (RING_LEN - 1)]
    }

    fn len(&self) -> usize {
        // Acquire on both: with the head's value come the tails that were stored before it, so
        // the tail is not older than the head. It may be newer by more than the ring is long.
        let head = self.head.load(Ordering::Acquire);
        let tail = self.tail.load(Ordering::Acquire);
        tail.wrapping_sub(head).min(RING_LEN as u64) as usize
    }
}

/// The side that pushes and pops.
pub(crate) struct Owner<T> {
    ring: Arc<Ring<T>>,
    _not_sync: PhantomData<(Cell<()>, NonNull<T>)>,
}

// Ownership of the ring may move to another thread, as the items may.
#[allow(unsafe_code)]
mod send {
    // SAFETY: the ring holds addresses that whoever takes them turns back into values; both users
    // (tasks, and the tests' items) are `Send`. Invariant 1 is about one owner, not one thread.
    unsafe impl<T> Send for super::Owner<T> {}
}

/// A side that steals.
pub(crate) struct Stealer<T>(Arc<Ring<T>>);

impl<T> fmt::Debug for Stealer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stealer").field("len", &self.len()).finish()
    }
}

/// An empty ring.
pub(crate) fn ring<T>() -> (Owner<T>, Stealer<T>) {
    const { assert!(RING_LEN.is_power_of_two()) };
    let ring = Arc::new(Ring {
        head: CachePadded::new(AtomicU64::new(0)),
        tail: CachePadded::new(AtomicU64::new(0)),
        slots: (0..RING_LEN).map(|_| AtomicPtr::new(null_mut())).collect(),
    });
    let owner = Owner {
        ring: ring.clone(),
        _not_sync: PhantomData,
    };
    (owner, Stealer(ring))
}

impl<T> Owner<T> {
    /// Appends `item`, or gives it back if the ring is full.
    #[inline]
    pub(crate) fn push(&self, item: NonNull<T>) -> Result<(), NonNull<T>> {
        // Relaxed: only the owner stores the tail.
        let tail = self.ring.tail.load(Ordering::Relaxed);
        // Acquire pairs with the release of each claim: the thief has copied the slot by now.
        let head = self.ring.head.load(Ordering::Acquire);
        if tail.wrapping_sub(head) >= RING_LEN as u64 {
            return Err(item);
        }
        // Relaxed: published by the store of the tail.
        self.ring.slot(tail).store(item.as_ptr(), Ordering::Relaxed);
        // Release pairs with the thieves' acquire of the tail.
        self.ring
            .tail
            .store(tail.wrapping_add(1), Ordering::Release);
        Ok(())
    }

    /// Takes the oldest item.
    #[inline]
    pub(crate) fn pop(&self) -> Option<NonNull<T>> {
        let ring = &*self.ring;
        // Relaxed: only the owner stores the tail.
        let tail = ring.tail.load(Ordering::Relaxed);
        // Relaxed: the claim below decides; what it takes was pushed by this side.
        let mut head = ring.head.load(Ordering::Relaxed);
        loop {
            if head == tail {
                return None;
            }
            let item = ring.slot(head).load(Ordering::Relaxed);
            // Release: a thief that sees this head also sees the tail that was before it.
            match ring.head.compare_exchange(
                head,
                head.wrapping_add(1),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return NonNull::new(item),
                Err(actual) => head = actual,
            }
        }
    }

    /// How many items there are, or were a moment ago.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.ring.len()
    }

    /// How many items fit at least.
    #[inline]
    pub(crate) fn free(&self) -> usize {
        RING_LEN - self.len()
    }
}

impl<T> Stealer<T> {
    /// How many items there are, or were a moment ago.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there was nothing a moment ago.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Moves half of the items (at least one, if there are any) to `into`. Returns how many.
    pub(crate) fn steal_into(&self, into: &Owner<T>) -> usize {
        let room = into.free();
        for _ in 0..STEAL_TRIES_MAX {
            // Acquire pairs with the release of whoever moved the head, so that the tail below is
            // not older than it.
            let old = self.0.head.load(Ordering::Acquire);
            // Acquire pairs with the owner's release: the slots below the tail are filled.
            let tail = self.0.tail.load(Ordering::Acquire);
            let len = tail.wrapping_sub(old);
            if len == 0 || room == 0 {
                return 0;
            }
            if len > RING_LEN as u64 {
                // The head is out of date by more than a round.
                continue;
            }
            let take = (len - len / 2).min(room as u64);
            // Relaxed: only the owner of `into`, which is the caller, stores its tail.
            let end = into.ring.tail.load(Ordering::Relaxed);
            for offset in 0..take {
                // Relaxed, both: the acquire of the tail above made the slots visible, and the
                // release of `into`'s tail below publishes the copies.
                let item = self.0.slot(old.wrapping_add(offset));
                let item = item.load(Ordering::Relaxed);
                into.ring
                    .slot(end.wrapping_add(offset))
                    .store(item, Ordering::Relaxed);
            }
            let next = old.wrapping_add(take);
            let head = &self.0.head;
            // Release: the copies come before the claim (see the head of this file); pairs with the
            // acquire in `push`. Relaxed on failure: the copies are forgotten.
            let claim = head.compare_exchange(old, next, Ordering::AcqRel, Ordering::Relaxed);
            if claim.is_ok() {
                // Release pairs with the acquire of the thieves of `into`: it publishes the copies.
                into.ring
                    .tail
                    .store(end.wrapping_add(take), Ordering::Release);
                return take as usize;
            }
        }
        0
    }
}

#[cfg(all(test, zokio_loom))]
#[path = "tests/model_local_queue.rs"]
mod model;

#[cfg(all(test, not(zokio_model)))]
#[path = "tests/local_queue.rs"]
mod tests;
