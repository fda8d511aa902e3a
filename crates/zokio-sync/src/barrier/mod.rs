//! A point that tasks leave together.
//!
//! The tasks that have arrived are counted under a lock; the last of them starts the next
//! generation and wakes the others. A task that waits looks at the generation, so that a wake-up
//! meant for the one before does not let it through.

#[cfg(all(test, zokio_loom))]
mod model;
#[cfg(all(test, not(zokio_model)))]
mod tests;

use crate::Notify;
use crate::marker::NotUnwindSafe;
use std::fmt;
use std::marker::PhantomData;
use zokio_base::sync::Mutex;
use zokio_task::coop::cooperative;

/// Lets a number of tasks wait for one another, again and again.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use zokio_sync::Barrier;
///
/// let barrier = Arc::new(Barrier::new(2));
/// let other = barrier.clone();
/// let thread = std::thread::spawn(move || {
///     zokio_task::block_on::block_on(other.wait()).is_leader()
/// });
/// let here = zokio_task::block_on::block_on(barrier.wait()).is_leader();
/// assert_ne!(here, thread.join().unwrap());
/// ```
pub struct Barrier {
    size: usize,
    state: Mutex<State>,
    opened: Notify,
    _not_unwind_safe: NotUnwindSafe,
}

struct State {
    arrived: usize,
    generation: u64,
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

impl Barrier {
    /// Makes a barrier that opens for each `n` tasks. 0 is as 1: nobody waits.
    ///
    /// # Examples
    /// ```
    /// let barrier = zokio_sync::Barrier::new(3);
    /// # drop(barrier);
    /// ```
    #[track_caller]
    pub fn new(n: usize) -> Barrier {
        Self {
            size: n.max(1),
            state: Mutex::new(State {
                arrived: 0,
                generation: 0,
            }),
            opened: Notify::new(),
            _not_unwind_safe: PhantomData,
        }
    }

    /// Waits until all tasks have come to this point. One of them is told that it is the leader.
    ///
    /// # Cancel safety
    /// None: a task whose future is dropped after it was polled has arrived all the same.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// let barrier = zokio_sync::Barrier::new(1);
    /// assert!(barrier.wait().await.is_leader());
    /// # });
    /// ```
    pub async fn wait(&self) -> BarrierWaitResult {
        cooperative(self.arrive()).await
    }

    async fn arrive(&self) -> BarrierWaitResult {
        let generation = {
            let mut state = self.state.lock();
            state.arrived += 1;
            if state.arrived == self.size {
                state.arrived = 0;
                state.generation = state.generation.wrapping_add(1);
                drop(state);
                self.opened.notify_waiters();
                return BarrierWaitResult(true);
            }
            state.generation
        };
        loop {
            let opened = self.opened.notified();
            if self.state.lock().generation != generation {
                return BarrierWaitResult(false);
            }
            opened.await;
        }
    }
}

/// The result of [`Barrier::wait`].
#[derive(Debug, Clone)]
pub struct BarrierWaitResult(bool);

impl BarrierWaitResult {
    /// Whether this task is the one of its generation that was chosen as the leader: the last to
    /// come.
    ///
    /// # Examples
    /// ```
    /// # zokio_task::block_on::block_on(async {
    /// let barrier = zokio_sync::Barrier::new(1);
    /// assert!(barrier.wait().await.is_leader());
    /// # });
    /// ```
    pub fn is_leader(&self) -> bool {
        self.0
    }
}
