//! Copies: as the standard library makes them, and stopped.

use super::ledger::*;
use super::{directory, pattern};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use zokio::fs;

/// The file that a copy left, and its result.
#[derive(Debug, PartialEq)]
struct Seen {
    result: Result<u64, (ErrorKind, Option<i32>)>,
    bytes: Option<Vec<u8>>,
    mode: Option<u32>,
}

fn seen(result: std::io::Result<u64>, to: &Path) -> Seen {
    let is_file = to.metadata().is_ok_and(|metadata| metadata.is_file());
    Seen {
        result: result.map_err(|error| (error.kind(), error.raw_os_error())),
        bytes: is_file.then(|| std::fs::read(to).unwrap()),
        mode: to
            .metadata()
            .ok()
            .map(|metadata| metadata.permissions().mode()),
    }
}

fn make(path: PathBuf, bytes: &[u8], mode: u32) -> PathBuf {
    std::fs::write(&path, bytes).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    path
}

/// Sources and targets of every sort, in a fresh directory.
fn cases(dir: &Path, memory: &Path) -> Vec<(PathBuf, PathBuf)> {
    let at = |name: &str| dir.join(name);
    let small = make(at("small"), &pattern(1000), 0o640);
    let large = make(at("large"), &pattern(20_000_000), 0o755);
    let empty = make(at("empty"), b"", 0o600);
    let elsewhere = make(memory.join("elsewhere"), &pattern(700_000), 0o444);
    std::fs::create_dir(at("directory")).unwrap();
    std::os::unix::fs::symlink("small", at("link")).unwrap();
    std::os::unix::fs::symlink("nothing", at("dangling")).unwrap();
    make(at("there"), &pattern(5_000), 0o666);
    vec![
        (small.clone(), at("new")),
        (small.clone(), at("there")),
        (large, at("copy of large")),
        (empty, at("copy of empty")),
        // From one file system to another, where the kernel leaves it to us.
        (elsewhere, at("from elsewhere")),
        (small.clone(), memory.join("to elsewhere")),
        (at("link"), at("followed")),
        (small.clone(), at("dangling")),
        (small.clone(), PathBuf::from("/dev/null")),
        // Claims to be empty, and is not.
        (PathBuf::from("/proc/version"), at("version")),
        (at("missing"), at("x")),
        (at("directory"), at("x")),
        (small.clone(), at("directory")),
        (small.clone(), at("missing/x")),
        (small.clone(), PathBuf::from("/dev/full")),
        (small.clone(), small),
        (PathBuf::from("/dev/zero"), at("x")),
        // Can be opened, and fails when it is read.
        (PathBuf::from("/proc/self/mem"), at("x")),
    ]
}

#[test]
fn it_does_what_the_standard_library_does() {
    on_each(configs(), "copy", |_| async {
        let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (our_memory, their_memory) = (directory(), directory());
        let our_cases = cases(ours.path(), our_memory.path());
        let their_cases = cases(theirs.path(), their_memory.path());
        for ((from, to), (their_from, their_to)) in our_cases.into_iter().zip(their_cases) {
            let ours = seen(fs::copy(&from, &to).await, &to);
            let theirs = seen(std::fs::copy(&their_from, &their_to), &their_to);
            assert!(
                ours == theirs,
                "{from:?} to {to:?}: {:?} {:?} {:?} instead of {:?} {:?} {:?}",
                ours.result,
                ours.mode,
                ours.bytes.map(|bytes| bytes.len()),
                theirs.result,
                theirs.mode,
                theirs.bytes.map(|bytes| bytes.len()),
            );
        }
    });
}

/// Not begun, it is not begun any more.
#[test]
fn dropped_before_it_begins_it_does_nothing() {
    on_each(configs(), "copy, not begun", |_| async {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        std::fs::write(&from, b"x").unwrap();
        for round in 0..100 {
            let gate = Gate::closed();
            let mut copy = Box::pin(fs::copy(&from, &to));
            if round % 4 > 0 {
                assert!(poll(copy.as_mut(), &Probe::new()).is_pending());
            }
            drop(copy);
            drop(gate);
        }
        // Its turn comes after theirs.
        for _ in 0..BLOCKING_THREADS {
            zokio::task::spawn_blocking(|| ()).await.unwrap();
        }
        drop(Gate::closed());
        assert!(!to.exists());
    });
}

/// Dropped while it waits for a pipe's reader, it ends with the part that is under way.
#[test]
fn dropped_it_stops_after_a_part() {
    const PART: usize = 256 * 1024;
    on_each(configs(), "copy, stopped", |_| async {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        let bytes = pattern(8 * PART);
        std::fs::write(&from, &bytes).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&to).status();
        assert!(made.unwrap().success());
        for _ in 0..20 {
            // Opened for both, it does not wait for the writer.
            let mut options = std::fs::OpenOptions::new();
            let keep_open = options.read(true).write(true).open(&to).unwrap();
            let mut options = std::fs::OpenOptions::new();
            options.read(true).custom_flags(libc::O_NONBLOCK);
            let mut reader = options.open(&to).unwrap();
            let mut copy = Box::pin(fs::copy(&from, &to));
            let probe = Probe::new();
            let mut taken = 0;
            let mut part = vec![0; 1000];
            // Until it has begun to write.
            while taken == 0 {
                assert!(poll(copy.as_mut(), &probe).is_pending());
                match reader.read(&mut part) {
                    Ok(count) => taken = count,
                    Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                }
                zokio::task::yield_now().await;
            }
            drop(copy);
            drop(keep_open);
            // Until the writer has closed its end.
            loop {
                match reader.read(&mut part) {
                    Ok(0) => break,
                    Ok(count) => taken += count,
                    Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                }
            }
            assert!(taken <= 2 * PART, "{taken} bytes after it was dropped");
        }
    });
}
