//! A channel that gives every value to every receiver.
//!
//! The channel keeps a fixed number of values. A receiver that falls further behind loses the
//! oldest and is told how many ([`RecvError::Lagged`]); senders never
//! wait. The number is the next power of two from what was asked for.
//!
//! A receiver gets what is sent after it was made. Each value is cloned for each receiver, and
//! dropped when the last one has it.
//!
//! # Examples
//! ```
//! use zokio_sync::broadcast;
//!
//! # zokio_task::block_on::block_on(async {
//! let (sender, mut first) = broadcast::channel(16);
//! let mut second = sender.subscribe();
//! sender.send(10).unwrap();
//! assert_eq!(first.recv().await, Ok(10));
//! assert_eq!(second.recv().await, Ok(10));
//! # });
//! ```
//!
//! Lagging:
//! ```
//! use zokio_sync::broadcast::{self, error::RecvError};
//!
//! # zokio_task::block_on::block_on(async {
//! let (sender, mut receiver) = broadcast::channel(2);
//! for value in 0..3 {
//!     sender.send(value).unwrap();
//! }
//! assert_eq!(receiver.recv().await, Err(RecvError::Lagged(1)));
//! assert_eq!(receiver.recv().await, Ok(1));
//! # });
//! ```
#![allow(unsafe_code)]

mod core;
pub mod error;
#[cfg(all(test, zokio_loom))]
mod model;
#[cfg(all(test, not(zokio_model)))]
mod tests;

use self::core::{Found, Shared, Waiter};
use self::error::{RecvError, SendError, TryRecvError};
use crate::marker::NotUnwindSafe;
use std::fmt;
use std::marker::{PhantomData, PhantomPinned};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use zokio_base::sync::Arc;
use zokio_task::coop;

/// Makes a channel that keeps at least `capacity` values.
///
/// # Panics
/// If `capacity` is 0 or greater than `usize::MAX / 2`.
///
/// # Examples
/// ```
/// # zokio_task::block_on::block_on(async {
/// let (sender, mut receiver) = zokio_sync::broadcast::channel(16);
/// sender.send(1).unwrap();
/// drop(sender);
/// assert_eq!(receiver.recv().await, Ok(1));
/// assert!(receiver.recv().await.is_err());
/// # });
/// ```
#[track_caller]
pub fn channel<T: Clone>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Shared::new(ring_length(capacity), 1));
    let receiver = Receiver::with(shared.clone(), 0);
    (Sender::with(shared), receiver)
}

#[track_caller]
fn ring_length(capacity: usize) -> usize {
    assert!(capacity > 0, "broadcast channel capacity cannot be zero");
    assert!(
        capacity <= usize::MAX >> 1,
        "broadcast channel capacity exceeded `usize::MAX / 2`"
    );
    capacity.next_power_of_two()
}

/// Sends values to all receivers. Clones send into the same channel.
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
    _not_unwind_safe: NotUnwindSafe,
}

impl<T> Sender<T> {
    fn with(shared: Arc<Shared<T>>) -> Self {
        Self {
            shared,
            _not_unwind_safe: PhantomData,
        }
    }

    /// Makes a sender without receivers. [`subscribe`](Self::subscribe) makes those.
    ///
    /// # Panics
    /// As for [`channel`].
    ///
    /// # Examples
    /// ```
    /// let sender = zokio_sync::broadcast::Sender::new(16);
    /// assert!(sender.send(1).is_err());
    /// let mut receiver = sender.subscribe();
    /// sender.send(2).unwrap();
    /// assert_eq!(receiver.try_recv(), Ok(2));
    /// ```
    #[track_caller]
    pub fn new(capacity: usize) -> Self {
        Self::with(Arc::new(Shared::new(ring_length(capacity), 0)))
    }

