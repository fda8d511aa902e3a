//! `File` as a stream: one position for reads, writes and seeks, also where a future was dropped or a
//! write failed behind the caller's back.

use super::ledger::*;
use super::{directory, pattern, pipe};
use std::io::{ErrorKind, IoSlice, Read, SeekFrom, Write};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use zokio::fs::File;
use zokio::io::{AsyncReadExt, AsyncSeek, AsyncSeekExt, AsyncWrite, AsyncWriteExt};

async fn both(path: &Path) -> File {
    let mut options = File::options();
    options.read(true).write(true);
    options.open(path).await.unwrap()
}

/// Directories whose files are read at once, and those whose files take the long way.
fn places() -> [tempfile::TempDir; 2] {
    [tempfile::tempdir().unwrap(), directory()]
}

#[test]
fn reads_writes_and_seeks_share_a_position() {
    on_each(configs(), "one position", |_| async {
        for dir in places() {
            let path = dir.path().join("file");
            std::fs::write(&path, "0123456789").unwrap();
            let mut file = both(&path).await;
            let mut two = [0; 2];
            file.read_exact(&mut two).await.unwrap();
            file.write_all(b"ab").await.unwrap();
            file.read_exact(&mut two).await.unwrap();
            assert_eq!(&two, b"45");
            assert_eq!(file.stream_position().await.unwrap(), 6);
            assert_eq!(file.seek(SeekFrom::Current(-3)).await.unwrap(), 3);
            file.write_all(b"X").await.unwrap();
            assert_eq!(file.seek(SeekFrom::End(-1)).await.unwrap(), 9);
            assert_eq!(file.read_u8().await.unwrap(), b'9');
            assert_eq!(file.read(&mut two).await.unwrap(), 0);
            // Behind the end is a place as well.
            assert_eq!(file.seek(SeekFrom::End(2)).await.unwrap(), 12);
            assert_eq!(file.read(&mut two).await.unwrap(), 0);
            file.write_all(b"Y").await.unwrap();
            file.flush().await.unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), b"01aX456789\0\0Y");
            file.rewind().await.unwrap();
            assert_eq!(file.read_u8().await.unwrap(), b'0');
        }
    });
}

#[test]
fn a_seek_before_the_start_fails_and_moves_nothing() {
    on_each(configs(), "seek before the start", |_| async {
        for dir in places() {
            let path = dir.path().join("file");
            std::fs::write(&path, "0123456789").unwrap();
            let mut file = both(&path).await;
            file.seek(SeekFrom::Start(4)).await.unwrap();
            for to in [
                SeekFrom::Current(-5),
                SeekFrom::Current(i64::MIN),
                SeekFrom::End(-11),
                SeekFrom::End(i64::MIN),
                SeekFrom::Start(u64::MAX),
            ] {
                let error = file.seek(to).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidInput, "{to:?}");
                assert_eq!(file.stream_position().await.unwrap(), 4);
            }
            assert_eq!(file.read_u8().await.unwrap(), b'4');
        }
    });
}

/// A file of ten digits of which the first four were read for a future that was dropped.
async fn read_ahead(path: &Path) -> File {
    std::fs::write(path, "0123456789").unwrap();
    loop {
        let mut file = both(path).await;
        // With a clone, reads take the long way.
        let clone = file.try_clone().await.unwrap();
        let mut four = [0; 4];
        let read = poll(Box::pin(file.read(&mut four)).as_mut(), &Probe::new());
        drop(clone);
        if read.is_pending() {
            return file;
        }
    }
}

