//! The runtime's side: shards, waits that are announced, clocks that are changed from elsewhere; and what
//! futures and errors show of themselves.

use super::*;

/// A runtime's services, with timers or without. Of a clock they know nothing.
pub(super) struct Group(pub(super) Option<TimerHandle>);

impl zokio_task::context::Services for Group {
    fn into_any(self: Arc<Self>) -> Arc<dyn std::any::Any + Send + Sync> {
        self
    }
    fn as_any(&self) -> &(dyn std::any::Any + Send + Sync) {
        self
    }
    fn timers(&self) -> Option<&(dyn std::any::Any + Send + Sync)> {
        self.0.as_ref().map(|timers| timers as _)
    }
    fn driver(&self) -> Option<&(dyn std::any::Any + Send + Sync)> {
        None
    }
}

fn timers(shards: usize) -> (TimerHandle, Clock, Arc<Mutex<Vec<usize>>>) {
    let clock = Clock::new();
    let unparked = Arc::new(Mutex::new(Vec::new()));
    let note = unparked.clone();
    let unpark = Arc::new(move |index| note.lock().unwrap().push(index));
    let timers = TimerHandle::new(shards, clock.clone(), false, TIMER_FLOOR, unpark);
    (timers, clock, unparked)
}

#[test]
fn a_runtime_has_a_shard_for_each_worker() {
    let (timers, _, _) = timers(3);
    assert_eq!(timers.shard_count(), 3);
    assert_eq!(timers.clone().shard_count(), 3);
    assert_eq!(format!("{timers:?}"), "TimerHandle { shards: 3, .. }");
    let text = panic_text(|| {
        let _ = TimerHandle::new(0, Clock::new(), false, TIMER_FLOOR, Arc::new(|_| ()));
    });
    assert!(text.contains("at least one worker"), "{text}");
}

/// Only a worker that has said that it waits, and not yet that it does so no more, is unparked.
#[test]
fn who_waits_no_longer_is_not_unparked() {
    let (timers, _clock, unparked) = timers(1);
    let _services = zokio_task::context::enter(Arc::new(Group(Some(timers.clone()))));
    let arm = |millis| {
        let mut timer = Box::pin(sleep(ms(millis)));
        assert!(is_pending(timer.as_mut()));
        timer
    };
    assert_eq!(timers.begin_wait(0), None);
    let _late = arm(90_000);
    assert_eq!(*unparked.lock().unwrap(), [0]);
    let limit = timers.begin_wait(0).unwrap();
    assert!(limit <= ms(90_000) && limit > ms(1_000), "{limit:?}");
    timers.end_wait(0);
    let _earlier = arm(60_000);
    assert_eq!(*unparked.lock().unwrap(), [0]);
    assert!(timers.begin_wait(0).unwrap() <= ms(60_000));
    // A later one changes nothing for who waits.
    let _latest = arm(120_000);
    assert_eq!(*unparked.lock().unwrap(), [0]);
    let _earliest = arm(30_000);
    assert_eq!(*unparked.lock().unwrap(), [0, 0]);
}

#[test]
fn without_timers_a_paused_clock_stands() {
    let runtime = Runtime::new(true);
    runtime.timers().clock().resume();
    assert!(!runtime.timers().jump_to_next());
    runtime.timers().clock().pause();
    let before = runtime.timers().clock().now();
    assert!(!runtime.timers().jump_to_next());
    assert_eq!(runtime.timers().clock().now(), before);
}

/// A runtime that was built without timers has a clock all the same.
#[test]
fn a_clock_is_paused_where_there_are_no_timers() {
    Runtime::build(false, true, false).block_on(async {
        pause();
        let start = Instant::now();
        advance(ms(5)).await;
        assert_eq!(start.elapsed(), ms(5));
        let text = panic_text(pause);
        assert!(text.contains("already paused"), "{text}");
        resume();
        assert!(start.elapsed() >= ms(5));
        let text = panic_text(resume);
        assert!(text.contains("not paused"), "{text}");
    });
}

