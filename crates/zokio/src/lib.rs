//! An asynchronous runtime for Rust, with the API of Tokio.
//!
//! Everything in Tokio's public API is here under the same path, so that `use zokio as tokio` compiles;
//! the package `tokio` in this repository re-exports this crate, so that programs and libraries
//! move without being changed. What Tokio keeps behind `--cfg tokio_unstable` is simply part of this
//! API.
//!
//! # Examples
//! ```no_run
//! use std::time::Duration;
//!
//! #[zokio::main]
//! async fn main() {
//!     let answer = zokio::spawn(async {
//!         zokio::time::sleep(Duration::from_millis(10)).await;
//!         42
//!     });
//!     println!("{}", answer.await.unwrap());
//! }
//! ```
//!
//! # Where things are
//! - [`runtime`]: build one, block on a future, spawn from outside; [`main`] and [`test`] do it for you,
//!   and [`block_on`] is for programs that have neither
//! - [`task`]: spawn, join, abort, block
//! - [`time`]: sleep, timeout, interval
//! - [`sync`]: channels and locks
//! - [`future`]: join, race and map futures
//! - [`fs`]: files and directories
//! - [`io`]: the traits of readers and writers, and tools for them
//! - [`net`]: TCP, UDP and Unix-domain sockets
//! - [`process`]: child processes
//! - [`select!`], [`join!`], [`try_join!`], [`pin!`], [`task_local!`]
//!
//! # Features
//! All of it is always compiled. The features of Tokio's names exist, so that manifests need no
//! change, and turn nothing on or off.
//!
//! # Layers
//! This crate is the surface. The crates beneath it (`zokio-runtime` and further down) are not meant to
//! be used directly: only this one makes promises.

#![deny(unsafe_code)]

// The macros and the attributes name this crate by its own name, also in here.
extern crate self as zokio;

#[doc(hidden)]
#[macro_use]
pub mod macros;

pub mod fs;
#[cfg(feature = "futures")]
pub mod future;
pub mod io;
mod io_driver;
pub mod net;
#[cfg(any(unix, windows))]
pub mod process;
pub mod runtime;
pub mod signal;
pub mod stream;
pub mod sync;
pub mod task;
pub mod time;

pub use task::spawn;
pub use zokio_macros::{main, test};
pub use zokio_runtime::block_on;
