//! Unix signals.
//!
//! A handler may do next to nothing, but it may write to a descriptor. So each [`Signal`] has a
//! pair of connected sockets: the handler writes a byte to one end, and the other is an ordinary
//! source of the runtime's driver. Any number of listeners, in any number of runtimes, do not know
//! of each other; the registry of handlers is shared with other libraries of the process.
//!
//! Invariants:
//!
//! 1. The sending end belongs to the handler's action. It lives until the action is unregistered,
//!    which waits for handlers that are running: no handler ever writes to a descriptor that was
//!    closed, and perhaps given to somebody else.
//! 2. The receiving end outlives the sending one: a handler gets no broken pipe.
//! 3. A full socket means that a byte is waiting: what cannot be written need not be.
//! 4. From the first listener on, a signal reaches somebody: whoever listens, or the next one who does.
//! 5. After `once_then_default` exactly one signal is delivered like that. Each later one restores the
//!    default action and is raised again, by the action that runs before all listeners'.
//! 6. A signal of a forked child, which has the handler and both ends of the pair as well until it executes
//!    another program, is not told to the parent.
#![allow(unsafe_code)]

use crate::io_driver::IoSource;
use signal_hook_registry::SigId;
use std::ffi::c_int;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::task::{Context, Poll, ready};
use zokio_base::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use zokio_base::sync::{Arc, Mutex};
use zokio_driver::{Direction, DriverHandle, Interest};

/// Which signal.
///
/// # Examples
/// ```
/// use zokio::signal::unix::SignalKind;
///
/// assert_eq!(SignalKind::from_raw(15), SignalKind::terminate());
/// ```
#[derive(Debug, Clone, Copy, Hash, PartialEq, Eq)]
pub struct SignalKind(c_int);

impl SignalKind {
    /// Any signal, by its number on this platform.
    pub const fn from_raw(signum: c_int) -> Self {
        Self(signum)
    }

    /// The signal's number on this platform.
    pub const fn as_raw_value(&self) -> c_int {
        self.0
    }

    /// `SIGALRM`: a timer of the process has expired. Ends the process by default.
    pub const fn alarm() -> Self {
        Self(libc::SIGALRM)
    }

    /// `SIGCHLD`: the state of a child process has changed. Ignored by default.
    pub const fn child() -> Self {
        Self(libc::SIGCHLD)
    }

    /// `SIGHUP`: the terminal is gone; to services, by custom: read the configuration again. Ends
    /// the process by default.
    pub const fn hangup() -> Self {
        Self(libc::SIGHUP)
    }

    /// `SIGINFO`: a request for a sign of life. Ignored by default.
    #[cfg(any(
        target_os = "dragonfly",
        target_os = "freebsd",
        target_os = "macos",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "illumos"
    ))]
    pub const fn info() -> Self {
        Self(libc::SIGINFO)
    }

    /// `SIGINT`: Ctrl-C. Ends the process by default.
    pub const fn interrupt() -> Self {
        Self(libc::SIGINT)
    }

    /// `SIGIO`: I/O is possible on a descriptor that asked for the signal. Ends the process by
    /// default on Linux.
    #[cfg(not(target_os = "haiku"))]
    pub const fn io() -> Self {
        Self(libc::SIGIO)
    }

    /// `SIGPIPE`: a write to a pipe that nobody reads. Ignored in Rust programs, unless changed.
    pub const fn pipe() -> Self {
        Self(libc::SIGPIPE)
    }

    /// `SIGQUIT`: Ctrl-\. Ends the process by default, with a core dump.
    pub const fn quit() -> Self {
        Self(libc::SIGQUIT)
    }

    /// `SIGTERM`: a request to end. Ends the process by default.
    pub const fn terminate() -> Self {
        Self(libc::SIGTERM)
    }

    /// `SIGUSR1`: for the program's own use. Ends the process by default.
    pub const fn user_defined1() -> Self {
        Self(libc::SIGUSR1)
    }

    /// `SIGUSR2`: for the program's own use. Ends the process by default.
    pub const fn user_defined2() -> Self {
        Self(libc::SIGUSR2)
    }

    /// `SIGWINCH`: the terminal's window has another size. Ignored by default.
    pub const fn window_change() -> Self {
        Self(libc::SIGWINCH)
    }
}

impl From<c_int> for SignalKind {
    fn from(signum: c_int) -> Self {
        Self::from_raw(signum)
    }
}

impl From<SignalKind> for c_int {
    fn from(kind: SignalKind) -> Self {
        kind.as_raw_value()
    }
}

/// Listens for one kind of signal. Made by [`signal`].
///
/// Signals that arrive between two calls of [`recv`](Self::recv) are kept, as one: the kernel merges
/// them as well. Each listener sees every signal, in whatever runtime it is.
#[must_use = "a listener does nothing unless it is polled"]
pub struct Signal {
    source: IoSource<UnixStream>,
    kind: SignalKind,
    action: SigId,
}

