//! A value that is made once, by an async function.
//!
//! The caller that makes the value holds the one permit of a semaphore; the others wait for it. When the
//! value is there the semaphore is closed, which lets them all go at once.
//!
//! Invariants:
//!
//! 1. The value is initialised exactly while `is_set` is true.
//! 2. Only the holder of the permit initialises it; it then closes the semaphore and never gives
//!    the permit back.
#![allow(unsafe_code)]

#[cfg(all(test, zokio_loom))]
mod model;
#[cfg(all(test, not(zokio_model)))]
mod tests;

use crate::semaphore::core::{Semaphore, TryError};
use std::cell::UnsafeCell;
use std::error::Error;
use std::fmt;
use std::mem::MaybeUninit;
use zokio_base::sync::atomic::{AtomicBool, Ordering};

/// A cell that is filled once, when it is first needed.
///
/// # Examples
/// ```
/// use zokio_sync::OnceCell;
///
/// static ANSWER: OnceCell<u32> = OnceCell::const_new();
///
/// # zokio_task::block_on::block_on(async {
/// let answer = ANSWER.get_or_init(|| async { 42 }).await;
/// assert_eq!(*answer, 42);
/// # });
/// ```
pub struct OnceCell<T> {
    is_set: AtomicBool,
    value: UnsafeCell<MaybeUninit<T>>,
    semaphore: Semaphore,
}

// SAFETY: several threads may share the value, and the one that drops the cell may be another
// than the one that filled it.
unsafe impl<T: Send + Sync> Sync for OnceCell<T> {}
// SAFETY: the cell owns the value.
unsafe impl<T: Send> Send for OnceCell<T> {}

/// Gives the permit back when it is dropped: making the value failed, or was cancelled.
struct Permit<'a>(&'a Semaphore);

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.release(1);
    }
}

impl<T> OnceCell<T> {
    /// Makes an empty cell.
    ///
    /// # Examples
    /// ```
    /// let cell = zokio_sync::OnceCell::<u32>::new();
    /// assert!(cell.get().is_none());
    /// ```
    pub fn new() -> Self {
        Self {
            is_set: AtomicBool::new(false),
            value: UnsafeCell::new(MaybeUninit::uninit()),
            semaphore: Semaphore::new(1),
        }
    }

    /// As [`new`](Self::new), for statics.
    ///
    /// # Examples
    /// ```
    /// static CELL: zokio_sync::OnceCell<u32> = zokio_sync::OnceCell::const_new();
    /// assert!(CELL.get().is_none());
    /// ```
    #[cfg(not(zokio_loom))]
    pub const fn const_new() -> Self {
        Self {
            is_set: AtomicBool::new(false),
            value: UnsafeCell::new(MaybeUninit::uninit()),
            semaphore: Semaphore::new(1),
        }
    }

    /// Makes a cell that is filled if `value` is some.
    ///
    /// # Examples
    /// ```
    /// let cell = zokio_sync::OnceCell::new_with(Some(1));
    /// assert_eq!(cell.get(), Some(&1));
    /// ```
    pub fn new_with(value: Option<T>) -> Self {
        match value {
            None => Self::new(),
            Some(value) => Self {
                is_set: AtomicBool::new(true),
                value: UnsafeCell::new(MaybeUninit::new(value)),
                semaphore: Semaphore::new_closed(),
            },
        }
    }

    /// Makes a filled cell, for statics.
    ///
    /// # Examples
    /// ```
    /// static CELL: zokio_sync::OnceCell<u32> = zokio_sync::OnceCell::const_new_with(1);
    /// assert_eq!(CELL.get(), Some(&1));
    /// ```
    #[cfg(not(zokio_loom))]
    pub const fn const_new_with(value: T) -> Self {
        Self {
            is_set: AtomicBool::new(true),
            value: UnsafeCell::new(MaybeUninit::new(value)),
            semaphore: Semaphore::new_closed(),
        }
    }

