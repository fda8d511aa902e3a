//! A channel for one value between two tasks.
//!
//! [`channel`] makes the two halves. [`Sender::send`] is not async: the value waits in the channel
//! until the [`Receiver`], which is a future, is awaited.
//!
//! # Examples
//! ```
//! use zokio_sync::oneshot;
//!
//! let (sender, receiver) = oneshot::channel();
//! std::thread::spawn(move || sender.send(3));
//! assert_eq!(zokio_task::block_on::block_on(receiver), Ok(3));
//! ```
#![allow(unsafe_code)]

mod core;
pub mod error;
#[cfg(all(test, zokio_loom))]
mod model;
#[cfg(all(test, not(zokio_model)))]
mod tests;

use self::core::{Found, Rx, Tx};
use self::error::{RecvError, TryRecvError};
use crate::marker::NotUnwindSafe;
use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use zokio_task::coop;

/// Makes a channel for one value.
///
/// # Examples
/// ```
/// # zokio_task::block_on::block_on(async {
/// let (sender, receiver) = zokio_sync::oneshot::channel();
/// sender.send("hello").unwrap();
/// assert_eq!(receiver.await, Ok("hello"));
/// # });
/// ```
#[track_caller]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let (tx, rx) = core::new();
    (
        Sender {
            tx,
            _not_unwind_safe: PhantomData,
        },
        Receiver {
            rx: Some(rx),
            _not_unwind_safe: PhantomData,
        },
    )
}

/// Sends the value. Dropped without sending, it makes the receiver fail.
pub struct Sender<T> {
    tx: Tx<T>,
    _not_unwind_safe: NotUnwindSafe,
}

impl<T: fmt::Debug> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

impl<T> Sender<T> {
    /// Sends `value`, without waiting.
    ///
    /// That it was sent does not say that it will be received: the receiver may be dropped before.
    ///
    /// # Errors
    /// Returns the value if the receiver was dropped or closed.
    ///
    /// # Examples
    /// ```
    /// let (sender, receiver) = zokio_sync::oneshot::channel();
    /// drop(receiver);
    /// assert_eq!(sender.send(3), Err(3));
    /// ```
    pub fn send(self, value: T) -> Result<(), T> {
        // SAFETY: the drop, which would leave as well, is left out.
        unsafe { ManuallyDrop::new(self).tx.send(value) }
    }

    /// Waits until the receiver is dropped or closed.
    ///
    /// # Cancel safety
    /// Nothing is lost: a closed channel stays closed.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// let (mut sender, receiver) = zokio_sync::oneshot::channel::<()>();
    /// drop(receiver);
    /// sender.closed().await; // nobody wants the result any more
    /// # });
    /// ```
    pub async fn closed(&mut self) {
        poll_fn(|cx| self.poll_closed(cx)).await;
    }

    /// Whether the receiver was dropped or closed.
    ///
    /// # Examples
    /// ```
    /// let (sender, receiver) = zokio_sync::oneshot::channel::<()>();
    /// assert!(!sender.is_closed());
    /// drop(receiver);
    /// assert!(sender.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.tx.is_closed()
    }

    /// As [`closed`](Self::closed), for futures written by hand. The waker of the last call is
    /// woken.
    ///
    /// # Examples
    /// ```
    /// # use std::future::poll_fn;
    /// # zokio_task::block_on::block_on(async {
    /// let (mut sender, receiver) = zokio_sync::oneshot::channel::<()>();
    /// drop(receiver);
    /// poll_fn(|cx| sender.poll_closed(cx)).await;
    /// # });
    /// ```
    pub fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let unit = ready!(coop::poll_proceed(cx));
        if self.tx.register(cx.waker()) {
            unit.made_progress();
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        // SAFETY: a sender that has sent is not dropped.
        unsafe { self.tx.leave() };
    }
}

/// Receives the value. It is a future.
pub struct Receiver<T> {
    /// None once the value, or that there is none, was received.
    rx: Option<Rx<T>>,
    _not_unwind_safe: NotUnwindSafe,
}

impl<T: fmt::Debug> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("terminated", &self.is_terminated())
            .field("empty", &self.is_empty())
            .finish_non_exhaustive()
    }
}

impl<T> Receiver<T> {
    /// Refuses a value that was not sent yet. One that was sent before can still be received.
    ///
    /// # Examples
    /// ```
    /// let (sender, mut receiver) = zokio_sync::oneshot::channel();
    /// receiver.close();
    /// assert_eq!(sender.send(3), Err(3));
    /// ```
    pub fn close(&mut self) {
        if let Some(rx) = &mut self.rx {
            rx.close();
        }
    }

    /// Whether the value, or that there is none, was received already.
    ///
    /// # Examples
    /// ```
    /// let (sender, mut receiver) = zokio_sync::oneshot::channel();
    /// sender.send(3).unwrap();
    /// assert!(!receiver.is_terminated());
    /// receiver.try_recv().unwrap();
    /// assert!(receiver.is_terminated());
    /// ```
    pub fn is_terminated(&self) -> bool {
        self.rx.is_none()
    }

    /// Whether there is no value to be received now.
    ///
    /// # Examples
    /// ```
    /// let (sender, receiver) = zokio_sync::oneshot::channel();
    /// assert!(receiver.is_empty());
    /// sender.send(3).unwrap();
    /// assert!(!receiver.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        !self.rx.as_ref().is_some_and(Rx::has_value)
    }

    /// Receives the value if it was sent already.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] if nothing was sent yet, [`TryRecvError::Closed`] if nothing will
    /// come any more.
    ///
    /// # Examples
    /// ```
    /// use zokio_sync::oneshot::{self, error::TryRecvError};
    ///
    /// let (sender, mut receiver) = oneshot::channel();
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// sender.send(3).unwrap();
    /// assert_eq!(receiver.try_recv(), Ok(3));
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    /// ```
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let rx = self.rx.as_mut().ok_or(TryRecvError::Closed)?;
        let found = rx.take();
        if matches!(found, Found::NotYet) {
            return Err(TryRecvError::Empty);
        }
        self.rx = None;
        match found {
            Found::Value(value) => Ok(value),
            _ => Err(TryRecvError::Closed),
        }
    }

    /// Receives the value on a thread that may block.
    ///
    /// # Errors
    /// If the sender was dropped without sending.
    ///
    /// # Panics
    /// On a thread that drives tasks.
    ///
    /// # Examples
    /// ```
    /// let (sender, receiver) = zokio_sync::oneshot::channel();
    /// std::thread::spawn(move || sender.send(3));
    /// assert_eq!(receiver.blocking_recv(), Ok(3));
    /// ```
    #[track_caller]
    pub fn blocking_recv(self) -> Result<T, RecvError> {
        crate::blocking::block_on(self)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        // Closes the channel, if that is still to be done.
        self.rx = None;
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(rx) = self.rx.as_mut() else {
            panic!("called after complete");
        };
        let unit = ready!(coop::poll_proceed(cx));
        let mut found = rx.take();
        if matches!(found, Found::NotYet) {
            if !rx.register(cx.waker()) {
                return Poll::Pending;
            }
            found = rx.take();
        }
        unit.made_progress();
        self.rx = None;
        Poll::Ready(match found {
            Found::Value(value) => Ok(value),
            Found::Nothing | Found::NotYet => Err(RecvError(())),
        })
    }
}
