//! [`JoinSet`]: tasks that are awaited together, as they end.
//!
//! The set keeps the tasks' join handles in a slab, and a queue of the keys of those that have ended
//! (`ready.rs`), which the tasks' own wakers fill and the set empties at one go. Waiting for the next
//! one takes the first key; tasks that have not ended cost nothing.
//!
//! Invariants:
//!
//! 1. Every handle in the slab is the handle of a task whose outcome was not taken.
//! 2. The key of each task in the slab that has ended is in `ended` or, behind those, in the queue, or
//!    its waker is just adding it.

mod builder;
#[cfg(all(test, zokio_loom))]
mod model;
mod ready;
#[cfg(all(test, not(zokio_model)))]
mod tests;

pub use builder::Builder;

use crate::current;
use crate::handle::Handle;
use crate::local_set::{self, LocalSet};
use ready::Ready;
use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use zokio_base::foreign::Contained;
use zokio_base::slab::{Key, Slab};
use zokio_base::sync::Arc;
use zokio_task::coop::{self, Budget};
use zokio_task::{AbortHandle, Id, JoinError, JoinHandle, SpawnMeta, box_if_large};

/// Tasks that belong together and are awaited in the order in which they end.
///
/// All tasks have the same type of output, `T`. When the set is dropped, its tasks are aborted;
/// [`detach_all`](Self::detach_all) lets them run on instead.
///
/// The outcome of a task stays in the set until it is taken, by [`join_next`](Self::join_next) for
/// instance: a set that grows has to be emptied too.
///
/// # Examples
/// ```
/// # let runtime = zokio_runtime::Runtime::new().unwrap();
/// # runtime.block_on(async {
/// let mut set = zokio_runtime::JoinSet::new();
/// for number in 0..10 {
///     set.spawn(async move { number });
/// }
/// let mut seen = [false; 10];
/// while let Some(number) = set.join_next().await {
///     seen[number.unwrap()] = true;
/// }
/// assert_eq!(seen, [true; 10]);
/// # });
/// ```
pub struct JoinSet<T> {
    tasks: Slab<JoinHandle<T>>,
    /// Keys that were taken from the queue.
    ended: VecDeque<Key>,
    ready: Arc<Ready>,
    /// Outputs are passed on as they are, also those that a panic left half changed: the set makes
    /// no promise about unwinding.
    _not_unwind_safe: PhantomData<Box<dyn Any + Send + Sync>>,
}

impl<T> JoinSet<T> {
    /// An empty set.
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::JoinSet;
    /// # let runtime = zokio_runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let mut set = JoinSet::new();
    /// set.spawn(async { 42 });
    /// assert_eq!(set.join_next().await.unwrap().unwrap(), 42);
    /// # });
    /// ```
    pub fn new() -> Self {
        Self {
            tasks: Slab::new(),
            ended: VecDeque::new(),
            ready: Ready::new(),
            _not_unwind_safe: PhantomData,
        }
    }

    /// How many tasks are in the set, those included that have ended and were not taken yet.
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::JoinSet;
    /// # let runtime = zokio_runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let mut set = JoinSet::new();
    /// set.spawn(async {});
    /// set.spawn(async {});
    /// assert_eq!(set.len(), 2);
    /// # });
    /// ```
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether there are none.
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::JoinSet;
    /// # let runtime = zokio_runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let mut set = JoinSet::new();
    /// assert!(set.is_empty());
    /// set.spawn(async {});
    /// assert!(!set.is_empty());
    /// # });
    /// ```
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }
}

