//! The ground that every socket and pipe of this crate stands on: a source of events, tied to the driver
//! of the runtime it was made in.
//!
//! [`IoSource`] holds the system's object and its registration. A readiness set begins to watch the object
//! with its first operation, and it is the set of the worker that runs the operation. Some objects are
//! watched from the start ([`IoSource::watched`], [`IoSource::attach`]): datagram sockets, Unix streams that
//! are taken over with `from_std`, and the reading ends of pipes.
//!
//! The first operation waits for the set's word. On a connection that was accepted, or made as one end of a
//! pair, it is tried at once, and the set begins to watch when an operation has to wait. An eager runtime
//! does the same with every object (see `zokio_driver::Registration`). Every operation takes one unit of
//! the task's budget when it makes progress.
//!
//! A short transfer of a stream says that the next one would block, which saves trying it. That is
//! true of sets that are edge-triggered, and except where the system stops in front of something:
//!
//! | stops a read | how it is noticed |
//! | --- | --- |
//! | TCP: the mark of urgent data, also of Unix sockets | sets watch streams for it, too ([`STREAM`]); a source that has seen it is read until it blocks |
//! | Unix stream: descriptors or the sender's credentials that come with bytes | the system says with the read that it has cut them off ([`Moved::at_boundary`]) |
//! | Unix socket of records, taken over as a stream | its kind is asked for when it is taken over |
//!
//! Elsewhere than on Linux short reads say nothing.

mod convert;
mod current;
#[cfg(unix)]
mod pause;
#[cfg(not(unix))]
#[path = "other.rs"]
mod system;
#[cfg(unix)]
#[path = "unix.rs"]
mod system;

#[cfg(unix)]
pub(crate) use convert::ready_from;
pub(crate) use convert::{interest_of, ready_of};
#[cfg(unix)]
pub(crate) use current::try_driver;
pub(crate) use current::{driver, worker};
#[cfg(unix)]
pub(crate) use pause::{BackOff, Pause, until_possible};
pub(crate) use system::IoSource;

use bytes::BufMut;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::task::{Context, Poll, ready};
use zokio_driver::{
    Direction, DriverHandle, Interest as DriverInterest, Ready as DriverReady, ReadyEvent,
};
use zokio_io::{Interest, ReadBuf, Ready};
use zokio_task::{context, coop};

/// The interest of a source that can be read and written.
pub(crate) const BOTH: DriverInterest = DriverInterest::READABLE.add(DriverInterest::WRITABLE);

/// The interest in a stream: urgent data, too, because reads stop in front of it.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) const STREAM: DriverInterest = BOTH.add(DriverInterest::PRIORITY);
/// The interest in a stream.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) const STREAM: DriverInterest = BOTH;

/// Whether a short read of a stream says that there is no more.
const SHORT_READ_IS_LAST: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Whether a short write of a stream says that there is no room.
const SHORT_WRITE_IS_LAST: bool = cfg!(unix);

/// The outcome of one transfer of a stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moved {
    pub(crate) bytes: usize,
    /// The system has stopped in front of something: there may be more behind.
    pub(crate) at_boundary: bool,
}

impl From<usize> for Moved {
    fn from(bytes: usize) -> Self {
        Self {
            bytes,
            at_boundary: false,
        }
    }
}

/// The interest of a receiver of datagrams: the network's answer to an earlier datagram is an error of the
/// socket, and told to the receiver.
pub(crate) const RECEIVABLE: Interest = Interest::READABLE.add(Interest::ERROR);

impl<E: fmt::Debug> fmt::Debug for IoSource<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.fmt(f)
    }
}

impl<E> std::ops::Deref for IoSource<E> {
    type Target = E;

    fn deref(&self) -> &E {
        &self.io
    }
}

impl<E> IoSource<E> {
    /// The source, counting as ready for `ready` until an attempt would block.
    pub(crate) fn assuming(mut self, ready: DriverReady) -> Self {
        self.registration.assume(ready);
        self
    }

    /// The driver that the source is tied to.
    pub(crate) fn driver(&self) -> &DriverHandle {
        self.registration.driver()
    }

    /// Waits until the source is ready in `direction`.
    pub(crate) fn poll_ready(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
    ) -> Poll<io::Result<()>> {
        let unit = ready!(coop::poll_proceed(cx));
        let event = ready!(self.registration.poll_ready(cx, direction, worker));
        unit.made_progress();
        Poll::Ready(event.map(|_| ()))
    }

    /// As [`poll_ready`](Self::poll_ready), at no cost to the budget, for a caller that is about to try.
    #[cfg(unix)]
    pub(crate) fn poll_waiting(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
    ) -> Poll<io::Result<()>> {
        self.registration
            .poll_try(cx, direction, worker)
            .map(|event| event.map(|_| ()))
    }

