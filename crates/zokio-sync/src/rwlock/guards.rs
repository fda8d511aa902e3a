//! Guards that borrow the lock.
#![allow(unsafe_code)]

use super::RwLock;
use crate::guard::{exclusive_guard, shared_guard};
use crate::semaphore::core::Semaphore;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;

/// Holds a [`RwLock`] for reading until it is dropped.
#[must_use = "if unused the RwLock will immediately unlock"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    semaphore: &'a Semaphore,
    data: *const T,
    marker: PhantomData<&'a T>,
}

// SAFETY: the guard is a shared reference.
unsafe impl<T: ?Sized + Sync> Send for RwLockReadGuard<'_, T> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLockReadGuard<'_, T> {}

shared_guard!(['a, T: ?Sized] RwLockReadGuard<'a, T> => T);

impl<'a, T: ?Sized> RwLockReadGuard<'a, T> {
    /// The caller has taken one permit.
    pub(super) fn new(lock: &'a RwLock<T>) -> Self {
        Self::with(&lock.semaphore, lock.value.get())
    }

    fn with(semaphore: &'a Semaphore, data: *const T) -> Self {
        Self {
            semaphore,
            data,
            marker: PhantomData,
        }
    }

    /// Goes on with a part of the value.
    ///
    /// # Examples
    /// ```
    /// use zokio_sync::{RwLock, RwLockReadGuard};
    ///
    /// let lock = RwLock::new((1, 2));
    /// assert_eq!(*RwLockReadGuard::map(lock.try_read().unwrap(), |pair| &pair.1), 2);
    /// ```
    #[inline]
    pub fn map<F, U: ?Sized>(this: Self, f: F) -> RwLockReadGuard<'a, U>
    where
        F: FnOnce(&T) -> &U,
    {
        let data: *const U = f(&this);
        RwLockReadGuard::with(ManuallyDrop::new(this).semaphore, data)
    }

    /// Goes on with a part of the value, if there is one.
    ///
    /// # Errors
    /// Returns the guard if `f` returns none.
    ///
    /// # Examples
    /// ```
    /// use zokio_sync::{RwLock, RwLockReadGuard};
    ///
    /// let lock = RwLock::new(vec![1]);
    /// assert!(RwLockReadGuard::try_map(lock.try_read().unwrap(), |list| list.get(5)).is_err());
    /// ```
    #[inline]
    pub fn try_map<F, U: ?Sized>(this: Self, f: F) -> Result<RwLockReadGuard<'a, U>, Self>
    where
        F: FnOnce(&T) -> Option<&U>,
    {
        let data: *const U = match f(&this) {
            Some(part) => part,
            None => return Err(this),
        };
        let semaphore = ManuallyDrop::new(this).semaphore;
        Ok(RwLockReadGuard::with(semaphore, data))
    }
}

impl<'a, T: ?Sized> Drop for RwLockReadGuard<'a, T> {
    fn drop(&mut self) {
        self.semaphore.release(1);
    }
}

/// Holds a [`RwLock`] for writing until it is dropped.
#[must_use = "if unused the RwLock will immediately unlock"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    max_readers: u32,
    semaphore: &'a Semaphore,
    data: *mut T,
    marker: PhantomData<&'a mut T>,
}

// SAFETY: the guard moves the value with it, or, downgraded, shares it.
unsafe impl<T: ?Sized + Send + Sync> Send for RwLockWriteGuard<'_, T> {}
// SAFETY: a shared guard gives out shared references to the value.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLockWriteGuard<'_, T> {}

