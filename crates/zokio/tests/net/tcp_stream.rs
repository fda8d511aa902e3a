//! Streams: connecting, looking ahead, ends and errors of connections, options, giving streams away.

#[cfg(unix)]
use crate::kit::plain_runtime;
use crate::kit::{LOOPBACK, connected, deserted, now, on_both};
use socket2::SockRef;
use std::future::poll_fn;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;
use zokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest, ReadBuf};
use zokio::net::{TcpListener, TcpStream};

#[test]
fn connecting_takes_the_first_address_that_works() {
    on_both(|| async {
        let listener = TcpListener::bind(LOOPBACK).await.unwrap();
        let somebody = listener.local_addr().unwrap();
        let nobody = deserted().await;
        let list = [nobody, somebody];
        let (client, accepted) = zokio::join!(TcpStream::connect(&list[..]), listener.accept());
        let client = client.unwrap();
        assert_eq!(client.peer_addr().unwrap(), somebody);
        assert_eq!(client.local_addr().unwrap(), accepted.unwrap().1);
        let error = TcpStream::connect(&[nobody, nobody][..]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let none: &[SocketAddr] = &[];
        let error = TcpStream::connect(none).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
#[cfg(target_os = "linux")]
fn an_address_that_the_system_does_not_even_try_is_passed_over() {
    on_both(|| async {
        let listener = TcpListener::bind(LOOPBACK).await.unwrap();
        let somebody = listener.local_addr().unwrap();
        let everybody: SocketAddr = "255.255.255.255:9".parse().unwrap();
        let error = TcpStream::connect(everybody).await.unwrap_err();
        assert_ne!(error.kind(), ErrorKind::ConnectionRefused);
        let list = [everybody, somebody];
        let client = TcpStream::connect(&list[..]).await.unwrap();
        assert_eq!(client.peer_addr().unwrap(), somebody);
    });
}

#[test]
fn a_name_leads_to_whichever_of_its_addresses_is_listened_on() {
    on_both(|| async {
        let listener = TcpListener::bind(LOOPBACK).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connecting = TcpStream::connect(("localhost", port));
        let (client, accepted) = zokio::join!(connecting, listener.accept());
        assert_eq!(client.unwrap().local_addr().unwrap(), accepted.unwrap().1);
    });
}

#[test]
fn looking_ahead_takes_nothing() {
    on_both(|| async {
        let (mut near, mut far) = connected().await;
        let mut buf = [0; 16];
        let mut space = [0; 8];
        let mut filled = ReadBuf::new(&mut space);
        filled.put_slice(b"0");
        let pending = now(poll_fn(|cx| far.poll_peek(cx, &mut filled)));
        assert!(pending.is_none());
        near.write_all(b"hello").await.unwrap();
        let seen = poll_fn(|cx| far.poll_peek(cx, &mut filled)).await;
        assert_eq!((seen.unwrap(), filled.filled()), (5, &b"0hello"[..]));
        // Only what fits is seen.
        let seen = poll_fn(|cx| far.poll_peek(cx, &mut filled)).await;
        assert_eq!((seen.unwrap(), filled.filled()), (2, &b"0hellohe"[..]));
        assert_eq!(far.peek(&mut buf[..3]).await.unwrap(), 3);
        assert_eq!(far.read(&mut buf).await.unwrap(), 5);
        assert_eq!(&buf[..5], b"hello");
        // An end is seen too.
        drop(near);
        assert_eq!(far.peek(&mut buf).await.unwrap(), 0);
        let mut filled = ReadBuf::new(&mut buf);
        let seen = poll_fn(|cx| far.poll_peek(cx, &mut filled)).await;
        assert_eq!((seen.unwrap(), filled.filled().len()), (0, 0));
    });
}

#[test]
fn one_side_can_end_while_the_other_goes_on() {
    on_both(|| async {
        let (mut near, mut far) = connected().await;
        near.write_all(b"question").await.unwrap();
        near.shutdown().await.unwrap();
        let mut text = String::new();
        far.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "question");
        let ready = far.ready(Interest::READABLE).await.unwrap();
        assert!(ready.is_readable());
        // Elsewhere an end is known once it was read.
        assert!(ready.is_read_closed() || cfg!(not(unix)));
        // An end stays one.
        assert_eq!(far.read(&mut [0; 1]).await.unwrap(), 0);
        far.write_all(b"answer").await.unwrap();
        let mut buf = [0; 6];
        near.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"answer");
        let error = near.write(b"more").await.unwrap_err();
        if cfg!(unix) {
            assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        }
        near.shutdown().await.unwrap();
    });
}

#[test]
#[cfg(unix)] // Elsewhere the peer may be told of an end.
fn a_connection_that_was_reset_says_so_and_can_be_shut_down() {
    on_both(|| async {
        let (near, mut far) = connected().await;
        near.set_zero_linger().unwrap();
        assert_eq!(near.linger().unwrap(), Some(Duration::ZERO));
        drop(near);
        let error = far.read(&mut [0; 1]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        // Told once; what is left is an end.
        assert_eq!(far.read(&mut [0; 1]).await.unwrap(), 0);
        let error = far.write(b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        far.shutdown().await.unwrap();
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_pending_error_can_be_taken() {
    on_both(|| async {
        let (near, far) = connected().await;
        assert!(far.take_error().unwrap().is_none());
        near.set_zero_linger().unwrap();
        drop(near);
        let ready = far.ready(Interest::ERROR).await.unwrap();
        assert!(ready.is_error());
        let error = far.take_error().unwrap().unwrap();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert!(far.take_error().unwrap().is_none());
    });
}

#[test]
fn slices_are_written_in_one_go() {
    on_both(|| async {
        let (mut near, mut far) = connected().await;
        assert!(near.is_write_vectored());
        let slices = [&b"one "[..], b"", b"two ", b"three"].map(std::io::IoSlice::new);
        assert_eq!(near.write_vectored(&slices).await.unwrap(), 13);
        near.flush().await.unwrap();
        near.shutdown().await.unwrap();
        let mut text = String::new();
        far.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "one two three");
    });
}

#[test]
#[allow(deprecated)] // It is there all the same.
fn options_are_those_of_the_system() {
    on_both(|| async {
        let (near, _far) = connected().await;
        let system = SockRef::from(&near);
        for on in [true, false] {
            near.set_nodelay(on).unwrap();
            assert_eq!(
                (near.nodelay().unwrap(), system.tcp_nodelay().unwrap()),
                (on, on)
            );
        }
        for ttl in [1, 64] {
            near.set_ttl(ttl).unwrap();
            assert_eq!((near.ttl().unwrap(), system.ttl_v4().unwrap()), (ttl, ttl));
        }
        for linger in [Some(Duration::from_secs(2)), None] {
            near.set_linger(linger).unwrap();
            assert_eq!(
                (near.linger().unwrap(), system.linger().unwrap()),
                (linger, linger)
            );
        }
    });
}

#[test]
#[cfg(target_os = "linux")]
fn acknowledging_at_once_can_be_chosen() {
    plain_runtime().block_on(async {
        let (near, _far) = connected().await;
        for on in [false, true] {
            near.set_quickack(on).unwrap();
            assert_eq!(near.quickack().unwrap(), on);
            assert_eq!(SockRef::from(&near).tcp_quickack().unwrap(), on);
        }
    });
}

#[test]
fn streams_come_from_the_standard_library() {
    on_both(|| async {
        let listener = TcpListener::bind(LOOPBACK).await.unwrap();
        let std = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        std.set_nonblocking(true).unwrap();
        let address = std.local_addr().unwrap();
        let (mut far, peer) = listener.accept().await.unwrap();
        assert_eq!(peer, address);
        let mut near = TcpStream::try_from(std).unwrap();
        assert_eq!(near.as_ref().local_addr().unwrap(), address);
        far.write_all(b"hello").await.unwrap();
        let mut buf = [0; 5];
        near.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"hello");
    });
}

#[test]
fn streams_go_to_the_standard_library_with_what_was_not_read() {
    on_both(|| async {
        let (mut near, mut far) = connected().await;
        near.write_all(b"hello").await.unwrap();
        assert_eq!(far.read_u8().await.unwrap(), b'h');
        let mut std = far.into_std().unwrap();
        let mut buf = [0; 4];
        std.read_exact(&mut buf).unwrap();
        assert_eq!(&buf, b"ello");
        // It is still in non-blocking mode.
        assert_eq!(
            std.read(&mut buf).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        std.set_nonblocking(false).unwrap();
        std.write_all(b"there").unwrap();
        drop(std);
        let mut text = String::new();
        near.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "there");
    });
}

#[test]
fn a_dropped_stream_ends_the_connection() {
    on_both(|| async {
        let (near, mut far) = connected().await;
        drop(near);
        assert_eq!(far.read(&mut [0; 1]).await.unwrap(), 0);
    });
}

#[test]
#[cfg(unix)]
fn a_stream_shows_its_addresses_and_its_descriptor() {
    use std::os::fd::{AsFd, AsRawFd};
    plain_runtime().block_on(async {
        let (near, _far) = connected().await;
        let text = format!("{near:?}");
        assert!(text.contains(&near.local_addr().unwrap().to_string()));
        assert!(text.contains(&near.peer_addr().unwrap().to_string()));
        assert_eq!(near.as_fd().as_raw_fd(), near.as_raw_fd());
    });
}

/// The system ends a read in front of the urgent mark. No event announces what is there already behind
/// it.
#[test]
#[cfg(target_os = "linux")]
fn what_stands_behind_the_urgent_mark_is_read() {
    on_both(|| async {
        let (mut near, far) = connected().await;
        far.writable().await.unwrap();
        let mut buf = [0; 64];
        // All of it has arrived before the first read.
        assert_eq!(far.try_write(b"ab").unwrap(), 2);
        let urgent = socket2::SockRef::from(&far).send_out_of_band(b"!");
        assert_eq!(urgent.unwrap(), 1);
        assert_eq!(far.try_write(b"cd").unwrap(), 2);
        zokio::time::sleep(std::time::Duration::from_millis(20)).await;
        let mut all = Vec::new();
        while all.len() < 4 {
            let count = near.read(&mut buf).await.unwrap();
            all.extend_from_slice(&buf[..count]);
        }
        assert_eq!(all, b"abcd");
    });
}
