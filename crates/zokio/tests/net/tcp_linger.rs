//! Streams that linger: dropping one keeps no worker waiting, wherever the option came from.
#![allow(deprecated)] // `set_linger` is what this is about.

use crate::kit::{LOOPBACK, plain_runtime};
use std::io::Read;
use std::net::TcpStream as Peer;
use std::time::{Duration, Instant};
use zokio::net::{TcpListener, TcpSocket, TcpStream};

/// How long a close waits. A test that waits for one fails.
const LINGER: Option<Duration> = Some(Duration::from_secs(60));

/// A connection to a peer that does not read.
async fn connected_to_thread() -> (TcpStream, Peer) {
    let listener = std::net::TcpListener::bind(LOOPBACK).unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await;
    (stream.unwrap(), listener.accept().unwrap().0)
}

/// Writes until there is no more room on the way. Returns how much that was.
async fn fill(stream: &TcpStream) -> usize {
    let mut written = 0;
    while zokio::time::timeout(Duration::from_millis(100), stream.writable())
        .await
        .is_ok()
    {
        written += stream.try_write(&[7; 64 * 1024]).unwrap_or(0);
    }
    written
}

/// Makes a stream that lingers, fills and drops it by `release` on a runtime of one thread. The drop returns
/// at once; a thread of the pool waits, and all bytes arrive.
fn check<F: Future<Output = (TcpStream, Peer)>>(make: impl FnOnce() -> F, release: fn(TcpStream)) {
    let runtime = plain_runtime();
    let (written, mut peer) = runtime.block_on(async {
        let (stream, peer) = make().await;
        assert_eq!(stream.linger().unwrap(), LINGER);
        let written = fill(&stream).await;
        let before = Instant::now();
        release(stream);
        assert!(
            before.elapsed() < Duration::from_secs(20),
            "the drop waited"
        );
        (written, peer)
    });
    assert_eq!(runtime.metrics().num_blocking_threads(), 1);
    // The end of the runtime waits for the close, which waits for the peer to read.
    let ending = std::thread::spawn(move || drop(runtime));
    let mut heard = Vec::new();
    peer.read_to_end(&mut heard).unwrap();
    assert_eq!(heard.len(), written);
    ending.join().unwrap();
}

#[test]
fn a_stream_that_was_told_to_linger() {
    let make = || async {
        let (stream, peer) = connected_to_thread().await;
        stream.set_linger(LINGER).unwrap();
        (stream, peer)
    };
    check(make, drop);
    check(make, |stream| drop(stream.into_split()));
    check(make, |stream| {
        let (read, write) = stream.into_split();
        drop(write.reunite(read).unwrap());
    });
}

#[test]
fn a_stream_whose_descriptor_was_lent() {
    let make = || async {
        let (stream, peer) = connected_to_thread().await;
        socket2::SockRef::from(&stream).set_linger(LINGER).unwrap();
        (stream, peer)
    };
    check(make, drop);
}

#[test]
fn a_stream_that_was_taken_over() {
    let make = || async {
        let (stream, peer) = connected_to_thread().await;
        stream.set_linger(LINGER).unwrap();
        let stream = TcpStream::from_std(stream.into_std().unwrap()).unwrap();
        (stream, peer)
    };
    check(make, drop);
}

#[test]
fn a_stream_whose_socket_was_told_to_linger() {
    let make = || async {
        let listener = std::net::TcpListener::bind(LOOPBACK).unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_linger(LINGER).unwrap();
        let stream = socket.connect(listener.local_addr().unwrap()).await;
        (stream.unwrap(), listener.accept().unwrap().0)
    };
    check(make, drop);
}

/// The system hands the option on from a listener to what it accepts.
#[cfg(target_os = "linux")]
#[test]
fn a_stream_that_a_lingering_listener_accepted() {
    async fn accept(listener: TcpListener) -> (TcpStream, Peer) {
        let peer = Peer::connect(listener.local_addr().unwrap()).unwrap();
        (listener.accept().await.unwrap().0, peer)
    }
    let by_socket = || async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_linger(LINGER).unwrap();
        socket.bind(LOOPBACK.parse().unwrap()).unwrap();
        accept(socket.listen(4).unwrap()).await
    };
    check(by_socket, drop);
    let by_descriptor = || async {
        let listener = TcpListener::bind(LOOPBACK).await.unwrap();
        let lent = socket2::SockRef::from(&listener);
        lent.set_linger(LINGER).unwrap();
        accept(listener).await
    };
    check(by_descriptor, drop);
}

/// A stream that resets its connection, and one that does not linger any more, are closed where they are dropped.
#[test]
fn streams_that_do_not_linger_need_no_thread() {
    let runtime = plain_runtime();
    runtime.block_on(async {
        for linger in [Some(Duration::ZERO), None] {
            let (stream, _peer) = connected_to_thread().await;
            stream.set_linger(LINGER).unwrap();
            stream.set_linger(linger).unwrap();
            fill(&stream).await;
            drop(stream);
        }
    });
    assert_eq!(runtime.metrics().num_blocking_threads(), 0);
}
