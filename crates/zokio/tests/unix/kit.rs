//! The parts that the tests share: runtimes, wakers that count, and one poll of a future.

use std::fmt::Debug;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use zokio::runtime::{Builder, Runtime};
use zokio::time::timeout;

/// Enough for anything that is to come.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn single() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn multi() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

/// Runs a test on one thread: there, events that the system has are seen together.
pub fn run(test: impl Future<Output = ()>) {
    single().block_on(async { timeout(PATIENCE, test).await.expect("the test hangs") });
}

/// Runs a test on one thread, and on several.
pub fn on_both<F: Future<Output = ()>>(test: impl Fn() -> F) {
    for runtime in [single(), multi()] {
        runtime.block_on(async { timeout(PATIENCE, test()).await.expect("the test hangs") });
    }
}

/// Returns when the runtime of this thread, its only one, has seen all events that the system had so far.
pub async fn settle() {
    let (near, far) = zokio::net::UnixStream::pair().unwrap();
    assert!(now(near.readable()).is_none());
    far.try_write(b"x").unwrap();
    near.readable().await.unwrap();
}

/// Polls a future once. Returns its output, if it is ready.
pub fn now<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Counts how often it is woken.
#[derive(Default)]
pub struct Counter(AtomicUsize);

impl Counter {
    pub fn new() -> (Arc<Counter>, Waker) {
        let counter = Arc::new(Counter::default());
        let waker = Waker::from(counter.clone());
        (counter, waker)
    }

    pub fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// How often it was woken since the last call.
    #[cfg(target_os = "linux")]
    pub fn take_count(&self) -> usize {
        self.0.swap(0, Ordering::SeqCst)
    }
}

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[track_caller]
pub fn assert_kind<T: Debug>(result: io::Result<T>, kind: ErrorKind) {
    match result {
        Err(error) => assert_eq!(error.kind(), kind, "{error}"),
        Ok(value) => panic!("expected an error, got {value:?}"),
    }
}

#[track_caller]
pub fn assert_would_block<T: Debug>(result: io::Result<T>) {
    assert_kind(result, ErrorKind::WouldBlock);
}

/// A folder, and the path of something in it that is not there yet.
pub fn path(name: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    (folder, path)
}

/// A name of the abstract namespace that nobody else has.
#[cfg(target_os = "linux")]
pub fn abstract_name(part: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let unique = folder.path().file_name().unwrap().to_str().unwrap();
    format!("zokio-{part}-{}-{unique}", std::process::id())
}
