//! The events of a Windows console.
//!
//! The system calls a handler on a thread that it makes for it. The handler marks every listener of
//! that event and wakes its task; there is nothing to wait on, and no runtime is needed.
//!
//! Invariants:
//!
//! 1. The handler is installed once, before the first listener is entered, and never removed.
//! 2. A listener's mark is set before its waker is taken, and read after its waker was put in place:
//!    no event is lost between the two.
//! 3. When the handler of a closing console, a log-off or a shutdown returns, the system ends the
//!    process. So it does not return where somebody listens: the program ends itself.
#![allow(unsafe_code)]

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};
use windows_sys::Win32::System::Console::{
    CTRL_BREAK_EVENT, CTRL_C_EVENT, CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT,
    SetConsoleCtrlHandler,
};
use windows_sys::core::BOOL;
use zokio_base::atomic_waker::AtomicWaker;
use zokio_base::parker::Parker;
use zokio_base::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use zokio_base::sync::{Arc, Mutex, OnceLock};

/// The listeners, for all events.
static LISTENERS: Mutex<Vec<Arc<Inbox>>> = Mutex::new(Vec::new());

/// The place where the handler leaves events for one listener.
struct Inbox {
    event: u32,
    /// An event came and was not received yet.
    is_marked: AtomicBool,
    waker: AtomicWaker,
}

/// Installs the handler, unless it is installed already.
fn install() -> io::Result<()> {
    static INSTALLED: OnceLock<Result<(), i32>> = OnceLock::new();
    let installed = INSTALLED.get_or_init(|| {
        // SAFETY: the handler is a function of the right kind that lives for ever.
        if unsafe { SetConsoleCtrlHandler(Some(handle), 1) } != 0 {
            return Ok(());
        }
        Err(io::Error::last_os_error()
            .raw_os_error()
            .unwrap_or_default())
    });
    (*installed).map_err(io::Error::from_raw_os_error)
}

/// Called by the system, on a thread of its own. Returns whether the event was taken.
unsafe extern "system" fn handle(event: u32) -> BOOL {
    if !deliver(event) {
        return 0;
    }
    if matches!(
        event,
        CTRL_CLOSE_EVENT | CTRL_LOGOFF_EVENT | CTRL_SHUTDOWN_EVENT
    ) {
        // Invariant 3. Nobody has the other half of this parker.
        let parker = Parker::new();
        loop {
            parker.park();
        }
    }
    1
}

/// Marks and wakes everybody who listens for `event`; false if nobody does, or if it is a Ctrl-C after
/// the one that was to be delivered.
fn deliver(event: u32) -> bool {
    if event == CTRL_C_EVENT && !allows_ctrl_c() {
        return false;
    }
    let listeners: Vec<_> = {
        let all = LISTENERS.lock();
        all.iter()
            .filter(|inbox| inbox.event == event)
            .cloned()
            .collect()
    };
    for inbox in &listeners {
        // Release: pairs with the swap in `poll_recv`.
        inbox.is_marked.store(true, Ordering::Release);
        inbox.waker.wake();
    }
    !listeners.is_empty()
}

/// How many more Ctrl-C are delivered. All of them, unless `ctrl_c_once` was called: then one is, and
/// the count goes from 1 to 2.
static CTRL_C_LIMIT: AtomicU8 = AtomicU8::new(0);

fn allows_ctrl_c() -> bool {
    // AcqRel: pairs with the store in `ctrl_c_once`.
    match CTRL_C_LIMIT.compare_exchange(1, 2, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => true,
        Err(limit) => limit == 0,
    }
}

/// Listens for one Ctrl-C, and leaves the next one to the system.
pub(super) fn ctrl_c_once() -> io::Result<CtrlC> {
    let listener = ctrl_c()?;
    // Release: pairs with the exchange in `allows_ctrl_c`.
    CTRL_C_LIMIT.store(1, Ordering::Release);
    Ok(listener)
}

/// A listener, of whatever event.
struct Listener(Arc<Inbox>);

impl Listener {
    fn new(event: u32) -> io::Result<Self> {
        install()?;
        let inbox = Arc::new(Inbox {
            event,
            is_marked: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        });
        LISTENERS.lock().push(inbox.clone());
        Ok(Self(inbox))
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<()>> {
        self.0.waker.register(cx.waker());
        // Acquire: pairs with the store in `deliver`.
        if self.0.is_marked.swap(false, Ordering::Acquire) {
            return Poll::Ready(Some(()));
        }
        Poll::Pending
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        LISTENERS
            .lock()
            .retain(|inbox| !Arc::ptr_eq(inbox, &self.0));
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("event", &self.0.event)
            .finish_non_exhaustive()
    }
}

macro_rules! events {
    ($($function:ident $type:ident $event:ident, $what:literal;)*) => {$(
        #[doc = concat!("Listens for ", $what, ", from now on.")]
        ///
        /// # Errors
        /// If the console's handler cannot be installed.
        ///
        /// # Examples
        /// ```no_run
        /// # async fn demo() -> std::io::Result<()> {
        #[doc = concat!("let mut events = zokio::signal::windows::", stringify!($function), "()?;")]
        /// events.recv().await;
        /// # Ok(()) }
        /// ```
        pub fn $function() -> io::Result<$type> {
            Ok($type(Listener::new($event)?))
        }

        #[doc = concat!("Listens for ", $what, ".")]
        ///
        /// Events that arrive between two receptions are kept, as one. While there is a listener,
        /// the default action, to end the process, is switched off.
        #[derive(Debug)]
        #[must_use = "listeners do nothing unless polled"]
        pub struct $type(Listener);

        impl $type {
            /// Waits for the next event. Never `None` today.
            ///
            /// # Cancel safety
            /// Cancel safe: an event that was not returned is there for the next call.
            pub async fn recv(&mut self) -> Option<()> {
                poll_fn(|cx| self.poll_recv(cx)).await
            }

            /// As [`recv`](Self::recv), to be polled.
            pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<()>> {
                self.0.poll_recv(cx)
            }
        }
    )*};
}

events! {
    ctrl_c CtrlC CTRL_C_EVENT, "Ctrl-C";
    ctrl_break CtrlBreak CTRL_BREAK_EVENT, "Ctrl-Break";
    ctrl_close CtrlClose CTRL_CLOSE_EVENT, "the closing of the console";
    ctrl_logoff CtrlLogoff CTRL_LOGOFF_EVENT, "the user's logging off";
    ctrl_shutdown CtrlShutdown CTRL_SHUTDOWN_EVENT, "the system's shutdown";
}
