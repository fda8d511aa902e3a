//! The end of a runtime is no deadline: nothing that waits for a time is told that it has come.

use super::*;

const HOUR: Duration = Duration::from_secs(3_600);

fn text_of_end(poll: impl FnOnce() -> bool) {
    let text = panic_text(|| _ = poll());
    assert!(text.ends_with("but it is being shutdown."), "{text}");
}

/// Polls `future` before the end, if asked to, and after it. The task is woken for the second poll.
fn is_refused<F: Future>(make: impl FnOnce() -> F, polled_before: bool) {
    let runtime = Runtime::new(false);
    let mut future = {
        let _entered = runtime.enter();
        Box::pin(make())
    };
    let count = Arc::new(Count::default());
    if polled_before {
        assert!(poll_once(future.as_mut(), &count.clone().into()).is_pending());
    }
    drop(runtime);
    assert_eq!(count.get(), usize::from(polled_before));
    text_of_end(|| is_pending(future.as_mut()));
    // It goes on to refuse.
    text_of_end(|| is_pending(future.as_mut()));
}

#[test]
fn every_kind_of_timer_panics_when_its_runtime_has_ended() {
    for polled_before in [false, true] {
        is_refused(|| sleep(HOUR), polled_before);
        is_refused(|| sleep_until(Instant::now() + HOUR), polled_before);
        is_refused(|| timeout(HOUR, pending::<()>()), polled_before);
        let deadline = || Instant::now() + HOUR;
        is_refused(|| timeout_at(deadline(), pending::<()>()), polled_before);
        is_refused(
            || {
                let mut ticks = interval_at(deadline(), HOUR);
                poll_fn(move |cx| ticks.poll_tick(cx))
            },
            polled_before,
        );
    }
}

#[test]
fn a_sleep_that_was_stranded_has_not_elapsed() {
    let runtime = Runtime::new(false);
    let mut timer = {
        let _entered = runtime.enter();
        Box::pin(sleep(HOUR))
    };
    assert!(is_pending(timer.as_mut()));
    drop(runtime);
    assert!(!timer.is_elapsed());
    // Another deadline that is still to come changes nothing; one that has come is an answer.
    let later = timer.deadline() + HOUR;
    timer.as_mut().reset(later);
    assert!(!timer.is_elapsed());
    text_of_end(|| is_pending(timer.as_mut()));
    timer.as_mut().reset(later - 3 * HOUR);
    assert!(timer.is_elapsed());
    assert!(!is_pending(timer.as_mut()));
    timer.as_mut().reset(later);
    text_of_end(|| is_pending(timer.as_mut()));
}

#[test]
fn a_deadline_that_has_come_is_told_after_the_end_too() {
    for polled_before in [false, true] {
        let runtime = Runtime::new(false);
        let mut timer = {
            let _entered = runtime.enter();
            Box::pin(sleep(ms(2)))
        };
        if polled_before {
            assert!(is_pending(timer.as_mut()));
        }
        let deadline = timer.deadline();
        drop(runtime);
        while std::time::Instant::now() < deadline.into_std() {
            std::thread::yield_now();
        }
        assert!(!is_pending(timer.as_mut()));
        assert!(timer.is_elapsed());
    }
}

#[test]
fn what_has_fired_before_the_end_has_fired() {
    let runtime = Runtime::new(true);
    let mut timer = {
        let _entered = runtime.enter();
        Box::pin(sleep(ms(5)))
    };
    assert!(is_pending(timer.as_mut()));
    runtime.block_on(advance(ms(5)));
    drop(runtime);
    assert!(timer.is_elapsed());
    assert!(!is_pending(timer.as_mut()));
}

