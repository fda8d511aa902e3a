//! [`pause`], [`advance`] and [`resume`]: tests that do not wait.

use crate::error;
use crate::handle::TimerHandle;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;
use zokio_base::clock::{self, Clock};
use zokio_task::context;

/// The clock of the current runtime, and its timers if it has any.
///
/// # Panics
/// Outside of a runtime, and where tasks run on more than one thread.
#[track_caller]
fn clock_here(what: &str) -> (Clock, Option<TimerHandle>) {
    let found = context::with_services(|services| {
        let timers = services?.timers();
        let timers = timers.and_then(|timers| timers.downcast_ref::<TimerHandle>());
        Some(timers.cloned())
    });
    let timers = match found {
        Ok(Some(timers)) => timers,
        Ok(None) => panic!("time cannot be {what} outside of a runtime"),
        Err(context::ThreadGone) => panic!("{}", error::THREAD_GONE),
    };
    if timers.as_ref().is_some_and(|timers| !timers.may_pause()) {
        panic!(
            "time can be {what} in a current-thread runtime only: build it with \
             `Builder::new_current_thread`, or give the macro `flavor = \"current_thread\"`"
        );
    }
    let clock = match &timers {
        Some(timers) => Some(timers.clock().clone()),
        None => clock::current(),
    };
    let Some(clock) = clock else {
        panic!("time cannot be {what} outside of a runtime");
    };
    (clock, timers)
}

/// Has the workers look at their timers again. The worker that runs the caller does so anyway.
fn clock_changed(timers: Option<TimerHandle>) {
    if let Some(timers) = timers.filter(|_| context::worker().is_none()) {
        timers.unpark_all();
    }
}

/// Stops the current runtime's clock.
///
/// From here on [`Instant::now`](crate::Instant::now) changes only through [`advance`], and by itself
/// when the runtime has nothing to do but to wait for a timer: it then jumps to the earliest
/// deadline. So a test that sleeps for an hour ends at once. Work on the blocking pool keeps the clock
/// from jumping until it is done.
///
/// `#[zokio::test(start_paused = true)]` starts a test this way.
///
/// # Panics
/// If the clock is paused already; outside of a current-thread runtime.
///
/// # Examples
/// ```
/// use zokio_time::{Duration, Instant, pause, sleep};
///
/// # async fn demo() {
/// pause();
/// let start = Instant::now();
/// sleep(Duration::from_secs(3600)).await; // takes no time
/// assert_eq!(start.elapsed(), Duration::from_secs(3600));
/// # }
/// ```
#[track_caller]
pub fn pause() {
    let (clock, timers) = clock_here("paused");
    assert!(clock.pause(), "time is already paused");
    if let Some(timers) = timers {
        timers.source().paused();
    }
}

/// Lets a paused clock run again, from where it stands.
///
/// # Panics
/// If the clock is not paused; outside of a current-thread runtime.
///
/// # Examples
/// ```
/// # fn demo() {
/// zokio_time::pause();
/// // ...
/// zokio_time::resume();
/// # }
/// ```
#[track_caller]
pub fn resume() {
    let (clock, timers) = clock_here("resumed");
    assert!(clock.resume(), "time is not paused");
    clock_changed(timers);
}

/// Moves a paused clock forward by `duration`, and lets other tasks run once.
///
/// The clock moves in one jump: all timers with deadlines on the way come due together, in their
/// order, and see the new time. To have each see its own time, `sleep` instead: the clock then stops
/// at each deadline. The tasks that are woken have not necessarily run when this returns.
///
/// # Panics
/// If the clock is not paused; outside of a current-thread runtime; if the clock cannot count that
/// far.
///
/// # Cancel safety
/// Once it was polled the clock has moved, whether the future is dropped or not.
///
/// # Examples
/// ```
/// use zokio_time::{Duration, Instant, advance, pause};
///
/// # async fn demo() {
/// pause();
/// let start = Instant::now();
/// advance(Duration::from_secs(1)).await;
/// assert_eq!(start.elapsed(), Duration::from_secs(1));
/// # }
/// ```
pub async fn advance(duration: Duration) {
    let (clock, timers) = clock_here("advanced");
    assert!(clock.advance(duration), "time is not paused");
    clock_changed(timers);
    // Until the timers were processed, which happens before deferred wakers are woken.
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context::defer(cx.waker());
        Poll::Pending
    })
    .await;
}
