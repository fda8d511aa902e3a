//! Timers that are set anew after they were due, by a task that does not poll them again.

use super::*;

/// Advances the clock by `by`, and returns how often `count` was woken by that.
async fn woken_within(by: Duration, count: &Count) -> usize {
    let before = count.get();
    advance(by).await;
    count.get() - before
}

#[test]
fn a_sleep_that_is_reset_after_it_was_ready_wakes_its_task() {
    Runtime::new(true).block_on(async {
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        // Ready after it has waited, and at its first poll.
        for wait in [ms(5), Duration::ZERO] {
            let mut timer = pin!(sleep(wait));
            let _ = poll_once(timer.as_mut(), &waker);
            advance(wait).await;
            for _ in 0..3 {
                assert!(poll_once(timer.as_mut(), &waker).is_ready());
                timer.as_mut().reset(Instant::now() + ms(10));
                assert_eq!(woken_within(ms(9), &count).await, 0);
                assert!(!timer.is_elapsed());
                assert_eq!(woken_within(ms(1), &count).await, 1);
                assert!(timer.is_elapsed());
            }
            // To a time that has passed.
            assert!(poll_once(timer.as_mut(), &waker).is_ready());
            let before = count.get();
            timer.as_mut().reset(Instant::now() - ms(1));
            assert_eq!(count.get() - before, 1);
            assert!(timer.is_elapsed());
        }
        drop(waker);
        assert_eq!(Arc::strong_count(&count), 1);
    });
}

/// The loop of a task that never polls its timer twice in a row.
#[test]
fn a_task_may_wait_for_a_timer_that_it_has_reset() {
    for paused in [true, false] {
        Runtime::new(paused).block_on(async {
            let start = Instant::now();
            let mut timer = pin!(sleep(ms(1)));
            let mut rounds = 0;
            poll_fn(|cx| {
                if timer.as_mut().poll(cx).is_ready() {
                    rounds += 1;
                    timer.as_mut().reset(Instant::now() + ms(2));
                }
                if rounds < 5 {
                    Poll::Pending
                } else {
                    Poll::Ready(())
                }
            })
            .await;
            assert!(start.elapsed() >= ms(9));
        });
    }
}

/// Between a tick and the next poll nobody waits, as upstream has it; while a tick is waited for, a reset
/// moves it.
#[test]
fn an_interval_wakes_for_the_tick_that_is_waited_for() {
    Runtime::new(true).block_on(async {
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        let mut cx = Context::from_waker(&waker);
        let mut ticks = interval(ms(10));
        for _ in 0..3 {
            assert!(ticks.poll_tick(&mut cx).is_ready());
            assert_eq!(Arc::strong_count(&count), 2, "no waker is kept");
            ticks.reset();
            assert_eq!(woken_within(ms(5), &count).await, 0);
            assert!(ticks.poll_tick(&mut cx).is_pending());
            ticks.reset();
            assert_eq!(woken_within(ms(9), &count).await, 0);
            assert_eq!(woken_within(ms(1), &count).await, 1);
        }
    });
}

#[test]
fn a_sleep_that_nobody_waits_for_elapses_by_the_clock() {
    let runtime = Runtime::new(true);
    runtime.block_on(async {
        let mut timer = pin!(sleep(ms(5)));
        timer.as_mut().reset(Instant::now() + ms(10));
        assert!(!timer.is_elapsed());
        advance(ms(9)).await;
        assert!(!timer.is_elapsed());
        advance(ms(1)).await;
        assert!(timer.is_elapsed());
        assert!(runtime.timers().is_empty(0));
        timer.await;
    });
}

#[test]
fn a_sleep_that_is_reset_after_the_end_wakes_its_task() {
    let runtime = Runtime::new(false);
    let mut timer = {
        let _entered = runtime.enter();
        Box::pin(sleep_until(Instant::now() - ms(1)))
    };
    let count = Arc::new(Count::default());
    assert!(poll_once(timer.as_mut(), &count.clone().into()).is_ready());
    drop(runtime);
    timer.as_mut().reset(Instant::now() + ms(3_600_000));
    // For the poll that tells of the end.
    assert_eq!(count.get(), 1);
    assert!(!timer.is_elapsed());
}
