//! [`TaskMeta`]: what a hook learns about a task.

use std::marker::PhantomData;
use std::panic::Location;
use std::time::Duration;
use zokio_task::Id;

/// The facts that a hook of the [`Builder`](crate::Builder) learns about the task that it is called for.
///
/// # Examples
/// ```
/// use zokio_runtime::{Builder, TaskMeta};
///
/// fn log(task: &TaskMeta<'_>) {
///     println!("{} from {}", task.id(), task.spawned_at());
/// }
///
/// let runtime = Builder::new_current_thread().on_task_spawn(log).build().unwrap();
/// runtime.block_on(runtime.spawn(async {})).unwrap();
/// ```
#[derive(Debug)]
pub struct TaskMeta<'a> {
    id: Id,
    spawned_at: &'static Location<'static>,
    schedule_latency: Option<Duration>,
    /// More may be lent to the hook one day.
    _lent: PhantomData<&'a ()>,
}

impl TaskMeta<'_> {
    pub(crate) fn new(meta: &zokio_sched::TaskMeta) -> Self {
        Self {
            id: meta.id,
            spawned_at: meta.spawned_at,
            schedule_latency: meta.schedule_latency,
            _lent: PhantomData,
        }
    }

    /// Which task it is.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread()
    ///     .on_task_spawn(|task| println!("task {}", task.id()))
    ///     .build()
    ///     .unwrap();
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// ```
    pub fn id(&self) -> Id {
        self.id
    }

    /// The place in the program that spawned the task.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread()
    ///     .on_task_spawn(|task| println!("spawned at {}", task.spawned_at()))
    ///     .build()
    ///     .unwrap();
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// ```
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.spawned_at
    }

    /// How long the task waited in a queue for this poll: from the time at which it was woken or
    /// spawned to the time at which its poll began. The same before and after the poll.
    ///
    /// None unless it is measured ([`Builder::track_task_schedule_latency`]), and none in hooks that
    /// are not about a poll.
    ///
    /// [`Builder::track_task_schedule_latency`]: crate::Builder::track_task_schedule_latency
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread()
    ///     .track_task_schedule_latency()
    ///     .on_before_task_poll(|task| {
    ///         println!("task {} has waited {:?}", task.id(), task.schedule_latency().unwrap());
    ///     })
    ///     .build()
    ///     .unwrap();
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// ```
    pub fn schedule_latency(&self) -> Option<Duration> {
        self.schedule_latency
    }
}
