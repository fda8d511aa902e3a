//! Where the system cannot tell without asking, nothing is told: every operation runs on a thread that
//! may block.

use std::fs::File;

/// What kind of thing a descriptor refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A file: it has a cursor.
    Regular,
    /// Not told here.
    Stream,
    /// Not told here.
    Block,
    /// Not told here.
    Device,
    /// Not told here.
    Link,
}

/// Who keeps a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeper {
    /// Somebody.
    Local,
    /// Not told here.
    Layered,
    /// Not told here.
    Remote,
}

/// What is known of an open file without asking for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// What it is.
    pub shape: Shape,
    /// Who answers for it.
    pub keeper: Keeper,
}

impl Place {
    /// A regular file or a directory that the kernel keeps on a device.
    pub(crate) const PLAIN: Self = Self {
        shape: Shape::Regular,
        keeper: Keeper::Local,
    };

    /// Nothing is found out.
    pub fn of(_file: &File) -> Self {
        Self {
            shape: Shape::Regular,
            keeper: Keeper::Local,
        }
    }
}
