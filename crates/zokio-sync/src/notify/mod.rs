//! A signal between tasks that carries no data.
//!
//! The algorithm is in [`core`](self::core); this file is the API.
#![allow(unsafe_code)]

pub(crate) mod core;
#[cfg(all(test, zokio_loom))]
mod model;
#[cfg(all(test, not(zokio_model)))]
mod tests;

use self::core::{End, NotifyCore, Ticket};
use std::fmt;
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll};
use zokio_base::sync::Arc;

/// Tells one or many tasks that something happened.
///
/// A task waits with [`notified().await`](Self::notified). [`notify_one`](Self::notify_one) wakes
/// the task that has waited longest; if nobody waits, it leaves one permit behind, which the next
/// `notified().await` takes at once. The permit does not count: any number of calls leave one.
/// [`notify_waiters`](Self::notify_waiters) wakes all who wait, and leaves no permit.
///
/// `Notify` orders memory: what a task did before it notified is seen by the task it wakes.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use zokio_sync::Notify;
///
/// let ready = Arc::new(Notify::new());
/// let other = ready.clone();
/// let thread = std::thread::spawn(move || other.notify_one());
/// zokio_task::block_on::block_on(ready.notified());
/// thread.join().unwrap();
/// ```
pub struct Notify {
    core: NotifyCore,
}

impl UnwindSafe for Notify {}
impl RefUnwindSafe for Notify {}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.fmt(f)
    }
}

impl Default for Notify {
    fn default() -> Self {
        Self::new()
    }
}

impl Notify {
    /// Makes a `Notify` without a permit.
    ///
    /// # Examples
    /// ```
    /// let notify = zokio_sync::Notify::new();
    /// ```
    pub fn new() -> Notify {
        Self {
            core: NotifyCore::new(true),
        }
    }

    /// As [`new`](Self::new), for statics.
    ///
    /// # Examples
    /// ```
    /// static READY: zokio_sync::Notify = zokio_sync::Notify::const_new();
    /// READY.notify_one();
    /// ```
    #[cfg(not(zokio_loom))]
    pub const fn const_new() -> Notify {
        Self {
            core: NotifyCore::new(true),
        }
    }

    /// Waits for a notification.
    ///
    /// The future is notified by every [`notify_waiters`](Self::notify_waiters) that is called
    /// after this one returned, polled or not. It takes its place in the queue for
    /// [`notify_one`](Self::notify_one) when it is first polled, or when
    /// [`enable`](Notified::enable)d.
    ///
    /// # Cancel safety
    /// Dropping the future loses its place in the queue. If `notify_one` or `notify_last` had
    /// chosen it already, the notification goes to another task.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// let notify = zokio_sync::Notify::new();
    /// let waiting = notify.notified();
    /// notify.notify_waiters();
    /// waiting.await;
    /// # });
    /// ```
    pub fn notified(&self) -> Notified<'_> {
        Notified {
            notify: self,
            ticket: Ticket::new(&self.core),
            _not_unwind_safe: PhantomData,
        }
    }

    /// As [`notified`](Self::notified), with a future that keeps the `Notify` alive itself.
    ///
    /// # Cancel safety
    /// As for [`notified`](Self::notified).
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use zokio_sync::Notify;
    ///
    /// let notify = Arc::new(Notify::new());
    /// let waiting = notify.clone().notified_owned();
    /// notify.notify_one();
    /// zokio_task::block_on::block_on(waiting);
    /// ```
    pub fn notified_owned(self: Arc<Self>) -> OwnedNotified {
        OwnedNotified {
            ticket: Ticket::new(&self.core),
            notify: self,
            _not_unwind_safe: PhantomData,
        }
    }

    /// Wakes the task that has waited longest, or leaves a permit for the next to come.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// let notify = zokio_sync::Notify::new();
    /// notify.notify_one();
    /// notify.notify_one();
    /// notify.notified().await; // takes the one permit
    /// # });
    /// ```
    #[inline]
    pub fn notify_one(&self) {
        self.core.notify_one(End::First);
    }

    /// Wakes the task that came last, or leaves a permit for the next to come.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// let notify = zokio_sync::Notify::new();
    /// notify.notify_last();
    /// notify.notified().await;
    /// # });
    /// ```
    #[inline]
    pub fn notify_last(&self) {
        self.core.notify_one(End::Last);
    }

    /// Wakes all who wait now, and all futures of [`notified`](Self::notified) that exist but were
    /// not polled yet. Leaves no permit.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// let notify = zokio_sync::Notify::new();
    /// let (first, second) = (notify.notified(), notify.notified());
    /// notify.notify_waiters();
    /// first.await;
    /// second.await;
    /// # });
    /// ```
    pub fn notify_waiters(&self) {
        self.core.notify_all();
    }
}

