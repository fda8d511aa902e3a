//! A thread that waits for a token.
//!
//! [`Parker::park`] waits until [`Unparker::unpark`] was called at least once since the last time
//! `park` returned because of it. The token does not count: two unparks may wake one park.
//!
//! State: `EMPTY` (nobody waits, no token), `WAITING` (the owner waits, or is about to), `TOKEN`.
//!
//! Invariants:
//!
//! 1. Only the owner moves `EMPTY -> WAITING` and `TOKEN -> EMPTY`; it holds the lock for the
//!    former.
//! 2. An unparker swaps in `TOKEN`. If it found `WAITING` it then passes through the lock before
//!    it notifies: the owner holds the lock from its move to `WAITING` until it really waits, so
//!    the notification cannot fall between the two.

use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

const EMPTY: u32 = 0;
const WAITING: u32 = 1;
const TOKEN: u32 = 2;

#[derive(Debug)]
struct Inner {
    state: AtomicU32,
    lock: Mutex<()>,
    signal: Condvar,
}

/// The side that waits.
#[derive(Debug)]
pub struct Parker(Arc<Inner>);

/// The side that wakes.
#[derive(Debug, Clone)]
pub struct Unparker(Arc<Inner>);

impl Default for Parker {
    fn default() -> Self {
        Self::new()
    }
}

impl Parker {
    /// A parker without a token.
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            state: AtomicU32::new(EMPTY),
            lock: Mutex::new(()),
            signal: Condvar::new(),
        }))
    }

    /// A handle that wakes this parker.
    pub fn unparker(&self) -> Unparker {
        Unparker(self.0.clone())
    }

    /// Waits for a token and takes it.
    pub fn park(&self) {
        self.wait(None);
    }

    /// Waits for a token for `timeout` at most. Returns whether it took one.
    pub fn park_timeout(&self, timeout: Duration) -> bool {
        // A time that does not fit the clock never comes.
        self.wait(crate::clock::real_now().checked_add(timeout))
    }

    fn take_token(&self) -> bool {
        // Acquire pairs with the release in `unpark`: what was done before it is seen after this.
        self.0
            .state
            .compare_exchange(TOKEN, EMPTY, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    fn wait(&self, deadline: Option<Instant>) -> bool {
        if self.take_token() {
            return true;
        }
        let mut guard = self.0.lock.lock();
        // Only unparkers touch the state beside us, so a failure means that a token has come.
        // Relaxed: taking the token is what acquires.
        if self
            .0
            .state
            .compare_exchange(EMPTY, WAITING, Ordering::Relaxed, Ordering::Relaxed)
            .is_err()
        {
            return self.take_token();
        }
        loop {
            guard = match deadline {
                None => self.0.signal.wait(guard),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(crate::clock::real_now());
                    if left.is_zero() {
                        // Acquire pairs with the release in `unpark`, if a token came just now.
                        return self.0.state.swap(EMPTY, Ordering::Acquire) == TOKEN;
                    }
                    self.0.signal.wait_timeout(guard, left).0
                }
            };
            if self.take_token() {
                return true;
            }
        }
    }
}

impl Unparker {
    /// Hands the parker a token and wakes it if it waits.
    pub fn unpark(&self) {
        // Release pairs with the acquire in `take_token`.
        if self.0.state.swap(TOKEN, Ordering::Release) == WAITING {
            drop(self.0.lock.lock());
            self.0.signal.notify_one();
        }
    }
}

#[cfg(all(test, zokio_loom))]
mod model {
    use super::*;
    use crate::sync::{model, thread};

    #[test]
    fn no_token_is_lost() {
        model(|| {
            let parker = Parker::new();
            let unparker = parker.unparker();
            let other = thread::spawn(move || unparker.unpark());
            parker.park();
            other.join().unwrap();
        });
    }

    #[test]
    fn each_of_two_rounds_gets_its_token() {
        model(|| {
            let here = Parker::new();
            let there = Parker::new();
            let (wake_here, wake_there) = (here.unparker(), there.unparker());
            let other = thread::spawn(move || {
                there.park();
                wake_here.unpark();
            });
            wake_there.unpark();
            here.park();
            other.join().unwrap();
        });
    }
}

#[cfg(all(test, not(zokio_model)))]
#[allow(clippy::disallowed_methods)] // The door leads to these.
mod tests {
    use super::*;

    #[test]
    fn tokens_do_not_count() {
        let parker = Parker::default();
        let unparker = parker.unparker();
        unparker.unpark();
        unparker.unpark();
        parker.park();
        assert!(!parker.park_timeout(Duration::from_millis(1)));
    }

    #[test]
    fn a_late_token_is_taken() {
        let parker = Parker::new();
        let unparker = parker.unparker();
        let other = crate::sync::thread::spawn(move || unparker.unpark());
        assert!(parker.park_timeout(Duration::from_secs(60)));
        other.join().unwrap();
    }
}
