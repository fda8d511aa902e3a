//! Everything at once, for a while: spawns from inside and outside, wakes across threads, aborts,
//! `block_in_place`, blocked threads that lose their core, and a shutdown in the midst of it. A
//! ledger shows that every future was dropped exactly once and no task ran after that.

use super::support::*;
use crate::block_in_place;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Poll, Waker};
use std::time::Duration;
use zokio_base::clock;
use zokio_base::rand::Rng;
use zokio_base::sync::{Mutex, thread};

#[derive(Default)]
struct Ledger {
    made: AtomicUsize,
    dropped: AtomicUsize,
    completed: AtomicUsize,
    /// Wakers of tasks that wait for somebody.
    waiting: Mutex<Vec<Waker>>,
}

/// Lives in a task's future.
struct Entry {
    ledger: Arc<Ledger>,
    polling: AtomicBool,
}

impl Entry {
    fn new(ledger: &Arc<Ledger>) -> Self {
        ledger.made.fetch_add(1, Ordering::SeqCst);
        Self {
            ledger: ledger.clone(),
            polling: AtomicBool::new(false),
        }
    }

    fn visit(&self) {
        assert!(
            !self.polling.swap(true, Ordering::SeqCst),
            "polled twice at a time"
        );
        std::hint::black_box(0);
        self.polling.store(false, Ordering::SeqCst);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        assert!(!self.polling.load(Ordering::SeqCst), "dropped while polled");
        self.ledger.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

/// Waits to be woken by anyone who looks through the ledger.
async fn wait_for_somebody(ledger: &Ledger) {
    let mut queued = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut queued, true) {
            return Poll::Ready(());
        }
        ledger.waiting.lock().push(cx.waker().clone());
        Poll::Pending
    })
    .await;
}

fn wake_some(ledger: &Ledger, count: usize) {
    let woken: Vec<_> = {
        let mut waiting = ledger.waiting.lock();
        let keep = waiting.len().saturating_sub(count);
        waiting.split_off(keep)
    };
    woken.into_iter().for_each(Waker::wake);
}

async fn act(sched: Arc<Sched>, entry: Entry, mut rng: Rng, depth: u32) {
    for _ in 0..rng.below(12) {
        entry.visit();
        match rng.below(20) {
            0..=5 => wake_myself().await,
            6..=9 => yield_now().await,
            10..=12 => wait_for_somebody(&entry.ledger).await,
            13..=15 => wake_some(&entry.ledger, 3),
            16 => block_in_place(thread::yield_now),
            17 if depth == 0 => thread::sleep(Duration::from_micros(1_500)),
            _ if depth < 4 => {
                let child = Entry::new(&entry.ledger);
                let (inner, rng) = (sched.clone(), rng.split());
                let handle = spawn(&sched, act_boxed(inner, child, rng, depth + 1));
                if depth == 3 {
                    handle.abort();
                }
            }
            _ => {}
        }
    }
    entry.ledger.completed.fetch_add(1, Ordering::SeqCst);
}

fn act_boxed(
    sched: Arc<Sched>,
    entry: Entry,
    rng: Rng,
    depth: u32,
) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(act(sched, entry, rng, depth))
}

fn stress(seed: u64, workers: usize, lasting: Duration) {
    let settings = Settings {
        threshold: Some(Duration::from_millis(1)),
        seed: Some(seed),
        ..Settings::default()
    };
    let running = Running::new(workers, settings);
    let ledger = Arc::new(Ledger::default());
    let end = Arc::new(AtomicBool::new(false));
    let outside: Vec<_> = (0..2)
        .map(|number| {
            let (sched, ledger, end) = (running.sched.clone(), ledger.clone(), end.clone());
            let mut rng = Rng::from_seed(seed ^ number);
            thread::spawn(move || {
                while !end.load(Ordering::SeqCst) {
                    if sched.spawner().alive() < 2_000 {
                        for _ in 0..20 {
                            let entry = Entry::new(&ledger);
                            drop(spawn(&sched, act(sched.clone(), entry, rng.split(), 0)));
                        }
                    }
                    wake_some(&ledger, 50);
                    thread::sleep(Duration::from_micros(200));
                }
            })
        })
        .collect();
    let start = clock::real_now();
    while start.elapsed() < lasting {
        thread::sleep(Duration::from_millis(5));
    }
    // On a busy machine nobody outside may have had a processor in that time.
    eventually(|| ledger.completed.load(Ordering::SeqCst) > 0);
    end.store(true, Ordering::SeqCst);
    for thread in outside {
        thread.join().unwrap();
    }
    // In every second run all tasks come to their end by themselves.
    if seed % 2 == 0 {
        eventually(|| {
            wake_some(&ledger, usize::MAX);
            running.sched.spawner().alive() == 0
        });
    }
    running.shut_down();
    eventually(|| running.threads.running.load(Ordering::SeqCst) == 0);
    ledger.waiting.lock().clear();
    let made = ledger.made.load(Ordering::SeqCst);
    assert_eq!(made, ledger.dropped.load(Ordering::SeqCst), "seed {seed}");
    let completed = ledger.completed.load(Ordering::SeqCst);
    println!(
        "seed {seed}: {made} tasks, {completed} completed, {:?}",
        running.sched.metrics()
    );
    assert!(completed > 0);
}

#[test]
fn nothing_is_lost_with_two_workers() {
    for seed in 0..4 {
        stress(seed, 2, Duration::from_millis(250));
    }
}

#[test]
fn nothing_is_lost_with_five_workers() {
    for seed in 10..14 {
        stress(seed, 5, Duration::from_millis(250));
    }
}

#[test]
fn nothing_is_lost_with_one_worker() {
    for seed in 20..24 {
        stress(seed, 1, Duration::from_millis(250));
    }
}
