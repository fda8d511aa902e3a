//! A storm over the public API on many threads for a bounded time, with a ledger that must balance.
//!
//! How it works: [`storm`] builds a runtime and starts families of tasks (`families.rs`, `blocking.rs`), each
//! of which chooses what to do next from a seeded generator, until the time is over. Then the
//! families that have an end are waited for, the rest is cut off by dropping the runtime, and the
//! books are checked:
//!
//! 1. Every future that was made was dropped, exactly once ([`Ledger::guard`]).
//! 2. Every task that was not aborted ran to its end; a join says what happened.
//! 3. Every byte that a peer confirmed is the byte that was sent.
//! 4. Nothing hangs: a part that makes no progress for [`STALL_LIMIT`] ends the process.
//!
//! The seed fixes the choices, not the schedule: the threads are real. It is run plain, under
//! ThreadSanitizer (`cargo xtask tsan`) and as a test.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use crate::families;

/// How long the storm may go without any progress.
pub const STALL_LIMIT: Duration = Duration::from_secs(30);

/// The run's settings.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Where the choices come from.
    pub seed: u64,
    /// How long the families go on.
    pub time: Duration,
    /// Worker threads of the runtime.
    pub workers: usize,
    /// Every family with its sockets, or without.
    pub sockets: bool,
}

impl Options {
    /// Where the storm puts its files.
    pub(crate) fn folder(&self) -> PathBuf {
        let name = format!("zokio-stress-{}-{}", std::process::id(), self.seed);
        std::env::temp_dir().join(name)
    }
}

/// The books of one storm.
#[derive(Debug, Default)]
pub struct Ledger {
    made: AtomicU64,
    dropped: AtomicU64,
    finished: AtomicU64,
    aborted: AtomicU64,
    bytes: AtomicU64,
    stop: AtomicBool,
}

/// Entered in the books when made, struck out when dropped.
#[derive(Debug)]
pub struct Guard {
    ledger: Arc<Ledger>,
    number: u64,
}

impl Guard {
    /// Which guard of its ledger this is.
    pub fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.ledger.dropped.fetch_add(1, SeqCst);
    }
}

impl Ledger {
    /// Something that must be dropped once.
    pub fn guard(self: &Arc<Self>) -> Guard {
        Guard {
            number: self.made.fetch_add(1, SeqCst),
            ledger: self.clone(),
        }
    }

    pub(crate) fn stopped(&self) -> bool {
        self.stop.load(SeqCst)
    }

    pub(crate) fn finish(&self) {
        self.finished.fetch_add(1, SeqCst);
    }

    pub(crate) fn abort(&self) {
        self.aborted.fetch_add(1, SeqCst);
    }

    pub(crate) fn add_bytes(&self, count: usize) {
        self.bytes.fetch_add(count as u64, SeqCst);
    }

    fn progress(&self) -> u64 {
        [
            &self.made,
            &self.dropped,
            &self.finished,
            &self.aborted,
            &self.bytes,
        ]
        .iter()
        .map(|count| count.load(SeqCst))
        .fold(0, u64::wrapping_add)
    }

    /// One line for people.
    pub fn summary(&self) -> String {
        let read = |count: &AtomicU64| count.load(SeqCst);
        format!(
            "{} futures made and dropped, {} finished, {} aborted, {} bytes there and back",
            read(&self.made),
            read(&self.finished),
            read(&self.aborted),
            read(&self.bytes)
        )
    }

    fn check(&self) {
        let (made, dropped) = (self.made.load(SeqCst), self.dropped.load(SeqCst));
        assert_eq!(made, dropped, "each future is dropped exactly once");
        assert!(self.finished.load(SeqCst) > 0, "something ran to its end");
        assert!(self.aborted.load(SeqCst) > 0, "something was aborted");
    }
}

/// A small generator: the choices of a storm.
#[derive(Debug, Clone)]
pub(crate) struct Choices(u64);

impl Choices {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(crate) fn fork(&mut self) -> Self {
        Self::new(self.next())
    }
}

/// Runs one storm and checks its books.
///
/// # Panics
///
/// When the books do not balance, or when nothing moves for [`STALL_LIMIT`].
pub fn storm(options: Options) -> Arc<Ledger> {
    let ledger = Arc::new(Ledger::default());
    let ended = watch(ledger.clone(), options);
    std::fs::create_dir_all(options.folder()).expect("there is a folder for scratch files");
    let runtime = zokio::runtime::Builder::new_multi_thread()
        .worker_threads(options.workers)
        .enable_all()
        .build()
        .expect("a runtime can be built");
    let mut choices = Choices::new(options.seed);
    let threads = families::start_threads(&runtime, &ledger, &mut choices);
    runtime.block_on(families::run(&ledger, options, &mut choices));
    for thread in threads {
        thread
            .join()
            .expect("a thread outside of the runtime does not panic");
    }
    // Tasks are still pending here, on purpose: the drop must end them.
    drop(runtime);
    ended.store(true, SeqCst);
    // Fails if an operation that was cut off makes its file just now; it is the system's then.
    let _ = std::fs::remove_dir_all(options.folder());
    ledger.check();
    ledger
}

/// Ends the families after the time, and the process when nothing moves.
fn watch(ledger: Arc<Ledger>, options: Options) -> Arc<AtomicBool> {
    let ended = Arc::new(AtomicBool::new(false));
    let flag = ended.clone();
    std::thread::spawn(move || {
        let started = Instant::now();
        let (mut last, mut moved) = (0, Instant::now());
        while !flag.load(SeqCst) {
            std::thread::sleep(Duration::from_millis(20));
            if started.elapsed() >= options.time {
                ledger.stop.store(true, SeqCst);
            }
            if ledger.progress() != last {
                (last, moved) = (ledger.progress(), Instant::now());
            } else if moved.elapsed() > STALL_LIMIT {
                eprintln!("stalled with seed {}: {}", options.seed, ledger.summary());
                std::process::abort();
            }
        }
    });
    ended
}
