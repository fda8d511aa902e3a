//! One row per kind of operation: what it needs, what may be done to it, where it runs.
//!
//! The rows are indexed by [`Kind`]; a check at compile time keeps the two in step. Another one,
//! `has_both_back_ends`, keeps an operation without a back end from compiling.
//!
//! Columns:
//!
//! - `needs_fd`: works on an open file, which the operation keeps open until it retires.
//! - `cancel`: what a dropped future does beyond handing over.
//! - `code`: the opcode that the kernel is asked about before the ring is used for this kind.
//! - `ring_first`: whether the ring is the first choice where both could do it. A kind has `false`
//!   where the kernel would only move the work to a thread of its own, which our pool does as well.

use super::Backends;

/// The kinds of operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// Open or create a file.
    Open,
    /// Read at an offset or at the cursor.
    Read,
    /// Write at an offset or at the cursor.
    Write,
    /// Data and metadata to the disk.
    Fsync,
    /// Data to the disk.
    Fdatasync,
    /// Asks for the metadata of a path or a file.
    Statx,
    /// Close a file.
    Close,
    /// Give a path another name.
    Rename,
    /// Remove a name.
    Unlink,
    /// Remove an empty directory.
    Rmdir,
    /// Make a directory.
    Mkdir,
    /// Give a file a second name.
    Link,
    /// Make a symbolic link.
    Symlink,
    /// Accept connections, until told otherwise.
    Accept,
    /// Receive into buffers of a pool, until told otherwise.
    Recv,
    /// Send from a buffer without copying it.
    SendZc,
}

/// How many kinds there are.
pub const KINDS: usize = Kind::SendZc as usize + 1;

/// The fate of an operation whose future is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancel {
    /// It runs to its end: it is short, or its effect was asked for.
    Never,
    /// It is cancelled, best effort, if it may wait without bound: on a pipe, a terminal, a device.
    IfUnbounded,
    /// It is cancelled: it would go on for ever.
    Always,
}

/// The runner of an operation that the ring does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// A thread of the blocking pool.
    Offload,
    /// The crates above: they wait until the socket is ready.
    Readiness,
}

/// The facts about a kind of operation.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The kind.
    pub kind: Kind,
    /// Its name in metrics and dumps.
    pub name: &'static str,
    /// Whether it works on an open file.
    pub needs_fd: bool,
    /// The effect of dropping its future.
    pub cancel: Cancel,
    /// The kernel's number for it.
    pub code: u8,
    /// Whether the ring is the first choice.
    pub ring_first: bool,
    /// The runner where the ring does not run it.
    pub fallback: Fallback,
}

/// Opcodes of the kernel's interface, which never change.
mod code {
    pub(super) const FSYNC: u8 = 3;
    pub(super) const ACCEPT: u8 = 13;
    pub(super) const OPENAT: u8 = 18;
    pub(super) const CLOSE: u8 = 19;
    pub(super) const STATX: u8 = 21;
    pub(super) const READ: u8 = 22;
    pub(super) const WRITE: u8 = 23;
    pub(super) const RECV: u8 = 27;
    pub(super) const RENAMEAT: u8 = 35;
    pub(super) const UNLINKAT: u8 = 36;
    pub(super) const MKDIRAT: u8 = 37;
    pub(super) const SYMLINKAT: u8 = 38;
    pub(super) const LINKAT: u8 = 39;
    pub(super) const SEND_ZC: u8 = 47;
}

const fn row(kind: Kind, name: &'static str, code: u8) -> Row {
    Row {
        kind,
        name,
        needs_fd: false,
        cancel: Cancel::Never,
        code,
        ring_first: true,
        fallback: Fallback::Offload,
    }
}

const fn on_file(kind: Kind, name: &'static str, code: u8) -> Row {
    Row {
        needs_fd: true,
        ..row(kind, name, code)
    }
}

const fn unbounded(row: Row) -> Row {
    Row {
        cancel: Cancel::IfUnbounded,
        ..row
    }
}

/// An operation with many completions.
const fn many(row: Row) -> Row {
    Row {
        cancel: Cancel::Always,
        fallback: Fallback::Readiness,
        ..row
    }
}

/// The table.
pub const TABLE: [Row; KINDS] = [
    unbounded(row(Kind::Open, "open", code::OPENAT)),
    unbounded(on_file(Kind::Read, "read", code::READ)),
    unbounded(on_file(Kind::Write, "write", code::WRITE)),
    on_file(Kind::Fsync, "fsync", code::FSYNC),
    on_file(Kind::Fdatasync, "fdatasync", code::FSYNC),
    row(Kind::Statx, "statx", code::STATX),
    on_file(Kind::Close, "close", code::CLOSE),
    row(Kind::Rename, "rename", code::RENAMEAT),
    row(Kind::Unlink, "unlink", code::UNLINKAT),
    row(Kind::Rmdir, "rmdir", code::UNLINKAT),
    row(Kind::Mkdir, "mkdir", code::MKDIRAT),
    row(Kind::Link, "link", code::LINKAT),
    row(Kind::Symlink, "symlink", code::SYMLINKAT),
    many(on_file(Kind::Accept, "accept", code::ACCEPT)),
    many(on_file(Kind::Recv, "recv", code::RECV)),
    many(on_file(Kind::SendZc, "send_zc", code::SEND_ZC)),
];

impl Kind {
    /// The kind's row.
    pub const fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}

/// Compiles only for an operation that every back end can run.
const fn has_both_back_ends<O: Backends>() {
    assert!(TABLE[O::KIND as usize].kind as usize == O::KIND as usize);
}

const _: () = {
    let mut index = 0;
    while index < KINDS {
        assert!(
            TABLE[index].kind as usize == index,
            "rows stand in the order of Kind"
        );
        index += 1;
    }
    has_both_back_ends::<super::Open>();
    has_both_back_ends::<super::Read<Vec<u8>>>();
    has_both_back_ends::<super::Write<Vec<u8>>>();
    has_both_back_ends::<super::Fsync>();
    has_both_back_ends::<super::Fdatasync>();
    has_both_back_ends::<super::Statx>();
    has_both_back_ends::<super::Close>();
    has_both_back_ends::<super::Rename>();
    has_both_back_ends::<super::Unlink>();
    has_both_back_ends::<super::Rmdir>();
    has_both_back_ends::<super::Mkdir>();
    has_both_back_ends::<super::Link>();
    has_both_back_ends::<super::Symlink>();
};
