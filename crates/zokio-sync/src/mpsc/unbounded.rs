//! The unbounded channel's halves.

use super::chan::Unbounded;
use super::error::{SendError, TryRecvError};
use super::half::{self, Rx, Tx, WeakTx};
use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll};

/// Makes a channel that holds as many values as memory does.
///
/// Nothing slows a sender down whose receiver falls behind: prefer [`channel`](super::channel)
/// where that can happen.
///
/// # Examples
/// ```
/// # zokio_task::block_on::block_on(async {
/// let (sender, mut receiver) = zokio_sync::mpsc::unbounded_channel();
/// sender.send("hello").unwrap();
/// drop(sender);
/// assert_eq!(receiver.recv().await, Some("hello"));
/// assert_eq!(receiver.recv().await, None);
/// # });
/// ```
pub fn unbounded_channel<T>() -> (UnboundedSender<T>, UnboundedReceiver<T>) {
    let (tx, rx) = half::new(Unbounded);
    (UnboundedSender { tx }, UnboundedReceiver { rx })
}

/// Sends values into an unbounded channel. Clones send into the same one.
pub struct UnboundedSender<T> {
    tx: Tx<T, Unbounded>,
}

impl<T> Clone for UnboundedSender<T> {
    fn clone(&self) -> Self {
        Self {
            tx: self.tx.clone(),
        }
    }
}

impl<T> fmt::Debug for UnboundedSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnboundedSender")
            .field("chan", &self.tx)
            .finish()
    }
}

impl<T> UnboundedSender<T> {
    /// Sends `value`, without waiting.
    ///
    /// That it was sent does not say that it will be received: the receiver may be dropped before.
    ///
    /// # Errors
    /// Returns the value if the receiver was dropped or closed.
    ///
    /// # Examples
    /// ```
    /// let (sender, receiver) = zokio_sync::mpsc::unbounded_channel();
    /// sender.send(1).unwrap();
    /// drop(receiver);
    /// assert_eq!(sender.send(2).unwrap_err().0, 2);
    /// ```
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.tx.chan.push_open(value).map_err(SendError)
    }

    /// Waits until the receiver is dropped or closed.
    ///
    /// # Cancel safety
    /// Nothing is lost: a closed channel stays closed.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// let (sender, receiver) = zokio_sync::mpsc::unbounded_channel::<()>();
    /// drop(receiver);
    /// sender.closed().await;
    /// # });
    /// ```
    pub async fn closed(&self) {
        self.tx.chan.closed().await;
    }

    /// Whether the receiver was dropped or closed.
    ///
    /// # Examples
    /// ```
    /// let (sender, receiver) = zokio_sync::mpsc::unbounded_channel::<()>();
    /// drop(receiver);
    /// assert!(sender.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.tx.chan.is_closed()
    }

    /// Whether both send into the same channel.
    ///
    /// # Examples
    /// ```
    /// let (sender, _receiver) = zokio_sync::mpsc::unbounded_channel::<()>();
    /// assert!(sender.same_channel(&sender.clone()));
    /// ```
    pub fn same_channel(&self, other: &Self) -> bool {
        self.tx.same_channel(&other.tx)
    }

    /// A sender that does not keep the channel open.
    ///
    /// # Examples
    /// ```
    /// let (sender, _receiver) = zokio_sync::mpsc::unbounded_channel::<()>();
    /// let weak = sender.downgrade();
    /// assert!(weak.upgrade().is_some());
    /// drop(sender);
    /// assert!(weak.upgrade().is_none());
    /// ```
    #[must_use = "a weak sender does nothing by itself"]
    pub fn downgrade(&self) -> WeakUnboundedSender<T> {
        WeakUnboundedSender {
            tx: self.tx.downgrade(),
        }
    }

    /// How many senders there are.
    ///
    /// # Examples
    /// ```
    /// let (sender, _receiver) = zokio_sync::mpsc::unbounded_channel::<()>();
    /// assert_eq!(sender.strong_count(), 1);
    /// ```
    pub fn strong_count(&self) -> usize {
        self.tx.chan.strong_count()
    }

    /// How many weak senders there are.
    ///
    /// # Examples
    /// ```
    /// let (sender, _receiver) = zokio_sync::mpsc::unbounded_channel::<()>();
    /// let _weak = sender.downgrade();
    /// assert_eq!(sender.weak_count(), 1);
    /// ```
    pub fn weak_count(&self) -> usize {
        self.tx.chan.weak_count()
    }
}

