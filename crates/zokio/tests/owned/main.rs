//! The owned-buffer lanes: with the ring and without it, on one worker and on two, the same results; and
//! whatever is dropped in the middle, no byte, datagram, connection or buffer is lost.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, unreachable_pub)] // Peers are threads.

#[allow(dead_code)] // Shared with the cancellation ledger.
#[path = "../cancel/ledger.rs"]
mod ledger;
#[allow(dead_code)] // As above.
#[path = "../cancel/memory.rs"]
mod memory;

mod accept;
mod datagrams;
mod files;
mod recv;
mod send;
mod splice;

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

/// Polls `future` that many times and drops it, unless it is ready before.
pub async fn for_turns<F: Future>(turns: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut turn = 0;
    poll_fn(|cx| {
        if turn == turns {
            return Poll::Ready(None);
        }
        turn += 1;
        let polled = future.as_mut().poll(cx).map(Some);
        if polled.is_pending() {
            cx.waker().wake_by_ref();
        }
        polled
    })
    .await
}

/// How many futures each test drops for each runtime, at least.
pub fn drops() -> usize {
    ledger::rounds() / 5
}

/// Leaves a socket next to no room, so that whoever uses it waits often.
pub fn narrow(socket: &impl std::os::fd::AsFd) {
    let socket = socket2::SockRef::from(socket);
    socket.set_send_buffer_size(1).unwrap();
    socket.set_recv_buffer_size(1).unwrap();
}

/// Bytes in which no part looks like another close by.
pub fn pattern(len: usize) -> Vec<u8> {
    (0..len)
        .map(|at| (at % 251 + at / 251 % 7 * 31) as u8)
        .collect()
}

/// Two ends of a TCP connection.
pub async fn connection() -> (zokio::net::TcpStream, zokio::net::TcpStream) {
    let listener = zokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let near = zokio::net::TcpStream::connect(address).await.unwrap();
    (near, listener.accept().await.unwrap().0)
}
