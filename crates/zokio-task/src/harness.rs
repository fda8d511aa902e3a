//! The actions on a task: run, complete, cancel, wake, join, free. The state word decides what
//! comes next; nothing here knows the future's type.
//!
//! Invariants (besides those of `state.rs`, which are meant where a comment says "invariant"):
//!
//! A. No panic of a future, an output or a foreign waker leaves this file, nor leaves a task
//!    without an outcome.
//! B. Whenever a future or an output is polled or dropped, the task is current in the context.
//! C. The future is gone before the task is complete, and on the thread that ran it last or shut
//!    it down.
//! D. A scheduler is not called through a task whose last reference another thread may release
//!    meanwhile: whoever calls it holds a reference of his own, or keeps the scheduler alive.
#![allow(unsafe_code)]

use crate::cell::{Header, Panic, UNTRACKED};
use crate::context;
use crate::coop::Budget;
use crate::notified::Notified;
use crate::raw::TaskRef;
use crate::state::{
    Outcome, ToComplete, ToIdle, ToJoinDropped, ToJoinWoken, ToNotified, ToRunning, ToShutdown,
    ToTaken, ToWaker,
};
use crate::waker;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};
use zokio_base::foreign::{KeptWaker, contain, drop_value};

// ---- Running ----

/// Polls a notified task once and does what follows from it. Consumes the notification's
/// reference. The caller keeps the scheduler alive.
pub(crate) fn run(task: TaskRef) {
    match task.state().transition_to_running() {
        ToRunning::Poll => poll(task),
        ToRunning::Cancel => cancel(task),
        ToRunning::Superseded => drop(task),
    }
}

/// Polls the future. The caller has just got `RUNNING`.
fn poll(task: TaskRef) {
    let polled = {
        let header = task.header();
        // Untracked tasks are blocking work: what they drive may take as much as it wants.
        let budget = if header.slot == UNTRACKED {
            Budget::unlimited()
        } else {
            Budget::initial()
        };
        let waker = waker::borrow(&task);
        let mut cx = Context::from_waker(&waker);
        let _poll = context::enter_poll(header.id, budget);
        catch_unwind(AssertUnwindSafe(|| {
            let mut leftover = Leftover {
                task: &task,
                future_alive: true,
            };
            // SAFETY: we hold RUNNING, so the stage is ours and, as the task is not complete,
            // holds the future (invariant 1).
            let polled =
                unsafe { (header.vtable.poll)(task.as_ptr(), &mut cx, &mut leftover.future_alive) };
            std::mem::forget(leftover);
            polled
        }))
    };
    match polled {
        Ok(Poll::Pending) => go_idle(task),
        Ok(Poll::Ready(())) => complete(task, Outcome::Output),
        Err(payload) => {
            let _ = contain(|| task.header().shard.schedule().task_panicked(&*payload));
            store_panic(&task, payload);
            complete(task, Outcome::Panic);
        }
    }
}

/// Drops the future of a poll that panicked, while the panic unwinds: the future can tell.
struct Leftover<'a> {
    task: &'a TaskRef,
    future_alive: bool,
}

impl Drop for Leftover<'_> {
    fn drop(&mut self) {
        if self.future_alive {
            let drop_future = self.task.header().vtable.drop_future;
            // SAFETY: the poll holds RUNNING, and the flag says that the future is still there.
            let _ = contain(|| unsafe { drop_future(self.task.as_ptr()) });
        }
    }
}

/// Lets go of a task whose poll was pending.
fn go_idle(task: TaskRef) {
    match task.state().transition_to_idle() {
        // The transition has released the reference.
        ToIdle::Done => drop_without_release(task),
        // SAFETY: the transition has released the last reference.
        ToIdle::Free => unsafe { free(task.into_raw()) },
        ToIdle::Reschedule => {
            let schedule: *const _ = &**task.header().shard.schedule();
            // SAFETY: who calls `run` keeps the scheduler alive (D); the run's reference goes with
            // the notification.
            unsafe { &*schedule }.reschedule(Notified::new(task));
        }
        ToIdle::Cancel => cancel(task),
    }
}

/// Drops the future and completes the task. The caller holds `RUNNING`.
fn cancel(task: TaskRef) {
    let dropped = {
        let _task = context::enter_task(Some(task.id()));
        // SAFETY: we hold RUNNING and the task is not complete: the stage is ours and holds the
        // future (invariant 1).
        catch_unwind(AssertUnwindSafe(|| unsafe {
            (task.header().vtable.drop_future)(task.as_ptr());
        }))
    };
    match dropped {
        Ok(()) => complete(task, Outcome::Cancelled),
        Err(payload) => {
            store_panic(&task, payload);
            complete(task, Outcome::Panic);
        }
    }
}

