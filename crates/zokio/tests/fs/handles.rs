//! `File` as a handle: clones, conversions from and to the standard library's, what it is and what can
//! be set.

use super::ledger::*;
use super::{directory, pipe, seen};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::{Duration, SystemTime};
use zokio::fs::{File, FileTimes};
use zokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

#[test]
fn clones_have_one_position_and_one_file() {
    on_each(configs(), "try_clone", |_| async {
        for dir in [tempfile::tempdir().unwrap(), directory()] {
            let path = dir.path().join("file");
            std::fs::write(&path, "0123456789").unwrap();
            let mut options = File::options();
            let mut file = options.read(true).write(true).open(&path).await.unwrap();
            file.set_max_buf_size(100);
            let mut clone = file.try_clone().await.unwrap();
            assert_eq!(clone.max_buf_size(), 100);
            assert_ne!(clone.as_raw_fd(), file.as_raw_fd());
            let mut two = [0; 2];
            file.read_exact(&mut two).await.unwrap();
            clone.read_exact(&mut two).await.unwrap();
            assert_eq!(&two, b"23");
            clone.write_all(b"ab").await.unwrap();
            clone.flush().await.unwrap();
            file.read_exact(&mut two).await.unwrap();
            assert_eq!(&two, b"67");
            file.seek(SeekFrom::Start(3)).await.unwrap();
            assert_eq!(clone.seek(SeekFrom::Current(1)).await.unwrap(), 4);
            drop(file);
            clone.read_exact(&mut two).await.unwrap();
            assert_eq!(&two, b"ab");
            assert_eq!(std::fs::read(&path).unwrap(), b"0123ab6789");
        }
    });
}

#[test]
fn a_buffer_size_limits_each_read_and_write() {
    on_each(configs(), "set_max_buf_size", |_| async {
        for dir in [tempfile::tempdir().unwrap(), directory()] {
            let path = dir.path().join("file");
            let mut file = File::create_new(&path).await.unwrap();
            assert_eq!(file.max_buf_size(), 2 * 1024 * 1024);
            file.set_max_buf_size(3);
            assert_eq!(file.write(b"abcdef").await.unwrap(), 3);
            let bufs = [b"de", &b"fgh"[..]].map(std::io::IoSlice::new);
            assert_eq!(file.write_vectored(&bufs).await.unwrap(), 3);
            file.flush().await.unwrap();
            file.rewind().await.unwrap();
            let mut buf = [0; 10];
            assert_eq!(file.read(&mut buf).await.unwrap(), 3);
            file.set_max_buf_size(5);
            assert_eq!(file.read(&mut buf).await.unwrap(), 3);
            assert_eq!(&buf[..3], b"def");
        }
    });
}

#[test]
#[should_panic(expected = "`max_buf_size` must be greater than 0")]
fn a_buffer_of_nothing_panics() {
    let _turn = turn();
    let file = std::fs::File::open("/dev/null").unwrap();
    File::from_std(file).set_max_buf_size(0);
}

/// The standard library's file would not know of operations that the system is still at.
#[test]
fn a_file_is_given_back_once_nothing_is_under_way() {
    on_each(configs(), "into_std", |_| async {
        let dir = tempfile::tempdir().unwrap();
        let (mut peer, path) = pipe(dir.path());
        let mut options = File::options();
        let mut file = options.read(true).write(true).open(&path).await.unwrap();
        // More than the pipe takes: the write is accepted, and then waits.
        let room = vec![7; 64 * 1024];
        file.write_all(&room).await.unwrap();
        file.write_all(b"more").await.unwrap();
        let file = file.try_into_std().unwrap_err();
        let mut taken = vec![0; room.len()];
        let mut into_std = Box::pin(file.into_std());
        let probe = Probe::new();
        assert!(poll(into_std.as_mut(), &probe).is_pending());
        peer.read_exact(&mut taken).unwrap();
        assert!(taken == room);
        probe.woken().await;
        let mut std = into_std.await;
        let mut more = [0; 4];
        std.read_exact(&mut more).unwrap();
        assert_eq!(&more, b"more");
    });
}

#[test]
fn a_file_that_is_not_busy_is_given_back_at_once() {
    on_each(configs(), "try_into_std", |_| async {
        let dir = tempfile::tempdir().unwrap();
        let (mut peer, path) = pipe(dir.path());
        let mut options = File::options();
        let mut file = options.read(true).write(true).open(&path).await.unwrap();
        let mut byte = [0];
        let probe = Probe::new();
        assert!(poll(Box::pin(file.read(&mut byte)).as_mut(), &probe).is_pending());
        // The read goes on without its future.
        let mut file = file.try_into_std().unwrap_err();
        peer.write_all(b"x").unwrap();
        probe.woken().await;
        assert_eq!(file.read(&mut byte).await.unwrap(), 1);
        assert_eq!(&byte, b"x");
        let mut std = file.try_into_std().unwrap();
        peer.write_all(b"y").unwrap();
        std.read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"y");
    });
}

