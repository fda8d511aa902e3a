//! Tasks: spawn, join, abort, and work that blocks.
//!
//! A task is a future that the runtime drives by itself. [`spawn`] starts one; the [`JoinHandle`] is a
//! future of its output. Dropping the handle lets the task run on, [`JoinHandle::abort`] ends it.
//!
//! A task must not block its thread: what blocks goes to [`spawn_blocking`], or into
//! [`block_in_place`].
//!
//! # Examples
//! ```
//! # let runtime = zokio::runtime::Runtime::new().unwrap();
//! # runtime.block_on(async {
//! let handle = zokio::task::spawn(async { 6 * 7 });
//! assert_eq!(handle.await.unwrap(), 42);
//! # });
//! ```

pub use crate::macros::task_local::LocalKey;
pub use zokio_runtime::{
    JoinSet, LocalEnterGuard, LocalSet, TaskBuilder as Builder, join_set, spawn, spawn_blocking,
    spawn_local,
};
pub use zokio_sched::block_in_place;
pub use zokio_task::{AbortHandle, Id, JoinError, JoinHandle};

#[doc(hidden)]
pub use coop::{Unconstrained, consume_budget, unconstrained};

use std::future::poll_fn;
use std::task::Poll;
use zokio_task::context;

/// Cooperation: how a task that always has something to do lets others run.
///
/// Each time a task is polled it may do 128 operations; the next one yields. Everything in this crate
/// that waits takes part. Futures of other origin can be made to ([`cooperative`](coop::cooperative)), and
/// a future can be let off ([`unconstrained`]).
///
/// # Examples
/// ```
/// # async fn demo(items: Vec<u32>) -> u64 {
/// let mut sum = 0;
/// for item in items {
///     sum += u64::from(item);
///     zokio::task::coop::consume_budget().await;
/// }
/// # sum }
/// ```
pub mod coop {
    pub use zokio_task::coop::{
        Coop, RestoreOnPending, Unconstrained, consume_budget, cooperative, has_budget_remaining,
        poll_proceed, unconstrained,
    };
}

/// Futures that functions of this module return.
pub mod futures {
    pub use crate::macros::task_local::TaskLocalFuture;
}

/// The id of the task that is running.
///
/// # Panics
/// Outside of a task: in a `block_on` too, whose future is no task.
///
/// # Examples
/// ```
/// # let runtime = zokio::runtime::Runtime::new().unwrap();
/// # runtime.block_on(async {
/// zokio::spawn(async { println!("task {}", zokio::task::id()) }).await.unwrap();
/// # });
/// ```
#[track_caller]
pub fn id() -> Id {
    match context::task() {
        Some(id) => id,
        None => panic!("Can't get a task id when not inside a task"),
    }
}

/// The id of the task that is running, if there is one.
///
/// # Examples
/// ```
/// assert!(zokio::task::try_id().is_none());
/// ```
#[track_caller]
pub fn try_id() -> Option<Id> {
    context::task()
}

/// Lets other tasks run.
///
/// The task is woken again once those that were ready had their turn and the driver was polled. How long
/// that takes is up to the scheduler; another branch of the same `select!` or `join!` does
/// not count as another task.
///
/// # Cancel safety
/// Dropping the future has no effect but a wake-up too many.
///
/// # Examples
/// ```
/// # async fn demo() {
/// zokio::task::yield_now().await;
/// # }
/// ```
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context::defer(cx.waker());
        Poll::Pending
    })
    .await;
}
