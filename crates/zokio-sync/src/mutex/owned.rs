//! Guards that keep the lock alive.
#![allow(unsafe_code)]

use super::Mutex;
use crate::guard::exclusive_guard;
use std::mem::ManuallyDrop;
use std::ptr;
use zokio_base::sync::Arc;

/// Holds a [`Mutex`] locked until it is dropped, and keeps it alive.
pub struct OwnedMutexGuard<T: ?Sized> {
    lock: Arc<Mutex<T>>,
    data: *mut T,
}

// SAFETY: the guard is the only access to the value, so it moves the value with it.
unsafe impl<T: ?Sized + Send> Send for OwnedMutexGuard<T> {}
// SAFETY: a shared guard gives out shared references to the value.
unsafe impl<T: ?Sized + Send + Sync> Sync for OwnedMutexGuard<T> {}

exclusive_guard!([T: ?Sized] OwnedMutexGuard<T> => T);

impl<T: ?Sized> OwnedMutexGuard<T> {
    /// The caller has taken the lock.
    pub(super) fn new(lock: Arc<Mutex<T>>) -> Self {
        Self {
            data: lock.value.get(),
            lock,
        }
    }

    /// Goes on with a part of the value.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use zokio_sync::{Mutex, OwnedMutexGuard};
    ///
    /// let lock = Arc::new(Mutex::new((1, 2)));
    /// let guard = lock.try_lock_owned().unwrap();
    /// assert_eq!(*OwnedMutexGuard::map(guard, |pair| &mut pair.1), 2);
    /// ```
    #[inline]
    pub fn map<U, F>(mut this: Self, f: F) -> OwnedMappedMutexGuard<T, U>
    where
        U: ?Sized,
        F: FnOnce(&mut T) -> &mut U,
    {
        let data: *mut U = f(&mut this);
        OwnedMappedMutexGuard {
            lock: this.into_lock(),
            data,
        }
    }

    /// Goes on with a part of the value, if there is one.
    ///
    /// # Errors
    /// Returns the guard if `f` returns none.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use zokio_sync::{Mutex, OwnedMutexGuard};
    ///
    /// let lock = Arc::new(Mutex::new(vec![1]));
    /// let guard = lock.try_lock_owned().unwrap();
    /// assert!(OwnedMutexGuard::try_map(guard, |list| list.get_mut(5)).is_err());
    /// ```
    #[inline]
    pub fn try_map<U, F>(mut this: Self, f: F) -> Result<OwnedMappedMutexGuard<T, U>, Self>
    where
        U: ?Sized,
        F: FnOnce(&mut T) -> Option<&mut U>,
    {
        let data: *mut U = match f(&mut this) {
            Some(part) => part,
            None => return Err(this),
        };
        Ok(OwnedMappedMutexGuard {
            lock: this.into_lock(),
            data,
        })
    }

    /// The lock that is held.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use zokio_sync::{Mutex, OwnedMutexGuard};
    ///
    /// let lock = Arc::new(Mutex::new(1));
    /// let guard = lock.clone().try_lock_owned().unwrap();
    /// assert!(Arc::ptr_eq(OwnedMutexGuard::mutex(&guard), &lock));
    /// ```
    #[inline]
    pub fn mutex(this: &Self) -> &Arc<Mutex<T>> {
        &this.lock
    }

    /// Gives up the guard without unlocking.
    fn into_lock(self) -> Arc<Mutex<T>> {
        let this = ManuallyDrop::new(self);
        // SAFETY: `this` is neither dropped nor used again.
        unsafe { ptr::read(&this.lock) }
    }
}

impl<T: ?Sized> Drop for OwnedMutexGuard<T> {
    fn drop(&mut self) {
        self.lock.semaphore.release(1);
    }
}

/// Holds a [`Mutex`] locked, keeps it alive, and gives access to a part of its value. Made by
/// [`OwnedMutexGuard::map`].
#[must_use = "if unused the Mutex will immediately unlock"]
pub struct OwnedMappedMutexGuard<T: ?Sized, U: ?Sized = T> {
    lock: Arc<Mutex<T>>,
    data: *mut U,
}

// SAFETY: the guard is the only access to the value, so it moves the value with it.
unsafe impl<T: ?Sized + Send, U: ?Sized + Send> Send for OwnedMappedMutexGuard<T, U> {}
// SAFETY: a shared guard gives out shared references to the part.
unsafe impl<T, U> Sync for OwnedMappedMutexGuard<T, U>
where
    T: ?Sized + Send + Sync,
    U: ?Sized + Send + Sync,
{
}

exclusive_guard!([T: ?Sized, U: ?Sized] OwnedMappedMutexGuard<T, U> => U);

impl<T: ?Sized, U: ?Sized> OwnedMappedMutexGuard<T, U> {
    /// Goes on with a part of the part.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use zokio_sync::{Mutex, OwnedMappedMutexGuard, OwnedMutexGuard};
    ///
    /// let lock = Arc::new(Mutex::new(((1, 2), 3)));
    /// let pair = OwnedMutexGuard::map(lock.try_lock_owned().unwrap(), |value| &mut value.0);
    /// assert_eq!(*OwnedMappedMutexGuard::map(pair, |pair| &mut pair.1), 2);
    /// ```
    #[inline]
    pub fn map<S, F>(mut this: Self, f: F) -> OwnedMappedMutexGuard<T, S>
    where
        F: FnOnce(&mut U) -> &mut S,
    {
        let data: *mut S = f(&mut this);
        OwnedMappedMutexGuard {
            lock: this.into_lock(),
            data,
        }
    }

    /// Goes on with a part of the part, if there is one.
    ///
    /// # Errors
    /// Returns the guard if `f` returns none.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use zokio_sync::{Mutex, OwnedMappedMutexGuard, OwnedMutexGuard};
    ///
    /// let lock = Arc::new(Mutex::new((vec![1], 2)));
    /// let list = OwnedMutexGuard::map(lock.try_lock_owned().unwrap(), |value| &mut value.0);
    /// assert!(OwnedMappedMutexGuard::try_map(list, |list| list.get_mut(0)).is_ok());
    /// ```
    #[inline]
    pub fn try_map<S, F>(mut this: Self, f: F) -> Result<OwnedMappedMutexGuard<T, S>, Self>
    where
        F: FnOnce(&mut U) -> Option<&mut S>,
    {
        let data: *mut S = match f(&mut this) {
            Some(part) => part,
            None => return Err(this),
        };
        Ok(OwnedMappedMutexGuard {
            lock: this.into_lock(),
            data,
        })
    }

    /// Gives up the guard without unlocking.
    fn into_lock(self) -> Arc<Mutex<T>> {
        let this = ManuallyDrop::new(self);
        // SAFETY: `this` is neither dropped nor used again.
        unsafe { ptr::read(&this.lock) }
    }
}

impl<T: ?Sized, U: ?Sized> Drop for OwnedMappedMutexGuard<T, U> {
    fn drop(&mut self) {
        self.lock.semaphore.release(1);
    }
}
