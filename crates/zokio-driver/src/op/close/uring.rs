//! `IORING_OP_CLOSE`.
#![cfg(zokio_ring)]
#![allow(unsafe_code)]

use super::Close;
use crate::op::{Finish, OnRing};
use io_uring::{opcode, squeue, types};
use std::io;
use std::os::fd::{AsRawFd, IntoRawFd};

// SAFETY: the entry names memory and descriptors of this very operation (invariant 1 of `op`).
unsafe impl OnRing for Close {
    fn entry(&mut self) -> squeue::Entry {
        // Closing may wait: for a server, or for the blocks of a file that has no name any more.
        opcode::Close::new(types::Fd(self.file.as_raw_fd()))
            .build()
            .flags(squeue::Flags::ASYNC)
    }

    fn finish(self, result: i32) -> Finish<Self> {
        match -result {
            // Not begun: the file is still open and still ours.
            libc::ECANCELED | libc::EAGAIN | libc::EINVAL => Finish::Offload(self),
            // The descriptor is gone, whatever else went wrong. Forget the number.
            0 | libc::EINTR => {
                let _closed = self.file.into_raw_fd();
                Finish::Done(Ok(()))
            }
            error => {
                let _closed = self.file.into_raw_fd();
                Finish::Done(Err(io::Error::from_raw_os_error(error)))
            }
        }
    }
}
