//! [`RuntimeMetrics`]: what a runtime has done so far.

mod times;

use crate::handle::Handle;
use std::fmt;
use std::time::Duration;
use zokio_base::foreign;
use zokio_base::sync::thread::ThreadId;
use zokio_driver::DriverMetrics;
use zokio_driver::uring::{OpMetrics, RingStatus};
use zokio_sched::WorkerMetrics;

/// Figures of the work that a runtime has done so far. Each figure is read when it is asked for, and costs
/// its workers nothing.
///
/// Counters of a worker are written by that worker alone, so that one that is read while the worker
/// runs may be a moment old.
///
/// # Examples
/// ```
/// let runtime = zokio_runtime::Builder::new_current_thread().build().unwrap();
/// let metrics = runtime.metrics();
/// runtime.block_on(runtime.spawn(async {})).unwrap();
/// assert_eq!((metrics.spawned_tasks_count(), metrics.worker_poll_count(0)), (1, 1));
/// ```
#[derive(Clone)]
pub struct RuntimeMetrics {
    handle: Handle,
}

impl fmt::Debug for RuntimeMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuntimeMetrics")
            .field("num_workers", &self.num_workers())
            .field("num_alive_tasks", &self.num_alive_tasks())
            .finish_non_exhaustive()
    }
}

impl RuntimeMetrics {
    pub(crate) fn new(handle: Handle) -> Self {
        Self { handle }
    }

    fn worker(&self, index: usize) -> WorkerMetrics {
        self.handle.inner.scheduler.worker_metrics(index)
    }

    /// How many workers the runtime has.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Runtime::new().unwrap();
    /// assert!(runtime.metrics().num_workers() >= 1);
    /// ```
    pub fn num_workers(&self) -> usize {
        self.handle.inner.scheduler.workers()
    }

    /// How many tasks have been spawned and have not ended.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread().build().unwrap();
    /// runtime.spawn(std::future::pending::<()>());
    /// assert_eq!(runtime.metrics().num_alive_tasks(), 1);
    /// ```
    pub fn num_alive_tasks(&self) -> usize {
        self.handle.inner.spawner.alive()
    }

    /// As [`num_alive_tasks`](Self::num_alive_tasks), under its old name.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread().build().unwrap();
    /// # #[allow(deprecated)]
    /// let count = runtime.metrics().active_tasks_count();
    /// assert_eq!(count, 0);
    /// ```
    #[deprecated = "renamed to num_alive_tasks"]
    pub fn active_tasks_count(&self) -> usize {
        self.num_alive_tasks()
    }

    /// How many ready tasks wait in the queues that other threads put them into.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread().build().unwrap();
    /// runtime.spawn(async {});
    /// // Nobody runs tasks yet.
    /// assert_eq!(runtime.metrics().global_queue_depth(), 1);
    /// ```
    pub fn global_queue_depth(&self) -> usize {
        let scheduler = &self.handle.inner.scheduler;
        (0..scheduler.workers())
            .map(|index| scheduler.worker_metrics(index).inbox_depth)
            .sum()
    }

    /// How often worker `worker` went to wait.
    ///
    /// # Panics
    /// If there is no such worker.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Runtime::new().unwrap();
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// println!("{} waits", runtime.metrics().worker_park_count(0));
    /// ```
    pub fn worker_park_count(&self, worker: usize) -> u64 {
        self.handle.inner.scheduler.worker_metrics(worker).parks
    }

    /// How often worker `worker` went to wait or came back from it: odd while it waits.
    ///
    /// # Panics
    /// If there is no such worker.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Runtime::new().unwrap();
    /// let waits = runtime.metrics().worker_park_unpark_count(0) % 2 == 1;
    /// println!("worker 0 {}", if waits { "waits" } else { "is busy" });
    /// ```
    pub fn worker_park_unpark_count(&self, worker: usize) -> u64 {
        self.handle
            .inner
            .scheduler
            .worker_metrics(worker)
            .park_unparks
    }

    /// How long worker `worker` has been busy.
    ///
    /// # Panics
    /// If there is no such worker.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Runtime::new().unwrap();
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// println!("busy for {:?}", runtime.metrics().worker_total_busy_duration(0));
    /// ```
    pub fn worker_total_busy_duration(&self, worker: usize) -> Duration {
        self.handle.inner.scheduler.worker_metrics(worker).busy
    }

    /// How many polls worker `worker` has made.
    ///
    /// # Panics
    /// If there is no such worker.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread().build().unwrap();
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// assert_eq!(runtime.metrics().worker_poll_count(0), 1);
    /// ```
    pub fn worker_poll_count(&self, worker: usize) -> u64 {
        self.worker(worker).polls
    }

    /// How often worker `worker` was woken, found nothing to do, and waited again.
    ///
    /// # Panics
    /// If there is no such worker.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Runtime::new().unwrap();
    /// println!("{} false alarms", runtime.metrics().worker_noop_count(0));
    /// ```
    pub fn worker_noop_count(&self, worker: usize) -> u64 {
        self.worker(worker).noops
    }

