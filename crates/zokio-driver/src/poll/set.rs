//! The readiness set of one worker.
//!
//! The set itself is a `mio::Poll`, edge-triggered. Its worker waits in it; anybody may drain it
//! while the worker does not ([`Set::try_drain`]), and anybody may register with it at any time.
//!
//! Invariants:
//!
//! 1. The thread that drains the set holds `reaper`; the worker holds it while it waits. So events of one set
//!    are taken by one thread at a time, in order.
//! 2. A token stands for a generational key of `entries` (see `token`), never for a pointer: an event
//!    that comes for a source that has left finds nothing, whatever took its slot. The tokens below
//!    are no source's.
//! 3. Lock order: `reaper`, then `entries`, then a source's waiters. Wakers leave through the sink
//!    with no lock held but `reaper`.
//! 4. A source is entered before it is registered with the system, so its first event finds it;
//!    registering reports what it is ready for at that moment as an event (epoll looks when an
//!    entry is added, kqueue when a filter is attached, and both queue what they see). So a source
//!    that became ready before it was registered is not missed.

use super::ready::{Interest, Ready};
use super::scheduled::ScheduledIo;
use super::token;
use crate::sys;
use mio::Token;
use std::fmt;
use std::io;
use std::task::Waker;
use std::time::Duration;
use zokio_base::park::WakeSink;
use zokio_base::parker::Parker;
use zokio_base::slab::{Key, Slab};
use zokio_base::sync::std_atomic::{AtomicU64, Ordering};
use zokio_base::sync::{Arc, Mutex};

/// The waker of the set.
const WAKE: Token = Token(usize::MAX);
/// The ring of the same worker.
const RING: Token = Token(usize::MAX - 1);
/// The set of worker 0, if it is nested here; the others' are below.
const FIRST_PEER: usize = usize::MAX - 2;
/// The token of the last worker whose set can be nested.
const LAST_PEER: usize = FIRST_PEER - (Peers::BITS as usize - 1);

const _: () = assert!(LAST_PEER >= token::FIRST_SPECIAL);

/// Workers, as bits.
pub(crate) type Peers = u64;

/// How often a set's waker is fired again when the system says no.
const FIRES_MAX: u32 = 16;

/// How long a wait is that the system refused because it lacks something: the shortest that needs
/// nothing of it but a clock.
const REFUSED_WAIT: Duration = Duration::from_millis(1);

/// The yield of one drain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Drained {
    /// Events of sources.
    pub(crate) events: usize,
    /// Wakers given to the sink.
    pub(crate) wakes: usize,
    /// The set's own waker was fired.
    pub(crate) fired: bool,
    /// The ring has completions.
    pub(crate) ring: bool,
    /// Workers whose sets are nested in this one, and have events.
    pub(crate) peers: Peers,
}

impl Drained {
    /// Whether it brought anything at all.
    pub(crate) fn any(self) -> bool {
        self.events > 0 || self.fired || self.ring || self.peers != 0
    }
}

struct Reaper {
    poll: mio::Poll,
    events: mio::Events,
    /// Wakers on their way from the waiters' lock to the sink.
    wakes: Vec<Waker>,
}

#[derive(Default)]
struct Entries {
    slab: Slab<Arc<ScheduledIo>>,
    shutdown: bool,
}

/// Counters of one set. Relaxed everywhere: they are for people, and order nothing.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) registered: AtomicU64,
    pub(crate) deregistered: AtomicU64,
    pub(crate) events: AtomicU64,
    pub(crate) wakes: AtomicU64,
}

/// One worker's readiness set.
pub(crate) struct Set {
    reaper: Mutex<Reaper>,
    entries: Mutex<Entries>,
    registry: mio::Registry,
    waker: mio::Waker,
    /// For waits that are finer than the set's own.
    fd: sys::SetFd,
    counters: Counters,
}

impl fmt::Debug for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Set")
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

/// The error of everything that needs a driver that is gone.
#[derive(Debug)]
struct Gone;

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("A Tokio 1.x context was found, but it is being shutdown.")
    }
}

impl std::error::Error for Gone {}

/// The error of an operation whose driver is gone.
pub fn gone() -> io::Error {
    io::Error::other(Gone)
}

/// Whether an operation failed because its driver is gone.
pub fn is_shutdown_error(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Gone>())
}

