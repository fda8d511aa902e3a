//! Where there is no `membarrier`: stall containment is off.

use super::Probe;

/// There is no barrier.
pub(crate) fn barrier_available() -> bool {
    false
}

/// There is no barrier.
pub(crate) fn barrier() -> bool {
    false
}

/// Threads have no name that helps.
pub(crate) fn thread_id() -> u32 {
    0
}

/// Nothing is known about other threads.
pub(crate) fn probe(_thread: u32) -> Option<Probe> {
    None
}
