//! Pipes: how they are opened and taken over, what is refused, and both of their ends.

use crate::kit::{
    Counter, assert_kind, assert_would_block, now, on_both, path, run, settle, single,
};
use bytes::BytesMut;
use std::ffi::CString;
use std::fs::File;
use std::future::poll_fn;
use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::task::{Context, Waker};
use zokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest};
use zokio::net::unix::pipe::{self, OpenOptions, Receiver, Sender};

/// A named pipe in a folder of its own.
fn named() -> (tempfile::TempDir, PathBuf) {
    let (folder, path) = path("pipe");
    let name = CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: the name is a string that ends with a zero.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    (folder, path)
}

fn is_nonblocking(fd: &impl AsFd) -> bool {
    zokio_driver::fd::status_flags(fd.as_fd()).unwrap() & libc::O_NONBLOCK != 0
}

#[test]
fn pipes_carry_bytes_and_end() {
    on_both(|| async {
        let (mut sender, mut receiver) = pipe::pipe().unwrap();
        let sent = vec![7_u8; 300_000];
        let expected = sent.clone();
        let writer = zokio::spawn(async move { sender.write_all(&sent).await.unwrap() });
        let mut received = Vec::new();
        receiver.read_to_end(&mut received).await.unwrap();
        assert!(received == expected);
        writer.await.unwrap();
    });
}

#[test]
fn several_buffers_are_one_write() {
    on_both(|| async {
        let (mut sender, mut receiver) = pipe::pipe().unwrap();
        assert!(sender.is_write_vectored());
        let parts = [IoSlice::new(b"hel"), IoSlice::new(b"lo")];
        assert_eq!(sender.write_vectored(&parts).await.unwrap(), 5);
        assert_eq!(sender.try_write_vectored(&parts).unwrap(), 5);
        sender.flush().await.unwrap();
        receiver.readable().await.unwrap();
        let (mut first, mut second) = ([0; 4], [0; 8]);
        let mut bufs = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
        assert_eq!(receiver.try_read_vectored(&mut bufs).unwrap(), 10);
        assert_eq!((&first, &second[..6]), (b"hell", b"ohello".as_slice()));
        // Shutting a pipe down does nothing: it ends when it is dropped.
        sender.shutdown().await.unwrap();
        sender.write_all(b"more").await.unwrap();
        drop(sender);
        let mut rest = String::new();
        receiver.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "more");
    });
}

#[test]
fn attempts_say_that_they_would_block() {
    on_both(|| async {
        let (sender, receiver) = pipe::pipe().unwrap();
        let mut buf = [0; 70_000];
        assert_would_block(receiver.try_read(&mut buf));
        assert_would_block(receiver.try_read_buf(&mut Vec::with_capacity(4)));
        assert_would_block(receiver.try_read_vectored(&mut [IoSliceMut::new(&mut buf)]));
        let mut room = 0;
        sender.writable().await.unwrap();
        while let Ok(written) = sender.try_write(&[1; 4096]) {
            room += written;
        }
        assert!(room >= 4096);
        assert_would_block(sender.try_write(&[1; 4096]));
        assert_would_block(sender.try_write_vectored(&[IoSlice::new(&[1; 4096])]));
        let mut vec = BytesMut::with_capacity(room);
        while vec.len() < room {
            receiver.readable().await.unwrap();
            assert!(receiver.try_read_buf(&mut vec).unwrap() > 0);
        }
        assert_would_block(receiver.try_read(&mut buf));
        sender.writable().await.unwrap();
        assert_eq!(sender.try_write(b"x").unwrap(), 1);
    });
}

