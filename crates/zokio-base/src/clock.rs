//! The only door to time.
//!
//! A [`Clock`] runs with the system's monotonic clock until it is paused; a paused clock moves
//! only when it is told to. Each runtime owns one, and enters it on every thread that runs its
//! tasks, so that [`now`] answers with the clock of the runtime the caller belongs to. Threads
//! outside of every runtime see the system's clock.
//!
//! A process in which no clock was ever paused pays one relaxed load for all this.
//!
//! Invariants:
//!
//! 1. A clock never runs backwards: resuming continues from where the clock stood.
//! 2. A paused clock changes only through [`Clock::advance`].
#![allow(clippy::disallowed_methods)] // This file is the door that the ban points at.

use crate::sync::std_atomic::{AtomicBool, Ordering};
use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Set for good once any clock was paused. Relaxed everywhere: the clock's own lock orders what
/// it guards, and a thread that pauses a clock sees its own store.
static ANY_PAUSED: AtomicBool = AtomicBool::new(false);

crate::sync::per_thread! {
    // Never destroyed: a runtime in a thread-local of the user's is shut down while the thread's
    // locals are, and enters its clock. The guards leave nothing in it that has to be dropped.
    static CURRENT: ManuallyDrop<RefCell<Option<Clock>>> =
        const { ManuallyDrop::new(RefCell::new(None)) };
}

/// A source of time that can be stopped.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// The time that the clock shows at `anchor`.
    shown: Instant,
    /// The system's time at which the clock was last set running, or none while it stands.
    anchor: Option<Instant>,
    /// How many callers keep an idle paused clock from jumping to its next timer.
    holds: usize,
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock {
    /// A clock that runs with the system's.
    pub fn new() -> Self {
        let now = Instant::now();
        Self(Arc::new(Mutex::new(State {
            shown: now,
            anchor: Some(now),
            holds: 0,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time that the clock shows.
    #[inline]
    pub fn now(&self) -> Instant {
        if !ANY_PAUSED.load(Ordering::Relaxed) {
            return Instant::now();
        }
        self.state().now()
    }

    /// What the clock shows, if no clock of the process was ever paused. A caller that has an answer
    /// knows for one load that the clock runs, and asks neither of the two questions of a clock that
    /// may stand.
    #[inline]
    pub fn never_paused_now(&self) -> Option<Instant> {
        (!ANY_PAUSED.load(Ordering::Relaxed)).then(Instant::now)
    }

    /// Stops the clock. Returns false if it stood already.
    pub fn pause(&self) -> bool {
        ANY_PAUSED.store(true, Ordering::Relaxed);
        let mut state = self.state();
        let was_running = state.anchor.is_some();
        state.shown = state.now();
        state.anchor = None;
        was_running
    }

    /// Lets the clock run again. Returns false if it ran already.
    pub fn resume(&self) -> bool {
        let mut state = self.state();
        if state.anchor.is_some() {
            return false;
        }
        state.anchor = Some(Instant::now());
        true
    }

    /// Moves a paused clock forward. Returns false, and does nothing, if it is running.
    pub fn advance(&self, by: Duration) -> bool {
        let mut state = self.state();
        if state.anchor.is_some() {
            return false;
        }
        state.shown += by;
        true
    }

    /// Whether the clock stands.
    #[inline]
    pub fn is_paused(&self) -> bool {
        ANY_PAUSED.load(Ordering::Relaxed) && self.state().anchor.is_none()
    }

    /// Whether a paused clock may jump to the next timer when the runtime is idle: it stands, and
    /// nobody [`hold`](Self::hold)s it.
    pub fn can_jump(&self) -> bool {
        if !ANY_PAUSED.load(Ordering::Relaxed) {
            return false;
        }
        let state = self.state();
        state.anchor.is_none() && state.holds == 0
    }

    /// Keeps a paused clock from jumping until [`release`](Self::release): work is under way that
    /// the runtime's queues do not show.
    pub fn hold(&self) {
        self.state().holds += 1;
    }

    /// Ends one [`hold`](Self::hold).
    ///
    /// # Panics
    /// If nothing holds the clock.
    pub fn release(&self) {
        let mut state = self.state();
        state.holds = state
            .holds
            .checked_sub(1)
            .expect("each release follows a hold");
    }

    /// Makes this the clock of the calling thread until the guard is dropped.
    pub fn enter(&self) -> EnterGuard {
        let previous = CURRENT.with(|current| current.borrow_mut().replace(self.clone()));
        EnterGuard {
            previous,
            _not_send: std::marker::PhantomData,
        }
    }
}

impl State {
    fn now(&self) -> Instant {
        match self.anchor {
            Some(anchor) => self.shown + Instant::now().saturating_duration_since(anchor),
            None => self.shown,
        }
    }
}

/// Restores the thread's former clock when dropped.
#[derive(Debug)]
pub struct EnterGuard {
    previous: Option<Clock>,
    /// A lock's guard stays on its thread too, and may be shared.
    _not_send: std::marker::PhantomData<MutexGuard<'static, ()>>,
}

impl Drop for EnterGuard {
    fn drop(&mut self) {
        let previous = self.previous.take();
        // A thread that is being torn down has no current clock left to restore.
        let _ = CURRENT.try_with(|current| *current.borrow_mut() = previous);
    }
}

/// The calling thread's clock, if it is inside a runtime.
pub fn current() -> Option<Clock> {
    CURRENT
        .try_with(|current| current.borrow().clone())
        .ok()
        .flatten()
}

/// The time that the calling thread's clock shows; outside of every runtime, the system's.
#[inline]
pub fn now() -> Instant {
    if !ANY_PAUSED.load(Ordering::Relaxed) {
        return Instant::now();
    }
    current().map_or_else(Instant::now, |clock| clock.now())
}

/// The system's monotonic clock, whatever clock the thread is inside of: for measuring how long
/// threads really took.
#[inline]
pub fn real_now() -> Instant {
    Instant::now()
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;

    #[test]
    fn a_paused_clock_moves_only_when_told() {
        let clock = Clock::new();
        assert!(clock.pause());
        assert!(!clock.pause());
        let start = clock.now();
        std::thread::sleep(Duration::from_millis(3));
        assert_eq!(clock.now(), start);
        assert!(clock.advance(Duration::from_secs(7)));
        assert_eq!(clock.now(), start + Duration::from_secs(7));
        assert!(clock.resume());
        assert!(!clock.resume());
        assert!(!clock.advance(Duration::from_secs(1)));
        let resumed = clock.now();
        assert!(resumed >= start + Duration::from_secs(7));
        assert!(resumed < start + Duration::from_secs(60));
    }

    #[test]
    fn holds_keep_a_paused_clock_from_jumping() {
        let clock = Clock::default();
        assert!(!clock.can_jump());
        clock.pause();
        assert!(clock.can_jump());
        clock.hold();
        clock.hold();
        clock.release();
        assert!(!clock.can_jump());
        clock.release();
        assert!(clock.can_jump());
    }

    #[test]
    fn threads_see_the_clock_they_entered() {
        let outer = Clock::new();
        outer.pause();
        let inner = Clock::new();
        inner.pause();
        inner.advance(Duration::from_secs(100));
        let in_outer = outer.enter();
        assert_eq!(now(), outer.now());
        {
            let _in_inner = inner.enter();
            assert_eq!(now(), inner.now());
        }
        assert_eq!(now(), outer.now());
        drop(in_outer);
        assert!(current().is_none());
        assert!(now() < inner.now());
    }
}
