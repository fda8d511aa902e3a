//! Multishot operations: one request, many completions.
//!
//! A [`Multishot`] operation stays with the kernel until it fails, is cancelled, or the kernel ends it at
//! will (its queue was full, buffers ran out); each completion brings an item. [`Shots`] is the
//! consumer's end. It re-arms nothing: whoever has it does, once it has seen the [`End`].
//!
//! How an item comes about: a thread that reaps the ring finds the completion, looks the slot up by
//! name, and has the operation make an item of it, at once. From then on the item owns what it
//! brought (a descriptor, a buffer), so that dropping it wherever it is gives that back: this is the
//! orphan handler. Whoever reaps is alone inside the lane's turnstile, so items keep their order.
//!
//! Invariants:
//!
//! 1. The slot stays until the last completion (`IORING_CQE_F_MORE` not set), and holds the
//!    operation: its descriptor stays open and its memory stays, whatever became of the consumer.
//! 2. Every completion is made into an item, the last one too, and errors too: a completion that carries a
//!    buffer gives it back even if it failed or nobody waits.
//! 3. The operation is dropped before its end can be seen. Who has seen the end knows that the kernel
//!    and the slot no longer use what the operation held.
//! 4. A consumer that is dropped, or stopped, or does not keep up, cancels the request once. The
//!    cancellation is a message in the lane's mailbox, behind the request's own; it may come too
//!    late, and whatever the request brings until its last completion is treated as ever.
//! 5. An operation that the driver gave up on stays with all it holds until its last completion: the
//!    kernel may still write. The consumer has seen the end by then, and is given what comes before it
//!    and nothing else.
#![allow(unsafe_code)] // What a finisher calls is a promise of the finisher's.

mod accept;
mod queue;
mod recv;
#[cfg(not(zokio_ring))]
#[path = "absent.rs"]
mod ring;
#[cfg(zokio_ring)]
#[path = "uring.rs"]
mod ring;
mod send;

pub use accept::AcceptMany;
pub use queue::{End, Shot};
pub use recv::RecvMany;
pub use ring::ManyOnRing;
pub use send::{SendZc, was_copied};

use super::flying::Flying;
use super::table::Row;
use super::{Kind, Plane};
use crate::driver::DriverHandle;
use queue::Queue;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use zokio_base::sync::Mutex;
use zokio_base::sync::std_atomic::{AtomicBool, AtomicU64, Ordering};

/// An operation with many completions.
pub trait Multishot: Send + Sync + Sized + 'static {
    /// The item that a completion brings. Dropping it gives it back.
    type Item: Send + 'static;

    /// Its row in the table.
    const KIND: Kind;

    /// Makes the item of a completion, if it brought one. Called once for each (invariant 2).
    fn item(&self, result: i32, flags: u32) -> Option<Self::Item>;

    /// Whether the consumer is given the item, rather than that it is given back.
    fn is_wanted(_item: &Self::Item) -> bool {
        true
    }
}

/// A multishot operation in flight.
struct Shared<M: ManyOnRing> {
    queue: Queue<M::Item>,
    /// None once it is over (invariant 3). The lock is never contended: it is there because the
    /// starter and the reapers take turns.
    operation: Mutex<Option<M>>,
    /// The name that the ring's completions carry. 0 until the ring has it.
    name: AtomicU64,
    /// Whether the cancellation was asked for.
    is_cancelled: AtomicBool,
    plane: Arc<Plane>,
    worker: usize,
}

impl<M: ManyOnRing> Shared<M> {
    /// Asks for the request to end, once.
    fn cancel(self: Arc<Self>) {
        // ORDERING: Relaxed: whoever is first asks; nothing else depends on it.
        if !self.is_cancelled.swap(true, Ordering::Relaxed) {
            let plane = self.plane.clone();
            plane.lane(self.worker).cancel(self);
        }
    }

    /// Makes the item of a completion and queues it. Returns whom to wake, and whether the consumer
    /// does not keep up.
    fn take_in(&self, result: i32, flags: u32) -> (Option<Waker>, bool) {
        let operation = self.operation.lock();
        let item = operation
            .as_ref()
            .and_then(|operation| operation.item(result, flags));
        drop(operation);
        // An item that is not wanted is given back with no lock held.
        let Some(item) = item.filter(M::is_wanted) else {
            return (None, false);
        };
        let pushed = self.queue.push(item);
        // Given back here: nobody waits for it.
        drop(pushed.refused);
        (pushed.waker, pushed.is_too_many)
    }

