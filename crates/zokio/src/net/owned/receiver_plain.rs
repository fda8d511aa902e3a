//! Receiving where there are no rings: by readiness.

use super::{Next, Source};
use std::io;
use std::sync::Arc;
use zokio_driver::buf::pool::{Lease, Pool};

/// Nothing is ever armed.
pub(super) struct Receiving;

impl Receiving {
    pub(super) fn new(_ahead: usize) -> Self {
        Self
    }

    pub(super) fn is_armed(&self) -> bool {
        false
    }

    pub(super) async fn next<R: Source>(
        &mut self,
        _source: &Arc<R>,
        _pool: &Arc<Pool>,
    ) -> io::Result<Next> {
        Ok(Next::ByReadiness)
    }

    pub(super) async fn finish(&mut self) -> Vec<io::Result<Lease>> {
        Vec::new()
    }
}