/// Puts a payload into the stage, which is ours and empty.
fn store_panic(task: &TaskRef, payload: Box<dyn Any + Send>) {
    // SAFETY: the callers hold RUNNING and have dropped the future.
    unsafe { (task.header().vtable.store_panic)(task.as_ptr(), Box::new(payload)) };
}

/// Publishes the outcome, which is in place. The caller holds `RUNNING`, and gives it up together
/// with its reference.
fn complete(task: TaskRef, outcome: Outcome) {
    let header = task.header();
    // Out of the table first, so that who has joined a task does not find it alive.
    let refs = if header.slot == UNTRACKED {
        1
    } else {
        header.shard.remove(&task);
        if header.shard.has_hooks() {
            let schedule = header.shard.schedule();
            let place = task.spawned_at();
            let _ = contain(|| schedule.task_ended(header.id, place));
        }
        // The table's reference is ours now.
        2
    };
    match header.state.transition_to_complete(outcome, refs) {
        // The transition has released the references.
        ToComplete::Done => drop_without_release(task),
        ToComplete::DropOutcome => {
            // SAFETY: nobody was interested at completion, so the outcome is ours (invariant 3).
            unsafe { drop_outcome(&task, outcome) };
            task.release(refs);
        }
        ToComplete::WakeJoin => wake_join(task, refs),
    }
}

/// Wakes the join handle and releases the completing side's references.
fn wake_join(task: TaskRef, refs: u64) {
    // SAFETY: JOIN_WAKER was set at completion and only we clear it from then on: until we do, the
    // field is only read (invariant 5).
    task.header().join_waker.with(|waker| unsafe {
        if let Some(waker) = &*waker {
            waker.wake_by_ref();
        }
    });
    match task.state().transition_to_join_woken(refs) {
        // The transition has released the references.
        ToJoinWoken::Done => drop_without_release(task),
        ToJoinWoken::DropWaker => {
            // SAFETY: the handle is gone and left the field to us (invariant 5).
            unsafe { drop_join_waker(&task) };
            task.release(refs);
        }
    }
}

/// Cancels a task that is not being polled, and marks one that is.
pub(crate) fn shutdown(task: TaskRef) {
    match task.state().transition_to_shutdown() {
        ToShutdown::Cancel => cancel(task),
        ToShutdown::Marked => drop(task),
    }
}

// ---- Waking ----

/// Schedules the task if it is idle.
pub(crate) fn wake_by_ref(task: &TaskRef) {
    match task.state().transition_to_notified() {
        ToNotified::Nothing => {}
        ToNotified::Submit => submit(task),
    }
}

/// Has the task cancelled: by its next run, which is brought about here, or by the present one.
pub(crate) fn abort(task: &TaskRef) {
    match task.state().transition_to_aborted() {
        ToNotified::Nothing => {}
        ToNotified::Submit => submit(task),
    }
}

/// Hands the notification that a transition has made room for to the scheduler. The caller's own
/// reference keeps the scheduler alive (D).
fn submit(task: &TaskRef) {
    // SAFETY: the transition has added a reference for the notification.
    let notified = unsafe { TaskRef::from_raw(task.as_ptr()) };
    task.header()
        .shard
        .schedule()
        .schedule(Notified::new(notified));
}

// ---- Joining ----

/// Whether the outcome is in place. If it is not, `waker` is woken when it is.
///
/// # Safety
/// The caller is the task's join handle and has not taken the outcome.
pub(crate) unsafe fn poll_join(task: &TaskRef, waker: &Waker) -> bool {
    let now = task.state().load();
    if now.is_complete() {
        return true;
    }
    if now.has_join_waker() {
        // SAFETY: only the handle, which calls this, changes the field while JOIN_INTEREST is set
        // (invariant 5).
        let same = task.header().join_waker.with(|field| unsafe {
            (*field)
                .as_ref()
                .is_some_and(|known| known.will_wake(waker))
        });
        if same {
            return false;
        }
    }
    // Before anything is changed: the clone may panic, and the waker of before stays then.
    let waker = KeptWaker::of(waker);
    if now.has_join_waker() {
        match task.state().transition_to_waker_unset() {
            ToWaker::Complete => return true,
            ToWaker::Changed => {}
        }
    }
    // SAFETY: the handle has the field for itself (invariant 5).
    let old = task
        .header()
        .join_waker
        .with_mut(|field| unsafe { (*field).replace(waker) });
    drop(old);
    match task.state().transition_to_waker_set() {
        ToWaker::Changed => false,
        ToWaker::Complete => true,
    }
}

