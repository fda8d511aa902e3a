//! A channel that keeps only the last value.
//!
//! Each [`Receiver`] remembers which value it has seen last. [`Receiver::changed`] waits until
//! there is a newer one and marks it as seen; [`Receiver::borrow_and_update`] reads the value and
//! marks it, [`Receiver::borrow`] only reads it. Values that come faster than a receiver looks are
//! not kept.
//!
//! When all senders are dropped, [`changed`](Receiver::changed) fails once the last value was seen.
//! When all receivers are dropped, [`Sender::send`] fails, and [`Sender::closed`] returns.
//!
//! # Examples
//! ```
//! use zokio_sync::watch;
//!
//! let (sender, mut receiver) = watch::channel("hello");
//! zokio_task::block_on::block_on(async {
//!     sender.send("world").unwrap();
//!     receiver.changed().await.unwrap();
//!     assert_eq!(*receiver.borrow_and_update(), "world");
//! });
//! ```

mod core;
pub mod error;
mod lock;
#[cfg(all(test, zokio_loom))]
mod model;
#[cfg(all(test, not(zokio_model)))]
mod tests;

use self::core::{Shared, Version};
use self::error::{RecvError, SendError};
use self::lock::ReadGuard;
use crate::marker::NotUnwindSafe;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use zokio_base::sync::Arc;
use zokio_task::coop::cooperative;

/// Makes a channel that holds `init`, which counts as seen by the receiver.
///
/// # Examples
/// ```
/// let (sender, receiver) = zokio_sync::watch::channel(1);
/// assert_eq!(*receiver.borrow(), 1);
/// sender.send(2).unwrap();
/// assert_eq!(*receiver.borrow(), 2);
/// ```
pub fn channel<T>(init: T) -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Shared::new(init, 1));
    let receiver = Receiver {
        version: shared.look().version,
        shared: shared.clone(),
        _not_unwind_safe: PhantomData,
    };
    (Sender::with(shared), receiver)
}

/// Changes the value. Clones change the same one.
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
    _not_unwind_safe: NotUnwindSafe,
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.shared.add_sender();
        Self::with(self.shared.clone())
    }
}

