//! `IORING_OP_READ`.
//!
//! The kernel goes on by itself with a read of a file that was short. If there is an error then,
//! the result is the count of what was read before, as it has to be, but the cursor has not moved:
//! the next read would bring the same bytes again. So a short read at the cursor looks after that. And FUSE
//! leaves the cursor alone where it keeps nothing in memory (`FOPEN_DIRECT_IO`), short or not.
#![cfg(zokio_ring)]
#![allow(unsafe_code)]

use super::Read;
use crate::buf::IoBufMut;
use crate::op::sys::now;
use crate::op::{At, Finish, OnRing};
use io_uring::{opcode, squeue, types};
use std::io::Seek;
use std::os::fd::AsRawFd;

// SAFETY: the entry names memory and descriptors of this very operation (invariant 1 of `op`).
unsafe impl<B: IoBufMut> OnRing for Read<B> {
    fn entry(&mut self) -> squeue::Entry {
        if self.at == At::Cursor && self.file.has_offsets() {
            self.cursor = (&**self.file).stream_position().ok();
        }
        let len = u32::try_from(self.len).unwrap_or(crate::uring::COUNT_MAX);
        let (fd, to) = (types::Fd(self.file.as_raw_fd()), self.target());
        opcode::Read::new(fd, to, len.min(crate::uring::COUNT_MAX))
            .offset(self.at.to_raw())
            .build()
            .flags(self.file.ring_flags())
    }

    fn finish(self, result: i32) -> Finish<Self> {
        match usize::try_from(result) {
            Ok(count) => {
                let may_lag = count < self.len || self.file.is_remote();
                if let (Some(before), true) = (self.cursor, may_lag) {
                    now::catch_up(&self.file, before, count);
                }
                Finish::Done(self.filled(count))
            }
            Err(_) => Finish::of_error(self, result, Self::failed),
        }
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;
    use crate::op::OpenFile;
    use std::fs::File;
    use std::io::SeekFrom;
    use std::sync::Arc;

    /// A file of ten bytes, open for reading and appending, its cursor at 3.
    fn file() -> Arc<OpenFile> {
        let folder = std::env::temp_dir();
        let path = folder.join(format!("zokio-read-{}", std::process::id()));
        std::fs::write(&path, b"0123456789").unwrap();
        let file = File::options().read(true).append(true).open(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        (&file).seek(SeekFrom::Start(3)).unwrap();
        OpenFile::new(file)
    }

    /// The kernel's result, after which the cursor has to be at the place that is returned.
    fn cursor_after(moved_by_kernel: i64, result: i32) -> u64 {
        let file = file();
        let mut read = Read::new(file.clone(), vec![0; 8], 0, 8, At::Cursor);
        let _ = read.entry();
        (&**file).seek(SeekFrom::Current(moved_by_kernel)).unwrap();
        assert!(matches!(read.finish(result), Finish::Done(_)));
        (&**file).stream_position().unwrap()
    }

    #[test]
    fn the_cursor_is_behind_what_was_read_whatever_the_kernel_did_with_it() {
        assert_eq!(cursor_after(7, 7), 10, "a short read moved it");
        assert_eq!(cursor_after(0, 4), 7, "a short read did not");
        assert_eq!(cursor_after(0, 0), 3, "the end of the file");
        assert_eq!(cursor_after(0, -libc::EIO), 3, "an error");
    }
}
