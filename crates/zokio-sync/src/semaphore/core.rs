//! Permits that are handed out in the order in which they were asked for.
//!
//! Semaphore, mutex, read-write lock and bounded channel all stand on this.
//!
//! One word holds the number of free permits and two flags. While nobody waits, taking and giving
//! back permits is one compare-and-swap on it. Waiters are nodes inside of their futures, in a
//! queue behind a lock; permits that are given back while somebody waits go to the front of the
//! queue, without touching the word.
//!
//! Invariants:
//!
//! 1. `WAITERS` is set exactly while the queue is not empty. It changes under the lock only.
//! 2. While `WAITERS` is set and `CLOSED` is not, no permit is free: a waiter takes what is there
//!    before it queues up, so nobody overtakes it.
//! 3. While `WAITERS` is set, the word changes under the lock only (swaps that leave it as it is
//!    aside).
//! 4. A waiter is in the queue while its `missing` is neither 0 nor has the `REFUSED` bit. Whoever
//!    takes it out of the queue removes its waker first and stores `missing` last: the future may
//!    be gone right after that.
//! 5. A waiter's `links` and `waker` are touched under the lock, or by its own future while it is
//!    not in the queue.
//! 6. Once `CLOSED` is set it stays, and no waiter is queued or served any more. What a waiter had
//!    collected stays with it until it learns of the close, or is dropped.
#![allow(unsafe_code)]

use crate::marker::NotUnwindSafe;
use std::cell::UnsafeCell as LinkUnsafeCell;
use std::fmt;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, ready};
use zokio_base::foreign::KeptWaker;
use zokio_base::list::{Links, List, Node};
use zokio_base::sync::atomic::{AtomicUsize, Ordering};
use zokio_base::sync::{Mutex, MutexGuard, UnsafeCell};
use zokio_base::wake_list::WakeList;
use zokio_task::coop;

/// Nothing is handed out any more.
const CLOSED: usize = 0b01;
/// The queue is not empty.
const WAITERS: usize = 0b10;
/// Permits are counted above the flags.
const SHIFT: u32 = 2;

/// In `Waiter::missing`, above the number: the semaphore was closed.
const REFUSED: usize = 1 << (usize::BITS - 1);

/// The greatest number of permits.
pub(crate) const MAX_PERMITS: usize = usize::MAX >> 3;

/// Why permits could not be had at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TryError {
    /// The semaphore is closed.
    Closed,
    /// Too few permits are free.
    NoPermits,
}

/// The semaphore is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed;

/// A counting semaphore.
pub(crate) struct Semaphore {
    /// Free permits and flags.
    word: AtomicUsize,
    queue: Mutex<List<Waiter>>,
    _not_unwind_safe: NotUnwindSafe,
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("permits", &self.available())
            .field("closed", &self.is_closed())
            .finish()
    }
}

/// A future's place in the queue.
struct Waiter {
    links: LinkUnsafeCell<Links<Waiter>>,
    waker: UnsafeCell<Option<KeptWaker>>,
    /// How many permits it still needs.
    missing: AtomicUsize,
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

// SAFETY: a waiter is shared under invariants 4 and 5; wakers may move between threads.
unsafe impl Send for Waiter {}
// SAFETY: as above.
unsafe impl Sync for Waiter {}

const fn free(word: usize) -> usize {
    word >> SHIFT
}

impl Semaphore {
    /// A semaphore with `permits` free permits.
    #[cfg(not(zokio_loom))]
    pub(crate) const fn new(permits: usize) -> Self {
        Self {
            word: AtomicUsize::new(permits << SHIFT),
            queue: Mutex::new(List::new()),
            _not_unwind_safe: std::marker::PhantomData,
        }
    }

    /// A semaphore with `permits` free permits.
    #[cfg(zokio_loom)]
    pub(crate) fn new(permits: usize) -> Self {
        Self {
            word: AtomicUsize::new(permits << SHIFT),
            queue: Mutex::new(List::new()),
            _not_unwind_safe: std::marker::PhantomData,
        }
    }

    /// A semaphore that is closed already.
    #[cfg(not(zokio_loom))]
    pub(crate) const fn new_closed() -> Self {
        Self {
            word: AtomicUsize::new(CLOSED),
            queue: Mutex::new(List::new()),
            _not_unwind_safe: std::marker::PhantomData,
        }
    }

