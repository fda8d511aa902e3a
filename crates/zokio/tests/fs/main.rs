//! Files beyond what the standard library has: reads and writes at an offset with owned buffers, many at
//! once, in batches, and copies that can be stopped. On each kind of runtime, with the ring and without
//! it; the books are those of the cancellation ledger.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, unreachable_pub)] // Peers are threads.

mod batch;
mod copy;
mod dropped;
#[path = "../cancel/ledger.rs"]
#[allow(dead_code)] // A part of it is for sockets.
mod ledger;
#[path = "../cancel/memory.rs"]
mod memory;
mod positional;

/// A directory in memory, if there is one: what is read from its files takes the long way, to the ring
/// or to a thread, each time.
pub fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// Bytes of which no two blocks look alike.
pub fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n % 251 + n / 251 * 7) as u8).collect()
}
