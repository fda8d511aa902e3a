//! The monitor: finds tasks that block their worker's thread, and has another thread go on with
//! the worker's core. The core of a current-thread scheduler cannot be moved; there, stalls are
//! only reported, if that is asked for.
//!
//! One thread for each scheduler that is watched. While workers are awake it looks at them
//! [`TICKS_PER_THRESHOLD`] times within the threshold; once all of them sleep it sleeps too, for
//! good, and the first worker that rises, or is claimed, rings its [`Bell`] (PROTOCOL.md, steps N).
//!
//! A poll is stalled when it has lasted for the threshold and its thread either waits in the
//! kernel, or computes while a core of the machine is idle. A thread that wants to run and may not
//! is not stalled: another thread would only compete with it. So that is judged:
//!
//! - the thread had the processor for most of the time since the last look, and
//! - fewer of our threads want to run than there are cores.
//!
//! Invariants:
//!
//! 1. At most `detached_max` threads that lost their core are kept; beyond that, and where no
//!    thread can be had, a stall is reported and the core stays where it is.
//! 2. Each poll is reported once.
//! 3. Whoever has waited for the end of the monitor ([`Attendance::wait_until_gone`]) knows that its
//!    thread holds nothing of the scheduler's any more: what the driver had is closed.

use crate::handoff::Tenure;
use crate::policy::{Policy, StallReport};
use crate::scheduler::{Scheduler, left_until};
use crate::stats::SharedStats;
use crate::sys::{self, Probe};
use std::io;
use std::time::{Duration, Instant};
use zokio_base::clock;
use zokio_base::park::Park;
use zokio_base::parker::{Parker, Unparker};
use zokio_base::sync::atomic::{AtomicBool, Ordering, fence};
use zokio_base::sync::{Arc, Condvar, Mutex, Weak, thread};

/// How often the monitor looks while one threshold passes: a stall is found at most one tick late.
const TICKS_PER_THRESHOLD: u32 = 4;

/// The shortest time between two looks.
const TICK_MIN: Duration = Duration::from_micros(500);

/// What wakes the monitor.
#[derive(Debug)]
pub(crate) struct Bell {
    asleep: AtomicBool,
    closed: AtomicBool,
    unparker: Unparker,
    parker: Mutex<Option<Parker>>,
    attendance: Arc<Attendance>,
}

impl Bell {
    /// A bell that nobody listens to yet.
    pub(crate) fn new() -> Self {
        let parker = Parker::new();
        Self {
            asleep: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            unparker: parker.unparker(),
            parker: Mutex::new(Some(parker)),
            attendance: Arc::default(),
        }
    }

    /// A worker has risen: N4 of the protocol.
    #[inline]
    pub(crate) fn ring_if_asleep(&self) {
        // N4. The fence stands between the worker's change of `awake` and this load; it pairs with
        // the one in `fall_asleep`.
        fence(Ordering::SeqCst);
        // Relaxed: ordered by the fence; the parker's token orders the rest.
        if self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::Relaxed) {
            self.unparker.unpark();
        }
    }

    /// Ends the monitor.
    pub(crate) fn close(&self) {
        // Release pairs with the acquire in `is_closed`.
        self.closed.store(true, Ordering::Release);
        self.unparker.unpark();
    }

    /// Waits until the monitor of a closed bell is gone, until `deadline` at most. Returns whether
    /// it is.
    pub(crate) fn wait_until_gone(&self, deadline: Option<Instant>) -> bool {
        self.attendance.wait_until_gone(deadline)
    }

    fn is_closed(&self) -> bool {
        // Acquire pairs with the release in `close`.
        self.closed.load(Ordering::Acquire)
    }

    /// Whether the monitor sleeps for good.
    #[cfg(all(test, not(any(loom, shuttle))))]
    pub(crate) fn is_asleep(&self) -> bool {
        self.asleep.load(Ordering::SeqCst)
    }

    /// Registers the monitor as asleep (N1). False if `awake` says that it must not sleep (N2).
    fn fall_asleep(&self, awake: impl FnOnce() -> u64) -> bool {
        // N1. Relaxed: ordered by the fence, which pairs with the one in `ring_if_asleep`.
        self.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        // N2.
        if awake() == 0 {
            return true;
        }
        // Relaxed: a ring in between only leaves a token.
        self.asleep.store(false, Ordering::Relaxed);
        false
    }
}

/// Whether the monitor is there. It outlives the scheduler, of which the monitor lets go first.
#[derive(Debug, Default)]
struct Attendance {
    presence: Mutex<Presence>,
    gone: Condvar,
}

