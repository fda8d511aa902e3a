//! The first operation on a socket that the runtime has not seen, by default and in an eager runtime: how
//! many polls it takes when the system could finish it at once.

use std::future::Future;
use std::io::Write;
use std::net;
use std::pin::pin;
use std::task::{Context, Waker};
use zokio::io::{AsyncReadExt, AsyncWriteExt};
use zokio::net::{TcpListener, TcpStream, UdpSocket};
use zokio::runtime::Builder;

/// When an operation is finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finished {
    InItsFirstPoll,
    AfterTheDriver,
}

use Finished::{AfterTheDriver, InItsFirstPoll};

/// Runs `operation` to its end, and says when that came.
async fn finished<R>(operation: impl Future<Output = std::io::Result<R>>) -> Finished {
    let mut operation = pin!(operation);
    let mut cx = Context::from_waker(Waker::noop());
    match operation.as_mut().poll(&mut cx) {
        std::task::Poll::Ready(result) => {
            result.expect("the system can do it");
            InItsFirstPoll
        }
        std::task::Poll::Pending => {
            operation.await.expect("the system can do it");
            AfterTheDriver
        }
    }
}

/// Runs `test` in a default runtime and in an eager one, with what it is to expect there of an operation on
/// a fresh socket.
fn in_both<F: Future<Output = ()>>(test: impl Fn(Finished) -> F) {
    for (is_eager, expected) in [(false, AfterTheDriver), (true, InItsFirstPoll)] {
        let mut builder = Builder::new_current_thread();
        let runtime = builder.enable_all().eager_sockets(is_eager).build();
        runtime.unwrap().block_on(test(expected));
    }
}

/// A connection of the standard library, with a byte to read at the first end.
fn connected() -> (net::TcpStream, net::TcpStream) {
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut far = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (near, _) = listener.accept().unwrap();
    far.write_all(b"x").unwrap();
    // It has arrived, and stays.
    assert_eq!(near.peek(&mut [0; 4]).unwrap(), 1);
    near.set_nonblocking(true).unwrap();
    (near, far)
}

#[test]
fn the_first_read_of_a_stream_that_was_taken_over() {
    in_both(|expected| async move {
        let (near, _far) = connected();
        let mut stream = TcpStream::from_std(near).unwrap();
        assert_eq!(finished(stream.read_u8()).await, expected);
    });
}

#[test]
fn the_first_write_to_a_stream_that_was_taken_over() {
    in_both(|expected| async move {
        let (near, _far) = connected();
        let mut stream = TcpStream::from_std(near).unwrap();
        assert_eq!(finished(stream.write_all(b"y")).await, expected);
    });
}

#[test]
fn the_first_attempt_is_made_at_once() {
    in_both(|_| async {
        let (near, _far) = connected();
        let stream = TcpStream::from_std(near).unwrap();
        assert_eq!(stream.try_read(&mut [0; 4]).unwrap(), 1);
    });
}

#[test]
fn a_connection_to_this_host() {
    in_both(|expected| async move {
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(finished(TcpStream::connect(address)).await, expected);
    });
}

#[test]
fn the_first_connection_of_a_listener_and_what_has_come_with_it() {
    in_both(|expected| async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut first = net::TcpStream::connect(address).unwrap();
        assert_eq!(finished(listener.accept()).await, expected);
        drop(first);
        first = net::TcpStream::connect(address).unwrap();
        first.write_all(b"x").unwrap();
        let (mut accepted, _) = listener.accept().await.unwrap();
        // A connection that was accepted is tried at once in either runtime.
        assert_eq!(finished(accepted.read_u8()).await, InItsFirstPoll);
        assert_eq!(finished(accepted.write_all(b"y")).await, InItsFirstPoll);
    });
}

#[test]
fn the_first_datagram() {
    in_both(|expected| async move {
        let receiver = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        sender
            .connect(receiver.local_addr().unwrap())
            .await
            .unwrap();
        let sent = finished(sender.send(b"x")).await;
        assert_eq!(finished(receiver.recv(&mut [0; 4])).await, expected);
        assert_eq!(sent, expected);
    });
}

#[cfg(unix)]
mod unix {
    use super::*;
    use zokio::net::{UnixDatagram, UnixListener, UnixStream};

    #[test]
    fn a_connection_and_the_first_one_of_a_listener() {
        in_both(|expected| async move {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("listener");
            let listener = UnixListener::bind(&path).unwrap();
            let connected = finished(UnixStream::connect(&path)).await;
            assert_eq!(finished(listener.accept()).await, expected);
            assert_eq!(connected, expected);
        });
    }

    #[test]
    fn the_ends_of_a_pair() {
        in_both(|expected| async move {
            let (mut near, mut far) = UnixStream::pair().unwrap();
            assert_eq!(finished(far.write_all(b"x")).await, InItsFirstPoll);
            assert_eq!(finished(near.read_u8()).await, expected);
            let (near, far) = UnixDatagram::pair().unwrap();
            let sent = finished(far.send(b"x")).await;
            assert_eq!(sent, InItsFirstPoll);
            assert_eq!(finished(near.recv(&mut [0; 4])).await, expected);
        });
    }
}
