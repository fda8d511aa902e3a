//! The system calls of file operations that the standard library has no door for.
//!
//! Each backing offers the same:
//!
//! - `read(file, pointer, len, at)` and `write(file, slice, at)`: one call, run again if a signal
//!   interrupted it; short counts are normal;
//! - `close(file)`, with the error that a plain drop would swallow;
//! - `read_until`, `write_until` and `write_stream`: reads and writes of what others fill and empty, in waits
//!   that can be ended;
//! - `fifo`, on Linux only: opening a named pipe likewise;
//! - `is_offset(at)`: whether a file can have such an offset at all;
//! - `copy_range(from, to, len)`, on Linux only;
//! - `statx::place_of(file)`: the [`Place`] of a file, found without asking the keeper of its file system;
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

mod place;
#[cfg(zokio_ring)]
mod statx;
#[cfg(not(zokio_ring))]
#[path = "no_statx.rs"]
mod statx;

#[cfg(target_os = "linux")]
pub(crate) mod fifo;
#[cfg(unix)]
mod stream;
#[cfg(not(unix))]
#[path = "windows_stream.rs"]
mod stream;

mod range;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub use range::copy_range;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use imp::again_if_interrupted;
pub(crate) use imp::{close, is_offset, read, write};
pub use place::{Keeper, Place, Shape};
pub(crate) use stream::{read_until, write_stream, write_until};

/// The outcome of an attempt without waiting.
#[derive(Debug)]
pub enum Speculated<T> {
    /// It is done, with this result.
    Done(T),
    /// It would have had to wait, or cannot be tried this way now: run the operation.
    NotNow,
    /// This file cannot be tried this way at all: do not try again.
    Never,
}
