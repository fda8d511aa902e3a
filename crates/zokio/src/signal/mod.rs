//! Signals of the system: Ctrl-C, and on each platform what it has besides.
//!
//! - [`ctrl_c`]: waits for Ctrl-C, everywhere;
//! - `unix`: any signal that may be caught;
//! - `windows`: the console's events.
//!
//! # A second Ctrl-C
//! Once a program has listened for a signal, the signal does nothing else any more, also when nobody
//! listens: a program that waits for Ctrl-C and then hangs as it stops cannot be ended by another
//! Ctrl-C. [`ctrl_c_once_then_default`], and on Unix `unix::once_then_default` for any signal, take over
//! one signal only: the next one ends the process, or whatever else the system does by default.
//!
//! # What is behind it
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
///
/// # See also
/// [`ctrl_c_once_then_default`], for programs that a second Ctrl-C is to end.
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

/// Waits for Ctrl-C, and lets the next one end the process.
///
/// From the first poll on, one Ctrl-C is taken over by the program, also if the future is dropped; the
/// second one has its default effect, for the whole process and whoever else listens. Calling this again
/// takes over one more.
///
/// # Errors
/// As [`ctrl_c`].
///
/// # Panics
/// As [`ctrl_c`].
///
/// # Cancel safety
/// As [`ctrl_c`].
///
/// # Examples
/// ```no_run
/// # async fn finish_what_is_under_way() {}
/// # async fn demo() -> std::io::Result<()> {
/// zokio::signal::ctrl_c_once_then_default().await?;
/// println!("stopping; Ctrl-C again ends the program at once");
/// finish_what_is_under_way().await;
/// # Ok(()) }
/// ```
pub async fn ctrl_c_once_then_default() -> io::Result<()> {
    #[cfg(unix)]
    unix::once_then_default(unix::SignalKind::interrupt())?
        .recv()
        .await;
    #[cfg(windows)]
    windows::ctrl_c_once()?.recv().await;
    #[cfg(not(any(unix, windows)))]
    return Err(io::ErrorKind::Unsupported.into());
    #[cfg(any(unix, windows))]
    Ok(())
}
