//! The place of a file: the kind of thing that its descriptor refers to, and the keeper of its file system.
//!
//! `statx.rs` finds it out where the ring is offered, and `no_statx.rs` stands in for it elsewhere.

use super::statx;
use std::fs::File;

/// The kind of thing that a descriptor refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A regular file or a directory: it has a cursor.
    Regular,
    /// A pipe or a socket: the kernel tries it without waiting when it is asked to.
    Stream,
    /// A disk.
    Block,
    /// A terminal or another device, an event counter and the like: it may wait without bound.
    Device,
    /// A symbolic link.
    Link,
}

/// The party that answers for a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeper {
    /// The kernel, on a device of this machine.
    Local,
    /// The kernel, in memory, or on top of other file systems.
    Layered,
    /// A server, a program, or nobody knows.
    Remote,
}

/// The facts about an open file that are known without asking its keeper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its kind.
    pub shape: Shape,
    /// The party that answers for it.
    pub keeper: Keeper,
}

impl Place {
    /// A regular file or a directory that the kernel keeps on a device.
    pub(crate) const PLAIN: Self = Self {
        shape: Shape::Regular,
        keeper: Keeper::Local,
    };

    /// The assumption where nothing can be found out.
    pub const UNKNOWN: Self = Self {
        shape: Shape::Regular,
        keeper: Keeper::Remote,
    };

    /// The place of `file`.
    pub fn of(file: &File) -> Self {
        statx::place_of(file)
    }
}
