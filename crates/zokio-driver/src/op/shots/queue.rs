//! The items that a multishot operation has brought and nobody has taken yet: between the reapers of the
//! ring and the one consumer.
//!
//! ```text
//!  ARMED ──── end ────▶ ENDED     the consumer takes what is queued, then the end
//!    │
//!    └────── orphan ──▶ ORPHANED  whatever comes is given back at once
//! ```
//!
//! Invariants:
//!
//! 1. An item is in the queue, or the consumer's, or given back: [`Queue::push`] returns what the queue
//!    does not take, [`Queue::orphan`] what was in it. None is dropped under the lock.
//! 2. Items keep their order, and the end is behind all of them.
//! 3. A waker that was left is called once something is there that was not before, outside of the
//!    lock. It is left only if nothing is there.
//! 4. A reaper that finds the queue full is told so once for each operation: [`Pushed::is_too_many`]. Items
//!    that come nevertheless are queued: they exist, and nobody else wants them.

use std::collections::VecDeque;
use std::task::{Poll, Waker};
use zokio_base::foreign::KeptWaker;
use zokio_base::sync::Mutex;

/// How a multishot operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The kernel's last result.
    Kernel(i32),
    /// The kernel never took it.
    NotBegun,
    /// The driver gave up waiting for it.
    Lost,
}

/// The next thing that the consumer is given.
#[derive(Debug, PartialEq, Eq)]
pub enum Shot<T> {
    /// The next item.
    Item(T),
    /// There are no more.
    End(End),
}

/// The fate of an item.
#[must_use]
pub(super) struct Pushed<T> {
    /// To be woken.
    pub(super) waker: Option<Waker>,
    /// To be given back: the consumer is gone.
    pub(super) refused: Option<T>,
    /// The operation is to be ended, for now.
    pub(super) is_too_many: bool,
}

struct State<T> {
    items: VecDeque<T>,
    waker: Option<KeptWaker>,
    end: Option<End>,
    is_orphaned: bool,
    was_full: bool,
}

/// See the module.
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    /// How many items are too many.
    limit: usize,
}

impl<T> State<T> {
    /// Finds the next thing for the consumer.
    fn next(&mut self) -> Option<Shot<T>> {
        if let Some(item) = self.items.pop_front() {
            return Some(Shot::Item(item));
        }
        self.end.map(Shot::End)
    }
}

impl<T> Queue<T> {
    pub(super) fn new(limit: usize) -> Self {
        assert!(limit > 0, "a queue has room for an item");
        Self {
            state: Mutex::new(State {
                items: VecDeque::new(),
                waker: None,
                end: None,
                is_orphaned: false,
                was_full: false,
            }),
            limit,
        }
    }

    /// Queues an item.
    pub(super) fn push(&self, item: T) -> Pushed<T> {
        let mut state = self.state.lock();
        // Behind the end comes nothing (invariant 2): what the kernel brings after the driver gave up
        // on it is given back.
        if state.is_orphaned || state.end.is_some() {
            return Pushed {
                waker: None,
                refused: Some(item),
                is_too_many: false,
            };
        }
        state.items.push_back(item);
        let is_too_many = state.items.len() >= self.limit && !state.was_full;
        state.was_full |= is_too_many;
        Pushed {
            waker: state.waker.take().map(KeptWaker::into_inner),
            refused: None,
            is_too_many,
        }
    }

    /// Nothing comes any more. Returns whom to wake.
    pub(super) fn end(&self, end: End) -> Option<Waker> {
        let mut state = self.state.lock();
        debug_assert_eq!(state.end, None, "an operation ends once");
        state.end = Some(end);
        state.waker.take().map(KeptWaker::into_inner)
    }

    /// Takes the next item, or leaves `waker`.
    pub(super) fn poll(&self, waker: &Waker) -> Poll<Shot<T>> {
        let mut state = self.state.lock();
        if let Some(shot) = state.next() {
            return Poll::Ready(shot);
        }
        let is_known = state
            .waker
            .as_ref()
            .is_some_and(|held| held.will_wake(waker));
        drop(state);
        if is_known {
            return Poll::Pending;
        }
        // Cloned and dropped without the lock: wakers are foreign code.
        let new = KeptWaker::of(waker);
        let mut state = self.state.lock();
        if let Some(shot) = state.next() {
            return Poll::Ready(shot);
        }
        let before = state.waker.replace(new);
        drop(state);
        drop(before);
        Poll::Pending
    }

