//! Measurements around polls, on whole schedulers.

use super::support::{Still, Threads, eventually, wait, wake_myself, yield_now};
use crate::observe::Stretch;
use crate::{Buckets, Containment, LogBuckets, Policy, Scheduler, TaskMeta};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use zokio_base::clock;
use zokio_base::sync::{Mutex, thread};
use zokio_task::{Id, JoinHandle, SpawnMeta};

/// Buckets of ten milliseconds.
const TENTHS: u64 = 10_000_000;

/// The calls that hooks have got: which task, how long it had waited, and when they heard it.
type Heard = Arc<Mutex<Vec<(Id, Option<Duration>, Instant)>>>;

#[derive(Default)]
struct Measuring {
    times: Option<Buckets>,
    latencies: Option<Buckets>,
    track: bool,
    threshold: Option<Duration>,
    before: Heard,
    after: Heard,
}

impl Policy for Measuring {
    fn poll_times(&self) -> Option<Buckets> {
        self.times
    }
    fn latencies(&self) -> Option<Buckets> {
        self.latencies
    }
    fn track_latency(&self) -> bool {
        self.track
    }
    fn stall_threshold(&self) -> Option<Duration> {
        self.threshold
    }
    fn poll_hooks(&self) -> bool {
        self.track
    }
    fn before_poll(&self, _worker: usize, task: &TaskMeta) {
        let heard = (task.id, task.schedule_latency, clock::real_now());
        self.before.lock().push(heard);
    }
    fn after_poll(&self, _worker: usize, task: &TaskMeta) {
        let heard = (task.id, task.schedule_latency, clock::real_now());
        self.after.lock().push(heard);
    }
}

type Sched = Arc<Scheduler<Still, Measuring>>;

fn tenths(count: usize) -> Option<Buckets> {
    Some(Buckets::linear(TENTHS, count))
}

fn end(sched: &Sched) {
    sched.begin_shutdown();
    assert!(sched.wait_shutdown(Some(Duration::from_secs(20))));
}

fn spawn<F>(sched: &Sched, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    sched.spawner().spawn(future, SpawnMeta::new())
}

fn times(sched: &Sched, buckets: usize) -> Vec<u64> {
    (0..buckets).map(|b| sched.poll_time_count(0, b)).collect()
}

fn latencies(sched: &Sched, buckets: usize) -> Vec<u64> {
    (0..buckets).map(|b| sched.latency_count(0, b)).collect()
}

#[test]
fn each_poll_is_in_the_bucket_of_its_time() {
    let policy = Measuring {
        times: tenths(3),
        ..Measuring::default()
    };
    let sched = Scheduler::current_thread(Still::new(), policy);
    let task = spawn(&sched, async {
        thread::sleep(Duration::from_millis(20));
        yield_now().await;
        thread::sleep(Duration::from_millis(20));
    });
    sched.block_on(task).unwrap();
    // The root future is no task.
    assert_eq!(times(&sched, 3), [0, 0, 2]);
    assert_eq!(sched.latency_count(0, 99), 0);
    end(&sched);
}

#[test]
fn a_poll_that_lost_its_core_is_counted_too() {
    let policy = Measuring {
        times: tenths(3),
        threshold: Some(Duration::from_millis(5)),
        ..Measuring::default()
    };
    let sched = Scheduler::multi_thread(Still::several(1), policy, Arc::new(Threads::default()));
    sched.start().unwrap();
    if sched.containment() == Containment::On {
        let inner = sched.clone();
        let task = spawn(&sched, async move {
            // Asleep and not at work: where another thread could do no more, the core stays.
            eventually(|| {
                thread::sleep(Duration::from_millis(1));
                inner.metrics().stalls_contained == 1
            });
            thread::sleep(Duration::from_millis(20));
        });
        wait(task).unwrap();
        eventually(|| times(&sched, 3) == [0, 0, 1]);
    }
    end(&sched);
}

#[test]
fn a_task_waits_from_its_queueing_to_its_poll() {
    let policy = Measuring {
        latencies: tenths(3),
        track: true,
        ..Measuring::default()
    };
    let sched = Scheduler::current_thread(Still::new(), policy);
    let task = spawn(&sched, async {});
    let id = task.id();
    // Nobody runs tasks until `block_on`.
    thread::sleep(Duration::from_millis(25));
    sched.block_on(task).unwrap();
    assert_eq!(latencies(&sched, 3), [0, 0, 1]);
    let policy = sched.policy();
    let (before, after) = (policy.before.lock().clone(), policy.after.lock().clone());
    let [(polled, Some(waited), _)] = before[..] else {
        panic!("one poll was heard of, with its latency: {before:?}")
    };
    assert_eq!(polled, id);
    assert_eq!((after[0].0, after[0].1), (polled, Some(waited)));
    assert!(waited >= Duration::from_millis(25));
    end(&sched);
}

