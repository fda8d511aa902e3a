//! [`LocalRuntime`]: a current-thread runtime that never leaves its thread, and so runs futures
//! that may not either.
#![allow(unsafe_code)]

use crate::builder::Builder;
use crate::handle::{EnterGuard, Handle, Inner};
use crate::idle::Idle;
use crate::local_set::current_set;
use crate::metrics::RuntimeMetrics;
use crate::runtime::Runtime;
use crate::thread_tag::ThreadTag;
use std::io;
use std::marker::PhantomData;
use std::time::Duration;
use zokio_task::context;
use zokio_task::{JoinHandle, SpawnMeta, box_if_large};

/// Published tests compare these texts.
const OUTSIDE: &str =
    "`spawn_local` called from outside of a `task::LocalSet` or `runtime::LocalRuntime`";
const OTHER_THREAD: &str = "Local tasks can only be spawned on a LocalRuntime from the thread the \
     runtime was created on";

/// Options of a [`LocalRuntime`]. There are none yet.
///
/// # Examples
/// ```
/// use zokio_runtime::{Builder, LocalOptions};
///
/// let options = LocalOptions::default();
/// let runtime = Builder::new_current_thread().build_local(options).unwrap();
/// assert_eq!(runtime.block_on(async { 42 }), 42);
/// ```
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct LocalOptions {
    /// Options may come to hold what stays on its thread.
    _not_send_or_sync: PhantomData<*const ()>,
}

/// A current-thread runtime that stays on the thread that made it, where
/// [`spawn_local`](Self::spawn_local) spawns futures that are not `Send`.
///
/// # Examples
/// ```
/// use std::rc::Rc;
/// let runtime = zokio_runtime::LocalRuntime::new().unwrap();
/// let shared = Rc::new(42);
/// let task = runtime.spawn_local(async move { *shared });
/// assert_eq!(runtime.block_on(task).unwrap(), 42);
/// ```
#[derive(Debug)]
pub struct LocalRuntime {
    runtime: Runtime,
    _not_send_or_sync: PhantomData<*const ()>,
}

