//! Send from a buffer without copying it (`IORING_OP_SEND_ZC`, Linux 6.2).
//!
//! There are two completions: the first brings the item, which is the result; the second, which is the
//! last, says that the network needs the buffer no longer. Where the first is the last, nothing was
//! sent. So the end of the operation is when the buffer is free, and the operation holds it until then.

use super::Multishot;
use crate::buf::IoBuf;
use crate::op::Kind;
use std::fmt;
use std::os::fd::AsFd;
use std::sync::Arc;

/// The completion is the second one.
const IS_NOTIFICATION: u32 = 1 << 3;

/// Asks that the second completion say whether bytes were copied after all. Linux 6.2; before, the
/// request is refused.
#[cfg(zokio_ring)]
const REPORT_USAGE: u16 = 1 << 3;

/// Whether the network could not read the bytes where they were, as the `result` of the last completion
/// says: over loopback, or through a device that cannot gather.
pub fn was_copied(result: i32) -> bool {
    const COPIED: u32 = 1 << 31;
    result as u32 == COPIED
}

/// Sends a part of a buffer.
pub struct SendZc<B> {
    /// Open until the last completion.
    socket: Arc<dyn AsFd + Send + Sync>,
    #[cfg_attr(not(zokio_ring), allow(dead_code))] // Held, and read by a ring.
    buf: Arc<B>,
    /// Bytes before this one are not sent.
    start: usize,
}

impl<B> fmt::Debug for SendZc<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendZc")
            .field("socket", &self.socket.as_fd())
            .field("start", &self.start)
            .finish_non_exhaustive()
    }
}

impl<B: IoBuf> SendZc<B> {
    /// Sends the initialised bytes of `buf` from `start` on.
    ///
    /// # Panics
    /// If `start` is above the initialised length.
    pub fn new(socket: Arc<dyn AsFd + Send + Sync>, buf: Arc<B>, start: usize) -> Self {
        assert!(start <= buf.bytes_len(), "a send starts within its buffer");
        Self { socket, buf, start }
    }
}

impl<B: IoBuf> Multishot for SendZc<B> {
    /// The kernel's result: how many bytes were sent, or an error, negated.
    type Item = i32;
    const KIND: Kind = Kind::SendZc;

    fn item(&self, result: i32, flags: u32) -> Option<i32> {
        (flags & IS_NOTIFICATION == 0).then_some(result)
    }
}

#[cfg(zokio_ring)]
mod ring {
    #![allow(unsafe_code)]

    use super::{REPORT_USAGE, SendZc};
    use crate::buf::{IoBuf, initialised};
    use crate::op::shots::ManyOnRing;
    use io_uring::{opcode, squeue, types};
    use std::os::fd::{AsFd, AsRawFd};

    // SAFETY: the entry names a descriptor that the operation keeps open, and bytes of a buffer that it
    // shares with nobody who could change it: there is no way to a buffer inside of an `Arc` but to
    // read it.
    unsafe impl<B: IoBuf> ManyOnRing for SendZc<B> {
        fn entry(&self) -> squeue::Entry {
            let source = &initialised(&*self.buf)[self.start..];
            let len = u32::try_from(source.len()).unwrap_or(crate::uring::COUNT_MAX);
            let socket = types::Fd(self.socket.as_fd().as_raw_fd());
            opcode::SendZc::new(socket, source.as_ptr(), len.min(crate::uring::COUNT_MAX))
                .flags(libc::MSG_NOSIGNAL | libc::MSG_WAITALL)
                .zc_flags(REPORT_USAGE)
                .build()
        }
    }
}
