//! Attempts on streams and the readiness that goes with them: nothing here waits in an attempt.

use crate::kit::{Wakes, connected, now, on_both};
use bytes::{Buf, BufMut, BytesMut};
use std::future::poll_fn;
use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::task::Context;
use zokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use zokio::net::TcpStream;

/// Has the system say that nothing is there, so that nothing is assumed any more.
async fn drain(stream: &TcpStream) {
    while now(stream.readable()).is_some() {
        let blocked = stream.try_read(&mut [0; 1]).unwrap_err();
        assert_eq!(blocked.kind(), ErrorKind::WouldBlock);
        zokio::task::yield_now().await;
    }
}

/// Reads `len` bytes or more in attempts.
async fn take(stream: &TcpStream, len: usize) -> usize {
    let mut buf = vec![0; 1 << 16];
    let mut taken = 0;
    while taken < len {
        stream.readable().await.unwrap();
        match stream.try_read(&mut buf) {
            Ok(0) => panic!("the stream has ended"),
            Ok(read) => taken += read,
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
    taken
}

/// Writes until there is no room; returns how much that was.
async fn fill(stream: &TcpStream) -> usize {
    let block = vec![7; 1 << 16];
    let mut written = 0;
    while now(stream.writable()).is_some() {
        loop {
            match stream.try_write(&block) {
                Ok(len) => written += len,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    break;
                }
            }
        }
        zokio::task::yield_now().await;
    }
    written
}

#[test]
fn reading_attempts_take_what_is_there() {
    on_both(|| async {
        let (mut near, far) = connected().await;
        drain(&far).await;
        near.write_all(b"abcdefghij").await.unwrap();
        far.readable().await.unwrap();
        let mut buf = [0; 2];
        assert_eq!(far.try_read(&mut buf).unwrap(), 2);
        assert_eq!(&buf, b"ab");
        let (mut one, mut other) = ([0; 1], [0; 3]);
        let mut slices = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut other)];
        assert_eq!(far.try_read_vectored(&mut slices).unwrap(), 4);
        assert_eq!((&one, &other), (b"c", b"def"));
        let mut limited = BytesMut::from(&b"0"[..]).limit(1);
        assert_eq!(far.try_read_buf(&mut limited).unwrap(), 1);
        assert_eq!(&limited.get_ref()[..], b"0g");
        let mut rest = Vec::with_capacity(16);
        assert_eq!(far.try_read_buf(&mut rest).unwrap(), 3);
        assert_eq!(rest, b"hij");
        for blocked in [
            far.try_read(&mut buf),
            far.try_read_vectored(&mut [IoSliceMut::new(&mut buf)]),
            far.try_read_buf(&mut rest),
        ] {
            assert_eq!(blocked.unwrap_err().kind(), ErrorKind::WouldBlock);
        }
        assert_eq!(rest, b"hij");
        drop(near);
        far.readable().await.unwrap();
        assert_eq!(far.try_read(&mut buf).unwrap(), 0);
        assert_eq!(far.try_read_buf(&mut rest).unwrap(), 0);
        assert_eq!(
            far.try_read_vectored(&mut [IoSliceMut::new(&mut buf)])
                .unwrap(),
            0
        );
    });
}

#[test]
fn writing_attempts_write_while_there_is_room() {
    on_both(|| async {
        let (near, mut far) = connected().await;
        near.writable().await.unwrap();
        assert_eq!(near.try_write(b"one ").unwrap(), 4);
        let slices = [
            IoSlice::new(b"two "),
            IoSlice::new(b""),
            IoSlice::new(b"three"),
        ];
        assert_eq!(near.try_write_vectored(&slices).unwrap(), 9);
        let mut buf = [0; 13];
        far.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"one two three");
        let written = fill(&near).await;
        for blocked in [near.try_write(b"x"), near.try_write_vectored(&slices)] {
            assert_eq!(blocked.unwrap_err().kind(), ErrorKind::WouldBlock);
        }
        assert_eq!(take(&far, written).await, written);
        near.writable().await.unwrap();
        assert_eq!(near.try_write(b"room").unwrap(), 4);
    });
}

#[test]
fn who_polls_for_reading_last_is_woken() {
    on_both(|| async {
        let (mut near, far) = connected().await;
        drain(&far).await;
        let ((first, one), (last, other)) = (Wakes::new(), Wakes::new());
        for waker in [&one, &other] {
            let mut cx = Context::from_waker(waker);
            assert!(far.poll_read_ready(&mut cx).is_pending());
        }
        near.write_all(b"x").await.unwrap();
        while last.count() == 0 {
            zokio::task::yield_now().await;
        }
        assert_eq!((first.count(), last.count()), (0, 1));
        poll_fn(|cx| far.poll_read_ready(cx)).await.unwrap();
        assert_eq!(far.try_read(&mut [0; 4]).unwrap(), 1);
    });
}

