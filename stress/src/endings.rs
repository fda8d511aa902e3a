//! Many short runtimes, each with tasks that block, hand their worker over and nest calls, and each
//! ended at another moment of its life.
//!
//! A round builds a runtime with few workers, a stall threshold of a few milliseconds and threads that
//! go soon, spawns trees of tasks that stall on purpose, and then waits for all of them, or drops the
//! runtime in their midst. A thread that is not the runtime's wakes and spawns until the end.
//!
//! Checked after each round: every future was dropped exactly once when the drop of the runtime has
//! returned, and every task of a round that was waited for ran to its end. A round that does not end
//! within [`STALL_LIMIT`] ends the process.
//!
//! A task whose runtime ends in its midst may panic: its timer or its message will never come. Such a
//! panic belongs to the round and is not printed. In a round that is waited for, the join reports it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::{Duration, Instant};

use zokio::runtime::{Builder, Handle, Runtime};
use zokio::sync::mpsc;
use zokio::task::{block_in_place, spawn_blocking, yield_now};
use zokio::time::{sleep, timeout};

use crate::storm::{Choices, STALL_LIMIT};

/// How deep a tree of tasks grows.
const DEPTH_MAX: u32 = 3;

/// The totals of all rounds.
#[derive(Debug, Default)]
pub struct Endings {
    /// Runtimes that were built and ended.
    pub rounds: u64,
    /// Tasks that ran to their end in rounds that were waited for.
    pub finished: u64,
    /// Stalled polls whose core another thread took over.
    pub contained: u64,
}

#[derive(Debug, Default)]
struct Books {
    made: AtomicU64,
    dropped: AtomicU64,
    finished: AtomicU64,
}

struct Entry(Arc<Books>);

impl Entry {
    fn new(books: &Arc<Books>) -> Self {
        books.made.fetch_add(1, SeqCst);
        Self(books.clone())
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, SeqCst);
    }
}

/// Runs rounds for that time.
///
/// # Panics
///
/// If a future outlived its runtime or a task did not run to its end. If a round takes longer than
/// [`STALL_LIMIT`], the process is aborted.
pub fn endings(seed: u64, time: Duration) -> Endings {
    silence_workers();
    let mut choices = Choices::new(seed);
    let mut sum = Endings::default();
    let started = Instant::now();
    while started.elapsed() < time {
        let (over, watcher) = watch(seed, sum.rounds);
        round(&mut choices, &mut sum);
        drop(over);
        watcher.join().expect("the watcher only waits");
        sum.rounds += 1;
    }
    sum
}

/// Prints no panics of the runtimes' own threads.
fn silence_workers() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let is_worker = thread::current()
            .name()
            .is_some_and(|name| name.starts_with("zokio-"));
        if !is_worker {
            print(info);
        }
    }));
}

/// Aborts the process if the round is not over in time: when the sender is dropped.
fn watch(seed: u64, round: u64) -> (std::sync::mpsc::Sender<()>, thread::JoinHandle<()>) {
    let (over, is_over) = std::sync::mpsc::channel();
    let watcher = thread::spawn(move || {
        if is_over.recv_timeout(STALL_LIMIT) == Err(RecvTimeoutError::Timeout) {
            eprintln!("round {round} of seed {seed} does not end");
            std::process::abort();
        }
    });
    (over, watcher)
}

fn round(choices: &mut Choices, sum: &mut Endings) {
    let books = Arc::new(Books::default());
    let runtime = Builder::new_multi_thread()
        .worker_threads(1 + choices.below(3) as usize)
        .stall_threshold(Duration::from_millis(1 + choices.below(3)))
        .thread_keep_alive(Duration::from_millis(choices.below(4)))
        .enable_all()
        .build()
        .expect("a runtime can be built");
    let mut tasks: Vec<_> = (0..20 + choices.below(60))
        .map(|_| runtime.spawn(tree(books.clone(), choices.fork(), 0)))
        .collect();
    if choices.below(2) == 0 {
        for task in tasks.drain(..) {
            runtime.block_on(task).expect("it ran to its end");
            sum.finished += 1;
        }
    } else {
        call_from_outside(&runtime, &books, choices.fork());
        drop(tasks);
    }
    sum.contained += runtime.metrics().stall_contained_count();
    if choices.below(3) == 0 {
        runtime.shutdown_timeout(STALL_LIMIT);
    } else {
        drop(runtime);
    }
    let (made, dropped) = (books.made.load(SeqCst), books.dropped.load(SeqCst));
    assert_eq!(made, dropped, "no future outlives its runtime");
}

/// Lets the round go on for a while, in which it is called from outside.
fn call_from_outside(runtime: &Runtime, books: &Arc<Books>, mut choices: Choices) {
    let until = Instant::now() + Duration::from_millis(choices.below(30));
    while Instant::now() < until {
        drop(runtime.spawn(tree(books.clone(), choices.fork(), DEPTH_MAX)));
        thread::sleep(Duration::from_micros(choices.below(2000)));
    }
}

fn tree(
    books: Arc<Books>,
    mut choices: Choices,
    depth: u32,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    let entry = Entry::new(&books);
    Box::pin(async move {
        let entry = entry;
        for _ in 0..=choices.below(4) {
            one_thing(&books, &mut choices, depth).await;
        }
        books.finished.fetch_add(1, SeqCst);
        drop(entry);
    })
}

async fn one_thing(books: &Arc<Books>, choices: &mut Choices, depth: u32) {
    let pause = Duration::from_micros(choices.below(4000));
    match choices.below(8) {
        0 => thread::sleep(pause),
        1 => block_in_place(|| {
            thread::sleep(pause);
            block_in_place(|| ());
        }),
        2 => sleep(pause).await,
        3 => yield_now().await,
        4 if depth < DEPTH_MAX => {
            let child = zokio::spawn(tree(books.clone(), choices.fork(), depth + 1));
            match choices.below(3) {
                0 => child.abort(),
                1 => drop(child),
                _ => child.await.expect("it ran to its end"),
            }
        }
        5 => spawn_blocking(move || thread::sleep(pause / 8))
            .await
            .expect("it has begun or is queued"),
        6 => block_in_place(|| {
            Handle::current().block_on(async {
                sleep(pause / 8).await;
                block_in_place(|| ());
            });
        }),
        _ => messages(books, choices.fork()).await,
    }
}

/// A sender in a task of its own, and a receiver that blocks its thread now and then.
async fn messages(books: &Arc<Books>, mut choices: Choices) {
    const COUNT: u64 = 5;
    let (sender, mut receiver) = mpsc::channel::<u64>(2);
    let entry = Entry::new(books);
    drop(zokio::spawn(async move {
        let _entry = entry;
        for number in 0..COUNT {
            if sender.send(number).await.is_err() {
                break;
            }
        }
    }));
    for expected in 0..COUNT {
        let came = timeout(STALL_LIMIT, receiver.recv()).await;
        assert_eq!(came.expect("no message is lost"), Some(expected));
        if choices.below(4) == 0 {
            thread::sleep(Duration::from_millis(3));
        }
    }
}
