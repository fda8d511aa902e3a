//! The hyper adapters, with hyper itself on both ends of a pipe in memory.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::rt::{Executor as _, Timer as _};
use hyper::service::service_fn;
use hyper::{Request, Response};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use zokio::io::{AsyncReadExt, AsyncWriteExt};
use zokio::runtime::{Builder, Runtime};
use zokio_util::hyper::{Executor, Io, Timer};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A runtime whose clock stands.
fn paused() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
}

async fn echo(request: Request<Incoming>) -> Result<Response<Incoming>, Infallible> {
    Ok(Response::new(request.into_body()))
}

#[test]
fn requests_and_responses_pass() {
    runtime().block_on(async {
        // Smaller than the bodies, so that both sides have to wait for each other.
        let (client, server) = zokio::io::duplex(100);
        let server = hyper::server::conn::http1::Builder::new()
            .timer(Timer::new())
            .serve_connection(Io::new(server), service_fn(echo));
        Executor::new().execute(server);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(Io::new(client))
            .await
            .unwrap();
        Executor::new().execute(connection);
        for length in [0, 1, 99, 100, 101, 100_000] {
            let body = Bytes::from(vec![7; length]);
            let request = Request::post("/").body(Full::new(body.clone())).unwrap();
            let response = sender.send_request(request).await.unwrap();
            let echoed = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(echoed, body);
        }
    });
}

#[test]
fn there_and_back_is_the_same_stream() {
    runtime().block_on(async {
        let (near, mut far) = zokio::io::duplex(16);
        // For hyper, and for Zokio again.
        let mut near = Io::new(Io::new(near));
        near.write_all(b"ping").await.unwrap();
        near.flush().await.unwrap();
        let mut word = [0; 4];
        far.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"ping");
        far.write_all(b"pong!").await.unwrap();
        drop(far);
        let mut rest = Vec::new();
        near.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"pong!");
        assert!(near.shutdown().await.is_ok());
        let _ = near.get_ref().get_ref();
        let _ = near.get_mut().get_mut();
        let _: zokio::io::DuplexStream = near.into_inner().into_inner();
    });
}

/// Several buffers reach the stream as several, through both kinds of adapter.
#[test]
fn vectored_writes_pass_both_ways() {
    use hyper::rt::Write as _;
    use std::io::IoSlice;
    use zokio::io::AsyncWrite as _;
    runtime().block_on(async {
        let bufs = [b"ab", &b""[..], b"cd"].map(IoSlice::new);
        let (near, mut far) = zokio::io::duplex(3);
        let mut near = Io::new(near);
        assert!(hyper::rt::Write::is_write_vectored(&near));
        // As many as there is room for, from both.
        let write = std::future::poll_fn(|cx| Pin::new(&mut near).poll_write_vectored(cx, &bufs));
        assert_eq!(write.await.unwrap(), 3);
        let mut word = [0; 3];
        far.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"abc");

        // For hyper, and for Zokio again.
        let mut near = Io::new(near);
        assert!(near.is_write_vectored());
        assert_eq!(near.write_vectored(&bufs).await.unwrap(), 3);
        far.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"abc");

        // A writer that takes one buffer at a time says so.
        let plain = Io::new(zokio::io::join(zokio::io::empty(), Plain));
        assert!(!hyper::rt::Write::is_write_vectored(&plain));
        let mut plain = Io::new(plain);
        assert!(!plain.is_write_vectored());
        assert_eq!(plain.write_vectored(&bufs).await.unwrap(), 2);
    });
}

/// Takes what it is given, by one buffer at a time.
struct Plain;

impl zokio::io::AsyncWrite for Plain {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A sleep of somebody else's is replaced by one of the timer's own.
#[test]
fn a_foreign_sleep_is_set_anew() {
    struct Foreign;
    impl Future for Foreign {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<()> {
            Poll::Ready(())
        }
    }
    impl hyper::rt::Sleep for Foreign {}
    paused().block_on(async {
        let timer = Timer::new();
        let begin = timer.now();
        let mut sleep: Pin<Box<dyn hyper::rt::Sleep>> = Box::pin(Foreign);
        timer.reset(&mut sleep, begin + Duration::from_secs(60));
        sleep.await;
        assert_eq!(timer.now() - begin, Duration::from_secs(60));
    });
}

#[test]
fn the_timer_obeys_the_clock_of_the_runtime() {
    paused().block_on(async {
        let timer = Timer::new();
        let begin = timer.now();
        timer.sleep(Duration::from_secs(3_600)).await;
        assert_eq!(timer.now() - begin, Duration::from_secs(3_600));
        let mut sleep = timer.sleep_until(timer.now() + Duration::from_secs(60));
        timer.reset(&mut sleep, begin + Duration::from_secs(7_200));
        sleep.await;
        assert_eq!(timer.now() - begin, Duration::from_secs(7_200));
    });
}
