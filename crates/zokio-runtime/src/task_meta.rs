//! [`TaskMeta`]: what a hook learns about a task.

use std::marker::PhantomData;
use std::panic::Location;
use std::time::Duration;
use zokio_task::Id;

/// What a hook of the [`Builder`](crate::Builder) learns about the task that it is called for.
#[derive(Debug)]
pub struct TaskMeta<'a> {
    id: Id,
    spawned_at: &'static Location<'static>,
    /// More may be lent to the hook one day.
    _lent: PhantomData<&'a ()>,
}

impl TaskMeta<'_> {
    pub(crate) fn new(meta: &zokio_sched::TaskMeta) -> Self {
        Self {
            id: meta.id,
            spawned_at: meta.spawned_at,
            _lent: PhantomData,
        }
    }

    /// Which task it is.
    pub fn id(&self) -> Id {
        self.id
    }

    /// The place in the program that spawned the task.
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.spawned_at
    }

    /// How long the task waited for this poll. It is not measured, so there is none.
    pub fn schedule_latency(&self) -> Option<Duration> {
        None
    }
}
