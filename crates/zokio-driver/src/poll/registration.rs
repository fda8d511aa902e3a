//! A source's side of the readiness plane.
//!
//! Making a registration touches no set: it names the driver, the source and the interest. The
//! source is *attached* to a set with its first operation, to the set of the worker that does so. An
//! accept loop therefore does not gather every connection on its own worker. Once it is attached, an
//! operation is tried only while the source's readiness says so. Before, one of two rules holds
//! (`DriverOptions::eager`):
//!
//! - *By default* a source counts as ready for what its owner has assumed
//!   ([`Registration::assume`]) and for nothing else. The first operation that is not covered attaches
//!   the source and waits for the event that this brings, although the system might finish it at
//!   once. A program sees the same on Tokio, and some rely on the second poll: they arm a timer in the
//!   first. A caller that only tries ([`Registration::try_io`]) has no second poll, so its operation is
//!   tried.
//! - *Eagerly* every operation is tried at once, and the source is attached when one of them would block.
//!
//! The maker of a source assumes what it is very likely ready for (a connection that was just
//! accepted has room to send, and often bytes to read). An attempt that would block takes the
//! assumption of its direction back, as does a short transfer. What is left of it when the source is
//! attached is what the source starts out with there: that reading blocked does not keep the next
//! write from being tried. A wrong assumption costs one attempt. That is enough for a caller that
//! makes the attempt, not for one that wants to know the state of the source: an assumption lasts until
//! an attempt, and knows of no peer that is gone ([`Registration::stop_assuming`]).
//!
//! No edge is lost on the way. If an operation is tried before the source is attached, attaching
//! comes after it; attaching reports what the source is ready for at that moment as an event (invariant
//! 4 of `set`); and the waiter looks at the readiness after its waker is in place (invariant 3 of
//! `scheduled`). So whatever arrives after the operation was tried is either seen by the system's
//! look at attaching, or comes as an edge of its own, and both set the readiness the waiter looks at.
//!
//! Invariants:
//!
//! 1. A source is attached to one set at most, once: `attaching` is held meanwhile.
//! 2. A registration leaves its set when it is dropped, whether or not the descriptor is still open.

use super::ready::{Interest, Ready};
use super::scheduled::{Direction, ReadyEvent, ScheduledIo};
use super::set::gone;
use crate::driver::DriverHandle;
use crate::sys;
use std::io;
use std::task::{Context, Poll, ready};
use zokio_base::slab::Key;
use zokio_base::sync::atomic::{AtomicU64, Ordering};
use zokio_base::sync::{Arc, Mutex, OnceLock};

/// Where a source is attached.
#[derive(Debug)]
struct Attached {
    io: Arc<ScheduledIo>,
    key: Key,
    set: usize,
}

/// Connects a source of events with the driver.
///
/// The functions that may attach the source take `worker`: the index of the worker that calls, if
/// one of the same driver does. It is asked only if the source has to be attached.
#[derive(Debug)]
pub struct Registration {
    driver: DriverHandle,
    source: sys::SourceId,
    interest: Interest,
    /// The directions that the source counts as ready for until it is attached: bits of [`Ready`]. Relaxed
    /// everywhere: they are a guess, and order nothing. A bit that is taken away while the source is
    /// being attached may survive in its readiness, and costs one attempt there.
    assumed: AtomicU64,
    attached: OnceLock<Attached>,
    /// Held while the source is being attached (invariant 1).
    attaching: Mutex<()>,
}

impl Registration {
    /// Names a source. It has to stay open until the registration is dropped, or at least to be
    /// closed no earlier than its last use.
    pub fn new(driver: DriverHandle, source: sys::SourceId, interest: Interest) -> Self {
        Self {
            driver,
            source,
            interest,
            assumed: AtomicU64::new(Ready::EMPTY.bits()),
            attached: OnceLock::new(),
            attaching: Mutex::new(()),
        }
    }

