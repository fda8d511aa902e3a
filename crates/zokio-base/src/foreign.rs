//! The one rule for user code that panics where no user could catch it.
//!
//! The runtime calls code that it did not write: hooks, wakers (`wake`, `drop`), and destructors of
//! values that it holds (futures, outputs, messages, panic payloads). If such a call unwound into
//! the runtime, a batch of wake-ups would end half-way, a worker's thread would end with its core,
//! or a second panic would abort the process.
//!
//! **The rule.** The runtime finishes its own change of state first. Then it calls foreign code
//! through [`contain`], which catches the panic and counts it, and the runtime goes on as if the call
//! had returned. The panic hook of the process has reported the panic by then. Two cases are not
//! contained, because a caller is there whom the panic concerns:
//!
//! - the poll and the destructor of a task's future, whose panic becomes the task's result;
//! - `Waker::clone` within a poll, whose panic goes to the poll's caller. The structure that asked for
//!   the clone is as it was before the call.

use crate::sync::std_atomic::{AtomicU64, Ordering};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// Panics that were contained since the process began.
static CONTAINED: AtomicU64 = AtomicU64::new(0);

/// Runs `call`, which is foreign code. None if it panicked: the panic is counted and goes no further.
#[inline]
pub fn contain<R>(call: impl FnOnce() -> R) -> Option<R> {
    // Unwind safety: the caller's state is complete before the call, as the rule above asks.
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(value) => Some(value),
        Err(payload) => {
            count_and_drop(payload);
            None
        }
    }
}

/// Wakes `waker`, whose code may be foreign.
#[inline]
pub fn wake(waker: Waker) {
    let _ = contain(|| waker.wake());
}

/// Drops `value`, whose destructor may be foreign.
#[inline]
pub fn drop_value<T>(value: T) {
    let _ = contain(|| drop(value));
}

/// Counts a panic that was caught elsewhere, and drops its payload, which may panic again.
#[cold]
pub fn count_and_drop(payload: Box<dyn Any + Send>) {
    // Relaxed: a metric.
    CONTAINED.fetch_add(1, Ordering::Relaxed);
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // A payload whose destructor panics with another such payload would never end: the second
        // one is leaked.
        std::mem::forget(second);
    }
}

/// How many panics of foreign code were contained since the process began.
pub fn contained() -> u64 {
    // Relaxed: a metric.
    CONTAINED.load(Ordering::Relaxed)
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use std::panic::panic_any;

    struct PanicsOnDrop;

    impl Drop for PanicsOnDrop {
        fn drop(&mut self) {
            panic_any(PanicsOnDrop);
        }
    }

    #[test]
    fn a_panic_is_counted_and_goes_no_further() {
        let before = contained();
        assert_eq!(contain(|| 7), Some(7));
        assert_eq!(contain(|| panic!("expected")), None::<()>);
        assert!(contained() > before);
    }

    #[test]
    fn a_payload_that_panics_when_dropped_is_leaked_at_the_second_time() {
        let before = contained();
        drop_value(PanicsOnDrop);
        assert!(contained() > before);
    }
}
