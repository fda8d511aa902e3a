//! The state word: everything that threads must agree on about a task, in one atomic `u64`.
//!
//! # Bits
//!
//! | bits   | name            | set when, by whom                                                    |
//! | ------ | --------------- | -------------------------------------------------------------------- |
//! | 0      | `RUNNING`       | by whoever gets the right to touch the future: a run, or a shutdown. Cleared by the same party when it lets go |
//! | 1      | `COMPLETE`      | by the holder of `RUNNING` when the outcome is in place. Never cleared |
//! | 2      | `NOTIFIED`      | at birth, and by wakes and aborts. Cleared by the run that begins. Without meaning once `COMPLETE` |
//! | 3      | `CANCELLED`     | by an abort or a shutdown. Never cleared                              |
//! | 4      | `JOIN_INTEREST` | at birth. Cleared by the join handle, once: when it takes the output or is dropped |
//! | 5      | `JOIN_WAKER`    | by the join handle once the waker field is written. Cleared by the handle before completion, by the completing side after it |
//! | 6-7    | outcome         | together with `COMPLETE`: output, panic or cancelled                  |
//! | 8-9    | priority        | at birth. Constant                                                    |
//! | 10     | `HAS_EXT`       | at birth, if the allocation has an extension. Constant                |
//! | 16-63  | references      | see invariant 6                                                       |
//!
//! # Transitions
//!
//! ```text
//!  birth ──▶ NOTIFIED ──(1) to_running──▶ RUNNING ──(3) to_complete──▶ COMPLETE
//!               ▲                          │  ▲
//!               │                    (2) to_idle
//!   (4) to_notified, to_aborted            │  │ (5) to_shutdown, also from NOTIFIED
//!               └────────── idle ◀─────────┘  │
//!                             └───────────────┘
//! ```
//!
//! A wake (4) that finds `RUNNING` only sets `NOTIFIED`; (2) then leads straight back to NOTIFIED.
//! An abort (4) that finds `RUNNING` only sets `CANCELLED`; (2) then refuses, and the runner
//! cancels and goes on to (3). So does a run (1) that finds `CANCELLED`.
//!
//! # Invariants
//!
//! 1. Only the holder of `RUNNING` touches the future, and writes the outcome.
//! 2. While a task is neither `RUNNING` nor `COMPLETE`, `NOTIFIED` means: exactly one
//!    [`Notified`](crate::Notified) exists or is about to be made by whoever set the bit (or it was
//!    dropped unrun, and the task will never run again). No second one is made, so a task is in at
//!    most one queue. A `Notified` that finds the task `RUNNING` or `COMPLETE` was overtaken by a
//!    shutdown, and only releases its reference.
//! 3. After `COMPLETE` the outcome belongs to the join handle if `JOIN_INTEREST` was set at that
//!    moment, and otherwise to the side that completed. Whoever has it takes it or drops it before
//!    releasing its reference: freeing a complete task never touches the stage.
//! 4. Freeing a task that is not complete drops its future.
//! 5. The join waker field belongs
//!    - to the handle, alone, while `JOIN_INTEREST` is set and `JOIN_WAKER` is not;
//!    - to nobody while both are set: the handle and the completing side may read it;
//!    - to the side that clears `JOIN_WAKER` if `JOIN_INTEREST` is clear, or clears with it;
//!    - after `COMPLETE` with `JOIN_WAKER` set: to the completing side if the handle gives up
//!      `JOIN_INTEREST` before `JOIN_WAKER` is cleared, else to the handle.
//! 6. References: the join handle, each abort handle, each waker, the `Notified` or the run that it
//!    became, and the shard's table (until the task completes). Who brings the count to zero frees.
//! 7. Every wake of a task that is not complete writes the word, even if it changes no bit: the
//!    next run, which reads that write or a later one, then sees all that was done before the wake.
//!
//! # Orderings
//!
//! All updates are compare-and-swap or read-modify-write with `AcqRel`, unless said otherwise: they
//! form one release sequence, so each update synchronises with every later one. That carries the
//! future from poll to poll and thread to thread (invariant 1), what a waking thread did to the
//! poll it causes (7), the outcome to the join handle (3), the waker field between its owners (5),
//! and each owner's last access to whoever frees (6). Plain loads are `Acquire` for the same pairs.

use crate::meta::Priority;
use std::fmt;
use zokio_base::bits::Field;
use zokio_base::sync::atomic::{AtomicU64, Ordering};

const RUNNING: u64 = 1 << 0;
const COMPLETE: u64 = 1 << 1;
const NOTIFIED: u64 = 1 << 2;
const CANCELLED: u64 = 1 << 3;
const JOIN_INTEREST: u64 = 1 << 4;
const JOIN_WAKER: u64 = 1 << 5;
const FLAGS: Field = Field::lowest(6);
const OUTCOME: Field = FLAGS.then(2);
const PRIORITY: Field = OUTCOME.then(2);
const EXT: Field = PRIORITY.then(1);
const RESERVED: Field = EXT.then(5);
const REFS: Field = RESERVED.then(48);

