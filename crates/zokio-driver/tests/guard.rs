//! An idle worker keeps an eye on the sets of busy ones.
#![cfg(all(unix, not(zokio_model)))]
#![allow(clippy::disallowed_methods)] // Tests measure real time on real threads.

mod support;

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, mpsc};
use std::task::{Context, Waker};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use support::{Count, driver, poll_io, wake_all};
use zokio_base::park::Unpark;
use zokio_driver::{DriverHandle, Interest, Registration, WorkerDriver};

const FAR: Duration = Duration::from_secs(20);

/// A socket in the set of `worker`, with nothing to read, and its other end.
fn watched_socket(
    handle: &DriverHandle,
    worker: usize,
    count: &Arc<Count>,
) -> (Socket, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    let registration = Registration::new(handle.clone(), near.as_raw_fd(), Interest::READABLE);
    let socket = Socket { registration, near };
    socket.wait(worker, count);
    (socket, far)
}

struct Socket {
    registration: Registration,
    near: UnixStream,
}

impl Socket {
    /// Reads what is there, and has `count` woken by what comes next.
    fn wait(&self, worker: usize, count: &Arc<Count>) {
        let waker = Waker::from(count.clone());
        let mut cx = Context::from_waker(&waker);
        let mut buf = [0; 64];
        let mut read = || (&self.near).read(&mut buf);
        while poll_io(&self.registration, &mut cx, worker, &mut read).is_ready() {}
    }
}

/// Parks `worker` on a thread until `count` has reached `goal`, and says how often it woke up.
fn guard(
    mut worker: WorkerDriver,
    count: Arc<Count>,
    goal: usize,
) -> JoinHandle<(WorkerDriver, usize)> {
    std::thread::spawn(move || {
        let mut sink = Vec::new();
        let mut parks = 0;
        let begun = Instant::now();
        while count.get() < goal {
            assert!(begun.elapsed() < FAR, "nobody was woken");
            worker.park(Some(FAR), None, &mut sink);
            parks += 1;
            wake_all(&mut sink);
        }
        (worker, parks)
    })
}

#[test]
fn what_comes_for_a_busy_worker_reaches_an_idle_one() {
    let mut driver = driver(2);
    let (count, _) = Count::new();
    // Worker 1 runs: it never waits.
    let (socket, mut far) = watched_socket(&driver.handle, 1, &count);
    let mut idle = driver.workers.remove(0);
    for round in 1..=20 {
        let thread = guard(idle, count.clone(), round);
        std::thread::sleep(Duration::from_millis(if round % 2 == 0 { 0 } else { 5 }));
        let sent = Instant::now();
        far.write_all(b"x").unwrap();
        (idle, _) = thread.join().unwrap();
        assert!(sent.elapsed() < Duration::from_secs(5));
        socket.wait(1, &count);
    }
}

#[test]
fn a_worker_that_becomes_busy_later_is_seen_too() {
    let mut driver = driver(2);
    let (count, _) = Count::new();
    let (_socket, mut far) = watched_socket(&driver.handle, 1, &count);
    let mut busy = driver.workers.pop().unwrap();
    let idle = driver.workers.pop().unwrap();
    let unpark = busy.unparker();
    let (resume, wait_resume) = mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        let mut sink = Vec::new();
        busy.park(None, None, &mut sink);
        // It runs from here on, and polls now and then; what comes later it does not look at.
        for _ in 0..3 {
            busy.poll(&mut sink);
        }
        wait_resume.recv().unwrap();
        assert!(sink.is_empty());
    });
    // The idle one waits while all others do.
    let guard = guard(idle, count.clone(), 1);
    std::thread::sleep(Duration::from_millis(20));
    unpark.unpark();
    std::thread::sleep(Duration::from_millis(20));
    far.write_all(b"x").unwrap();
    guard.join().unwrap();
    resume.send(()).unwrap();
    thread.join().unwrap();
}

#[test]
fn a_worker_that_waits_is_left_alone() {
    let mut driver = driver(2);
    let (count, _) = Count::new();
    let (socket, mut far) = watched_socket(&driver.handle, 1, &count);
    let owner = driver.workers.pop().unwrap();
    let mut idle = driver.workers.pop().unwrap();
    let unpark = idle.unparker();
    let (done, is_done) = mpsc::channel::<()>();
    // Worker 0 becomes the guard while worker 1 runs, and has nested its set.
    let thread = std::thread::spawn(move || {
        let mut wakes = 0;
        while is_done.try_recv().is_err() {
            let mut sink = Vec::new();
            idle.park(None, None, &mut sink);
            wakes += 1;
            wake_all(&mut sink);
        }
        wakes
    });
    std::thread::sleep(Duration::from_millis(20));
    let mut owner = owner;
    for round in 1..=200 {
        let owner_thread = guard(owner, count.clone(), round);
        // An event that comes before it waits is for the guard.
        std::thread::sleep(Duration::from_millis(2));
        far.write_all(b"x").unwrap();
        (owner, _) = owner_thread.join().unwrap();
        socket.wait(1, &count);
    }
    done.send(()).unwrap();
    unpark.unpark();
    let wakes = thread.join().unwrap();
    // It may have been woken a few times, when it met the other between running and waiting.
    assert!(
        wakes < 50,
        "{wakes} wakes of the idle worker in 200 rounds of the other"
    );
}