/// How the task ended, with the output moved to `into` if there is one. What comes with the
/// outcome is the caller's; the task has no join handle any more.
///
/// # Safety
/// The caller is the task's join handle, has seen completion and has not taken the outcome.
/// `into` is valid for writing the output's type.
pub(crate) unsafe fn take_outcome(task: &TaskRef, into: NonNull<()>) -> Result<(), Option<Panic>> {
    let vtable = task.header().vtable;
    // SAFETY: the outcome belongs to the handle (invariant 3); which member it is, the word says.
    let outcome = unsafe {
        match task.state().load().outcome() {
            Outcome::Output => {
                (vtable.take_output)(task.as_ptr(), into);
                Ok(())
            }
            Outcome::Panic => Err(Some((vtable.take_panic)(task.as_ptr()))),
            Outcome::Cancelled => Err(None),
        }
    };
    match task.state().transition_to_taken() {
        ToTaken::Nothing => {}
        // SAFETY: the transition says that the field is the handle's (invariant 5).
        ToTaken::DropWaker => unsafe { drop_join_waker(task) },
    }
    outcome
}

/// Gives up the interest in the task and the handle's reference.
///
/// # Safety
/// The caller is the task's join handle, and gives up being it.
pub(crate) unsafe fn drop_join(task: TaskRef) {
    match task.state().transition_to_join_dropped() {
        // The transition has released the reference.
        ToJoinDropped::Done => drop_without_release(task),
        // SAFETY: the transition has released the last reference.
        ToJoinDropped::Free => unsafe { free(task.into_raw()) },
        ToJoinDropped::DropWaker => {
            // SAFETY: the transition says that the field is the handle's (invariant 5).
            unsafe { drop_join_waker(&task) };
            drop(task);
        }
        ToJoinDropped::DropOutcome { waker } => {
            if waker {
                // SAFETY: as above.
                unsafe { drop_join_waker(&task) };
            }
            let outcome = task.state().load().outcome();
            // SAFETY: the outcome belongs to the handle, which did not take it (invariant 3).
            unsafe { drop_outcome(&task, outcome) };
            drop(task);
        }
    }
}

// ---- Dropping ----

/// Drops what the stage of a complete task holds.
///
/// # Safety
/// The outcome is the caller's, and was not taken.
unsafe fn drop_outcome(task: &TaskRef, outcome: Outcome) {
    let vtable = task.header().vtable;
    match outcome {
        Outcome::Output => {
            let _task = context::enter_task(Some(task.id()));
            // SAFETY: the caller's.
            let _ = contain(|| unsafe { (vtable.drop_output)(task.as_ptr()) });
        }
        Outcome::Panic => {
            // SAFETY: the caller's.
            let payload = unsafe { (vtable.take_panic)(task.as_ptr()) };
            drop_value(payload);
        }
        Outcome::Cancelled => {}
    }
}

/// Drops the join waker.
///
/// # Safety
/// The field is the caller's (invariant 5).
unsafe fn drop_join_waker(task: &TaskRef) {
    // SAFETY: the caller's.
    let waker = task
        .header()
        .join_waker
        .with_mut(|field| unsafe { (*field).take() });
    drop(waker);
}

/// Frees a task: drops the future if it is still there, then everything else.
///
/// # Safety
/// Nobody has a reference any more.
pub(crate) unsafe fn free(task: NonNull<Header>) {
    // SAFETY: the caller's.
    let header = unsafe { task.as_ref() };
    if !header.state.load().is_complete() {
        let _task = context::enter_task(Some(header.id));
        // SAFETY: nobody else has the task, and it never completed, so the future is there
        // (invariant 4).
        let _ = contain(|| unsafe { (header.vtable.drop_future)(task) });
    }
    let free = header.vtable.free;
    // SAFETY: the caller's. What is dropped with the header is contained too.
    let _ = contain(|| unsafe { free(task) });
}

/// Forgets a reference that a transition has released.
fn drop_without_release(task: TaskRef) {
    let _ = task.into_raw();
}
