//! Datagrams between sockets: each way of sending and of receiving, waiting, and giving sockets away.

#[cfg(unix)]
use crate::kit::plain_runtime;
use crate::kit::{LOOPBACK, Wakes, connected_datagrams, has_ipv6, now, on_both};
use bytes::BytesMut;
use socket2::SockRef;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Context;
use zokio::io::{Interest, ReadBuf};
use zokio::net::UdpSocket;

async fn bound() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind(LOOPBACK).await.unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// Has the system say that nothing is there, so that nothing is assumed any more.
async fn drain(socket: &UdpSocket) {
    while now(socket.readable()).is_some() {
        let blocked = socket.try_recv(&mut []).unwrap_err();
        assert_eq!(blocked.kind(), ErrorKind::WouldBlock);
        zokio::task::yield_now().await;
    }
}

#[test]
fn every_way_of_sending_reaches_the_peer() {
    on_both(|| async {
        let (near, far) = connected_datagrams().await;
        assert_eq!(near.send(b"send").await.unwrap(), 4);
        assert_eq!(poll_fn(|cx| near.poll_send(cx, b"poll")).await.unwrap(), 4);
        near.writable().await.unwrap();
        assert_eq!(near.try_send(b"try").unwrap(), 3);
        let (loose, _) = bound().await;
        let target = far.local_addr().unwrap();
        // A connected socket hears its peer only.
        assert_eq!(loose.send_to(b"stranger", target).await.unwrap(), 8);
        assert_eq!(near.send(b"last").await.unwrap(), 4);
        let mut buf = [0; 16];
        for expected in [&b"send"[..], b"poll", b"try", b"last"] {
            let len = far.recv(&mut buf).await.unwrap();
            assert_eq!(&buf[..len], expected);
        }
    });
}