    /// Whether the cell is filled.
    ///
    /// # Examples
    /// ```
    /// let cell = zokio_sync::OnceCell::new();
    /// assert!(!cell.initialized());
    /// cell.set(1).unwrap();
    /// assert!(cell.initialized());
    /// ```
    pub fn initialized(&self) -> bool {
        // Acquire pairs with the release in `fill`, so that the value is seen.
        self.is_set.load(Ordering::Acquire)
    }

    /// The value, if the cell is filled.
    ///
    /// # Examples
    /// ```
    /// let cell = zokio_sync::OnceCell::from(1);
    /// assert_eq!(cell.get(), Some(&1));
    /// ```
    pub fn get(&self) -> Option<&T> {
        // SAFETY: invariant 1, and the value does not change any more while it is borrowed.
        self.initialized()
            .then(|| unsafe { (*self.value.get()).assume_init_ref() })
    }

    /// The value, if the cell is filled.
    ///
    /// # Examples
    /// ```
    /// let mut cell = zokio_sync::OnceCell::from(1);
    /// *cell.get_mut().unwrap() = 2;
    /// ```
    pub fn get_mut(&mut self) -> Option<&mut T> {
        // SAFETY: invariant 1.
        self.initialized()
            .then(|| unsafe { self.value.get_mut().assume_init_mut() })
    }

    /// Fills the cell.
    fn fill(&self, value: T, permit: Permit<'_>) -> &T {
        // SAFETY: invariant 2, we hold the permit and the cell is empty.
        let value: &T = unsafe { (*self.value.get()).write(value) };
        // Release pairs with the acquire in `initialized`.
        self.is_set.store(true, Ordering::Release);
        std::mem::forget(permit);
        self.semaphore.close();
        value
    }

    /// Fills the cell.
    ///
    /// # Errors
    /// Returns the value if the cell is filled, or is just being filled.
    ///
    /// # Examples
    /// ```
    /// let cell = zokio_sync::OnceCell::new();
    /// assert!(cell.set(1).is_ok());
    /// assert!(cell.set(2).unwrap_err().is_already_init_err());
    /// ```
    pub fn set(&self, value: T) -> Result<(), SetError<T>> {
        match self.semaphore.try_acquire(1) {
            Ok(()) => {
                self.fill(value, Permit(&self.semaphore));
                Ok(())
            }
            // The last step of filling is the close: it may just be under way.
            Err(TryError::NoPermits) if !self.initialized() => {
                Err(SetError::InitializingError(value))
            }
            Err(_) => Err(SetError::AlreadyInitializedError(value)),
        }
    }

    /// The value, which `f` makes if the cell is empty.
    ///
    /// If several tasks call this, one of them runs its `f` and the others wait. If it panics or is
    /// cancelled, the next one tries. `f` must not need the cell itself: it would wait for ever.
    ///
    /// # Cancel safety
    /// Dropping the future drops the future of `f` if that was running; the cell stays empty then.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// let cell = zokio_sync::OnceCell::new();
    /// assert_eq!(*cell.get_or_init(|| async { 1 }).await, 1);
    /// assert_eq!(*cell.get_or_init(|| async { 2 }).await, 1);
    /// # });
    /// ```
    pub async fn get_or_init<F, Fut>(&self, f: F) -> &T
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = T>,
    {
        if let Some(value) = self.get() {
            return value;
        }
        match self.semaphore.acquire(1).await {
            Ok(()) => {
                let permit = Permit(&self.semaphore);
                let value = f().await;
                self.fill(value, permit)
            }
            Err(_) => self.filled(),
        }
    }