    /// Waits until the source has failed, at no cost to the budget: `take_error` takes its error, if there
    /// is one. A side that is closed need not be a failure.
    pub(crate) fn poll_failure(
        &self,
        cx: &mut Context<'_>,
        take_error: impl FnOnce() -> io::Result<Option<io::Error>>,
    ) -> Poll<io::Error> {
        let failed = match self.registration.watch_failure(cx, worker) {
            Ok(true) => take_error(),
            Ok(false) => Ok(None),
            Err(error) => Err(error),
        };
        match failed.transpose() {
            // The peer has closed its side in good order, and was sent something after that: what it had
            // sent before is still to be read, and so is its end.
            Some(Ok(error)) if error.kind() == ErrorKind::BrokenPipe => Poll::Pending,
            Some(Ok(error) | Err(error)) => Poll::Ready(error),
            None => Poll::Pending,
        }
    }

    /// Runs `operation` until it does not block.
    #[inline]
    pub(crate) fn poll_io<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        operation: impl FnMut() -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        let unit = ready!(coop::poll_proceed(cx));
        let tried = ready!(self.poll_attempts(cx, direction, operation));
        unit.made_progress();
        Poll::Ready(tried.and_then(|(_, result)| result))
    }

    /// Moves bytes of a stream: as [`poll_io`](Self::poll_io), and a transfer of less than `len`
    /// counts as the sign that the next one would block, which saves trying it.
    #[inline]
    pub(crate) fn poll_transfer(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        len: usize,
        operation: impl FnMut() -> io::Result<Moved>,
    ) -> Poll<io::Result<usize>> {
        let unit = ready!(coop::poll_proceed(cx));
        let tried = ready!(self.poll_attempts(cx, direction, operation));
        unit.made_progress();
        Poll::Ready(tried.and_then(|(event, result)| {
            let moved = result?;
            // Sets are edge-triggered: whatever comes after the short transfer is an edge of its own,
            // with a later tick than `event`. A closed side stays marked.
            if 0 < moved.bytes && moved.bytes < len && is_last(direction, event, moved) {
                self.registration.clear_readiness(event);
            }
            Ok(moved.bytes)
        }))
    }

    /// Runs `operation` until it does not block. Returns its result, and what it was tried because of;
    /// an error if there is nothing to wait for any more.
    #[inline]
    fn poll_attempts<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        mut operation: impl FnMut() -> io::Result<R>,
    ) -> Poll<io::Result<(ReadyEvent, io::Result<R>)>> {
        loop {
            let event = ready!(self.registration.poll_try(cx, direction, worker))?;
            match operation() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.registration.would_block(event, worker)?;
                    if is_only_closed(event) {
                        // The system has just said otherwise, and has an event for the next end. A named
                        // pipe ends with its last writer and has another one now, or an error of a datagram
                        // socket was told.
                        self.registration.reopen(event);
                    }
                }
                result => return Poll::Ready(Ok((event, result))),
            }
        }
    }

    /// Reads into the unfilled part of `buf` with `read`, which says how many bytes it has
    /// initialised.
    #[inline]
    pub(crate) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        mut read: impl FnMut(&mut [MaybeUninit<u8>]) -> io::Result<Moved>,
    ) -> Poll<io::Result<()>> {
        let len = buf.remaining();
        let read =
            ready!(self.poll_transfer(cx, Direction::Read, len, || { read(unfilled(buf)) }))?;
        system::filled(buf, read);
        Poll::Ready(Ok(()))
    }

    /// As [`poll_read`](Self::poll_read) for what is not a stream, and for looking without taking: a
    /// short transfer says nothing about the next one.
    pub(crate) fn poll_recv<R>(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        mut read: impl FnMut(&mut [MaybeUninit<u8>]) -> io::Result<(usize, R)>,
    ) -> Poll<io::Result<R>> {
        let (read, from) = ready!(self.poll_io(cx, Direction::Read, || read(unfilled(buf))))?;
        system::filled(buf, read);
        Poll::Ready(Ok(from))
    }

    /// Writes `len` bytes, or as many as there is room for.
    #[inline]
    pub(crate) fn poll_write(
        &self,
        cx: &mut Context<'_>,
        len: usize,
        mut write: impl FnMut() -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        self.poll_transfer(cx, Direction::Write, len, || write().map(Moved::from))
    }

    /// Waits for `interest`, at no cost to the budget: looking is not progress. Tasks may wait at
    /// once.
    pub(crate) async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        let event = self
            .registration
            .readiness(interest_of(interest), worker)
            .await?;
        Ok(ready_of(event.ready()))
    }

    /// As [`ready`](Self::ready), for a caller that acts on what is set, and need never make the attempt
    /// that corrects an assumption: from here on a set watches the source. An eager runtime
    /// assumes things that upstream does not, and takes that back first.
    pub(crate) async fn state(&self, interest: Interest) -> io::Result<Ready> {
        self.registration
            .stop_assuming(interest_of(interest), worker)?;
        self.ready(interest).await
    }

    /// Runs `operation` once, if the source is ready for `interest`.
    pub(crate) fn try_io<R>(
        &self,
        interest: Interest,
        operation: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        self.registration
            .try_io(interest_of(interest), worker, operation)
    }

    /// Runs `operation` until it does not block, waiting for `interest` in between. Any number of
    /// tasks may be at it at once, and each of them is woken: methods that take `&self` and are
    /// `async` stand on this, while the poll functions have one waiter for each direction.
    pub(crate) async fn async_io<R>(
        &self,
        interest: Interest,
        mut operation: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        let interest = interest_of(interest);
        loop {
            let mut event = self.registration.event(interest);
            if event.is_shutdown() || event.ready().is_empty() {
                event = self.registration.readiness(interest, worker).await?;
            }
            match attempt(&mut operation).await {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.registration.would_block(event, worker)?;
                    give_way(event).await;
                }
                result => return result,
            }
        }
    }
}

