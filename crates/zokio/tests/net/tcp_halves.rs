//! Halves of streams, borrowed and owned: each does what its stream does, and owned ones end the stream
//! by themselves or become it again.

use crate::kit::{connected, now, on_both};
use std::error::Error;
use std::future::poll_fn;
use std::io::{ErrorKind, IoSlice, IoSliceMut};
use zokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest, ReadBuf};

/// Checks the methods of both kinds of halves. `$read` and `$write` belong to one stream, `$peer` is the
/// other end.
macro_rules! check_halves {
    ($read:expr, $write:expr, $peer:expr) => {{
        let (read, write, peer) = (&mut $read, &mut $write, &mut $peer);
        let (local, remote) = (peer.peer_addr().unwrap(), peer.local_addr().unwrap());
        assert_eq!(
            (read.local_addr().unwrap(), read.peer_addr().unwrap()),
            (local, remote)
        );
        assert_eq!(
            (write.local_addr().unwrap(), write.peer_addr().unwrap()),
            (local, remote)
        );
        assert_eq!(read.as_ref().local_addr().unwrap(), local);
        assert!(std::ptr::eq(read.as_ref(), write.as_ref()));

        write.writable().await.unwrap();
        assert!(write.ready(Interest::WRITABLE).await.unwrap().is_writable());
        assert_eq!(write.try_write(b"one ").unwrap(), 4);
        let slices = [IoSlice::new(b"two "), IoSlice::new(b"three ")];
        assert_eq!(write.try_write_vectored(&slices).unwrap(), 10);
        assert!(write.is_write_vectored());
        assert_eq!(write.write_vectored(&slices).await.unwrap(), 10);
        write.write_all(b"four").await.unwrap();
        write.flush().await.unwrap();
        let mut buf = [0; 28];
        peer.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"one two three two three four");

        peer.write_all(b"abcdefghij").await.unwrap();
        read.readable().await.unwrap();
        assert!(read.ready(Interest::READABLE).await.unwrap().is_readable());
        assert_eq!(read.peek(&mut buf).await.unwrap(), 10);
        let mut filled = ReadBuf::new(&mut buf[..4]);
        let seen = poll_fn(|cx| read.poll_peek(cx, &mut filled)).await;
        assert_eq!((seen.unwrap(), filled.filled()), (4, &b"abcd"[..]));
        assert_eq!(read.try_read(&mut buf[..2]).unwrap(), 2);
        let (mut one, mut other) = ([0; 1], [0; 2]);
        let mut slices = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut other)];
        assert_eq!(read.try_read_vectored(&mut slices).unwrap(), 3);
        let mut bytes = Vec::with_capacity(2);
        assert_eq!(read.try_read_buf(&mut bytes).unwrap(), 2);
        assert_eq!(
            (&buf[..2], &one, &other, &bytes[..]),
            (&b"ab"[..], b"c", b"de", &b"fg"[..])
        );
        assert_eq!(read.read(&mut buf).await.unwrap(), 3);
        assert_eq!(&buf[..3], b"hij");
        let blocked = read.try_read(&mut buf).unwrap_err();
        assert_eq!(blocked.kind(), ErrorKind::WouldBlock);
        assert!(now(read.peek(&mut buf)).is_none());
    }};
}

#[test]
fn borrowed_halves_do_what_the_stream_does() {
    on_both(|| async {
        let (mut near, mut far) = connected().await;
        let (mut read, mut write) = near.split();
        check_halves!(read, write, far);
        // The stream is there again afterwards, and was not ended.
        near.write_all(b"still").await.unwrap();
        let mut buf = [0; 5];
        far.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"still");
    });
}

#[test]
fn owned_halves_do_what_the_stream_does() {
    on_both(|| async {
        let (near, mut far) = connected().await;
        let (mut read, mut write) = near.into_split();
        check_halves!(read, write, far);
    });
}