/// Bytes that were read and not asked for are not taken yet: everything goes on before them.
#[test]
fn what_was_read_for_nobody_is_not_read_yet() {
    on_each(configs(), "read ahead", |_| async {
        let dir = directory();
        let path = dir.path().join("file");
        let content = || std::fs::read_to_string(&path).unwrap();

        let mut file = read_ahead(&path).await;
        let mut text = String::new();
        file.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "0123456789");

        let mut file = read_ahead(&path).await;
        file.write_all(b"ab").await.unwrap();
        file.flush().await.unwrap();
        assert_eq!(content(), "ab23456789");

        let mut file = read_ahead(&path).await;
        assert_eq!(file.seek(SeekFrom::Current(1)).await.unwrap(), 1);
        assert_eq!(file.read_u8().await.unwrap(), b'1');

        let mut file = read_ahead(&path).await;
        assert_eq!(file.seek(SeekFrom::End(-1)).await.unwrap(), 9);
        assert_eq!(file.read_u8().await.unwrap(), b'9');

        let mut file = read_ahead(&path).await;
        file.set_len(2).await.unwrap();
        text.clear();
        file.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "01");
        assert_eq!(content(), "01");

        let file = read_ahead(&path).await;
        text.clear();
        let mut clone = file.try_clone().await.unwrap();
        clone.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "0123456789");

        let file = read_ahead(&path).await;
        text.clear();
        file.into_std().await.read_to_string(&mut text).unwrap();
        assert_eq!(text, "0123456789");
    });
}

/// The seek does not fit a number together with what was read ahead: it fails, and does not panic.
#[test]
fn a_seek_that_cannot_be_counted_fails() {
    on_each(configs(), "seek, overflow", |_| async {
        let dir = directory();
        let mut file = read_ahead(&dir.path().join("file")).await;
        let error = file.seek(SeekFrom::Current(i64::MIN)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(file.stream_position().await.unwrap(), 0);
        assert_eq!(file.read_u8().await.unwrap(), b'0');
    });
}

#[test]
fn a_seek_has_to_wait_for_what_is_under_way() {
    on_each(configs(), "start_seek", |_| async {
        let dir = tempfile::tempdir().unwrap();
        let (mut peer, path) = pipe(dir.path());
        let mut file = both(&path).await;
        let mut byte = [0];
        let probe = Probe::new();
        assert!(poll(Box::pin(file.read(&mut byte)).as_mut(), &probe).is_pending());
        let error = Pin::new(&mut file).start_seek(SeekFrom::Start(0));
        let text = error.unwrap_err().to_string();
        assert!(text.contains("other file operation is pending"), "{text}");
        peer.write_all(b"x").unwrap();
        probe.woken().await;
        // A pipe has no positions. What was read stays.
        file.seek(SeekFrom::Start(0)).await.unwrap_err();
        assert_eq!(file.read(&mut byte).await.unwrap(), 1);
        assert_eq!(&byte, b"x");
    });
}

/// A file without a position is read and written apart: bytes that were read ahead are in nobody's way, and
/// stay.
#[test]
fn a_pipe_is_written_while_bytes_wait_to_be_read() {
    on_each(configs(), "write behind a dropped read", |_| async {
        let dir = tempfile::tempdir().unwrap();
        let (mut peer, path) = pipe(dir.path());
        let mut file = both(&path).await;
        let mut three = [0; 3];
        let probe = Probe::new();
        assert!(poll(Box::pin(file.read(&mut three)).as_mut(), &probe).is_pending());
        peer.write_all(b"abc").unwrap();
        probe.woken().await;
        assert_eq!(file.read(&mut three[..1]).await.unwrap(), 1);
        file.write_all(b"one").await.unwrap();
        file.flush().await.unwrap();
        let bufs = [b"t", &b"wo"[..]].map(IoSlice::new);
        assert_eq!(file.write_vectored(&bufs).await.unwrap(), 3);
        file.flush().await.unwrap();
        let mut six = [0; 6];
        peer.read_exact(&mut six).unwrap();
        assert_eq!(&six, b"onetwo");
        assert_eq!(file.read(&mut three).await.unwrap(), 2);
        assert_eq!(&three[..2], b"bc");
    });
}

/// A seek that nobody waited for has moved the position all the same, and that position is known.
#[test]
fn a_seek_that_was_begun_counts() {
    on_each(configs(), "seek, not awaited", |_| async {
        for dir in places() {
            let path = dir.path().join("file");
            std::fs::write(&path, "0123456789").unwrap();
            for to in [SeekFrom::Start(7), SeekFrom::End(-3), SeekFrom::Current(7)] {
                let mut file = both(&path).await;
                Pin::new(&mut file).start_seek(to).unwrap();
                assert_eq!(file.read_u8().await.unwrap(), b'7', "{to:?}");
                let mut file = both(&path).await;
                Pin::new(&mut file).start_seek(to).unwrap();
                assert_eq!(file.read(&mut []).await.unwrap(), 0);
                let known = std::future::poll_fn(|cx| Pin::new(&mut file).poll_complete(cx));
                assert_eq!(known.await.unwrap(), 7, "{to:?}");
            }
        }
    });
}

#[test]
fn nothing_is_written_without_an_error() {
    on_each(configs(), "empty writes", |_| async {
        for dir in places() {
            let path = dir.path().join("file");
            let mut file = File::create(&path).await.unwrap();
            let none = [IoSlice::new(b""), IoSlice::new(b"")];
            for round in 0..3 {
                assert_eq!(file.write(b"").await.unwrap(), 0);
                file.flush().await.unwrap();
                assert_eq!(file.write_vectored(&none).await.unwrap(), 0);
                file.flush().await.unwrap();
                assert_eq!(file.write_vectored(&[]).await.unwrap(), 0);
                file.flush().await.unwrap();
                file.write_all(b"x").await.unwrap();
                assert_eq!(file.read(&mut []).await.unwrap(), 0, "{round}");
            }
            file.flush().await.unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), b"xxx");
        }
        // The same where each write takes the long way.
        let mut file = both(Path::new("/dev/null")).await;
        assert_eq!(file.write(b"").await.unwrap(), 0);
        assert_eq!(file.write_vectored(&[]).await.unwrap(), 0);
        file.flush().await.unwrap();
    });
}

