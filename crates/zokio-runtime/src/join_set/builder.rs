//! [`Builder`]: says more about a task before it is spawned onto a set.

use crate::handle::Handle;
use crate::join_set::JoinSet;
use crate::local_set::LocalSet;
use crate::task_builder;
use std::fmt;
use std::io;
use zokio_task::AbortHandle;

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
    #[track_caller]
    pub fn spawn<F>(self, future: F) -> io::Result<AbortHandle>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let handle = self.task.spawn(future)?;
        Ok(self.set.insert(handle))
    }

    /// As [`JoinSet::spawn_on`].
    ///
    /// # Errors
    /// None at present.
    #[track_caller]
    pub fn spawn_on<F>(self, future: F, handle: &Handle) -> io::Result<AbortHandle>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let handle = self.task.spawn_on(future, handle)?;
        Ok(self.set.insert(handle))
    }

    /// As [`JoinSet::spawn_blocking`].
    ///
    /// # Errors
    /// None at present.
    ///
    /// # Panics
    /// As for [`spawn_blocking`](crate::spawn_blocking).
    #[track_caller]
    pub fn spawn_blocking<F>(self, func: F) -> io::Result<AbortHandle>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let handle = self.task.spawn_blocking(func)?;
        Ok(self.set.insert(handle))
    }

    /// As [`JoinSet::spawn_blocking_on`].
    ///
    /// # Errors
    /// None at present.
    ///
    /// # Panics
    /// If the system gives no thread and the pool has none.
    #[track_caller]
    pub fn spawn_blocking_on<F>(self, func: F, handle: &Handle) -> io::Result<AbortHandle>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let handle = self.task.spawn_blocking_on(func, handle)?;
        Ok(self.set.insert(handle))
    }

    /// As [`JoinSet::spawn_local`].
    ///
    /// # Errors
    /// None at present.
    ///
    /// # Panics
    /// As for [`spawn_local`](crate::spawn_local).
    #[track_caller]
    pub fn spawn_local<F>(self, future: F) -> io::Result<AbortHandle>
    where
        F: Future<Output = T> + 'static,
        T: 'static,
    {
        let handle = self.task.spawn_local(future)?;
        Ok(self.set.insert(handle))
    }

    /// As [`JoinSet::spawn_local_on`].
    ///
    /// # Errors
    /// None at present.
    #[track_caller]
    pub fn spawn_local_on<F>(self, future: F, local_set: &LocalSet) -> io::Result<AbortHandle>
    where
        F: Future<Output = T> + 'static,
        T: 'static,
    {
        let handle = self.task.spawn_local_on(future, local_set)?;
        Ok(self.set.insert(handle))
    }
}
