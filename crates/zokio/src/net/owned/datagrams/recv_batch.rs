//! [`RecvBatch`]: room for datagrams, and what came.

use super::system::Desk;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use zokio_driver::op::net::Received;

/// Room for datagrams that are received at once. To be used again and again: receiving allocates
/// nothing.
pub struct RecvBatch {
    /// Each message has `size + 1` bytes: one that fills them all was longer than `size`.
    bytes: Box<[u8]>,
    size: usize,
    received: Vec<Received>,
    /// An error behind the datagrams that were received last, where the system does not keep it.
    error: Option<io::Error>,
    pub(super) desk: Desk,
}

impl RecvBatch {
    /// The size of messages that no datagram exceeds, joined or not.
    pub const SIZE_MAX: usize = 65_535;

    /// Room for `messages` of up to `size` bytes each; what is longer is cut off. One call of the
    /// system receives 64 messages at most.
    ///
    /// # Panics
    /// If either is 0, or if there cannot be that much memory.
    pub fn new(messages: usize, size: usize) -> Self {
        assert!(messages > 0, "a batch has room for at least one message");
        assert!(size > 0, "a message has room for at least one byte");
        let bytes = size
            .checked_add(1)
            .and_then(|each| each.checked_mul(messages))
            .expect("a batch fits into memory");
        Self {
            bytes: vec![0; bytes].into(),
            size,
            received: Vec::with_capacity(messages),
            error: None,
            desk: Desk::new(messages),
        }
    }

    /// Room for `messages` of the greatest size, each of which may be many joined datagrams.
    ///
    /// # Panics
    /// If there are none.
    pub fn for_lane(messages: usize) -> Self {
        Self::new(messages, Self::SIZE_MAX)
    }

    /// How long messages may be.
    pub fn size(&self) -> usize {
        self.size
    }

    /// How many datagrams are here.
    pub fn len(&self) -> usize {
        self.received.iter().map(datagrams_of).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.received.is_empty()
    }

    /// The datagrams, in the order in which they came.
    pub fn iter(&self) -> Datagrams<'_> {
        Datagrams {
            batch: self,
            message: 0,
            start: 0,
        }
    }

    pub(super) fn clear(&mut self) {
        self.received.clear();
    }

    pub(super) fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    /// Has `receive` fill the batch: it gets the memory, the stride of messages, and where to say
    /// what came.
    pub(super) fn fill(
        &mut self,
        receive: impl FnOnce(&mut Desk, &mut [u8], usize, &mut Vec<Received>) -> io::Result<usize>,
    ) -> io::Result<()> {
        let stride = self.size + 1;
        self.received.clear();
        let result = receive(&mut self.desk, &mut self.bytes, stride, &mut self.received);
        for message in &mut self.received {
            if message.len > self.size {
                message.len = self.size;
                message.is_truncated = true;
            }
        }
        match result {
            // The datagrams that came before an error are received first.
            Err(error) if !self.received.is_empty() => {
                if error.kind() != io::ErrorKind::WouldBlock {
                    self.error = Some(error);
                }
                Ok(())
            }
            result => result.map(drop),
        }
    }
}

fn datagrams_of(message: &Received) -> usize {
    if message.segment == 0 {
        return 1;
    }
    message.len.div_ceil(message.segment).max(1)
}

impl fmt::Debug for RecvBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvBatch")
            .field("size", &self.size)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl<'a> IntoIterator for &'a RecvBatch {
    type Item = Datagram<'a>;
    type IntoIter = Datagrams<'a>;

    fn into_iter(self) -> Datagrams<'a> {
        self.iter()
    }
}

/// A datagram that was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// The address of its sender.
    pub peer: SocketAddr,
    /// Whether it was longer than the batch's messages, and its end was cut off. Never on Windows, where
    /// that is an error.
    pub is_truncated: bool,
}

/// The datagrams of a [`RecvBatch`].
#[derive(Debug, Clone)]
pub struct Datagrams<'a> {
    batch: &'a RecvBatch,
    message: usize,
    /// Where in the message the next one begins.
    start: usize,
}

impl<'a> Iterator for Datagrams<'a> {
    type Item = Datagram<'a>;

    fn next(&mut self) -> Option<Datagram<'a>> {
        let message = self.batch.received.get(self.message)?;
        let stride = self.batch.size + 1;
        let bytes = &self.batch.bytes[self.message * stride..][..message.len];
        let segment = match message.segment {
            0 => message.len,
            segment => segment,
        };
        let end = (self.start + segment).min(message.len);
        let datagram = Datagram {
            bytes: &bytes[self.start..end],
            peer: message.peer,
            is_truncated: message.is_truncated && end == message.len,
        };
        self.start = end;
        if end == message.len {
            self.message += 1;
            self.start = 0;
        }
        Some(datagram)
    }
}
