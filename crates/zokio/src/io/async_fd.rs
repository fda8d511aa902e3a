//! [`AsyncFd`]: readiness of any descriptor.

use crate::io_driver::{attempt, driver, give_way, interest_of, ready_from, ready_of, worker};
use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::task::{Context, Poll, ready};
use zokio_driver::{Direction, ReadyEvent, Registration};
use zokio_io::{Interest, Ready};
use zokio_task::coop;

/// Ties an object with a descriptor to the runtime, which then tells when it is ready.
///
/// I/O is the user's own: wait for readiness, which returns a guard; try, and if that would block,
/// say so to the guard, or use [`try_io`](AsyncFdReadyGuard::try_io), which does it. The descriptor
/// has to be in non-blocking mode, must be one that the system can watch (files are not), and must
/// stay the same and open while it is in here.
///
/// # Examples
/// ```
/// use std::io::{Read, Write};
/// use std::os::unix::net::UnixStream;
/// use zokio::io::unix::AsyncFd;
///
/// # #[zokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let (near, mut far) = UnixStream::pair()?;
/// near.set_nonblocking(true)?;
/// // SAFETY: the stream keeps its descriptor open until it is dropped.
/// let near = unsafe { AsyncFd::register(near) }?;
/// far.write_all(b"hello")?;
/// let mut buf = [0; 64];
/// let read = loop {
///     let mut guard = near.readable().await?;
///     match guard.try_io(|near| near.get_ref().read(&mut buf)) {
///         Ok(result) => break result?,
///         Err(_would_block) => continue,
///     }
/// };
/// assert_eq!(&buf[..read], b"hello");
/// # Ok(()) }
/// ```
pub struct AsyncFd<T: AsRawFd> {
    registration: Registration,
    /// None only while the value is taken apart.
    inner: Option<T>,
}

const TAKEN: &str = "the object is there until it is taken out for good";

const ALL: Interest = Interest::READABLE.add(Interest::WRITABLE);

impl<T: AsRawFd> AsyncFd<T> {
    /// Ties an object to the current runtime, for reading and writing.
    ///
    /// # Errors
    /// The errors of registering the descriptor with the system: `PermissionDenied` if it cannot be watched
    /// (a file on a disk, for example), `AlreadyExists` if it is registered already; or that the runtime
    /// has shut down.
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O.
    #[deprecated = "use AsyncFd::register"]
    #[track_caller]
    pub fn new(inner: T) -> io::Result<Self> {
        Ok(Self::tie(inner, ALL)?)
    }

    /// As `new`, for the interest that is given.
    ///
    /// # Errors
    /// The errors of registering the descriptor with the system: `PermissionDenied` if it cannot be watched
    /// (a file on a disk, for example), `AlreadyExists` if it is registered already; or that the runtime
    /// has shut down.
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O.
    #[deprecated = "use AsyncFd::register_with_interest"]
    #[track_caller]
    pub fn with_interest(inner: T, interest: Interest) -> io::Result<Self> {
        Ok(Self::tie(inner, interest)?)
    }

    /// As `new`, but an error gives the object back.
    ///
    /// # Errors
    /// The errors of registering the descriptor with the system: `PermissionDenied` if it cannot be watched
    /// (a file on a disk, for example), `AlreadyExists` if it is registered already; or that the runtime
    /// has shut down.
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O.
    #[deprecated = "use AsyncFd::register"]
    #[track_caller]
    pub fn try_new(inner: T) -> Result<Self, AsyncFdRegisterError<T>> {
        Self::tie(inner, ALL)
    }

    /// As `with_interest`, but an error gives the object back.
    ///
    /// # Errors
    /// The errors of registering the descriptor with the system: `PermissionDenied` if it cannot be watched
    /// (a file on a disk, for example), `AlreadyExists` if it is registered already; or that the runtime
    /// has shut down.
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O.
    #[deprecated = "use AsyncFd::register_with_interest"]
    #[track_caller]
    pub fn try_with_interest(
        inner: T,
        interest: Interest,
    ) -> Result<Self, AsyncFdRegisterError<T>> {
        Self::tie(inner, interest)
    }

    /// Ties an object to the current runtime, for reading and writing.
    ///
    /// # Safety
    /// `as_raw_fd` must return the same descriptor every time, and it must stay open until the
    /// `AsyncFd` is dropped or taken apart.
    ///
    /// # Errors
    /// The errors of registering the descriptor with the system: `PermissionDenied` if it cannot be watched
    /// (a file on a disk, for example), `AlreadyExists` if it is registered already; or that the runtime
    /// has shut down. The object comes back with the error.
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O.
    #[track_caller]
    #[allow(unsafe_code)] // The promise is the caller's; nothing unsafe is done here.
    pub unsafe fn register(inner: T) -> Result<Self, AsyncFdRegisterError<T>> {
        Self::tie(inner, ALL)
    }

