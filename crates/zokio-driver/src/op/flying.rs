//! An operation under way, and the future that waits for it.
//!
//! [`Shared`] is the one allocation of an operation in flight: the operation itself, at rest, and
//! its [`Flight`]. The future has one reference, whoever finishes it the other.
//!
//! Invariants:
//!
//! 1. The cell with the operation belongs to: the starter, until it is submitted; then to whoever the
//!    waiter's last transition, or the finisher's, left in charge of the outcome. The kernel meanwhile
//!    touches what the operation points at only. So what a dropped future has to know of the operation
//!    is noted before: the driver may have given up on it, and its finisher be taking it out at that moment.
//! 2. An operation that the driver gave up on ([`Outcome::Lost`] from a ring) is not freed before its
//!    last completion, since the kernel may still write: it stays with its finisher, and the waiter,
//!    which is told, never touches the cell.
//! 3. There is one [`Finisher`] for each submission, and it finishes once.
#![allow(unsafe_code)]
#![cfg_attr(not(zokio_ring), allow(dead_code))] // One half of this is for rings.

use super::table::{Cancel, Row};
use super::{Backends, Kind, Plane, not_run};
use crate::bell::Bell;
use crate::flight::{AfterComplete, AfterOrphan, Flight};
use crate::uring::backend::{self, Finish};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use zokio_base::foreign;
use zokio_base::sync::UnsafeCell;
use zokio_base::sync::atomic::{AtomicU64, Ordering};

/// How an operation ended.
pub(crate) enum Outcome<O: Backends> {
    /// The kernel's result; the operation is in its cell.
    Kernel(i32),
    /// A thread ran it.
    Output(O::Output),
    /// The kernel never took it; the operation is in its cell.
    NotBegun,
    /// The thread that was to run it went away.
    NotRun(O),
    /// It will not be run, or nobody knows. The cell is not to be touched.
    Lost,
}

/// An operation in flight.
pub(crate) struct Shared<O: Backends> {
    flight: Flight<Outcome<O>>,
    /// Invariant 1 says whose.
    operation: UnsafeCell<Option<O>>,
    /// The name that the ring's completions carry. 0 until the ring has it.
    name: AtomicU64,
    /// Ends the wait of the thread that runs it, if it can be ended.
    bell: Option<Arc<Bell>>,
    /// Whether a ring that has it is to cancel it when its future is dropped.
    is_cancelled_with_future: bool,
    plane: Arc<Plane>,
}

// SAFETY: the cell is reached by one party at a time, the one that invariant 1 names, so sharing
// this only ever moves an operation between threads.
unsafe impl<O: Backends> Sync for Shared<O> {}
// SAFETY: operations and their outputs are `Send`.
unsafe impl<O: Backends> Send for Shared<O> {}

impl<O: Backends> Shared<O> {
    pub(crate) fn new(plane: Arc<Plane>, operation: O) -> Arc<Self> {
        let is_cancelled_with_future =
            O::KIND.row().cancel == Cancel::IfUnbounded && operation.is_unbounded();
        Arc::new(Self {
            flight: Flight::new(),
            operation: UnsafeCell::new(Some(operation)),
            name: AtomicU64::new(0),
            bell: None,
            is_cancelled_with_future,
            plane,
        })
    }

    /// One that a thread runs, until `bell` is rung.
    pub(crate) fn on_thread(plane: Arc<Plane>, bell: Option<Arc<Bell>>) -> Arc<Self> {
        Arc::new(Self {
            flight: Flight::new(),
            operation: UnsafeCell::new(None),
            name: AtomicU64::new(0),
            bell,
            is_cancelled_with_future: false,
            plane,
        })
    }

    /// Lets the starter prepare the operation at its place of rest.
    pub(crate) fn with_operation_before_submission<R>(&self, f: impl FnOnce(&mut O) -> R) -> R {
        self.operation.with_mut(|cell| {
            // SAFETY: nobody else knows of this allocation yet (invariant 1).
            let operation = unsafe { &mut *cell }.as_mut();
            f(operation.expect("an operation for the ring rests here"))
        })
    }

