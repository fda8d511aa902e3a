//! Signals and children: what the crates above ask of the system.
//!
//! The functions that a handler may call say so: they take no lock, use no memory of the allocator and do
//! not panic.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::ptr;

/// Reaps a child that has ended, by its number. False if it has not ended; true if it was reaped, or is
/// no child of this process.
///
/// A handler may call this. Whoever else waits for this child never hears of its end.
pub fn reap(child: libc::pid_t) -> bool {
    let mut status = 0;
    // SAFETY: the call writes to `status` only.
    unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) != 0 }
}

/// The action for a signal. None if there is no such signal.
fn action(signal: libc::c_int) -> Option<libc::sigaction> {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: the call changes nothing, and writes the current action to the place that is passed.
    let result = unsafe { libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) };
    // SAFETY: the call has succeeded, and so written the action.
    (result == 0).then(|| unsafe { action.assume_init() })
}

/// Whether the system reaps the children of this process by itself, and forgets how they ended. A
/// process inherits this from the program that has started it.
pub fn discards_children() -> bool {
    action(libc::SIGCHLD).is_some_and(|action| {
        action.sa_sigaction == libc::SIG_IGN || action.sa_flags & libc::SA_NOCLDWAIT != 0
    })
}

/// Has the system keep the children of this process until they are reaped.
pub fn keep_children() {
    let Some(mut action) = action(libc::SIGCHLD) else {
        return;
    };
    if action.sa_sigaction == libc::SIG_IGN {
        action.sa_sigaction = libc::SIG_DFL;
    }
    action.sa_flags &= !libc::SA_NOCLDWAIT;
    // SAFETY: the action is the one that the system has told, with a default in place of ignoring.
    unsafe { libc::sigaction(libc::SIGCHLD, &raw const action, ptr::null_mut()) };
}

/// Restores a signal's default action, and raises the signal, which is then acted upon: at once, or when
/// the handler that calls this returns.
///
/// A handler may call this.
pub fn default_and_raise(signal: libc::c_int) {
    // SAFETY: both calls take numbers. The default action names no function.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
}
