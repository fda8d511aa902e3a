//! The handle that can end a task and does not wait for it.

use crate::harness;
use crate::id::Id;
use crate::raw::TaskRef;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};

/// Can cancel a task, from anywhere, without being able to wait for it.
///
/// Dropping the handle does not affect the task, but keeps its memory until then.
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
    pub fn abort(&self) {
        harness::abort(&self.0);
    }

    /// Whether the task has ended.
    pub fn is_finished(&self) -> bool {
        self.0.state().load().is_complete()
    }

    /// Which task it is.
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
