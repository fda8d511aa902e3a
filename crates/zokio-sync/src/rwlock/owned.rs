//! Guards that keep the lock alive.
#![allow(unsafe_code)]

use super::RwLock;
use crate::guard::{exclusive_guard, shared_guard};
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr;
use zokio_base::sync::Arc;

/// Holds a [`RwLock`] for reading until it is dropped, and keeps it alive.
pub struct OwnedRwLockReadGuard<T: ?Sized, U: ?Sized = T> {
    lock: Arc<RwLock<T>>,
    data: *const U,
    marker: PhantomData<T>,
}

// SAFETY: the guard is a shared reference, and may be the last to keep the value alive.
unsafe impl<T: ?Sized + Send + Sync, U: ?Sized + Sync> Send for OwnedRwLockReadGuard<T, U> {}
// SAFETY: as above.
unsafe impl<T, U> Sync for OwnedRwLockReadGuard<T, U>
where
    T: ?Sized + Send + Sync,
    U: ?Sized + Send + Sync,
{
}

shared_guard!([T: ?Sized, U: ?Sized] OwnedRwLockReadGuard<T, U> => U);

impl<T: ?Sized> OwnedRwLockReadGuard<T> {
    /// The caller has taken one permit.
    pub(super) fn new(lock: Arc<RwLock<T>>) -> Self {
        let data = lock.value.get();
        Self::with(lock, data)
    }
}

impl<T: ?Sized, U: ?Sized> OwnedRwLockReadGuard<T, U> {
    fn with(lock: Arc<RwLock<T>>, data: *const U) -> Self {
        Self {
            lock,
            data,
            marker: PhantomData,
        }
    }

    fn into_part<V: ?Sized>(self, data: *const V) -> OwnedRwLockReadGuard<T, V> {
        let this = ManuallyDrop::new(self);
        // SAFETY: `this` is neither dropped nor used again.
        let lock = unsafe { ptr::read(&this.lock) };
        OwnedRwLockReadGuard::with(lock, data)
    }

    /// Goes on with a part of the value.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use zokio_sync::{OwnedRwLockReadGuard, RwLock};
    ///
    /// let lock = Arc::new(RwLock::new((1, 2)));
    /// let guard = lock.try_read_owned().unwrap();
    /// assert_eq!(*OwnedRwLockReadGuard::map(guard, |pair| &pair.1), 2);
    /// ```
    #[inline]
    pub fn map<F, V: ?Sized>(this: Self, f: F) -> OwnedRwLockReadGuard<T, V>
    where
        F: FnOnce(&U) -> &V,
    {
        let data: *const V = f(&this);
        this.into_part(data)
    }

    /// Goes on with a part of the value, if there is one.
    ///
    /// # Errors
    /// Returns the guard if `f` returns none.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use zokio_sync::{OwnedRwLockReadGuard, RwLock};
    ///
    /// let lock = Arc::new(RwLock::new(vec![1]));
    /// let guard = lock.try_read_owned().unwrap();
    /// assert!(OwnedRwLockReadGuard::try_map(guard, |list| list.get(5)).is_err());
    /// ```
    #[inline]
    pub fn try_map<F, V: ?Sized>(this: Self, f: F) -> Result<OwnedRwLockReadGuard<T, V>, Self>
    where
        F: FnOnce(&U) -> Option<&V>,
    {
        let data: *const V = match f(&this) {
            Some(part) => part,
            None => return Err(this),
        };
        Ok(this.into_part(data))
    }

    /// The lock that is held.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use zokio_sync::{OwnedRwLockReadGuard, RwLock};
    ///
    /// let lock = Arc::new(RwLock::new(1));
    /// let guard = lock.clone().try_read_owned().unwrap();
    /// assert!(Arc::ptr_eq(OwnedRwLockReadGuard::rwlock(&guard), &lock));
    /// ```
    pub fn rwlock(this: &Self) -> &Arc<RwLock<T>> {
        &this.lock
    }
}

impl<T: ?Sized, U: ?Sized> Drop for OwnedRwLockReadGuard<T, U> {
    fn drop(&mut self) {
        self.lock.semaphore.release(1);
    }
}

/// Holds a [`RwLock`] for writing until it is dropped, and keeps it alive.
pub struct OwnedRwLockWriteGuard<T: ?Sized> {
    lock: Arc<RwLock<T>>,
    data: *mut T,
    marker: PhantomData<T>,
}

// SAFETY: the guard moves the value with it, or, downgraded, shares it.
unsafe impl<T: ?Sized + Send + Sync> Send for OwnedRwLockWriteGuard<T> {}
// SAFETY: a shared guard gives out shared references to the value.
unsafe impl<T: ?Sized + Send + Sync> Sync for OwnedRwLockWriteGuard<T> {}

exclusive_guard!([T: ?Sized] OwnedRwLockWriteGuard<T> => T);

impl<T: ?Sized> OwnedRwLockWriteGuard<T> {
    /// The caller has taken all permits.
    pub(super) fn new(lock: Arc<RwLock<T>>) -> Self {
        Self {
            data: lock.value.get(),
            lock,
            marker: PhantomData,
        }
    }

