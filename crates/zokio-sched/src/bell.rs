//! The bell that wakes the monitor, and tells whether it is there.
//!
//! The monitor sleeps for good while all workers do. A worker that rises, one that is claimed, and a
//! thread that wakes a worker ring the bell (PROTOCOL.md, steps N).
//!
//! Invariant: a thread that has waited for the end of the monitor ([`Bell::wait_until_gone`]) knows that
//! the monitor's thread holds nothing of the scheduler's any more: what the driver had is closed.

use crate::scheduler::left_until;
use std::time::Instant;
use zokio_base::parker::{Parker, Unparker};
use zokio_base::sync::atomic::{AtomicBool, Ordering, fence};
use zokio_base::sync::{Arc, Condvar, Mutex, thread};

/// The bell that wakes the monitor.
#[derive(Debug)]
pub(crate) struct Bell {
    asleep: AtomicBool,
    closed: AtomicBool,
    unparker: Unparker,
    pub(crate) parker: Mutex<Option<Parker>>,
    pub(crate) attendance: Arc<Attendance>,
}

impl Bell {
    /// A bell that nobody listens to yet.
    pub(crate) fn new() -> Self {
        let parker = Parker::new();
        Self {
            asleep: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            unparker: parker.unparker(),
            parker: Mutex::new(Some(parker)),
            attendance: Arc::default(),
        }
    }

    /// A worker has risen: N4 of the protocol.
    #[inline]
    pub(crate) fn ring_if_asleep(&self) {
        // N4. The fence stands between the worker's change of `awake` and this load; it pairs with
        // the one in `fall_asleep`.
        fence(Ordering::SeqCst);
        // Relaxed: ordered by the fence; the parker's token orders the rest.
        if self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::Relaxed) {
            self.unparker.unpark();
        }
    }

    /// Ends the monitor.
    pub(crate) fn close(&self) {
        // Release pairs with the acquire in `is_closed`.
        self.closed.store(true, Ordering::Release);
        self.unparker.unpark();
    }

    /// Waits until the monitor of a closed bell is gone, until `deadline` at most. Returns whether
    /// it is.
    pub(crate) fn wait_until_gone(&self, deadline: Option<Instant>) -> bool {
        self.attendance.wait_until_gone(deadline)
    }

    pub(crate) fn is_closed(&self) -> bool {
        // Acquire pairs with the release in `close`.
        self.closed.load(Ordering::Acquire)
    }

    /// Whether the monitor sleeps for good.
    #[cfg(all(test, not(zokio_model)))]
    pub(crate) fn is_asleep(&self) -> bool {
        self.asleep.load(Ordering::SeqCst)
    }

    /// Registers the monitor as asleep (N1). False if `awake` says that it must not sleep (N2).
    pub(crate) fn fall_asleep(&self, awake: impl FnOnce() -> u64) -> bool {
        // N1. Relaxed: ordered by the fence, which pairs with the one in `ring_if_asleep`.
        self.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        // N2.
        if awake() == 0 {
            return true;
        }
        // Relaxed: a ring in between only leaves a token.
        self.asleep.store(false, Ordering::Relaxed);
        false
    }
}

/// Whether the monitor is there. It outlives the scheduler, of which the monitor lets go first.
#[derive(Debug, Default)]
pub(crate) struct Attendance {
    presence: Mutex<Presence>,
    gone: Condvar,
}

#[derive(Debug, Default, PartialEq)]
pub(crate) enum Presence {
    /// It was not started, or has ended.
    #[default]
    Away,
    /// Its thread does not run yet.
    Coming,
    /// It runs on this thread.
    Here(thread::ThreadId),
}

impl Attendance {
    /// Says where the monitor is.
    pub(crate) fn set(&self, presence: Presence) {
        *self.presence.lock() = presence;
    }

    fn wait_until_gone(&self, deadline: Option<Instant>) -> bool {
        let mut presence = self.presence.lock();
        if *presence == Presence::Here(thread::current_id()) {
            // A report's hook has dropped the runtime: it cannot wait for itself.
            return false;
        }
        while *presence != Presence::Away {
            match deadline.map(left_until) {
                None => presence = self.gone.wait(presence),
                Some(left) if left.is_zero() => return false,
                Some(left) => presence = self.gone.wait_timeout(presence, left).0,
            }
        }
        true
    }
}

/// Says that the monitor is gone when it is dropped, after a panic too.
pub(crate) struct Leave(pub(crate) Arc<Attendance>);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.set(Presence::Away);
        self.0.gone.notify_all();
    }
}

#[cfg(all(test, zokio_loom))]
#[path = "tests/model_monitor.rs"]
mod model;