    /// A semaphore that is closed already.
    #[cfg(zokio_loom)]
    pub(crate) fn new_closed() -> Self {
        Self {
            word: AtomicUsize::new(CLOSED),
            queue: Mutex::new(List::new()),
            _not_unwind_safe: std::marker::PhantomData,
        }
    }

    /// How many permits are free.
    pub(crate) fn available(&self) -> usize {
        // Acquire pairs with the releases of those who gave permits back.
        free(self.word.load(Ordering::Acquire))
    }

    /// Whether [`close`](Self::close) was called.
    pub(crate) fn is_closed(&self) -> bool {
        // Acquire pairs with the swap in `close`.
        self.word.load(Ordering::Acquire) & CLOSED != 0
    }

    /// Takes `count` permits if they are free.
    #[inline]
    pub(crate) fn try_acquire(&self, count: usize) -> Result<(), TryError> {
        // Acquire pairs with the swap in `close`: who is refused sees what was done before it.
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            if word & CLOSED != 0 {
                return Err(TryError::Closed);
            }
            if free(word) < count {
                return Err(TryError::NoPermits);
            }
            // Acquire pairs with the release of those who gave the permits back.
            match self.word.compare_exchange_weak(
                word,
                word - (count << SHIFT),
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return Ok(()),
                Err(actual) => word = actual,
            }
        }
    }

    /// A future that takes `count` permits.
    #[inline]
    pub(crate) fn acquire(&self, count: usize) -> Acquire<'_> {
        Acquire {
            semaphore: self,
            count,
            stage: Stage::Fresh,
            waiter: Waiter {
                links: LinkUnsafeCell::new(Links::new()),
                waker: UnsafeCell::new(None),
                missing: AtomicUsize::new(count),
            },
        }
    }

    /// Gives back `count` permits, or adds new ones.
    #[inline]
    pub(crate) fn release(&self, count: usize) {
        if count == 0 {
            return;
        }
        // Relaxed: nothing is read on the strength of this but the word itself.
        let mut word = self.word.load(Ordering::Relaxed);
        while word & WAITERS == 0 {
            check_room(word, count);
            // Release pairs with the acquire of whoever takes the permits next.
            match self.word.compare_exchange_weak(
                word,
                word + (count << SHIFT),
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(actual) => word = actual,
            }
        }
        check_room(0, count);
        self.serve(count, self.queue.lock());
    }

    /// Takes away up to `count` free permits for good. Returns how many it were.
    pub(crate) fn forget(&self, count: usize) -> usize {
        // Relaxed: the swap below is what acquires.
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let taken = free(word).min(count);
            if taken == 0 {
                return 0;
            }
            // AcqRel as in `try_acquire`.
            match self.word.compare_exchange_weak(
                word,
                word - (taken << SHIFT),
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => return taken,
                Err(actual) => word = actual,
            }
        }
    }

    /// Hands `count` permits to those who wait and leaves the rest free.
    #[cold]
    fn serve<'a>(&'a self, mut count: usize, mut queue: MutexGuard<'a, List<Waiter>>) {
        let mut wakers = WakeList::new();
        loop {
            // Relaxed: the flags change under the lock that we hold.
            let word = self.word.load(Ordering::Relaxed);
            if word & WAITERS == 0 || word & CLOSED != 0 {
                // Release pairs with the acquire of whoever takes the permits next.
                self.word.fetch_add(count << SHIFT, Ordering::AcqRel);
                break;
            }
            while count > 0 && wakers.can_push() {
                let Some(front) = queue.front() else { break };
                // SAFETY: a queued waiter is alive (invariant 4), and we hold the lock.
                count = unsafe { Waiter::feed(front, &mut queue, count, &mut wakers) };
            }
            if queue.is_empty() {
                // Invariants 1 and 3. Release pairs with the acquire of whoever takes them.
                self.word.store(count << SHIFT, Ordering::Release);
                break;
            }
            if count == 0 {
                break;
            }
            // The batch is full: wake it without the lock and go on.
            drop(queue);
            wakers.wake_all();
            queue = self.queue.lock();
        }
        drop(queue);
        wakers.wake_all();
    }

    /// Refuses everybody from now on, those who wait included.
    pub(crate) fn close(&self) {
        let mut queue = self.queue.lock();
        // Release pairs with the acquire in `is_closed`.
        self.word.fetch_or(CLOSED, Ordering::AcqRel);
        let mut wakers = WakeList::new();
        loop {
            while wakers.can_push() {
                let Some(node) = queue.pop_front() else { break };
                // SAFETY: it was queued until just now, so it is alive until `finish` stores
                // `missing` (invariant 4), and we hold the lock.
                unsafe {
                    let waiter = node.as_ref();
                    // Relaxed: written under the lock only.
                    let missing = waiter.missing.load(Ordering::Relaxed);
                    waiter.finish(REFUSED | missing, &mut wakers);
                }
            }
            let more = !queue.is_empty();
            if !more {
                // Invariant 1. Relaxed: the flag publishes nothing.
                self.word.fetch_and(!WAITERS, Ordering::Relaxed);
            }
            drop(queue);
            wakers.wake_all();
            if !more {
                return;
            }
            queue = self.queue.lock();
        }
    }
}

