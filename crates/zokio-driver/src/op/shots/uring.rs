//! Multishot operations on a ring.
#![allow(unsafe_code)] // The trait is a promise about pointers.

use super::{Multishot, Shared};
use crate::op::flying::Flying;
use io_uring::squeue;
use std::sync::Arc;

/// How a multishot operation runs on a ring.
///
/// # Safety
/// Every pointer and descriptor in the [`entry`](Self::entry) belongs to the operation and is valid
/// until the operation is dropped.
pub unsafe trait ManyOnRing: Multishot {
    /// The request.
    fn entry(&self) -> squeue::Entry;
}

/// Gives it to its lane. If that takes nothing, the operation ends as one that was not begun.
pub(super) fn launch<M: ManyOnRing>(shared: &Arc<Shared<M>>, is_owner: bool) {
    let operation = shared.operation.lock();
    let entry = operation.as_ref().map(ManyOnRing::entry);
    drop(operation);
    let entry = entry.expect("nobody else knows of it yet");
    let flying: Arc<dyn Flying> = shared.clone();
    shared
        .plane
        .lane(shared.worker)
        .submit(entry, flying, is_owner);
}
