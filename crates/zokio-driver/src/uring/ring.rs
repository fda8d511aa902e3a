//! The kernel's ring, as far as a lane uses it: the one seam between a lane and the kernel.
//!
//! Unit tests and the fuzzer put `simulated.rs` in the place of this file and of `probe.rs`: it offers
//! the same, and lets them decide what the kernel does.
#![allow(unsafe_code)]

use super::probe::{self, Refusal};
use io_uring::{IoUring, cqueue, squeue};
use std::io;
use std::os::fd::{AsRawFd, RawFd};

/// The content of a completion.
#[derive(Debug, Clone, Copy)]
pub(super) struct Completion {
    pub(super) name: u64,
    pub(super) result: i32,
    pub(super) flags: u32,
}

/// A ring.
pub(super) struct Ring(IoUring);

impl Ring {
    /// Makes a ring for a worker.
    pub(super) fn build() -> Result<Self, Refusal> {
        probe::build_ring().map(Self)
    }

    pub(super) fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// How many requests fit into the submission queue.
    ///
    /// # Safety
    /// The caller holds the submission lock.
    pub(super) unsafe fn room(&self) -> usize {
        // SAFETY: the caller's promise; this is the only view of the queue.
        let queue = unsafe { self.0.submission_shared() };
        queue.capacity() - queue.len()
    }

    /// Puts a request into the submission queue, where there is [`room`](Self::room) for it.
    ///
    /// # Safety
    /// The caller holds the submission lock, and what the entry names stays until the kernel has
    /// completed it.
    pub(super) unsafe fn push(&self, entry: &squeue::Entry) {
        // SAFETY: the caller's promise; this is the only view of the queue.
        let mut queue = unsafe { self.0.submission_shared() };
        // SAFETY: the caller's promise.
        let pushed = unsafe { queue.push(entry) };
        assert!(pushed.is_ok(), "no more messages are taken than fit");
    }

    /// Has the kernel take what is in the submission queue. Returns how much it took.
    pub(super) fn submit(&self) -> io::Result<usize> {
        self.0.submit()
    }

    /// Whether the kernel has completions that it can only post from inside.
    ///
    /// # Safety
    /// The caller holds the submission lock.
    pub(super) unsafe fn wants_entering(&self) -> bool {
        // SAFETY: the caller's promise; this is the only view of the queue.
        let queue = unsafe { self.0.submission_shared() };
        queue.taskrun() || queue.cq_overflow()
    }

    /// Lets the kernel post completions.
    pub(super) fn enter_for_events(&self) -> io::Result<()> {
        const GET_EVENTS: u32 = 1;
        // SAFETY: submits nothing and waits for nothing; no argument is passed.
        let entered = unsafe {
            self.0
                .submitter()
                .enter::<libc::sigset_t>(0, 0, GET_EVENTS, None)
        };
        entered.map(drop)
    }

    /// Registers an array of buffers under a name.
    ///
    /// # Safety
    /// The array is at `address`, aligned to a page, has `count` entries, a power of two, and stays
    /// until it is unregistered, as does the memory that it names.
    pub(super) unsafe fn register_buffers(
        &self,
        address: u64,
        count: u16,
        name: u16,
    ) -> io::Result<()> {
        let submitter = self.0.submitter();
        // SAFETY: the caller's promise.
        unsafe { submitter.register_buf_ring_with_flags(address, count, name, 0) }
    }

    /// Takes back what was registered under a name.
    pub(super) fn unregister_buffers(&self, name: u16) -> io::Result<()> {
        self.0.submitter().unregister_buf_ring(name)
    }

    /// The completions that are posted, which are taken one by one.
    ///
    /// # Safety
    /// The caller is inside the completion turnstile, and has no other view of the queue.
    pub(super) unsafe fn completions(&self) -> impl Iterator<Item = Completion> + '_ {
        // SAFETY: the caller's promise.
        let queue = unsafe { self.0.completion_shared() };
        queue.map(|entry: cqueue::Entry| Completion {
            name: entry.user_data(),
            result: entry.result(),
            flags: entry.flags(),
        })
    }
}
