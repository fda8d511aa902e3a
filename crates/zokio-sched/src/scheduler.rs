//! The scheduler as its owner sees it: made, started, spawned on, measured, shut down.
//!
//! # Shutdown
//!
//! 1. [`Scheduler::begin_shutdown`] sets the flag and unparks everybody. New tasks are refused from
//!    the moment on at which their shard is closed.
//! 2. Each worker, at its next step: closes all shards and cancels their tasks, drops what waits
//!    in its core, retires its seat, and arrives. This happens on worker threads, inside of the
//!    runtime's context.
//! 3. The last to arrive owns all cores. It closes the inboxes, shuts every driver down, drops
//!    what that woke, and says that it is done.
//!
//! A seat that nobody runs, because a thread could not be had, is run by
//! [`Scheduler::wait_shutdown`]; one that is given away when no thread may come any more, by the thread
//! that gives it away.
#![allow(unsafe_code)]

use crate::bell::Bell;
use crate::core::Lane;
use crate::handoff::Tenure;
use crate::histogram::Histogram;
use crate::idle::Idle;
use crate::monitor;
use crate::observe::Observer;
use crate::policy::{Policy, ThreadHost};
use crate::shared::{HandOver, Shared};
use crate::spawner::Spawner;
use crate::stats::{SchedulerMetrics, SharedStats, WorkerMetrics, WorkerStats};
use crate::sys;
use crate::worker::Worker;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::task::Waker;
use std::time::{Duration, Instant};
use zokio_base::clock;
use zokio_base::foreign;
use zokio_base::park::{Park, Unpark};
use zokio_base::parker::Unparker;
use zokio_base::rand::Rng;
use zokio_base::sync::atomic::{AtomicBool, Ordering};
use zokio_base::sync::{Arc, Condvar, Mutex};
use zokio_task::{Schedule, Shard};

/// Whether tasks that block their thread are contained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Containment {
    /// They are.
    On,
    /// They are not, because the policy says so or the scheduler has one thread.
    Off,
    /// They are not, because this system has no barrier for it.
    Unavailable,
}

/// A scheduler and its tasks.
pub struct Scheduler<P: Park + Send + 'static, Q: Policy> {
    pub(crate) shared: Arc<Shared<P, Q>>,
    spawner: Spawner,
    /// Where threads come from. None on a current-thread scheduler, and after the shutdown.
    host: Mutex<Option<Arc<dyn ThreadHost>>>,
    containment: Containment,
    ending: Mutex<Ending>,
    ended: Condvar,
    /// Threads that wait for the one core of a current-thread scheduler, each by the address of
    /// its parker.
    pub(crate) waiting: Mutex<VecDeque<(usize, Unparker)>>,
}

#[derive(Debug, Default)]
struct Ending {
    arrived: usize,
    done: bool,
    /// Until when the drivers may wait for what they have under way.
    deadline: Option<Instant>,
}

impl<P: Park + Send + 'static, Q: Policy> fmt::Debug for Scheduler<P, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheduler")
            .field("multi_thread", &self.shared.multi_thread)
            .field("containment", &self.containment)
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}

