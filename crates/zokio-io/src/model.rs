//! Models of what two threads may use at once: the two ends of a pipe, and the two halves of a split
//! stream.

use crate::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, duplex, simplex, split};
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use zokio_base::sync::{UnsafeCell, model, thread};
use zokio_task::block_on::block_on;

/// Polls once and drops: an operation that is cancelled.
fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    block_on(poll_fn(|cx| {
        Poll::Ready(match future.as_mut().poll(cx) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    }))
}

/// Polls with a waker that wakes nobody, and then with one that does.
fn with_another_waker<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut nobody = Context::from_waker(Waker::noop());
    match future.as_mut().poll(&mut nobody) {
        Poll::Ready(output) => output,
        Poll::Pending => block_on(future),
    }
}

#[test]
fn bytes_and_the_end_arrive() {
    model(|| {
        let (mut writer, mut reader) = duplex(1);
        let other = thread::spawn(move || block_on(writer.write_all(b"ab")).unwrap());
        let mut bytes = Vec::new();
        block_on(reader.read_to_end(&mut bytes)).unwrap();
        assert_eq!(bytes, b"ab");
        other.join().unwrap();
    });
}

#[test]
fn a_write_that_waits_and_the_readers_drop() {
    model(|| {
        let (mut writer, reader) = duplex(1);
        let other = thread::spawn(move || {
            let result = block_on(writer.write_all(b"ab"));
            assert_eq!(result.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        });
        drop(reader);
        other.join().unwrap();
    });
}

#[test]
fn a_read_that_waits_and_a_shutdown() {
    model(|| {
        let (mut there, mut here) = duplex(1);
        let other = thread::spawn(move || {
            block_on(there.shutdown()).unwrap();
            // The other way is open.
            block_on(there.read_u8()).unwrap()
        });
        let mut byte = [0];
        assert_eq!(block_on(here.read(&mut byte)).unwrap(), 0);
        block_on(here.write_all(b"a")).unwrap();
        assert_eq!(other.join().unwrap(), b'a');
    });
}

#[test]
fn both_ways_at_once() {
    model(|| {
        let (mut there, mut here) = duplex(1);
        let other = thread::spawn(move || {
            block_on(there.write_all(b"a")).unwrap();
            block_on(there.read_u8()).unwrap()
        });
        block_on(here.write_all(b"b")).unwrap();
        assert_eq!(block_on(here.read_u8()).unwrap(), b'a');
        assert_eq!(other.join().unwrap(), b'b');
    });
}

#[test]
fn both_ends_go() {
    model(|| {
        let (mut there, mut here) = duplex(1);
        let other = thread::spawn(move || drop(poll_once(there.read_u8())));
        drop(poll_once(here.read_u8()));
        drop(here);
        other.join().unwrap();
    });
}

#[test]
fn a_read_that_is_cancelled_loses_nothing() {
    model(|| {
        let (mut writer, mut reader) = duplex(1);
        let other = thread::spawn(move || block_on(writer.write_all(b"a")).unwrap());
        let mut byte = [0];
        if poll_once(reader.read(&mut byte)).is_none() {
            assert_eq!(block_on(reader.read(&mut byte)).unwrap(), 1);
        }
        assert_eq!(&byte, b"a");
        assert_eq!(block_on(reader.read(&mut byte)).unwrap(), 0);
        other.join().unwrap();
    });
}

#[test]
fn wakers_change_while_bytes_and_room_come() {
    model(|| {
        let (mut writer, mut reader) = duplex(1);
        let other = thread::spawn(move || {
            block_on(writer.write_all(b"a")).unwrap();
            assert_eq!(with_another_waker(writer.write(b"b")).unwrap(), 1);
        });
        let mut byte = [0];
        assert_eq!(with_another_waker(reader.read(&mut byte)).unwrap(), 1);
        assert_eq!(with_another_waker(reader.read(&mut byte)).unwrap(), 1);
        assert_eq!(&byte, b"b");
        other.join().unwrap();
    });
}

#[test]
fn halves_of_a_pipe() {
    model(|| {
        let (mut reader, mut writer) = simplex(1);
        let other = thread::spawn(move || {
            block_on(writer.write_all(b"ab")).unwrap();
            block_on(writer.shutdown()).unwrap();
            writer
        });
        let mut bytes = Vec::new();
        block_on(reader.read_to_end(&mut bytes)).unwrap();
        assert_eq!(bytes, b"ab");
        // The halves can be put together again once both are back.
        let writer = other.join().unwrap();
        assert!(reader.is_pair_of(&writer));
        drop(reader.unsplit(writer));
    });
}

/// A stream that is never polled by two at once: reading and writing are exclusive uses.
struct Exclusive(UnsafeCell<u32>);

impl Exclusive {
    fn touch(&self) {
        self.0.with_mut(|_| ());
    }
}

impl AsyncRead for Exclusive {
    fn poll_read(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.touch();
        buf.put_slice(b"a");
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Exclusive {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.touch();
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.touch();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.touch();
        Poll::Ready(Ok(()))
    }
}

#[test]
fn halves_exclude_each_other() {
    model(|| {
        let (mut reader, mut writer) = split(Exclusive(UnsafeCell::new(0)));
        let other = thread::spawn(move || {
            block_on(writer.write_all(b"a")).unwrap();
            block_on(writer.flush()).unwrap();
            block_on(writer.shutdown()).unwrap();
        });
        for _ in 0..2 {
            assert_eq!(block_on(reader.read_u8()).unwrap(), b'a');
        }
        other.join().unwrap();
    });
}
