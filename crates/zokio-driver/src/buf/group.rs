//! Buffers registered with a ring: `IORING_REGISTER_PBUF_RING` (Linux 5.19).
//!
//! The kernel and we share an array of entries, a ring of its own: we write entries and then the tail, the
//! kernel takes entries from the head. Entries stand for buffers in one allocation beside it.
//!
//! Invariants:
//!
//! 1. An entry is written under the `tail` lock, before the tail that makes it the kernel's.
//! 2. At most `count` entries are the kernel's at a time, since each stands for another buffer: no
//!    entry is written over that the kernel has not taken.
//! 3. Both allocations live until the group is unregistered; if that fails, for ever.
#![allow(unsafe_code)]

use crate::driver::DriverHandle;
use crate::op::{Kind, Plane};
use io_uring::types::BufRingEntry;
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::io;
use std::ptr::NonNull;
use std::sync::Arc;
use zokio_base::sync::Mutex;
use zokio_base::sync::std_atomic::{AtomicU16, Ordering};

/// The kernel wants the array at the start of a page, and pages have this size at most.
const PAGE_MAX: usize = 64 * 1024;

/// How many names are tried until one is free.
const NAMES_MAX: usize = 64;

/// The next name to be tried. Names are a ring's own; that this one is the process's keeps clashes rare.
static NEXT_NAME: AtomicU16 = AtomicU16::new(1);

/// Zeroed memory that is given back when dropped.
struct Memory {
    start: NonNull<u8>,
    layout: Layout,
}

impl Memory {
    fn new(len: usize, align: usize) -> Option<Self> {
        let layout = Layout::from_size_align(len, align).ok()?;
        // SAFETY: the layout has bytes: pools have buffers, and those have room.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        Some(Self { start, layout })
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated in `new`, with this layout.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}

/// A registered group of buffers.
pub(super) struct Group {
    plane: Arc<Plane>,
    worker: usize,
    id: u16,
    count: usize,
    size: usize,
    /// None once it is leaked.
    entries: Option<Memory>,
    bytes: Option<Memory>,
    entries_start: NonNull<BufRingEntry>,
    bytes_start: NonNull<u8>,
    tail: Mutex<u16>,
}

// SAFETY: entries are written under the lock, and a buffer is reached by the one lease that has it
// (invariant 1 of the pool).
unsafe impl Send for Group {}
// SAFETY: as above.
unsafe impl Sync for Group {}

impl Group {
    /// Registers buffers with a ring. None if there is no ring, or it knows no groups.
    pub(super) fn register(
        driver: &DriverHandle,
        here: Option<usize>,
        count: usize,
        size: usize,
    ) -> Option<Self> {
        let plane = driver.plane();
        // A single worker may be a thread that is not at its loop now: nobody would submit.
        let is_served = here.is_some() || driver.workers() > 1;
        if !is_served || !plane.prefers_ring(Kind::Recv) {
            return None;
        }
        let worker = driver.pick_set(here);
        plane.lane(worker).ensure_ring().ok()?;
        let entries = Memory::new(count * size_of::<BufRingEntry>(), PAGE_MAX)?;
        let bytes = Memory::new(count.checked_mul(size)?, 64)?;
        let id = name_with(|id| {
            let address = entries.start.as_ptr() as u64;
            // SAFETY: the array is aligned, has that many entries, and outlives the registration
            // (invariant 3).
            unsafe {
                plane
                    .lane(worker)
                    .register_buffers(address, count as u16, id)
            }
        })?;
        let group = Self {
            plane: plane.clone(),
            worker,
            id,
            count,
            size,
            entries_start: entries.start.cast(),
            bytes_start: bytes.start,
            entries: Some(entries),
            bytes: Some(bytes),
            tail: Mutex::new(0),
        };
        for buffer in 0..count {
            group.provide(buffer as u16);
        }
        Some(group)
    }

    pub(super) fn worker(&self) -> usize {
        self.worker
    }

    pub(super) fn id(&self) -> u16 {
        self.id
    }

    fn start_of(&self, buffer: u16) -> NonNull<u8> {
        let index = usize::from(buffer);
        assert!(index < self.count, "a buffer of this group");
        // SAFETY: within the allocation, as the index is below the count.
        unsafe { self.bytes_start.add(index * self.size) }
    }

    /// Gives a buffer to the kernel. Called by the lease that had it, when it is over, or once at first.
    pub(super) fn provide(&self, buffer: u16) {
        let address = self.start_of(buffer).as_ptr() as u64;
        let mut tail = self.tail.lock();
        let index = usize::from(*tail) & (self.count - 1);
        // SAFETY: within the array; this entry is not the kernel's (invariant 2), and nobody else
        // writes entries (invariant 1).
        unsafe {
            let entry = self.entries_start.add(index).as_mut();
            entry.set_addr(address);
            entry.set_len(self.size as u32);
            entry.set_bid(buffer);
        }
        *tail = tail.wrapping_add(1);
        // SAFETY: the tail is a field of the first entry that its setters leave alone.
        let shared = unsafe { BufRingEntry::tail(self.entries_start.as_ptr()) };
        // SAFETY: aligned, alive, and only written to under this lock.
        let shared = unsafe { AtomicU16::from_ptr(shared.cast_mut()) };
        // ORDERING: Release pairs with the kernel's acquire: it sees the entry.
        shared.store(*tail, Ordering::Release);
    }

    /// The bytes of a buffer, for the lease that has it.
    pub(super) fn bytes(&self, buffer: u16) -> &[u8] {
        // SAFETY: initialised from the start; the buffer is the caller's lease's, so nobody writes
        // to it while the lease is borrowed (invariant 1 of the pool).
        unsafe { std::slice::from_raw_parts(self.start_of(buffer).as_ptr(), self.size) }
    }

    /// As [`bytes`](Self::bytes), for a lease that is borrowed mutably.
    #[allow(clippy::mut_from_ref)] // The lease is what is borrowed.
    pub(super) fn bytes_mut(&self, buffer: u16) -> &mut [u8] {
        // SAFETY: as in `bytes`, and the lease is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.start_of(buffer).as_ptr(), self.size) }
    }
}

/// Tries names until one is free.
fn name_with(register: impl Fn(u16) -> io::Result<()>) -> Option<u16> {
    for _ in 0..NAMES_MAX {
        // ORDERING: Relaxed: any spread will do.
        let id = NEXT_NAME.fetch_add(1, Ordering::Relaxed);
        match register(id) {
            Ok(()) => return Some(id),
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {}
            Err(_) => return None,
        }
    }
    None
}

impl Drop for Group {
    fn drop(&mut self) {
        let lane = self.plane.lane(self.worker);
        if lane.unregister_buffers(self.id).is_err() {
            // Invariant 3.
            std::mem::forget(self.entries.take());
            std::mem::forget(self.bytes.take());
        }
    }
}
