//! The state that all threads of a scheduler share, and the way of a woken task.
//!
//! On the thread that runs one of our workers, and holds its core, a task goes to that core: into
//! the LIFO slot if a poll woke it, into the ring otherwise, into the overflow if the ring is full.
//! Everywhere else it goes into an inbox, and one idle worker is woken.
//!
//! Invariants:
//!
//! 1. A thread that queues a task that another worker could run calls [`Shared::wake_one`] afterwards,
//!    or is about to look for work itself.
//! 2. The shared state owns no shard: tasks own their shard, a shard owns this.
#![allow(unsafe_code)]

use crate::bell::Bell;
use crate::core::{Core, Lane};
use crate::handoff::Tenure;
use crate::idle::Idle;
use crate::observe::Observer;
use crate::policy::{Policy, TaskMeta};
use crate::stats::SharedStats;
use std::any::Any;
use std::fmt;
use std::panic::Location;
use zokio_base::foreign;
use zokio_base::park::{Park, Unpark};
use zokio_base::rand;
use zokio_base::sync::Arc;
use zokio_base::sync::atomic::{AtomicBool, Ordering};
use zokio_task::{Id, Notified, Schedule, context};

/// The target of the thread-local context while a worker runs on the thread.
pub(crate) struct Local {
    pub(crate) tenure: Arc<Tenure>,
    pub(crate) hand_over: Arc<dyn HandOver>,
}

/// The operations that `block_in_place` needs of a scheduler, whatever its types.
pub(crate) trait HandOver: Send + Sync {
    /// Gives the core of worker `index` away and has another thread run it. False if it is not
    /// the caller's, or nobody could run it: then it stays with the caller.
    fn give_away(self: Arc<Self>, index: usize, tenure: &Arc<Tenure>) -> bool;
    /// Claims the core back, on the thread that gave it away, if nobody runs it yet.
    fn take_back(&self, index: usize, tenure: &Arc<Tenure>);
}

/// The calling thread's worker, of whatever scheduler.
pub(crate) fn local_worker<'a>() -> Option<(context::Worker, &'a Local)> {
    let worker = context::worker()?;
    // SAFETY: only this crate enters workers, and their `local` points at a `Local` that stays
    // until the guard is dropped, on this thread. The callers use the reference inside of a call
    // that the guard outlives.
    Some((worker, unsafe { &*worker.local.cast::<Local>() }))
}

/// The state that all threads share.
pub(crate) struct Shared<P: Park, Q> {
    pub(crate) policy: Q,
    pub(crate) lanes: Box<[Lane<P>]>,
    pub(crate) idle: Idle,
    /// Set once, when the shutdown begins.
    pub(crate) closed: AtomicBool,
    pub(crate) bell: Bell,
    pub(crate) stats: SharedStats,
    /// Whether the workers have threads of their own.
    pub(crate) multi_thread: bool,
    /// Whether what was woken last runs next.
    pub(crate) lifo: bool,
    /// Whether a monitor wants to know where tasks were spawned.
    pub(crate) watched: bool,
    pub(crate) observer: Observer,
}

impl<P: Park, Q> fmt::Debug for Shared<P, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("lanes", &self.lanes)
            .field("idle", &self.idle)
            .finish_non_exhaustive()
    }
}

/// How a task came to be ready.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reason {
    Woken,
    Yielded,
}

impl<P: Park, Q: Policy> Shared<P, Q> {
    /// The address that tells this scheduler's workers from others'.
    pub(crate) fn address(&self) -> *const () {
        std::ptr::from_ref(self).cast()
    }

    /// Whether the shutdown has begun. Acquire pairs with the release in `begin_shutdown`.
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// After work was queued: wakes a worker, if one sleeps and none searches.
    #[inline]
    pub(crate) fn wake_one(&self) {
        if let Some(index) = self.idle.worker_to_wake() {
            self.wake(index as usize);
        }
    }

    /// Wakes a worker that looks for the work of worker `stuck`, whoever searches already.
    pub(crate) fn wake_beside(&self, stuck: usize) {
        if let Some(index) = self.idle.worker_to_wake_beside(stuck as u32) {
            self.wake(index as usize);
        }
    }

    #[cold]
    fn wake(&self, index: usize) {
        self.lanes[index].unpark.unpark();
        // The worker rings as well when it rises. It may be stuck on the way.
        if self.watched {
            self.bell.ring_if_asleep();
        }
    }

    /// How many workers the monitor has to watch: those that are awake. A current-thread core that
    /// no thread holds is not; a multi-thread one without a thread is about to get one, and may be
    /// claimed back without ceremony.
    pub(crate) fn active(&self) -> u64 {
        if self.multi_thread || self.lanes[0].seat.is_held() {
            self.idle.awake()
        } else {
            0
        }
    }

