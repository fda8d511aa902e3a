//! The life of one operation: who owns what, from submission to the last completion.
//!
//! Two parties share a [`Flight`]: the *waiter* (the future that wants the result) and the
//! *finisher* (the kernel's completion, or the thread that runs the operation). Either may be the
//! last; whoever is cleans up.
//!
//! ```text
//!              1 poll                 3 complete
//! SUBMITTED ───────────▶ WAITING ───────────────────▶ COMPLETED
//!    │  ▲  ╲   2 poll      │                          ▲   │
//!    │  └───╲──────────────┘                          │   │ 6 orphan: the waiter disposes
//!    │       ╲ 3 complete                             │   │   of the outcome
//!    │        ╲───────────────────────────────────────┘   │
//!    └──────────┬──────────▶ ORPHANED ◀───────────────────┘
//!     4, 5 orphan              │ complete: the finisher disposes of the outcome
//! ```
//!
//! 1. The waiter put its waker into the slot.
//! 2. The waiter takes the slot back to put another waker in.
//! 3. The finisher put the outcome there. If the state was WAITING it owns the waker now.
//! 4. The waiter was dropped before it ever waited.
//! 5. The waiter was dropped while it waited. It owns the waker again.
//! 6. The waiter was dropped with the outcome there and not taken.
//!
//! Invariants:
//!
//! 1. The waker slot belongs to the waiter in SUBMITTED; in WAITING to nobody, until a transition
//!    out of it gives it to the party that made the transition.
//! 2. The outcome slot belongs to the finisher until its one `transition_to_completed`, and to the
//!    waiter afterwards if that found no orphan.
//! 3. There is one waiter and one finisher: both are types that cannot be cloned.
//! 4. All that the waiter wrote before it became an orphan's parent is visible to the finisher that
//!    finds ORPHANED, and all that the finisher wrote before COMPLETED is visible to the waiter
//!    that finds it: every transition is an acquire and a release on the one word. This pair is also
//!    what stands between the kernel's writes and their reader, since no tool sees the kernel's.
#![allow(unsafe_code)]

use std::task::{Poll, Waker};
use zokio_base::foreign::KeptWaker;
use zokio_base::sync::UnsafeCell;
use zokio_base::sync::atomic::{AtomicU8, Ordering};

/// The operation is under way and nobody waits for it.
const SUBMITTED: u8 = 0;
/// The operation is under way and the slot holds who waits.
const WAITING: u8 = 1;
/// The outcome is there.
const COMPLETED: u8 = 2;
/// The future is gone.
const ORPHANED: u8 = 3;

/// The state that the waiter and the finisher share.
pub(crate) struct Flight<T> {
    state: AtomicU8,
    /// Invariant 1 says whose.
    waker: UnsafeCell<Option<KeptWaker>>,
    /// Invariant 2 says whose.
    outcome: UnsafeCell<Option<T>>,
}

// SAFETY: the slots are reached by the party that invariants 1 and 2 name and by nobody else, so
// sharing the flight moves wakers and outcomes between threads and never shares them.
unsafe impl<T: Send> Sync for Flight<T> {}
// SAFETY: as above; a flight has no ties to a thread.
unsafe impl<T: Send> Send for Flight<T> {}

impl<T> std::fmt::Debug for Flight<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // ORDERING: Relaxed, for the eye only.
        let state = match self.state.load(Ordering::Relaxed) {
            SUBMITTED => "submitted",
            WAITING => "waiting",
            COMPLETED => "completed",
            _ => "orphaned",
        };
        f.debug_tuple("Flight").field(&state).finish()
    }
}

/// The duty of the finisher after [`Flight::transition_to_completed`].
#[derive(Debug)]
#[must_use]
pub(crate) enum AfterComplete<T> {
    /// The waiter has not waited yet, or will ask again.
    Nothing,
    /// Wake the waiter.
    Wake(KeptWaker),
    /// The future is gone: run the operation's orphan handler on the outcome.
    Orphan(T),
}

