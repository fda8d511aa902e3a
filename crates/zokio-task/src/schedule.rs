//! The operations that a task asks of its scheduler.

use crate::id::Id;
use crate::notified::Notified;
use std::any::Any;
use std::panic::Location;

/// A place where woken tasks wait for their turn.
///
/// A task reaches its scheduler through the shard that it was spawned on. All methods may be
/// called from any thread, inside or outside of the runtime. They must not panic: a panic would
/// surface in whoever wakes.
pub trait Schedule: Send + Sync + 'static {
    /// Takes a task that became ready. After shutdown the task is dropped instead.
    fn schedule(&self, task: Notified);

    /// Takes a task that was woken while it was being polled: it goes behind the others.
    fn reschedule(&self, task: Notified) {
        self.schedule(task);
    }

    /// A task's future panicked and nobody may be waiting to hear of it.
    fn task_panicked(&self, _payload: &(dyn Any + Send)) {}

    /// Whether the two methods below do anything. Asked once for each shard.
    fn has_task_hooks(&self) -> bool {
        false
    }

    /// Whether tasks have room for a [stamp](crate::Notified::set_stamp). Asked once for each shard.
    fn wants_stamps(&self) -> bool {
        false
    }

    /// A task was spawned, and is about to be scheduled for the first time.
    fn task_spawned(&self, _id: Id, _place: &'static Location<'static>) {}

    /// A task has ended, or was cancelled.
    fn task_ended(&self, _id: Id, _place: &'static Location<'static>) {}
}
