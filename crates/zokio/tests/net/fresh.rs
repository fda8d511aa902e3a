//! The first operation on a socket that the runtime has not seen, by default and in an eager runtime: how
//! many polls it takes when the system could finish it at once. By default each of them answers as upstream's
//! does, before the first turn of the driver and after it.

use std::future::Future;
use std::future::poll_fn;
use std::io::{self, ErrorKind, Write};
use std::net;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;
use zokio::io::{AsyncReadExt, AsyncWriteExt, Interest, ReadBuf};
use zokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
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

/// The ways of an operation with a socket that no set watches in an eager runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It is tried.
    Tried,
    /// It asks for readiness, which only a set can tell.
    Asked,
}

use Kind::{Asked, Tried};

/// Looks at the first operation on what `make` makes, which the system could finish at once: on a fresh
/// socket, and on one that has lived through a turn of the driver.
fn first_operation<S, R>(
    kind: Kind,
    make: impl AsyncFn() -> S,
    operation: impl AsyncFn(&mut S) -> io::Result<R>,
) {
    for is_eager in [false, true] {
        let mut builder = Builder::new_current_thread();
        let runtime = builder.enable_all().eager_sockets(is_eager).build();
        runtime.unwrap().block_on(async {
            let expected = if is_eager && kind == Tried {
                InItsFirstPoll
            } else {
                AfterTheDriver
            };
            let mut fresh = make().await;
            assert_eq!(finished(operation(&mut fresh)).await, expected);
            let mut known = make().await;
            zokio::time::sleep(Duration::from_millis(1)).await;
            assert_eq!(finished(operation(&mut known)).await, InItsFirstPoll);
        });
    }
}

/// As [`first_operation`], for one that has no second poll.
fn first_attempt<S, R>(make: impl AsyncFn() -> S, attempt: impl Fn(&mut S) -> io::Result<R>) {
    for is_eager in [false, true] {
        let mut builder = Builder::new_current_thread();
        let runtime = builder.enable_all().eager_sockets(is_eager).build();
        runtime.unwrap().block_on(async {
            let mut fresh = make().await;
            let tried = attempt(&mut fresh).map(|_| ()).map_err(|e| e.kind());
            let refused = Err(ErrorKind::WouldBlock);
            assert_eq!(tried, if is_eager { Ok(()) } else { refused });
            if !is_eager {
                // Nor is it tried again before the driver's turn.
                let again = attempt(&mut fresh).map(|_| ()).map_err(|e| e.kind());
                assert_eq!(again, refused);
                zokio::time::sleep(Duration::from_millis(1)).await;
                attempt(&mut fresh).expect("the driver has reported it");
            }
            let mut known = make().await;
            zokio::time::sleep(Duration::from_millis(1)).await;
            attempt(&mut known).expect("the driver has had a turn");
        });
    }
}

/// A stream that was taken over, with bytes to read.
async fn taken_over() -> (TcpStream, net::TcpStream) {
    let (near, far) = connected();
    (TcpStream::from_std(near).unwrap(), far)
}

/// A listener with a connection to accept.
async fn listener() -> (TcpListener, net::TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener, client)
}

