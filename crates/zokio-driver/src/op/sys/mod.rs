//! The system calls of file operations that the standard library has no door for.
//!
//! Each backing offers the same:
//!
//! - `read(file, pointer, len, at)` and `write(file, slice, at)`: one call, run again if a signal
//!   interrupted it; short counts are normal;
//! - `close(file)`, with the error that a plain drop would swallow;
//! - `is_unbounded(file)`: whether reading or writing it may wait without bound;
//! - `takes_offset(file, at)`: whether the ring would do the same there as the call;
//! - `copy_range(from, to, len)`, on Linux only;
//! - [`now`]: what can be done at once without waiting for a disk; everything answers
//!   [`Speculated::NotNow`] where the system has no such calls. They came with the ring and are
//!   offered where it is.

#[cfg(zokio_ring)]
#[path = "linux.rs"]
pub mod now;
#[cfg(not(zokio_ring))]
#[path = "never.rs"]
pub mod now;

#[cfg(unix)]
#[path = "unix.rs"]
mod imp;
#[cfg(windows)]
#[path = "windows.rs"]
mod imp;

mod range;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub use range::copy_range;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use imp::again_if_interrupted;
pub(crate) use imp::{close, is_unbounded, read, takes_offset, write};

/// What came of trying to do something without waiting.
#[derive(Debug)]
pub enum Speculated<T> {
    /// It is done, with this result.
    Done(T),
    /// It would have had to wait, or cannot be tried this way now: run the operation.
    NotNow,
    /// This file cannot be tried this way at all: do not try again.
    Never,
}
