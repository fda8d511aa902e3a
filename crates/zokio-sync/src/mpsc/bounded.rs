//! The bounded channel's halves.

use super::chan::{Bounded, Chan};
use super::error::{SendError, SendTimeoutError, TryRecvError, TrySendError};
use super::half::{self, Rx, Tx, WeakTx};
use super::permit::{OwnedPermit, Permit, PermitIterator};
use crate::semaphore::core::{MAX_PERMITS, Semaphore, TryError};
use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

/// Makes a channel that holds up to `buffer` values.
///
/// # Panics
/// If `buffer` is 0, or greater than [`Semaphore::MAX_PERMITS`](crate::Semaphore::MAX_PERMITS).
///
/// # Examples
/// ```
/// # zokio_task::block_on::block_on(async {
/// let (sender, mut receiver) = zokio_sync::mpsc::channel(10);
/// sender.send("hello").await.unwrap();
/// drop(sender);
/// assert_eq!(receiver.recv().await, Some("hello"));
/// assert_eq!(receiver.recv().await, None);
/// # });
/// ```
#[track_caller]
pub fn channel<T>(buffer: usize) -> (Sender<T>, Receiver<T>) {
    assert!(buffer > 0, "mpsc bounded channel requires buffer > 0");
    assert!(
        buffer <= MAX_PERMITS,
        "an mpsc channel may not hold more than MAX_PERMITS ({MAX_PERMITS}) values"
    );
    let (tx, rx) = half::new(Bounded {
        semaphore: Semaphore::new(buffer),
        bound: buffer,
    });
    (Sender { tx }, Receiver { rx })
}

/// Sends values into a bounded channel. Clones send into the same one.
pub struct Sender<T> {
    tx: Tx<T, Bounded>,
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self {
            tx: self.tx.clone(),
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("chan", &self.tx).finish()
    }
}

/// When a wait for permits ends without any, a receiver that has closed may have to know.
struct PermitsMayReturn<'a, T>(&'a Chan<T, Bounded>);

impl<T> Drop for PermitsMayReturn<'_, T> {
    fn drop(&mut self) {
        self.0.permits_returned();
    }
}

impl<T> Sender<T> {
    pub(super) fn chan(&self) -> &Chan<T, Bounded> {
        &self.tx.chan
    }

    fn semaphore(&self) -> &Semaphore {
        &self.chan().gate.semaphore
    }

    async fn acquire(&self, count: usize) -> Result<(), SendError<()>> {
        if count > self.max_capacity() {
            return Err(SendError(()));
        }
        // Declared before the future that it watches, hence dropped after it.
        let check = PermitsMayReturn(self.chan());
        match self.semaphore().acquire(count).await {
            Ok(()) => {
                std::mem::forget(check);
                Ok(())
            }
            Err(_) => Err(SendError(())),
        }
    }

    fn try_acquire(&self, count: usize) -> Result<(), TrySendError<()>> {
        self.semaphore()
            .try_acquire(count)
            .map_err(|error| match error {
                TryError::Closed => TrySendError::Closed(()),
                TryError::NoPermits => TrySendError::Full(()),
            })
    }

    /// Sends `value`, and waits for room first if the channel is full.
    ///
    /// Senders get room in the order in which they asked. That a value was sent does not say that
    /// it will be received: the receiver may be dropped before.
    ///
    /// # Errors
    /// Returns the value if the receiver was dropped or closed.
    ///
    /// # Cancel safety
    /// If the future is dropped before it is ready the value was not sent; it is dropped. The place
    /// in the queue is lost. To keep the value, use [`reserve`](Self::reserve).
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// let (sender, receiver) = zokio_sync::mpsc::channel(1);
    /// sender.send(1).await.unwrap();
    /// drop(receiver);
    /// assert_eq!(sender.send(2).await.unwrap_err().0, 2);
    /// # });
    /// ```
    pub async fn send(&self, value: T) -> Result<(), SendError<T>> {
        match self.acquire(1).await {
            Ok(()) => {
                self.chan().push(value);
                Ok(())
            }
            Err(SendError(())) => Err(SendError(value)),
        }
    }

