//! A counting semaphore: permits that limit how much goes on at once.
//!
//! The algorithm is in [`core`](self::core); this file is the API.

pub(crate) mod core;
#[cfg(all(test, zokio_loom))]
mod model;
#[cfg(all(test, not(zokio_model)))]
mod tests;

use self::core::TryError;
use std::error::Error;
use std::fmt;
use zokio_base::sync::Arc;

/// The semaphore was closed. See [`Semaphore::close`].
#[derive(Debug)]
pub struct AcquireError(());

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("semaphore closed")
    }
}

impl Error for AcquireError {}

impl AcquireError {
    pub(crate) fn closed(_: core::Closed) -> Self {
        Self(())
    }
}

/// Why [`Semaphore::try_acquire`] took no permit.
#[derive(Debug, PartialEq, Eq)]
pub enum TryAcquireError {
    /// The semaphore was closed.
    Closed,
    /// Too few permits are free.
    NoPermits,
}

impl From<TryError> for TryAcquireError {
    fn from(error: TryError) -> Self {
        match error {
            TryError::Closed => Self::Closed,
            TryError::NoPermits => Self::NoPermits,
        }
    }
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryAcquireError::Closed => "semaphore closed",
            TryAcquireError::NoPermits => "no permits available",
        })
    }
}

impl Error for TryAcquireError {}

/// Hands out a limited number of permits.
///
/// Permits go to tasks in the order in which they asked. A task that asks for many is not
/// overtaken by those that ask for few: it collects permits as they come back.
///
/// # Examples
/// ```
/// # zokio_task::block_on::block_on(async {
/// let semaphore = zokio_sync::Semaphore::new(2);
/// let first = semaphore.acquire().await.unwrap();
/// let second = semaphore.acquire().await.unwrap();
/// assert!(semaphore.try_acquire().is_err());
/// drop(first);
/// assert_eq!(semaphore.available_permits(), 1);
/// # drop(second);
/// # });
/// ```
#[derive(Debug)]
pub struct Semaphore {
    core: core::Semaphore,
}

impl Semaphore {
    /// The greatest number of permits a semaphore can have.
    pub const MAX_PERMITS: usize = core::MAX_PERMITS;

    /// Makes a semaphore with `permits` permits.
    ///
    /// # Panics
    /// If `permits` is greater than [`MAX_PERMITS`](Self::MAX_PERMITS).
    ///
    /// # Examples
    /// ```
    /// let semaphore = zokio_sync::Semaphore::new(3);
    /// assert_eq!(semaphore.available_permits(), 3);
    /// ```
    #[track_caller]
    pub fn new(permits: usize) -> Self {
        assert!(
            permits <= Self::MAX_PERMITS,
            "a semaphore may not have more than MAX_PERMITS permits ({})",
            Self::MAX_PERMITS
        );
        Self {
            core: core::Semaphore::new(permits),
        }
    }

    /// As [`new`](Self::new), for statics.
    ///
    /// # Panics
    /// If `permits` is greater than [`MAX_PERMITS`](Self::MAX_PERMITS): at compile time in a
    /// static.
    ///
    /// # Examples
    /// ```
    /// static LIMIT: zokio_sync::Semaphore = zokio_sync::Semaphore::const_new(3);
    /// assert!(LIMIT.try_acquire().is_ok());
    /// ```
    #[cfg(not(zokio_loom))]
    pub const fn const_new(permits: usize) -> Self {
        assert!(
            permits <= Self::MAX_PERMITS,
            "a semaphore may not have more than MAX_PERMITS permits"
        );
        Self {
            core: core::Semaphore::new(permits),
        }
    }

    /// How many permits are free.
    ///
    /// # Examples
    /// ```
    /// let semaphore = zokio_sync::Semaphore::new(3);
    /// let _permit = semaphore.try_acquire().unwrap();
    /// assert_eq!(semaphore.available_permits(), 2);
    /// ```
    pub fn available_permits(&self) -> usize {
        self.core.available()
    }

