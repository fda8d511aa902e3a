//! A source's side of the readiness plane.
//!
//! Making a registration touches no set: it names the driver, the source and the interest. The
//! source is *attached* to a set with its first operation, to the set of the worker that does so. An
//! accept loop therefore does not gather every connection on its own worker. Once it is attached, an
//! operation is tried only while the source's readiness says so. Before, one of two rules holds
//! (`DriverOptions::eager`):
//!
//! - *By default* a source answers as if it had been attached when it was made, which is what programs know
//!   from Tokio. It is ready for what its owner has assumed ([`Registration::assume`]). Beyond that, it is
//!   ready for nothing until the driver has had a turn: the first operation attaches the source and waits for
//!   the event that this brings, although the system might finish it at once. Some programs rely on the
//!   second poll: they arm a timer in the first. After a turn the driver would have known the source. So the
//!   operation that attaches it asks the system what it is ready for (`sys::ready_now`), and goes by that.
//! - *Eagerly* every operation is tried at once, and the source is attached when one of them would block.
//!
//! Whose turn counts? That of the worker that has made the source ([`Registration::made_by`]): the worker
//! takes it between two polls of its tasks, never within one, so the answer does not depend on what
//! other workers do meanwhile. If no worker has made it, or another one asks, an operation that can wait does
//! so; [`Registration::try_io`] has no second poll, and asks the system. Rejected: to count the turns of
//! all workers. A worker that wakes up to run a new task begins and ends turns while the task is on its way, so
//! the task's first read would be ready at once.
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

/// When a source was made: by which worker, and how many turns its driver had begun by then.
#[derive(Debug, Clone, Copy)]
struct Made {
    worker: usize,
    turns: u64,
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
    /// When the source was made, if that is known.
    made: Option<Made>,
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
            made: None,
            assumed: AtomicU64::new(Ready::EMPTY.bits()),
            attached: OnceLock::new(),
            attaching: Mutex::new(()),
        }
    }

    /// Says that the source has just been made, by `worker` if one is known: from the next turn of its driver
    /// on, the source counts as known.
    #[must_use]
    pub fn made_by(mut self, worker: Option<usize>) -> Self {
        let workers = self.driver.workers();
        let alone = || (workers == 1).then_some(0);
        let worker = worker.filter(|&worker| worker < workers).or_else(alone);
        self.made = worker.map(|worker| Made {
            worker,
            turns: self.driver.turns(worker),
        });
        self
    }

    /// Whether the driver has had a turn since the source was made, by the worker that made it.
    fn had_a_turn(&self) -> bool {
        let turns_since = |made: Made| self.driver.turns(made.worker) != made.turns;
        self.made.is_some_and(turns_since)
    }

    /// Whether `worker` is within the poll, or the turns of its tasks, in which it has made the source.
    fn is_new_to(&self, worker: Option<usize>) -> bool {
        let is_alone = self.driver.workers() == 1;
        self.made.is_some_and(|made| {
            (is_alone || worker == Some(made.worker))
                && self.driver.turns(made.worker) == made.turns
        })
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
    /// `interest`. For a caller that is told what the source is ready for and may do without the attempt that
    /// would correct an assumption. If there was one, the system is asked in its place.
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
            let asked = Ready::from_interest(interest).bits();
            // Relaxed: see the field.
            let assumed = self.assumed.fetch_and(!asked, Ordering::Relaxed);
            if assumed & asked != 0 {
                return self.attach_slow(worker(&self.driver), true).map(|_| ());
            }
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
            None => self.attach_slow(worker(&self.driver), self.had_a_turn()),
        }
    }

    #[cold]
    fn attach_slow(&self, worker: Option<usize>, must_look: bool) -> io::Result<&Attached> {
        let ready = if must_look {
            sys::ready_now(&self.source, self.interest.to_mio())
        } else {
            Ready::EMPTY
        };
        self.attach_with(worker, ready, |registry, token, interest| {
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
        self.attach_with(worker, Ready::EMPTY, |registry, token, interest| {
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

    /// Attaches the source, which starts out ready for `ready` and for what is assumed.
    fn attach_with(
        &self,
        worker: Option<usize>,
        ready: Ready,
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
        let (io, key) = set.enter(self.interest, assumed | ready, register)?;
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
            // An eager driver tries instead of asking.
            let must_look = !self.driver.is_eager() && self.had_a_turn();
            let attached = self.attach_slow(worker(&self.driver), must_look)?;
            // Somebody else may have attached it since, with the assumption still in place.
            attached.io.clear(event);
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
        // A source that is not attached counts as open.
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
        worker: impl Fn(&DriverHandle) -> Option<usize>,
        operation: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        let mask = Ready::from_interest(interest);
        let event = match self.attached.get() {
            Some(attached) => attached.io.event(mask),
            None => self.event_to_try(mask, worker(&self.driver))?,
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

    /// The part of `mask` that is known to be ready, for a caller that does not wait.
    #[cold]
    fn event_to_try(&self, mask: Ready, worker: Option<usize>) -> io::Result<ReadyEvent> {
        if self.driver.is_eager() {
            return Ok(ReadyEvent::assume(mask));
        }
        // Relaxed: see the field.
        let assumed = Ready::from_bits(self.assumed.load(Ordering::Relaxed)) & mask;
        if !assumed.is_empty() || self.driver.is_shutdown() {
            // Trying needs no driver; a source that it never got to know is not ready.
            return Ok(ReadyEvent::assume(assumed));
        }
        let must_look = !self.is_new_to(worker);
        Ok(self.attach_slow(worker, must_look)?.io.event(mask))
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