#[test]
fn who_polls_for_writing_last_is_woken() {
    on_both(|| async {
        let (near, far) = connected().await;
        poll_fn(|cx| near.poll_write_ready(cx)).await.unwrap();
        let written = fill(&near).await;
        let ((first, one), (last, other)) = (Wakes::new(), Wakes::new());
        for waker in [&one, &other] {
            let mut cx = Context::from_waker(waker);
            assert!(near.poll_write_ready(&mut cx).is_pending());
        }
        take(&far, written).await;
        while last.count() == 0 {
            zokio::task::yield_now().await;
        }
        assert_eq!((first.count(), last.count()), (0, 1));
        poll_fn(|cx| near.poll_write_ready(cx)).await.unwrap();
        assert_eq!(near.try_write(b"room").unwrap(), 4);
    });
}

#[test]
fn one_poll_for_reading_and_one_for_writing_wait_side_by_side() {
    on_both(|| async {
        let (near, mut far) = connected().await;
        drain(&near).await;
        fill(&near).await;
        let ((reads, reader), (writes, writer)) = (Wakes::new(), Wakes::new());
        let mut cx = Context::from_waker(&reader);
        assert!(near.poll_read_ready(&mut cx).is_pending());
        let mut cx = Context::from_waker(&writer);
        assert!(near.poll_write_ready(&mut cx).is_pending());
        far.write_all(b"x").await.unwrap();
        while reads.count() == 0 {
            zokio::task::yield_now().await;
        }
        assert_eq!(reads.count(), 1);
        // Elsewhere events of both kinds may come together.
        assert!(writes.count() == 0 || cfg!(not(unix)));
    });
}

#[test]
fn readiness_is_of_what_was_asked_for() {
    on_both(|| async {
        let (mut near, far) = connected().await;
        drain(&far).await;
        let both = Interest::READABLE | Interest::WRITABLE;
        let ready = far.ready(both).await.unwrap();
        assert!(ready.is_writable() && !ready.is_readable());
        near.write_all(b"x").await.unwrap();
        let ready = far.ready(Interest::READABLE).await.unwrap();
        assert!(ready.is_readable() && !ready.is_writable());
        let written = fill(&far).await;
        let ready = far.ready(both).await.unwrap();
        assert!(ready.is_readable() && !ready.is_writable());
        assert_eq!(take(&near, written).await, written);
        let ready = far.ready(Interest::WRITABLE).await.unwrap();
        assert!(ready.is_writable() && !ready.is_readable());
    });
}

#[test]
fn several_tasks_wait_for_one_readiness() {
    on_both(|| async {
        let (mut near, far) = connected().await;
        drain(&far).await;
        let far = std::sync::Arc::new(far);
        let waiting: Vec<_> = (0..6)
            .map(|_| {
                let far = far.clone();
                zokio::spawn(async move { far.readable().await })
            })
            .collect();
        zokio::task::yield_now().await;
        near.write_all(b"x").await.unwrap();
        for task in waiting {
            task.await.unwrap().unwrap();
        }
        assert_eq!(far.try_read(&mut [0; 4]).unwrap(), 1);
    });
}

#[test]
fn own_operations_run_only_while_the_stream_is_ready() {
    on_both(|| async {
        let (mut near, far) = connected().await;
        drain(&far).await;
        let mut calls = 0;
        let blocked = far.try_io(Interest::READABLE, || {
            calls += 1;
            Ok(())
        });
        assert_eq!(blocked.unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(calls, 0);
        near.write_all(b"x").await.unwrap();
        far.readable().await.unwrap();
        // An operation that says it would block is believed, until something else comes.
        let said = far.try_io(Interest::READABLE, || {
            Err::<(), _>(ErrorKind::WouldBlock.into())
        });
        assert_eq!(said.unwrap_err().kind(), ErrorKind::WouldBlock);
        if cfg!(unix) {
            assert!(now(far.readable()).is_none());
        }
        near.write_all(b"y").await.unwrap();
        let value = far.async_io(Interest::READABLE, || {
            calls += 1;
            Ok(calls)
        });
        assert_eq!(value.await.unwrap(), 1);
    });
}

#[test]
fn a_whole_answer_goes_through_attempts() {
    on_both(|| async {
        let (near, far) = connected().await;
        let sent: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
        let expected = sent.clone();
        let writer = zokio::spawn(async move {
            let mut left = &sent[..];
            while left.has_remaining() {
                near.writable().await.unwrap();
                match near.try_write_vectored(&[IoSlice::new(left)]) {
                    Ok(written) => left.advance(written),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                }
            }
        });
        let mut received = BytesMut::new();
        loop {
            far.readable().await.unwrap();
            match far.try_read_buf(&mut received) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        writer.await.unwrap();
        assert!(received == expected[..]);
    });
}
