//! The books, and tools to bring a future into a given state.

use super::memory;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};
use zokio::runtime::{Builder, IoMode, Runtime};

/// How far a future gets before it is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Never polled.
    Unpolled,
    /// Polled once, and waits.
    Pending,
    /// Polled by two wakers, one after the other, and waits.
    Moved,
    /// The event that it waits for is there, and it was woken, but it was not polled again.
    Woken,
    /// A part of what is there was taken by the operation before it.
    Partial,
    /// The event that it waits for comes from another thread at the moment when it is dropped.
    Racing,
}

pub const STATES: [State; 6] = [
    State::Unpolled,
    State::Pending,
    State::Moved,
    State::Woken,
    State::Partial,
    State::Racing,
];

/// The state of a round.
pub fn state_of(round: usize) -> State {
    STATES[round % STATES.len()]
}

/// How many futures each test drops for each runtime.
pub fn rounds() -> usize {
    match std::env::var("ZOKIO_CANCEL_ROUNDS") {
        Ok(word) => word.parse().expect("a number of rounds"),
        Err(_) => 10_000,
    }
}

/// One runtime to run a test on.
#[derive(Clone, Copy)]
pub struct Config {
    pub mode: IoMode,
    pub is_multi: bool,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let workers = if self.is_multi { 2 } else { 1 };
        write!(f, "{:?}/{workers}", self.mode)
    }
}

/// How many threads a runtime has for what blocks: few, so that they can be kept busy.
pub const BLOCKING_THREADS: usize = 2;

impl Config {
    pub fn build(self) -> Runtime {
        self.builder().build().unwrap()
    }

    /// Whether files are read by a ring rather than by a thread.
    pub fn has_ring(self) -> bool {
        self.mode != IoMode::Epoll && are_rings_allowed()
    }

    fn builder(self) -> Builder {
        let mut builder = if self.is_multi {
            Builder::new_multi_thread()
        } else {
            Builder::new_current_thread()
        };
        if self.is_multi {
            builder.worker_threads(2);
        }
        builder
            .io_mode(self.mode)
            .max_blocking_threads(BLOCKING_THREADS)
            .reserved_blocking_threads(0)
            .enable_all();
        builder
    }
}

/// Whether this system allows rings.
fn are_rings_allowed() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        let config = Config {
            mode: IoMode::Uring,
            is_multi: false,
        };
        config.builder().build().is_ok()
    })
}

/// Every runtime that this system can have.
pub fn configs() -> Vec<Config> {
    let mut configs = Vec::new();
    for mode in [IoMode::Uring, IoMode::Auto, IoMode::Epoll] {
        for is_multi in [false, true] {
            configs.push(Config { mode, is_multi });
        }
    }
    configs.retain(|config| config.mode != IoMode::Uring || are_rings_allowed());
    configs
}

/// Runtimes for what does not use the ring: a mode with it and the one without.
pub fn configs_for_sockets() -> Vec<Config> {
    let mut configs = configs();
    let has_ring = configs.iter().any(|config| config.mode == IoMode::Uring);
    let left_out = if has_ring {
        IoMode::Auto
    } else {
        IoMode::Uring
    };
    configs.retain(|config| config.mode != left_out);
    configs
}

/// Descriptors are counted for the whole process, so the tests take turns.
pub fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(|poison| poison.into_inner())
}

/// How many descriptors the process has, less the one that looks.
pub fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count() - 1
}

/// The counts from before.
pub struct Books {
    descriptors: usize,
    buffers: isize,
    bytes: isize,
}

/// The bytes that ended threads and grown tables may keep.
const BYTES_KEPT: isize = 64 * 1024;

impl Books {
    pub fn open() -> Self {
        Self {
            descriptors: open_descriptors(),
            buffers: memory::buffers(),
            bytes: memory::bytes(),
        }
    }

    /// Whether there is no more than there was before. What is not after five seconds never will be.
    /// `rings` were made since, each with a descriptor.
    fn is_balanced(&self, what: &str, begun: Instant, rings: usize) -> bool {
        let now = Self::open();
        let bytes = now.bytes - self.bytes;
        let is_balanced = now.descriptors <= self.descriptors + rings
            && now.buffers <= self.buffers
            && bytes < BYTES_KEPT;
        assert!(
            is_balanced || begun.elapsed() < Duration::from_secs(5),
            "{what}: {} descriptors and {} buffers where there were {} and {}; {bytes} bytes more",
            now.descriptors,
            now.buffers,
            self.descriptors,
            self.buffers,
        );
        is_balanced
    }

