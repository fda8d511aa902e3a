//! Pipes whose other end keeps a program waiting: opened, read and written, given up, and left behind by a
//! runtime that ends.

use super::ledger::*;
use super::{pattern, pipe};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use zokio::fs::File;
use zokio::io::{AsyncReadExt, AsyncWriteExt};
use zokio::task::JoinHandle;
use zokio::time::timeout;

const A_WHILE: Duration = Duration::from_millis(30);

/// A named pipe that nobody has open.
fn closed_pipe(dir: &Path) -> PathBuf {
    pipe(dir).1
}

/// Whether somebody has the pipe open for reading.
fn has_reader(path: &Path) -> bool {
    let mut options = std::fs::OpenOptions::new();
    let opened = options
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path);
    opened.is_ok()
}

fn is_blocking(file: &File) -> bool {
    // SAFETY: asks for the flags of an open descriptor.
    let flags = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETFL) };
    flags & libc::O_NONBLOCK == 0
}

async fn open_to_write(path: &Path) -> std::io::Result<File> {
    File::options().write(true).open(path).await
}

/// Begins to open the pipe for reading. Returns once writers see the reader.
async fn open_to_read_later(path: &Path) -> JoinHandle<std::io::Result<File>> {
    let opening = zokio::spawn(File::open(path.to_owned()));
    while !has_reader(path) {
        zokio::time::sleep(Duration::from_millis(1)).await;
    }
    opening
}

#[test]
fn an_open_that_was_given_up_leaves_nobody_behind() {
    on_each(configs(), "open given up", |_| async {
        let dir = tempfile::tempdir().unwrap();
        let path = closed_pipe(dir.path());
        assert!(timeout(A_WHILE, File::open(&path)).await.is_err());
        while has_reader(&path) {
            zokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(timeout(A_WHILE, open_to_write(&path)).await.is_err());
    });
}

#[test]
fn an_open_waits_for_the_other_end_even_if_that_is_silent() {
    on_each(configs(), "open waits", |_| async {
        let dir = tempfile::tempdir().unwrap();
        let path = closed_pipe(dir.path());
        let opening = open_to_read_later(&path).await;
        let writer = {
            let path = path.clone();
            zokio::task::spawn_blocking(move || std::fs::OpenOptions::new().write(true).open(path))
        };
        let mut writer = writer.await.unwrap().unwrap();
        let mut file = opening.await.unwrap().unwrap();
        assert!(is_blocking(&file), "it is as any other program's");
        writer.write_all(b"hello").unwrap();
        let mut word = [0; 5];
        file.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"hello");
        drop(writer);
        assert_eq!(file.read(&mut word).await.unwrap(), 0);
        drop(file);
        // Another thread may be the one to close it.
        while has_reader(&path) {
            zokio::time::sleep(Duration::from_millis(1)).await;
        }

        let opening = zokio::spawn({
            let path = path.clone();
            async move { open_to_write(&path).await }
        });
        zokio::time::sleep(A_WHILE).await;
        assert!(!opening.is_finished(), "nobody reads");
        let reader = zokio::task::spawn_blocking(move || std::fs::File::open(path).unwrap());
        let mut file = opening.await.unwrap().unwrap();
        assert!(is_blocking(&file));
        let mut reader = reader.await.unwrap();
        file.write_all(b"hello").await.unwrap();
        file.flush().await.unwrap();
        reader.read_exact(&mut word).unwrap();
    });
}

#[test]
fn a_writer_that_came_and_went_is_one() {
    on_each(configs(), "short writer", |_| async {
        let dir = tempfile::tempdir().unwrap();
        let path = closed_pipe(dir.path());
        let opening = open_to_read_later(&path).await;
        // The last look was a writer that has gone by now.
        let mut file = opening.await.unwrap().unwrap();
        assert_eq!(file.read(&mut [0; 5]).await.unwrap(), 0);
    });
}

/// A read that is under way holds up neither its runtime's end nor the bytes that come later.
#[test]
fn a_runtime_ends_while_a_pipe_is_opened_read_and_written() {
    for config in configs() {
        println!("{config:?}");
        let dir = tempfile::tempdir().unwrap();
        let path = closed_pipe(dir.path());
        let (runtime, other) = (config.build(), dir.path().join("other"));
        std::fs::create_dir(&other).unwrap();
        let (mut keep, open) = pipe(&other);
        let mut file = runtime.block_on(async {
            let mut file = File::open(&open).await.unwrap();
            assert!(timeout(A_WHILE, file.read(&mut [0; 4])).await.is_err());
            // Not given up: the task is there until the runtime ends.
            let opened = path.clone();
            zokio::spawn(async move { File::open(&opened).await });
            let opened = path.clone();
            zokio::spawn(async move { File::options().write(true).open(&opened).await });
            zokio::task::yield_now().await;
            file
        });
        drop(runtime);
        keep.write_all(b"later").unwrap();
        // The same handle in another runtime: what was under way there is over.
        let runtime = config.build();
        let mut word = [0; 5];
        runtime.block_on(async {
            if file.read_exact(&mut word).await.is_err() {
                file.read_exact(&mut word).await.unwrap();
            }
        });
        assert_eq!(&word, b"later");
    }
}

/// Somebody has set the pipe not to block: those who wait for it wait.
#[test]
fn a_pipe_that_does_not_block_is_waited_for() {
    on_each(configs(), "non-blocking pipe", |_| async {
        const LEN: usize = 300_000;
        let dir = tempfile::tempdir().unwrap();
        let (mut keep, path) = pipe(dir.path());
        let flags = libc::O_NONBLOCK;
        let mut options = File::options();
        options.read(true).custom_flags(flags);
        let mut reader = options.open(&path).await.unwrap();
        let reading = zokio::spawn(async move {
            let mut word = [0; 5];
            reader.read_exact(&mut word).await.map(|_| word)
        });
        zokio::time::sleep(A_WHILE).await;
        keep.write_all(b"hello").unwrap();
        assert_eq!(&reading.await.unwrap().unwrap(), b"hello");
        let mut options = File::options();
        options.write(true).custom_flags(flags);
        let mut writer = options.open(&path).await.unwrap();
        let bytes = pattern(LEN);
        let read = zokio::task::spawn_blocking(move || {
            let mut all = vec![0; LEN];
            for part in all.chunks_mut(5000) {
                keep.read_exact(part).unwrap();
            }
            all
        });
        writer.write_all(&bytes).await.unwrap();
        writer.flush().await.unwrap();
        assert!(read.await.unwrap() == bytes);
    });
}
