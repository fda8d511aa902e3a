//! Mistakes that were made, so that they are not made again.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods)] // Tests make threads.

mod common;

use common::{Pool, has_ring, plane, turn};
use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::task::Waker;
use std::time::{Duration, Instant};
use zokio_driver::op::{At, OpenFile, Read};
use zokio_driver::uring::IoMode;
use zokio_driver::{Driver, DriverOptions};

/// The kernel says "enter, there are completions to be posted" and does not take that back if the
/// thread that had submitted ends at that moment. Whoever reaped entered again and again, for ever.
#[test]
fn a_thread_that_ends_with_completions_to_be_posted_does_not_keep_the_reaper() {
    if !has_ring() {
        return;
    }
    let (done, is_done) = channel();
    std::thread::spawn(move || {
        let plane = plane(IoMode::Uring, &Pool::held()).unwrap();
        for round in 0..200 {
            let (reader, mut writer) = std::io::pipe().unwrap();
            let file = OpenFile::new(File::from(OwnedFd::from(reader)));
            let submitter = plane.clone();
            let thread = std::thread::spawn(move || {
                let buf = Vec::with_capacity(16);
                let read = submitter.start(Some(0), Read::new(file, buf, 0, 16, At::Cursor));
                submitter.lane(0).submit_pending();
                read
            });
            while plane.lane(0).in_flight() == 0 {
                std::hint::spin_loop();
            }
            for _ in 0..round % 50 * 40 {
                std::hint::spin_loop();
            }
            writer.write_all(b"x").unwrap();
            let read = thread.join().unwrap();
            while plane.lane(0).in_flight() > 0 {
                turn(&plane);
            }
            drop(read);
        }
        let _ = done.send(());
    });
    let ended = is_done.recv_timeout(Duration::from_secs(40));
    assert_ne!(
        ended,
        Err(RecvTimeoutError::Timeout),
        "the reaper never returns"
    );
    assert_eq!(ended, Ok(()));
}

/// A peer that drained a set for its worker also took the event that ends the worker's wait, between the
/// announcement of the wait and its beginning, and the worker slept with work to do.
#[test]
fn a_set_that_is_drained_by_others_does_not_lose_its_workers_wake_up() {
    let mut options = DriverOptions::new(2);
    options.mode = IoMode::Epoll;
    let Driver {
        handle,
        mut workers,
    } = Driver::new(&options, Pool::held()).unwrap();
    let mut worker = workers.remove(0);
    let shared = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
    let is_over = Arc::new(AtomicBool::new(false));
    // Threads on their own: one that sleeps for ever must not keep the test from saying so.
    let (state, over) = (shared.clone(), is_over.clone());
    std::thread::spawn(move || {
        while !over.load(Ordering::SeqCst) {
            worker.park(None, None, &mut Vec::<Waker>::new());
            state
                .1
                .store(state.0.load(Ordering::SeqCst), Ordering::SeqCst);
        }
    });
    let (helper, over) = (handle.clone(), is_over.clone());
    std::thread::spawn(move || {
        while !over.load(Ordering::SeqCst) {
            helper.service(0, &mut Vec::<Waker>::new());
        }
    });
    let (asked, answered) = &*shared;
    for number in 1..=20_000 {
        asked.store(number, Ordering::SeqCst);
        handle.unpark(0);
        let begun = Instant::now();
        while answered.load(Ordering::SeqCst) != number {
            let waited = begun.elapsed();
            assert!(
                waited < Duration::from_secs(10),
                "a worker sleeps that was woken"
            );
            std::hint::spin_loop();
        }
    }
    is_over.store(true, Ordering::SeqCst);
    handle.unpark(0);
}
