//! The count of those inside of a pool: threads that live, and threads that somebody is about to start.
//!
//! A thread has a place from before it is counted or started until it has ended. The shutdown waits
//! until no place is taken, and from then on nobody gets one: so no job begins after it.
//!
//! Invariants:
//!
//! 1. A thread that is counted as one that will run jobs has a place. So a job that relies on such a
//!    thread is waited for as well.
//! 2. A closing door lets in only starters for jobs that were queued before. A shut door lets in
//!    nobody, and is never opened again.

use std::time::Instant;
use zokio_base::clock;
use zokio_base::sync::{Condvar, Mutex};

#[derive(Debug, Default)]
struct Inside {
    places: usize,
    is_closing: bool,
    is_shut: bool,
    /// Somebody wants the thread that waits. Taken down by it.
    has_rung: bool,
}

/// Why a wait is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Waited {
    /// No place is taken, and the door is shut.
    Empty,
    /// The deadline has come.
    Late,
    /// Somebody has [rung](Door::ring).
    Rung,
}

/// Counts places, and refuses them once the pool closes.
#[derive(Debug)]
pub(super) struct Door {
    inside: Mutex<Inside>,
    changed: Condvar,
}

impl Door {
    pub(super) fn new() -> Self {
        Self {
            inside: Mutex::new(Inside::default()),
            changed: Condvar::new(),
        }
    }

    /// Takes a place for a thread whose job is new. False once the pool closes.
    #[must_use]
    pub(super) fn enter(&self) -> bool {
        let mut inside = self.inside.lock();
        let is_open = !inside.is_closing;
        inside.places += usize::from(is_open);
        is_open
    }

    /// Takes a place for a thread whose job is in a queue. False once the shutdown has seen the pool
    /// empty.
    #[must_use]
    pub(super) fn enter_for_queued(&self) -> bool {
        let mut inside = self.inside.lock();
        let is_open = !inside.is_shut;
        inside.places += usize::from(is_open);
        is_open
    }

    /// Gives a place back.
    pub(super) fn leave(&self) {
        let mut inside = self.inside.lock();
        debug_assert!(
            inside.places > 0,
            "only a place that was taken is given back"
        );
        inside.places -= 1;
        drop(inside);
        self.changed.notify_all();
    }

    /// From now on no thread starts for a new job.
    pub(super) fn close(&self) {
        self.inside.lock().is_closing = true;
    }

    /// Ends the wait of the thread that waits, or its next one.
    pub(super) fn ring(&self) {
        self.inside.lock().has_rung = true;
        self.changed.notify_all();
    }

    /// Waits until at most `own` places are taken, and shuts the door; or until `deadline`, or until somebody
    /// rings.
    pub(super) fn wait(&self, own: usize, deadline: Option<Instant>) -> Waited {
        let mut inside = self.inside.lock();
        debug_assert!(
            inside.is_closing,
            "a pool is closed before it is waited for"
        );
        while inside.places > own {
            if std::mem::take(&mut inside.has_rung) {
                return Waited::Rung;
            }
            inside = match deadline {
                None => self.changed.wait(inside),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(clock::real_now());
                    if left.is_zero() {
                        return Waited::Late;
                    }
                    self.changed.wait_timeout(inside, left).0
                }
            };
        }
        inside.is_shut = true;
        Waited::Empty
    }
}
