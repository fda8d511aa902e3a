//! The handle that can end a task and does not wait for it.

use crate::harness;
use crate::id::Id;
use crate::raw::TaskRef;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};

/// Can cancel a task, from anywhere, without being able to wait for it.
///
/// Dropping the handle does not affect the task, but keeps its memory until then.
///
/// # Examples
/// ```
/// # async fn demo(abort: zokio_task::AbortHandle) {
/// if !abort.is_finished() {
///     abort.abort();
/// }
/// # }
/// ```
#[derive(Clone)]
pub struct AbortHandle(TaskRef);

impl UnwindSafe for AbortHandle {}
impl RefUnwindSafe for AbortHandle {}

impl AbortHandle {
    pub(crate) fn new(task: TaskRef) -> Self {
        Self(task)
    }

    /// Cancels the task: at its next point of suspension its future is dropped, and its join
    /// handle yields a cancelled [`JoinError`](crate::JoinError).
    ///
    /// A task that completes first is not affected. Blocking work that has begun is not either.
    ///
    /// # Examples
    /// ```
    /// # async fn demo(abort: zokio_task::AbortHandle) {
    /// abort.abort();
    /// # }
    /// ```
    pub fn abort(&self) {
        harness::abort(&self.0);
    }

    /// Whether the task has ended.
    ///
    /// # Examples
    /// ```
    /// # async fn demo(abort: zokio_task::AbortHandle) {
    /// while !abort.is_finished() {
    ///     std::thread::yield_now();
    /// }
    /// # }
    /// ```
    pub fn is_finished(&self) -> bool {
        self.0.state().load().is_complete()
    }

    /// Which task it is.
    ///
    /// # Examples
    /// ```
    /// # async fn demo(abort: zokio_task::AbortHandle) {
    /// println!("task {}", abort.id());
    /// # }
    /// ```
    pub fn id(&self) -> Id {
        self.0.id()
    }
}

impl fmt::Debug for AbortHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortHandle")
            .field("id", &self.id())
            .finish()
    }
}
