//! [`timeout`] and [`timeout_at`].

use crate::error::Elapsed;
use crate::instant::Instant;
use crate::sleep::{Sleep, sleep, sleep_until};
use pin_project_lite::pin_project;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use zokio_task::coop;

/// Lets `future` run for `duration` at most.
///
/// The future is polled before the time is looked at: one that is ready at once succeeds even with
/// a `duration` of zero. A future that never yields cannot be interrupted. The shortest time is that
/// of the shortest [`sleep`](crate::sleep()).
///
/// # Errors
/// [`Elapsed`] if the time ran out first. The future is dropped with the returned one.
///
/// # Panics
/// Outside of a runtime, and in a runtime that was built without timers. The returned future panics
/// when it is polled after its runtime has ended, while `future` is not ready and the time has not
/// run out.
///
/// # Cancel safety
/// Dropping the returned future drops `future`; the timer has no other effect.
///
/// # Examples
/// ```
/// use zokio_time::{Duration, timeout};
///
/// # async fn demo(receive: impl Future<Output = u32>) {
/// match timeout(Duration::from_millis(10), receive).await {
///     Ok(value) => println!("got {value}"),
///     Err(_) => println!("nothing within 10 ms"),
/// }
/// # }
/// ```
#[track_caller]
pub fn timeout<F>(duration: Duration, future: F) -> Timeout<F::IntoFuture>
where
    F: IntoFuture,
{
    Timeout {
        delay: sleep(duration),
        value: future.into_future(),
    }
}

/// Lets `future` run until `deadline` at most.
///
/// As [`timeout`], with a point in time.
///
/// # Errors
/// As [`timeout`].
///
/// # Panics
/// As [`timeout`].
///
/// # Cancel safety
/// As [`timeout`].
///
/// # Examples
/// ```
/// use zokio_time::{Duration, Instant, timeout_at};
///
/// # async fn demo(receive: impl Future<Output = u32>) {
/// let deadline = Instant::now() + Duration::from_millis(10);
/// if timeout_at(deadline, receive).await.is_err() {
///     println!("nothing within 10 ms");
/// }
/// # }
/// ```
#[track_caller]
pub fn timeout_at<F>(deadline: Instant, future: F) -> Timeout<F::IntoFuture>
where
    F: IntoFuture,
{
    Timeout {
        delay: sleep_until(deadline),
        value: future.into_future(),
    }
}

pin_project! {
    /// The future of [`timeout`] and [`timeout_at`].
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    #[derive(Debug)]
    pub struct Timeout<T> {
        #[pin]
        value: T,
        #[pin]
        delay: Sleep,
    }
}

impl<T> Timeout<T> {
    /// The future that is being timed.
    pub fn get_ref(&self) -> &T {
        &self.value
    }

    /// The future that is being timed.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.value
    }

    /// Gives the future back and forgets the time.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T: Future> Future for Timeout<T> {
    type Output = Result<T::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let had_budget = coop::has_budget_remaining();
        if let Poll::Ready(output) = this.value.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        // A future that eats the whole budget each time must still run out of time.
        let ate_the_budget = had_budget && !coop::has_budget_remaining();
        let elapsed = if ate_the_budget {
            coop::with_budget(coop::Budget::unlimited(), || this.delay.poll(cx))
        } else {
            this.delay.poll(cx)
        };
        elapsed.map(|()| Err(Elapsed::new()))
    }
}
