//! [`LocalSet`]: tasks whose futures stay on one thread.
//!
//! - `shared.rs`: the queues, and how tasks and hosts wake each other.
//! - `current_set.rs`: which set the thread is inside of.
//! - `run_until.rs`: a future that runs the set beside another one.
//!
//! Invariants:
//!
//! 1. A set is neither `Send` nor `Sync`, and neither is its context: whoever has either is on the
//!    thread that made it, the owner's.
//! 2. Futures and outputs of tasks are made, polled and dropped on the owner's thread: tasks leave the
//!    queues there only, and the set's drop ends all that are left there. An output that is not
//!    `Send` is in a handle that is not either.
//! 3. A set that was forgotten instead of dropped keeps its tasks for ever.
#![allow(unsafe_code)]

pub(crate) mod current_set;
#[cfg(all(test, zokio_loom))]
mod model;
mod run_until;
mod shared;
#[cfg(all(test, not(zokio_model)))]
mod tests;
mod unhandled_panic;

pub use current_set::LocalEnterGuard;
pub use unhandled_panic::UnhandledPanic;

use crate::id::Id;
use crate::local_runtime;
use crate::runtime::Runtime;
use run_until::RunUntil;
use shared::{HostId, Shared, TASKS_PER_TICK};
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use zokio_base::foreign;
use zokio_base::sync::Arc;
use zokio_task::context::{self, Region};
use zokio_task::{JoinHandle, Shard, SpawnMeta, box_if_large};

/// A set of tasks that all run on the thread which made it, so that their futures need not be `Send`.
///
/// The set does nothing by itself: it runs its tasks while it is awaited, or while a future given to
/// [`run_until`](Self::run_until) is. Inside, [`spawn_local`] spawns onto the set.
///
/// It is no runtime: timers and sockets belong to the runtime that awaits it. As it cannot leave its
/// thread it is awaited in a `block_on`, not in a spawned task. Each time it is polled it runs a
/// bounded number of tasks, so that the rest of the runtime goes on. Tasks of the set cannot
/// use [`block_in_place`](crate::block_in_place), which would leave the others behind.
///
/// # Dropping
/// When the set is dropped, its tasks are cancelled: their futures are dropped, on this thread,
/// inside of the set's context. Tasks that are spawned meanwhile, or later through a guard of
/// [`enter`](Self::enter), are cancelled at once.
///
/// # Examples
/// ```
/// use std::rc::Rc;
/// # let runtime = zokio_runtime::Runtime::new().unwrap();
/// # runtime.block_on(async {
/// let shared = Rc::new(42);
/// let set = zokio_runtime::LocalSet::new();
/// let sum = set.run_until(async {
///     let inside = shared.clone();
///     zokio_runtime::spawn_local(async move { *inside }).await.unwrap()
/// });
/// assert_eq!(sum.await, 42);
/// # });
/// ```
///
/// Awaiting the set itself runs it until all of its tasks have ended:
/// ```
/// use std::{cell::Cell, rc::Rc};
/// # let runtime = zokio_runtime::Runtime::new().unwrap();
/// # runtime.block_on(async {
/// let done = Rc::new(Cell::new(0));
/// let set = zokio_runtime::LocalSet::new();
/// for _ in 0..3 {
///     let done = done.clone();
///     set.spawn_local(async move { done.set(done.get() + 1) });
/// }
/// set.await;
/// assert_eq!(done.get(), 3);
/// # });
/// ```
pub struct LocalSet {
    context: Rc<LocalContext>,
    id: Id,
}

/// The parts of a set, as its thread's context and guards hold them.
pub(crate) struct LocalContext {
    shared: Arc<Shared>,
    shard: Arc<Shard>,
}

impl LocalSet {
    /// An empty set. It belongs to the calling thread.
    ///
    /// # Examples
    /// ```
    /// use std::rc::Rc;
    /// use zokio_runtime::{LocalSet, Runtime};
    ///
    /// let runtime = Runtime::new().unwrap();
    /// let local = LocalSet::new();
    /// let answer = Rc::new(42);
    /// let task = local.spawn_local(async move { *answer });
    /// assert_eq!(local.block_on(&runtime, task).unwrap(), 42);
    /// ```
    pub fn new() -> Self {
        let shared = Arc::new(Shared::new());
        let shard = Shard::new(shared.clone(), 0);
        Self {
            context: Rc::new(LocalContext { shared, shard }),
            id: Id::next(),
        }
    }

