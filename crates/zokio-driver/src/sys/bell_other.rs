//! Where descriptors cannot be waited for there is nothing to end.

/// There are no waits.
#[derive(Debug)]
pub(super) struct Rope;

pub(super) fn pull(_rope: &Rope) {}

#[cfg(all(test, zokio_loom))]
pub(super) fn model_rope() -> (Rope, impl FnOnce() -> bool) {
    (Rope, || true)
}