/// An operation whose future was dropped keeps its own handle for as long as it takes.
#[test]
fn a_file_is_given_back_though_a_dropped_operation_holds_it() {
    on_each(configs(), "into_std, held", |config| async move {
        let dir = directory();
        let path = dir.path().join("file");
        std::fs::write(&path, "content").unwrap();
        let file = File::open(&path).await.unwrap();
        // A thread would be done before it is asked.
        let gate = (!config.has_ring()).then(Gate::closed);
        let mut read = Box::pin(file.read_at(Vec::with_capacity(300_000), 0));
        assert!(poll(read.as_mut(), &Probe::new()).is_pending());
        drop(read);
        let mut text = String::new();
        file.into_std().await.read_to_string(&mut text).unwrap();
        assert_eq!(text, "content");
        drop(gate);
    });
}

#[test]
fn files_are_made_of_what_the_system_has() {
    on_each(configs(), "conversions", |_| async {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "content").unwrap();
        let open = || std::fs::File::open(&path).unwrap();
        let std = open();
        let fd = std.as_raw_fd();
        let shown = format!("{std:?}");
        let file = File::from(std);
        assert_eq!(
            format!("{file:?}"),
            format!("tokio::fs::File {{ std: {shown} }}")
        );
        assert_eq!(file.as_raw_fd(), fd);
        assert_eq!(file.as_fd().as_raw_fd(), fd);
        let raw = open().into_raw_fd();
        // SAFETY: the descriptor is open, and nobody else's.
        let from_raw = unsafe { File::from_raw_fd(raw) };
        assert_eq!(from_raw.as_raw_fd(), raw);
        for mut file in [file, from_raw, File::from(OwnedFd::from(open()))] {
            let mut text = String::new();
            file.read_to_string(&mut text).await.unwrap();
            assert_eq!(text, "content");
        }
    });
}

#[test]
fn what_a_file_is_and_may_be_set_to() {
    on_each(configs(), "metadata", |_| async {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let mut file = File::create(&path).await.unwrap();
        file.write_all(b"content").await.unwrap();
        file.sync_all().await.unwrap();
        let (ours, theirs) = (file.metadata().await.unwrap(), path.metadata().unwrap());
        assert!(ours.is_file());
        assert_eq!((ours.len(), ours.ino()), (7, theirs.ino()));
        for mode in [0o600, 0o444] {
            let permissions = PermissionsExt::from_mode(mode);
            file.set_permissions(permissions).await.unwrap();
            let got = file.metadata().await.unwrap().permissions();
            assert_eq!((got.mode() & 0o777, got.readonly()), (mode, mode == 0o444));
        }
        let (read, written) = (second(1_000_000), second(2_000_000));
        let times = FileTimes::new().set_accessed(read).set_modified(written);
        file.set_times(times).await.unwrap();
        let metadata = file.metadata().await.unwrap();
        let got = (metadata.accessed().unwrap(), metadata.modified().unwrap());
        assert_eq!(got, (read, written));
        // A time that is not set stays.
        file.set_modified(second(3_000_000)).await.unwrap();
        let metadata = file.metadata().await.unwrap();
        let got = (metadata.accessed().unwrap(), metadata.modified().unwrap());
        assert_eq!(got, (read, second(3_000_000)));
        file.sync_data().await.unwrap();
    });
}

fn second(since: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(since)
}

#[test]
fn a_file_grows_and_shrinks_under_its_position() {
    on_each(configs(), "set_len", |_| async {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let mut file = File::create_new(&path).await.unwrap();
        file.write_all(b"0123456789").await.unwrap();
        file.set_len(4).await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"0123");
        // The position stays, and what is written there leaves a hole.
        file.write_all(b"x").await.unwrap();
        file.flush().await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"0123\0\0\0\0\0\0x");
        file.set_len(13).await.unwrap();
        assert_eq!(file.metadata().await.unwrap().len(), 13);
        assert_eq!(file.read(&mut [9; 4]).await.unwrap(), 2);
        let reader = File::open(&path).await.unwrap();
        let ours = seen(reader.set_len(1).await);
        let theirs = seen(std::fs::File::open(&path).unwrap().set_len(1));
        assert_eq!(ours, theirs);
        let error = file.set_len(u64::MAX).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

/// A change of the length that was given up comes before what is asked for after it.
#[test]
fn a_change_of_the_length_that_was_given_up_overtakes_nothing() {
    on_each(configs(), "set_len, given up", |_| async {
        for dir in [tempfile::tempdir().unwrap(), directory()] {
            let path = dir.path().join("file");
            // So often that a thread which cuts the file off is late once.
            for _ in 0..100 {
                std::fs::write(&path, "old and long").unwrap();
                let mut options = File::options();
                let mut file = options.read(true).write(true).open(&path).await.unwrap();
                let _given_up = poll(Box::pin(file.set_len(0)).as_mut(), &Probe::new());
                file.write_all(b"new").await.unwrap();
                file.flush().await.unwrap();
                drop(file.into_std().await);
                assert_eq!(std::fs::read(&path).unwrap(), b"new");
            }
        }
    });
}

/// Synchronising what cannot be is an error, and says the same as the standard library.
#[test]
fn what_has_no_disk_is_not_synchronised() {
    on_each(configs(), "sync of a pipe", |_| async {
        let dir = tempfile::tempdir().unwrap();
        let (peer, path) = pipe(dir.path());
        let mut options = File::options();
        let file = options.read(true).write(true).open(&path).await.unwrap();
        assert_eq!(seen(file.sync_all().await), seen(peer.sync_all()));
        assert_eq!(seen(file.sync_data().await), seen(peer.sync_data()));
        let mut std = file.into_std().await;
        std.seek(SeekFrom::Start(0)).unwrap_err();
    });
}
