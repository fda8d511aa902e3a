//! A value that is set once and waited for.
//!
//! Invariants:
//!
//! 1. The value is initialised exactly while `is_set` is true.
//! 2. It is initialised under the lock, so that a second `set` finds it.
#![allow(unsafe_code)]

#[cfg(all(test, zokio_loom))]
mod model;
#[cfg(all(test, not(zokio_model)))]
mod tests;

use crate::Notify;
use std::cell::UnsafeCell;
use std::error::Error;
use std::fmt;
use std::mem::MaybeUninit;
use zokio_base::sync::Mutex;
use zokio_base::sync::atomic::{AtomicBool, Ordering};

/// A cell that is filled once, and for which tasks can wait.
///
/// # Examples
/// ```
/// use zokio_sync::SetOnce;
///
/// static ADDRESS: SetOnce<&str> = SetOnce::const_new();
///
/// std::thread::spawn(|| ADDRESS.set("127.0.0.1:80"));
/// assert_eq!(*zokio_task::block_on::block_on(ADDRESS.wait()), "127.0.0.1:80");
/// ```
pub struct SetOnce<T> {
    is_set: AtomicBool,
    value: UnsafeCell<MaybeUninit<T>>,
    setting: Mutex<()>,
    was_set: Notify,
}

// SAFETY: several threads may share the value, and the one that drops the cell may be another
// than the one that filled it.
unsafe impl<T: Send + Sync> Sync for SetOnce<T> {}
// SAFETY: the cell owns the value.
unsafe impl<T: Send> Send for SetOnce<T> {}

impl<T> SetOnce<T> {
    /// Makes an empty cell.
    ///
    /// # Examples
    /// ```
    /// let cell = zokio_sync::SetOnce::<u32>::new();
    /// assert!(!cell.initialized());
    /// ```
    pub fn new() -> Self {
        Self {
            is_set: AtomicBool::new(false),
            value: UnsafeCell::new(MaybeUninit::uninit()),
            setting: Mutex::new(()),
            was_set: Notify::new(),
        }
    }

    /// As [`new`](Self::new), for statics.
    ///
    /// # Examples
    /// ```
    /// static CELL: zokio_sync::SetOnce<u32> = zokio_sync::SetOnce::const_new();
    /// assert!(CELL.get().is_none());
    /// ```
    #[cfg(not(zokio_loom))]
    pub const fn const_new() -> Self {
        Self {
            is_set: AtomicBool::new(false),
            value: UnsafeCell::new(MaybeUninit::uninit()),
            setting: Mutex::new(()),
            was_set: Notify::const_new(),
        }
    }

    /// Makes a cell that is filled if `value` is some.
    ///
    /// # Examples
    /// ```
    /// let cell = zokio_sync::SetOnce::new_with(Some(1));
    /// assert_eq!(cell.get(), Some(&1));
    /// ```
    pub fn new_with(value: Option<T>) -> Self {
        let is_set = value.is_some();
        Self {
            is_set: AtomicBool::new(is_set),
            value: UnsafeCell::new(value.map_or(MaybeUninit::uninit(), MaybeUninit::new)),
            setting: Mutex::new(()),
            was_set: Notify::new(),
        }
    }

    /// Makes a filled cell, for statics.
    ///
    /// # Examples
    /// ```
    /// static CELL: zokio_sync::SetOnce<u32> = zokio_sync::SetOnce::const_new_with(1);
    /// assert_eq!(CELL.get(), Some(&1));
    /// ```
    #[cfg(not(zokio_loom))]
    pub const fn const_new_with(value: T) -> Self {
        Self {
            is_set: AtomicBool::new(true),
            value: UnsafeCell::new(MaybeUninit::new(value)),
            setting: Mutex::new(()),
            was_set: Notify::const_new(),
        }
    }