/// The duty of the waiter after [`Flight::transition_to_orphaned`].
#[derive(Debug)]
#[must_use]
pub(crate) enum AfterOrphan<T> {
    /// The operation is under way; its finisher cleans up.
    HandedOver,
    /// The outcome was there already, unless it was taken: run the orphan handler on it.
    Dispose(Option<T>),
}

impl<T> Flight<T> {
    /// A flight that is about to be submitted.
    pub(crate) fn new() -> Self {
        Self {
            state: AtomicU8::new(SUBMITTED),
            waker: UnsafeCell::new(None),
            outcome: UnsafeCell::new(None),
        }
    }

    /// Whether the future is gone. Once true it stays true.
    pub(crate) fn is_orphaned(&self) -> bool {
        // ORDERING: Acquire pairs with the waiter's release in `transition_to_orphaned`.
        self.state.load(Ordering::Acquire) == ORPHANED
    }

    /// Takes the outcome, or leaves `waker` to be woken when it comes.
    ///
    /// # Safety
    /// The caller is the one waiter (invariant 3) and got neither an outcome nor
    /// [`transition_to_orphaned`](Self::transition_to_orphaned) from this flight before.
    pub(crate) unsafe fn poll(&self, waker: &Waker) -> Poll<T> {
        // ORDERING: Acquire pairs with the finisher's release in `transition_to_completed`.
        let mut state = self.state.load(Ordering::Acquire);
        if state == WAITING {
            // Diagram 2. ORDERING: AcqRel: acquires the outcome on failure, and orders our reuse
            // of the slot after the store that gave it away.
            match self.state.compare_exchange(
                WAITING,
                SUBMITTED,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => state = SUBMITTED,
                Err(now) => state = now,
            }
        }
        if state == SUBMITTED {
            // SAFETY: the waiter owns the slot in SUBMITTED (invariant 1).
            unsafe { self.put(waker) };
            // Diagram 1. ORDERING: Release gives the slot away to the finisher's acquire; Acquire
            // on failure sees the outcome.
            match self.state.compare_exchange(
                SUBMITTED,
                WAITING,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return Poll::Pending,
                Err(now) => state = now,
            }
        }
        debug_assert_eq!(state, COMPLETED, "only the waiter makes orphans");
        // SAFETY: COMPLETED gave the slot to the waiter (invariant 2).
        let outcome = self.outcome.with_mut(|slot| unsafe { (*slot).take() });
        Poll::Ready(outcome.expect("an outcome is taken once"))
    }

