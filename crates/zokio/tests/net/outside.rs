//! Sockets where they cannot be made: outside of a runtime, in one without I/O, in blocking mode. What
//! panics names the line of the caller.

use crate::kit::{LOOPBACK, connected, deserted, now, plain_runtime};
use std::cell::RefCell;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;
use zokio::io::AsyncReadExt;
use zokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket, lookup_host};
use zokio::runtime::Builder;

const NO_RUNTIME: &str = "there is no reactor running";
const NO_IO: &str = "IO is disabled";

thread_local! {
    /// The file of the panic that this thread waits for.
    static FILE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The text of the panic of `f`, and the file that it names.
fn panic_of<R>(f: impl FnOnce() -> R) -> (String, String) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            FILE.with_borrow_mut(|file| match file {
                Some(file) => *file = info.location().unwrap().file().to_owned(),
                None => others(info),
            });
        }));
    });
    FILE.set(Some(String::new()));
    let payload = panic::catch_unwind(AssertUnwindSafe(|| drop(f()))).expect_err("a panic");
    let file = FILE.take().unwrap();
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or(payload.downcast_ref::<&str>().copied()).unwrap();
    (text.to_owned(), file)
}

fn std_stream() -> std::net::TcpStream {
    let listener = std::net::TcpListener::bind(LOOPBACK).unwrap();
    std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap()
}

fn std_sockets() -> (
    std::net::TcpListener,
    std::net::TcpStream,
    std::net::UdpSocket,
) {
    let listener = std::net::TcpListener::bind(LOOPBACK).unwrap();
    let socket = std::net::UdpSocket::bind(LOOPBACK).unwrap();
    (listener, std_stream(), socket)
}

fn nonblocking() -> (
    std::net::TcpListener,
    std::net::TcpStream,
    std::net::UdpSocket,
) {
    let (listener, stream, socket) = std_sockets();
    listener.set_nonblocking(true).unwrap();
    stream.set_nonblocking(true).unwrap();
    socket.set_nonblocking(true).unwrap();
    (listener, stream, socket)
}

fn check_conversions(expected: &str) {
    let (listener, stream, socket) = nonblocking();
    for (text, file) in [
        panic_of(|| TcpListener::from_std(listener)),
        panic_of(|| TcpStream::from_std(stream)),
        panic_of(|| UdpSocket::from_std(socket)),
    ] {
        assert!(text.contains(expected), "{text}");
        assert_eq!(file, file!());
    }
}

#[test]
fn conversions_outside_of_a_runtime_panic_in_the_callers_line() {
    check_conversions(NO_RUNTIME);
}

#[test]
fn conversions_in_a_runtime_without_io_panic_in_the_callers_line() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let _inside = runtime.enter();
    check_conversions(NO_IO);
}

#[test]
fn sockets_cannot_be_made_outside_of_a_runtime() {
    let nobody = plain_runtime().block_on(deserted());
    let socket = || {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(LOOPBACK.parse().unwrap()).unwrap();
        socket
    };
    for (text, _) in [
        panic_of(|| now(TcpListener::bind(LOOPBACK))),
        panic_of(|| now(UdpSocket::bind(LOOPBACK))),
        panic_of(|| now(lookup_host("localhost:80")).map(|found| found.map(drop))),
        panic_of(|| socket().listen(1)),
    ] {
        assert!(text.contains(NO_RUNTIME), "{text}");
    }
    // A refusal may come before anybody would have to wait.
    let refused = panic::catch_unwind(|| now(TcpStream::connect(nobody)));
    if let Ok(result) = refused {
        assert!(result.unwrap().is_err());
    }
    let listener = std::net::TcpListener::bind(LOOPBACK).unwrap();
    let somebody = listener.local_addr().unwrap();
    for (text, _) in [
        panic_of(|| now(TcpStream::connect(somebody))),
        panic_of(|| now(TcpSocket::new_v4().unwrap().connect(somebody))),
    ] {
        assert!(text.contains(NO_RUNTIME), "{text}");
    }
}

#[test]
#[cfg(all(unix, debug_assertions))]
fn sockets_in_blocking_mode_are_not_taken() {
    let runtime = plain_runtime();
    let _inside = runtime.enter();
    let (listener, stream, socket) = std_sockets();
    let again = std_stream();
    for (text, file) in [
        panic_of(|| TcpListener::from_std(listener)),
        panic_of(|| TcpStream::from_std(stream)),
        panic_of(|| UdpSocket::from_std(socket)),
    ] {
        assert!(text.contains("blocking mode"), "{text}");
        assert_eq!(file, file!());
    }
    let (text, _) = panic_of(|| TcpStream::try_from(again));
    assert!(text.contains("blocking mode"), "{text}");
}

#[test]
fn a_socket_outlives_its_runtime_and_says_so() {
    let runtime = plain_runtime();
    let (near, mut far) = runtime.block_on(connected());
    let (listener, socket) = runtime.block_on(async {
        let listener = TcpListener::bind(LOOPBACK).await.unwrap();
        (listener, UdpSocket::bind(LOOPBACK).await.unwrap())
    });
    let at: SocketAddr = socket.local_addr().unwrap();
    drop(runtime);
    // An operation that needs no waiting still works.
    assert_eq!(near.try_write(b"x").unwrap(), 1);
    assert_eq!(socket.local_addr().unwrap(), at);
    plain_runtime().block_on(async {
        for error in [
            listener.accept().await.map(drop).unwrap_err(),
            socket.recv(&mut [0; 4]).await.map(drop).unwrap_err(),
            socket.readable().await.unwrap_err(),
            near.readable().await.unwrap_err(),
        ] {
            assert!(error.to_string().contains("shutdown"), "{error}");
        }
        let mut buf = [0; 4];
        let first = far.read(&mut buf).await;
        if let Ok(len) = first {
            assert_eq!(len, 1);
            far.read(&mut buf).await.unwrap_err();
        }
        // It can still be given away, and taken by another runtime.
        let std = socket.into_std().unwrap();
        let socket = UdpSocket::from_std(std).unwrap();
        assert_eq!(
            socket.try_recv(&mut [0; 4]).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        socket.send_to(b"self", at).await.unwrap();
        assert_eq!(socket.recv(&mut [0; 8]).await.unwrap(), 4);
    });
}
