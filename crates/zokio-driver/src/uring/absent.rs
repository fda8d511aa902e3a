//! Where there is no io_uring: the same names, and nothing ever runs here.
#![allow(unsafe_code)] // The trait is a promise about pointers, kept where there is a ring.

use super::OpMetrics;
use crate::op::flying::{Flying, Shared};
use crate::op::plane::UnparkWorker;
use crate::op::table::Kind;
use crate::op::{Backends, Operation, Plane};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Instant;
use zokio_base::park::WakeSink;

/// How an operation runs on a ring: not at all here.
///
/// # Safety
/// None is needed where there is no ring.
pub unsafe trait OnRing: Operation {}

// SAFETY: there is no ring.
unsafe impl<O: Operation> OnRing for O {}

/// The meaning of a completion.
#[derive(Debug)]
pub enum Finish<O: Operation> {
    /// The operation is over.
    Done(O::Output),
    /// Nothing was done: submit it again.
    Again(O),
    /// The ring cannot do this one.
    Offload(O),
}

/// No completion ever comes, so none is cancelled.
pub(crate) fn is_cancelled(_result: i32) -> bool {
    false
}

/// No completion ever comes.
pub(crate) fn settle<O: OnRing>(operation: O, _result: i32) -> Finish<O> {
    Finish::Offload(operation)
}

/// Nothing is taken.
pub(crate) fn launch<O: Backends>(
    _plane: &Plane,
    _worker: usize,
    _is_owner: bool,
    _shared: &Arc<Shared<O>>,
) -> bool {
    false
}

/// Nothing is taken: where there is no ring, nothing is left for one either.
pub(crate) fn launch_all<O: Backends>(
    _plane: &Plane,
    _worker: usize,
    _is_owner: bool,
    all: &[Arc<Shared<O>>],
) {
    assert!(
        all.is_empty(),
        "nothing is begun on a ring that is not there"
    );
}

/// Why there is no ring.
#[derive(Debug, Clone)]
pub struct Refusal;

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this system has no io_uring, files use the blocking pool")
    }
}

impl Refusal {
    /// It is for good.
    pub fn is_for_now(&self) -> bool {
        false
    }
}

/// Whether rings run operations of this kind.
///
/// # Errors
/// Always: there are no rings.
pub fn supports(_kind: Kind) -> Result<bool, Refusal> {
    Err(Refusal)
}

/// Fails if there are no rings.
///
/// # Errors
/// Always.
pub fn require() -> io::Result<()> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        Refusal.to_string(),
    ))
}

/// A worker without a ring.
#[derive(Debug)]
pub struct Lane {}

impl Lane {
    pub(crate) fn new(_worker: usize, _unpark: UnparkWorker) -> Self {
        Self {}
    }

    pub(crate) fn ensure_ring(&self) -> Result<(), Refusal> {
        Err(Refusal)
    }

    /// None.
    pub(crate) fn fd(&self) -> Option<crate::sys::RingFd> {
        None
    }

    /// Nothing.
    pub fn pending(&self) -> usize {
        0
    }

    /// Nothing.
    pub fn in_flight(&self) -> usize {
        0
    }

    /// Nothing.
    pub fn has_bounded(&self) -> bool {
        false
    }

    pub(crate) fn add_metrics(&self, _metrics: &mut OpMetrics) {}

    pub(crate) fn cancel(&self, _flying: Arc<dyn Flying>) {}

    /// Nothing to submit.
    pub fn submit_pending(&self) -> usize {
        0
    }

    pub(crate) fn submit_into<S: WakeSink>(&self, _sink: &mut S) -> usize {
        0
    }

    pub(crate) fn set_watched(&self, _is_watched: bool) {}

    /// Nothing is left over.
    pub(crate) fn must_retry(&self) -> bool {
        false
    }

    /// Nothing keeps the worker from waiting.
    pub fn begin_wait(&self) -> bool {
        true
    }

    /// Nothing to do.
    pub fn end_wait(&self) {}

    pub(crate) fn has_promised(&self) -> bool {
        false
    }

    /// Nothing to reap.
    pub fn reap<S: WakeSink>(&self, _sink: &mut S) -> usize {
        0
    }

    /// Nothing to end.
    pub fn shutdown<S: WakeSink>(&self, _deadline: Option<Instant>, _sink: &mut S) -> usize {
        0
    }
}

/// Nothing is ever promised on a ring.
pub(crate) fn mind(_plane: &Arc<Plane>, _worker: usize) {}

/// Nothing is ever abandoned.
pub(crate) fn keep(_plane: &Arc<Plane>, _worker: usize) {}

/// No thread is.
pub(crate) fn is_keeper() -> bool {
    false
}