    /// The consumer is gone. Returns what it has not taken, and whether more may come.
    pub(super) fn orphan(&self) -> (VecDeque<T>, bool) {
        let mut state = self.state.lock();
        state.is_orphaned = true;
        let waker = state.waker.take();
        let items = std::mem::take(&mut state.items);
        let is_armed = state.end.is_none();
        drop(state);
        drop(waker);
        (items, is_armed)
    }

    pub(super) fn is_orphaned(&self) -> bool {
        self.state.lock().is_orphaned
    }

    /// Whether nothing comes any more.
    pub(super) fn has_ended(&self) -> bool {
        self.state.lock().end.is_some()
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;

    #[test]
    fn items_come_in_order_and_the_end_behind_them() {
        let queue = Queue::new(10);
        let waker = Waker::noop();
        assert!(queue.poll(waker).is_pending());
        assert!(queue.push(1).waker.is_some());
        assert!(queue.push(2).waker.is_none());
        assert_eq!(queue.poll(waker), Poll::Ready(Shot::Item(1)));
        assert!(queue.end(End::Kernel(-4)).is_none());
        assert_eq!(queue.poll(waker), Poll::Ready(Shot::Item(2)));
        assert_eq!(queue.poll(waker), Poll::Ready(Shot::End(End::Kernel(-4))));
        assert!(queue.has_ended());
    }

    #[test]
    fn a_full_queue_says_so_once_and_takes_what_comes() {
        let queue = Queue::new(2);
        let said: Vec<_> = (0..4).map(|item| queue.push(item).is_too_many).collect();
        assert_eq!(said, [false, true, false, false]);
        let (items, is_armed) = queue.orphan();
        assert_eq!((items.len(), is_armed), (4, true));
        assert_eq!(queue.push(9).refused, Some(9));
        assert!(queue.end(End::Lost).is_none());
    }
}

#[cfg(all(test, zokio_loom))]
mod model {
    use super::*;
    use crate::testing::Woken;
    use std::sync::Arc;
    use zokio_base::sync::atomic::{AtomicUsize, Ordering};
    use zokio_base::sync::{model, thread};

    /// The kernel's side: two items and the end. Returns how many came back.
    fn kernel(queue: &Queue<u32>) -> usize {
        let mut refused = 0;
        for item in 0..2 {
            let pushed = queue.push(item);
            refused += usize::from(pushed.refused.is_some());
            if let Some(waker) = pushed.waker {
                waker.wake();
            }
        }
        if let Some(waker) = queue.end(End::Kernel(0)) {
            waker.wake();
        }
        refused
    }

    #[test]
    fn a_consumer_that_waits_is_woken_and_gets_all() {
        model(|| {
            let queue = Arc::new(Queue::new(1));
            let side = queue.clone();
            let finisher = thread::spawn(move || kernel(&side));
            let count = Arc::new(Woken::default());
            let waker = Waker::from(count.clone());
            let (mut seen, mut is_waiting) = (0, false);
            for _ in 0..2 {
                match queue.poll(&waker) {
                    Poll::Ready(Shot::Item(item)) => {
                        assert_eq!(item, seen);
                        seen += 1;
                    }
                    Poll::Ready(Shot::End(_)) => assert_eq!(seen, 2),
                    Poll::Pending => {
                        is_waiting = true;
                        break;
                    }
                }
            }
            assert_eq!(finisher.join().unwrap(), 0);
            if is_waiting {
                assert_eq!(count.count(), 1);
            }
            while let Poll::Ready(Shot::Item(item)) = queue.poll(&waker) {
                assert_eq!(item, seen);
                seen += 1;
            }
            assert_eq!(seen, 2);
        });
    }

    #[test]
    fn each_item_of_an_orphan_is_given_back_once() {
        model(|| {
            let queue = Arc::new(Queue::new(1));
            let returned = Arc::new(AtomicUsize::new(0));
            let (side, back) = (queue.clone(), returned.clone());
            let finisher = thread::spawn(move || {
                back.fetch_add(kernel(&side), Ordering::SeqCst);
            });
            let mut taken = 0;
            if let Poll::Ready(Shot::Item(_)) = queue.poll(Waker::noop()) {
                taken += 1;
            }
            let (items, _) = queue.orphan();
            returned.fetch_add(items.len(), Ordering::SeqCst);
            finisher.join().unwrap();
            assert_eq!(taken + returned.load(Ordering::SeqCst), 2);
        });
    }
}
