//! `UnixDatagram`: addresses, datagrams with and without them, and what the system refuses.

use crate::kit::{assert_kind, assert_would_block, on_both, path, run, single};
use bytes::{BufMut, BytesMut};
use std::future::poll_fn;
use std::io::ErrorKind;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net;
use std::sync::Arc;
use zokio::io::unix::AsyncFd;
use zokio::io::{Interest, ReadBuf};
use zokio::net::{UnixDatagram, UnixSocket};
use zokio::time::timeout;

#[test]
fn a_pair_keeps_the_bounds_of_datagrams() {
    on_both(|| async {
        let (near, far) = UnixDatagram::pair().unwrap();
        assert_eq!(near.send(b"one").await.unwrap(), 3);
        assert_eq!(near.send(b"").await.unwrap(), 0);
        assert_eq!(near.send(b"three").await.unwrap(), 5);
        let mut buf = [0; 16];
        assert_eq!(far.recv(&mut buf).await.unwrap(), 3);
        assert_eq!(&buf[..3], b"one");
        assert_eq!(far.recv(&mut buf).await.unwrap(), 0);
        // The rest of a datagram that does not fit is cut off.
        assert_eq!(far.recv(&mut buf[..2]).await.unwrap(), 2);
        assert_eq!(&buf[..2], b"th");
        assert_would_block(far.try_recv(&mut buf));
        far.send(b"back").await.unwrap();
        let (len, from) = near.recv_from(&mut buf).await.unwrap();
        assert_eq!(&buf[..len], b"back");
        assert!(from.is_unnamed());
    });
}

#[test]
fn names_are_paths_and_tell_who_has_sent() {
    on_both(|| async {
        let (folder, server_path) = path("server");
        let client_path = folder.path().join("client");
        let server = UnixDatagram::bind(&server_path).unwrap();
        let client = UnixDatagram::bind(&client_path).unwrap();
        let local = server.local_addr().unwrap();
        assert_eq!(local.as_pathname(), Some(server_path.as_path()));
        assert!(!local.is_unnamed());
        assert_kind(client.peer_addr(), ErrorKind::NotConnected);
        client.connect(&server_path).unwrap();
        let peer = client.peer_addr().unwrap();
        assert_eq!(peer.as_pathname(), Some(server_path.as_path()));
        client.send(b"hello").await.unwrap();
        let mut buf = [0; 16];
        let (len, from) = server.recv_from(&mut buf).await.unwrap();
        assert_eq!(&buf[..len], b"hello");
        let back = from.as_pathname().unwrap();
        assert_eq!(back, client_path);
        // However it is received.
        let mut vec = Vec::with_capacity(64);
        client.send(b"again").await.unwrap();
        let (len, from) = server.recv_buf_from(&mut vec).await.unwrap();
        assert_eq!((len, from.as_pathname()), (5, Some(back)));
        client.send(b"again").await.unwrap();
        let (len, from) = server.try_recv_buf_from(&mut vec).unwrap();
        assert_eq!((len, from.as_pathname()), (5, Some(back)));
        client.send(b"again").await.unwrap();
        let mut room = ReadBuf::new(&mut buf);
        let from = poll_fn(|cx| server.poll_recv_from(cx, &mut room))
            .await
            .unwrap();
        assert_eq!((room.filled().len(), from.as_pathname()), (5, Some(back)));
        assert_eq!(server.send_to(b"world", back).await.unwrap(), 5);
        assert_eq!(client.recv(&mut buf).await.unwrap(), 5);
        // Somebody else is not heard by a socket that is connected.
        let other = UnixDatagram::unbound().unwrap();
        let refused = other.send_to(b"psst", &client_path).await;
        if cfg!(target_os = "linux") {
            assert_kind(refused, ErrorKind::PermissionDenied);
        }
        // Another peer takes the place of the first.
        let second_path = folder.path().join("second");
        let second = UnixDatagram::bind(&second_path).unwrap();
        client.connect(&second_path).unwrap();
        client.send(b"moved").await.unwrap();
        assert_eq!(second.recv(&mut buf).await.unwrap(), 5);
        assert_would_block(server.try_recv(&mut buf));
    });
}

#[test]
fn a_socket_without_a_name_sends_as_nobody() {
    on_both(|| async {
        let (_folder, path) = path("server");
        let server = UnixDatagram::bind(&path).unwrap();
        let client = UnixDatagram::unbound().unwrap();
        let local = client.local_addr().unwrap();
        assert!(local.is_unnamed());
        assert_eq!(local.as_pathname(), None);
        let mut buf = [0; 16];
        let mut vec = Vec::with_capacity(16);
        client.send_to(b"one", &path).await.unwrap();
        assert!(server.recv_from(&mut buf).await.unwrap().1.is_unnamed());
        client.send_to(b"two", &path).await.unwrap();
        assert!(server.recv_buf_from(&mut vec).await.unwrap().1.is_unnamed());
        client.send_to(b"three", &path).await.unwrap();
        let received = server.try_recv_buf_from(&mut vec).unwrap();
        assert!(received.1.is_unnamed());
        assert_eq!(vec, b"twothree");
    });
}