exclusive_guard!(['a, T: ?Sized] RwLockWriteGuard<'a, T> => T);

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// The caller has taken all permits.
    pub(super) fn new(lock: &'a RwLock<T>) -> Self {
        Self {
            max_readers: lock.max_readers,
            semaphore: &lock.semaphore,
            data: lock.value.get(),
            marker: PhantomData,
        }
    }

    /// Gives up the guard and all permits but one.
    fn into_reading(self) -> &'a Semaphore {
        let this = ManuallyDrop::new(self);
        this.semaphore.release(this.max_readers as usize - 1);
        this.semaphore
    }

    fn into_part<U: ?Sized>(self, data: *mut U) -> RwLockMappedWriteGuard<'a, U> {
        let this = ManuallyDrop::new(self);
        RwLockMappedWriteGuard {
            max_readers: this.max_readers,
            semaphore: this.semaphore,
            data,
            marker: PhantomData,
        }
    }

    /// Goes on with a part of the value.
    ///
    /// # Examples
    /// ```
    /// use zokio_sync::{RwLock, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new((1, 2));
    /// *RwLockWriteGuard::map(lock.try_write().unwrap(), |pair| &mut pair.1) = 3;
    /// ```
    #[inline]
    pub fn map<F, U: ?Sized>(mut this: Self, f: F) -> RwLockMappedWriteGuard<'a, U>
    where
        F: FnOnce(&mut T) -> &mut U,
    {
        let data: *mut U = f(&mut this);
        this.into_part(data)
    }

    /// Goes on with a part of the value, if there is one.
    ///
    /// # Errors
    /// Returns the guard if `f` returns none.
    ///
    /// # Examples
    /// ```
    /// use zokio_sync::{RwLock, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new(vec![1]);
    /// let guard = lock.try_write().unwrap();
    /// assert!(RwLockWriteGuard::try_map(guard, |list| list.get_mut(5)).is_err());
    /// ```
    #[inline]
    pub fn try_map<F, U: ?Sized>(
        mut this: Self,
        f: F,
    ) -> Result<RwLockMappedWriteGuard<'a, U>, Self>
    where
        F: FnOnce(&mut T) -> Option<&mut U>,
    {
        let data: *mut U = match f(&mut this) {
            Some(part) => part,
            None => return Err(this),
        };
        Ok(this.into_part(data))
    }

    /// Goes on reading a part of the value; other readers may read as well.
    ///
    /// # Examples
    /// ```
    /// use zokio_sync::{RwLock, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new((1, 2));
    /// let part = RwLockWriteGuard::downgrade_map(lock.try_write().unwrap(), |pair| &pair.1);
    /// assert_eq!(*part, 2);
    /// assert!(lock.try_read().is_ok());
    /// ```
    #[inline]
    pub fn downgrade_map<F, U: ?Sized>(this: Self, f: F) -> RwLockReadGuard<'a, U>
    where
        F: FnOnce(&T) -> &U,
    {
        let data: *const U = f(&this);
        RwLockReadGuard::with(this.into_reading(), data)
    }

    /// Goes on reading a part of the value, if there is one.
    ///
    /// # Errors
    /// Returns the guard, still for writing, if `f` returns none.
    ///
    /// # Examples
    /// ```
    /// use zokio_sync::{RwLock, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new(vec![1]);
    /// let guard = lock.try_write().unwrap();
    /// assert!(RwLockWriteGuard::try_downgrade_map(guard, |list| list.get(0)).is_ok());
    /// ```
    #[inline]
    pub fn try_downgrade_map<F, U: ?Sized>(this: Self, f: F) -> Result<RwLockReadGuard<'a, U>, Self>
    where
        F: FnOnce(&T) -> Option<&U>,
    {
        let data: *const U = match f(&this) {
            Some(part) => part,
            None => return Err(this),
        };
        Ok(RwLockReadGuard::with(this.into_reading(), data))
    }

    /// A guard of the type that [`map`](Self::map) makes, for the whole value.
    ///
    /// # Examples
    /// ```
    /// use zokio_sync::{RwLock, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new(1);
    /// *RwLockWriteGuard::into_mapped(lock.try_write().unwrap()) = 2;
    /// ```
    #[inline]
    pub fn into_mapped(this: Self) -> RwLockMappedWriteGuard<'a, T> {
        let data = this.data;
        this.into_part(data)
    }

    /// Goes on reading; other readers may read as well. No writer comes in between.
    ///
    /// # Examples
    /// ```
    /// let lock = zokio_sync::RwLock::new(1);
    /// let mut writer = lock.try_write().unwrap();
    /// *writer = 2;
    /// let reader = writer.downgrade();
    /// assert_eq!(*reader, *lock.try_read().unwrap());
    /// ```
    pub fn downgrade(self) -> RwLockReadGuard<'a, T> {
        let data = self.data;
        RwLockReadGuard::with(self.into_reading(), data)
    }
}