#[test]
fn a_future_that_is_ready_wins_over_the_end() {
    let runtime = Runtime::new(false);
    let (sender, receiver) = std::sync::mpsc::channel();
    let mut timed = {
        let _entered = runtime.enter();
        let future = poll_fn(move |_| match receiver.try_recv() {
            Ok(value) => Poll::Ready(value),
            Err(_) => Poll::Pending,
        });
        Box::pin(timeout(HOUR, future))
    };
    assert!(is_pending(timed.as_mut()));
    drop(runtime);
    sender.send(7).unwrap();
    assert_eq!(poll_once(timed.as_mut(), Waker::noop()), Poll::Ready(Ok(7)));
}

/// Entries that nobody will fire are dropped with their timers, and hold nobody's waker.
#[test]
fn a_stranded_entry_keeps_nothing() {
    let runtime = Runtime::new(false);
    let timers = runtime.timers().clone();
    let mut timer = {
        let _entered = runtime.enter();
        Box::pin(sleep(HOUR))
    };
    let count = Arc::new(Count::default());
    assert!(poll_once(timer.as_mut(), &count.clone().into()).is_pending());
    drop(runtime);
    assert_eq!(Arc::strong_count(&count), 1);
    assert!(timers.is_empty(0));
    assert_eq!(timers.next_deadline(0), None);
    let mut due: Vec<Waker> = Vec::new();
    let late = std::time::Instant::now() + 2 * HOUR;
    assert_eq!(timers.process(0, late, &mut due), 0);
    // A second end, of another worker, has nothing to tell.
    timers.shutdown(&mut due);
    assert!(due.is_empty());
}

/// The end leaves some time: what is due within it goes on firing, also if it is armed then; what is due later
/// is told at once; and when the time is over, everything is.
#[test]
fn what_is_due_within_the_time_that_is_left_fires() {
    let runtime = Runtime::new(false);
    let timers = runtime.timers().clone();
    let entered = runtime.enter();
    let polled = |duration| {
        let mut timer = Box::pin(sleep(duration));
        let count = Arc::new(Count::default());
        assert!(poll_once(timer.as_mut(), &count.clone().into()).is_pending());
        (timer, count)
    };
    let (mut soon, soon_count) = polled(HOUR / 2);
    let (mut late, late_count) = polled(2 * HOUR);
    let mut due: Vec<Waker> = Vec::new();
    timers.begin_end(HOUR, &mut due);
    due.drain(..).for_each(Waker::wake);
    assert_eq!((soon_count.get(), late_count.get()), (0, 1));
    text_of_end(|| is_pending(late.as_mut()));
    text_of_end(|| is_pending(pin!(sleep(2 * HOUR))));
    let (mut armed_late, armed_late_count) = polled(HOUR / 4);
    // Moved past the end, its task is woken to be told.
    let (mut moved, moved_count) = polled(HOUR / 3);
    moved.as_mut().reset(Instant::now() + 2 * HOUR);
    assert_eq!(moved_count.get(), 1);
    text_of_end(|| is_pending(moved.as_mut()));
    let next = timers.next_deadline(0).unwrap();
    assert!(next <= soon.deadline().into_std());
    timers.process(0, soon.deadline().into_std(), &mut due);
    due.drain(..).for_each(Waker::wake);
    assert_eq!((soon_count.get(), armed_late_count.get()), (1, 1));
    assert!(!is_pending(soon.as_mut()) && !is_pending(armed_late.as_mut()));
    let (mut left, left_count) = polled(HOUR * 3 / 4);
    timers.close(&mut due);
    due.drain(..).for_each(Waker::wake);
    assert_eq!(left_count.get(), 1);
    text_of_end(|| is_pending(left.as_mut()));
    drop(entered);
}

/// A paused clock does not go on, so nothing would come due in the time that is left.
#[test]
fn a_paused_clock_leaves_no_time() {
    let runtime = Runtime::new(true);
    let timers = runtime.timers().clone();
    let mut timer = {
        let _entered = runtime.enter();
        Box::pin(sleep(ms(5)))
    };
    assert!(is_pending(timer.as_mut()));
    timers.begin_end(HOUR, &mut Vec::new());
    text_of_end(|| is_pending(timer.as_mut()));
}
