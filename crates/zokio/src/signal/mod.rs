//! Signals of the system: Ctrl-C, and on each platform what it has besides.
//!
//! - [`ctrl_c`]: waits for Ctrl-C, everywhere;
//! - `unix`: any signal that may be caught;
//! - `windows`: the console's events.
//!
//! There is no thread behind it, and no state of a runtime: each listener stands for itself. So
//! several runtimes, or none of them any more, make no difference to each other.

#[cfg(unix)]
pub mod unix;
#[cfg(windows)]
pub mod windows;

use std::io;

/// Waits for Ctrl-C.
///
/// From the first poll on, Ctrl-C no longer ends the process by itself, also after the future was
/// dropped: the program has taken it over. On Unix, one that arrives after that and while nobody
/// listens is kept for the next listener. To miss none elsewhere, poll it all the time, or keep a
/// listener of the platform's module.
///
/// # Errors
/// If the handler cannot be installed.
///
/// # Panics
/// Outside of a runtime, or if the runtime has no I/O.
///
/// # Cancel safety
/// A Ctrl-C that arrives while the future exists is lost if it is dropped before it is ready.
///
/// # Examples
/// ```no_run
/// # async fn demo() -> std::io::Result<()> {
/// println!("waiting for Ctrl-C");
/// zokio::signal::ctrl_c().await?;
/// println!("good bye");
/// # Ok(()) }
/// ```
pub async fn ctrl_c() -> io::Result<()> {
    #[cfg(unix)]
    unix::signal(unix::SignalKind::interrupt())?.recv().await;
    #[cfg(windows)]
    windows::ctrl_c()?.recv().await;
    #[cfg(not(any(unix, windows)))]
    return Err(io::ErrorKind::Unsupported.into());
    #[cfg(any(unix, windows))]
    Ok(())
}