/// Listens for signals of one kind, from now on.
///
/// The default action of that signal, often to end the process, is switched off by the first
/// listener, and stays so after the last one was dropped: only the program itself can know what the
/// signal should do then. A signal that arrives while there is no listener any more is kept for the next.
///
/// # Errors
/// If the signal may not be caught (`SIGKILL`, `SIGSTOP`, `SIGILL`, `SIGFPE`, `SIGSEGV`), if there is
/// no such signal, or if the process has no descriptors left.
///
/// # Panics
/// Outside of a runtime, or if the runtime has no I/O.
///
/// # Examples
/// ```no_run
/// use zokio::signal::unix::{SignalKind, signal};
///
/// # async fn demo() -> std::io::Result<()> {
/// let mut hangups = signal(SignalKind::hangup())?;
/// while hangups.recv().await.is_some() {
///     println!("reading the configuration again");
/// }
/// # Ok(()) }
/// ```
#[track_caller]
pub fn signal(kind: SignalKind) -> io::Result<Signal> {
    signal_with_driver(kind, crate::io_driver::driver())
}

/// Listens for one signal of a kind, and leaves the ones after it to the default action.
///
/// For requests to stop: the first `SIGTERM` or Ctrl-C has the program stop in its own time, a second
/// one ends it at once, even if it hangs. That holds for the whole process: other listeners of this
/// signal, made before or after, do not hear a second one either, and it holds after the listener was
/// dropped. Calling this again lets one more signal be heard.
///
/// Where the default action is to do nothing, that is what later signals do.
///
/// # Errors
/// As [`signal`].
///
/// # Panics
/// As [`signal`].
///
/// # Examples
/// ```no_run
/// use zokio::signal::unix::{SignalKind, once_then_default};
///
/// # async fn finish_what_is_under_way() {}
/// # async fn demo() -> std::io::Result<()> {
/// once_then_default(SignalKind::terminate())?.recv().await;
/// // A second SIGTERM ends the program.
/// finish_what_is_under_way().await;
/// # Ok(()) }
/// ```
#[track_caller]
pub fn once_then_default(kind: SignalKind) -> io::Result<Signal> {
    let driver = crate::io_driver::driver();
    let Some(record) = record(kind) else {
        return signal_with_driver(kind, driver);
    };
    // SeqCst: pairs with the exchanges in the action of `install`. Before the listener is there: a
    // signal in between is the one.
    let before = record.limit.swap(LIMIT_ONE, Ordering::SeqCst);
    let had_missed = record.is_missed.load(Ordering::SeqCst); // SeqCst: as in `register`.
    let listener = signal_with_driver(kind, driver);
    if listener.is_err() {
        // SeqCst: as above. Nobody listens, so nothing is changed.
        record.limit.store(before, Ordering::SeqCst);
    } else if had_missed {
        // SeqCst: as above. The listener has got the one that nobody had heard.
        record.limit.store(LIMIT_REACHED, Ordering::SeqCst);
    }
    listener
}

/// As [`signal`], for a listener in the runtime of `driver`.
pub(crate) fn signal_with_driver(kind: SignalKind, driver: DriverHandle) -> io::Result<Signal> {
    let (receiver, sender) = UnixStream::pair()?;
    receiver.set_nonblocking(true)?;
    sender.set_nonblocking(true)?;
    let source = IoSource::with_driver(receiver, Interest::READABLE, driver)?;
    let action = register(kind, sender)?;
    Ok(Signal {
        source,
        kind,
        action,
    })
}

/// Has the handler write to `sender` whenever the signal arrives.
fn register(kind: SignalKind, sender: UnixStream) -> io::Result<SigId> {
    let signum = kind.as_raw_value();
    let refuse = || {
        let refusal = format!("signal {signum} cannot be listened for");
        io::Error::new(io::ErrorKind::InvalidInput, refusal)
    };
    if signal_hook_registry::FORBIDDEN.contains(&signum) {
        return Err(refuse());
    }
    let record = record(kind).ok_or_else(refuse)?;
    record.install(signum)?;
    let sender = Arc::new(sender);
    let write = move |sender: &UnixStream| {
        // Invariant 3. Any other error is one for a moment: memory that lacks, another signal.
        for _ in 0..WRITES_MAX {
            match (&*sender).write(&[1]) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => {}
                Ok(_) | Err(_) => return,
            }
        }
    };
    let in_handler = sender.clone();
    let owner = std::process::id();
    let tell = move || {
        // Invariant 6.
        if std::process::id() == owner {
            write(&in_handler);
        }
    };
    // SAFETY: the action asks for a number, and is a `write` to a descriptor that it owns and whose result it
    // forgets: that may be done in a handler, allocates nothing, takes no lock and cannot panic.
    let action = unsafe { signal_hook_registry::register(signum, tell) }?;
    // SeqCst: pairs with the load in the action of `install`. What it does not see is listened to
    // by the action above already.
    record.listeners.fetch_add(1, Ordering::SeqCst);
    // SeqCst: pairs with the store in the action of `install`.
    if record.is_missed.swap(false, Ordering::SeqCst) {
        write(&sender);
    }
    Ok(action)
}