    /// Whether the cell is filled.
    ///
    /// # Examples
    /// ```
    /// let cell = zokio_sync::SetOnce::from(1);
    /// assert!(cell.initialized());
    /// ```
    pub fn initialized(&self) -> bool {
        // Acquire pairs with the release in `set`, so that the value is seen.
        self.is_set.load(Ordering::Acquire)
    }

    /// The value, if the cell is filled.
    ///
    /// # Examples
    /// ```
    /// let cell = zokio_sync::SetOnce::from(1);
    /// assert_eq!(cell.get(), Some(&1));
    /// ```
    pub fn get(&self) -> Option<&T> {
        // SAFETY: invariant 1, and the value does not change any more while it is borrowed.
        self.initialized()
            .then(|| unsafe { (*self.value.get()).assume_init_ref() })
    }

    /// Fills the cell and wakes all who wait.
    ///
    /// # Errors
    /// Returns the value if the cell is filled already.
    ///
    /// # Examples
    /// ```
    /// let cell = zokio_sync::SetOnce::new();
    /// assert!(cell.set(1).is_ok());
    /// assert_eq!(cell.set(2).unwrap_err().0, 2);
    /// ```
    pub fn set(&self, value: T) -> Result<(), SetOnceError<T>> {
        if self.initialized() {
            return Err(SetOnceError(value));
        }
        let setting = self.setting.lock();
        if self.initialized() {
            return Err(SetOnceError(value));
        }
        // SAFETY: invariant 2, we hold the lock and the cell is empty.
        unsafe { (*self.value.get()).write(value) };
        // Release pairs with the acquire in `initialized`.
        self.is_set.store(true, Ordering::Release);
        drop(setting);
        self.was_set.notify_waiters();
        Ok(())
    }

    /// Waits until the cell is filled.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// let cell = zokio_sync::SetOnce::new();
    /// cell.set(1).unwrap();
    /// assert_eq!(*cell.wait().await, 1);
    /// # });
    /// ```
    pub async fn wait(&self) -> &T {
        loop {
            if let Some(value) = self.get() {
                return value;
            }
            let notified = self.was_set.notified();
            // It may have been set before the ticket was taken.
            if let Some(value) = self.get() {
                return value;
            }
            notified.await;
        }
    }

    /// Takes the value out of the cell.
    ///
    /// # Examples
    /// ```
    /// assert_eq!(zokio_sync::SetOnce::from(1).into_inner(), Some(1));
    /// ```
    pub fn into_inner(self) -> Option<T> {
        if !self.initialized() {
            return None;
        }
        // Relaxed: the cell is ours alone.
        self.is_set.store(false, Ordering::Relaxed);
        // SAFETY: invariant 1, it was set, and the flag was cleared: the value is read once.
        Some(unsafe { (*self.value.get()).assume_init_read() })
    }
}

impl<T> Drop for SetOnce<T> {
    fn drop(&mut self) {
        if self.initialized() {
            // SAFETY: invariant 1, and nobody else uses the cell.
            unsafe { self.value.get_mut().assume_init_drop() };
        }
    }
}

impl<T> Default for SetOnce<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> From<T> for SetOnce<T> {
    fn from(value: T) -> Self {
        Self::new_with(Some(value))
    }
}

impl<T: Clone> Clone for SetOnce<T> {
    fn clone(&self) -> Self {
        Self::new_with(self.get().cloned())
    }
}

impl<T: PartialEq> PartialEq for SetOnce<T> {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl<T: Eq> Eq for SetOnce<T> {}

impl<T: fmt::Debug> fmt::Debug for SetOnce<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetOnce")
            .field("value", &self.get())
            .finish()
    }
}

/// The cell was filled already. Holds the value that was not set.
#[derive(Debug, PartialEq, Eq)]
pub struct SetOnceError<T>(pub T);

impl<T> fmt::Display for SetOnceError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SetOnceError")
    }
}

impl<T: fmt::Debug> Error for SetOnceError<T> {}
