//! Waiting for a condition that a [`Mutex`](crate::Mutex) guards.
//!
//! The waiters are those of `notify::core`, with one difference from `Notify`: a notification that
//! finds nobody is not kept. A waiter joins them while it still holds the lock, so a notification
//! by a later holder finds it.
//!
//! Invariant: a notification of one that chose a waiter either makes its `wait` return with the
//! lock, or is handed on.
#![allow(unsafe_code)]

#[cfg(all(test, zokio_loom))]
mod model;
#[cfg(all(test, not(zokio_model)))]
mod tests;

use crate::mutex::MutexGuard;
use crate::notify::core::{End, NotifyCore, Ticket};
use std::fmt;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

/// Lets tasks wait until a condition holds, with the lock released meanwhile.
///
/// Use one with one [`Mutex`](crate::Mutex), and change what the condition depends on under that
/// lock. A woken task checks its condition again ([`wait_while`](Self::wait_while) does): another
/// one may have been faster to the lock.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use zokio_sync::{Condvar, Mutex};
///
/// let shared = Arc::new((Mutex::new(false), Condvar::new()));
/// let other = shared.clone();
/// std::thread::spawn(move || {
///     *other.0.blocking_lock() = true;
///     other.1.notify_one();
/// });
/// zokio_task::block_on::block_on(async {
///     let guard = shared.0.lock().await;
///     let guard = shared.1.wait_while(guard, |ready| !*ready).await;
///     assert!(*guard);
/// });
/// ```
pub struct Condvar {
    core: NotifyCore,
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").finish_non_exhaustive()
    }
}

impl Default for Condvar {
    fn default() -> Self {
        Self::new()
    }
}

impl Condvar {
    /// Makes a condition variable that nobody waits for.
    ///
    /// # Examples
    /// ```
    /// let condvar = zokio_sync::Condvar::new();
    /// # drop(condvar);
    /// ```
    pub fn new() -> Self {
        Self {
            core: NotifyCore::new(false),
        }
    }

    /// As [`new`](Self::new), for statics.
    ///
    /// # Examples
    /// ```
    /// static CHANGED: zokio_sync::Condvar = zokio_sync::Condvar::const_new();
    /// CHANGED.notify_all();
    /// ```
    #[cfg(not(zokio_loom))]
    pub const fn const_new() -> Self {
        Self {
            core: NotifyCore::new(false),
        }
    }

    /// Releases the lock, waits for a notification, and takes the lock again.
    ///
    /// The task waits from the moment the lock is released: a notification by the next holder of
    /// the lock is not missed. There are no spurious wake-ups, but another task may have taken the
    /// lock between the notification and the return.
    ///
    /// # Cancel safety
    /// Dropping the future gives the lock up and stops waiting. If the task had been chosen by
    /// [`notify_one`](Self::notify_one), another one is chosen.
    ///
    /// # Examples
    /// ```
    /// use zokio_sync::{Condvar, Mutex};
    ///
    /// async fn next_change(lock: &Mutex<u32>, changed: &Condvar) -> u32 {
    ///     let guard = lock.lock().await;
    ///     *changed.wait(guard).await
    /// }
    /// ```
    pub async fn wait<'a, T: ?Sized>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        let lock = MutexGuard::mutex(&guard);
        let mut waiting = pin!(Waiting {
            core: &self.core,
            ticket: Ticket::new(&self.core),
        });
        // Joins those who wait before the lock is released.
        let _ = waiting.as_mut().poll_ticket(None);
        drop(guard);
        waiting.as_mut().await;
        let chosen = Chosen {
            core: &self.core,
            end: waiting.ticket.chosen_from(),
        };
        let guard = lock.lock().await;
        std::mem::forget(chosen);
        guard
    }

    /// Waits as long as `condition` is true. It is checked under the lock, at once and after each
    /// notification.
    ///
    /// # Cancel safety
    /// As for [`wait`](Self::wait).
    ///
    /// # Panics
    /// If `condition` does. The lock is released then.
    ///
    /// # Examples
    /// ```
    /// use zokio_sync::{Condvar, Mutex};
    ///
    /// # zokio_task::block_on::block_on(async {
    /// let (lock, changed) = (Mutex::new(3), Condvar::new());
    /// let guard = lock.lock().await;
    /// assert_eq!(*changed.wait_while(guard, |value| *value < 3).await, 3);
    /// # });
    /// ```
    pub async fn wait_while<'a, T: ?Sized, F>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: F,
    ) -> MutexGuard<'a, T>
    where
        F: FnMut(&mut T) -> bool,
    {
        while condition(&mut guard) {
            guard = self.wait(guard).await;
        }
        guard
    }

    /// Wakes the task that has waited longest. If nobody waits this does nothing.
    ///
    /// The lock need not be held.
    ///
    /// # Examples
    /// ```
    /// zokio_sync::Condvar::new().notify_one();
    /// ```
    pub fn notify_one(&self) {
        self.core.notify_one(End::First);
    }

    /// Wakes all tasks that wait.
    ///
    /// The lock need not be held.
    ///
    /// # Examples
    /// ```
    /// zokio_sync::Condvar::new().notify_all();
    /// ```
    pub fn notify_all(&self) {
        self.core.notify_all();
    }
}

/// Waits for a notification.
struct Waiting<'a> {
    core: &'a NotifyCore,
    ticket: Ticket,
}

impl Waiting<'_> {
    fn poll_ticket(self: Pin<&mut Self>, cx: Option<&mut Context<'_>>) -> Poll<()> {
        // SAFETY: nothing is moved out; the ticket is pinned with us, used with one core, and left
        // in our drop.
        unsafe {
            let this = self.get_unchecked_mut();
            this.ticket.poll(this.core, cx)
        }
    }
}

impl Future for Waiting<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_ticket(Some(cx))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        // SAFETY: the ticket was used with this core only.
        unsafe { self.ticket.leave(self.core) };
    }
}

/// A notification of one that has not reached its goal yet: dropped, it goes to another.
struct Chosen<'a> {
    core: &'a NotifyCore,
    end: Option<End>,
}

impl Drop for Chosen<'_> {
    fn drop(&mut self) {
        if let Some(end) = self.end {
            self.core.notify_one(end);
        }
    }
}
