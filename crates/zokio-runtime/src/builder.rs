//! [`Builder`]: the settings of a runtime.

mod extra;
mod histograms;
mod own;

use crate::blocking::pool::{Pool, PoolOptions, THREAD_NAME};
use crate::blocking::{Host, PoolOffload};
use crate::handle::{Handle, Inner};
use crate::id::Id;
use crate::local_runtime::{LocalOptions, LocalRuntime};
use crate::park::WorkerPark;
use crate::runtime::Runtime;
use crate::settings::{Hook, Settings};
use std::fmt;
use std::io;
use std::time::Duration;
use zokio_base::clock::Clock;
use zokio_base::pad::CachePadded;
use zokio_base::sync::{Arc, OnceLock};
use zokio_driver::{Driver, DriverOptions, IoMode};
use zokio_sched::{Scheduler, StallReport};
use zokio_time::{TIMER_FLOOR, TimerHandle};

/// How many threads may run closures that block, unless the builder says otherwise.
const MAX_BLOCKING_THREADS: usize = 512;
/// Threads beside those, for the runtime's own work.
const RESERVED_BLOCKING_THREADS: usize = 4;
/// How long an idle thread of the pool waits for work before it ends.
const THREAD_KEEP_ALIVE: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    CurrentThread,
    MultiThread,
}