#[test]
fn several_buffers_are_written_one_after_the_other() {
    on_each(configs(), "vectored writes", |_| async {
        for dir in places() {
            let path = dir.path().join("file");
            let mut file = File::create(&path).await.unwrap();
            assert!(file.is_write_vectored());
            let bytes = pattern(700_000);
            let mut done = 0;
            while done < bytes.len() {
                let (head, tail) = bytes[done..].split_at((bytes.len() - done) / 3);
                let bufs = [head, b"", tail].map(IoSlice::new);
                let count = file.write_vectored(&bufs).await.unwrap();
                assert!(count > 0 && count <= bytes.len() - done);
                done += count;
            }
            file.shutdown().await.unwrap();
            assert!(std::fs::read(&path).unwrap() == bytes);
            // A file is not closed for writing.
            file.write_all(b"!").await.unwrap();
            file.shutdown().await.unwrap();
            assert_eq!(std::fs::metadata(&path).unwrap().len(), 700_001);
        }
    });
}

#[test]
fn appended_is_what_comes_last() {
    on_each(configs(), "append", |_| async {
        for dir in places() {
            let path = dir.path().join("file");
            std::fs::write(&path, "start").unwrap();
            let mut options = File::options();
            let mut file = options.append(true).read(true).open(&path).await.unwrap();
            let mut other = options.open(&path).await.unwrap();
            file.write_all(b" one").await.unwrap();
            file.flush().await.unwrap();
            other.write_all(b" two").await.unwrap();
            other.flush().await.unwrap();
            file.rewind().await.unwrap();
            file.write_all(b" three").await.unwrap();
            file.flush().await.unwrap();
            assert_eq!(file.stream_position().await.unwrap(), 19);
            assert_eq!(std::fs::read(&path).unwrap(), b"start one two three");
        }
    });
}

/// A device that takes no byte. Its writes wait, so that each of them is accepted first.
async fn full() -> File {
    both(Path::new("/dev/full")).await
}