    /// Has the source count as ready for `ready`, until an attempt would block.
    pub fn assume(&mut self, ready: Ready) {
        match self.attached.get() {
            Some(attached) => attached.io.assume(ready),
            // Relaxed: see the field.
            None => self.assumed.store(ready.bits(), Ordering::Relaxed),
        }
    }

    /// Attaches the source, if it is not attached yet, without what it is assumed to be ready for of
    /// `interest`. For who is told what the source is ready for and may do without the attempt that would
    /// correct an assumption.
    ///
    /// The rest is still assumed: a stream of which a quarter of the room is taken counts as writable
    /// for who tries, and not for the system, which might never say so if nobody reads from it.
    ///
    /// # Errors
    /// As [`attach`](Self::attach).
    pub fn stop_assuming(
        &self,
        interest: Interest,
        worker: impl FnOnce(&DriverHandle) -> Option<usize>,
    ) -> io::Result<()> {
        if self.attached.get().is_none() {
            // Relaxed: see the field.
            let asked = Ready::from_interest(interest).bits();
            self.assumed.fetch_and(!asked, Ordering::Relaxed);
        }
        self.attach(worker)
    }

    /// The readiness for `mask` that is known without attaching the source.
    fn assumption(&self, mask: Ready) -> Option<ReadyEvent> {
        if self.attached.get().is_some() || self.driver.is_shutdown() {
            return None;
        }
        // Relaxed: see the field.
        let ready = Ready::from_bits(self.assumed.load(Ordering::Relaxed)) & mask;
        (!ready.is_empty()).then(|| ReadyEvent::assume(ready))
    }

    /// The driver that this belongs to.
    pub fn driver(&self) -> &DriverHandle {
        &self.driver
    }

    /// Whether there still is a driver to wait for.
    ///
    /// # Errors
    /// If it is gone.
    pub fn check_driver(&self) -> io::Result<()> {
        if self.driver.is_shutdown() {
            return Err(gone());
        }
        Ok(())
    }

    /// Attaches the source now, if it is not attached yet.
    ///
    /// # Errors
    /// The errors of registering the source: `PermissionDenied` if the system cannot watch it,
    /// `StorageFull` if it watches no more; or that the driver is gone.
    pub fn attach(&self, worker: impl FnOnce(&DriverHandle) -> Option<usize>) -> io::Result<()> {
        self.attached(worker).map(|_| ())
    }

    #[inline]
    fn attached(
        &self,
        worker: impl FnOnce(&DriverHandle) -> Option<usize>,
    ) -> io::Result<&Attached> {
        match self.attached.get() {
            Some(attached) => Ok(attached),
            None => self.attach_slow(worker(&self.driver)),
        }
    }

    #[cold]
    fn attach_slow(&self, worker: Option<usize>) -> io::Result<&Attached> {
        self.attach_with(worker, |registry, token, interest| {
            sys::register(registry, &self.source, token, interest)
        })
    }

    /// Attaches `source` now. For systems where a source has no name: its owner does this when it is
    /// made.
    ///
    /// # Errors
    /// As [`attach`](Self::attach).
    #[cfg(not(unix))]
    pub fn attach_source<S: mio::event::Source>(
        &self,
        worker: Option<usize>,
        source: &mut S,
    ) -> io::Result<()> {
        self.attach_with(worker, |registry, token, interest| {
            registry.register(source, token, interest)
        })
        .map(|_| ())
    }

    /// Takes `source` out of its set. The counterpart of [`attach_source`](Self::attach_source).
    ///
    /// # Errors
    /// The errors of deregistering the source.
    #[cfg(not(unix))]
    pub fn detach_source<S: mio::event::Source>(&mut self, source: &mut S) -> io::Result<()> {
        self.detach_with(|registry| registry.deregister(source))
    }

