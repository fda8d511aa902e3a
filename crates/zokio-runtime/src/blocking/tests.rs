//! The pool through the runtime: limits, cancellation, shutdown.
#![allow(clippy::disallowed_methods)] // Tests meet runtimes from real threads, in real time.

use crate::{Builder, Runtime};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::time::Duration;

fn runtime(limit: usize) -> Runtime {
    Builder::new_current_thread()
        .max_blocking_threads(limit)
        .build()
        .unwrap()
}

#[test]
fn no_more_threads_than_allowed_and_no_job_lost() {
    let runtime = runtime(3);
    let (running, peak) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let jobs: Vec<_> = (0..200)
        .map(|number| {
            let (running, peak) = (running.clone(), peak.clone());
            runtime.spawn_blocking(move || {
                peak.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                if number % 10 == 0 {
                    std::thread::yield_now();
                }
                running.fetch_sub(1, Ordering::SeqCst);
                number
            })
        })
        .collect();
    let sum = runtime.block_on(async {
        let mut sum = 0;
        for job in jobs {
            sum += job.await.unwrap();
        }
        sum
    });
    assert_eq!(sum, 199 * 200 / 2);
    assert!(peak.load(Ordering::SeqCst) <= 3);
    assert!(runtime.metrics().num_blocking_threads() <= 3);
}

#[test]
fn idle_threads_end_after_the_keep_alive_time() {
    let runtime = Builder::new_current_thread()
        .thread_keep_alive(Duration::from_millis(1))
        .build()
        .unwrap();
    runtime.block_on(runtime.spawn_blocking(|| ())).unwrap();
    while runtime.metrics().num_blocking_threads() > 0 {
        std::thread::yield_now();
    }
    // And another is started when it is needed.
    assert_eq!(runtime.block_on(runtime.spawn_blocking(|| 7)).unwrap(), 7);
}

#[test]
fn closures_that_wait_are_cancelled_and_those_that_run_are_waited_for() {
    let runtime = runtime(1);
    let (started, wait_started) = mpsc::channel();
    let (release, wait_release) = mpsc::channel::<()>();
    let running = runtime.spawn_blocking(move || {
        started.send(()).unwrap();
        wait_release.recv().unwrap();
        5
    });
    let waiting = runtime.spawn_blocking(|| 6);
    wait_started.recv().unwrap();
    // The thread is free no earlier than the pool has given up what waits for it.
    let given_up = waiting.abort_handle();
    let releaser = zokio_base::sync::thread::spawn(move || {
        while !given_up.is_finished() {
            std::thread::yield_now();
        }
        release.send(()).unwrap();
    });
    let handle = runtime.handle().clone();
    drop(runtime);
    releaser.join().unwrap();
    assert_eq!(zokio_task::block_on::block_on(running).unwrap(), 5);
    assert!(
        zokio_task::block_on::block_on(waiting)
            .unwrap_err()
            .is_cancelled()
    );
    let late = handle.spawn_blocking(|| 7);
    assert!(
        zokio_task::block_on::block_on(late)
            .unwrap_err()
            .is_cancelled()
    );
}

#[test]
fn a_panic_reaches_the_handle_and_spares_the_thread() {
    let runtime = runtime(1);
    let error = runtime
        .block_on(runtime.spawn_blocking(|| panic!("expected")))
        .unwrap_err();
    assert!(error.is_panic());
    assert_eq!(runtime.block_on(runtime.spawn_blocking(|| 1)).unwrap(), 1);
}

#[test]
fn a_closure_that_has_not_begun_can_be_aborted() {
    let runtime = runtime(1);
    let barrier = Arc::new(Barrier::new(2));
    let first = {
        let barrier = barrier.clone();
        runtime.spawn_blocking(move || {
            barrier.wait();
        })
    };
    let second = runtime.spawn_blocking(|| unreachable!("it was aborted"));
    second.abort();
    barrier.wait();
    runtime.block_on(first).unwrap();
    assert!(runtime.block_on(second).unwrap_err().is_cancelled());
}

#[test]
fn inside_a_closure_the_runtime_is_current() {
    let runtime = runtime(1);
    let id = runtime.handle().id();
    let seen = runtime.spawn_blocking(|| crate::Handle::current().id());
    assert_eq!(runtime.block_on(seen).unwrap(), id);
}

#[test]
fn a_closed_pool_is_an_error_for_those_who_ask() {
    let runtime = runtime(1);
    let handle = runtime.handle().clone();
    let _entered = handle.enter();
    let taken = crate::try_spawn_blocking(|| 7).unwrap();
    assert_eq!(runtime.block_on(taken).unwrap(), 7);
    drop(runtime);
    let error = crate::try_spawn_blocking(|| 8).unwrap_err();
    assert!(crate::is_rt_shutdown_err(&error));
}