    /// Takes the operation out of its cell.
    ///
    /// # Safety
    /// The caller is in charge of the outcome (invariant 1), which is not [`Outcome::Lost`].
    unsafe fn take_operation(&self) -> O {
        // SAFETY: the caller's promise.
        let operation = self.operation.with_mut(|cell| unsafe { (*cell).take() });
        operation.expect("an operation is taken once")
    }

    /// The orphan handler: nobody waits for `outcome`.
    ///
    /// # Safety
    /// The caller is in charge of the outcome (invariant 1).
    unsafe fn settle_orphan(&self, outcome: Outcome<O>) {
        let (operation, was_dropped) = match outcome {
            Outcome::Output(output) => return O::orphan(output),
            Outcome::NotRun(_) | Outcome::Lost => return,
            // SAFETY: the caller's promise.
            Outcome::NotBegun => (unsafe { self.take_operation() }, false),
            Outcome::Kernel(result) => {
                // SAFETY: the caller's promise.
                match backend::settle(unsafe { self.take_operation() }, result) {
                    Finish::Done(output) => return O::orphan(output),
                    Finish::Again(operation) | Finish::Offload(operation) => {
                        // The kernel cancels, too, when the thread that submitted it ends. What we
                        // never cancel was cancelled like that, before it did anything.
                        let is_ours =
                            operation.is_unbounded() || matches!(O::KIND, Kind::Read | Kind::Open);
                        (operation, is_ours && backend::is_cancelled(result))
                    }
                }
            }
        };
        // Its effect was asked for, so it still has to happen.
        if !was_dropped && !operation.may_be_left_out() {
            self.plane.offload_detached(operation);
        }
    }

    /// Finishes, and returns whom to wake.
    ///
    /// # Safety
    /// The caller is the one finisher (invariant 3).
    unsafe fn finish(&self, outcome: Outcome<O>) -> Option<Waker> {
        // SAFETY: the caller's promise.
        match unsafe { self.flight.transition_to_completed(outcome) } {
            AfterComplete::Nothing => None,
            AfterComplete::Wake(waker) => Some(waker.into_inner()),
            AfterComplete::Orphan(outcome) => {
                // SAFETY: finding an orphan put us in charge.
                unsafe { self.settle_orphan(outcome) };
                None
            }
        }
    }
}

/// An operation in flight, whatever it is: what a ring knows of it.
pub(crate) trait Flying: Send + Sync {
    /// Its row in the table.
    fn row(&self) -> &'static Row;
    /// The name that its completions carry; 0 if it has none.
    fn name(&self) -> u64;
    /// Sets the name.
    fn set_name(&self, name: u64);
    /// Whether it may be left out now: nobody waits and it would change nothing.
    fn is_idle_orphan(&self) -> bool;
    /// A completion has come that is not the last. Returns whom to wake. Called by one thread at a
    /// time, while the operation has its slot.
    fn progress(self: Arc<Self>, _result: i32, _flags: u32) -> Option<Waker> {
        None
    }
    /// See [`Finisher::complete`].
    ///
    /// # Safety
    /// The caller is the one finisher.
    unsafe fn complete(&self, result: i32, flags: u32) -> Option<Waker>;
    /// See [`Finisher::refuse`].
    ///
    /// # Safety
    /// The caller is the one finisher.
    unsafe fn refuse(&self) -> Option<Waker>;
    /// See [`Finisher::lose`].
    ///
    /// # Safety
    /// The caller is the one finisher, and keeps this until it calls [`bury`](Self::bury).
    unsafe fn lose(&self) -> Option<Waker>;
    /// The last completion has come of what was lost: what it brought is given back.
    ///
    /// # Safety
    /// The caller is the one finisher, and has called [`lose`](Self::lose) and nothing since.
    unsafe fn bury(&self, result: i32, flags: u32);
}

