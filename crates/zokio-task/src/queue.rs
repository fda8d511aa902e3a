//! A FIFO queue of notified tasks that needs no memory of its own: the link is in the task.
//!
//! Invariants:
//!
//! 1. The queue owns the [`Notified`] of each task in it, and so has its `queue_next` for itself.
//! 2. `head` is the first task and `tail` the last; each task's link leads to the next, and the
//!    last one's is `None`. Both ends are `None` if and only if `len` is zero.
#![allow(unsafe_code)]

use crate::cell::Header;
use crate::notified::Notified;
use std::fmt;
use std::ptr::NonNull;

/// A FIFO queue of notified tasks. Dropping it drops the tasks' notifications.
#[derive(Default)]
pub struct TaskQueue {
    head: Option<NonNull<Header>>,
    tail: Option<NonNull<Header>>,
    len: usize,
}

// SAFETY: the queue is a list of `Notified`, which is `Send` (invariant 1).
unsafe impl Send for TaskQueue {}
// SAFETY: nothing of a task is reached through a shared queue.
unsafe impl Sync for TaskQueue {}

impl TaskQueue {
    /// An empty queue.
    pub const fn new() -> Self {
        Self {
            head: None,
            tail: None,
            len: 0,
        }
    }

    /// How many tasks it holds.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a task at the end.
    #[inline]
    pub fn push_back(&mut self, task: Notified) {
        let task = task.into_raw();
        set_next(task, None);
        match self.tail.replace(task) {
            Some(last) => set_next(last, Some(task)),
            None => self.head = Some(task),
        }
        self.len += 1;
    }

    /// Takes the first task.
    #[inline]
    pub fn pop_front(&mut self) -> Option<Notified> {
        let task = self.head?;
        self.head = take_next(task);
        if self.head.is_none() {
            self.tail = None;
        }
        self.len -= 1;
        // SAFETY: invariant 1: `push_back` made the pointer of a `Notified`, and it left the queue.
        Some(unsafe { Notified::from_raw(task) })
    }

    /// Moves all of `other` behind what is here, in constant time.
    pub fn append(&mut self, other: &mut Self) {
        let other = std::mem::take(other);
        match (self.tail, other.head) {
            (_, None) => {}
            (Some(last), Some(first)) => {
                set_next(last, Some(first));
                self.tail = other.tail;
            }
            (None, Some(first)) => {
                self.head = Some(first);
                self.tail = other.tail;
            }
        }
        self.len += other.len;
        std::mem::forget(other);
    }
}

/// Links a task that is in a queue of the caller's.
#[inline]
fn set_next(task: NonNull<Header>, next: Option<NonNull<Header>>) {
    // SAFETY: invariant 1; the notification keeps the task alive.
    unsafe { task.as_ref().queue_next.with_mut(|link| *link = next) };
}

/// The link of a task that is in a queue of the caller's.
#[inline]
fn take_next(task: NonNull<Header>) -> Option<NonNull<Header>> {
    // SAFETY: invariant 1; the notification keeps the task alive.
    unsafe { task.as_ref().queue_next.with_mut(|link| (*link).take()) }
}

impl Drop for TaskQueue {
    fn drop(&mut self) {
        // A value that a task drops cannot reach this queue.
        while let Some(task) = self.pop_front() {
            drop(task);
        }
    }
}

impl fmt::Debug for TaskQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskQueue")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}
