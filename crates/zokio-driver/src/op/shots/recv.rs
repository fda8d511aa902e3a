//! Receive from a stream socket, buffer after buffer (`IORING_OP_RECV`, multishot), into buffers of a
//! pool that the kernel chooses when bytes come.
//!
//! An item is a buffer with bytes; dropped, it goes back to the pool. The end tells the rest: 0 is the
//! end of the stream, `ENOBUFS` says that all buffers are lent.

use super::Multishot;
use crate::buf::pool::{Lease, Pool};
use crate::op::Kind;
use std::fmt;
use std::os::fd::AsFd;
use std::sync::Arc;

/// The completion names a buffer.
const HAS_BUFFER: u32 = 1;
/// Where in the flags it does.
const BUFFER_SHIFT: u32 = 16;

/// Receives into buffers of a pool.
pub struct RecvMany {
    /// Open until the last completion.
    socket: Arc<dyn AsFd + Send + Sync>,
    pool: Arc<Pool>,
}

impl fmt::Debug for RecvMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvMany")
            .field("socket", &self.socket.as_fd())
            .field("pool", &self.pool)
            .finish()
    }
}

impl RecvMany {
    /// From `socket` into buffers of `pool`, whose ring it has to be given to.
    pub fn new(socket: Arc<dyn AsFd + Send + Sync>, pool: Arc<Pool>) -> Self {
        Self { socket, pool }
    }
}

impl Multishot for RecvMany {
    type Item = Lease;
    const KIND: Kind = Kind::Recv;

    fn item(&self, result: i32, flags: u32) -> Option<Lease> {
        if flags & HAS_BUFFER == 0 {
            return None;
        }
        let len = usize::try_from(result).unwrap_or(0);
        Some(self.pool.lend((flags >> BUFFER_SHIFT) as u16, len))
    }

    fn is_wanted(lease: &Lease) -> bool {
        !lease.is_empty()
    }
}

#[cfg(zokio_ring)]
mod ring {
    #![allow(unsafe_code)]

    use super::RecvMany;
    use crate::op::shots::ManyOnRing;
    use io_uring::{opcode, squeue, types};
    use std::os::fd::{AsFd, AsRawFd};

    // SAFETY: the entry names a descriptor that the operation keeps open, and memory of a group that
    // it keeps registered.
    unsafe impl ManyOnRing for RecvMany {
        fn entry(&self) -> squeue::Entry {
            let socket = types::Fd(self.socket.as_fd().as_raw_fd());
            opcode::RecvMulti::new(socket, self.pool.group_id()).build()
        }
    }
}
