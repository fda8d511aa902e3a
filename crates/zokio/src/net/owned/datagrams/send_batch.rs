//! [`SendBatch`]: datagrams to be sent at once.

use super::Retreat;
use super::system::{self, Desk};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use zokio_driver::op::net::Outgoing;

/// The most bytes that datagrams have together when they are joined: what fits into one packet of
/// either kind.
const JOINED_MAX: usize = 65_487;
/// The most datagrams that are joined.
const SEGMENTS_MAX: usize = 64;

/// A datagram that waits.
struct Waiting {
    peer: Option<SocketAddr>,
    /// Where its bytes end. They begin where those of the one before end.
    end: usize,
}

/// Datagrams to be sent at once. To be used again and again.
#[derive(Default)]
pub struct SendBatch {
    bytes: Vec<u8>,
    waiting: Vec<Waiting>,
    /// Those before this one were sent.
    next: usize,
    /// Those before this one are not to be joined.
    alone_until: usize,
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))] // Nothing is kept on it elsewhere.
    pub(super) desk: Option<Desk>,
}

impl SendBatch {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a datagram for `peer`. Neighbours with one peer and one size cost least.
    pub fn push(&mut self, datagram: &[u8], peer: SocketAddr) {
        self.add(datagram, Some(peer));
    }

    /// Adds a datagram for the peer that the socket is connected to.
    pub fn push_connected(&mut self, datagram: &[u8]) {
        self.add(datagram, None);
    }

    fn add(&mut self, datagram: &[u8], peer: Option<SocketAddr>) {
        self.bytes.extend_from_slice(datagram);
        let end = self.bytes.len();
        self.waiting.push(Waiting { peer, end });
    }

    /// How many datagrams wait to be sent.
    pub fn len(&self) -> usize {
        self.waiting.len() - self.next
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Leaves the first datagram out. Returns whether there was one.
    pub fn skip(&mut self) -> bool {
        let was_there = !self.is_empty();
        if was_there {
            self.sent(1);
        }
        was_there
    }

    /// Leaves all of them out.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.waiting.clear();
        (self.next, self.alone_until) = (0, 0);
    }

    /// The first `count` have left.
    pub(crate) fn sent(&mut self, count: usize) {
        self.next += count;
        debug_assert!(self.next <= self.waiting.len(), "none is sent twice");
        if self.is_empty() {
            self.clear();
        }
    }

    fn start_of(&self, index: usize) -> usize {
        match index {
            0 => 0,
            _ => self.waiting[index - 1].end,
        }
    }

    /// How many from `first` on make up one message.
    fn run_from(&self, first: usize, joins: bool) -> usize {
        let start = self.start_of(first);
        let len = self.waiting[first].end - start;
        if !joins || first < self.alone_until || len == 0 {
            return 1;
        }
        let peer = self.waiting[first].peer;
        let mut count = 1;
        for waiting in self.waiting[first + 1..].iter().take(SEGMENTS_MAX - 1) {
            let next_len = waiting.end - self.waiting[first + count - 1].end;
            let fits = waiting.end - start <= JOINED_MAX;
            if waiting.peer != peer || next_len > len || next_len == 0 || !fits {
                break;
            }
            count += 1;
            // A shorter one is the last.
            if next_len < len {
                break;
            }
        }
        count
    }

    /// The first messages, `limit` at most, and how many datagrams each of them is.
    pub(super) fn messages(&self, joins: bool, limit: usize) -> Vec<(Outgoing<'_>, usize)> {
        let mut messages = Vec::with_capacity(limit.min(self.len()));
        let mut first = self.next;
        while first < self.waiting.len() && messages.len() < limit {
            let count = self.run_from(first, joins);
            let start = self.start_of(first);
            let size = self.waiting[first].end - start;
            let message = Outgoing {
                peer: self.waiting[first].peer,
                bytes: &self.bytes[start..self.waiting[first + count - 1].end],
                // Joined ones are at most `JOINED_MAX`, so it fits.
                segment: (count > 1).then_some(size as u16),
            };
            messages.push((message, count));
            first += count;
        }
        messages
    }

    /// Judges `error`, of the first message, which may have been joined.
    pub(super) fn retreat(&mut self, joins: bool, error: &io::Error) -> Retreat {
        let count = self.run_from(self.next, joins);
        if count == 1 {
            return Retreat::No;
        }
        let retreat = system::retreat(error);
        if !matches!(retreat, Retreat::No) {
            self.alone_until = self.next + count;
        }
        retreat
    }
}

impl fmt::Debug for SendBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendBatch")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;

    fn batch_of(datagrams: &[(usize, u16)]) -> SendBatch {
        let mut batch = SendBatch::new();
        for &(len, port) in datagrams {
            batch.push(&vec![port as u8; len], ([127, 0, 0, 1], port).into());
        }
        batch
    }

    fn shape(batch: &SendBatch, joins: bool) -> Vec<(usize, usize, Option<u16>)> {
        let messages = batch.messages(joins, usize::MAX);
        messages
            .iter()
            .map(|(message, count)| (*count, message.bytes.len(), message.segment))
            .collect()
    }

    #[test]
    fn neighbours_of_one_size_and_peer_are_joined() {
        let batch = batch_of(&[
            (10, 1),
            (10, 1),
            (4, 1),
            (10, 1),
            (10, 2),
            (11, 2),
            (0, 2),
            (0, 2),
        ]);
        assert_eq!(
            shape(&batch, true),
            [
                (3, 24, Some(10)),
                (1, 10, None),
                (1, 10, None),
                (1, 11, None),
                (1, 0, None),
                (1, 0, None)
            ]
        );
        assert_eq!(shape(&batch, false).len(), 8);
    }

    #[test]
    fn joined_ones_stay_within_the_limits() {
        let many = batch_of(&[(1, 1); 150]);
        let counts: Vec<_> = shape(&many, true).iter().map(|found| found.0).collect();
        assert_eq!(counts, [64, 64, 22]);
        let large = batch_of(&[(30_000, 1); 5]);
        let counts: Vec<_> = shape(&large, true).iter().map(|found| found.0).collect();
        assert_eq!(counts, [2, 2, 1]);
    }

    #[test]
    fn what_is_refused_joined_is_sent_alone() {
        let mut batch = batch_of(&[(10, 1), (10, 1), (10, 2), (10, 2)]);
        batch.alone_until = 2;
        let counts: Vec<_> = shape(&batch, true).iter().map(|found| found.0).collect();
        assert_eq!(counts, [1, 1, 2]);
        assert!(batch.skip());
        assert_eq!(shape(&batch, true)[0].0, 1);
        batch.sent(3);
        assert!(batch.is_empty() && !batch.skip());
        batch.push(b"again", ([127, 0, 0, 1], 1).into());
        assert_eq!(shape(&batch, true), [(1, 5, None)]);
    }
}
