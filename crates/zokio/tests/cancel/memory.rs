//! An allocator that counts what is alive.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, Ordering};

/// Allocations of exactly this size are counted apart: buffers of operations are made this large.
pub const MARKED: usize = 4099;

static BYTES: AtomicIsize = AtomicIsize::new(0);
static BUFFERS: AtomicIsize = AtomicIsize::new(0);

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

fn count(layout: Layout, sign: isize) {
    // ORDERING: Relaxed: counters; whoever reads them has joined what it wants counted.
    BYTES.fetch_add(sign * layout.size() as isize, Ordering::Relaxed);
    if layout.size() == MARKED {
        BUFFERS.fetch_add(sign, Ordering::Relaxed);
    }
}

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout, 1);
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(layout, -1);
        // SAFETY: passed on.
        unsafe { System.dealloc(ptr, layout) }
    }
}

/// How many bytes are allocated.
pub fn bytes() -> isize {
    BYTES.load(Ordering::Relaxed)
}

/// How many allocations of [`MARKED`] bytes there are.
pub fn buffers() -> isize {
    BUFFERS.load(Ordering::Relaxed)
}