impl<T: Default> Default for Sender<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: fmt::Debug> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("shared", &self.shared)
            .finish()
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.shared.remove_sender();
    }
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
    /// # Examples
    /// ```
    /// let sender = zokio_sync::watch::Sender::new(1);
    /// let receiver = sender.subscribe();
    /// sender.send(2).unwrap();
    /// assert_eq!(*receiver.borrow(), 2);
    /// ```
    pub fn new(init: T) -> Self {
        Self::with(Arc::new(Shared::new(init, 0)))
    }

    /// Replaces the value and tells the receivers.
    ///
    /// Waits, blocking the thread, while somebody holds a [`Ref`].
    ///
    /// # Errors
    /// Returns the value, and keeps the old one, if there is no receiver. The other methods that
    /// change the value do not fail in this way.
    ///
    /// # Examples
    /// ```
    /// let (sender, receiver) = zokio_sync::watch::channel(1);
    /// sender.send(2).unwrap();
    /// drop(receiver);
    /// assert_eq!(sender.send(3).unwrap_err().0, 3);
    /// ```
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        if self.shared.receiver_count() == 0 {
            return Err(SendError(value));
        }
        self.send_replace(value);
        Ok(())
    }

    /// Lets `modify` change the value in place and tells the receivers.
    ///
    /// # Panics
    /// If `modify` does; the receivers are not told then, and the channel goes on working.
    ///
    /// # Examples
    /// ```
    /// let (sender, receiver) = zokio_sync::watch::channel(1);
    /// sender.send_modify(|value| *value += 1);
    /// assert_eq!(*receiver.borrow(), 2);
    /// ```
    pub fn send_modify<F>(&self, modify: F)
    where
        F: FnOnce(&mut T),
    {
        self.send_if_modified(|value| {
            modify(value);
            true
        });
    }

    /// Lets `modify` change the value in place, and tells the receivers if it returns true. Returns
    /// what it returned.
    ///
    /// # Panics
    /// As for [`send_modify`](Self::send_modify).
    ///
    /// # Examples
    /// ```
    /// let (sender, receiver) = zokio_sync::watch::channel(1);
    /// let changed = sender.send_if_modified(|value| *value != std::mem::replace(value, 1));
    /// assert!(!changed);
    /// assert!(!receiver.has_changed().unwrap());
    /// ```
    pub fn send_if_modified<F>(&self, modify: F) -> bool
    where
        F: FnOnce(&mut T) -> bool,
    {
        self.shared.modify(modify)
    }

    /// Replaces the value, tells the receivers, and returns the old one. Works without receivers
    /// too.
    ///
    /// # Examples
    /// ```
    /// let sender = zokio_sync::watch::Sender::new(1);
    /// assert_eq!(sender.send_replace(2), 1);
    /// assert_eq!(*sender.borrow(), 2);
    /// ```
    pub fn send_replace(&self, mut value: T) -> T {
        self.shared.modify(|old| {
            std::mem::swap(old, &mut value);
            true
        });
        value
    }

    /// Reads the value. See [`Receiver::borrow`] for what holding it means.
    ///
    /// # Examples
    /// ```
    /// let sender = zokio_sync::watch::Sender::new(1);
    /// assert_eq!(*sender.borrow(), 1);
    /// ```
    pub fn borrow(&self) -> Ref<'_, T> {
        // A value that a sender reads counts as seen.
        Ref::new(self.shared.read().0, false)
    }

    /// Whether there is no receiver now.
    ///
    /// # Examples
    /// ```
    /// let (sender, receiver) = zokio_sync::watch::channel(1);
    /// assert!(!sender.is_closed());
    /// drop(receiver);
    /// assert!(sender.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.receiver_count() == 0
    }

    /// Waits until there is no receiver. When this returns there may be one again already.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// let (sender, receiver) = zokio_sync::watch::channel(1);
    /// drop(receiver);
    /// sender.closed().await;
    /// # });
    /// ```
    pub async fn closed(&self) {
        cooperative(async {
            while self.receiver_count() > 0 {
                let notified = self.shared.unwatched().notified();
                if self.receiver_count() == 0 {
                    return;
                }
                notified.await;
            }
        })
        .await;
    }

    /// Makes a receiver. The present value counts as seen by it.
    ///
    /// # Examples
    /// ```
    /// let (sender, _) = zokio_sync::watch::channel(1);
    /// let receiver = sender.subscribe();
    /// assert!(!receiver.has_changed().unwrap());
    /// ```
    pub fn subscribe(&self) -> Receiver<T> {
        self.shared.add_receiver();
        Receiver {
            version: self.shared.look().version,
            shared: self.shared.clone(),
            _not_unwind_safe: PhantomData,
        }
    }

    /// How many receivers there are.
    ///
    /// # Examples
    /// ```
    /// let (sender, receiver) = zokio_sync::watch::channel(1);
    /// let _other = receiver.clone();
    /// assert_eq!(sender.receiver_count(), 2);
    /// ```
    pub fn receiver_count(&self) -> usize {
        self.shared.receiver_count()
    }

    /// How many senders there are.
    ///
    /// # Examples
    /// ```
    /// let (sender, _receiver) = zokio_sync::watch::channel(1);
    /// let _other = sender.clone();
    /// assert_eq!(sender.sender_count(), 2);
    /// ```
    pub fn sender_count(&self) -> usize {
        self.shared.sender_count()
    }

    /// Whether both are of the same channel.
    ///
    /// # Examples
    /// ```
    /// let sender = zokio_sync::watch::Sender::new(1);
    /// assert!(sender.same_channel(&sender.clone()));
    /// ```
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

