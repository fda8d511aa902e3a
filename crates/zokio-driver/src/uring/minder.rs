//! A lane whose worker stops taking turns, as a runtime of one thread does between two `block_on`.
//!
//! The worker hands over what is pending before it stops. Some of it may not be over by then: the
//! kernel took nothing for now, or a write goes on that may come back short, or is cancelled since the
//! thread that submitted it has ended. Programs were told that it happens, so it must not wait for a
//! next turn which may never come: a thread of the pool, the *minder*, takes the worker's place until all
//! of that is over. What merely brings something to a future (reads, opens) waits for the next turn, as
//! the future does.
//!
//! ```text
//! the worker stops                            the minder
//! 1. sees that something is promised          1. works until nothing is
//! 2. raises the flag; it was up: done         2. takes the flag down
//!    otherwise starts a minder                3. something is promised after all: raises the flag;
//!                                                it was down: starts again
//! ```
//!
//! Invariant: both 2 are swaps of one word. If the worker finds the flag up, the minder takes it down
//! later, and sees in its step 3 all that the worker saw in its step 1.

use super::lane::Lane;
use crate::op::plane::Plane;
use crate::op::table::{Cancel, Kind};
use std::ops::Deref;
use std::sync::Arc;
use std::task::Waker;
use zokio_base::foreign;
use zokio_base::sync::atomic::{AtomicBool, Ordering};

/// The first wait of a minder.
const STEP_MS_MIN: i32 = 1;

/// The longest wait of a minder: completions end it, while what the kernel has not taken, and the
/// lane's end, do not.
const STEP_MS_MAX: i32 = 100;

impl Lane {
    /// Whether something has yet to happen that nobody may be waiting for.
    pub(crate) fn has_promised(&self) -> bool {
        self.pending() > 0
            || self.in_flight() > 0
                && self.slots.any(|finisher| {
                    let row = finisher.flying().row();
                    row.cancel != Cancel::Always && !matches!(row.kind, Kind::Read | Kind::Open)
                })
    }

    /// Works in the worker's place until nothing is promised or the lane is closed.
    fn mind(&self) {
        let mut step = STEP_MS_MIN;
        while self.has_promised() && !self.is_closed() {
            let mut wakers: Vec<Waker> = Vec::new();
            self.submit_pending();
            if self.reap(&mut wakers) > 0 {
                step = STEP_MS_MIN;
            } else {
                self.wait(step);
                step = (step * 2).min(STEP_MS_MAX);
            }
            foreign::wake_all(wakers);
        }
    }
}

/// The minder's flag: whether a thread looks after the lane in its worker's place.
pub(super) struct Flag(AtomicBool);

impl Flag {
    pub(super) fn new() -> Self {
        Self(AtomicBool::new(false))
    }
}

/// The right to be the minder of what has the flag. The flag is taken down when this is dropped: also if the pool
/// drops the job.
struct Minding<L: Deref<Target = Flag>>(L);

impl<L: Deref<Target = Flag> + Clone> Minding<L> {
    /// Raises the flag. None if it was up.
    fn begin(lane: L) -> Option<Self> {
        // ORDERING: AcqRel: pairs with the swap in `drop`, see the invariant.
        let was_up = lane.0.swap(true, Ordering::AcqRel);
        (!was_up).then(|| Self(lane))
    }

    /// Steps 1 to 3 of the minder: calls `work` until `has_promised` says no with the flag down, or another one
    /// has raised it.
    fn run(self, mut work: impl FnMut(&L), has_promised: impl Fn(&L) -> bool) {
        let mut next = Some(self);
        while let Some(minding) = next.take() {
            let lane = minding.0.clone();
            work(&lane);
            drop(minding);
            if has_promised(&lane) {
                next = Self::begin(lane);
            }
        }
    }
}

impl<L: Deref<Target = Flag>> Drop for Minding<L> {
    fn drop(&mut self) {
        // ORDERING: AcqRel: pairs with the swap in `begin`.
        self.0.0.swap(false, Ordering::AcqRel);
    }
}

/// A lane, as its minder holds it.
#[derive(Clone)]
struct Minded(Arc<Plane>, usize);

impl Minded {
    fn lane(&self) -> &Lane {
        self.0.lane(self.1)
    }
}

impl Deref for Minded {
    type Target = Flag;

    fn deref(&self) -> &Flag {
        &self.lane().minder
    }
}

/// The worker of a lane stops taking turns, and something is promised: sees to it that it happens.
pub(crate) fn mind(plane: &Arc<Plane>, worker: usize) {
    let Some(minding) = Minding::begin(Minded(plane.clone(), worker)) else {
        return;
    };
    plane.pool().offload(Box::new(move || {
        let has_promised = |it: &Minded| it.lane().has_promised() && !it.lane().is_closed();
        minding.run(|it| it.lane().mind(), has_promised);
    }));
}

#[cfg(all(test, zokio_loom))]
mod model {
    use super::*;
    use zokio_base::sync::atomic::AtomicUsize;
    use zokio_base::sync::{Arc, model, thread};

    struct World {
        flag: Flag,
        /// Work that is promised and not yet done. As in the lane, nothing but the flag orders its accesses.
        promised: AtomicUsize,
        minders: AtomicUsize,
    }

    #[derive(Clone)]
    struct Held(Arc<World>);

    impl Deref for Held {
        type Target = Flag;

        fn deref(&self) -> &Flag {
            &self.0.flag
        }
    }

    fn serve(minding: Minding<Held>) {
        let work = |held: &Held| {
            let others = held.0.minders.fetch_add(1, Ordering::Relaxed);
            assert_eq!(others, 0, "one minder at a time");
            while held.0.promised.load(Ordering::Relaxed) > 0 {
                held.0.promised.fetch_sub(1, Ordering::Relaxed);
            }
            held.0.minders.fetch_sub(1, Ordering::Relaxed);
        };
        minding.run(work, |held| held.0.promised.load(Ordering::Relaxed) > 0);
    }

    fn world() -> Held {
        Held(Arc::new(World {
            flag: Flag::new(),
            promised: AtomicUsize::new(0),
            minders: AtomicUsize::new(0),
        }))
    }

    /// A worker stops twice, each time with something promised, while the minder of the first time may be at its
    /// end: all is done, and the flag is down.
    #[test]
    fn what_a_worker_leaves_is_done() {
        model(|| {
            let held = world();
            let mut threads = Vec::new();
            for _ in 0..2 {
                held.0.promised.fetch_add(1, Ordering::Relaxed);
                if let Some(minding) = Minding::begin(held.clone()) {
                    threads.push(thread::spawn(move || serve(minding)));
                }
            }
            for thread in threads {
                thread.join().unwrap();
            }
            assert_eq!(held.0.promised.load(Ordering::Relaxed), 0);
            assert!(Minding::begin(held).is_some(), "the flag is down");
        });
    }

    /// The pool drops the first job while the worker stops for the second time: either that finds the flag down,
    /// or nobody was to work any more.
    #[test]
    fn a_job_that_is_dropped_takes_the_flag_down() {
        model(|| {
            let held = world();
            let dropped = Minding::begin(held.clone()).unwrap();
            let pool = thread::spawn(move || drop(dropped));
            if let Some(minding) = Minding::begin(held.clone()) {
                held.0.promised.fetch_add(1, Ordering::Relaxed);
                serve(minding);
                assert_eq!(held.0.promised.load(Ordering::Relaxed), 0);
            }
            pool.join().unwrap();
            assert!(Minding::begin(held).is_some());
        });
    }
}
