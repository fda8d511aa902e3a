//! Room in a bounded channel that was reserved before the value is known.

use super::bounded::Sender;
use super::chan::{Bounded, Chan};
use std::fmt;
use std::iter::FusedIterator;

/// Room for one value. Made by [`Sender::reserve`]; given back when dropped.
pub struct Permit<'a, T> {
    chan: &'a Chan<T, Bounded>,
}

impl<'a, T> Permit<'a, T> {
    pub(super) fn new(chan: &'a Chan<T, Bounded>) -> Self {
        Self { chan }
    }

    /// Sends `value` into the reserved room.
    ///
    /// This does not fail: if the receiver was dropped meanwhile, the value is dropped as well. A
    /// receiver that was closed still gets it.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// let (sender, mut receiver) = zokio_sync::mpsc::channel(1);
    /// let permit = sender.reserve().await.unwrap();
    /// assert!(sender.try_send(1).is_err());
    /// permit.send(2);
    /// assert_eq!(receiver.recv().await, Some(2));
    /// # });
    /// ```
    pub fn send(self, value: T) {
        // Forgotten first: the push uses the permit.
        let chan = self.chan;
        std::mem::forget(self);
        chan.push(value);
    }
}

impl<T> Drop for Permit<'_, T> {
    fn drop(&mut self) {
        self.chan.return_permits(1);
    }
}

impl<T> fmt::Debug for Permit<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("chan", self.chan).finish()
    }
}

/// Room for several values, as an iterator of [`Permit`]s. Made by [`Sender::reserve_many`]; what
/// is left of it is given back when dropped.
pub struct PermitIterator<'a, T> {
    chan: &'a Chan<T, Bounded>,
    left: usize,
}

impl<'a, T> PermitIterator<'a, T> {
    pub(super) fn new(chan: &'a Chan<T, Bounded>, left: usize) -> Self {
        Self { chan, left }
    }
}

impl<'a, T> Iterator for PermitIterator<'a, T> {
    type Item = Permit<'a, T>;

    fn next(&mut self) -> Option<Permit<'a, T>> {
        self.left = self.left.checked_sub(1)?;
        Some(Permit::new(self.chan))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T> ExactSizeIterator for PermitIterator<'_, T> {}
impl<T> FusedIterator for PermitIterator<'_, T> {}

impl<T> Drop for PermitIterator<'_, T> {
    fn drop(&mut self) {
        if self.left > 0 {
            self.chan.return_permits(self.left);
        }
    }
}

impl<T> fmt::Debug for PermitIterator<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PermitIterator")
            .field("chan", self.chan)
            .field("capacity", &self.left)
            .finish()
    }
}

/// Room for one value, together with the sender. Made by [`Sender::reserve_owned`]; given back when
/// dropped.
pub struct OwnedPermit<T> {
    /// None only while a method that takes the permit apart returns.
    sender: Option<Sender<T>>,
}

impl<T> OwnedPermit<T> {
    pub(super) fn new(sender: Sender<T>) -> Self {
        Self {
            sender: Some(sender),
        }
    }

    fn into_sender(mut self) -> Sender<T> {
        match self.sender.take() {
            Some(sender) => sender,
            None => unreachable!("the permit was taken apart already"),
        }
    }

    fn sender(&self) -> &Sender<T> {
        match &self.sender {
            Some(sender) => sender,
            None => unreachable!("the permit was taken apart already"),
        }
    }

    /// Sends `value` into the reserved room and returns the sender.
    ///
    /// This does not fail: if the receiver was dropped meanwhile, the value is dropped as well.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// let (sender, mut receiver) = zokio_sync::mpsc::channel(1);
    /// let permit = sender.reserve_owned().await.unwrap();
    /// let sender = permit.send(1);
    /// assert_eq!(receiver.recv().await, Some(1));
    /// # drop(sender);
    /// # });
    /// ```
    pub fn send(self, value: T) -> Sender<T> {
        let sender = self.into_sender();
        sender.chan().push(value);
        sender
    }

    /// Gives the room back and returns the sender.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// let (sender, _receiver) = zokio_sync::mpsc::channel::<()>(1);
    /// let permit = sender.reserve_owned().await.unwrap();
    /// assert_eq!(permit.release().capacity(), 1);
    /// # });
    /// ```
    pub fn release(self) -> Sender<T> {
        let sender = self.into_sender();
        sender.chan().return_permits(1);
        sender
    }

    /// Whether both permits are of the same channel.
    ///
    /// # Examples
    /// ```
    /// let (sender, _receiver) = zokio_sync::mpsc::channel::<()>(2);
    /// let first = sender.clone().try_reserve_owned().unwrap();
    /// let second = sender.try_reserve_owned().unwrap();
    /// assert!(first.same_channel(&second));
    /// ```
    pub fn same_channel(&self, other: &Self) -> bool {
        self.sender().same_channel(other.sender())
    }

    /// Whether the permit is of the sender's channel.
    ///
    /// # Examples
    /// ```
    /// let (sender, _receiver) = zokio_sync::mpsc::channel::<()>(2);
    /// let permit = sender.clone().try_reserve_owned().unwrap();
    /// assert!(permit.same_channel_as_sender(&sender));
    /// ```
    pub fn same_channel_as_sender(&self, sender: &Sender<T>) -> bool {
        self.sender().same_channel(sender)
    }
}

impl<T> Drop for OwnedPermit<T> {
    fn drop(&mut self) {
        if let Some(sender) = self.sender.take() {
            sender.chan().return_permits(1);
        }
    }
}

impl<T> fmt::Debug for OwnedPermit<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedPermit")
            .field("sender", &self.sender)
            .finish()
    }
}
