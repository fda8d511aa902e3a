//! Files, on each way that leads to them: ring, pool, and whatever is chosen by default; on each
//! flavour of runtime, and from a thread that is no worker.

use super::*;
use crate::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use crate::runtime::{Builder, Runtime};
use std::future::Future;
use std::io::{ErrorKind, SeekFrom};
#[cfg(unix)]
use std::path::Path;
#[cfg(unix)]
use std::process::Command;
use std::task::{Context, Waker};
use zokio_runtime::IoMode;

fn modes() -> Vec<IoMode> {
    let mut modes = vec![IoMode::Auto, IoMode::Epoll];
    match zokio_driver::uring::probe::require() {
        Ok(()) => modes.push(IoMode::Uring),
        Err(why) => println!("without a ring: {why}"),
    }
    modes
}

fn runtimes(mode: IoMode) -> [Runtime; 3] {
    let one = Builder::new_current_thread()
        .io_mode(mode)
        .enable_time()
        .build()
        .unwrap();
    let build = |workers| {
        Builder::new_multi_thread()
            .worker_threads(workers)
            .io_mode(mode)
            .enable_time()
            .build()
            .unwrap()
    };
    [one, build(1), build(2)]
}

/// Runs `test` in every way, as the root of `block_on` and as a task.
fn everywhere<F, T>(test: T)
where
    T: Fn() -> F,
    F: Future<Output = ()> + Send + 'static,
{
    for mode in modes() {
        for runtime in runtimes(mode) {
            runtime.block_on(test());
            runtime.block_on(runtime.spawn(test())).unwrap();
        }
    }
}

fn poll_once<F: Future>(future: F) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    std::pin::pin!(future).poll(&mut cx).is_ready()
}

#[test]
fn what_is_written_is_read() {
    everywhere(|| async {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n * 31) as u8).collect();
        let mut file = File::create_new(&path).await.unwrap();
        file.write_all(&bytes).await.unwrap();
        file.flush().await.unwrap();
        assert_eq!(file.metadata().await.unwrap().len(), 3_000_000);
        assert_eq!(file.seek(SeekFrom::End(-10)).await.unwrap(), 2_999_990);
        let mut tail = Vec::new();
        file.read_to_end(&mut tail).await.unwrap();
        assert_eq!(tail, &bytes[2_999_990..]);
        assert_eq!(file.seek(SeekFrom::Start(5)).await.unwrap(), 5);
        let mut some = [0; 7];
        file.read_exact(&mut some).await.unwrap();
        assert_eq!(some, bytes[5..12]);
        assert_eq!(file.stream_position().await.unwrap(), 12);
        file.sync_data().await.unwrap();
        file.sync_all().await.unwrap();
        assert!(read(&path).await.unwrap() == bytes);
        file.set_len(4).await.unwrap();
        assert_eq!(read(&path).await.unwrap(), &bytes[..4]);
    });
}

