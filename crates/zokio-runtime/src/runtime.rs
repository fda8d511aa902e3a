//! [`Runtime`]: the owner. Dropping it shuts everything down.
//!
//! # Shutdown
//!
//! 1. The scheduler closes its shards and cancels every task, inside of the runtime's context: on
//!    its workers, or here where no thread runs them. The last worker shuts the drivers down.
//! 2. The pool refuses new closures, drops those that wait, and the threads end when what they
//!    run returns. Timers that such a closure waits for go on for a moment (`end.rs`).
//! 3. The caller waits for both, as long as it said.

use crate::builder::Builder;
use crate::end;
use crate::handle::{EnterGuard, Handle, enter_region};
use crate::idle::{self, Idle};
use crate::metrics::RuntimeMetrics;
use std::fmt;
use std::io;
use std::time::Duration;
use zokio_base::clock;
use zokio_task::context::{self, Region};
use zokio_task::{JoinHandle, box_if_large};

/// An asynchronous runtime: scheduler, timers, I/O driver and a pool for what blocks.
///
/// Dropping it cancels every task at its next `.await`, and waits until all of its threads have
/// ended: closures given to `spawn_blocking` that have begun are waited for, however long they take. If one of
/// them is inside of [`Handle::block_on`], timers that are due within a second from then on still fire for it; a
/// timer that is due later panics, as it does on every thread after the end.
/// [`shutdown_timeout`](Self::shutdown_timeout) and
/// [`shutdown_background`](Self::shutdown_background) do not wait that long.
///
/// # Panics
/// Dropping a runtime inside of an asynchronous context panics, since it would block the thread.
///
/// # Examples
/// ```
/// let runtime = zokio_runtime::Runtime::new().unwrap();
/// assert_eq!(runtime.block_on(async { 6 * 7 }), 42);
/// ```
pub struct Runtime {
    handle: Handle,
    /// Whether the shutdown was asked for with words of its own.
    is_shut_down: bool,
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("handle", &self.handle)
            .finish_non_exhaustive()
    }
}

