//! Files and directories, without blocking the thread.
//!
//! Each function is the asynchronous twin of the one of the same name in [`std::fs`], with the same
//! results. Three ways lead to them, and none of them is visible in a result:
//!
//! - **At once**: data and names that the system has in memory are read on the calling thread, by
//!   calls that refuse to wait.
//! - **On the ring** (Linux, io_uring), where the system allows it.
//! - **On the blocking pool** everywhere else, and for what the ring cannot do.
//!
//! `ZOKIO_IO=auto|uring|epoll` and the runtime's builder choose between the last two.
//!
//! Beyond the standard library's functions there are reads and writes at an offset with owned buffers
//! ([`File::read_at`]), many at once on one file, and [`batch`] to begin many of them together.
//!
//! All of them have to be called from within a runtime and panic otherwise. No `enable_io` is needed.
//!
//! Invariants:
//!
//! 1. Memory that the system may write to belongs to the operation, not to a future: a dropped
//!    future neither leaks a descriptor nor lets the system write into freed memory.
//! 2. An operation that changes a file or directory is carried out once it has begun, also if its future
//!    is dropped; [`copy`] stops between two parts.
//! 3. An operation that may finish without waiting takes a unit of the task's budget.

mod batch;
mod copy;
mod dir;
mod file;
mod links;
mod metadata;
mod open_options;
mod read_dir;
mod run;
mod times;
mod whole;

#[cfg(all(test, not(zokio_model)))]
mod tests;

pub use batch::{Batch, InBatch, batch};
pub use copy::copy;
pub use dir::{DirBuilder, create_dir, create_dir_all, remove_dir, remove_dir_all};
pub use file::{File, ReadAt, ReadExactAt, WriteAllAt, WriteAt};
#[cfg(unix)]
pub use links::symlink;
pub use links::{canonicalize, hard_link, read_link, remove_file, rename};
#[cfg(windows)]
pub use links::{symlink_dir, symlink_file};
pub use metadata::{metadata, set_permissions, symlink_metadata, try_exists};
pub use open_options::OpenOptions;
pub use read_dir::{DirEntry, ReadDir, read_dir};
pub use times::FileTimes;
pub use whole::{read, read_to_string, write};
pub use zokio_driver::buf::{IoBuf, IoBufMut};