#[test]
fn whole_files_of_every_size() {
    everywhere(|| async {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        for size in [0, 1, 31, 32, 33, 4095, 4096, 262_144, 262_145, 1_000_000] {
            let bytes: Vec<u8> = (0..size).map(|n| (n * 7) as u8).collect();
            write(&path, &bytes).await.unwrap();
            assert!(read(&path).await.unwrap() == bytes, "{size}");
        }
        write(&path, b"\xff").await.unwrap();
        let error = read_to_string(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        write(&path, "grüße").await.unwrap();
        assert_eq!(read_to_string(&path).await.unwrap(), "grüße");
        // A file that claims to be empty and is not.
        if cfg!(target_os = "linux") {
            assert!(!read("/proc/self/status").await.unwrap().is_empty());
        }
    });
}

#[test]
fn names_and_directories() {
    everywhere(|| async {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        create_dir(at("d")).await.unwrap();
        create_dir_all(at("x/y/z")).await.unwrap();
        write(at("d/a"), b"a").await.unwrap();
        let copied = copy(at("d/a"), at("d/b")).await.unwrap();
        // The standard library counts what Windows reports, and wine reports nothing.
        assert!(copied == 1 || cfg!(windows), "{copied} bytes");
        assert_eq!(read(at("d/b")).await.unwrap(), b"a");
        rename(at("d/b"), at("d/c")).await.unwrap();
        hard_link(at("d/c"), at("d/e")).await.unwrap();
        assert!(try_exists(at("d/e")).await.unwrap());
        assert!(!try_exists(at("d/none")).await.unwrap());
        let writable = metadata(at("d/c")).await.unwrap().permissions();
        let mut permissions = writable.clone();
        permissions.set_readonly(true);
        set_permissions(at("d/c"), permissions).await.unwrap();
        assert!(metadata(at("d/c")).await.unwrap().permissions().readonly());
        // Windows does not remove a file that may not be written.
        set_permissions(at("d/c"), writable).await.unwrap();
        for n in 0..100 {
            write(at(&format!("x/{n}")), b"").await.unwrap();
        }
        let mut entries = read_dir(at("x")).await.unwrap();
        let (mut files, mut directories) = (0, 0);
        while let Some(entry) = entries.next_entry().await.unwrap() {
            match entry.file_type().await.unwrap().is_dir() {
                true => directories += 1,
                false => files += 1,
            }
        }
        assert_eq!((files, directories), (100, 1));
        let error = remove_dir(at("x")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DirectoryNotEmpty);
        remove_dir_all(at("x")).await.unwrap();
        remove_file(at("d/c")).await.unwrap();
        let error = remove_file(at("d/c")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    });
}

#[test]
#[cfg(unix)] // Windows lets only some users make symbolic links.
fn symbolic_links() {
    everywhere(|| async {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        write(at("file"), b"here").await.unwrap();
        symlink("file", at("link")).await.unwrap();
        assert_eq!(read_link(at("link")).await.unwrap(), Path::new("file"));
        let real = canonicalize(at("link")).await.unwrap();
        assert_eq!(real.file_name().unwrap(), "file");
        assert!(metadata(at("link")).await.unwrap().is_file());
        assert!(symlink_metadata(at("link")).await.unwrap().is_symlink());
        assert_eq!(read(at("link")).await.unwrap(), b"here");
        assert!(try_exists(at("link")).await.unwrap());
        remove_file(at("file")).await.unwrap();
        assert!(!try_exists(at("link")).await.unwrap());
    });
}

#[test]
fn a_full_device_is_reported_by_write_or_flush() {
    everywhere(|| async {
        let mut file = OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .await
            .unwrap();
        let written = match file.write_all(b"hello").await {
            Ok(()) => file.flush().await,
            Err(error) => Err(error),
        };
        assert_eq!(written.unwrap_err().kind(), ErrorKind::StorageFull);
        // The bytes are still not there, so that no flush succeeds until the position leaves them.
        let error = file.flush().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        file.rewind().await.unwrap();
        file.flush().await.unwrap();
    });
}

#[test]
fn a_write_is_carried_out_though_the_file_is_dropped() {
    for mode in modes() {
        for runtime in runtimes(mode) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("file");
            runtime.block_on(async {
                let mut file = File::create(&path).await.unwrap();
                file.write_all(b"hello").await.unwrap();
                drop(file);
                for _ in 0..10_000 {
                    if read(&path).await.unwrap() == b"hello" {
                        return;
                    }
                    crate::task::yield_now().await;
                }
                panic!("not written");
            });
        }
    }
}

#[cfg(unix)]
#[test]
fn a_dropped_read_loses_no_byte() {
    everywhere(|| async {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        assert!(
            Command::new("mkfifo")
                .arg(&path)
                .status()
                .unwrap()
                .success()
        );
        // Opened for both, a pipe waits for nobody.
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        let mut reader = options.open(&path).await.unwrap();
        let mut writer = options.open(&path).await.unwrap();
        for round in 0..20_u8 {
            let mut buf = [0; 16];
            assert!(!poll_once(reader.read(&mut buf)));
            writer.write_all(&[round; 3]).await.unwrap();
            writer.flush().await.unwrap();
            let mut one = [0; 3];
            reader.read_exact(&mut one).await.unwrap();
            assert_eq!(one, [round; 3]);
        }
    });
}

/// Opening a pipe waits for its other end, whichever way it is opened.
#[cfg(unix)]
#[test]
fn a_pipe_is_opened_by_both_ends() {
    everywhere(|| async {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        assert!(
            Command::new("mkfifo")
                .arg(&path)
                .status()
                .unwrap()
                .success()
        );
        let reading = crate::spawn({
            let path = path.clone();
            async move {
                let mut text = String::new();
                let mut file = File::open(path).await.unwrap();
                file.read_to_string(&mut text).await.unwrap();
                text
            }
        });
        let mut file = OpenOptions::new().write(true).open(&path).await.unwrap();
        file.write_all(b"hello").await.unwrap();
        file.flush().await.unwrap();
        drop(file);
        assert_eq!(reading.await.unwrap(), "hello");
    });
}

#[test]
fn clones_share_their_position() {
    everywhere(|| async {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        write(&path, b"abcdef").await.unwrap();
        let mut file = File::open(&path).await.unwrap();
        let mut clone = file.try_clone().await.unwrap();
        let mut two = [0; 2];
        file.read_exact(&mut two).await.unwrap();
        assert_eq!(&two, b"ab");
        clone.read_exact(&mut two).await.unwrap();
        assert_eq!(&two, b"cd");
        let std = file.into_std().await;
        drop(clone);
        assert_eq!(std.metadata().unwrap().len(), 6);
    });
}

#[test]
fn many_at_once() {
    for mode in modes() {
        for runtime in runtimes(mode) {
            let dir = tempfile::tempdir().unwrap();
            let base = dir.path().to_owned();
            runtime.block_on(async move {
                let tasks: Vec<_> = (0..300_usize)
                    .map(|n| {
                        let path = base.join(n.to_string());
                        crate::spawn(async move {
                            let bytes = vec![n as u8; n * 100];
                            let mut file = File::create(&path).await.unwrap();
                            file.write_all(&bytes).await.unwrap();
                            file.sync_data().await.unwrap();
                            drop(file);
                            assert!(read(&path).await.unwrap() == bytes);
                            rename(&path, path.with_extension("x")).await.unwrap();
                            remove_file(path.with_extension("x")).await.unwrap();
                        })
                    })
                    .collect();
                for task in tasks {
                    task.await.unwrap();
                }
            });
        }
    }
}

#[test]
fn a_runtime_ends_with_operations_under_way() {
    for mode in modes() {
        for runtime in runtimes(mode) {
            let dir = tempfile::tempdir().unwrap();
            let base = dir.path().to_owned();
            for n in 0..50 {
                let path = base.join(n.to_string());
                runtime.spawn(async move {
                    loop {
                        write(&path, b"x").await.unwrap();
                        let file = File::open(&path).await.unwrap();
                        file.sync_all().await.unwrap();
                    }
                });
            }
            let wait = std::time::Duration::from_millis(5);
            runtime.block_on(async { crate::time::sleep(wait).await });
            drop(runtime);
        }
    }
}

#[test]
#[should_panic(expected = "there is no reactor running")]
fn outside_of_a_runtime_it_panics() {
    poll_once(read("Cargo.toml"));
}
