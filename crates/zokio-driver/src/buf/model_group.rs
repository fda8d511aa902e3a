//! As `group.rs`, with a kernel that is a thread of a model: each buffer is a cell of one byte whose
//! accesses are checked.
#![allow(unsafe_code)]

use super::entries::Entries;
use crate::driver::DriverHandle;
use zokio_base::sync::UnsafeCell;

/// A group of buffers.
pub(super) struct Group {
    entries: Entries,
    bytes: Vec<UnsafeCell<[u8; 1]>>,
}

// SAFETY: who may read and write a buffer is what the models check.
unsafe impl Send for Group {}
// SAFETY: as above.
unsafe impl Sync for Group {}

impl Group {
    pub(super) fn of(count: usize) -> Self {
        let group = Self {
            entries: Entries::new(count).unwrap(),
            bytes: (0..count).map(|_| UnsafeCell::new([0])).collect(),
        };
        for buffer in 0..count {
            group.provide(buffer as u16);
        }
        group
    }

    /// Models make their groups themselves.
    pub(super) fn register(
        _driver: &DriverHandle,
        _here: Option<usize>,
        _count: usize,
        _size: usize,
    ) -> Option<Self> {
        None
    }

    pub(super) fn worker(&self) -> usize {
        0
    }

    pub(super) fn id(&self) -> u16 {
        0
    }

    pub(super) fn provide(&self, buffer: u16) {
        // SAFETY: the models do as the pool does, which is what they check.
        unsafe { self.entries.provide(buffer, 0, 1) };
    }

    pub(super) fn bytes(&self, buffer: u16) -> &[u8] {
        // SAFETY: the lease's own, which loom checks at this moment.
        self.bytes[usize::from(buffer)].with(|bytes| unsafe { &*bytes })
    }

    #[allow(clippy::mut_from_ref)] // As in `group.rs`.
    pub(super) fn bytes_mut(&self, buffer: u16) -> &mut [u8] {
        // SAFETY: as above.
        self.bytes[usize::from(buffer)].with_mut(|bytes| unsafe { &mut *bytes })
    }

    /// A byte comes: the kernel writes it to the next buffer and names that. None if all are lent.
    pub(super) fn receive(&self, byte: u8) -> Option<u16> {
        let buffer = self.entries.shared().take()?;
        // SAFETY: the kernel's own, which loom checks.
        self.bytes[usize::from(buffer)].with_mut(|bytes| unsafe { *bytes = [byte] });
        Some(buffer)
    }
}
