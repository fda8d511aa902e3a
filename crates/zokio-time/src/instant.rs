//! [`Instant`]: a point in time on the runtime's clock.
//!
//! A thin shell around the standard library's type, so that "now" can come from a clock that a test
//! has stopped.

use std::fmt;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::time::Duration;
use zokio_base::clock;

/// The stand-in for a deadline that does not fit the system's clock: about thirty years.
const FAR_FUTURE: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// A measurement of a clock that never goes backwards.
///
/// It differs from [`std::time::Instant`] in one thing: inside a runtime whose clock is paused,
/// [`now`](Self::now) shows the paused clock.
///
/// # Examples
/// ```
/// use zokio_time::{Duration, Instant};
///
/// let start = Instant::now();
/// let deadline = start + Duration::from_millis(10);
/// assert_eq!(deadline - start, Duration::from_millis(10));
/// assert_eq!(start.saturating_duration_since(deadline), Duration::ZERO);
/// ```
#[derive(Clone, Copy, Eq, PartialEq, PartialOrd, Ord, Hash)]
pub struct Instant {
    std: std::time::Instant,
}

impl Instant {
    /// The time that the clock shows.
    ///
    /// # Examples
    /// ```
    /// let now = zokio_time::Instant::now();
    /// ```
    pub fn now() -> Instant {
        Self::from_std(clock::now())
    }

    /// The same point in time, from the standard library's type.
    pub fn from_std(std: std::time::Instant) -> Instant {
        Self { std }
    }

    /// A point so far away that nobody waits for it.
    pub(crate) fn far_future(now: Instant) -> Instant {
        now.checked_add(FAR_FUTURE).unwrap_or(now)
    }

    /// `by` later, or far away if the clock cannot count that far.
    pub(crate) fn later(self, by: Duration) -> Instant {
        self.checked_add(by)
            .unwrap_or_else(|| Self::far_future(self))
    }

    /// The same point in time, as the standard library's type.
    pub fn into_std(self) -> std::time::Instant {
        self.std
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn duration_since(&self, earlier: Instant) -> Duration {
        self.std.saturating_duration_since(earlier.std)
    }

    /// How long after `earlier` this is; none if it is before it.
    pub fn checked_duration_since(&self, earlier: Instant) -> Option<Duration> {
        self.std.checked_duration_since(earlier.std)
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn saturating_duration_since(&self, earlier: Instant) -> Duration {
        self.std.saturating_duration_since(earlier.std)
    }

    /// How long ago this was; zero if it is still to come.
    pub fn elapsed(&self) -> Duration {
        Instant::now().saturating_duration_since(*self)
    }

    /// `duration` later; none if the clock cannot count that far.
    pub fn checked_add(&self, duration: Duration) -> Option<Instant> {
        self.std.checked_add(duration).map(Self::from_std)
    }

    /// `duration` earlier; none if the clock cannot count that far.
    pub fn checked_sub(&self, duration: Duration) -> Option<Instant> {
        self.std.checked_sub(duration).map(Self::from_std)
    }
}

impl From<std::time::Instant> for Instant {
    fn from(std: std::time::Instant) -> Instant {
        Self::from_std(std)
    }
}

impl From<Instant> for std::time::Instant {
    fn from(instant: Instant) -> std::time::Instant {
        instant.std
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;

    fn add(self, duration: Duration) -> Instant {
        Self::from_std(self.std + duration)
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Instant) -> Duration {
        self.std.saturating_duration_since(earlier.std)
    }
}

impl Sub<Duration> for Instant {
    type Output = Instant;

    fn sub(self, duration: Duration) -> Instant {
        Self::from_std(self.std - duration)
    }
}

impl SubAssign<Duration> for Instant {
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.std.fmt(f)
    }
}