/// A socket that is connected to another one, with a datagram to receive.
async fn datagrams() -> (UdpSocket, net::UdpSocket) {
    let near = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let far = net::UdpSocket::bind("127.0.0.1:0").unwrap();
    near.connect(far.local_addr().unwrap()).await.unwrap();
    far.connect(near.local_addr().unwrap()).unwrap();
    far.send(b"x").unwrap();
    (near, far)
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
fn operations_on_a_stream() {
    first_operation(Tried, taken_over, async |(s, _)| s.read(&mut [0; 4]).await);
    first_operation(Tried, taken_over, async |(s, _)| s.write(b"y").await);
    first_operation(Tried, taken_over, async |(s, _)| s.peek(&mut [0; 4]).await);
    first_operation(Tried, taken_over, async |(s, _)| {
        let mut buf = [0; 4];
        poll_fn(|cx| s.poll_peek(cx, &mut ReadBuf::new(&mut buf))).await
    });
    first_operation(Tried, taken_over, async |(s, _)| {
        s.async_io(Interest::READABLE, || Ok(())).await
    });
    first_operation(Asked, taken_over, async |(s, _)| s.readable().await);
    first_operation(Asked, taken_over, async |(s, _)| s.writable().await);
    first_operation(Asked, taken_over, async |(s, _)| {
        let both = s.ready(Interest::READABLE | Interest::WRITABLE).await?;
        assert!(both.is_readable() && both.is_writable() && !both.is_read_closed());
        Ok(())
    });
    first_operation(Asked, taken_over, async |(s, _)| {
        poll_fn(|cx| s.poll_read_ready(cx)).await
    });
    first_operation(Asked, taken_over, async |(s, _)| {
        poll_fn(|cx| s.poll_write_ready(cx)).await
    });
}

#[test]
fn attempts_on_a_stream() {
    first_attempt(taken_over, |(s, _)| s.try_read(&mut [0; 4]));
    first_attempt(taken_over, |(s, _)| s.try_write(b"y"));
    first_attempt(taken_over, |(s, _)| s.try_io(Interest::READABLE, || Ok(())));
}

#[test]
fn an_attempt_is_not_made_on_a_known_stream_that_is_not_ready() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (stream, _far) = taken_over().await;
        assert_eq!(stream.peek(&mut [0; 4]).await.unwrap(), 1);
        assert_eq!(stream.try_read(&mut [0; 4]).unwrap(), 1);
        let taken_over = TcpStream::from_std(stream.into_std().unwrap()).unwrap();
        zokio::time::sleep(Duration::from_millis(1)).await;
        let tried = taken_over.try_io(Interest::READABLE, || -> io::Result<()> {
            panic!("nothing is there")
        });
        assert_eq!(tried.unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn an_end_is_known_after_a_turn() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (stream, far) = taken_over().await;
        far.shutdown(net::Shutdown::Write).unwrap();
        zokio::time::sleep(Duration::from_millis(1)).await;
        let mut ready = pin!(stream.ready(Interest::READABLE));
        let polled = ready.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let std::task::Poll::Ready(Ok(ready)) = polled else {
            panic!("the driver has had a turn: {polled:?}")
        };
        assert!(ready.is_readable() && ready.is_read_closed());
    });
}

#[test]
fn the_first_connection_of_each_listener() {
    first_operation(Tried, listener, async |(l, _)| l.accept().await);
    first_operation(Tried, listener, async |(l, _)| {
        poll_fn(|cx| l.poll_accept(cx)).await
    });
    let from_std = async || {
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let client = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (TcpListener::from_std(listener).unwrap(), client)
    };
    first_operation(Tried, from_std, async |(l, _)| l.accept().await);
    let from_socket = async || {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(16).unwrap();
        let client = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (listener, client)
    };
    first_operation(Tried, from_socket, async |(l, _)| l.accept().await);
}

#[test]
fn operations_on_datagrams() {
    first_operation(Tried, datagrams, async |(s, _)| s.recv(&mut [0; 4]).await);
    first_operation(Tried, datagrams, async |(s, _)| {
        s.recv_from(&mut [0; 4]).await
    });
    first_operation(Tried, datagrams, async |(s, _)| s.peek(&mut [0; 4]).await);
    first_operation(Tried, datagrams, async |(s, _)| {
        s.peek_from(&mut [0; 4]).await
    });
    first_operation(Tried, datagrams, async |(s, _)| s.peek_sender().await);
    first_operation(Asked, datagrams, async |(s, _)| s.readable().await);
    first_operation(Asked, datagrams, async |(s, _)| {
        poll_fn(|cx| s.poll_recv_ready(cx)).await
    });
    first_attempt(datagrams, |(s, _)| s.try_recv(&mut [0; 4]));
    first_attempt(datagrams, |(s, _)| s.try_peek(&mut [0; 4]));
    first_attempt(datagrams, |(s, _)| s.try_send(b"y"));
}

