//! A place for the one task that runs next.
//!
//! The task that another one wakes last is likely the one it waits for: running it at once, on the same
//! core, keeps the message that passed between them in the cache. The slot is a plain cell of the core, not
//! an atomic: thieves cannot reach it, and pay nothing to the owner. If the owner gets stuck, the slot goes
//! with the core to the thread that takes it over, or, if there is none, its task goes to the ring, for
//! thieves to find.
//!
//! Two tasks that wake each other could keep the slot for ever, so it is taken from at most
//! [`LIFO_RUN_MAX`] times in a row; then its task goes to the tail of the queue like any other.

use std::cell::Cell;
use zokio_task::Notified;

/// How often in a row a task may come from the slot.
pub(crate) const LIFO_RUN_MAX: u8 = 3;

/// The slot, and how often in a row it was taken from.
#[derive(Default)]
pub(crate) struct LifoSlot {
    task: Cell<Option<Notified>>,
    run: Cell<u8>,
}

impl LifoSlot {
    /// Whether another task may go through the slot now.
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.run.get() < LIFO_RUN_MAX
    }

    /// Puts `task` in and returns the one that was there.
    #[inline]
    pub(crate) fn replace(&self, task: Notified) -> Option<Notified> {
        self.task.replace(Some(task))
    }

    /// Takes the task that runs next, and counts it.
    #[inline]
    pub(crate) fn take(&self) -> Option<Notified> {
        let task = self.task.take()?;
        self.run.set(self.run.get().saturating_add(1));
        Some(task)
    }

    /// Takes the task out, to queue it elsewhere.
    pub(crate) fn evict(&self) -> Option<Notified> {
        self.task.take()
    }

    /// Whether there is no task.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        let task = self.task.take();
        let is_empty = task.is_none();
        self.task.set(task);
        is_empty
    }

    /// A task from elsewhere runs: the row is broken.
    #[inline]
    pub(crate) fn break_row(&self) {
        self.run.set(0);
    }
}
