//! The scheduler's policy, filled from the builder.

use std::fmt;
use std::time::Duration;
use zokio_base::sync::Arc;
use zokio_sched::{DRIVER_INTERVAL, INJECT_INTERVAL, Policy, STALL_THRESHOLD, StallReport};

/// A hook without arguments.
pub(crate) type Hook = Arc<dyn Fn() + Send + Sync>;
/// A hook that hears of stalls.
pub(crate) type StallHook = Arc<dyn Fn(&StallReport) + Send + Sync>;

/// What the builder says about scheduling.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) driver_interval: u32,
    pub(crate) inject_interval: u32,
    pub(crate) lifo_slot: bool,
    pub(crate) spin: Option<Duration>,
    pub(crate) stall_threshold: Option<Duration>,
    pub(crate) seed: Option<u64>,
    pub(crate) on_park: Option<Hook>,
    pub(crate) on_unpark: Option<Hook>,
    pub(crate) on_stall: Option<StallHook>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            driver_interval: DRIVER_INTERVAL,
            inject_interval: INJECT_INTERVAL,
            lifo_slot: true,
            spin: None,
            stall_threshold: Some(STALL_THRESHOLD),
            seed: None,
            on_park: None,
            on_unpark: None,
            on_stall: None,
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
}