    /// Adds `n` permits.
    ///
    /// # Panics
    /// If there would be more than [`MAX_PERMITS`](Self::MAX_PERMITS).
    ///
    /// # Examples
    /// ```
    /// let semaphore = zokio_sync::Semaphore::new(0);
    /// semaphore.add_permits(2);
    /// assert_eq!(semaphore.available_permits(), 2);
    /// ```
    pub fn add_permits(&self, n: usize) {
        self.core.release(n);
    }

    /// Takes up to `n` free permits away for good, and returns how many it were. Fewer are free
    /// where tasks hold them.
    ///
    /// # Examples
    /// ```
    /// let semaphore = zokio_sync::Semaphore::new(3);
    /// assert_eq!(semaphore.forget_permits(2), 2);
    /// assert_eq!(semaphore.forget_permits(2), 1);
    /// ```
    pub fn forget_permits(&self, n: usize) -> usize {
        self.core.forget(n)
    }

    /// Waits for a permit.
    ///
    /// # Errors
    /// If the semaphore is closed, or is closed while the task waits.
    ///
    /// # Cancel safety
    /// Dropping the future loses the place in the queue, and nothing else.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// let semaphore = zokio_sync::Semaphore::new(1);
    /// let permit = semaphore.acquire().await.unwrap();
    /// assert_eq!(semaphore.available_permits(), 0);
    /// # drop(permit);
    /// # });
    /// ```
    pub async fn acquire(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.acquire_many(1).await
    }

