//! Runtimes to compare, what is seen of a step, signals, and processes of a test's own.

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use std::io;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use zokio::runtime::{Builder, IoMode, Runtime};

/// The outcome of a step.
#[derive(Clone, PartialEq, Eq)]
pub enum Seen {
    Done,
    Number(u64),
    Bytes(Vec<u8>),
    Text(String),
    /// The kind, and the system's number.
    Error(io::ErrorKind, Option<i32>),
    /// The step makes no sense here, in any world.
    Skipped,
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Done => write!(f, "Done"),
            Self::Number(number) => write!(f, "Number({number})"),
            Self::Bytes(bytes) => {
                let sum = bytes.iter().fold(0_u32, |sum, byte| {
                    sum.rotate_left(5).wrapping_add((*byte).into())
                });
                let first = &bytes[..bytes.len().min(16)];
                write!(f, "{} Bytes, sum {sum:x}, {first:?}", bytes.len())
            }
            Self::Text(text) => write!(f, "Text({:?})", text.get(..200).unwrap_or(text)),
            Self::Error(kind, number) => write!(f, "Error({kind:?}, {number:?})"),
            Self::Skipped => write!(f, "Skipped"),
        }
    }
}

impl Seen {
    pub fn of<T>(result: io::Result<T>, ok: impl FnOnce(T) -> Self) -> Self {
        match result {
            Ok(value) => ok(value),
            // A side that would wait need not have asked the system.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Self::Error(error.kind(), None)
            }
            Err(error) => Self::Error(error.kind(), error.raw_os_error()),
        }
    }

    pub fn unit(result: io::Result<()>) -> Self {
        Self::of(result, |()| Self::Done)
    }

    pub fn text<T: std::fmt::Debug>(result: io::Result<T>) -> Self {
        Self::of(result, |value| Self::Text(format!("{value:?}")))
    }

    pub fn number<T: TryInto<u64>>(result: io::Result<T>) -> Self {
        Self::of(result, |value| Self::Number(value.try_into().ok().unwrap()))
    }
}

/// Which errors were seen, so that a test knows that it met those it is about.
#[derive(Default)]
pub struct Tally(std::collections::BTreeMap<String, u64>);

impl Tally {
    pub fn count(&mut self, seen: &[Seen]) {
        for seen in seen {
            let name = match seen {
                Seen::Error(kind, _) => format!("{kind:?}"),
                Seen::Skipped => "skipped".to_owned(),
                _ => "done".to_owned(),
            };
            *self.0.entry(name).or_default() += 1;
        }
    }

    /// Each of these was met.
    pub fn has(&self, what: &str, kinds: &[io::ErrorKind]) {
        println!("{what}: {:?}", self.0);
        for kind in kinds {
            let name = format!("{kind:?}");
            assert!(self.0.contains_key(&name), "{what}: never met {name}");
        }
    }
}

/// Every step was seen to do what is expected.
pub fn check<S: std::fmt::Debug>(side: &Side, steps: &[S], seen: &[Seen], expected: &[Seen]) {
    assert_eq!(seen.len(), expected.len());
    for ((step, seen), expected) in steps.iter().zip(seen).zip(expected) {
        assert_eq!(seen, expected, "{} at {step:?}", side.name);
    }
}

/// A runtime and what to call it.
pub struct Side {
    pub name: String,
    pub mode: IoMode,
    pub runtime: Runtime,
}

impl Side {
    /// Runs `work` as a task, on a worker.
    pub fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        let bounded = async { zokio::time::timeout(Duration::from_secs(10), work).await };
        let task = self.runtime.spawn(bounded);
        let ended = self.runtime.block_on(task).unwrap();
        ended.unwrap_or_else(|_| panic!("hangs on {}", self.name))
    }

    /// As [`run`](Self::run), and waits until every descriptor that `work` had is closed. Memory and
    /// descriptors of an operation that was given up are the kernel's until its completion is taken, a moment
    /// after the future is gone. A descriptor that comes back then would be one too many for a later run that
    /// is to find none.
    pub fn run_to_the_last_close<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let before = descriptors();
        let seen = self.run(work);
        let begun = Instant::now();
        while descriptors() > before {
            let left = || format!("{}: {:?}", self.name, descriptors());
            assert!(begun.elapsed() < Duration::from_secs(20), "{}", left());
            self.run(zokio::task::yield_now());
        }
        seen
    }
}

/// How many descriptors of this process are open, not counting those that runtimes make for themselves when
/// they first need them (rings, sets and bells are anonymous inodes).
fn descriptors() -> usize {
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    let target = |entry: io::Result<std::fs::DirEntry>| std::fs::read_link(entry.ok()?.path()).ok();
    open.filter_map(target)
        .filter(|target| !target.to_string_lossy().starts_with("anon_inode:"))
        .count()
}

/// Runtimes with a ring and without, of one worker and of two.
pub fn runtimes() -> Vec<Side> {
    runtimes_with(|_| ())
}

