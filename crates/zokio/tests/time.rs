//! Timers on real runtimes: many of them, across workers, across runtimes, and at the shutdown.
#![allow(clippy::disallowed_methods)] // Tests measure real time and block on purpose.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;
use zokio::runtime::{Builder, Runtime};
use zokio::time::{Instant, interval, sleep, sleep_until, timeout};

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
            std::future::poll_fn(|cx| {
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
    // Its runtime's end fires it.
    drop(first);
    assert!(!is_pending(&mut timer));
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
