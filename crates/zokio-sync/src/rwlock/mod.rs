//! A lock for many readers or one writer that may be held across an `.await`.
//!
//! It is a semaphore (`semaphore::core`) with a permit for each reader; a writer takes them all.
//! The queue is fair, so a writer that waits keeps later readers waiting behind it.
#![allow(unsafe_code)]

mod guards;
#[cfg(all(test, zokio_loom))]
mod model;
mod owned;
#[cfg(all(test, not(zokio_model)))]
mod tests;

pub use self::guards::{RwLockMappedWriteGuard, RwLockReadGuard, RwLockWriteGuard};
pub use self::owned::{OwnedRwLockMappedWriteGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard};

use crate::mutex::TryLockError;
use crate::semaphore::core::Semaphore;
use std::cell::UnsafeCell;
use std::fmt;
use zokio_base::sync::Arc;

/// The greatest number of readers at a time.
const MAX_READERS: u32 = u32::MAX >> 3;

/// A lock for any number of readers or one writer, whose guards may live across an `.await`.
///
/// Tasks get the lock in the order in which they asked: readers that come after a writer wait for
/// it. A task that holds a read lock and asks for another may therefore wait for ever, if a writer
/// asked in between. There is no poisoning.
///
/// # Examples
/// ```
/// # zokio_task::block_on::block_on(async {
/// let lock = zokio_sync::RwLock::new(5);
/// {
///     let (first, second) = (lock.read().await, lock.read().await);
///     assert_eq!(*first, *second);
/// }
/// *lock.write().await += 1;
/// assert_eq!(*lock.read().await, 6);
/// # });
/// ```
pub struct RwLock<T: ?Sized> {
    max_readers: u32,
    semaphore: Semaphore,
    value: UnsafeCell<T>,
}

// SAFETY: the lock gives shared access to several threads, or exclusive access to one.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}

impl<T: ?Sized> RwLock<T> {
    /// Makes a lock around `value`.
    ///
    /// # Examples
    /// ```
    /// let lock = zokio_sync::RwLock::new(5);
    /// # drop(lock);
    /// ```
    #[track_caller]
    pub fn new(value: T) -> RwLock<T>
    where
        T: Sized,
    {
        Self::with_max_readers(value, MAX_READERS)
    }

    /// Makes a lock around `value` for at most `max_reads` readers at a time.
    ///
    /// # Panics
    /// If `max_reads` is 0 or greater than `u32::MAX >> 3`.
    ///
    /// # Examples
    /// ```
    /// let lock = zokio_sync::RwLock::with_max_readers(5, 1);
    /// let _reader = lock.try_read().unwrap();
    /// assert!(lock.try_read().is_err());
    /// ```
    #[track_caller]
    pub fn with_max_readers(value: T, max_reads: u32) -> RwLock<T>
    where
        T: Sized,
    {
        assert!(
            max_reads <= MAX_READERS,
            "a RwLock may not be created with more than {MAX_READERS} readers"
        );
        assert!(max_reads > 0, "a RwLock may not be created with 0 readers");
        Self {
            max_readers: max_reads,
            semaphore: Semaphore::new(max_reads as usize),
            value: UnsafeCell::new(value),
        }
    }

    /// As [`new`](Self::new), for statics.
    ///
    /// # Examples
    /// ```
    /// static LOCK: zokio_sync::RwLock<u32> = zokio_sync::RwLock::const_new(5);
    /// assert_eq!(*LOCK.try_read().unwrap(), 5);
    /// ```
    #[cfg(not(zokio_loom))]
    pub const fn const_new(value: T) -> RwLock<T>
    where
        T: Sized,
    {
        Self::const_with_max_readers(value, MAX_READERS)
    }

    /// As [`with_max_readers`](Self::with_max_readers), for statics.
    ///
    /// # Panics
    /// If `max_reads` is 0 or greater than `u32::MAX >> 3`: at compile time in a static.
    ///
    /// # Examples
    /// ```
    /// static LOCK: zokio_sync::RwLock<u32> = zokio_sync::RwLock::const_with_max_readers(5, 2);
    /// assert!(LOCK.try_write().is_ok());
    /// ```
    #[cfg(not(zokio_loom))]
    pub const fn const_with_max_readers(value: T, max_reads: u32) -> RwLock<T>
    where
        T: Sized,
    {
        assert!(
            max_reads <= MAX_READERS,
            "a RwLock may not be created with that many readers"
        );
        assert!(max_reads > 0, "a RwLock may not be created with 0 readers");
        Self {
            max_readers: max_reads,
            semaphore: Semaphore::new(max_reads as usize),
            value: UnsafeCell::new(value),
        }
    }

    /// Takes the value out.
    ///
    /// # Examples
    /// ```
    /// assert_eq!(zokio_sync::RwLock::new(5).into_inner(), 5);
    /// ```
    pub fn into_inner(self) -> T
    where
        T: Sized,
    {
        self.value.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    async fn acquire(&self, permits: u32) {
        if self.semaphore.acquire(permits as usize).await.is_err() {
            unreachable!("a lock is never closed");
        }
    }

    fn try_acquire(&self, permits: u32) -> Result<(), TryLockError> {
        let acquired = self.semaphore.try_acquire(permits as usize);
        acquired.map_err(|_| TryLockError(()))
    }

    /// Waits until the value may be read.
    ///
    /// # Cancel safety
    /// Dropping the future loses the place in the queue, and nothing else.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// let lock = zokio_sync::RwLock::new(1);
    /// assert_eq!(*lock.read().await, 1);
    /// # });
    /// ```
    pub async fn read(&self) -> RwLockReadGuard<'_, T> {
        self.acquire(1).await;
        RwLockReadGuard::new(self)
    }

