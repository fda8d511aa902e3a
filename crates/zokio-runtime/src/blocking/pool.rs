//! The pool's threads: started when they are needed, ended when they were idle for long, waited for
//! at the shutdown.
//!
//! A thread runs inside of the runtime's services and clock. It does not end while the kernel still
//! works on requests that it submitted to a ring, since it would take them with it.
//!
//! Invariants:
//!
//! 1. A thread has a place at the queue's door from before it starts until it ends by itself. The
//!    shutdown waits until all have ended, then joins those that ended after it began. From then on
//!    no thread starts, so no closure begins.
//! 2. A job's end is told to those who hold its handle: it runs, or it is cancelled, or the caller
//!    that submitted it gets an error. A caller never answers for a stranger's job.

pub(crate) use super::door::Waited;
use super::queue::{Next, Queue, Seat, Start, Submitted, Unserved};
use super::reserve::Reserve;
use super::{Blocking, HoldClock};
use crate::handle::Inner;
use crate::settings::Hook;
use std::io;
use std::time::{Duration, Instant};
use zokio_base::foreign::contain;
use zokio_base::hash::Map;
use zokio_base::park::Interrupt;
use zokio_base::parker::Parker;
use zokio_base::rand;
use zokio_base::sync::std_atomic::{AtomicBool, Ordering};
use zokio_base::sync::thread::{self, JoinHandle as Thread};
use zokio_base::sync::{Arc, Mutex, OnceLock, Weak};
use zokio_driver::uring::thread_in_flight;
use zokio_task::{JoinHandle, Notified, Schedule, Shard, SpawnMeta, context};

/// The name of a runtime's threads, unless the builder says otherwise.
pub(crate) const THREAD_NAME: &str = "zokio-worker";

/// The most shards a pool has.
const SHARDS_MAX: usize = 8;

/// The builder's settings for threads.
pub(crate) struct PoolOptions {
    pub(crate) limit: usize,
    /// How many threads there may be beside those, for the runtime's own work.
    pub(crate) reserved: usize,
    pub(crate) keep_alive: Duration,
    pub(crate) thread_name: Arc<dyn Fn() -> String + Send + Sync>,
    pub(crate) stack_size: Option<usize>,
    pub(crate) on_start: Option<Hook>,
    pub(crate) on_stop: Option<Hook>,
}

/// A piece of work for a thread of the pool.
pub(crate) enum Job {
    /// A closure of `spawn_blocking`: cancelled at the shutdown if it has not begun.
    /// The hold on a paused clock is let go after the closure's end was announced.
    Task(Notified, Option<HoldClock>, Whose),
    /// Part of an operation that was promised: it runs even during the shutdown, once it is queued.
    Promised(Box<dyn FnOnce() + Send>, Option<HoldClock>),
    /// Says that jobs of the runtime's own wait in the reserve, and that the pool's threads may take them.
    Token(Weak<Pool>),
    /// The loop of a worker: gets a thread at once, beside those that are counted.
    Worker(Box<dyn FnOnce() + Send>),
}

impl Job {
    fn run(self) {
        match self {
            Self::Task(task, hold, _) => {
                task.run();
                drop(hold);
            }
            Self::Promised(run, hold) => {
                run();
                drop(hold);
            }
            Self::Token(pool) => {
                if let Some(pool) = pool.upgrade() {
                    pool.redeem_token();
                }
            }
            Self::Worker(run) => run(),
        }
    }

    /// Whether it is work of the runtime's own.
    fn is_own(&self) -> bool {
        matches!(self, Self::Task(_, _, Whose::Own) | Self::Promised(..))
    }

    fn is_worker(&self) -> bool {
        matches!(self, Self::Worker(_))
    }
}

/// Whose work a closure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The program's: it may block as long as it likes.
    Users,
    /// The runtime's.
    Own,
}

/// Tasks of the pool are never woken: each is run once.
struct NeverWoken;

impl Schedule for NeverWoken {
    fn schedule(&self, task: Notified) {
        drop(task);
    }
}