#[test]
fn the_wait_of_a_task_begins_anew_with_each_queueing() {
    let policy = Measuring {
        track: true,
        ..Measuring::default()
    };
    let sched = Scheduler::current_thread(Still::new(), policy);
    let not_before = Arc::new(Mutex::new(vec![clock::real_now()]));
    let queued = not_before.clone();
    let task = spawn(&sched, async move {
        for _ in 0..2 {
            // The time of its own work is no wait of its own.
            thread::sleep(Duration::from_millis(10));
            queued.lock().push(clock::real_now());
            wake_myself().await;
        }
    });
    sched.block_on(task).unwrap();
    let before = sched.policy().before.lock().clone();
    assert_eq!(before.len(), 3);
    for ((_, waited, heard), not_before) in before.iter().zip(not_before.lock().iter()) {
        assert!(waited.unwrap() <= *heard - *not_before);
    }
    end(&sched);
}

#[test]
fn workers_count_every_poll_once() {
    let buckets = Buckets::Log(LogBuckets::new(100, 1 << 30, 2));
    let policy = Measuring {
        times: Some(buckets),
        latencies: Some(buckets),
        ..Measuring::default()
    };
    let sched = Scheduler::multi_thread(Still::several(2), policy, Arc::new(Threads::default()));
    sched.start().unwrap();
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            spawn(&sched, async {
                for _ in 0..9 {
                    wake_myself().await;
                }
            })
        })
        .collect();
    tasks.into_iter().for_each(|task| wait(task).unwrap());
    end(&sched);
    let all = |count: &dyn Fn(usize, usize) -> u64| -> u64 {
        let pairs = (0..2).flat_map(|w| (0..buckets.count()).map(move |b| (w, b)));
        pairs.map(|(worker, bucket)| count(worker, bucket)).sum()
    };
    assert_eq!(all(&|worker, b| sched.poll_time_count(worker, b)), 1_000);
    assert_eq!(all(&|worker, b| sched.latency_count(worker, b)), 1_000);
    let polls: u64 = (0..2).map(|w| sched.worker_metrics(w).polls).sum();
    assert_eq!(polls, 1_000);
}

#[test]
fn a_busy_worker_shows_its_mean_and_its_busy_time() {
    let policy = Measuring::default();
    let sched = Scheduler::multi_thread(Still::several(1), policy, Arc::new(Threads::default()));
    sched.start().unwrap();
    let task = spawn(&sched, async {
        for _ in 0..10 {
            thread::sleep(Duration::from_millis(2));
            yield_now().await;
        }
    });
    wait(task).unwrap();
    eventually(|| sched.worker_metrics(0).mean_poll >= Duration::from_millis(1));
    eventually(|| sched.worker_metrics(0).busy >= Duration::from_millis(18));
    end(&sched);
}

#[test]
fn what_a_worker_did_until_the_end_is_busy_time() {
    let policy = Measuring::default();
    let sched = Scheduler::multi_thread(Still::several(1), policy, Arc::new(Threads::default()));
    sched.start().unwrap();
    let (begin, begun) = std::sync::mpsc::channel();
    drop(spawn(&sched, async move {
        begin.send(()).unwrap();
        thread::sleep(Duration::from_millis(20));
    }));
    begun.recv().unwrap();
    // The worker does not sleep any more in between.
    end(&sched);
    assert!(sched.worker_metrics(0).busy >= Duration::from_millis(18));
}

#[test]
fn a_worker_that_never_waits_shows_its_times_too() {
    let policy = Measuring::default();
    let sched = Scheduler::multi_thread(Still::several(1), policy, Arc::new(Threads::default()));
    sched.start().unwrap();
    let end_it = Arc::new(AtomicBool::new(false));
    let end_of_it = end_it.clone();
    let task = spawn(&sched, async move {
        while !end_of_it.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_micros(200));
            yield_now().await;
        }
    });
    let busy = |least: u64| sched.worker_metrics(0).busy >= Duration::from_millis(least);
    eventually(|| busy(5) && sched.worker_metrics(0).mean_poll >= Duration::from_micros(200));
    end_it.store(true, Ordering::Relaxed);
    wait(task).unwrap();
    end(&sched);
}

#[test]
fn the_mean_follows_what_is_recent() {
    let stretch = Stretch::default();
    let begin = clock::real_now();
    let later = |ns| begin + Duration::from_nanos(ns);
    assert_eq!(stretch.end(begin, 0), None);
    stretch.begin(begin, 0);
    assert_eq!(stretch.end(later(100), 0), None);
    stretch.begin(begin, 0);
    assert_eq!(stretch.end(later(1_000), 10), Some(100));
    // Ten polls of 1,100 ns each: as if each had been weighed by itself.
    stretch.begin(begin, 10);
    let wanted = (0..10).fold(100.0, |mean, _| mean * 0.9 + 1_100.0 * 0.1);
    assert_eq!(stretch.end(later(11_000), 20), Some(wanted as u64));
    // A stretch ends once.
    assert_eq!(stretch.end(later(20_000), 30), None);
}
