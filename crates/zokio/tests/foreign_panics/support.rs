//! Panics that are expected, the runtime under test, and the table of what was reached.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use zokio::runtime::{Builder, Runtime};

/// For what must happen: much longer than it takes on a loaded machine.
const LONG: Duration = Duration::from_secs(60);

/// The payload of all panics of the tests.
pub(crate) struct Expected;

/// Panics, and counts that in `reached`.
pub(crate) fn fall(reached: &AtomicU64) -> ! {
    reached.fetch_add(1, Ordering::SeqCst);
    panic_any(Expected);
}

/// A value whose destructor panics.
pub(crate) struct Value(pub(crate) Arc<AtomicU64>);

impl Drop for Value {
    fn drop(&mut self) {
        fall(&self.0);
    }
}

/// Keeps expected panics out of the output, where they would hide those that are not.
pub(crate) fn hide_expected() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !info.payload().is::<Expected>() && !info.payload().is::<Value>() {
            report(info);
        }
    }));
}

/// Whether `f` ends with an expected panic. Any other panic goes on.
pub(crate) fn falls<R>(f: impl FnOnce() -> R) -> bool {
    match catch_unwind(AssertUnwindSafe(|| drop(f()))) {
        Ok(()) => false,
        Err(payload) => {
            expect(payload);
            true
        }
    }
}

/// Asserts that a payload is an expected one.
pub(crate) fn expect(payload: Box<dyn Any + Send>) {
    if !payload.is::<Expected>() {
        std::panic::resume_unwind(payload);
    }
}

/// Drops what a call returned, whatever it is.
pub(crate) fn ignore<T>(_: T) {}

/// Polls a future once that has to be ready.
#[track_caller]
pub(crate) fn now<F: Future>(future: F) -> F::Output {
    let mut future = Box::pin(future);
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it is to be ready"),
    }
}

/// Waits until `condition` holds.
#[track_caller]
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < LONG, "in vain: {what}");
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// A runtime with a heartbeat.
pub(crate) struct Host {
    runtime: Option<Runtime>,
    beats: Arc<AtomicU64>,
}

impl Host {
    pub(crate) fn new() -> Self {
        Self::with(Builder::new_multi_thread().worker_threads(2))
    }

    pub(crate) fn with(builder: &mut Builder) -> Self {
        let runtime = builder.enable_all().build().unwrap();
        let beats = Arc::new(AtomicU64::new(0));
        let count = beats.clone();
        runtime.spawn(async move {
            loop {
                zokio::time::sleep(Duration::from_millis(1)).await;
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self {
            runtime: Some(runtime),
            beats,
        }
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().unwrap()
    }

    /// The runtime goes on: timers fire, tasks run on every worker, blocking calls are served.
    #[track_caller]
    pub(crate) fn is_alive(&self) {
        let before = self.beats.load(Ordering::SeqCst);
        until("a heartbeat", || self.beats.load(Ordering::SeqCst) > before);
        let tasks: Vec<_> = (0..4)
            .map(|n| self.runtime().spawn(async move { n }))
            .collect();
        let blocking = self.runtime().spawn_blocking(|| 4);
        let sum: usize = self.runtime().block_on(async {
            let mut sum = blocking.await.unwrap();
            for task in tasks {
                sum += task.await.unwrap();
            }
            sum
        });
        assert_eq!(sum, 10);
    }

    /// Ends the runtime, which has to be quick.
    pub(crate) fn end(mut self) {
        let runtime = self.runtime.take().unwrap();
        let begun = Instant::now();
        // Waits without a limit: the time-out of the test would name a hang.
        drop(runtime);
        assert!(begun.elapsed() < LONG, "the end took {:?}", begun.elapsed());
    }
}

/// How often which callback was reached at which site.
#[derive(Default)]
pub(crate) struct Table {
    rows: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
}

impl Table {
    pub(crate) fn add(&mut self, site: &'static str, callback: &'static str, reached: u64) {
        *self
            .rows
            .entry(site)
            .or_default()
            .entry(callback)
            .or_default() += reached;
    }

    /// Prints the table. Fails if a cell that was added was never reached.
    #[track_caller]
    pub(crate) fn show(&self, family: &str) {
        let mut text = format!("coverage of {family}:\n");
        let mut missing = Vec::new();
        let mut cells = 0;
        for (site, row) in &self.rows {
            let _ = write!(text, "  {site:<44}");
            for (callback, reached) in row {
                let _ = write!(text, " {callback} {reached:<4}");
                cells += 1;
                if *reached == 0 {
                    missing.push(format!("{site}: {callback}"));
                }
            }
            text.push('\n');
        }
        println!("{text}  {} sites, {cells} cells", self.rows.len());
        assert!(missing.is_empty(), "not reached: {missing:#?}");
        assert!(!self.rows.is_empty());
    }
}
