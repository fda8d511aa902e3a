//! The worker's loop, one decision at a time.
//!
//! [`Worker::step`] looks at the queues in a fixed order, does one thing, and says what it did. It
//! never waits. [`Worker::run`] is the loop of a thread: it steps, and parks when there is nothing
//! to do. A simulation calls `step` itself, for many workers in turn on one thread.
//!
//! The order: shutdown; the driver, every `driver_interval` turns; the inbox, every
//! `inject_interval` turns; the LIFO slot; the ring; the inbox, now that the ring is empty; tasks
//! that yielded (after the driver was polled for them); other workers; sleep.
//!
//! Invariants:
//!
//! 1. Between steps the worker holds its core, unless it has ended.
//! 2. A worker that reported [`Step::Idle`] is registered as asleep, and has looked at all queues
//!    after that (PROTOCOL.md, S3).
#![allow(unsafe_code)]

use crate::core::{Core, Lane};
use crate::handoff::Tenure;
use crate::idle::Risen;
use crate::local_queue::RING_LEN;
use crate::policy::Policy;
use crate::scheduler::Scheduler;
use crate::shared::{Local, Shared};
use crate::sys;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Waker;
use std::time::{Duration, Instant};
use zokio_base::clock;
use zokio_base::foreign;
use zokio_base::park::Park;
use zokio_base::rand::{self, Rng};
use zokio_base::sync::Arc;
use zokio_task::{Id, Notified, TaskQueue, context};

/// How many tasks a thief takes from another worker's inbox at a time, at most.
const INBOX_STEAL_MAX: usize = 32;

/// How many remote tasks join the ring at each look at the inbox, at most.
const ADMIT_MAX: usize = 32;

/// The outcome of one step of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// It polled this task.
    Ran(Id),
    /// It polled the driver, and woke what had yielded.
    Polled,
    /// It took tasks from another worker.
    Stole {
        /// From which.
        from: u32,
        /// How many.
        count: u32,
    },
    /// It was about to sleep, and saw new work.
    Resumed,
    /// There is nothing to do: the caller parks the worker, or steps it again after something was
    /// unparked or `deadline` has come.
    Idle {
        /// When the driver wants to be polled by itself.
        deadline: Option<Instant>,
    },
    /// The core is in other hands. The worker has ended.
    Lost,
    /// The scheduler shuts down. The worker has ended.
    Shutdown,
}

/// A thread's (or a simulation's) right to run one worker.
pub struct Worker<P: Park + Send + 'static, Q: Policy> {
    scheduler: Arc<Scheduler<P, Q>>,
    /// Boxed: the context points at it.
    local: Box<Local>,
    index: usize,
    /// How it ended.
    ended: Option<Step>,
}

impl<P: Park + Send + 'static, Q: Policy> fmt::Debug for Worker<P, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("index", &self.index)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

/// Marks the thread as running a worker until it is dropped.
#[derive(Debug)]
#[must_use]
pub struct Entered {
    // Dropped in this order: deferred wakers are woken inside of the region.
    _worker: context::WorkerGuard,
    _region: Option<context::RegionGuard>,
}