impl<O: Backends> Flying for Shared<O> {
    fn row(&self) -> &'static Row {
        O::KIND.row()
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
        self.flight.is_orphaned()
            && self.operation.with(|cell| {
                // SAFETY: the waiter is gone and the kernel was told nothing, so the finisher,
                // which is asking, is in charge (invariant 1).
                unsafe { &*cell }
                    .as_ref()
                    .is_some_and(|operation| operation.may_be_left_out())
            })
    }

    unsafe fn complete(&self, result: i32, _flags: u32) -> Option<Waker> {
        // SAFETY: the caller's promise.
        unsafe { self.finish(Outcome::Kernel(result)) }
    }

    unsafe fn refuse(&self) -> Option<Waker> {
        // SAFETY: the caller's promise.
        unsafe { self.finish(Outcome::NotBegun) }
    }

    unsafe fn lose(&self) -> Option<Waker> {
        // SAFETY: the caller's promise.
        unsafe { self.finish(Outcome::Lost) }
    }

    unsafe fn bury(&self, result: i32, _flags: u32) {
        // SAFETY: the waiter was told that it is lost, so that the cell is still the finisher's
        // (invariant 2).
        unsafe { self.settle_orphan(Outcome::Kernel(result)) }
    }
}

/// The right to finish an operation, once (invariant 3).
pub(crate) struct Finisher {
    flying: Arc<dyn Flying>,
    /// The driver gave up waiting for it (invariant 2).
    is_lost: bool,
}

impl Finisher {
    /// The finisher of an operation that was just given to a ring.
    ///
    /// # Safety
    /// Called once for each submission.
    pub(crate) unsafe fn new(flying: Arc<dyn Flying>) -> Self {
        Self {
            flying,
            is_lost: false,
        }
    }

    /// The operation that it finishes.
    pub(crate) fn flying(&self) -> &dyn Flying {
        &*self.flying
    }

    /// The operation that it finishes, to be told of a completion that is not the last.
    pub(crate) fn share(&self) -> Arc<dyn Flying> {
        self.flying.clone()
    }

    /// The last completion has come with `result` and `flags`. Returns whom to wake.
    pub(crate) fn complete(self, result: i32, flags: u32) -> Option<Waker> {
        if self.is_lost {
            return self.end(|flying| {
                // SAFETY: this is the one finisher, it was lost, and it is gone after this.
                unsafe { flying.bury(result, flags) };
                None
            });
        }
        // SAFETY: this is the one finisher, and it is gone after this.
        self.end(|flying| unsafe { flying.complete(result, flags) })
    }

    /// The kernel did not take the request: it runs elsewhere, or not at all if nobody waits.
    pub(crate) fn refuse(self) -> Option<Waker> {
        debug_assert!(!self.is_lost, "only what the kernel has taken can be lost");
        // SAFETY: this is the one finisher, and it is gone after this.
        self.end(|flying| unsafe { flying.refuse() })
    }

    /// Finishes. An operation that nobody waits for is dropped here with its buffer, whose destructor
    /// may be a user's (`Bytes::from_owner`): its panic is contained.
    fn end(self, finish: impl FnOnce(&dyn Flying) -> Option<Waker>) -> Option<Waker> {
        let waker = foreign::contain(|| finish(&*self.flying)).flatten();
        foreign::drop_value(self.flying);
        waker
    }

    /// The driver gives up waiting, and tells whoever waits. The finisher is kept until the last
    /// completion: it owns what the kernel may write to (invariant 2). Does nothing the second time.
    pub(crate) fn lose(&mut self) -> Option<Waker> {
        if std::mem::replace(&mut self.is_lost, true) {
            return None;
        }
        // SAFETY: this is the one finisher, and `complete` knows from now on.
        unsafe { self.flying.lose() }
    }
}

