//! [`RuntimeMetrics`]: what a runtime has done so far.

use crate::handle::Handle;
use std::fmt;
use std::time::Duration;
use zokio_driver::DriverMetrics;
use zokio_driver::uring::{OpMetrics, RingStatus};

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

    /// How many workers the runtime has.
    pub fn num_workers(&self) -> usize {
        self.handle.inner.scheduler.workers()
    }

    /// How many tasks have been spawned and have not ended.
    pub fn num_alive_tasks(&self) -> usize {
        self.handle.inner.spawner.alive()
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