    /// Waits for `n` permits at once.
    ///
    /// # Errors
    /// If the semaphore is closed, or is closed while the task waits.
    ///
    /// # Cancel safety
    /// Dropping the future loses the place in the queue; permits that it had collected go to the
    /// next.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// let semaphore = zokio_sync::Semaphore::new(5);
    /// let permits = semaphore.acquire_many(3).await.unwrap();
    /// assert_eq!(permits.num_permits(), 3);
    /// # });
    /// ```
    pub async fn acquire_many(&self, n: u32) -> Result<SemaphorePermit<'_>, AcquireError> {
        let acquired = self.core.acquire(n as usize).await;
        acquired.map_err(AcquireError::closed)?;
        Ok(self.permit(n as usize))
    }

    /// Takes a permit if one is free.
    ///
    /// # Errors
    /// If none is free, or the semaphore is closed.
    ///
    /// # Examples
    /// ```
    /// use zokio_sync::{Semaphore, TryAcquireError};
    ///
    /// let semaphore = Semaphore::new(1);
    /// let _permit = semaphore.try_acquire().unwrap();
    /// assert_eq!(semaphore.try_acquire().err(), Some(TryAcquireError::NoPermits));
    /// ```
    pub fn try_acquire(&self) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.try_acquire_many(1)
    }

    /// Takes `n` permits if that many are free.
    ///
    /// # Errors
    /// If fewer are free, or the semaphore is closed.
    ///
    /// # Examples
    /// ```
    /// let semaphore = zokio_sync::Semaphore::new(3);
    /// assert!(semaphore.try_acquire_many(4).is_err());
    /// assert!(semaphore.try_acquire_many(3).is_ok());
    /// ```
    pub fn try_acquire_many(&self, n: u32) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.core.try_acquire(n as usize)?;
        Ok(self.permit(n as usize))
    }

    /// As [`acquire`](Self::acquire), with a permit that keeps the semaphore alive itself.
    ///
    /// # Errors
    /// As for [`acquire`](Self::acquire).
    ///
    /// # Cancel safety
    /// As for [`acquire`](Self::acquire).
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use zokio_sync::Semaphore;
    ///
    /// # zokio_task::block_on::block_on(async {
    /// let semaphore = Arc::new(Semaphore::new(1));
    /// let permit = semaphore.clone().acquire_owned().await.unwrap();
    /// std::thread::spawn(move || drop(permit)).join().unwrap();
    /// assert_eq!(semaphore.available_permits(), 1);
    /// # });
    /// ```
    pub async fn acquire_owned(self: Arc<Self>) -> Result<OwnedSemaphorePermit, AcquireError> {
        self.acquire_many_owned(1).await
    }

    /// As [`acquire_many`](Self::acquire_many), with permits that keep the semaphore alive
    /// themselves.
    ///
    /// # Errors
    /// As for [`acquire_many`](Self::acquire_many).
    ///
    /// # Cancel safety
    /// As for [`acquire_many`](Self::acquire_many).
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use zokio_sync::Semaphore;
    ///
    /// # zokio_task::block_on::block_on(async {
    /// let semaphore = Arc::new(Semaphore::new(5));
    /// let permits = semaphore.clone().acquire_many_owned(3).await.unwrap();
    /// assert_eq!(semaphore.available_permits(), 2);
    /// # drop(permits);
    /// # });
    /// ```
    pub async fn acquire_many_owned(
        self: Arc<Self>,
        n: u32,
    ) -> Result<OwnedSemaphorePermit, AcquireError> {
        let acquired = self.core.acquire(n as usize).await;
        acquired.map_err(AcquireError::closed)?;
        Ok(OwnedSemaphorePermit {
            semaphore: self,
            count: n as usize,
        })
    }

    /// As [`try_acquire`](Self::try_acquire), with a permit that keeps the semaphore alive itself.
    ///
    /// # Errors
    /// As for [`try_acquire`](Self::try_acquire).
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use zokio_sync::Semaphore;
    ///
    /// let semaphore = Arc::new(Semaphore::new(1));
    /// let permit = semaphore.clone().try_acquire_owned().unwrap();
    /// assert!(semaphore.try_acquire_owned().is_err());
    /// ```
    pub fn try_acquire_owned(self: Arc<Self>) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        self.try_acquire_many_owned(1)
    }

    /// As [`try_acquire_many`](Self::try_acquire_many), with permits that keep the semaphore alive
    /// themselves.
    ///
    /// # Errors
    /// As for [`try_acquire_many`](Self::try_acquire_many).
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use zokio_sync::Semaphore;
    ///
    /// let semaphore = Arc::new(Semaphore::new(3));
    /// let permits = semaphore.try_acquire_many_owned(2).unwrap();
    /// assert_eq!(permits.num_permits(), 2);
    /// ```
    pub fn try_acquire_many_owned(
        self: Arc<Self>,
        n: u32,
    ) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        self.core.try_acquire(n as usize)?;
        Ok(OwnedSemaphorePermit {
            semaphore: self,
            count: n as usize,
        })
    }

    /// As [`acquire`](Self::acquire), on a thread that may block.
    ///
    /// # Errors
    /// As for [`acquire`](Self::acquire).
    ///
    /// # Panics
    /// On a thread that drives tasks.
    ///
    /// # Examples
    /// ```
    /// let semaphore = zokio_sync::Semaphore::new(1);
    /// let permit = semaphore.blocking_acquire().unwrap();
    /// # drop(permit);
    /// ```
    #[track_caller]
    pub fn blocking_acquire(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        crate::blocking::block_on(self.acquire())
    }

    /// As [`acquire_many`](Self::acquire_many), on a thread that may block.
    ///
    /// # Errors
    /// As for [`acquire_many`](Self::acquire_many).
    ///
    /// # Panics
    /// On a thread that drives tasks.
    ///
    /// # Examples
    /// ```
    /// let semaphore = zokio_sync::Semaphore::new(3);
    /// assert_eq!(semaphore.blocking_acquire_many(2).unwrap().num_permits(), 2);
    /// ```
    #[track_caller]
    pub fn blocking_acquire_many(&self, n: u32) -> Result<SemaphorePermit<'_>, AcquireError> {
        crate::blocking::block_on(self.acquire_many(n))
    }

    /// As [`acquire_owned`](Self::acquire_owned), on a thread that may block.
    ///
    /// # Errors
    /// As for [`acquire`](Self::acquire).
    ///
    /// # Panics
    /// On a thread that drives tasks.
    ///
    /// # Examples
    /// ```
    /// let semaphore = std::sync::Arc::new(zokio_sync::Semaphore::new(1));
    /// let permit = semaphore.blocking_acquire_owned().unwrap();
    /// # drop(permit);
    /// ```
    #[track_caller]
    pub fn blocking_acquire_owned(self: Arc<Self>) -> Result<OwnedSemaphorePermit, AcquireError> {
        crate::blocking::block_on(self.acquire_owned())
    }

    /// As [`acquire_many_owned`](Self::acquire_many_owned), on a thread that may block.
    ///
    /// # Errors
    /// As for [`acquire_many`](Self::acquire_many).
    ///
    /// # Panics
    /// On a thread that drives tasks.
    ///
    /// # Examples
    /// ```
    /// let semaphore = std::sync::Arc::new(zokio_sync::Semaphore::new(3));
    /// let permits = semaphore.blocking_acquire_many_owned(2).unwrap();
    /// # drop(permits);
    /// ```
    #[track_caller]
    pub fn blocking_acquire_many_owned(
        self: Arc<Self>,
        n: u32,
    ) -> Result<OwnedSemaphorePermit, AcquireError> {
        crate::blocking::block_on(self.acquire_many_owned(n))
    }

    /// Hands out no more permits, now or later. Tasks that wait fail.
    ///
    /// # Examples
    /// ```
    /// let semaphore = zokio_sync::Semaphore::new(1);
    /// semaphore.close();
    /// assert!(semaphore.try_acquire().is_err());
    /// ```
    pub fn close(&self) {
        self.core.close();
    }

    /// Whether the semaphore was closed.
    ///
    /// # Examples
    /// ```
    /// let semaphore = zokio_sync::Semaphore::new(1);
    /// semaphore.close();
    /// assert!(semaphore.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.core.is_closed()
    }

    fn permit(&self, count: usize) -> SemaphorePermit<'_> {
        SemaphorePermit {
            semaphore: self,
            count,
        }
    }
}

