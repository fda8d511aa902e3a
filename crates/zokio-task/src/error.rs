//! Why a task has no output.
#![allow(unsafe_code)]

use crate::cell::Panic;
use crate::id::Id;
use std::any::Any;
use std::fmt;
use std::io;

/// A task did not end with an output: it was cancelled or it panicked.
///
/// # Examples
/// ```
/// # async fn demo(task: zokio_task::JoinHandle<u32>) {
/// if let Err(error) = task.await {
///     eprintln!("task {}: {error}", error.id());
/// }
/// # }
/// ```
pub struct JoinError {
    id: Id,
    repr: Repr,
}

enum Repr {
    Cancelled,
    Panicked(Payload),
}

/// A payload that may be shared because it is only looked into where that needs no more than the
/// address and the type, or where the type found is `Sync`.
struct Payload(Panic);

// SAFETY: of a shared payload only the type is asked, and contents of type `&str` and `String` are
// read, which are `Sync`.
unsafe impl Sync for Payload {}

impl Payload {
    /// The message, if the panic had one.
    fn message(&self) -> Option<&str> {
        let payload: &(dyn Any + Send) = &**self.0;
        if let Some(text) = payload.downcast_ref::<String>() {
            return Some(text);
        }
        payload.downcast_ref::<&'static str>().copied()
    }
}

impl JoinError {
    pub(crate) fn cancelled(id: Id) -> Self {
        Self {
            id,
            repr: Repr::Cancelled,
        }
    }

    pub(crate) fn panicked(id: Id, payload: Panic) -> Self {
        Self {
            id,
            repr: Repr::Panicked(Payload(payload)),
        }
    }

    /// Whether the task was cancelled: aborted, or ended by its runtime's shutdown.
    ///
    /// # Examples
    /// ```
    /// # async fn demo(error: zokio_task::JoinError) {
    /// if error.is_cancelled() {
    ///     println!("aborted, or the runtime has ended");
    /// }
    /// # }
    /// ```
    pub fn is_cancelled(&self) -> bool {
        matches!(self.repr, Repr::Cancelled)
    }

    /// Whether the task panicked.
    ///
    /// # Examples
    /// ```
    /// # async fn demo(error: zokio_task::JoinError) {
    /// if error.is_panic() {
    ///     std::panic::resume_unwind(error.into_panic());
    /// }
    /// # }
    /// ```
    pub fn is_panic(&self) -> bool {
        matches!(self.repr, Repr::Panicked(_))
    }

    /// The payload that the task panicked with, to be looked at or passed to
    /// [`resume_unwind`](std::panic::resume_unwind).
    ///
    /// # Panics
    /// If the task did not panic. [`is_panic`](Self::is_panic) tells;
    /// [`try_into_panic`](Self::try_into_panic) does not panic.
    ///
    /// # Examples
    /// ```
    /// # async fn demo(error: zokio_task::JoinError) {
    /// if error.is_panic() {
    ///     std::panic::resume_unwind(error.into_panic());
    /// }
    /// # }
    /// ```
    #[track_caller]
    pub fn into_panic(self) -> Box<dyn Any + Send + 'static> {
        self.try_into_panic()
            .expect("`JoinError` reason is not a panic.")
    }

    /// The payload that the task panicked with.
    ///
    /// # Errors
    /// The error itself, if the task did not panic.
    ///
    /// # Examples
    /// ```
    /// # async fn demo(error: zokio_task::JoinError) {
    /// if let Ok(payload) = error.try_into_panic() {
    ///     std::panic::resume_unwind(payload);
    /// }
    /// # }
    /// ```
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send + 'static>, JoinError> {
        match self.repr {
            Repr::Panicked(payload) => Ok(*payload.0),
            Repr::Cancelled => Err(self),
        }
    }

    /// Which task it was.
    ///
    /// # Examples
    /// ```
    /// # async fn demo(error: zokio_task::JoinError) {
    /// eprintln!("task {} has failed", error.id());
    /// # }
    /// ```
    pub fn id(&self) -> Id {
        self.id
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.repr {
            Repr::Cancelled => write!(f, "task {} was cancelled", self.id),
            Repr::Panicked(payload) => match payload.message() {
                // The message is quoted and escaped, so that it stays on one line.
                Some(message) => {
                    write!(f, "task {} panicked with message {message:?}", self.id)
                }
                None => write!(f, "task {} panicked", self.id),
            },
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.repr {
            Repr::Cancelled => write!(f, "JoinError::Cancelled({:?})", self.id),
            Repr::Panicked(payload) => match payload.message() {
                Some(message) => write!(f, "JoinError::Panic({:?}, {message:?}, ...)", self.id),
                None => write!(f, "JoinError::Panic({:?}, ...)", self.id),
            },
        }
    }
}

impl std::error::Error for JoinError {}

impl From<JoinError> for io::Error {
    fn from(error: JoinError) -> Self {
        io::Error::other(match error.repr {
            Repr::Cancelled => "task was cancelled",
            Repr::Panicked(_) => "task panicked",
        })
    }
}