#[test]
fn a_pipe_that_would_block_is_not_tried_until_it_is_ready() {
    run(async {
        let (sender, receiver) = pipe::pipe().unwrap();
        assert_would_block(sender.try_io(|| Ok(1)));
        sender.writable().await.unwrap();
        assert_eq!(sender.try_io(|| Ok(1)).unwrap(), 1);
        let blocked = || std::io::Result::<()>::Err(ErrorKind::WouldBlock.into());
        assert_would_block(sender.try_io(blocked));
        assert_would_block(sender.try_io(|| Ok(())));
        // The room was there all the time, so no event says it again: another pipe.
        drop((sender, receiver));
        let (sender, receiver) = pipe::pipe().unwrap();
        assert_would_block(receiver.try_io(|| Ok(())));
        sender.writable().await.unwrap();
        assert_eq!(sender.try_write(b"x").unwrap(), 1);
        receiver.readable().await.unwrap();
        assert_eq!(receiver.try_io(|| Ok(2)).unwrap(), 2);
        assert_eq!(receiver.try_read(&mut [0; 4]).unwrap(), 1);
    });
}

#[test]
fn polls_are_woken_by_the_other_end() {
    run(async {
        let (sender, receiver) = pipe::pipe().unwrap();
        let (counter, waker) = Counter::new();
        let mut cx = Context::from_waker(&waker);
        assert!(receiver.poll_read_ready(&mut cx).is_pending());
        poll_fn(|cx| sender.poll_write_ready(cx)).await.unwrap();
        while sender.try_write(&[1; 4096]).is_ok() {}
        settle().await;
        assert_eq!(counter.count(), 1);
        poll_fn(|cx| receiver.poll_read_ready(cx)).await.unwrap();
        assert!(sender.poll_write_ready(&mut cx).is_pending());
        while receiver.try_read(&mut [0; 65_536]).is_ok() {}
        settle().await;
        assert_eq!(counter.count(), 2);
        poll_fn(|cx| sender.poll_write_ready(cx)).await.unwrap();
    });
}