    /// As [`register`](Self::register), for the interest that is given.
    ///
    /// # Safety
    /// As for [`register`](Self::register).
    ///
    /// # Errors
    /// As for [`register`](Self::register).
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O.
    #[track_caller]
    #[allow(unsafe_code)] // The promise is the caller's; nothing unsafe is done here.
    pub unsafe fn register_with_interest(
        inner: T,
        interest: Interest,
    ) -> Result<Self, AsyncFdRegisterError<T>> {
        Self::tie(inner, interest)
    }

    #[track_caller]
    fn tie(inner: T, interest: Interest) -> Result<Self, AsyncFdRegisterError<T>> {
        let registration = Registration::new(driver(), inner.as_raw_fd(), interest_of(interest));
        // At once, so that a descriptor that cannot be watched is an error here.
        match registration.attach(worker) {
            Ok(()) => Ok(Self {
                registration,
                inner: Some(inner),
            }),
            Err(cause) => Err(AsyncFdRegisterError { inner, cause }),
        }
    }

    /// The object.
    pub fn get_ref(&self) -> &T {
        self.inner.as_ref().expect(TAKEN)
    }

    /// The object. Its descriptor must not be exchanged.
    pub fn get_mut(&mut self) -> &mut T {
        self.inner.as_mut().expect(TAKEN)
    }

    /// Unties the object and gives it away.
    pub fn into_inner(mut self) -> T {
        self.untie();
        self.inner.take().expect(TAKEN)
    }

    fn untie(&mut self) {
        // A descriptor that was closed already has left the set by itself.
        let _ = self.registration.deregister();
    }

    /// Polls for reading. Of several tasks that poll, the last is woken.
    ///
    /// # Errors
    /// If the runtime has shut down.
    pub fn poll_read_ready<'a>(
        &'a self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyGuard<'a, T>>> {
        let event = ready!(self.poll_event(cx, Direction::Read))?;
        Poll::Ready(Ok(self.guard(event)))
    }

    /// As [`poll_read_ready`](Self::poll_read_ready), with a guard that gives exclusive access.
    ///
    /// # Errors
    /// If the runtime has shut down.
    pub fn poll_read_ready_mut<'a>(
        &'a mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyMutGuard<'a, T>>> {
        let event = ready!(self.poll_event(cx, Direction::Read))?;
        Poll::Ready(Ok(self.guard_mut(event)))
    }

    /// Polls for writing. Of several tasks that poll, the last is woken.
    ///
    /// # Errors
    /// If the runtime has shut down.
    pub fn poll_write_ready<'a>(
        &'a self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyGuard<'a, T>>> {
        let event = ready!(self.poll_event(cx, Direction::Write))?;
        Poll::Ready(Ok(self.guard(event)))
    }

    /// As [`poll_write_ready`](Self::poll_write_ready), with a guard that gives exclusive access.
    ///
    /// # Errors
    /// If the runtime has shut down.
    pub fn poll_write_ready_mut<'a>(
        &'a mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyMutGuard<'a, T>>> {
        let event = ready!(self.poll_event(cx, Direction::Write))?;
        Poll::Ready(Ok(self.guard_mut(event)))
    }

    fn poll_event(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
    ) -> Poll<io::Result<ReadyEvent>> {
        let unit = ready!(coop::poll_proceed(cx));
        let event = ready!(self.registration.poll_ready(cx, direction, worker));
        unit.made_progress();
        Poll::Ready(event)
    }

