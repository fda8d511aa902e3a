//! An echo server under load from another process.

use std::net::SocketAddr;
use std::time::Duration;

use super::rt;
use super::rt::io::{AsyncReadExt, AsyncWriteExt};
use super::runtime;
use crate::load::Load;
use crate::measure::{Flavor, Metric};
use crate::{metric, os};

/// The findings of the load generator, and the cost of serving it.
#[derive(Debug)]
pub(crate) struct Echo {
    pub(crate) load: crate::load::Seen,
    pub(crate) processor_ns: f64,
}

/// The scenario: as many connections, 64 bytes, each sends again as soon as it has its answer.
pub(crate) fn echo(flavor: Flavor, connections: usize) -> Vec<Metric> {
    let load = Load {
        connections,
        time: Duration::from_millis(700),
        bytes: 64,
        pause: None,
    };
    let echo = serve_load(&runtime(flavor), load);
    vec![
        metric("wall", "ns", echo.load.ns_per_request),
        metric("server cpu", "ns", echo.processor_ns),
        metric("p50", "us", echo.load.p50_us),
        metric("p99", "us", echo.load.p99_us),
    ]
}

/// Serves until the load generator has finished.
pub(crate) fn serve_load(runtime: &rt::runtime::Runtime, load: Load) -> Echo {
    serve_load_with(runtime, load, serve)
}

/// Serves with `serve` until the load generator has finished.
pub(crate) fn serve_load_with<S>(
    runtime: &rt::runtime::Runtime,
    load: Load,
    serve: impl FnOnce(rt::net::TcpListener) -> S,
) -> Echo
where
    S: Future<Output = ()> + Send + 'static,
{
    runtime.block_on(async {
        let listener = rt::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let address: SocketAddr = listener.local_addr().expect("it is bound");
        let server = rt::spawn(serve(listener));
        let (finished, seen) = rt::sync::oneshot::channel();
        let before = os::processor_time();
        std::thread::spawn(move || finished.send(load.run(address)));
        let load = seen
            .await
            .expect("the generator answers")
            .expect("the generator runs");
        let used = os::processor_time().saturating_sub(before);
        server.abort();
        let processor_ns = used.as_nanos() as f64 / load.requests_all.max(1) as f64;
        Echo { load, processor_ns }
    })
}

async fn serve(listener: rt::net::TcpListener) {
    loop {
        let (stream, _) = listener.accept().await.expect("accepting goes on");
        stream.set_nodelay(true).expect("a connected socket");
        rt::spawn(answer(stream, || ()));
    }
}

/// Accepts `connections`, waits for all of them in one poll, so that one worker gets them all, and
/// serves them with `work` for each message.
pub(crate) async fn serve_owned(listener: rt::net::TcpListener, connections: usize, work: fn()) {
    let mut streams = Vec::with_capacity(connections);
    while streams.len() < connections {
        let (stream, _) = listener.accept().await.expect("accepting goes on");
        stream.set_nodelay(true).expect("a connected socket");
        streams.push(stream);
    }
    std::future::poll_fn(|cx| {
        for stream in &streams {
            let mut byte = [0];
            let _ = stream.poll_peek(cx, &mut rt::io::ReadBuf::new(&mut byte));
        }
        std::task::Poll::Ready(())
    })
    .await;
    for stream in streams {
        rt::spawn(answer(stream, work));
    }
    std::future::pending().await
}

async fn answer(mut stream: rt::net::TcpStream, work: fn()) {
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(length) => {
                work();
                if stream.write_all(&buffer[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}
