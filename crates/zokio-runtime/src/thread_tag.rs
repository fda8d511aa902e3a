//! A name for a thread, to know it again from inside of a waker.
//!
//! Unlike the standard library's it can be asked for at any time, also while the thread's locals are
//! being destroyed, and costs one read of a thread-local. Tags are never used twice.

use std::cell::Cell;
use zokio_base::sync::std_atomic::{AtomicU64, Ordering};
use zokio_base::sync::thread_local;

/// The tag of the next thread that asks. Zero is nobody's.
static NEXT: AtomicU64 = AtomicU64::new(1);

thread_local! {
    // Loom's thread locals cannot be constant. Without a destructor it outlives all other locals.
    #[allow(clippy::missing_const_for_thread_local)]
    static TAG: Cell<u64> = Cell::new(0);
}

/// Names one thread among all that ever were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ThreadTag(u64);

impl ThreadTag {
    /// The calling thread's.
    #[inline]
    pub(crate) fn here() -> Self {
        TAG.with(|tag| {
            if tag.get() == 0 {
                // Relaxed: only the number's uniqueness matters.
                tag.set(NEXT.fetch_add(1, Ordering::Relaxed));
            }
            Self(tag.get())
        })
    }

    /// Whether it names the calling thread.
    #[inline]
    pub(crate) fn is_here(self) -> bool {
        TAG.try_with(Cell::get).is_ok_and(|tag| tag == self.0)
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;
    use zokio_base::sync::thread;

    #[test]
    #[allow(clippy::disallowed_methods)] // The door leads to these.
    fn a_thread_knows_its_own_tag_only() {
        let here = ThreadTag::here();
        assert!(here.is_here());
        assert_eq!(here, ThreadTag::here());
        let there = thread::spawn(move || (here.is_here(), ThreadTag::here()));
        let (known, other) = there.join().unwrap();
        assert!(!known);
        assert_ne!(here, other);
    }
}
