//! Peers that have no room: a listener whose backlog is full, a datagram socket whose queue is. On
//! Linux, as other systems have other answers.

use crate::kit::{Counter, now, on_both, path, run, settle};
use std::future::poll_fn;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use zokio::net::{UnixDatagram, UnixListener, UnixSocket, UnixStream};
use zokio::runtime::Builder;
use zokio::time::timeout;

/// Not enough for what does not come.
const IMPATIENCE: Duration = Duration::from_millis(30);

/// A listener with the smallest backlog.
fn narrow(path: &Path) -> UnixListener {
    let socket = UnixSocket::new_stream().unwrap();
    socket.bind(path).unwrap();
    socket.listen(0).unwrap()
}

/// Connects in both ways, to a listener that has room for one at a time.
async fn connect_many() {
    let (_folder, path) = path("server");
    let listener = narrow(&path);
    let clients: Vec<_> = (0..8)
        .map(|number| {
            let path = path.clone();
            zokio::spawn(async move {
                if number % 2 == 0 {
                    return UnixStream::connect(&path).await;
                }
                UnixSocket::new_stream().unwrap().connect(&path).await
            })
        })
        .collect();
    let mut accepted = Vec::new();
    for _ in &clients {
        accepted.push(listener.accept().await.unwrap());
        zokio::task::yield_now().await;
    }
    for client in clients {
        client.await.unwrap().unwrap();
    }
}

#[test]
fn connecting_waits_for_room_in_the_backlog() {
    on_both(connect_many);
}

#[test]
fn connecting_waits_for_room_without_timers_and_with_a_stopped_clock() {
    let without_timers = Builder::new_current_thread().enable_io().build().unwrap();
    without_timers.block_on(connect_many());
    let stopped = Builder::new_current_thread().enable_all().build().unwrap();
    stopped.block_on(async {
        zokio::time::pause();
        let begun = zokio::time::Instant::now();
        connect_many().await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
    });
}

#[test]
fn a_connection_that_is_given_up_while_it_waits_is_not_made() {
    on_both(|| async {
        let (_folder, path) = path("server");
        let listener = narrow(&path);
        let _first = UnixStream::connect(&path).await.unwrap();
        let second = timeout(IMPATIENCE, UnixStream::connect(&path)).await;
        assert!(second.is_err(), "{second:?}");
        listener.accept().await.unwrap();
        assert!(timeout(IMPATIENCE, listener.accept()).await.is_err());
    });
}

#[test]
fn connecting_ends_with_an_error_once_the_listener_is_gone() {
    on_both(|| async {
        let (_folder, path) = path("server");
        let listener = narrow(&path);
        let _first = UnixStream::connect(&path).await.unwrap();
        let second = zokio::spawn(UnixStream::connect(path.clone()));
        zokio::task::yield_now().await;
        drop(listener);
        let error = second.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    });
}

/// A socket whose queue is full.
fn full(path: &Path) -> (UnixDatagram, usize) {
    let server = UnixDatagram::bind(path).unwrap();
    let other = std::os::unix::net::UnixDatagram::unbound().unwrap();
    other.set_nonblocking(true).unwrap();
    let mut count = 0;
    while other.send_to(b"first", path).is_ok() {
        count += 1;
    }
    assert!(count > 0);
    (server, count)
}

#[test]
fn a_sender_to_a_full_peer_sleeps_until_there_is_room() {
    run(async {
        let (_folder, path) = path("server");
        let (server, count) = full(&path);
        let client = UnixDatagram::unbound().unwrap();
        let (counter, waker) = Counter::new();
        let mut cx = Context::from_waker(&waker);
        let mut send = pin!(client.send_to(b"last", &path));
        assert!(send.as_mut().poll(&mut cx).is_pending());
        // The system says "writable" after each attempt. One more is made, and no third.
        for _ in 0..20 {
            settle().await;
            if counter.take_count() > 0 {
                assert!(send.as_mut().poll(&mut cx).is_pending());
            }
        }
        for _ in 0..20 {
            settle().await;
            assert_eq!(counter.take_count(), 0, "it does not sleep");
        }
        let mut buf = [0; 16];
        for _ in 0..count {
            assert_eq!(server.recv(&mut buf).await.unwrap(), 5);
        }
        assert_eq!(send.await.unwrap(), 4);
        assert_eq!(server.recv(&mut buf).await.unwrap(), 4);
    });
}