impl<T: 'static> JoinSet<T> {
    /// Says more about a task before it is spawned: a name.
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::JoinSet;
    /// # let runtime = zokio_runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let mut set = JoinSet::new();
    /// set.build_task().name("answer").spawn(async { 42 }).unwrap();
    /// assert_eq!(set.join_next().await.unwrap().unwrap(), 42);
    /// # });
    /// ```
    pub fn build_task(&mut self) -> Builder<'_, T> {
        Builder::new(self)
    }

    /// Spawns a task onto the current runtime. It starts at once, whether or not the set is awaited.
    ///
    /// # Panics
    /// Outside of a runtime.
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::JoinSet;
    /// # let runtime = zokio_runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let mut set = JoinSet::new();
    /// let abort = set.spawn(std::future::pending::<()>());
    /// abort.abort();
    /// assert!(set.join_next().await.unwrap().unwrap_err().is_cancelled());
    /// # });
    /// ```
    #[track_caller]
    pub fn spawn<F>(&mut self, task: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        box_if_large!(task: F => self.insert(current::spawn(task)))
    }

    /// Spawns a task onto the runtime of `handle`. See [`spawn`](Self::spawn).
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::{JoinSet, Runtime};
    ///
    /// let runtime = Runtime::new().unwrap();
    /// let mut set = JoinSet::new();
    /// set.spawn_on(async { 42 }, runtime.handle());
    /// assert_eq!(runtime.block_on(set.join_next()).unwrap().unwrap(), 42);
    /// ```
    #[track_caller]
    pub fn spawn_on<F>(&mut self, task: F, handle: &Handle) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        box_if_large!(task: F => self.insert(handle.spawn(task)))
    }

    /// Spawns a task that stays on this thread onto the current [`LocalSet`] or
    /// [`LocalRuntime`](crate::LocalRuntime).
    ///
    /// # Panics
    /// As for [`spawn_local`](crate::spawn_local).
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::{JoinSet, LocalSet, Runtime};
    ///
    /// let runtime = Runtime::new().unwrap();
    /// let local = LocalSet::new();
    /// let mut set = JoinSet::new();
    /// let answer = std::rc::Rc::new(42);
    /// local.block_on(&runtime, async {
    ///     set.spawn_local(async move { *answer });
    ///     assert_eq!(set.join_next().await.unwrap().unwrap(), 42);
    /// });
    /// ```
    #[track_caller]
    pub fn spawn_local<F>(&mut self, task: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
        T: 'static,
    {
        box_if_large!(task: F => self.insert(local_set::spawn_with(task, SpawnMeta::new())))
    }

    /// Spawns a task that stays on this thread onto `local_set`. It starts when the local set is
    /// run; see [`LocalSet::spawn_local`].
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::{JoinSet, LocalSet, Runtime};
    ///
    /// let runtime = Runtime::new().unwrap();
    /// let local = LocalSet::new();
    /// let mut set = JoinSet::new();
    /// let answer = std::rc::Rc::new(42);
    /// set.spawn_local_on(async move { *answer }, &local);
    /// assert_eq!(local.block_on(&runtime, set.join_next()).unwrap().unwrap(), 42);
    /// ```
    #[track_caller]
    pub fn spawn_local_on<F>(&mut self, task: F, local_set: &LocalSet) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
        T: 'static,
    {
        box_if_large!(task: F => self.insert(local_set.spawn_local(task)))
    }

    /// Runs a closure that may block on a thread of the current runtime's pool. See
    /// [`spawn_blocking`](crate::spawn_blocking): one that has begun cannot be aborted.
    ///
    /// # Panics
    /// Outside of a runtime, and if the system gives no thread and the pool has none.
    ///
    /// # Examples
    /// ```
    /// # let runtime = zokio_runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let mut set = zokio_runtime::JoinSet::new();
    /// for number in 1..=3_u64 {
    ///     set.spawn_blocking(move || (1..=number).product::<u64>());
    /// }
    /// assert_eq!(set.join_all().await.into_iter().sum::<u64>(), 1 + 2 + 6);
    /// # });
    /// ```
    #[track_caller]
    pub fn spawn_blocking<F>(&mut self, f: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        box_if_large!(closure f: F => self.insert(crate::spawn_blocking(f)))
    }

    /// Runs a closure that may block on a thread of the pool of `handle`'s runtime. See
    /// [`spawn_blocking`](Self::spawn_blocking).
    ///
    /// # Panics
    /// If the system gives no thread and the pool has none.
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::{JoinSet, Runtime};
    ///
    /// let runtime = Runtime::new().unwrap();
    /// let mut set = JoinSet::new();
    /// set.spawn_blocking_on(|| 42, runtime.handle());
    /// assert_eq!(runtime.block_on(set.join_next()).unwrap().unwrap(), 42);
    /// ```
    #[track_caller]
    pub fn spawn_blocking_on<F>(&mut self, f: F, handle: &Handle) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        box_if_large!(closure f: F => self.insert(handle.spawn_blocking(f)))
    }

    /// Adds a task, whose outcome nobody has taken (invariant 1).
    fn insert(&mut self, handle: JoinHandle<T>) -> AbortHandle {
        let abort = handle.abort_handle();
        let key = self.tasks.insert(handle);
        let waker = self.ready.waker(key);
        let handle = self.tasks.get_mut(key).expect("it was just inserted");
        // Invariant 2: a task that has ended already wakes nobody.
        if zokio_task::poll_finished(handle, &waker) {
            self.ready.push(key);
        }
        abort
    }

    /// Waits until one of the tasks ends, takes it out of the set and returns its outcome. None if
    /// the set is empty.
    ///
    /// # Cancel safety
    /// Cancel safe: if this is dropped before it is ready, no task was taken out of the set.
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::JoinSet;
    /// # let runtime = zokio_runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let mut set = JoinSet::new();
    /// for number in 0..3 {
    ///     set.spawn(async move { number });
    /// }
    /// let mut sum = 0;
    /// while let Some(joined) = set.join_next().await {
    ///     sum += joined.unwrap();
    /// }
    /// assert_eq!(sum, 3);
    /// # });
    /// ```
    pub async fn join_next(&mut self) -> Option<Result<T, JoinError>> {
        poll_fn(|cx| self.poll_join_next(cx)).await
    }

    /// As [`join_next`](Self::join_next), with the task's id. The id of a task that has no output
    /// is in the [`JoinError`].
    ///
    /// # Cancel safety
    /// Cancel safe: if this is dropped before it is ready, no task was taken out of the set.
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::JoinSet;
    /// # let runtime = zokio_runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let mut set = JoinSet::new();
    /// let id = set.spawn(async { 42 }).id();
    /// assert_eq!(set.join_next_with_id().await.unwrap().unwrap(), (id, 42));
    /// # });
    /// ```
    pub async fn join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        poll_fn(|cx| self.poll_join_next_with_id(cx)).await
    }

    /// Takes a task that has ended out of the set and returns its outcome, without waiting. None if
    /// the set is empty or no task has ended.
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::JoinSet;
    /// # let runtime = zokio_runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let mut set = JoinSet::new();
    /// set.spawn(std::future::pending::<()>());
    /// assert!(set.try_join_next().is_none());
    /// # });
    /// ```
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        self.try_join_next_with_id().map(without_id)
    }

    /// As [`try_join_next`](Self::try_join_next), with the task's id.
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::JoinSet;
    /// # let runtime = zokio_runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let mut set = JoinSet::new();
    /// set.spawn(std::future::pending::<()>());
    /// assert!(set.try_join_next_with_id().is_none());
    /// # });
    /// ```
    pub fn try_join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        let outcome = self.take_ended();
        if outcome.is_some() {
            return outcome;
        }
        self.ready.take(&mut self.ended);
        self.take_ended()
    }

    /// Polls for a task that has ended, and takes it out of the set.
    ///
    /// Returns `Pending` if there is none, or if the task's budget is used up; the waker is woken
    /// when it is worth to poll again. Only the waker of the last call is. `Ready(None)` if the set
    /// is empty.
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::JoinSet;
    /// # let runtime = zokio_runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let mut set = JoinSet::new();
    /// set.spawn(async { 42 });
    /// let joined = std::future::poll_fn(|cx| set.poll_join_next(cx)).await;
    /// assert_eq!(joined.unwrap().unwrap(), 42);
    /// # });
    /// ```
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        self.poll_join_next_with_id(cx)
            .map(|outcome| outcome.map(without_id))
    }

    /// As [`poll_join_next`](Self::poll_join_next), with the task's id.
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::JoinSet;
    /// # let runtime = zokio_runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let mut set = JoinSet::new();
    /// let id = set.spawn(async { 42 }).id();
    /// let joined = std::future::poll_fn(|cx| set.poll_join_next_with_id(cx)).await;
    /// assert_eq!(joined.unwrap().unwrap(), (id, 42));
    /// # });
    /// ```
    pub fn poll_join_next_with_id(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<(Id, T), JoinError>>> {
        if self.tasks.is_empty() {
            return Poll::Ready(None);
        }
        let unit = ready!(coop::poll_proceed(cx));
        loop {
            if let Some(outcome) = self.take_ended() {
                unit.made_progress();
                return Poll::Ready(Some(outcome));
            }
            // Keys of tasks that have left the set may be all there is: then look again.
            self.ready.take_or_wait(&mut self.ended, cx.waker());
            if self.ended.is_empty() {
                return Poll::Pending;
            }
        }
    }

    /// Takes a task out of the set that is known to have ended.
    fn take_ended(&mut self) -> Option<Result<(Id, T), JoinError>> {
        while let Some(key) = self.ended.pop_front() {
            let outcome = self.take(key);
            if outcome.is_some() {
                return outcome;
            }
        }
        None
    }

    /// Takes the task under `key` out of the set, if it is there and has ended.
    fn take(&mut self, key: Key) -> Option<Result<(Id, T), JoinError>> {
        if !self.tasks.get(key)?.is_finished() {
            return None;
        }
        let mut handle = self.tasks.remove(key)?;
        let id = handle.id();
        // The budget was asked already, by those who have to.
        let polled = coop::with_budget(Budget::unlimited(), || {
            Pin::new(&mut handle).poll(&mut Context::from_waker(Waker::noop()))
        });
        match polled {
            Poll::Ready(outcome) => Some(outcome.map(|output| (id, output))),
            Poll::Pending => unreachable!("a task that has ended has an outcome"),
        }
    }

    /// Waits until all tasks have ended, and returns their outputs in the order in which they ended.
    ///
    /// # Panics
    /// If a task panicked, with what it panicked with, and if one was cancelled. The other tasks are
    /// aborted then.
    ///
    /// # Cancel safety
    /// Not cancel safe: it owns the set, whose tasks are aborted with it.
    ///
    /// # Examples
    /// ```
    /// # let runtime = zokio_runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let set: zokio_runtime::JoinSet<_> = (0..3).map(|n| async move { n * n }).collect();
    /// let mut squares = set.join_all().await;
    /// squares.sort();
    /// assert_eq!(squares, [0, 1, 4]);
    /// # });
    /// ```
    pub async fn join_all(mut self) -> Vec<T> {
        // Where a task's panic goes on, nobody gets the outputs of the others, whose destructors may
        // panic as well.
        let mut outputs = Vec::with_capacity(self.len());
        while let Some(outcome) = self.join_next().await {
            match outcome {
                Ok(output) => outputs.push(Contained::new(output)),
                Err(error) => match error.try_into_panic() {
                    Ok(payload) => resume_unwind(payload),
                    Err(error) => panic!("{error}"),
                },
            }
        }
        outputs.into_iter().map(Contained::into_inner).collect()
    }

    /// Aborts all tasks. They stay in the set until they are taken, with whatever outcome they have.
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::JoinSet;
    /// # let runtime = zokio_runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let mut set = JoinSet::new();
    /// set.spawn(std::future::pending::<()>());
    /// set.abort_all();
    /// assert!(set.join_next().await.unwrap().unwrap_err().is_cancelled());
    /// # });
    /// ```
    pub fn abort_all(&mut self) {
        self.abort_each();
    }

    /// Lets all tasks go: the set is empty afterwards, and they run on.
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::JoinSet;
    /// # let runtime = zokio_runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let mut set = JoinSet::new();
    /// set.spawn(async { println!("nobody waits for this") });
    /// set.detach_all();
    /// assert!(set.is_empty());
    /// # });
    /// ```
    pub fn detach_all(&mut self) {
        self.tasks.drain().into_iter().for_each(drop);
        self.ended.clear();
        self.ready.clear();
    }

    /// Aborts all tasks and waits until they have ended. The set is empty afterwards.
    ///
    /// # Cancel safety
    /// If this is dropped before it is ready, all tasks were aborted, and some are still in the set.
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::JoinSet;
    /// # let runtime = zokio_runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let mut set = JoinSet::new();
    /// set.spawn(std::future::pending::<()>());
    /// set.shutdown().await;
    /// assert!(set.is_empty());
    /// # });
    /// ```
    pub async fn shutdown(&mut self) {
        self.abort_all();
        while self.join_next().await.is_some() {}
    }
}

impl<T> JoinSet<T> {
    fn abort_each(&self) {
        for (_, task) in self.tasks.iter() {
            task.abort();
        }
    }
}

fn without_id<T>(outcome: Result<(Id, T), JoinError>) -> Result<T, JoinError> {
    outcome.map(|(_, output)| output)
}

impl<T> Drop for JoinSet<T> {
    /// Aborts all tasks, without waiting for them.
    fn drop(&mut self) {
        self.abort_each();
    }
}

impl<T> fmt::Debug for JoinSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinSet").field("len", &self.len()).finish()
    }
}

impl<T> Default for JoinSet<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Spawns each future onto the current runtime.
///
/// # Panics
/// Outside of a runtime, if there is a future.
impl<T, F> FromIterator<F> for JoinSet<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    fn from_iter<I: IntoIterator<Item = F>>(iter: I) -> Self {
        let mut set = Self::new();
        set.extend(iter);
        set
    }
}

/// Spawns each future onto the current runtime.
///
/// # Panics
/// Outside of a runtime, if there is a future.
impl<T, F> Extend<F> for JoinSet<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    fn extend<I: IntoIterator<Item = F>>(&mut self, iter: I) {
        for future in iter {
            self.spawn(future);
        }
    }
}