/// A closure for a thread that may block. Dropped without being run, it says so to the waiter.
pub(crate) struct Job<O: Backends> {
    shared: Arc<Shared<O>>,
    /// None once it is being run.
    operation: Option<O>,
    is_finished: bool,
}

impl<O: Backends> Job<O> {
    pub(crate) fn new(shared: Arc<Shared<O>>, operation: O) -> Self {
        Self {
            shared,
            operation: Some(operation),
            is_finished: false,
        }
    }

    pub(crate) fn run(mut self) {
        let Some(operation) = self.operation.take() else {
            return;
        };
        if self.shared.flight.is_orphaned() && operation.may_be_left_out() {
            return;
        }
        let output = match &self.shared.bell {
            Some(bell) => operation.run_until(bell),
            None => operation.run(),
        };
        self.finish(Outcome::Output(output));
    }

    fn finish(&mut self, outcome: Outcome<O>) {
        self.is_finished = true;
        // SAFETY: a job is the one finisher of its submission, and this flag makes it finish once.
        let waker = unsafe { self.shared.finish(outcome) };
        if let Some(waker) = waker {
            foreign::wake(waker);
        }
    }
}

impl<O: Backends> Drop for Job<O> {
    fn drop(&mut self) {
        if !self.is_finished {
            let outcome = match self.operation.take() {
                Some(operation) => Outcome::NotRun(operation),
                None => Outcome::Lost,
            };
            self.finish(outcome);
        }
    }
}

/// The future of an operation.
///
/// The operation was begun when this was made. Dropped before it is ready, it hands the operation to
/// the driver, which finishes it and gives back what it brings.
pub struct Op<O: Backends> {
    /// None once ready.
    shared: Option<Arc<Shared<O>>>,
    /// The worker whose ring has it; None if a thread runs it.
    worker: Option<usize>,
}

impl<O: Backends> Unpin for Op<O> {}

impl<O: Backends> fmt::Debug for Op<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Op")
            .field("kind", &O::KIND)
            .field("flight", &self.shared.as_ref().map(|shared| &shared.flight))
            .finish()
    }
}

impl<O: Backends> Op<O> {
    pub(crate) fn new(shared: Arc<Shared<O>>, worker: Option<usize>) -> Self {
        Self {
            shared: Some(shared),
            worker,
        }
    }

    /// The kind of the operation.
    pub fn kind(&self) -> Kind {
        O::KIND
    }
}

impl<O: Backends> Future for Op<O> {
    type Output = O::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let shared = self.shared.as_ref().expect("polled after it was ready");
            // SAFETY: this future is the one waiter, and forgets the flight once it is over.
            let outcome = match unsafe { shared.flight.poll(cx.waker()) } {
                Poll::Ready(outcome) => outcome,
                Poll::Pending => return Poll::Pending,
            };
            let shared = self.shared.take().expect("it was there");
            let next = match outcome {
                Outcome::Output(output) => return Poll::Ready(output),
                Outcome::NotRun(operation) => {
                    return Poll::Ready(operation.give_back(not_run()));
                }
                Outcome::Lost => return Poll::Ready(O::fail(not_run())),
                // SAFETY: the outcome put us in charge.
                Outcome::NotBegun => shared
                    .plane
                    .start_offloaded(unsafe { shared.take_operation() }),
                Outcome::Kernel(result) => {
                    // SAFETY: the outcome put us in charge.
                    match backend::settle(unsafe { shared.take_operation() }, result) {
                        Finish::Done(output) => return Poll::Ready(output),
                        Finish::Again(operation) => shared.plane.start(None, operation),
                        Finish::Offload(operation) => shared.plane.start_offloaded(operation),
                    }
                }
            };
            *self = next;
        }
    }
}

