//! The part of a local set that its tasks know: the queue of those that are ready.
//!
//! Tasks are woken from anywhere, and run on the owner's thread only. A task that is woken there goes into
//! the local queue, without a lock; one that is woken elsewhere goes into the inbox, which the owner empties
//! into the local queue each time it begins to run tasks. The futures that run the set are its
//! *hosts*: usually one, but several `run_until` may be under way on the one thread. Each runs the
//! tasks of all, so it does not matter who is woken, as long as it is somebody who will be polled.
//!
//! # Waking
//!
//! A host: (H1) registers its waker and takes the inbox, under one lock; (H2) runs ready tasks, a
//! bounded number; (H3) wakes itself if tasks are left.
//! A thread that wakes a task elsewhere: (R1) adds it to the inbox and, if that was empty, takes the hosts'
//! wakers, under one lock; (R2) wakes them.
//! A caller that wakes a task on the owner's thread while no host runs: (L1) adds it to the local queue; (L2) if
//! that was empty, takes the hosts' wakers and wakes them.
//! A host that is dropped, or whose future is ready: (D1) takes its waker out; (D2) if the local queue is
//! not empty, wakes the other hosts.
//!
//! No wake is lost: if a task is ready and there are hosts, one of them runs or will be polled.
//! The inbox: it was empty after the last H1 of any host, so the first to fill it since woke all hosts
//! that had a waker registered then; the others had been woken before and not been polled since, or
//! came later, and their H1 would have taken the inbox.
//! The local queue: it is filled by L1, by H1 and by what a host runs. A host that leaves tasks in it
//! wakes itself (H3), or ends and wakes the others (D2, as its future was ready or has panicked). L1
//! wakes all hosts if it was empty, and if it was not, the host that left something there was woken.
//! One that was woken and is dropped instead of polled wakes the others (D2).
//! Model-checked in `model.rs`, as far as other threads take part.
//!
//! # Invariants
//!
//! 1. `local` is touched by the owner's thread only, and never while foreign code runs.
//! 2. A task is polled, and its future dropped, on the owner's thread only: tasks leave the inbox
//!    through the owner's hands, or are dropped when it is closed, and then have ended.
//! 3. No foreign code (futures, wakers) runs under the lock.
#![allow(unsafe_code)]

use crate::thread_tag::ThreadTag;
use std::any::Any;
use std::task::Waker;
use zokio_base::foreign::KeptWaker;
use zokio_base::sync::{Mutex, UnsafeCell};
use zokio_task::{Notified, Schedule, TaskQueue};

/// How many tasks a host runs in one poll, so that its own task's neighbours get their turn.
#[cfg(not(zokio_loom))]
pub(super) const TASKS_PER_TICK: usize = 61;
/// Models reach the limit.
#[cfg(zokio_loom)]
pub(super) const TASKS_PER_TICK: usize = 2;

/// The queues of a local set.
pub(super) struct Shared {
    owner: ThreadTag,
    /// See invariant 1.
    local: UnsafeCell<Local>,
    remote: Mutex<Remote>,
}

// SAFETY: `local` is touched by one thread only (invariant 1), but for its drop, when nobody else
// has the value; queues of notified tasks may be sent.
unsafe impl Send for Shared {}
// SAFETY: as above; all else is constant or under the lock.
unsafe impl Sync for Shared {}

/// The fields that only the owner's thread touches.
struct Local {
    queue: TaskQueue,
    /// A host is running and looks at the queue before it returns.
    is_running: bool,
    /// The set was dropped: tasks that are woken from now on have ended.
    is_closed: bool,
    /// A panic of a task is to end the set.
    ends_on_panic: bool,
    /// A panic of a task has ended the set.
    is_panicked: bool,
    next_host: u64,
}

/// The fields that every thread may touch.
#[derive(Default)]
struct Remote {
    inbox: TaskQueue,
    hosts: Vec<Host>,
    is_closed: bool,
}

struct Host {
    id: HostId,
    /// None once it was woken, until it is polled.
    waker: Option<KeptWaker>,
}

/// Names a host among those of its set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HostId(u64);

impl HostId {
    /// The set itself, polled as a future.
    pub(super) const SET: Self = Self(0);
}

impl Shared {
    /// The queues of a set that the calling thread owns.
    pub(super) fn new() -> Self {
        Self {
            owner: ThreadTag::here(),
            local: UnsafeCell::new(Local {
                queue: TaskQueue::new(),
                is_running: false,
                is_closed: false,
                ends_on_panic: false,
                is_panicked: false,
                next_host: HostId::SET.0 + 1,
            }),
            remote: Mutex::new(Remote::default()),
        }
    }

    /// Calls `f` with the owner's part. `f` runs no foreign code.
    ///
    /// # Panics
    /// On any other thread than the owner's.
    fn with_local<R>(&self, f: impl FnOnce(&mut Local) -> R) -> R {
        assert!(self.owner.is_here(), "a local set stays on its thread");
        // SAFETY: invariant 1: this is the owner's thread, and `f` does not come back here, as it
        // runs no foreign code.
        self.local.with_mut(|local| f(unsafe { &mut *local }))
    }

    // ---- Hosts ----

