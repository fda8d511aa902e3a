//! Loom models of the queue and its door: every job ends, once, and none begins after the shutdown.
//!
//! Jobs are numbers in the decimal places of a sum, so that a job that is lost or that ends twice
//! shows.

use super::door::Waited;
use super::queue::{Next, Queue, Seat, Start, Submitted, Unserved};
use std::time::Duration;
use zokio_base::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use zokio_base::sync::{Arc, model, thread};

const LONG: Duration = Duration::from_secs(3600);

/// A pool and the sums of what became of its jobs.
struct Bench {
    queue: Queue<u32>,
    ran: AtomicUsize,
    /// Came back to its own caller, or was returned by `close`.
    refused: AtomicUsize,
    /// Ended by another caller, who could not start a thread.
    cancelled: AtomicUsize,
    /// The shutdown has seen the pool empty.
    is_over: AtomicBool,
}

type Thread = thread::JoinHandle<()>;

impl Bench {
    fn new(shards: usize, limit: usize) -> Arc<Self> {
        Arc::new(Self {
            queue: Queue::new(shards, limit),
            ran: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
            cancelled: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
        })
    }

    fn run(&self, job: u32) {
        // Acquire: pairs with the store in `end`, which comes after the pool was seen empty.
        assert!(
            !self.is_over.load(Ordering::Acquire),
            "a job begins after the shutdown"
        );
        self.ran.fetch_add(job as usize, Ordering::Relaxed);
    }

    fn refuse(&self, job: u32) {
        self.refused.fetch_add(job as usize, Ordering::Relaxed);
    }

    /// The life of a thread.
    fn serve(&self, start: Start<u32>, keep_alive: Duration) {
        let seat = Seat::new(start.shard);
        let mut job = start.job;
        loop {
            self.run(job);
            match self.queue.next(&seat, keep_alive, || true) {
                Next::Run(next) => job = next,
                Next::End => break,
            }
        }
        self.queue.leave();
    }

    /// Submits a job; the system gives a thread that stays for `keep_alive`.
    fn submit_for(self: &Arc<Self>, home: usize, job: u32, keep_alive: Duration) -> Option<Thread> {
        match self.queue.submit(home, job, false) {
            Submitted::Taken => None,
            Submitted::Closed(job) => {
                self.refuse(job);
                None
            }
            Submitted::NeedThread(start) => {
                let bench = self.clone();
                Some(thread::spawn(move || bench.serve(start, keep_alive)))
            }
        }
    }

    fn submit(self: &Arc<Self>, home: usize, job: u32) -> Option<Thread> {
        self.submit_for(home, job, LONG)
    }

    /// Submits a job; the system gives no thread.
    fn submit_in_vain(&self, home: usize, job: u32) {
        match self.queue.submit(home, job, false) {
            Submitted::Taken => {}
            Submitted::Closed(job) => self.refuse(job),
            Submitted::NeedThread(start) => {
                let ended = self.queue.not_started(start);
                match ended.own {
                    Some(Unserved::NoThread(own) | Unserved::Closed(own)) => {
                        assert_eq!(own, job, "a caller hears of a stranger's job");
                        self.refuse(own);
                    }
                    None => {}
                }
                for other in ended.others {
                    assert_ne!(other, job, "the caller's own job counts as a stranger's");
                    self.cancelled.fetch_add(other as usize, Ordering::Relaxed);
                }
            }
        }
    }

    /// Closes the pool and waits for its threads.
    fn end(&self, keep: bool) {
        for job in self.queue.close(|_| keep) {
            self.refuse(job);
        }
        assert_eq!(self.queue.wait(0, None), Waited::Empty);
        // Release: pairs with the load in `run`.
        self.is_over.store(true, Ordering::Release);
    }

    fn ended(&self) -> usize {
        self.ran.load(Ordering::Relaxed)
            + self.refused.load(Ordering::Relaxed)
            + self.cancelled.load(Ordering::Relaxed)
    }

