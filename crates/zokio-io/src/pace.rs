//! The cooperation budget, as adapters take part in it.
//!
//! Memory is always ready. An adapter over memory would keep its thread for ever if it did not take
//! units itself ([`poll_unit`]). A loop over foreign readers and writers cannot know whether they
//! take units, so it takes one for each round in which they took none ([`poll_round`]).

use std::task::{Context, Poll, ready};
use zokio_task::context;
use zokio_task::coop::{self, Budget};

/// Takes one unit, or is pending if none is left.
#[inline]
pub(crate) fn poll_unit(cx: &mut Context<'_>) -> Poll<()> {
    ready!(coop::poll_proceed(cx)).made_progress();
    Poll::Ready(())
}

/// A round of a loop that is under way.
pub(crate) struct Round(Budget);

/// Begins a round, or is pending if there is no unit left for it. Nothing is taken yet.
#[inline]
pub(crate) fn poll_round(cx: &mut Context<'_>) -> Poll<Round> {
    let before = context::budget();
    drop(ready!(coop::poll_proceed(cx)));
    Poll::Ready(Round(before))
}

impl Round {
    /// The round did something: it has cost one unit at least.
    #[inline]
    pub(crate) fn made_progress(self, cx: &mut Context<'_>) {
        if context::budget() != self.0 {
            return;
        }
        // There is a unit: the round began with one and nothing was taken since.
        if let Poll::Ready(unit) = coop::poll_proceed(cx) {
            unit.made_progress();
        }
    }
}

/// As [`poll_unit`], of which nothing is taken if there is nothing to do: what comes then is a wait.
#[inline]
pub(crate) fn poll_unit_for(cx: &mut Context<'_>, has_work: bool) -> Poll<()> {
    if has_work {
        poll_unit(cx)
    } else {
        Poll::Ready(())
    }
}
