//! The scheduler's settings, as methods, so that constants can take the place of values.
//!
//! A policy is asked, never told: each method answers with what its worker should do now. The
//! defaults are those of the runtime. Hooks do nothing unless they are overridden, and compile to
//! nothing then. A hook may panic: the scheduler calls it through `foreign::contain`, and goes on as if
//! it had returned.

use crate::buckets::Buckets;
use std::io;
use std::panic::Location;
use std::time::Duration;
use zokio_task::id::Id;

/// How often the driver is polled under load, in turns of the worker's loop.
pub const DRIVER_INTERVAL: u32 = 61;
/// How often the inbox is looked at while the local queue is not empty, in turns, at least.
pub const INJECT_INTERVAL: u32 = 31;
/// How long a task may block its thread before it loses the core.
pub const STALL_THRESHOLD: Duration = Duration::from_millis(10);
/// How many threads that lost their core may be blocked at a time. Beyond it a stall is reported
/// and not contained.
pub const DETACHED_MAX: usize = 512;

/// A poll, or a turn of a worker's driver, that lasts longer than it should.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StallReport {
    /// Which worker's core the task held up.
    pub worker: usize,
    /// The task, as [`Id::as_u64`]; zero for the future of a `block_on`, and for a driver.
    pub task: u64,
    /// Where it was spawned.
    pub spawned_at: Option<&'static Location<'static>>,
    /// For how long the poll has lasted, at least.
    pub lasted: Duration,
    /// Whether the thread waits in the kernel (rather than computing).
    pub blocked: bool,
    /// Whether the core went to another thread.
    pub contained: bool,
    /// Whether it is no task that does not return but a system call of the worker's own driver.
    pub in_driver: bool,
}

/// The facts that a hook learns about the task that is polled.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct TaskMeta {
    /// The task.
    pub id: Id,
    /// Where it was spawned.
    pub spawned_at: &'static Location<'static>,
    /// How long it waited for this poll, if that is measured.
    pub schedule_latency: Option<Duration>,
}

impl TaskMeta {
    /// The facts about a task.
    pub fn new(id: Id, spawned_at: &'static Location<'static>) -> Self {
        Self {
            id,
            spawned_at,
            schedule_latency: None,
        }
    }
}

/// The settings and hooks of a scheduler.
pub trait Policy: Send + Sync + 'static {
    /// After how many turns the driver is polled, however busy the worker is. At least 1.
    #[inline]
    fn driver_interval(&self) -> u32 {
        DRIVER_INTERVAL
    }

    /// After how many turns the inbox is looked at, however busy the worker is: at most this many,
    /// fewer if fewer tasks wait in the local queue. At least 1.
    #[inline]
    fn inject_interval(&self) -> u32 {
        INJECT_INTERVAL
    }

    /// Whether what a task woke last runs next. Always off on a current-thread scheduler.
    #[inline]
    fn lifo_slot(&self) -> bool {
        true
    }

    /// For how long an idle worker looks for work before it waits in the driver.
    #[inline]
    fn spin(&self) -> Option<Duration> {
        None
    }

    /// How long a task may block its thread before it loses the core. None turns stall containment
    /// off.
    #[inline]
    fn stall_threshold(&self) -> Option<Duration> {
        Some(STALL_THRESHOLD)
    }

    /// Whether stalls of a current-thread scheduler are reported. Its core cannot be moved, and the
    /// reports cost a thread, so they are off by default.
    #[inline]
    fn report_stalls(&self) -> bool {
        false
    }

    /// How many threads that lost their core may be blocked at a time.
    #[inline]
    fn detached_max(&self) -> usize {
        DETACHED_MAX
    }

    /// The seed of the random choices. None: the system gives one.
    #[inline]
    fn seed(&self) -> Option<u64> {
        None
    }

    /// A worker is about to wait.
    #[inline]
    fn on_park(&self, _worker: usize) {}

    /// A worker has waited.
    #[inline]
    fn on_unpark(&self, _worker: usize) {}

    /// A thread begins to run a worker.
    #[inline]
    fn on_worker_start(&self, _worker: usize) {}

    /// A thread ends to run a worker.
    #[inline]
    fn on_worker_stop(&self, _worker: usize) {}

    /// How the times that polls take are counted, if they are measured. Always the same answer.
    #[inline]
    fn poll_times(&self) -> Option<Buckets> {
        None
    }

    /// How the times that tasks wait for a poll are counted, if they are. Always the same answer.
    #[inline]
    fn latencies(&self) -> Option<Buckets> {
        None
    }

    /// Whether hooks want to know the times that tasks wait for a poll. Asked once.
    #[inline]
    fn track_latency(&self) -> bool {
        false
    }

    /// Whether [`before_poll`](Self::before_poll) and [`after_poll`](Self::after_poll) do anything.
    /// Asked once.
    #[inline]
    fn poll_hooks(&self) -> bool {
        false
    }

    /// A task is about to be polled. Only called if [`poll_hooks`](Self::poll_hooks).
    #[inline]
    fn before_poll(&self, _worker: usize, _task: &TaskMeta) {}

    /// A task was polled. Only called if [`poll_hooks`](Self::poll_hooks).
    #[inline]
    fn after_poll(&self, _worker: usize, _task: &TaskMeta) {}

    /// Whether [`on_task_spawn`](Self::on_task_spawn) and [`on_task_end`](Self::on_task_end) do
    /// anything. Asked once.
    #[inline]
    fn task_hooks(&self) -> bool {
        false
    }

    /// A task was spawned. Only called if [`task_hooks`](Self::task_hooks).
    fn on_task_spawn(&self, _task: &TaskMeta) {}

    /// A task has ended. Only called if [`task_hooks`](Self::task_hooks).
    fn on_task_end(&self, _task: &TaskMeta) {}

    /// Why everything has to end, if it has to: asked after each task of a current-thread
    /// scheduler, which then cancels all tasks, and whose `block_on` panics with it.
    #[inline]
    fn failure(&self) -> Option<&'static str> {
        None
    }

    /// A poll, or a turn of a driver, lasts longer than the threshold. Called once for each, on the
    /// monitor's thread.
    fn on_stall(&self, _report: &StallReport) {}

    /// A task panicked.
    fn on_task_panic(&self, _payload: &(dyn std::any::Any + Send)) {}
}

/// The defaults, and no hooks.
#[derive(Debug, Clone, Copy, Default)]
pub struct DefaultPolicy;

impl Policy for DefaultPolicy {}

/// Where threads come from: the runtime's pool.
pub trait ThreadHost: Send + Sync + 'static {
    /// Runs `job` on a thread of its own, inside the runtime's services and clock, soon: a core
    /// waits for it.
    ///
    /// # Errors
    /// If no thread can be had. `job` is dropped.
    fn host(&self, job: Box<dyn FnOnce() + Send>) -> io::Result<()>;
}
