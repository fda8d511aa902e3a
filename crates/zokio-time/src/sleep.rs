//! [`sleep`] and [`sleep_until`].

use crate::instant::Instant;
use crate::shard::DueAtOnce;
use crate::timer::Timer;
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use zokio_task::coop;

/// Waits until `deadline` has come.
///
/// Deadlines are exact to what the system's clock and its waiting calls allow; while the clock is
/// paused they are rounded up to whole milliseconds.
///
/// A sleep ends no sooner than 64 µs after its first poll, so that a loop over short sleeps leaves the
/// processor to others; `timer_floor` of the runtime's builder sets another time. Only a deadline that
/// passed at least that long ago is ready at once. Such a loop yields each time it has used up its
/// budget, as one over any other ready operation does.
///
/// # Panics
/// Outside of a runtime, and in a runtime that was built without timers. The future panics when it is
/// polled after its runtime has ended and before its deadline has come, whether or not it was
/// polled before: it cannot wait any more, and must not say that the time has passed.
///
/// # Cancel safety
/// Dropping the future cancels the timer and has no other effect.
///
/// # Examples
/// ```
/// use zokio_time::{Duration, Instant, sleep_until};
///
/// # async fn demo() {
/// sleep_until(Instant::now() + Duration::from_millis(100)).await;
/// println!("100 ms have elapsed");
/// # }
/// ```
#[track_caller]
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep::new(Timer::at(deadline))
}

/// Waits until `duration` has passed.
///
/// As [`sleep_until`] with a deadline from now. A duration of zero lasts as long as the shortest sleep;
/// to let other tasks run without a wait, use `yield_now`. A duration that the clock cannot count
/// becomes one of about thirty years.
///
/// # Panics
/// As [`sleep_until`].
///
/// # Cancel safety
/// As [`sleep_until`].
///
/// # Examples
/// ```
/// use zokio_time::{Duration, sleep};
///
/// # async fn demo() {
/// sleep(Duration::from_millis(100)).await;
/// println!("100 ms have elapsed");
/// # }
/// ```
#[track_caller]
pub fn sleep(duration: Duration) -> Sleep {
    Sleep::new(Timer::after(duration))
}

pin_project! {
    /// The future of [`sleep`] and [`sleep_until`].
    ///
    /// It belongs to the runtime in which it was made, wherever it is polled. To poll it again and
    /// again in `select!`, pin it first; to use it again after it is done, [`reset`](Self::reset) it.
    ///
    /// # Examples
    /// ```
    /// use std::pin::pin;
    /// use zokio_time::{Duration, Instant, sleep};
    ///
    /// # async fn demo() {
    /// let mut timer = pin!(sleep(Duration::from_millis(10)));
    /// timer.as_mut().await;
    /// timer.as_mut().reset(Instant::now() + Duration::from_millis(20));
    /// timer.await;
    /// # }
    /// ```
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    // Nothing here depends on the future's address; it is `!Unpin` because Tokio's is.
    #[project(!Unpin)]
    #[derive(Debug)]
    pub struct Sleep {
        timer: Timer,
    }
}

impl Sleep {
    fn new(timer: Timer) -> Self {
        Self { timer }
    }

    /// When the future is due.
    pub fn deadline(&self) -> Instant {
        self.timer.deadline()
    }

    /// Whether the timer has fired. False for one that was neither polled nor reset, and for one whose
    /// runtime ended before the deadline.
    pub fn is_elapsed(&self) -> bool {
        self.timer.is_elapsed()
    }

    /// Sets another deadline, without making a new timer.
    ///
    /// May be called before and after the future is done. The task that polled the future last is woken at
    /// the new deadline, whether it polls again before or not. (One that was woken by the former deadline,
    /// and has not polled since, has to poll.)
    ///
    /// # Examples
    /// ```
    /// use std::pin::pin;
    /// use zokio_time::{Duration, Instant, sleep};
    ///
    /// # async fn demo() {
    /// let mut timer = pin!(sleep(Duration::from_millis(10)));
    /// timer.as_mut().reset(Instant::now() + Duration::from_millis(20));
    /// # }
    /// ```
    pub fn reset(self: Pin<&mut Self>, deadline: Instant) {
        let timer = self.project().timer;
        timer.reset(deadline, DueAtOnce::PassedByFloor);
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let unit = ready!(coop::poll_proceed(cx));
        let timer = self.project().timer;
        ready!(timer.poll(cx, DueAtOnce::PassedByFloor));
        unit.made_progress();
        Poll::Ready(())
    }
}