    /// Makes this the current set of the thread until the guard is dropped: [`spawn_local`] spawns
    /// onto it. It is not run by that.
    ///
    /// # Panics
    /// While the thread is being torn down and its locals are gone.
    ///
    /// # Examples
    /// ```
    /// # let runtime = zokio_runtime::Runtime::new().unwrap();
    /// let set = zokio_runtime::LocalSet::new();
    /// let guard = set.enter();
    /// let task = zokio_runtime::spawn_local(async { 42 });
    /// drop(guard);
    /// assert_eq!(set.block_on(&runtime, task).unwrap(), 42);
    /// ```
    pub fn enter(&self) -> LocalEnterGuard {
        current_set::enter(&self.context).expect("the thread's locals are gone")
    }

    /// Spawns a future onto the set, inside or outside of its context. It starts when the set is run
    /// next, whether or not the handle is awaited.
    ///
    /// # Examples
    /// ```
    /// use std::rc::Rc;
    /// use zokio_runtime::{LocalSet, Runtime};
    ///
    /// let runtime = Runtime::new().unwrap();
    /// let local = LocalSet::new();
    /// let answer = Rc::new(42);
    /// let task = local.spawn_local(async move { *answer });
    /// assert_eq!(local.block_on(&runtime, task).unwrap(), 42);
    /// ```
    #[track_caller]
    pub fn spawn_local<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        box_if_large!(future: F => self.spawn_with(future, SpawnMeta::new()))
    }

    pub(crate) fn spawn_with<F>(&self, future: F, meta: SpawnMeta) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.context.spawn(future, meta)
    }

    /// Runs a future to its end on the calling thread, inside of `rt`, and the set with it. The set's
    /// tasks stay there when the future has ended, for the next time that the set is run.
    ///
    /// # Panics
    /// If the future does, and if the thread is driving a runtime's tasks already.
    ///
    /// # Examples
    /// ```
    /// use std::rc::Rc;
    /// use zokio_runtime::{LocalSet, Runtime};
    ///
    /// let runtime = Runtime::new().unwrap();
    /// let local = LocalSet::new();
    /// let answer = Rc::new(42);
    /// let answer = local.block_on(&runtime, async {
    ///     zokio_runtime::spawn_local(async move { *answer }).await.unwrap()
    /// });
    /// assert_eq!(answer, 42);
    /// ```
    #[track_caller]
    pub fn block_on<F>(&self, rt: &Runtime, future: F) -> F::Output
    where
        F: Future,
    {
        box_if_large!(future: F => rt.block_on(self.run_until(future)))
    }

    /// Runs a future to its end, and the set with it. The set's tasks stay there when the future has
    /// ended, for the next time that the set is run.
    ///
    /// # Cancel safety
    /// Cancel safe if `future` is: the set's tasks are not touched by the drop.
    ///
    /// # Examples
    /// ```
    /// use std::rc::Rc;
    /// use zokio_runtime::{LocalSet, Runtime};
    ///
    /// let runtime = Runtime::new().unwrap();
    /// let local = LocalSet::new();
    /// let answer = Rc::new(42);
    /// let answer = runtime.block_on(local.run_until(async {
    ///     zokio_runtime::spawn_local(async move { *answer }).await.unwrap()
    /// }));
    /// assert_eq!(answer, 42);
    /// ```
    pub fn run_until<F>(&self, future: F) -> impl Future<Output = F::Output>
    where
        F: Future,
    {
        RunUntil::new(&self.context, future)
    }

    /// The set's identity. No runtime has the same.
    pub fn id(&self) -> Id {
        self.id
    }

    /// Says what happens when one of the set's tasks panics.
    ///
    /// # Panics
    /// Not here: with [`UnhandledPanic::ShutdownRuntime`], whoever runs the set panics after a task
    /// did, and each time the set is run from then on.
    ///
    /// # Examples
    /// ```should_panic
    /// # let runtime = zokio_runtime::Runtime::new().unwrap();
    /// use zokio_runtime::{LocalSet, UnhandledPanic};
    /// let mut set = LocalSet::new();
    /// set.unhandled_panic(UnhandledPanic::ShutdownRuntime);
    /// set.spawn_local(async { panic!("this ends the set") });
    /// set.block_on(&runtime, std::future::pending::<()>());
    /// ```
    pub fn unhandled_panic(&mut self, behavior: UnhandledPanic) -> &mut Self {
        let ends = matches!(behavior, UnhandledPanic::ShutdownRuntime);
        self.context.shared.set_ends_on_panic(ends);
        self
    }
}

