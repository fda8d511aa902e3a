//! The traits that an operation implements to run on a ring.
#![allow(unsafe_code)] // The trait is a promise about pointers.

use crate::op::flying::{Flying, Shared};
use crate::op::{Backends, Operation, Plane};
use io_uring::squeue;
use std::io;
use std::sync::Arc;

/// How an operation runs on a ring.
///
/// # Safety
/// Every pointer and descriptor in an [`entry`](Self::entry) belongs to the operation, is valid
/// until the operation is dropped, and stays so while the operation is moved.
pub unsafe trait OnRing: Operation {
    /// The request. Called once before each submission, at the operation's place of rest.
    fn entry(&mut self) -> squeue::Entry;

    /// Makes the outcome of the result in the request's last completion.
    fn finish(self, result: i32) -> Finish<Self>;
}

/// The meaning of a completion.
#[derive(Debug)]
pub enum Finish<O: Operation> {
    /// The operation is over.
    Done(O::Output),
    /// Nothing was done: submit it again.
    Again(O),
    /// The ring cannot do this one: run it on a thread that may block, which has the last word.
    Offload(O),
}

impl<O: Operation> Finish<O> {
    /// The meaning of an error, which is `result` negated.
    pub(crate) fn of_error(
        operation: O,
        result: i32,
        fail: impl FnOnce(O, io::Error) -> O::Output,
    ) -> Self {
        match -result {
            libc::EINTR => Self::Again(operation),
            libc::EAGAIN
            | libc::ECANCELED
            | libc::EINVAL
            | libc::EOPNOTSUPP
            | libc::ENOSYS
            | libc::EBADFD => Self::Offload(operation),
            error => Self::Done(fail(operation, io::Error::from_raw_os_error(error))),
        }
    }
}

impl<O: Operation<Output = io::Result<()>>> Finish<O> {
    /// The meaning of a result that is 0 or an error.
    pub(crate) fn of_unit(operation: O, result: i32) -> Self {
        match result {
            0.. => Self::Done(Ok(())),
            _ => Self::of_error(operation, result, |_, error| Err(error)),
        }
    }
}

/// Whether `result` says that the request was cancelled.
pub(crate) fn is_cancelled(result: i32) -> bool {
    result == -libc::ECANCELED
}

/// Gives the operation in `shared` to the ring of `worker`. False if that ring takes nothing.
pub(crate) fn launch<O: Backends>(
    plane: &Plane,
    worker: usize,
    is_owner: bool,
    shared: &Arc<Shared<O>>,
) -> bool {
    let entry = shared.with_operation_before_submission(OnRing::entry);
    let flying: Arc<dyn Flying> = shared.clone();
    plane.lane(worker).submit(entry, flying, is_owner)
}

/// Gives the operations in `all` to the ring of `worker` together. Those that it does not take are told
/// so.
pub(crate) fn launch_all<O: Backends>(
    plane: &Plane,
    worker: usize,
    is_owner: bool,
    all: &[Arc<Shared<O>>],
) {
    let entries = all.iter().map(|shared| {
        let entry = shared.with_operation_before_submission(OnRing::entry);
        let flying: Arc<dyn Flying> = shared.clone();
        (entry, flying)
    });
    plane.lane(worker).submit_many(entries.collect(), is_owner);
}

/// Makes the outcome of a completion.
pub(crate) fn settle<O: OnRing>(operation: O, result: i32) -> Finish<O> {
    operation.finish(result)
}
