//! Named pipes: [`NamedPipeServer`] and [`NamedPipeClient`].
//!
//! A pipe has a name such as `\\.\pipe\zokio`. A server makes an *instance* of it with
//! [`ServerOptions`] and waits for a client with [`NamedPipeServer::connect`]; a client opens the name
//! with [`ClientOptions`]. One instance serves one client, so a server for many makes the next
//! instance before it hands the connected one to a task: a client that finds no instance is refused.
//!
//! # Examples
//! ```no_run
//! use zokio::io::{AsyncReadExt, AsyncWriteExt};
//! use zokio::net::windows::named_pipe::{ClientOptions, ServerOptions};
//!
//! const NAME: &str = r"\\.\pipe\zokio-example";
//!
//! # async fn demo() -> std::io::Result<()> {
//! let mut server = ServerOptions::new().first_pipe_instance(true).create(NAME)?;
//! let client = zokio::spawn(async {
//!     let mut client = ClientOptions::new().open(NAME)?;
//!     client.write_all(b"ping").await
//! });
//! server.connect().await?;
//! let mut buf = [0; 4];
//! server.read_exact(&mut buf).await?;
//! assert_eq!(&buf, b"ping");
//! client.await??;
//! # Ok(()) }
//! ```

mod ends;
mod options;
mod sys;

pub use ends::{NamedPipeClient, NamedPipeServer};
pub use options::{ClientOptions, PipeEnd, PipeInfo, PipeMode, ServerOptions};