    /// As [`read`](Self::read), on a thread that may block.
    ///
    /// # Panics
    /// On a thread that drives tasks.
    ///
    /// # Examples
    /// ```
    /// let lock = zokio_sync::RwLock::new(1);
    /// assert_eq!(*lock.blocking_read(), 1);
    /// ```
    #[track_caller]
    pub fn blocking_read(&self) -> RwLockReadGuard<'_, T> {
        crate::blocking::block_on(self.read())
    }

    /// As [`read`](Self::read), with a guard that keeps the lock alive itself.
    ///
    /// # Cancel safety
    /// As for [`read`](Self::read).
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use zokio_sync::RwLock;
    ///
    /// # zokio_task::block_on::block_on(async {
    /// let lock = Arc::new(RwLock::new(1));
    /// let guard = lock.clone().read_owned().await;
    /// assert_eq!(*guard, 1);
    /// # });
    /// ```
    pub async fn read_owned(self: Arc<Self>) -> OwnedRwLockReadGuard<T> {
        self.acquire(1).await;
        OwnedRwLockReadGuard::new(self)
    }

    /// Reads if nobody writes or waits.
    ///
    /// # Errors
    /// If somebody does, or there are as many readers as there may be.
    ///
    /// # Examples
    /// ```
    /// let lock = zokio_sync::RwLock::new(1);
    /// let _writer = lock.try_write().unwrap();
    /// assert!(lock.try_read().is_err());
    /// ```
    pub fn try_read(&self) -> Result<RwLockReadGuard<'_, T>, TryLockError> {
        self.try_acquire(1)?;
        Ok(RwLockReadGuard::new(self))
    }

    /// As [`try_read`](Self::try_read), with a guard that keeps the lock alive itself.
    ///
    /// # Errors
    /// As for [`try_read`](Self::try_read).
    ///
    /// # Examples
    /// ```
    /// let lock = std::sync::Arc::new(zokio_sync::RwLock::new(1));
    /// assert_eq!(*lock.try_read_owned().unwrap(), 1);
    /// ```
    pub fn try_read_owned(self: Arc<Self>) -> Result<OwnedRwLockReadGuard<T>, TryLockError> {
        self.try_acquire(1)?;
        Ok(OwnedRwLockReadGuard::new(self))
    }

    /// Waits until the value may be written.
    ///
    /// # Cancel safety
    /// Dropping the future loses the place in the queue, and nothing else.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// let lock = zokio_sync::RwLock::new(1);
    /// *lock.write().await = 2;
    /// # });
    /// ```
    pub async fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.acquire(self.max_readers).await;
        RwLockWriteGuard::new(self)
    }

    /// As [`write`](Self::write), on a thread that may block.
    ///
    /// # Panics
    /// On a thread that drives tasks.
    ///
    /// # Examples
    /// ```
    /// let lock = zokio_sync::RwLock::new(1);
    /// *lock.blocking_write() = 2;
    /// ```
    #[track_caller]
    pub fn blocking_write(&self) -> RwLockWriteGuard<'_, T> {
        crate::blocking::block_on(self.write())
    }

    /// As [`write`](Self::write), with a guard that keeps the lock alive itself.
    ///
    /// # Cancel safety
    /// As for [`write`](Self::write).
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use zokio_sync::RwLock;
    ///
    /// # zokio_task::block_on::block_on(async {
    /// let lock = Arc::new(RwLock::new(1));
    /// *lock.clone().write_owned().await = 2;
    /// # });
    /// ```
    pub async fn write_owned(self: Arc<Self>) -> OwnedRwLockWriteGuard<T> {
        self.acquire(self.max_readers).await;
        OwnedRwLockWriteGuard::new(self)
    }

    /// Writes if nobody reads, writes or waits.
    ///
    /// # Errors
    /// If somebody does.
    ///
    /// # Examples
    /// ```
    /// let lock = zokio_sync::RwLock::new(1);
    /// let _reader = lock.try_read().unwrap();
    /// assert!(lock.try_write().is_err());
    /// ```
    pub fn try_write(&self) -> Result<RwLockWriteGuard<'_, T>, TryLockError> {
        self.try_acquire(self.max_readers)?;
        Ok(RwLockWriteGuard::new(self))
    }

    /// As [`try_write`](Self::try_write), with a guard that keeps the lock alive itself.
    ///
    /// # Errors
    /// As for [`try_write`](Self::try_write).
    ///
    /// # Examples
    /// ```
    /// let lock = std::sync::Arc::new(zokio_sync::RwLock::new(1));
    /// *lock.try_write_owned().unwrap() = 2;
    /// ```
    pub fn try_write_owned(self: Arc<Self>) -> Result<OwnedRwLockWriteGuard<T>, TryLockError> {
        self.try_acquire(self.max_readers)?;
        Ok(OwnedRwLockWriteGuard::new(self))
    }

    /// Exclusive access needs no lock.
    ///
    /// # Examples
    /// ```
    /// let mut lock = zokio_sync::RwLock::new(1);
    /// *lock.get_mut() = 2;
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("RwLock");
        match self.try_read() {
            Ok(guard) => debug.field("data", &&*guard),
            Err(_) => debug.field("data", &format_args!("<locked>")),
        };
        debug.finish()
    }
}