    /// A name for one more host.
    pub(super) fn new_host(&self) -> HostId {
        self.with_local(|local| {
            local.next_host += 1;
            HostId(local.next_host - 1)
        })
    }

    /// H1: registers the waker of a host that is about to run tasks, and takes the inbox.
    pub(super) fn arrive(&self, host: HostId, waker: &Waker) {
        // Cloned and dropped outside of the lock (invariant 3).
        let mut waker = Some(KeptWaker::of(waker));
        let mut inbox = {
            let mut remote = self.remote.lock();
            match remote.hosts.iter_mut().find(|known| known.id == host) {
                Some(known) => std::mem::swap(&mut known.waker, &mut waker),
                None => remote.hosts.push(Host {
                    id: host,
                    waker: waker.take(),
                }),
            }
            std::mem::take(&mut remote.inbox)
        };
        self.with_local(|local| local.queue.append(&mut inbox));
        drop(waker);
    }

    /// D1, D2: a host is gone.
    pub(super) fn leave(&self, host: HostId) {
        let left = {
            let mut remote = self.remote.lock();
            let place = remote.hosts.iter().position(|known| known.id == host);
            place.map(|place| remote.hosts.swap_remove(place))
        };
        drop(left);
        // Not for the inbox: whoever filled it has woken all hosts that have not been polled since.
        if self.has_ready() {
            self.wake_hosts();
        }
    }

    /// Says that a host runs, until the guard is dropped: it looks at the queue before it returns,
    /// so that nobody has to be woken.
    pub(super) fn run(&self) -> Running<'_> {
        let replace = |local: &mut Local| std::mem::replace(&mut local.is_running, true);
        Running {
            shared: self,
            before: self.with_local(replace),
        }
    }

    fn wake_hosts(&self) {
        let woken = self.remote.lock().take_wakers();
        woken.wake();
    }

    // ---- Tasks ----

    /// The task that has been ready the longest.
    pub(super) fn pop(&self) -> Option<Notified> {
        self.with_local(|local| local.queue.pop_front())
    }

    /// Whether tasks are ready, not counting the inbox.
    pub(super) fn has_ready(&self) -> bool {
        self.with_local(|local| !local.queue.is_empty())
    }

    /// L1, L2.
    fn schedule_here(&self, task: Notified) {
        let mut task = Some(task);
        let wake = self.with_local(|local| {
            if local.is_closed {
                return false;
            }
            let wake = local.queue.is_empty() && !local.is_running;
            local
                .queue
                .push_back(task.take().expect("it was just put there"));
            wake
        });
        // One that is still here has ended: the set was closed.
        drop(task);
        if wake {
            self.wake_hosts();
        }
    }

    /// R1, R2.
    fn schedule_elsewhere(&self, task: Notified) {
        let woken = {
            let mut remote = self.remote.lock();
            if remote.is_closed {
                drop(remote);
                // It has ended: all that is dropped is a reference (invariant 2).
                return drop(task);
            }
            let first = remote.inbox.is_empty();
            remote.inbox.push_back(task);
            match first {
                true => remote.take_wakers(),
                false => Woken::default(),
            }
        };
        woken.wake();
    }

    /// Refuses tasks from now on. Every task of the set has ended.
    pub(super) fn close(&self) {
        let queue = self.with_local(|local| {
            local.is_closed = true;
            std::mem::take(&mut local.queue)
        });
        let remote = {
            let mut remote = self.remote.lock();
            let closed = Remote {
                is_closed: true,
                ..Remote::default()
            };
            std::mem::replace(&mut *remote, closed)
        };
        drop(queue);
        drop(remote);
    }

    // ---- Panics ----

    /// Says whether the panic of a task is to end the set.
    pub(super) fn set_ends_on_panic(&self, ends: bool) {
        self.with_local(|local| local.ends_on_panic = ends);
    }

    /// Whether the panic of a task has ended the set.
    pub(super) fn is_panicked(&self) -> bool {
        self.with_local(|local| local.is_panicked)
    }
}

impl Schedule for Shared {
    fn schedule(&self, task: Notified) {
        if self.owner.is_here() {
            self.schedule_here(task);
        } else {
            self.schedule_elsewhere(task);
        }
    }

    fn task_panicked(&self, _payload: &(dyn Any + Send)) {
        // Tasks are polled on the owner's thread.
        self.with_local(|local| local.is_panicked |= local.ends_on_panic);
    }
}

impl Remote {
    /// The wakers of all hosts that were not woken yet.
    fn take_wakers(&mut self) -> Woken {
        let mut wakers = self.hosts.iter_mut().filter_map(|host| host.waker.take());
        Woken {
            first: wakers.next(),
            others: wakers.collect(),
        }
    }
}

/// Wakers that are to be woken outside of the lock. One alone needs no memory.
#[derive(Default)]
struct Woken {
    first: Option<KeptWaker>,
    others: Vec<KeptWaker>,
}

impl Woken {
    fn wake(self) {
        self.first
            .into_iter()
            .chain(self.others)
            .for_each(KeptWaker::wake);
    }
}

/// See [`Shared::run`].
pub(super) struct Running<'a> {
    shared: &'a Shared,
    /// A task of the set may be a host of it.
    before: bool,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.shared
            .with_local(|local| local.is_running = self.before);
    }
}
