//! The multi-thread scheduler under random schedules: spawn, steal, wake, abort, events, timers,
//! hand-over, shutdown.
//!
//! How it works: shuttle runs the same small program again and again, each time with other choices
//! of which thread goes on; the program's own random numbers come from the schedule too, so that a
//! schedule that fails can be replayed (`zokio_base::sync::model` says how). Sockets and the
//! passing of time are stood in for at the `Park` seam (`program`).
//!
//! These rules hold in every schedule:
//!
//! 1. Every task that is not aborted comes to its end: no wake-up, event or timer is lost.
//! 2. A join says what happened; an aborted task either finished first or is cancelled.
//! 3. Every future is dropped exactly once, those that the shutdown cuts off too, and never while
//!    it is polled; no two threads poll one future.
//! 4. The shutdown ends.

mod actions;
mod mix;
mod program;

use std::time::Duration;

use zokio_base::sync::{Arc, Mutex, model, thread};
use zokio_sched::block_in_place;
use zokio_task::block_on::block_on;
use zokio_time::{Sleep, sleep, timeout};

use actions::{event, give_way, yield_now};
use program::Program;

#[test]
fn tasks_that_spawn_are_all_run() {
    model(|| {
        let program = Program::start(2);
        let spawn = program.spawn.clone();
        let root = program.spawn(async move {
            let children: Vec<_> = (0..4u64)
                .map(|number| {
                    spawn.spawn(async move {
                        give_way().await;
                        number
                    })
                })
                .collect();
            let mut sum = 0;
            for child in children {
                sum += child.await.expect("not aborted");
            }
            sum
        });
        assert_eq!(block_on(root).expect("not aborted"), 6);
        program.end();
    });
}

#[test]
fn events_at_any_worker_wake_their_task() {
    model(|| {
        let program = Program::start(2);
        let tasks: Vec<_> = (0..3)
            .map(|number| {
                let device = program.devices[number % 2].clone();
                program.spawn(async move {
                    event(device.clone()).await;
                    event(device).await;
                    number
                })
            })
            .collect();
        for (number, task) in tasks.into_iter().enumerate() {
            assert_eq!(block_on(task).expect("not aborted"), number);
        }
        program.end();
    });
}

#[test]
fn an_abort_races_with_everything() {
    model(|| {
        let program = Program::start(2);
        let device = program.devices[0].clone();
        let first = program.spawn(async move { event(device).await });
        let second = program.spawn(async {
            give_way().await;
            give_way().await;
        });
        let aborter = first.abort_handle();
        let aborting = thread::spawn(move || aborter.abort());
        second.abort();
        for task in [first, second] {
            if let Err(error) = block_on(task) {
                assert!(error.is_cancelled());
            }
        }
        aborting.join().expect("an abort does not panic");
        program.end();
    });
}

#[test]
fn the_shutdown_cuts_off_what_is_left() {
    model(|| {
        let program = Program::start(2);
        let device = program.devices[1].clone();
        let waiting = program.spawn(std::future::pending::<()>());
        let running = program.spawn(async {
            for _ in 0..3 {
                give_way().await;
            }
        });
        drop(program.spawn(async move { event(device).await }));
        program.end();
        assert!(block_on(waiting).is_err_and(|error| error.is_cancelled()));
        if let Err(error) = block_on(running) {
            assert!(error.is_cancelled());
        }
    });
}

#[test]
fn what_does_not_fit_the_ring_is_run_too() {
    model(|| {
        let program = Program::start(2);
        let spawn = program.spawn.clone();
        let root = program.spawn(async move {
            let children: Vec<_> = (0..10).map(|_| spawn.spawn(yield_now())).collect();
            for child in children {
                child.await.expect("not aborted");
            }
        });
        block_on(root).expect("not aborted");
        program.end();
    });
}

#[test]
fn blocked_threads_leave_their_core_to_others() {
    model(|| {
        let program = Program::start(2);
        let tasks: Vec<_> = (0..3)
            .map(|_| {
                program.spawn(async {
                    block_in_place(thread::yield_now);
                    give_way().await;
                    block_in_place(|| ());
                })
            })
            .collect();
        for task in tasks {
            block_on(task).expect("not aborted");
        }
        program.end();
    });
}

#[test]
fn timers_fire_move_and_are_cancelled_on_any_thread() {
    model(|| {
        let program = Program::start(2);
        let handed_on: Arc<Mutex<Vec<std::pin::Pin<Box<Sleep>>>>> = Arc::default();
        let tasks: Vec<_> = (0..3u64)
            .map(|number| {
                let handed_on = handed_on.clone();
                program.spawn(async move {
                    sleep(Duration::from_millis(3 - number)).await;
                    let raced = timeout(Duration::from_millis(2), sleep(Duration::from_millis(1)));
                    drop(raced.await);
                    let late = timeout(Duration::from_millis(1), std::future::pending::<()>());
                    assert!(late.await.is_err());
                    // Armed here, dropped elsewhere.
                    let mut timer = Box::pin(sleep(Duration::from_secs(3600)));
                    std::future::poll_fn(|cx| {
                        assert!(timer.as_mut().poll(cx).is_pending());
                        std::task::Poll::Ready(())
                    })
                    .await;
                    handed_on.lock().push(timer);
                })
            })
            .collect();
        for task in tasks {
            block_on(task).expect("not aborted");
            let timers = std::mem::take(&mut *handed_on.lock());
            drop(timers);
        }
        program.end();
    });
}
