//! A worker and a blocking pool, small enough to see through, for tests of the completion plane.
// Each test uses its part; tests make threads.
#![allow(dead_code, unreachable_pub, clippy::disallowed_methods)]

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use zokio_base::park::Offload;
use zokio_driver::op::Plane;
use zokio_driver::uring::IoMode;

type Job = Box<dyn FnOnce() + Send>;

/// A pool that runs jobs on threads of its own, or keeps them until told.
#[derive(Default)]
pub struct Pool {
    jobs: Mutex<Vec<Job>>,
    more: Condvar,
    is_closed: AtomicBool,
}

impl Pool {
    /// A pool with threads.
    pub fn running(threads: usize) -> Arc<Self> {
        let pool = Arc::new(Self::default());
        for _ in 0..threads {
            let pool = pool.clone();
            std::thread::spawn(move || pool.work());
        }
        pool
    }

    /// A pool without threads: jobs wait for [`run_all`](Self::run_all) or [`drop_all`](Self::drop_all).
    pub fn held() -> Arc<Self> {
        Arc::new(Self::default())
    }

    fn work(&self) {
        loop {
            let mut jobs = self.jobs.lock().unwrap();
            while jobs.is_empty() {
                if self.is_closed.load(Ordering::Acquire) {
                    return;
                }
                jobs = self
                    .more
                    .wait_timeout(jobs, Duration::from_millis(50))
                    .unwrap()
                    .0;
            }
            let job = jobs.remove(0);
            drop(jobs);
            job();
        }
    }

    pub fn run_all(&self) -> usize {
        let jobs = std::mem::take(&mut *self.jobs.lock().unwrap());
        let count = jobs.len();
        for job in jobs {
            job();
        }
        count
    }

    pub fn drop_all(&self) {
        let jobs = std::mem::take(&mut *self.jobs.lock().unwrap());
        drop(jobs);
    }

    pub fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.more.notify_all();
    }
}

impl Offload for Pool {
    fn offload(&self, job: Job) {
        self.jobs.lock().unwrap().push(job);
        self.more.notify_one();
    }
}

/// One worker's plane over a pool.
pub fn plane(mode: IoMode, pool: &Arc<Pool>) -> io::Result<Arc<Plane>> {
    Plane::new(1, mode, pool.clone(), Arc::new(|_| ()), None)
}

struct Thread {
    thread: std::thread::Thread,
    is_woken: AtomicBool,
    wakes: AtomicUsize,
}

impl Wake for Thread {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        self.wakes.fetch_add(1, Ordering::Relaxed);
        self.thread.unpark();
    }
}

/// One turn of a worker's loop: submit, reap, wake.
pub fn turn(plane: &Plane) -> usize {
    let lane = plane.lane(0);
    lane.submit_pending();
    let mut wakers: Vec<Waker> = Vec::new();
    let count = lane.reap(&mut wakers);
    wakers.into_iter().for_each(Waker::wake);
    count
}

/// Drives `future` with this thread as worker 0.
pub fn block_on<F: Future>(plane: &Plane, future: F) -> F::Output {
    let thread = Arc::new(Thread {
        thread: std::thread::current(),
        is_woken: AtomicBool::new(true),
        wakes: AtomicUsize::new(0),
    });
    let waker = Waker::from(thread.clone());
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if thread.is_woken.swap(false, Ordering::AcqRel) {
            if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                return output;
            }
        }
        if turn(plane) == 0 && !thread.is_woken.load(Ordering::Acquire) {
            std::thread::park_timeout(Duration::from_micros(50));
        }
    }
}

/// Turns until nothing is in flight.
pub fn settle(plane: &Plane) {
    for _ in 0..200_000 {
        turn(plane);
        if plane.metrics().in_flight == 0 && plane.lane(0).pending() == 0 {
            return;
        }
        std::thread::yield_now();
    }
    panic!("still in flight: {:?}", plane.metrics());
}

/// How many descriptors this process has open.
pub fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Whether this system lets us have a ring. The tests of the ring say so and pass otherwise.
pub fn has_ring() -> bool {
    let has = zokio_driver::uring::probe::require();
    if let Err(why) = &has {
        println!("without a ring: {why}");
    }
    has.is_ok()
}
