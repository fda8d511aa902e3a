//! Guards that borrow the lock.
#![allow(unsafe_code)]

use super::Mutex;
use crate::guard::exclusive_guard;
use crate::semaphore::core::Semaphore;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;

/// Holds a [`Mutex`] locked until it is dropped.
#[must_use = "if unused the Mutex will immediately unlock"]
pub struct MutexGuard<'a, T: ?Sized> {
    lock: &'a Mutex<T>,
    data: *mut T,
}

// SAFETY: the guard is the only access to the value, so it moves the value with it.
unsafe impl<T: ?Sized + Send> Send for MutexGuard<'_, T> {}
// SAFETY: a shared guard gives out shared references to the value.
unsafe impl<T: ?Sized + Send + Sync> Sync for MutexGuard<'_, T> {}

exclusive_guard!(['a, T: ?Sized] MutexGuard<'a, T> => T);

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// The caller has taken the lock.
    pub(super) fn new(lock: &'a Mutex<T>) -> Self {
        Self {
            data: lock.value.get(),
            lock,
        }
    }

    /// Goes on with a part of the value.
    ///
    /// # Examples
    /// ```
    /// use zokio_sync::{Mutex, MutexGuard};
    ///
    /// let lock = Mutex::new((1, 2));
    /// let mut second = MutexGuard::map(lock.try_lock().unwrap(), |pair| &mut pair.1);
    /// *second = 3;
    /// ```
    #[inline]
    pub fn map<U, F>(mut this: Self, f: F) -> MappedMutexGuard<'a, U>
    where
        U: ?Sized,
        F: FnOnce(&mut T) -> &mut U,
    {
        let data: *mut U = f(&mut this);
        MappedMutexGuard {
            semaphore: this.into_semaphore(),
            data,
            marker: PhantomData,
        }
    }

    /// Goes on with a part of the value, if there is one.
    ///
    /// # Errors
    /// Returns the guard if `f` returns none.
    ///
    /// # Examples
    /// ```
    /// use zokio_sync::{Mutex, MutexGuard};
    ///
    /// let lock = Mutex::new(vec![1]);
    /// let guard = lock.try_lock().unwrap();
    /// assert!(MutexGuard::try_map(guard, |list| list.get_mut(5)).is_err());
    /// ```
    #[inline]
    pub fn try_map<U, F>(mut this: Self, f: F) -> Result<MappedMutexGuard<'a, U>, Self>
    where
        U: ?Sized,
        F: FnOnce(&mut T) -> Option<&mut U>,
    {
        let data: *mut U = match f(&mut this) {
            Some(part) => part,
            None => return Err(this),
        };
        Ok(MappedMutexGuard {
            semaphore: this.into_semaphore(),
            data,
            marker: PhantomData,
        })
    }

    /// The lock that is held.
    ///
    /// # Examples
    /// ```
    /// use zokio_sync::{Mutex, MutexGuard};
    ///
    /// let lock = Mutex::new(1);
    /// let guard = lock.try_lock().unwrap();
    /// assert!(MutexGuard::mutex(&guard).try_lock().is_err());
    /// ```
    #[inline]
    pub fn mutex(this: &Self) -> &'a Mutex<T> {
        this.lock
    }

    /// Gives up the guard without unlocking.
    fn into_semaphore(self) -> &'a Semaphore {
        &ManuallyDrop::new(self).lock.semaphore
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        self.lock.semaphore.release(1);
    }
}

/// Holds a [`Mutex`] locked, and gives access to a part of its value. Made by
/// [`MutexGuard::map`].
#[must_use = "if unused the Mutex will immediately unlock"]
pub struct MappedMutexGuard<'a, T: ?Sized> {
    semaphore: &'a Semaphore,
    data: *mut T,
    marker: PhantomData<&'a mut T>,
}

// SAFETY: the guard is the only access to the part, so it moves the part with it.
unsafe impl<'a, T: ?Sized + Send + 'a> Send for MappedMutexGuard<'a, T> {}
// SAFETY: a shared guard gives out shared references to the part.
unsafe impl<'a, T: ?Sized + Sync + 'a> Sync for MappedMutexGuard<'a, T> {}

exclusive_guard!(['a, T: ?Sized] MappedMutexGuard<'a, T> => T);

impl<'a, T: ?Sized> MappedMutexGuard<'a, T> {
    /// Goes on with a part of the part.
    ///
    /// # Examples
    /// ```
    /// use zokio_sync::{MappedMutexGuard, Mutex, MutexGuard};
    ///
    /// let lock = Mutex::new(((1, 2), 3));
    /// let pair = MutexGuard::map(lock.try_lock().unwrap(), |value| &mut value.0);
    /// assert_eq!(*MappedMutexGuard::map(pair, |pair| &mut pair.1), 2);
    /// ```
    #[inline]
    pub fn map<U, F>(mut this: Self, f: F) -> MappedMutexGuard<'a, U>
    where
        F: FnOnce(&mut T) -> &mut U,
    {
        let data: *mut U = f(&mut this);
        MappedMutexGuard {
            semaphore: ManuallyDrop::new(this).semaphore,
            data,
            marker: PhantomData,
        }
    }

    /// Goes on with a part of the part, if there is one.
    ///
    /// # Errors
    /// Returns the guard if `f` returns none.
    ///
    /// # Examples
    /// ```
    /// use zokio_sync::{MappedMutexGuard, Mutex, MutexGuard};
    ///
    /// let lock = Mutex::new((vec![1], 2));
    /// let list = MutexGuard::map(lock.try_lock().unwrap(), |value| &mut value.0);
    /// assert!(MappedMutexGuard::try_map(list, |list| list.get_mut(0)).is_ok());
    /// ```
    #[inline]
    pub fn try_map<U, F>(mut this: Self, f: F) -> Result<MappedMutexGuard<'a, U>, Self>
    where
        F: FnOnce(&mut T) -> Option<&mut U>,
    {
        let data: *mut U = match f(&mut this) {
            Some(part) => part,
            None => return Err(this),
        };
        Ok(MappedMutexGuard {
            semaphore: ManuallyDrop::new(this).semaphore,
            data,
            marker: PhantomData,
        })
    }
}

impl<'a, T: ?Sized> Drop for MappedMutexGuard<'a, T> {
    fn drop(&mut self) {
        self.semaphore.release(1);
    }
}
