//! Zokio for hyper 1.x: [`Io`] for connections, [`Executor`] for tasks, [`Timer`] for time-outs.
//!
//! hyper knows no runtime; it asks for these three through the traits of `hyper::rt`.
//!
//! # Examples
//! ```no_run
//! use http_body_util::Full;
//! use hyper::{Request, Response, body::{Bytes, Incoming}, server::conn::http1, service::service_fn};
//! use std::convert::Infallible;
//! use zokio_util::hyper::{Io, Timer};
//!
//! async fn hello(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
//!     Ok(Response::new(Full::from("hello\n")))
//! }
//!
//! # async fn serve() -> std::io::Result<()> {
//! let listener = zokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! loop {
//!     let (stream, _) = listener.accept().await?;
//!     zokio::spawn(async move {
//!         let connection = http1::Builder::new()
//!             .timer(Timer::new())
//!             .serve_connection(Io::new(stream), service_fn(hello));
//!         if let Err(error) = connection.await {
//!             eprintln!("connection: {error}");
//!         }
//!     });
//! }
//! # }
//! ```

mod executor;
mod io;
mod timer;

pub use executor::Executor;
pub use io::Io;
pub use timer::Timer;