    /// How many tasks worker `worker` has taken from others: out of their queues, and out of what
    /// other threads have left with them.
    ///
    /// # Panics
    /// If there is no such worker.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Runtime::new().unwrap();
    /// let metrics = runtime.metrics();
    /// let stolen: u64 = (0..metrics.num_workers()).map(|w| metrics.worker_steal_count(w)).sum();
    /// println!("{stolen} tasks were stolen");
    /// ```
    pub fn worker_steal_count(&self, worker: usize) -> u64 {
        self.worker(worker).steals
    }

    /// How often worker `worker` has taken tasks from another one.
    ///
    /// # Panics
    /// If there is no such worker.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread().build().unwrap();
    /// // There is nobody to steal from.
    /// assert_eq!(runtime.metrics().worker_steal_operations(0), 0);
    /// ```
    pub fn worker_steal_operations(&self, worker: usize) -> u64 {
        self.worker(worker).steal_operations
    }

    /// How often a task became ready on worker `worker` and went into its own queue.
    ///
    /// # Panics
    /// If there is no such worker.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread().build().unwrap();
    /// runtime.block_on(async { zokio_runtime::spawn(async {}).await.unwrap() });
    /// assert_eq!(runtime.metrics().worker_local_schedule_count(0), 1);
    /// ```
    pub fn worker_local_schedule_count(&self, worker: usize) -> u64 {
        self.worker(worker).local_schedules
    }

    /// How often the queue of worker `worker` filled up. Tasks that become ready then wait behind it, in
    /// order, and the next time counts once they have all gone into the queue.
    ///
    /// # Panics
    /// If there is no such worker.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread().build().unwrap();
    /// runtime.block_on(async {
    ///     for _ in 0..1_000 {
    ///         zokio_runtime::spawn(async {});
    ///     }
    /// });
    /// assert_eq!(runtime.metrics().worker_overflow_count(0), 1);
    /// ```
    pub fn worker_overflow_count(&self, worker: usize) -> u64 {
        self.worker(worker).overflows
    }

    /// How many ready tasks wait in the queue of worker `worker`.
    ///
    /// # Panics
    /// If there is no such worker.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread().build().unwrap();
    /// runtime.block_on(async {
    ///     zokio_runtime::spawn(async {});
    ///     let metrics = zokio_runtime::Handle::current().metrics();
    ///     assert_eq!(metrics.worker_local_queue_depth(0), 1);
    /// });
    /// ```
    pub fn worker_local_queue_depth(&self, worker: usize) -> usize {
        self.worker(worker).local_queue_depth
    }

    /// The thread that runs worker `worker`, or did so last. None if none has.
    ///
    /// # Panics
    /// If there is no such worker.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread().build().unwrap();
    /// runtime.block_on(async {});
    /// let here = std::thread::current().id();
    /// assert_eq!(runtime.metrics().worker_thread_id(0), Some(here));
    /// ```
    pub fn worker_thread_id(&self, worker: usize) -> Option<ThreadId> {
        self.worker(worker).thread_id
    }

    /// How many tasks have been spawned, those that have ended included.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread().build().unwrap();
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// assert_eq!(runtime.metrics().spawned_tasks_count(), 1);
    /// ```
    pub fn spawned_tasks_count(&self) -> u64 {
        self.handle.inner.spawner.spawned()
    }

    /// How often a task became ready on a thread that runs no worker of the runtime.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread().build().unwrap();
    /// runtime.spawn(async {});
    /// assert_eq!(runtime.metrics().remote_schedule_count(), 1);
    /// ```
    pub fn remote_schedule_count(&self) -> u64 {
        self.handle.inner.scheduler.metrics().remote_schedules
    }

    /// How many threads of the blocking pool have nothing to do.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread().build().unwrap();
    /// assert_eq!(runtime.metrics().num_idle_blocking_threads(), 0);
    /// ```
    pub fn num_idle_blocking_threads(&self) -> usize {
        self.handle.inner.pool.idle()
    }

    /// How many closures wait for a thread of the blocking pool.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread().build().unwrap();
    /// assert_eq!(runtime.metrics().blocking_queue_depth(), 0);
    /// ```
    pub fn blocking_queue_depth(&self) -> usize {
        self.handle.inner.pool.queued()
    }

    /// How many sources the driver has watched. A source is watched from the first time it has to
    /// wait.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread().enable_all().build().unwrap();
    /// assert_eq!(runtime.metrics().io_driver_fd_registered_count(), 0);
    /// ```
    pub fn io_driver_fd_registered_count(&self) -> u64 {
        self.driver().registered
    }

    /// How many sources the driver has stopped watching.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread().enable_all().build().unwrap();
    /// assert_eq!(runtime.metrics().io_driver_fd_deregistered_count(), 0);
    /// ```
    pub fn io_driver_fd_deregistered_count(&self) -> u64 {
        self.driver().deregistered
    }