    fn guard(&self, event: ReadyEvent) -> AsyncFdReadyGuard<'_, T> {
        AsyncFdReadyGuard {
            async_fd: self,
            event: Some(event),
        }
    }

    fn guard_mut(&mut self, event: ReadyEvent) -> AsyncFdReadyMutGuard<'_, T> {
        AsyncFdReadyMutGuard {
            async_fd: self,
            event: Some(event),
        }
    }

    /// Waits until the descriptor is ready for a part of `interest`. Any number of tasks may wait.
    ///
    /// # Errors
    /// If the runtime has shut down.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn ready(&self, interest: Interest) -> io::Result<AsyncFdReadyGuard<'_, T>> {
        let event = wait(&self.registration, interest).await?;
        Ok(self.guard(event))
    }

    /// As [`ready`](Self::ready), with a guard that gives exclusive access.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn ready_mut(
        &mut self,
        interest: Interest,
    ) -> io::Result<AsyncFdReadyMutGuard<'_, T>> {
        let event = wait(&self.registration, interest).await?;
        Ok(self.guard_mut(event))
    }

    /// Waits until a read would not block.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    #[allow(clippy::needless_lifetimes)] // The lifetime is part of the public shape.
    pub async fn readable<'a>(&'a self) -> io::Result<AsyncFdReadyGuard<'a, T>> {
        self.ready(Interest::READABLE).await
    }

    /// As [`readable`](Self::readable), with a guard that gives exclusive access.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    #[allow(clippy::needless_lifetimes)] // The lifetime is part of the public shape.
    pub async fn readable_mut<'a>(&'a mut self) -> io::Result<AsyncFdReadyMutGuard<'a, T>> {
        self.ready_mut(Interest::READABLE).await
    }

    /// Waits until a write would not block.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    #[allow(clippy::needless_lifetimes)] // The lifetime is part of the public shape.
    pub async fn writable<'a>(&'a self) -> io::Result<AsyncFdReadyGuard<'a, T>> {
        self.ready(Interest::WRITABLE).await
    }

    /// As [`writable`](Self::writable), with a guard that gives exclusive access.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    #[allow(clippy::needless_lifetimes)] // The lifetime is part of the public shape.
    pub async fn writable_mut<'a>(&'a mut self) -> io::Result<AsyncFdReadyMutGuard<'a, T>> {
        self.ready_mut(Interest::WRITABLE).await
    }

    /// Runs `f` whenever the descriptor is ready for `interest`, until it does not return
    /// `WouldBlock`.
    ///
    /// # Errors
    /// The errors of `f`; or that the runtime has shut down.
    ///
    /// # Cancel safety
    /// The future is dropped between runs of `f` only.
    pub async fn async_io<R>(
        &self,
        interest: Interest,
        mut f: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        loop {
            let event = wait(&self.registration, interest).await?;
            match attempt(|| f(self.get_ref())).await {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.registration.clear_readiness(event);
                    give_way(event).await;
                }
                result => return result,
            }
        }
    }

    /// As [`async_io`](Self::async_io), with exclusive access.
    ///
    /// # Errors
    /// As [`async_io`](Self::async_io).
    ///
    /// # Cancel safety
    /// The future is dropped between runs of `f` only.
    pub async fn async_io_mut<R>(
        &mut self,
        interest: Interest,
        mut f: impl FnMut(&mut T) -> io::Result<R>,
    ) -> io::Result<R> {
        loop {
            let event = wait(&self.registration, interest).await?;
            match attempt(|| f(self.get_mut())).await {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.registration.clear_readiness(event);
                    give_way(event).await;
                }
                result => return result,
            }
        }
    }

    /// Runs `f` once, if the descriptor is ready for `interest`.
    ///
    /// # Errors
    /// `WouldBlock` if it is not; otherwise what `f` returns.
    pub fn try_io<R>(
        &self,
        interest: Interest,
        f: impl FnOnce(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        self.registration
            .try_io(interest_of(interest), worker, || f(self.get_ref()))
    }

    /// As [`try_io`](Self::try_io), with exclusive access.
    ///
    /// # Errors
    /// As [`try_io`](Self::try_io).
    pub fn try_io_mut<R>(
        &mut self,
        interest: Interest,
        f: impl FnOnce(&mut T) -> io::Result<R>,
    ) -> io::Result<R> {
        let Self {
            registration,
            inner,
        } = self;
        let inner = inner.as_mut().expect(TAKEN);
        registration.try_io(interest_of(interest), worker, || f(inner))
    }
}

/// Waits for `interest`. A function of the registration alone, so that whoever has exclusive access can
/// wait on any thread although the object may not be shared between threads.
async fn wait(registration: &Registration, interest: Interest) -> io::Result<ReadyEvent> {
    registration.readiness(interest_of(interest), worker).await
}

impl<T: AsRawFd> AsRawFd for AsyncFd<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.get_ref().as_raw_fd()
    }
}

impl<T: AsRawFd> AsFd for AsyncFd<T> {
    #[allow(unsafe_code)] // The object is known by its raw descriptor only.
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: whoever made the `AsyncFd` promised that the descriptor stays open while it is
        // in here.
        unsafe { BorrowedFd::borrow_raw(self.as_raw_fd()) }
    }
}

impl<T: AsRawFd + fmt::Debug> fmt::Debug for AsyncFd<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncFd")
            .field("inner", &self.inner)
            .finish()
    }
}

impl<T: AsRawFd> Drop for AsyncFd<T> {
    fn drop(&mut self) {
        self.untie();
    }
}

