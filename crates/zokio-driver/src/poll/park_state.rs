//! Whether a worker waits in its set, so that waking it costs a system call only then.
//!
//! `EMPTY` (not waiting, no token), `WAITING` (waiting, or about to), `NOTIFIED` (a token).
//!
//! The waiter:            Whoever wakes it:
//! 1. `begin`             1. makes its work visible
//! 2. waits in the set    2. `notify`
//! 3. `end`               3. if that says so, fires the set's waker
//!
//! Invariants:
//!
//! 1. There is one word, so its changes have one order. If `notify` comes before `begin`, `begin`
//!    finds the token and there is no wait. If it comes after, it finds `WAITING` and the waker is
//!    fired; the waker stays fired until the set is drained. Whoever drains it in the worker's place
//!    takes the waker's event too, but only before the worker is in its wait, and there the worker
//!    first looks whether it still [is waiting](ParkState::is_waiting): it is not once somebody has
//!    notified.
//! 2. Of several who notify one wait, one fires.
//! 3. A waker fired after the wait has ended for another reason ends the next wait early. That is
//!    allowed: a wait may end for no reason.

use zokio_base::sync::atomic::{AtomicU32, Ordering};

const EMPTY: u32 = 0;
const WAITING: u32 = 1;
const NOTIFIED: u32 = 2;

/// The word of one worker.
#[derive(Debug)]
pub(crate) struct ParkState(AtomicU32);

impl ParkState {
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(EMPTY))
    }

    /// Announces a wait. False if there was a token, which is taken: then do not wait.
    #[must_use]
    pub(crate) fn begin(&self) -> bool {
        // Acquire on failure pairs with the release in `notify`: the work that the token stands
        // for is visible. On success nothing is read, and the wait orders nothing.
        let begun = self
            .0
            .compare_exchange(EMPTY, WAITING, Ordering::AcqRel, Ordering::Acquire);
        if begun.is_err() {
            self.end();
        }
        begun.is_ok()
    }

    /// Ends a wait. True if there was a token, which is taken.
    pub(crate) fn end(&self) -> bool {
        // Acquire pairs with the release in `notify`.
        self.0.swap(EMPTY, Ordering::AcqRel) == NOTIFIED
    }

    /// Whether the worker waits. A guess by the time it is used.
    pub(crate) fn is_waiting(&self) -> bool {
        // Relaxed: see above.
        self.0.load(Ordering::Relaxed) == WAITING
    }

    /// Leaves a token. True if the caller has to fire the waker.
    #[must_use]
    pub(crate) fn notify(&self) -> bool {
        // Release pairs with the acquire in `begin` and `end`. The swap is unconditional: a token
        // that was there already may be in the middle of being taken by a waiter that has looked
        // for work before ours was visible, and only a later change makes it look again.
        self.0.swap(NOTIFIED, Ordering::AcqRel) == WAITING
    }
}

#[cfg(all(test, zokio_loom))]
mod model {
    use super::*;
    use zokio_base::sync::{Arc, Condvar, Mutex, model, thread};

    /// Stands for the set and its waker: fired once, it ends one wait.
    struct FakeSet {
        fired: Mutex<bool>,
        signal: Condvar,
    }

    #[test]
    fn no_notification_is_lost() {
        model(|| {
            let shared = Arc::new((
                ParkState::new(),
                FakeSet {
                    fired: Mutex::new(false),
                    signal: Condvar::new(),
                },
                AtomicU32::new(0),
            ));
            let others: Vec<_> = (0..2)
                .map(|_| {
                    let shared = shared.clone();
                    thread::spawn(move || {
                        let (state, set, work) = &*shared;
                        work.fetch_add(1, Ordering::Relaxed);
                        if state.notify() {
                            *set.fired.lock() = true;
                            set.signal.notify_one();
                        }
                    })
                })
                .collect();
            let (state, set, work) = &*shared;
            while work.load(Ordering::Relaxed) < 2 {
                if !state.begin() {
                    continue;
                }
                let mut fired = set.fired.lock();
                while !*fired {
                    fired = set.signal.wait(fired);
                }
                *fired = false;
                drop(fired);
                state.end();
            }
            for other in others {
                other.join().unwrap();
            }
        });
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_of_several_fires() {
        let state = ParkState::new();
        assert!(state.begin());
        assert!(state.notify());
        assert!(!state.notify());
        assert!(state.end());
        assert!(!state.notify());
        assert!(!state.begin());
        assert!(state.begin());
        assert!(!state.end());
    }
}