impl<P: Park + Send + 'static, Q: Policy> Scheduler<P, Q> {
    /// A work-stealing scheduler with one worker for each of `parks`, not started yet.
    ///
    /// `host` must not own the scheduler: the scheduler owns it until the shutdown is over.
    ///
    /// # Panics
    /// If `parks` is empty.
    pub fn multi_thread(parks: Vec<P>, policy: Q, host: Arc<dyn ThreadHost>) -> Arc<Self> {
        Self::new(parks, policy, Some(host), true)
    }

    /// A scheduler that runs on the threads that call [`block_on`](Self::block_on), one at a time,
    /// in the order in which tasks became ready.
    pub fn current_thread(park: P, policy: Q) -> Arc<Self> {
        Self::new(vec![park], policy, None, false)
    }

    fn new(
        parks: Vec<P>,
        policy: Q,
        host: Option<Arc<dyn ThreadHost>>,
        multi_thread: bool,
    ) -> Arc<Self> {
        assert!(!parks.is_empty(), "a scheduler needs at least one worker");
        let containment = match policy.stall_threshold() {
            Some(_) if multi_thread && sys::barrier_available() => Containment::On,
            Some(_) if multi_thread => Containment::Unavailable,
            _ => Containment::Off,
        };
        let mut rng = policy.seed().map_or_else(Rng::from_entropy, Rng::from_seed);
        let lanes: Box<[Lane<P>]> = parks
            .into_iter()
            .map(|park| Lane::new(park, rng.split(), WorkerStats::new(&policy)))
            .collect();
        let count = lanes.len() as u32;
        let shared = Arc::new(Shared {
            multi_thread,
            lifo: multi_thread && policy.lifo_slot(),
            watched: containment == Containment::On
                || (!multi_thread && policy.report_stalls() && policy.stall_threshold().is_some()),
            observer: Observer::new(&policy),
            policy,
            lanes,
            idle: Idle::new(count),
            closed: AtomicBool::new(false),
            bell: Bell::new(),
            stats: SharedStats::default(),
        });
        let schedule: Arc<dyn Schedule> = shared.clone();
        let shards = (0..count)
            .map(|index| Shard::new(schedule.clone(), index))
            .collect();
        Arc::new(Self {
            spawner: Spawner::new(shards, shared.address()),
            shared,
            host: Mutex::new(host),
            containment,
            ending: Mutex::new(Ending::default()),
            ended: Condvar::new(),
            waiting: Mutex::new(VecDeque::new()),
        })
    }

    /// Starts the worker threads of a multi-thread scheduler, and the monitor if stalls are
    /// contained or reported.
    ///
    /// # Errors
    /// If a thread could not be had. The caller then shuts the scheduler down.
    pub fn start(self: &Arc<Self>) -> io::Result<()> {
        if self.shared.multi_thread {
            for index in 0..self.workers() {
                self.host_worker(index)?;
            }
        }
        if self.shared.watched {
            monitor::start(self)?;
        }
        Ok(())
    }

    /// Has another thread run worker `index`.
    pub(crate) fn host_worker(self: &Arc<Self>, index: usize) -> io::Result<()> {
        let Some(host) = self.host.lock().clone() else {
            return Err(io::Error::other("the scheduler has no threads of its own"));
        };
        if !self.shared.lanes[index].coming.begin() {
            // One is on its way that has not looked at the seat yet.
            return Ok(());
        }
        let coming = Coming {
            scheduler: self.clone(),
            index,
        };
        // Dropped if there is no thread.
        host.host(Box::new(move || {
            if let Some(worker) = coming.arrive() {
                worker.run();
            }
        }))
    }

    /// As [`host_worker`](Self::host_worker), in the middle of a worker's life: a host that panics
    /// has no thread.
    pub(crate) fn replace_worker(self: &Arc<Self>, index: usize) -> io::Result<()> {
        foreign::contain(|| self.host_worker(index))
            .unwrap_or_else(|| Err(io::Error::other("the host of threads has panicked")))
    }

    /// The spawner of tasks here. It owns the shards, and so must not be kept by a task.
    pub fn spawner(&self) -> &Spawner {
        &self.spawner
    }

    /// The settings.
    pub fn policy(&self) -> &Q {
        &self.shared.policy
    }

    /// How many workers there are.
    pub fn workers(&self) -> usize {
        self.shared.lanes.len()
    }

    /// Whether the workers have threads of their own.
    pub fn is_multi_thread(&self) -> bool {
        self.shared.multi_thread
    }

    /// Whether tasks that block their thread are contained.
    pub fn containment(&self) -> Containment {
        self.containment
    }

    /// Figures of the work that worker `index` did so far.
    pub fn worker_metrics(&self, index: usize) -> WorkerMetrics {
        let lane = &self.shared.lanes[index];
        let mut metrics = lane.stats.snapshot();
        metrics.local_queue_depth = lane.stealer.len() + lane.inbox.overflow_len();
        metrics.inbox_depth = lane.inbox.remote_len();
        metrics
    }

    /// How many polls of worker `index` took a time that falls into bucket `bucket` of
    /// [`Policy::poll_times`]. Zero if they are not measured.
    ///
    /// # Panics
    /// If there is no such worker or no such bucket.
    #[track_caller]
    pub fn poll_time_count(&self, index: usize, bucket: usize) -> u64 {
        count(self.shared.lanes[index].stats.poll_times.as_ref(), bucket)
    }

    /// How often worker `index` polled a task that had waited for a time that falls into bucket
    /// `bucket` of [`Policy::latencies`]. Zero if they are not measured.
    ///
    /// # Panics
    /// If there is no such worker or no such bucket.
    #[track_caller]
    pub fn latency_count(&self, index: usize, bucket: usize) -> u64 {
        count(self.shared.lanes[index].stats.latencies.as_ref(), bucket)
    }

    /// Figures that the scheduler as a whole counted so far.
    pub fn metrics(&self) -> SchedulerMetrics {
        self.shared.stats.snapshot()
    }

    /// Whether the shutdown has begun.
    pub fn is_shutdown(&self) -> bool {
        self.shared.is_closed()
    }

    /// Begins the shutdown and returns at once.
    pub fn begin_shutdown(&self) {
        // Release pairs with the acquire in `is_closed`.
        self.shared.closed.store(true, Ordering::Release);
        for lane in &self.shared.lanes {
            lane.unpark.unpark();
        }
        self.shared.bell.close();
    }

    /// Lets the drivers wait until `deadline` at the latest for what they have under way, when they
    /// end. Called before the shutdown begins.
    pub fn limit_shutdown(&self, deadline: Instant) {
        self.ending.lock().deadline = Some(deadline);
    }

    /// Waits until the shutdown is over, for `timeout` at most. Returns whether it is. Workers that
    /// no thread runs are run here, to their end.
    pub fn wait_shutdown(self: &Arc<Self>, timeout: Option<Duration>) -> bool {
        self.run_abandoned();
        // A time that does not fit the clock never comes.
        let deadline = timeout.and_then(|timeout| clock::real_now().checked_add(timeout));
        let mut ending = self.ending.lock();
        while !ending.done {
            match deadline.map(left_until) {
                None => ending = self.ended.wait(ending),
                Some(left) if left.is_zero() => return false,
                Some(left) => ending = self.ended.wait_timeout(ending, left).0,
            }
        }
        drop(ending);
        self.shared.bell.wait_until_gone(deadline)
    }

    /// Runs workers that no thread runs to their end, if the shutdown has begun.
    pub(crate) fn run_abandoned(self: &Arc<Self>) {
        if !self.is_shutdown() {
            return;
        }
        for index in 0..self.workers() {
            if let Some(mut worker) = Worker::claim(self, index) {
                // SAFETY: the guard is dropped before the worker, which stays on this thread.
                let _entered = unsafe { worker.enter() };
                while !matches!(
                    worker.step(),
                    crate::worker::Step::Shutdown | crate::worker::Step::Lost
                ) {}
            }
        }
    }

    /// Closes all shards and cancels their tasks, beginning with those of worker `first`.
    pub(crate) fn shut_down_tasks(&self, first: usize) {
        let shards = self.spawner.shards();
        for offset in 0..shards.len() {
            shards[(first + offset) % shards.len()].shutdown_all();
        }
    }

    /// A worker has retired its seat. The last one ends the scheduler.
    pub(crate) fn arrive(&self) {
        let last = {
            let mut ending = self.ending.lock();
            ending.arrived += 1;
            ending.arrived == self.workers()
        };
        if last {
            self.finish();
        }
    }

    /// Step 3 of the shutdown.
    fn finish(&self) {
        self.shut_down_tasks(0);
        for lane in &self.shared.lanes {
            drop(lane.inbox.close());
        }
        let deadline = self.ending.lock().deadline;
        for lane in &self.shared.lanes {
            // SAFETY: every seat was retired, under locks that this thread has passed through
            // since, so nobody else touches a core any more.
            let core = unsafe { lane.core.get_held() };
            let mut wakers: Vec<Waker> = Vec::new();
            // Dropped here, not with the last task handle: it may own descriptors.
            if let Some(mut park) = core.take_park() {
                park.shutdown(deadline, &mut wakers);
            }
            for waker in wakers {
                foreign::wake(waker);
            }
            core.drain();
        }
        *self.host.lock() = None;
        self.ending.lock().done = true;
        self.ended.notify_all();
    }

    /// A thread left a seat free that another may wait for.
    pub(crate) fn seat_was_freed(&self) {
        let next = self.waiting.lock().pop_front();
        if let Some((_, next)) = next {
            next.unpark();
        }
    }
}

