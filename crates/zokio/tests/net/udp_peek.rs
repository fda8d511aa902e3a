//! Looking at datagrams without taking them.

use crate::kit::{LOOPBACK, connected_datagrams, now, on_both};
use std::future::poll_fn;
use std::io::ErrorKind;
use zokio::io::ReadBuf;
use zokio::net::UdpSocket;

#[test]
fn looking_at_what_the_peer_sent_leaves_it() {
    on_both(|| async {
        let (near, far) = connected_datagrams().await;
        near.send(b"first").await.unwrap();
        near.send(b"second").await.unwrap();
        let mut buf = [0; 16];
        for _ in 0..2 {
            assert_eq!(far.peek(&mut buf).await.unwrap(), 5);
            assert_eq!(&buf[..5], b"first");
            assert_eq!(far.try_peek(&mut buf[5..]).unwrap(), 5);
            assert_eq!(&buf[5..10], b"first");
            let mut filled = ReadBuf::new(&mut buf);
            filled.put_slice(b"0");
            poll_fn(|cx| far.poll_peek(cx, &mut filled)).await.unwrap();
            assert_eq!(filled.filled(), b"0first");
        }
        assert_eq!(far.recv(&mut buf).await.unwrap(), 5);
        assert_eq!(far.peek(&mut buf).await.unwrap(), 6);
        assert_eq!(&buf[..6], b"second");
    });
}

#[test]
fn looking_tells_the_sender_and_leaves_the_datagram() {
    on_both(|| async {
        let near = UdpSocket::bind(LOOPBACK).await.unwrap();
        let far = UdpSocket::bind(LOOPBACK).await.unwrap();
        let from = near.local_addr().unwrap();
        let target = far.local_addr().unwrap();
        near.send_to(b"datagram", target).await.unwrap();
        let mut buf = [0; 16];
        for _ in 0..2 {
            assert_eq!(far.peek_from(&mut buf).await.unwrap(), (8, from));
            assert_eq!(&buf[..8], b"datagram");
            assert_eq!(far.try_peek_from(&mut buf[8..]).unwrap(), (8, from));
            assert_eq!(&buf[8..], b"datagram");
            let mut filled = ReadBuf::new(&mut buf);
            let sender = poll_fn(|cx| far.poll_peek_from(cx, &mut filled)).await;
            assert_eq!((filled.filled(), sender.unwrap()), (&b"datagram"[..], from));
        }
        assert_eq!(far.recv_from(&mut buf).await.unwrap(), (8, from));
        let empty = far.try_peek_from(&mut buf).unwrap_err();
        assert_eq!(empty.kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn looking_for_the_sender_takes_nothing() {
    on_both(|| async {
        let near = UdpSocket::bind(LOOPBACK).await.unwrap();
        let far = UdpSocket::bind(LOOPBACK).await.unwrap();
        let from = near.local_addr().unwrap();
        assert!(now(far.peek_sender()).is_none());
        let empty = far.try_peek_sender().unwrap_err();
        assert_eq!(empty.kind(), ErrorKind::WouldBlock);
        let (sender, ()) = zokio::join!(poll_fn(|cx| far.poll_peek_sender(cx)), async {
            zokio::task::yield_now().await;
            near.send_to(b"x", far.local_addr().unwrap()).await.unwrap();
        });
        assert_eq!(sender.unwrap(), from);
        assert_eq!(far.try_peek_sender().unwrap(), from);
        assert_eq!(far.peek_sender().await.unwrap(), from);
        assert_eq!(far.recv_from(&mut [0; 4]).await.unwrap(), (1, from));
    });
}

#[test]
fn looking_when_nothing_is_there_waits_or_says_so() {
    on_both(|| async {
        let (near, far) = connected_datagrams().await;
        let mut buf = [0; 8];
        assert_eq!(
            far.try_peek(&mut buf).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        let (seen, ()) = zokio::join!(far.peek(&mut buf), async {
            zokio::task::yield_now().await;
            near.send(b"late").await.unwrap();
        });
        assert_eq!(seen.unwrap(), 4);
        assert_eq!(&buf[..4], b"late");
    });
}

#[test]
#[cfg(unix)] // Elsewhere looking at a part is an error.
fn looking_at_a_part_leaves_the_whole() {
    on_both(|| async {
        let (near, far) = connected_datagrams().await;
        near.send(b"datagram").await.unwrap();
        let mut buf = [0; 4];
        assert_eq!(far.peek(&mut buf).await.unwrap(), 4);
        assert_eq!(&buf, b"data");
        assert_eq!(far.peek_from(&mut buf).await.unwrap().0, 4);
        let mut whole = [0; 16];
        assert_eq!(far.recv(&mut whole).await.unwrap(), 8);
    });
}
