//! A fixed batch of wakers, filled under a lock and woken outside of it.
//!
//! Waking runs foreign code: it may take locks of its own, or drop the last handle to what the
//! lock guards. Structures therefore collect wakers here while they hold their lock, unlock, and
//! call [`WakeList::wake_all`]. Dropping a list that still holds wakers drops them without waking;
//! `wake_all` wakes every waker even if one of them panics, and then lets the panic go on.
//!
//! A batch is made for each call that may wake somebody, most of which wake one waker or none: so
//! its places are left uninitialised, and neither making nor dropping it walks them.
//!
//! Invariant: the places below `len`, and no others, hold a waker that belongs to the list.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::ptr;
use std::task::Waker;

/// How many wakers one batch holds.
#[cfg(not(loom))]
pub const WAKE_LIST_LEN: usize = 32;
/// How many wakers one batch holds: so few that models have more than one batch.
#[cfg(loom)]
pub const WAKE_LIST_LEN: usize = 1;

/// Up to [`WAKE_LIST_LEN`] wakers.
#[derive(Debug)]
pub struct WakeList {
    wakers: [MaybeUninit<Waker>; WAKE_LIST_LEN],
    len: usize,
}

impl Default for WakeList {
    fn default() -> Self {
        Self::new()
    }
}

impl WakeList {
    /// An empty batch.
    #[inline]
    pub const fn new() -> Self {
        Self {
            wakers: [const { MaybeUninit::uninit() }; WAKE_LIST_LEN],
            len: 0,
        }
    }

    /// Whether another waker fits.
    #[inline]
    pub fn can_push(&self) -> bool {
        self.len < WAKE_LIST_LEN
    }

    /// Whether the batch holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a waker.
    ///
    /// # Panics
    /// If the batch is full: ask [`can_push`](Self::can_push) first.
    #[inline]
    pub fn push(&mut self, waker: Waker) {
        self.wakers[self.len].write(waker);
        self.len += 1;
    }

    /// Wakes all that were pushed and empties the batch. Call it with no lock held.
    #[inline]
    pub fn wake_all(&mut self) {
        // From here on the wakers belong to `Rest`.
        let end = std::mem::take(&mut self.len);
        let mut rest = Rest {
            wakers: &self.wakers[..end],
            next: 0,
        };
        rest.run();
    }

    /// Drops what is in the list without waking it.
    #[cold]
    fn clear(&mut self) {
        // First, so that nothing is dropped twice.
        let end = std::mem::take(&mut self.len);
        let wakers = self.wakers[..end].as_mut_ptr().cast::<Waker>();
        // SAFETY: the invariant, for the length of before. A slice drops the others also if the
        // drop of one panics.
        unsafe { ptr::drop_in_place(ptr::slice_from_raw_parts_mut(wakers, end)) };
    }
}

impl Drop for WakeList {
    #[inline]
    fn drop(&mut self) {
        if self.len > 0 {
            self.clear();
        }
    }
}

/// The wakers that are still to be woken: those from `next` on are there, and are its own. Its drop
/// goes on where a panic interrupted the run.
struct Rest<'a> {
    wakers: &'a [MaybeUninit<Waker>],
    next: usize,
}

impl Rest<'_> {
    fn run(&mut self) {
        while let Some(place) = self.wakers.get(self.next) {
            self.next += 1;
            // SAFETY: it is there, and we have stepped past it: nobody reads it again.
            let waker = unsafe { place.assume_init_read() };
            waker.wake();
        }
    }
}

impl Drop for Rest<'_> {
    fn drop(&mut self) {
        self.run();
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    struct Panics;

    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("a waker that panics");
        }
    }

    #[test]
    fn wakes_each_once_and_can_be_filled_again() {
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let mut list = WakeList::default();
        for round in 1..=2 {
            while list.can_push() {
                list.push(count.clone().into());
            }
            list.wake_all();
            assert!(list.is_empty());
            assert_eq!(count.0.load(Ordering::Relaxed), round * WAKE_LIST_LEN);
        }
        assert_eq!(Arc::strong_count(&count), 1);
    }

    #[test]
    fn a_panic_in_one_waker_does_not_lose_the_others() {
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let mut list = WakeList::new();
        list.push(count.clone().into());
        list.push(Arc::new(Panics).into());
        list.push(count.clone().into());
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| list.wake_all()));
        assert!(result.is_err());
        assert_eq!(count.0.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn dropping_wakes_nobody() {
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let mut list = WakeList::new();
        list.push(count.clone().into());
        drop(list);
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        assert_eq!(Arc::strong_count(&count), 1);
    }

    #[test]
    fn dropping_after_waking_drops_only_what_was_pushed_since() {
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let mut list = WakeList::new();
        for _ in 0..3 {
            list.push(count.clone().into());
        }
        list.wake_all();
        list.push(count.clone().into());
        drop(list);
        assert_eq!(count.0.load(Ordering::Relaxed), 3);
        assert_eq!(Arc::strong_count(&count), 1);
    }

    #[test]
    #[should_panic(expected = "index out of bounds")]
    fn a_full_list_takes_no_more() {
        let mut list = WakeList::new();
        for _ in 0..=WAKE_LIST_LEN {
            list.push(Waker::noop().clone());
        }
    }
}