#[test]
fn a_borrowed_half_that_is_shut_down_ends_its_direction() {
    on_both(|| async {
        let (mut near, mut far) = connected().await;
        let (mut read, mut write) = near.split();
        write.shutdown().await.unwrap();
        assert_eq!(far.read(&mut [0; 1]).await.unwrap(), 0);
        far.write_all(b"answer").await.unwrap();
        let mut buf = [0; 6];
        read.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"answer");
    });
}

#[test]
fn a_dropped_writing_half_ends_its_direction() {
    on_both(|| async {
        let (near, mut far) = connected().await;
        let (mut read, mut write) = near.into_split();
        write.write_all(b"last").await.unwrap();
        drop(write);
        let mut text = String::new();
        far.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "last");
        far.write_all(b"answer").await.unwrap();
        drop(far);
        let mut text = String::new();
        read.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "answer");
    });
}

#[test]
fn a_dropped_reading_half_ends_nothing() {
    on_both(|| async {
        let (near, mut far) = connected().await;
        let (read, mut write) = near.into_split();
        drop(read);
        far.write_all(b"to nobody").await.unwrap();
        write.write_all(b"hello").await.unwrap();
        let mut buf = [0; 5];
        far.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"hello");
    });
}

#[test]
fn a_forgotten_writing_half_leaves_the_stream_to_the_other() {
    on_both(|| async {
        let (near, mut far) = connected().await;
        let (mut read, write) = near.into_split();
        write.forget();
        far.write_all(b"x").await.unwrap();
        assert_eq!(read.read_u8().await.unwrap(), b'x');
        // The direction has not ended: there is nothing to read, not even an end.
        assert!(now(far.read(&mut [0; 1])).is_none());
        drop(read);
        assert_eq!(far.read(&mut [0; 1]).await.unwrap(), 0);
    });
}

#[test]
fn halves_become_the_stream_again() {
    on_both(|| async {
        let (near, mut far) = connected().await;
        let address = near.local_addr().unwrap();
        let (read, write) = near.into_split();
        let near = write.reunite(read).unwrap();
        let (read, write) = near.into_split();
        let mut near = read.reunite(write).unwrap();
        assert_eq!(near.local_addr().unwrap(), address);
        // Nothing was ended on the way.
        near.write_all(b"x").await.unwrap();
        assert_eq!(far.read_u8().await.unwrap(), b'x');
        assert!(now(far.read(&mut [0; 1])).is_none());
    });
}

#[test]
fn halves_of_two_streams_do_not_become_one() {
    on_both(|| async {
        let (near, far) = connected().await;
        let (read, write) = near.into_split();
        let (other_read, other_write) = far.into_split();
        let error = write.reunite(other_read).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("not from the same socket"), "{text}");
        assert!(error.source().is_none());
        assert!(format!("{error:?}").starts_with("ReuniteError"));
        // Both come back unharmed.
        let mut near = read.reunite(error.1).unwrap();
        let mut far = error.0.reunite(other_write).unwrap();
        near.write_all(b"x").await.unwrap();
        assert_eq!(far.read_u8().await.unwrap(), b'x');
    });
}

#[test]
fn halves_work_in_tasks_of_their_own() {
    on_both(|| async {
        let (near, far) = connected().await;
        let (mut read, mut write) = near.into_split();
        let (mut back, mut forth) = far.into_split();
        let echo = zokio::spawn(async move { zokio::io::copy(&mut back, &mut forth).await });
        let sent = vec![9; 1_000_000];
        let expected = sent.clone();
        let writer = zokio::spawn(async move { write.write_all(&sent).await });
        let mut received = Vec::new();
        // The writing half goes with its task, the echo then ends, and with it its half.
        read.read_to_end(&mut received).await.unwrap();
        writer.await.unwrap().unwrap();
        assert_eq!(echo.await.unwrap().unwrap(), 1_000_000);
        assert!(received == expected);
    });
}
