//! [`Builder`]: says more about a task before it is spawned.

use crate::blocking;
use crate::current;
use crate::handle::Handle;
use crate::local_set::{self, LocalSet};
use std::io;
use zokio_task::{JoinHandle, SpawnMeta, box_if_large};

/// Spawns one task, with a name.
///
/// The name shows in what the runtime reports about the task. It costs memory for this task only.
///
/// # Examples
/// ```
/// # let runtime = zokio_runtime::Runtime::new().unwrap();
/// # runtime.block_on(async {
/// let task = zokio_runtime::TaskBuilder::new().name("answer").spawn(async { 42 })?;
/// assert_eq!(task.await.unwrap(), 42);
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
#[derive(Debug, Default)]
pub struct Builder<'a> {
    name: Option<&'a str>,
}

impl<'a> Builder<'a> {
    /// A task without a name.
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::TaskBuilder;
    /// # let runtime = zokio_runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let task = TaskBuilder::new().spawn(async { 42 })?;
    /// assert_eq!(task.await.unwrap(), 42);
    /// # std::io::Result::Ok(())
    /// # }).unwrap();
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Names the task.
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::TaskBuilder;
    /// # let runtime = zokio_runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let builder = TaskBuilder::new().name("answer");
    /// assert_eq!(builder.spawn(async { 42 })?.await.unwrap(), 42);
    /// # std::io::Result::Ok(())
    /// # }).unwrap();
    /// ```
    pub fn name(&self, name: &'a str) -> Self {
        Self { name: Some(name) }
    }

    #[track_caller]
    fn meta(&self) -> SpawnMeta {
        let mut meta = SpawnMeta::new();
        meta.name = self.name.map(Box::from);
        meta
    }

    /// Spawns a future onto the current runtime. See [`spawn`](crate::spawn).
    ///
    /// # Errors
    /// None at present.
    ///
    /// # Panics
    /// Outside of a runtime.
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::TaskBuilder;
    /// # let runtime = zokio_runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let task = TaskBuilder::new().name("answer").spawn(async { 42 })?;
    /// assert_eq!(task.await.unwrap(), 42);
    /// # std::io::Result::Ok(())
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn spawn<Fut>(self, future: Fut) -> io::Result<JoinHandle<Fut::Output>>
    where
        Fut: Future + Send + 'static,
        Fut::Output: Send + 'static,
    {
        box_if_large!(future: Fut => Ok(current::spawn_with(future, self.meta())))
    }

    /// Spawns a future onto the runtime of `handle`. See [`Handle::spawn`].
    ///
    /// # Errors
    /// None at present.
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::{Runtime, TaskBuilder};
    ///
    /// let runtime = Runtime::new()?;
    /// let builder = TaskBuilder::new().name("answer");
    /// let task = builder.spawn_on(async { 42 }, runtime.handle())?;
    /// assert_eq!(runtime.block_on(task).unwrap(), 42);
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn spawn_on<Fut>(self, future: Fut, handle: &Handle) -> io::Result<JoinHandle<Fut::Output>>
    where
        Fut: Future + Send + 'static,
        Fut::Output: Send + 'static,
    {
        let spawner = &handle.inner.spawner;
        box_if_large!(future: Fut => Ok(spawner.spawn(future, self.meta())))
    }

    /// Spawns a future that stays on this thread onto the current local set or local runtime. See
    /// [`spawn_local`](crate::spawn_local).
    ///
    /// # Errors
    /// None at present.
    ///
    /// # Panics
    /// As for [`spawn_local`](crate::spawn_local).
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::{LocalRuntime, TaskBuilder};
    ///
    /// let runtime = LocalRuntime::new()?;
    /// let answer = runtime.block_on(async {
    ///     let answer = std::rc::Rc::new(42);
    ///     let task = TaskBuilder::new().name("answer").spawn_local(async move { *answer })?;
    ///     std::io::Result::Ok(task.await.unwrap())
    /// })?;
    /// assert_eq!(answer, 42);
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn spawn_local<Fut>(self, future: Fut) -> io::Result<JoinHandle<Fut::Output>>
    where
        Fut: Future + 'static,
        Fut::Output: 'static,
    {
        box_if_large!(future: Fut => Ok(local_set::spawn_with(future, self.meta())))
    }

    /// Spawns a future that stays on this thread onto `local_set`. See [`LocalSet::spawn_local`].
    ///
    /// # Errors
    /// None at present.
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::{LocalSet, Runtime, TaskBuilder};
    ///
    /// let set = LocalSet::new();
    /// let answer = std::rc::Rc::new(42);
    /// let builder = TaskBuilder::new().name("answer");
    /// let task = builder.spawn_local_on(async move { *answer }, &set)?;
    /// assert_eq!(set.block_on(&Runtime::new()?, task).unwrap(), 42);
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn spawn_local_on<Fut>(
        self,
        future: Fut,
        local_set: &LocalSet,
    ) -> io::Result<JoinHandle<Fut::Output>>
    where
        Fut: Future + 'static,
        Fut::Output: 'static,
    {
        box_if_large!(future: Fut => Ok(local_set.spawn_with(future, self.meta())))
    }

    /// Runs a closure that may block on a thread of the current runtime's pool. See
    /// [`spawn_blocking`](crate::spawn_blocking).
    ///
    /// # Errors
    /// None at present.
    ///
    /// # Panics
    /// As for [`spawn_blocking`](crate::spawn_blocking).
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::TaskBuilder;
    /// # let runtime = zokio_runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let task = TaskBuilder::new().name("answer").spawn_blocking(|| 42)?;
    /// assert_eq!(task.await.unwrap(), 42);
    /// # std::io::Result::Ok(())
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn spawn_blocking<Function, Output>(
        self,
        function: Function,
    ) -> io::Result<JoinHandle<Output>>
    where
        Function: FnOnce() -> Output + Send + 'static,
        Output: Send + 'static,
    {
        let meta = self.meta();
        box_if_large!(closure function: Function => Ok(blocking::spawn_blocking_with(function, meta)))
    }

    /// Runs a closure that may block on a thread of the pool of `handle`'s runtime. See
    /// [`Handle::spawn_blocking`].
    ///
    /// # Errors
    /// None at present.
    ///
    /// # Panics
    /// If the system gives no thread and the pool has none.
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::{Runtime, TaskBuilder};
    ///
    /// let runtime = Runtime::new()?;
    /// let builder = TaskBuilder::new().name("answer");
    /// let task = builder.spawn_blocking_on(|| 42, runtime.handle())?;
    /// assert_eq!(runtime.block_on(task).unwrap(), 42);
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn spawn_blocking_on<Function, Output>(
        self,
        function: Function,
        handle: &Handle,
    ) -> io::Result<JoinHandle<Output>>
    where
        Function: FnOnce() -> Output + Send + 'static,
        Output: Send + 'static,
    {
        let inner = &handle.inner;
        let meta = self.meta();
        box_if_large!(closure function: Function => Ok(inner.pool.spawn(inner, function, meta)))
    }
}