/// Permits of a [`Semaphore`]. They are given back when this is dropped.
#[must_use]
#[derive(Debug)]
pub struct SemaphorePermit<'a> {
    semaphore: &'a Semaphore,
    count: usize,
}

impl<'a> SemaphorePermit<'a> {
    /// Drops the permits without giving them back: the semaphore has fewer from now on.
    ///
    /// # Examples
    /// ```
    /// let semaphore = zokio_sync::Semaphore::new(2);
    /// semaphore.try_acquire().unwrap().forget();
    /// assert_eq!(semaphore.available_permits(), 1);
    /// ```
    pub fn forget(mut self) {
        self.count = 0;
    }

    /// Adds the permits of `other` to these.
    ///
    /// # Panics
    /// If they belong to different semaphores.
    ///
    /// # Examples
    /// ```
    /// let semaphore = zokio_sync::Semaphore::new(2);
    /// let mut permits = semaphore.try_acquire().unwrap();
    /// permits.merge(semaphore.try_acquire().unwrap());
    /// assert_eq!(permits.num_permits(), 2);
    /// ```
    #[track_caller]
    pub fn merge(&mut self, mut other: Self) {
        assert!(
            std::ptr::eq(self.semaphore, other.semaphore),
            "merging permits from different semaphore instances"
        );
        self.count += std::mem::take(&mut other.count);
    }

    /// Takes `n` of these permits into an object of their own. None if there are fewer.
    ///
    /// # Examples
    /// ```
    /// let semaphore = zokio_sync::Semaphore::new(3);
    /// let mut permits = semaphore.try_acquire_many(3).unwrap();
    /// let two = permits.split(2).unwrap();
    /// assert_eq!((permits.num_permits(), two.num_permits()), (1, 2));
    /// ```
    pub fn split(&mut self, n: usize) -> Option<Self> {
        self.count = self.count.checked_sub(n)?;
        Some(SemaphorePermit {
            semaphore: self.semaphore,
            count: n,
        })
    }