/// Whether a short transfer says that the next one would block.
#[inline]
fn is_last(direction: Direction, event: ReadyEvent, moved: Moved) -> bool {
    match direction {
        Direction::Read => SHORT_READ_IS_LAST && !moved.at_boundary && !event.is_urgent(),
        Direction::Write => SHORT_WRITE_IS_LAST,
    }
}

/// Whether nothing is known but that the source is closed. What would block all the same, although
/// [`poll_attempts`](IoSource::poll_attempts) is not told which side it is about (it may be the other one),
/// must not be tried without a pause: nobody else would get a turn, nor would the driver.
fn is_only_closed(event: ReadyEvent) -> bool {
    (event.ready() - DriverReady::READ_CLOSED - DriverReady::WRITE_CLOSED).is_empty()
}

/// Makes a pause between two attempts that `event` allows, if it allows any number of them.
pub(crate) async fn give_way(event: ReadyEvent) {
    let mut is_due = is_only_closed(event);
    poll_fn(|cx| {
        if !std::mem::replace(&mut is_due, false) {
            return Poll::Ready(());
        }
        context::defer(cx.waker());
        Poll::Pending
    })
    .await;
}

/// Runs `operation` once, for one unit of the task's budget unless it would block.
pub(crate) async fn attempt<R>(mut operation: impl FnMut() -> io::Result<R>) -> io::Result<R> {
    poll_fn(|cx| {
        let unit = ready!(coop::poll_proceed(cx));
        let result = operation();
        if !matches!(&result, Err(error) if error.kind() == ErrorKind::WouldBlock) {
            unit.made_progress();
        }
        Poll::Ready(result)
    })
    .await
}

/// The unfilled part of a buffer, whose bytes may be uninitialised.
fn unfilled<'a>(buf: &'a mut ReadBuf<'_>) -> &'a mut [MaybeUninit<u8>] {
    system::unfilled(buf)
}

/// The free part of a growable buffer.
pub(crate) fn spare<B: BufMut>(buf: &mut B) -> &mut [MaybeUninit<u8>] {
    system::spare(buf)
}

/// Says that `read` bytes were initialised behind the end of `buf`.
pub(crate) fn advance<B: BufMut>(buf: &mut B, read: usize) {
    system::advance(buf, read);
}

/// The most slices that a call takes on the systems that say so. The standard library cuts the rest off.
const SLICES_MAX: usize = 1024;

/// The part of `slices` that one call is given: from the first that holds something on, as many as the call
/// takes. A call that got only empty ones would say 0, which is read as "no more can be written".
pub(crate) fn gathered<'a, 'b>(slices: &'a [IoSlice<'b>]) -> &'a [IoSlice<'b>] {
    let from = slices.iter().position(|slice| !slice.is_empty());
    let rest = &slices[from.unwrap_or(0)..];
    &rest[..rest.len().min(SLICES_MAX)]
}

/// As [`gathered`], of slices that are read into.
pub(crate) fn scattered<'a, 'b>(slices: &'a mut [IoSliceMut<'b>]) -> &'a mut [IoSliceMut<'b>] {
    let from = slices.iter().position(|slice| !slice.is_empty());
    let rest = &mut slices[from.unwrap_or(0)..];
    let count = rest.len().min(SLICES_MAX);
    &mut rest[..count]
}

/// How many bytes the slices hold.
pub(crate) fn total(slices: &[IoSlice<'_>]) -> usize {
    slices.iter().map(|slice| slice.len()).sum()
}