/// More references than memory can hold handles: somebody leaks them in a loop.
const REFS_MAX: u64 = REFS.max() / 2;

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The stage holds the output.
    Output,
    /// The stage holds a panic's payload.
    Panic,
    /// The future was dropped; the stage holds nothing.
    Cancelled,
}

/// The first duty of a run.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ToRunning {
    /// Poll the future.
    Poll,
    /// Cancel the task and complete it.
    Cancel,
    /// A shutdown came first: release the run's reference.
    Superseded,
}

/// The duty of a run after a poll that was pending.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ToIdle {
    /// Nothing; the run's reference is released.
    Done,
    /// Free the task: the run's reference was the last.
    Free,
    /// The task was woken meanwhile: make a `Notified` of the run's reference.
    Reschedule,
    /// The task was aborted meanwhile: cancel it and complete it. `RUNNING` is still held.
    Cancel,
}

/// The duty of the completing side.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ToComplete {
    /// Nothing; its references are released.
    Done,
    /// Nobody wants the outcome: drop it, then release the references.
    DropOutcome,
    /// Wake the join handle, then `transition_to_join_woken`.
    WakeJoin,
}

/// The duty of the completing side after it has woken the join handle.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ToJoinWoken {
    /// Nothing; its references are released.
    Done,
    /// The handle is gone: drop the waker, then release the references.
    DropWaker,
}

/// The duty of a wake or an abort.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ToNotified {
    /// Nothing.
    Nothing,
    /// Schedule the task: a reference for the `Notified` was added.
    Submit,
}

/// The duty of a shutdown.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ToShutdown {
    /// `RUNNING` was taken: cancel the task and complete it.
    Cancel,
    /// The task is being polled and was marked, or is complete.
    Marked,
}

/// The duty of a join handle when it is dropped.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ToJoinDropped {
    /// Nothing; its reference is released.
    Done,
    /// Free the task: its reference was the last.
    Free,
    /// Drop the waker, then release the reference.
    DropWaker,
    /// Drop the outcome, and the waker if `waker` says so, then release the reference.
    DropOutcome {
        /// Whether the waker field belongs to the handle.
        waker: bool,
    },
}

/// The duty of a join handle when it takes the outcome.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ToTaken {
    /// Nothing.
    Nothing,
    /// Drop the waker.
    DropWaker,
}

/// Whether a join handle may go on with its waker.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ToWaker {
    /// The bit was changed.
    Changed,
    /// The task is complete, the bit is as it was.
    Complete,
}

/// The word at one moment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Snapshot(u64);

impl Snapshot {
    fn has(self, bit: u64) -> bool {
        self.0 & bit != 0
    }

    /// Whether the outcome is in place.
    pub(crate) fn is_complete(self) -> bool {
        self.has(COMPLETE)
    }

    /// Whether the join handle still waits for the outcome.
    pub(crate) fn is_join_interested(self) -> bool {
        self.has(JOIN_INTEREST)
    }

    /// Whether the waker field is in use by both sides.
    pub(crate) fn has_join_waker(self) -> bool {
        self.has(JOIN_WAKER)
    }

    /// Whether the allocation has an extension.
    pub(crate) fn has_ext(self) -> bool {
        self.has(EXT.mask())
    }

    /// The class the task was spawned with.
    pub(crate) fn priority(self) -> Priority {
        Priority::from_bits(PRIORITY.get(self.0))
    }

    /// How the task ended. Meaningful once it is complete.
    pub(crate) fn outcome(self) -> Outcome {
        debug_assert!(self.is_complete(), "the outcome comes with completion");
        match OUTCOME.get(self.0) {
            0 => Outcome::Output,
            1 => Outcome::Panic,
            _ => Outcome::Cancelled,
        }
    }

    fn refs(self) -> u64 {
        REFS.get(self.0)
    }

    fn with_refs_added(self, count: u64) -> Self {
        let refs = self.refs() + count;
        if refs > REFS_MAX {
            // Going on would end in a use after free, and unwinding could be caught.
            std::process::abort();
        }
        Self(REFS.set(self.0, refs))
    }

    fn with_refs_removed(self, count: u64) -> Self {
        debug_assert!(self.refs() >= count, "more references released than held");
        Self(self.0 - count * REFS.one())
    }

    fn with(self, bits: u64) -> Self {
        Self(self.0 | bits)
    }

