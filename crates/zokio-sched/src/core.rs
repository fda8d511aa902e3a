//! A worker's core: its queues, its driver and the state of its loop, apart from the thread that
//! runs it.
//!
//! The cores of a scheduler stand in one row of [`Lane`]s and never move; what moves is the right
//! to touch them (see [`handoff`](crate::handoff)). Beside the core a lane holds what other threads
//! may touch at any time.
//!
//! Invariants:
//!
//! 1. A [`Core`] is touched only inside of a [`Section`] of the tenure that holds the lane's seat,
//!    by a visitor of the seat ([`Seat::visit`]), or by the one who ends the scheduler, after every
//!    seat was retired.
//! 2. No borrow of a core's cells is alive while foreign code runs, except that of `park`, which
//!    nothing but the loop uses.
#![allow(unsafe_code)]

use crate::handoff::{Coming, Seat, Section};
use crate::inject::Inbox;
use crate::lifo_slot::LifoSlot;
use crate::local_queue::{Owner, RING_LEN, Stealer, ring};
use crate::observe::Stretch;
use crate::stats::WorkerStats;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::task::Waker;
use std::time::Instant;
use zokio_base::pad::CachePadded;
use zokio_base::park::Park;
use zokio_base::rand::Rng;
use zokio_base::sync::UnsafeCell;
use zokio_base::sync::atomic::{AtomicBool, Ordering};
use zokio_task::{Header, Notified, TaskQueue};

/// The queues, the driver and the loop's state of a worker.
pub(crate) struct Core<P> {
    ring: Owner<Header>,
    pub(crate) lifo: LifoSlot,
    /// The driver; none after the scheduler has ended.
    park: RefCell<Option<P>>,
    rng: Cell<Rng>,
    /// Turns until the driver is polled.
    pub(crate) until_driver: Cell<u32>,
    /// Turns until the inbox is looked at.
    pub(crate) until_inbox: Cell<u32>,
    /// Counted as searching.
    pub(crate) searching: Cell<bool>,
    /// Counted as asleep.
    pub(crate) asleep: Cell<bool>,
    /// Wakers that wait until the driver was polled.
    pub(crate) deferred: RefCell<Vec<Waker>>,
    /// A drain is under way: tasks that do not fit the ring gather in `batch`.
    pub(crate) draining: Cell<bool>,
    pub(crate) batch: RefCell<TaskQueue>,
    /// Tasks queued since the drain began.
    pub(crate) drained: Cell<usize>,
    /// When the worker last stopped waiting.
    pub(crate) busy_since: Cell<Option<Instant>>,
    /// The polls that are timed.
    pub(crate) stretch: Stretch,
    /// Whether a task ran since then.
    pub(crate) ran: Cell<bool>,
    /// Until when an idle worker spins.
    pub(crate) spin_until: Cell<Option<Instant>>,
    /// The tasks that the next drain of the driver wakes go before those that wait in the overflow.
    pub(crate) drains_first: Cell<bool>,
    /// How many tasks the next refill from the inbox takes at most: fewer than a ring holds after
    /// a stall.
    pub(crate) refill_max: Cell<usize>,
}

impl<P> Core<P> {
    fn new(park: P, rng: Rng, owner: Owner<Header>) -> Self {
        Self {
            ring: owner,
            lifo: LifoSlot::default(),
            park: RefCell::new(Some(park)),
            rng: Cell::new(rng),
            until_driver: Cell::new(0),
            until_inbox: Cell::new(0),
            searching: Cell::new(false),
            asleep: Cell::new(false),
            deferred: RefCell::new(Vec::new()),
            draining: Cell::new(false),
            batch: RefCell::new(TaskQueue::new()),
            drained: Cell::new(0),
            busy_since: Cell::new(None),
            stretch: Stretch::default(),
            ran: Cell::new(false),
            spin_until: Cell::new(None),
            drains_first: Cell::new(false),
            refill_max: Cell::new(RING_LEN),
        }
    }

    /// Uses the driver. Nothing that `f` calls uses it again.
    #[inline]
    pub(crate) fn with_park<R>(&self, f: impl FnOnce(&mut P) -> R) -> R {
        let mut park = self.park.borrow_mut();
        f(park
            .as_mut()
            .expect("a worker runs only while there is a driver"))
    }

    /// Takes the driver out, to end it.
    pub(crate) fn take_park(&self) -> Option<P> {
        self.park.take()
    }

    /// The ring, for thieves to fill.
    pub(crate) fn ring(&self) -> &Owner<Header> {
        &self.ring
    }

