//! `UnixSocket`: what becomes of one, and what cannot.

use crate::kit::{assert_kind, now, on_both, path, run};
use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd};
use zokio::io::{AsyncReadExt, AsyncWriteExt};
use zokio::net::{UnixSocket, UnixStream};

#[test]
fn a_socket_becomes_a_listener_a_stream_or_datagrams() {
    on_both(|| async {
        let (folder, path) = path("listener");
        let socket = UnixSocket::new_stream().unwrap();
        socket.bind(&path).unwrap();
        let listener = socket.listen(16).unwrap();
        // A client may have a name too.
        let client_path = folder.path().join("client");
        let socket = UnixSocket::new_stream().unwrap();
        socket.bind(&client_path).unwrap();
        let mut near = socket.connect(&path).await.unwrap();
        let (mut far, from) = listener.accept().await.unwrap();
        assert_eq!(from.as_pathname(), Some(client_path.as_path()));
        near.write_all(b"hello").await.unwrap();
        assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 5);
        let datagram_path = folder.path().join("datagrams");
        let socket = UnixSocket::new_datagram().unwrap();
        socket.bind(&datagram_path).unwrap();
        let receiver = socket.datagram().unwrap();
        let sender = UnixSocket::new_datagram().unwrap().datagram().unwrap();
        sender.send_to(b"datagram", &datagram_path).await.unwrap();
        assert_eq!(receiver.recv(&mut [0; 16]).await.unwrap(), 8);
    });
}

#[test]
fn a_socket_of_the_wrong_kind_is_an_error() {
    run(async {
        let (_folder, path) = path("listener");
        let datagram = || UnixSocket::new_datagram().unwrap();
        let error = datagram().listen(1).unwrap_err();
        assert_eq!(
            error.to_string(),
            "listen cannot be called on a datagram socket"
        );
        let error = datagram().connect(&path).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "connect cannot be called on a datagram socket"
        );
        let stream = UnixSocket::new_stream().unwrap();
        let error = stream.datagram().unwrap_err();
        assert_eq!(
            error.to_string(),
            "datagram cannot be called on a stream socket"
        );
    });
}

#[test]
fn what_the_system_refuses_is_an_error() {
    run(async {
        let (_folder, path) = path("listener");
        let socket = || UnixSocket::new_stream().unwrap();
        assert_kind(socket().connect(&path).await, ErrorKind::NotFound);
        let first = socket();
        first.bind(&path).unwrap();
        assert_kind(socket().bind(&path), ErrorKind::AddrInUse);
        // Bound is not listening.
        assert_kind(socket().connect(&path).await, ErrorKind::ConnectionRefused);
        if cfg!(target_os = "linux") {
            assert_kind(socket().listen(1), ErrorKind::InvalidInput);
        }
    });
}

#[test]
#[cfg(target_os = "linux")]
fn only_so_many_connections_wait_to_be_accepted() {
    run(async {
        let (_folder, path) = path("listener");
        let socket = UnixSocket::new_stream().unwrap();
        socket.bind(&path).unwrap();
        let listener = socket.listen(0).unwrap();
        let mut near = UnixStream::connect(&path).await.unwrap();
        // The next one waits until there is room.
        assert!(now(UnixStream::connect(&path)).is_none());
        let (mut far, _) = listener.accept().await.unwrap();
        let _second = UnixStream::connect(&path).await.unwrap();
        far.write_all(b"x").await.unwrap();
        assert_eq!(near.read(&mut [0; 4]).await.unwrap(), 1);
    });
}

#[test]
fn sockets_are_made_of_descriptors_and_become_some() {
    run(async {
        let (_folder, path) = path("listener");
        let socket = UnixSocket::new_stream().unwrap();
        let number = socket.as_raw_fd();
        assert_eq!(socket.as_fd().as_raw_fd(), number);
        assert!(format!("{socket:?}").contains(&number.to_string()));
        let number = socket.into_raw_fd();
        // SAFETY: it was just given away, by its only owner.
        let socket = unsafe { UnixSocket::from_raw_fd(number) };
        assert_eq!(socket.as_raw_fd(), number);
        socket.bind(&path).unwrap();
        let listener = socket.listen(8).unwrap();
        assert_eq!(listener.as_raw_fd(), number);
        // They do not block.
        assert!(now(listener.accept()).is_none());
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_socket_that_is_neither_kind_can_be_used_as_far_as_it_goes() {
    run(async {
        let (_folder, path) = path("listener");
        let packets = || {
            let kind = socket2::Type::SEQPACKET.nonblocking();
            let socket = socket2::Socket::new(socket2::Domain::UNIX, kind, None).unwrap();
            // SAFETY: it was just given away, by its only owner.
            unsafe { UnixSocket::from_raw_fd(socket.into_raw_fd()) }
        };
        let socket = packets();
        socket.bind(&path).unwrap();
        let listener = socket.listen(8).unwrap();
        let mut near = packets().connect(&path).await.unwrap();
        let (mut far, _) = listener.accept().await.unwrap();
        // Bounds are kept, which is what such sockets are for.
        near.write_all(b"one").await.unwrap();
        near.write_all(b"two").await.unwrap();
        assert_eq!(far.read(&mut [0; 16]).await.unwrap(), 3);
        assert_eq!(far.read(&mut [0; 16]).await.unwrap(), 3);
    });
}

#[test]
#[cfg(debug_assertions)]
fn a_socket_in_blocking_mode_is_refused() {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use zokio::net::{UnixDatagram, UnixListener};
    fn refused<T>(take_over: impl FnOnce() -> std::io::Result<T>) -> bool {
        let payload = catch_unwind(AssertUnwindSafe(take_over)).err().unwrap();
        let message = payload.downcast_ref::<&str>().unwrap();
        message.contains("in blocking mode")
    }
    run(async {
        let (_folder, path) = path("listener");
        let listener = std::os::unix::net::UnixListener::bind(path).unwrap();
        assert!(refused(|| UnixListener::from_std(listener)));
        let (stream, _) = std::os::unix::net::UnixStream::pair().unwrap();
        assert!(refused(|| UnixStream::try_from(stream)));
        let socket = std::os::unix::net::UnixDatagram::unbound().unwrap();
        assert!(refused(|| UnixDatagram::from_std(socket)));
    });
}
