//! The value, its version, and who is there.
//!
//! The value stands behind a lock (`lock`). Its version is a word that readers may look at
//! without the lock: it grows by [`STEP`] with each change, and its lowest bit says that all
//! senders are gone.
//!
//! Invariants:
//!
//! 1. The version changes under the write lock only, so that it fits the value for whoever holds
//!    the lock; the closed bit is set by the last sender.
//! 2. A sender that changes the version notifies afterwards, without the lock. A receiver that waits takes
//!    its ticket first and looks at the version then, so that it sees either the change or the notification.

use super::lock::{Lock, ReadGuard};
use crate::notify::Notify;
use std::fmt;
use zokio_base::rand;
use zokio_base::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// In the version: all senders are gone.
const CLOSED: u64 = 1;
/// One change.
const STEP: u64 = 2;

/// Receivers wait in several places, so that many of them do not meet at one lock.
#[cfg(not(zokio_loom))]
const PLACES: usize = 8;
#[cfg(zokio_loom)]
const PLACES: usize = 1;

/// A version as a receiver remembers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version(u64);

impl Version {
    /// One that differs from the current one.
    pub(super) fn before(self) -> Self {
        Self(self.0.wrapping_sub(STEP))
    }
}

/// A look at the version's word.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) version: Version,
    pub(super) closed: bool,
}

/// The state that the halves share.
pub(super) struct Shared<T> {
    value: Lock<T>,
    state: AtomicU64,
    senders: AtomicUsize,
    receivers: AtomicUsize,
    changed: [Notify; PLACES],
    unwatched: Notify,
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = self.look();
        f.debug_struct("Shared")
            .field("value", &self.value)
            .field("version", &(seen.version.0 / STEP))
            .field("closed", &seen.closed)
            .field("senders", &self.sender_count())
            .field("receivers", &self.receiver_count())
            .finish_non_exhaustive()
    }
}

impl<T> Shared<T> {
    /// One sender, and so many receivers.
    pub(super) fn new(value: T, receivers: usize) -> Self {
        Self {
            value: Lock::new(value),
            state: AtomicU64::new(0),
            senders: AtomicUsize::new(1),
            receivers: AtomicUsize::new(receivers),
            changed: std::array::from_fn(|_| Notify::new()),
            unwatched: Notify::new(),
        }
    }

    /// The version and whether it is the last.
    #[inline]
    pub(super) fn look(&self) -> Seen {
        // Acquire pairs with the release in `modify` and in `remove_sender`.
        let state = self.state.load(Ordering::Acquire);
        Seen {
            version: Version(state & !CLOSED),
            closed: state & CLOSED != 0,
        }
    }

    /// The value, and its version.
    pub(super) fn read(&self) -> (ReadGuard<'_, T>, Version) {
        let value = self.value.read();
        // Invariant 1: it cannot change while we hold the lock.
        let version = self.look().version;
        (value, version)
    }

    /// Lets `change` change the value. If it says that it did, everybody is told.
    pub(super) fn modify(&self, change: impl FnOnce(&mut T) -> bool) -> bool {
        {
            // If `change` panics the lock is released and nobody is told.
            let mut value = self.value.write();
            if !change(&mut value) {
                return false;
            }
            // Release pairs with the acquire in `look`.
            self.state.fetch_add(STEP, Ordering::Release);
        }
        self.notify_changed();
        true
    }

    fn notify_changed(&self) {
        for place in &self.changed {
            place.notify_waiters();
        }
    }

    /// Where the calling receiver may wait for a change.
    pub(super) fn place(&self) -> &Notify {
        if PLACES == 1 {
            return &self.changed[0];
        }
        let index = rand::with(|rng| rng.below(PLACES as u32));
        &self.changed[index as usize]
    }

    /// Where senders wait until there is no receiver.
    pub(super) fn unwatched(&self) -> &Notify {
        &self.unwatched
    }

    pub(super) fn sender_count(&self) -> usize {
        // Relaxed: only counted.
        self.senders.load(Ordering::Relaxed)
    }

    pub(super) fn receiver_count(&self) -> usize {
        // Acquire pairs with the release in `remove_receiver`.
        self.receivers.load(Ordering::Acquire)
    }

    pub(super) fn add_sender(&self) {
        // Relaxed: who adds one has one.
        self.senders.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn remove_sender(&self) {
        // Release and acquire: what all senders did comes before the end.
        if self.senders.fetch_sub(1, Ordering::AcqRel) == 1 {
            // Release pairs with the acquire in `look`.
            self.state.fetch_or(CLOSED, Ordering::Release);
            self.notify_changed();
        }
    }

    pub(super) fn add_receiver(&self) {
        // Relaxed: a receiver that comes from nowhere reads the value under its lock.
        self.receivers.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn remove_receiver(&self) {
        // Release and acquire: what all receivers did comes before.
        if self.receivers.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.unwatched.notify_waiters();
        }
    }
}