impl Set {
    pub(crate) fn new(capacity: usize) -> io::Result<Self> {
        let poll = mio::Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let waker = mio::Waker::new(&registry, WAKE)?;
        let fd = sys::SetFd::of(&poll);
        Ok(Self {
            reaper: Mutex::new(Reaper {
                poll,
                events: mio::Events::with_capacity(capacity),
                wakes: Vec::new(),
            }),
            entries: Mutex::new(Entries::default()),
            registry,
            waker,
            fd,
            counters: Counters::default(),
        })
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Ends a wait in the set, or the next one.
    pub(crate) fn fire(&self) {
        // The waker's counter is full only if it is fired already. A signal, or memory that lacks for
        // a moment, must not lose the wake-up.
        let mut fired = self.waker.wake();
        for _ in 0..FIRES_MAX {
            if fired.is_ok() {
                return;
            }
            fired = self.waker.wake();
        }
        debug_assert!(
            fired.is_ok(),
            "the waker of a set cannot be fired: {fired:?}"
        );
    }

    /// Has the set watch the ring of its worker.
    pub(crate) fn watch_ring(&self, ring: sys::RingFd) -> io::Result<()> {
        sys::watch_ring(&self.registry, ring, RING)
    }

    /// Nests the set of worker `index` in this one: its events show up here as its bit.
    ///
    /// # Errors
    /// If sets cannot be nested, or not as deep, or not those of so many workers.
    pub(crate) fn nest(&self, peer: &Set, index: usize) -> io::Result<()> {
        if index >= Peers::BITS as usize {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let token = Token(FIRST_PEER - index);
        match sys::nest(&self.registry, peer.fd, token) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // It could not be taken out the last time. It enters anew, which reports what is ready
                // there already: nobody may have looked at the events that came meanwhile.
                sys::take_out(&self.registry, peer.fd)?;
                sys::nest(&self.registry, peer.fd, token)
            }
            nested => nested,
        }
    }

    /// Takes the set of a peer out again. If the system does not do that, the set's events go on to end
    /// waits here, once each, and `nest` takes it out.
    pub(crate) fn take_out(&self, peer: &Set) {
        let _ = sys::take_out(&self.registry, peer.fd);
    }

    /// Enters a source, which counts as ready for `assumed`, and registers it through `register`
    /// (invariant 4).
    pub(crate) fn enter(
        &self,
        interest: Interest,
        assumed: Ready,
        register: impl FnOnce(&mio::Registry, Token, mio::Interest) -> io::Result<()>,
    ) -> io::Result<(Arc<ScheduledIo>, Key)> {
        let io = Arc::new(ScheduledIo::new());
        io.assume(assumed);
        let key = {
            let mut entries = self.entries.lock();
            if entries.shutdown {
                return Err(gone());
            }
            entries.slab.insert(io.clone())
        };
        let registered = match token::of_key(key) {
            Some(token) => register(&self.registry, token, interest.to_mio()),
            // More sources than tokens can tell apart.
            None => Err(io::ErrorKind::OutOfMemory.into()),
        };
        if let Err(error) = registered {
            self.forget(key);
            return Err(error);
        }
        // Relaxed: see `Counters`.
        self.counters.registered.fetch_add(1, Ordering::Relaxed);
        Ok((io, key))
    }

    /// Takes a source out. `deregister` may fail without harm: a descriptor that was closed first
    /// has left the set by itself.
    pub(crate) fn leave(
        &self,
        key: Key,
        deregister: impl FnOnce(&mio::Registry) -> io::Result<()>,
    ) -> io::Result<()> {
        let result = deregister(&self.registry);
        self.forget(key);
        // Relaxed: see `Counters`.
        self.counters.deregistered.fetch_add(1, Ordering::Relaxed);
        result
    }

    fn forget(&self, key: Key) {
        // Dropped after the lock is let go: the last reference may drop wakers.
        let removed = self.entries.lock().slab.remove(key);
        drop(removed);
    }