/// How often a handler tries to tell of a signal.
const WRITES_MAX: u32 = 16;

/// The record of one signal, for the whole process.
struct Record {
    is_installed: Mutex<bool>,
    listeners: AtomicUsize,
    /// It arrived while nobody listened; the next listener gets it.
    is_missed: AtomicBool,
    /// How many more are delivered: one of the constants.
    limit: AtomicU8,
}

/// Every signal is delivered.
const LIMIT_NONE: u8 = 0;
/// One more is; set by `once_then_default`, left by the handler.
const LIMIT_ONE: u8 = 1;
/// The default action is next; set by the handler.
const LIMIT_REACHED: u8 = 2;

/// More than any platform has.
const SIGNALS: usize = 129;

static RECORDS: [Record; SIGNALS] = [const {
    Record {
        is_installed: Mutex::new(false),
        listeners: AtomicUsize::new(0),
        is_missed: AtomicBool::new(false),
        limit: AtomicU8::new(LIMIT_NONE),
    }
}; SIGNALS];

fn record(kind: SignalKind) -> Option<&'static Record> {
    RECORDS.get(usize::try_from(kind.as_raw_value()).ok()?)
}

impl Record {
    /// Has the handler notice signals for which nobody listens, once and for ever.
    fn install(&'static self, signum: c_int) -> io::Result<()> {
        let mut is_installed = self.is_installed.lock();
        if *is_installed {
            return Ok(());
        }
        let action = move || {
            let change = |from, to| {
                // SeqCst: pairs with the swap in `once_then_default`.
                let seq = Ordering::SeqCst;
                self.limit.compare_exchange(from, to, seq, seq).is_ok()
            };
            if !change(LIMIT_ONE, LIMIT_REACHED) && change(LIMIT_REACHED, LIMIT_REACHED) {
                zokio_driver::signals::default_and_raise(signum);
                return;
            }
            // SeqCst: pairs with the changes of the counter in `register` and in the drop.
            if self.listeners.load(Ordering::SeqCst) == 0 {
                // SeqCst: pairs with the swap in `register`.
                self.is_missed.store(true, Ordering::SeqCst);
            }
        };
        // SAFETY: changes of atomics that live for ever may be made in a handler, and so may the call that
        // restores the default action.
        unsafe { signal_hook_registry::register(signum, action) }?;
        *is_installed = true;
        Ok(())
    }
}

impl Signal {
    /// The driver that the listener is tied to.
    pub(crate) fn driver(&self) -> &DriverHandle {
        self.source.driver()
    }

    /// Waits for the next signal. `None` says that there will be no more, because the runtime has
    /// ended.
    ///
    /// # Cancel safety
    /// Cancel safe: a signal that was not returned is there for the next call.
    ///
    /// # Examples
    /// ```no_run
    /// use zokio::signal::unix::{SignalKind, signal};
    ///
    /// # async fn demo() -> std::io::Result<()> {
    /// signal(SignalKind::terminate())?.recv().await;
    /// # Ok(()) }
    /// ```
    pub async fn recv(&mut self) -> Option<()> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// As [`recv`](Self::recv), to be polled.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<()>> {
        let mut receiver: &UnixStream = &self.source;
        let mut bytes = [0; 64];
        let first = ready!(
            self.source
                .poll_io(cx, Direction::Read, || receiver.read(&mut bytes))
        );
        // The sending end is there as long as this is, so the end of the stream does not come, and
        // the only error is that of a driver that is gone.
        if !matches!(first, Ok(count) if count > 0) {
            return Poll::Ready(None);
        }
        // All wake-ups that came until now are one signal.
        while matches!(receiver.read(&mut bytes), Ok(count) if count == bytes.len()) {}
        Poll::Ready(Some(()))
    }
}

impl Drop for Signal {
    fn drop(&mut self) {
        if let Some(record) = record(self.kind) {
            // SeqCst: pairs with the load in the action of `Record::install`. A signal from here on
            // counts as missed, unless there are other listeners.
            record.listeners.fetch_sub(1, Ordering::SeqCst);
        }
        // Closes the sending end, before the receiving one.
        signal_hook_registry::unregister(self.action);
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signal")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}
