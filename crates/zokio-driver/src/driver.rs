//! The two planes of a runtime's workers, held together.
//!
//! [`Driver::new`] makes a [`DriverHandle`] for everybody and a [`WorkerDriver`] for each worker.
//! A worker's turn is [`WorkerDriver::park`] or [`WorkerDriver::poll`]: submit what its ring has
//! pending, wait (or not), drain what is ready of both planes into a sink.
//!
//! A worker waits in one place, its readiness set: the ring is a member of the set from the first
//! turn after it was made. If the system refuses that for now, or takes no requests for now, the worker
//! waits for a short time that grows (`Pause`), and tries again.
//!
//! Invariants:
//!
//! 1. The user of a [`WorkerDriver`] has it to itself, on whatever thread. The sets and rings behind
//!    it are shared and may be reaped by anyone ([`DriverHandle::service`]).
//! 2. Waking a worker costs a system call only while it waits (`poll::park_state`).
//! 3. A turn submits before it waits, and reaps the ring after it waited whatever ended the wait:
//!    completions may show up with a signal instead of an event.

use crate::op::plane::{OnRefusal, Plane};
use crate::poll::park_state::ParkState;
use crate::poll::set::{Drained, Set};
use crate::poll::watch::Watch;
use crate::uring::IoMode;
use crate::uring::lane::{keep, mind};
use std::fmt;
use std::io;
use std::time::{Duration, Instant};
use zokio_base::clock;
use zokio_base::pad::CachePadded;
use zokio_base::park::{Offload, Unpark, WakeSink};
use zokio_base::sync::Arc;
use zokio_base::sync::std_atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// How many events one drain takes unless told otherwise.
pub const EVENTS_DEFAULT: usize = 1024;

/// A worker whose set is watched looks at it itself after this time: the guard may have no
/// processor to run on, or more events than one drain takes.
const OWN_LOOK: Duration = Duration::from_micros(200);

/// The first wait of a worker that has to try something again.
const PAUSE_MIN: Duration = Duration::from_micros(50);

/// The longest wait of a worker that has to try something again.
const PAUSE_MAX: Duration = Duration::from_millis(10);

/// For how long a worker waits that has to try something again: longer each time in a row.
#[derive(Debug, Default)]
struct Pause(Duration);

impl Pause {
    fn next(&mut self) -> Duration {
        self.0 = (self.0 * 2).clamp(PAUSE_MIN, PAUSE_MAX);
        self.0
    }

    fn reset(&mut self) {
        self.0 = Duration::ZERO;
    }
}

/// How a driver is to be.
#[derive(Clone)]
pub struct DriverOptions {
    /// How many workers it has.
    pub workers: usize,
    /// Which planes it uses.
    pub mode: IoMode,
    /// How many events one drain takes at most.
    pub events: usize,
    /// Whether an operation on a source that is in no set yet is tried at once
    /// (`poll::registration`).
    pub eager: bool,
    /// Is told once why there is no ring.
    pub on_refusal: Option<OnRefusal>,
}

impl fmt::Debug for DriverOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DriverOptions")
            .field("workers", &self.workers)
            .field("mode", &self.mode)
            .field("events", &self.events)
            .field("eager", &self.eager)
            .finish_non_exhaustive()
    }
}

impl DriverOptions {
    /// The usual settings for that many workers.
    pub fn new(workers: usize) -> Self {
        Self {
            workers,
            mode: IoMode::default(),
            events: EVENTS_DEFAULT,
            eager: false,
            on_refusal: None,
        }
    }
}

/// Figures of the work that a driver has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DriverMetrics {
    /// Sources that were attached to a set.
    pub registered: u64,
    /// Sources that left their set.
    pub deregistered: u64,
    /// Events that came.
    pub events: u64,
    /// Tasks that events woke.
    pub wakes: u64,
}

/// One worker's part of what is shared.
#[derive(Debug)]
struct Seat {
    set: Set,
    state: ParkState,
    /// Turns that the worker's driver has begun. Relaxed everywhere: the worker alone counts, and who asks
    /// on another thread may get an old number (`poll::registration`).
    turns: AtomicU64,
}

type Seats = Arc<[CachePadded<Seat>]>;