    /// Waits for `timeout` (without end if there is none), and drains what came.
    ///
    /// A peer that drains this set for its worker may take the waker's event away before the worker
    /// gets here. So `may_wait` is asked once nobody can do that any more (invariant 1): it says no if
    /// somebody has fired since the worker announced its wait.
    pub(crate) fn wait<S: WakeSink>(
        &self,
        timeout: Option<Duration>,
        may_wait: impl FnOnce() -> bool,
        sink: &mut S,
    ) -> io::Result<Drained> {
        let mut reaper = self.reaper.lock();
        if !may_wait() {
            let drained = self.drain(&mut reaper, Some(Duration::ZERO), sink)?;
            return Ok(Drained {
                fired: true,
                ..drained
            });
        }
        let Some(timeout) = timeout else {
            return self.drain(&mut reaper, None, sink);
        };
        let (coarse, fine) = sys::split_timeout(timeout);
        // An event that is there already ends a fine wait as well.
        if fine.is_zero() || !coarse.is_zero() {
            let drained = self.drain(&mut reaper, Some(coarse), sink)?;
            if fine.is_zero() || drained.any() {
                return Ok(drained);
            }
        }
        match sys::wait_fine(self.fd, fine) {
            Ok(false) => Ok(Drained::default()),
            Ok(true) => self.drain(&mut reaper, Some(Duration::ZERO), sink),
            // The set's own wait needs no memory of the system, and is a little longer.
            Err(_) => self.drain(&mut reaper, Some(REFUSED_WAIT), sink),
        }
    }

    /// Drains without waiting, unless somebody else is at it.
    pub(crate) fn try_drain<S: WakeSink>(&self, sink: &mut S) -> io::Result<Drained> {
        match self.reaper.try_lock() {
            Some(mut reaper) => self.drain(&mut reaper, Some(Duration::ZERO), sink),
            None => Ok(Drained::default()),
        }
    }

    fn drain<S: WakeSink>(
        &self,
        reaper: &mut Reaper,
        timeout: Option<Duration>,
        sink: &mut S,
    ) -> io::Result<Drained> {
        let Reaper {
            poll,
            events,
            wakes,
        } = reaper;
        match poll.poll(events, timeout) {
            Ok(()) => {}
            // A signal ended the wait. The buffer still holds the events of the last one.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                return Ok(Drained::default());
            }
            // The system lacks something for now: the caller waits again, in a while.
            Err(error) if sys::is_for_now(&error) => {
                if timeout != Some(Duration::ZERO) {
                    Parker::new().park_timeout(REFUSED_WAIT);
                }
                return Ok(Drained::default());
            }
            Err(error) => return Err(error),
        }
        let mut drained = Drained::default();
        if events.is_empty() {
            return Ok(drained);
        }
        let entries = self.entries.lock();
        for event in events.iter() {
            match event.token() {
                WAKE => drained.fired = true,
                RING => drained.ring = true,
                Token(bits @ LAST_PEER..=FIRST_PEER) => drained.peers |= 1 << (FIRST_PEER - bits),
                source => {
                    drained.events += 1;
                    if let Some(io) = token::find(&entries.slab, source) {
                        let ready = Ready::from_mio(event);
                        io.set_ready(ready);
                        io.take_wakers(ready, &mut |waker| wakes.push(waker));
                    }
                }
            }
        }
        drop(entries);
        drained.wakes = wakes.len();
        let Counters {
            events,
            wakes: woken,
            ..
        } = &self.counters;
        // Relaxed, both: see `Counters`.
        events.fetch_add(drained.events as u64, Ordering::Relaxed);
        // Relaxed: as above.
        woken.fetch_add(drained.wakes as u64, Ordering::Relaxed);
        for waker in wakes.drain(..) {
            sink.wake(waker);
        }
        Ok(drained)
    }

    /// Refuses sources from here on, and wakes everything that waits for one.
    pub(crate) fn shutdown<S: WakeSink>(&self, sink: &mut S) {
        let sources: Vec<Arc<ScheduledIo>> = {
            let mut entries = self.entries.lock();
            entries.shutdown = true;
            entries.slab.iter().map(|(_, io)| io.clone()).collect()
        };
        let mut wakes = Vec::new();
        for io in sources {
            io.set_shutdown();
            io.take_wakers(Ready::ALL, &mut |waker| wakes.push(waker));
        }
        for waker in wakes {
            sink.wake(waker);
        }
    }

    /// How many sources are in the set.
    pub(crate) fn len(&self) -> usize {
        self.entries.lock().slab.len()
    }
}