#[test]
fn a_sender_that_polls_sleeps_until_there_is_room_and_may_turn_to_another() {
    run(async {
        let (_folder, path) = path("server");
        let (server, count) = full(&path);
        let other_path = path.with_file_name("other");
        let other = UnixDatagram::bind(&other_path).unwrap();
        let client = UnixDatagram::unbound().unwrap();
        let (counter, waker) = Counter::new();
        let mut cx = Context::from_waker(&waker);
        assert!(client.poll_send_to(&mut cx, b"last", &path).is_pending());
        for _ in 0..20 {
            settle().await;
            if counter.take_count() > 0 {
                assert!(client.poll_send_to(&mut cx, b"last", &path).is_pending());
            }
        }
        for _ in 0..20 {
            settle().await;
            assert_eq!(counter.take_count(), 0, "it does not sleep");
        }
        // Somebody who has room is not kept waiting.
        let mut buf = [0; 16];
        let sent = poll_fn(|cx| client.poll_send_to(cx, b"it", &other_path)).await;
        assert_eq!(sent.unwrap(), 2);
        assert_eq!(other.recv(&mut buf).await.unwrap(), 2);
        let mut send = pin!(poll_fn(|cx| client.poll_send_to(cx, b"last", &path)));
        assert!(now(send.as_mut()).is_none());
        for _ in 0..count {
            assert_eq!(server.recv(&mut buf).await.unwrap(), 5);
        }
        assert_eq!(send.await.unwrap(), 4);
        assert_eq!(server.recv(&mut buf).await.unwrap(), 4);
    });
}

#[test]
fn all_of_many_senders_get_their_turn_at_a_full_peer() {
    on_both(|| async {
        let (_folder, path) = path("server");
        let (server, count) = full(&path);
        let shared = Arc::new(UnixDatagram::unbound().unwrap());
        let senders: Vec<_> = (0..6)
            .map(|number| {
                let (path, shared) = (path.clone(), shared.clone());
                zokio::spawn(async move {
                    let own = UnixDatagram::unbound().unwrap();
                    let client = if number < 3 { &*shared } else { &own };
                    for _ in 0..50 {
                        if number % 3 == 0 {
                            client.writable().await.unwrap();
                        }
                        client.send_to(b"more", &path).await.unwrap();
                    }
                })
            })
            .collect();
        let mut buf = [0; 16];
        for _ in 0..count + 6 * 50 {
            server.recv(&mut buf).await.unwrap();
        }
        for sender in senders {
            sender.await.unwrap();
        }
    });
}

#[test]
fn without_a_descriptor_for_waiting_a_sender_tries_again_and_again() {
    run(async {
        let (_folder, path) = path("server");
        let (server, count) = full(&path);
        let client = UnixDatagram::unbound().unwrap();
        settle().await;
        let mut limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: both calls read or write the live structure only.
        unsafe {
            assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0);
            // No number below this one is free.
            limit.rlim_cur = 3;
            assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0);
        }
        assert!(UnixDatagram::unbound().is_err());
        let sent = timeout(IMPATIENCE, client.send_to(b"last", &path)).await;
        assert!(sent.is_err(), "{sent:?}");
        let mut polled = pin!(poll_fn(|cx| client.poll_send_to(cx, b"last", &path)));
        assert!(timeout(IMPATIENCE, polled.as_mut()).await.is_err());
        let mut buf = [0; 16];
        for _ in 0..count {
            assert_eq!(server.recv(&mut buf).await.unwrap(), 5);
        }
        assert_eq!(polled.await.unwrap(), 4);
        assert_eq!(client.send_to(b"last", &path).await.unwrap(), 4);
        let is_end = poll_fn(|cx| {
            let mut buf = zokio::io::ReadBuf::new(&mut buf);
            Poll::Ready(server.poll_recv(cx, &mut buf).is_ready())
        });
        assert!(is_end.await);
    });
}
