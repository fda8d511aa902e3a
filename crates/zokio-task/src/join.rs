//! The handle that waits for a task's output.
#![allow(unsafe_code)]

use crate::abort::AbortHandle;
use crate::coop;
use crate::error::JoinError;
use crate::harness;
use crate::id::Id;
use crate::raw::TaskRef;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker, ready};

/// Waits for a task, and has the right to its output.
///
/// Dropping the handle detaches the task: it goes on, and its output is dropped when it ends.
///
/// Awaiting it yields the output, or a [`JoinError`] if the task was cancelled or panicked. When
/// it yields, the task's future has been dropped already.
///
/// # Cancel safety
/// A `&mut JoinHandle` is cancel safe: it can be awaited again after an interrupted wait.
///
/// # Panics
/// If it is polled after it has yielded.
///
/// # Examples
/// ```
/// # async fn demo(task: zokio_task::JoinHandle<u32>) {
/// match task.await {
///     Ok(number) => println!("{number}"),
///     Err(error) => println!("{error}"),
/// }
/// # }
/// ```
pub struct JoinHandle<T> {
    /// Invariant: the task's output is a `T`, and this is its only join handle.
    task: ManuallyDrop<TaskRef>,
    _output: PhantomData<T>,
}

// SAFETY: the handle moves the output, of which there is one, to the thread that polls or drops
// it; all else it does to a task any thread may do.
unsafe impl<T: Send> Send for JoinHandle<T> {}
// SAFETY: a shared handle does not reach the output.
unsafe impl<T: Send> Sync for JoinHandle<T> {}

impl<T> UnwindSafe for JoinHandle<T> {}
impl<T> RefUnwindSafe for JoinHandle<T> {}
impl<T> Unpin for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    /// The handle of a new task.
    ///
    /// # Safety
    /// The task's output is a `T`, and it has no other join handle.
    pub(crate) unsafe fn new(task: TaskRef) -> Self {
        Self {
            task: ManuallyDrop::new(task),
            _output: PhantomData,
        }
    }

    /// Cancels the task: at its next point of suspension its future is dropped, and awaiting the
    /// handle yields a cancelled [`JoinError`].
    ///
    /// A task that completes first is not affected. Blocking work that has begun is not either.
    ///
    /// # Examples
    /// ```
    /// # async fn demo(task: zokio_task::JoinHandle<u32>) {
    /// task.abort();
    /// if let Err(error) = task.await {
    ///     assert!(error.is_cancelled());
    /// }
    /// # }
    /// ```
    pub fn abort(&self) {
        harness::abort(&self.task);
    }

    /// Whether the task has ended.
    ///
    /// # Examples
    /// ```
    /// # async fn demo(task: zokio_task::JoinHandle<u32>) {
    /// if task.is_finished() {
    ///     // Does not wait.
    ///     println!("{:?}", task.await);
    /// }
    /// # }
    /// ```
    pub fn is_finished(&self) -> bool {
        self.task.state().load().is_complete()
    }

    /// A handle that can abort the task and does not wait for it.
    ///
    /// # Examples
    /// ```
    /// # async fn demo(mut task: zokio_task::JoinHandle<u32>, limit: impl Future<Output = ()>) {
    /// let abort = task.abort_handle();
    /// let watch = async move {
    ///     limit.await;
    ///     abort.abort();
    /// };
    /// # drop(watch); let _ = &mut task;
    /// # }
    /// ```
    #[must_use = "abort handles do nothing unless `.abort` is called"]
    pub fn abort_handle(&self) -> AbortHandle {
        AbortHandle::new(TaskRef::clone(&self.task))
    }

    /// Which task it is.
    ///
    /// # Examples
    /// ```
    /// # async fn demo(task: zokio_task::JoinHandle<u32>) {
    /// println!("task {}", task.id());
    /// # }
    /// ```
    pub fn id(&self) -> Id {
        self.task.id()
    }

    /// Takes the outcome of the task, which is complete.
    fn take(&mut self) -> Result<T, JoinError> {
        assert!(
            self.task.state().load().is_join_interested(),
            "JoinHandle polled after completion"
        );
        let mut output = MaybeUninit::<T>::uninit();
        // SAFETY: we are the join handle, the task is complete and the outcome was not taken, as
        // was just checked; the output is a `T`.
        let outcome =
            unsafe { harness::take_outcome(&self.task, NonNull::from(&mut output).cast()) };
        match outcome {
            // SAFETY: the output was moved there.
            Ok(()) => Ok(unsafe { output.assume_init() }),
            Err(Some(payload)) => Err(JoinError::panicked(self.id(), payload)),
            Err(None) => Err(JoinError::cancelled(self.id())),
        }
    }
}

/// Whether the task has ended. If it has not, `waker` is woken when it does, instead of the one that
/// was given before.
///
/// For sets of handles, which take the outcome later: unlike a poll this takes neither the outcome
/// nor a unit of the budget.
pub fn poll_finished<T>(handle: &mut JoinHandle<T>, waker: &Waker) -> bool {
    // SAFETY: it is the task's join handle. If the outcome was taken the task is complete, and no
    // waker is touched.
    unsafe { harness::poll_join(&handle.task, waker) }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let unit = ready!(coop::poll_proceed(cx));
        // SAFETY: we are the join handle. If the outcome was taken the task is complete, and no
        // waker is touched.
        if !unsafe { harness::poll_join(&self.task, cx.waker()) } {
            return Poll::Pending;
        }
        unit.made_progress();
        Poll::Ready(self.take())
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        // SAFETY: the field is not used again.
        let task = unsafe { ManuallyDrop::take(&mut self.task) };
        // SAFETY: we are the join handle, and end here.
        unsafe { harness::drop_join(task) };
    }
}

impl<T: fmt::Debug> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("id", &self.id())
            .finish()
    }
}
