//! The readiness plane over real sockets, with a loop of the test's own.
#![cfg(all(unix, not(zokio_model)))]
#![allow(clippy::disallowed_methods)] // Tests measure real time on real threads.

mod support;

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use support::{Count, driver, driver_that, poll_io, wake_all};
use zokio_base::park::Unpark;
use zokio_driver::{Direction, DriverHandle, Interest, Ready, Registration, WorkerDriver};

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);
const LONG: Option<Duration> = Some(Duration::from_secs(20));

fn pair() -> (UnixStream, UnixStream) {
    let (left, right) = UnixStream::pair().unwrap();
    left.set_nonblocking(true).unwrap();
    right.set_nonblocking(true).unwrap();
    (left, right)
}

fn register(handle: &DriverHandle, stream: &UnixStream) -> Registration {
    Registration::new(handle.clone(), stream.as_raw_fd(), BOTH)
}

fn poll_read(
    registration: &Registration,
    cx: &mut Context<'_>,
    mut stream: &UnixStream,
    buf: &mut [u8],
) -> Poll<std::io::Result<usize>> {
    poll_io(registration, cx, 0, || stream.read(buf))
}

/// Parks until the count goes up.
fn park_until(worker: &mut WorkerDriver, count: &Count, goal: usize) {
    let mut sink = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(20);
    while count.get() < goal {
        assert!(Instant::now() < deadline, "nobody was woken");
        worker.park(LONG, None, &mut sink);
        wake_all(&mut sink);
    }
}

#[test]
fn echo_over_the_bare_driver() {
    let mut driver = driver(1);
    let worker = &mut driver.workers[0];
    let (near, mut far) = pair();
    let registration = register(&driver.handle, &near);
    let (count, waker) = Count::new();
    let mut cx = Context::from_waker(&waker);
    let echo = std::thread::spawn(move || {
        let mut buf = [0; 64];
        far.set_nonblocking(false).unwrap();
        for _ in 0..200 {
            let read = far.read(&mut buf).unwrap();
            far.write_all(&buf[..read]).unwrap();
        }
    });
    for round in 0..200_u32 {
        let sent = round.to_le_bytes();
        (&near).write_all(&sent).unwrap();
        let mut answer = [0; 64];
        let read = loop {
            let woken = count.get();
            match poll_read(&registration, &mut cx, &near, &mut answer) {
                Poll::Ready(read) => break read.unwrap(),
                Poll::Pending => park_until(worker, &count, woken + 1),
            }
        };
        assert_eq!(&answer[..read], &sent);
    }
    echo.join().unwrap();
    assert_eq!(driver.handle.metrics().registered, 1);
}

#[test]
fn an_eager_operation_that_does_not_block_attaches_nothing() {
    let driver = driver_that(1, true);
    let (near, mut far) = pair();
    far.write_all(b"here already").unwrap();
    let registration = register(&driver.handle, &near);
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let mut buf = [0; 64];
    assert!(poll_read(&registration, &mut cx, &near, &mut buf).is_ready());
    assert_eq!(driver.handle.attached(0), 0);
    assert!(poll_read(&registration, &mut cx, &near, &mut buf).is_pending());
    assert_eq!(driver.handle.attached(0), 1);
    drop(registration);
    assert_eq!(driver.handle.attached(0), 0);
}

#[test]
fn the_first_operation_attaches_and_waits_for_what_the_set_says() {
    let mut driver = driver(1);
    let (near, mut far) = pair();
    far.write_all(b"here already").unwrap();
    let registration = register(&driver.handle, &near);
    let (count, waker) = Count::new();
    let mut cx = Context::from_waker(&waker);
    let mut buf = [0; 64];
    assert!(poll_read(&registration, &mut cx, &near, &mut buf).is_pending());
    assert_eq!(driver.handle.attached(0), 1);
    park_until(&mut driver.workers[0], &count, 1);
    assert!(poll_read(&registration, &mut cx, &near, &mut buf).is_ready());
    // Nobody knows when this source was made. A caller that has no second poll is not made to wait.
    let unknown = register(&driver.handle, &far);
    let sent = unknown.try_io(Interest::WRITABLE, |_| None, || far.write(b"x"));
    assert_eq!(sent.unwrap(), 1);
}