    fn attach_with(
        &self,
        worker: Option<usize>,
        register: impl FnOnce(&mio::Registry, mio::Token, mio::Interest) -> io::Result<()>,
    ) -> io::Result<&Attached> {
        let _attaching = self.attaching.lock();
        if let Some(attached) = self.attached.get() {
            return Ok(attached);
        }
        let index = self.driver.pick_set(worker);
        // Relaxed: what was assumed is a guess, which an attempt corrects; it orders nothing.
        let assumed = Ready::from_bits(self.assumed.load(Ordering::Relaxed));
        let set = self.driver.set(index);
        let (io, key) = set.enter(self.interest, assumed, register)?;
        Ok(self.attached.get_or_init(|| Attached {
            io,
            key,
            set: index,
        }))
    }

    /// Waits until the source is ready in `direction`. Of several tasks that wait in one direction
    /// the last is woken.
    ///
    /// # Errors
    /// As [`attach`](Self::attach); or that the driver is gone.
    pub fn poll_ready(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        worker: impl FnOnce(&DriverHandle) -> Option<usize>,
    ) -> Poll<io::Result<ReadyEvent>> {
        if let Some(event) = self.assumption(direction.mask()) {
            return Poll::Ready(Ok(event));
        }
        match self.attached(worker) {
            Ok(attached) => attached.poll_ready(cx, direction),
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// As [`poll_ready`](Self::poll_ready), for a caller that is about to try, and clears the event if
    /// that would block: an eager driver counts a source that is not attached as ready.
    ///
    /// # Errors
    /// As [`poll_ready`](Self::poll_ready).
    #[inline]
    pub fn poll_try(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        worker: impl FnOnce(&DriverHandle) -> Option<usize>,
    ) -> Poll<io::Result<ReadyEvent>> {
        match self.attached.get() {
            Some(attached) => attached.poll_ready(cx, direction),
            None => self.poll_try_slow(cx, direction, worker),
        }
    }

    #[cold]
    fn poll_try_slow(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        worker: impl FnOnce(&DriverHandle) -> Option<usize>,
    ) -> Poll<io::Result<ReadyEvent>> {
        if self.driver.is_eager() {
            return Poll::Ready(Ok(ReadyEvent::assume(direction.mask())));
        }
        self.poll_ready(cx, direction, worker)
    }

    /// Has the task of `cx` woken when the source may have failed: its write side is closed, and there may
    /// be an error to take. True if that is so already; the task is woken by what comes after that, too.
    ///
    /// # Errors
    /// As [`attach`](Self::attach); or that the driver is gone.
    pub fn watch_failure(
        &self,
        cx: &mut Context<'_>,
        worker: impl FnOnce(&DriverHandle) -> Option<usize>,
    ) -> io::Result<bool> {
        let event = self.attached(worker)?.io.watch_failure(cx);
        if event.is_shutdown() {
            return Err(gone());
        }
        Ok(!event.ready().is_empty())
    }

    /// Takes back what `event` said: an operation would have blocked. From here on the set says what
    /// the source is ready for: attaches it, if it is not.
    ///
    /// # Errors
    /// As [`attach`](Self::attach).
    #[inline]
    pub fn would_block(
        &self,
        event: ReadyEvent,
        worker: impl FnOnce(&DriverHandle) -> Option<usize>,
    ) -> io::Result<()> {
        self.clear_readiness(event);
        if self.attached.get().is_none() {
            // Somebody else may have attached it since, with the assumption still in place.
            self.attached(worker)?.io.clear(event);
        }
        Ok(())
    }

    /// Takes back what `event` said, unless something happened since.
    #[inline]
    pub fn clear_readiness(&self, event: ReadyEvent) {
        match self.attached.get() {
            Some(attached) => attached.io.clear(event),
            // Relaxed: see the field.
            None => drop(
                self.assumed
                    .fetch_and(!event.ready().bits(), Ordering::Relaxed),
            ),
        }
    }

    /// Takes back that a side is closed, as `event` said, unless something happened since: an operation on
    /// that side would have blocked. For one on the other side, which says nothing of this, see
    /// [`would_block`](Self::would_block).
    pub fn reopen(&self, event: ReadyEvent) {
        // What is not attached is assumed to be closed by nobody.
        if let Some(attached) = self.attached.get() {
            attached.io.reopen(event);
        }
    }

    /// The part of `interest` that is known to be ready, for a caller that waits if that is nothing. Of a
    /// source that is not attached an eager driver says that it is ready, and others know what was assumed.
    pub fn event(&self, interest: Interest) -> ReadyEvent {
        let mask = Ready::from_interest(interest);
        match self.attached.get() {
            Some(attached) => attached.io.event(mask),
            None if self.driver.is_eager() => ReadyEvent::assume(mask),
            None => {
                let nothing = || ReadyEvent::assume(Ready::EMPTY);
                self.assumption(mask).unwrap_or_else(nothing)
            }
        }
    }

    /// Runs `operation` once if the source is ready for `interest`.
    ///
    /// # Errors
    /// `WouldBlock` if it is not; what `operation` returns. As [`attach`](Self::attach).
    pub fn try_io<R>(
        &self,
        interest: Interest,
        worker: impl FnOnce(&DriverHandle) -> Option<usize>,
        operation: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        let mask = Ready::from_interest(interest);
        let event = match self.attached.get() {
            Some(attached) => attached.io.event(mask),
            None => ReadyEvent::assume(mask),
        };
        if event.ready().is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        match operation() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                // If the source cannot be attached, whoever waits for it is told.
                let _ = self.would_block(event, worker);
                Err(io::ErrorKind::WouldBlock.into())
            }
            result => result,
        }
    }

