//! Operations on files: each one a type that owns all it needs, with an implementation per back end.
//!
//! An operation is a folder: `mod.rs` says what it is and what becomes of an outcome that nobody
//! wants, `uring.rs` runs it on the ring, `offload.rs` on a thread that may block. Both give the
//! same results. [`Backends`] asks for all of them, so a missing one does not compile; the
//! [`table`] says what else is known of each kind.
//!
//! Invariants:
//!
//! 1. The things that the kernel may touch (buffers, paths, descriptors) belong to the operation, at an
//!    address that does not change while the operation is moved, and stay until it retires.
//! 2. Every operation has an orphan handler: what an operation brought that nobody waits for any
//!    more is given back there, on whichever thread finds it.
//! 3. An operation is run once. It is run again only if the system says that it did nothing
//!    (interrupted, would block, cancelled before it began).

pub mod net;
pub mod plane;
#[cfg(target_os = "linux")]
pub mod shots;
pub mod table;

mod file;
pub(crate) mod flying;
mod path;
mod sys;

mod close;
mod link;
mod mkdir;
mod open;
mod read;
mod remove;
mod rename;
mod statx;
mod symlink;
mod sync;
mod write;

#[cfg(not(zokio_ring))]
pub use crate::uring::backend::OnRing;
#[cfg(zokio_ring)]
pub use crate::uring::backend::{Finish, OnRing};

pub use close::Close;
pub use file::OpenFile;
pub use flying::Op;
pub use link::Link;
pub use mkdir::Mkdir;
pub use open::{Open, OpenHow};
pub use path::OpPath;
pub use plane::Plane;
pub use read::{Filled, Read};
pub use remove::{Remove, Rmdir, Unlink};
pub use rename::Rename;
pub use statx::{FileKind, Stat, Statx};
pub use symlink::Symlink;
pub use sync::{Fdatasync, Fsync, SyncFile};
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use sys::copy_range;
pub use sys::{Keeper, Place, Shape, Speculated, now};
pub use table::{Cancel, Kind, Row, TABLE};
pub use write::{Sent, Write};

use crate::bell::Bell;
use std::io;

/// An operation, whatever runs it.
pub trait Operation: Send + Sync + Sized + 'static {
    /// The result that it brings.
    type Output: Send + 'static;

    /// Its row in the table.
    const KIND: Kind;

    /// Its result if it is lost: the driver gave up on it, or its thread panicked.
    fn fail(error: io::Error) -> Self::Output;

    /// Its result if it was not run. Buffers come back.
    fn give_back(self, error: io::Error) -> Self::Output {
        Self::fail(error)
    }

    /// The orphan handler: gives back what `output` holds, since nobody wants it (invariant 2).
    fn orphan(output: Self::Output);

    /// Whether it may be left out if nobody waits for it any more before it was begun. Only
    /// operations that change nothing may say so.
    fn may_be_left_out(&self) -> bool {
        false
    }

    /// Whether it may wait without bound, which a dropped future then ends.
    fn is_unbounded(&self) -> bool {
        false
    }

    /// Whether this one is better off on a thread of its own, whatever the table says.
    fn prefers_offload(&self) -> bool {
        false
    }
}

/// How an operation runs on a thread that may block.
pub trait OnOffload: Operation {
    /// Runs it.
    fn run(self) -> Self::Output;

    /// Whether it may wait for others, and does so in a way that can be ended. What has to be carried out
    /// though nobody waits for it is not ended.
    fn can_be_ended(&self) -> bool {
        false
    }

    /// Runs it until `bell` is rung.
    fn run_until(self, _bell: &Bell) -> Self::Output {
        self.run()
    }
}

/// An operation with every back end.
pub trait Backends: OnRing + OnOffload {}

impl<O: OnRing + OnOffload> Backends for O {}

/// Where in a file an operation reads or writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// At the cursor that the system keeps for the open file, which moves along. Also what a pipe
    /// and everything else without offsets has.
    Cursor,
    /// At this offset. The cursor stays.
    Offset(u64),
}

impl OpenFile {
    /// How a request to read or write this file is to be run: by a thread of the kernel's.
    ///
    /// An attempt without waiting was made before. The thread that enters the kernel would wait
    /// for a file of a FUSE file system, of `/proc` or of `/sys`, which have a `poll` method that says "ready"; for
    /// another reader of a terminal; and for the disk, where the blocks' addresses have to be read first or
    /// the device's queue is full. A pipe or a socket is tried without waiting whoever asks.
    #[cfg(zokio_ring)]
    pub(crate) fn ring_flags(&self) -> io_uring::squeue::Flags {
        match self.place().shape {
            Shape::Stream => io_uring::squeue::Flags::empty(),
            _ => io_uring::squeue::Flags::ASYNC,
        }
    }
}

impl At {
    /// As the kernel's interfaces for positioned vectors spell it: -1 is the cursor.
    #[cfg(zokio_ring)]
    pub(crate) fn to_raw(self) -> u64 {
        match self {
            Self::Cursor => u64::MAX,
            Self::Offset(offset) => offset,
        }
    }
}

/// An operation whose thread went away without running it.
pub(crate) fn not_run() -> io::Error {
    io::Error::other("background task failed")
}