impl Runtime {
    /// A multi-thread runtime with everything enabled and all settings at their defaults.
    ///
    /// # Errors
    /// If the system gives no threads or descriptors.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Runtime::new()?;
    /// assert_eq!(runtime.block_on(async { 42 }), 42);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn new() -> io::Result<Self> {
        Builder::new_multi_thread().enable_all().build()
    }

    pub(crate) fn from_handle(handle: Handle) -> Self {
        Self {
            handle,
            is_shut_down: false,
        }
    }

    /// The handle of this runtime.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Runtime::new().unwrap();
    /// let task = runtime.handle().spawn(async { 42 });
    /// assert_eq!(runtime.block_on(task).unwrap(), 42);
    /// ```
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Spawns a task onto the runtime. See [`Handle::spawn`].
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Runtime::new().unwrap();
    /// let task = runtime.spawn(async { "done" });
    /// assert_eq!(runtime.block_on(task).unwrap(), "done");
    /// ```
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        box_if_large!(future: F => self.handle.spawn(future))
    }

    /// Runs a closure that may block on a thread of the pool. See
    /// [`spawn_blocking`](crate::spawn_blocking).
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Runtime::new().unwrap();
    /// let task = runtime.spawn_blocking(|| 42);
    /// assert_eq!(runtime.block_on(task).unwrap(), 42);
    /// ```
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, func: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        box_if_large!(closure func: F => self.handle.spawn_blocking(func))
    }

    /// Runs a future to its end on the calling thread. A current-thread runtime runs its tasks,
    /// timers and I/O here as well; if several threads call this, one of them does.
    ///
    /// # Panics
    /// If the future does, and if the thread is driving a runtime's tasks already.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Runtime::new().unwrap();
    /// let answer = runtime.block_on(async {
    ///     zokio_runtime::spawn(async { 42 }).await.unwrap()
    /// });
    /// assert_eq!(answer, 42);
    /// ```
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        box_if_large!(future: F => self.drive_to_end(future))
    }

    /// As [`block_on`](Self::block_on), for a future that may be moved by value.
    #[track_caller]
    fn drive_to_end<F: Future>(&self, future: F) -> F::Output {
        if self.handle.inner.scheduler.is_multi_thread() {
            return self.handle.block_on(future);
        }
        // The scheduler enters the region itself, for each turn of driving; ask first, to panic
        // with the caller's place.
        drop(enter_region(false));
        let _guard = self.handle.enter();
        self.handle.inner.scheduler.block_on(future)
    }

    /// Runs all tasks that are ready, and those that become ready by that, on the calling thread,
    /// and returns as soon as there is nothing more to do. Never waits: this is for programs that
    /// have a loop of their own (a window's, a game's) and give the runtime a turn in it.
    ///
    /// Looks at the driver and the timers at least once. What happens later (events of sockets, ends
    /// of operations on files, wakes from other threads) is seen by the next call, so the caller's
    /// loop decides how soon that is. For timers the result says when the next call is due.
    ///
    /// A task that is always ready, one that yields in a loop for instance, is always something to
    /// do: with one the call does not return. If another thread is inside of
    /// [`block_on`](Self::block_on), that one runs the tasks, and this returns at once.
    ///
    /// A clock that is paused does not move by itself here, as it does in
    /// [`block_on`](Self::block_on).
    ///
    /// # Panics
    /// On a multi-thread runtime, which runs its tasks by itself; if the thread is driving a
    /// runtime's tasks already; and after a task's panic if that is to end the runtime
    /// ([`Builder::unhandled_panic`](crate::Builder::unhandled_panic)).
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use zokio_time::{Instant, sleep};
    ///
    /// /// Waits for the window's events, until `next` at most.
    /// fn window_events(next: Option<Instant>) {
    ///     let frame = Duration::from_millis(10);
    ///     let left = next.map_or(frame, |next| next.saturating_duration_since(Instant::now()));
    ///     # #[allow(clippy::disallowed_methods)]
    ///     std::thread::sleep(left.min(frame));
    /// }
    ///
    /// let runtime = zokio_runtime::Builder::new_current_thread().enable_all().build().unwrap();
    /// let task = runtime.spawn(async {
    ///     sleep(Duration::from_millis(25)).await;
    ///     42
    /// });
    /// while !task.is_finished() {
    ///     let idle = runtime.run_until_idle();
    ///     window_events(idle.next_timer());
    /// }
    /// assert_eq!(runtime.block_on(task).unwrap(), 42);
    /// ```
    #[track_caller]
    pub fn run_until_idle(&self) -> Idle {
        idle::run(&self.handle)
    }

    /// Makes this the current runtime of the thread until the guard is dropped. See
    /// [`Handle::enter`].
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Runtime::new().unwrap();
    /// let guard = runtime.enter();
    /// let task = zokio_runtime::spawn(async { 42 });
    /// drop(guard);
    /// assert_eq!(runtime.block_on(task).unwrap(), 42);
    /// ```
    pub fn enter(&self) -> EnterGuard<'_> {
        self.handle.enter()
    }

    /// Figures of the work that the runtime has done so far.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Runtime::new().unwrap();
    /// println!("{} workers", runtime.metrics().num_workers());
    /// ```
    pub fn metrics(&self) -> RuntimeMetrics {
        self.handle.metrics()
    }

    /// Shuts the runtime down, and waits `duration` at most for what cannot be cancelled: closures
    /// of `spawn_blocking` that have begun, tasks that do not return from their poll, and operations
    /// on files that the system has not ended. What has not ended by then goes on on its own thread.
    /// Operations of the ring are then counted as abandoned
    /// ([`RuntimeMetrics::operations`]), and what they hold stays allocated until the system is done
    /// with it.
    ///
    /// # Panics
    /// Inside of an asynchronous context, unless `duration` is zero.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// let runtime = zokio_runtime::Runtime::new().unwrap();
    /// runtime.spawn_blocking(|| std::thread::sleep(Duration::from_millis(50)));
    /// runtime.shutdown_timeout(Duration::from_millis(1));
    /// ```
    pub fn shutdown_timeout(mut self, duration: Duration) {
        self.shut_down(Some(duration));
    }

    /// Shuts the runtime down without waiting for anything: may be called anywhere. Threads end by
    /// themselves when what they run returns.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Runtime::new().unwrap();
    /// // A runtime may be dropped like this inside of another one.
    /// runtime.shutdown_background();
    /// ```
    pub fn shutdown_background(self) {
        self.shutdown_timeout(Duration::ZERO);
    }

    fn shut_down(&mut self, timeout: Option<Duration>) {
        if std::mem::replace(&mut self.is_shut_down, true) {
            return;
        }
        let inner = &self.handle.inner;
        // In an asynchronous context all is done that needs no waiting: tasks are cancelled, descriptors
        // closed. The misuse is told then.
        let is_misuse = timeout != Some(Duration::ZERO) && context::region() != Region::Outside;
        let timeout = if is_misuse {
            Some(Duration::ZERO)
        } else {
            timeout
        };
        // A time that does not fit the clock never comes.
        let deadline = timeout.and_then(|timeout| clock::real_now().checked_add(timeout));
        if let Some(deadline) = deadline {
            inner.scheduler.limit_shutdown(deadline);
        }
        inner.scheduler.begin_shutdown();
        let are_workers_gone = {
            let _guard = self.handle.enter();
            let are_gone = inner.scheduler.wait_shutdown(timeout);
            inner.pool.close();
            are_gone
        };
        let timers = inner.timers.as_ref();
        end::wait(&inner.pool, timers, deadline, are_workers_gone);
        // A second panic would abort.
        if is_misuse && !std::thread::panicking() {
            // A literal, so that the payload is a `&'static str`.
            panic!(
                "Cannot drop a runtime in a context where blocking is not allowed. This happens \
                 when a runtime is dropped from within an asynchronous context."
            );
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.shut_down(None);
    }
}