/// The settings of a runtime, and what makes one of them.
///
/// # Examples
/// ```
/// let runtime = zokio_runtime::Builder::new_multi_thread()
///     .worker_threads(2)
///     .thread_name("service")
///     .enable_all()
///     .build()
///     .unwrap();
/// assert_eq!(runtime.metrics().num_workers(), 2);
/// ```
pub struct Builder {
    kind: Kind,
    enable_io: bool,
    enable_time: bool,
    start_paused: bool,
    timer_floor: Duration,
    eager_sockets: bool,
    worker_threads: Option<usize>,
    max_blocking_threads: usize,
    reserved_blocking_threads: usize,
    keep_alive: Duration,
    thread_name: Arc<dyn Fn() -> String + Send + Sync>,
    stack_size: Option<usize>,
    on_thread_start: Option<Hook>,
    on_thread_stop: Option<Hook>,
    io_mode: Option<IoMode>,
    events: Option<usize>,
    name: Option<String>,
    settings: Settings,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("kind", &self.kind)
            .field("worker_threads", &self.worker_threads)
            .field("max_blocking_threads", &self.max_blocking_threads)
            .field("io_mode", &self.io_mode)
            .field("timer_floor", &self.timer_floor)
            .field("eager_sockets", &self.eager_sockets)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Builder {
    /// The settings of a runtime whose tasks run on the thread that calls `block_on`.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread().build().unwrap();
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// ```
    pub fn new_current_thread() -> Self {
        Self::new(Kind::CurrentThread)
    }

    /// The settings of a runtime with worker threads: one for each core, unless
    /// [`worker_threads`](Self::worker_threads) or the variable `TOKIO_WORKER_THREADS` says
    /// otherwise.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_multi_thread().build().unwrap();
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// ```
    pub fn new_multi_thread() -> Self {
        Self::new(Kind::MultiThread)
    }

    fn new(kind: Kind) -> Self {
        Self {
            kind,
            enable_io: false,
            enable_time: false,
            start_paused: false,
            timer_floor: TIMER_FLOOR,
            eager_sockets: false,
            worker_threads: None,
            max_blocking_threads: MAX_BLOCKING_THREADS,
            reserved_blocking_threads: RESERVED_BLOCKING_THREADS,
            keep_alive: THREAD_KEEP_ALIVE,
            thread_name: Arc::new(|| THREAD_NAME.to_owned()),
            stack_size: None,
            on_thread_start: None,
            on_thread_stop: None,
            io_mode: None,
            events: None,
            name: None,
            settings: Settings::default(),
        }
    }

    /// Enables sockets and timers.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread()
    ///     .enable_all()
    ///     .build()
    ///     .unwrap();
    /// runtime.block_on(async { zokio_time::sleep(std::time::Duration::from_millis(1)).await });
    /// ```
    pub fn enable_all(&mut self) -> &mut Self {
        self.enable_io().enable_time()
    }

    /// Enables sockets, pipes, processes and signals.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread()
    ///     .enable_io()
    ///     .build()
    ///     .unwrap();
    /// ```
    pub fn enable_io(&mut self) -> &mut Self {
        self.enable_io = true;
        self
    }

    /// Enables timers.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread()
    ///     .enable_time()
    ///     .build()
    ///     .unwrap();
    /// runtime.block_on(async { zokio_time::sleep(std::time::Duration::from_millis(1)).await });
    /// ```
    pub fn enable_time(&mut self) -> &mut Self {
        self.enable_time = true;
        self
    }

    /// Whether the runtime's clock starts paused: for tests, see `time::pause`.
    ///
    /// Only a current-thread runtime can be paused: [`build`](Self::build) panics otherwise.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread()
    ///     .enable_time()
    ///     .start_paused(true)
    ///     .build()
    ///     .unwrap();
    /// // A minute goes by in no time.
    /// runtime.block_on(async { zokio_time::sleep(std::time::Duration::from_secs(60)).await });
    /// ```
    pub fn start_paused(&mut self, start_paused: bool) -> &mut Self {
        self.start_paused = start_paused;
        self
    }

    /// How many workers a multi-thread runtime has.
    ///
    /// # Panics
    /// If it is zero.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_multi_thread()
    ///     .worker_threads(2)
    ///     .build()
    ///     .unwrap();
    /// assert_eq!(runtime.metrics().num_workers(), 2);
    /// ```
    #[track_caller]
    pub fn worker_threads(&mut self, count: usize) -> &mut Self {
        assert!(count > 0, "Worker threads cannot be set to 0");
        self.worker_threads = Some(count);
        self
    }

    /// How many threads may run closures of `spawn_blocking` at a time: 512 unless it is set. More
    /// closures wait in a queue. Threads that run workers are not counted, nor are
    /// [those](Self::reserved_blocking_threads) that run the runtime's own work meanwhile.
    ///
    /// As many threads beside these may be blocked in tasks that have lost their worker
    /// ([`stall_threshold`](Self::stall_threshold)), at least one for each worker. A task that blocks
    /// beyond that keeps its worker.
    ///
    /// # Panics
    /// If it is zero.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread()
    ///     .max_blocking_threads(1)
    ///     .build()
    ///     .unwrap();
    /// assert_eq!(runtime.block_on(runtime.spawn_blocking(|| 42)).unwrap(), 42);
    /// ```
    #[track_caller]
    pub fn max_blocking_threads(&mut self, count: usize) -> &mut Self {
        assert!(count > 0, "Max blocking threads cannot be set to 0");
        self.max_blocking_threads = count;
        self
    }

    /// How long an idle thread of the pool waits for work before it ends: 10 seconds unless it is
    /// set.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread()
    ///     .thread_keep_alive(std::time::Duration::from_secs(1))
    ///     .build()
    ///     .unwrap();
    /// ```
    pub fn thread_keep_alive(&mut self, duration: Duration) -> &mut Self {
        self.keep_alive = duration;
        self
    }

    /// The name of the runtime's threads: `zokio-worker` unless it is set.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_multi_thread()
    ///     .thread_name("service")
    ///     .build()
    ///     .unwrap();
    /// let task = runtime.spawn(async { std::thread::current().name().map(str::to_owned) });
    /// assert_eq!(runtime.block_on(task).unwrap().as_deref(), Some("service"));
    /// ```
    pub fn thread_name(&mut self, name: impl Into<String>) -> &mut Self {
        let name = name.into();
        self.thread_name_fn(move || name.clone())
    }

    /// A function that names each of the runtime's threads. If it panics, the thread is named
    /// `zokio-worker`, and the panic is counted
    /// ([`RuntimeMetrics::contained_panics`](crate::RuntimeMetrics::contained_panics)).
    ///
    /// # Examples
    /// ```
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    ///
    /// static NEXT: AtomicUsize = AtomicUsize::new(0);
    /// let runtime = zokio_runtime::Builder::new_multi_thread()
    ///     .thread_name_fn(|| format!("service-{}", NEXT.fetch_add(1, Ordering::Relaxed)))
    ///     .build()
    ///     .unwrap();
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// ```
    pub fn thread_name_fn<F>(&mut self, name: F) -> &mut Self
    where
        F: Fn() -> String + Send + Sync + 'static,
    {
        self.thread_name = Arc::new(name);
        self
    }

    /// The name of the runtime itself.
    ///
    /// # Panics
    /// If it is empty.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread()
    ///     .name("service")
    ///     .build()
    ///     .unwrap();
    /// assert_eq!(runtime.handle().name(), Some("service"));
    /// ```
    #[track_caller]
    pub fn name(&mut self, name: impl Into<String>) -> &mut Self {
        let name = name.into();
        assert!(!name.trim().is_empty(), "runtime name shouldn't be empty");
        self.name = Some(name);
        self
    }

    /// How many bytes of stack the runtime's threads have: what the standard library gives, unless
    /// it is set.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_multi_thread()
    ///     .thread_stack_size(4 << 20)
    ///     .build()
    ///     .unwrap();
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// ```
    pub fn thread_stack_size(&mut self, bytes: usize) -> &mut Self {
        self.stack_size = Some(bytes);
        self
    }

    /// Runs `hook` on each of the runtime's threads when it starts, inside of the runtime. A panic of
    /// the hook is counted and ends there, as with all hooks
    /// ([`RuntimeMetrics::contained_panics`](crate::RuntimeMetrics::contained_panics)).
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_multi_thread()
    ///     .on_thread_start(|| println!("{:?} begins", std::thread::current().id()))
    ///     .build()
    ///     .unwrap();
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// ```
    pub fn on_thread_start<F: Fn() + Send + Sync + 'static>(&mut self, hook: F) -> &mut Self {
        self.on_thread_start = Some(Arc::new(hook));
        self
    }

