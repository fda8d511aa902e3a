//! [`sleep`] and [`sleep_until`].

use crate::instant::Instant;
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
/// paused they are rounded up to whole milliseconds. A deadline that has passed is ready at once.
///
/// # Panics
/// Outside of a runtime, and in a runtime that was built without timers. When it is first polled
/// after its runtime has ended, the future panics.
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
/// As [`sleep_until`] with a deadline from now. A duration that the clock cannot count becomes one of
/// about thirty years.
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

    /// Whether the timer has fired. False for one that was never polled since it was made or reset.
    pub fn is_elapsed(&self) -> bool {
        self.timer.is_elapsed()
    }

    /// Sets another deadline, without making a new timer.
    ///
    /// May be called before and after the future is done. A task that waits for the future is
    /// woken at the new deadline.
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
        self.project().timer.reset(deadline);
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let unit = ready!(coop::poll_proceed(cx));
        ready!(self.project().timer.poll(cx));
        unit.made_progress();
        Poll::Ready(())
    }
}