#[derive(Debug)]
struct Shared {
    seats: Seats,
    watch: Watch,
    plane: Arc<Plane>,
    /// See `DriverOptions::eager`.
    eager: bool,
    /// Spreads sources that no worker attaches.
    next_set: AtomicUsize,
    shutdown: AtomicBool,
}

/// A driver, in the making.
#[derive(Debug)]
pub struct Driver {
    /// For everybody.
    pub handle: DriverHandle,
    /// One for each worker, by index.
    pub workers: Vec<WorkerDriver>,
}

impl Driver {
    /// Makes the sets. No ring is made before it is needed. `offload` runs operations that would
    /// block.
    ///
    /// # Errors
    /// If the system gives no more descriptors, or refuses rings in mode [`IoMode::Uring`].
    ///
    /// # Panics
    /// If there are no workers.
    pub fn new(options: &DriverOptions, offload: Arc<dyn Offload>) -> io::Result<Driver> {
        assert!(options.workers > 0, "a driver has at least one worker");
        let seats: Seats = (0..options.workers)
            .map(|_| {
                Ok(CachePadded::new(Seat {
                    set: Set::new(options.events)?,
                    state: ParkState::new(),
                    turns: AtomicU64::new(0),
                }))
            })
            .collect::<io::Result<_>>()?;
        let unpark = {
            let seats = seats.clone();
            Arc::new(move |worker: usize| unpark(&seats[worker]))
        };
        let plane = Plane::new(
            options.workers,
            options.mode,
            offload,
            unpark,
            options.on_refusal.clone(),
        )?;
        let handle = DriverHandle(Arc::new(Shared {
            seats,
            watch: Watch::new(options.workers),
            plane,
            eager: options.eager,
            next_set: AtomicUsize::new(0),
            shutdown: AtomicBool::new(false),
        }));
        let workers = (0..options.workers)
            .map(|index| WorkerDriver {
                handle: handle.clone(),
                index,
                watches_ring: false,
                turns: 0,
                left_since: None,
                pause: Pause::default(),
            })
            .collect();
        Ok(Driver { handle, workers })
    }
}

fn unpark(seat: &Seat) {
    if seat.state.notify() {
        seat.set.fire();
    }
}

/// A runtime's driver, for everybody.
#[derive(Debug, Clone)]
pub struct DriverHandle(Arc<Shared>);

// A panic elsewhere leaves the driver as it was: each lock restores its invariants before anything
// under it can panic, and what is foreign (offload, refusal) is only called.
impl std::panic::UnwindSafe for DriverHandle {}
impl std::panic::RefUnwindSafe for DriverHandle {}

impl DriverHandle {
    /// How many workers the driver has.
    pub fn workers(&self) -> usize {
        self.0.seats.len()
    }

    /// Whether both are the same driver.
    pub fn is_same(&self, other: &DriverHandle) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Where operations on files are begun.
    pub fn plane(&self) -> &Arc<Plane> {
        &self.0.plane
    }

    /// Ends the wait of a worker, or its next one.
    pub fn unpark(&self, worker: usize) {
        unpark(&self.0.seats[worker]);
    }

    /// Drains both planes of a worker without waiting: for a worker that is kept from doing it
    /// itself. Returns whether anything was woken; false as well while somebody else is at it.
    pub fn service<S: WakeSink>(&self, worker: usize, sink: &mut S) -> bool {
        // In this order: the drain takes the event that announces completions to the worker.
        let drained = self.set(worker).try_drain(sink);
        let reaped = self.0.plane.lane(worker).reap(sink);
        reaped > 0 || drained.is_ok_and(|drained| drained.wakes > 0)
    }

    /// Whether an operation on a source that is in no set yet is tried at once.
    pub fn is_eager(&self) -> bool {
        self.0.eager
    }

    /// Whether the driver is gone: nothing can wait for it any more.
    pub fn is_shutdown(&self) -> bool {
        // Acquire pairs with the release in `WorkerDriver::shutdown`.
        self.0.shutdown.load(Ordering::Acquire)
    }

    /// Figures of the work that has been done so far.
    pub fn metrics(&self) -> DriverMetrics {
        let mut metrics = DriverMetrics::default();
        for seat in self.0.seats.iter() {
            let counters = seat.set.counters();
            // Relaxed: metrics order nothing.
            metrics.registered += counters.registered.load(Ordering::Relaxed);
            metrics.deregistered += counters.deregistered.load(Ordering::Relaxed);
            metrics.events += counters.events.load(Ordering::Relaxed);
            metrics.wakes += counters.wakes.load(Ordering::Relaxed);
        }
        metrics
    }