impl Waiter {
    /// Gives the first waiter up to `count` permits, and lets it go when that is all it needs.
    /// Returns how many permits are left.
    ///
    /// # Safety
    /// `front` is the first of `queue`, and `wakers` has room.
    unsafe fn feed(
        front: NonNull<Self>,
        queue: &mut List<Self>,
        count: usize,
        wakers: &mut WakeList,
    ) -> usize {
        // SAFETY: it is queued, hence alive (invariant 4).
        let waiter = unsafe { front.as_ref() };
        // Relaxed: written under the lock only.
        let missing = waiter.missing.load(Ordering::Relaxed);
        if missing > count {
            // Release pairs with the acquire in `Acquire::poll`.
            waiter.missing.store(missing - count, Ordering::Release);
            return 0;
        }
        queue.pop_front();
        // SAFETY: the caller holds the lock, and the waiter has just left the queue.
        unsafe { waiter.finish(0, wakers) };
        count - missing
    }

    /// The end of a waiter's time in the queue.
    ///
    /// # Safety
    /// The caller holds the lock and took the waiter out of the queue. `self` may be gone when
    /// this returns.
    unsafe fn finish(&self, missing: usize, wakers: &mut WakeList) {
        // SAFETY: invariant 5, we hold the lock.
        if let Some(waker) = self.waker.with_mut(|waker| unsafe { (*waker).take() }) {
            wakers.push(waker);
        }
        // Release pairs with the acquire in `Acquire::poll`. The last touch (invariant 4).
        self.missing.store(missing, Ordering::Release);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Not polled yet, or not pending so far.
    Fresh,
    /// Was put into the queue. Whether it still is, `missing` says.
    Queued,
    /// Has its permits, but had no budget to say so.
    Held,
    /// Returned its result.
    Done,
}

/// Waits for permits. They belong to the caller once it is ready; dropped before, it gives back
/// what it got.
pub(crate) struct Acquire<'a> {
    semaphore: &'a Semaphore,
    count: usize,
    stage: Stage,
    waiter: Waiter,
}

impl Future for Acquire<'_> {
    type Output = Result<(), Closed>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: nothing is moved out of the pinned future.
        let this = unsafe { self.get_unchecked_mut() };
        if this.stage != Stage::Fresh || this.semaphore.try_acquire(this.count).is_err() {
            return this.poll_slowly(cx);
        }
        this.stage = Stage::Held;
        // Only now: a task without budget keeps its place among those who ask.
        ready!(coop::poll_proceed(cx)).made_progress();
        this.stage = Stage::Done;
        Poll::Ready(Ok(()))
    }
}

