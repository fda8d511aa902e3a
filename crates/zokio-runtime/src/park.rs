//! Where a worker waits: its driver and its timers in one place.
//!
//! A turn submits and drains the driver, fires what timers are due, and in between waits for the
//! nearer of the two. With a paused clock there is no waiting for timers: when nothing else is
//! ready, the clock jumps to the next one.
//!
//! Where timers are dense, a worker that has nothing else to do is woken for them once in a while
//! only ([`gap_after`]), and fires all that have come due by then; a timer that is alone fires on
//! its own.
//!
//! Invariant: timers are announced ([`TimerHandle::begin_wait`]) before the driver waits, so that
//! an earlier timer from another thread ends the wait.

use crate::end;
use std::task::Waker;
use std::time::{Duration, Instant};
use zokio_base::clock::Clock;
use zokio_base::park::{Park, Unpark, WakeSink};
use zokio_base::sync::Arc;
use zokio_base::sync::std_atomic::{AtomicBool, Ordering};
use zokio_driver::{DriverUnparker, WorkerDriver};
use zokio_time::TimerHandle;

/// The least time between two wake-ups for timers alone. About what the kernel allows itself to be
/// late by (50 us of timer slack for ordinary threads), and a fraction of what a wake-up costs.
const TIMER_GAP_MIN: Duration = Duration::from_micros(64);

/// The part that each timer that fired adds to the gap: so that a wake-up, with the other worker that it
/// calls to help, is shared by the more timers the more there are.
const TIMER_GAP_EACH: Duration = Duration::from_micros(32);

/// No timer is later than this for the sake of others.
const TIMER_GAP_MAX: Duration = Duration::from_micros(256);

/// For how long a worker that has fired `count` timers is not woken for timers alone.
fn gap_after(count: usize) -> Duration {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    TIMER_GAP_EACH
        .saturating_mul(count)
        .clamp(TIMER_GAP_MIN, TIMER_GAP_MAX)
}

/// The place where one worker waits.
#[derive(Debug)]
pub(crate) struct WorkerPark {
    driver: WorkerDriver,
    timers: Option<TimerHandle>,
    clock: Clock,
    woken: Arc<AtomicBool>,
    /// No wake-up for timers alone before: the end of the gap after those that fired last.
    quiet_until: Option<Instant>,
}

/// Ends the waits of one worker.
#[derive(Debug, Clone)]
pub(crate) struct WorkerUnpark {
    driver: DriverUnparker,
    /// Somebody wanted the worker since it last looked: a paused clock must not jump then.
    woken: Arc<AtomicBool>,
    /// The worker's timers, for others to fire while it is stuck, and their clock.
    timers: Option<(TimerHandle, usize)>,
    clock: Clock,
}

impl Unpark for WorkerUnpark {
    fn unpark(&self) {
        // Release pairs with the acquire in `jump`.
        self.woken.store(true, Ordering::Release);
        self.driver.unpark();
    }

    fn is_waiting(&self) -> bool {
        self.driver.is_waiting()
    }

    fn relieve<S: WakeSink>(&self, sink: &mut S) {
        // The wheel's lock is held by no thread that is in a system call.
        if let Some((timers, worker)) = &self.timers {
            timers.relieve(*worker, self.clock.now(), sink);
        }
    }
}

/// Counts what passes through to another sink.
struct Counting<'a, S> {
    sink: &'a mut S,
    count: usize,
}

impl<S: WakeSink> WakeSink for Counting<'_, S> {
    fn wake(&mut self, waker: Waker) {
        self.count += 1;
        self.sink.wake(waker);
    }
}

impl WorkerPark {
    pub(crate) fn new(driver: WorkerDriver, timers: Option<TimerHandle>, clock: Clock) -> Self {
        Self {
            driver,
            timers,
            clock,
            woken: Arc::new(AtomicBool::new(false)),
            quiet_until: None,
        }
    }

