//! What several tests and models of this crate need.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

/// Somebody who waits, and how often they were woken.
#[derive(Default)]
pub(crate) struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        // SeqCst: no test is to see less than what happened.
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Woken {
    pub(crate) fn count(&self) -> usize {
        // SeqCst: pairs with the addition in `wake`.
        self.0.load(Ordering::SeqCst)
    }
}
