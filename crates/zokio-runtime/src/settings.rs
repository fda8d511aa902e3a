//! The scheduler's policy, filled from the builder.

use crate::histogram::Histograms;
use crate::task_meta::TaskMeta;
use std::any::Any;
use std::fmt;
use std::time::Duration;
use zokio_base::sync::Arc;
use zokio_base::sync::atomic::{AtomicBool, Ordering};
use zokio_sched::{
    Buckets, DETACHED_MAX, DRIVER_INTERVAL, INJECT_INTERVAL, Policy, STALL_THRESHOLD, StallReport,
};

/// A hook without arguments.
pub(crate) type Hook = Arc<dyn Fn() + Send + Sync>;
/// A hook that hears of stalls.
pub(crate) type StallHook = Arc<dyn Fn(&StallReport) + Send + Sync>;

/// A hook that hears of tasks.
pub(crate) type TaskHook = Arc<dyn Fn(&TaskMeta<'_>) + Send + Sync>;

/// Published tests compare this text.
const TASK_PANICKED: &str =
    "a spawned task panicked and the runtime is configured to shut down on unhandled panic";

/// The consequence that the panic of a task has for the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PanicPolicy {
    Ignore,
    ShutDown,
}

/// The builder's settings for scheduling.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) driver_interval: u32,
    pub(crate) inject_interval: u32,
    pub(crate) lifo_slot: bool,
    pub(crate) spin: Option<Duration>,
    pub(crate) stall_threshold: Option<Duration>,
    pub(crate) detached_max: usize,
    pub(crate) seed: Option<u64>,
    pub(crate) on_park: Option<Hook>,
    pub(crate) on_unpark: Option<Hook>,
    pub(crate) on_stall: Option<StallHook>,
    pub(crate) on_task_spawn: Option<TaskHook>,
    pub(crate) on_task_terminate: Option<TaskHook>,
    pub(crate) before_poll: Option<TaskHook>,
    pub(crate) after_poll: Option<TaskHook>,
    pub(crate) on_panic: PanicPolicy,
    pub(crate) histograms: Histograms,
    /// A task has panicked, and that is to be the end. A runtime's own, not the builder's.
    panicked: Arc<AtomicBool>,
}

impl Settings {
    /// The settings of one more runtime.
    pub(crate) fn for_runtime(&self) -> Self {
        Self {
            panicked: Arc::default(),
            ..self.clone()
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            driver_interval: DRIVER_INTERVAL,
            inject_interval: INJECT_INTERVAL,
            lifo_slot: true,
            spin: None,
            stall_threshold: Some(STALL_THRESHOLD),
            detached_max: DETACHED_MAX,
            seed: None,
            on_park: None,
            on_unpark: None,
            on_stall: None,
            on_task_spawn: None,
            on_task_terminate: None,
            before_poll: None,
            after_poll: None,
            on_panic: PanicPolicy::Ignore,
            histograms: Histograms::default(),
            panicked: Arc::default(),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("driver_interval", &self.driver_interval)
            .field("inject_interval", &self.inject_interval)
            .field("lifo_slot", &self.lifo_slot)
            .field("spin", &self.spin)
            .field("stall_threshold", &self.stall_threshold)
            .field("seed", &self.seed)
            .field("histograms", &self.histograms)
            .finish_non_exhaustive()
    }
}

impl Policy for Settings {
    fn driver_interval(&self) -> u32 {
        self.driver_interval
    }

    fn inject_interval(&self) -> u32 {
        self.inject_interval
    }

    fn lifo_slot(&self) -> bool {
        self.lifo_slot
    }

    fn spin(&self) -> Option<Duration> {
        self.spin
    }

    fn stall_threshold(&self) -> Option<Duration> {
        self.stall_threshold
    }

    fn detached_max(&self) -> usize {
        self.detached_max
    }

    fn report_stalls(&self) -> bool {
        self.on_stall.is_some()
    }

    fn seed(&self) -> Option<u64> {
        self.seed
    }

    fn on_park(&self, _worker: usize) {
        if let Some(hook) = &self.on_park {
            hook();
        }
    }

    fn on_unpark(&self, _worker: usize) {
        if let Some(hook) = &self.on_unpark {
            hook();
        }
    }

    fn on_stall(&self, report: &StallReport) {
        if let Some(hook) = &self.on_stall {
            hook(report);
        }
    }

    fn poll_times(&self) -> Option<Buckets> {
        self.histograms.poll_times()
    }

    fn latencies(&self) -> Option<Buckets> {
        self.histograms.schedule_latencies()
    }

    fn track_latency(&self) -> bool {
        self.histograms.track
    }

    fn poll_hooks(&self) -> bool {
        self.before_poll.is_some() || self.after_poll.is_some()
    }

    fn before_poll(&self, _worker: usize, task: &zokio_sched::TaskMeta) {
        run(self.before_poll.as_ref(), task);
    }

    fn after_poll(&self, _worker: usize, task: &zokio_sched::TaskMeta) {
        run(self.after_poll.as_ref(), task);
    }

    fn task_hooks(&self) -> bool {
        self.on_task_spawn.is_some() || self.on_task_terminate.is_some()
    }

    fn on_task_spawn(&self, task: &zokio_sched::TaskMeta) {
        run(self.on_task_spawn.as_ref(), task);
    }

    fn on_task_end(&self, task: &zokio_sched::TaskMeta) {
        run(self.on_task_terminate.as_ref(), task);
    }

    fn on_task_panic(&self, _payload: &(dyn Any + Send)) {
        if self.on_panic == PanicPolicy::ShutDown {
            // Release pairs with the acquire in `failure`, on the thread that cancels the tasks.
            self.panicked.store(true, Ordering::Release);
        }
    }

    fn failure(&self) -> Option<&'static str> {
        // Acquire pairs with the release in `on_task_panic`.
        let failed =
            self.on_panic == PanicPolicy::ShutDown && self.panicked.load(Ordering::Acquire);
        failed.then_some(TASK_PANICKED)
    }
}

fn run(hook: Option<&TaskHook>, task: &zokio_sched::TaskMeta) {
    if let Some(hook) = hook {
        hook(&TaskMeta::new(task));
    }
}