    /// Gives up the guard without unlocking.
    fn into_lock(self) -> Arc<RwLock<T>> {
        let this = ManuallyDrop::new(self);
        // SAFETY: `this` is neither dropped nor used again.
        unsafe { ptr::read(&this.lock) }
    }

    /// Gives up the guard and all permits but one.
    fn into_reading<U: ?Sized>(self, data: *const U) -> OwnedRwLockReadGuard<T, U> {
        let lock = self.into_lock();
        lock.semaphore.release(lock.max_readers as usize - 1);
        OwnedRwLockReadGuard::with(lock, data)
    }

    fn into_part<U: ?Sized>(self, data: *mut U) -> OwnedRwLockMappedWriteGuard<T, U> {
        OwnedRwLockMappedWriteGuard {
            lock: self.into_lock(),
            data,
            marker: PhantomData,
        }
    }

    /// Goes on with a part of the value.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use zokio_sync::{OwnedRwLockWriteGuard, RwLock};
    ///
    /// let lock = Arc::new(RwLock::new((1, 2)));
    /// let guard = lock.try_write_owned().unwrap();
    /// *OwnedRwLockWriteGuard::map(guard, |pair| &mut pair.1) = 3;
    /// ```
    #[inline]
    pub fn map<F, U: ?Sized>(mut this: Self, f: F) -> OwnedRwLockMappedWriteGuard<T, U>
    where
        F: FnOnce(&mut T) -> &mut U,
    {
        let data: *mut U = f(&mut this);
        this.into_part(data)
    }

    /// Goes on reading a part of the value; other readers may read as well.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use zokio_sync::{OwnedRwLockWriteGuard, RwLock};
    ///
    /// let lock = Arc::new(RwLock::new((1, 2)));
    /// let guard = lock.clone().try_write_owned().unwrap();
    /// let part = OwnedRwLockWriteGuard::downgrade_map(guard, |pair| &pair.1);
    /// assert!(lock.try_read().is_ok());
    /// # drop(part);
    /// ```
    #[inline]
    pub fn downgrade_map<F, U: ?Sized>(this: Self, f: F) -> OwnedRwLockReadGuard<T, U>
    where
        F: FnOnce(&T) -> &U,
    {
        let data: *const U = f(&this);
        this.into_reading(data)
    }

    /// Goes on with a part of the value, if there is one.
    ///
    /// # Errors
    /// Returns the guard if `f` returns none.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use zokio_sync::{OwnedRwLockWriteGuard, RwLock};
    ///
    /// let lock = Arc::new(RwLock::new(vec![1]));
    /// let guard = lock.try_write_owned().unwrap();
    /// assert!(OwnedRwLockWriteGuard::try_map(guard, |list| list.get_mut(5)).is_err());
    /// ```
    #[inline]
    pub fn try_map<F, U: ?Sized>(
        mut this: Self,
        f: F,
    ) -> Result<OwnedRwLockMappedWriteGuard<T, U>, Self>
    where
        F: FnOnce(&mut T) -> Option<&mut U>,
    {
        let data: *mut U = match f(&mut this) {
            Some(part) => part,
            None => return Err(this),
        };
        Ok(this.into_part(data))
    }

    /// Goes on reading a part of the value, if there is one.
    ///
    /// # Errors
    /// Returns the guard, still for writing, if `f` returns none.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use zokio_sync::{OwnedRwLockWriteGuard, RwLock};
    ///
    /// let lock = Arc::new(RwLock::new(vec![1]));
    /// let guard = lock.try_write_owned().unwrap();
    /// assert!(OwnedRwLockWriteGuard::try_downgrade_map(guard, |list| list.get(0)).is_ok());
    /// ```
    #[inline]
    pub fn try_downgrade_map<F, U: ?Sized>(
        this: Self,
        f: F,
    ) -> Result<OwnedRwLockReadGuard<T, U>, Self>
    where
        F: FnOnce(&T) -> Option<&U>,
    {
        let data: *const U = match f(&this) {
            Some(part) => part,
            None => return Err(this),
        };
        Ok(this.into_reading(data))
    }

    /// A guard of the type that [`map`](Self::map) makes, for the whole value.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use zokio_sync::{OwnedRwLockWriteGuard, RwLock};
    ///
    /// let lock = Arc::new(RwLock::new(1));
    /// *OwnedRwLockWriteGuard::into_mapped(lock.try_write_owned().unwrap()) = 2;
    /// ```
    #[inline]
    pub fn into_mapped(this: Self) -> OwnedRwLockMappedWriteGuard<T> {
        let data = this.data;
        this.into_part(data)
    }

    /// Goes on reading; other readers may read as well. No writer comes in between.
    ///
    /// # Examples
    /// ```
    /// let lock = std::sync::Arc::new(zokio_sync::RwLock::new(1));
    /// let reader = lock.clone().try_write_owned().unwrap().downgrade();
    /// assert_eq!(*reader, *lock.try_read().unwrap());
    /// ```
    pub fn downgrade(self) -> OwnedRwLockReadGuard<T> {
        let data = self.data;
        self.into_reading(data)
    }

