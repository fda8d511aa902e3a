//! Listeners: addresses, taking connections in each way, giving listeners away.

use crate::kit::{LOOPBACK, Wakes, has_ipv6, on_both, plain_runtime};
use std::future::poll_fn;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::task::Context;
use zokio::io::{AsyncReadExt, AsyncWriteExt};
use zokio::net::{TcpListener, TcpStream};

async fn listening() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[test]
fn a_listener_has_the_first_address_that_works() {
    on_both(|| async {
        let (_taken, address) = listening().await;
        assert_ne!(address.port(), 0);
        let error = TcpListener::bind(address).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        let free: SocketAddr = LOOPBACK.parse().unwrap();
        let other = TcpListener::bind(&[address, free][..]).await.unwrap();
        assert_ne!(other.local_addr().unwrap(), address);
        // Of several errors it is the last.
        let nowhere: SocketAddr = "192.0.2.1:0".parse().unwrap();
        let error = TcpListener::bind(&[nowhere, address][..])
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        let none: &[SocketAddr] = &[];
        let error = TcpListener::bind(none).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
#[cfg(unix)] // Elsewhere the option would let a port be taken away from who has it.
fn a_port_can_be_had_again_at_once() {
    on_both(|| async {
        let (listener, address) = listening().await;
        let (client, accepted) = zokio::join!(TcpStream::connect(address), listener.accept());
        // The side that closes first keeps the port for a while.
        drop((accepted.unwrap(), listener));
        let mut client = client.unwrap();
        assert_eq!(client.read(&mut [0; 1]).await.unwrap(), 0);
        drop(client);
        let again = TcpListener::bind(address).await.unwrap();
        assert_eq!(again.local_addr().unwrap(), address);
    });
}

#[test]
fn accepting_by_poll_waits_and_wakes_the_last() {
    on_both(|| async {
        let (listener, address) = listening().await;
        let ((first, one), (last, other)) = (Wakes::new(), Wakes::new());
        for waker in [&one, &other] {
            let mut cx = Context::from_waker(waker);
            assert!(listener.poll_accept(&mut cx).is_pending());
        }
        let mut client = TcpStream::connect(address).await.unwrap();
        while last.count() == 0 {
            zokio::task::yield_now().await;
        }
        assert_eq!((first.count(), last.count()), (0, 1));
        let (mut stream, peer) = poll_fn(|cx| listener.poll_accept(cx)).await.unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
        assert_eq!(stream.peer_addr().unwrap(), peer);
        assert_eq!(stream.local_addr().unwrap(), address);
        client.write_all(b"hello").await.unwrap();
        let mut buf = [0; 5];
        stream.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"hello");
    });
}

#[test]
fn connections_that_nobody_accepted_wait() {
    on_both(|| async {
        let (listener, address) = listening().await;
        let mut clients = Vec::new();
        for number in 0..5_u8 {
            let mut client = TcpStream::connect(address).await.unwrap();
            client.write_all(&[number]).await.unwrap();
            clients.push(client);
        }
        for client in &clients {
            let (mut stream, peer) = listener.accept().await.unwrap();
            assert_eq!(peer, client.local_addr().unwrap());
            let number = stream.read_u8().await.unwrap();
            assert_eq!(clients[usize::from(number)].local_addr().unwrap(), peer);
        }
    });
}

#[test]
fn an_accept_that_is_dropped_takes_no_connection() {
    on_both(|| async {
        let (listener, address) = listening().await;
        zokio::select! {
            biased;
            _ = listener.accept() => panic!("nobody is there"),
            () = async {} => {}
        }
        let client = TcpStream::connect(address).await.unwrap();
        let (_stream, peer) = listener.accept().await.unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
    });
}

#[test]
fn listeners_come_from_the_standard_library_and_go_back() {
    on_both(|| async {
        let std = std::net::TcpListener::bind(LOOPBACK).unwrap();
        std.set_nonblocking(true).unwrap();
        let address = std.local_addr().unwrap();
        let listener = TcpListener::try_from(std).unwrap();
        let (client, accepted) = zokio::join!(TcpStream::connect(address), listener.accept());
        assert_eq!(accepted.unwrap().1, client.unwrap().local_addr().unwrap());
        let std = listener.into_std().unwrap();
        assert_eq!(std.local_addr().unwrap(), address);
        assert_eq!(std.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
        let listener = TcpListener::from_std(std).unwrap();
        let (client, accepted) = zokio::join!(TcpStream::connect(address), listener.accept());
        assert_eq!(accepted.unwrap().1, client.unwrap().local_addr().unwrap());
    });
}

#[test]
fn a_listener_has_a_time_to_live() {
    plain_runtime().block_on(async {
        let (listener, _) = listening().await;
        for ttl in [1, 93] {
            listener.set_ttl(ttl).unwrap();
            assert_eq!(listener.ttl().unwrap(), ttl);
            let system = socket2::SockRef::from(&listener).ttl_v4();
            assert_eq!(system.unwrap(), ttl);
        }
        if cfg!(target_os = "linux") {
            assert!(listener.set_ttl(1_000).is_err());
            assert_eq!(listener.ttl().unwrap(), 93);
        }
    });
}

#[test]
#[cfg(unix)]
fn a_listener_shows_its_address_and_its_descriptor() {
    use std::os::fd::{AsFd, AsRawFd};
    plain_runtime().block_on(async {
        let (listener, address) = listening().await;
        assert!(format!("{listener:?}").contains(&address.to_string()));
        assert_eq!(listener.as_fd().as_raw_fd(), listener.as_raw_fd());
    });
}

#[test]
fn a_listener_of_ipv6_accepts() {
    if !has_ipv6() {
        return;
    }
    on_both(|| async {
        let listener = TcpListener::bind("[::1]:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, accepted) = zokio::join!(TcpStream::connect(address), listener.accept());
        let (_stream, peer) = accepted.unwrap();
        assert!(peer.is_ipv6());
        assert_eq!(peer, client.unwrap().local_addr().unwrap());
    });
}