#[test]
fn the_system_is_asked_once_the_driver_has_had_a_turn() {
    let mut driver = driver(2);
    let (near, mut far) = pair();
    far.write_all(b"here already").unwrap();
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let read = |registration: &Registration| {
        let mut tried = &near;
        registration.try_io(Interest::READABLE, |_| Some(0), || tried.read(&mut [0; 4]))
    };
    let fresh = || register(&driver.handle, &near).made_by(Some(0));
    // Before the turn nothing is known; a turn of the other worker says nothing.
    let (first, second, third, fourth) = (fresh(), fresh(), fresh(), fresh());
    driver.workers[1].poll(&mut Vec::new());
    let direction = Direction::Read;
    assert!(
        first
            .poll_ready(&mut cx, direction, |_| Some(0))
            .is_pending()
    );
    drop(first);
    assert_eq!(read(&second).unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(second);
    // The turn of its own worker does.
    driver.workers[0].poll(&mut Vec::new());
    assert!(third.poll_ready(&mut cx, direction, |_| Some(1)).is_ready());
    assert!(
        third
            .poll_ready(&mut cx, Direction::Write, |_| Some(1))
            .is_ready()
    );
    drop(third);
    assert_eq!(read(&fourth).unwrap(), 4);
    assert_eq!(driver.handle.attached(0), 1);
}

#[test]
fn what_was_ready_before_attaching_is_reported() {
    let mut driver = driver(1);
    let (near, mut far) = pair();
    let registration = register(&driver.handle, &near);
    far.write_all(b"early").unwrap();
    let (count, waker) = Count::new();
    let mut cx = Context::from_waker(&waker);
    assert!(
        registration
            .poll_ready(&mut cx, Direction::Read, |_| None)
            .is_pending()
    );
    park_until(&mut driver.workers[0], &count, 1);
    let Poll::Ready(Ok(event)) = registration.poll_ready(&mut cx, Direction::Read, |_| None) else {
        panic!("ready, and no error")
    };
    assert!(event.ready().is_readable());
}

#[test]
fn try_io_looks_before_it_tries() {
    let mut driver = driver(1);
    let (near, mut far) = pair();
    let registration = register(&driver.handle, &near);
    registration.attach(|_| None).unwrap();
    let mut tried = 0;
    let mut attempt = || {
        let result = registration.try_io(
            Interest::READABLE,
            |_| None,
            || {
                tried += 1;
                (&near).read(&mut [0; 8])
            },
        );
        (result.map_err(|error| error.kind()), tried)
    };
    assert_eq!(attempt(), (Err(ErrorKind::WouldBlock), 0));
    far.write_all(b"x").unwrap();
    let mut sink = Vec::new();
    driver.workers[0].park(LONG, None, &mut sink);
    assert_eq!(attempt(), (Ok(1), 1));
    assert_eq!(attempt(), (Err(ErrorKind::WouldBlock), 2));
    assert_eq!(attempt(), (Err(ErrorKind::WouldBlock), 2));
}

#[test]
fn what_is_assumed_holds_until_an_attempt_blocks() {
    let mut driver = driver(1);
    let (near, mut far) = pair();
    let mut registration = register(&driver.handle, &near);
    registration.assume(Ready::READABLE | Ready::WRITABLE);
    let (count, waker) = Count::new();
    let mut cx = Context::from_waker(&waker);
    let poll = |cx: &mut Context<'_>, direction| {
        let polled = registration.poll_ready(cx, direction, |_| None);
        polled.map(|event| event.unwrap().ready())
    };
    assert_eq!(poll(&mut cx, Direction::Read), Poll::Ready(Ready::READABLE));
    assert_eq!(driver.handle.attached(0), 0);
    let read = || registration.try_io(Interest::READABLE, |_| None, || (&near).read(&mut [0; 8]));
    assert_eq!(read().unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(driver.handle.attached(0), 1);
    assert!(poll(&mut cx, Direction::Read).is_pending());
    // That reading blocked says nothing of writing.
    assert_eq!(
        poll(&mut cx, Direction::Write),
        Poll::Ready(Ready::WRITABLE)
    );
    far.write_all(b"x").unwrap();
    park_until(&mut driver.workers[0], &count, 1);
    assert_eq!(read().unwrap(), 1);
}

#[test]
fn a_short_transfer_takes_an_assumption_back_and_attaches_nothing() {
    let driver = driver(1);
    let (near, _far) = pair();
    let mut registration = register(&driver.handle, &near);
    registration.assume(Ready::READABLE);
    registration.clear_readiness(registration.event(BOTH));
    assert_eq!(driver.handle.attached(0), 0);
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let polled = registration.poll_ready(&mut cx, Direction::Read, |_| None);
    assert!(polled.is_pending());
    assert_eq!(driver.handle.attached(0), 1);
}

#[test]
fn a_hangup_stays() {
    let mut driver = driver(1);
    let (near, far) = pair();
    let registration = register(&driver.handle, &near);
    registration.attach(|_| None).unwrap();
    drop(far);
    driver.workers[0].park(LONG, None, &mut Vec::new());
    let event = registration.event(Interest::READABLE);
    assert!(event.ready().contains(Ready::READ_CLOSED));
    registration.clear_readiness(event);
    assert!(
        registration
            .event(Interest::READABLE)
            .ready()
            .contains(Ready::READ_CLOSED)
    );
    assert!(
        !registration
            .event(Interest::READABLE)
            .ready()
            .contains(Ready::READABLE)
    );
}

#[test]
fn any_thread_services_a_set_whose_worker_is_busy() {
    let driver = driver(2);
    let (near, mut far) = pair();
    let registration = register(&driver.handle, &near);
    let (count, waker) = Count::new();
    let mut cx = Context::from_waker(&waker);
    let mut buf = [0; 8];
    assert!(poll_io(&registration, &mut cx, 1, || (&near).read(&mut buf)).is_pending());
    far.write_all(b"x").unwrap();
    let handle = driver.handle.clone();
    let woken = std::thread::spawn(move || {
        let mut sink = Vec::new();
        let deadline = Instant::now() + Duration::from_secs(20);
        while !handle.service(1, &mut sink) && Instant::now() < deadline {}
        wake_all(&mut sink)
    });
    assert_eq!(woken.join().unwrap(), 1);
    assert_eq!(count.get(), 1);
}

#[test]
fn no_unpark_is_lost() {
    let mut driver = driver(1);
    let mut worker = driver.workers.pop().unwrap();
    let unparker = worker.unparker();
    let rounds = 5_000_usize;
    let done = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let other = {
        let done = done.clone();
        std::thread::spawn(move || {
            let mut sink = Vec::new();
            for round in 1..=rounds {
                // A token is left after each store, so this ends if none is lost.
                while done.load(std::sync::atomic::Ordering::Acquire) < round {
                    worker.park(None, None, &mut sink);
                }
            }
        })
    };
    for round in 1..=rounds {
        done.store(round, std::sync::atomic::Ordering::Release);
        unparker.unpark();
        if round % 64 == 0 {
            std::thread::yield_now();
        }
    }
    other.join().unwrap();
}

#[test]
fn waits_are_precise_below_a_millisecond() {
    let mut driver = driver(1);
    let worker = &mut driver.workers[0];
    let mut late: Vec<Duration> = (0..51)
        .map(|_| {
            let deadline = Instant::now() + Duration::from_micros(1_000);
            while Instant::now() < deadline {
                worker.park(None, Some(deadline), &mut Vec::new());
            }
            deadline.elapsed()
        })
        .collect();
    late.sort();
    // A coarse wait would be late by up to a millisecond; the bound leaves room for a busy machine.
    assert!(
        late[25] < Duration::from_micros(700),
        "late by {:?}",
        late[25]
    );
}

#[test]
fn shutdown_wakes_and_tells() {
    let mut driver = driver(1);
    let (near, _far) = pair();
    let registration = register(&driver.handle, &near);
    let (count, waker) = Count::new();
    let mut cx = Context::from_waker(&waker);
    let mut buf = [0; 8];
    assert!(poll_read(&registration, &mut cx, &near, &mut buf).is_pending());
    let mut sink = Vec::new();
    driver.workers[0].shutdown(None, &mut sink);
    assert_eq!(wake_all(&mut sink), 1);
    assert_eq!(count.get(), 1);
    let Poll::Ready(Err(error)) = poll_read(&registration, &mut cx, &near, &mut buf) else {
        panic!("an error")
    };
    assert!(error.to_string().contains("being shutdown"));
    let (other, _far) = pair();
    assert!(register(&driver.handle, &other).attach(|_| None).is_err());
    assert!(driver.handle.is_shutdown());
}