#[test]
fn what_the_system_refuses_is_an_error() {
    on_both(|| async {
        let (folder, bound_path) = path("bound");
        let missing = folder.path().join("missing");
        let bound = UnixDatagram::bind(&bound_path).unwrap();
        assert_kind(UnixDatagram::bind(&bound_path), ErrorKind::AddrInUse);
        let socket = UnixDatagram::unbound().unwrap();
        assert_kind(socket.connect(&missing), ErrorKind::NotFound);
        assert_kind(socket.send_to(b"x", &missing).await, ErrorKind::NotFound);
        assert_kind(socket.try_send_to(b"x", &missing), ErrorKind::NotFound);
        assert_kind(socket.send(b"x").await, ErrorKind::NotConnected);
        // The path outlives the socket, and nobody is behind it.
        drop(bound);
        let refused = socket.send_to(b"x", &bound_path).await;
        assert_kind(refused, ErrorKind::ConnectionRefused);
        assert_kind(socket.connect(&bound_path), ErrorKind::ConnectionRefused);
        let (near, far) = UnixDatagram::pair().unwrap();
        drop(far);
        assert!(near.send(b"x").await.is_err());
        assert!(near.take_error().unwrap().is_none());
    });
}

#[test]
#[cfg(target_os = "linux")]
fn names_without_a_path_are_told_without_their_zero() {
    use crate::kit::abstract_name;
    use std::os::linux::net::SocketAddrExt;
    on_both(|| async {
        let (server_name, client_name) = (abstract_name("server"), abstract_name("client"));
        let bound = |name: &str| {
            let socket = UnixSocket::new_datagram().unwrap();
            socket.bind(format!("\0{name}")).unwrap();
            socket.datagram().unwrap()
        };
        let server = bound(&server_name);
        let client = bound(&client_name);
        let local = server.local_addr().unwrap();
        assert_eq!(local.as_abstract_name(), Some(server_name.as_bytes()));
        assert_eq!((local.as_pathname(), local.is_unnamed()), (None, false));
        assert!(format!("{local:?}").contains("(abstract)"));
        // Connected by the standard library, which takes addresses, and taken over.
        let client = client.into_std().unwrap();
        let address = net::SocketAddr::from_abstract_name(&server_name).unwrap();
        client.connect_addr(&address).unwrap();
        let client = UnixDatagram::from_std(client).unwrap();
        client.send(b"x").await.unwrap();
        let mut buf = [0; 4];
        let mut vec = Vec::with_capacity(4);
        let (_, from) = server.recv_from(&mut buf).await.unwrap();
        assert_eq!(from.as_abstract_name(), Some(client_name.as_bytes()));
        client.send(b"y").await.unwrap();
        let (_, from) = server.recv_buf_from(&mut vec).await.unwrap();
        assert_eq!(from.as_abstract_name(), Some(client_name.as_bytes()));
        let address: net::SocketAddr = from.clone().into();
        assert_eq!(address.as_abstract_name(), Some(client_name.as_bytes()));
        let again = zokio::net::unix::SocketAddr::from(address);
        assert_eq!(again.as_abstract_name(), from.as_abstract_name());
    });
}

#[test]
fn growable_buffers_grow_by_what_was_received() {
    on_both(|| async {
        let (_folder, path) = path("server");
        let server = UnixDatagram::bind(&path).unwrap();
        let client = UnixDatagram::unbound().unwrap();
        client.connect(&path).unwrap();
        let mut buf = BytesMut::with_capacity(16);
        buf.extend_from_slice(b"> ");
        assert_would_block(server.try_recv_buf(&mut buf));
        assert_would_block(server.try_recv_buf_from(&mut buf));
        for word in [b"a", b"b", b"c", b"d"] {
            client.send(word).await.unwrap();
        }
        assert_eq!(server.recv_buf(&mut buf).await.unwrap(), 1);
        assert_eq!(server.try_recv_buf(&mut buf).unwrap(), 1);
        assert_eq!(server.recv_buf_from(&mut buf).await.unwrap().0, 1);
        assert_eq!(server.try_recv_buf_from(&mut buf).unwrap().0, 1);
        assert_eq!(&buf[..], b"> abcd");
        // No more than the buffer takes.
        client.send(b"too long").await.unwrap();
        let mut limited = BytesMut::with_capacity(64).limit(3);
        assert_eq!(server.recv_buf(&mut limited).await.unwrap(), 3);
        assert_eq!(&limited.get_ref()[..], b"too");
        assert_would_block(server.try_recv_buf(&mut buf));
    });
}

