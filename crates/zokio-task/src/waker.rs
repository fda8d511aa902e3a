//! Tasks as wakers.
//!
//! A waker is the task's pointer and one static table: cloning adds a reference, waking schedules
//! the task, and nothing is allocated. The waker of a poll is borrowed from the run's reference, so
//! a poll that clones nothing counts nothing.
#![allow(unsafe_code)]

use crate::cell::Header;
use crate::harness;
use crate::raw::TaskRef;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr::NonNull;
use std::task::{RawWaker, RawWakerVTable, Waker};

/// One table for all tasks: its address tells our wakers from others, and `will_wake` compares it.
static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, release);

/// Whether `waker` is a task's.
#[inline]
pub(crate) fn is_of_task(waker: &Waker) -> bool {
    std::ptr::eq(waker.vtable(), &VTABLE)
}

/// A waker that lives on somebody else's reference.
pub(crate) struct BorrowedWaker<'a> {
    waker: ManuallyDrop<Waker>,
    _task: PhantomData<&'a TaskRef>,
}

impl Deref for BorrowedWaker<'_> {
    type Target = Waker;

    #[inline]
    fn deref(&self) -> &Waker {
        &self.waker
    }
}

/// The waker of `task`, without a reference of its own.
#[inline]
pub(crate) fn borrow(task: &TaskRef) -> BorrowedWaker<'_> {
    // SAFETY: the table keeps the contract of wakers for task pointers. The waker is never dropped
    // and does not outlive the reference it is borrowed from; clones of it add their own.
    let waker = unsafe { Waker::new(task.as_ptr().as_ptr().cast(), &VTABLE) };
    BorrowedWaker {
        waker: ManuallyDrop::new(waker),
        _task: PhantomData,
    }
}

/// The reference behind a waker's pointer, for the caller to consume or to leave alone.
///
/// # Safety
/// `task` is the pointer of one of our wakers, which is alive.
#[inline]
unsafe fn task_of(task: *const ()) -> ManuallyDrop<TaskRef> {
    // SAFETY: our wakers' pointers are made of live tasks' pointers, which are not null; the waker
    // holds a reference or borrows one.
    let task =
        unsafe { TaskRef::from_raw(NonNull::new_unchecked(task.cast_mut().cast::<Header>())) };
    ManuallyDrop::new(task)
}

unsafe fn clone(task: *const ()) -> RawWaker {
    // SAFETY: called for one of our wakers.
    std::mem::forget(unsafe { TaskRef::clone(&task_of(task)) });
    RawWaker::new(task, &VTABLE)
}

unsafe fn wake(task: *const ()) {
    // SAFETY: called for one of our wakers, whose reference is ours to release. It is held until
    // the scheduler's method has returned (invariant D of the harness).
    let task = ManuallyDrop::into_inner(unsafe { task_of(task) });
    harness::wake_by_ref(&task);
}

unsafe fn wake_by_ref(task: *const ()) {
    // SAFETY: called for one of our wakers.
    let task = unsafe { task_of(task) };
    harness::wake_by_ref(&task);
}

unsafe fn release(task: *const ()) {
    // SAFETY: called for one of our wakers, whose reference is ours to release.
    drop(ManuallyDrop::into_inner(unsafe { task_of(task) }));
}
