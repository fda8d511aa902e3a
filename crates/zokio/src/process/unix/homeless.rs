//! Children that no runtime waits for any more.
//!
//! A child that was dropped before it was reaped is an orphan of its runtime (`orphan.rs`). When the
//! runtime ends first, the child's number is entered in a list, and the handler of `SIGCHLD` reaps it: no
//! runtime and no thread is needed. Every start of a process looks at the list too, in case that
//! the program has blocked the signal or replaced the handler.
//!
//! The list, which a handler may interrupt and read anywhere, is [`Children`].
#![allow(unsafe_code)]

use zokio_base::sync::OnceLock;
use zokio_driver::children::Children;

static HOMELESS: Children = Children::new();

/// Has the child with this number reaped as soon as it ends. Nobody else may reap it.
pub(super) fn enter(child: u32) {
    install();
    HOMELESS.enter(std::process::id(), child, reap);
}

/// Reaps what has ended. May be called in a handler.
pub(super) fn reap_ended() {
    HOMELESS.ask(std::process::id(), reap);
}

/// Reaps one child. True if there is nothing more to be done about it.
fn reap(child: u32) -> bool {
    // It fits: it came from the system. The registry of handlers restores the error number afterwards.
    zokio_driver::signals::reap(child as libc::pid_t)
}

/// Has `SIGCHLD` reap the homeless from now on.
pub(super) fn install() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        // SAFETY: the action uses atomics and `waitpid`: no lock, no memory, no panic.
        let action = unsafe { signal_hook_registry::register(libc::SIGCHLD, reap_ended) };
        // The signal can always be handled. If it could not, each start of a process would reap.
        debug_assert!(action.is_ok());
    });
}