    /// How many permits these are.
    ///
    /// # Examples
    /// ```
    /// let semaphore = zokio_sync::Semaphore::new(3);
    /// assert_eq!(semaphore.try_acquire_many(2).unwrap().num_permits(), 2);
    /// ```
    pub fn num_permits(&self) -> usize {
        self.count
    }

    /// The semaphore that the permits belong to.
    ///
    /// # Examples
    /// ```
    /// let semaphore = zokio_sync::Semaphore::new(3);
    /// let permit = semaphore.try_acquire().unwrap();
    /// assert_eq!(permit.semaphore().available_permits(), 2);
    /// ```
    pub fn semaphore(&self) -> &Semaphore {
        self.semaphore
    }
}

impl Drop for SemaphorePermit<'_> {
    fn drop(&mut self) {
        self.semaphore.core.release(self.count);
    }
}

/// Permits that keep their [`Semaphore`] alive. They are given back when this is dropped.
#[must_use]
#[derive(Debug)]
pub struct OwnedSemaphorePermit {
    semaphore: Arc<Semaphore>,
    count: usize,
}

impl OwnedSemaphorePermit {
    /// Drops the permits without giving them back: the semaphore has fewer from now on.
    ///
    /// # Examples
    /// ```
    /// let semaphore = std::sync::Arc::new(zokio_sync::Semaphore::new(2));
    /// semaphore.clone().try_acquire_owned().unwrap().forget();
    /// assert_eq!(semaphore.available_permits(), 1);
    /// ```
    pub fn forget(mut self) {
        self.count = 0;
    }

    /// Adds the permits of `other` to these.
    ///
    /// # Panics
    /// If they belong to different semaphores.
    ///
    /// # Examples
    /// ```
    /// let semaphore = std::sync::Arc::new(zokio_sync::Semaphore::new(2));
    /// let mut permits = semaphore.clone().try_acquire_owned().unwrap();
    /// permits.merge(semaphore.try_acquire_owned().unwrap());
    /// assert_eq!(permits.num_permits(), 2);
    /// ```
    #[track_caller]
    pub fn merge(&mut self, mut other: Self) {
        assert!(
            Arc::ptr_eq(&self.semaphore, &other.semaphore),
            "merging permits from different semaphore instances"
        );
        self.count += std::mem::take(&mut other.count);
    }

    /// Takes `n` of these permits into an object of their own. None if there are fewer.
    ///
    /// # Examples
    /// ```
    /// let semaphore = std::sync::Arc::new(zokio_sync::Semaphore::new(3));
    /// let mut permits = semaphore.try_acquire_many_owned(3).unwrap();
    /// let two = permits.split(2).unwrap();
    /// assert_eq!((permits.num_permits(), two.num_permits()), (1, 2));
    /// ```
    pub fn split(&mut self, n: usize) -> Option<Self> {
        self.count = self.count.checked_sub(n)?;
        Some(OwnedSemaphorePermit {
            semaphore: self.semaphore.clone(),
            count: n,
        })
    }

    /// How many permits these are.
    ///
    /// # Examples
    /// ```
    /// let semaphore = std::sync::Arc::new(zokio_sync::Semaphore::new(3));
    /// assert_eq!(semaphore.try_acquire_many_owned(2).unwrap().num_permits(), 2);
    /// ```
    pub fn num_permits(&self) -> usize {
        self.count
    }

    /// The semaphore that the permits belong to.
    ///
    /// # Examples
    /// ```
    /// let semaphore = std::sync::Arc::new(zokio_sync::Semaphore::new(3));
    /// let permit = semaphore.try_acquire_owned().unwrap();
    /// assert_eq!(permit.semaphore().available_permits(), 2);
    /// ```
    pub fn semaphore(&self) -> &Arc<Semaphore> {
        &self.semaphore
    }
}

impl Drop for OwnedSemaphorePermit {
    fn drop(&mut self) {
        self.semaphore.core.release(self.count);
    }
}
