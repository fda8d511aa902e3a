//! `UnixDatagram`: attempts, polls and waits, in both directions.

use crate::kit::{Counter, assert_kind, assert_would_block, now, on_both, path, run, settle};
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use zokio::io::{Interest, ReadBuf};
use zokio::net::UnixDatagram;

const BIG: [u8; 4096] = [7; 4096];

/// Sends until there is no room any more, and says how many datagrams had room.
fn fill(socket: &UnixDatagram) -> usize {
    let mut count = 0;
    loop {
        match socket.try_send(&BIG) {
            Ok(len) => assert_eq!(len, BIG.len()),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                return count;
            }
        }
        count += 1;
    }
}

#[test]
fn attempts_say_that_they_would_block() {
    on_both(|| async {
        let (near, far) = UnixDatagram::pair().unwrap();
        let mut buf = [0; 8192];
        assert_would_block(far.try_recv(&mut buf));
        assert_would_block(far.try_recv_from(&mut buf));
        let count = fill(&near);
        assert!(count > 0);
        assert_would_block(near.try_send(b"x"));
        for _ in 0..count {
            far.readable().await.unwrap();
            assert_eq!(far.try_recv_from(&mut buf).unwrap().0, BIG.len());
        }
        assert_would_block(far.try_recv_from(&mut buf));
        near.writable().await.unwrap();
        assert_eq!(near.try_send(b"x").unwrap(), 1);
    });
}

#[test]
fn a_sender_waits_for_room() {
    on_both(|| async {
        let (near, far) = UnixDatagram::pair().unwrap();
        let count = fill(&near);
        let near = Arc::new(near);
        let senders: Vec<_> = (0..3)
            .map(|_| {
                let near = near.clone();
                zokio::spawn(async move { near.send(&BIG).await.unwrap() })
            })
            .collect();
        let mut buf = [0; 8192];
        for _ in 0..count + senders.len() {
            assert_eq!(far.recv(&mut buf).await.unwrap(), BIG.len());
        }
        for sender in senders {
            assert_eq!(sender.await.unwrap(), BIG.len());
        }
        assert_would_block(far.try_recv(&mut buf));
    });
}

#[test]
fn a_sender_with_an_address_waits_for_room() {
    on_both(|| async {
        let (_folder, path) = path("server");
        let server = UnixDatagram::bind(&path).unwrap();
        let client = UnixDatagram::unbound().unwrap();
        let mut count = 0;
        while client.try_send_to(&BIG, &path).is_ok() {
            count += 1;
        }
        assert_would_block(client.try_send_to(&BIG, &path));
        let mut buf = [0; 8192];
        // The system does not always tell a sender that is not connected when there is room again.
        for _ in 0..count {
            assert_eq!(server.recv(&mut buf).await.unwrap(), BIG.len());
        }
        client.writable().await.unwrap();
        assert_eq!(client.send_to(b"x", &path).await.unwrap(), 1);
        let polled = poll_fn(|cx| client.poll_send_to(cx, b"yz", &path)).await;
        assert_eq!(polled.unwrap(), 2);
        assert_eq!(server.recv(&mut buf).await.unwrap(), 1);
        assert_eq!(server.recv(&mut buf).await.unwrap(), 2);
    });
}

#[test]
fn polls_are_pending_until_something_is_there() {
    on_both(|| async {
        let (near, far) = UnixDatagram::pair().unwrap();
        let receiver = zokio::spawn(async move {
            let mut room = [0; 16];
            let mut buf = ReadBuf::new(&mut room);
            buf.put_slice(b"> ");
            poll_fn(|cx| far.poll_recv_ready(cx)).await.unwrap();
            poll_fn(|cx| far.poll_recv(cx, &mut buf)).await.unwrap();
            let from = poll_fn(|cx| far.poll_recv_from(cx, &mut buf)).await;
            assert!(from.unwrap().is_unnamed());
            assert_eq!(buf.filled(), b"> onetwo");
            // No room is no reason to wait for.
            buf.clear();
            let mut none = [0; 0];
            let mut none = ReadBuf::new(&mut none);
            poll_fn(|cx| far.poll_recv(cx, &mut none)).await.unwrap();
            far
        });
        zokio::task::yield_now().await;
        poll_fn(|cx| near.poll_send_ready(cx)).await.unwrap();
        let sent = poll_fn(|cx| near.poll_send(cx, b"one")).await;
        assert_eq!(sent.unwrap(), 3);
        zokio::task::yield_now().await;
        near.send(b"two").await.unwrap();
        near.send(b"three").await.unwrap();
        let far = receiver.await.unwrap();
        // Cut off to nothing.
        assert_would_block(far.try_recv(&mut [0; 4]));
    });
}

