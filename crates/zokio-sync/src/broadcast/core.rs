//! A ring of slots that senders overwrite and every receiver reads at its own pace.
//!
//! Positions count values; the value of a position is in the slot of that number modulo the ring's
//! length. A slot says which position's value it holds, so that a receiver sees from the slot alone
//! whether its next value is there: it takes the tail's lock only when it is not.
//!
//! A value is cloned while its slot is locked, because `T` may be `Send` without being `Sync`. The
//! last receiver of a value takes it out first.
//!
//! Invariants:
//!
//! 1. A slot changes its position under the tail's lock and its own. Its value may be taken under
//!    its own.
//! 2. `unseen` of a slot counts the receivers that were there when the value was sent and have
//!    neither read it nor lost it. While it is above 0 the value is there.
//! 3. A waiter keeps the tail's round of the time when it was queued. In a list, it is in `waiting`
//!    if that is still the round, else in `draining`. The round changes under the lock only, when
//!    `waiting` moves to `draining`.
//! 4. A waiter's `links` and `waker` are touched under the lock, or by its own future while it is
//!    not queued. Whoever takes it out of a list clears `queued` last: the future may be gone right
//!    after that.
//! 5. Locks are taken in the order tail, slot. Values are dropped and wakers woken without a lock.
//! 6. A value is dropped by the sender that overwrites it, by the receiver that reads or loses it last,
//!    or by the last handle of all. Which of them it is only time decides, so that a panic of its
//!    destructor is contained.
#![allow(unsafe_code)]

use crate::notify::Notify;
use std::cell::UnsafeCell as LinkUnsafeCell;
use std::fmt;
use std::ptr::NonNull;
use std::task::Waker;
use zokio_base::foreign::{Contained, KeptWaker, drop_value};
use zokio_base::list::{Links, List, Node};
use zokio_base::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use zokio_base::sync::{Mutex, MutexGuard, UnsafeCell};
use zokio_base::wake_list::WakeList;

struct Slot<T> {
    position: u64,
    unseen: usize,
    value: Option<T>,
}

struct Tail {
    /// Where the next value goes.
    position: u64,
    receivers: usize,
    /// All senders are gone.
    ended: bool,
    round: u64,
    waiting: List<Waiter>,
    draining: List<Waiter>,
}

/// The state that the halves share.
pub(super) struct Shared<T> {
    ring: Box<[Mutex<Slot<T>>]>,
    tail: Mutex<Tail>,
    senders: AtomicUsize,
    weak: AtomicUsize,
    /// Wakes senders that wait until there is no receiver.
    unwatched: Notify,
}

/// A receiver's place in the lists.
pub(super) struct Waiter {
    links: LinkUnsafeCell<Links<Waiter>>,
    waker: UnsafeCell<Option<KeptWaker>>,
    queued: AtomicBool,
    round: LinkUnsafeCell<u64>,
}

// SAFETY: the links are a field of the node, reached without a reference to it.
unsafe impl Node for Waiter {
    unsafe fn links(node: NonNull<Self>) -> NonNull<Links<Self>> {
        // SAFETY: the caller promises a live node, so the field's address is in bounds; the cell
        // allows writing through an address that came from a shared reference.
        unsafe {
            let cell = &raw const (*node.as_ptr()).links;
            NonNull::new_unchecked(LinkUnsafeCell::raw_get(cell))
        }
    }
}

// SAFETY: a waiter is shared under invariants 3 and 4; wakers may move between threads.
unsafe impl Send for Waiter {}
// SAFETY: as above.
unsafe impl Sync for Waiter {}

impl Waiter {
    pub(super) fn new() -> Self {
        Self {
            links: LinkUnsafeCell::new(Links::new()),
            waker: UnsafeCell::new(None),
            queued: AtomicBool::new(false),
            round: LinkUnsafeCell::new(0),
        }
    }
}

/// The findings of a receiver.
pub(super) enum Found<T> {
    Value(T),
    /// Nothing yet.
    Empty,
    /// Nothing any more.
    Ended,
    /// So many values are lost; the receiver stands at the oldest that is left.
    Lagged(u64),
}

impl<T> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Shared");
        debug.field("capacity", &self.ring.len());
        if let Some(tail) = self.tail.try_lock() {
            debug
                .field("position", &tail.position)
                .field("receivers", &tail.receivers)
                .field("ended", &tail.ended);
        }
        debug.field("senders", &self.sender_count()).finish()
    }
}

