//! [`Handle`]: a runtime, as tasks and other threads hold it.

use crate::blocking::pool::Pool;
use crate::current;
use crate::error::{self, TryCurrentError};
use crate::id::Id;
use crate::metrics::RuntimeMetrics;
use crate::park::WorkerPark;
use crate::settings::Settings;
use crate::thread_tag::ThreadTag;
use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};
use zokio_base::clock::{self, Clock};
use zokio_base::pad::CachePadded;
use zokio_base::sync::std_atomic::{AtomicU64, Ordering};
use zokio_base::sync::{Arc, OnceLock};
use zokio_driver::DriverHandle;
use zokio_sched::{Scheduler, Spawner};
use zokio_task::context::{self, Services};
use zokio_task::{JoinHandle, SpawnMeta, box_if_large};
use zokio_time::TimerHandle;

/// The parts of a runtime.
pub(crate) struct Inner {
    pub(crate) scheduler: Arc<Scheduler<WorkerPark, Settings>>,
    pub(crate) spawner: Spawner,
    pub(crate) pool: Arc<Pool>,
    pub(crate) driver: DriverHandle,
    /// Whether sockets may use the driver. Files always may.
    pub(crate) io_enabled: bool,
    pub(crate) timers: Option<TimerHandle>,
    pub(crate) clock: Clock,
    pub(crate) id: Id,
    pub(crate) name: Option<String>,
    /// How many polls were forced to yield. One number for all workers: a task does 128 operations
    /// between two of these.
    pub(crate) forced_yields: CachePadded<AtomicU64>,
    /// The one thread of a local runtime. Set when that is made, before anybody has its handle.
    pub(crate) local_to: OnceLock<ThreadTag>,
}

impl Services for Inner {
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }

    fn timers(&self) -> Option<&(dyn Any + Send + Sync)> {
        self.timers.as_ref().map(|timers| timers as _)
    }

    fn driver(&self) -> Option<&(dyn Any + Send + Sync)> {
        self.io_enabled.then_some(&self.driver as _)
    }

    fn forced_yield(&self) {
        // Relaxed: a figure for people.
        self.forced_yields.fetch_add(1, Ordering::Relaxed);
    }
}

/// A runtime, as tasks and other threads hold it. Clones lead to the same runtime.
///
/// A handle does not keep the runtime running: once the [`Runtime`](crate::Runtime) is dropped, new
/// tasks are cancelled at once.
///
/// # Examples
/// ```
/// let runtime = zokio_runtime::Runtime::new().unwrap();
/// let handle = runtime.handle().clone();
/// let thread = std::thread::spawn(move || handle.block_on(async { 42 }));
/// assert_eq!(thread.join().unwrap(), 42);
/// ```
#[derive(Clone)]
pub struct Handle {
    pub(crate) inner: Arc<Inner>,
}

// A panic leaves nothing behind in a runtime that it does not leave behind for every other thread too.
impl UnwindSafe for Handle {}
impl RefUnwindSafe for Handle {}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("id", &self.inner.id)
            .field("name", &self.inner.name)
            .field("flavor", &self.runtime_flavor())
            .finish_non_exhaustive()
    }
}

/// Which kind of scheduler a runtime has.
///
/// # Examples
/// ```
/// use zokio_runtime::{Builder, RuntimeFlavor};
///
/// let runtime = Builder::new_current_thread().build().unwrap();
/// assert_eq!(runtime.handle().runtime_flavor(), RuntimeFlavor::CurrentThread);
/// ```
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RuntimeFlavor {
    /// Tasks run on the thread that calls `block_on`.
    CurrentThread,
    /// Tasks run on worker threads.
    MultiThread,
}

/// Makes a runtime the current one of the thread until it is dropped. See [`Handle::enter`].
///
/// # Examples
/// ```
/// use zokio_runtime::{Handle, Runtime};
///
/// let runtime = Runtime::new().unwrap();
/// let guard = runtime.enter();
/// assert!(Handle::try_current().is_ok());
/// drop(guard);
/// assert!(Handle::try_current().is_err());
/// ```
#[derive(Debug)]
#[must_use = "Creating and dropping a guard does nothing"]
pub struct EnterGuard<'a> {
    // Dropped in this order, the reverse of how they were made.
    _clock: clock::EnterGuard,
    _services: context::EnterGuard,
    _handle: PhantomData<&'a Handle>,
}

