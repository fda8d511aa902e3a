//! Children that were dropped before they were reaped.
//!
//! An [`Orphan`] waits for its end as a [`Child`](crate::process::Child) does, but it is its own
//! waker: whoever reaps the event reaps the child, and no task is needed. When the runtime shuts
//! down, its orphans become homeless; the next runtime that starts a process adopts them.
//!
//! Invariants:
//!
//! 1. An orphan whose end is still to come is kept alive by the waker that it has left with its
//!    source, or by the list of the homeless.
//! 2. The lock of an orphan is never taken while a lock of the driver's sets is held: sets wake
//!    without theirs.
//! 3. What is dropped under no lock: a child's source, as that leaves a set.

use super::watch::Watched;
use std::task::{Context, Poll, Wake, Waker};
use zokio_base::sync::{Arc, Mutex};
use zokio_task::coop::{Budget, with_budget};

/// A child that nobody waits for.
struct Orphan {
    /// None once it is reaped, or homeless.
    watched: Mutex<Option<Watched>>,
}

/// Orphans without a runtime.
static HOMELESS: Mutex<Vec<Watched>> = Mutex::new(Vec::new());

/// Reaps a child, now or as soon as it ends.
pub(super) fn leave(watched: Watched) {
    if let Some(watched) = unreaped(watched) {
        let orphan = Orphan {
            watched: Mutex::new(Some(watched)),
        };
        Arc::new(orphan).advance();
    }
}

/// Reaps a child if it has ended, and returns it if it has not.
fn unreaped(mut watched: Watched) -> Option<Watched> {
    // An error says that there is nothing to be reaped.
    matches!(watched.try_wait(), Ok(None)).then_some(watched)
}

/// Gives the homeless to the current runtime.
pub(super) fn adopt() {
    let homeless = std::mem::take(&mut *HOMELESS.lock());
    // Whom the current runtime cannot take either is homeless again, and not tried twice.
    homeless.into_iter().for_each(leave);
}

impl Orphan {
    /// Reaps the child if it has ended, and sees to it that this is called again if it has not.
    fn advance(self: Arc<Self>) {
        let waker = Waker::from(self.clone());
        let mut watched = self.watched.lock();
        let Some(waiting) = watched.as_mut() else {
            return;
        };
        // Without end, as what would be put off is this call itself.
        let polled = with_budget(Budget::unlimited(), || {
            waiting.poll_wait(&mut Context::from_waker(&waker))
        });
        let Poll::Ready(outcome) = polled else {
            return;
        };
        let taken = watched.take();
        drop(watched);
        if outcome.is_err() {
            HOMELESS.lock().extend(taken.and_then(unreaped));
        }
    }
}

impl Wake for Orphan {
    fn wake(self: Arc<Self>) {
        self.advance();
    }
}