/// The error of a write comes with the next call that promises something, and with each one after it as
/// long as the bytes are not there. Where the position has left them it comes once.
#[test]
fn a_write_that_failed_is_reported_until_its_bytes_are_there() {
    on_each(configs(), "write errors", |_| async {
        let full_error = |error: std::io::Error| {
            assert_eq!(error.kind(), ErrorKind::StorageFull);
        };
        let mut file = full().await;
        assert_eq!(file.write(b"one").await.unwrap(), 3);
        full_error(file.write(b"two").await.unwrap_err());
        full_error(file.flush().await.unwrap_err());
        full_error(file.sync_all().await.unwrap_err());
        full_error(file.sync_data().await.unwrap_err());
        full_error(file.write(b"two").await.unwrap_err());
        full_error(file.shutdown().await.unwrap_err());
        file.rewind().await.unwrap();
        file.flush().await.unwrap();
        assert_eq!(file.write(b"one").await.unwrap(), 3);
        full_error(file.set_len(1).await.unwrap_err());
        // Told, it takes over. The device has no length to set.
        assert_ne!(
            file.set_len(1).await.unwrap_err().kind(),
            ErrorKind::StorageFull
        );
        file.flush().await.unwrap();

        assert_eq!(file.write(b"one").await.unwrap(), 3);
        assert_eq!(file.read(&mut [1; 4]).await.unwrap(), 4);
        assert_eq!(file.seek(SeekFrom::Start(0)).await.unwrap(), 0);
        let _ = file.metadata().await.unwrap();
        let mut clone = file.try_clone().await.unwrap();
        clone.flush().await.unwrap();
        full_error(file.sync_all().await.unwrap_err());
        file.flush().await.unwrap();

        let bufs = [b"a", &b"b"[..]].map(IoSlice::new);
        assert_eq!(file.write_vectored(&bufs).await.unwrap(), 2);
        full_error(file.write_vectored(&bufs).await.unwrap_err());
        full_error(file.flush().await.unwrap_err());
    });
}

/// A file that is not open for writing has no bytes to come: its error is told once.
#[test]
fn a_write_that_is_refused_is_reported_once() {
    on_each(configs(), "refused write", |_| async {
        for dir in places() {
            let path = dir.path().join("file");
            std::fs::write(&path, "content").unwrap();
            let mut file = File::open(&path).await.unwrap();
            let written = match file.write_all(b"no").await {
                Ok(()) => file.flush().await,
                Err(error) => Err(error),
            };
            assert_eq!(written.unwrap_err().raw_os_error(), Some(libc::EBADF));
            file.flush().await.unwrap();
            file.sync_all().await.unwrap();
            let error = file.set_len(1).await.unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
        }
    });
}

/// Bytes that did not fit are kept, and written once there is room: nothing of a write is missing, and the
/// next one stands behind it.
#[test]
fn what_did_not_fit_is_written_when_there_is_room() {
    on_each(configs(), "room", |_| async {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let bytes = pattern(20_000);
        // Not as large as all files may be, and its signal would end the process.
        let room = Room::up_to(8192);
        let mut file = File::create(&path).await.unwrap();
        file.write_all(&bytes).await.unwrap();
        let too_large = |error: std::io::Error| assert_eq!(error.kind(), ErrorKind::FileTooLarge);
        too_large(file.sync_all().await.unwrap_err());
        too_large(file.flush().await.unwrap_err());
        too_large(file.write_all(b"tail").await.unwrap_err());
        drop(room);
        file.write_all(b"tail").await.unwrap();
        file.flush().await.unwrap();
        let written = std::fs::read(&path).unwrap();
        assert_eq!(written.len(), 20_004);
        assert!(written.starts_with(&bytes) && written.ends_with(b"tail"));
    });
}

/// Bounds how large the process's files may get, until it is dropped.
struct Room;

impl Room {
    fn up_to(len: u64) -> Room {
        // SAFETY: the signal is ignored, which is what the error is for.
        unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
        Self::set(len);
        Room
    }

    fn set(len: u64) {
        let limit = libc::rlimit {
            rlim_cur: len,
            rlim_max: libc::RLIM_INFINITY,
        };
        // SAFETY: a valid limit, which is only read.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &limit) }, 0);
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        Self::set(libc::RLIM_INFINITY);
    }
}