impl<'a, T: ?Sized> Drop for RwLockWriteGuard<'a, T> {
    fn drop(&mut self) {
        self.semaphore.release(self.max_readers as usize);
    }
}

/// Holds a [`RwLock`] for writing, and gives access to a part of its value. Made by
/// [`RwLockWriteGuard::map`].
pub struct RwLockMappedWriteGuard<'a, T: ?Sized> {
    max_readers: u32,
    semaphore: &'a Semaphore,
    data: *mut T,
    marker: PhantomData<&'a mut T>,
}

// SAFETY: the guard is the only access to the part.
unsafe impl<T: ?Sized + Send + Sync> Send for RwLockMappedWriteGuard<'_, T> {}
// SAFETY: a shared guard gives out shared references to the part.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLockMappedWriteGuard<'_, T> {}

exclusive_guard!(['a, T: ?Sized] RwLockMappedWriteGuard<'a, T> => T);

impl<'a, T: ?Sized> RwLockMappedWriteGuard<'a, T> {
    fn into_part<U: ?Sized>(self, data: *mut U) -> RwLockMappedWriteGuard<'a, U> {
        let this = ManuallyDrop::new(self);
        RwLockMappedWriteGuard {
            max_readers: this.max_readers,
            semaphore: this.semaphore,
            data,
            marker: PhantomData,
        }
    }

    /// Goes on with a part of the part.
    ///
    /// # Examples
    /// ```
    /// use zokio_sync::{RwLock, RwLockMappedWriteGuard, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new(((1, 2), 3));
    /// let pair = RwLockWriteGuard::map(lock.try_write().unwrap(), |value| &mut value.0);
    /// *RwLockMappedWriteGuard::map(pair, |pair| &mut pair.1) = 4;
    /// ```
    #[inline]
    pub fn map<F, U: ?Sized>(mut this: Self, f: F) -> RwLockMappedWriteGuard<'a, U>
    where
        F: FnOnce(&mut T) -> &mut U,
    {
        let data: *mut U = f(&mut this);
        this.into_part(data)
    }

    /// Goes on with a part of the part, if there is one.
    ///
    /// # Errors
    /// Returns the guard if `f` returns none.
    ///
    /// # Examples
    /// ```
    /// use zokio_sync::{RwLock, RwLockMappedWriteGuard, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new((vec![1], 2));
    /// let list = RwLockWriteGuard::map(lock.try_write().unwrap(), |value| &mut value.0);
    /// assert!(RwLockMappedWriteGuard::try_map(list, |list| list.get_mut(5)).is_err());
    /// ```
    #[inline]
    pub fn try_map<F, U: ?Sized>(
        mut this: Self,
        f: F,
    ) -> Result<RwLockMappedWriteGuard<'a, U>, Self>
    where
        F: FnOnce(&mut T) -> Option<&mut U>,
    {
        let data: *mut U = match f(&mut this) {
            Some(part) => part,
            None => return Err(this),
        };
        Ok(this.into_part(data))
    }
}

impl<'a, T: ?Sized> Drop for RwLockMappedWriteGuard<'a, T> {
    fn drop(&mut self) {
        self.semaphore.release(self.max_readers as usize);
    }
}
