//! Closures that block and wait for a time while their runtime ends.
#![allow(clippy::disallowed_methods)] // Tests meet runtimes from real threads, in real time.

use crate::{Builder, Runtime};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::Duration;
use zokio_time::{interval, sleep, timeout};

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn runtimes() -> [Runtime; 2] {
    let current = Builder::new_current_thread().enable_all().build();
    let multi = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    [current.unwrap(), multi.unwrap()]
}

/// Ends the runtime with `end`. Returns what `closure` made of it, which is told when the end has come for all
/// tasks; none if it panicked.
fn of_a_closure<T: Send + 'static>(
    runtime: Runtime,
    closure: impl FnOnce(&crate::Handle, mpsc::Receiver<()>) -> T + Send + 'static,
    end: impl FnOnce(Runtime),
) -> Option<T> {
    let (begun, has_begun) = mpsc::channel();
    let (told, is_told) = mpsc::channel();
    let (ended, has_ended) = mpsc::channel::<()>();
    struct Tells(mpsc::Sender<()>);
    impl Drop for Tells {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    // A task that is dropped as all tasks are: with the end.
    let tells = Tells(ended);
    runtime.spawn(async move {
        let _tells = tells;
        std::future::pending::<()>().await;
    });
    let handle = runtime.handle().clone();
    runtime.spawn_blocking(move || {
        begun.send(()).unwrap();
        let outcome = catch_unwind(AssertUnwindSafe(|| closure(&handle, has_ended)));
        let _ = told.send(outcome.ok());
    });
    has_begun.recv().unwrap();
    end(runtime);
    is_told.recv().unwrap()
}

#[test]
fn timers_that_are_due_soon_fire_for_closures_that_the_end_waits_for() {
    for runtime in runtimes() {
        let sum = of_a_closure(
            runtime,
            |handle, has_ended| {
                // The timer is armed before the end, and fires after it.
                handle.block_on(async {
                    let mut nap = std::pin::pin!(sleep(ms(100)));
                    std::future::poll_fn(|cx| {
                        assert!(nap.as_mut().poll(cx).is_pending());
                        std::task::Poll::Ready(())
                    })
                    .await;
                    has_ended.recv().unwrap();
                    nap.await;
                    // And others are armed after it, on any shard.
                    for _ in 0..8 {
                        sleep(ms(5)).await;
                        let elapsed = timeout(ms(5), std::future::pending::<()>()).await;
                        assert!(elapsed.is_err());
                    }
                    let mut ticks = interval(ms(5));
                    ticks.tick().await;
                    ticks.tick().await;
                });
                7
            },
            drop,
        );
        assert_eq!(sum, Some(7));
    }
}

#[test]
fn a_timer_that_is_due_later_panics_at_once() {
    for runtime in runtimes() {
        let slept = of_a_closure(
            runtime,
            |handle, _| handle.block_on(sleep(Duration::from_secs(3_600))),
            drop,
        );
        assert_eq!(slept, None);
    }
}

/// A closure that goes on for as long as its timers fire ends with them.
#[test]
fn a_loop_over_an_interval_does_not_keep_the_runtime() {
    for runtime in runtimes() {
        let looped = of_a_closure(
            runtime,
            |handle, _| {
                handle.block_on(async {
                    let mut ticks = interval(ms(3));
                    loop {
                        ticks.tick().await;
                    }
                })
            },
            drop,
        );
        assert_eq!(looped, None::<()>);
    }
}

/// The end waits for no longer than it was told to, and timers have no more time than that.
#[test]
fn timers_have_as_much_time_as_the_end() {
    for runtime in runtimes() {
        let slept = of_a_closure(
            runtime,
            |handle, has_ended| {
                has_ended.recv().unwrap();
                handle.block_on(sleep(ms(900)));
            },
            |runtime| runtime.shutdown_timeout(ms(200)),
        );
        assert_eq!(slept, None);
    }
    for runtime in runtimes() {
        let slept = of_a_closure(
            runtime,
            |handle, _| handle.block_on(sleep(ms(900))),
            Runtime::shutdown_background,
        );
        assert_eq!(slept, None);
    }
}

/// The pool is closed, so that no thread takes over what a task that blocks has: its worker ends all the same, and
/// with it what else waits for the end.
#[test]
fn a_task_that_blocks_after_the_end_hangs_nobody() {
    for workers in 1..=2 {
        let runtime = Builder::new_multi_thread()
            .worker_threads(workers)
            .enable_all()
            .build()
            .unwrap();
        let handle = runtime.handle().clone();
        let (told, is_told) = mpsc::channel();
        let ended = std::sync::Arc::new(std::sync::Barrier::new(workers + 1));
        let begun = std::sync::Arc::new(std::sync::Barrier::new(workers + 1));
        for _ in 0..workers {
            let (handle, told) = (handle.clone(), told.clone());
            let (begun, ended) = (begun.clone(), ended.clone());
            runtime.spawn(async move {
                begun.wait();
                ended.wait();
                let slept = catch_unwind(AssertUnwindSafe(|| {
                    crate::block_in_place(|| handle.block_on(sleep(Duration::from_secs(3_600))))
                }));
                told.send(slept.is_ok()).unwrap();
            });
        }
        begun.wait();
        runtime.shutdown_background();
        ended.wait();
        for _ in 0..workers {
            assert_eq!(is_told.recv_timeout(Duration::from_secs(60)), Ok(false));
        }
    }
}