#[test]
fn polls_of_a_sender_are_pending_until_there_is_room() {
    on_both(|| async {
        let (near, far) = UnixDatagram::pair().unwrap();
        let mut count = fill(&near);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(near.poll_send(&mut cx, &BIG).is_pending());
        assert!(near.poll_send_ready(&mut cx).is_pending());
        let sender = zokio::spawn(async move {
            poll_fn(|cx| near.poll_send_ready(cx)).await.unwrap();
            let sent = poll_fn(|cx| near.poll_send(cx, &BIG)).await;
            assert_eq!(sent.unwrap(), BIG.len());
            near
        });
        count += 1;
        let mut buf = [0; 8192];
        for _ in 0..count {
            assert_eq!(far.recv(&mut buf).await.unwrap(), BIG.len());
        }
        sender.await.unwrap();
    });
}

#[test]
fn of_those_who_poll_the_last_is_woken() {
    run(async {
        let (near, far) = UnixDatagram::pair().unwrap();
        let ((early, early_waker), (late, late_waker)) = (Counter::new(), Counter::new());
        let mut room = [0; 4];
        let mut buf = ReadBuf::new(&mut room);
        let mut early_cx = Context::from_waker(&early_waker);
        assert!(far.poll_recv(&mut early_cx, &mut buf).is_pending());
        let mut late_cx = Context::from_waker(&late_waker);
        assert!(far.poll_recv_from(&mut late_cx, &mut buf).is_pending());
        near.send(b"x").await.unwrap();
        settle().await;
        assert_eq!((early.count(), late.count()), (0, 1));
        let polled = far.poll_recv(&mut early_cx, &mut buf);
        assert!(matches!(polled, Poll::Ready(Ok(()))));
        assert_eq!(buf.filled(), b"x");
    });
}

#[test]
fn readiness_is_what_attempts_have_left_of_it() {
    run(async {
        let (near, far) = UnixDatagram::pair().unwrap();
        let both = Interest::READABLE | Interest::WRITABLE;
        let ready = far.ready(both).await.unwrap();
        assert!(ready.is_writable());
        near.send(b"x").await.unwrap();
        far.readable().await.unwrap();
        assert!(far.ready(Interest::READABLE).await.unwrap().is_readable());
        assert_eq!(far.try_recv(&mut [0; 4]).unwrap(), 1);
        assert_would_block(far.try_recv(&mut [0; 4]));
        settle().await;
        assert!(now(far.readable()).is_none());
        // A wait that was given up costs nothing.
        near.send(b"y").await.unwrap();
        far.readable().await.unwrap();
        assert_eq!(far.try_recv(&mut [0; 4]).unwrap(), 1);
    });
}

#[test]
fn other_operations_go_through_try_io_and_async_io() {
    run(async {
        let (near, far) = UnixDatagram::pair().unwrap();
        let peek = || {
            let mut room = [std::mem::MaybeUninit::uninit(); 8];
            socket2::SockRef::from(&far).peek(&mut room)
        };
        assert_would_block(far.try_io(Interest::READABLE, peek));
        let never = || -> io::Result<()> { unreachable!("nothing is there") };
        assert_would_block(far.try_io(Interest::READABLE, never));
        let send = async { near.send(b"four").await.unwrap() };
        let (peeked, _) = zokio::join!(far.async_io(Interest::READABLE, peek), send);
        assert_eq!(peeked.unwrap(), 4);
        assert_eq!(far.try_io(Interest::READABLE, peek).unwrap(), 4);
        let refused = far.try_io(Interest::READABLE, || {
            io::Result::<()>::Err(ErrorKind::InvalidData.into())
        });
        assert_kind(refused, ErrorKind::InvalidData);
        assert_eq!(far.recv(&mut [0; 8]).await.unwrap(), 4);
    });
}

#[test]
fn a_dropped_receive_takes_nothing() {
    on_both(|| async {
        let (near, far) = UnixDatagram::pair().unwrap();
        let mut buf = [0; 8];
        assert!(now(far.recv(&mut buf)).is_none());
        assert!(now(far.recv_from(&mut buf)).is_none());
        near.send(b"kept").await.unwrap();
        assert_eq!(far.recv(&mut buf).await.unwrap(), 4);
    });
}