    /// Sends `value` if there is room.
    ///
    /// # Errors
    /// Returns the value if the channel is full, or the receiver was dropped or closed.
    ///
    /// # Examples
    /// ```
    /// use zokio_sync::mpsc::{self, error::TrySendError};
    ///
    /// let (sender, _receiver) = mpsc::channel(1);
    /// sender.try_send(1).unwrap();
    /// assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
    /// ```
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        match self.semaphore().try_acquire(1) {
            Ok(()) => {
                self.chan().push(value);
                Ok(())
            }
            Err(TryError::Closed) => Err(TrySendError::Closed(value)),
            Err(TryError::NoPermits) => Err(TrySendError::Full(value)),
        }
    }

    /// As [`send`](Self::send), but waits for room no longer than `timeout`.
    ///
    /// # Errors
    /// Returns the value if the time ran out, or the receiver was dropped or closed.
    ///
    /// # Panics
    /// Outside of a runtime, or in one without timers, when it is first polled.
    ///
    /// # Cancel safety
    /// As for [`send`](Self::send).
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use zokio_sync::mpsc::Sender;
    ///
    /// async fn report(sender: &Sender<String>) {
    ///     let sent = sender.send_timeout("hello".into(), Duration::from_millis(100)).await;
    ///     if let Err(error) = sent {
    ///         eprintln!("not sent: {}", error.into_inner());
    ///     }
    /// }
    /// ```
    pub async fn send_timeout(
        &self,
        value: T,
        timeout: Duration,
    ) -> Result<(), SendTimeoutError<T>> {
        match zokio_time::timeout(timeout, self.acquire(1)).await {
            Ok(Ok(())) => {
                self.chan().push(value);
                Ok(())
            }
            Ok(Err(SendError(()))) => Err(SendTimeoutError::Closed(value)),
            Err(_) => Err(SendTimeoutError::Timeout(value)),
        }
    }

    /// As [`send`](Self::send), on a thread that may block.
    ///
    /// # Errors
    /// Returns the value if the receiver was dropped or closed.
    ///
    /// # Panics
    /// On a thread that drives tasks.
    ///
    /// # Examples
    /// ```
    /// let (sender, mut receiver) = zokio_sync::mpsc::channel(1);
    /// std::thread::spawn(move || sender.blocking_send(1));
    /// assert_eq!(receiver.blocking_recv(), Some(1));
    /// ```
    #[track_caller]
    pub fn blocking_send(&self, value: T) -> Result<(), SendError<T>> {
        crate::blocking::block_on(self.send(value))
    }

    /// Waits for room for one value.
    ///
    /// # Errors
    /// If the receiver was dropped or closed.
    ///
    /// # Cancel safety
    /// Dropping the future loses the place in the queue, and nothing else.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// let (sender, mut receiver) = zokio_sync::mpsc::channel(1);
    /// let permit = sender.reserve().await.unwrap();
    /// permit.send(1);
    /// assert_eq!(receiver.recv().await, Some(1));
    /// # });
    /// ```
    pub async fn reserve(&self) -> Result<Permit<'_, T>, SendError<()>> {
        self.acquire(1).await?;
        Ok(Permit::new(self.chan()))
    }

    /// Waits for room for `n` values.
    ///
    /// # Errors
    /// If the receiver was dropped or closed, or `n` is greater than
    /// [`max_capacity`](Self::max_capacity).
    ///
    /// # Cancel safety
    /// As for [`reserve`](Self::reserve).
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// let (sender, mut receiver) = zokio_sync::mpsc::channel(2);
    /// for (permit, value) in sender.reserve_many(2).await.unwrap().zip(1..) {
    ///     permit.send(value);
    /// }
    /// assert_eq!(receiver.recv().await, Some(1));
    /// assert_eq!(receiver.recv().await, Some(2));
    /// # });
    /// ```
    pub async fn reserve_many(&self, n: usize) -> Result<PermitIterator<'_, T>, SendError<()>> {
        self.acquire(n).await?;
        Ok(PermitIterator::new(self.chan(), n))
    }

    /// As [`reserve`](Self::reserve), with a permit that holds the sender.
    ///
    /// # Errors
    /// If the receiver was dropped or closed. The sender is dropped then.
    ///
    /// # Cancel safety
    /// Dropping the future drops the sender and loses the place in the queue.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// let (sender, mut receiver) = zokio_sync::mpsc::channel(1);
    /// let permit = sender.clone().reserve_owned().await.unwrap();
    /// permit.send(1);
    /// assert_eq!(receiver.recv().await, Some(1));
    /// # });
    /// ```
    pub async fn reserve_owned(self) -> Result<OwnedPermit<T>, SendError<()>> {
        self.acquire(1).await?;
        Ok(OwnedPermit::new(self))
    }

    /// Takes room for one value if there is some.
    ///
    /// # Errors
    /// If the channel is full, or the receiver was dropped or closed.
    ///
    /// # Examples
    /// ```
    /// let (sender, mut receiver) = zokio_sync::mpsc::channel(1);
    /// let permit = sender.try_reserve().unwrap();
    /// assert!(sender.try_reserve().is_err());
    /// permit.send(1);
    /// assert_eq!(receiver.try_recv(), Ok(1));
    /// ```
    pub fn try_reserve(&self) -> Result<Permit<'_, T>, TrySendError<()>> {
        self.try_acquire(1)?;
        Ok(Permit::new(self.chan()))
    }

    /// Takes room for `n` values if there is enough.
    ///
    /// # Errors
    /// If there is not enough, or the receiver was dropped or closed (also if `n` is greater than
    /// [`max_capacity`](Self::max_capacity)).
    ///
    /// # Examples
    /// ```
    /// let (sender, _receiver) = zokio_sync::mpsc::channel::<()>(2);
    /// assert_eq!(sender.try_reserve_many(2).unwrap().len(), 2);
    /// assert!(sender.try_reserve_many(3).is_err());
    /// ```
    pub fn try_reserve_many(&self, n: usize) -> Result<PermitIterator<'_, T>, TrySendError<()>> {
        if n > self.max_capacity() {
            return Err(TrySendError::Full(()));
        }
        self.try_acquire(n)?;
        Ok(PermitIterator::new(self.chan(), n))
    }

    /// As [`try_reserve`](Self::try_reserve), with a permit that holds the sender.
    ///
    /// # Errors
    /// As for [`try_reserve`](Self::try_reserve). The error holds the sender.
    ///
    /// # Examples
    /// ```
    /// let (sender, mut receiver) = zokio_sync::mpsc::channel(1);
    /// let permit = sender.try_reserve_owned().unwrap();
    /// let _sender = permit.send(1);
    /// assert_eq!(receiver.try_recv(), Ok(1));
    /// ```
    pub fn try_reserve_owned(self) -> Result<OwnedPermit<T>, TrySendError<Self>> {
        match self.semaphore().try_acquire(1) {
            Ok(()) => Ok(OwnedPermit::new(self)),
            Err(TryError::Closed) => Err(TrySendError::Closed(self)),
            Err(TryError::NoPermits) => Err(TrySendError::Full(self)),
        }
    }

    /// Waits until the receiver is dropped or closed.
    ///
    /// # Cancel safety
    /// Nothing is lost: a closed channel stays closed.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// let (sender, receiver) = zokio_sync::mpsc::channel::<()>(1);
    /// drop(receiver);
    /// sender.closed().await;
    /// # });
    /// ```
    pub async fn closed(&self) {
        self.chan().closed().await;
    }

    /// Whether the receiver was dropped or closed.
    ///
    /// # Examples
    /// ```
    /// let (sender, receiver) = zokio_sync::mpsc::channel::<()>(1);
    /// drop(receiver);
    /// assert!(sender.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.chan().is_closed()
    }

    /// Whether both send into the same channel.
    ///
    /// # Examples
    /// ```
    /// let (sender, _receiver) = zokio_sync::mpsc::channel::<()>(1);
    /// assert!(sender.same_channel(&sender.clone()));
    /// ```
    pub fn same_channel(&self, other: &Self) -> bool {
        self.tx.same_channel(&other.tx)
    }

    /// For how many values there is room now. Permits take room.
    ///
    /// # Examples
    /// ```
    /// let (sender, _receiver) = zokio_sync::mpsc::channel::<()>(5);
    /// let _permit = sender.try_reserve().unwrap();
    /// assert_eq!(sender.capacity(), 4);
    /// ```
    pub fn capacity(&self) -> usize {
        self.semaphore().available()
    }

    /// How many values the channel holds at most: what [`channel`] was given.
    ///
    /// # Examples
    /// ```
    /// let (sender, _receiver) = zokio_sync::mpsc::channel::<()>(5);
    /// assert_eq!(sender.max_capacity(), 5);
    /// ```
    pub fn max_capacity(&self) -> usize {
        self.chan().gate.bound
    }

    /// A sender that does not keep the channel open.
    ///
    /// # Examples
    /// ```
    /// let (sender, _receiver) = zokio_sync::mpsc::channel::<()>(1);
    /// let weak = sender.downgrade();
    /// assert!(weak.upgrade().is_some());
    /// drop(sender);
    /// assert!(weak.upgrade().is_none());
    /// ```
    #[must_use = "a weak sender does nothing by itself"]
    pub fn downgrade(&self) -> WeakSender<T> {
        WeakSender {
            tx: self.tx.downgrade(),
        }
    }

    /// How many senders there are.
    ///
    /// # Examples
    /// ```
    /// let (sender, _receiver) = zokio_sync::mpsc::channel::<()>(1);
    /// let _other = sender.clone();
    /// assert_eq!(sender.strong_count(), 2);
    /// ```
    pub fn strong_count(&self) -> usize {
        self.chan().strong_count()
    }

    /// How many weak senders there are.
    ///
    /// # Examples
    /// ```
    /// let (sender, _receiver) = zokio_sync::mpsc::channel::<()>(1);
    /// let _weak = sender.downgrade();
    /// assert_eq!(sender.weak_count(), 1);
    /// ```
    pub fn weak_count(&self) -> usize {
        self.chan().weak_count()
    }
}

