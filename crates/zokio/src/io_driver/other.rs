//! Sources on systems where `mio`'s own types are what can be watched: each one enters a set when it is
//! made.
#![allow(unsafe_code)]

use bytes::BufMut;
use mio::event::Source;
use std::io;
use std::mem::MaybeUninit;
use zokio_driver::{DriverHandle, Interest, Registration, SourceId};
use zokio_io::ReadBuf;

/// An object of the system and its registration with the driver.
///
/// An object that is dropped leaves the system's set by itself; its registration forgets it.
pub(crate) struct IoSource<E> {
    pub(super) registration: Registration,
    pub(super) io: E,
}

impl<E: Source> IoSource<E> {
    /// Ties `io`, which must be in non-blocking mode, to the current runtime.
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O.
    #[track_caller]
    pub(crate) fn new(io: E, interest: Interest) -> io::Result<Self> {
        Self::with_driver(io, interest, super::driver())
    }

    /// Ties `io`, which must be in non-blocking mode, to `driver`.
    pub(crate) fn with_driver(
        mut io: E,
        interest: Interest,
        driver: DriverHandle,
    ) -> io::Result<Self> {
        let worker = super::worker(&driver);
        let registration = Registration::new(driver, SourceId, interest);
        registration.attach_source(worker, &mut io)?;
        Ok(Self { registration, io })
    }

    /// A set watches every object here, from the start.
    pub(crate) fn watched(self) -> io::Result<Self> {
        Ok(self)
    }

    /// Unties the object.
    pub(crate) fn into_inner(self) -> io::Result<E> {
        let Self {
            mut registration,
            mut io,
        } = self;
        registration.detach_source(&mut io)?;
        Ok(io)
    }
}

#[cfg(windows)]
impl<E: std::os::windows::io::AsSocket> std::os::windows::io::AsSocket for IoSource<E> {
    fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
        self.io.as_socket()
    }
}

/// The unfilled part of a buffer.
pub(super) fn unfilled<'a>(buf: &'a mut ReadBuf<'_>) -> &'a mut [MaybeUninit<u8>] {
    // SAFETY: whoever gets the slice writes bytes to it and never takes any away.
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
