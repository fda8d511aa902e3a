//! Child processes.
//!
//! [`Command`] is built as [`std::process::Command`] is; [`spawn`](Command::spawn) starts it and
//! returns a [`Child`], whose end can be awaited and whose pipes are readers and writers.
//! [`status`](Command::status) and [`output`](Command::output) do all of it in one step.
//!
//! # Examples
//! ```no_run
//! use zokio::process::Command;
//!
//! # async fn demo() -> std::io::Result<()> {
//! let output = Command::new("echo").arg("hello").output().await?;
//! assert!(output.status.success());
//! assert_eq!(output.stdout, b"hello\n");
//! # Ok(()) }
//! ```
//!
//! Text through a process, line by line. Two tasks, because a process that nobody reads from stops
//! reading as well:
//!
//! ```no_run
//! use std::process::Stdio;
//! use zokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
//! use zokio::process::Command;
//!
//! # async fn demo() -> std::io::Result<()> {
//! let mut sort = Command::new("sort").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
//! let mut input = sort.stdin.take().unwrap();
//! zokio::spawn(async move { input.write_all(b"pear\napple\n").await });
//! let mut lines = BufReader::new(sort.stdout.take().unwrap()).lines();
//! while let Some(line) = lines.next_line().await? {
//!     println!("{line}");
//! }
//! sort.wait().await?;
//! # Ok(()) }
//! ```
//!
//! # Dropping
//! As in the standard library, a process goes on when its [`Child`] is dropped, unless
//! [`Command::kill_on_drop`] says otherwise.
//!
//! # Zombies
//! On unix a process that has ended stays in the system's table until its parent has asked for its
//! status. [`Child::wait`] does. A child that was dropped before is reaped by its runtime as long as
//! that runs, and afterwards by a handler of `SIGCHLD`, which is installed once there is such a child.
//! Nothing reaps it while the program blocks that signal, or has replaced the handler, until the next
//! process is started. Where it matters when a process is gone, wait for it.
//!
//! # `SIGCHLD`
//! A process that ignores this signal (some supervisors and shells start programs so), or has set
//! `SA_NOCLDWAIT`, is not told how its children end. So before a process is started, a handler takes the
//! place of ignoring. Children that the program starts by other means have to be waited for from
//! then on.
//!
//! # Descriptors
//! A child's end is noticed through a descriptor. If the process has none left when a child was started,
//! the child lives and can be waited for: it is then asked whether it has ended, with pauses of up to
//! 32 ms, until there is a descriptor again.

mod child;
mod command;
#[cfg(unix)]
#[path = "unix/mod.rs"]
mod imp;
#[cfg(windows)]
#[path = "windows/mod.rs"]
mod imp;

#[cfg(all(test, unix, not(zokio_model)))]
mod tests;

pub use child::Child;
pub use command::Command;
pub use imp::{ChildStderr, ChildStdin, ChildStdout};
