//! The parts that the tests of the whole scheduler share: a park, a host for threads, a ledger.

use crate::{Policy, Scheduler, StallReport, ThreadHost};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use zokio_base::park::{Park, Unpark, WakeSink};
use zokio_base::parker::{Parker, Unparker};
use zokio_base::sync::{Mutex, thread};

/// A park without any events of its own.
pub(super) struct Still {
    parker: Parker,
    pub(super) shut: Arc<AtomicUsize>,
}

impl Still {
    pub(super) fn new() -> Self {
        Self {
            parker: Parker::new(),
            shut: Arc::default(),
        }
    }

    pub(super) fn several(count: usize) -> Vec<Self> {
        (0..count).map(|_| Self::new()).collect()
    }
}

#[derive(Clone)]
pub(super) struct StillUnpark(Unparker);

impl Unpark for StillUnpark {
    fn unpark(&self) {
        self.0.unpark();
    }
}

impl Park for Still {
    type Unpark = StillUnpark;

    fn unparker(&self) -> StillUnpark {
        StillUnpark(self.parker.unparker())
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn poll<S: WakeSink>(&mut self, _sink: &mut S) {}

    fn park<S: WakeSink>(&mut self, limit: Option<Duration>, _sink: &mut S) {
        match limit {
            None => self.parker.park(),
            Some(limit) => {
                self.parker.park_timeout(limit);
            }
        }
    }

    fn leave<S: WakeSink>(&mut self, _sink: &mut S) {}

    fn shutdown<S: WakeSink>(&mut self, _deadline: Option<Instant>, _sink: &mut S) {
        self.shut.fetch_add(1, Ordering::SeqCst);
    }
}

/// A host that starts a thread for each job.
#[derive(Default)]
pub(super) struct Threads {
    pub(super) started: AtomicUsize,
    pub(super) running: Arc<AtomicUsize>,
    pub(super) refuse: AtomicBool,
    /// Threads come only after this is cleared.
    pub(super) delay: Arc<AtomicBool>,
    /// Threads that are late.
    pub(super) late: Arc<AtomicUsize>,
}

impl ThreadHost for Threads {
    fn host(&self, job: Box<dyn FnOnce() + Send>) -> io::Result<()> {
        if self.refuse.load(Ordering::SeqCst) {
            return Err(io::Error::other("no thread for you"));
        }
        self.started.fetch_add(1, Ordering::SeqCst);
        let running = self.running.clone();
        running.fetch_add(1, Ordering::SeqCst);
        let (delay, late) = (self.delay.clone(), self.late.clone());
        late.fetch_add(1, Ordering::SeqCst);
        thread::Builder::new()
            .spawn(move || {
                while delay.load(Ordering::SeqCst) {
                    thread::sleep(Duration::from_millis(1));
                }
                late.fetch_sub(1, Ordering::SeqCst);
                job();
                running.fetch_sub(1, Ordering::SeqCst);
            })
            .map(drop)
    }
}

/// Settings that a test may change, and the stalls that were reported.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) threshold: Option<Duration>,
    pub(super) seed: Option<u64>,
    pub(super) lifo: bool,
    pub(super) spin: Option<Duration>,
    pub(super) detached_max: usize,
    pub(super) stalls: Arc<Mutex<Vec<StallReport>>>,
    pub(super) panics: Arc<AtomicUsize>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            threshold: None,
            seed: None,
            lifo: true,
            spin: None,
            detached_max: crate::DETACHED_MAX,
            stalls: Arc::default(),
            panics: Arc::default(),
        }
    }
}

impl Policy for Settings {
    fn stall_threshold(&self) -> Option<Duration> {
        self.threshold
    }
    fn seed(&self) -> Option<u64> {
        self.seed
    }
    fn lifo_slot(&self) -> bool {
        self.lifo
    }
    fn spin(&self) -> Option<Duration> {
        self.spin
    }
    fn detached_max(&self) -> usize {
        self.detached_max
    }
    fn report_stalls(&self) -> bool {
        true
    }
    fn on_stall(&self, report: &StallReport) {
        self.stalls.lock().push(report.clone());
    }
    fn on_task_panic(&self, _payload: &(dyn std::any::Any + Send)) {
        self.panics.fetch_add(1, Ordering::SeqCst);
    }
}

pub(super) type Sched = Scheduler<Still, Settings>;

/// A started multi-thread scheduler that is shut down when dropped.
pub(super) struct Running {
    pub(super) sched: Arc<Sched>,
    pub(super) threads: Arc<Threads>,
}

impl Running {
    pub(super) fn new(workers: usize, settings: Settings) -> Self {
        let threads = Arc::new(Threads::default());
        let sched = Scheduler::multi_thread(Still::several(workers), settings, threads.clone());
        sched.start().unwrap();
        Self { sched, threads }
    }

    pub(super) fn shut_down(&self) {
        self.sched.begin_shutdown();
        assert!(self.sched.wait_shutdown(Some(Duration::from_secs(20))));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.shut_down();
        }
    }
}

/// Spawns on `sched`.
#[track_caller]
pub(super) fn spawn<F>(sched: &Sched, future: F) -> zokio_task::JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    sched.spawner().spawn(future, zokio_task::SpawnMeta::new())
}

/// Waits for `future` on this thread.
pub(super) fn wait<F: Future>(future: F) -> F::Output {
    zokio_task::block_on::block_on(future)
}

/// Lets the others run first.
pub(super) async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return std::task::Poll::Ready(());
        }
        zokio_task::context::defer(cx.waker());
        std::task::Poll::Pending
    })
    .await;
}

/// Is woken by itself, at once, behind the others.
pub(super) async fn wake_myself() {
    let mut woken = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut woken, true) {
            return std::task::Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

/// Waits until `done` says so, and panics after a while.
#[track_caller]
pub(super) fn eventually(done: impl Fn() -> bool) {
    let start = zokio_base::clock::real_now();
    while !done() {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "this should have happened by now"
        );
        thread::yield_now();
    }
}
