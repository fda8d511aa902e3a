//! [`RuntimeMetrics`]: what a runtime has done so far.

mod times;

use crate::handle::Handle;
use std::fmt;
use std::time::Duration;
use zokio_base::sync::thread::ThreadId;
use zokio_driver::DriverMetrics;
use zokio_driver::uring::{OpMetrics, RingStatus};
use zokio_sched::WorkerMetrics;

/// What a runtime has done so far. Each figure is read when it is asked for.
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
    pub fn num_workers(&self) -> usize {
        self.handle.inner.scheduler.workers()
    }

    /// How many tasks have been spawned and have not ended.
    pub fn num_alive_tasks(&self) -> usize {
        self.handle.inner.spawner.alive()
    }

    /// As [`num_alive_tasks`](Self::num_alive_tasks), under its old name.
    #[deprecated = "renamed to num_alive_tasks"]
    pub fn active_tasks_count(&self) -> usize {
        self.num_alive_tasks()
    }

    /// How many ready tasks wait in the queues that other threads put them into.
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
    pub fn worker_park_count(&self, worker: usize) -> u64 {
        self.handle.inner.scheduler.worker_metrics(worker).parks
    }

    /// How often worker `worker` went to wait or came back from it: odd while it waits.
    ///
    /// # Panics
    /// If there is no such worker.
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
    pub fn worker_total_busy_duration(&self, worker: usize) -> Duration {
        self.handle.inner.scheduler.worker_metrics(worker).busy
    }

    /// How many polls worker `worker` has made.
    ///
    /// # Panics
    /// If there is no such worker.
    pub fn worker_poll_count(&self, worker: usize) -> u64 {
        self.worker(worker).polls
    }

    /// How often worker `worker` was woken, found nothing to do, and waited again.
    ///
    /// # Panics
    /// If there is no such worker.
    pub fn worker_noop_count(&self, worker: usize) -> u64 {
        self.worker(worker).noops
    }

    /// How many tasks worker `worker` has taken from others.
    ///
    /// # Panics
    /// If there is no such worker.
    pub fn worker_steal_count(&self, worker: usize) -> u64 {
        self.worker(worker).steals
    }

    /// How often worker `worker` has taken tasks from another one.
    ///
    /// # Panics
    /// If there is no such worker.
    pub fn worker_steal_operations(&self, worker: usize) -> u64 {
        self.worker(worker).steal_operations
    }

    /// How often a task became ready on worker `worker` and went into its own queue.
    ///
    /// # Panics
    /// If there is no such worker.
    pub fn worker_local_schedule_count(&self, worker: usize) -> u64 {
        self.worker(worker).local_schedules
    }

    /// How many tasks found the queue of worker `worker` full.
    ///
    /// # Panics
    /// If there is no such worker.
    pub fn worker_overflow_count(&self, worker: usize) -> u64 {
        self.worker(worker).overflows
    }

    /// How many ready tasks wait in the queue of worker `worker`.
    ///
    /// # Panics
    /// If there is no such worker.
    pub fn worker_local_queue_depth(&self, worker: usize) -> usize {
        self.worker(worker).local_queue_depth
    }

    /// The thread that runs worker `worker`, or did so last. None if none has.
    ///
    /// # Panics
    /// If there is no such worker.
    pub fn worker_thread_id(&self, worker: usize) -> Option<ThreadId> {
        self.worker(worker).thread_id
    }

    /// How many tasks have been spawned, those that have ended included.
    pub fn spawned_tasks_count(&self) -> u64 {
        self.handle.inner.spawner.spawned()
    }

    /// How often a task became ready on a thread that runs no worker of the runtime.
    pub fn remote_schedule_count(&self) -> u64 {
        self.handle.inner.scheduler.metrics().remote_schedules
    }

    /// How many threads of the blocking pool have nothing to do.
    pub fn num_idle_blocking_threads(&self) -> usize {
        self.handle.inner.pool.idle()
    }

    /// How many closures wait for a thread of the blocking pool.
    pub fn blocking_queue_depth(&self) -> usize {
        self.handle.inner.pool.queued()
    }

    /// How many sources the driver has watched. A source is watched from the first time it has to
    /// wait.
    pub fn io_driver_fd_registered_count(&self) -> u64 {
        self.driver().registered
    }

    /// How many sources the driver has stopped watching.
    pub fn io_driver_fd_deregistered_count(&self) -> u64 {
        self.driver().deregistered
    }

    /// How many events the driver has had.
    pub fn io_driver_ready_count(&self) -> u64 {
        self.driver().events
    }

    /// How many polls blocked their thread for longer than the stall threshold.
    pub fn stall_count(&self) -> u64 {
        self.handle.inner.scheduler.metrics().stalls
    }

    /// Of those, how many left their worker to another thread.
    pub fn stall_contained_count(&self) -> u64 {
        self.handle.inner.scheduler.metrics().stalls_contained
    }

    /// What the readiness plane has done.
    pub fn driver(&self) -> DriverMetrics {
        self.handle.inner.driver.metrics()
    }

    /// How many operations on files went to a ring, and how many elsewhere.
    pub fn operations(&self) -> OpMetrics {
        self.handle.inner.driver.plane().metrics()
    }

    /// Whether operations on files run on rings, and if not, why.
    pub fn ring_status(&self) -> RingStatus {
        self.handle.inner.driver.plane().status()
    }

    /// How many threads the blocking pool has for closures, idle ones included.
    pub fn num_blocking_threads(&self) -> usize {
        self.handle.inner.pool.threads()
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
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
