//! One counted reference to a task, whatever its future's type.
//!
//! Everything that keeps a task alive is a [`TaskRef`] inside: notifications, runs, join and abort
//! handles, wakers, entries of the live table. What may be done beyond reading the constant parts
//! is decided by the state word, in `harness.rs`.
#![allow(unsafe_code)]

use crate::cell::{self, Header};
use crate::harness;
use crate::id::Id;
use crate::meta::{Priority, SpawnMeta};
use crate::shard::Shard;
use crate::state::State;
use std::any::Any;
use std::mem::ManuallyDrop;
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::Arc;

/// One reference to a task.
///
/// Invariant: the pointer is a live task's whole allocation, and one of the references that its
/// state word counts is this value's.
#[repr(transparent)]
pub(crate) struct TaskRef(NonNull<Header>);

// SAFETY: a reference gives access to what the head of `cell.rs` lets any thread touch. That a
// future or output which is not `Send` is not touched on a foreign thread is seen to by who made
// the task (`Shard::bind_local`) and by the bounds of `JoinHandle`.
unsafe impl Send for TaskRef {}
// SAFETY: as above.
unsafe impl Sync for TaskRef {}

impl TaskRef {
    /// Makes a task with `refs` references: the result, and others that the caller takes over with
    /// [`from_raw`](Self::from_raw).
    pub(crate) fn allocate<F: Future>(
        future: F,
        meta: SpawnMeta,
        shard: Arc<Shard>,
        refs: u64,
    ) -> Self {
        debug_assert!(refs >= 1, "somebody has to free the task");
        Self(cell::allocate(future, meta, shard, refs))
    }

    /// Takes a reference over.
    ///
    /// # Safety
    /// `task` is a live task's whole allocation, and one of its counted references is the caller's
    /// and is given to the result.
    #[inline]
    pub(crate) unsafe fn from_raw(task: NonNull<Header>) -> Self {
        Self(task)
    }

    /// Gives the reference to the caller.
    #[inline]
    pub(crate) fn into_raw(self) -> NonNull<Header> {
        ManuallyDrop::new(self).0
    }

    /// The allocation, without giving up the reference.
    #[inline]
    pub(crate) fn as_ptr(&self) -> NonNull<Header> {
        self.0
    }

    #[inline]
    pub(crate) fn header(&self) -> &Header {
        // SAFETY: the task lives while this reference does, and headers are only borrowed shared.
        unsafe { self.0.as_ref() }
    }

    #[inline]
    pub(crate) fn state(&self) -> &State {
        &self.header().state
    }

    #[inline]
    pub(crate) fn id(&self) -> Id {
        self.header().id
    }

    pub(crate) fn spawned_at(&self) -> &'static Location<'static> {
        crate::location::resolve(self.header().location)
    }

    pub(crate) fn priority(&self) -> Priority {
        self.state().load().priority()
    }

    pub(crate) fn name(&self) -> Option<&str> {
        // SAFETY: the task lives while this reference does.
        unsafe { Header::ext(self.0) }.and_then(|ext| ext.name.as_deref())
    }

    pub(crate) fn hook(&self) -> Option<&(dyn Any + Send + Sync)> {
        // SAFETY: the task lives while this reference does.
        unsafe { Header::ext(self.0) }.and_then(|ext| ext.hook.as_deref())
    }

    /// Writes the stamp, if the task has room for one. For the owner of the task's `Notified`.
    pub(crate) fn set_stamp(&self, stamp: u64) {
        // SAFETY: the task lives while this reference does.
        if let Some(ext) = unsafe { Header::ext(self.0) } {
            ext.set_stamp(stamp);
        }
    }

    /// The stamp. For the owner of the task's `Notified`.
    pub(crate) fn stamp(&self) -> Option<u64> {
        // SAFETY: the task lives while this reference does.
        unsafe { Header::ext(self.0) }.and_then(|ext| ext.stamp())
    }

    /// Releases `refs` references that the caller holds, this one among them.
    #[inline]
    pub(crate) fn release(self, refs: u64) {
        let task = self.into_raw();
        // SAFETY: the reference was ours until now.
        let last = unsafe { task.as_ref() }.state.ref_dec(refs);
        if last {
            // SAFETY: those were the last references.
            unsafe { harness::free(task) };
        }
    }
}

impl Clone for TaskRef {
    #[inline]
    fn clone(&self) -> Self {
        self.state().ref_inc();
        Self(self.0)
    }
}

impl Drop for TaskRef {
    #[inline]
    fn drop(&mut self) {
        if self.state().ref_dec(1) {
            // SAFETY: this was the last reference.
            unsafe { harness::free(self.0) };
        }
    }
}
