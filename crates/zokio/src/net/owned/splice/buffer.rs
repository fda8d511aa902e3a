//! A conduit that is a buffer: one read, then writes until it is empty.

use crate::net::owned::socket::StreamSocket;
use std::io;
use zokio_io::Interest;
use zokio_task::coop;

/// How many bytes it has room for.
const SIZE: usize = 64 * 1024;

/// Bytes on their way. The memory is taken when the first come.
pub(super) struct Buffer {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Buffer {
    pub(super) fn new() -> Self {
        Self {
            bytes: Box::default(),
            start: 0,
            end: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.end - self.start
    }

    /// Reads once. 0 is the end of the source.
    pub(super) async fn fill<S: StreamSocket>(&mut self, source: &S) -> io::Result<usize> {
        debug_assert_eq!(self.len(), 0, "filled only when empty");
        if self.bytes.is_empty() {
            self.bytes = vec![0; SIZE].into();
        }
        loop {
            coop::consume_budget().await;
            match source.try_read(&mut self.bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    source.ready(Interest::READABLE).await?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => {
                    (self.start, self.end) = (0, read?);
                    return Ok(self.end);
                }
            }
        }
    }

    /// Writes once.
    pub(super) async fn drain<S: StreamSocket>(&mut self, target: &S) -> io::Result<usize> {
        loop {
            coop::consume_budget().await;
            match target.try_write(&self.bytes[self.start..self.end]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    target.ready(Interest::WRITABLE).await?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                written => {
                    let written = written?;
                    self.start += written;
                    return Ok(written);
                }
            }
        }
    }
}