    /// Runs `hook` on each of the runtime's threads before it ends. A panic of the hook ends there.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_multi_thread()
    ///     .on_thread_stop(|| println!("{:?} ends", std::thread::current().id()))
    ///     .build()
    ///     .unwrap();
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// ```
    pub fn on_thread_stop<F: Fn() + Send + Sync + 'static>(&mut self, hook: F) -> &mut Self {
        self.on_thread_stop = Some(Arc::new(hook));
        self
    }

    /// Runs `hook` before a worker waits. What it spawns or wakes is run instead of waiting. A panic of
    /// the hook ends there.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_multi_thread()
    ///     .on_thread_park(|| println!("nothing to do"))
    ///     .build()
    ///     .unwrap();
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// ```
    pub fn on_thread_park<F: Fn() + Send + Sync + 'static>(&mut self, hook: F) -> &mut Self {
        self.settings.on_park = Some(Arc::new(hook));
        self
    }

    /// Runs `hook` after a worker has waited. A panic of the hook ends there.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_multi_thread()
    ///     .on_thread_unpark(|| println!("something to do"))
    ///     .build()
    ///     .unwrap();
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// ```
    pub fn on_thread_unpark<F: Fn() + Send + Sync + 'static>(&mut self, hook: F) -> &mut Self {
        self.settings.on_unpark = Some(Arc::new(hook));
        self
    }

    /// After how many tasks the driver and the timers are looked at, however busy a worker is: 61
    /// unless it is set.
    ///
    /// # Panics
    /// If it is zero.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_multi_thread()
    ///     .event_interval(31)
    ///     .build()
    ///     .unwrap();
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// ```
    #[track_caller]
    pub fn event_interval(&mut self, tasks: u32) -> &mut Self {
        assert!(tasks > 0, "event_interval must be greater than 0");
        self.settings.driver_interval = tasks;
        self
    }

    /// After how many tasks a worker looks at what other threads have queued, however busy it is:
    /// 31 unless it is set.
    ///
    /// # Panics
    /// If it is zero.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_multi_thread()
    ///     .global_queue_interval(61)
    ///     .build()
    ///     .unwrap();
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// ```
    #[track_caller]
    pub fn global_queue_interval(&mut self, tasks: u32) -> &mut Self {
        assert!(tasks > 0, "global_queue_interval must be greater than 0");
        self.settings.inject_interval = tasks;
        self
    }

    /// How many events a worker takes from its driver at a time: 1,024 unless it is set.
    ///
    /// # Panics
    /// If it is zero.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_multi_thread()
    ///     .enable_io()
    ///     .max_io_events_per_tick(256)
    ///     .build()
    ///     .unwrap();
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// ```
    #[track_caller]
    pub fn max_io_events_per_tick(&mut self, events: usize) -> &mut Self {
        assert!(events > 0, "max_io_events_per_tick must be non-zero");
        self.events = Some(events);
        self
    }

    /// Accepted for compatibility: a busy worker takes as many events at a time as an idle one
    /// ([`max_io_events_per_tick`](Self::max_io_events_per_tick)).
    ///
    /// # Panics
    /// If it is zero.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_multi_thread()
    ///     .enable_io()
    ///     .max_io_events_per_busy_tick(8)
    ///     .build()
    ///     .unwrap();
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// ```
    #[track_caller]
    pub fn max_io_events_per_busy_tick(&mut self, events: usize) -> &mut Self {
        assert!(events > 0, "max_io_events_per_busy_tick must be non-zero");
        self
    }

    /// Which planes the driver uses. Unless it is set, the variable `ZOKIO_IO` says so
    /// (`auto`, `uring`, `epoll`), and `auto` otherwise.
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::{Builder, IoMode};
    ///
    /// let runtime = Builder::new_current_thread()
    ///     .enable_io()
    ///     .io_mode(IoMode::Epoll)
    ///     .build()
    ///     .unwrap();
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// ```
    pub fn io_mode(&mut self, mode: IoMode) -> &mut Self {
        self.io_mode = Some(mode);
        self
    }

    /// How long a task may block its worker's thread before the worker goes on on another one: 10
    /// ms unless it is set. None turns stall containment off.
    ///
    /// Right after such a stall, a task that waits in the kernel loses the worker after a fourth of this
    /// time, since tasks that block often come in numbers. It counts as a stall only if it lasts for all
    /// of it.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    ///
    /// let runtime = zokio_runtime::Builder::new_multi_thread()
    ///     .stall_threshold(Duration::from_millis(50))
    ///     .build()
    ///     .unwrap();
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// ```
    pub fn stall_threshold(&mut self, threshold: impl Into<Option<Duration>>) -> &mut Self {
        self.settings.stall_threshold = threshold.into();
        self
    }

    /// Runs `hook`, on a thread of the runtime's own, when a task has blocked its worker for longer
    /// than the stall threshold, and when a worker is held up for as long by a system call of its own
    /// driver ([`StallReport::in_driver`]). A current-thread runtime cannot move on to another thread,
    /// but it reports: with a hook it has a thread that watches. A panic of the hook ends there.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_multi_thread()
    ///     .on_stall(|stall| eprintln!("{stall:?}"))
    ///     .build()
    ///     .unwrap();
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// ```
    pub fn on_stall<F: Fn(&StallReport) + Send + Sync + 'static>(&mut self, hook: F) -> &mut Self {
        self.settings.on_stall = Some(Arc::new(hook));
        self
    }

    /// For how long an idle worker looks for work before it waits. It does not, unless it is set:
    /// this shortens round trips and burns CPU.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_multi_thread()
    ///     .spin_before_park(std::time::Duration::from_micros(20))
    ///     .build()
    ///     .unwrap();
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// ```
    pub fn spin_before_park(&mut self, duration: Duration) -> &mut Self {
        self.settings.spin = Some(duration);
        self
    }

    /// Makes the runtime.
    ///
    /// # Errors
    /// If the system gives no threads or descriptors, if `ZOKIO_IO` names no mode, and if a ring
    /// was demanded and is refused.
    ///
    /// # Panics
    /// If a multi-thread runtime is to start paused, or if `TOKIO_WORKER_THREADS` is no positive
    /// number.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_multi_thread().enable_all().build()?;
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// # std::io::Result::Ok(())
    /// ```
    pub fn build(&mut self) -> io::Result<Runtime> {
        assert!(
            !(self.start_paused && self.kind == Kind::MultiThread),
            "a paused clock needs the current-thread runtime: use `Builder::new_current_thread`"
        );
        let workers = match self.kind {
            Kind::CurrentThread => 1,
            Kind::MultiThread => self.worker_threads.unwrap_or_else(default_workers),
        };
        let clock = Clock::new();
        if self.start_paused {
            clock.pause();
        }
        let pool = Arc::new(Pool::new(self.pool_options()));
        let driver = Driver::new(
            &self.driver_options(workers)?,
            Arc::new(PoolOffload::new(&pool)),
        )?;
        let timers = self.enable_time.then(|| {
            let handle = driver.handle.clone();
            let ring = pool.bell();
            let unpark = Arc::new(move |worker| {
                handle.unpark(worker);
                ring();
            });
            TimerHandle::new(
                workers,
                clock.clone(),
                self.kind == Kind::CurrentThread,
                self.timer_floor,
                unpark,
            )
        });
        let parks: Vec<WorkerPark> = driver
            .workers
            .into_iter()
            .map(|driver| WorkerPark::new(driver, timers.clone(), clock.clone()))
            .collect();
        let mut settings = self.settings.for_runtime();
        // A thread that lost its core blocks as one of the pool does. Each worker can lose one.
        settings.detached_max = self.max_blocking_threads.max(workers);
        let host = Arc::new(Host::new(&pool));
        let scheduler = match self.kind {
            Kind::MultiThread => Scheduler::multi_thread(parks, settings, host),
            Kind::CurrentThread => {
                let park = parks.into_iter().next().expect("one worker, one park");
                Scheduler::current_thread(park, settings)
            }
        };
        let inner = Arc::new(Inner {
            spawner: scheduler.spawner().clone(),
            scheduler,
            pool,
            driver: driver.handle,
            io_enabled: self.enable_io,
            timers,
            clock,
            id: Id::next(),
            name: self.name.clone(),
            forced_yields: CachePadded::default(),
            local_to: OnceLock::new(),
        });
        inner.pool.serve(&inner);
        // From here on a failure drops the runtime, which shuts down what has started.
        let runtime = Runtime::from_handle(Handle { inner });
        runtime.handle().inner.scheduler.start()?;
        Ok(runtime)
    }

    /// Makes a runtime that stays on the calling thread.
    ///
    /// # Errors
    /// As for [`build`](Self::build).
    ///
    /// # Panics
    /// If the builder is one of a multi-thread runtime.
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::{Builder, LocalOptions};
    ///
    /// let runtime = Builder::new_current_thread().build_local(LocalOptions::default())?;
    /// let answer = std::rc::Rc::new(42);
    /// let task = runtime.spawn_local(async move { *answer });
    /// assert_eq!(runtime.block_on(task).unwrap(), 42);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn build_local(&mut self, _options: LocalOptions) -> io::Result<LocalRuntime> {
        assert!(
            self.kind == Kind::CurrentThread,
            "multi_thread is not supported for LocalRuntime: use `Builder::new_current_thread`"
        );
        Ok(LocalRuntime::from_runtime(self.build()?))
    }

    fn pool_options(&self) -> PoolOptions {
        PoolOptions {
            limit: self.max_blocking_threads,
            reserved: self.reserved_blocking_threads,
            keep_alive: self.keep_alive,
            thread_name: self.thread_name.clone(),
            stack_size: self.stack_size,
            on_start: self.on_thread_start.clone(),
            on_stop: self.on_thread_stop.clone(),
        }
    }

    fn driver_options(&self, workers: usize) -> io::Result<DriverOptions> {
        let mut options = DriverOptions::new(workers);
        options.eager = self.eager_sockets;
        options.mode = match self.io_mode {
            Some(mode) => mode,
            None => IoMode::from_env()
                .map_err(|error| {
                    io::Error::new(io::ErrorKind::InvalidInput, format!("ZOKIO_IO: {error}"))
                })?
                .unwrap_or_default(),
        };
        if let Some(events) = self.events {
            options.events = events;
        }
        Ok(options)
    }
}

/// One worker for each core that the process may use, or what the environment says.
///
/// # Panics
/// If the environment says something that is no positive number.
fn default_workers() -> usize {
    const VARIABLE: &str = "TOKIO_WORKER_THREADS";
    match std::env::var(VARIABLE) {
        Ok(text) => match text.parse() {
            Ok(0) => panic!("\"{VARIABLE}\" cannot be set to 0"),
            Ok(count) => count,
            Err(error) => panic!("\"{VARIABLE}\" must be usize, error: {error}, value: {text}"),
        },
        Err(std::env::VarError::NotPresent) => {
            std::thread::available_parallelism().map_or(1, usize::from)
        }
        Err(std::env::VarError::NotUnicode(text)) => {
            panic!("\"{VARIABLE}\" must be valid unicode, value: {text:?}")
        }
    }
}
