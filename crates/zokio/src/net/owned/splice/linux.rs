//! Conduits on Linux: a pipe, made when the first bytes come; a buffer if there are no descriptors
//! left for one, or if something forbids the call.

use super::buffer::Buffer;
use crate::net::owned::socket::StreamSocket;
use std::io;
use zokio_driver::op::net::{is_unsupported, splice::Pipe};
use zokio_io::Interest;

/// The bytes that have left one socket and not yet entered the other.
pub(super) enum Conduit {
    /// Nothing has come yet.
    New,
    Pipe(Pipe),
    Buffer(Buffer),
}

impl Conduit {
    pub(super) fn new() -> Self {
        Self::New
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::New => 0,
            Self::Pipe(pipe) => pipe.len(),
            Self::Buffer(buffer) => buffer.len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Moves bytes of `source` in. 0 is its end.
    pub(super) async fn fill<S: StreamSocket>(&mut self, source: &S) -> io::Result<usize> {
        loop {
            match self {
                Self::New => {
                    // Nothing to make a pipe for before there is something.
                    source.ready(Interest::READABLE).await?;
                    *self = match Pipe::new() {
                        Ok(pipe) => Self::Pipe(pipe),
                        Err(_) => Self::Buffer(Buffer::new()),
                    };
                }
                Self::Pipe(pipe) => {
                    let fill = || pipe.fill(source.as_fd());
                    match source.async_io(Interest::READABLE, fill).await {
                        Err(error) if is_unsupported(&error) => {
                            *self = Self::Buffer(Buffer::new());
                        }
                        result => return result,
                    }
                }
                Self::Buffer(buffer) => return buffer.fill(source).await,
            }
        }
    }

    /// Moves bytes out to `target`.
    pub(super) async fn drain<S: StreamSocket>(&mut self, target: &S) -> io::Result<usize> {
        match self {
            Self::New => Ok(0),
            Self::Pipe(pipe) => {
                let drain = || pipe.drain(target.as_fd());
                target.async_io(Interest::WRITABLE, drain).await
            }
            Self::Buffer(buffer) => buffer.drain(target).await,
        }
    }
}
