//! [`Builder`]: says more about a task before it is spawned onto a set.

use crate::handle::Handle;
use crate::join_set::JoinSet;
use crate::local_set::LocalSet;
use crate::task_builder;
use std::fmt;
use std::io;
use zokio_task::{AbortHandle, box_if_large};

/// Spawns one task onto a [`JoinSet`], with a name. Made by [`JoinSet::build_task`].
///
/// # Examples
/// ```
/// # let runtime = zokio_runtime::Runtime::new().unwrap();
/// # runtime.block_on(async {
/// let mut set = zokio_runtime::JoinSet::new();
/// set.build_task().name("answer").spawn(async { 42 })?;
/// assert_eq!(set.join_next().await.unwrap().unwrap(), 42);
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
#[must_use = "builders do nothing unless used to spawn a task"]
pub struct Builder<'a, T> {
    set: &'a mut JoinSet<T>,
    task: task_builder::Builder<'a>,
}

impl<T> fmt::Debug for Builder<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("join_set::Builder")
            .field("set", &self.set)
            .field("task", &self.task)
            .finish()
    }
}

impl<'a, T: 'static> Builder<'a, T> {
    pub(super) fn new(set: &'a mut JoinSet<T>) -> Self {
        Self {
            set,
            task: task_builder::Builder::new(),
        }
    }

    /// Names the task.
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::JoinSet;
    /// # let runtime = zokio_runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let mut set = JoinSet::new();
    /// set.build_task().name("answer").spawn(async { 42 })?;
    /// assert_eq!(set.join_next().await.unwrap().unwrap(), 42);
    /// # std::io::Result::Ok(())
    /// # }).unwrap();
    /// ```
    pub fn name(self, name: &'a str) -> Self {
        Self {
            task: self.task.name(name),
            ..self
        }
    }

    /// As [`JoinSet::spawn`].
    ///
    /// # Errors
    /// None at present.
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
    /// let abort = set.build_task().spawn(async { 42 })?;
    /// println!("task {}", abort.id());
    /// assert_eq!(set.join_next().await.unwrap().unwrap(), 42);
    /// # std::io::Result::Ok(())
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn spawn<F>(self, future: F) -> io::Result<AbortHandle>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let task = box_if_large!(future: F => self.task.spawn(future))?;
        Ok(self.set.insert(task))
    }

    /// As [`JoinSet::spawn_on`].
    ///
    /// # Errors
    /// None at present.
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::{JoinSet, Runtime};
    ///
    /// let runtime = Runtime::new()?;
    /// let mut set = JoinSet::new();
    /// set.build_task().spawn_on(async { 42 }, runtime.handle())?;
    /// assert_eq!(runtime.block_on(set.join_next()).unwrap().unwrap(), 42);
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn spawn_on<F>(self, future: F, handle: &Handle) -> io::Result<AbortHandle>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let task = box_if_large!(future: F => self.task.spawn_on(future, handle))?;
        Ok(self.set.insert(task))
    }

    /// As [`JoinSet::spawn_blocking`].
    ///
    /// # Errors
    /// None at present.
    ///
    /// # Panics
    /// As for [`spawn_blocking`](crate::spawn_blocking).
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::JoinSet;
    /// # let runtime = zokio_runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let mut set = JoinSet::new();
    /// set.build_task().spawn_blocking(|| 42)?;
    /// assert_eq!(set.join_next().await.unwrap().unwrap(), 42);
    /// # std::io::Result::Ok(())
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn spawn_blocking<F>(self, func: F) -> io::Result<AbortHandle>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let task = box_if_large!(closure func: F => self.task.spawn_blocking(func))?;
        Ok(self.set.insert(task))
    }

    /// As [`JoinSet::spawn_blocking_on`].
    ///
    /// # Errors
    /// None at present.
    ///
    /// # Panics
    /// If the system gives no thread and the pool has none.
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::{JoinSet, Runtime};
    ///
    /// let runtime = Runtime::new()?;
    /// let mut set = JoinSet::new();
    /// set.build_task().spawn_blocking_on(|| 42, runtime.handle())?;
    /// assert_eq!(runtime.block_on(set.join_next()).unwrap().unwrap(), 42);
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn spawn_blocking_on<F>(self, func: F, handle: &Handle) -> io::Result<AbortHandle>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let task = box_if_large!(closure func: F => self.task.spawn_blocking_on(func, handle))?;
        Ok(self.set.insert(task))
    }

    /// As [`JoinSet::spawn_local`].
    ///
    /// # Errors
    /// None at present.
    ///
    /// # Panics
    /// As for [`spawn_local`](crate::spawn_local).
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::{JoinSet, LocalRuntime};
    ///
    /// let runtime = LocalRuntime::new().unwrap();
    /// runtime.block_on(async {
    ///     let mut set = JoinSet::new();
    ///     let answer = std::rc::Rc::new(42);
    ///     set.build_task().spawn_local(async move { *answer }).unwrap();
    ///     assert_eq!(set.join_next().await.unwrap().unwrap(), 42);
    /// });
    /// ```
    #[track_caller]
    pub fn spawn_local<F>(self, future: F) -> io::Result<AbortHandle>
    where
        F: Future<Output = T> + 'static,
        T: 'static,
    {
        let task = box_if_large!(future: F => self.task.spawn_local(future))?;
        Ok(self.set.insert(task))
    }

    /// As [`JoinSet::spawn_local_on`].
    ///
    /// # Errors
    /// None at present.
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::{JoinSet, LocalSet, Runtime};
    ///
    /// let local = LocalSet::new();
    /// let mut set = JoinSet::new();
    /// let answer = std::rc::Rc::new(42);
    /// set.build_task().spawn_local_on(async move { *answer }, &local)?;
    /// let joined = local.block_on(&Runtime::new()?, set.join_next());
    /// assert_eq!(joined.unwrap().unwrap(), 42);
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn spawn_local_on<F>(self, future: F, local_set: &LocalSet) -> io::Result<AbortHandle>
    where
        F: Future<Output = T> + 'static,
        T: 'static,
    {
        let task = box_if_large!(future: F => self.task.spawn_local_on(future, local_set))?;
        Ok(self.set.insert(task))
    }
}