impl<P: Park + Send + 'static, Q: Policy> Worker<P, Q> {
    /// Claims worker `index`. None if somebody runs it already, or nobody ever will again.
    pub fn claim(scheduler: &Arc<Scheduler<P, Q>>, index: usize) -> Option<Self> {
        let thread = sys::thread_id();
        let tenure = Tenure::new(thread);
        let lane = &scheduler.shared.lanes[index];
        if !lane.seat.claim(&tenure) {
            return None;
        }
        lane.stats.thread.set(u64::from(thread));
        // A figure for people; models would have one more lock to explore.
        #[cfg(not(zokio_model))]
        {
            *lane.stats.thread_id.lock() = Some(zokio_base::sync::thread::current_id());
        }
        scheduler.shared.bell.ring_if_asleep();
        let local = Box::new(Local {
            tenure,
            hand_over: scheduler.clone(),
        });
        let worker = Self {
            scheduler: scheduler.clone(),
            local,
            index,
            ended: None,
        };
        worker.begin_work();
        if lane.take_stalled() {
            worker.inherit();
        }
        Some(worker)
    }

    fn shared(&self) -> &Shared<P, Q> {
        &self.scheduler.shared
    }

    fn lane(&self) -> &Lane<P> {
        &self.scheduler.shared.lanes[self.index]
    }

    fn core(&self) -> &Core<P> {
        debug_assert!(self.ended.is_none());
        // SAFETY: the worker has not ended, so the tenure holds the seat, and this thread is not
        // in a poll: polls are within `run_task`, which uses the core before and after only.
        unsafe { self.lane().core.get_held() }
    }

    /// Marks the calling thread as the one that runs this worker. [`step`](Self::step) and
    /// [`park`](Self::park) need it.
    ///
    /// # Safety
    /// The guard is dropped on this thread, before the worker is dropped, stepped by another thread or
    /// moved to one, and in the reverse order of other guards of the context: wakes and spawns on this
    /// thread follow a pointer to the worker's state, and take its core for theirs.
    pub unsafe fn enter(&self) -> Entered {
        let region = context::enter_runtime(self.scheduler.is_multi_thread());
        let worker = context::Worker {
            scheduler: self.shared().address(),
            local: std::ptr::from_ref::<Local>(&self.local).cast(),
            index: self.index as u32,
        };
        // SAFETY: `local` is boxed, and stays as long as the worker; the rest is the caller's.
        let worker = unsafe { context::enter_worker(worker) };
        Entered {
            _worker: worker,
            _region: region,
        }
    }

    /// Runs the worker on this thread until it ends.
    pub fn run(mut self) {
        let _rng = rand::enter(self.split_random());
        // SAFETY: the guard is dropped before `self`, at the end of this call.
        let _entered = unsafe { self.enter() };
        let index = self.index;
        foreign::contain(|| self.shared().policy.on_worker_start(index));
        loop {
            match self.step() {
                Step::Idle { .. } => self.park(None),
                Step::Lost | Step::Shutdown => break,
                _ => {}
            }
        }
        foreign::contain(|| self.shared().policy.on_worker_stop(index));
    }

    /// Makes one decision, carries it out and says which it was. Never waits.
    #[inline]
    pub fn step(&mut self) -> Step {
        if let Some(ended) = self.ended {
            return ended;
        }
        let core = self.core();
        if core.asleep.get() {
            self.rise();
            return self.drive();
        }
        if self.shared().is_closed() {
            return self.shut_down();
        }
        let until_driver = core.until_driver.get();
        if until_driver > 0 {
            core.until_driver.set(until_driver - 1);
        } else if core.lifo.is_empty() {
            // Should the driver get stuck, the slot is out of everybody's reach. It is empty within
            // `LIFO_RUN_MAX` turns.
            return self.drive();
        }
        let until_inbox = core.until_inbox.get();
        if until_inbox == 0 {
            self.look_at_inbox(core);
        } else {
            core.until_inbox.set(until_inbox - 1);
        }
        if let Some(task) = self.next_task(core) {
            return self.run_task(task);
        }
        self.find_work()
    }

    /// Begins with a core that was taken from a stalled poll. The tasks behind it may be of its kind, so
    /// others go first: what the driver wakes now, and in turn with them what comes from other threads.
    /// Nobody starves: the ring runs empty, since nothing joins it but what this one drain wakes, and
    /// refills take of both kinds in turn, twice as many each time that no stall comes in between.
    #[cold]
    fn inherit(&self) {
        let core = self.core();
        core.until_driver.set(0);
        core.drains_first.set(true);
        core.refill_max.set(1);
        let mut waiting = TaskQueue::new();
        while let Some(task) = core.pop() {
            waiting.push_back(task);
        }
        self.lane().inbox.prepend_overflow(&mut waiting);
        // They have moved (PROTOCOL.md, "Tasks that move").
        self.shared().wake_one();
    }

    fn look_at_inbox(&self, core: &Core<P>) {
        // A task from outside waits for one round of the local tasks, if that is shorter than
        // the interval: few tasks may each take long.
        let interval = self.shared().policy.inject_interval().max(1);
        let round = core.ring().len() as u32;
        core.until_inbox.set(round.min(interval - 1));
        let inbox = &self.lane().inbox;
        // After a stall refills bring in both kinds in turn, sooner than this would.
        let is_careful = core.refill_max.get() < RING_LEN && inbox.overflow_len() > 0;
        if inbox.remote_len() > 0 && !is_careful {
            let room = core.ring().free();
            let had_overflow = inbox.overflow_len() > 0;
            inbox.admit_remote(room, ADMIT_MAX, |task| keep(core.push(task)));
            if !had_overflow && inbox.overflow_len() > 0 {
                self.lane().stats.overflows.add(1);
            }
            // A worker that was between its looks at our ring and at our inbox has seen neither of
            // what has moved (PROTOCOL.md, "Tasks that move").
            self.shared().wake_one();
        }
    }

    /// The next task of this worker's own.
    #[inline]
    fn next_task(&self, core: &Core<P>) -> Option<Notified> {
        if let Some(task) = core.lifo.take() {
            return Some(task);
        }
        core.lifo.break_row();
        core.pop().or_else(|| self.refill(core))
    }

    fn refill(&self, core: &Core<P>) -> Option<Notified> {
        let max = core.refill_max.get();
        // Thieves only make room, so what is free now stays free.
        let room = core.ring().free().min(max);
        let taken = self.lane().inbox.refill(room, |task| keep(core.push(task)));
        core.refill_max.set((2 * max).min(RING_LEN));
        if taken > 1 {
            self.shared().wake_one();
        }
        if taken > 0 { core.pop() } else { None }
    }

    #[inline]
    fn run_task(&mut self, task: Notified) -> Step {
        let shared = self.shared();
        let core = self.core();
        if core.searching.get() {
            self.end_search();
        }
        core.ran.set(true);
        let id = task.id();
        self.lane().stats.polls.add(1);
        let place = shared.watched.then(|| task.spawned_at());
        let observed = shared
            .observer
            .polls
            .then(|| shared.poll_begins(self.index, &task));
        let tenure = &self.local.tenure;
        tenure.begin_poll(id.as_u64(), place);
        task.run();
        let took = observed.and_then(|observed| shared.poll_ended(self.index, &observed));
        let held = tenure.end_poll(&self.lane().seat);
        if let Some(took) = took {
            shared.poll_took(self.index, took, held);
        }
        if !held {
            self.ended = Some(Step::Lost);
            return Step::Lost;
        }
        // The tasks that yielded go with the core, should the next task get stuck.
        if context::has_deferred() {
            context::take_deferred(&mut self.core().deferred.borrow_mut());
        }
        Step::Ran(id)
    }

    /// Runs a future that is no task as if it were one: the root of a `block_on`.
    pub(crate) fn poll_root<R>(&mut self, poll: impl FnOnce() -> R) -> R {
        let tenure = &self.local.tenure;
        tenure.begin_poll(0, None);
        // A panic is the caller's, who gets it once the worker has left in order.
        let result = catch_unwind(AssertUnwindSafe(poll));
        if !tenure.end_poll(&self.lane().seat) {
            self.ended = Some(Step::Lost);
        }
        match result {
            Ok(result) => result,
            Err(payload) => {
                self.leave();
                resume_unwind(payload)
            }
        }
    }

    /// The thread stops running this worker, and nobody may run it for a long time: what its driver
    /// has pending is handed over. Called last before the worker is dropped.
    pub(crate) fn leave(&mut self) {
        if self.ended.is_some() {
            return;
        }
        let mut wakers = Vec::new();
        self.core().with_park(|park| park.leave(&mut wakers));
        self.wake_all(wakers);
    }

    #[cold]
    fn end_search(&self) {
        self.core().searching.set(false);
        if self.shared().idle.end_search() {
            self.shared().wake_one();
        }
    }

    /// There is no task in this core.
    fn find_work(&mut self) -> Step {
        let core = self.core();
        if !core.deferred.borrow().is_empty() || context::has_deferred() {
            return self.drive();
        }
        if let Some(step) = self.steal(core) {
            core.spin_until.set(None);
            return step;
        }
        if let Some(spin) = self.shared().policy.spin() {
            // The system's time: a clock that stands would keep the worker here for ever.
            let now = clock::real_now();
            match core.spin_until.get() {
                None => core.spin_until.set(now.checked_add(spin)),
                Some(until) if now >= until => {}
                Some(_) => zokio_base::sync::hint::spin_loop(),
            }
            if core.spin_until.get().is_some_and(|until| now < until) {
                return self.drive();
            }
        }
        self.go_to_sleep()
    }

    /// Takes work from another worker, beginning with a random one.
    fn steal(&self, core: &Core<P>) -> Option<Step> {
        let shared = self.shared();
        let lanes = shared.lanes.len();
        if lanes == 1 {
            return None;
        }
        if !core.searching.get() {
            if !shared.idle.begin_search() {
                return None;
            }
            core.searching.set(true);
        }
        let start = core.random(|rng| rng.below(lanes as u32)) as usize;
        for offset in 0..lanes {
            let from = (start + offset) % lanes;
            if from == self.index {
                continue;
            }
            let victim = &shared.lanes[from];
            let mut count = victim.stealer.steal_into(core.ring());
            if count == 0 {
                let share = victim.inbox.len().div_ceil(2).min(INBOX_STEAL_MAX);
                let room = share.min(core.ring().free());
                count = victim.inbox.refill(room, |task| keep(core.push(task)));
            }
            if count > 0 {
                let stats = &self.lane().stats;
                stats.steals.add(count as u64);
                stats.steal_operations.add(1);
                return Some(Step::Stole {
                    from: from as u32,
                    count: count as u32,
                });
            }
        }
        None
    }

    /// Registers as asleep, and looks at all queues once more (PROTOCOL.md, S1 to S4).
    fn go_to_sleep(&mut self) -> Step {
        let shared = self.shared();
        let core = self.core();
        core.spin_until.set(None);
        shared
            .idle
            .sleep(self.index as u32, core.searching.replace(false));
        core.asleep.set(true);
        if self.sees_work() {
            if self.rise() == Risen::Alone {
                shared.idle.join_search();
                core.searching.set(true);
            }
            return Step::Resumed;
        }
        // Looking for work in vain is being busy too.
        core.end_stretch(&self.lane().stats, clock::now());
        if !core.ran.replace(false) {
            self.lane().stats.noops.add(1);
        }
        let deadline = core.with_park(|park| park.deadline());
        Step::Idle { deadline }
    }

    fn sees_work(&self) -> bool {
        let shared = self.shared();
        shared.is_closed()
            || shared
                .lanes
                .iter()
                .any(|lane| !lane.stealer.is_empty() || lane.inbox.len() > 0)
    }

    /// Stops being asleep (`idle/PROTOCOL.md`, R1).
    pub(crate) fn rise(&self) -> Risen {
        let core = self.core();
        core.asleep.set(false);
        self.begin_work();
        let risen = self.shared().idle.rise(self.index as u32);
        if risen == Risen::Sent {
            core.searching.set(true);
        }
        self.shared().bell.ring_if_asleep();
        risen
    }

    /// The worker is busy from now on, unless it is already.
    fn begin_work(&self) {
        let core = self.core();
        if core.busy_since.get().is_none() {
            let now = clock::now();
            core.busy_since.set(Some(now));
            if self.scheduler.is_multi_thread() {
                core.begin_stretch(&self.lane().stats, now);
            }
        }
    }

    /// Draws from the core's generator.
    pub(crate) fn split_random(&self) -> Rng {
        self.core().random(Rng::split)
    }

    /// Whether the policy says that everything has to end.
    #[inline]
    pub(crate) fn has_failed(&self) -> bool {
        self.shared().policy.failure().is_some()
    }

    /// Shuts the scheduler down, and cancels its tasks here.
    pub(crate) fn cancel_all(&mut self) {
        self.scheduler.begin_shutdown();
        while !matches!(self.step(), Step::Shutdown | Step::Lost) {}
    }

    /// Whether the worker is registered as asleep.
    pub(crate) fn is_asleep(&self) -> bool {
        self.ended.is_none() && self.core().asleep.get()
    }

    /// Waits until there may be something to do, for `limit` at most. Does nothing unless the last
    /// step was [`Step::Idle`].
    pub fn park(&mut self, limit: Option<Duration>) {
        self.park_unless(limit, || false);
    }

    /// As [`park`](Self::park). Does not wait if `is_woken` says so after the hook has run: what the
    /// hook does on this thread ends no wait.
    pub(crate) fn park_unless(&mut self, limit: Option<Duration>, is_woken: impl Fn() -> bool) {
        if !self.is_asleep() {
            return;
        }
        let shared = self.shared();
        let core = self.core();
        let stats = &self.lane().stats;
        foreign::contain(|| shared.policy.on_park(self.index));
        stats.parks.add(1);
        stats.park_unparks.add(1);
        let mut wakers = core.deferred.take();
        context::take_deferred(&mut wakers);
        let own = self.lane();
        let has_work = !own.stealer.is_empty() || own.inbox.len() > 0;
        let has_work = has_work || !wakers.is_empty() || is_woken();
        let limit = if has_work {
            Some(Duration::ZERO)
        } else {
            limit
        };
        stats.turn.add(1);
        core.with_park(|park| park.park(limit, &mut wakers));
        stats.turn.add(1);
        self.rise();
        stats.park_unparks.add(1);
        foreign::contain(|| shared.policy.on_unpark(self.index));
        self.reset_driver_interval();
        self.wake_all(wakers);
    }

    /// Looks at the driver instead of waiting for it. Does nothing unless the last step was
    /// [`Step::Idle`].
    pub(crate) fn glance(&mut self) {
        if self.is_asleep() {
            let _ = self.rise();
            let _ = self.drive();
        }
    }

    /// The driver is polled after another whole interval.
    pub(crate) fn reset_driver_interval(&self) {
        let interval = self.shared().policy.driver_interval().max(1);
        self.core().until_driver.set(interval);
    }

    /// Polls the driver without waiting, and wakes what it found and what had yielded.
    fn drive(&mut self) -> Step {
        let core = self.core();
        let stats = &self.lane().stats;
        self.reset_driver_interval();
        stats.driver_polls.add(1);
        // The time in the driver is no poll's, but the worker is busy.
        if core.is_in_stretch() {
            let now = clock::now();
            core.end_stretch(stats, now);
            core.busy_since.set(Some(now));
        }
        let mut wakers = Vec::new();
        stats.turn.add(1);
        core.with_park(|park| park.poll(&mut wakers));
        stats.turn.add(1);
        let mut deferred = core.deferred.take();
        context::take_deferred(&mut deferred);
        if wakers.is_empty() {
            wakers = deferred;
        } else {
            wakers.append(&mut deferred);
        }
        self.wake_all(wakers);
        core.drains_first.set(false);
        if self.scheduler.is_multi_thread() && core.stretch.is_due() {
            core.begin_stretch(stats, clock::now());
        }
        Step::Polled
    }

    /// Wakes `wakers`: tasks of ours go straight into the ring, and what does not fit into the
    /// overflow, in one piece. Then others are called to help, once.
    fn wake_all(&self, mut wakers: Vec<Waker>) {
        let core = self.core();
        if !wakers.is_empty() {
            core.draining.set(true);
            core.drained.set(0);
            for waker in wakers.drain(..) {
                foreign::wake(waker);
            }
            core.draining.set(false);
            let mut batch = core.batch.take();
            if !batch.is_empty() {
                self.lane().inbox.append_overflow(&mut batch);
            }
            // One task that runs next needs no help from others.
            let is_behind = || core.ring().len() > 1 || !core.lifo.is_empty();
            let drained = core.drained.get();
            if (drained > 1 || (drained > 0 && is_behind())) && self.shared().lanes.len() > 1 {
                self.shared().wake_one();
            }
        }
        // The allocation is kept for the next drain.
        let mut spare = core.deferred.borrow_mut();
        if spare.capacity() == 0 {
            *spare = wakers;
        }
    }

    /// Ends the worker because the scheduler ends.
    #[cold]
    fn shut_down(&mut self) -> Step {
        let core = self.core();
        context::take_deferred(&mut core.deferred.borrow_mut());
        self.scheduler.shut_down_tasks(self.index);
        core.drain();
        core.end_stretch(&self.lane().stats, clock::now());
        let tenure = &self.local.tenure;
        self.lane().seat.retire(tenure);
        tenure.leave();
        self.ended = Some(Step::Shutdown);
        self.scheduler.arrive();
        Step::Shutdown
    }
}

/// Asserts that the ring took a task for which a thief or a refill had made room.
#[track_caller]
fn keep(pushed: Result<(), Notified>) {
    assert!(pushed.is_ok(), "the ring has room for what was counted out");
}

impl<P: Park + Send + 'static, Q: Policy> Drop for Worker<P, Q> {
    fn drop(&mut self) {
        if self.ended.is_some() {
            return;
        }
        // During a panic this may be in the midst of a poll, and the core in other hands already: the
        // seat is left only if it is held. First the seat, then the word: in the other order a taker
        // could come in between, and find a poll where there is none.
        let tenure = &self.local.tenure;
        let is_free = self.lane().seat.give_away(tenure);
        // From here on every section of this thread asks, and hears that the core is gone.
        tenure.leave();
        if !is_free {
            return;
        }
        if std::thread::panicking() && self.scheduler.is_multi_thread() {
            // The core is as the panic left it, between two steps or in its driver; its tasks are not
            // to wait for ever. Without a thread the shutdown runs the worker to its end.
            let _ = self.scheduler.replace_worker(self.index);
        }
        self.scheduler.seat_was_freed();
    }
}
