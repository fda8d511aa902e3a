//! Where descriptors cannot be waited for there is nothing to end.

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Something to read, or the end.
    ToRead,
    /// Room to write, or nobody who reads.
    ToWrite,
}

/// There are no waits.
#[derive(Debug)]
pub(super) struct Rope;

pub(super) fn pull(_rope: &Rope) {}

#[cfg(all(test, zokio_loom))]
pub(super) fn model_rope() -> (Rope, impl FnOnce() -> bool) {
    (Rope, || true)
}