impl LocalContext {
    fn spawn<F>(&self, future: F, meta: SpawnMeta) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        // SAFETY: this is the owner's thread (invariant 1). Notifications are run in `tick`, and
        // the shard is shut down in the set's drop and in `tick`, all there. As long as a task has
        // not ended, the shard's table has a reference to it.
        let (join, task) = unsafe { self.shard.bind_local(future, meta) };
        if let Some(task) = task {
            self.shard.schedule().schedule(task);
        }
        join
    }

    /// H2: runs a bounded number of tasks. Returns whether more are ready.
    ///
    /// # Panics
    /// If a task panicked and that is to end the set.
    fn tick(&self) -> bool {
        for _ in 0..TASKS_PER_TICK {
            self.check_panicked();
            match self.shared.pop() {
                Some(task) => task.run(),
                None => return false,
            }
        }
        self.check_panicked();
        self.shared.has_ready()
    }

    fn check_panicked(&self) {
        if self.shared.is_panicked() {
            self.shard.shutdown_all();
            panic!(
                "a spawned task panicked and the LocalSet is configured to shutdown on unhandled \
                 panic"
            );
        }
    }
}

/// Spawns a future that stays on this thread onto the current [`LocalSet`], or onto the current
/// [`LocalRuntime`](crate::LocalRuntime).
///
/// It runs whether or not the handle is awaited. A task that is spawned with
/// [`spawn`](crate::spawn()) inside of a local set is not inside of it.
///
/// # Panics
/// Outside of both, and inside of a local runtime that belongs to another thread.
///
/// # Examples
/// ```
/// use std::rc::Rc;
/// let runtime = zokio_runtime::LocalRuntime::new().unwrap();
/// let shared = Rc::new(42);
/// let answer = runtime.block_on(async {
///     zokio_runtime::spawn_local(async move { *shared }).await.unwrap()
/// });
/// assert_eq!(answer, 42);
/// ```
#[track_caller]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    box_if_large!(future: F => spawn_with(future, SpawnMeta::new()))
}

/// As [`spawn_local`], with everything said about the task.
///
/// # Panics
/// As for [`spawn_local`].
#[track_caller]
pub(crate) fn spawn_with<F>(future: F, meta: SpawnMeta) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    match current_set::get() {
        Some(context) => context.spawn(future, meta),
        None => local_runtime::spawn_on_current(future, meta),
    }
}

impl Future for LocalSet {
    type Output = ();

    /// Runs the set. Ready when all of its tasks have ended.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let context = &self.context;
        let _current = current_set::enter(context);
        let _region = context::forbid_block_in_place();
        let _running = context.shared.run();
        let _deferring = context::hold_nothing_back_for(cx.waker());
        context.shared.arrive(HostId::SET, cx.waker());
        if context.tick() {
            foreign::wake_by_ref(cx.waker());
            return Poll::Pending;
        }
        match context.shard.alive() {
            0 => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }
}

impl Drop for LocalSet {
    fn drop(&mut self) {
        let context = &self.context;
        // Not if the thread is being torn down: then tasks are dropped outside of the set.
        let _current = current_set::enter(context);
        // Neither is there a region then; outside of one there is nothing to forbid.
        let _region = (context::region() != Region::Outside).then(context::forbid_block_in_place);
        context.shard.shutdown_all();
        context.shared.close();
    }
}

impl Default for LocalSet {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for LocalSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalSet")
            .field("id", &self.id)
            .field("alive", &self.context.shard.alive())
            .finish_non_exhaustive()
    }
}
