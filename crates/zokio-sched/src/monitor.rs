//! The monitor: finds tasks that block their worker's thread, and has another thread go on with
//! the worker's core. The core of a current-thread scheduler cannot be moved; there, stalls are
//! only reported, if that is asked for.
//!
//! One thread for each scheduler that is watched. While workers are awake it looks at them
//! [`TICKS_PER_THRESHOLD`] times within the threshold; once all of them sleep it sleeps too, for
//! good, until its [`Bell`](crate::bell::Bell) rings.
//!
//! # Stalled polls
//!
//! A poll is stalled when it has lasted for the threshold and its thread either waits in the
//! kernel, or computes while a core of the machine is idle. A thread that wants to run and may not
//! is not stalled: another thread would only compete with it. So that is judged:
//!
//! - the thread had the processor for most of the time since the last look, and
//! - fewer of our threads want to run than there are cores.
//!
//! # Many stalled polls, one after the other
//!
//! Behind a task that blocks there are often more of its kind, and the tasks that they keep waiting.
//! Two things keep that short, without a thread for each task at once:
//!
//! - The thread that goes on with the core looks at the driver first, and runs what that woke before it
//!   goes on with the tasks that waited behind the stalled one. Of these it takes few at a time, in turn
//!   with what comes from other threads (`Worker::inherit`).
//! - For one threshold after a core was taken, the next poll on it that waits in the kernel loses it
//!   after [a fourth](ALERT_SHARE) of the threshold. It is reported only if it lasts for all of it. Polls
//!   that compute get the whole time always: threads that compete help nobody.
//!
//! A fourth is a compromise: 50 blockers in one queue take 0.15 s until all of them block, and where
//! 400 tasks block for 100 ms each, two workers need about 70 threads for them.
//!
//! # Polls that keep their core
//!
//! Where the core cannot be taken (too many threads have lost theirs, no thread is to be had, the poll
//! computes on a busy machine), thieves take from its queues as ever, but the task in the slot is out
//! of their reach. The monitor moves it into the ring, once within each threshold, in the place of the
//! worker (`Seat::visit`).
//!
//! # Workers that are stuck in their driver
//!
//! A worker that is inside of its driver's turn, but not in the wait, touches its core: the core cannot
//! be taken, whatever the system call is that does not return. It is reported and counted apart from
//! polls. Beyond that others do in its place what any thread may do:
//!
//! - The monitor fires its timers ([`Unpark::relieve`]). The tasks that this wakes go to inboxes, and a
//!   worker that sleeps is woken at each look for them and for what waits in the stuck worker's queues:
//!   the stuck one may count as searching, which keeps others from being woken. The slot is
//!   empty during a turn ([`Worker::step`](crate::Worker::step)).
//! - An idle worker, which guards the sets of those that run, takes what is ready in its set and ring.
//!   The monitor leaves those alone: a system call on a ring may wait for the thread that is stuck in
//!   another one on the same ring, and the monitor must never wait for a worker.
//!
//! The tasks that had yielded on the stuck worker wait with it: their wakers belong to the core. Rejected: to
//! give the queues a new driver, since operations in flight are bound to the ring of the one that is stuck.
//!
//! Invariants:
//!
//! 1. At most `detached_max` threads that lost their core are kept; beyond that, and where no
//!    thread can be had, a stall is reported and the core stays where it is.
//! 2. Each poll, and each turn of a driver, is reported once.
//! 3. A hook that panics ends no look: `foreign::contain`.
//! 4. The monitor is busy for a fifth of the time at most, however many threads it looks at.
#![allow(unsafe_code)]

use crate::bell::{Leave, Presence};
use crate::detached::{Detached, Poll};
use crate::handoff::{Glimpse, Tenure};
use crate::policy::{Policy, StallReport};
use crate::scheduler::Scheduler;
use crate::stats::SharedStats;
use crate::sys::{self, Probe};
use std::io;
use std::time::{Duration, Instant};
use zokio_base::clock;
use zokio_base::foreign;
use zokio_base::park::{Park, Unpark};
use zokio_base::parker::Parker;
use zokio_base::sync::{Arc, Weak, thread};

/// How often the monitor looks while one threshold passes: a stall is found at most one tick late.
const TICKS_PER_THRESHOLD: u32 = 4;

/// After a stall, which part of the threshold the next poll of the same core gets.
const ALERT_SHARE: u32 = 4;

/// How often the monitor looks within that time.
const TICKS_PER_ALERT: u32 = 2;