/// The handles of the threads that live.
#[derive(Debug, Default)]
struct Roster {
    /// None until the thread's starter has the handle.
    threads: Map<u64, Option<Thread<()>>>,
    next: u64,
    waited_for: bool,
    /// Threads that ended after the shutdown began to wait.
    ended: Vec<Thread<()>>,
}

/// A pool of threads for what blocks.
pub(crate) struct Pool {
    queue: Queue<Job>,
    /// Whether the thread that ends the runtime is to be told of timers. Beside the pool, so that the timers
    /// may look at it for nothing.
    listens: Arc<AtomicBool>,
    reserve: Reserve<Job>,
    options: PoolOptions,
    shard: Arc<Shard>,
    roster: Mutex<Roster>,
    /// Waits for others, to be ended at the shutdown. None after that.
    waits: Mutex<Option<Vec<Weak<dyn Interrupt>>>>,
    /// The runtime that the threads are inside of. Weak: threads hold it, not the pool.
    runtime: OnceLock<Weak<Inner>>,
}

/// The first wait of a thread that outlives its pool because of the kernel.
const LINGER_MIN: Duration = Duration::from_millis(1);

/// The longest wait of such a thread.
const LINGER_MAX: Duration = Duration::from_secs(1);

std::thread_local! {
    /// The pool that the thread belongs to, by its address.
    static MEMBER_OF: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

impl Pool {
    pub(crate) fn new(options: PoolOptions) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            queue: Queue::new(cores.min(SHARDS_MAX), options.limit),
            listens: Arc::new(AtomicBool::new(false)),
            reserve: Reserve::new(options.reserved),
            options,
            shard: Shard::new(Arc::new(NeverWoken), 0),
            roster: Mutex::new(Roster::default()),
            waits: Mutex::new(Some(Vec::new())),
            runtime: OnceLock::new(),
        }
    }

    /// Names the runtime that the threads are inside of. Called once, before the first job.
    pub(crate) fn serve(&self, runtime: &Arc<Inner>) {
        let first = self.runtime.set(Arc::downgrade(runtime));
        assert!(first.is_ok(), "a pool serves one runtime");
    }

    /// How many threads there are, beside those that run workers.
    pub(crate) fn threads(&self) -> usize {
        self.queue.threads() + self.reserve.threads()
    }

    /// How many of them have nothing to do.
    pub(crate) fn idle(&self) -> usize {
        self.queue.idle()
    }

    /// How many jobs wait for a thread.
    pub(crate) fn queued(&self) -> usize {
        self.queue.queued() + self.reserve.queued()
    }

    /// Runs `func` on a thread of the pool. A closed pool cancels it.
    ///
    /// # Panics
    /// If the pool has no thread and the system gives none.
    #[track_caller]
    pub(crate) fn spawn<F, R>(
        self: &Arc<Self>,
        inner: &Inner,
        func: F,
        meta: SpawnMeta,
    ) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.offer(inner, func, meta, Whose::Users).0
    }

    /// As [`spawn`](Self::spawn); says too whether the pool took `func`.
    #[track_caller]
    pub(crate) fn offer<F, R>(
        self: &Arc<Self>,
        inner: &Inner,
        func: F,
        meta: SpawnMeta,
        whose: Whose,
    ) -> (JoinHandle<R>, bool)
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let hold = HoldClock::of(inner);
        let (join, task) = self.shard.bind_untracked(Blocking::new(func), meta);
        match self.submit(Job::Task(task, hold, whose)) {
            Ok(()) => (join, true),
            Err(Refused::Closed(job)) => {
                cancel(job);
                (join, false)
            }
            Err(Refused::NoThread(job, error)) => {
                cancel(job);
                panic!("OS can't spawn worker thread: {error}");
            }
        }
    }

    /// Gives part of an operation to a thread, now or later.
    pub(crate) fn promise(self: &Arc<Self>, run: Box<dyn FnOnce() + Send>) -> Result<(), Refused> {
        let runtime = self.runtime.get().and_then(Weak::upgrade);
        let hold = runtime.and_then(|inner| HoldClock::of(&inner));
        self.submit(Job::Promised(run, hold))
    }

    /// Gives `job` to a thread, now or later.
    pub(crate) fn submit(self: &Arc<Self>, job: Job) -> Result<(), Refused> {
        let at_once = job.is_worker();
        let submitted = if job.is_own() && self.reserve.exists() {
            match self.queue.submit_unless_busy(self.home(), job, at_once) {
                Ok(submitted) => submitted,
                Err(job) => return self.reserve(job),
            }
        } else {
            self.queue.submit(self.home(), job, at_once)
        };
        match submitted {
            Submitted::Taken => Ok(()),
            Submitted::Closed(job) => Err(Refused::Closed(job)),
            Submitted::NeedThread(start) => self.start(start),
        }
    }

    /// All threads are busy: leaves a job of the runtime's own to the reserve.
    fn reserve(self: &Arc<Self>, job: Job) -> Result<(), Refused> {
        let duties = self.reserve.push(job);
        let mut unserved = Vec::new();
        if duties.starts_thread && !self.start_reserved() {
            unserved = self.reserve.not_started();
        }
        if duties.passes_token && !self.pass_token() {
            // The shutdown was faster, or there is no thread: what nobody will run comes back.
            unserved.extend(self.reserve.token_refused());
        }
        let mut own = None;
        for waiting in unserved {
            if waiting.ticket == duties.ticket {
                own = Some(waiting.job);
            } else {
                cancel(waiting.job);
            }
        }
        match own {
            None => Ok(()),
            Some(job) => Err(Refused::Closed(job)),
        }
    }

    /// Puts the token into the queue. False if nobody would find it there.
    fn pass_token(self: &Arc<Self>) -> bool {
        let token = Job::Token(Arc::downgrade(self));
        match self.queue.submit(self.home(), token, false) {
            Submitted::Taken => true,
            Submitted::Closed(_) => false,
            Submitted::NeedThread(start) => self.start(start).is_ok(),
        }
    }

    /// A thread of the queue has the token: it runs a job of the reserve, or several if the queue does not
    /// take the token back.
    fn redeem_token(self: &Arc<Self>) {
        loop {
            let (job, goes_on) = self.reserve.redeem();
            let is_passed = goes_on && self.pass_token();
            if let Some(job) = job {
                let _ = contain(|| job.run());
            }
            if !goes_on || is_passed {
                return;
            }
        }
    }

    /// Starts a thread that runs jobs of the reserve until there are none.
    fn start_reserved(self: &Arc<Self>) -> bool {
        if !self.queue.enter_beside() {
            return false;
        }
        let number = self.roster.lock().expect_thread();
        let started = contain(|| {
            self.spawn_for(number, |pool| {
                pool.inside(|| {
                    while let Some(job) = pool.reserve.next() {
                        let _ = contain(|| job.run());
                    }
                });
            })
        });
        match started {
            Some(Ok(thread)) => {
                self.roster.lock().keep_handle(number, thread);
                true
            }
            _ => {
                self.roster.lock().end(number);
                self.queue.leave();
                false
            }
        }
    }

    /// The calling thread's shard: its worker's, otherwise any.
    fn home(&self) -> usize {
        let shards = self.queue.shards();
        match context::worker() {
            Some(worker) => worker.index as usize % shards,
            None if shards == 1 => 0,
            None => rand::with(|rng| rng.below(shards as u32)) as usize,
        }
    }

    /// Starts the thread that the queue asks for.
    fn start(self: &Arc<Self>, start: Start<Job>) -> Result<(), Refused> {
        // The job is fetched by the thread, so that it is not lost if there is none.
        let first = Arc::new(Mutex::new(Some(start)));
        let number = self.roster.lock().expect_thread();
        // Names that the system refuses panic.
        let started = contain(|| self.spawn_thread(number, first.clone())).unwrap_or_else(|| {
            Err(io::Error::other(
                "the system refuses the name of the thread",
            ))
        });
        match started {
            Ok(thread) => {
                self.roster.lock().keep_handle(number, thread);
                Ok(())
            }
            Err(error) => {
                self.roster.lock().end(number);
                let start = first.lock().take().expect("no thread has fetched it");
                self.without_thread(start, error)
            }
        }
    }

    fn spawn_thread(
        self: &Arc<Self>,
        number: u64,
        first: Arc<Mutex<Option<Start<Job>>>>,
    ) -> io::Result<Thread<()>> {
        self.spawn_for(number, move |pool| {
            if let Some(start) = { first.lock().take() } {
                pool.serve_thread(start);
            }
        })
    }

    /// Starts a thread for `life`, which has its place at the queue's door.
    fn spawn_for(
        self: &Arc<Self>,
        number: u64,
        life: impl FnOnce(&Arc<Self>) + Send + 'static,
    ) -> io::Result<Thread<()>> {
        // A function that panics names nothing, and the thread gets the usual name.
        let name = contain(|| (self.options.thread_name)());
        let name = name.unwrap_or_else(|| THREAD_NAME.to_owned());
        let mut builder = thread::Builder::new().name(name);
        if let Some(bytes) = self.options.stack_size {
            builder = builder.stack_size(bytes);
        }
        let pool = self.clone();
        builder.spawn(move || {
            life(&pool);
            let must_linger = thread_in_flight() > 0;
            if must_linger {
                // The runtime is gone, and the kernel still has what this thread submitted. It ends
                // with the thread, and the thread would end only with it: nobody is to wait for that.
                drop(pool.roster.lock().threads.remove(&number));
            } else {
                pool.roster.lock().end(number);
            }
            pool.queue.leave();
            drop(pool);
            if must_linger {
                linger();
            }
        })
    }

    /// The system gives no thread: jobs wait for those that there are. If there are none, nobody
    /// would ever run them.
    fn without_thread(&self, start: Start<Job>, error: io::Error) -> Result<(), Refused> {
        let ended = self.queue.not_started(start);
        // Their callers were told that the pool has them: their handles say that they are cancelled.
        ended.others.into_iter().for_each(cancel);
        match ended.own {
            None => Ok(()),
            Some(Unserved::NoThread(job)) => Err(Refused::NoThread(job, error)),
            Some(Unserved::Closed(job)) => Err(Refused::Closed(job)),
        }
    }

    /// Runs `life` on a new thread: inside of the runtime, between the hooks.
    fn inside(self: &Arc<Self>, life: impl FnOnce()) {
        let runtime = self.runtime.get().and_then(Weak::upgrade);
        let _services = runtime.clone().map(|runtime| context::enter(runtime));
        let _clock = runtime.as_ref().map(|runtime| runtime.clock.enter());
        MEMBER_OF.set(Arc::as_ptr(self).addr());
        if let Some(hook) = &self.options.on_start {
            let _ = contain(|| hook());
        }
        life();
        if let Some(hook) = &self.options.on_stop {
            let _ = contain(|| hook());
        }
    }

    /// The life of a thread.
    fn serve_thread(self: &Arc<Self>, start: Start<Job>) {
        self.inside(|| self.serve_queue(start));
    }

    fn serve_queue(&self, start: Start<Job>) {
        let seat = Seat::new(start.shard);
        let mut job = start.job;
        loop {
            let is_worker = job.is_worker();
            // Jobs catch their own panics; one that escapes must not take the thread's place along.
            let _ = contain(|| job.run());
            if is_worker && !self.queue.rejoin() {
                break;
            }
            match self
                .queue
                .next(&seat, self.options.keep_alive, || thread_in_flight() == 0)
            {
                Next::Run(next) => job = next,
                Next::End => break,
            }
        }
    }

    /// Has `wait` ended when the pool closes, or at once if it has closed.
    pub(crate) fn watch(&self, wait: Weak<dyn Interrupt>) {
        let mut waits = self.waits.lock();
        let Some(waits) = &mut *waits else {
            if let Some(wait) = wait.upgrade() {
                wait.interrupt();
            }
            return;
        };
        // Those that are over go when there is no room for more: each is looked at once for each time
        // that the list has grown by half.
        if waits.len() == waits.capacity() {
            waits.retain(|wait| wait.strong_count() > 0);
            waits.reserve(waits.len() / 2 + 4);
        }
        waits.push(wait);
    }

    /// Refuses new jobs, cancels closures that have not begun, and ends waits for others.
    pub(crate) fn close(&self) {
        let waits = self.waits.lock().take();
        for wait in waits.iter().flatten().filter_map(Weak::upgrade) {
            wait.interrupt();
        }
        let is_promised = |job: &Job| !matches!(job, Job::Task(..));
        self.queue.close(is_promised).into_iter().for_each(cancel);
        self.reserve
            .take_out(is_promised)
            .into_iter()
            .for_each(cancel);
    }

    /// A closure that rings for the thread that [waits](Self::wait_for_threads), while it listens. Until then it costs one
    /// load.
    pub(crate) fn bell(self: &Arc<Self>) -> impl Fn() + Send + Sync + 'static {
        let (pool, listens) = (Arc::downgrade(self), self.listens.clone());
        move || {
            // ORDERING: Relaxed: the callers have held a lock since the listener did, or the listener sees what
            // they did under it (the head of `end.rs`).
            if listens.load(Ordering::Relaxed)
                && let Some(pool) = pool.upgrade()
            {
                pool.queue.ring();
            }
        }
    }

    /// Whether the [bell](Self::bell) rings from now on.
    pub(crate) fn listen(&self, listens: bool) {
        // ORDERING: Relaxed: see `bell`.
        self.listens.store(listens, Ordering::Relaxed);
    }

    /// Waits until every thread has ended, until `deadline`, or until the bell rings. Call
    /// [`close`](Self::close) first.
    pub(crate) fn wait_for_threads(&self, deadline: Option<Instant>) -> Waited {
        // A thread of the pool cannot wait for its own end.
        let own = usize::from(MEMBER_OF.get() == std::ptr::from_ref(self).addr());
        self.roster.lock().waited_for = true;
        self.queue.wait(own, deadline)
    }

    /// Waits until every thread has ended, until `deadline` at most. Call [`close`](Self::close) first.
    pub(crate) fn wait(&self, deadline: Option<Instant>) {
        loop {
            match self.wait_for_threads(deadline) {
                Waited::Empty => break,
                Waited::Late => return,
                // Meant for a wait that is over.
                Waited::Rung => {}
            }
        }
        let ended = std::mem::take(&mut self.roster.lock().ended);
        for thread in ended {
            // A thread that ended by a panic has nothing to tell any more.
            let _ = thread.join();
        }
    }
}

