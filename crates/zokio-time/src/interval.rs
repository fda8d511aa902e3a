//! [`interval`] and [`interval_at`].

use crate::instant::Instant;
use crate::shard::DueAtOnce;
use crate::timer::Timer;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use zokio_task::coop;

/// A tick that is seen later than this was missed, and [`MissedTickBehavior`] decides what follows.
const MISSED_AFTER: Duration = Duration::from_millis(5);

/// A tick whose time has passed comes at once: the first one, and those that catch up. How many there
/// are is bounded by the period. A tick that has to be waited for obeys the floor of sleeps.
const DUE: DueAtOnce = DueAtOnce::Passed;

/// Ticks every `period`, the first time at once.
///
/// With a period below the shortest sleep (64 µs, see [`sleep`](crate::sleep())) ticks come in
/// groups: those that were due during a sleep follow it at once.
///
/// # Panics
/// If `period` is zero; outside of a runtime, and in a runtime that was built without timers.
/// [`tick`](Interval::tick) panics if its runtime has ended and the tick is not due.
///
/// # Examples
/// ```
/// use zokio_time::{Duration, interval};
///
/// # async fn demo() {
/// let mut ticks = interval(Duration::from_millis(10));
/// ticks.tick().await; // at once
/// ticks.tick().await; // 10 ms later
/// # }
/// ```
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    assert!(!period.is_zero(), "`period` must be non-zero.");
    Interval::new(Timer::after(Duration::ZERO), period)
}

/// Ticks every `period`, the first time at `start`.
///
/// # Panics
/// As [`interval`].
///
/// # Examples
/// ```
/// use zokio_time::{Duration, Instant, interval_at};
///
/// # async fn demo() {
/// let start = Instant::now() + Duration::from_millis(50);
/// let mut ticks = interval_at(start, Duration::from_millis(10));
/// ticks.tick().await; // after 50 ms
/// ticks.tick().await; // 10 ms later
/// # }
/// ```
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    assert!(!period.is_zero(), "`period` must be non-zero.");
    Interval::new(Timer::at(start), period)
}

/// The behaviour of an [`Interval`] after ticks were missed because nobody asked for them in time.
///
/// # Examples
/// ```
/// use zokio_time::{Duration, MissedTickBehavior, interval};
///
/// # async fn demo() {
/// let mut ticks = interval(Duration::from_millis(10));
/// ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissedTickBehavior {
    /// Catches up: ticks as fast as it is asked until it is where it would be without the delay.
    #[default]
    Burst,
    /// Starts anew: the next tick comes one period after the late one was seen.
    Delay,
    /// Leaves the missed ticks out: the next tick comes at the next multiple of the period from the
    /// start.
    Skip,
}

impl MissedTickBehavior {
    /// The tick that follows one which was due at `due` and seen at `now`.
    fn next(self, due: Instant, now: Instant, period: Duration) -> Instant {
        match self {
            Self::Burst => due.later(period),
            Self::Delay => now.later(period),
            Self::Skip => {
                let late = now.saturating_duration_since(due).as_nanos();
                // Less than one period, so it fits if the period does.
                let into_the_period = u64::try_from(late % period.as_nanos());
                let into_the_period = into_the_period.unwrap_or(u64::MAX);
                now.later(period - Duration::from_nanos(into_the_period))
            }
        }
    }
}

/// A sequence of ticks. Made by [`interval`] and [`interval_at`].
///
/// A tick's time does not drift: how long the work between two ticks takes does not matter unless it
/// takes longer than the period; then see [`MissedTickBehavior`].
#[derive(Debug)]
pub struct Interval {
    timer: Timer,
    period: Duration,
    missed_tick_behavior: MissedTickBehavior,
}

impl Interval {
    fn new(timer: Timer, period: Duration) -> Self {
        Self {
            timer,
            period,
            missed_tick_behavior: MissedTickBehavior::default(),
        }
    }

    /// Waits for the next tick and returns when it was due.
    ///
    /// # Cancel safety
    /// No tick is lost if the future is dropped before it is done.
    ///
    /// # Examples
    /// ```
    /// use zokio_time::{Duration, interval};
    ///
    /// # async fn demo() {
    /// let mut ticks = interval(Duration::from_millis(10));
    /// let first = ticks.tick().await;
    /// let second = ticks.tick().await;
    /// assert_eq!(second - first, Duration::from_millis(10));
    /// # }
    /// ```
    pub async fn tick(&mut self) -> Instant {
        poll_fn(|cx| self.poll_tick(cx)).await
    }

    /// As [`tick`](Self::tick), for hand-written futures.
    ///
    /// While it is pending, the last caller's waker is woken at the next tick. After it was ready
    /// nobody is woken until it is called again.
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        let unit = ready!(coop::poll_proceed(cx));
        ready!(self.timer.poll_due(cx, DUE));
        unit.made_progress();
        let due = self.timer.deadline();
        let now = self.timer.now();
        let next = if now.saturating_duration_since(due) > MISSED_AFTER {
            self.missed_tick_behavior.next(due, now, self.period)
        } else {
            due.later(self.period)
        };
        self.timer.go_on(next);
        Poll::Ready(due)
    }

    /// Has the next tick come one period from now.
    ///
    /// # Examples
    /// ```
    /// use zokio_time::{Duration, interval, sleep};
    ///
    /// # async fn demo() {
    /// let mut ticks = interval(Duration::from_millis(100));
    /// ticks.tick().await;
    /// sleep(Duration::from_millis(50)).await;
    /// ticks.reset();
    /// ticks.tick().await; // 150 ms after the first
    /// # }
    /// ```
    pub fn reset(&mut self) {
        self.reset_after(self.period);
    }

    /// Has the next tick come at once.
    pub fn reset_immediately(&mut self) {
        self.timer.reset(self.timer.now(), DUE);
    }

    /// Has the next tick come `after` from now.
    pub fn reset_after(&mut self, after: Duration) {
        self.timer.reset(self.timer.now().later(after), DUE);
    }

    /// Has the next tick come at `deadline`, and the others at multiples of the period from there.
    pub fn reset_at(&mut self, deadline: Instant) {
        self.timer.reset(deadline, DUE);
    }

    /// The behaviour after missed ticks.
    pub fn missed_tick_behavior(&self) -> MissedTickBehavior {
        self.missed_tick_behavior
    }

    /// Sets what happens after missed ticks.
    pub fn set_missed_tick_behavior(&mut self, behavior: MissedTickBehavior) {
        self.missed_tick_behavior = behavior;
    }

    /// The time between two ticks.
    pub fn period(&self) -> Duration {
        self.period
    }
}
