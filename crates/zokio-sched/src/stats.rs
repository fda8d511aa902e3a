//! Counters of the work that each worker did.
//!
//! The counters of a worker are written by the holder of its core, with a load and a store (no
//! locked instruction), and read by anyone. A counter may therefore be a moment old, never torn.

use crate::histogram::Histogram;
use crate::policy::Policy;
use std::time::Duration;
use zokio_base::sync::Mutex;
use zokio_base::sync::std_atomic::{AtomicU64, Ordering};
use zokio_base::sync::thread::ThreadId;

/// A number that one thread at a time adds to.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Adds `amount`. Only the holder of the core calls this.
    #[inline]
    pub(crate) fn add(&self, amount: u64) {
        // Relaxed: a figure for people. One writer, so nothing is lost between load and store.
        self.0
            .store(self.0.load(Ordering::Relaxed) + amount, Ordering::Relaxed);
    }

    /// Sets the number. Only the holder of the core calls this.
    #[inline]
    pub(crate) fn set(&self, value: u64) {
        // Relaxed: as above.
        self.0.store(value, Ordering::Relaxed);
    }

    /// The number.
    pub(crate) fn get(&self) -> u64 {
        // Relaxed: as above.
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters of one worker.
#[derive(Debug, Default)]
pub(crate) struct WorkerStats {
    pub(crate) polls: Counter,
    pub(crate) parks: Counter,
    pub(crate) park_unparks: Counter,
    pub(crate) noops: Counter,
    pub(crate) steals: Counter,
    pub(crate) steal_operations: Counter,
    pub(crate) overflows: Counter,
    pub(crate) local_schedules: Counter,
    pub(crate) driver_polls: Counter,
    /// Turns of the driver begun and ended: odd within one.
    pub(crate) turn: Counter,
    pub(crate) busy_ns: Counter,
    /// The mean time of a poll, recent ones counting more.
    pub(crate) mean_poll_ns: Counter,
    /// How long polls took, if that is measured.
    pub(crate) poll_times: Option<Histogram>,
    /// How long tasks waited for a poll, if that is measured.
    pub(crate) latencies: Option<Histogram>,
    /// The kernel's name for the thread that runs the worker.
    pub(crate) thread: Counter,
    /// The thread that claimed the worker last. Written when that changes, which is rare.
    pub(crate) thread_id: Mutex<Option<ThreadId>>,
}

/// A copy of one worker's counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerMetrics {
    /// Tasks polled.
    pub polls: u64,
    /// Times the worker went to wait.
    pub parks: u64,
    /// Times it went to wait, and times it came back: odd while it waits.
    pub park_unparks: u64,
    /// Times it was woken, found nothing, and waited again.
    pub noops: u64,
    /// Tasks taken from other workers.
    pub steals: u64,
    /// Times it took tasks from another worker.
    pub steal_operations: u64,
    /// Times the local queue filled up.
    pub overflows: u64,
    /// Tasks queued by the worker itself.
    pub local_schedules: u64,
    /// Times the driver was polled without waiting.
    pub driver_polls: u64,
    /// Time not spent waiting.
    pub busy: Duration,
    /// The mean time of a poll, recent ones counting more. Zero on a current-thread scheduler.
    pub mean_poll: Duration,
    /// Tasks in the local queue and in the worker's overflow.
    pub local_queue_depth: usize,
    /// Tasks from other threads that wait in the worker's inbox.
    pub inbox_depth: usize,
    /// The kernel's name for the thread that runs the worker now; zero where it has none.
    pub thread: u32,
    /// The thread that claimed the worker last.
    pub thread_id: Option<ThreadId>,
}

impl WorkerStats {
    /// Zeros, for what `policy` wants to be measured.
    pub(crate) fn new(policy: &impl Policy) -> Self {
        Self {
            poll_times: policy.poll_times().map(Histogram::new),
            latencies: policy.latencies().map(Histogram::new),
            ..Self::default()
        }
    }

    /// A copy, without the depths.
    pub(crate) fn snapshot(&self) -> WorkerMetrics {
        WorkerMetrics {
            polls: self.polls.get(),
            parks: self.parks.get(),
            park_unparks: self.park_unparks.get(),
            noops: self.noops.get(),
            steals: self.steals.get(),
            steal_operations: self.steal_operations.get(),
            overflows: self.overflows.get(),
            local_schedules: self.local_schedules.get(),
            driver_polls: self.driver_polls.get(),
            busy: Duration::from_nanos(self.busy_ns.get()),
            mean_poll: Duration::from_nanos(self.mean_poll_ns.get()),
            local_queue_depth: 0,
            inbox_depth: 0,
            thread: self.thread.get() as u32,
            thread_id: *self.thread_id.lock(),
        }
    }
}

/// Counters of the scheduler as a whole.
#[derive(Debug, Default)]
pub(crate) struct SharedStats {
    /// Tasks queued by threads that run no worker.
    pub(crate) remote_schedules: AtomicU64,
    pub(crate) stalls: AtomicU64,
    pub(crate) stalls_contained: AtomicU64,
    pub(crate) driver_stalls: AtomicU64,
    pub(crate) hand_overs: AtomicU64,
}

/// A copy of the scheduler's own counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SchedulerMetrics {
    /// Tasks queued by threads that run no worker.
    pub remote_schedules: u64,
    /// Polls that lasted longer than the threshold while blocking or burning their thread.
    pub stalls: u64,
    /// Those of them whose core went to another thread.
    pub stalls_contained: u64,
    /// Turns of a driver that lasted longer than the threshold, outside of their wait.
    pub driver_stalls: u64,
    /// Cores handed over by `block_in_place`.
    pub hand_overs: u64,
}

impl SharedStats {
    /// Counts one. Relaxed: figures for people.
    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// A copy.
    pub(crate) fn snapshot(&self) -> SchedulerMetrics {
        // Relaxed: figures for people.
        SchedulerMetrics {
            remote_schedules: self.remote_schedules.load(Ordering::Relaxed),
            stalls: self.stalls.load(Ordering::Relaxed),
            stalls_contained: self.stalls_contained.load(Ordering::Relaxed),
            driver_stalls: self.driver_stalls.load(Ordering::Relaxed),
            hand_overs: self.hand_overs.load(Ordering::Relaxed),
        }
    }
}
