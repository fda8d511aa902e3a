//! Children that were dropped before they were reaped.
//!
//! An [`Orphan`] waits for its end as a [`Child`](crate::process::Child) does, but it is its own
//! waker: whoever reaps the event reaps the child, and no task is needed. When the runtime shuts
//! down, its orphans become homeless (`homeless.rs`), which need no runtime.
//!
//! Invariants:
//!
//! 1. An orphan whose end is still to come is kept alive by the waker that it has left with its
//!    source, or is entered among the homeless.
//! 2. The lock of an orphan is never taken while a lock of the driver's sets is held: sets wake
//!    without theirs.
//! 3. A child's source is dropped under no lock, as that leaves a set.

use super::homeless;
use super::watch::Watched;
use std::task::{Context, Poll, Wake, Waker};
use zokio_base::sync::{Arc, Mutex};
use zokio_task::coop::{Budget, with_budget};

/// A child that nobody waits for.
struct Orphan {
    /// None once it is reaped, or homeless.
    watched: Mutex<Option<Watched>>,
}

/// Reaps a child, now or as soon as it ends.
pub(super) fn leave(watched: Watched) {
    let Some(watched) = unreaped(watched) else {
        return;
    };
    if watched.has_source() {
        let orphan = Orphan {
            watched: Mutex::new(Some(watched)),
        };
        Arc::new(orphan).advance();
    } else {
        homeless::enter(watched.id());
    }
}

/// Reaps a child if it has ended, and returns it if it has not.
fn unreaped(mut watched: Watched) -> Option<Watched> {
    // An error says that there is nothing to be reaped.
    matches!(watched.try_wait(), Ok(None)).then_some(watched)
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
        // The child's owner is dropped before its number goes to those who reap by numbers.
        if let (Err(_), Some(unreaped)) = (outcome, taken.and_then(unreaped)) {
            let child = unreaped.id();
            drop(unreaped);
            homeless::enter(child);
        }
    }
}

impl Wake for Orphan {
    fn wake(self: Arc<Self>) {
        self.advance();
    }
}