#[derive(Debug, Default, PartialEq)]
enum Presence {
    /// It was not started, or has ended.
    #[default]
    Away,
    /// Its thread does not run yet.
    Coming,
    /// It runs on this thread.
    Here(thread::ThreadId),
}

impl Attendance {
    fn wait_until_gone(&self, deadline: Option<Instant>) -> bool {
        let mut presence = self.presence.lock();
        if *presence == Presence::Here(thread::current_id()) {
            // A report's hook has dropped the runtime: it cannot wait for itself.
            return false;
        }
        while *presence != Presence::Away {
            match deadline.map(left_until) {
                None => presence = self.gone.wait(presence),
                Some(left) if left.is_zero() => return false,
                Some(left) => presence = self.gone.wait_timeout(presence, left).0,
            }
        }
        true
    }
}

/// Says that the monitor is gone when it is dropped, after a panic of a hook too.
struct Leave(Arc<Attendance>);

impl Drop for Leave {
    fn drop(&mut self) {
        *self.0.presence.lock() = Presence::Away;
        self.0.gone.notify_all();
    }
}

/// Starts the monitor of `scheduler`.
pub(crate) fn start<P, Q>(scheduler: &Arc<Scheduler<P, Q>>) -> io::Result<()>
where
    P: Park + Send + 'static,
    Q: Policy,
{
    let bell = &scheduler.shared.bell;
    let Some(parker) = bell.parker.lock().take() else {
        return Ok(());
    };
    let threshold = scheduler.policy().stall_threshold().unwrap_or_default();
    let monitor = Monitor {
        scheduler: Arc::downgrade(scheduler),
        threshold,
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        watches: (0..scheduler.workers()).map(|_| Watch::default()).collect(),
        detached: Vec::new(),
        parks: 0,
    };
    let attendance = bell.attendance.clone();
    *attendance.presence.lock() = Presence::Coming;
    // Dropped with the closure if there is no thread for it.
    let leave = Leave(attendance);
    thread::Builder::new()
        .name("zokio-monitor".into())
        .spawn(move || {
            *leave.0.presence.lock() = Presence::Here(thread::current_id());
            monitor.run(&parker);
            drop(parker);
            drop(leave);
        })
        .map(drop)
}

struct Monitor<P: Park + Send + 'static, Q: Policy> {
    scheduler: Weak<Scheduler<P, Q>>,
    threshold: Duration,
    cores: usize,
    watches: Box<[Watch]>,
    /// Tenures that lost their core, and whose threads are still at it.
    detached: Vec<Arc<Tenure>>,
    /// All workers' parks at the last look.
    parks: u64,
}

/// What is known of one worker.
#[derive(Debug, Default)]
struct Watch {
    seen: Option<Seen>,
}

/// A poll that was seen at least once.
#[derive(Debug)]
struct Seen {
    tenure: Arc<Tenure>,
    poll: u64,
    since: Instant,
    /// The last look at the thread: when, and how long it had run by then.
    ran: Option<(Instant, u64)>,
    reported: bool,
}