/// Watches the value.
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    /// The version seen last.
    version: Version,
    _not_unwind_safe: NotUnwindSafe,
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.shared.add_receiver();
        Self {
            shared: self.shared.clone(),
            version: self.version,
            _not_unwind_safe: PhantomData,
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("shared", &self.shared)
            .field("version", &self.version)
            .finish()
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.shared.remove_receiver();
    }
}

impl<T> Receiver<T> {
    /// Reads the value, and does not mark it as seen.
    ///
    /// The [`Ref`] is a read lock: senders wait for it, blocking their threads. Hold it for a short
    /// time only, never across an `.await`, and do not send to the same channel while you hold it: that
    /// would wait for itself. A second borrow by the same thread, of this channel or of another, does
    /// not wait behind a sender that waits for the first.
    ///
    /// # Examples
    /// ```
    /// let (_sender, receiver) = zokio_sync::watch::channel("hello");
    /// assert_eq!(*receiver.borrow(), "hello");
    /// ```
    pub fn borrow(&self) -> Ref<'_, T> {
        let (value, version) = self.shared.read();
        Ref::new(value, version != self.version)
    }

    /// Reads the value and marks it as seen. See [`borrow`](Self::borrow) for what holding it
    /// means.
    ///
    /// # Examples
    /// ```
    /// let (sender, mut receiver) = zokio_sync::watch::channel(1);
    /// sender.send(2).unwrap();
    /// assert_eq!(*receiver.borrow_and_update(), 2);
    /// assert!(!receiver.has_changed().unwrap());
    /// ```
    pub fn borrow_and_update(&mut self) -> Ref<'_, T> {
        let (value, version) = self.shared.read();
        let before = std::mem::replace(&mut self.version, version);
        Ref::new(value, version != before)
    }

    /// Whether there is a value that was not seen yet.
    ///
    /// # Errors
    /// If all senders are dropped, whether the last value was seen or not.
    ///
    /// # Examples
    /// ```
    /// let (sender, receiver) = zokio_sync::watch::channel(1);
    /// assert!(!receiver.has_changed().unwrap());
    /// sender.send(2).unwrap();
    /// assert!(receiver.has_changed().unwrap());
    /// drop(sender);
    /// assert!(receiver.has_changed().is_err());
    /// ```
    pub fn has_changed(&self) -> Result<bool, RecvError> {
        let seen = self.shared.look();
        if seen.closed {
            return Err(RecvError(()));
        }
        Ok(seen.version != self.version)
    }

    /// Marks the present value as not seen.
    ///
    /// # Examples
    /// ```
    /// let (_sender, mut receiver) = zokio_sync::watch::channel(1);
    /// receiver.mark_changed();
    /// assert!(receiver.has_changed().unwrap());
    /// ```
    pub fn mark_changed(&mut self) {
        self.version = self.shared.look().version.before();
    }

    /// Marks the present value as seen.
    ///
    /// # Examples
    /// ```
    /// let (sender, mut receiver) = zokio_sync::watch::channel(1);
    /// sender.send(2).unwrap();
    /// receiver.mark_unchanged();
    /// assert!(!receiver.has_changed().unwrap());
    /// ```
    pub fn mark_unchanged(&mut self) {
        self.version = self.shared.look().version;
    }

    /// Waits for a value that was not seen yet, and marks it as seen.
    ///
    /// # Errors
    /// If all senders are dropped and the last value was seen.
    ///
    /// # Cancel safety
    /// If the future is dropped before it is ready no value was marked as seen.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// let (sender, mut receiver) = zokio_sync::watch::channel(1);
    /// sender.send(2).unwrap();
    /// drop(sender);
    /// assert!(receiver.changed().await.is_ok());
    /// assert!(receiver.changed().await.is_err());
    /// # });
    /// ```
    pub async fn changed(&mut self) -> Result<(), RecvError> {
        cooperative(changed(&self.shared, &mut self.version)).await
    }

    /// Waits for a value that `condition` is true for, and marks it as seen. The present value is
    /// looked at first, seen or not.
    ///
    /// # Errors
    /// If all senders are dropped and `condition` is false for the last value.
    ///
    /// # Panics
    /// If `condition` does; the channel goes on working.
    ///
    /// # Cancel safety
    /// If the future is dropped before it is ready, the last value that `condition` was false for
    /// is marked as seen.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// let (sender, mut receiver) = zokio_sync::watch::channel(1);
    /// sender.send(5).unwrap();
    /// assert_eq!(*receiver.wait_for(|value| *value > 3).await.unwrap(), 5);
    /// # });
    /// ```
    pub async fn wait_for(
        &mut self,
        condition: impl FnMut(&T) -> bool,
    ) -> Result<Ref<'_, T>, RecvError> {
        cooperative(wait_for(&self.shared, &mut self.version, condition)).await
    }

    /// Whether all senders are dropped.
    ///
    /// # Examples
    /// ```
    /// let (sender, receiver) = zokio_sync::watch::channel(1);
    /// assert!(!receiver.is_closed());
    /// drop(sender);
    /// assert!(receiver.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.shared.look().closed
    }

    /// Whether both are of the same channel.
    ///
    /// # Examples
    /// ```
    /// let (_sender, receiver) = zokio_sync::watch::channel(1);
    /// assert!(receiver.same_channel(&receiver.clone()));
    /// ```
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

