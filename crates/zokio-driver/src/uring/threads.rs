//! How many requests each thread has submitted that are not complete.
//!
//! The kernel ties a request to the thread that submitted it: if the thread ends, the request is
//! cancelled. So every thread counts, and no thread of a runtime ends with a count above zero.
//!
//! Invariant: a slot in flight holds the count of the thread whose system call submitted it, and
//! lowers it when it retires.
#![cfg_attr(not(zokio_ring), allow(dead_code))] // Nothing is submitted elsewhere.

use std::sync::Arc;
use zokio_base::sync::std_atomic::{AtomicUsize, Ordering};

std::thread_local! {
    static MINE: Arc<AtomicUsize> = Arc::new(AtomicUsize::new(0));
}

/// How many requests the calling thread has in flight. A runtime's thread ends only at zero.
pub fn thread_in_flight() -> usize {
    // ORDERING: Acquire pairs with the release in `Submitted::drop`: at zero, the requests are over.
    MINE.try_with(|mine| mine.load(Ordering::Acquire))
        .unwrap_or(0)
}

/// One request that counts for the thread that submitted it, until dropped.
#[derive(Debug)]
pub(crate) struct Submitted(Arc<AtomicUsize>);

impl Submitted {
    /// Counts for the calling thread. None if the thread is being torn down.
    pub(crate) fn by_this_thread() -> Option<Self> {
        MINE.try_with(|mine| {
            // ORDERING: Relaxed: the thread itself is the reader that cares.
            mine.fetch_add(1, Ordering::Relaxed);
            Self(mine.clone())
        })
        .ok()
    }
}

impl Drop for Submitted {
    fn drop(&mut self) {
        // ORDERING: Release pairs with the acquire in `thread_in_flight`.
        self.0.fetch_sub(1, Ordering::Release);
    }
}
