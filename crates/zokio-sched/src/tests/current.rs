//! The current-thread scheduler: order, several threads at once, the end.

use super::support::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;
use zokio_base::sync::{Mutex, thread};

fn scheduler() -> Arc<Sched> {
    Sched::current_thread(Still::new(), Settings::default())
}

fn end(sched: &Arc<Sched>) {
    sched.begin_shutdown();
    assert!(sched.wait_shutdown(Some(Duration::from_secs(20))));
}

#[test]
fn tasks_run_in_the_order_in_which_they_became_ready() {
    let sched = scheduler();
    let order: Arc<Mutex<Vec<usize>>> = Arc::default();
    let inner = sched.clone();
    let seen = order.clone();
    sched.block_on(async move {
        let handles: Vec<_> = (0..700)
            .map(|number| {
                let seen = seen.clone();
                spawn(&inner, async move {
                    seen.lock().push(number);
                    wake_myself().await;
                    seen.lock().push(number + 700);
                })
            })
            .collect();
        for handle in handles {
            handle.await.unwrap();
        }
    });
    assert!(order.lock().iter().copied().eq(0..1_400));
    end(&sched);
}

#[test]
fn all_that_is_ready_runs_and_then_the_caller_goes_on() {
    let sched = scheduler();
    let ran = Arc::new(AtomicUsize::new(0));
    for _ in 0..300 {
        let (inner, ran) = (sched.clone(), ran.clone());
        spawn(&sched, async move {
            yield_now().await;
            let count = ran.clone();
            spawn(&inner, async move {
                wake_myself().await;
                count.fetch_add(1, Ordering::SeqCst);
            });
            ran.fetch_add(1, Ordering::SeqCst);
        });
    }
    let waits = spawn(&sched, std::future::pending::<()>());
    assert_eq!(sched.run_until_idle(), None);
    assert_eq!(ran.load(Ordering::SeqCst), 600);
    assert_eq!(sched.spawner().alive(), 1);
    // A task that becomes ready afterwards is found by the next call.
    waits.abort();
    assert!(!waits.is_finished());
    sched.run_until_idle();
    assert!(waits.is_finished());
    assert!(zokio_task::context::worker().is_none());
    // Both kinds of driving may take turns.
    sched.block_on(spawn(&sched, async {})).unwrap();
    sched.run_until_idle();
    end(&sched);
    assert_eq!(sched.run_until_idle(), None);
}

#[test]
fn whoever_does_not_wait_does_not_wait_for_another_driver_either() {
    let sched = scheduler();
    let (inside, outside) = std::sync::mpsc::channel();
    let (go_on, end_of_wait) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let other = &sched;
        scope.spawn(move || {
            other.block_on(async move {
                inside.send(()).unwrap();
                end_of_wait.recv().unwrap();
            });
        });
        outside.recv().unwrap();
        let task = spawn(&sched, async {});
        sched.run_until_idle();
        assert!(!task.is_finished());
        go_on.send(()).unwrap();
    });
    end(&sched);
}

#[test]
fn yielding_lets_all_ready_tasks_run() {
    let sched = scheduler();
    let inner = sched.clone();
    sched.block_on(async move {
        let ran = Arc::new(AtomicUsize::new(0));
        for _ in 0..50 {
            let ran = ran.clone();
            spawn(&inner, async move {
                ran.fetch_add(1, Ordering::SeqCst);
            });
        }
        yield_now().await;
        assert_eq!(ran.load(Ordering::SeqCst), 50);
    });
    end(&sched);
}

#[test]
fn remote_wakes_end_the_wait() {
    let sched = scheduler();
    for _ in 0..500 {
        let slot: Arc<Mutex<(bool, Option<std::task::Waker>)>> = Arc::default();
        let other = {
            let slot = slot.clone();
            thread::spawn(move || {
                let mut slot = slot.lock();
                slot.0 = true;
                if let Some(waker) = slot.1.take() {
                    waker.wake();
                }
            })
        };
        sched.block_on(std::future::poll_fn(|cx| {
            let mut slot = slot.lock();
            if slot.0 {
                return Poll::Ready(());
            }
            slot.1 = Some(cx.waker().clone());
            Poll::Pending
        }));
        other.join().unwrap();
    }
    end(&sched);
}

