//! TCP sockets that are set up by hand: options, addresses, and what becomes of them.

use crate::kit::{LOOPBACK, deserted, has_ipv6, on_both};
use socket2::{Domain, SockRef, Socket, Type};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;
use zokio::io::{AsyncReadExt, AsyncWriteExt};
use zokio::net::{TcpListener, TcpSocket};

fn loopback() -> SocketAddr {
    LOOPBACK.parse().unwrap()
}

/// A socket as users make one by other means, to be taken over.
fn std_socket() -> std::net::TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket.into()
}

#[test]
fn switches_are_what_they_were_set_to() {
    let socket = TcpSocket::new_v4().unwrap();
    assert!(!socket.keepalive().unwrap() && !socket.nodelay().unwrap());
    for on in [true, false] {
        socket.set_keepalive(on).unwrap();
        socket.set_reuseaddr(on).unwrap();
        socket.set_nodelay(on).unwrap();
        assert_eq!(socket.keepalive().unwrap(), on);
        assert_eq!(socket.reuseaddr().unwrap(), on);
        assert_eq!(socket.nodelay().unwrap(), on);
    }
}

#[test]
fn buffers_are_at_least_as_large_as_was_asked() {
    let socket = TcpSocket::new_v4().unwrap();
    for size in [16 << 10, 64 << 10] {
        socket.set_send_buffer_size(size).unwrap();
        socket.set_recv_buffer_size(size).unwrap();
        // Linux reserves as much again for itself.
        let larger = if cfg!(target_os = "linux") {
            2 * size
        } else {
            size
        };
        assert_eq!(socket.send_buffer_size().unwrap(), larger);
        assert_eq!(socket.recv_buffer_size().unwrap(), larger);
    }
}

#[test]
#[allow(deprecated)] // It is there all the same.
fn lingering_is_what_it_was_set_to() {
    let socket = TcpSocket::new_v4().unwrap();
    assert_eq!(socket.linger().unwrap(), None);
    socket.set_linger(Some(Duration::from_secs(3))).unwrap();
    assert_eq!(socket.linger().unwrap(), Some(Duration::from_secs(3)));
    socket.set_linger(None).unwrap();
    assert_eq!(socket.linger().unwrap(), None);
    socket.set_zero_linger().unwrap();
    assert_eq!(socket.linger().unwrap(), Some(Duration::ZERO));
}