/// As [`runtimes`], without the monitor: it reads files of `/proc` when a poll takes long, as it may on a busy
/// machine, and each of them is a descriptor that is open for a moment. A test that takes every descriptor
/// would miss this one, and find it free afterwards.
pub fn runtimes_without_monitor() -> Vec<Side> {
    runtimes_with(|builder| {
        builder.stall_threshold(None);
    })
}

fn runtimes_with(set_up: impl Fn(&mut Builder)) -> Vec<Side> {
    let mut sides = Vec::new();
    for mode in [IoMode::Uring, IoMode::Epoll] {
        for workers in [1, 2] {
            let mut builder = if workers == 1 {
                Builder::new_current_thread()
            } else {
                Builder::new_multi_thread()
            };
            if workers == 2 {
                builder.worker_threads(workers);
            }
            set_up(&mut builder);
            let runtime = match builder.io_mode(mode).enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) if mode == IoMode::Uring => {
                    println!("without a ring: {error}");
                    continue;
                }
                Err(error) => panic!("{error}"),
            };
            let name = format!("{mode:?}/{workers}");
            sides.push(Side {
                name,
                mode,
                runtime,
            });
        }
    }
    assert!(sides.len() >= 2);
    sides
}

fn number_from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |word| word.parse().expect(name))
}

/// Runs `test` on what `strategy` makes, fewer and fewer steps once it fails.
pub fn for_each<S: Strategy>(what: &str, cases: u32, strategy: &S, mut test: impl FnMut(S::Value))
where
    S::Value: std::fmt::Debug + Clone,
{
    let cases = number_from_environment("ZOKIO_DIFFERENTIAL_CASES", cases.into());
    let seed = number_from_environment("ZOKIO_DIFFERENTIAL_SEED", 1);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases: u32::try_from(cases).unwrap(),
        failure_persistence: None,
        max_shrink_iters: 2_000,
        max_shrink_time: 20_000,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let test = std::cell::RefCell::new(&mut test);
    let ended = TestRunner::new_with_rng(config, rng).run(strategy, |value| {
        (test.borrow_mut())(value);
        Ok(())
    });
    match ended {
        Ok(()) => {}
        Err(TestError::Fail(why, value)) => {
            panic!("{what}: ZOKIO_DIFFERENTIAL_SEED={seed}: {value:?}: {why}")
        }
        Err(TestError::Abort(why)) => panic!("{what}: {why}"),
    }
}

/// Signals for every thread but the one that made this, as fast as they are taken, until dropped.
pub struct Storm {
    is_over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<u64>>,
}

extern "C" fn ignore(_: libc::c_int) {}

impl Storm {
    /// Begins. The calling thread, which makes the blocking calls, is left in peace.
    #[allow(unsafe_code)]
    pub fn begin() -> Self {
        // SAFETY: all zeros is an action; the handler does nothing, which is safe at any moment. No
        // flags: calls that wait are interrupted.
        let me = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = ignore as extern "C" fn(libc::c_int) as usize;
            assert_eq!(
                libc::sigaction(libc::SIGUSR2, &action, std::ptr::null_mut()),
                0
            );
            libc::gettid()
        };
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        let thread = std::thread::spawn(move || {
            let mut sent = 0;
            // SAFETY: asks for a number.
            let storm = unsafe { libc::gettid() };
            while !over.load(Ordering::SeqCst) {
                for entry in std::fs::read_dir("/proc/self/task").unwrap() {
                    let Ok(entry) = entry else { continue };
                    let id: i32 = entry.file_name().to_str().unwrap().parse().unwrap();
                    if id == me || id == storm {
                        continue;
                    }
                    // SAFETY: a signal with a handler, to a thread of this process if it still is.
                    let result = unsafe {
                        libc::syscall(libc::SYS_tgkill, std::process::id(), id, libc::SIGUSR2)
                    };
                    sent += u64::from(result == 0);
                }
                std::thread::sleep(Duration::from_micros(100));
            }
            sent
        });
        Self {
            is_over,
            thread: Some(thread),
        }
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        let sent = self.thread.take().unwrap().join();
        if !std::thread::panicking() {
            let sent = sent.unwrap();
            println!("{sent} signals");
            assert!(sent > 0, "there was no storm");
        }
    }
}

const CHILD: &str = "ZOKIO_DIFFERENTIAL_CHILD";

/// Runs `body` in a process of its own, which may change what holds for a whole process: runs this
/// test, whose full name is `name`, once more there.
pub fn in_child(name: &str, body: impl FnOnce()) {
    if std::env::var(CHILD).is_ok_and(|child| child == name) {
        body();
        println!("{name} was run");
        return;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(CHILD, name)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    print!("{text}");
    assert!(
        output.status.success() && text.contains(&format!("{name} was run")),
        "{}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Lowers a limit of this process.
#[allow(unsafe_code)]
pub fn limit(resource: libc::__rlimit_resource_t, to: u64) {
    let mut limits = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limits` is valid for writes, and then for reads.
    unsafe {
        assert_eq!(libc::getrlimit(resource, &mut limits), 0);
        limits.rlim_cur = to;
        assert_eq!(libc::setrlimit(resource, &limits), 0);
    }
}