#[test]
fn where_there_is_no_clock_it_cannot_be_paused() {
    let _services = zokio_task::context::enter(Arc::new(Group(None)));
    let text = panic_text(pause);
    assert!(text.contains("outside of a runtime"), "{text}");
}

/// A timer that came due before the pause is due at once: the clock need not move for it.
#[test]
fn a_timer_from_before_the_pause_moves_no_clock() {
    let runtime = Runtime::new(false);
    let _entered = runtime.enter();
    let count = Arc::new(Count::default());
    let mut timer = Box::pin(sleep(ms(1)));
    assert!(poll_once(timer.as_mut(), &count.clone().into()).is_pending());
    while Instant::now() < timer.deadline() + ms(1) {
        std::thread::yield_now();
    }
    pause();
    let before = Instant::now();
    assert!(runtime.timers().jump_to_next());
    assert_eq!(Instant::now(), before);
    let mut due: Vec<Waker> = Vec::new();
    assert_eq!(runtime.timers().process(0, before.into_std(), &mut due), 1);
    due.into_iter().for_each(Waker::wake);
    assert_eq!(count.get(), 1);
    assert!(timer.is_elapsed());
}

/// A worker that waits for nothing, since the clock stands, looks again when another thread lets it
/// run.
#[test]
fn a_clock_that_is_resumed_elsewhere_wakes_the_worker() {
    let runtime = Runtime::new(true);
    // Keeps the clock from jumping, as work on the blocking pool does.
    runtime.timers().clock().hold();
    let is_asleep = AtomicBool::new(false);
    let slept = std::thread::scope(|scope| {
        let entered = scope.spawn(|| {
            while !is_asleep.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            // By then it is asleep as a rule; otherwise this run shows less.
            std::thread::sleep(ms(20));
            let _entered = runtime.enter();
            resume();
        });
        let slept = runtime.block_on(async {
            let start = Instant::now();
            let mut timer = pin!(sleep(ms(20)));
            assert!(is_pending(timer.as_mut()));
            is_asleep.store(true, Ordering::Release);
            timer.await;
            start.elapsed()
        });
        entered.join().unwrap();
        slept
    });
    runtime.timers().clock().release();
    assert!(slept >= ms(20), "{slept:?}");
}

#[test]
fn a_timeout_shows_the_future_that_it_times() {
    Runtime::new(true).block_on(async {
        let mut timed = Box::pin(timeout(ms(3), pending::<u8>()));
        assert!(is_pending(timed.as_mut()));
        let mut timed = timeout(ms(3), ready(7));
        assert_eq!(timed.get_ref().clone().await, 7);
        *timed.get_mut() = ready(8);
        assert_eq!(timed.await, Ok(8));
        // Only the future counts; the time that is left is forgotten.
        let inner = timeout(Duration::ZERO, ready(9)).into_inner();
        assert_eq!(inner.await, 9);
    });
}

#[test]
fn what_elapsed_says() {
    let elapsed = Elapsed::new();
    assert_eq!(elapsed.to_string(), "deadline has elapsed");
    let error: Box<dyn std::error::Error + Send + Sync> = Box::new(elapsed);
    assert!(error.source().is_none());
}

#[test]
fn a_sleep_that_is_over_stays_so_until_it_is_reset() {
    Runtime::new(true).block_on(async {
        let mut timer = Box::pin(sleep(ms(3)));
        assert!(!timer.is_elapsed());
        timer.as_mut().await;
        assert!(timer.is_elapsed());
        assert!(!is_pending(timer.as_mut()));
        let next = timer.deadline() + ms(3);
        timer.as_mut().reset(next);
        assert!(!timer.is_elapsed());
        timer.as_mut().await;
        assert!(timer.is_elapsed() && Instant::now() == next);
        assert!(format!("{timer:?}").contains("Sleep"));
    });
}