/// All bytes of a write that was reported as done arrive, though the file is dropped and the pipe takes a part
/// at a time.
#[test]
fn a_pipe_gets_all_of_a_write_whose_file_was_dropped() {
    on_each(configs(), "dropped writer", |_| async {
        const LEN: usize = 300_000;
        let dir = tempfile::tempdir().unwrap();
        let (keep, path) = pipe(dir.path());
        let mut options = File::options();
        let mut file = options.write(true).open(&path).await.unwrap();
        let bytes = pattern(LEN);
        file.write_all(&bytes).await.unwrap();
        drop(file);
        // The reader begins late, and stays slow: every write into the pipe is short.
        let read = zokio::task::spawn_blocking(move || {
            let mut keep = keep;
            let mut all = vec![0; LEN];
            for part in all.chunks_mut(1000) {
                keep.read_exact(part).unwrap();
            }
            all
        });
        assert!(read.await.unwrap() == bytes);
    });
}

#[test]
fn what_may_not_be_done_is_refused() {
    on_each(configs(), "wrong direction", |_| async {
        for dir in places() {
            let path = dir.path().join("file");
            std::fs::write(&path, "content").unwrap();
            let mut reader = File::open(&path).await.unwrap();
            let written = match reader.write_all(b"x").await {
                Ok(()) => reader.flush().await,
                Err(error) => Err(error),
            };
            assert_eq!(written.unwrap_err().raw_os_error(), Some(libc::EBADF));
            let bufs = [b"x", &b"y"[..]].map(IoSlice::new);
            let written = match reader.write_vectored(&bufs).await {
                Ok(_) => reader.flush().await,
                Err(error) => Err(error),
            };
            assert_eq!(written.unwrap_err().raw_os_error(), Some(libc::EBADF));
            reader.flush().await.unwrap();
            assert_eq!(reader.read_u8().await.unwrap(), b'c');
            let mut writer = File::create(&path).await.unwrap();
            let error = writer.read(&mut [0; 4]).await.unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EBADF));
            writer.write_all(b"x").await.unwrap();
            writer.flush().await.unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), b"x");
            let mut directory = File::open(dir.path()).await.unwrap();
            let error = directory.read(&mut [0; 4]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::IsADirectory);
        }
    });
}

/// A write that was accepted is not lost when the flush is dropped, and the next flush waits for it.
#[test]
fn a_dropped_flush_is_begun_again() {
    on_each(configs(), "flush, dropped", |_| async {
        let dir = tempfile::tempdir().unwrap();
        let (mut peer, path) = pipe(dir.path());
        let mut file = both(&path).await;
        let bytes = pattern(100_000);
        file.write_all(&bytes).await.unwrap();
        for _ in 0..3 {
            let mut cx = Context::from_waker(Waker::noop());
            assert!(matches!(
                Pin::new(&mut file).poll_flush(&mut cx),
                Poll::Pending
            ));
        }
        let reading = std::thread::spawn(move || {
            let mut got = vec![0; 100_000];
            peer.read_exact(&mut got).unwrap();
            got
        });
        file.flush().await.unwrap();
        assert!(reading.join().unwrap() == bytes);
    });
}

/// A file is read whole, whichever parts of it are in memory.
#[test]
fn what_is_not_in_memory_is_read_from_the_disk() {
    use std::os::fd::AsRawFd;
    on_each(configs(), "not cached", |_| async {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let bytes = pattern(1_000_000);
        std::fs::write(&path, &bytes).unwrap();
        let mut file = both(&path).await;
        for forgotten in [0..1_000_000, 400_000..600_000, 999_000..1_000_000] {
            // The system cannot forget pages that are not on the disk yet.
            file.sync_all().await.unwrap();
            let (start, len) = (forgotten.start, forgotten.end - forgotten.start);
            // SAFETY: advice on an open descriptor.
            let advised = unsafe {
                libc::posix_fadvise(file.as_raw_fd(), start, len, libc::POSIX_FADV_DONTNEED)
            };
            assert_eq!(advised, 0);
            file.rewind().await.unwrap();
            let mut read = Vec::new();
            file.read_to_end(&mut read).await.unwrap();
            assert!(read == bytes);
        }
    });
}
