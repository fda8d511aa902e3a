//! Conduits where there is no `splice`: buffers.

use super::buffer::Buffer;
use crate::net::owned::socket::StreamSocket;
use std::io;

/// The bytes that have left one socket and not yet entered the other.
pub(super) struct Conduit(Buffer);

impl Conduit {
    pub(super) fn new() -> Self {
        Self(Buffer::new())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) async fn fill<S: StreamSocket>(&mut self, source: &S) -> io::Result<usize> {
        self.0.fill(source).await
    }

    pub(super) async fn drain<S: StreamSocket>(&mut self, target: &S) -> io::Result<usize> {
        self.0.drain(target).await
    }
}