    fn fire<S: WakeSink>(&mut self, sink: &mut S) {
        if let Some(timers) = &self.timers {
            let now = self.clock.now();
            let count = timers.process(self.driver.index(), now, sink);
            if count > 0 {
                self.quiet_until = now.checked_add(gap_after(count));
            }
        }
    }

    /// For how long the worker may wait, as far as timers go.
    fn until_timer(&self) -> Option<Duration> {
        let timers = self.timers.as_ref()?;
        let until = timers.begin_wait(self.driver.index())?;
        match self.quiet_until {
            Some(quiet_until) if until < TIMER_GAP_MAX => {
                let quiet = quiet_until.saturating_duration_since(self.clock.now());
                Some(until.max(quiet))
            }
            _ => Some(until),
        }
    }

    /// Whether a paused clock may jump, as far as work goes that is under way.
    fn may_jump(&self) -> bool {
        self.clock.can_jump() && !self.driver.has_operations()
    }

    /// With a paused clock and nothing else ready, moves the clock to the next timer. Returns
    /// whether the worker has something to do now.
    fn jump<S: WakeSink>(&mut self, sink: &mut S) -> bool {
        loop {
            // Asked before we look for wake-ups: work that holds the clock wakes first and lets go
            // afterwards, so whoever finds the clock free finds the wake-up too.
            let may_jump = self.may_jump();
            let mut counting = Counting { sink, count: 0 };
            self.driver.poll(&mut counting);
            self.fire(&mut counting);
            // Acquire pairs with the release in `unpark`.
            if counting.count > 0 || self.woken.swap(false, Ordering::Acquire) {
                return true;
            }
            if may_jump {
                let jumped = self.timers.as_ref().is_some_and(TimerHandle::jump_to_next);
                if jumped {
                    self.fire(sink);
                }
                return jumped;
            }
            // The holder of the clock ends the wait when it lets go. Unless it just did and nobody is
            // woken by that: a request was pending, and now it is submitted and waits for others.
            if !self.may_jump() {
                return false;
            }
        }
    }
}

impl Park for WorkerPark {
    type Unpark = WorkerUnpark;

    fn unparker(&self) -> WorkerUnpark {
        WorkerUnpark {
            driver: self.driver.unparker(),
            woken: self.woken.clone(),
            timers: self
                .timers
                .clone()
                .map(|timers| (timers, self.driver.index())),
            clock: self.clock.clone(),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.timers
            .as_ref()
            .and_then(|timers| timers.next_deadline(self.driver.index()))
    }

    fn poll<S: WakeSink>(&mut self, sink: &mut S) {
        self.driver.poll(sink);
        self.fire(sink);
    }

    fn park<S: WakeSink>(&mut self, limit: Option<Duration>, sink: &mut S) {
        if limit == Some(Duration::ZERO) {
            return self.poll(sink);
        }
        if self.clock.is_paused() && self.jump(sink) {
            return;
        }
        let limit = match (limit, self.until_timer()) {
            (Some(limit), Some(timer)) => Some(limit.min(timer)),
            (limit, timer) => limit.or(timer),
        };
        self.driver.park(limit, None, sink);
        self.fire(sink);
    }

    fn leave<S: WakeSink>(&mut self, sink: &mut S) {
        self.driver.leave(sink);
    }

    fn shutdown<S: WakeSink>(&mut self, deadline: Option<Instant>, sink: &mut S) {
        // Each worker does it, none is the last: only the first call changes anything.
        if let Some(timers) = &self.timers {
            timers.begin_end(end::time_left(deadline), sink);
        }
        self.driver.shutdown(deadline, sink);
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;

    #[test]
    fn the_gap_grows_with_the_number_of_timers_within_its_bounds() {
        assert_eq!(gap_after(1), TIMER_GAP_MIN);
        assert_eq!(gap_after(5), Duration::from_micros(160));
        assert_eq!(gap_after(1_000), TIMER_GAP_MAX);
        assert_eq!(gap_after(usize::MAX), TIMER_GAP_MAX);
    }
}