    /// Appends `task` to the ring, or gives it back if the ring is full.
    #[inline]
    pub(crate) fn push(&self, task: Notified) -> Result<(), Notified> {
        self.ring.push(task.into_raw()).map_err(|task| {
            // SAFETY: `into_raw` above made the pointer, and the ring did not keep it.
            unsafe { Notified::from_raw(task) }
        })
    }

    /// Takes the oldest task of the ring.
    #[inline]
    pub(crate) fn pop(&self) -> Option<Notified> {
        // SAFETY: what is in the ring was put there by `push`, or moved there from another ring;
        // popping takes it out for good.
        self.ring
            .pop()
            .map(|task| unsafe { Notified::from_raw(task) })
    }

    /// Draws from the core's generator.
    pub(crate) fn random<R>(&self, draw: impl FnOnce(&mut Rng) -> R) -> R {
        let mut rng = self.rng.get();
        let result = draw(&mut rng);
        self.rng.set(rng);
        result
    }

    /// Drops all tasks that wait here.
    pub(crate) fn drain(&self) {
        loop {
            let batch = self.batch.take();
            let task = self.lifo.take().or_else(|| self.pop());
            if task.is_none() && batch.is_empty() {
                break;
            }
            drop((batch, task));
        }
        drop(self.deferred.take());
    }
}

impl<P> Drop for Core<P> {
    fn drop(&mut self) {
        self.drain();
    }
}

/// A core in its place.
pub(crate) struct CoreCell<P>(UnsafeCell<Core<P>>);

// SAFETY: the core is touched by one thread at a time (invariant 1), and everything in it may move
// between threads: the ring's owner, tasks and wakers are `Send`, `P` is asked to be.
unsafe impl<P: Send> Sync for CoreCell<P> {}
// SAFETY: as above.
unsafe impl<P: Send> Send for CoreCell<P> {}

impl<P> CoreCell<P> {
    /// The core.
    ///
    /// # Safety
    /// `_section` is of the tenure that holds this lane's seat.
    #[inline]
    pub(crate) unsafe fn get<'a>(&'a self, _section: &'a Section<'_>) -> &'a Core<P> {
        // SAFETY: the section outlives the reference, and while it lasts nobody else has one.
        self.0.with(|core| unsafe { &*core })
    }

    /// The core, for the thread that holds the seat and is not in a poll, that visits the seat, or
    /// that ends the scheduler.
    ///
    /// # Safety
    /// The caller is one of those for as long as it uses the reference.
    #[inline]
    pub(crate) unsafe fn get_held(&self) -> &Core<P> {
        // SAFETY: the caller's.
        self.0.with(|core| unsafe { &*core })
    }
}

/// One worker: its core, and what others may touch of it.
pub(crate) struct Lane<P: Park> {
    pub(crate) seat: CachePadded<Seat>,
    pub(crate) core: CoreCell<P>,
    pub(crate) stealer: Stealer<Header>,
    pub(crate) inbox: CachePadded<Inbox<TaskQueue>>,
    pub(crate) unpark: P::Unpark,
    pub(crate) stats: CachePadded<WorkerStats>,
    /// Whether a thread is on its way to the seat.
    pub(crate) coming: Coming,
    /// The core was taken from a stalled poll, and nobody has gone on with it yet.
    stalled: AtomicBool,
}

impl<P: Park> Lane<P> {
    pub(crate) fn new(park: P, rng: Rng, stats: WorkerStats) -> Self {
        let (owner, stealer) = ring();
        Self {
            seat: CachePadded::new(Seat::new()),
            unpark: park.unparker(),
            core: CoreCell(UnsafeCell::new(Core::new(park, rng, owner))),
            stealer,
            inbox: CachePadded::new(Inbox::new()),
            stats: CachePadded::new(stats),
            coming: Coming::default(),
            stalled: AtomicBool::new(false),
        }
    }

    /// The core was taken from a stalled poll: for the thread that is about to get it.
    pub(crate) fn say_that_it_stalled(&self) {
        // Relaxed: the hand-over of the job to that thread orders it, and it is a hint.
        self.stalled.store(true, Ordering::Relaxed);
    }

    /// Whether the core was taken from a stalled poll since the last call.
    pub(crate) fn take_stalled(&self) -> bool {
        // Relaxed: as above.
        self.stalled.load(Ordering::Relaxed) && self.stalled.swap(false, Ordering::Relaxed)
    }
}

impl<P: Park> fmt::Debug for Lane<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane")
            .field("seat", &*self.seat)
            .field("queue", &self.stealer)
            .field("inbox", &*self.inbox)
            .finish_non_exhaustive()
    }
}
