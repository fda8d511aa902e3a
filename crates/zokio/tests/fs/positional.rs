//! Reads and writes at an offset: what they bring, on every way that leads to the file.

use super::ledger::*;
use super::{directory, pattern};
use bytes::{Bytes, BytesMut};
use std::io::{ErrorKind, SeekFrom};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::task::Poll;
use std::time::{Duration, Instant};
use zokio::fs::File;
use zokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use zokio::runtime::{Builder, IoMode};

type Outcome<T> = (std::io::Result<T>, Vec<u8>);
type Error = (ErrorKind, Option<i32>);

/// An outcome that can be compared.
fn seen<T>((result, buf): Outcome<T>) -> (Result<T, Error>, Vec<u8>) {
    let result = result.map_err(|error| (error.kind(), error.raw_os_error()));
    (result, buf)
}

async fn everything_at(path: &Path) {
    let bytes = pattern(1_000_000);
    std::fs::write(path, &bytes).unwrap();
    let mut options = File::options();
    let file = options.read(true).write(true).open(path).await.unwrap();
    for (offset, len) in [(0, 1), (1, 4096), (999_990, 4096), (5, 700_000), (0, 0)] {
        let expected = &bytes[offset..(offset + len).min(bytes.len())];
        let (result, buf) = file.read_at(Vec::with_capacity(len), offset as u64).await;
        assert_eq!(result.unwrap(), expected.len());
        assert!(buf == expected);
        // The bytes that a buffer held before are not there any more.
        let (result, buf) = file.read_at(vec![1; len], offset as u64).await;
        assert_eq!(
            (result.unwrap(), buf.len()),
            (expected.len(), expected.len())
        );
        assert!(buf == expected);
        let boxed = vec![1; len].into_boxed_slice();
        let (result, boxed) = file.read_at(boxed, offset as u64).await;
        assert_eq!((result.unwrap(), boxed.len()), (expected.len(), len));
        assert!(boxed[..expected.len()] == *expected);
        let (result, buf) = file
            .read_exact_at(BytesMut::with_capacity(len), len, offset as u64)
            .await;
        match result {
            Ok(()) => assert_eq!(expected.len(), len),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
                assert!(expected.len() < len);
            }
        }
        assert!(buf == expected);
    }
    for offset in [1_000_000, 5_000_000, 1 << 40] {
        let outcome = seen(file.read_at(vec![1; 8], offset).await);
        assert_eq!(outcome, (Ok(0), Vec::new()), "behind the end");
    }
    // Less than there is room for.
    let (result, buf) = file.read_exact_at(Vec::with_capacity(4096), 7, 251).await;
    assert_eq!((result.unwrap(), &buf[..]), ((), &bytes[251..258]));

    let (result, buf) = file.write_at(Bytes::from_static(b"abc"), 10).await;
    assert_eq!((result.unwrap(), &buf[..]), (3, &b"abc"[..]));
    let (result, buf) = file.write_all_at(String::from("def"), 13).await;
    assert_eq!((result.unwrap(), &buf[..]), ((), "def"));
    let (result, buf) = file.write_all_at(pattern(600_000), 1_000_002).await;
    assert!(result.is_ok() && buf == pattern(600_000));
    let (result, _) = file.write_at(Vec::new(), 7_000_000).await;
    assert_eq!(result.unwrap(), 0);
    let mut expected = bytes;
    expected[10..16].copy_from_slice(b"abcdef");
    expected.extend([0, 0]);
    expected.extend(pattern(600_000));
    assert!(std::fs::read(path).unwrap() == expected);
}

#[test]
fn what_is_written_is_read() {
    on_each(configs(), "at offsets, in memory", |_| async {
        let dir = directory();
        everything_at(&dir.path().join("file")).await;
    });
    on_each(configs(), "at offsets, on disk", |_| async {
        let dir = tempfile::tempdir().unwrap();
        everything_at(&dir.path().join("file")).await;
    });
}

