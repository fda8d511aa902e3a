//! The public items in the mock runtime, and many threads on few shards.
#![allow(clippy::disallowed_methods)] // Tests measure real time and sleep.

mod end;
mod floor;
mod handle;
mod instant;
mod reset;

use crate::error::Elapsed;
use crate::mock::Runtime;
use crate::*;
use std::cell::RefCell;
use std::future::{Future, pending, poll_fn, ready};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Mutex;
use std::task::{Context, Poll, Wake, Waker};
use zokio_base::clock::Clock;
use zokio_base::sync::Arc;
use zokio_base::sync::std_atomic::{AtomicBool, AtomicUsize, Ordering};
use zokio_task::coop;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Count {
    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

fn poll_once<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

fn is_pending<F: Future>(future: Pin<&mut F>) -> bool {
    poll_once(future, Waker::noop()).is_pending()
}

#[test]
fn small_futures() {
    assert!(size_of::<Sleep>() <= 48, "{}", size_of::<Sleep>());
    assert!(size_of::<Interval>() <= 72, "{}", size_of::<Interval>());
    assert!(size_of::<Timeout<std::future::Ready<()>>>() <= 56);
}

#[test]
fn real_sleeps_are_neither_early_nor_very_late() {
    Runtime::new(false).block_on(async {
        for micros in [0, 50, 300, 1_000, 5_000] {
            let duration = Duration::from_micros(micros);
            let start = std::time::Instant::now();
            sleep(duration).await;
            let took = start.elapsed();
            assert!(took >= duration, "{took:?} for {duration:?}");
            assert!(took < duration + ms(200), "{took:?} for {duration:?}");
        }
    });
}

#[test]
fn paused_sleeps_jump_and_round_up() {
    Runtime::new(true).block_on(async {
        let start = Instant::now();
        sleep(Duration::from_micros(500)).await;
        assert_eq!(start.elapsed(), ms(1));
        sleep_until(start + ms(1)).await;
        assert_eq!(start.elapsed(), ms(1));
        sleep(Duration::from_secs(86_400 * 365)).await;
        assert_eq!(start.elapsed(), Duration::from_secs(86_400 * 365) + ms(1));
        let start = Instant::now();
        advance(Duration::from_micros(51_592)).await;
        assert_eq!(start.elapsed(), Duration::from_micros(51_592));
    });
}

#[test]
fn pausing_midway_makes_whole_milliseconds_count_from_the_pause() {
    Runtime::new(false).block_on(async {
        sleep(Duration::from_micros(1_300)).await;
        pause();
        let start = Instant::now();
        sleep(ms(7)).await;
        assert_eq!(start.elapsed(), ms(7));
        resume();
        let real = std::time::Instant::now();
        sleep(ms(2)).await;
        assert!(real.elapsed() >= ms(2));
    });
}

#[test]
fn durations_that_do_not_fit_are_far_away() {
    Runtime::new(true).block_on(async {
        sleep(Duration::MAX).await;
        sleep(Duration::MAX - ms(1)).await;
        let mut never = pin!(sleep(Duration::from_secs(u64::MAX / 10)));
        assert!(is_pending(never.as_mut()));
        assert!(timeout(Duration::MAX, pending::<()>()).await.is_err());
        assert!(is_pending(never.as_mut()));
        never.as_mut().reset(Instant::now() + ms(1));
        never.await;
        interval(Duration::MAX).reset();
        interval(ms(1)).reset_after(Duration::MAX);
    });
}

#[test]
fn advance_fires_in_order_of_deadlines() {
    let runtime = Runtime::new(true);
    struct Note(u64, Arc<Mutex<Vec<u64>>>);
    impl Wake for Note {
        fn wake(self: Arc<Self>) {
            self.1.lock().unwrap().push(self.0);
        }
    }
    let order = Arc::new(Mutex::new(Vec::new()));
    let deadlines = [30, 10, 20, 2_000, 10, 15, 1];
    runtime.block_on(async {
        let mut sleeps: Vec<_> = deadlines
            .iter()
            .map(|&at| Box::pin(sleep(ms(at))))
            .collect();
        for (timer, &at) in sleeps.iter_mut().zip(&deadlines) {
            let waker = Waker::from(Arc::new(Note(at, order.clone())));
            assert!(poll_once(timer.as_mut(), &waker).is_pending());
        }
        advance(ms(5_000)).await;
        assert!(sleeps.iter().all(|timer| timer.is_elapsed()));
        assert!(sleeps.iter_mut().all(|timer| !is_pending(timer.as_mut())));
    });
    assert_eq!(*order.lock().unwrap(), [1, 10, 10, 15, 20, 30, 2_000]);
}

#[test]
fn a_sleep_that_is_not_polled_touches_nothing() {
    let runtime = Runtime::new(true);
    runtime.block_on(async {
        let timer = sleep(ms(10));
        assert!(runtime.timers().is_empty(0));
        drop(timer);
        let mut timer = Box::pin(sleep(ms(10)));
        assert!(is_pending(timer.as_mut()));
        assert_eq!(runtime.timers().len(0), 1);
        drop(timer);
        assert!(runtime.timers().is_empty(0));
        assert_eq!(runtime.timers().next_deadline(0), None);
    });
}

#[test]
fn reset_moves_both_ways_and_revives() {
    Runtime::new(true).block_on(async {
        let start = Instant::now();
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        let mut timer = pin!(sleep(ms(100)));
        assert!(poll_once(timer.as_mut(), &waker).is_pending());
        timer.as_mut().reset(start + ms(200));
        advance(ms(150)).await;
        assert_eq!(count.get(), 0);
        timer.as_mut().reset(start + ms(160));
        advance(ms(20)).await;
        assert_eq!(count.get(), 1);
        assert!(timer.is_elapsed());
        timer.as_mut().reset(start + ms(300));
        assert!(!timer.is_elapsed());
        assert!(poll_once(timer.as_mut(), &waker).is_pending());
        timer.as_mut().reset(start);
        assert_eq!(count.get(), 2);
        assert!(poll_once(timer.as_mut(), &waker).is_ready());
        assert!(poll_once(timer.as_mut(), &waker).is_ready());
    });
}

#[test]
fn the_last_waker_is_woken() {
    Runtime::new(true).block_on(async {
        let (first, second) = (Arc::new(Count::default()), Arc::new(Count::default()));
        let mut timer = pin!(sleep(ms(5)));
        for waker in [&first, &second, &second] {
            assert!(poll_once(timer.as_mut(), &waker.clone().into()).is_pending());
        }
        advance(ms(5)).await;
        assert_eq!((first.get(), second.get()), (0, 1));
        assert_eq!(Arc::strong_count(&second), 1);
    });
}

#[test]
fn wakers_may_use_timers_when_woken_and_when_dropped() {
    type Owned = Arc<Mutex<Vec<Pin<Box<Sleep>>>>>;
    struct Clears(Owned);
    impl Wake for Clears {
        fn wake(self: Arc<Self>) {
            let taken = std::mem::take(&mut *self.0.lock().unwrap());
            drop(taken);
        }
    }
    struct Owns(#[allow(dead_code)] Pin<Box<Sleep>>);
    impl Wake for Owns {
        fn wake(self: Arc<Self>) {}
    }
    Runtime::new(true).block_on(async {
        let list: Owned = Owned::default();
        let waker = Waker::from(Arc::new(Clears(list.clone())));
        for _ in 0..100 {
            let mut timer = Box::pin(sleep(ms(10)));
            assert!(poll_once(timer.as_mut(), &waker).is_pending());
            list.lock().unwrap().push(timer);
        }
        sleep(ms(11)).await;
        assert!(list.lock().unwrap().is_empty());

        let mut inner = Box::pin(sleep(ms(3_600)));
        assert!(is_pending(inner.as_mut()));
        let mut outer = Box::pin(sleep(ms(3_600)));
        let waker = Waker::from(Arc::new(Owns(inner)));
        assert!(poll_once(outer.as_mut(), &waker).is_pending());
        drop(waker);
        drop(outer);
    });
}

#[test]
fn timeouts() {
    Runtime::new(true).block_on(async {
        assert_eq!(timeout(Duration::ZERO, ready(7)).await, Ok(7));
        assert_eq!(timeout_at(Instant::now() - ms(9), ready(7)).await, Ok(7));
        assert_eq!(timeout(ms(3), pending::<()>()).await, Err(Elapsed::new()));
        let start = Instant::now();
        assert_eq!(timeout(ms(30), async { sleep(ms(20)).await }).await, Ok(()));
        assert_eq!(start.elapsed(), ms(20));
        assert_eq!(timeout(ms(3), ready(1)).into_inner().await, 1);
        let error = std::io::Error::from(Elapsed::new());
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    });
    // A future that uses the whole budget up each time.
    Runtime::new(false).block_on(async {
        let greedy = async {
            loop {
                coop::consume_budget().await;
            }
        };
        assert!(timeout(ms(5), greedy).await.is_err());
    });
}

async fn tick_times(behavior: MissedTickBehavior) -> Vec<u128> {
    let start = Instant::now();
    let mut ticks = interval(ms(10));
    ticks.set_missed_tick_behavior(behavior);
    assert_eq!(ticks.missed_tick_behavior(), behavior);
    let mut seen = Vec::new();
    for round in 0..6 {
        let due = ticks.tick().await;
        seen.push((due - start).as_millis());
        if round == 1 {
            sleep(ms(34)).await;
        }
    }
    seen
}

#[test]
fn missed_ticks() {
    Runtime::new(true).block_on(async {
        let burst = tick_times(MissedTickBehavior::Burst).await;
        assert_eq!(burst, [0, 10, 20, 30, 40, 50]);
        let delay = tick_times(MissedTickBehavior::Delay).await;
        assert_eq!(delay, [0, 10, 20, 54, 64, 74]);
        let skip = tick_times(MissedTickBehavior::Skip).await;
        assert_eq!(skip, [0, 10, 20, 50, 60, 70]);
    });
}

#[test]
fn interval_resets() {
    Runtime::new(true).block_on(async {
        let start = Instant::now();
        let mut ticks = interval_at(start + ms(50), ms(10));
        assert_eq!(ticks.period(), ms(10));
        assert_eq!(ticks.tick().await, start + ms(50));
        sleep(ms(4)).await;
        ticks.reset();
        assert_eq!(ticks.tick().await, start + ms(64));
        ticks.reset_immediately();
        assert_eq!(ticks.tick().await, start + ms(64));
        ticks.reset_after(ms(1));
        assert_eq!(ticks.tick().await, start + ms(65));
        ticks.reset_at(start + ms(100));
        assert_eq!(ticks.tick().await, start + ms(100));
        assert_eq!(ticks.tick().await, start + ms(110));
    });
}

#[test]
fn ready_timers_take_part_in_cooperation() {
    Runtime::new(true).block_on(async {
        let mut polls = 0;
        let mut many = pin!(async {
            for _ in 0..1_000 {
                sleep(Duration::ZERO).await;
            }
        });
        poll_fn(|cx| {
            polls += 1;
            many.as_mut().poll(cx)
        })
        .await;
        assert!(polls >= 8, "{polls}");
    });
}

#[test]
fn two_runtimes_keep_their_clocks_apart() {
    let (past, other) = (Runtime::new(true), Runtime::new(true));
    let _entered = past.enter();
    let mut timer = Box::pin(sleep(ms(1)));
    assert!(is_pending(timer.as_mut()));
    let deadline = timer.deadline();
    other.block_on(async { timer.as_mut().reset(deadline + ms(1)) });
    let start = Instant::now();
    past.block_on(timer);
    assert_eq!(start.elapsed(), ms(2));
}

#[test]
fn held_clocks_do_not_jump() {
    let runtime = Runtime::new(true);
    let mut timer = {
        let _entered = runtime.enter();
        Box::pin(sleep(ms(1)))
    };
    assert!(is_pending(timer.as_mut()));
    runtime.timers().clock().hold();
    assert!(!runtime.timers().jump_to_next());
    assert_eq!(runtime.timers().begin_wait(0), None);
    runtime.timers().clock().release();
    assert!(runtime.timers().jump_to_next());
}

fn panic_text(run: impl FnOnce()) -> String {
    let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_err();
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast::<&str>().unwrap()).to_owned(),
    }
}