impl<P: Park + Send + 'static, Q: Policy> Monitor<P, Q> {
    fn run(mut self, parker: &Parker) {
        let tick = (self.threshold / TICKS_PER_THRESHOLD).max(TICK_MIN);
        while let Some(scheduler) = self.scheduler.upgrade() {
            let shared = scheduler.shared.clone();
            if shared.bell.is_closed() {
                return;
            }
            self.look(&scheduler);
            let quiet = self.is_quiet(&scheduler);
            drop(scheduler);
            if quiet && shared.bell.fall_asleep(|| shared.active()) {
                parker.park();
            } else {
                parker.park_timeout(tick);
            }
        }
    }

    /// Whether all workers sleep, and have done so since the last look.
    fn is_quiet(&mut self, scheduler: &Scheduler<P, Q>) -> bool {
        let shared = &scheduler.shared;
        let parks = shared.lanes.iter().map(|lane| lane.stats.parks.get()).sum();
        let before = std::mem::replace(&mut self.parks, parks);
        before == parks && shared.active() == 0
    }

    /// One look at all workers.
    fn look(&mut self, scheduler: &Arc<Scheduler<P, Q>>) {
        // Threads that ended have dropped their reference.
        self.detached.retain(|tenure| Arc::strong_count(tenure) > 1);
        let now = clock::real_now();
        for index in 0..self.watches.len() {
            let Some(lasted) = self.watches[index].update(scheduler, index, now) else {
                continue;
            };
            if lasted >= self.threshold {
                self.judge(scheduler, index, lasted, now);
            }
        }
    }

    /// Decides about a poll that has lasted for the threshold.
    fn judge(
        &mut self,
        scheduler: &Arc<Scheduler<P, Q>>,
        index: usize,
        lasted: Duration,
        now: Instant,
    ) {
        let may_take = self.may_take(scheduler);
        let Some(seen) = self.watches[index].seen.as_mut() else {
            return;
        };
        let Some(probe) = sys::probe(seen.tenure.glimpse().thread) else {
            return;
        };
        let had_processor = seen.had_processor(probe, now);
        if seen.reported && !may_take {
            return;
        }
        let stalled = probe.blocked || (had_processor && self.has_idle_core(scheduler));
        if stalled {
            self.contain(scheduler, index, lasted, probe.blocked);
        }
    }

    /// Whether cores can be moved at all, and there are not too many threads without one.
    fn may_take(&self, scheduler: &Scheduler<P, Q>) -> bool {
        scheduler.is_multi_thread() && self.detached.len() < scheduler.policy().detached_max()
    }

    /// Whether fewer of our threads want to run than there are cores.
    fn has_idle_core(&self, scheduler: &Scheduler<P, Q>) -> bool {
        let holders = scheduler
            .shared
            .lanes
            .iter()
            .filter_map(|lane| lane.seat.holder());
        let running = holders
            .chain(self.detached.iter().cloned())
            .filter(|tenure| {
                sys::probe(tenure.glimpse().thread).is_some_and(|probe| !probe.blocked)
            })
            .count();
        running < self.cores
    }

    /// Takes the core from a stalled poll, if that can be done, and reports.
    fn contain(
        &mut self,
        scheduler: &Arc<Scheduler<P, Q>>,
        index: usize,
        lasted: Duration,
        blocked: bool,
    ) {
        let may_take = self.may_take(scheduler);
        let Some(seen) = self.watches[index].seen.as_mut() else {
            return;
        };
        let (task, spawned_at) = seen.tenure.task();
        let glimpse = seen.tenure.glimpse();
        if !glimpse.in_poll() || glimpse.poll() != seen.poll {
            return;
        }
        let seat = &scheduler.shared.lanes[index].seat;
        let mut contained = false;
        if may_take {
            let Some(tenure) = seat.take(glimpse.word, sys::barrier) else {
                // The poll ended, or touched its core just now: it is alive.
                return;
            };
            contained = scheduler.host_worker(index).is_ok();
            if contained {
                self.detached.push(tenure);
            } else {
                seat.give_back(&tenure);
            }
        }
        if std::mem::replace(&mut seen.reported, true) {
            return;
        }
        let stats = &scheduler.shared.stats;
        SharedStats::count(&stats.stalls);
        if contained {
            SharedStats::count(&stats.stalls_contained);
        }
        scheduler.policy().on_stall(&StallReport {
            worker: index,
            task,
            spawned_at,
            lasted,
            blocked,
            contained,
        });
    }
}

impl Watch {
    /// Looks at worker `index`. Returns for how long its present poll has lasted, at least.
    fn update<P: Park + Send + 'static, Q: Policy>(
        &mut self,
        scheduler: &Scheduler<P, Q>,
        index: usize,
        now: Instant,
    ) -> Option<Duration> {
        let Some(tenure) = scheduler.shared.lanes[index].seat.holder() else {
            self.seen = None;
            return None;
        };
        let glimpse = tenure.glimpse();
        if !glimpse.in_poll() {
            self.seen = None;
            return None;
        }
        if let Some(seen) = &self.seen {
            if Arc::ptr_eq(&seen.tenure, &tenure) && seen.poll == glimpse.poll() {
                return Some(now.saturating_duration_since(seen.since));
            }
        }
        self.seen = Some(Seen {
            tenure,
            poll: glimpse.poll(),
            since: now,
            ran: None,
            reported: false,
        });
        None
    }
}

impl Seen {
    /// Whether the thread ran for most of the time since the last call. False at the first.
    fn had_processor(&mut self, probe: Probe, now: Instant) -> bool {
        let Some(ran_ns) = probe.ran_ns else {
            return false;
        };
        let Some((then, ran_ns_then)) = self.ran.replace((now, ran_ns)) else {
            return false;
        };
        let ran = Duration::from_nanos(ran_ns.saturating_sub(ran_ns_then));
        ran >= now.saturating_duration_since(then) / 4 * 3
    }
}

#[cfg(all(test, loom))]
#[path = "tests/model_monitor.rs"]
mod model;