#[test]
fn buffers_come_back_with_errors() {
    on_each(configs(), "errors at offsets", |_| async {
        for dir in [directory(), tempfile::tempdir().unwrap()] {
            let path = dir.path().join("file");
            std::fs::write(&path, b"0123").unwrap();
            let kept = || b"kept".to_vec();
            let reading = File::open(&path).await.unwrap();
            let outcome = seen(reading.write_at(kept(), 0).await);
            assert_eq!(outcome.0.unwrap_err().1, Some(libc::EBADF));
            assert_eq!(outcome.1, b"kept");
            let writing = File::options().write(true).open(&path).await.unwrap();
            let outcome = seen(writing.read_at(kept(), 0).await);
            assert_eq!(outcome.0.unwrap_err().1, Some(libc::EBADF));
            assert_eq!(outcome.1, b"kept");
            for offset in [u64::MAX, i64::MAX as u64 + 1] {
                let outcome = seen(reading.read_at(kept(), offset).await);
                assert_eq!(outcome.0.unwrap_err().1, Some(libc::EINVAL));
                assert_eq!(outcome.1, b"kept");
                let outcome = seen(writing.write_all_at(kept(), offset).await);
                assert_eq!(outcome.0.unwrap_err().1, Some(libc::EINVAL));
                assert_eq!(outcome.1, b"kept");
            }
            assert_eq!(std::fs::read(&path).unwrap(), b"0123");
        }
        let full = File::options().write(true).open("/dev/full").await.unwrap();
        let (result, buf) = full.write_all_at(b"kept".to_vec(), 0).await;
        assert_eq!(result.unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!(buf, b"kept");
        // A pipe has no offsets, on no way.
        let (reader, writer) = std::io::pipe().unwrap();
        let reader = File::from_std(std::fs::File::from(OwnedFd::from(reader)));
        let writer = File::from_std(std::fs::File::from(OwnedFd::from(writer)));
        for len in [4, 300_000] {
            let outcome = seen(writer.write_at(vec![7; len], 0).await);
            assert_eq!(outcome.0.unwrap_err().1, Some(libc::ESPIPE));
            assert_eq!(outcome.1.len(), len);
            let outcome = seen(reader.read_at(vec![7; len], 0).await);
            assert_eq!(outcome.0.unwrap_err().1, Some(libc::ESPIPE));
            assert_eq!(outcome.1.len(), len);
        }
    });
}

#[test]
fn many_on_one_file_and_the_position_stays() {
    on_each(configs(), "many at offsets", |_| async {
        for dir in [directory(), tempfile::tempdir().unwrap()] {
            let path = dir.path().join("file");
            let mut file = {
                let mut options = File::options();
                options.read(true).write(true).create(true);
                options.open(&path).await.unwrap()
            };
            file.write_all(b"0123456789").await.unwrap();
            file.flush().await.unwrap();
            file.seek(SeekFrom::Start(2)).await.unwrap();
            // From many tasks, each with its block; the futures need not borrow the file.
            let mut tasks = zokio::task::JoinSet::new();
            for n in 0..100_u64 {
                tasks.spawn(file.write_all_at(vec![n as u8; 1000], 1000 * (n + 1)));
            }
            for (result, buf) in tasks.join_all().await {
                result.unwrap();
                assert_eq!(buf.len(), 1000);
            }
            let mut tasks = zokio::task::JoinSet::new();
            for n in 0..100_u64 {
                let read = file.read_exact_at(Vec::with_capacity(1000), 1000, 1000 * (n + 1));
                tasks.spawn(async move { (n, read.await) });
            }
            for (n, (result, buf)) in tasks.join_all().await {
                result.unwrap();
                assert_eq!(buf, [n as u8; 1000]);
            }
            // While those of a borrowed file wait, others of it go on.
            let file_at = &file;
            let (first, second) = zokio::join!(
                async { file_at.read_at(Vec::with_capacity(3), 0).await.1 },
                async { file_at.read_at(Vec::with_capacity(3), 7).await.1 },
            );
            assert_eq!((&first[..], &second[..]), (&b"012"[..], &b"789"[..]));
            let mut rest = [0; 8];
            file.read_exact(&mut rest).await.unwrap();
            assert_eq!(&rest, b"23456789");
        }
    });
}

#[test]
fn appending_is_at_the_end_whatever_the_offset() {
    on_each(configs(), "append at offsets", |_| async {
        for dir in [directory(), tempfile::tempdir().unwrap()] {
            let path = dir.path().join("file");
            std::fs::write(&path, b"01").unwrap();
            let file = File::options().append(true).open(&path).await.unwrap();
            file.write_all_at(b"23".to_vec(), 0).await.0.unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), b"0123");
        }
    });
}

