//! Sources on unix: the descriptor alone is enough to watch one, so watching can wait until it is
//! needed.
#![allow(unsafe_code)]

use bytes::BufMut;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use zokio_driver::{DriverHandle, Interest, Ready, Registration};
use zokio_io::ReadBuf;

/// An object of the system and its registration with the driver.
///
/// Invariant: fields are dropped in order, so the source leaves its set before it is closed.
pub(crate) struct IoSource<E> {
    pub(super) registration: Registration,
    pub(super) io: E,
}

impl<E: AsRawFd> IoSource<E> {
    /// Ties `io`, which must be in non-blocking mode, to the current runtime.
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O.
    #[track_caller]
    pub(crate) fn new(io: E, interest: Interest) -> io::Result<Self> {
        Ok(Self::with_driver(io, interest, super::driver())?.made_here())
    }

    /// Ties `io`, which must be in non-blocking mode, to `driver`. No set watches it before its first
    /// operation.
    ///
    /// # Errors
    /// If the driver is gone: the maker of a source that can never wait should hear of it now.
    pub(crate) fn with_driver(io: E, interest: Interest, driver: DriverHandle) -> io::Result<Self> {
        let registration = Registration::new(driver, io.as_raw_fd(), interest);
        registration.check_driver()?;
        Ok(Self { registration, io })
    }

    /// Says that the program has just made the object, on this thread: its first operation answers as that of
    /// an object that is watched from here on (see `Registration`).
    pub(crate) fn made_here(mut self) -> Self {
        let worker = super::worker(self.driver());
        self.registration = self.registration.made_by(worker);
        self
    }

    /// Has a set watch the object from now on, unless the runtime is an eager one, which tries instead.
    ///
    /// For sockets that need not wait for a peer before they send: the set's word that there is room comes
    /// early, as programs on Tokio know it. Of Unix sockets the system says so only while most of the room
    /// is free, so a later question might get no answer though there is room.
    ///
    /// # Errors
    /// The errors of registering the object with the system's readiness set.
    pub(crate) fn watched(self) -> io::Result<Self> {
        if self.driver().is_eager() {
            return Ok(self.assuming(Ready::WRITABLE));
        }
        self.attach()?;
        Ok(self)
    }

    /// Has the set watch the object from now on: what is then tried is what the set says is ready.
    pub(crate) fn attach(&self) -> io::Result<()> {
        self.registration.attach(super::worker)
    }

    /// Unties the object.
    pub(crate) fn into_inner(self) -> io::Result<E> {
        let Self {
            mut registration,
            io,
        } = self;
        registration.deregister()?;
        Ok(io)
    }
}

impl<E: AsFd> AsFd for IoSource<E> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.as_fd()
    }
}

/// The unfilled part of a buffer.
pub(super) fn unfilled<'a>(buf: &'a mut ReadBuf<'_>) -> &'a mut [MaybeUninit<u8>] {
    // SAFETY: whoever gets the slice writes bytes to it and never takes any away: the readers of
    // this module pass it to the system or to `Read`.
    unsafe { buf.unfilled_mut() }
}

/// Says that `read` bytes of the unfilled part are initialised and filled.
pub(super) fn filled(buf: &mut ReadBuf<'_>, read: usize) {
    // SAFETY: the system has just written that many bytes there.
    unsafe { buf.assume_init(read) };
    buf.advance(read);
}

/// The free part of a growable buffer.
pub(super) fn spare<B: BufMut>(buf: &mut B) -> &mut [MaybeUninit<u8>] {
    // SAFETY: as for `unfilled`: nothing takes initialised bytes away.
    unsafe { buf.chunk_mut().as_uninit_slice_mut() }
}

/// Says that `read` bytes of the free part are initialised.
pub(super) fn advance<B: BufMut>(buf: &mut B, read: usize) {
    // SAFETY: the system has just written that many bytes there.
    unsafe { buf.advance_mut(read) };
}