    fn assert_empty(&self, sum: usize) {
        assert_eq!(self.ended(), sum);
        assert_eq!((self.queue.threads(), self.queue.queued()), (0, 0));
    }
}

fn join(threads: impl IntoIterator<Item = Option<Thread>>) {
    for thread in threads.into_iter().flatten() {
        thread.join().unwrap();
    }
}

#[test]
fn every_job_runs_whether_its_thread_idles_or_not() {
    model(|| {
        let bench = Bench::new(1, 1);
        let threads = [bench.submit(0, 1), bench.submit(0, 10)];
        bench.end(true);
        join(threads);
        bench.assert_empty(11);
        assert_eq!(bench.ran.load(Ordering::Relaxed), 11);
    });
}

#[test]
fn a_job_reaches_the_thread_of_another_shard() {
    model(|| {
        let bench = Bench::new(2, 1);
        let threads = [bench.submit(0, 1), bench.submit(1, 10)];
        bench.end(true);
        join(threads);
        bench.assert_empty(11);
        assert_eq!(bench.ran.load(Ordering::Relaxed), 11);
    });
}

#[test]
fn two_submitters_and_one_thread() {
    model(|| {
        let bench = Bench::new(1, 1);
        let other = {
            let bench = bench.clone();
            thread::spawn(move || bench.submit(0, 10))
        };
        let first = bench.submit(0, 1);
        let second = other.join().unwrap();
        bench.end(true);
        join([first, second]);
        bench.assert_empty(11);
        assert_eq!(bench.ran.load(Ordering::Relaxed), 11);
    });
}

#[test]
fn a_job_that_gets_no_thread_of_its_own_runs_or_comes_back() {
    model(|| {
        let bench = Bench::new(1, 2);
        // Its thread ends as soon as it finds nothing to do.
        let first = bench.submit_for(0, 1, Duration::ZERO);
        bench.submit_in_vain(0, 10);
        join([first]);
        bench.assert_empty(11);
        assert_eq!(bench.cancelled.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn two_callers_that_get_no_first_thread_leave_no_job_behind() {
    for limit in [1, 2] {
        model(move || {
            let bench = Bench::new(1, limit);
            let other = {
                let bench = bench.clone();
                thread::spawn(move || bench.submit_in_vain(0, 10))
            };
            bench.submit_in_vain(0, 1);
            other.join().unwrap();
            // Nobody submits any more, and there is no thread: everything has ended.
            bench.assert_empty(11);
            bench.end(true);
        });
    }
}

#[test]
fn a_caller_without_a_thread_and_one_with_a_thread_leave_no_job_behind() {
    model(|| {
        let bench = Bench::new(1, 1);
        let other = {
            let bench = bench.clone();
            thread::spawn(move || bench.submit_in_vain(0, 10))
        };
        let first = bench.submit_for(0, 1, Duration::ZERO);
        other.join().unwrap();
        join([first]);
        bench.assert_empty(11);
    });
}

#[test]
fn closing_against_submitting_loses_no_job_and_nothing_begins_afterwards() {
    for keep in [false, true] {
        model(move || {
            let bench = Bench::new(1, 1);
            let other = {
                let bench = bench.clone();
                thread::spawn(move || bench.submit_for(0, 10, Duration::ZERO))
            };
            bench.end(keep);
            join([other.join().unwrap()]);
            bench.assert_empty(10);
        });
    }
}

#[test]
fn a_job_that_is_kept_runs_though_the_pool_closes_while_its_thread_starts() {
    model(|| {
        let bench = Bench::new(1, 1);
        let first = bench.submit_for(0, 1, Duration::ZERO);
        let other = {
            let bench = bench.clone();
            thread::spawn(move || bench.submit_for(0, 10, Duration::ZERO))
        };
        bench.end(true);
        let second = other.join().unwrap();
        join([first, second]);
        bench.assert_empty(11);
    });
}
