//! An HTTP/1.1 server: hyper for the protocol, Zokio for everything below.
//!
//! ```text
//! cargo run --release --example http_server -- --addr 127.0.0.1:8080 --root docs
//! curl http://127.0.0.1:8080/files/ARCHITECTURE.md
//! ```
//!
//! - `args`: the command line;
//! - `routes`: which request gets which answer;
//! - `files`: the directory that is served, and what keeps requests inside of it;
//! - `metrics`: counters, and their text for Prometheus;
//! - `shutdown`: from Ctrl-C to the end of the last response.
//!
//! Exit codes: 0 after Ctrl-C with everything finished, 1 if something had to be cut off, 2 if the
//! server could not start.

mod args;
mod files;
mod metrics;
mod routes;
mod shutdown;

use args::{Args, Unusable};
use files::Root;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use metrics::{Counted, Metrics};
use routes::Routes;
use shutdown::{Drain, Outcome, Stop};
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use zokio::net::{TcpListener, TcpStream};
use zokio::runtime::{Builder, Runtime};
use zokio_util::hyper::{Io, Timer};

/// How long to wait after an accept that failed for want of descriptors or memory.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

fn main() -> ExitCode {
    match start() {
        Ok(code) => code,
        Err(unusable) => {
            eprintln!("http_server: {unusable}");
            ExitCode::from(2)
        }
    }
}

fn start() -> Result<ExitCode, Unusable> {
    let Some(args) = args::read()? else {
        return Ok(ExitCode::SUCCESS);
    };
    let root = Root::open(&args.root)
        .map_err(|error| Unusable(format!("cannot serve {}: {error}", args.root.display())))?;
    let runtime = build_runtime(&args)?;
    let outcome = runtime.block_on(serve(&args, root));
    // Nothing is left to wait for, or it was waited for long enough.
    runtime.shutdown_background();
    outcome
}

fn build_runtime(args: &Args) -> Result<Runtime, Unusable> {
    let mut builder = Builder::new_multi_thread();
    if let Some(workers) = args.workers {
        builder.worker_threads(workers.into());
    }
    builder
        .enable_all()
        .io_mode(args.io.into())
        .build()
        .map_err(|error| Unusable(format!("cannot start the runtime: {error}")))
}

async fn serve(args: &Args, root: Root) -> Result<ExitCode, Unusable> {
    let listener = TcpListener::bind(args.addr)
        .await
        .map_err(|error| Unusable(format!("cannot listen on {}: {error}", args.addr)))?;
    let mut interrupts = shutdown::Interrupts::listen()
        .map_err(|error| Unusable(format!("cannot listen for Ctrl-C: {error}")))?;
    announce(&listener).map_err(|error| Unusable(format!("cannot say where it is: {error}")))?;

    let metrics = Arc::new(Metrics::default());
    let routes = Arc::new(Routes::new(root, metrics.clone()));
    let drain = Drain::new();
    loop {
        let accepted = zokio::select! {
            accepted = listener.accept() => accepted,
            () = interrupts.next() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = connection(stream, routes.clone(), metrics.clone(), drain.stop());
                zokio::spawn(connection);
            }
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                eprintln!("http_server: cannot accept: {error}");
                zokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
    // New connections are refused from here on.
    drop(listener);
    Ok(match drain.finish(&mut interrupts).await {
        Outcome::Finished => ExitCode::SUCCESS,
        Outcome::CutOff(why) => {
            eprintln!(
                "http_server: {why}; {} connections cut off",
                metrics.open_connections()
            );
            ExitCode::from(1)
        }
    })
}

/// Says where it listens, for people and for programs that asked for port 0.
fn announce(listener: &TcpListener) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "listening on http://{}", listener.local_addr()?)?;
    out.flush()
}

/// The peer gave up before it was accepted: the listener itself is well.
fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

/// Serves one connection to its end; after `stop` to the end of its current request.
async fn connection(stream: TcpStream, routes: Arc<Routes>, metrics: Arc<Metrics>, mut stop: Stop) {
    let _open = metrics.connection_opened();
    // Small answers should not wait for more data. Where it is not possible, they do.
    let _ = stream.set_nodelay(true);
    let stream = Counted::new(stream, metrics.clone());
    let service = service_fn(|request| routes.answer(request));
    let connection = http1::Builder::new()
        .timer(Timer::new())
        .serve_connection(Io::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = zokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.requested() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if ended.is_err() {
        metrics.connection_failed();
    }
}
