//! A lock that may be held across an `.await`.
//!
//! It is a semaphore with one permit (`semaphore::core`), so waiting is fair and a guard's drop
//! hands the lock to the task that has waited longest.
#![allow(unsafe_code)]

mod guards;
#[cfg(all(test, zokio_loom))]
mod model;
mod owned;
#[cfg(all(test, not(zokio_model)))]
mod tests;

pub use self::guards::{MappedMutexGuard, MutexGuard};
pub use self::owned::{OwnedMappedMutexGuard, OwnedMutexGuard};

use crate::semaphore::core::Semaphore;
use std::cell::UnsafeCell;
use std::error::Error;
use std::fmt;
use zokio_base::sync::Arc;

/// The lock is held, so that it could not be taken at once.
#[derive(Debug)]
pub struct TryLockError(pub(crate) ());

impl fmt::Display for TryLockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("operation would block")
    }
}

impl Error for TryLockError {}

/// A lock for one holder at a time, whose guard may live across an `.await`.
///
/// Tasks get the lock in the order in which they asked. There is no poisoning: if a holder panics
/// the lock is released and the next holder sees the value as it was left.
///
/// Where the lock is never held across an `.await`, a mutex of the standard library is cheaper.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use zokio_sync::Mutex;
///
/// # zokio_task::block_on::block_on(async {
/// let count = Arc::new(Mutex::new(0));
/// *count.lock().await += 1;
/// assert_eq!(*count.lock().await, 1);
/// # });
/// ```
pub struct Mutex<T: ?Sized> {
    semaphore: Semaphore,
    value: UnsafeCell<T>,
}

// SAFETY: the lock gives access to the value to one thread at a time.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

impl<T: ?Sized> Mutex<T> {
    /// Makes a lock around `value`.
    ///
    /// # Examples
    /// ```
    /// let lock = zokio_sync::Mutex::new(5);
    /// # drop(lock);
    /// ```
    #[track_caller]
    pub fn new(value: T) -> Self
    where
        T: Sized,
    {
        Self {
            semaphore: Semaphore::new(1),
            value: UnsafeCell::new(value),
        }
    }

    /// As [`new`](Self::new), for statics.
    ///
    /// # Examples
    /// ```
    /// static LOCK: zokio_sync::Mutex<u32> = zokio_sync::Mutex::const_new(5);
    /// assert_eq!(*LOCK.try_lock().unwrap(), 5);
    /// ```
    #[cfg(not(zokio_loom))]
    pub const fn const_new(value: T) -> Self
    where
        T: Sized,
    {
        Self {
            semaphore: Semaphore::new(1),
            value: UnsafeCell::new(value),
        }
    }

    /// Takes the value out.
    ///
    /// # Examples
    /// ```
    /// assert_eq!(zokio_sync::Mutex::new(5).into_inner(), 5);
    /// ```
    pub fn into_inner(self) -> T
    where
        T: Sized,
    {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    async fn acquire(&self) {
        if self.semaphore.acquire(1).await.is_err() {
            unreachable!("a mutex is never closed");
        }
    }

    fn try_acquire(&self) -> Result<(), TryLockError> {
        self.semaphore.try_acquire(1).map_err(|_| TryLockError(()))
    }

    /// Waits for the lock.
    ///
    /// # Cancel safety
    /// Dropping the future loses the place in the queue, and nothing else.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// let lock = zokio_sync::Mutex::new(1);
    /// *lock.lock().await = 2;
    /// # });
    /// ```
    pub async fn lock(&self) -> MutexGuard<'_, T> {
        self.acquire().await;
        MutexGuard::new(self)
    }

    /// As [`lock`](Self::lock), on a thread that may block.
    ///
    /// # Panics
    /// On a thread that drives tasks.
    ///
    /// # Examples
    /// ```
    /// let lock = zokio_sync::Mutex::new(1);
    /// *lock.blocking_lock() = 2;
    /// ```
    #[track_caller]
    pub fn blocking_lock(&self) -> MutexGuard<'_, T> {
        crate::blocking::block_on(self.lock())
    }

    /// Takes the lock if nobody holds it or waits for it.
    ///
    /// # Errors
    /// If somebody does.
    ///
    /// # Examples
    /// ```
    /// let lock = zokio_sync::Mutex::new(1);
    /// let guard = lock.try_lock().unwrap();
    /// assert!(lock.try_lock().is_err());
    /// # drop(guard);
    /// ```
    pub fn try_lock(&self) -> Result<MutexGuard<'_, T>, TryLockError> {
        self.try_acquire()?;
        Ok(MutexGuard::new(self))
    }

    /// As [`lock`](Self::lock), with a guard that keeps the lock alive itself.
    ///
    /// # Cancel safety
    /// As for [`lock`](Self::lock).
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use zokio_sync::Mutex;
    ///
    /// # zokio_task::block_on::block_on(async {
    /// let lock = Arc::new(Mutex::new(1));
    /// let guard = lock.clone().lock_owned().await;
    /// std::thread::spawn(move || drop(guard)).join().unwrap();
    /// # });
    /// ```
    pub async fn lock_owned(self: Arc<Self>) -> OwnedMutexGuard<T> {
        self.acquire().await;
        OwnedMutexGuard::new(self)
    }

    /// As [`lock_owned`](Self::lock_owned), on a thread that may block.
    ///
    /// # Panics
    /// On a thread that drives tasks.
    ///
    /// # Examples
    /// ```
    /// let lock = std::sync::Arc::new(zokio_sync::Mutex::new(1));
    /// *lock.blocking_lock_owned() = 2;
    /// ```
    #[track_caller]
    pub fn blocking_lock_owned(self: Arc<Self>) -> OwnedMutexGuard<T> {
        crate::blocking::block_on(self.lock_owned())
    }

    /// As [`try_lock`](Self::try_lock), with a guard that keeps the lock alive itself.
    ///
    /// # Errors
    /// If somebody holds the lock or waits for it.
    ///
    /// # Examples
    /// ```
    /// let lock = std::sync::Arc::new(zokio_sync::Mutex::new(1));
    /// assert_eq!(*lock.try_lock_owned().unwrap(), 1);
    /// ```
    pub fn try_lock_owned(self: Arc<Self>) -> Result<OwnedMutexGuard<T>, TryLockError> {
        self.try_acquire()?;
        Ok(OwnedMutexGuard::new(self))
    }

    /// Exclusive access needs no lock.
    ///
    /// # Examples
    /// ```
    /// let mut lock = zokio_sync::Mutex::new(1);
    /// *lock.get_mut() = 2;
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Mutex");
        match self.try_lock() {
            Ok(guard) => debug.field("data", &&*guard),
            Err(_) => debug.field("data", &format_args!("<locked>")),
        };
        debug.finish()
    }
}