    /// The calling thread's worker, if it is one of ours.
    #[inline]
    pub(crate) fn here<'a>(&self) -> Option<(usize, &'a Local)> {
        let (worker, local) = local_worker()?;
        (worker.scheduler == self.address()).then_some((worker.index as usize, local))
    }

    fn submit(&self, task: Notified, reason: Reason) {
        self.observer.queued(&task);
        let Some((index, local)) = self.here() else {
            return self.inject(task, None);
        };
        let lane = &self.lanes[index];
        let Some(section) = local.tenure.section(&lane.seat) else {
            return self.inject(task, Some(index));
        };
        // SAFETY: the section is of the tenure that holds this lane's seat: `section` said so.
        let core = unsafe { lane.core.get(&section) };
        let in_poll = section.is_of_poll();
        let rest = if in_poll && reason == Reason::Woken && self.lifo && core.lifo.is_open() {
            // A slot that was empty needs no help from others: its task runs right after this one.
            core.lifo.replace(task)
        } else {
            Some(task)
        };
        lane.stats.local_schedules.add(1);
        let Some(task) = rest else { return };
        self.push_back(lane, core, task);
        let wake = !core.draining.get() && self.lanes.len() > 1;
        drop(section);
        if wake {
            self.wake_one();
        }
    }

    /// Queues `task` behind all that wait in the core.
    #[inline]
    pub(crate) fn push_back(&self, lane: &Lane<P>, core: &Core<P>, task: Notified) {
        core.drained.set(core.drained.get() + 1);
        let is_next = lane.inbox.overflow_len() == 0 && core.batch.borrow().is_empty();
        let task = if is_next || (core.draining.get() && core.drains_first.get()) {
            match core.push(task) {
                Ok(()) => return,
                Err(task) => {
                    lane.stats.overflows.add(1);
                    task
                }
            }
        } else {
            task
        };
        self.overflow(lane, core, task);
    }

    #[cold]
    fn overflow(&self, lane: &Lane<P>, core: &Core<P>, task: Notified) {
        if core.draining.get() {
            core.batch.borrow_mut().push_back(task);
        } else if let Err(task) = lane.inbox.push_overflow(task) {
            // The scheduler has ended.
            drop(task);
        }
    }

    /// Moves the task of the slot, which thieves cannot reach, behind those that they can: its
    /// worker is not going to run it soon. The caller calls [`wake_one`](Self::wake_one), and drops
    /// what comes back, a task of a scheduler that has ended, without any lock.
    #[must_use]
    pub(crate) fn empty_slot(&self, lane: &Lane<P>, core: &Core<P>) -> Option<Notified> {
        let task = core.lifo.evict()?;
        let is_next = lane.inbox.overflow_len() == 0;
        let task = if is_next {
            core.push(task).err()?
        } else {
            task
        };
        lane.inbox.push_overflow(task).err()
    }

    /// Queues `task` from outside of our workers, into the inbox of worker `near` if there is one.
    fn inject(&self, task: Notified, near: Option<usize>) {
        let index = near.unwrap_or_else(|| self.any_lane());
        SharedStats::count(&self.stats.remote_schedules);
        match self.lanes[index].inbox.push_remote(task) {
            Ok(()) => self.wake_one(),
            // The scheduler has ended; the lock is not held any more.
            Err(task) => drop(task),
        }
    }

    fn any_lane(&self) -> usize {
        match self.lanes.len() {
            1 => 0,
            lanes => rand::with(|rng| rng.below(lanes as u32)) as usize,
        }
    }
}

impl<P, Q> Schedule for Shared<P, Q>
where
    P: Park + Send + 'static,
    Q: Policy,
{
    fn schedule(&self, task: Notified) {
        self.submit(task, Reason::Woken);
    }

    fn reschedule(&self, task: Notified) {
        self.submit(task, Reason::Yielded);
    }

    fn task_panicked(&self, payload: &(dyn Any + Send)) {
        foreign::contain(|| self.policy.on_task_panic(payload));
    }

    fn has_task_hooks(&self) -> bool {
        self.policy.task_hooks()
    }

    fn wants_stamps(&self) -> bool {
        self.observer.stamps()
    }

    fn task_spawned(&self, id: Id, place: &'static Location<'static>) {
        foreign::contain(|| self.policy.on_task_spawn(&TaskMeta::new(id, place)));
    }

    fn task_ended(&self, id: Id, place: &'static Location<'static>) {
        foreign::contain(|| self.policy.on_task_end(&TaskMeta::new(id, place)));
    }
}
