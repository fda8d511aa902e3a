//! Settings that upstream does not have: how soon a sleep may end, how many threads are reserved for the
//! runtime's own work, and what the first operation on a socket does.

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

    /// How many threads there may be beside those of [`max_blocking_threads`](Self::max_blocking_threads),
    /// for the runtime's own work: 4 unless it is set. They are started only while all others are busy, for
    /// operations on files, look-ups of names and the standard streams, as far as these need a thread, and
    /// end when nothing of this waits. With 0, such work waits behind the program's closures.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread()
    ///     .max_blocking_threads(1)
    ///     .reserved_blocking_threads(1)
    ///     .build()
    ///     .unwrap();
    /// assert_eq!(runtime.block_on(runtime.spawn_blocking(|| 42)).unwrap(), 42);
    /// ```
    pub fn reserved_blocking_threads(&mut self, count: usize) -> &mut Self {
        self.reserved_blocking_threads = count;
        self
    }

    /// Whether the first operation on a socket is tried at once: false unless it is set.
    ///
    /// By default the first operation on a socket or a pipe waits until the system has reported what the
    /// socket is ready for, even if there is something to read by then: the task is polled twice, as it
    /// is on Tokio. A method whose name begins with `try_` says `WouldBlock` until then. Two things are tried
    /// at once on both: reading and writing a connection that was accepted, and writing to an end of a
    /// pair. Programs rely on the second poll, mostly without knowing: they arm a timer in the first.
    ///
    /// In an eager runtime every operation is tried at once, and a socket is registered only when one of
    /// them would block. This saves a registration and a turn of the driver for each connection that is
    /// made, and all of them for one that never waits. The price: `connect` to this host, the first `recv`
    /// and the first `read` may complete in their first poll. Code that expects to be polled again has to
    /// ask for it (`cx.waker().wake_by_ref()`).
    ///
    /// # Platform
    /// On Windows sockets are registered when they are made, whatever is set here.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_multi_thread()
    ///     .enable_all()
    ///     .eager_sockets(true)
    ///     .build()
    ///     .unwrap();
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// ```
    pub fn eager_sockets(&mut self, eager: bool) -> &mut Self {
        self.eager_sockets = eager;
        self
    }
}