#[test]
fn every_way_of_sending_to_an_address_reaches_it() {
    on_both(|| async {
        let ((near, from), (far, target)) = (bound().await, bound().await);
        assert_eq!(near.send_to(b"send", target).await.unwrap(), 4);
        // A list: the first address is taken.
        let list = [target, "127.0.0.1:9".parse().unwrap()];
        assert_eq!(near.send_to(b"list", &list[..]).await.unwrap(), 4);
        let sent = poll_fn(|cx| near.poll_send_to(cx, b"poll", target)).await;
        assert_eq!(sent.unwrap(), 4);
        assert_eq!(near.try_send_to(b"try", target).unwrap(), 3);
        let mut buf = [0; 16];
        for expected in [&b"send"[..], b"list", b"poll", b"try"] {
            let (len, sender) = far.recv_from(&mut buf).await.unwrap();
            assert_eq!((&buf[..len], sender), (expected, from));
        }
        let none: &[SocketAddr] = &[];
        let error = near.send_to(b"nowhere", none).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn every_way_of_receiving_takes_one_datagram() {
    on_both(|| async {
        let (near, far) = connected_datagrams().await;
        for number in 0..5_u8 {
            near.send(&[b'a' + number; 3]).await.unwrap();
        }
        let mut buf = [0; 8];
        assert_eq!(far.recv(&mut buf).await.unwrap(), 3);
        assert_eq!(&buf[..3], b"aaa");
        let mut space = [0; 8];
        let mut filled = ReadBuf::new(&mut space);
        filled.put_slice(b"0");
        poll_fn(|cx| far.poll_recv(cx, &mut filled)).await.unwrap();
        // Behind what was there.
        assert_eq!(filled.filled(), b"0bbb");
        far.readable().await.unwrap();
        assert_eq!(far.try_recv(&mut buf).unwrap(), 3);
        assert_eq!(&buf[..3], b"ccc");
        let mut bytes = BytesMut::from(&b"1"[..]);
        bytes.reserve(8);
        assert_eq!(far.recv_buf(&mut bytes).await.unwrap(), 3);
        assert_eq!(far.try_recv_buf(&mut bytes).unwrap(), 3);
        assert_eq!(&bytes[..], b"1dddeee");
        let empty = far.try_recv_buf(&mut bytes).unwrap_err();
        assert_eq!(empty.kind(), ErrorKind::WouldBlock);
        assert_eq!(&bytes[..], b"1dddeee");
    });
}

#[test]
fn every_way_of_receiving_tells_the_sender() {
    on_both(|| async {
        let ((near, from), (far, target)) = (bound().await, bound().await);
        for number in 0..5_u8 {
            near.send_to(&[b'a' + number; 3], target).await.unwrap();
        }
        let mut buf = [0; 8];
        assert_eq!(far.recv_from(&mut buf).await.unwrap(), (3, from));
        assert_eq!(&buf[..3], b"aaa");
        let mut filled = ReadBuf::new(&mut buf);
        let sender = poll_fn(|cx| far.poll_recv_from(cx, &mut filled)).await;
        assert_eq!((filled.filled(), sender.unwrap()), (&b"bbb"[..], from));
        far.readable().await.unwrap();
        assert_eq!(far.try_recv_from(&mut buf).unwrap(), (3, from));
        assert_eq!(&buf[..3], b"ccc");
        let mut bytes = Vec::with_capacity(8);
        assert_eq!(far.recv_buf_from(&mut bytes).await.unwrap(), (3, from));
        assert_eq!(far.try_recv_buf_from(&mut bytes).unwrap(), (3, from));
        assert_eq!(bytes, b"dddeee");
        let empty = far.try_recv_buf_from(&mut bytes).unwrap_err();
        assert_eq!(empty.kind(), ErrorKind::WouldBlock);
        let empty = far.try_recv_from(&mut buf).unwrap_err();
        assert_eq!(empty.kind(), ErrorKind::WouldBlock);
    });
}

#[test]
#[cfg(unix)] // Elsewhere a datagram that does not fit is an error.
fn what_does_not_fit_is_cut_off() {
    on_both(|| async {
        let (near, far) = connected_datagrams().await;
        for _ in 0..4 {
            near.send(b"a long one").await.unwrap();
        }
        near.send(b"short").await.unwrap();
        let mut buf = [0; 6];
        assert_eq!(far.recv(&mut buf).await.unwrap(), 6);
        let mut filled = ReadBuf::new(&mut buf);
        poll_fn(|cx| far.poll_recv(cx, &mut filled)).await.unwrap();
        assert_eq!(filled.filled(), b"a long");
        assert_eq!(far.recv_buf(&mut &mut buf[..2]).await.unwrap(), 2);
        let mut limited = bytes::BufMut::limit(BytesMut::new(), 3);
        assert_eq!(far.recv_buf_from(&mut limited).await.unwrap().0, 3);
        assert_eq!(&limited.get_ref()[..], b"a l");
        // Nothing of the rest is left.
        assert_eq!(far.recv(&mut buf).await.unwrap(), 5);
        assert_eq!(&buf[..5], b"short");
    });
}

#[test]
fn an_empty_datagram_is_one() {
    on_both(|| async {
        let (near, far) = connected_datagrams().await;
        assert_eq!(near.send(b"").await.unwrap(), 0);
        near.send(b"next").await.unwrap();
        let mut buf = [0; 8];
        assert_eq!(far.recv(&mut buf).await.unwrap(), 0);
        assert_eq!(far.recv(&mut buf).await.unwrap(), 4);
    });
}

#[test]
fn too_much_for_a_datagram_is_an_error_and_nothing_is_sent() {
    on_both(|| async {
        let (near, far) = connected_datagrams().await;
        let huge = vec![0; 70_000];
        assert!(near.send(&huge).await.is_err());
        assert!(near.try_send(&huge).is_err());
        assert!(poll_fn(|cx| near.poll_send(cx, &huge)).await.is_err());
        near.send(b"fits").await.unwrap();
        assert_eq!(far.recv(&mut [0; 8]).await.unwrap(), 4);
    });
}

#[test]
fn a_receiver_that_waits_is_woken_by_each_kind_of_poll() {
    on_both(|| async {
        let (near, far) = connected_datagrams().await;
        drain(&far).await;
        let mut space = [0; 8];
        let mut buf = ReadBuf::new(&mut space);
        type Check = fn(&UdpSocket, &mut Context<'_>, &mut ReadBuf<'_>) -> bool;
        let checks: [Check; 5] = [
            |socket, cx, _| socket.poll_recv_ready(cx).is_pending(),
            |socket, cx, buf| socket.poll_recv(cx, buf).is_pending(),
            |socket, cx, buf| socket.poll_recv_from(cx, buf).is_pending(),
            |socket, cx, buf| socket.poll_peek(cx, buf).is_pending(),
            |socket, cx, _| socket.poll_peek_sender(cx).is_pending(),
        ];
        for is_pending in checks {
            let ((first, one), (last, other)) = (Wakes::new(), Wakes::new());
            assert!(is_pending(&far, &mut Context::from_waker(&one), &mut buf));
            assert!(is_pending(&far, &mut Context::from_waker(&other), &mut buf));
            assert!(buf.filled().is_empty());
            near.send(b"wake").await.unwrap();
            far.readable().await.unwrap();
            // The last to poll is woken, and it alone.
            while last.count() == 0 {
                zokio::task::yield_now().await;
            }
            assert_eq!((first.count(), last.count()), (0, 1));
            poll_fn(|cx| far.poll_recv_ready(cx)).await.unwrap();
            assert_eq!(far.recv(&mut [0; 8]).await.unwrap(), 4);
            drain(&far).await;
        }
    });
}

#[test]
fn readiness_says_what_can_be_done() {
    on_both(|| async {
        let (near, far) = connected_datagrams().await;
        poll_fn(|cx| near.poll_send_ready(cx)).await.unwrap();
        near.writable().await.unwrap();
        drain(&far).await;
        let both = Interest::READABLE | Interest::WRITABLE;
        let ready = far.ready(both).await.unwrap();
        assert!(ready.is_writable() && !ready.is_readable());
        near.send(b"here").await.unwrap();
        let ready = far.ready(Interest::READABLE).await.unwrap();
        assert!(ready.is_readable() && !ready.is_writable());
        // Until somebody takes it.
        far.readable().await.unwrap();
        assert_eq!(far.try_recv(&mut [0; 8]).unwrap(), 4);
    });
}

#[test]
fn own_operations_run_when_the_socket_is_ready() {
    on_both(|| async {
        let (near, far) = connected_datagrams().await;
        drain(&far).await;
        let calls = std::cell::Cell::new(0);
        let receive = || {
            calls.set(calls.get() + 1);
            let mut space = [std::mem::MaybeUninit::uninit(); 8];
            SockRef::from(&far).recv(&mut space)
        };
        let blocked = far.try_io(Interest::READABLE, receive).unwrap_err();
        assert_eq!((blocked.kind(), calls.get()), (ErrorKind::WouldBlock, 0));
        let (received, ()) = zokio::join!(far.async_io(Interest::READABLE, receive), async {
            zokio::task::yield_now().await;
            near.send(b"own").await.unwrap();
        });
        assert_eq!(received.unwrap(), 3);
        near.send(b"again").await.unwrap();
        far.readable().await.unwrap();
        assert_eq!(far.try_io(Interest::READABLE, receive).unwrap(), 5);
        // The result of the operation is returned.
        let failed = far.async_io(Interest::WRITABLE, || {
            Err::<(), _>(std::io::Error::other("own"))
        });
        assert_eq!(failed.await.unwrap_err().to_string(), "own");
    });
}

#[test]
fn one_socket_sends_and_receives_in_several_tasks() {
    on_both(|| async {
        let (near, far) = connected_datagrams().await;
        let near = Arc::new(near);
        let receivers: Vec<_> = (0..8)
            .map(|_| {
                let near = near.clone();
                zokio::spawn(async move {
                    let mut buf = [0; 8];
                    let len = near.recv(&mut buf).await.unwrap();
                    assert_eq!(len, 1);
                    buf[0]
                })
            })
            .collect();
        zokio::task::yield_now().await;
        for number in 0..8_u8 {
            far.send(&[number]).await.unwrap();
        }
        let mut received = Vec::new();
        for receiver in receivers {
            received.push(receiver.await.unwrap());
        }
        received.sort_unstable();
        assert_eq!(received, [0, 1, 2, 3, 4, 5, 6, 7]);
    });
}

#[test]
fn a_peer_is_there_once_it_was_connected_to() {
    on_both(|| async {
        let ((near, _), (_far, target)) = (bound().await, bound().await);
        let error = near.peer_addr().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConnected);
        assert!(near.send(b"to whom?").await.is_err());
        near.connect(target).await.unwrap();
        assert_eq!(near.peer_addr().unwrap(), target);
        // Another peer can be chosen at any time.
        let (_other, other) = bound().await;
        near.connect(other).await.unwrap();
        assert_eq!(near.peer_addr().unwrap(), other);
    });
}

#[test]
fn connecting_and_binding_take_the_first_address_that_works() {
    on_both(|| async {
        let ((near, _), (_far, target)) = (bound().await, bound().await);
        let none: &[SocketAddr] = &[];
        let error = near.connect(none).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let error = UdpSocket::bind(none).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        // A socket of the other family cannot go there.
        let wrong: SocketAddr = "[::1]:9".parse().unwrap();
        assert!(near.connect(wrong).await.is_err());
        assert!(near.peer_addr().is_err());
        near.connect(&[wrong, target][..]).await.unwrap();
        assert_eq!(near.peer_addr().unwrap(), target);
        let error = UdpSocket::bind(target).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        let free: SocketAddr = LOOPBACK.parse().unwrap();
        let other = UdpSocket::bind(&[target, free][..]).await.unwrap();
        assert_ne!(other.local_addr().unwrap().port(), target.port());
    });
}

#[test]
fn datagrams_of_ipv6_carry_its_addresses() {
    if !has_ipv6() {
        return;
    }
    on_both(|| async {
        let near = UdpSocket::bind("[::1]:0").await.unwrap();
        let far = UdpSocket::bind("[::1]:0").await.unwrap();
        let target = far.local_addr().unwrap();
        assert!(target.is_ipv6());
        near.send_to(b"six", target).await.unwrap();
        let mut buf = Vec::with_capacity(8);
        let (len, from) = far.recv_buf_from(&mut buf).await.unwrap();
        assert_eq!((len, from), (3, near.local_addr().unwrap()));
    });
}

#[test]
fn sockets_come_from_the_standard_library_and_go_back() {
    on_both(|| async {
        let std = std::net::UdpSocket::bind(LOOPBACK).unwrap();
        std.set_nonblocking(true).unwrap();
        let address = std.local_addr().unwrap();
        let socket = UdpSocket::try_from(std).unwrap();
        assert_eq!(socket.local_addr().unwrap(), address);
        // It has been waited for, so it is known to the runtime.
        assert!(now(socket.recv(&mut [0; 4])).is_none());
        let std = socket.into_std().unwrap();
        assert_eq!(std.local_addr().unwrap(), address);
        let blocked = std.recv(&mut [0; 4]).unwrap_err();
        assert_eq!(blocked.kind(), ErrorKind::WouldBlock);
        let socket = UdpSocket::from_std(std).unwrap();
        let (near, from) = bound().await;
        near.send_to(b"back", address).await.unwrap();
        assert_eq!(socket.recv_from(&mut [0; 8]).await.unwrap(), (4, from));
    });
}

#[test]
#[cfg(unix)]
fn a_socket_shows_its_address_and_its_descriptor() {
    use std::os::fd::{AsFd, AsRawFd};
    plain_runtime().block_on(async {
        let (socket, address) = bound().await;
        assert!(format!("{socket:?}").contains(&address.to_string()));
        assert_eq!(socket.as_fd().as_raw_fd(), socket.as_raw_fd());
        let same = SockRef::from(&socket).local_addr().unwrap();
        assert_eq!(same.as_socket(), Some(address));
    });
}

#[test]
#[cfg(target_os = "linux")]
fn an_error_of_the_network_is_told_once() {
    on_both(|| async {
        let ((near, _), (gone, nobody)) = (bound().await, bound().await);
        drop(gone);
        near.connect(nobody).await.unwrap();
        assert!(near.take_error().unwrap().is_none());
        near.send(b"anybody?").await.unwrap();
        let ready = near.ready(Interest::ERROR).await.unwrap();
        assert!(ready.is_error());
        let error = near.take_error().unwrap().unwrap();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert!(near.take_error().unwrap().is_none());
        // Or to who sends next.
        near.send(b"anybody?").await.unwrap();
        near.ready(Interest::ERROR).await.unwrap();
        let error = near.send(b"really?").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        near.send(b"really?").await.unwrap();
    });
}