    /// Everything is as it was before. What other threads give back a moment later counts.
    pub fn close(&self, what: &str) {
        let begun = Instant::now();
        while !self.is_balanced(what, begun, 0) {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(open_descriptors(), self.descriptors, "{what}: one too few");
        assert_eq!(memory::buffers(), self.buffers, "{what}: one too few");
    }

    /// As [`close`](Self::close), inside of a runtime that had `rings`: operations and registrations
    /// too.
    ///
    /// Things that were on their way out when the books were opened do not count from then on.
    pub async fn settle(&mut self, what: &str, registered: u64, rings: u64) {
        let metrics = zokio::runtime::Handle::current().metrics();
        let begun = Instant::now();
        loop {
            let (driver, operations) = (metrics.driver(), metrics.operations());
            let is_quiet =
                operations.in_flight == 0 && driver.registered - driver.deregistered == registered;
            let made = (operations.rings - rings) as usize;
            if is_quiet && self.is_balanced(what, begun, made) {
                self.descriptors = self.descriptors.min(open_descriptors() - made);
                return;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(10),
                "{what}: {driver:?} {operations:?}"
            );
            zokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Memory does not grow with the number of futures dropped.
pub struct Flat(isize);

impl Flat {
    pub fn from_here() -> Self {
        Self(memory::bytes())
    }

    pub fn check(&self) {
        let more = memory::bytes() - self.0;
        assert!(more < 256 * 1024, "{more} bytes more than at the start");
    }
}

/// Makes what is made once per process, which is not to be counted.
pub fn warm_up() {
    let config = Config {
        mode: IoMode::Auto,
        is_multi: true,
    };
    drop(config.build());
    part(0, 0);
}

/// Runs `test` on each runtime, and balances the books after each.
pub fn on_each<F, T>(configs: Vec<Config>, what: &str, test: F)
where
    F: Fn(Config) -> T,
    T: Future<Output = ()> + Send + 'static,
{
    on_each_in(turn(), configs, what, test);
}

/// As [`on_each`], for a test whose turn it is already: what it opened before stays open.
pub fn on_each_in<F, T>(_turn: MutexGuard<'static, ()>, configs: Vec<Config>, what: &str, test: F)
where
    F: Fn(Config) -> T,
    T: Future<Output = ()> + Send + 'static,
{
    warm_up();
    for config in configs {
        run_on(config, what, &test);
    }
}

fn run_on<F, T>(config: Config, what: &str, test: &F)
where
    F: Fn(Config) -> T,
    T: Future<Output = ()> + Send + 'static,
{
    let name = format!("{what} {config:?}");
    let books = Books::open();
    let begun = Instant::now();
    let runtime = config.build();
    let metrics = runtime.metrics();
    // Without budget: a future that waits for a budget is in none of the states.
    let test = zokio::task::unconstrained(test(config));
    let bounded = async { zokio::time::timeout(Duration::from_secs(300), test).await };
    let ended = if config.is_multi {
        runtime.block_on(async { zokio::spawn(bounded).await.unwrap() })
    } else {
        runtime.block_on(bounded)
    };
    ended.unwrap_or_else(|_| panic!("{name} hangs"));
    drop(runtime);
    let (driver, operations) = (metrics.driver(), metrics.operations());
    assert_eq!(driver.registered, driver.deregistered, "{name}: {driver:?}");
    assert_eq!(operations.in_flight, 0, "{name}: {operations:?}");
    assert_eq!(metrics.num_alive_tasks(), 0, "{name}");
    drop(metrics);
    books.close(&name);
    println!("{name}: {:?} {driver:?} {operations:?}", begun.elapsed());
}

/// A waker that tells whether it was woken.
#[derive(Default)]
pub struct Probe {
    is_woken: AtomicBool,
    parent: Mutex<Option<Waker>>,
}

impl Wake for Probe {
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, Ordering::SeqCst);
        let parent = self.parent.lock().unwrap().take();
        if let Some(parent) = parent {
            parent.wake();
        }
    }
}

impl Probe {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    pub fn is_woken(&self) -> bool {
        self.is_woken.load(Ordering::SeqCst)
    }

    /// Waits until it is woken.
    pub async fn woken(&self) {
        poll_fn(|cx| {
            *self.parent.lock().unwrap() = Some(cx.waker().clone());
            if self.is_woken() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}

/// Polls `future` once for `probe`.
pub fn poll<F: Future + ?Sized>(future: Pin<&mut F>, probe: &Arc<Probe>) -> Poll<F::Output> {
    let waker = Waker::from(probe.clone());
    future.poll(&mut Context::from_waker(&waker))
}

/// Random numbers, the same in each run.
pub struct Dice(u64);

impl Dice {
    pub fn new() -> Self {
        Self(0x9E37_79B9_7F4A_7C15)
    }

    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % end
    }

    /// Passes a short time.
    pub fn spin(&mut self) {
        Pause(self.below(2_000)).pass();
    }

    /// A longer time, to be passed elsewhere.
    pub fn pause(&mut self) -> Pause {
        Pause(self.below(20_000))
    }
}

pub struct Pause(usize);

impl Pause {
    pub fn pass(self) {
        for _ in 0..self.0 {
            std::hint::spin_loop();
        }
    }
}

/// Keeps the threads for what blocks busy until dropped, so that operations given to them wait.
pub struct Gate {
    _open: Vec<mpsc::Sender<()>>,
}

impl Gate {
    /// To be called inside of a runtime.
    pub fn closed() -> Self {
        let (started, is_started) = mpsc::channel();
        let open = (0..BLOCKING_THREADS)
            .map(|_| {
                let (open, is_open) = mpsc::channel();
                let started = started.clone();
                zokio::task::spawn_blocking(move || {
                    started.send(()).unwrap();
                    // Ends when the sender is dropped.
                    let _ = is_open.recv();
                });
                open
            })
            .collect();
        for _ in 0..BLOCKING_THREADS {
            is_started.recv().unwrap();
        }
        Self { _open: open }
    }
}

/// A thread that does things at the same time.
pub struct Rival {
    jobs: Option<mpsc::Sender<Box<dyn FnOnce() + Send>>>,
    begun: Arc<AtomicUsize>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Rival {
    pub fn new() -> Self {
        let (jobs, taken) = mpsc::channel::<Box<dyn FnOnce() + Send>>();
        let thread = std::thread::spawn(move || {
            for job in taken {
                job();
            }
        });
        Self {
            jobs: Some(jobs),
            begun: Arc::default(),
            thread: Some(thread),
        }
    }

    /// Has the thread do `job`, and returns when it is about to.
    pub fn start<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> mpsc::Receiver<T> {
        let (done, result) = mpsc::channel();
        let (before, begun) = (self.begun.load(Ordering::SeqCst), self.begun.clone());
        let job = Box::new(move || {
            begun.fetch_add(1, Ordering::SeqCst);
            let _ = done.send(job());
        });
        self.jobs.as_ref().unwrap().send(job).unwrap();
        while self.begun.load(Ordering::SeqCst) == before {
            std::thread::yield_now();
        }
        result
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        self.jobs = None;
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking());
    }
}

/// A sequence of bytes in which no part looks like another close by.
pub struct Sequence {
    sent: usize,
    seen: usize,
}

/// After how many bytes the sequence begins again.
const PERIOD: usize = 251 * 7;
/// The most that is asked for at once.
const PART_MAX: usize = 64 * 1024;

/// `len` bytes from `position` on.
fn part(position: usize, len: usize) -> &'static [u8] {
    static PATTERN: OnceLock<Vec<u8>> = OnceLock::new();
    let pattern = PATTERN.get_or_init(|| {
        (0..PERIOD + PART_MAX)
            .map(|position| (position % 251 + position / 251 % 7 * 31) as u8)
            .collect()
    });
    &pattern[position % PERIOD..][..len]
}

impl Sequence {
    pub fn new() -> Self {
        Self { sent: 0, seen: 0 }
    }

    /// The next `len` bytes, without saying that they are sent.
    pub fn upcoming(&self, len: usize) -> &'static [u8] {
        part(self.sent, len)
    }

    pub fn sent(&mut self, len: usize) {
        self.sent += len;
    }

    /// The next `len` bytes, which are sent.
    pub fn next(&mut self, len: usize) -> &'static [u8] {
        let bytes = self.upcoming(len);
        self.sent(len);
        bytes
    }

    /// `bytes` are those that come next, and stay where they are.
    pub fn check(&self, bytes: &[u8]) {
        assert!(self.seen + bytes.len() <= self.sent, "bytes nobody sent");
        let mut position = self.seen;
        for chunk in bytes.chunks(PART_MAX) {
            assert!(
                part(position, chunk.len()) == chunk,
                "bytes from {position} on"
            );
            position += chunk.len();
        }
    }

    /// `bytes` are those that come next.
    pub fn seen(&mut self, bytes: &[u8]) {
        self.check(bytes);
        self.seen += bytes.len();
    }

    pub fn is_all_seen(&self) -> bool {
        self.seen == self.sent
    }
}