    /// Sends `value` to all receivers, without waiting, and returns how many there are.
    ///
    /// That it was sent does not say that it will be received: receivers may be dropped or lag.
    ///
    /// # Errors
    /// Returns the value if there is no receiver. There may be one again later.
    ///
    /// # Examples
    /// ```
    /// let (sender, receiver) = zokio_sync::broadcast::channel(16);
    /// assert_eq!(sender.send(1).unwrap(), 1);
    /// drop(receiver);
    /// assert_eq!(sender.send(2).unwrap_err().0, 2);
    /// ```
    pub fn send(&self, value: T) -> Result<usize, SendError<T>> {
        self.shared.send(value).map_err(SendError)
    }

    /// Makes a receiver for what is sent from now on.
    ///
    /// # Examples
    /// ```
    /// let (sender, _first) = zokio_sync::broadcast::channel(16);
    /// sender.send(1).unwrap();
    /// let mut second = sender.subscribe();
    /// sender.send(2).unwrap();
    /// assert_eq!(second.try_recv(), Ok(2));
    /// ```
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver::with(self.shared.clone(), self.shared.add_receiver())
    }

    /// A sender that does not keep the channel open.
    ///
    /// # Examples
    /// ```
    /// let (sender, _receiver) = zokio_sync::broadcast::channel::<()>(16);
    /// let weak = sender.downgrade();
    /// drop(sender);
    /// assert!(weak.upgrade().is_none());
    /// ```
    #[must_use = "a weak sender does nothing by itself"]
    pub fn downgrade(&self) -> WeakSender<T> {
        self.shared.add_weak();
        WeakSender {
            shared: self.shared.clone(),
            _not_unwind_safe: PhantomData,
        }
    }

    /// How many values are kept that some receiver has still to get.
    ///
    /// # Examples
    /// ```
    /// let (sender, mut receiver) = zokio_sync::broadcast::channel(16);
    /// sender.send(1).unwrap();
    /// sender.send(2).unwrap();
    /// receiver.try_recv().unwrap();
    /// assert_eq!(sender.len(), 1);
    /// ```
    pub fn len(&self) -> usize {
        self.shared.len()
    }

    /// Whether every receiver has got everything.
    ///
    /// # Examples
    /// ```
    /// let (sender, mut receiver) = zokio_sync::broadcast::channel(16);
    /// sender.send(1).unwrap();
    /// assert!(!sender.is_empty());
    /// receiver.try_recv().unwrap();
    /// assert!(sender.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.shared.is_empty()
    }

    /// How many receivers there are.
    ///
    /// # Examples
    /// ```
    /// let (sender, _receiver) = zokio_sync::broadcast::channel::<()>(16);
    /// let _second = sender.subscribe();
    /// assert_eq!(sender.receiver_count(), 2);
    /// ```
    pub fn receiver_count(&self) -> usize {
        self.shared.receiver_count()
    }

    /// Whether both send into the same channel.
    ///
    /// # Examples
    /// ```
    /// let sender = zokio_sync::broadcast::Sender::<()>::new(16);
    /// assert!(sender.same_channel(&sender.clone()));
    /// ```
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Waits until there is no receiver. When this returns there may be one again already.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// let (sender, receiver) = zokio_sync::broadcast::channel::<()>(16);
    /// drop(receiver);
    /// sender.closed().await;
    /// # });
    /// ```
    pub async fn closed(&self) {
        self.shared.closed().await;
    }

    /// How many senders there are.
    ///
    /// # Examples
    /// ```
    /// let (sender, _receiver) = zokio_sync::broadcast::channel::<()>(16);
    /// let _other = sender.clone();
    /// assert_eq!(sender.strong_count(), 2);
    /// ```
    pub fn strong_count(&self) -> usize {
        self.shared.sender_count()
    }

    /// How many weak senders there are.
    ///
    /// # Examples
    /// ```
    /// let (sender, _receiver) = zokio_sync::broadcast::channel::<()>(16);
    /// let _weak = sender.downgrade();
    /// assert_eq!(sender.weak_count(), 1);
    /// ```
    pub fn weak_count(&self) -> usize {
        self.shared.weak_count()
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.shared.add_sender();
        Self::with(self.shared.clone())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.shared.remove_sender();
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("shared", &self.shared)
            .finish()
    }
}

