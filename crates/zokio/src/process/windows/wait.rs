//! Waking when a process ends.
//!
//! Invariants:
//!
//! 1. The callback's argument is alive until [`Wait`] is dropped, which waits for a callback that is
//!    running. So a waker must not drop the wait that wakes it; those of tasks do not.
//! 2. The handle that is waited for stays open until then: its owner promises that.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::io;
use std::os::windows::io::{AsRawHandle, BorrowedHandle};
use std::task::Waker;
use windows_sys::Win32::Foundation::{HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::System::Threading::{
    INFINITE, RegisterWaitForSingleObject, UnregisterWaitEx, WT_EXECUTEONLYONCE,
};
use zokio_base::atomic_waker::AtomicWaker;
use zokio_base::sync::Arc;

/// Wakes when a handle is signalled.
pub(super) struct Wait {
    object: HANDLE,
    waker: Arc<AtomicWaker>,
}

// SAFETY: the object names a wait of the system, which any thread may end.
unsafe impl Send for Wait {}
// SAFETY: nothing is done with the object through a shared reference.
unsafe impl Sync for Wait {}

impl Wait {
    /// Waits for `handle`, which must stay open as long as this lives (invariant 2).
    pub(super) fn new(handle: BorrowedHandle<'_>) -> io::Result<Self> {
        let waker = Arc::new(AtomicWaker::new());
        let mut object = std::ptr::null_mut();
        // SAFETY: the handle is open, the address is that of a local, and the context lives until
        // the wait is unregistered (invariant 1).
        let registered = unsafe {
            RegisterWaitForSingleObject(
                &mut object,
                handle.as_raw_handle(),
                Some(signalled),
                Arc::as_ptr(&waker).cast(),
                INFINITE,
                WT_EXECUTEONLYONCE,
            )
        };
        if registered == 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { object, waker })
    }

    /// Has `waker` woken. The last one counts.
    pub(super) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }
}

/// Called by the system, once, on a thread of its own.
unsafe extern "system" fn signalled(context: *mut c_void, _timed_out: bool) {
    // SAFETY: invariant 1.
    let waker = unsafe { &*context.cast::<AtomicWaker>() };
    waker.wake();
}

impl Drop for Wait {
    fn drop(&mut self) {
        // SAFETY: the object was registered and is unregistered here only. The special handle asks
        // the call to wait for a callback that is running.
        let unregistered = unsafe { UnregisterWaitEx(self.object, INVALID_HANDLE_VALUE) };
        if unregistered == 0 {
            // Nobody knows whether the callback is still to come: what it gets has to stay.
            std::mem::forget(self.waker.clone());
        }
    }
}
