//! How soon a timer may end.

use super::*;

/// Polls `future` once in a runtime with the given floor: whether it is ready, and how far away the
/// deadline is that the worker is told of.
fn first_poll<F: Future>(floor: Duration, make: impl FnOnce() -> F) -> (bool, Option<Duration>) {
    let timers = TimerHandle::new(1, Clock::new(), false, floor, Arc::new(|_| ()));
    let group = handle::Group(Some(timers.clone()));
    let _services = zokio_task::context::enter(Arc::new(group));
    let mut future = Box::pin(make());
    let before = std::time::Instant::now();
    let is_ready = !is_pending(future.as_mut());
    let until = timers.next_deadline(0);
    (is_ready, until.map(|until| until - before))
}

/// Long enough that the tests' own time does not count.
const FLOOR: Duration = Duration::from_secs(1_000);

fn waits_for_the_floor<F: Future>(make: impl FnOnce() -> F) {
    let (is_ready, until) = first_poll(FLOOR, make);
    assert!(!is_ready);
    let until = until.unwrap();
    assert!(until >= FLOOR && until < FLOOR * 2, "{until:?}");
}

fn is_ready_at_once<F: Future>(floor: Duration, make: impl FnOnce() -> F) {
    assert_eq!(first_poll(floor, make), (true, None));
}

fn nanos(count: u64) -> Duration {
    Duration::from_nanos(count)
}

#[test]
fn a_timer_that_waits_at_all_waits_for_the_floor() {
    waits_for_the_floor(|| sleep(Duration::ZERO));
    waits_for_the_floor(|| sleep(nanos(5)));
    waits_for_the_floor(|| sleep(FLOOR / 2));
    waits_for_the_floor(|| sleep_until(Instant::now()));
    waits_for_the_floor(|| sleep_until(Instant::now() + nanos(5)));
    waits_for_the_floor(|| timeout(nanos(5), pending::<()>()));
    waits_for_the_floor(|| timeout_at(Instant::now(), pending::<()>()));
    waits_for_the_floor(|| async {
        interval_at(Instant::now() + FLOOR / 2, nanos(5))
            .tick()
            .await;
    });
}

#[test]
fn a_timer_above_the_floor_is_exact() {
    for floor in [Duration::ZERO, TIMER_FLOOR, FLOOR] {
        let wait = FLOOR * 3;
        let timers = TimerHandle::new(1, Clock::new(), false, floor, Arc::new(|_| ()));
        let group = handle::Group(Some(timers.clone()));
        let _services = zokio_task::context::enter(Arc::new(group));
        let mut timer = Box::pin(sleep(wait));
        assert!(is_pending(timer.as_mut()));
        assert_eq!(timers.next_deadline(0), Some(timer.deadline().into_std()));
        // As well after a reset. The deadline that is shown is the one that was asked for.
        let deadline = Instant::now() + nanos(5);
        timer.as_mut().reset(deadline);
        assert_eq!(timer.deadline(), deadline);
        let is_waiting = timers.len(0) == 1;
        assert_eq!(is_waiting, !floor.is_zero() && !timer.is_elapsed());
    }
}

#[test]
fn a_deadline_that_passed_long_ago_is_ready_at_once() {
    let past = |by| move || sleep_until(Instant::now() - by);
    is_ready_at_once(TIMER_FLOOR, past(ms(1)));
    is_ready_at_once(TIMER_FLOOR, past(TIMER_FLOOR));
    is_ready_at_once(Duration::ZERO, past(Duration::ZERO));
    is_ready_at_once(Duration::ZERO, || sleep(Duration::ZERO));
    is_ready_at_once(TIMER_FLOOR, || {
        timeout_at(Instant::now() - ms(1), pending::<()>())
    });
}

#[test]
fn the_first_tick_and_those_that_catch_up_come_at_once() {
    is_ready_at_once(FLOOR, || async { interval(nanos(5)).tick().await });
    is_ready_at_once(FLOOR, || async {
        let mut ticks = interval_at(Instant::now() - ms(1), nanos(5));
        for _ in 0..100 {
            ticks.tick().await;
        }
    });
}

/// Rounds of a loop over tiny sleeps, by what the clock says and not by how fast the machine is.
#[test]
fn a_loop_over_tiny_sleeps_is_paced() {
    type Nap = fn() -> Pin<Box<dyn Future<Output = ()>>>;
    let naps: [Nap; 4] = [
        || Box::pin(sleep(nanos(5))),
        || Box::pin(sleep(Duration::ZERO)),
        || Box::pin(sleep_until(Instant::now())),
        || Box::pin(async { drop(timeout(nanos(5), pending::<()>()).await) }),
    ];
    for nap in naps {
        Runtime::new(false).block_on(async {
            let start = std::time::Instant::now();
            for _ in 0..50 {
                nap().await;
            }
            assert!(start.elapsed() >= 50 * TIMER_FLOOR, "{:?}", start.elapsed());
        });
    }
}

/// A paused clock has no floor, whatever the runtime was told.
#[test]
fn a_paused_clock_keeps_whole_milliseconds() {
    let clock = Clock::new();
    clock.pause();
    let timers = TimerHandle::new(1, clock, true, FLOOR, Arc::new(|_| ()));
    let group = handle::Group(Some(timers.clone()));
    let _services = zokio_task::context::enter(Arc::new(group));
    let _clock = timers.clock().enter();
    let mut zero = Box::pin(sleep(Duration::ZERO));
    assert!(!is_pending(zero.as_mut()));
    let mut tiny = Box::pin(sleep(nanos(5)));
    assert!(is_pending(tiny.as_mut()));
    assert_eq!(
        timers.next_deadline(0),
        Some(tiny.deadline().into_std() + ms(1) - nanos(5))
    );
}

/// A loop over deadlines that have passed uses its budget up and lets others run.
#[test]
fn a_loop_over_past_deadlines_gives_way() {
    Runtime::new(false).block_on(async {
        let mut polls = 0;
        let mut endless = pin!(async {
            loop {
                sleep_until(Instant::now() - ms(10)).await;
            }
        });
        poll_fn(|cx| {
            polls += 1;
            let polled: Poll<()> = endless.as_mut().poll(cx);
            assert!(polled.is_pending());
            if polls == 3 {
                return Poll::Ready(());
            }
            Poll::Pending
        })
        .await;
    });
}