/// A sender that does not keep its channel open. Made by [`Sender::downgrade`].
pub struct WeakSender<T> {
    shared: Arc<Shared<T>>,
    _not_unwind_safe: NotUnwindSafe,
}

impl<T> WeakSender<T> {
    /// A sender, if there is one left.
    ///
    /// # Examples
    /// ```
    /// let (sender, _receiver) = zokio_sync::broadcast::channel::<()>(16);
    /// let weak = sender.downgrade();
    /// assert!(weak.upgrade().unwrap().same_channel(&sender));
    /// ```
    #[must_use = "an upgraded sender that is not used is dropped at once"]
    pub fn upgrade(&self) -> Option<Sender<T>> {
        self.shared
            .try_add_sender()
            .then(|| Sender::with(self.shared.clone()))
    }

    /// How many senders there are.
    ///
    /// # Examples
    /// ```
    /// let (sender, _receiver) = zokio_sync::broadcast::channel::<()>(16);
    /// assert_eq!(sender.downgrade().strong_count(), 1);
    /// ```
    pub fn strong_count(&self) -> usize {
        self.shared.sender_count()
    }

    /// How many weak senders there are.
    ///
    /// # Examples
    /// ```
    /// let (sender, _receiver) = zokio_sync::broadcast::channel::<()>(16);
    /// assert_eq!(sender.downgrade().weak_count(), 1);
    /// ```
    pub fn weak_count(&self) -> usize {
        self.shared.weak_count()
    }
}

impl<T> Clone for WeakSender<T> {
    fn clone(&self) -> Self {
        self.shared.add_weak();
        Self {
            shared: self.shared.clone(),
            _not_unwind_safe: PhantomData,
        }
    }
}

impl<T> Drop for WeakSender<T> {
    fn drop(&mut self) {
        self.shared.remove_weak();
    }
}

impl<T> fmt::Debug for WeakSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakSender").finish_non_exhaustive()
    }
}

/// Receives every value that is sent while it exists.
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    /// The position of the next value.
    next: u64,
    _not_unwind_safe: NotUnwindSafe,
}

impl<T> Receiver<T> {
    fn with(shared: Arc<Shared<T>>, next: u64) -> Self {
        Self {
            shared,
            next,
            _not_unwind_safe: PhantomData,
        }
    }

    /// How many values were sent that this receiver has not got, lost ones included. If it is more
    /// than the channel keeps, the next receive says that it lagged.
    ///
    /// # Examples
    /// ```
    /// let (sender, receiver) = zokio_sync::broadcast::channel(16);
    /// sender.send(1).unwrap();
    /// assert_eq!(receiver.len(), 1);
    /// ```
    pub fn len(&self) -> usize {
        self.shared.len_from(self.next)
    }

    /// Whether there is nothing to receive now.
    ///
    /// # Examples
    /// ```
    /// let (sender, receiver) = zokio_sync::broadcast::channel(16);
    /// assert!(receiver.is_empty());
    /// sender.send(1).unwrap();
    /// assert!(!receiver.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether both are of the same channel.
    ///
    /// # Examples
    /// ```
    /// let (sender, receiver) = zokio_sync::broadcast::channel::<()>(16);
    /// assert!(receiver.same_channel(&sender.subscribe()));
    /// ```
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// How many senders there are.
    ///
    /// # Examples
    /// ```
    /// let (_sender, receiver) = zokio_sync::broadcast::channel::<()>(16);
    /// assert_eq!(receiver.sender_strong_count(), 1);
    /// ```
    pub fn sender_strong_count(&self) -> usize {
        self.shared.sender_count()
    }

    /// How many weak senders there are.
    ///
    /// # Examples
    /// ```
    /// let (_sender, receiver) = zokio_sync::broadcast::channel::<()>(16);
    /// assert_eq!(receiver.sender_weak_count(), 0);
    /// ```
    pub fn sender_weak_count(&self) -> usize {
        self.shared.weak_count()
    }

    /// Whether all senders are dropped. There may be values left.
    ///
    /// # Examples
    /// ```
    /// let (sender, receiver) = zokio_sync::broadcast::channel::<()>(16);
    /// drop(sender);
    /// assert!(receiver.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.shared.has_ended()
    }
}