/// The shortest time between two looks.
const TICK_MIN: Duration = Duration::from_micros(500);

/// How many times as long as a look the monitor waits before the next one, at least (invariant 4).
const REST: u32 = 4;

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
        detached: Detached::default(),
        parks: 0,
    };
    let attendance = bell.attendance.clone();
    attendance.set(Presence::Coming);
    // Dropped with the closure if there is no thread for it.
    let leave = Leave(attendance);
    thread::Builder::new()
        .name("zokio-monitor".into())
        .spawn(move || {
            leave.0.set(Presence::Here(thread::current_id()));
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
    detached: Detached,
    /// All workers' parks at the last look.
    parks: u64,
}

/// The monitor's knowledge of one worker.
#[derive(Debug, Default)]
struct Watch {
    /// Its present poll.
    seen: Option<Seen>,
    /// Until when a poll that blocks loses the core sooner.
    alert_until: Option<Instant>,
    /// The turn of its driver that it is in.
    turn: Option<Turn>,
}

/// A poll that was seen at least once.
#[derive(Debug)]
struct Seen {
    tenure: Arc<Tenure>,
    poll: u64,
    since: Instant,
    ran: Ran,
    reported: bool,
    /// For how long the poll had lasted when its slot was emptied last.
    emptied: Option<Duration>,
}

/// A turn of a driver that was seen at least once, not in its wait.
#[derive(Debug)]
struct Turn {
    number: u64,
    since: Instant,
    ran: Ran,
    reported: bool,
}

/// The last look at a thread: when, and how long it had run by then.
#[derive(Debug, Default)]
struct Ran(Option<(Instant, u64)>);

/// The outcome of the attempt to take a core.
#[derive(Debug, PartialEq)]
enum Taking {
    /// Another thread has it.
    Taken,
    /// The poll ended, or touched its core just now.
    Alive,
    /// It cannot be moved.
    Refused,
}

impl<P: Park + Send + 'static, Q: Policy> Monitor<P, Q> {
    fn run(mut self, parker: &Parker) {
        while let Some(scheduler) = self.scheduler.upgrade() {
            let shared = scheduler.shared.clone();
            if shared.bell.is_closed() {
                return;
            }
            let begun = clock::real_now();
            self.look(&scheduler, begun);
            let quiet = self.is_quiet(&scheduler);
            drop(scheduler);
            if quiet && shared.bell.fall_asleep(|| shared.active()) {
                parker.park();
            } else {
                let took = clock::real_now().saturating_duration_since(begun);
                parker.park_timeout(self.tick(begun).max(took * REST));
            }
        }
    }

    /// The time until the next look.
    fn tick(&self, now: Instant) -> Duration {
        let is_alert = self.watches.iter().any(|watch| watch.is_alert(now));
        let ticks = if is_alert {
            ALERT_SHARE * TICKS_PER_ALERT
        } else {
            TICKS_PER_THRESHOLD
        };
        (self.threshold / ticks).max(TICK_MIN)
    }

    /// Whether all workers sleep, and have done so since the last look.
    fn is_quiet(&mut self, scheduler: &Scheduler<P, Q>) -> bool {
        let shared = &scheduler.shared;
        let parks = shared.lanes.iter().map(|lane| lane.stats.parks.get()).sum();
        let before = std::mem::replace(&mut self.parks, parks);
        // One that is on its way into its wait, or out of it, may be stuck there.
        let all_wait = || self.watches.iter().all(|watch| watch.turn.is_none());
        before == parks && shared.active() == 0 && all_wait() && !self.detached.owes_report()
    }

    /// One look at all workers.
    fn look(&mut self, scheduler: &Arc<Scheduler<P, Q>>, now: Instant) {
        let lanes = &scheduler.shared.lanes;
        self.detached
            .prune(|worker, tenure| lanes[worker].seat.is_held_by(tenure));
        self.report_detached(scheduler, now);
        for index in 0..self.watches.len() {
            self.look_at_driver(scheduler, index, now);
            let watch = &mut self.watches[index];
            let is_alert = watch.is_alert(now);
            let Some(lasted) = watch.update(scheduler, index, now) else {
                continue;
            };
            if lasted >= self.threshold || (is_alert && lasted >= self.threshold / ALERT_SHARE) {
                self.judge(scheduler, index, lasted, now);
            }
        }
    }

    /// Decides about a poll that has lasted for long.
    fn judge(
        &mut self,
        scheduler: &Arc<Scheduler<P, Q>>,
        index: usize,
        lasted: Duration,
        now: Instant,
    ) {
        let is_overdue = lasted >= self.threshold;
        let Some(seen) = self.watches[index].seen.as_mut() else {
            return;
        };
        let Some(probe) = sys::probe(seen.tenure.glimpse().thread) else {
            return;
        };
        let computes = is_overdue && seen.ran.had_processor(probe, now);
        let is_known = seen.reported && !self.may_take(scheduler);
        if !is_known && (probe.blocked || (computes && self.has_idle_core(scheduler))) {
            match self.take(scheduler, index, probe.blocked, now) {
                Taking::Taken => return self.report_detached(scheduler, now),
                Taking::Alive => return,
                Taking::Refused if is_overdue => {
                    self.report_uncontained(scheduler, index, lasted, probe.blocked);
                }
                Taking::Refused => {}
            }
        }
        if is_overdue {
            self.share_slot(scheduler, index, lasted);
        }
    }

    /// Whether cores can be moved at all, and there are not too many threads without one.
    fn may_take(&self, scheduler: &Scheduler<P, Q>) -> bool {
        scheduler.is_multi_thread() && self.detached.len() < scheduler.policy().detached_max()
    }

    /// Whether fewer of our threads want to run than there are cores.
    fn has_idle_core(&self, scheduler: &Scheduler<P, Q>) -> bool {
        let lanes = &scheduler.shared.lanes;
        let wants_to_run = |tenure: &Tenure| {
            sys::probe(tenure.glimpse().thread).is_some_and(|probe| !probe.blocked)
        };
        let running = lanes.iter().filter(|lane| match lane.seat.holder() {
            Some(tenure) => wants_to_run(&tenure),
            // A thread is on its way to a free seat.
            None => lane.seat.is_free(),
        });
        let detached = self.detached.iter().filter(|poll| {
            !lanes[poll.worker].seat.is_held_by(&poll.tenure) && wants_to_run(&poll.tenure)
        });
        let running = running.map(drop).chain(detached.map(drop));
        running.take(self.cores).count() < self.cores
    }

    /// Takes the core of worker `index` from the poll that was seen there, if it is still the same and
    /// that can be done.
    fn take(
        &mut self,
        scheduler: &Arc<Scheduler<P, Q>>,
        index: usize,
        blocked: bool,
        now: Instant,
    ) -> Taking {
        let may_take = self.may_take(scheduler);
        let watch = &mut self.watches[index];
        let Some(glimpse) = watch.seen.as_ref().and_then(Seen::glimpse) else {
            return Taking::Alive;
        };
        if !may_take {
            return Taking::Refused;
        }
        let lane = &scheduler.shared.lanes[index];
        let Some(tenure) = lane.seat.take(glimpse.word, sys::barrier) else {
            return Taking::Alive;
        };
        lane.say_that_it_stalled();
        if scheduler.replace_worker(index).is_err() {
            lane.seat.give_back(&tenure);
            return Taking::Refused;
        }
        watch.alert_until = now.checked_add(self.threshold);
        if let Some(seen) = watch.seen.take() {
            if seen.reported {
                SharedStats::count(&scheduler.shared.stats.stalls_contained);
            }
            self.detached.insert(Poll {
                tenure,
                worker: index,
                number: seen.poll,
                since: seen.since,
                blocked,
                is_due: now.saturating_duration_since(seen.since) >= self.threshold,
                is_reported: seen.reported,
            });
        }
        Taking::Taken
    }

    /// Reports the polls that lost their core and have lasted for the threshold now.
    fn report_detached(&mut self, scheduler: &Scheduler<P, Q>, now: Instant) {
        let stats = &scheduler.shared.stats;
        self.detached
            .report_overdue(self.threshold, now, |poll, lasted| {
                SharedStats::count(&stats.stalls);
                SharedStats::count(&stats.stalls_contained);
                let (task, spawned_at) = poll.tenure.task();
                let report = StallReport {
                    worker: poll.worker,
                    task,
                    spawned_at,
                    lasted,
                    blocked: poll.blocked,
                    contained: true,
                    in_driver: false,
                };
                foreign::contain(|| scheduler.policy().on_stall(&report));
            });
    }

    /// Reports a poll that keeps its core, once.
    fn report_uncontained(
        &mut self,
        scheduler: &Scheduler<P, Q>,
        index: usize,
        lasted: Duration,
        blocked: bool,
    ) {
        let Some(seen) = self.watches[index].seen.as_mut() else {
            return;
        };
        let (task, spawned_at) = seen.tenure.task();
        if seen.glimpse().is_none() || std::mem::replace(&mut seen.reported, true) {
            return;
        }
        SharedStats::count(&scheduler.shared.stats.stalls);
        let report = StallReport {
            worker: index,
            task,
            spawned_at,
            lasted,
            blocked,
            contained: false,
            in_driver: false,
        };
        foreign::contain(|| scheduler.policy().on_stall(&report));
    }

    /// Puts the task in the slot of a core that stays with its poll where thieves find it.
    fn share_slot(&mut self, scheduler: &Scheduler<P, Q>, index: usize, lasted: Duration) {
        let shared = &scheduler.shared;
        let Some(seen) = self.watches[index].seen.as_mut() else {
            return;
        };
        let is_due = seen
            .emptied
            .is_none_or(|emptied| lasted >= emptied + self.threshold);
        let Some(glimpse) = seen.glimpse().filter(|_| is_due && shared.lanes.len() > 1) else {
            return;
        };
        let lane = &shared.lanes[index];
        let left = lane.seat.visit(glimpse.word, sys::barrier, || {
            // SAFETY: the seat's holder is kept from its core for as long as this runs.
            shared.empty_slot(lane, unsafe { lane.core.get_held() })
        });
        if let Some(left) = left {
            seen.emptied = Some(lasted);
            shared.wake_one();
            drop(left);
        }
    }

    /// Looks whether the thread of worker `index` is stuck in its driver, and stands in for it.
    fn look_at_driver(&mut self, scheduler: &Scheduler<P, Q>, index: usize, now: Instant) {
        let lane = &scheduler.shared.lanes[index];
        let turn = lane.stats.turn.get();
        let watch = &mut self.watches[index];
        if turn % 2 == 0 || lane.unpark.is_waiting() {
            watch.turn = None;
            return;
        }
        let seen = watch.turn.get_or_insert_with(|| Turn::new(turn, now));
        if seen.number != turn {
            *seen = Turn::new(turn, now);
        }
        let lasted = now.saturating_duration_since(seen.since);
        if lasted < self.threshold {
            return;
        }
        let holder = lane.seat.holder();
        let probe = holder.and_then(|holder| sys::probe(holder.glimpse().thread));
        let Some(probe) = probe else {
            return;
        };
        // One that waits for a processor will go on by itself.
        if !probe.blocked && !seen.ran.had_processor(probe, now) {
            return;
        }
        let is_known = std::mem::replace(&mut seen.reported, true);
        let mut wakers = Vec::new();
        lane.unpark.relieve(&mut wakers);
        for waker in wakers {
            foreign::wake(waker);
        }
        // The stuck worker may have been sent to search just now: nobody else would be.
        scheduler.shared.wake_beside(index);
        if is_known {
            return;
        }
        SharedStats::count(&scheduler.shared.stats.driver_stalls);
        let report = StallReport {
            worker: index,
            task: 0,
            spawned_at: None,
            lasted,
            blocked: probe.blocked,
            contained: false,
            in_driver: true,
        };
        foreign::contain(|| scheduler.policy().on_stall(&report));
    }
}