    fn end(&self, end: End) -> Option<Waker> {
        // Before the end can be seen (invariant 3), and not under the lock.
        let operation = self.operation.lock().take();
        drop(operation);
        self.queue.end(end)
    }
}

impl<M: ManyOnRing> Flying for Shared<M> {
    fn row(&self) -> &'static Row {
        M::KIND.row()
    }

    fn name(&self) -> u64 {
        // ORDERING: Relaxed: the lane's lock orders a cancellation after the naming.
        self.name.load(Ordering::Relaxed)
    }

    fn set_name(&self, name: u64) {
        // ORDERING: as in `name`.
        self.name.store(name, Ordering::Relaxed);
    }

    fn is_idle_orphan(&self) -> bool {
        self.queue.is_orphaned()
    }

    fn progress(self: Arc<Self>, result: i32, flags: u32) -> Option<Waker> {
        let (waker, is_too_many) = self.take_in(result, flags);
        if is_too_many {
            self.cancel();
        }
        waker
    }

    unsafe fn complete(&self, result: i32, flags: u32) -> Option<Waker> {
        let (first, _) = self.take_in(result, flags);
        let second = self.end(End::Kernel(result));
        // If there are two, the consumer has polled again since it left the first.
        second.or(first)
    }

    unsafe fn refuse(&self) -> Option<Waker> {
        self.end(End::NotBegun)
    }

    unsafe fn lose(&self) -> Option<Waker> {
        // The operation stays where it is (invariant 5).
        self.queue.end(End::Lost)
    }

    unsafe fn bury(&self, result: i32, flags: u32) {
        // Nobody is left to be woken: the end came before.
        let _ = self.take_in(result, flags);
        let operation = self.operation.lock().take();
        drop(operation);
    }
}

/// The consumer's end of a multishot operation.
pub struct Shots<M: ManyOnRing> {
    shared: Arc<Shared<M>>,
}

impl<M: ManyOnRing> fmt::Debug for Shots<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shots")
            .field("kind", &M::KIND)
            .field("has_ended", &self.shared.queue.has_ended())
            .finish()
    }
}

impl<M: ManyOnRing> Shots<M> {
    /// Polls for the next item. One task waits at a time; the last that polled is woken. Once it has
    /// given the end it gives the end.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Shot<M::Item>> {
        self.shared.queue.poll(cx.waker())
    }

    /// Asks for the end. What comes before it is still given.
    pub fn stop(&self) {
        if !self.shared.queue.has_ended() {
            self.shared.clone().cancel();
        }
    }
}

impl<M: ManyOnRing> Drop for Shots<M> {
    fn drop(&mut self) {
        let (items, is_armed) = self.shared.queue.orphan();
        drop(items);
        if is_armed {
            self.shared.clone().cancel();
        }
    }
}

/// Gives `operation` to the ring of the worker `here`, or of any if this is none of `driver`'s. When
/// `limit` items wait to be taken, it is cancelled.
///
/// # Errors
/// The operation, if there is no ring for it: readiness does it.
pub fn arm<M: ManyOnRing>(
    driver: &DriverHandle,
    here: Option<usize>,
    operation: M,
    limit: usize,
) -> Result<Shots<M>, M> {
    arm_on(driver, here, driver.pick_set(here), operation, limit)
}

/// As [`arm`], with the ring of `worker`, whoever calls.
///
/// # Errors
/// As [`arm`].
pub fn arm_on<M: ManyOnRing>(
    driver: &DriverHandle,
    here: Option<usize>,
    worker: usize,
    operation: M,
    limit: usize,
) -> Result<Shots<M>, M> {
    let plane = driver.plane();
    // A single worker may be a thread that is not at its loop now: nobody would submit.
    let is_served = here.is_some() || driver.workers() > 1;
    if !is_served || driver.is_shutdown() || !plane.prefers_ring(M::KIND) {
        return Err(operation);
    }
    if plane.lane(worker).ensure_ring().is_err() {
        return Err(operation);
    }
    let shared = Arc::new(Shared {
        queue: Queue::new(limit),
        operation: Mutex::new(Some(operation)),
        name: AtomicU64::new(0),
        is_cancelled: AtomicBool::new(false),
        plane: plane.clone(),
        worker,
    });
    ring::launch(&shared, here == Some(worker));
    Ok(Shots { shared })
}
