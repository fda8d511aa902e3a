//! The pool through the runtime: limits, cancellation, shutdown.
#![allow(clippy::disallowed_methods)] // Tests meet runtimes from real threads, in real time.

use crate::{Builder, Runtime};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
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

#[test]
fn no_closure_begins_after_the_runtime_was_dropped() {
    for round in 0..1_500 {
        let runtime = runtime(2);
        let handle = runtime.handle().clone();
        let is_dropped = Arc::new(AtomicBool::new(false));
        let (ready, wait_ready) = mpsc::channel();
        let submitter = {
            let is_dropped = is_dropped.clone();
            std::thread::spawn(move || {
                ready.send(()).unwrap();
                let jobs: Vec<_> = (0..4)
                    .map(|_| {
                        let is_dropped = is_dropped.clone();
                        handle.spawn_blocking(move || is_dropped.load(Ordering::SeqCst))
                    })
                    .collect();
                // Each of them ends, whatever the shutdown did to it.
                let mut began_late = 0;
                for job in jobs {
                    let is_late = zokio_task::block_on::block_on(job).unwrap_or(false);
                    began_late += usize::from(is_late);
                }
                began_late
            })
        };
        wait_ready.recv().unwrap();
        if round % 2 == 0 {
            drop(runtime);
        } else {
            runtime.shutdown_timeout(Duration::from_secs(600));
        }
        is_dropped.store(true, Ordering::SeqCst);
        assert_eq!(submitter.join().unwrap(), 0, "round {round}");
    }
}

/// A runtime whose pool gets no thread, as no address space has room for such a stack.
fn runtime_without_threads(limit: usize) -> Runtime {
    Builder::new_current_thread()
        .max_blocking_threads(limit)
        .thread_stack_size(1 << 50)
        .build()
        .unwrap()
}

#[test]
fn a_caller_is_told_that_there_is_no_thread() {
    let runtime = runtime_without_threads(4);
    let told = catch_unwind(AssertUnwindSafe(|| runtime.spawn_blocking(|| ())));
    let message = *told.unwrap_err().downcast::<String>().unwrap();
    assert!(
        message.starts_with("OS can't spawn worker thread"),
        "{message}"
    );
    assert_eq!(runtime.metrics().blocking_queue_depth(), 0);
}

#[test]
fn every_handle_ends_where_the_system_gives_no_thread() {
    let (mut told, mut cancelled) = (0, 0);
    for _ in 0..300 {
        let runtime = runtime_without_threads(1);
        let callers: Vec<_> = (0..3)
            .map(|_| {
                let handle = runtime.handle().clone();
                std::thread::spawn(move || {
                    catch_unwind(AssertUnwindSafe(|| handle.spawn_blocking(|| ()))).map(|job| {
                        let error = zokio_task::block_on::block_on(job).unwrap_err();
                        assert!(error.is_cancelled());
                    })
                })
            })
            .collect();
        for caller in callers {
            match caller.join().unwrap() {
                Ok(()) => cancelled += 1,
                Err(_) => told += 1,
            }
        }
        assert_eq!(runtime.metrics().blocking_queue_depth(), 0);
        assert_eq!(runtime.metrics().num_blocking_threads(), 0);
    }
    assert_eq!(told + cancelled, 900);
    assert!(told >= 300, "the first caller of a round is told: {told}");
}

#[test]
fn user_code_that_panics_costs_no_thread_and_no_job() {
    let is_bad = Arc::new(AtomicBool::new(true));
    let names_badly = is_bad.clone();
    let runtime = Builder::new_current_thread()
        .max_blocking_threads(1)
        .thread_name_fn(move || {
            assert!(!names_badly.load(Ordering::SeqCst), "expected");
            "fine".into()
        })
        .on_thread_start(|| panic!("expected"))
        .on_thread_stop(|| panic!("expected"))
        .build()
        .unwrap();
    let name = || std::thread::current().name().map(str::to_owned);
    // A thread that nobody can name is named as if nothing had been said.
    let named = runtime.block_on(runtime.spawn_blocking(name)).unwrap();
    assert_eq!(named.as_deref(), Some(super::pool::THREAD_NAME));
    is_bad.store(false, Ordering::SeqCst);
    assert_eq!(runtime.block_on(runtime.spawn_blocking(|| 2)).unwrap(), 2);
    // Returns, though the thread's last hook panics.
    drop(runtime);
}