#[test]
fn misuse_panics_and_says_why() {
    let text = panic_text(|| drop(sleep(ms(1))));
    assert!(text.starts_with("there is no reactor running"), "{text}");
    assert!(panic_text(pause).contains("outside of a runtime"));

    let without = Runtime::build(false, true, false);
    let text = panic_text(|| without.block_on(async { drop(timeout(ms(1), ready(()))) }));
    assert!(text.contains("Call `enable_time`"), "{text}");

    let many = Runtime::build(false, false, true);
    let text = panic_text(|| many.block_on(async { pause() }));
    assert!(text.contains("current-thread runtime only"), "{text}");

    let runtime = Runtime::new(false);
    let text = panic_text(|| runtime.block_on(async { resume() }));
    assert!(text.contains("not paused"), "{text}");
    let text = panic_text(|| runtime.block_on(advance(ms(1))));
    assert!(text.contains("not paused"), "{text}");
    let text = panic_text(|| drop(interval(Duration::ZERO)));
    assert!(text.contains("non-zero"), "{text}");

    let (mut armed, mut fresh) = {
        let _entered = runtime.enter();
        (Box::pin(sleep(ms(9_000))), Box::pin(sleep(ms(9_000))))
    };
    let count = Arc::new(Count::default());
    assert!(poll_once(armed.as_mut(), &count.clone().into()).is_pending());
    drop(runtime);
    assert_eq!(count.get(), 1);
    for timer in [&mut armed, &mut fresh] {
        let text = panic_text(|| _ = is_pending(timer.as_mut()));
        assert!(text.ends_with("but it is being shutdown."), "{text}");
    }
}

