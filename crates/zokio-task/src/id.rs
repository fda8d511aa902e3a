//! Task identities.
//!
//! Ids are unique within the process for the life of the process, in no promised order. Each
//! thread draws them from a block of its own, so that spawning touches the shared counter once in
//! `BLOCK_LEN` tasks.

use std::cell::Cell;
use std::fmt;
use std::num::NonZeroU64;
use zokio_base::sync::std_atomic::{AtomicU64, Ordering};

/// How many ids a thread takes from the shared counter at a time.
const BLOCK_LEN: u64 = 1024;

/// Where the next block starts. Relaxed: only the number's uniqueness matters.
static NEXT_BLOCK: AtomicU64 = AtomicU64::new(1);

std::thread_local! {
    /// The next id of this thread's block, and where the block ends.
    static BLOCK: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// An opaque name for a task, unique among all tasks of the process.
///
/// An id is not reused after its task has ended. It says nothing about the order in which tasks
/// were spawned.
///
/// # Examples
/// ```
/// # async fn demo(left: zokio_task::JoinHandle<()>, right: zokio_task::JoinHandle<()>) {
/// assert_ne!(left.id(), right.id());
/// println!("tasks {} and {}", left.id(), right.id());
/// # }
/// ```
#[derive(Clone, Copy, Debug, Hash, Eq, PartialEq, Ord, PartialOrd)]
pub struct Id(pub(crate) NonZeroU64);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Id {
    /// An id that nobody has.
    pub fn next() -> Self {
        let draw = |block: &Cell<(u64, u64)>| {
            let (mut next, mut end) = block.get();
            if next == end {
                next = NEXT_BLOCK.fetch_add(BLOCK_LEN, Ordering::Relaxed);
                end = next + BLOCK_LEN;
            }
            block.set((next + 1, end));
            next
        };
        // A thread whose locals are gone takes a whole block for one id.
        let id = BLOCK
            .try_with(draw)
            .unwrap_or_else(|_| NEXT_BLOCK.fetch_add(BLOCK_LEN, Ordering::Relaxed));
        Self(NonZeroU64::new(id).expect("the counter starts at one and does not wrap"))
    }

    /// The id as a number.
    pub fn as_u64(self) -> u64 {
        self.0.get()
    }
}

#[cfg(all(test, not(zokio_model)))]
#[allow(clippy::disallowed_methods)] // The door leads to these.
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_are_unique_across_threads_and_blocks() {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                zokio_base::sync::thread::spawn(|| {
                    (0..3_000).map(|_| Id::next().as_u64()).collect::<Vec<_>>()
                })
            })
            .collect();
        let ids: BTreeSet<u64> = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect();
        assert_eq!(ids.len(), 12_000);
    }
}