    /// How many sources are attached to the set of a worker.
    pub fn attached(&self, worker: usize) -> usize {
        self.set(worker).len()
    }

    pub(crate) fn watch(&self) -> &Watch {
        &self.0.watch
    }

    /// Whether a worker does not wait. A guess by the time it is used.
    pub(crate) fn is_running(&self, worker: usize) -> bool {
        !self.0.seats[worker].state.is_waiting()
    }

    pub(crate) fn set(&self, index: usize) -> &Set {
        &self.0.seats[index].set
    }

    /// How many turns the driver of a worker has begun.
    pub(crate) fn turns(&self, worker: usize) -> u64 {
        // Relaxed: see the field.
        self.0.seats[worker].turns.load(Ordering::Relaxed)
    }

    /// The set for a source that `worker` attaches; any set if no worker does.
    pub(crate) fn pick_set(&self, worker: Option<usize>) -> usize {
        let worker = worker.filter(|&worker| worker < self.workers());
        // Relaxed: any spread will do.
        worker.unwrap_or_else(|| self.0.next_set.fetch_add(1, Ordering::Relaxed) % self.workers())
    }
}

/// Ends the waits of one worker.
#[derive(Debug, Clone)]
pub struct DriverUnparker {
    seats: Seats,
    index: usize,
}

impl Unpark for DriverUnparker {
    fn unpark(&self) {
        unpark(&self.seats[self.index]);
    }

    fn is_waiting(&self) -> bool {
        self.seats[self.index].state.is_waiting()
    }
}

/// One worker's part of a driver: the part that waits.
#[derive(Debug)]
pub struct WorkerDriver {
    handle: DriverHandle,
    index: usize,
    /// Whether the ring is a member of the set yet.
    watches_ring: bool,
    /// Turns of polling since the last wait.
    turns: u32,
    /// Since when this worker has left its set to the guard, if it does.
    left_since: Option<Instant>,
    /// For how long it waits if something has to be tried again.
    pause: Pause,
}

impl WorkerDriver {
    /// The driver.
    pub fn handle(&self) -> &DriverHandle {
        &self.handle
    }

    /// Which worker this is.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Whether operations are under way on the worker's ring, or about to be, that end by themselves.
    pub fn has_operations(&self) -> bool {
        self.handle.0.plane.lane(self.index).has_bounded()
    }

    /// A handle that ends this worker's waits.
    pub fn unparker(&self) -> DriverUnparker {
        DriverUnparker {
            seats: self.handle.0.seats.clone(),
            index: self.index,
        }
    }

    /// Submits what is pending and drains what is ready, without waiting. While an idle worker
    /// watches the set, what is ready there is that worker's, most of the time.
    pub fn poll<S: WakeSink>(&mut self, sink: &mut S) {
        self.begin_turn();
        let lane = self.handle.0.plane.lane(self.index);
        lane.submit_into(sink);
        lane.reap(sink);
        self.turns = self.turns.saturating_add(1);
        if self.turns >= 2 && self.ask_to_be_watched() {
            // The system's time: a clock that stands would leave it to the guard for ever.
            let now = clock::real_now();
            let since = *self.left_since.get_or_insert(now);
            if now.saturating_duration_since(since) < OWN_LOOK {
                return;
            }
        }
        self.left_since = None;
        expect_drained(self.handle.set(self.index).try_drain(sink), self, sink);
    }

