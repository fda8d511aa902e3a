//! A task that is to be polled.

use crate::cell::Header;
use crate::harness;
use crate::id::Id;
use crate::meta::Priority;
use crate::raw::TaskRef;
use std::any::Any;
use std::fmt;
use std::panic::Location;
use std::ptr::NonNull;

/// A task that was woken, or is new, and waits for its poll.
///
/// There is at most one for each task. Dropping it releases its reference; the task is then never
/// polled again, and ends when its shard shuts down or nobody has a reference to it.
pub struct Notified(TaskRef);

impl Notified {
    /// The notification that owns `task`.
    #[inline]
    pub(crate) fn new(task: TaskRef) -> Self {
        Self(task)
    }

    /// Polls the task once. If it was woken meanwhile it goes to
    /// [`Schedule::reschedule`](crate::Schedule::reschedule).
    ///
    /// The caller keeps the scheduler alive until this returns. No panic comes out of the task.
    #[inline]
    pub fn run(self) {
        harness::run(self.0);
    }

    /// Cancels the task instead of polling it: its future is dropped here, and its join handle
    /// sees it cancelled.
    pub fn shutdown(self) {
        harness::shutdown(self.0);
    }

    /// Which task it is.
    #[inline]
    pub fn id(&self) -> Id {
        self.0.id()
    }

    /// Where the task was spawned.
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.0.spawned_at()
    }

    /// The task's class.
    #[inline]
    pub fn priority(&self) -> Priority {
        self.0.priority()
    }

    /// The task's name, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.0.name()
    }

    /// The state that hooks keep with the task.
    pub fn hook(&self) -> Option<&(dyn Any + Send + Sync)> {
        self.0.hook()
    }

    /// Writes a number into the task that stays until the next one: when it was queued, in units
    /// of the scheduler's own. Does nothing if the scheduler did not
    /// [want stamps](crate::Schedule::wants_stamps).
    pub fn set_stamp(&self, stamp: u64) {
        self.0.set_stamp(stamp);
    }

    /// The number that was written last, if one was.
    pub fn stamp(&self) -> Option<u64> {
        self.0.stamp()
    }

    /// The task as a pointer, for queues that hold nothing else. [`from_raw`](Self::from_raw)
    /// takes it back.
    #[inline]
    pub fn into_raw(self) -> NonNull<Header> {
        self.0.into_raw()
    }

    /// Takes back what [`into_raw`](Self::into_raw) gave.
    ///
    /// # Safety
    /// `task` came from [`into_raw`](Self::into_raw) and was not taken back since.
    #[allow(unsafe_code)]
    #[inline]
    pub unsafe fn from_raw(task: NonNull<Header>) -> Self {
        // SAFETY: the caller's: the reference that `into_raw` gave away is taken over.
        Self(unsafe { TaskRef::from_raw(task) })
    }
}

impl fmt::Debug for Notified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Notified").field(&self.id()).finish()
    }
}
