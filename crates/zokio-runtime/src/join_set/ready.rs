//! Which tasks of a set have ended: what the tasks' wakers write and the set reads.
//!
//! Each task of a set has a waker of its own, an [`Entry`], which knows nothing but the task's key.
//! Woken, it puts the key behind those of the tasks that ended before, and wakes whoever waits for the
//! set. So the set never looks at a task that has not ended, however many there are, and nothing
//! here depends on the tasks' outputs.
//!
//! Invariants:
//!
//! 1. A task's key is added after the task has ended. It may be the key of a task that has left the
//!    set since: keys have generations, and such a one finds nothing.
//! 2. The waiter is set while the lock is held that found the queue empty, and taken under the lock
//!    that adds a key: no end of a task is missed.
//! 3. No foreign code runs under the lock.
//!
//! Rejected: two intrusive lists, of idle and of notified tasks, through nodes that hold the join
//! handles. Nodes then depend on the output's type, outlive the set in wakers, and need unsafe code
//! to say who may touch the handle. A queue of keys costs eight bytes for each ended task instead.

use std::collections::VecDeque;
use std::task::{Wake, Waker};
use zokio_base::foreign::KeptWaker;
use zokio_base::slab::Key;
use zokio_base::sync::{Arc, Mutex};

/// The keys of the tasks that have ended since the set took them last, in the order in which they
/// ended.
pub(super) struct Ready(Mutex<State>);

struct State {
    keys: VecDeque<Key>,
    waiter: Option<KeptWaker>,
}

impl Ready {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            keys: VecDeque::new(),
            waiter: None,
        })))
    }

    /// The waker of the task under `key`.
    pub(super) fn waker(self: &Arc<Self>, key: Key) -> Waker {
        Waker::from(Arc::new(Entry {
            ready: self.clone(),
            key,
        }))
    }

    /// The task under `key` has ended.
    pub(super) fn push(&self, key: Key) {
        let waiter = {
            let mut state = self.0.lock();
            state.keys.push_back(key);
            state.waiter.take()
        };
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }

    /// Moves all keys into `ended`, which is empty.
    pub(super) fn take(&self, ended: &mut VecDeque<Key>) {
        debug_assert!(ended.is_empty(), "keys stay in order");
        // Swapped, so that both keep their memory.
        std::mem::swap(&mut self.0.lock().keys, ended);
    }

    /// Moves all keys into `ended`, which is empty. If there is none, `waker` is woken by the next
    /// one.
    pub(super) fn take_or_wait(&self, ended: &mut VecDeque<Key>, waker: &Waker) {
        debug_assert!(ended.is_empty(), "keys stay in order");
        {
            let mut state = self.0.lock();
            std::mem::swap(&mut state.keys, ended);
            let known = |waiter: &KeptWaker| waiter.will_wake(waker);
            if !ended.is_empty() || state.waiter.as_ref().is_some_and(known) {
                return;
            }
        }
        // Cloned outside of the lock, so look again (invariants 2 and 3).
        let waker = KeptWaker::of(waker);
        let unused = {
            let mut state = self.0.lock();
            std::mem::swap(&mut state.keys, ended);
            match ended.is_empty() {
                true => state.waiter.replace(waker),
                false => Some(waker),
            }
        };
        drop(unused);
    }

    /// Forgets who ended: the set is empty.
    pub(super) fn clear(&self) {
        self.0.lock().keys.clear();
    }
}

/// The waker of one task of a set.
struct Entry {
    ready: Arc<Ready>,
    key: Key,
}

impl Wake for Entry {
    fn wake(self: Arc<Self>) {
        self.ready.push(self.key);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ready.push(self.key);
    }
}
