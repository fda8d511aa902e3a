//! Many tasks, several runners, and threads that wake, abort, join and drop at random, with a
//! ledger of every future and every output.

use super::spawn;
use crate::testing::{Count, Ledger, Queue, Tracked, poll_join};
use crate::{AbortHandle, JoinHandle, Notified, Schedule, Shard};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use zokio_base::rand::Rng;
use zokio_base::sync::{Mutex, thread};

/// Polls at random: wakes itself, hands its waker out, panics, or is ready.
struct Restless {
    rng: Rng,
    polls_left: u32,
    wakers: Arc<Mutex<Vec<Waker>>>,
    ledger: Arc<Ledger>,
    _entry: Tracked,
}

impl Future for Restless {
    type Output = Tracked;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Tracked> {
        if self.polls_left == 0 {
            if self.rng.below(8) == 0 {
                std::panic::resume_unwind(Box::new("stress"));
            }
            return Poll::Ready(self.ledger.entry());
        }
        self.polls_left -= 1;
        match self.rng.below(3) {
            0 => cx.waker().wake_by_ref(),
            1 => self.wakers.lock().push(cx.waker().clone()),
            _ => {
                let mut wakers = self.wakers.lock();
                wakers.push(cx.waker().clone());
                wakers.push(cx.waker().clone());
            }
        }
        Poll::Pending
    }
}

struct Stage {
    queue: Arc<Queue>,
    shards: Vec<Arc<Shard>>,
    wakers: Arc<Mutex<Vec<Waker>>>,
    joins: Mutex<Vec<JoinHandle<Tracked>>>,
    aborts: Mutex<Vec<AbortHandle>>,
    ledger: Arc<Ledger>,
    done: AtomicBool,
    outputs: AtomicUsize,
}

impl Stage {
    fn spawn_some(&self, rng: &mut Rng, count: u32) {
        for _ in 0..count {
            let shard = &self.shards[rng.below(self.shards.len() as u32) as usize];
            let future = Restless {
                rng: rng.split(),
                polls_left: rng.below(6),
                wakers: self.wakers.clone(),
                ledger: self.ledger.clone(),
                _entry: self.ledger.entry(),
            };
            let join = spawn(&self.queue, shard, future);
            match rng.below(4) {
                0 => drop(join),
                1 => {
                    self.aborts.lock().push(join.abort_handle());
                    self.joins.lock().push(join);
                }
                _ => self.joins.lock().push(join),
            }
        }
    }

    /// One random thing that a bystander may do.
    fn meddle(&self, rng: &mut Rng) {
        match rng.below(12) {
            0..=2 => {
                let waker = take_any(&self.wakers, rng);
                if let Some(waker) = waker {
                    match rng.below(3) {
                        0 => waker.wake(),
                        1 => waker.wake_by_ref(),
                        _ => {
                            let other = waker.clone();
                            drop(waker);
                            other.wake();
                        }
                    }
                }
            }
            3 => {
                if let Some(abort) = take_any(&self.aborts, rng) {
                    abort.abort();
                }
            }
            4 => drop(take_any(&self.joins, rng)),
            5..=7 => {
                self.queue.run_one();
            }
            8 => thread::yield_now(),
            _ => {
                if let Some(mut join) = take_any(&self.joins, rng) {
                    let waker = Arc::new(Count::default()).waker();
                    match poll_join(&mut join, &waker) {
                        Poll::Ready(Ok(_)) => {
                            self.outputs.fetch_add(1, Ordering::Relaxed);
                        }
                        Poll::Ready(Err(_)) => {}
                        Poll::Pending => self.joins.lock().push(join),
                    }
                }
            }
        }
    }
}

fn take_any<T>(from: &Mutex<Vec<T>>, rng: &mut Rng) -> Option<T> {
    let mut from = from.lock();
    if from.is_empty() {
        return None;
    }
    let index = rng.below(from.len() as u32) as usize;
    Some(from.swap_remove(index))
}

fn storm(seed: u64, shut_down_early: bool) {
    let mut rng = Rng::from_seed(seed);
    let queue = Arc::new(Queue::default());
    let stage = Arc::new(Stage {
        shards: (0..3)
            .map(|index| Shard::new(queue.clone() as Arc<dyn Schedule>, index))
            .collect(),
        queue,
        wakers: Arc::default(),
        joins: Mutex::default(),
        aborts: Mutex::default(),
        ledger: Arc::default(),
        done: AtomicBool::new(false),
        outputs: AtomicUsize::new(0),
    });
    let runners: Vec<_> = (0..2)
        .map(|_| {
            let stage = stage.clone();
            thread::spawn(move || {
                while !stage.done.load(Ordering::Relaxed) {
                    if !stage.queue.run_one() {
                        thread::yield_now();
                    }
                }
            })
        })
        .collect();
    let meddlers: Vec<_> = (0..3)
        .map(|_| {
            let (stage, mut rng) = (stage.clone(), rng.split());
            thread::spawn(move || {
                for step in 0..10_000 {
                    if step % 4 == 0 {
                        stage.spawn_some(&mut rng, 1);
                    }
                    stage.meddle(&mut rng);
                }
            })
        })
        .collect();
    if shut_down_early {
        thread::sleep(std::time::Duration::from_millis(5));
        stage.shards.iter().for_each(|shard| shard.shutdown_all());
    }
    for meddler in meddlers {
        meddler.join().unwrap();
    }
    stage.done.store(true, Ordering::Relaxed);
    for runner in runners {
        runner.join().unwrap();
    }
    finish(&stage, seed);
    assert!(
        shut_down_early || stage.outputs.load(Ordering::Relaxed) > 0,
        "seed {seed}: nothing ended well"
    );
}

fn finish(stage: &Stage, seed: u64) {
    stage.queue.run_all();
    stage.shards.iter().for_each(|shard| shard.shutdown_all());
    while let Some(task) = stage.queue.pop() {
        Notified::run(task);
    }
    assert!(
        stage.joins.lock().iter().all(JoinHandle::is_finished),
        "seed {seed}"
    );
    stage.joins.lock().clear();
    assert_eq!(stage.ledger.alive(), 0, "seed {seed}");
    stage.wakers.lock().clear();
    stage.aborts.lock().clear();
    for shard in &stage.shards {
        assert_eq!(shard.alive(), 0, "seed {seed}");
        assert_eq!(Arc::strong_count(shard), 1, "seed {seed}: a task leaked");
    }
    assert!(stage.ledger.born() > 0, "seed {seed}: nothing happened");
}

#[test]
fn nothing_is_lost_or_dropped_twice() {
    for seed in 0..8 {
        storm(seed, false);
    }
}

#[test]
fn nothing_is_lost_or_dropped_twice_when_shut_down_early() {
    for seed in 100..116 {
        storm(seed, true);
    }
}
