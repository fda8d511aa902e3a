//! Pipes and foreign descriptors on a real runtime.
#![cfg(unix)]
#![allow(unsafe_code)] // Registering a descriptor is a promise.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;
use zokio::io::unix::AsyncFd;
use zokio::io::{AsyncReadExt, AsyncWriteExt, Interest, Ready};
use zokio::net::unix::pipe;
use zokio::runtime::Builder;

fn run(test: impl Future<Output = ()>) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        zokio::time::timeout(Duration::from_secs(20), test)
            .await
            .expect("the test hangs");
    });
}

fn watched() -> (AsyncFd<UnixStream>, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    // SAFETY: the stream keeps its descriptor until it is dropped.
    (unsafe { AsyncFd::register(near) }.unwrap(), far)
}

#[test]
fn pipes_carry_bytes_and_end() {
    run(async {
        let (mut sender, mut receiver) = pipe::pipe().unwrap();
        let refused = receiver.try_read(&mut [0; 4]).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::WouldBlock);
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
fn pipes_know_their_ends() {
    run(async {
        let (sender, receiver) = pipe::pipe().unwrap();
        let fd = sender.into_blocking_fd().unwrap();
        assert!(pipe::Receiver::from_owned_fd(fd.try_clone().unwrap()).is_err());
        let sender = pipe::Sender::from_owned_fd(fd).unwrap();
        sender.writable().await.unwrap();
        assert_eq!(sender.try_write(b"abc").unwrap(), 3);
        receiver.readable().await.unwrap();
        let mut vec = Vec::with_capacity(8);
        assert_eq!(receiver.try_read_buf(&mut vec).unwrap(), 3);
        let folder = tempfile::tempdir().unwrap();
        let plain = folder.path().join("plain");
        std::fs::write(&plain, b"x").unwrap();
        let error = pipe::OpenOptions::new().open_receiver(&plain).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn a_named_pipe_that_nobody_has_opened_for_writing_has_not_ended() {
    let path = std::env::temp_dir().join(format!("zokio-net-unix-{}.pipe", std::process::id()));
    let name = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    // SAFETY: the name is a string that ends with a zero.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    run(async {
        let mut receiver = pipe::OpenOptions::new().open_receiver(&path).unwrap();
        let reader = zokio::spawn(async move {
            let mut received = Vec::new();
            receiver.read_to_end(&mut received).await.unwrap();
            received
        });
        zokio::task::yield_now().await;
        let mut sender = pipe::OpenOptions::new().open_sender(&path).unwrap();
        sender.write_all(b"through a path").await.unwrap();
        drop(sender);
        assert_eq!(reader.await.unwrap(), b"through a path");
    });
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_pipe_that_would_block_is_not_tried_until_it_is_ready() {
    run(async {
        let (sender, receiver) = pipe::pipe().unwrap();
        assert_eq!(sender.try_io(|| Ok(1)).unwrap(), 1);
        let blocked = || std::io::Result::<()>::Err(ErrorKind::WouldBlock.into());
        assert!(sender.try_io(blocked).is_err());
        assert!(sender.try_io(|| Ok(())).is_err());
        assert!(receiver.try_io(|| Ok(())).is_err());
        sender.writable().await.unwrap();
        assert_eq!(sender.try_write(b"x").unwrap(), 1);
        receiver.readable().await.unwrap();
        assert_eq!(receiver.try_read(&mut [0; 4]).unwrap(), 1);
    });
}

#[test]
fn the_ends_of_a_pair_have_room_and_nothing_to_read() {
    run(async {
        let (near, far) = zokio::net::UnixStream::pair().unwrap();
        assert!(now(near.writable()).is_some());
        assert!(now(near.readable()).is_none());
        assert_eq!(near.try_write(b"there").unwrap(), 5);
        far.readable().await.unwrap();
        assert_eq!(far.try_read(&mut [0; 8]).unwrap(), 5);
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_connection_that_is_never_accepted_is_reset() {
    let path = std::env::temp_dir().join(format!("zokio-net-unix-{}.sock", std::process::id()));
    run(async {
        let listener = zokio::net::UnixListener::bind(&path).unwrap();
        // The system makes the connection at once, and so does one poll.
        let connected = now(zokio::net::UnixStream::connect(&path));
        let mut stream = connected.expect("no wait").unwrap();
        drop(listener);
        let reset = stream.read(&mut [0; 4]).await.unwrap_err();
        assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
    });
    std::fs::remove_file(&path).unwrap();
}

/// What one poll of a future brings.
fn now<F: Future>(future: F) -> Option<F::Output> {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut cx) {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => None,
    }
}

#[test]
fn a_guard_remembers_that_nothing_is_left() {
    run(async {
        let (near, mut far) = watched();
        far.write_all(b"hello").unwrap();
        let mut buf = [0; 8];
        let mut guard = near.readable().await.unwrap();
        assert!(guard.ready().is_readable());
        let read = guard.try_io(|near| near.get_ref().read(&mut buf));
        assert_eq!(read.unwrap().unwrap(), 5);
        assert!(guard.try_io(|near| near.get_ref().read(&mut buf)).is_err());
        drop(guard);
        let early = zokio::time::timeout(Duration::from_millis(20), near.readable()).await;
        assert!(early.is_err());
        far.write_all(b"more").unwrap();
        let read = near
            .async_io(Interest::READABLE, |mut near| near.read(&mut buf))
            .await;
        assert_eq!(read.unwrap(), 4);
    });
}

#[test]
fn exclusive_access_waits_on_any_thread() {
    /// A descriptor that may move between threads, but not be shared.
    struct Unshared(UnixStream, std::cell::Cell<u32>);
    impl std::os::fd::AsRawFd for Unshared {
        fn as_raw_fd(&self) -> std::os::fd::RawFd {
            self.0.as_raw_fd()
        }
    }
    async fn wait(mut fd: AsyncFd<Unshared>) -> u32 {
        let mut guard = fd.writable_mut().await.unwrap();
        guard.get_inner_mut().1.set(1);
        drop(guard);
        fd.async_io_mut(Interest::WRITABLE, |fd| Ok(fd.1.get() + 1))
            .await
            .unwrap()
    }
    run(async {
        let (near, _far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        // SAFETY: the stream keeps its descriptor until it is dropped.
        let fd = unsafe { AsyncFd::register(Unshared(near, std::cell::Cell::new(0))) }.unwrap();
        // Spawning asks for a future that is `Send`.
        assert_eq!(zokio::spawn(wait(fd)).await.unwrap(), 2);
    });
}

#[test]
fn a_part_of_readiness_can_be_cleared() {
    run(async {
        let (near, mut far) = watched();
        far.write_all(b"x").unwrap();
        near.readable().await.unwrap().retain_ready();
        let mut guard = near
            .ready(Interest::READABLE | Interest::WRITABLE)
            .await
            .unwrap();
        assert!(guard.ready().is_readable() && guard.ready().is_writable());
        guard.clear_ready_matching(Ready::READABLE);
        assert_eq!(guard.ready(), Ready::WRITABLE);
        drop(guard);
        let early = zokio::time::timeout(Duration::from_millis(20), near.readable()).await;
        assert!(early.is_err());
        near.writable().await.unwrap().retain_ready();
    });
}

#[test]
fn what_cannot_be_watched_comes_back() {
    run(async {
        let file = tempfile::tempfile().unwrap();
        // SAFETY: the file keeps its descriptor until it is dropped.
        let error = unsafe { AsyncFd::register(file) }.unwrap_err();
        let (_file, cause) = error.into_parts();
        assert_eq!(cause.kind(), ErrorKind::PermissionDenied);
        let (near, _far) = watched();
        drop(near.into_inner());
    });
}