    /// The lock that is held.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use zokio_sync::{OwnedRwLockWriteGuard, RwLock};
    ///
    /// let lock = Arc::new(RwLock::new(1));
    /// let guard = lock.clone().try_write_owned().unwrap();
    /// assert!(Arc::ptr_eq(OwnedRwLockWriteGuard::rwlock(&guard), &lock));
    /// ```
    pub fn rwlock(this: &Self) -> &Arc<RwLock<T>> {
        &this.lock
    }
}

impl<T: ?Sized> Drop for OwnedRwLockWriteGuard<T> {
    fn drop(&mut self) {
        let permits = self.lock.max_readers as usize;
        self.lock.semaphore.release(permits);
    }
}

/// Holds a [`RwLock`] for writing, keeps it alive, and gives access to a part of its value. Made by
/// [`OwnedRwLockWriteGuard::map`].
pub struct OwnedRwLockMappedWriteGuard<T: ?Sized, U: ?Sized = T> {
    lock: Arc<RwLock<T>>,
    data: *mut U,
    marker: PhantomData<T>,
}

// SAFETY: the guard is the only access to the value.
unsafe impl<T, U> Send for OwnedRwLockMappedWriteGuard<T, U>
where
    T: ?Sized + Send + Sync,
    U: ?Sized + Send + Sync,
{
}
// SAFETY: a shared guard gives out shared references to the part.
unsafe impl<T, U> Sync for OwnedRwLockMappedWriteGuard<T, U>
where
    T: ?Sized + Send + Sync,
    U: ?Sized + Send + Sync,
{
}

exclusive_guard!([T: ?Sized, U: ?Sized] OwnedRwLockMappedWriteGuard<T, U> => U);

impl<T: ?Sized, U: ?Sized> OwnedRwLockMappedWriteGuard<T, U> {
    fn into_part<V: ?Sized>(self, data: *mut V) -> OwnedRwLockMappedWriteGuard<T, V> {
        let this = ManuallyDrop::new(self);
        OwnedRwLockMappedWriteGuard {
            // SAFETY: `this` is neither dropped nor used again.
            lock: unsafe { ptr::read(&this.lock) },
            data,
            marker: PhantomData,
        }
    }

    /// Goes on with a part of the part.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use zokio_sync::{OwnedRwLockMappedWriteGuard, OwnedRwLockWriteGuard, RwLock};
    ///
    /// let lock = Arc::new(RwLock::new(((1, 2), 3)));
    /// let pair = OwnedRwLockWriteGuard::map(lock.try_write_owned().unwrap(), |value| &mut value.0);
    /// *OwnedRwLockMappedWriteGuard::map(pair, |pair| &mut pair.1) = 4;
    /// ```
    #[inline]
    pub fn map<F, V: ?Sized>(mut this: Self, f: F) -> OwnedRwLockMappedWriteGuard<T, V>
    where
        F: FnOnce(&mut U) -> &mut V,
    {
        let data: *mut V = f(&mut this);
        this.into_part(data)
    }

    /// Goes on with a part of the part, if there is one.
    ///
    /// # Errors
    /// Returns the guard if `f` returns none.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use zokio_sync::{OwnedRwLockMappedWriteGuard, OwnedRwLockWriteGuard, RwLock};
    ///
    /// let lock = Arc::new(RwLock::new((vec![1], 2)));
    /// let list = OwnedRwLockWriteGuard::map(lock.try_write_owned().unwrap(), |value| &mut value.0);
    /// assert!(OwnedRwLockMappedWriteGuard::try_map(list, |list| list.get_mut(5)).is_err());
    /// ```
    #[inline]
    pub fn try_map<F, V: ?Sized>(
        mut this: Self,
        f: F,
    ) -> Result<OwnedRwLockMappedWriteGuard<T, V>, Self>
    where
        F: FnOnce(&mut U) -> Option<&mut V>,
    {
        let data: *mut V = match f(&mut this) {
            Some(part) => part,
            None => return Err(this),
        };
        Ok(this.into_part(data))
    }

    /// The lock that is held.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use zokio_sync::{OwnedRwLockMappedWriteGuard, OwnedRwLockWriteGuard, RwLock};
    ///
    /// let lock = Arc::new(RwLock::new(1));
    /// let guard = OwnedRwLockWriteGuard::into_mapped(lock.clone().try_write_owned().unwrap());
    /// assert!(Arc::ptr_eq(OwnedRwLockMappedWriteGuard::rwlock(&guard), &lock));
    /// ```
    pub fn rwlock(this: &Self) -> &Arc<RwLock<T>> {
        &this.lock
    }
}

impl<T: ?Sized, U: ?Sized> Drop for OwnedRwLockMappedWriteGuard<T, U> {
    fn drop(&mut self) {
        let permits = self.lock.max_readers as usize;
        self.lock.semaphore.release(permits);
    }
}