impl<T: Clone> Receiver<T> {
    /// Makes a receiver of the same channel for what is sent from now on.
    ///
    /// # Examples
    /// ```
    /// let (sender, first) = zokio_sync::broadcast::channel(16);
    /// sender.send(1).unwrap();
    /// let mut second = first.resubscribe();
    /// sender.send(2).unwrap();
    /// assert_eq!(second.try_recv(), Ok(2));
    /// ```
    pub fn resubscribe(&self) -> Self {
        Self::with(self.shared.clone(), self.shared.add_receiver())
    }

    /// Receives the next value.
    ///
    /// # Errors
    /// [`Lagged`](RecvError::Lagged) if values were lost, [`Closed`](RecvError::Closed) if
    /// everything was received and all senders are dropped.
    ///
    /// # Cancel safety
    /// If the future is dropped before it is ready no value was taken.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// let (sender, mut receiver) = zokio_sync::broadcast::channel(16);
    /// sender.send(1).unwrap();
    /// assert_eq!(receiver.recv().await, Ok(1));
    /// # });
    /// ```
    pub async fn recv(&mut self) -> Result<T, RecvError> {
        Recv {
            receiver: self,
            waiter: Waiter::new(),
            _pin: PhantomPinned,
        }
        .await
    }

    /// Receives the next value if it is there.
    ///
    /// # Errors
    /// [`Empty`](TryRecvError::Empty) if there is none now, [`Lagged`](TryRecvError::Lagged) if
    /// values were lost, [`Closed`](TryRecvError::Closed) if there will be none.
    ///
    /// # Examples
    /// ```
    /// use zokio_sync::broadcast::{self, error::TryRecvError};
    ///
    /// let (sender, mut receiver) = broadcast::channel(16);
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// sender.send(1).unwrap();
    /// assert_eq!(receiver.try_recv(), Ok(1));
    /// ```
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        match self.shared.receive(&mut self.next, None) {
            Found::Value(value) => Ok(value),
            Found::Empty => Err(TryRecvError::Empty),
            Found::Ended => Err(TryRecvError::Closed),
            Found::Lagged(missed) => Err(TryRecvError::Lagged(missed)),
        }
    }

    /// As [`recv`](Self::recv), on a thread that may block.
    ///
    /// # Errors
    /// As for [`recv`](Self::recv).
    ///
    /// # Panics
    /// On a thread that drives tasks.
    ///
    /// # Examples
    /// ```
    /// let (sender, mut receiver) = zokio_sync::broadcast::channel(16);
    /// std::thread::spawn(move || sender.send(1));
    /// assert_eq!(receiver.blocking_recv(), Ok(1));
    /// ```
    pub fn blocking_recv(&mut self) -> Result<T, RecvError> {
        crate::blocking::block_on(self.recv())
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.shared.remove_receiver(self.next);
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("shared", &self.shared)
            .field("next", &self.next)
            .finish()
    }
}

/// Waits for the next value.
struct Recv<'a, T> {
    receiver: &'a mut Receiver<T>,
    waiter: Waiter,
    _pin: PhantomPinned,
}

impl<T: Clone> Future for Recv<'_, T> {
    type Output = Result<T, RecvError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let unit = ready!(coop::poll_proceed(cx));
        // SAFETY: nothing is moved out, and the waiter leaves the lists in our drop.
        let this = unsafe { self.get_unchecked_mut() };
        let Receiver { shared, next, .. } = &mut *this.receiver;
        let result = match shared.receive(next, Some((&this.waiter, cx.waker()))) {
            Found::Value(value) => Ok(value),
            Found::Empty => return Poll::Pending,
            Found::Ended => Err(RecvError::Closed),
            Found::Lagged(missed) => Err(RecvError::Lagged(missed)),
        };
        unit.made_progress();
        Poll::Ready(result)
    }
}

impl<T> Drop for Recv<'_, T> {
    fn drop(&mut self) {
        self.receiver.shared.leave(&self.waiter);
    }
}