/// A sender that does not keep its channel open. Made by [`Sender::downgrade`].
pub struct WeakSender<T> {
    tx: WeakTx<T, Bounded>,
}

impl<T> WeakSender<T> {
    /// A sender, if there is one left.
    ///
    /// # Examples
    /// ```
    /// let (sender, _receiver) = zokio_sync::mpsc::channel::<()>(1);
    /// let weak = sender.downgrade();
    /// assert!(weak.upgrade().unwrap().same_channel(&sender));
    /// ```
    pub fn upgrade(&self) -> Option<Sender<T>> {
        Some(Sender {
            tx: self.tx.upgrade()?,
        })
    }

    /// How many senders there are.
    ///
    /// # Examples
    /// ```
    /// let (sender, _receiver) = zokio_sync::mpsc::channel::<()>(1);
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
    /// let (sender, _receiver) = zokio_sync::mpsc::channel::<()>(1);
    /// let weak = sender.downgrade();
    /// assert_eq!(weak.clone().weak_count(), 2);
    /// ```
    pub fn weak_count(&self) -> usize {
        self.tx.chan.weak_count()
    }
}

impl<T> Clone for WeakSender<T> {
    fn clone(&self) -> Self {
        Self {
            tx: self.tx.clone(),
        }
    }
}

impl<T> Drop for WeakSender<T> {
    fn drop(&mut self) {
        self.tx.chan.remove_weak();
    }
}