impl LocalRuntime {
    /// A local runtime with everything enabled and all settings at their defaults.
    ///
    /// # Errors
    /// If the system gives no descriptors.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::LocalRuntime::new()?;
    /// assert_eq!(runtime.block_on(async { 42 }), 42);
    /// # std::io::Result::Ok(())
    /// ```
    pub fn new() -> io::Result<Self> {
        Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())
    }

    /// The runtime's scheduler must be a current-thread one that nobody else has used yet.
    pub(crate) fn from_runtime(runtime: Runtime) -> Self {
        let first = runtime.handle().inner.local_to.set(ThreadTag::here());
        assert!(first.is_ok(), "a runtime becomes a local one once");
        Self {
            runtime,
            _not_send_or_sync: PhantomData,
        }
    }

    /// The handle of this runtime. It may go to other threads, and spawns futures that are `Send`.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::LocalRuntime::new().unwrap();
    /// let task = runtime.handle().spawn(async { 42 });
    /// assert_eq!(runtime.block_on(task).unwrap(), 42);
    /// ```
    pub fn handle(&self) -> &Handle {
        self.runtime.handle()
    }

    /// Spawns a future that stays on this thread.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::LocalRuntime::new().unwrap();
    /// let answer = std::rc::Rc::new(42);
    /// let task = runtime.spawn_local(async move { *answer });
    /// assert_eq!(runtime.block_on(task).unwrap(), 42);
    /// ```
    #[track_caller]
    pub fn spawn_local<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let spawner = &self.handle().inner.spawner;
        box_if_large!(future: F => {
            // SAFETY: this value is neither `Send` nor `Sync`, so the calling thread is the one that
            // made it, and the one that drops it. Only its `block_on` and its drop run the tasks of
            // the scheduler: `Handle::block_on` does not drive a current-thread scheduler, and the
            // shutdown cancels tasks where `wait_shutdown` is called, which is in our drop.
            unsafe { spawner.spawn_local(future, SpawnMeta::new()) }
        })
    }

    /// Runs a closure that may block on a thread of the pool. See
    /// [`spawn_blocking`](crate::spawn_blocking).
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::LocalRuntime::new().unwrap();
    /// let task = runtime.spawn_blocking(|| 42);
    /// assert_eq!(runtime.block_on(task).unwrap(), 42);
    /// ```
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, func: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        box_if_large!(closure func: F => self.runtime.spawn_blocking(func))
    }

    /// Runs a future to its end, and the runtime's tasks with it. See [`Runtime::block_on`].
    ///
    /// # Panics
    /// If the future does, and if the thread is driving a runtime's tasks already.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::LocalRuntime::new().unwrap();
    /// let answer = std::rc::Rc::new(42);
    /// let task = async { zokio_runtime::spawn_local(async move { *answer }).await.unwrap() };
    /// assert_eq!(runtime.block_on(task), 42);
    /// ```
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        // Tasks that are spawned inside belong here, not to a local set that is entered outside.
        let _outer = current_set::hide();
        box_if_large!(future: F => self.runtime.block_on(future))
    }

    /// Runs all tasks that are ready, and returns as soon as there is nothing more to do. See
    /// [`Runtime::run_until_idle`].
    ///
    /// # Panics
    /// If the thread is driving a runtime's tasks already.
    ///
    /// # Examples
    /// ```
    /// use std::cell::Cell;
    /// use std::rc::Rc;
    ///
    /// let runtime = zokio_runtime::LocalRuntime::new().unwrap();
    /// let done = Rc::new(Cell::new(false));
    /// let flag = done.clone();
    /// runtime.spawn_local(async move { flag.set(true) });
    /// runtime.run_until_idle();
    /// assert!(done.get());
    /// ```
    #[track_caller]
    pub fn run_until_idle(&self) -> Idle {
        // As in `block_on`.
        let _outer = current_set::hide();
        self.runtime.run_until_idle()
    }

    /// Makes this the current runtime of the thread until the guard is dropped. See
    /// [`Handle::enter`].
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::LocalRuntime::new().unwrap();
    /// let guard = runtime.enter();
    /// let task = zokio_runtime::spawn_local(async { 42 });
    /// drop(guard);
    /// assert_eq!(runtime.block_on(task).unwrap(), 42);
    /// ```
    pub fn enter(&self) -> EnterGuard<'_> {
        self.runtime.enter()
    }

    /// Figures of the work that the runtime has done so far.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::LocalRuntime::new().unwrap();
    /// assert_eq!(runtime.metrics().num_workers(), 1);
    /// ```
    pub fn metrics(&self) -> RuntimeMetrics {
        self.runtime.metrics()
    }

    /// See [`Runtime::shutdown_timeout`].
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::LocalRuntime::new().unwrap();
    /// runtime.spawn_local(std::future::pending::<()>());
    /// runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    /// ```
    pub fn shutdown_timeout(self, duration: Duration) {
        self.runtime.shutdown_timeout(duration);
    }

    /// See [`Runtime::shutdown_background`].
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::LocalRuntime::new().unwrap();
    /// runtime.spawn_local(std::future::pending::<()>());
    /// runtime.shutdown_background();
    /// ```
    pub fn shutdown_background(self) {
        self.runtime.shutdown_background();
    }
}

/// Spawns a future that stays on this thread onto the current runtime, which is a local one.
///
/// # Panics
/// If it is not, or if this is not its thread.
#[track_caller]
pub(crate) fn spawn_on_current<F>(future: F, meta: SpawnMeta) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let found = context::with_services(|services| {
        let inner = services?.as_any().downcast_ref::<Inner>()?;
        Some((*inner.local_to.get()?, inner.spawner.clone()))
    });
    let Some((owner, spawner)) = found.ok().flatten() else {
        panic!("{OUTSIDE}")
    };
    if !owner.is_here() {
        panic!("{OTHER_THREAD}");
    }
    // SAFETY: this is the thread of a local runtime. That it alone runs and shuts down the
    // scheduler's tasks is said in `LocalRuntime::spawn_local`; a runtime that was forgotten
    // instead of dropped does neither.
    unsafe { spawner.spawn_local(future, meta) }
}
