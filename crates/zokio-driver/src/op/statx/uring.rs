//! `IORING_OP_STATX`.

#[cfg(zokio_ring)]
pub(super) use ring::Answer;

/// There is no ring to answer.
#[cfg(not(zokio_ring))]
#[derive(Debug, Default)]
pub(super) struct Answer;

#[cfg(zokio_ring)]
mod ring {
    #![allow(unsafe_code)]

    use super::super::{FileKind, Stat, Statx};
    use crate::op::{Finish, OnRing};
    use io_uring::{opcode, squeue, types};
    use std::fmt;
    use std::mem::MaybeUninit;

    /// The kernel's answer, not there until it is asked.
    #[derive(Default)]
    pub(in super::super) struct Answer(Option<Box<MaybeUninit<libc::statx>>>);

    impl fmt::Debug for Answer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Answer")
        }
    }

    // SAFETY: the entry names memory and descriptors of this very operation (invariant 1 of `op`).
    unsafe impl OnRing for Statx {
        fn entry(&mut self) -> squeue::Entry {
            // Zeroed, so that the kernel may leave out what it does not know.
            let answer = self.answer.0.insert(Box::new(MaybeUninit::zeroed()));
            let to: *mut types::statx = answer.as_mut_ptr().cast();
            let flags = if self.follow {
                0
            } else {
                libc::AT_SYMLINK_NOFOLLOW
            };
            opcode::Statx::new(types::Fd(libc::AT_FDCWD), self.path.as_ptr(), to)
                .flags(flags)
                .mask(libc::STATX_BASIC_STATS)
                .build()
        }

        fn finish(mut self, result: i32) -> Finish<Self> {
            if result < 0 {
                return Finish::of_error(self, result, |_, error| Err(error));
            }
            let answer = self.answer.0.take().expect("the kernel was given a place");
            // SAFETY: zero bits are a valid `statx`, and the kernel wrote valid fields over them.
            Finish::Done(Ok(read(unsafe { answer.assume_init_ref() })))
        }
    }

    fn read(statx: &libc::statx) -> Stat {
        let mode = u32::from(statx.stx_mode);
        let kind = match mode & libc::S_IFMT {
            libc::S_IFREG => FileKind::File,
            libc::S_IFDIR => FileKind::Directory,
            libc::S_IFLNK => FileKind::Symlink,
            _ => FileKind::Other,
        };
        Stat {
            kind,
            len: statx.stx_size,
            permissions: mode & 0o7777,
            inode: statx.stx_ino,
            links: u64::from(statx.stx_nlink),
            uid: statx.stx_uid,
            gid: statx.stx_gid,
            modified: (statx.stx_mtime.tv_sec, statx.stx_mtime.tv_nsec),
        }
    }
}