impl Acquire<'_> {
    /// A poll that does not find its permits free at once.
    fn poll_slowly(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        let result = match self.stage {
            Stage::Fresh if self.semaphore.is_closed() => Err(Closed),
            Stage::Fresh => ready!(self.enqueue(cx)),
            Stage::Queued => ready!(self.poll_queued(cx)),
            Stage::Held => Ok(()),
            Stage::Done => panic!("`Acquire` polled after it was ready"),
        };
        if self.stage == Stage::Fresh && result.is_ok() {
            self.stage = Stage::Held;
        }
        // As above.
        ready!(coop::poll_proceed(cx)).made_progress();
        if self.stage == Stage::Queued && result.is_err() {
            self.semaphore.release(self.holds());
        }
        self.stage = Stage::Done;
        Poll::Ready(result)
    }

    /// Takes what permits there are and queues up for the rest.
    #[cold]
    fn enqueue(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        // Cloned before the lock is taken: wakers are foreign code.
        let waker = KeptWaker::of(cx.waker());
        let mut queue = self.semaphore.queue.lock();
        let word = &self.semaphore.word;
        // Relaxed: the swap below is what acquires.
        let mut seen = word.load(Ordering::Relaxed);
        let missing = loop {
            if seen & CLOSED != 0 {
                drop(queue);
                return Poll::Ready(Err(Closed));
            }
            let taken = free(seen).min(self.count);
            let missing = self.count - taken;
            let flag = if missing == 0 {
                seen & WAITERS
            } else {
                WAITERS
            };
            let next = (free(seen) - taken) << SHIFT | flag;
            // AcqRel as in `try_acquire`: what we take here may have just been given back.
            match word.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => break missing,
                Err(actual) => seen = actual,
            }
        };
        if missing == 0 {
            drop(queue);
            return Poll::Ready(Ok(()));
        }
        // SAFETY: invariant 5, we are not in the queue yet.
        self.waiter
            .waker
            .with_mut(|slot| unsafe { *slot = Some(waker) });
        // Relaxed: others look at it under the lock.
        self.waiter.missing.store(missing, Ordering::Relaxed);
        self.stage = Stage::Queued;
        // SAFETY: the future is pinned, and its drop takes the node out of the queue.
        unsafe { queue.push_back(NonNull::from(&self.waiter)) };
        Poll::Pending
    }

    fn poll_queued(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        if let Some(result) = self.outcome() {
            return Poll::Ready(result);
        }
        let new = KeptWaker::of(cx.waker());
        let queue = self.semaphore.queue.lock();
        if let Some(result) = self.outcome() {
            drop(queue);
            return Poll::Ready(result);
        }
        // SAFETY: invariant 5, we hold the lock.
        let old = self
            .waiter
            .waker
            .with_mut(|slot| unsafe { (*slot).replace(new) });
        drop(queue);
        drop(old);
        Poll::Pending
    }

    /// The fate of the waiter, once it has left the queue.
    fn outcome(&self) -> Option<Result<(), Closed>> {
        // Acquire pairs with the release in `Waiter::finish`: what those did who gave the permits
        // back is seen by us.
        let missing = self.waiter.missing.load(Ordering::Acquire);
        if missing != 0 && missing & REFUSED == 0 {
            return None;
        }
        if missing == 0 && !self.semaphore.is_closed() {
            return Some(Ok(()));
        }
        // Also where all was there before the close: nothing is handed out after it.
        Some(Err(Closed))
    }

    /// Leaves the queue, if that is still to be done, and gives back what the waiter got.
    fn leave(&mut self) {
        let semaphore = self.semaphore;
        let mut queue = semaphore.queue.lock();
        // SAFETY: the node is ours, alive, and in this queue or in none.
        unsafe { queue.remove(NonNull::from(&self.waiter)) };
        let holds = self.holds();
        // Relaxed: the flags change under the lock that we hold.
        let word = semaphore.word.load(Ordering::Relaxed);
        if queue.is_empty() && word & WAITERS != 0 {
            // Invariant 1. Relaxed: the flag publishes nothing.
            semaphore.word.fetch_and(!WAITERS, Ordering::Relaxed);
        }
        if holds > 0 {
            // The waiter that is first now may be content with what we leave.
            semaphore.serve(holds, queue);
        }
    }

    /// How many permits a waiter that has left the queue holds.
    fn holds(&self) -> usize {
        // Relaxed: the caller has seen the last store already, or holds the lock.
        self.count - (self.waiter.missing.load(Ordering::Relaxed) & !REFUSED)
    }
}

impl Drop for Acquire<'_> {
    #[inline]
    fn drop(&mut self) {
        match self.stage {
            Stage::Fresh | Stage::Done => {}
            Stage::Held => self.semaphore.release(self.count),
            Stage::Queued => self.leave(),
        }
    }
}

/// Panics where `count` more permits do not fit.
#[inline]
fn check_room(word: usize, count: usize) {
    assert!(
        count <= MAX_PERMITS && free(word) + count <= MAX_PERMITS,
        "number of added permits ({count}) would overflow MAX_PERMITS ({MAX_PERMITS})"
    );
}
