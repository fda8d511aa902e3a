//! As `memory.rs`, where the kernel is a thread of a model: each entry is a cell whose accesses are
//! checked.
#![allow(unsafe_code)]

use zokio_base::sync::atomic::{AtomicU32, Ordering};
use zokio_base::sync::{Mutex, UnsafeCell};

/// The array.
pub(super) struct Shared {
    entries: Vec<UnsafeCell<u16>>,
    /// Loom has no atomics of 16 bits.
    tail: AtomicU32,
    /// The kernel's own.
    head: Mutex<u16>,
}

// SAFETY: who may read and write a cell is what the models check.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    pub(super) fn new(count: usize) -> Option<Self> {
        Some(Self {
            entries: (0..count).map(|_| UnsafeCell::new(0)).collect(),
            tail: AtomicU32::new(0),
            head: Mutex::new(0),
        })
    }

    /// # Safety
    /// As that of the kernel.
    pub(super) unsafe fn write(&self, index: usize, buffer: u16, _address: u64, _len: u32) {
        // SAFETY: the caller's promise, which loom checks.
        self.entries[index].with_mut(|entry| unsafe { *entry = buffer });
    }

    pub(super) fn publish(&self, tail: u16) {
        // ORDERING: Release pairs with the acquire in `take`.
        self.tail.store(tail.into(), Ordering::Release);
    }

    /// Plays the kernel when bytes come: takes the next buffer. None if it has none.
    pub(super) fn take(&self) -> Option<u16> {
        let mut head = self.head.lock();
        // ORDERING: Acquire pairs with the release in `publish`: entries are whole.
        let tail = self.tail.load(Ordering::Acquire) as u16;
        if *head == tail {
            return None;
        }
        let index = usize::from(*head) & (self.entries.len() - 1);
        // SAFETY: the tail says that it is the kernel's, which loom checks.
        let buffer = self.entries[index].with(|entry| unsafe { *entry });
        *head = head.wrapping_add(1);
        Some(buffer)
    }
}