#[test]
fn a_side_that_is_shut_down_is_at_its_end() {
    on_both(|| async {
        let (near, far) = UnixDatagram::pair().unwrap();
        far.send(b"last").await.unwrap();
        near.shutdown(Shutdown::Write).unwrap();
        assert_kind(near.send(b"x").await, ErrorKind::BrokenPipe);
        assert_kind(near.try_send(b"x"), ErrorKind::BrokenPipe);
        let mut buf = [0; 8];
        assert_eq!(near.recv(&mut buf).await.unwrap(), 4);
        // A receiver that waits is at the end as well.
        let near = Arc::new(near);
        let waits = [near.clone(), near.clone()]
            .map(|near| zokio::spawn(async move { near.recv(&mut [0; 4]).await.unwrap() }));
        zokio::task::yield_now().await;
        near.shutdown(Shutdown::Both).unwrap();
        for wait in waits {
            assert_eq!(wait.await.unwrap(), 0);
        }
        assert_eq!(near.recv(&mut buf).await.unwrap(), 0);
        assert_eq!(near.try_recv(&mut buf).unwrap(), 0);
        let (len, from) = near.recv_from(&mut buf).await.unwrap();
        assert_eq!((len, from.is_unnamed()), (0, true));
        let mut vec = Vec::with_capacity(4);
        assert_eq!(near.recv_buf(&mut vec).await.unwrap(), 0);
        let (len, from) = near.try_recv_buf_from(&mut vec).unwrap();
        assert_eq!((len, from.is_unnamed()), (0, true));
        if cfg!(target_os = "linux") {
            assert_kind(far.send(b"x").await, ErrorKind::BrokenPipe);
        }
    });
}

#[test]
#[cfg(target_os = "linux")]
fn what_would_block_although_it_is_closed_leaves_others_their_turn() {
    use std::time::Duration;
    on_both(|| async {
        // Shut down where nobody here has seen it; the system says that a receive would block.
        let (near, _far) = net::UnixDatagram::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        near.shutdown(Shutdown::Read).unwrap();
        let near = UnixDatagram::from_std(near).unwrap();
        let short = Duration::from_millis(5);
        let received = timeout(short, near.recv(&mut [0; 4])).await;
        assert!(received.is_err());
        let mut room = [0; 4];
        let mut buf = ReadBuf::new(&mut room);
        let received = timeout(short, poll_fn(|cx| near.poll_recv(cx, &mut buf))).await;
        assert!(received.is_err());
        // SAFETY: the socket keeps its descriptor until it is dropped.
        let mut fd = unsafe { AsyncFd::register(near.into_std().unwrap()) }.unwrap();
        let receive = fd.async_io(Interest::READABLE, |near| near.recv(&mut [0; 4]));
        assert!(timeout(short, receive).await.is_err());
        let receive = fd.async_io_mut(Interest::READABLE, |near| near.recv(&mut [0; 4]));
        assert!(timeout(short, receive).await.is_err());
    });
}

#[test]
fn sockets_go_to_the_standard_library_and_come_back() {
    on_both(|| async {
        let (near, far) = UnixDatagram::pair().unwrap();
        // Watched already.
        assert_would_block(near.try_recv(&mut [0; 4]));
        let number = near.as_raw_fd();
        assert_eq!(near.as_fd().as_raw_fd(), number);
        assert!(format!("{near:?}").contains(&number.to_string()));
        let near: net::UnixDatagram = near.into_std().unwrap();
        assert_eq!(near.as_raw_fd(), number);
        // Still in non-blocking mode.
        assert_would_block(near.recv(&mut [0; 4]));
        near.send(b"std").unwrap();
        assert_eq!(far.recv(&mut [0; 4]).await.unwrap(), 3);
        let near = UnixDatagram::from_std(near).unwrap();
        far.send(b"back").await.unwrap();
        assert_eq!(near.recv(&mut [0; 4]).await.unwrap(), 4);
        let near = UnixDatagram::try_from(near.into_std().unwrap()).unwrap();
        far.send(b"again").await.unwrap();
        assert_eq!(near.recv(&mut [0; 8]).await.unwrap(), 5);
    });
}

#[test]
#[should_panic(expected = "there is no reactor running")]
fn outside_of_a_runtime_it_panics() {
    let _ = UnixDatagram::unbound();
}

#[test]
fn without_its_runtime_operations_are_errors_and_what_is_there_can_be_taken() {
    let runtime = single();
    let (near, far) = runtime.block_on(async { UnixDatagram::pair().unwrap() });
    drop(runtime);
    run(async {
        assert_kind(far.send(b"x").await, ErrorKind::Other);
        assert_kind(near.recv(&mut [0; 4]).await, ErrorKind::Other);
        assert_kind(near.readable().await, ErrorKind::Other);
        // A runtime that is there can take it over.
        let far = far.into_std().unwrap();
        let near = UnixDatagram::from_std(near.into_std().unwrap()).unwrap();
        far.send(b"y").unwrap();
        assert_eq!(near.recv(&mut [0; 4]).await.unwrap(), 1);
    });
}
