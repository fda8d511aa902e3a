//! Timers on real runtimes: many of them, across workers, across runtimes, and at the shutdown.
#![allow(clippy::disallowed_methods)] // Tests measure real time and block on purpose.

use std::any::Any;
use std::future::{Future, pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Waker};
use std::time::Duration;
use zokio::runtime::{Builder, Runtime};
use zokio::time::{Instant, interval, interval_at, sleep, sleep_until, timeout};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn workers(count: usize) -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(count)
        .enable_all()
        .build()
        .unwrap()
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn is_pending<F: Future + Unpin>(future: &mut F) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    pin!(future).poll(&mut cx).is_pending()
}

/// Ten thousand timers, some cancelled, some awaited: none early, none lost.
#[test]
fn many_timers_on_every_flavor() {
    for runtime in [current_thread(), workers(1), workers(3)] {
        runtime.block_on(async {
            let tasks: Vec<_> = (0..10_000_u64)
                .map(|number| {
                    zokio::spawn(async move {
                        let wait = Duration::from_micros(500 + number * 3);
                        let start = Instant::now();
                        if number % 3 == 0 {
                            let ready = sleep(wait / 4);
                            timeout(wait * 100, ready).await.unwrap();
                            assert!(start.elapsed() >= wait / 4);
                        } else {
                            sleep(wait).await;
                            assert!(start.elapsed() >= wait);
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
    }
}

#[test]
fn a_worker_that_waits_learns_of_an_earlier_timer() {
    let runtime = workers(1);
    runtime.block_on(async {
        let late = zokio::spawn(sleep(Duration::from_secs(3_600)));
        // Let the worker fall asleep with the late one.
        std::thread::sleep(ms(20));
        let start = Instant::now();
        sleep(ms(5)).await;
        assert!(start.elapsed() < ms(1_000), "{:?}", start.elapsed());
        late.abort();
        assert!(late.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn a_root_future_that_wakes_itself_does_not_starve_timers() {
    for runtime in [current_thread(), workers(1)] {
        runtime.block_on(async {
            let mut timer = pin!(sleep(ms(10)));
            poll_fn(|cx| {
                cx.waker().wake_by_ref();
                timer.as_mut().poll(cx)
            })
            .await;
        });
    }
}

#[test]
fn a_reset_timer_stays_with_its_runtime() {
    let (first, second) = (workers(1), current_thread());
    let made = first.block_on(async {
        // Wrapped, because the timer itself is what the task returns.
        zokio::spawn(async { Some(Box::pin(sleep(Duration::from_secs(3_600)))) }).await
    });
    let mut timer = made.unwrap().unwrap();
    assert!(is_pending(&mut timer));
    second.block_on(async {
        timer
            .as_mut()
            .reset(Instant::now() + Duration::from_secs(3_600));
    });
    assert!(is_pending(&mut timer));
    // Its runtime's end wakes it, and is no deadline.
    drop(first);
    assert!(!timer.is_elapsed());
    let polled = catch_unwind(AssertUnwindSafe(|| is_pending(&mut timer)));
    assert!(end_of_runtime(polled.unwrap_err()));
}

/// Whether a panic says that the runtime has ended.
fn end_of_runtime(payload: Box<dyn Any + Send>) -> bool {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or(payload.downcast_ref::<&str>().copied())
        .is_some_and(|text| text.ends_with("it is being shutdown."))
}

/// A thread that waits for a time while the runtime ends does not go on as if the time had passed.
#[test]
fn the_end_of_a_runtime_is_no_deadline_for_a_thread_that_waits() {
    const HOUR: Duration = Duration::from_secs(3_600);
    type Wait = fn() -> Pin<Box<dyn Future<Output = ()>>>;
    let waits: [Wait; 4] = [
        || Box::pin(sleep(HOUR)),
        || Box::pin(sleep_until(Instant::now() + HOUR)),
        || Box::pin(async { drop(timeout(HOUR, pending::<()>()).await) }),
        || {
            Box::pin(async {
                interval_at(Instant::now() + HOUR, HOUR).tick().await;
            })
        },
    ];
    for wait in waits {
        for runtime in [current_thread(), workers(2)] {
            let handle = runtime.handle().clone();
            let (polled, is_polled) = mpsc::channel();
            let waiter = std::thread::spawn(move || {
                handle.block_on(async {
                    let mut future = wait();
                    poll_fn(|cx| {
                        let state = future.as_mut().poll(cx);
                        polled.send(()).unwrap();
                        state
                    })
                    .await;
                });
            });
            // It is in the wheel, and its thread asleep or about to be.
            is_polled.recv().unwrap();
            drop(runtime);
            assert!(end_of_runtime(waiter.join().unwrap_err()));
        }
    }
}

/// Eight loops over tiny sleeps neither spin nor hold up a neighbour: what they do is counted against
/// the clock, so a slow machine only makes it less.
#[test]
fn loops_over_tiny_sleeps_leave_the_processors_idle() {
    for runtime in [current_thread(), workers(2)] {
        runtime.block_on(async {
            let rounds = Arc::new(AtomicU64::new(0));
            let start = std::time::Instant::now();
            let loops: Vec<_> = (0..8)
                .map(|number| {
                    let rounds = rounds.clone();
                    zokio::spawn(async move {
                        loop {
                            sleep(Duration::from_nanos(number)).await;
                            rounds.fetch_add(1, Ordering::Relaxed);
                        }
                    })
                })
                .collect();
            for _ in 0..20 {
                sleep(ms(1)).await;
            }
            let count = rounds.load(Ordering::Relaxed);
            // One round for each floor that has gone by, for each loop.
            let most = 8 * (start.elapsed().as_micros() as u64 / 64 + 1);
            assert!(count <= most, "{count} of {most}");
            for each in loops {
                each.abort();
            }
        });
    }
}

/// The floor is a setting; zero lets each sleep end at its deadline.
#[test]
fn the_floor_of_sleeps_is_a_setting() {
    let with = |floor| {
        let mut builder = Builder::new_current_thread();
        builder.enable_all().timer_floor(floor).build().unwrap()
    };
    with(ms(3)).block_on(async {
        let start = Instant::now();
        sleep(Duration::from_nanos(1)).await;
        assert!(start.elapsed() >= ms(3));
        assert!(timeout(Duration::ZERO, ready(())).await.is_ok());
    });
    with(Duration::ZERO).block_on(async {
        let mut timer = Box::pin(sleep(Duration::ZERO));
        assert!(!is_pending(&mut timer));
    });
}

#[test]
fn a_timer_of_one_runtime_is_awaited_on_another() {
    let (first, second) = (workers(1), current_thread());
    let timer = {
        let _entered = first.enter();
        sleep(ms(15))
    };
    let start = Instant::now();
    second.block_on(timer);
    assert!(start.elapsed() >= ms(14));
}

#[test]
fn intervals_keep_their_pace() {
    workers(2).block_on(async {
        let mut ticks = interval(ms(5));
        let start = ticks.tick().await;
        for number in 1..=10_u32 {
            assert_eq!(ticks.tick().await, start + ms(5) * number);
            assert!(Instant::now() >= start + ms(5) * number);
        }
    });
}

#[zokio::test(start_paused = true)]
async fn paused_tasks_see_their_own_deadlines() {
    let start = Instant::now();
    let tasks: Vec<_> = [70, 10, 40]
        .map(|at| {
            zokio::spawn(async move {
                sleep_until(start + ms(at)).await;
                start.elapsed()
            })
        })
        .into();
    let mut seen = Vec::new();
    for task in tasks {
        seen.push(task.await.unwrap());
    }
    assert_eq!(seen, [ms(70), ms(10), ms(40)]);
    assert_eq!(start.elapsed(), ms(70));
}

#[zokio::test(start_paused = true)]
async fn work_that_blocks_keeps_a_paused_clock_from_jumping() {
    let start = Instant::now();
    let blocking = zokio::task::spawn_blocking(|| std::thread::sleep(ms(30)));
    zokio::select! {
        _ = sleep(Duration::from_secs(60)) => panic!("the clock jumped"),
        result = blocking => result.unwrap(),
    }
    assert!(start.elapsed() < Duration::from_secs(60));
}
