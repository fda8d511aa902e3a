//! The completion plane: where operations are begun, on a worker's ring or on the blocking pool.
//!
//! Which it is, is decided when an operation begins, in this order: the mode, the table's first
//! choice, what the operation itself prefers, what the kernel knows, whether the worker's ring
//! takes it. Whatever says no, the pool runs it, with the same result.

use super::flying::{Job, Op, Shared};
use super::{Backends, Kind};
use crate::bell::Bell;
use crate::uring::lane::{Lane, is_keeper};
use crate::uring::{IoMode, OpMetrics, RingStatus, backend, probe};
use std::fmt;
use std::io;
use std::sync::Arc;
use zokio_base::foreign;
use zokio_base::park::{Interrupt, Offload};
use zokio_base::sync::Mutex;
use zokio_base::sync::std_atomic::{AtomicU64, AtomicUsize, Ordering};

/// Ends the wait of the worker with this index.
pub type UnparkWorker = Arc<dyn Fn(usize) + Send + Sync>;

/// Is told once why there is no ring: once if it is for now, and once if it is for good.
pub type OnRefusal = Arc<dyn Fn(&str) + Send + Sync>;

/// Why an operation could not go to a ring.
struct Refused {
    why: String,
    is_for_now: bool,
}

/// The completion plane of one driver.
pub struct Plane {
    lanes: Box<[Lane]>,
    mode: IoMode,
    offload: Arc<dyn Offload>,
    /// Spreads operations that begin outside of the workers.
    next_lane: AtomicUsize,
    offloaded: AtomicU64,
    /// The first refusal, whichever worker met it. One for now gives place to one for good.
    refusal: Mutex<Option<Refused>>,
    on_refusal: Option<OnRefusal>,
}

impl fmt::Debug for Plane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plane")
            .field("mode", &self.mode)
            .field("status", &self.status())
            .field("metrics", &self.metrics())
            .finish_non_exhaustive()
    }
}

impl Plane {
    /// A plane for that many workers. `unpark` is called when a thread that is not the worker left
    /// something to submit.
    ///
    /// # Errors
    /// In mode [`IoMode::Uring`], if the system refuses the ring.
    ///
    /// # Panics
    /// If there are no workers.
    pub fn new(
        workers: usize,
        mode: IoMode,
        offload: Arc<dyn Offload>,
        unpark: UnparkWorker,
        on_refusal: Option<OnRefusal>,
    ) -> io::Result<Arc<Self>> {
        assert!(workers > 0, "a driver has at least one worker");
        if mode == IoMode::Uring {
            probe::require()?;
        }
        let lanes = (0..workers)
            .map(|index| Lane::new(index, unpark.clone()))
            .collect();
        Ok(Arc::new(Self {
            lanes,
            mode,
            offload,
            next_lane: AtomicUsize::new(0),
            offloaded: AtomicU64::new(0),
            refusal: Mutex::new(None),
            on_refusal,
        }))
    }

    /// The ring and mailbox of `worker`.
    ///
    /// # Panics
    /// If there is no such worker.
    pub fn lane(&self, worker: usize) -> &Lane {
        &self.lanes[worker]
    }

    /// Begins `operation`. `here` is the worker whose loop runs on this thread, if it is one of
    /// this driver's.
    pub fn start<O: Backends>(self: &Arc<Self>, here: Option<usize>, operation: O) -> Op<O> {
        if !self.may_use_ring(&operation) {
            return self.start_offloaded(operation);
        }
        let Some(worker) = self.lane_for(here) else {
            return self.start_offloaded(operation);
        };
        let shared = Shared::new(self.clone(), operation);
        if !backend::launch(self, worker, here.is_some(), &shared) {
            // The lane said so to the operation too, whose future goes to the pool from there.
            return Op::new(shared, None);
        }
        Op::new(shared, Some(worker))
    }

    /// Begins all of `operations`, in their order. Those that the ring takes are given to the ring of
    /// one worker, which is told once.
    pub fn start_all<O: Backends>(
        self: &Arc<Self>,
        here: Option<usize>,
        operations: impl IntoIterator<Item = O>,
    ) -> Vec<Op<O>> {
        let mut worker = None;
        let mut for_ring = Vec::new();
        let mut begin = |operation| {
            if !self.may_use_ring(&operation) {
                return self.start_offloaded(operation);
            }
            let worker = *worker.get_or_insert_with(|| self.lane_for(here));
            let Some(worker) = worker else {
                return self.start_offloaded(operation);
            };
            let shared = Shared::new(self.clone(), operation);
            for_ring.push(shared.clone());
            Op::new(shared, Some(worker))
        };
        let started = operations.into_iter().map(&mut begin).collect();
        if let Some(Some(worker)) = worker {
            backend::launch_all(self, worker, here.is_some(), &for_ring);
        }
        started
    }

