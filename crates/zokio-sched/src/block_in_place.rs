//! Blocking inside of a task, without blocking the worker.
//!
//! The thread gives its core away (see [`handoff`](crate::handoff)), has another thread run it, and
//! is then free to block. When the blocking is over it claims the core back if nobody runs it yet;
//! otherwise it finishes the poll without a core, and ends as a worker.
//!
//! If no thread can be had, the thread blocks together with its core. Other workers then take what
//! waits in the core's queues, the task of the slot included. If the scheduler is shutting down by then, the
//! thread runs the worker to its end first.
#![allow(unsafe_code)]

use crate::handoff::Tenure;
use crate::policy::Policy;
use crate::scheduler::Scheduler;
use crate::shared::{Local, local_worker};
use crate::stats::SharedStats;
use zokio_base::foreign;
use zokio_base::park::Park;
use zokio_base::sync::Arc;
use zokio_task::context::{self, Region};
use zokio_task::coop::{self, Budget};

/// Runs `f`, which may block, on the calling thread.
///
/// On a worker of a multi-thread scheduler the other tasks go on on another thread. Outside of a
/// scheduler `f` is simply called.
///
/// # Panics
/// On a current-thread scheduler, and inside of a local set.
#[track_caller]
pub fn block_in_place<F, R>(f: F) -> R
where
    F: FnOnce() -> R,
{
    match context::region() {
        Region::Outside => return f(),
        Region::Inside {
            block_in_place: false,
        } => panic!("can call blocking only when running on the multi-threaded runtime"),
        Region::Inside {
            block_in_place: true,
        } => {}
    }
    wake_deferred();
    let _away = Away::new();
    // SAFETY: this is a call within a poll of the worker, if there is one, which the worker's own guard
    // outlives; the guard here ends with the call.
    let _worker = unsafe { context::leave_worker() };
    let _region = context::leave_runtime();
    coop::with_budget(Budget::unlimited(), f)
}

/// Wakes what has yielded: this thread polls no driver for as long as it blocks, and the thread that
/// goes on with the core may take its time to start.
fn wake_deferred() {
    if context::has_deferred() {
        let mut deferred = Vec::new();
        context::take_deferred(&mut deferred);
        for waker in deferred {
            foreign::wake(waker);
        }
    }
}

/// The core is in other hands until this is dropped.
struct Away<'a>(Option<(usize, &'a Local)>);

impl Away<'_> {
    fn new() -> Self {
        let here = local_worker().and_then(|(worker, local)| {
            let index = worker.index as usize;
            // Between polls (dropping tasks at shutdown, in hooks) the loop needs its core.
            let given =
                local.tenure.in_poll() && local.hand_over.clone().give_away(index, &local.tenure);
            given.then_some((index, local))
        });
        Self(here)
    }
}

impl Drop for Away<'_> {
    fn drop(&mut self) {
        if let Some((index, local)) = self.0 {
            local.tenure.set_away(false);
            local.hand_over.take_back(index, &local.tenure);
        }
    }
}

impl<P: Park + Send + 'static, Q: Policy> Scheduler<P, Q> {
    /// See `HandOver::give_away`.
    pub(crate) fn hand_over(self: &Arc<Self>, index: usize, tenure: &Arc<Tenure>) -> bool {
        let lane = &self.shared.lanes[index];
        let Some(section) = tenure.section(&lane.seat) else {
            // Taken already: the thread is free to block.
            return false;
        };
        lane.seat.give_away(tenure);
        tenure.set_away(true);
        drop(section);
        if self.replace_worker(index).is_err() {
            if self.is_shutdown() {
                // No thread may come any more, and the task may wait for what only the end of this worker brings, such
                // as a timer that is to say that it never fires. So the worker ends here, before its task blocks.
                self.run_abandoned();
                return true;
            }
            // The task blocks its worker, then: slow, but right.
            tenure.set_away(false);
            lane.seat.claim(tenure);
            self.share_slot(index, tenure);
            return false;
        }
        SharedStats::count(&self.shared.stats.hand_overs);
        true
    }

    /// This thread blocks with its core: the task in the slot, which nobody else can take, goes into
    /// the ring, where another worker finds it.
    fn share_slot(&self, index: usize, tenure: &Arc<Tenure>) {
        let lane = &self.shared.lanes[index];
        let Some(section) = tenure.section(&lane.seat) else {
            return;
        };
        // SAFETY: the section is of the tenure that holds this lane's seat: `section` said so.
        let left = self
            .shared
            .empty_slot(lane, unsafe { lane.core.get(&section) });
        drop(section);
        // Another worker may have slept all the time: what was in the ring before is for it, too.
        self.shared.wake_one();
        drop(left);
    }
}
