//! `IORING_OP_WRITE`.
//!
//! The kernel goes on by itself with a write to a file that was short. If there is an error then,
//! the result is the count of what was written before, as it has to be, but the cursor has not
//! moved: the next write would go over it. So a short write at the cursor looks after that, as reads do.
#![cfg(zokio_ring)]
#![allow(unsafe_code)]

use super::Write;
use crate::buf::IoBuf;
use crate::op::sys::now;
use crate::op::{At, Finish, OnRing};
use io_uring::{opcode, squeue, types};
use std::io::Seek;
use std::os::fd::AsRawFd;

// SAFETY: the entry names memory and descriptors of this very operation (invariant 1 of `op`).
unsafe impl<B: IoBuf> OnRing for Write<B> {
    fn entry(&mut self) -> squeue::Entry {
        if self.at == At::Cursor && self.file.has_offsets() {
            self.cursor = (&**self.file).stream_position().ok();
        }
        let source = self.source();
        let len = u32::try_from(source.len()).unwrap_or(crate::uring::COUNT_MAX);
        let fd = types::Fd(self.file.as_raw_fd());
        opcode::Write::new(fd, source.as_ptr(), len.min(crate::uring::COUNT_MAX))
            .offset(self.at.to_raw())
            .build()
            .flags(self.file.ring_flags())
    }

    fn finish(self, result: i32) -> Finish<Self> {
        match usize::try_from(result) {
            Ok(count) => {
                let may_lag = count < self.source().len() || self.file.is_remote();
                if let (Some(before), true) = (self.cursor, may_lag) {
                    now::catch_up_written(&self.file, before, count);
                }
                match self.went_on(count) {
                    Ok(sent) => Finish::Done(sent),
                    Err(rest) => Finish::Again(rest),
                }
            }
            Err(_) => Finish::of_error(self, result, |write, error| write.returned(Err(error))),
        }
    }
}