/// With all threads busy with closures, the runtime's own work goes on: on the threads that are reserved for it,
/// and on the others as they come free.
#[test]
fn the_runtimes_own_work_does_not_wait_behind_closures() {
    let runtime = crate::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(2)
        .reserved_blocking_threads(2)
        .build()
        .unwrap();
    let (open, is_open) = std::sync::mpsc::channel::<()>();
    let is_open = std::sync::Arc::new(std::sync::Mutex::new(is_open));
    for _ in 0..3 {
        // The third one waits in the queue, in front of all that comes.
        let is_open = is_open.clone();
        runtime.spawn_blocking(move || {
            let _ = is_open.lock().unwrap().recv();
        });
    }
    runtime.block_on(async {
        let own: Vec<_> = (0..100).map(|n| crate::spawn_own(move || n)).collect();
        for (n, own) in own.into_iter().enumerate() {
            assert_eq!(own.await.unwrap(), n);
        }
        // The reserved threads are busy as well: what comes then waits for whichever thread is free first.
        let (busy, is_busy) = std::sync::mpsc::channel::<()>();
        let is_busy = std::sync::Arc::new(std::sync::Mutex::new(is_busy));
        let (begun, has_begun) = std::sync::mpsc::channel::<()>();
        let stuck = (0..2).map(|_| {
            let (is_busy, begun) = (is_busy.clone(), begun.clone());
            crate::spawn_own(move || {
                begun.send(()).unwrap();
                let _ = is_busy.lock().unwrap().recv();
            })
        });
        let stuck: Vec<_> = stuck.collect();
        // The others are busy until `open` is dropped. If a reserved thread were late, one of them might take
        // a job that gets stuck, and `closure` would have no thread left to run on.
        for _ in 0..2 {
            has_begun.recv().unwrap();
        }
        let waits: Vec<_> = (0..10).map(|n| crate::spawn_own(move || n)).collect();
        let closure = crate::spawn_blocking(|| 7);
        drop(open);
        for (n, own) in waits.into_iter().enumerate() {
            assert_eq!(own.await.unwrap(), n);
        }
        assert_eq!(closure.await.unwrap(), 7);
        drop(busy);
        for own in stuck {
            own.await.unwrap();
        }
    });
    let metrics = runtime.metrics();
    assert_eq!(metrics.blocking_queue_depth(), 0);
}

/// Work that was left to the reserve ends with the pool: a closure that has not begun is cancelled.
#[test]
fn what_waits_in_the_reserve_ends_with_the_pool() {
    let runtime = crate::Builder::new_current_thread()
        .max_blocking_threads(1)
        .reserved_blocking_threads(1)
        .build()
        .unwrap();
    let (open, is_open) = std::sync::mpsc::channel::<()>();
    let is_open = std::sync::Arc::new(std::sync::Mutex::new(is_open));
    let wait = |is_open: &std::sync::Arc<std::sync::Mutex<std::sync::mpsc::Receiver<()>>>| {
        let is_open = is_open.clone();
        move || {
            let _ = is_open.lock().unwrap().recv();
        }
    };
    let (left, _stuck) = runtime.block_on(async {
        crate::spawn_blocking(wait(&is_open));
        let stuck = crate::spawn_own(wait(&is_open));
        (crate::spawn_own(|| ()), stuck)
    });
    runtime.shutdown_background();
    drop(open);
    let other = crate::Builder::new_current_thread().build().unwrap();
    assert!(other.block_on(left).unwrap_err().is_cancelled());
}
