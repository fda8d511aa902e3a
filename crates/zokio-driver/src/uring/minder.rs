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
use std::sync::Arc;
use std::task::Waker;
use zokio_base::foreign;
use zokio_base::sync::std_atomic::Ordering;

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
            wakers.into_iter().for_each(foreign::wake);
        }
    }
}

/// The minder's flag, taken down when dropped: also if the pool drops the job.
struct Minding(Arc<Plane>, usize);

impl Minding {
    /// Raises the flag. None if it was up.
    fn begin(plane: &Arc<Plane>, worker: usize) -> Option<Self> {
        // ORDERING: AcqRel: pairs with the swap in `drop`, see the invariant.
        let was_up = plane.lane(worker).is_minded.swap(true, Ordering::AcqRel);
        (!was_up).then(|| Self(plane.clone(), worker))
    }
}

impl Drop for Minding {
    fn drop(&mut self) {
        // ORDERING: AcqRel: pairs with the swap in `begin`.
        self.0.lane(self.1).is_minded.swap(false, Ordering::AcqRel);
    }
}

/// The worker of a lane stops taking turns, and something is promised: sees to it that it happens.
pub(crate) fn mind(plane: &Arc<Plane>, worker: usize) {
    let Some(minding) = Minding::begin(plane, worker) else {
        return;
    };
    plane.offload_job(Box::new(move || {
        let plane = minding.0.clone();
        let mut next = Some(minding);
        while let Some(minding) = next.take() {
            let lane = plane.lane(worker);
            lane.mind();
            drop(minding);
            if lane.has_promised() && !lane.is_closed() {
                next = Minding::begin(&plane, worker);
            }
        }
    }));
}