impl<O: Backends> Drop for Op<O> {
    fn drop(&mut self) {
        let Some(shared) = self.shared.take() else {
            return;
        };
        // SAFETY: this future is the one waiter, and this is its last call.
        match unsafe { shared.flight.transition_to_orphaned() } {
            AfterOrphan::Dispose(Some(outcome)) => {
                // The finisher would have dropped it, had it come later: contained as there.
                let settle = || {
                    // SAFETY: the outcome put us in charge.
                    unsafe { shared.settle_orphan(outcome) };
                };
                let _ = foreign::contain(settle);
                foreign::drop_value(shared);
            }
            AfterOrphan::Dispose(None) => {}
            AfterOrphan::HandedOver => {
                if let Some(bell) = &shared.bell {
                    bell.ring();
                }
                if let (true, Some(worker)) = (shared.is_cancelled_with_future, self.worker) {
                    let plane = shared.plane.clone();
                    plane.lane(worker).cancel(shared);
                }
            }
        }
    }
}

#[cfg(all(test, zokio_ring, not(zokio_model)))]
#[allow(clippy::disallowed_methods)] // The driver is a thread.
mod tests {
    use super::super::{OnOffload, OnRing, Operation};
    use super::*;
    use crate::uring::IoMode;
    use std::io;
    use std::sync::atomic::AtomicUsize;
    use zokio_base::park::Offload;
    use zokio_base::sync::thread;

    /// A read that counts how often it is asked what it is.
    struct Asked(Arc<AtomicUsize>);

    impl Operation for Asked {
        type Output = ();
        const KIND: Kind = Kind::Read;

        fn fail(_error: io::Error) {}

        fn orphan((): ()) {}

        fn is_unbounded(&self) -> bool {
            self.0.fetch_add(1, Ordering::Relaxed);
            true
        }
    }

    // SAFETY: the entry names nothing.
    unsafe impl OnRing for Asked {
        fn entry(&mut self) -> io_uring::squeue::Entry {
            io_uring::opcode::Nop::new().build()
        }

        fn finish(self, _result: i32) -> Finish<Self> {
            Finish::Done(())
        }
    }

    impl OnOffload for Asked {
        fn run(self) {}
    }

    struct NoPool;

    impl Offload for NoPool {
        fn offload(&self, _job: Box<dyn FnOnce() + Send>) {}
    }

    fn plane() -> Arc<Plane> {
        let unpark = Arc::new(|_| {});
        Plane::new(1, IoMode::Epoll, Arc::new(NoPool), unpark, None).unwrap()
    }

    /// An operation that a ring has, and who finishes it.
    fn submitted(asked: &Arc<AtomicUsize>) -> (Op<Asked>, Finisher) {
        let shared = Shared::new(plane(), Asked(asked.clone()));
        // SAFETY: once for this submission.
        let finisher = unsafe { Finisher::new(shared.clone()) };
        (Op::new(shared, Some(0)), finisher)
    }

    #[test]
    fn a_dropped_future_does_not_look_at_what_others_may_be_taking() {
        let asked = Arc::new(AtomicUsize::new(0));
        let (op, finisher) = submitted(&asked);
        let plane = finisher.share();
        let before = asked.load(Ordering::Relaxed);
        drop(op);
        assert_eq!(asked.load(Ordering::Relaxed), before);
        assert!(
            Arc::strong_count(&plane) > 2,
            "the lane is told to cancel it"
        );
        assert!(finisher.complete(0, 0).is_none());
    }

    /// As a keeper does it with what a shutdown has abandoned, while a program drops a file.
    #[test]
    fn an_operation_is_buried_while_its_future_is_dropped() {
        let asked = Arc::new(AtomicUsize::new(0));
        for _ in 0..if cfg!(miri) { 10 } else { 500 } {
            let (op, mut finisher) = submitted(&asked);
            let keeper = thread::spawn(move || {
                assert!(finisher.lose().is_none());
                assert!(finisher.complete(0, 0).is_none());
            });
            drop(op);
            keeper.join().unwrap();
        }
        assert_eq!(Arc::strong_count(&asked), 1, "all are gone");
    }
}
