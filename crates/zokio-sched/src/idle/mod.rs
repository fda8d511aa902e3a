//! The sleepers, the searchers, and the choice of the worker to wake. The steps of both sides and why no
//! wake-up is lost stand in `PROTOCOL.md` beside this file; the step numbers below are its numbers.
//!
//! Invariants:
//!
//! 1. A worker is in `sleepers` from S1 until it is popped (W4) or takes itself out (R1).
//! 2. `awake` is the number of workers minus the length of `sleepers`, for whoever holds the lock.
//! 3. A worker that a waker pops is counted as searching from that moment.

use zokio_base::bits::Field;
use zokio_base::sync::Mutex;
use zokio_base::sync::atomic::{AtomicU64, Ordering, fence};

/// How many workers look for work elsewhere.
const SEARCHING: Field = Field::lowest(32);
/// How many workers are not asleep.
const AWAKE: Field = SEARCHING.then(32);

/// The state of the idle protocol.
#[derive(Debug)]
pub(crate) struct Idle {
    word: AtomicU64,
    /// The workers that sleep; the one that fell asleep last is woken first, its cache is warm.
    sleepers: Mutex<Vec<u32>>,
    workers: u32,
}

/// How a sleeper got out of bed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Risen {
    /// By itself: an event of its own woke it.
    Alone,
    /// A waker sent it: it has to search, and is counted as searching.
    Sent,
}

impl Idle {
    /// All workers are awake, none searches.
    pub(crate) fn new(workers: u32) -> Self {
        Self {
            word: AtomicU64::new(AWAKE.set(0, u64::from(workers))),
            sleepers: Mutex::new(Vec::with_capacity(workers as usize)),
            workers,
        }
    }

    fn wants_searcher(&self) -> bool {
        // Sequentially consistent: W3 of the protocol.
        let word = self.word.load(Ordering::SeqCst);
        SEARCHING.get(word) == 0 && AWAKE.get(word) < u64::from(self.workers)
    }

    /// After work was queued: the worker that has to be unparked, if any (W2 to W5).
    #[inline]
    pub(crate) fn worker_to_wake(&self) -> Option<u32> {
        // W2: pairs with the fence in `sleep`.
        fence(Ordering::SeqCst);
        if !self.wants_searcher() {
            return None;
        }
        self.pop_sleeper()
    }

    #[cold]
    fn pop_sleeper(&self) -> Option<u32> {
        let mut sleepers = self.sleepers.lock();
        if !self.wants_searcher() {
            return None;
        }
        let index = sleepers.pop()?;
        // W4: sequentially consistent, so that the next waker's W3 sees the searcher.
        self.word
            .fetch_add(SEARCHING.one() + AWAKE.one(), Ordering::SeqCst);
        Some(index)
    }

    /// The worker that has to be unparked in the place of `stuck`, if any sleeps: somebody may count as
    /// searching who does not come, `stuck` itself for instance. One searcher too many does no harm.
    pub(crate) fn worker_to_wake_beside(&self, stuck: u32) -> Option<u32> {
        let mut sleepers = self.sleepers.lock();
        let place = sleepers.iter().rposition(|&sleeper| sleeper != stuck)?;
        let index = sleepers.remove(place);
        // As W4.
        self.word
            .fetch_add(SEARCHING.one() + AWAKE.one(), Ordering::SeqCst);
        Some(index)
    }

    /// Starts to search, unless half of the workers do so already.
    pub(crate) fn begin_search(&self) -> bool {
        let word = self.word.load(Ordering::SeqCst);
        if 2 * SEARCHING.get(word) >= u64::from(self.workers) {
            return false;
        }
        // The limit is a matter of economy: two that pass it together do no harm.
        self.word.fetch_add(SEARCHING.one(), Ordering::SeqCst);
        true
    }

    /// Ends a search that found work. True if nobody searches now: the caller then wakes another
    /// worker, for there may be more work than it found.
    #[must_use]
    pub(crate) fn end_search(&self) -> bool {
        // Sequentially consistent: F1 of the protocol.
        let before = self.word.fetch_sub(SEARCHING.one(), Ordering::SeqCst);
        debug_assert!(SEARCHING.get(before) > 0);
        SEARCHING.get(before) == 1
    }

    /// Goes to bed (S1). The caller looks at all queues once more before it parks (S3).
    pub(crate) fn sleep(&self, index: u32, searching: bool) {
        {
            let mut sleepers = self.sleepers.lock();
            debug_assert!(!sleepers.contains(&index));
            sleepers.push(index);
            let searching = if searching { SEARCHING.one() } else { 0 };
            // Sequentially consistent: a waker that does not see it has its W2 before our S2.
            let before = self
                .word
                .fetch_sub(AWAKE.one() + searching, Ordering::SeqCst);
            debug_assert!(AWAKE.get(before) > 0);
        }
        // S2: pairs with the fence in `worker_to_wake`.
        fence(Ordering::SeqCst);
    }

    /// Gets out of bed (R1), whatever the reason.
    pub(crate) fn rise(&self, index: u32) -> Risen {
        let mut sleepers = self.sleepers.lock();
        let Some(place) = sleepers.iter().position(|&sleeper| sleeper == index) else {
            return Risen::Sent;
        };
        sleepers.remove(place);
        // Sequentially consistent: before N4, whose fence the monitor's pairs with.
        self.word.fetch_add(AWAKE.one(), Ordering::SeqCst);
        Risen::Alone
    }

    /// Counts the calling worker, which is awake, as searching.
    pub(crate) fn join_search(&self) {
        self.word.fetch_add(SEARCHING.one(), Ordering::SeqCst);
    }

    /// How many workers are not asleep: step N2 of the monitor, after its fence.
    pub(crate) fn awake(&self) -> u64 {
        AWAKE.get(self.word.load(Ordering::Relaxed))
    }
}

#[cfg(all(test, zokio_loom))]
#[path = "../tests/model_idle.rs"]
mod model;