/// A thread that is on its way to a worker, until this is dropped.
struct Coming<P: Park + Send + 'static, Q: Policy> {
    scheduler: Arc<Scheduler<P, Q>>,
    index: usize,
}

impl<P: Park + Send + 'static, Q: Policy> Coming<P, Q> {
    /// The thread is there. Whoever gave the core away may have claimed it back: then it is not needed.
    fn arrive(self) -> Option<Worker<P, Q>> {
        let (scheduler, index) = (self.scheduler.clone(), self.index);
        drop(self);
        Worker::claim(&scheduler, index)
    }
}

impl<P: Park + Send + 'static, Q: Policy> Drop for Coming<P, Q> {
    fn drop(&mut self) {
        self.scheduler.shared.lanes[self.index].coming.end();
    }
}

impl<P: Park + Send + 'static, Q: Policy> Drop for Scheduler<P, Q> {
    fn drop(&mut self) {
        // The monitor holds no reference; it may be asleep.
        self.shared.bell.close();
    }
}

#[track_caller]
fn count(histogram: Option<&Histogram>, bucket: usize) -> u64 {
    match histogram {
        Some(histogram) => histogram.count(bucket),
        None => 0,
    }
}

/// The time until `deadline`, by the system's clock.
pub(crate) fn left_until(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(clock::real_now())
}

impl<P: Park + Send + 'static, Q: Policy> HandOver for Scheduler<P, Q> {
    fn give_away(self: Arc<Self>, index: usize, tenure: &Arc<Tenure>) -> bool {
        self.hand_over(index, tenure)
    }

    fn take_back(&self, index: usize, tenure: &Arc<Tenure>) {
        self.shared.lanes[index].seat.claim(tenure);
    }
}