/// A sender that does not keep its channel open. Made by [`UnboundedSender::downgrade`].
pub struct WeakUnboundedSender<T> {
    tx: WeakTx<T, Unbounded>,
}

impl<T> WeakUnboundedSender<T> {
    /// A sender, if there is one left.
    ///
    /// # Examples
    /// ```
    /// let (sender, _receiver) = zokio_sync::mpsc::unbounded_channel::<()>();
    /// let weak = sender.downgrade();
    /// assert!(weak.upgrade().unwrap().same_channel(&sender));
    /// ```
    pub fn upgrade(&self) -> Option<UnboundedSender<T>> {
        Some(UnboundedSender {
            tx: self.tx.upgrade()?,
        })
    }

    /// How many senders there are.
    ///
    /// # Examples
    /// ```
    /// let (sender, _receiver) = zokio_sync::mpsc::unbounded_channel::<()>();
    /// let weak = sender.downgrade();
    /// drop(sender);
    /// assert_eq!(weak.strong_count(), 0);
    /// ```
    pub fn strong_count(&self) -> usize {
        self.tx.chan.strong_count()
    }

    /// How many weak senders there are.
    ///
    /// # Examples
    /// ```
    /// let (sender, _receiver) = zokio_sync::mpsc::unbounded_channel::<()>();
    /// let weak = sender.downgrade();
    /// assert_eq!(weak.clone().weak_count(), 2);
    /// ```
    pub fn weak_count(&self) -> usize {
        self.tx.chan.weak_count()
    }
}

impl<T> Clone for WeakUnboundedSender<T> {
    fn clone(&self) -> Self {
        Self {
            tx: self.tx.clone(),
        }
    }
}

impl<T> Drop for WeakUnboundedSender<T> {
    fn drop(&mut self) {
        self.tx.chan.remove_weak();
    }
}

impl<T> fmt::Debug for WeakUnboundedSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakUnboundedSender")
            .finish_non_exhaustive()
    }
}

/// Receives the values of an unbounded channel.
pub struct UnboundedReceiver<T> {
    rx: Rx<T, Unbounded>,
}

impl<T> fmt::Debug for UnboundedReceiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnboundedReceiver")
            .field("chan", &self.rx)
            .finish()
    }
}

impl<T> UnboundedReceiver<T> {
    /// Receives the next value. None when the channel is empty and closed or without senders.
    ///
    /// # Cancel safety
    /// If the future is dropped before it is ready no value was taken.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// let (sender, mut receiver) = zokio_sync::mpsc::unbounded_channel();
    /// sender.send(1).unwrap();
    /// assert_eq!(receiver.recv().await, Some(1));
    /// # });
    /// ```
    pub async fn recv(&mut self) -> Option<T> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// Receives up to `limit` values at once, at the end of `buffer`. Waits until there is one, and
    /// returns how many it were: 0 if the channel has ended, or `limit` is 0.
    ///
    /// # Cancel safety
    /// If the future is dropped before it is ready no value was taken.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// let (sender, mut receiver) = zokio_sync::mpsc::unbounded_channel();
    /// for value in 0..5 {
    ///     sender.send(value).unwrap();
    /// }
    /// let mut buffer = Vec::new();
    /// assert_eq!(receiver.recv_many(&mut buffer, 3).await, 3);
    /// assert_eq!(buffer, [0, 1, 2]);
    /// # });
    /// ```
    pub async fn recv_many(&mut self, buffer: &mut Vec<T>, limit: usize) -> usize {
        poll_fn(|cx| self.poll_recv_many(cx, buffer, limit)).await
    }