#[test]
fn the_end_of_one_side_is_readiness_of_the_other() {
    on_both(|| async {
        let (sender, receiver) = pipe::pipe().unwrap();
        let ready = receiver.ready(Interest::READABLE);
        let (ready, ()) = zokio::join!(ready, async { drop(sender) });
        assert!(ready.unwrap().is_read_closed());
        assert_eq!(receiver.try_read(&mut [0; 4]).unwrap(), 0);
        let (mut sender, receiver) = pipe::pipe().unwrap();
        assert!(
            sender
                .ready(Interest::WRITABLE)
                .await
                .unwrap()
                .is_writable()
        );
        while sender.try_write(&[1; 4096]).is_ok() {}
        let ready = sender.ready(Interest::WRITABLE);
        let (ready, ()) = zokio::join!(ready, async { drop(receiver) });
        assert!(ready.unwrap().is_write_closed());
        assert_kind(sender.write(b"x").await, ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_named_pipe_that_nobody_has_opened_for_writing_has_not_ended() {
    on_both(|| async {
        let (_folder, path) = named();
        let mut receiver = OpenOptions::new().open_receiver(&path).unwrap();
        let reader = zokio::spawn(async move {
            let mut received = Vec::new();
            receiver.read_to_end(&mut received).await.unwrap();
            received
        });
        zokio::task::yield_now().await;
        let mut sender = OpenOptions::default().open_sender(&path).unwrap();
        sender.write_all(b"through a path").await.unwrap();
        drop(sender);
        assert_eq!(reader.await.unwrap(), b"through a path");
    });
}

/// The next writer is waited for without trying again and again, and so is its end.
#[test]
fn a_named_pipe_that_has_ended_goes_on_with_the_next_writer() {
    on_both(|| async {
        let (_dir, path) = named();
        let mut receiver = OpenOptions::new().open_receiver(&path).unwrap();
        let open = || File::options().write(true).open(&path).unwrap();
        let mut buf = [0; 8];
        for said in [b"first", b"next "] {
            let mut writer = open();
            let mut polls = 0;
            let mut read = std::pin::pin!(receiver.read(&mut buf));
            let counted = poll_fn(|cx| {
                polls += 1;
                read.as_mut().poll(cx)
            });
            let early = zokio::time::timeout(std::time::Duration::from_millis(50), counted).await;
            assert!(early.is_err(), "nothing was written");
            assert!(polls < 10, "{polls} polls of a silent pipe");
            writer.write_all(said).unwrap();
            drop(writer);
            let mut all = Vec::new();
            receiver.read_to_end(&mut all).await.unwrap();
            assert_eq!(all, said);
        }
        let silent = open();
        let mut read = std::pin::pin!(receiver.read(&mut buf));
        assert!(now(read.as_mut()).is_none());
        drop(silent);
        assert_eq!(read.await.unwrap(), 0);
    });
}

#[test]
fn a_named_pipe_that_nobody_reads_cannot_be_opened_for_writing() {
    run(async {
        let (_folder, path) = named();
        let error = OpenOptions::new().open_sender(&path).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENXIO));
        let receiver = OpenOptions::new().open_receiver(&path).unwrap();
        let sender = OpenOptions::new().open_sender(&path).unwrap();
        sender.writable().await.unwrap();
        assert_eq!(sender.try_write(b"x").unwrap(), 1);
        receiver.readable().await.unwrap();
        drop(receiver);
        assert!(OpenOptions::new().open_sender(&path).is_err());
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_pipe_that_is_opened_both_ways_never_lacks_an_other_end() {
    run(async {
        let (_folder, path) = named();
        let mut both = OpenOptions::new();
        both.read_write(true);
        assert!(format!("{both:?}").contains("read_write: true"));
        // Nobody reads, and yet it can be opened, and keeps what it is given.
        let mut sender = both.open_sender(&path).unwrap();
        sender.write_all(b"kept").await.unwrap();
        let mut receiver = both.clone().open_receiver(&path).unwrap();
        drop(sender);
        let mut word = [0; 4];
        receiver.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"kept");
        // Nobody writes, and yet it has not ended.
        settle().await;
        assert!(now(receiver.read(&mut word)).is_none());
        both.read_write(false);
        let mut sender = both.open_sender(&path).unwrap();
        sender.write_all(b"more").await.unwrap();
        receiver.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"more");
    });
}

#[test]
fn what_is_no_pipe_is_refused_unless_it_is_not_checked() {
    run(async {
        let (folder, plain) = path("plain");
        std::fs::write(&plain, b"x").unwrap();
        let mut options = OpenOptions::new();
        assert_kind(options.open_receiver(&plain), ErrorKind::InvalidInput);
        assert_kind(options.open_sender(&plain), ErrorKind::InvalidInput);
        let missing = folder.path().join("missing");
        assert_kind(options.open_receiver(&missing), ErrorKind::NotFound);
        assert_kind(options.open_sender(&missing), ErrorKind::NotFound);
        let open = || File::options().read(true).write(true).open(&plain).unwrap();
        assert_kind(Receiver::from_file(open()), ErrorKind::InvalidInput);
        assert_kind(Sender::from_file(open()), ErrorKind::InvalidInput);
        assert_kind(
            Sender::from_owned_fd(open().into()),
            ErrorKind::InvalidInput,
        );
        // Unchecked, it is the system that refuses to watch a file.
        options.unchecked(true);
        if cfg!(target_os = "linux") {
            let error = options.open_receiver(&plain).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EPERM));
            let error = Receiver::from_file_unchecked(open()).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EPERM));
        }
        let (_folder, path) = named();
        let receiver = options.open_receiver(&path).unwrap();
        let sender = options.open_sender(&path).unwrap();
        sender.writable().await.unwrap();
        assert_eq!(sender.try_write(b"x").unwrap(), 1);
        receiver.readable().await.unwrap();
    });
}

