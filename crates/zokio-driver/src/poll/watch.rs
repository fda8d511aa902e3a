//! An idle worker that keeps an eye on the sets of busy ones.
//!
//! A worker that runs tasks looks at its own set only now and then, and not at all while one poll
//! lasts. Of the idle workers one at a time, the *guard*, therefore waits on the sets of running
//! peers too: their sets are nested in its own. What fires there it drains into its own sink.
//!
//! The guard:
//!
//! 1. Leaves every set that its own is nested in, and takes the role, unless somebody has it.
//! 2. If no peer runs whose set is not nested in its own already, it waits without regard to peers.
//! 3. Otherwise it waits for [`GUARD_DELAY`] at most: workers that take turns in short runs never pay
//!    for more than that.
//! 4. Then it nests the sets of the peers that run, and waits on. Where sets cannot be nested, it
//!    goes on waiting in short turns, and drains the peers' sets in between.
//! 5. When its wait ends it passes the role on to a peer that waits, if there is one, without waking
//!    it. The sets stay nested: an event that comes later is an event of its own set, and drained
//!    with the others.
//!
//! A worker that is about to wait and sees that the guard runs takes the role over.
//!
//! A worker that has been running for a while (its second turn of polling without a wait) nests its
//! set in that of the guard, if there is one. From then on it leaves what comes to the guard while
//! that one waits: if both took it, tasks and their sockets would go to and fro between a worker that
//! has time and one that has none. A worker that is about to wait leaves all sets.
//!
//! Invariants:
//!
//! 1. Sets are never nested in a circle: only the guard nests others in its own set, and only a
//!    running worker nests its own in the guard's; whoever waits has left all sets before. Where two
//!    of these cross, the system refuses the circle, and the set is not nested.
//! 2. A peer that begins to wait while it is being nested stays nested. The first event then wakes
//!    both; the guard sees that the peer waits, and takes its set out.
//! 3. `Seat::by` and what is nested change together, under the seat's lock.
//!
//! Which peers run is a guess by the time it is used. A wrong one costs a wake-up, or leaves a set
//! unwatched until its worker polls twice; nothing depends on it for more.

use std::io;
use std::time::Duration;
use zokio_base::pad::CachePadded;
use zokio_base::sync::Mutex;
use zokio_base::sync::std_atomic::{AtomicBool, AtomicUsize, Ordering};

/// How long the guard waits before it has peers' sets nested in its own.
pub(crate) const GUARD_DELAY: Duration = Duration::from_millis(1);

/// Nobody is the guard.
const NOBODY: usize = usize::MAX;

#[derive(Debug)]
struct Seat {
    /// Whether `by` has members: read without the lock.
    watched: AtomicBool,
    /// In whose sets this worker's set is nested.
    by: Mutex<Vec<usize>>,
}

/// The guard, and the sets that it watches.
#[derive(Debug)]
pub(crate) struct Watch {
    guard: CachePadded<AtomicUsize>,
    seats: Box<[CachePadded<Seat>]>,
}

impl Watch {
    pub(crate) fn new(workers: usize) -> Self {
        let seat = |_| {
            CachePadded::new(Seat {
                watched: AtomicBool::new(false),
                by: Mutex::new(Vec::new()),
            })
        };
        Self {
            guard: CachePadded::new(AtomicUsize::new(NOBODY)),
            seats: (0..workers).map(seat).collect(),
        }
    }

    /// Takes the role of the guard, unless a worker has it that does not run.
    pub(crate) fn take_role(&self, worker: usize, is_running: impl Fn(usize) -> bool) -> bool {
        // Relaxed: the role guards no data.
        let guard = self.guard.load(Ordering::Relaxed);
        if guard != NOBODY && guard != worker && !is_running(guard) {
            return false;
        }
        self.guard
            .compare_exchange(guard, worker, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// Passes the role on from `worker`, if it has it, to `next`.
    pub(crate) fn pass_role(&self, worker: usize, next: impl FnOnce() -> Option<usize>) {
        if self.guard() == Some(worker) {
            let next = next().unwrap_or(NOBODY);
            // Relaxed: as above. If this fails, somebody has taken the role over.
            let _ = self
                .guard
                .compare_exchange(worker, next, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// The guard, if there is one.
    pub(crate) fn guard(&self) -> Option<usize> {
        // Relaxed: as above.
        let guard = self.guard.load(Ordering::Relaxed);
        (guard != NOBODY).then_some(guard)
    }

    /// Whether the set of `worker` is nested anywhere.
    pub(crate) fn is_watched(&self, worker: usize) -> bool {
        // Relaxed: who has to know for certain takes the lock.
        self.seats[worker].watched.load(Ordering::Relaxed)
    }

    /// Whether the set of `worker` is nested in that of `guard`.
    pub(crate) fn is_nested(&self, worker: usize, guard: usize) -> bool {
        self.is_watched(worker) && self.seats[worker].by.lock().contains(&guard)
    }

    /// Nests the set of `worker` in that of `guard` through `nest`, unless it is there.
    pub(crate) fn enter(
        &self,
        worker: usize,
        guard: usize,
        nest: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let seat = &self.seats[worker];
        let mut by = seat.by.lock();
        if !by.contains(&guard) {
            nest()?;
            by.push(guard);
            // Relaxed: see `is_watched`.
            seat.watched.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Takes the set of `worker` out of every set through `take_out`, or out of that of `only`.
    pub(crate) fn leave(&self, worker: usize, only: Option<usize>, take_out: impl Fn(usize)) {
        let seat = &self.seats[worker];
        if !self.is_watched(worker) {
            return;
        }
        let mut by = seat.by.lock();
        by.retain(|&guard| {
            let leaves = only.is_none_or(|only| only == guard);
            if leaves {
                take_out(guard);
            }
            !leaves
        });
        // Relaxed: see `is_watched`.
        seat.watched.store(!by.is_empty(), Ordering::Relaxed);
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn one_guard_at_a_time() {
        let watch = Watch::new(2);
        assert!(watch.take_role(1, |_| false));
        assert!(!watch.take_role(0, |_| false));
        assert_eq!(watch.guard(), Some(1));
        watch.pass_role(0, || panic!("it does not have it"));
        watch.pass_role(1, || Some(0));
        assert_eq!(watch.guard(), Some(0));
        assert!(watch.take_role(1, |guard| guard == 0));
        watch.pass_role(1, || None);
        assert_eq!(watch.guard(), None);
    }

    #[test]
    fn what_was_nested_is_taken_out_once() {
        let watch = Watch::new(3);
        let taken_out = RefCell::new(Vec::new());
        watch.enter(2, 0, || Ok(())).unwrap();
        watch.enter(2, 1, || Ok(())).unwrap();
        watch.enter(2, 1, || panic!("it is there")).unwrap();
        let refused = watch.enter(1, 0, || Err(io::ErrorKind::Unsupported.into()));
        assert!(refused.is_err());
        assert!(!watch.is_watched(1));
        watch.leave(2, Some(1), |guard| taken_out.borrow_mut().push(guard));
        assert!(watch.is_watched(2));
        watch.leave(2, None, |guard| taken_out.borrow_mut().push(guard));
        watch.leave(2, None, |_| panic!("it is in none"));
        assert_eq!(*taken_out.borrow(), [1, 0]);
    }
}