impl<T> fmt::Debug for WeakSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakSender").finish_non_exhaustive()
    }
}

/// Receives the values of a bounded channel.
pub struct Receiver<T> {
    rx: Rx<T, Bounded>,
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("chan", &self.rx).finish()
    }
}

impl<T> Receiver<T> {
    /// Receives the next value. None when the channel is empty and all senders are dropped, or when
    /// it was closed and no permit is out any more.
    ///
    /// # Cancel safety
    /// If the future is dropped before it is ready no value was taken.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// let (sender, mut receiver) = zokio_sync::mpsc::channel(1);
    /// sender.send(1).await.unwrap();
    /// drop(sender);
    /// assert_eq!(receiver.recv().await, Some(1));
    /// assert_eq!(receiver.recv().await, None);
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
    /// let (sender, mut receiver) = zokio_sync::mpsc::channel(5);
    /// for value in 0..5 {
    ///     sender.send(value).await.unwrap();
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
    /// let (sender, mut receiver) = mpsc::channel(1);
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// sender.try_send(1).unwrap();
    /// drop(sender);
    /// assert_eq!(receiver.try_recv(), Ok(1));
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
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
    /// let (sender, mut receiver) = zokio_sync::mpsc::channel(1);
    /// std::thread::spawn(move || sender.blocking_send(1));
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
    /// let (sender, mut receiver) = zokio_sync::mpsc::channel(1);
    /// sender.try_send(1).unwrap();
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
    /// let (sender, mut receiver) = zokio_sync::mpsc::channel(1);
    /// sender.try_send(1).unwrap();
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
    /// let (sender, mut receiver) = zokio_sync::mpsc::channel(1);
    /// sender.try_send(1).unwrap();
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

