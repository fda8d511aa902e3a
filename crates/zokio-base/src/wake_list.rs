//! A fixed batch of wakers, filled under a lock and woken outside of it.
//!
//! Waking runs foreign code: it may take locks of its own, or drop the last handle to what the
//! lock guards. Structures therefore collect wakers here while they hold their lock, unlock, and
//! call [`WakeList::wake_all`]. Dropping a list that still holds wakers drops them without waking.
//!
//! Both reach every waker, whichever of them panic, and return: the panics are contained as
//! [`foreign`] says. So a structure that wakes several batches gets to the last of
//! them. Containment costs one frame for the batch, and one more for each panic.
//!
//! A batch is made for each call that may wake somebody, most of which wake one waker or none: so
//! its places are left uninitialised, and neither making nor dropping it walks them.
//!
//! Invariant: the places below `len`, and no others, hold a waker that belongs to the list.
#![allow(unsafe_code)]

use crate::foreign::{self, KeptWaker};
use std::mem::MaybeUninit;

/// How many wakers one batch holds.
#[cfg(not(zokio_loom))]
pub const WAKE_LIST_LEN: usize = 32;
/// How many wakers one batch holds: so few that models have more than one batch.
#[cfg(zokio_loom)]
pub const WAKE_LIST_LEN: usize = 1;

/// Up to [`WAKE_LIST_LEN`] wakers.
#[derive(Debug)]
pub struct WakeList {
    wakers: [MaybeUninit<KeptWaker>; WAKE_LIST_LEN],
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
    pub fn push(&mut self, waker: KeptWaker) {
        self.wakers[self.len].write(waker);
        self.len += 1;
    }

    /// Wakes all that were pushed and empties the batch. Call it with no lock held.
    #[inline]
    pub fn wake_all(&mut self) {
        let mut rest = self.take_rest();
        // A panic ends a run; the next one begins behind the waker that panicked.
        while !rest.is_empty() {
            let _ = foreign::contain(|| rest.by_ref().for_each(|it| it.into_inner().wake()));
        }
    }

    /// Drops what is in the list without waking it.
    #[cold]
    fn clear(&mut self) {
        // The drop of each is contained.
        self.take_rest().for_each(drop);
    }

    /// Empties the list. What was in it belongs to the iterator from then on.
    #[inline]
    fn take_rest(&mut self) -> Rest<'_> {
        let end = std::mem::take(&mut self.len);
        Rest {
            wakers: &self.wakers[..end],
            next: 0,
        }
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

/// The wakers of a batch that are still to be reached: those from `next` on are there, and are its
/// own. It is run to its end.
struct Rest<'a> {
    wakers: &'a [MaybeUninit<KeptWaker>],
    next: usize,
}

impl Rest<'_> {
    #[inline]
    fn is_empty(&self) -> bool {
        self.next == self.wakers.len()
    }
}

impl Iterator for Rest<'_> {
    type Item = KeptWaker;

    #[inline]
    fn next(&mut self) -> Option<KeptWaker> {
        let place = self.wakers.get(self.next)?;
        self.next += 1;
        // SAFETY: it is there, and we have stepped past it: nobody reads it again.
        Some(unsafe { place.assume_init_read() })
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    fn counting(count: &Arc<Count>) -> KeptWaker {
        KeptWaker::new(count.clone().into())
    }

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

    impl Drop for Panics {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                panic!("a waker whose drop panics");
            }
        }
    }

    #[test]
    fn wakes_each_once_and_can_be_filled_again() {
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let mut list = WakeList::default();
        for round in 1..=2 {
            while list.can_push() {
                list.push(counting(&count));
            }
            list.wake_all();
            assert!(list.is_empty());
            assert_eq!(count.0.load(Ordering::Relaxed), round * WAKE_LIST_LEN);
        }
        assert_eq!(Arc::strong_count(&count), 1);
    }

    /// A waker that panics in `wake` and, with its last reference, in `drop`.
    fn panicking() -> KeptWaker {
        KeptWaker::new(Arc::new(Panics).into())
    }

    #[test]
    fn panics_of_some_wakers_do_not_lose_the_others() {
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let mut list = WakeList::new();
        let mut good = 0;
        while list.can_push() {
            good += 1;
            list.push(counting(&count));
            if list.can_push() {
                list.push(panicking());
            }
        }
        let before = foreign::contained();
        list.wake_all();
        assert_eq!(count.0.load(Ordering::Relaxed), good);
        assert!(foreign::contained() >= before + (WAKE_LIST_LEN - good) as u64);
        assert_eq!(Arc::strong_count(&count), 1);
    }

    #[test]
    fn panics_of_some_drops_do_not_keep_the_others() {
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let mut list = WakeList::new();
        for _ in 0..2 {
            list.push(panicking());
            list.push(counting(&count));
        }
        drop(list);
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        assert_eq!(Arc::strong_count(&count), 1);
    }

    #[test]
    fn dropping_wakes_nobody() {
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let mut list = WakeList::new();
        list.push(counting(&count));
        drop(list);
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        assert_eq!(Arc::strong_count(&count), 1);
    }

    #[test]
    fn dropping_after_waking_drops_only_what_was_pushed_since() {
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let mut list = WakeList::new();
        for _ in 0..3 {
            list.push(counting(&count));
        }
        list.wake_all();
        list.push(counting(&count));
        drop(list);
        assert_eq!(count.0.load(Ordering::Relaxed), 3);
        assert_eq!(Arc::strong_count(&count), 1);
    }

    #[test]
    #[should_panic(expected = "index out of bounds")]
    fn a_full_list_takes_no_more() {
        let mut list = WakeList::new();
        for _ in 0..=WAKE_LIST_LEN {
            list.push(KeptWaker::of(Waker::noop()));
        }
    }
}