    /// Puts `waker` into the slot, if it is not there already. If cloning it panics, the waker of before
    /// waits on.
    ///
    /// # Safety
    /// The caller is the waiter, and the state is SUBMITTED or became COMPLETED from there.
    unsafe fn put(&self, waker: &Waker) {
        struct WaitOn<'a, T>(&'a Flight<T>);
        impl<T> Drop for WaitOn<'_, T> {
            fn drop(&mut self) {
                self.0.wait_on();
            }
        }
        let is_known = self.waker.with(|slot| {
            // SAFETY: the caller's promise: the slot is ours.
            unsafe { &*slot }
                .as_ref()
                .is_some_and(|held| held.will_wake(waker))
        });
        if is_known {
            return;
        }
        let wait_on = WaitOn(self);
        let new = KeptWaker::of(waker);
        std::mem::forget(wait_on);
        // SAFETY: as above.
        let old = self.waker.with_mut(|slot| unsafe { (*slot).replace(new) });
        drop(old);
    }

    /// The waiter could not put another waker in: as before, it waits with the one that is there.
    #[cold]
    fn wait_on(&self) {
        // Diagram 1. ORDERING: as in `poll`.
        let waits =
            self.state
                .compare_exchange(SUBMITTED, WAITING, Ordering::AcqRel, Ordering::Acquire);
        if waits.is_err() {
            // SAFETY: the flight was completed in SUBMITTED, so the slot is still ours.
            let waker = self.waker.with_mut(|slot| unsafe { (*slot).take() });
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// Diagram 3: leaves the outcome.
    ///
    /// # Safety
    /// The caller is the one finisher, and this is its one call.
    pub(crate) unsafe fn transition_to_completed(&self, outcome: T) -> AfterComplete<T> {
        // SAFETY: before COMPLETED the slot is the finisher's (invariant 2).
        self.outcome
            .with_mut(|slot| unsafe { *slot = Some(outcome) });
        // ORDERING: Release shows the outcome to `poll` and `transition_to_orphaned`; Acquire
        // sees the waker, or what the waiter left behind.
        match self.state.swap(COMPLETED, Ordering::AcqRel) {
            WAITING => {
                // SAFETY: this transition out of WAITING gave us the slot (invariant 1).
                let waker = self.waker.with_mut(|slot| unsafe { (*slot).take() });
                match waker {
                    Some(waker) => AfterComplete::Wake(waker),
                    None => AfterComplete::Nothing,
                }
            }
            ORPHANED => {
                // SAFETY: the waiter is gone, so nobody else reaches the slot.
                let outcome = self.outcome.with_mut(|slot| unsafe { (*slot).take() });
                match outcome {
                    Some(outcome) => AfterComplete::Orphan(outcome),
                    None => AfterComplete::Nothing,
                }
            }
            _ => AfterComplete::Nothing,
        }
    }

    /// Diagrams 4, 5 and 6: the future is being dropped.
    ///
    /// # Safety
    /// The caller is the one waiter, and this is its last call.
    pub(crate) unsafe fn transition_to_orphaned(&self) -> AfterOrphan<T> {
        // ORDERING: Release shows the finisher what we did; Acquire sees its outcome.
        match self.state.swap(ORPHANED, Ordering::AcqRel) {
            COMPLETED => {
                // SAFETY: the finisher is done, the slot is ours (invariant 2).
                let outcome = self.outcome.with_mut(|slot| unsafe { (*slot).take() });
                AfterOrphan::Dispose(outcome)
            }
            WAITING => {
                // SAFETY: this transition out of WAITING gave us the slot (invariant 1).
                drop(self.waker.with_mut(|slot| unsafe { (*slot).take() }));
                AfterOrphan::HandedOver
            }
            _ => AfterOrphan::HandedOver,
        }
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;
    use crate::testing::Woken;
    use std::sync::Arc;

    #[test]
    fn a_waiter_is_woken_and_finds_the_outcome() {
        let flight = Flight::new();
        let waker = Waker::from(Arc::new(Woken::default()));
        // SAFETY: this test is the waiter and the finisher, each once.
        unsafe {
            assert!(flight.poll(&waker).is_pending());
            assert!(flight.poll(&waker).is_pending());
            let AfterComplete::Wake(woken) = flight.transition_to_completed(7) else {
                panic!("the waiter waits")
            };
            assert!(woken.will_wake(&waker));
            assert_eq!(flight.poll(&waker), Poll::Ready(7));
        }
    }

    #[test]
    fn an_orphan_goes_to_the_finisher() {
        let flight = Flight::new();
        // SAFETY: this test is the waiter and the finisher, each once.
        unsafe {
            assert!(matches!(
                flight.transition_to_orphaned(),
                AfterOrphan::HandedOver
            ));
            assert!(flight.is_orphaned());
            assert!(matches!(
                flight.transition_to_completed(7),
                AfterComplete::Orphan(7)
            ));
        }
    }

    #[test]
    fn an_outcome_nobody_took_goes_to_the_waiter() {
        let flight = Flight::new();
        // SAFETY: this test is the waiter and the finisher, each once.
        unsafe {
            assert!(matches!(
                flight.transition_to_completed(7),
                AfterComplete::Nothing
            ));
            assert!(matches!(
                flight.transition_to_orphaned(),
                AfterOrphan::Dispose(Some(7))
            ));
        }
    }
}