#[test]
fn files_are_taken_over_if_they_are_the_right_end() {
    run(async {
        let (_folder, path) = named();
        // Both ends, opened without waiting for each other.
        let mut nonblocking = File::options();
        nonblocking.custom_flags(libc::O_NONBLOCK);
        let reader = nonblocking.read(true).open(&path).unwrap();
        let writer = File::options().write(true).open(&path).unwrap();
        let copies = || (reader.try_clone().unwrap(), writer.try_clone().unwrap());
        let (for_reading, for_writing) = copies();
        assert_kind(Sender::from_file(for_reading), ErrorKind::InvalidInput);
        assert_kind(Receiver::from_file(for_writing), ErrorKind::InvalidInput);
        assert!(!is_nonblocking(&writer));
        let (for_reading, for_writing) = copies();
        let mut receiver = Receiver::from_file(for_reading).unwrap();
        let mut sender = Sender::from_file(for_writing).unwrap();
        // It was in blocking mode.
        assert!(is_nonblocking(&writer));
        sender.write_all(b"x").await.unwrap();
        assert_eq!(receiver.read(&mut [0; 4]).await.unwrap(), 1);
        let (for_reading, for_writing) = copies();
        let sender = Sender::from_file_unchecked(for_writing).unwrap();
        let other = Receiver::from_owned_fd_unchecked(for_reading.into()).unwrap();
        sender.writable().await.unwrap();
        assert_eq!(sender.try_write(b"y").unwrap(), 1);
        other.readable().await.unwrap();
        assert_eq!(other.try_read(&mut [0; 4]).unwrap(), 1);
        if cfg!(target_os = "linux") {
            // A pipe that is open both ways is either end.
            let open = || File::options().read(true).write(true).open(&path).unwrap();
            let sender = Sender::from_file(open()).unwrap();
            let receiver = Receiver::from_file(open()).unwrap();
            sender.writable().await.unwrap();
            assert_eq!(sender.try_write(b"z").unwrap(), 1);
            receiver.readable().await.unwrap();
        }
    });
}

#[test]
fn descriptors_are_given_away_in_the_mode_that_was_asked_for() {
    run(async {
        let (sender, receiver) = pipe::pipe().unwrap();
        let (to, from) = (sender.as_raw_fd(), receiver.as_raw_fd());
        assert_eq!(sender.as_fd().as_raw_fd(), to);
        assert_eq!(receiver.as_fd().as_raw_fd(), from);
        assert!(format!("{sender:?}").contains(&to.to_string()));
        assert!(format!("{receiver:?}").contains(&from.to_string()));
        sender.writable().await.unwrap();
        let sender: OwnedFd = sender.into_nonblocking_fd().unwrap();
        let receiver: OwnedFd = receiver.into_nonblocking_fd().unwrap();
        assert_eq!((sender.as_raw_fd(), receiver.as_raw_fd()), (to, from));
        assert!(is_nonblocking(&sender) && is_nonblocking(&receiver));
        let sender = Sender::from_owned_fd(sender).unwrap();
        let receiver = Receiver::from_owned_fd(receiver).unwrap();
        sender.writable().await.unwrap();
        let sender = sender.into_blocking_fd().unwrap();
        let receiver = receiver.into_blocking_fd().unwrap();
        assert!(!is_nonblocking(&sender) && !is_nonblocking(&receiver));
        // A read that blocks until another thread writes.
        let reader = std::thread::spawn(move || {
            let mut word = [0; 4];
            File::from(receiver).read_exact(&mut word).unwrap();
            word
        });
        File::from(sender).write_all(b"word").unwrap();
        assert_eq!(&reader.join().unwrap(), b"word");
    });
}

#[test]
fn without_its_runtime_waiting_is_an_error() {
    let runtime = single();
    let (sender, receiver) = runtime.block_on(async { pipe::pipe().unwrap() });
    drop(runtime);
    run(async {
        assert_kind(receiver.readable().await, ErrorKind::Other);
        assert_kind(sender.writable().await, ErrorKind::Other);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(receiver.poll_read_ready(&mut cx).is_ready());
    });
}

#[test]
#[should_panic(expected = "there is no reactor running")]
fn outside_of_a_runtime_it_panics() {
    let _ = pipe::pipe();
}