/// Waits until the kernel has ended what the calling thread has submitted. Another thread reaps it.
fn linger() {
    // Ends no wait early: its only use is the time.
    let nobody = Parker::new();
    let mut pause = LINGER_MIN;
    while thread_in_flight() > 0 {
        nobody.park_timeout(pause);
        pause = (pause * 2).min(LINGER_MAX);
    }
}

impl Roster {
    /// A number for a thread that is about to start.
    fn expect_thread(&mut self) -> u64 {
        self.next += 1;
        self.threads.insert(self.next, None);
        self.next
    }

    /// Keeps the handle of a thread, unless it has ended already.
    fn keep_handle(&mut self, number: u64, thread: Thread<()>) {
        if let Some(place) = self.threads.get_mut(&number) {
            *place = Some(thread);
        }
    }

    /// The thread has ended, or was not started.
    fn end(&mut self, number: u64) {
        let thread = self.threads.remove(&number).flatten();
        if self.waited_for {
            self.ended.extend(thread);
        }
    }
}

/// Why the pool did not take a job.
pub(crate) enum Refused {
    Closed(Job),
    NoThread(Job, io::Error),
}

/// Ends a job that will not run. Its handle hears that it was cancelled.
fn cancel(job: Job) {
    match job {
        Job::Task(task, _hold, _) => task.shutdown(),
        // Nobody will find the jobs that it stands for, unless a thread of the reserve does.
        Job::Token(pool) => {
            if let Some(pool) = pool.upgrade() {
                let unserved = pool.reserve.token_refused().into_iter();
                unserved.for_each(|waiting| cancel(waiting.job));
            }
        }
        // What it owns cleans up in its own drop.
        Job::Promised(run, _) | Job::Worker(run) => drop(run),
    }
}
