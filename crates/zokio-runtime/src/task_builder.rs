//! [`Builder`]: says more about a task before it is spawned.

use crate::blocking;
use crate::current;
use crate::handle::Handle;
use crate::local_set::{self, LocalSet};
use std::io;
use zokio_task::{JoinHandle, SpawnMeta};

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
    pub fn new() -> Self {
        Self::default()
    }

    /// Names the task.
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
    #[track_caller]
    pub fn spawn<Fut>(self, future: Fut) -> io::Result<JoinHandle<Fut::Output>>
    where
        Fut: Future + Send + 'static,
        Fut::Output: Send + 'static,
    {
        Ok(current::spawn_with(future, self.meta()))
    }

    /// Spawns a future onto the runtime of `handle`. See [`Handle::spawn`].
    ///
    /// # Errors
    /// None at present.
    #[track_caller]
    pub fn spawn_on<Fut>(self, future: Fut, handle: &Handle) -> io::Result<JoinHandle<Fut::Output>>
    where
        Fut: Future + Send + 'static,
        Fut::Output: Send + 'static,
    {
        Ok(handle.inner.spawner.spawn(future, self.meta()))
    }

    /// Spawns a future that stays on this thread onto the current local set or local runtime. See
    /// [`spawn_local`](crate::spawn_local).
    ///
    /// # Errors
    /// None at present.
    ///
    /// # Panics
    /// As for [`spawn_local`](crate::spawn_local).
    #[track_caller]
    pub fn spawn_local<Fut>(self, future: Fut) -> io::Result<JoinHandle<Fut::Output>>
    where
        Fut: Future + 'static,
        Fut::Output: 'static,
    {
        Ok(local_set::spawn_with(future, self.meta()))
    }

    /// Spawns a future that stays on this thread onto `local_set`. See [`LocalSet::spawn_local`].
    ///
    /// # Errors
    /// None at present.
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
        Ok(local_set.spawn_with(future, self.meta()))
    }

    /// Runs a closure that may block on a thread of the current runtime's pool. See
    /// [`spawn_blocking`](crate::spawn_blocking).
    ///
    /// # Errors
    /// None at present.
    ///
    /// # Panics
    /// As for [`spawn_blocking`](crate::spawn_blocking).
    #[track_caller]
    pub fn spawn_blocking<Function, Output>(
        self,
        function: Function,
    ) -> io::Result<JoinHandle<Output>>
    where
        Function: FnOnce() -> Output + Send + 'static,
        Output: Send + 'static,
    {
        Ok(blocking::spawn_blocking_with(function, self.meta()))
    }

    /// Runs a closure that may block on a thread of the pool of `handle`'s runtime. See
    /// [`Handle::spawn_blocking`].
    ///
    /// # Errors
    /// None at present.
    ///
    /// # Panics
    /// If the system gives no thread and the pool has none.
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
        Ok(inner.pool.spawn(inner, function, self.meta()))
    }
}