#[test]
#[cfg(unix)] // Elsewhere the peer may be told of an end.
fn a_connection_that_does_not_linger_is_reset() {
    on_both(|| async {
        let listener = TcpListener::bind(LOOPBACK).await.unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_zero_linger().unwrap();
        let connecting = socket.connect(listener.local_addr().unwrap());
        let (client, accepted) = zokio::join!(connecting, listener.accept());
        drop(client.unwrap());
        let error = accepted.unwrap().0.read(&mut [0; 1]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_socket_that_is_bound_has_that_address() {
    on_both(|| async {
        let listener = TcpSocket::new_v4().unwrap();
        listener.bind(loopback()).unwrap();
        let address = listener.local_addr().unwrap();
        assert!(address.ip().is_loopback() && address.port() != 0);
        let listener = listener.listen(8).unwrap();
        assert_eq!(listener.local_addr().unwrap(), address);
        let socket = TcpSocket::new_v4().unwrap();
        assert_eq!(
            socket.bind(address).unwrap_err().kind(),
            ErrorKind::AddrInUse
        );
        socket.bind(loopback()).unwrap();
        let from = socket.local_addr().unwrap();
        let (client, accepted) = zokio::join!(socket.connect(address), listener.accept());
        let client = client.unwrap();
        assert_eq!(
            (client.local_addr().unwrap(), accepted.unwrap().1),
            (from, from)
        );
        assert_eq!(client.peer_addr().unwrap(), address);
    });
}

#[test]
fn options_outlive_the_connection_being_made() {
    on_both(|| async {
        let listener = TcpListener::bind(LOOPBACK).await.unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_keepalive(true).unwrap();
        let connecting = socket.connect(listener.local_addr().unwrap());
        let client = connecting.await.unwrap();
        assert!(client.nodelay().unwrap());
        assert!(SockRef::from(&client).keepalive().unwrap());
    });
}

#[test]
fn sockets_of_one_family_stay_there() {
    on_both(|| async {
        if !has_ipv6() {
            return;
        }
        let listener = TcpSocket::new_v6().unwrap();
        listener.bind("[::1]:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        assert!(address.is_ipv6());
        let listener = listener.listen(8).unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        assert!(socket.bind("[::1]:0".parse().unwrap()).is_err());
        assert!(socket.connect(address).await.is_err());
        let socket = TcpSocket::new_v6().unwrap();
        let (client, accepted) = zokio::join!(socket.connect(address), listener.accept());
        assert_eq!(accepted.unwrap().1, client.unwrap().local_addr().unwrap());
    });
}

#[test]
fn a_refused_connection_is_an_error() {
    on_both(|| async {
        let nobody = deserted().await;
        let connecting = TcpSocket::new_v4().unwrap().connect(nobody);
        let error = connecting.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn sockets_of_the_standard_library_are_taken_over() {
    on_both(|| async {
        let socket = TcpSocket::from_std_stream(std_socket());
        socket.bind(loopback()).unwrap();
        let address = socket.local_addr().unwrap();
        let listener = socket.listen(u32::MAX).unwrap();
        let socket = TcpSocket::from_std_stream(std_socket());
        assert!(socket.take_error().unwrap().is_none());
        let (client, accepted) = zokio::join!(socket.connect(address), listener.accept());
        client.unwrap().write_all(b"hello").await.unwrap();
        let mut text = String::new();
        accepted.unwrap().0.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "hello");
    });
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
    use std::os::unix::net::UnixStream;

    #[test]
    fn several_sockets_share_a_port_if_each_says_so() {
        on_both(|| async {
            let first = TcpSocket::new_v4().unwrap();
            assert!(!first.reuseport().unwrap());
            first.set_reuseport(true).unwrap();
            assert!(first.reuseport().unwrap());
            first.bind(loopback()).unwrap();
            let address = first.local_addr().unwrap();
            let _first = first.listen(8).unwrap();
            let selfish = TcpSocket::new_v4().unwrap();
            assert_eq!(
                selfish.bind(address).unwrap_err().kind(),
                ErrorKind::AddrInUse
            );
            let second = TcpSocket::new_v4().unwrap();
            second.set_reuseport(true).unwrap();
            second.bind(address).unwrap();
            let second = second.listen(8).unwrap();
            assert_eq!(second.local_addr().unwrap(), address);
        });
    }

    #[test]
    fn what_is_no_socket_of_ip_has_no_such_address() {
        let (local, _peer) = UnixStream::pair().unwrap();
        let socket = TcpSocket::from_std_stream(OwnedFd::from(local).into());
        let error = socket.local_addr().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }

    #[test]
    #[allow(unsafe_code)] // Nothing else takes a raw descriptor.
    fn sockets_are_descriptors_and_back() {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(loopback()).unwrap();
        let address = socket.local_addr().unwrap();
        let raw = socket.as_raw_fd();
        assert_eq!(socket.as_fd().as_raw_fd(), raw);
        assert!(format!("{socket:?}").contains(&raw.to_string()));
        assert_eq!(socket.into_raw_fd(), raw);
        // SAFETY: the descriptor was given away just before.
        let socket = unsafe { TcpSocket::from_raw_fd(raw) };
        assert_eq!(socket.local_addr().unwrap(), address);
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use super::*;
    use crate::kit::{now, plain_runtime};
    use std::io;
    use std::pin::Pin;
    use zokio::net::TcpStream;

    type Connecting = Pin<Box<dyn Future<Output = io::Result<TcpStream>>>>;

    /// A listener without room for more, the connections that stand, and one that has to wait.
    fn crowded() -> (TcpListener, Vec<std::net::TcpStream>, Connecting) {
        const LONG_ENOUGH: Duration = Duration::from_millis(100);
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(loopback()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut standing = Vec::new();
        while let Ok(client) = std::net::TcpStream::connect_timeout(&address, LONG_ENOUGH) {
            standing.push(client);
            assert!(standing.len() < 16, "the listener has room for all");
        }
        let socket = TcpSocket::new_v4().unwrap();
        let mut connecting: Connecting = Box::pin(socket.connect(address));
        assert!(now(connecting.as_mut()).is_none(), "there is no room");
        (listener, standing, connecting)
    }

    #[test]
    fn a_connection_that_waits_for_room_is_refused_when_the_listener_goes() {
        on_both(|| async {
            let (listener, _standing, waiting) = crowded();
            drop(listener);
            let error = waiting.await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        });
    }

    #[test]
    fn a_connection_that_waits_for_room_is_made_when_there_is_some() {
        on_both(|| async {
            let (listener, standing, waiting) = crowded();
            for client in &standing {
                let (_, peer) = listener.accept().await.unwrap();
                assert_eq!(peer, client.local_addr().unwrap());
            }
            let (client, accepted) = zokio::join!(waiting, listener.accept());
            let (mut client, (mut stream, peer)) = (client.unwrap(), accepted.unwrap());
            assert_eq!(peer, client.local_addr().unwrap());
            client.write_all(b"x").await.unwrap();
            assert_eq!(stream.read_u8().await.unwrap(), b'x');
        });
    }

    #[test]
    #[allow(deprecated)] // The old names do the same.
    fn the_class_of_packets_is_that_of_the_system() {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_tos_v4(0x10).unwrap();
        assert_eq!(
            (socket.tos_v4().unwrap(), socket.tos().unwrap()),
            (0x10, 0x10)
        );
        socket.set_tos(0x08).unwrap();
        assert_eq!(SockRef::from(&socket).tos_v4().unwrap(), 0x08);
        if has_ipv6() {
            let socket = TcpSocket::new_v6().unwrap();
            socket.set_tclass_v6(0x20).unwrap();
            assert_eq!(socket.tclass_v6().unwrap(), 0x20);
            assert_eq!(SockRef::from(&socket).tclass_v6().unwrap(), 0x20);
        }
    }

    #[test]
    fn a_socket_can_be_bound_to_an_interface() {
        plain_runtime().block_on(async {
            let socket = TcpSocket::new_v4().unwrap();
            assert_eq!(socket.device().unwrap(), None);
            assert!(socket.bind_device(Some(b"no-such-device")).is_err());
            socket.bind_device(Some(b"lo")).unwrap();
            assert_eq!(socket.device().unwrap().as_deref(), Some(&b"lo"[..]));
            // It works there.
            let listener = TcpListener::bind(LOOPBACK).await.unwrap();
            let address = listener.local_addr().unwrap();
            let client = socket.connect(address).await.unwrap();
            assert_eq!(client.peer_addr().unwrap(), address);
        });
    }
}

#[cfg(windows)]
mod windows {
    use super::*;
    use std::os::windows::io::{AsRawSocket, AsSocket, FromRawSocket, IntoRawSocket};

    #[test]
    #[allow(unsafe_code)] // Nothing else takes a raw socket.
    fn sockets_are_raw_sockets_and_back() {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(loopback()).unwrap();
        let address = socket.local_addr().unwrap();
        let raw = socket.as_raw_socket();
        assert_eq!(socket.as_socket().as_raw_socket(), raw);
        assert_eq!(socket.into_raw_socket(), raw);
        // SAFETY: the socket was given away just before.
        let socket = unsafe { TcpSocket::from_raw_socket(raw) };
        assert_eq!(socket.local_addr().unwrap(), address);
    }
}