    /// Receives the next value if it is there.
    ///
    /// # Errors
    /// [`Empty`](TryRecvError::Empty) if there is none now,
    /// [`Disconnected`](TryRecvError::Disconnected) if there will be none.
    ///
    /// # Examples
    /// ```
    /// use zokio_sync::mpsc::{self, error::TryRecvError};
    ///
    /// let (sender, mut receiver) = mpsc::unbounded_channel();
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// sender.send(1).unwrap();
    /// assert_eq!(receiver.try_recv(), Ok(1));
    /// ```
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.rx.chan.try_recv(&mut self.rx.receiving)
    }

    /// As [`recv`](Self::recv), on a thread that may block.
    ///
    /// # Panics
    /// On a thread that drives tasks.
    ///
    /// # Examples
    /// ```
    /// let (sender, mut receiver) = zokio_sync::mpsc::unbounded_channel();
    /// std::thread::spawn(move || sender.send(1));
    /// assert_eq!(receiver.blocking_recv(), Some(1));
    /// ```
    #[track_caller]
    pub fn blocking_recv(&mut self) -> Option<T> {
        crate::blocking::block_on(self.recv())
    }

    /// As [`recv_many`](Self::recv_many), on a thread that may block.
    ///
    /// # Panics
    /// On a thread that drives tasks.
    ///
    /// # Examples
    /// ```
    /// let (sender, mut receiver) = zokio_sync::mpsc::unbounded_channel();
    /// sender.send(1).unwrap();
    /// let mut buffer = Vec::new();
    /// assert_eq!(receiver.blocking_recv_many(&mut buffer, 8), 1);
    /// ```
    #[track_caller]
    pub fn blocking_recv_many(&mut self, buffer: &mut Vec<T>, limit: usize) -> usize {
        crate::blocking::block_on(self.recv_many(buffer, limit))
    }

    /// As [`recv`](Self::recv), for futures written by hand. The waker of the last call is woken.
    ///
    /// # Examples
    /// ```
    /// # use std::future::poll_fn;
    /// # zokio_task::block_on::block_on(async {
    /// let (sender, mut receiver) = zokio_sync::mpsc::unbounded_channel();
    /// sender.send(1).unwrap();
    /// assert_eq!(poll_fn(|cx| receiver.poll_recv(cx)).await, Some(1));
    /// # });
    /// ```
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.rx.chan.poll_recv(&mut self.rx.receiving, cx)
    }

    /// As [`recv_many`](Self::recv_many), for futures written by hand. The waker of the last call
    /// is woken.
    ///
    /// # Examples
    /// ```
    /// # use std::future::poll_fn;
    /// # zokio_task::block_on::block_on(async {
    /// let (sender, mut receiver) = zokio_sync::mpsc::unbounded_channel();
    /// sender.send(1).unwrap();
    /// let mut buffer = Vec::new();
    /// assert_eq!(poll_fn(|cx| receiver.poll_recv_many(cx, &mut buffer, 8)).await, 1);
    /// # });
    /// ```
    pub fn poll_recv_many(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut Vec<T>,
        limit: usize,
    ) -> Poll<usize> {
        let rx = &mut self.rx;
        rx.chan.poll_recv_many(&mut rx.receiving, cx, buffer, limit)
    }

    /// Takes no more, but keeps what was sent: go on receiving until `None`.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// let (sender, mut receiver) = zokio_sync::mpsc::unbounded_channel();
    /// sender.send(1).unwrap();
    /// receiver.close();
    /// assert!(sender.send(2).is_err());
    /// assert_eq!(receiver.recv().await, Some(1));
    /// assert_eq!(receiver.recv().await, None);
    /// # });
    /// ```
    pub fn close(&mut self) {
        self.rx.chan.close(&mut self.rx.receiving);
    }

    /// Whether nothing more can be sent: it was closed, or all senders are dropped.
    ///
    /// # Examples
    /// ```
    /// let (sender, receiver) = zokio_sync::mpsc::unbounded_channel::<()>();
    /// drop(sender);
    /// assert!(receiver.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.rx.chan.is_closed_for_receiver()
    }

    /// Whether the channel holds no value.
    ///
    /// # Examples
    /// ```
    /// let (sender, receiver) = zokio_sync::mpsc::unbounded_channel();
    /// assert!(receiver.is_empty());
    /// sender.send(1).unwrap();
    /// assert!(!receiver.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many values the channel holds.
    ///
    /// # Examples
    /// ```
    /// let (sender, receiver) = zokio_sync::mpsc::unbounded_channel();
    /// sender.send(1).unwrap();
    /// assert_eq!(receiver.len(), 1);
    /// ```
    pub fn len(&self) -> usize {
        self.rx.chan.len(&self.rx.receiving)
    }

    /// How many senders there are.
    ///
    /// # Examples
    /// ```
    /// let (_sender, receiver) = zokio_sync::mpsc::unbounded_channel::<()>();
    /// assert_eq!(receiver.sender_strong_count(), 1);
    /// ```
    pub fn sender_strong_count(&self) -> usize {
        self.rx.chan.strong_count()
    }

    /// How many weak senders there are.
    ///
    /// # Examples
    /// ```
    /// let (_sender, receiver) = zokio_sync::mpsc::unbounded_channel::<()>();
    /// assert_eq!(receiver.sender_weak_count(), 0);
    /// ```
    pub fn sender_weak_count(&self) -> usize {
        self.rx.chan.weak_count()
    }
}