impl Watch {
    /// Whether a core was taken from this worker a short while ago.
    fn is_alert(&self, now: Instant) -> bool {
        self.alert_until.is_some_and(|until| now < until)
    }

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
            ran: Ran::default(),
            reported: false,
            emptied: None,
        });
        None
    }
}

impl Seen {
    /// The visible part of the tenure, if it still is in this poll.
    fn glimpse(&self) -> Option<Glimpse> {
        let glimpse = self.tenure.glimpse();
        (glimpse.in_poll() && glimpse.poll() == self.poll).then_some(glimpse)
    }
}

impl Turn {
    fn new(number: u64, now: Instant) -> Self {
        Self {
            number,
            since: now,
            ran: Ran::default(),
            reported: false,
        }
    }
}

impl Ran {
    /// Whether the thread ran for most of the time since the last call. False at the first.
    fn had_processor(&mut self, probe: Probe, now: Instant) -> bool {
        let Some(ran_ns) = probe.ran_ns else {
            return false;
        };
        let Some((then, ran_ns_then)) = self.0.replace((now, ran_ns)) else {
            return false;
        };
        let ran = Duration::from_nanos(ran_ns.saturating_sub(ran_ns_then));
        ran >= now.saturating_duration_since(then) / 4 * 3
    }
}
