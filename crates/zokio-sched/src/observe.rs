//! Measurements around polls: how long a task waited for its poll, how long the poll took, and the calls of
//! the hooks.
//!
//! All of it is off unless the policy asks for it, and then costs one test of a constant flag per
//! poll and per wake. The mean time of a poll is always known (to multi-thread workers): it comes
//! from the time of a whole *stretch* of polls. A stretch begins when the worker has waited or, while
//! it has no time to wait, after one look at the driver of [`SAMPLE`]; it ends with the next look at
//! the driver, or when the worker goes to wait. So a worker that waits reads the clock no more often
//! than its busy time wants it, and one that does not wait hardly ever.
//!
//! Times here are those of the system: how long something took is no affair of a clock that can be
//! paused. The mean is taken with the runtime's clock, which the worker reads anyway; multi-thread
//! runtimes cannot pause it.

use crate::core::Core;
use crate::policy::{Policy, TaskMeta};
use crate::shared::Shared;
use crate::stats::WorkerStats;
use std::cell::Cell;
use std::time::{Duration, Instant};
use zokio_base::clock;
use zokio_base::foreign;
use zokio_base::park::Park;
use zokio_task::Notified;

/// How much the newest poll counts in the mean of all polls.
const MEAN_WEIGHT: f64 = 0.1;

/// A busy worker times the polls after one look at the driver out of this many.
const SAMPLE: u32 = 16;

/// The measurements that a scheduler makes. Constant.
#[derive(Debug)]
pub(crate) struct Observer {
    /// Whether anything at all happens around polls.
    pub(crate) polls: bool,
    /// Whether poll times are measured.
    times: bool,
    hooks: bool,
    /// Stamps are nanoseconds since then. None: tasks are not stamped.
    epoch: Option<Instant>,
}

impl Observer {
    /// Asks the policy.
    pub(crate) fn new(policy: &impl Policy) -> Self {
        let stamps = policy.track_latency() || policy.latencies().is_some();
        let (times, hooks) = (policy.poll_times().is_some(), policy.poll_hooks());
        Self {
            polls: times || hooks || stamps,
            times,
            hooks,
            epoch: stamps.then(clock::real_now),
        }
    }

    /// Whether tasks are stamped when they are queued.
    pub(crate) fn stamps(&self) -> bool {
        self.epoch.is_some()
    }

    /// A task is about to be queued.
    #[inline]
    pub(crate) fn queued(&self, task: &Notified) {
        if let Some(epoch) = self.epoch {
            task.set_stamp(nanos(clock::real_now().saturating_duration_since(epoch)));
        }
    }
}

/// A poll that is being observed.
#[derive(Debug)]
pub(crate) struct Observed {
    meta: TaskMeta,
    began: Option<Instant>,
}

impl<P: Park, Q: Policy> Shared<P, Q> {
    /// `task` is about to be polled by worker `index`, which holds its core.
    pub(crate) fn poll_begins(&self, index: usize, task: &Notified) -> Observed {
        let observer = &self.observer;
        let mut meta = TaskMeta::new(task.id(), task.spawned_at());
        if let (Some(epoch), Some(stamp)) = (observer.epoch, task.stamp()) {
            let now = nanos(clock::real_now().saturating_duration_since(epoch));
            let waited = now.saturating_sub(stamp);
            meta.schedule_latency = Some(Duration::from_nanos(waited));
            if let Some(latencies) = &self.lanes[index].stats.latencies {
                latencies.record(waited);
            }
        }
        if observer.hooks {
            foreign::contain(|| self.policy.before_poll(index, &meta));
        }
        Observed {
            meta,
            began: observer.times.then(clock::real_now),
        }
    }

    /// The poll has ended. Returns how long it took, if that is to be [counted](Self::poll_took).
    pub(crate) fn poll_ended(&self, index: usize, observed: &Observed) -> Option<u64> {
        let took = observed
            .began
            .map(|began| nanos(clock::real_now().saturating_duration_since(began)));
        if self.observer.hooks {
            foreign::contain(|| self.policy.after_poll(index, &observed.meta));
        }
        took
    }

    /// Counts a poll of worker `index` that took `took` nanoseconds. `held`: whether the caller
    /// still holds the core.
    pub(crate) fn poll_took(&self, index: usize, took: u64, held: bool) {
        match &self.lanes[index].stats.poll_times {
            Some(times) if held => times.record(took),
            Some(times) => times.record_late(took),
            None => {}
        }
    }
}

/// Polls that are timed together.
#[derive(Debug, Default)]
pub(crate) struct Stretch {
    /// When it began. None if the present polls are not timed.
    since: Cell<Option<Instant>>,
    /// The worker's polls at its beginning.
    polls: Cell<u64>,
    /// Looks at the driver, modulo [`SAMPLE`].
    looks: Cell<u32>,
    mean_ns: Cell<Option<f64>>,
}

impl Stretch {
    pub(crate) fn begin(&self, now: Instant, polls: u64) {
        self.since.set(Some(now));
        self.polls.set(polls);
    }

    /// The driver was looked at. Whether the polls that follow are to be timed: those after the
    /// first look are.
    pub(crate) fn is_due(&self) -> bool {
        let looks = self.looks.get();
        self.looks.set((looks + 1) % SAMPLE);
        looks == 0
    }

    /// Ends the stretch. Returns the new mean, if there were polls.
    pub(crate) fn end(&self, now: Instant, polls: u64) -> Option<u64> {
        let since = self.since.take()?;
        let count = polls - self.polls.get();
        if count == 0 {
            return None;
        }
        let took = now.saturating_duration_since(since).as_nanos() as f64;
        let recent = took / count as f64;
        // As if each of the polls had taken `recent`, one after the other.
        let kept = (1.0 - MEAN_WEIGHT).powi(i32::try_from(count).unwrap_or(i32::MAX));
        let mean = match self.mean_ns.get() {
            Some(before) => before * kept + recent * (1.0 - kept),
            None => recent,
        };
        self.mean_ns.set(Some(mean));
        Some(mean as u64)
    }
}

impl<P> Core<P> {
    /// Polls begin now.
    pub(crate) fn begin_stretch(&self, stats: &WorkerStats, now: Instant) {
        self.stretch.begin(now, stats.polls.get());
    }

    /// Whether the present polls are timed.
    #[inline]
    pub(crate) fn is_in_stretch(&self) -> bool {
        self.stretch.since.get().is_some()
    }

    /// Polls end for now: what they took goes into the mean, and the time since the worker stopped
    /// waiting into its busy time.
    pub(crate) fn end_stretch(&self, stats: &WorkerStats, now: Instant) {
        if let Some(mean) = self.stretch.end(now, stats.polls.get()) {
            stats.mean_poll_ns.set(mean);
        }
        if let Some(since) = self.busy_since.take() {
            stats
                .busy_ns
                .add(nanos(now.saturating_duration_since(since)));
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
