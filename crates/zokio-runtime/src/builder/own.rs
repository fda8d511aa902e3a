//! Settings that upstream does not have: how soon a sleep may end.

use super::Builder;
use std::time::Duration;

impl Builder {
    /// How soon a sleep may end after its first poll: 64 µs unless it is set. Zero lets each sleep end
    /// at its deadline.
    ///
    /// A task that loops over sleeps of a few nanoseconds would otherwise do nothing else, keep a
    /// processor busy, and delay the timers of its neighbours by milliseconds. Sleeps that are longer
    /// than the floor end at their deadlines, to the nanosecond; deadlines that passed at least that
    /// long ago are ready at once. The floor holds for `sleep`, `sleep_until`, `timeout` and
    /// `timeout_at`, and for each tick of an `interval` that is not due yet. A clock that is paused
    /// has none. Tokio rounds all of them up to whole milliseconds.
    ///
    /// # Examples
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// let runtime = zokio_runtime::Builder::new_current_thread()
    ///     .enable_time()
    ///     .timer_floor(Duration::from_millis(2))
    ///     .build()
    ///     .unwrap();
    /// let start = Instant::now();
    /// runtime.block_on(async { zokio_time::sleep(Duration::from_micros(10)).await });
    /// assert!(start.elapsed() >= Duration::from_millis(2));
    /// ```
    pub fn timer_floor(&mut self, floor: Duration) -> &mut Self {
        self.timer_floor = floor;
        self
    }
}
