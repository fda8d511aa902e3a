//! Buffers registered with a ring: `IORING_REGISTER_PBUF_RING` (Linux 5.19).
//!
//! The kernel is told where the entries are (`entries.rs`), and which name they go by; they stand for
//! buffers in one allocation beside them.
//!
//! Invariants:
//!
//! 1. At most `count` entries are the kernel's at a time, since each stands for another buffer.
//! 2. Both allocations live until the group is unregistered; if that fails, for ever.
#![allow(unsafe_code)]

use super::entries::Entries;
use super::memory::Memory;
use crate::driver::DriverHandle;
use crate::op::{Kind, Plane};
use std::io;
use std::ptr::NonNull;
use std::sync::Arc;
use zokio_base::sync::std_atomic::{AtomicU16, Ordering};

/// How many names are tried until one is free.
const NAMES_MAX: usize = 64;

/// The next name to be tried. Names are a ring's own; that this one is the process's keeps clashes rare.
static NEXT_NAME: AtomicU16 = AtomicU16::new(1);

/// A registered group of buffers.
pub(super) struct Group {
    plane: Arc<Plane>,
    worker: usize,
    id: u16,
    count: usize,
    size: usize,
    entries: Entries,
    /// None once it is leaked.
    bytes: Option<Memory>,
    bytes_start: NonNull<u8>,
}

// SAFETY: a buffer is reached by the one lease that has it (invariant 1 of the pool).
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
        let entries = Entries::new(count)?;
        let bytes = Memory::new(count.checked_mul(size)?, 64)?;
        let id = name_with(|id| {
            let address = entries.shared().address();
            // SAFETY: the array is aligned, has that many entries, and outlives the registration
            // (invariant 2).
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
            bytes_start: bytes.start(),
            entries,
            bytes: Some(bytes),
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
        // SAFETY: it was the lease's, or nobody's, and is nobody else's from here on: so there are
        // at most `count` entries (invariant 1).
        unsafe { self.entries.provide(buffer, address, self.size as u32) };
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
            // Invariant 2.
            self.entries.shared_mut().leak();
            std::mem::forget(self.bytes.take());
        }
    }
}
