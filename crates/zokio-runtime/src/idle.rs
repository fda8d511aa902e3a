//! [`Idle`]: what a runtime waits for when its caller does not wait with it.

use crate::handle::{Handle, enter_region};
use zokio_time::Instant;

/// The events that a runtime that has nothing to do at the moment waits for. See
/// [`Runtime::run_until_idle`](crate::Runtime::run_until_idle).
///
/// # Examples
/// ```
/// let runtime = zokio_runtime::Builder::new_current_thread().build().unwrap();
/// let idle = runtime.run_until_idle();
/// assert_eq!(idle.next_timer(), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Idle {
    next_timer: Option<Instant>,
}

impl Idle {
    /// When the next timer is due: before then, no timer has anything to run. None if no timer is
    /// set.
    ///
    /// A timer that was cancelled may still show here, so that the call at this time finds nothing
    /// to do. With a paused clock the time is one of that clock, which does not come by itself.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use zokio_time::{Instant, sleep};
    ///
    /// let runtime = zokio_runtime::Builder::new_current_thread().enable_time().build().unwrap();
    /// assert_eq!(runtime.run_until_idle().next_timer(), None);
    /// let begun = Instant::now();
    /// runtime.spawn(sleep_a_minute());
    /// let next = runtime.run_until_idle().next_timer().unwrap();
    /// assert!(next >= begun + Duration::from_secs(60));
    /// # async fn sleep_a_minute() { sleep(Duration::from_secs(60)).await }
    /// ```
    pub fn next_timer(&self) -> Option<Instant> {
        self.next_timer
    }
}

/// Runs what is ready on the runtime of `handle`.
///
/// # Panics
/// See [`Runtime::run_until_idle`](crate::Runtime::run_until_idle).
#[track_caller]
pub(crate) fn run(handle: &Handle) -> Idle {
    let scheduler = &handle.inner.scheduler;
    assert!(
        !scheduler.is_multi_thread(),
        "a multi-thread runtime runs its tasks by itself: use `Builder::new_current_thread` for one \
         that is run by `run_until_idle`"
    );
    // The scheduler enters the region itself; ask first, to panic with the caller's place.
    drop(enter_region(false));
    let _guard = handle.enter();
    Idle {
        next_timer: scheduler.run_until_idle().map(Instant::from_std),
    }
}