    /// Takes no more, but keeps what was sent: go on receiving until `None`. Permits that are out
    /// may still be used.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// let (sender, mut receiver) = zokio_sync::mpsc::channel(2);
    /// sender.send(1).await.unwrap();
    /// receiver.close();
    /// assert!(sender.send(2).await.is_err());
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
    /// let (sender, receiver) = zokio_sync::mpsc::channel::<()>(1);
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
    /// let (sender, receiver) = zokio_sync::mpsc::channel(1);
    /// assert!(receiver.is_empty());
    /// sender.try_send(1).unwrap();
    /// assert!(!receiver.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many values the channel holds.
    ///
    /// # Examples
    /// ```
    /// let (sender, receiver) = zokio_sync::mpsc::channel(1);
    /// sender.try_send(1).unwrap();
    /// assert_eq!(receiver.len(), 1);
    /// ```
    pub fn len(&self) -> usize {
        self.rx.chan.len(&self.rx.receiving)
    }

    /// For how many values there is room now. Permits take room.
    ///
    /// # Examples
    /// ```
    /// let (sender, receiver) = zokio_sync::mpsc::channel(5);
    /// sender.try_send(1).unwrap();
    /// assert_eq!(receiver.capacity(), 4);
    /// ```
    pub fn capacity(&self) -> usize {
        self.rx.chan.gate.semaphore.available()
    }

    /// How many values the channel holds at most: what [`channel`] was given.
    ///
    /// # Examples
    /// ```
    /// let (_sender, receiver) = zokio_sync::mpsc::channel::<()>(5);
    /// assert_eq!(receiver.max_capacity(), 5);
    /// ```
    pub fn max_capacity(&self) -> usize {
        self.rx.chan.gate.bound
    }

    /// How many senders there are.
    ///
    /// # Examples
    /// ```
    /// let (_sender, receiver) = zokio_sync::mpsc::channel::<()>(5);
    /// assert_eq!(receiver.sender_strong_count(), 1);
    /// ```
    pub fn sender_strong_count(&self) -> usize {
        self.rx.chan.strong_count()
    }

    /// How many weak senders there are.
    ///
    /// # Examples
    /// ```
    /// let (_sender, receiver) = zokio_sync::mpsc::channel::<()>(5);
    /// assert_eq!(receiver.sender_weak_count(), 0);
    /// ```
    pub fn sender_weak_count(&self) -> usize {
        self.rx.chan.weak_count()
    }
}