/// Waits until the version differs from `version`, and sets it to the new one.
async fn changed<T>(shared: &Shared<T>, version: &mut Version) -> Result<(), RecvError> {
    loop {
        // The common case needs no place to wait at.
        if let Some(result) = newer(shared, version) {
            return result;
        }
        let notified = shared.place().notified();
        if let Some(result) = newer(shared, version) {
            return result;
        }
        notified.await;
    }
}

fn newer<T>(shared: &Shared<T>, version: &mut Version) -> Option<Result<(), RecvError>> {
    let seen = shared.look();
    if seen.version != *version {
        *version = seen.version;
        return Some(Ok(()));
    }
    seen.closed.then_some(Err(RecvError(())))
}

async fn wait_for<'a, T>(
    shared: &'a Shared<T>,
    version: &mut Version,
    mut condition: impl FnMut(&T) -> bool,
) -> Result<Ref<'a, T>, RecvError> {
    let mut closed = false;
    let mut waited = false;
    loop {
        {
            let (value, now) = shared.read();
            let before = std::mem::replace(version, now);
            if condition(&value) {
                return Ok(Ref::new(value, waited || before != now));
            }
        }
        if closed {
            return Err(RecvError(()));
        }
        // After the end the value is looked at once more: it may have changed in between.
        waited = changed(shared, version).await.is_ok();
        closed = !waited;
    }
}

/// A look at the value, and a read lock on it. See [`Receiver::borrow`].
pub struct Ref<'a, T> {
    value: ReadGuard<'a, T>,
    has_changed: bool,
    _not_unwind_safe: NotUnwindSafe,
}

impl<'a, T> Ref<'a, T> {
    fn new(value: ReadGuard<'a, T>, has_changed: bool) -> Self {
        Self {
            value,
            has_changed,
            _not_unwind_safe: PhantomData,
        }
    }

    /// Whether the value was not marked as seen when it was borrowed. False for a sender's.
    ///
    /// # Examples
    /// ```
    /// let (sender, mut receiver) = zokio_sync::watch::channel(1);
    /// sender.send(2).unwrap();
    /// assert!(receiver.borrow_and_update().has_changed());
    /// assert!(!receiver.borrow_and_update().has_changed());
    /// ```
    pub fn has_changed(&self) -> bool {
        self.has_changed
    }
}

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Ref<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ref")
            .field("value", &*self.value)
            .field("has_changed", &self.has_changed)
            .finish()
    }
}
