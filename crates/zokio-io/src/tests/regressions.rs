//! Faults that other libraries had, each with a test of its own.

use super::block_on;
use crate::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf, split};
use std::io;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Remembers where it was polled; moving it afterwards is a fault.
struct Pinned {
    address: Option<*const Self>,
    _pin: PhantomPinned,
}

impl AsyncRead for Pinned {
    fn poll_read(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let address: *const Self = &*self;
        let expected = self.address.unwrap_or(address);
        assert_eq!(address, expected, "moved after it was pinned");
        // Only the address is stored: nothing is moved out.
        #[allow(unsafe_code)]
        // SAFETY: the value stays where it is.
        unsafe {
            self.get_unchecked_mut().address = Some(address);
        }
        buf.put_slice(&[1]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pinned {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// RUSTSEC-2023-0005: `ReadHalf::unsplit` moved a stream that had been pinned. It asks for `Unpin`
/// now (an example of its documentation must not compile); a stream without it can be split and used,
/// and stays where it is.
#[test]
fn unsplit_does_not_move_what_is_pinned() {
    block_on(async {
        let (mut reader, _writer) = split(Pinned {
            address: None,
            _pin: PhantomPinned,
        });
        reader.read_u8().await.unwrap();
        let mut moved = reader;
        moved.read_u8().await.unwrap();
    });
}

/// `Pin<P>` implements the traits for any `P` that points to them, also to what is not `Unpin`.
#[test]
fn a_pin_to_what_is_not_unpin_reads_in_place() {
    block_on(async {
        let mut pinned = Box::pin(Pinned {
            address: None,
            _pin: PhantomPinned,
        });
        pinned.read_u8().await.unwrap();
        let mut moved = pinned;
        moved.as_mut().read_u8().await.unwrap();
        Pin::new(&mut moved).read_u8().await.unwrap();
    });
}

/// A read into a buffer without room must not be taken for the end of the first source.
#[test]
fn chain_with_an_empty_buffer_keeps_its_place() {
    block_on(async {
        let mut chain = b"a".chain(&b"b"[..]);
        chain.read(&mut []).await.unwrap();
        assert_eq!(chain.read_u8().await.unwrap(), b'a');
    });
}

/// A waker whose drop uses the pipe in which it waited.
#[allow(dead_code)]
struct Reentrant(std::sync::Mutex<Option<crate::DuplexStream>>);

impl std::task::Wake for Reentrant {
    fn wake(self: std::sync::Arc<Self>) {}
}

/// A task's waker that is replaced is dropped after the pipe's lock was released: dropping it may
/// drop the pipe's other end.
#[test]
fn a_replaced_waker_is_dropped_outside_of_the_lock() {
    let (mut reader, peer) = crate::duplex(1);
    let waker = std::sync::Arc::new(Reentrant(std::sync::Mutex::new(Some(peer)))).into();
    let mut memory = [0; 1];
    let mut buf = ReadBuf::new(&mut memory);
    let mut first = Context::from_waker(&waker);
    assert!(
        Pin::new(&mut reader)
            .poll_read(&mut first, &mut buf)
            .is_pending()
    );
    drop(waker);
    let mut second = Context::from_waker(std::task::Waker::noop());
    assert!(
        Pin::new(&mut reader)
            .poll_read(&mut second, &mut buf)
            .is_pending()
    );
    assert!(
        Pin::new(&mut reader)
            .poll_read(&mut second, &mut buf)
            .is_ready()
    );
}
