//! Files of a runtime that has ended: what would have to wait for it is an error, at once, and never
//! waits.

use super::ledger::*;
use std::future::Future;
use std::io::{ErrorKind, SeekFrom};
use std::path::Path;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use zokio::fs::{self, File};
use zokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use zokio::runtime::{Builder, IoMode, Runtime};

/// The result of a future that has to have one, however often it gives way.
fn at_once<T>(what: &str, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..3 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
    }
    panic!("{what} waits for a runtime that has ended");
}

type Operation<'a> = Pin<Box<dyn Future<Output = std::io::Result<()>> + 'a>>;

macro_rules! operation {
    ($operation:expr) => {
        (
            stringify!($operation),
            Box::pin(async move { $operation.await.map(drop) }) as Operation<'_>,
        )
    };
}

/// All that asks for a path.
fn of_paths<'a>(path: &'a Path, other: &'a Path) -> Vec<(&'static str, Operation<'a>)> {
    vec![
        operation!(fs::canonicalize(path)),
        operation!(fs::copy(path, other)),
        operation!(fs::create_dir(other)),
        operation!(fs::create_dir_all(other)),
        operation!(fs::DirBuilder::new().create(other)),
        operation!(fs::hard_link(path, other)),
        operation!(fs::metadata(path)),
        operation!(fs::symlink_metadata(path)),
        operation!(fs::try_exists(path)),
        operation!(fs::read(path)),
        operation!(fs::read_to_string(path)),
        operation!(fs::read_dir(".")),
        operation!(fs::read_link(path)),
        operation!(fs::remove_dir(path)),
        operation!(fs::remove_dir_all(path)),
        operation!(fs::remove_file(path)),
        operation!(fs::rename(path, other)),
        operation!(fs::set_permissions(
            path,
            path.metadata().unwrap().permissions()
        )),
        operation!(fs::symlink(path, other)),
        operation!(fs::write(path, "new")),
        operation!(File::open(path)),
        operation!(File::create(path)),
        operation!(File::create_new(other)),
    ]
}

fn ended(mode: IoMode) -> (zokio::runtime::Handle, Runtime) {
    let build = || Builder::new_current_thread().io_mode(mode).build().unwrap();
    let runtime = build();
    let handle = runtime.handle().clone();
    drop(runtime);
    (handle, build())
}

#[test]
fn nothing_is_done_for_a_path() {
    let _turn = turn();
    warm_up();
    let books = Books::open();
    for mode in [IoMode::Auto, IoMode::Epoll] {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("file"), dir.path().join("other"));
        std::fs::write(&path, "content").unwrap();
        let (handle, _) = ended(mode);
        let _entered = handle.enter();
        for (what, operation) in of_paths(&path, &other) {
            let error = at_once(what, operation).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Other, "{what}: {error}");
            assert_eq!(error.to_string(), "background task failed", "{what}");
        }
        assert_eq!(std::fs::read(&path).unwrap(), b"content");
        assert!(!other.exists());
    }
    books.close("paths of a runtime that has ended");
}

#[test]
fn an_open_file_can_still_be_given_back() {
    let _turn = turn();
    warm_up();
    let books = Books::open();
    for mode in [IoMode::Auto, IoMode::Epoll] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "content").unwrap();
        let (handle, alive) = ended(mode);
        let mut file = alive.block_on(File::open(&path)).unwrap();
        {
            let _entered = handle.enter();
            let permissions = path.metadata().unwrap().permissions();
            let (shared, times) = (&file, fs::FileTimes::new());
            let operations = [
                operation!(shared.sync_all()),
                operation!(shared.sync_data()),
                operation!(shared.set_len(1)),
                operation!(shared.metadata()),
                operation!(shared.try_clone()),
                operation!(shared.set_permissions(permissions)),
                operation!(shared.set_times(times)),
            ];
            for (what, operation) in operations {
                let error = at_once(what, operation).unwrap_err();
                assert_eq!(error.to_string(), "background task failed", "{what}");
            }
            let (result, buf) = at_once("read_at", file.read_at(vec![1, 2], 0));
            assert_eq!(result.unwrap_err().to_string(), "background task failed");
            assert_eq!(buf, [1, 2]);
            // The end would have to be asked for.
            let error = at_once("seek", file.seek(SeekFrom::End(0))).unwrap_err();
            assert_eq!(error.to_string(), "background task failed");
        }
        // With a runtime that lives, it goes on.
        alive.block_on(async {
            let mut text = String::new();
            file.read_to_string(&mut text).await.unwrap();
            assert_eq!(text, "content");
            file.flush().await.unwrap();
        });
        file.try_into_std().unwrap();
    }
    books.close("files of a runtime that has ended");
}

/// A runtime that is kept and not driven: what was written is on its way all the same, also if the thread
/// that began it ends, with which the system cancels what that thread has submitted.
#[test]
fn what_was_written_happens_though_nobody_drives_the_runtime() {
    let _turn = turn();
    for (mode, thread_ends) in [IoMode::Auto, IoMode::Epoll]
        .into_iter()
        .flat_map(|mode| [(mode, false), (mode, true)])
    {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let runtime = Builder::new_current_thread().io_mode(mode).build().unwrap();
        let write = || {
            runtime.block_on(async {
                let mut file = File::create(&path).await.unwrap();
                // Not flushed: who writes and forgets was told that it happens.
                file.write_all(b"content").await.unwrap();
            });
        };
        if thread_ends {
            std::thread::scope(|scope| scope.spawn(write).join().unwrap());
        } else {
            write();
        }
        let begun = std::time::Instant::now();
        while std::fs::read(&path).unwrap() != b"content" {
            let waited = begun.elapsed();
            assert!(waited.as_secs() < 20, "{mode:?}, {thread_ends}: it is lost");
            std::thread::yield_now();
        }
        drop(runtime);
    }
}

/// As the last, where the future panics on the way out of `block_on`.
#[test]
fn what_was_written_happens_though_block_on_panics() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let runtime = Builder::new_current_thread().build().unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        runtime.block_on(async {
            let mut file = File::create(&path).await.unwrap();
            file.write_all(b"content").await.unwrap();
            panic!("on purpose");
        });
    }));
    assert!(panicked.is_err());
    let begun = std::time::Instant::now();
    while std::fs::read(&path).unwrap() != b"content" {
        assert!(begun.elapsed().as_secs() < 20, "it is lost");
        std::thread::yield_now();
    }
}