    fn without(self, bits: u64) -> Self {
        Self(self.0 & !bits)
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("running", &self.has(RUNNING))
            .field("complete", &self.is_complete())
            .field("notified", &self.has(NOTIFIED))
            .field("cancelled", &self.has(CANCELLED))
            .field("join_interest", &self.is_join_interested())
            .field("join_waker", &self.has_join_waker())
            .field("priority", &self.priority())
            .field("references", &self.refs())
            .finish_non_exhaustive()
    }
}

/// The word itself.
pub(crate) struct State(AtomicU64);

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.load().fmt(f)
    }
}

impl State {
    /// A new task's word: notified, with a join handle.
    pub(crate) fn new(refs: u64, priority: Priority, has_ext: bool) -> Self {
        let word = REFS.set(NOTIFIED | JOIN_INTEREST, refs);
        let word = PRIORITY.set(word, priority.to_bits());
        Self(AtomicU64::new(EXT.set(word, u64::from(has_ext))))
    }

    /// The word now.
    #[inline]
    pub(crate) fn load(&self) -> Snapshot {
        // Acquire pairs with the release half of every update (head of the file).
        Snapshot(self.0.load(Ordering::Acquire))
    }

    /// Replaces the word by what `step` makes of it, until nobody interferes. Without a new word
    /// the update ends.
    #[inline]
    fn update<R>(&self, mut step: impl FnMut(Snapshot) -> (R, Option<Snapshot>)) -> R {
        let mut current = self.load();
        loop {
            let (result, next) = step(current);
            let Some(next) = next else { return result };
            // AcqRel pairs with itself in every other update; the failed load with their release.
            match self.0.compare_exchange_weak(
                current.0,
                next.0,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return result,
                Err(actual) => current = Snapshot(actual),
            }
        }
    }

    /// (1) A run begins: takes `RUNNING` and clears `NOTIFIED`.
    #[inline]
    pub(crate) fn transition_to_running(&self) -> ToRunning {
        self.update(|now| {
            if now.has(RUNNING | COMPLETE) {
                return (ToRunning::Superseded, None);
            }
            debug_assert!(now.has(NOTIFIED), "a run comes from a notification");
            let next = now.with(RUNNING).without(NOTIFIED);
            let duty = if now.has(CANCELLED) {
                ToRunning::Cancel
            } else {
                ToRunning::Poll
            };
            (duty, Some(next))
        })
    }

    /// (2) A poll was pending: lets go of `RUNNING` and of the run's reference, or passes the
    /// reference on to the next run. An aborted task is not let go.
    #[inline]
    pub(crate) fn transition_to_idle(&self) -> ToIdle {
        self.update(|now| {
            debug_assert!(now.has(RUNNING), "only a run goes idle");
            if now.has(CANCELLED) {
                return (ToIdle::Cancel, None);
            }
            let next = now.without(RUNNING);
            if now.has(NOTIFIED) {
                return (ToIdle::Reschedule, Some(next));
            }
            let next = next.with_refs_removed(1);
            let duty = if next.refs() == 0 {
                ToIdle::Free
            } else {
                ToIdle::Done
            };
            (duty, Some(next))
        })
    }

    /// (3) The outcome is in place: lets go of `RUNNING`. The caller's `refs` references are
    /// released with it if it has no more to do.
    #[inline]
    pub(crate) fn transition_to_complete(&self, outcome: Outcome, refs: u64) -> ToComplete {
        self.update(|now| {
            debug_assert!(now.has(RUNNING), "only the holder of the future completes");
            debug_assert!(!now.is_complete(), "a task completes once");
            let next = now.without(RUNNING).with(COMPLETE);
            let next = Snapshot(OUTCOME.set(next.0, outcome as u64));
            if !now.is_join_interested() {
                (ToComplete::DropOutcome, Some(next))
            } else if now.has_join_waker() {
                (ToComplete::WakeJoin, Some(next))
            } else {
                // The join handle holds one more reference, so these are not the last.
                (ToComplete::Done, Some(next.with_refs_removed(refs)))
            }
        })
    }

    /// The join handle was woken: clears `JOIN_WAKER`, which decides who owns the waker, and
    /// releases `refs` references if that is the handle.
    #[inline]
    pub(crate) fn transition_to_join_woken(&self, refs: u64) -> ToJoinWoken {
        self.update(|now| {
            debug_assert!(now.is_complete() && now.has_join_waker());
            let next = now.without(JOIN_WAKER);
            if now.is_join_interested() {
                (ToJoinWoken::Done, Some(next.with_refs_removed(refs)))
            } else {
                (ToJoinWoken::DropWaker, Some(next))
            }
        })
    }

    /// (4) A wake.
    #[inline]
    pub(crate) fn transition_to_notified(&self) -> ToNotified {
        self.update(|now| {
            if now.is_complete() {
                (ToNotified::Nothing, None)
            } else if now.has(RUNNING | NOTIFIED) {
                // Also writes a word that has the bit already: invariant 7.
                (ToNotified::Nothing, Some(now.with(NOTIFIED)))
            } else {
                let next = now.with(NOTIFIED).with_refs_added(1);
                (ToNotified::Submit, Some(next))
            }
        })
    }