impl<T> Shared<T> {
    /// One sender, and so many receivers, which start at position 0. `length` is a power of two.
    pub(super) fn new(length: usize, receivers: usize) -> Self {
        debug_assert!(length.is_power_of_two());
        let slot = |index: usize| {
            Mutex::new(Slot {
                // One lap before the first.
                position: (index as u64).wrapping_sub(length as u64),
                unseen: 0,
                value: None,
            })
        };
        Self {
            ring: (0..length).map(slot).collect(),
            tail: Mutex::new(Tail {
                position: 0,
                receivers,
                ended: false,
                round: 0,
                waiting: List::new(),
                draining: List::new(),
            }),
            senders: AtomicUsize::new(1),
            weak: AtomicUsize::new(0),
            unwatched: Notify::new(),
        }
    }

    fn slot(&self, position: u64) -> MutexGuard<'_, Slot<T>> {
        self.ring[position as usize & (self.ring.len() - 1)].lock()
    }

    /// The position of the oldest value that may be left.
    fn oldest(&self, tail: &Tail) -> u64 {
        tail.position.saturating_sub(self.ring.len() as u64)
    }

    // ---- Senders ----

    /// Sends a value to all receivers there are, and returns how many these are.
    pub(super) fn send(&self, value: T) -> Result<usize, T> {
        let mut tail = self.tail.lock();
        let receivers = tail.receivers;
        if receivers == 0 {
            return Err(value);
        }
        let position = tail.position;
        let old = {
            let mut slot = self.slot(position);
            slot.position = position;
            slot.unseen = receivers;
            slot.value.replace(value)
        };
        tail.position += 1;
        self.wake_all(tail);
        // Its last receiver might have dropped it as well (invariant 6).
        drop_value(old);
        Ok(receivers)
    }

    /// Wakes everybody who waits for a value.
    fn wake_all<'a>(&'a self, mut tail: MutexGuard<'a, Tail>) {
        if tail.waiting.is_empty() {
            return;
        }
        // Invariant 3.
        tail.round += 1;
        let Tail {
            waiting, draining, ..
        } = &mut *tail;
        draining.append(waiting);
        let mut wakers = WakeList::new();
        loop {
            while wakers.can_push() {
                let Some(node) = tail.draining.pop_front() else {
                    break;
                };
                // SAFETY: it was in a list until just now, so it is alive until `queued` is
                // cleared; invariant 4, we hold the lock.
                unsafe {
                    let waiter = node.as_ref();
                    if let Some(waker) = waiter.waker.with_mut(|waker| (*waker).take()) {
                        wakers.push(waker);
                    }
                    // Release pairs with the acquire in `leave`. The last touch.
                    waiter.queued.store(false, Ordering::Release);
                }
            }
            let more = !tail.draining.is_empty();
            drop(tail);
            wakers.wake_all();
            if !more {
                return;
            }
            tail = self.tail.lock();
        }
    }

    /// How many values are in the ring that somebody has still to receive.
    pub(super) fn len(&self) -> usize {
        let tail = self.tail.lock();
        // Receivers go from old to new, so a value that somebody has not seen is followed by such
        // values only.
        let (mut low, mut high) = (self.oldest(&tail), tail.position);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.slot(middle).unseen == 0 {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        (tail.position - low) as usize
    }

    /// Whether everybody has received everything.
    pub(super) fn is_empty(&self) -> bool {
        let tail = self.tail.lock();
        tail.position == 0 || self.slot(tail.position - 1).unseen == 0
    }

    /// Waits until there is no receiver.
    pub(super) async fn closed(&self) {
        loop {
            let notified = self.unwatched.notified();
            if self.receiver_count() == 0 {
                return;
            }
            notified.await;
        }
    }

    pub(super) fn add_sender(&self) {
        // Relaxed: who adds one has one.
        self.senders.fetch_add(1, Ordering::Relaxed);
    }

    /// Another sender, from a weak one: if there is one left.
    pub(super) fn try_add_sender(&self) -> bool {
        // Relaxed: only the count matters, and it never rises from 0.
        let mut count = self.senders.load(Ordering::Relaxed);
        while count > 0 {
            match self.senders.compare_exchange_weak(
                count,
                count + 1,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(actual) => count = actual,
            }
        }
        false
    }

    pub(super) fn remove_sender(&self) {
        // Release and acquire: what all senders did comes before the end.
        if self.senders.fetch_sub(1, Ordering::AcqRel) == 1 {
            let mut tail = self.tail.lock();
            tail.ended = true;
            self.wake_all(tail);
        }
    }

    pub(super) fn sender_count(&self) -> usize {
        // Acquire pairs with the release in `remove_sender`.
        self.senders.load(Ordering::Acquire)
    }

    pub(super) fn add_weak(&self) {
        // Relaxed: only counted.
        self.weak.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn remove_weak(&self) {
        // Relaxed: only counted.
        self.weak.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn weak_count(&self) -> usize {
        // Relaxed: only counted.
        self.weak.load(Ordering::Relaxed)
    }

    // ---- Receivers ----

    /// Another receiver, which stands at the returned position.
    pub(super) fn add_receiver(&self) -> u64 {
        let mut tail = self.tail.lock();
        assert!(
            tail.receivers < usize::MAX >> 2,
            "a broadcast channel has too many receivers"
        );
        tail.receivers += 1;
        tail.position
    }

    /// A receiver that stands at `next` goes.
    pub(super) fn remove_receiver(&self, next: u64) {
        let (positions, last) = {
            let mut tail = self.tail.lock();
            tail.receivers -= 1;
            // Values that are sent from here on do not count it.
            let start = next.max(self.oldest(&tail));
            (start..tail.position, tail.receivers == 0)
        };
        for position in positions {
            let mut slot = self.slot(position);
            let mut value = None;
            if slot.position == position {
                slot.unseen -= 1;
                if slot.unseen == 0 {
                    value = slot.value.take();
                }
            }
            drop(slot);
            drop_value(value);
        }
        if last {
            self.unwatched.notify_waiters();
        }
    }

    pub(super) fn receiver_count(&self) -> usize {
        self.tail.lock().receivers
    }

    pub(super) fn has_ended(&self) -> bool {
        self.tail.lock().ended
    }

    /// How many values were sent since the one before `next`, lost ones included.
    pub(super) fn len_from(&self, next: u64) -> usize {
        (self.tail.lock().position - next) as usize
    }
}

impl<T: Clone> Shared<T> {
    /// Takes the value at `next` and steps on. If there is none yet, queues `waiter`, which stays
    /// pinned and is used with this channel only until [`leave`](Self::leave).
    pub(super) fn receive(&self, next: &mut u64, waiter: Option<(&Waiter, &Waker)>) -> Found<T> {
        loop {
            if let Some(value) = self.read(next) {
                return Found::Value(value);
            }
            // Cloned before the lock is taken: wakers are foreign code.
            let waiter = waiter.map(|(waiter, waker)| (waiter, KeptWaker::of(waker)));
            let mut tail = self.tail.lock();
            if tail.position == *next {
                if tail.ended {
                    return Found::Ended;
                }
                let old = waiter.and_then(|(waiter, waker)| enqueue(&mut tail, waiter, waker));
                drop(tail);
                drop(old);
                return Found::Empty;
            }
            let oldest = self.oldest(&tail);
            if *next < oldest {
                let missed = oldest - *next;
                *next = oldest;
                return Found::Lagged(missed);
            }
            // It came just now.
        }
    }

    /// Takes the value at `next`, if it is in its slot, and steps on.
    fn read(&self, next: &mut u64) -> Option<T> {
        let mut slot = self.slot(*next);
        if slot.position != *next {
            return None;
        }
        // Before the value is cloned, which may panic.
        *next += 1;
        slot.unseen -= 1;
        if slot.unseen > 0 {
            return slot.value.clone();
        }
        // The last receiver clones as well: what it gets is always a clone. It owns the original
        // by now and needs no lock.
        let original = Contained::new(slot.value.take());
        drop(slot);
        // A panic of the clone goes to the caller; what the drop does then is contained.
        (*original).clone()
    }
}

impl<T> Shared<T> {
    /// Takes `waiter` out of the lists.
    pub(super) fn leave(&self, waiter: &Waiter) {
        // Acquire pairs with the release in `wake_all`.
        if !waiter.queued.load(Ordering::Acquire) {
            return;
        }
        let mut tail = self.tail.lock();
        // SAFETY: invariant 3, which list the node is in; it is ours, and alive.
        unsafe {
            let node = NonNull::from(waiter);
            if *waiter.round.get() == tail.round {
                tail.waiting.remove(node);
            } else {
                tail.draining.remove(node);
            }
        }
        // Relaxed: read by us only.
        waiter.queued.store(false, Ordering::Relaxed);
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        if std::mem::needs_drop::<T>() {
            for slot in &self.ring {
                let value = slot.lock().value.take();
                drop_value(value);
            }
        }
    }
}

/// Queues a waiter or renews its waker. Returns the old one.
fn enqueue(tail: &mut Tail, waiter: &Waiter, waker: KeptWaker) -> Option<KeptWaker> {
    let node = NonNull::from(waiter);
    // SAFETY: invariant 4, we hold the lock. The node is ours, alive, and leaves the lists before
    // it is dropped.
    unsafe {
        let old = waiter.waker.with_mut(|slot| (*slot).replace(waker));
        // Relaxed: cleared under the lock that we hold.
        let queued = waiter.queued.load(Ordering::Relaxed);
        // A round begins together with a value or the end, and whoever waited before it finds that
        // instead of coming here.
        debug_assert!(!queued || *waiter.round.get() == tail.round);
        if !queued {
            *waiter.round.get() = tail.round;
            waiter.queued.store(true, Ordering::Relaxed);
            tail.waiting.push_back(node);
        }
        old
    }
}
