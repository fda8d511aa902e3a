//! Accept connections, one after the other (`IORING_OP_ACCEPT`, multishot).
//!
//! An item is the connection's descriptor, in non-blocking mode and closed on exec; dropped, it is
//! closed.
#![allow(unsafe_code)]

use super::Multishot;
use crate::op::Kind;
use std::fmt;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::sync::Arc;

/// Accepts connections.
pub struct AcceptMany {
    /// Open until the last completion.
    listener: Arc<dyn AsFd + Send + Sync>,
}

impl fmt::Debug for AcceptMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcceptMany")
            .field("listener", &self.listener.as_fd())
            .finish()
    }
}

impl AcceptMany {
    /// From `listener`.
    pub fn new(listener: Arc<dyn AsFd + Send + Sync>) -> Self {
        Self { listener }
    }
}

impl Multishot for AcceptMany {
    type Item = OwnedFd;
    const KIND: Kind = Kind::Accept;

    fn item(&self, result: i32, _flags: u32) -> Option<OwnedFd> {
        // SAFETY: a result that is no error is a descriptor that the kernel has just made for this
        // request, and each completion is looked at once.
        (result >= 0).then(|| unsafe { OwnedFd::from_raw_fd(result) })
    }
}

#[cfg(zokio_ring)]
mod ring {
    use super::AcceptMany;
    use crate::op::shots::ManyOnRing;
    use io_uring::{opcode, squeue, types};
    use std::os::fd::{AsFd, AsRawFd};

    // SAFETY: the entry names no memory, and a descriptor that the operation keeps open.
    unsafe impl ManyOnRing for AcceptMany {
        fn entry(&self) -> squeue::Entry {
            opcode::AcceptMulti::new(types::Fd(self.listener.as_fd().as_raw_fd()))
                .flags(libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK)
                .build()
        }
    }
}