#[test]
fn a_cancelled_earliest_timer_leaves_the_others() {
    let runtime = Runtime::new(false);
    let woken = Rc::new(RefCell::new(false));
    runtime.block_on(async {
        let mut early = Box::pin(sleep(ms(5)));
        let mut late = Box::pin(sleep(ms(12)));
        assert!(is_pending(early.as_mut()));
        assert!(is_pending(late.as_mut()));
        drop(early);
        late.await;
        *woken.borrow_mut() = true;
    });
    assert!(*woken.borrow());
}

/// Timers made, moved, cancelled and awaited by many threads; a worker for each shard fires them.
#[test]
fn stress_across_threads() {
    const SHARDS: usize = 2;
    let parkers: Vec<_> = (0..SHARDS)
        .map(|_| zokio_base::parker::Parker::new())
        .collect();
    let unparkers: Vec<_> = parkers.iter().map(|parker| parker.unparker()).collect();
    let clock = Clock::new();
    let unpark = Arc::new(move |index: usize| unparkers[index].unpark());
    let timers = TimerHandle::new(SHARDS, clock.clone(), false, TIMER_FLOOR, unpark);
    let stop = Arc::new(AtomicBool::new(false));
    let workers: Vec<_> = parkers
        .into_iter()
        .enumerate()
        .map(|(index, parker)| {
            let (timers, clock, stop) = (timers.clone(), clock.clone(), stop.clone());
            std::thread::spawn(move || {
                while !stop.load(Ordering::Acquire) {
                    match timers.begin_wait(index) {
                        Some(limit) => drop(parker.park_timeout(limit)),
                        None => parker.park(),
                    }
                    let mut due: Vec<Waker> = Vec::new();
                    timers.process(index, clock.now(), &mut due);
                    due.into_iter().for_each(Waker::wake);
                }
            })
        })
        .collect();
    let users: Vec<_> = (0..4_u64)
        .map(|seed| {
            let timers = timers.clone();
            std::thread::spawn(move || use_timers(&timers, seed))
        })
        .collect();
    for user in users {
        user.join().unwrap();
    }
    for shard in 0..SHARDS {
        assert!(timers.is_empty(shard));
    }
    stop.store(true, Ordering::Release);
    timers.unpark_all();
    for worker in workers {
        worker.join().unwrap();
    }
}

