//! The entries of a group of buffers: an array that the kernel and we share, a ring of its own.
//!
//! 1. A thread that gives a buffer to the kernel takes the lock, writes the entry at the tail, and then the
//!    tail.
//! 2. The kernel reads the tail, and takes entries from the head on, up to it. It says nothing of
//!    that but by the completions that name the buffers.
//!
//! Invariants:
//!
//! 1. An entry is written under the `tail` lock, before the tail that makes it the kernel's.
//! 2. No entry is written over that the kernel has not taken: at most as many buffers as there are
//!    entries are the kernel's at a time.
#![allow(unsafe_code)]

use super::memory::Shared;
use zokio_base::sync::Mutex;

/// The entries.
pub(super) struct Entries {
    count: usize,
    tail: Mutex<u16>,
    shared: Shared,
}

impl Entries {
    /// Room for `count` entries, a power of two. None if there is no memory.
    pub(super) fn new(count: usize) -> Option<Self> {
        Some(Self {
            count,
            tail: Mutex::new(0),
            shared: Shared::new(count)?,
        })
    }

    /// The memory that is shared with the kernel.
    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// As [`shared`](Self::shared), to be done with it.
    #[cfg(not(all(test, zokio_loom)))]
    pub(super) fn shared_mut(&mut self) -> &mut Shared {
        &mut self.shared
    }

    /// Gives a buffer of `len` bytes at `address` to the kernel, which names it by number.
    ///
    /// # Safety
    /// The buffer is nobody else's, and no more are the kernel's than there are entries.
    pub(super) unsafe fn provide(&self, buffer: u16, address: u64, len: u32) {
        let mut tail = self.tail.lock();
        let index = usize::from(*tail) & (self.count - 1);
        // SAFETY: within the array; this entry is not the kernel's (invariant 2), and nobody else
        // writes entries (invariant 1).
        unsafe { self.shared.write(index, buffer, address, len) };
        *tail = tail.wrapping_add(1);
        self.shared.publish(*tail);
    }
}