    /// Submits what is pending, waits until something is ready, `deadline` has come, `limit` has
    /// passed or somebody unparks, and drains what is ready. May return early for no reason.
    ///
    /// `deadline` is measured by the calling thread's clock.
    ///
    /// # Panics
    /// If the system refuses to wait, which only a descriptor closed behind the driver's back
    /// brings about.
    pub fn park<S: WakeSink>(
        &mut self,
        limit: Option<Duration>,
        deadline: Option<Instant>,
        sink: &mut S,
    ) {
        self.begin_turn();
        let lane = self.handle.0.plane.lane(self.index);
        // A wait does not notice the wakers that either wakes.
        let refused = lane.submit_into(sink);
        let reaped = refused + lane.reap(sink);
        if reaped > 0 && lane.must_retry() {
            // The kernel may have waited for the very completions that were reaped.
            lane.submit_into(sink);
        }
        self.watch_ring();
        self.turns = 0;
        self.left_since = None;
        let pause = self.pause_to_retry();
        let lane = self.handle.0.plane.lane(self.index);
        let seat = &self.handle.0.seats[self.index];
        if reaped > 0 || limit == Some(Duration::ZERO) || !seat.state.begin() {
            expect_drained(seat.set.try_drain(sink), self, sink);
        } else if !lane.begin_wait() && pause.is_none() {
            // Left by a thread that has lost this worker's core since the submission above.
            seat.state.end();
            lane.submit_into(sink);
            expect_drained(seat.set.try_drain(sink), self, sink);
        } else {
            let left = deadline.map(|at| at.saturating_duration_since(clock::now()));
            let timeout = [limit, left, pause].into_iter().flatten().min();
            let drained = self.wait(timeout, sink);
            seat.state.end();
            lane.end_wait();
            expect_drained(drained, self, sink);
        }
        lane.reap(sink);
    }

    fn begin_turn(&self) {
        let turns = &self.handle.0.seats[self.index].turns;
        // Relaxed, both: see the field. Only this worker writes.
        let begun = turns.load(Ordering::Relaxed).wrapping_add(1);
        // Relaxed: as above.
        turns.store(begun, Ordering::Relaxed);
    }

    /// For how long the worker may wait at most because nothing ends its wait when something has
    /// changed: the kernel has left requests in the queue, or the set does not watch the ring.
    fn pause_to_retry(&mut self) -> Option<Duration> {
        let lane = self.handle.0.plane.lane(self.index);
        let is_blind = !self.watches_ring && lane.in_flight() > 0;
        if is_blind || lane.must_retry() {
            return Some(self.pause.next());
        }
        self.pause.reset();
        None
    }

    /// Has the set watch the ring, once there is one. Registering reports completions that are
    /// there already, so none is missed.
    fn watch_ring(&mut self) {
        if self.watches_ring {
            return;
        }
        let lane = self.handle.0.plane.lane(self.index);
        let Some(ring) = lane.fd() else {
            return;
        };
        // Otherwise it is tried again at the next wait, operations go elsewhere until then, and this
        // worker does not sleep on completions (`pause_to_retry`).
        self.watches_ring = self.handle.set(self.index).watch_ring(ring).is_ok();
        lane.set_watched(self.watches_ring);
    }

    /// The worker stops taking turns for now. Submits what is pending, and has what was promised and is
    /// not over looked after by a thread of the pool. Never waits.
    pub fn leave<S: WakeSink>(&mut self, sink: &mut S) {
        let plane = &self.handle.0.plane;
        let lane = plane.lane(self.index);
        lane.submit_into(sink);
        lane.reap(sink);
        if lane.has_promised() {
            mind(plane, self.index);
        }
    }

    /// Ends all that is under way on this worker: waiters are woken and told that the driver is
    /// gone, operations are cancelled and waited for, until `deadline` at the latest. From then on the
    /// sources of this worker's set give errors. Called once, after all tasks were dropped.
    ///
    /// Operations that the kernel has not ended by then are abandoned: see
    /// [`OpMetrics::abandoned`](crate::uring::OpMetrics::abandoned).
    pub fn shutdown<S: WakeSink>(&mut self, deadline: Option<Instant>, sink: &mut S) {
        // Release pairs with the acquire in `is_shutdown`.
        self.handle.0.shutdown.store(true, Ordering::Release);
        self.handle.set(self.index).shutdown(sink);
        let plane = &self.handle.0.plane;
        if plane.lane(self.index).shutdown(deadline, sink) > 0 {
            keep(plane, self.index);
        }
    }
}

/// Drains what is nested and has events, too.
fn expect_drained<S: WakeSink>(drained: io::Result<Drained>, worker: &WorkerDriver, sink: &mut S) {
    match drained {
        Ok(drained) => worker.drain_peers(drained.peers, sink),
        Err(error) => panic!("the readiness set cannot be waited for: {error:?}"),
    }
}

#[cfg(all(test, not(zokio_model), zokio_ring))]
mod tests;