#[test]
#[should_panic(expected = "the buffer has room for 4 bytes, 5 are to be read")]
fn more_than_fits_is_a_mistake() {
    let _turn = turn();
    let file = File::from_std(std::fs::File::open("Cargo.toml").unwrap());
    drop(file.read_exact_at(vec![0; 4].into_boxed_slice(), 5, 0));
}

#[test]
#[should_panic(expected = "there is no reactor running")]
fn outside_of_a_runtime_it_panics() {
    let _turn = turn();
    let file = File::from_std(std::fs::File::open("Cargo.toml").unwrap());
    let read = std::pin::pin!(file.read_at(vec![0; 4], 0));
    let _ = poll(read, &Probe::new());
}

/// An operation that was begun before the end of the runtime is carried out. One that comes later is refused,
/// and its buffer comes back.
#[test]
fn buffers_come_back_from_a_runtime_that_ends() {
    let _turn = turn();
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(BLOCKING_THREADS)
        .reserved_blocking_threads(0)
        .io_mode(IoMode::Epoll)
        .build()
        .unwrap();
    let dir = directory();
    let path = dir.path().join("file");
    std::fs::write(&path, pattern(1000)).unwrap();
    let file = File::from_std(std::fs::File::open(&path).unwrap());
    let guard = runtime.enter();
    let gate = Gate::closed();
    // Large enough to be given to a thread in any case.
    let mut before = Box::pin(file.read_at(Vec::with_capacity(300_000), 0));
    let probe = Probe::new();
    assert!(poll(before.as_mut(), &probe).is_pending());
    drop(guard);
    let handle = runtime.handle().clone();
    runtime.shutdown_background();
    drop(gate);
    let begun = Instant::now();
    let (result, buf) = loop {
        if let Poll::Ready(outcome) = poll(before.as_mut(), &probe) {
            break outcome;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "nobody answers");
        std::thread::yield_now();
    };
    assert_eq!(result.unwrap(), 1000);
    assert_eq!(buf, pattern(1000));
    let _guard = handle.enter();
    // One that comes while the pool closes may just be in time.
    let (result, buf) = loop {
        let mut after = Box::pin(file.read_at(vec![7; 300_000], 0));
        let outcome = loop {
            if let Poll::Ready(outcome) = poll(after.as_mut(), &probe) {
                break outcome;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "nobody answers");
            std::thread::yield_now();
        };
        if outcome.0.is_err() {
            break outcome;
        }
    };
    assert!(result.is_err());
    assert_eq!(buf, [7; 300_000]);
}

/// A future that is over has neither a result nor a buffer any more.
#[test]
#[should_panic(expected = "polled after it was ready")]
fn polled_again_it_panics() {
    let _turn = turn();
    let runtime = zokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    // Just written, it is read at once: no thread is left that would give something back later.
    let path = dir.path().join("file");
    std::fs::write(&path, "x").unwrap();
    runtime.block_on(async {
        let file = File::open(&path).await.unwrap();
        let mut read = file.read_at(Vec::with_capacity(1), 0);
        assert_eq!((&mut read).await.0.unwrap(), 1);
        let _ = (&mut read).await;
    });
}