    /// How many events the driver has had.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread().enable_all().build().unwrap();
    /// println!("{} events", runtime.metrics().io_driver_ready_count());
    /// ```
    pub fn io_driver_ready_count(&self) -> u64 {
        self.driver().events
    }

    /// How many polls blocked their thread for longer than the stall threshold.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Runtime::new().unwrap();
    /// println!("{} polls have blocked", runtime.metrics().stall_count());
    /// ```
    pub fn stall_count(&self) -> u64 {
        self.handle.inner.scheduler.metrics().stalls
    }

    /// Of those, how many left their worker to another thread.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Runtime::new().unwrap();
    /// let metrics = runtime.metrics();
    /// assert!(metrics.stall_contained_count() <= metrics.stall_count());
    /// ```
    pub fn stall_contained_count(&self) -> u64 {
        self.handle.inner.scheduler.metrics().stalls_contained
    }

    /// How often a worker was held up for longer than the stall threshold by a system call of its own
    /// driver, outside of its wait. These are not in [`stall_count`](Self::stall_count). While one lasts,
    /// other workers take the worker's tasks and events, and its timers fire.
    ///
    /// Always zero where containment is off, see
    /// [`Builder::stall_threshold`](crate::Builder::stall_threshold).
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Runtime::new().unwrap();
    /// println!("{} system calls were slow", runtime.metrics().driver_stall_count());
    /// ```
    pub fn driver_stall_count(&self) -> u64 {
        self.handle.inner.scheduler.metrics().driver_stalls
    }

    /// How many panics of hooks, wakers and destructors ended inside of a runtime, because no caller was
    /// there to hear of them. Panics of tasks are not among them: they are the task's result. The number
    /// is the process's, since wakers and channels belong to no runtime.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread()
    ///     .on_task_spawn(|_| panic!("a fault of the hook"))
    ///     .build()
    ///     .unwrap();
    /// runtime.block_on(async { zokio_runtime::spawn(async {}).await.unwrap() });
    /// assert!(runtime.metrics().contained_panics() >= 1);
    /// ```
    pub fn contained_panics(&self) -> u64 {
        foreign::contained()
    }

    /// Figures of the work that the readiness plane has done.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread().enable_all().build().unwrap();
    /// let driver = runtime.metrics().driver();
    /// assert_eq!(driver.registered, 0);
    /// ```
    pub fn driver(&self) -> DriverMetrics {
        self.handle.inner.driver.metrics()
    }

    /// How many operations on files went to a ring, and how many elsewhere.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread().enable_all().build().unwrap();
    /// println!("{} operations on a ring", runtime.metrics().operations().on_ring);
    /// ```
    pub fn operations(&self) -> OpMetrics {
        self.handle.inner.driver.plane().metrics()
    }

    /// Whether operations on files run on rings, and if not, why.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread().enable_all().build().unwrap();
    /// println!("{:?}", runtime.metrics().ring_status());
    /// ```
    pub fn ring_status(&self) -> RingStatus {
        self.handle.inner.driver.plane().status()
    }

    /// How many threads the blocking pool has for closures, idle ones included.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread().build().unwrap();
    /// runtime.block_on(runtime.spawn_blocking(|| {})).unwrap();
    /// assert_eq!(runtime.metrics().num_blocking_threads(), 1);
    /// ```
    pub fn num_blocking_threads(&self) -> usize {
        self.handle.inner.pool.threads()
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use crate::Builder;
    use zokio_base::sync::thread::current_id;

    #[test]
    fn a_worker_and_its_tasks_are_counted() {
        let runtime = Builder::new_current_thread().build().unwrap();
        let metrics = runtime.metrics();
        assert_eq!(metrics.worker_thread_id(0), None);
        let task = runtime.spawn(async {});
        assert_eq!(
            (
                metrics.spawned_tasks_count(),
                metrics.remote_schedule_count()
            ),
            (1, 1)
        );
        runtime.block_on(task).unwrap();
        runtime.block_on(async { crate::spawn(async {}).await.unwrap() });
        assert_eq!(metrics.spawned_tasks_count(), 2);
        assert_eq!(metrics.worker_poll_count(0), 2);
        assert!(metrics.worker_local_schedule_count(0) >= 1);
        assert_eq!(metrics.num_alive_tasks(), 0);
        assert_eq!(metrics.worker_thread_id(0), Some(current_id()));
    }

    #[test]
    fn closures_that_wait_and_threads_that_idle_are_counted() {
        let runtime = Builder::new_current_thread()
            .max_blocking_threads(1)
            .build()
            .unwrap();
        let metrics = runtime.metrics();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let first = runtime.spawn_blocking(move || wait.recv().unwrap());
        let second = runtime.spawn_blocking(|| {});
        assert_eq!(metrics.blocking_queue_depth(), 1);
        assert_eq!(metrics.num_idle_blocking_threads(), 0);
        go.send(()).unwrap();
        runtime.block_on(async {
            first.await.unwrap();
            second.await.unwrap();
        });
        assert_eq!(metrics.blocking_queue_depth(), 0);
        assert_eq!(metrics.num_blocking_threads(), 1);
    }
}