    /// The worker that operations begun here go to. None if it has no ring.
    fn lane_for(&self, here: Option<usize>) -> Option<usize> {
        let worker = here.unwrap_or_else(|| {
            // ORDERING: Relaxed: any spread will do.
            self.next_lane.fetch_add(1, Ordering::Relaxed) % self.lanes.len()
        });
        match self.lanes[worker].ensure_ring() {
            Ok(()) => Some(worker),
            Err(why) => {
                self.note_refusal(&why);
                None
            }
        }
    }

    /// The threads that may block.
    pub fn pool(&self) -> &Arc<dyn Offload> {
        &self.offload
    }

    /// Begins `operation` on a thread that may block.
    pub fn start_offloaded<O: Backends>(self: &Arc<Self>, operation: O) -> Op<O> {
        // ORDERING: Relaxed: a metric.
        self.offloaded.fetch_add(1, Ordering::Relaxed);
        let bell = operation.can_be_ended().then(Bell::new);
        if let Some(bell) = &bell {
            let wait: Arc<dyn Interrupt> = bell.clone();
            self.offload.watch(Arc::downgrade(&wait));
        }
        let shared = Shared::on_thread(self.clone(), bell);
        let job = Job::new(shared.clone(), operation);
        self.offload.offload(Box::new(move || job.run()));
        Op::new(shared, None)
    }

    /// Runs `operation`, for which nobody waits, on a thread that may block.
    pub(crate) fn offload_detached<O: Backends>(&self, operation: O) {
        if is_keeper() {
            // The pool is gone, and this thread may block.
            return O::orphan(operation.run());
        }
        self.offload
            .offload(Box::new(move || O::orphan(operation.run())));
    }

    fn may_use_ring<O: Backends>(&self, operation: &O) -> bool {
        match self.mode {
            IoMode::Epoll => return false,
            IoMode::Auto if !O::KIND.row().ring_first => return false,
            IoMode::Auto | IoMode::Uring => {}
        }
        if operation.prefers_offload() {
            return false;
        }
        match probe::supports(O::KIND) {
            Ok(supported) => supported,
            Err(why) => {
                self.note_refusal(&why);
                false
            }
        }
    }

    #[cold]
    fn note_refusal(&self, why: &probe::Refusal) {
        let is_for_now = why.is_for_now();
        let mut refusal = self.refusal.lock();
        if refusal
            .as_ref()
            .is_some_and(|known| is_for_now || !known.is_for_now)
        {
            return;
        }
        let why = why.to_string();
        *refusal = Some(Refused {
            why: why.clone(),
            is_for_now,
        });
        // Foreign code, which is called with no lock held.
        drop(refusal);
        if let Some(on_refusal) = &self.on_refusal {
            let _ = foreign::contain(|| on_refusal(&why));
        }
    }

    /// Which planes are in use.
    pub fn mode(&self) -> IoMode {
        self.mode
    }

    /// Whether a kind of operation would go to the ring now, other things being equal.
    pub fn prefers_ring(&self, kind: Kind) -> bool {
        match self.mode {
            IoMode::Epoll => false,
            IoMode::Auto => kind.row().ring_first && probe::supports(kind).unwrap_or(false),
            IoMode::Uring => probe::supports(kind).unwrap_or(false),
        }
    }

    /// Whether operations run on rings.
    pub fn status(&self) -> RingStatus {
        if self.lanes.iter().any(|lane| lane.fd().is_some()) {
            return RingStatus::Active;
        }
        if self.mode == IoMode::Epoll {
            return RingStatus::Refused {
                why: "the mode is epoll".to_owned(),
            };
        }
        match &*self.refusal.lock() {
            Some(refused) => RingStatus::Refused {
                why: refused.why.clone(),
            },
            None => RingStatus::NotNeededYet,
        }
    }

    /// Figures of the work that has been done so far.
    pub fn metrics(&self) -> OpMetrics {
        let mut metrics = OpMetrics {
            // ORDERING: Relaxed: a metric.
            offloaded: self.offloaded.load(Ordering::Relaxed),
            refused: u64::from(self.refusal.lock().is_some()),
            ..OpMetrics::default()
        };
        for lane in &self.lanes {
            lane.add_metrics(&mut metrics);
        }
        metrics
    }
}
