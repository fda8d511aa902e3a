//! The threads that lost their core, and are still in the poll that cost it or have not ended since.
//!
//! Invariants:
//!
//! 1. A tenure is here once at most, and only while its thread runs a worker that has no core: one that
//!    holds its seat again, and one whose thread has let go of its worker, are
//!    [dropped](Detached::prune) at each look of the monitor. So [`len`](Detached::len) counts threads.
//! 2. Each poll is reported once, and not before it has lasted for the threshold: a core may be taken
//!    sooner than that.

use crate::handoff::Tenure;
use std::time::{Duration, Instant};
use zokio_base::sync::Arc;

/// A poll whose core went to another thread.
#[derive(Debug)]
pub(crate) struct Poll {
    pub(crate) tenure: Arc<Tenure>,
    /// Which worker's core it was.
    pub(crate) worker: usize,
    /// The poll's number.
    pub(crate) number: u64,
    /// When it was first seen.
    pub(crate) since: Instant,
    /// Whether its thread waited in the kernel when the core was taken.
    pub(crate) blocked: bool,
    /// Whether it had lasted for the threshold by then: it is reported even if it has ended since, for
    /// what it waited for may have run at once on the other thread.
    pub(crate) is_due: bool,
    /// Whether nothing is to be reported of it (any more).
    pub(crate) is_reported: bool,
}

impl Poll {
    /// Whether the thread still is in this poll.
    fn is_under_way(&self) -> bool {
        let glimpse = self.tenure.glimpse();
        glimpse.in_poll() && glimpse.poll() == self.number
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Detached(Vec<Poll>);

impl Detached {
    /// Forgets those that are detached no longer (invariant 1). `holds` says whether a tenure holds
    /// the seat of a worker.
    pub(crate) fn prune(&mut self, holds: impl Fn(usize, &Arc<Tenure>) -> bool) {
        // The worker of a thread has the one other reference, and drops it when it ends.
        self.0.retain(|poll| {
            Arc::strong_count(&poll.tenure) > 1 && !holds(poll.worker, &poll.tenure)
        });
    }

    /// Takes `poll` in. A tenure that is here already has come back since, and is here for this poll
    /// from now on.
    pub(crate) fn insert(&mut self, poll: Poll) {
        self.0
            .retain(|other| !Arc::ptr_eq(&other.tenure, &poll.tenure));
        self.0.push(poll);
    }

    /// How many threads there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Their polls.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Poll> {
        self.0.iter()
    }

    /// Whether a poll is under way that will have to be reported if it lasts.
    pub(crate) fn owes_report(&self) -> bool {
        self.0
            .iter()
            .any(|poll| !poll.is_reported && poll.is_under_way())
    }

    /// Marks the polls that have lasted for `threshold` at `now` as reported, and hands them to
    /// `report`, each with the time that it has lasted.
    pub(crate) fn report_overdue(
        &mut self,
        threshold: Duration,
        now: Instant,
        mut report: impl FnMut(&Poll, Duration),
    ) {
        for poll in self.0.iter_mut().filter(|poll| !poll.is_reported) {
            let lasted = now.saturating_duration_since(poll.since);
            if lasted >= threshold && (poll.is_due || poll.is_under_way()) {
                poll.is_reported = true;
                report(poll, lasted);
            }
        }
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;
    use crate::handoff::Seat;
    use zokio_base::clock;

    fn poll(tenure: &Arc<Tenure>, since: Instant) -> Poll {
        Poll {
            tenure: tenure.clone(),
            worker: 0,
            number: tenure.glimpse().poll(),
            since,
            blocked: true,
            is_due: false,
            is_reported: false,
        }
    }

    /// A tenure whose core was taken in a poll.
    fn taken(seat: &Seat) -> Arc<Tenure> {
        let tenure = Tenure::new(0);
        assert!(seat.claim(&tenure));
        tenure.begin_poll(1, None);
        assert!(seat.take(tenure.glimpse().word, || true).is_some());
        tenure
    }

    #[test]
    fn a_tenure_that_came_back_or_ended_is_dropped() {
        let (seat, now) = (Seat::new(), clock::real_now());
        let mut detached = Detached::default();
        let (first, second) = (taken(&seat), taken(&seat));
        detached.insert(poll(&first, now));
        detached.insert(poll(&second, now));
        let holds = |_: usize, tenure: &Arc<Tenure>| seat.is_held_by(tenure);
        detached.prune(holds);
        assert_eq!(detached.len(), 2);
        // The second claims the free seat at the end of its poll; the first ends without a core.
        assert!(second.end_poll(&seat));
        assert!(!first.end_poll(&seat));
        detached.prune(holds);
        assert_eq!(detached.len(), 1);
        drop(first);
        detached.prune(holds);
        assert_eq!(detached.len(), 0);
    }

    #[test]
    fn no_tenure_is_kept_twice() {
        let (seat, now) = (Seat::new(), clock::real_now());
        let tenure = taken(&seat);
        let mut detached = Detached::default();
        detached.insert(poll(&tenure, now));
        assert!(tenure.end_poll(&seat));
        tenure.begin_poll(2, None);
        assert!(seat.take(tenure.glimpse().word, || true).is_some());
        detached.insert(poll(&tenure, now));
        assert_eq!(detached.len(), 1);
        assert_eq!(detached.iter().next().unwrap().number, 2);
    }

    #[test]
    fn a_poll_is_reported_once_and_when_it_has_lasted() {
        let (seat, since) = (Seat::new(), clock::real_now());
        let threshold = Duration::from_millis(10);
        let (stays, ends) = (taken(&seat), taken(&seat));
        let mut detached = Detached::default();
        detached.insert(poll(&stays, since));
        detached.insert(poll(&ends, since));
        let mut count = |after: Duration| {
            let mut count = 0;
            detached.report_overdue(threshold, since + after, |poll, lasted| {
                assert!(Arc::ptr_eq(&poll.tenure, &stays));
                assert_eq!(lasted, after);
                count += 1;
            });
            count
        };
        assert_eq!(count(Duration::from_millis(9)), 0);
        assert!(ends.end_poll(&seat));
        assert_eq!(count(threshold), 1);
        assert_eq!(count(threshold * 2), 0);
    }

    #[test]
    fn a_poll_that_ends_right_after_it_was_due_is_reported() {
        let (seat, since) = (Seat::new(), clock::real_now());
        let threshold = Duration::from_millis(10);
        let tenure = taken(&seat);
        let mut detached = Detached::default();
        detached.insert(Poll {
            is_due: true,
            ..poll(&tenure, since)
        });
        assert!(tenure.end_poll(&seat));
        let mut count = 0;
        detached.report_overdue(threshold, since + threshold, |_, _| count += 1);
        assert_eq!(count, 1);
    }
}
