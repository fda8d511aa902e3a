//! Files and directories as users of Tokio know them, compared with the standard library; and what
//! there is beyond: reads and writes at an offset with owned buffers, many at once, in batches, and
//! copies that can be stopped. On each kind of runtime, with the ring and without it; the books are
//! those of the cancellation ledger.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, unreachable_pub)] // Peers are threads.

mod batch;
mod copy;
mod directories;
mod dropped;
mod ended;
mod handles;
#[path = "../cancel/ledger.rs"]
#[allow(dead_code)] // A part of it is for sockets.
mod ledger;
#[path = "../cancel/memory.rs"]
mod memory;
mod names;
mod options;
mod pipes;
mod positional;
mod streams;

/// A directory in memory, if there is one: what is read from its files takes the long way, to the ring
/// or to a thread, each time.
pub fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// Bytes of which no two blocks look alike.
pub fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n % 251 + n / 251 * 7) as u8).collect()
}

/// A pipe with a name, open for both, so that it waits for nobody.
pub fn pipe(dir: &std::path::Path) -> (std::fs::File, std::path::PathBuf) {
    let path = dir.join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    let mut options = std::fs::OpenOptions::new();
    let both = options.read(true).write(true).open(&path).unwrap();
    (both, path)
}

/// The parts of an error that are compared with the standard library's.
pub fn seen<T>(result: std::io::Result<T>) -> Result<T, (std::io::ErrorKind, Option<i32>)> {
    result.map_err(|error| (error.kind(), error.raw_os_error()))
}