fn use_timers(timers: &TimerHandle, seed: u64) {
    struct Handle(TimerHandle);
    impl zokio_task::context::Services for Handle {
        fn into_any(self: Arc<Self>) -> Arc<dyn std::any::Any + Send + Sync> {
            self
        }
        fn as_any(&self) -> &(dyn std::any::Any + Send + Sync) {
            self
        }
        fn timers(&self) -> Option<&(dyn std::any::Any + Send + Sync)> {
            Some(&self.0)
        }
        fn driver(&self) -> Option<&(dyn std::any::Any + Send + Sync)> {
            None
        }
    }
    let _services = zokio_task::context::enter(Arc::new(Handle(timers.clone())));
    let mut rng = zokio_base::rand::Rng::from_seed(seed);
    for _ in 0..400 {
        let micros = u64::from(rng.below(2_000));
        let duration = Duration::from_micros(micros);
        let start = std::time::Instant::now();
        let mut timer = Box::pin(sleep(duration));
        match rng.below(4) {
            0 => drop(timer),
            1 => {
                let _ = is_pending(timer.as_mut());
                drop(timer);
            }
            2 => {
                let _ = is_pending(timer.as_mut());
                let deadline = Instant::from_std(start + duration / 2);
                timer.as_mut().reset(deadline);
                zokio_task::block_on::block_on(timer);
                assert!(start.elapsed() >= duration / 2);
            }
            _ => {
                zokio_task::block_on::block_on(timer);
                assert!(start.elapsed() >= duration);
            }
        }
    }
}
