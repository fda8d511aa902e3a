//! Accepting where there are no rings: readiness does it.

use crate::net::{TcpListener, TcpStream};
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Nothing is ever armed.
pub(super) struct Accepting;

impl Accepting {
    pub(super) fn new(_ahead: usize) -> Self {
        Self
    }

    pub(super) fn is_armed(&self) -> bool {
        false
    }

    /// None: by readiness.
    pub(super) fn poll(
        &mut self,
        _listener: &Arc<TcpListener>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<TcpStream>>> {
        Poll::Ready(None)
    }

    pub(super) async fn finish(&mut self, _listener: &TcpListener) -> Vec<TcpStream> {
        Vec::new()
    }
}