#[test]
fn the_connection_that_was_accepted_tells_its_state_at_once() {
    in_both(|_| async move {
        let (listener, mut client) = listener().await;
        client.write_all(b"x").unwrap();
        client.shutdown(net::Shutdown::Write).unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        // Both are assumed of it; what is told is what the system says.
        let mut told = None;
        let ready = async {
            told = Some(accepted.ready(Interest::READABLE).await?);
            Ok(())
        };
        assert_eq!(finished(ready).await, InItsFirstPoll);
        assert!(told.unwrap().is_read_closed());
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
    use std::os::unix::net::{UnixDatagram as StdDatagram, UnixStream as StdStream};
    use zokio::net::unix::pipe::{self, Receiver, Sender};
    use zokio::net::{UnixDatagram, UnixListener, UnixStream};

    /// An end of a pair that was taken over, with a byte to read.
    async fn stream() -> (UnixStream, StdStream) {
        let (near, mut far) = StdStream::pair().unwrap();
        far.write_all(b"x").unwrap();
        near.set_nonblocking(true).unwrap();
        (UnixStream::from_std(near).unwrap(), far)
    }

    /// As [`stream`], of a pair that was made here.
    async fn paired() -> (UnixStream, UnixStream) {
        let (near, far) = UnixStream::pair().unwrap();
        far.try_write(b"x").unwrap();
        (near, far)
    }

    #[test]
    fn operations_on_a_unix_stream() {
        first_operation(Tried, stream, async |(s, _)| s.read(&mut [0; 4]).await);
        first_operation(Asked, stream, async |(s, _)| s.readable().await);
        first_operation(Asked, stream, async |(s, _)| {
            s.ready(Interest::READABLE | Interest::ERROR).await
        });
        first_attempt(stream, |(s, _)| s.try_read(&mut [0; 4]));
        first_operation(Tried, paired, async |(s, _)| s.read(&mut [0; 4]).await);
        first_operation(Asked, paired, async |(s, _)| s.readable().await);
        first_attempt(paired, |(s, _)| s.try_read(&mut [0; 4]));
    }

    #[test]
    fn operations_on_unix_datagrams() {
        let from_std = async || {
            let (near, far) = StdDatagram::pair().unwrap();
            far.send(b"x").unwrap();
            near.set_nonblocking(true).unwrap();
            (UnixDatagram::from_std(near).unwrap(), far)
        };
        first_operation(Tried, from_std, async |(s, _)| s.recv(&mut [0; 4]).await);
        first_attempt(from_std, |(s, _)| s.try_recv(&mut [0; 4]));
        first_attempt(from_std, |(s, _)| s.try_send(b"y"));
        let bound = async || {
            let folder = tempfile::tempdir().unwrap();
            let near = UnixDatagram::bind(folder.path().join("near")).unwrap();
            let far = StdDatagram::unbound().unwrap();
            far.send_to(b"x", folder.path().join("near")).unwrap();
            (near, folder)
        };
        first_operation(Tried, bound, async |(s, _)| s.recv_from(&mut [0; 4]).await);
        first_operation(Asked, bound, async |(s, _)| s.readable().await);
        first_attempt(bound, |(s, _)| s.try_recv_from(&mut [0; 4]));
    }

    #[test]
    fn the_first_connection_of_a_unix_listener() {
        let listener = async || {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("listener");
            let listener = UnixListener::bind(&path).unwrap();
            (listener, StdStream::connect(&path).unwrap(), folder)
        };
        first_operation(Tried, listener, async |(l, ..)| l.accept().await);
        first_operation(Tried, listener, async |(l, ..)| {
            poll_fn(|cx| l.poll_accept(cx)).await
        });
    }

    #[test]
    fn operations_on_pipes() {
        let ends = async || -> (Sender, Receiver) {
            let (reader, mut writer) = io::pipe().unwrap();
            writer.write_all(b"x").unwrap();
            let receiver = Receiver::from_owned_fd(reader.into()).unwrap();
            (Sender::from_owned_fd(writer.into()).unwrap(), receiver)
        };
        first_operation(Tried, ends, async |(s, _)| s.write(b"y").await);
        first_operation(Asked, ends, async |(s, _)| s.writable().await);
        first_operation(Asked, ends, async |(s, _)| {
            s.ready(Interest::WRITABLE).await
        });
        first_attempt(ends, |(s, _)| s.try_write(b"y"));
        // The reading end is watched from the start in an eager runtime, too.
        first_operation(Asked, ends, async |(_, r)| r.read(&mut [0; 4]).await);
        first_operation(Asked, ends, async |(_, r)| r.readable().await);
        first_operation(
            Asked,
            async || pipe::pipe().unwrap(),
            async |(s, _)| s.writable().await,
        );
    }

    #[test]
    fn a_connection_and_the_first_one_of_a_listener() {
        in_both(|expected| async move {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("listener");
            let listener = UnixListener::bind(&path).unwrap();
            let connected = finished(UnixStream::connect(&path)).await;
            assert_eq!(connected, expected);
            // The driver has had a turn since the listener was made, if connecting waited for one.
            assert_eq!(finished(listener.accept()).await, InItsFirstPoll);
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
