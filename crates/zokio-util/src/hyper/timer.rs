//! [`Timer`]: hyper's time-outs on Zokio's clock.

use hyper::rt::Sleep as HyperSleep;
use pin_project_lite::pin_project;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Gives hyper the runtime's clock and timers, so that its time-outs work, and obey a paused clock.
///
/// # Panics
/// Its methods panic outside of a runtime, and in a runtime without timers.
///
/// # Examples
/// ```
/// use hyper::rt::Timer as _;
/// use std::time::Duration;
/// use zokio_util::hyper::Timer;
///
/// # zokio::runtime::Runtime::new().unwrap().block_on(async {
/// let timer = Timer::new();
/// let begin = timer.now();
/// timer.sleep(Duration::from_millis(2)).await;
/// assert!(timer.now() - begin >= Duration::from_millis(2));
/// # });
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Timer;

impl Timer {
    /// A timer of the current runtime: that of the caller of its methods.
    pub fn new() -> Self {
        Self
    }
}

impl hyper::rt::Timer for Timer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn HyperSleep>> {
        Box::pin(Sleep {
            inner: zokio::time::sleep(duration),
        })
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn HyperSleep>> {
        Box::pin(Sleep {
            inner: zokio::time::sleep_until(deadline.into()),
        })
    }

    fn now(&self) -> Instant {
        zokio::time::Instant::now().into_std()
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn HyperSleep>>, new_deadline: Instant) {
        match sleep.as_mut().downcast_mut_pin::<Sleep>() {
            Some(own) => own.project().inner.reset(new_deadline.into()),
            // Made by another timer.
            None => *sleep = self.sleep_until(new_deadline),
        }
    }
}

pin_project! {
    /// A sleep that hyper can hold and set anew.
    struct Sleep {
        #[pin]
        inner: zokio::time::Sleep,
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.project().inner.poll(cx)
    }
}

impl HyperSleep for Sleep {}
