//! Memory that the kernel knows: that of buffers, and the array that says which of them are its own.
#![allow(unsafe_code)]

use io_uring::types::BufRingEntry;
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;
use zokio_base::sync::std_atomic::{AtomicU16, Ordering};

/// The kernel wants the array at the start of a page, and pages have this size at most.
const PAGE_MAX: usize = 64 * 1024;

/// Zeroed memory that is given back when dropped.
pub(super) struct Memory {
    start: NonNull<u8>,
    layout: Layout,
}

impl Memory {
    pub(super) fn new(len: usize, align: usize) -> Option<Self> {
        let layout = Layout::from_size_align(len, align).ok()?;
        // SAFETY: the layout has bytes: pools have buffers, and those have room.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        Some(Self { start, layout })
    }

    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated in `new`, with this layout.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}

/// The array.
pub(super) struct Shared {
    /// None once it is leaked.
    memory: Option<Memory>,
    start: NonNull<BufRingEntry>,
}

// SAFETY: entries are written by one thread at a time, which `write` asks for; the tail is an
// atomic.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    pub(super) fn new(count: usize) -> Option<Self> {
        let memory = Memory::new(count * size_of::<BufRingEntry>(), PAGE_MAX)?;
        Some(Self {
            start: memory.start.cast(),
            memory: Some(memory),
        })
    }

    /// Where the kernel finds it.
    pub(super) fn address(&self) -> u64 {
        self.start.as_ptr() as u64
    }

    /// Leaves the memory to the kernel.
    pub(super) fn leak(&mut self) {
        std::mem::forget(self.memory.take());
    }

    /// # Safety
    /// The index is within the array, and the entry is nobody's: neither the kernel's nor
    /// another writer's.
    pub(super) unsafe fn write(&self, index: usize, buffer: u16, address: u64, len: u32) {
        // SAFETY: the caller's promise.
        let entry = unsafe { self.start.add(index).as_mut() };
        entry.set_addr(address);
        entry.set_len(len);
        entry.set_bid(buffer);
    }

    /// Makes the entries before `tail` the kernel's.
    pub(super) fn publish(&self, tail: u16) {
        // SAFETY: the tail is a field of the first entry that its setters leave alone.
        let shared = unsafe { BufRingEntry::tail(self.start.as_ptr()) };
        // SAFETY: aligned, alive, and only written to by us.
        let shared = unsafe { AtomicU16::from_ptr(shared.cast_mut()) };
        // ORDERING: Release pairs with the kernel's acquire: it sees the entry.
        shared.store(tail, Ordering::Release);
    }
}