/// Waits for a notification. Made by [`Notify::notified`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Notified<'a> {
    notify: &'a Notify,
    ticket: Ticket,
    _not_unwind_safe: crate::marker::NotUnwindSafe,
}

impl fmt::Debug for Notified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notified")
            .field("notify", self.notify)
            .field("ticket", &self.ticket)
            .finish()
    }
}

impl Notified<'_> {
    /// Joins those who wait without waiting. Returns true if the future is notified already;
    /// awaiting it then returns at once.
    ///
    /// Needed where a condition is checked between making the future and awaiting it and others
    /// use [`notify_one`](Notify::notify_one): from this call on the future is in the queue.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// let notify = zokio_sync::Notify::new();
    /// let mut waiting = std::pin::pin!(notify.notified());
    /// assert!(!waiting.as_mut().enable());
    /// notify.notify_one();
    /// waiting.await;
    /// # });
    /// ```
    pub fn enable(self: Pin<&mut Self>) -> bool {
        self.poll_ticket(None).is_ready()
    }

    fn poll_ticket(self: Pin<&mut Self>, cx: Option<&mut Context<'_>>) -> Poll<()> {
        // SAFETY: nothing is moved out; the ticket is pinned with us, used with one core, and left
        // in our drop.
        unsafe {
            let this = self.get_unchecked_mut();
            this.ticket.poll(&this.notify.core, cx)
        }
    }
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_ticket(Some(cx))
    }
}

impl Drop for Notified<'_> {
    fn drop(&mut self) {
        // SAFETY: the ticket was used with this core only.
        unsafe { self.ticket.leave(&self.notify.core) };
    }
}

/// Waits for a notification and keeps the [`Notify`] alive. Made by [`Notify::notified_owned`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct OwnedNotified {
    notify: Arc<Notify>,
    ticket: Ticket,
    _not_unwind_safe: crate::marker::NotUnwindSafe,
}

impl fmt::Debug for OwnedNotified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedNotified")
            .field("notify", &self.notify)
            .field("ticket", &self.ticket)
            .finish()
    }
}

impl OwnedNotified {
    /// As [`Notified::enable`].
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use zokio_sync::Notify;
    ///
    /// let notify = Arc::new(Notify::new());
    /// notify.notify_one();
    /// let mut waiting = std::pin::pin!(notify.notified_owned());
    /// assert!(waiting.as_mut().enable());
    /// ```
    pub fn enable(self: Pin<&mut Self>) -> bool {
        self.poll_ticket(None).is_ready()
    }

    fn poll_ticket(self: Pin<&mut Self>, cx: Option<&mut Context<'_>>) -> Poll<()> {
        // SAFETY: nothing is moved out; the ticket is pinned with us, used with one core, and left
        // in our drop.
        unsafe {
            let this = self.get_unchecked_mut();
            this.ticket.poll(&this.notify.core, cx)
        }
    }
}

impl Future for OwnedNotified {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_ticket(Some(cx))
    }
}

impl Drop for OwnedNotified {
    fn drop(&mut self) {
        // SAFETY: the ticket was used with this core only.
        unsafe { self.ticket.leave(&self.notify.core) };
    }
}