    /// Waits until the source is ready for `interest`. Any number of tasks may wait.
    ///
    /// # Errors
    /// As [`attach`](Self::attach); or that the driver is gone.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing: readiness is taken by nobody.
    pub async fn readiness(
        &self,
        interest: Interest,
        worker: impl FnOnce(&DriverHandle) -> Option<usize>,
    ) -> io::Result<ReadyEvent> {
        if let Some(event) = self.assumption(Ready::from_interest(interest)) {
            return Ok(event);
        }
        let event = self.attached(worker)?.io.readiness(interest).await;
        if event.is_shutdown() {
            return Err(gone());
        }
        Ok(event)
    }

    /// Forgets who waits in [`poll_ready`](Self::poll_ready): the source changes hands.
    pub fn clear_wakers(&self) {
        if let Some(attached) = self.attached.get() {
            attached.io.clear_wakers();
        }
    }

    /// Takes the source out of its set. Dropping the registration does the same and ignores errors.
    ///
    /// # Errors
    /// The errors of deregistering the source: for example that its descriptor is closed.
    pub fn deregister(&mut self) -> io::Result<()> {
        let source = &self.source;
        let Some(attached) = self.attached.take() else {
            return Ok(());
        };
        attached.leave(&self.driver, |registry| sys::deregister(registry, source))
    }

    #[cfg(not(unix))]
    fn detach_with(
        &mut self,
        deregister: impl FnOnce(&mio::Registry) -> io::Result<()>,
    ) -> io::Result<()> {
        match self.attached.take() {
            Some(attached) => attached.leave(&self.driver, deregister),
            None => Ok(()),
        }
    }
}

impl Attached {
    #[inline]
    fn poll_ready(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
    ) -> Poll<io::Result<ReadyEvent>> {
        let event = ready!(self.io.poll_ready(cx, direction));
        Poll::Ready(if event.is_shutdown() {
            Err(gone())
        } else {
            Ok(event)
        })
    }

    fn leave(
        self,
        driver: &DriverHandle,
        deregister: impl FnOnce(&mio::Registry) -> io::Result<()>,
    ) -> io::Result<()> {
        self.io.clear_wakers();
        driver.set(self.set).leave(self.key, deregister)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // Nothing is left to be done about an error: the entry is gone from the slab in any case.
        let _ = self.deregister();
    }
}