/// The methods that the two guards have in common.
macro_rules! guard_methods {
    () => {
        /// Says that an operation would have blocked: the descriptor counts as not ready until the
        /// system says otherwise. Do this only after an operation did return `WouldBlock`.
        pub fn clear_ready(&mut self) {
            if let Some(event) = self.event.take() {
                self.async_fd.registration.clear_readiness(event);
            }
        }

        /// As [`clear_ready`](Self::clear_ready), for the states that are given only. The others
        /// stay with the guard.
        pub fn clear_ready_matching(&mut self, ready: Ready) {
            if let Some(event) = self.event.take() {
                // Also what the guard was not made for: one operation may block in a direction that
                // nobody has waited for.
                let cleared = event.with_ready(ready_from(ready));
                self.async_fd.registration.clear_readiness(cleared);
                let left = event.ready() - ready_from(ready);
                self.event = (!left.is_empty()).then_some(event.with_ready(left));
            }
        }

        /// Says that the descriptor is still ready, as far as is known. Dropping the guard says the
        /// same; this method makes it visible.
        pub fn retain_ready(&mut self) {}

        /// The readiness that the descriptor had.
        pub fn ready(&self) -> Ready {
            self.event
                .map_or(Ready::EMPTY, |event| ready_of(event.ready()))
        }
    };
}

/// Says that a descriptor was ready, and takes note if it is not any more.
#[must_use = "You must explicitly choose whether to clear the readiness state by calling a method on ReadyGuard"]
pub struct AsyncFdReadyGuard<'a, T: AsRawFd> {
    async_fd: &'a AsyncFd<T>,
    event: Option<ReadyEvent>,
}

impl<'a, Inner: AsRawFd> AsyncFdReadyGuard<'a, Inner> {
    guard_methods!();

    /// Runs `f`, and takes note if it returns `WouldBlock`.
    ///
    /// # Errors
    /// [`TryIoError`] if it did; then wait for readiness again.
    pub fn try_io<R>(
        &mut self,
        f: impl FnOnce(&'a AsyncFd<Inner>) -> io::Result<R>,
    ) -> Result<io::Result<R>, TryIoError> {
        match f(self.async_fd) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.clear_ready();
                Err(TryIoError(()))
            }
            result => Ok(result),
        }
    }

    /// The object that the guard is of.
    pub fn get_ref(&self) -> &'a AsyncFd<Inner> {
        self.async_fd
    }

    /// The object with the descriptor.
    pub fn get_inner(&self) -> &'a Inner {
        self.async_fd.get_ref()
    }
}

/// As [`AsyncFdReadyGuard`], with exclusive access.
#[must_use = "You must explicitly choose whether to clear the readiness state by calling a method on ReadyGuard"]
pub struct AsyncFdReadyMutGuard<'a, T: AsRawFd> {
    async_fd: &'a mut AsyncFd<T>,
    event: Option<ReadyEvent>,
}

impl<Inner: AsRawFd> AsyncFdReadyMutGuard<'_, Inner> {
    guard_methods!();

    /// Runs `f`, and takes note if it returns `WouldBlock`.
    ///
    /// # Errors
    /// [`TryIoError`] if it did; then wait for readiness again.
    pub fn try_io<R>(
        &mut self,
        f: impl FnOnce(&mut AsyncFd<Inner>) -> io::Result<R>,
    ) -> Result<io::Result<R>, TryIoError> {
        match f(self.async_fd) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.clear_ready();
                Err(TryIoError(()))
            }
            result => Ok(result),
        }
    }

    /// The object that the guard is of.
    pub fn get_ref(&self) -> &AsyncFd<Inner> {
        self.async_fd
    }

    /// The object that the guard is of.
    pub fn get_mut(&mut self) -> &mut AsyncFd<Inner> {
        self.async_fd
    }

    /// The object with the descriptor.
    pub fn get_inner(&self) -> &Inner {
        self.async_fd.get_ref()
    }

    /// The object with the descriptor.
    pub fn get_inner_mut(&mut self) -> &mut Inner {
        self.async_fd.get_mut()
    }
}

impl<T: AsRawFd + fmt::Debug> fmt::Debug for AsyncFdReadyGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadyGuard")
            .field("async_fd", &self.async_fd)
            .finish()
    }
}

impl<T: AsRawFd + fmt::Debug> fmt::Debug for AsyncFdReadyMutGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MutReadyGuard")
            .field("async_fd", &self.async_fd)
            .finish()
    }
}

/// The operation would have blocked, and the guard took note.
#[derive(Debug)]
pub struct TryIoError(());

/// A descriptor that cannot be watched, with the object it belongs to.
pub struct AsyncFdRegisterError<T> {
    inner: T,
    cause: io::Error,
}

impl<T> AsyncFdRegisterError<T> {
    /// The object and the reason.
    pub fn into_parts(self) -> (T, io::Error) {
        (self.inner, self.cause)
    }
}

impl<T> fmt::Display for AsyncFdRegisterError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl<T> fmt::Debug for AsyncFdRegisterError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl<T> Error for AsyncFdRegisterError<T> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.cause)
    }
}

impl<T> From<AsyncFdRegisterError<T>> for io::Error {
    fn from(error: AsyncFdRegisterError<T>) -> Self {
        error.cause
    }
}
