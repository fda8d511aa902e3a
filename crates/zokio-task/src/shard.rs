//! A shard: the live tasks that one worker has spawned, and the way to their scheduler.
//!
//! Each worker has a shard, so that spawning takes a lock that nobody else wants, and the count of
//! handles to a shard lies on a line of its own. A task ends in the shard it was born in, wherever
//! it was polled.
//!
//! Ownership: task → shard → scheduler. The scheduler's queues own tasks, so they must be emptied,
//! and the shard shut down, before the last handle to the scheduler goes.
//!
//! Invariants:
//!
//! 1. A task is in the table from its binding to just before its completion; its entry is one of
//!    its references, which whoever removes it takes over.
//! 2. Once the table is closed, nothing is added: a shutdown that walks it after closing meets every
//!    task that is not complete.
//! 3. No foreign code (futures, wakers, schedulers) runs under the lock.
#![allow(unsafe_code)]

use crate::harness;
use crate::join::JoinHandle;
use crate::meta::SpawnMeta;
use crate::notified::Notified;
use crate::raw::TaskRef;
use crate::schedule::Schedule;
use crate::table::Table;
use std::fmt;
use std::sync::Arc;
use zokio_base::foreign::contain;
use zokio_base::sync::Mutex;

/// How many tasks a shutdown takes from the table at a time.
const SHUTDOWN_BATCH: usize = 64;

/// The live tasks of one worker.
pub struct Shard {
    schedule: Arc<dyn Schedule>,
    index: u32,
    /// Whether the scheduler wants to hear of tasks that begin and end.
    hooks: bool,
    /// Whether the scheduler stamps tasks.
    stamps: bool,
    live: Mutex<Live>,
}

struct Live {
    table: Table,
    /// How many tasks were ever put into the table.
    spawned: u64,
    closed: bool,
}

impl fmt::Debug for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shard")
            .field("index", &self.index)
            .field("alive", &self.alive())
            .finish_non_exhaustive()
    }
}

impl Shard {
    /// An empty shard whose tasks `schedule` runs.
    pub fn new(schedule: Arc<dyn Schedule>, index: u32) -> Arc<Self> {
        Arc::new(Self {
            hooks: schedule.has_task_hooks(),
            stamps: schedule.wants_stamps(),
            schedule,
            index,
            live: Mutex::new(Live {
                table: Table::new(),
                spawned: 0,
                closed: false,
            }),
        })
    }

    /// Where its tasks are scheduled.
    #[inline]
    pub fn schedule(&self) -> &Arc<dyn Schedule> {
        &self.schedule
    }

    /// Whether the scheduler wants to hear of tasks that begin and end.
    #[inline]
    pub(crate) fn has_hooks(&self) -> bool {
        self.hooks
    }

    /// Whether its tasks have room for a stamp.
    #[inline]
    pub(crate) fn has_stamps(&self) -> bool {
        self.stamps
    }

    /// How many of its tasks have not ended.
    pub fn alive(&self) -> usize {
        self.live.lock().table.len()
    }

    /// How many tasks have been bound here, those that have ended included.
    pub fn spawned(&self) -> u64 {
        self.live.lock().spawned
    }

    /// Makes a task of `future`. The caller schedules the notification.
    ///
    /// If the shard was shut down there is none: the future was dropped here, and the handle sees
    /// the task cancelled.
    pub fn bind<F>(
        self: &Arc<Self>,
        future: F,
        meta: SpawnMeta,
    ) -> (JoinHandle<F::Output>, Option<Notified>)
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        // SAFETY: future and output may be sent to any thread.
        unsafe { self.bind_local(future, meta) }
    }

    /// As [`bind`](Self::bind), for a future that must stay on this thread.
    ///
    /// # Safety
    /// If the future or its output is not `Send`, this thread is the only one on which the task's
    /// notifications are run or shut down, this shard is shut down, and the task's last references
    /// are dropped without the task having ended.
    pub unsafe fn bind_local<F>(
        self: &Arc<Self>,
        future: F,
        meta: SpawnMeta,
    ) -> (JoinHandle<F::Output>, Option<Notified>)
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        // References: the handle, the notification, the table's entry.
        let task = TaskRef::allocate(future, meta, self.clone(), 3);
        let join = self.handle_of(&task);
        let notified = self.insert(task);
        if let (true, Some(task)) = (self.hooks, &notified) {
            let _ = contain(|| self.schedule.task_spawned(task.id(), task.spawned_at()));
        }
        (join, notified)
    }

    /// Makes a task that is in no table: work for a pool that finds it in its own queue. It is
    /// polled without a budget. If it is not to be run, it has to be
    /// [shut down](Notified::shutdown), or its handle waits for ever.
    pub fn bind_untracked<F>(
        self: &Arc<Self>,
        future: F,
        meta: SpawnMeta,
    ) -> (JoinHandle<F::Output>, Notified)
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        // References: the handle and the notification.
        let task = TaskRef::allocate(future, meta, self.clone(), 2);
        (self.handle_of(&task), Notified::new(task))
    }

    /// The join handle of a new task that was made with a reference for it.
    fn handle_of<T>(&self, task: &TaskRef) -> JoinHandle<T> {
        // SAFETY: one of the references that the task was allocated with is the handle's, and `T`
        // is inferred from the future's output by the callers' signatures.
        unsafe { JoinHandle::new(TaskRef::from_raw(task.as_ptr())) }
    }

    /// Puts a new task into the table. The second of its two references becomes the entry's, or is
    /// released if the task is shut down because the table is closed.
    fn insert(&self, task: TaskRef) -> Option<Notified> {
        let address = task.as_ptr();
        {
            let mut live = self.live.lock();
            if !live.closed {
                let slot = live.table.insert(address);
                live.spawned += 1;
                // SAFETY: nobody but this thread and, after the lock, a shutdown can reach the
                // task yet: the slot is constant from before its first reference is handed out.
                unsafe { (&raw mut (*address.as_ptr()).slot).write(slot) };
                drop(live);
                return Some(Notified::new(task));
            }
        }
        harness::shutdown(task);
        // SAFETY: the entry's reference, which no entry took.
        drop(unsafe { TaskRef::from_raw(address) });
        None
    }

    /// Takes a task that is about to complete out of the table. The entry's reference passes to
    /// the caller.
    #[inline]
    pub(crate) fn remove(&self, task: &TaskRef) {
        let slot = task.header().slot;
        self.live.lock().table.remove(slot, task.as_ptr());
    }

    /// Closes the table, then cancels every task in it: futures that are not being polled are
    /// dropped here, the others when their poll returns.
    ///
    /// May be called more than once, and by several threads at once.
    pub fn shutdown_all(&self) {
        self.live.lock().closed = true;
        let mut batch = Vec::new();
        let mut from = 0;
        loop {
            from = self.collect(from, &mut batch);
            if batch.is_empty() {
                return;
            }
            batch.drain(..).for_each(harness::shutdown);
        }
    }

    /// Puts references to the tasks in the next slots into `batch`, and returns the slot to go on
    /// from.
    fn collect(&self, from: u32, batch: &mut Vec<TaskRef>) -> u32 {
        let live = self.live.lock();
        for slot in from..live.table.end() {
            if batch.len() == SHUTDOWN_BATCH {
                return slot;
            }
            if let Some(task) = live.table.get(slot) {
                // SAFETY: the entry is one of the task's references (invariant 1), and stays while
                // we hold the lock; the second reference is our own.
                let task = unsafe { std::mem::ManuallyDrop::new(TaskRef::from_raw(task)) };
                batch.push(TaskRef::clone(&task));
            }
        }
        live.table.end()
    }
}