#[test]
fn several_threads_share_one_core() {
    let sched = scheduler();
    let threads: Vec<_> = (0..4)
        .map(|number| {
            let sched = sched.clone();
            thread::spawn(move || {
                for round in 0..200 {
                    let inner = sched.clone();
                    let got = sched.block_on(async move {
                        let handle = spawn(&inner, async move {
                            wake_myself().await;
                            number * 1_000 + round
                        });
                        yield_now().await;
                        handle.await.unwrap()
                    });
                    assert_eq!(got, number * 1_000 + round);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(sched.spawner().alive(), 0);
    end(&sched);
}

/// One that drives leaves while another waits for a task: the other takes over.
#[test]
fn the_core_is_passed_on() {
    let sched = scheduler();
    let (send, receive) = std::sync::mpsc::channel();
    let first = {
        let sched = sched.clone();
        let inner = sched.clone();
        thread::spawn(move || {
            sched.block_on(async move {
                let handle = spawn(&inner, async {
                    for _ in 0..20_000 {
                        yield_now().await;
                    }
                    9
                });
                send.send(handle).unwrap();
                for _ in 0..100 {
                    yield_now().await;
                }
            });
        })
    };
    let handle = receive.recv().unwrap();
    assert_eq!(sched.block_on(handle).unwrap(), 9);
    first.join().unwrap();
    end(&sched);
}

#[test]
fn a_panic_in_the_root_frees_the_core() {
    let sched = scheduler();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        sched.block_on(async { panic!("on purpose") })
    }));
    assert!(panicked.is_err());
    let inner = sched.clone();
    let got = sched.block_on(async move { spawn(&inner, async { 2 }).await.unwrap() });
    assert_eq!(got, 2);
    end(&sched);
}

#[test]
fn shutdown_cancels_what_is_left() {
    let sched = scheduler();
    let handle = spawn(&sched, std::future::pending::<()>());
    sched.block_on(yield_now());
    end(&sched);
    assert!(wait(handle).unwrap_err().is_cancelled());
    // A root that needs no task ends by itself still.
    assert_eq!(sched.block_on(async { 1 }), 1);
}

#[test]
#[should_panic(expected = "can call blocking only when running on the multi-threaded runtime")]
fn block_in_place_is_refused() {
    let sched = scheduler();
    sched.block_on(async { crate::block_in_place(|| ()) });
}

#[test]
fn a_root_outlives_the_scheduler_that_it_drove() {
    let sched = scheduler();
    let (driving, wait_driving) = std::sync::mpsc::channel();
    let (send, receive) = std::sync::mpsc::channel();
    let waits = spawn(&sched, std::future::pending::<()>());
    let root = {
        let sched = sched.clone();
        thread::spawn(move || {
            let mut told = false;
            sched.block_on(std::future::poll_fn(move |cx| {
                if !std::mem::replace(&mut told, true) {
                    driving.send(cx.waker().clone()).unwrap();
                }
                receive.try_recv().map_or(Poll::Pending, Poll::Ready)
            }))
        })
    };
    let waker = wait_driving.recv().unwrap();
    end(&sched);
    assert!(waits.is_finished(), "tasks were cancelled");
    send.send(7).unwrap();
    waker.wake();
    assert_eq!(root.join().unwrap(), 7, "the root goes on without them");
}

#[test]
fn a_task_that_ends_the_scheduler_ends_the_turn() {
    let sched = scheduler();
    let inner = sched.clone();
    let ends = spawn(&sched, async move {
        inner.begin_shutdown();
        std::future::pending::<()>().await;
    });
    assert_eq!(sched.run_until_idle(), None);
    assert!(ends.is_finished() && sched.is_shutdown());
    end(&sched);
}
