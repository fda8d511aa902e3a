//! Sending where there are no rings: every byte is written.

use super::Target;
use std::io;
use std::sync::Arc;

/// Nothing is ever under way.
pub(super) struct Sending;

impl Sending {
    pub(super) fn new() -> Self {
        Self
    }

    pub(super) fn count(&self) -> u64 {
        0
    }

    pub(super) async fn settle(&mut self) {}

    /// None: it is to be written.
    pub(super) async fn send<W: Target, B>(
        &mut self,
        _target: &Arc<W>,
        _buf: &Arc<B>,
        _start: usize,
    ) -> io::Result<Option<usize>> {
        Ok(None)
    }
}