    /// (4) An abort. The task is cancelled by its next run, or by the one that is under way.
    pub(crate) fn transition_to_aborted(&self) -> ToNotified {
        self.update(|now| {
            if now.has(COMPLETE | CANCELLED) {
                (ToNotified::Nothing, None)
            } else if now.has(RUNNING | NOTIFIED) {
                (ToNotified::Nothing, Some(now.with(CANCELLED)))
            } else {
                let next = now.with(CANCELLED | NOTIFIED).with_refs_added(1);
                (ToNotified::Submit, Some(next))
            }
        })
    }

    /// (5) A shutdown: takes `RUNNING` unless the task is being polled or is complete.
    pub(crate) fn transition_to_shutdown(&self) -> ToShutdown {
        self.update(|now| {
            if now.is_complete() {
                (ToShutdown::Marked, None)
            } else if now.has(RUNNING) {
                (ToShutdown::Marked, Some(now.with(CANCELLED)))
            } else {
                (ToShutdown::Cancel, Some(now.with(CANCELLED | RUNNING)))
            }
        })
    }

    /// The join handle is dropped without having taken the outcome, or after it did.
    #[inline]
    pub(crate) fn transition_to_join_dropped(&self) -> ToJoinDropped {
        self.update(|now| {
            let released = now.with_refs_removed(1);
            let duty = if released.refs() == 0 {
                ToJoinDropped::Free
            } else {
                ToJoinDropped::Done
            };
            if !now.is_join_interested() {
                // The outcome was taken, and the waker with it.
                (duty, Some(released))
            } else if now.is_complete() {
                let waker = !now.has_join_waker();
                let next = now.without(JOIN_INTEREST);
                (ToJoinDropped::DropOutcome { waker }, Some(next))
            } else if now.has_join_waker() {
                let next = now.without(JOIN_INTEREST | JOIN_WAKER);
                (ToJoinDropped::DropWaker, Some(next))
            } else {
                (duty, Some(released.without(JOIN_INTEREST)))
            }
        })
    }

    /// The join handle has seen completion and takes the outcome: clears `JOIN_INTEREST`.
    #[inline]
    pub(crate) fn transition_to_taken(&self) -> ToTaken {
        // AcqRel pairs with the update by which the completing side clears JOIN_WAKER: whoever
        // comes second owns the waker (invariant 5).
        let before = Snapshot(self.0.fetch_and(!JOIN_INTEREST, Ordering::AcqRel));
        debug_assert!(before.is_complete() && before.is_join_interested());
        if before.has_join_waker() {
            ToTaken::Nothing
        } else {
            ToTaken::DropWaker
        }
    }

    /// The join handle has written the waker field and shares it with the completing side.
    pub(crate) fn transition_to_waker_set(&self) -> ToWaker {
        self.update(|now| {
            debug_assert!(now.is_join_interested() && !now.has_join_waker());
            if now.is_complete() {
                (ToWaker::Complete, None)
            } else {
                (ToWaker::Changed, Some(now.with(JOIN_WAKER)))
            }
        })
    }

    /// The join handle wants the waker field for itself.
    pub(crate) fn transition_to_waker_unset(&self) -> ToWaker {
        self.update(|now| {
            debug_assert!(now.is_join_interested());
            if now.is_complete() {
                (ToWaker::Complete, None)
            } else {
                debug_assert!(now.has_join_waker());
                (ToWaker::Changed, Some(now.without(JOIN_WAKER)))
            }
        })
    }

    /// Adds a reference. The caller has one.
    #[inline]
    pub(crate) fn ref_inc(&self) {
        // Relaxed: a new reference is made from an existing one, which keeps the task; whoever
        // hands it to another thread synchronises.
        let before = Snapshot(self.0.fetch_add(REFS.one(), Ordering::Relaxed));
        if before.refs() > REFS_MAX {
            std::process::abort();
        }
    }

    /// Releases `count` references of the caller's. True if none is left and the caller has to
    /// free the task.
    #[inline]
    #[must_use]
    pub(crate) fn ref_dec(&self, count: u64) -> bool {
        // The only owner need not write. Acquire pairs with the release of the other owners' last
        // updates; nobody can add a reference without having one.
        if self.load().refs() == count {
            return true;
        }
        // Release publishes the caller's accesses to whoever frees; acquire pairs with that of the
        // other owners if it is the caller.
        let before = Snapshot(self.0.fetch_sub(count * REFS.one(), Ordering::AcqRel));
        debug_assert!(before.refs() >= count, "more references released than held");
        before.refs() == count
    }
}