    /// As [`get_or_init`](Self::get_or_init), where making the value may fail.
    ///
    /// # Errors
    /// Returns the error of `f`. The cell stays empty then, and the next one tries.
    ///
    /// # Cancel safety
    /// As for [`get_or_init`](Self::get_or_init).
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// let cell = zokio_sync::OnceCell::new();
    /// assert_eq!(cell.get_or_try_init(|| async { Err(5) }).await, Err::<&u32, _>(5));
    /// assert_eq!(cell.get_or_try_init(|| async { Ok::<_, ()>(1) }).await, Ok(&1));
    /// # });
    /// ```
    pub async fn get_or_try_init<E, F, Fut>(&self, f: F) -> Result<&T, E>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        if let Some(value) = self.get() {
            return Ok(value);
        }
        match self.semaphore.acquire(1).await {
            Ok(()) => {
                let permit = Permit(&self.semaphore);
                let value = f().await?;
                Ok(self.fill(value, permit))
            }
            Err(_) => Ok(self.filled()),
        }
    }

    /// The value of a cell whose semaphore is closed.
    fn filled(&self) -> &T {
        match self.get() {
            Some(value) => value,
            None => unreachable!("the semaphore is closed after the cell was filled"),
        }
    }

    /// Takes the value out of the cell.
    ///
    /// # Examples
    /// ```
    /// assert_eq!(zokio_sync::OnceCell::from(1).into_inner(), Some(1));
    /// ```
    pub fn into_inner(mut self) -> Option<T> {
        self.take()
    }

    /// Takes the value and leaves the cell empty, to be filled again.
    ///
    /// # Examples
    /// ```
    /// let mut cell = zokio_sync::OnceCell::from(1);
    /// assert_eq!(cell.take(), Some(1));
    /// assert!(cell.set(2).is_ok());
    /// ```
    pub fn take(&mut self) -> Option<T> {
        if !self.initialized() {
            return None;
        }
        let old = std::mem::take(self);
        // Relaxed: the old cell is ours alone.
        old.is_set.store(false, Ordering::Relaxed);
        // SAFETY: invariant 1, it was set, and the flag was cleared: the value is read once.
        Some(unsafe { (*old.value.get()).assume_init_read() })
    }
}

impl<T> Drop for OnceCell<T> {
    fn drop(&mut self) {
        if self.initialized() {
            // SAFETY: invariant 1, and nobody else uses the cell.
            unsafe { self.value.get_mut().assume_init_drop() };
        }
    }
}

impl<T> Default for OnceCell<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> From<T> for OnceCell<T> {
    fn from(value: T) -> Self {
        Self::new_with(Some(value))
    }
}

impl<T: Clone> Clone for OnceCell<T> {
    fn clone(&self) -> Self {
        Self::new_with(self.get().cloned())
    }
}

impl<T: PartialEq> PartialEq for OnceCell<T> {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl<T: Eq> Eq for OnceCell<T> {}

impl<T: fmt::Debug> fmt::Debug for OnceCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnceCell")
            .field("value", &self.get())
            .finish()
    }
}

/// Why [`OnceCell::set`] did not fill the cell. Holds the value.
#[derive(Debug, PartialEq, Eq)]
pub enum SetError<T> {
    /// The cell is filled.
    AlreadyInitializedError(T),
    /// The cell is just being filled.
    InitializingError(T),
}

impl<T> SetError<T> {
    /// Whether the cell is filled.
    ///
    /// # Examples
    /// ```
    /// let cell = zokio_sync::OnceCell::from(1);
    /// assert!(cell.set(2).unwrap_err().is_already_init_err());
    /// ```
    pub fn is_already_init_err(&self) -> bool {
        matches!(self, SetError::AlreadyInitializedError(_))
    }

    /// Whether the cell is just being filled.
    ///
    /// # Examples
    /// ```
    /// let cell = zokio_sync::OnceCell::from(1);
    /// assert!(!cell.set(2).unwrap_err().is_initializing_err());
    /// ```
    pub fn is_initializing_err(&self) -> bool {
        matches!(self, SetError::InitializingError(_))
    }
}

impl<T> fmt::Display for SetError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SetError::AlreadyInitializedError(_) => "AlreadyInitializedError",
            SetError::InitializingError(_) => "InitializingError",
        })
    }
}

impl<T: fmt::Debug> Error for SetError<T> {}