impl Handle {
    /// Makes this the current runtime of the thread until the guard is dropped: `spawn`, timers,
    /// sockets and [`Handle::current`] belong to it. The thread does not drive the runtime's tasks.
    ///
    /// # Panics
    /// Guards must be dropped in the reverse order in which they were made. One that is not
    /// panics when it is dropped.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Runtime::new().unwrap();
    /// let guard = runtime.handle().enter();
    /// let task = zokio_runtime::spawn(async { 6 * 7 });
    /// drop(guard);
    /// assert_eq!(runtime.block_on(task).unwrap(), 42);
    /// ```
    pub fn enter(&self) -> EnterGuard<'_> {
        EnterGuard {
            _services: context::enter(self.inner.clone()),
            _clock: self.inner.clock.enter(),
            _handle: PhantomData,
        }
    }

    /// The runtime that the thread is inside of.
    ///
    /// # Panics
    /// Outside of a runtime. [`try_current`](Self::try_current) returns an error instead.
    ///
    /// # Examples
    /// ```
    /// # let runtime = zokio_runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let handle = zokio_runtime::Handle::current();
    /// assert_eq!(handle.spawn(async { 42 }).await.unwrap(), 42);
    /// # });
    /// ```
    #[track_caller]
    pub fn current() -> Self {
        match Self::try_current() {
            Ok(handle) => handle,
            Err(error) => panic!("{error}"),
        }
    }

    /// The runtime that the thread is inside of.
    ///
    /// # Errors
    /// Outside of a runtime, and on a thread that is being torn down.
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::Handle;
    ///
    /// assert!(Handle::try_current().unwrap_err().is_missing_context());
    /// # let runtime = zokio_runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// assert!(Handle::try_current().is_ok());
    /// # });
    /// ```
    pub fn try_current() -> Result<Self, TryCurrentError> {
        context::with_services(|services| {
            let services = services.ok_or_else(TryCurrentError::no_context)?;
            Ok(Self {
                inner: current::downcast(services.clone()),
            })
        })?
    }

    /// Spawns a task onto the runtime. It runs whether or not the handle it returns is awaited.
    ///
    /// After the runtime's shutdown the task is cancelled at once.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Runtime::new().unwrap();
    /// let task = runtime.handle().spawn(async { 42 });
    /// assert_eq!(runtime.block_on(task).unwrap(), 42);
    /// ```
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        box_if_large!(future: F => self.inner.spawner.spawn(future, SpawnMeta::new()))
    }

    /// Runs a closure that may block on a thread of the runtime's pool. See
    /// [`spawn_blocking`](crate::spawn_blocking).
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Runtime::new().unwrap();
    /// let task = runtime.handle().spawn_blocking(|| 42);
    /// assert_eq!(runtime.block_on(task).unwrap(), 42);
    /// ```
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, func: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let inner = &self.inner;
        box_if_large!(closure func: F => inner.pool.spawn(inner, func, SpawnMeta::new()))
    }

    /// Runs a future to its end on the calling thread, inside of the runtime.
    ///
    /// On a current-thread runtime this does not drive tasks, timers or sockets:
    /// [`Runtime::block_on`](crate::Runtime::block_on) does. The future may call
    /// [`block_in_place`](crate::block_in_place) on either kind.
    ///
    /// # Panics
    /// If the future does, and if the thread is driving a runtime's tasks already.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Runtime::new().unwrap();
    /// assert_eq!(runtime.handle().block_on(async { 42 }), 42);
    /// ```
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        // The thread runs this future only, whatever the runtime's kind: it may block in place.
        let _region = enter_region(true);
        let _guard = self.enter();
        box_if_large!(future: F => zokio_task::block_on::block_on(future))
    }

    /// Which kind of scheduler the runtime has.
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::{Runtime, RuntimeFlavor};
    ///
    /// let runtime = Runtime::new().unwrap();
    /// assert_eq!(runtime.handle().runtime_flavor(), RuntimeFlavor::MultiThread);
    /// ```
    pub fn runtime_flavor(&self) -> RuntimeFlavor {
        match self.inner.scheduler.is_multi_thread() {
            true => RuntimeFlavor::MultiThread,
            false => RuntimeFlavor::CurrentThread,
        }
    }

    /// The runtime's identity.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Runtime::new().unwrap();
    /// let other = zokio_runtime::Runtime::new().unwrap();
    /// assert_ne!(runtime.handle().id(), other.handle().id());
    /// ```
    pub fn id(&self) -> Id {
        self.inner.id
    }

    /// The runtime's name, if the builder gave it one.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread().build().unwrap();
    /// assert_eq!(runtime.handle().name(), None);
    /// ```
    pub fn name(&self) -> Option<&str> {
        self.inner.name.as_deref()
    }

    /// Figures of the work that the runtime has done so far.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Runtime::new().unwrap();
    /// assert_eq!(runtime.handle().metrics().num_alive_tasks(), 0);
    /// ```
    pub fn metrics(&self) -> RuntimeMetrics {
        RuntimeMetrics::new(self.clone())
    }
}

/// Marks the thread as driving tasks.
///
/// # Panics
/// If it does so already.
#[track_caller]
pub(crate) fn enter_region(block_in_place: bool) -> context::RegionGuard {
    match context::enter_runtime(block_in_place) {
        Some(region) => region,
        None => panic!("{}", error::NESTED),
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;

    /// Guards may be shared between threads: futures that hold one by reference are `Send`.
    const fn is_sync<T: Sync>() {}
    const _: () = is_sync::<EnterGuard<'_>>();
}
