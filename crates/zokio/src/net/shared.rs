//! Methods that kinds of sockets have in common, written once. Each macro belongs inside of an
//! `impl` block of a type with a field `io: IoSource<_>`.

/// Readiness: `readable`, `writable`, `ready`, `try_io`, `async_io`.
macro_rules! readiness_methods {
    () => {
        /// Waits until a read would not block, or until the peer has closed its side.
        ///
        /// It may return early for no reason: be ready for `WouldBlock` from the attempt that follows.
        ///
        /// # Errors
        /// If the runtime has shut down.
        ///
        /// # Cancel safety
        /// Dropping the future loses nothing. Once it has completed it keeps completing until an
        /// attempt has returned `WouldBlock`.
        pub async fn readable(&self) -> std::io::Result<()> {
            self.io.ready(zokio_io::Interest::READABLE).await?;
            Ok(())
        }

        /// Waits until a write would not block, or until the write side is closed.
        ///
        /// It may return early for no reason: be ready for `WouldBlock` from the attempt that follows.
        ///
        /// # Errors
        /// If the runtime has shut down.
        ///
        /// # Cancel safety
        /// Dropping the future loses nothing. Once it has completed it keeps completing until an
        /// attempt has returned `WouldBlock`.
        pub async fn writable(&self) -> std::io::Result<()> {
            self.io.ready(zokio_io::Interest::WRITABLE).await?;
            Ok(())
        }

        /// Waits until the socket is ready for a part of `interest`, and returns for which.
        ///
        /// Any number of tasks may wait. It may return early for no reason.
        ///
        /// # Errors
        /// If the runtime has shut down.
        ///
        /// # Cancel safety
        /// Dropping the future loses nothing. Once it has completed it keeps completing until an
        /// attempt has returned `WouldBlock`.
        pub async fn ready(
            &self,
            interest: zokio_io::Interest,
        ) -> std::io::Result<zokio_io::Ready> {
            self.io.state(interest).await
        }

        /// Runs `f`, which does I/O on the socket, once, if the socket is ready for `interest`.
        ///
        /// If `f` returns `WouldBlock` the socket counts as not ready until the system says
        /// otherwise. So `f` must return `WouldBlock` only if the socket did, and must use the
        /// socket only in ways that `interest` covers.
        ///
        /// # Errors
        /// `WouldBlock` if the socket is not ready; otherwise what `f` returns.
        pub fn try_io<R>(
            &self,
            interest: zokio_io::Interest,
            f: impl FnOnce() -> std::io::Result<R>,
        ) -> std::io::Result<R> {
            // Through `try_io` of mio's type, which re-arms its events where that is needed.
            self.io.try_io(interest, || (*self.io).try_io(f))
        }

        /// Runs `f`, which does I/O on the socket, whenever the socket is ready for `interest`, until it
        /// returns something other than `WouldBlock`.
        ///
        /// The rules for `f` are those of [`try_io`](Self::try_io).
        ///
        /// # Errors
        /// The errors of `f`; or that the runtime has shut down.
        ///
        /// # Cancel safety
        /// The future is dropped between runs of `f` only.
        pub async fn async_io<R>(
            &self,
            interest: zokio_io::Interest,
            mut f: impl FnMut() -> std::io::Result<R>,
        ) -> std::io::Result<R> {
            // Through `try_io` of mio's type, as in `try_io`.
            let attempt = || (*self.io).try_io(&mut f);
            self.io.async_io(interest, attempt).await
        }
    };
}

/// The poll functions of readiness, under the names that the kind of socket gives them.
macro_rules! poll_readiness_methods {
    ($read:ident, $write:ident) => {
        /// Polls whether a read would not block.
        ///
        /// Of several tasks that poll for reading, the last is woken. It may be ready for no reason.
        ///
        /// # Errors
        /// If the runtime has shut down.
        pub fn $read(
            &self,
            cx: &mut std::task::Context<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            self.io.poll_ready(cx, zokio_driver::Direction::Read)
        }

        /// Polls whether a write would not block.
        ///
        /// Of several tasks that poll for writing, the last is woken. It may be ready for no reason.
        ///
        /// # Errors
        /// If the runtime has shut down.
        pub fn $write(
            &self,
            cx: &mut std::task::Context<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            self.io.poll_ready(cx, zokio_driver::Direction::Write)
        }
    };
}

/// Attempts to move bytes of a stream.
macro_rules! stream_try_methods {
    () => {
        /// Tries to read. `Ok(0)` says that the peer has closed its side, or that `buf` is empty.
        ///
        /// # Errors
        /// `WouldBlock` if nothing is there; otherwise the errors of the read: `ConnectionReset` if the
        /// peer has broken the connection off.
        ///
        /// # Examples
        /// ```no_run
        /// # async fn demo(stream: zokio::net::TcpStream) -> std::io::Result<()> {
        /// let mut buf = [0; 4096];
        /// loop {
        ///     stream.readable().await?;
        ///     match stream.try_read(&mut buf) {
        ///         Ok(0) => break,
        ///         Ok(n) => println!("{n} bytes"),
        ///         Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
        ///         Err(error) => return Err(error),
        ///     }
        /// }
        /// # Ok(()) }
        /// ```
        pub fn try_read(&self, buf: &mut [u8]) -> std::io::Result<usize> {
            use std::io::Read;
            self.io
                .try_io(zokio_io::Interest::READABLE, || self.socket().read(buf))
        }

        /// As [`try_read`](Self::try_read), into several buffers, one after the other.
        ///
        /// # Errors
        /// As [`try_read`](Self::try_read).
        pub fn try_read_vectored(
            &self,
            bufs: &mut [std::io::IoSliceMut<'_>],
        ) -> std::io::Result<usize> {
            use std::io::Read;
            self.io.try_io(zokio_io::Interest::READABLE, || {
                self.socket()
                    .read_vectored(crate::io_driver::scattered(bufs))
            })
        }

        /// As [`try_read`](Self::try_read), into the free part of a growable buffer.
        ///
        /// # Errors
        /// As [`try_read`](Self::try_read).
        pub fn try_read_buf<B: bytes::BufMut>(&self, buf: &mut B) -> std::io::Result<usize> {
            let read = self.io.try_io(zokio_io::Interest::READABLE, || {
                self.recv(crate::io_driver::spare(buf))
            })?;
            crate::io_driver::advance(buf, read);
            Ok(read)
        }

        /// Tries to write, and returns how many bytes were.
        ///
        /// # Errors
        /// `WouldBlock` if there is no room; otherwise the errors of the write: `BrokenPipe` or
        /// `ConnectionReset` if the peer receives no more.
        pub fn try_write(&self, buf: &[u8]) -> std::io::Result<usize> {
            use std::io::Write;
            self.io
                .try_io(zokio_io::Interest::WRITABLE, || self.socket().write(buf))
        }

        /// As [`try_write`](Self::try_write), from several buffers, one after the other.
        ///
        /// # Errors
        /// As [`try_write`](Self::try_write).
        pub fn try_write_vectored(&self, bufs: &[std::io::IoSlice<'_>]) -> std::io::Result<usize> {
            use std::io::Write;
            self.io.try_io(zokio_io::Interest::WRITABLE, || {
                self.socket()
                    .write_vectored(crate::io_driver::gathered(bufs))
            })
        }
    };
}

/// `AsyncRead` and `AsyncWrite` over the methods `poll_read_shared`, `poll_failure_shared`,
/// `poll_write_shared`, `poll_write_vectored_shared` and `shutdown_write`, which take the stream by shared reference.
macro_rules! stream_traits {
    ($type:ty, |$this:ident| $stream:expr) => {
        stream_traits!(@read $type, |$this| $stream);
        stream_traits!(@write $type, |$this| $stream);
    };
    (@read $type:ty, |$this:ident| $stream:expr) => {
        impl zokio_io::AsyncRead for $type {
            #[inline]
            fn poll_read(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buf: &mut zokio_io::ReadBuf<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                let $this = &*self;
                $stream.poll_read_shared(cx, buf)
            }

            fn poll_read_failure(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Error> {
                let $this = &*self;
                $stream.poll_failure_shared(cx)
            }
        }
    };
    (@write $type:ty, |$this:ident| $stream:expr) => {
        impl zokio_io::AsyncWrite for $type {
            #[inline]
            fn poll_write(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buf: &[u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                let $this = &*self;
                $stream.poll_write_shared(cx, buf)
            }

            #[inline]
            fn poll_write_vectored(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                bufs: &[std::io::IoSlice<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                let $this = &*self;
                $stream.poll_write_vectored_shared(cx, bufs)
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            /// Nothing is held back here: what was written is with the system.
            #[inline]
            fn poll_flush(
                self: std::pin::Pin<&mut Self>,
                _cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::task::Poll::Ready(Ok(()))
            }

            fn poll_shutdown(
                self: std::pin::Pin<&mut Self>,
                _cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                let $this = &*self;
                std::task::Poll::Ready($stream.shutdown_write())
            }
        }
    };
}

/// The methods that the traits of a stream stand on, by shared reference, so that halves can use them too.
macro_rules! stream_shared_methods {
    ($mio:ident) => {
        /// The system's stream.
        #[inline]
        fn socket(&self) -> &mio::net::$mio {
            &self.io
        }

        /// The driver that the stream is tied to.
        pub(crate) fn driver_handle(&self) -> &zokio_driver::DriverHandle {
            self.io.driver()
        }

        /// Receives into memory that may be uninitialised.
        #[inline]
        fn recv(&self, buf: &mut [std::mem::MaybeUninit<u8>]) -> std::io::Result<usize> {
            // Through `try_io` of mio's type, which re-arms its events where that is needed.
            mio::net::$mio::try_io(self.socket(), || {
                socket2::SockRef::from(self.socket()).recv(buf)
            })
        }

        #[inline]
        pub(crate) fn poll_read_shared(
            &self,
            cx: &mut std::task::Context<'_>,
            buf: &mut zokio_io::ReadBuf<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            self.io.poll_read(cx, buf, |buf| self.recv_moved(buf))
        }

        #[inline]
        pub(crate) fn poll_write_shared(
            &self,
            cx: &mut std::task::Context<'_>,
            buf: &[u8],
        ) -> std::task::Poll<std::io::Result<usize>> {
            use std::io::Write;
            self.io
                .poll_write(cx, buf.len(), || self.socket().write(buf))
        }

        #[inline]
        pub(crate) fn poll_write_vectored_shared(
            &self,
            cx: &mut std::task::Context<'_>,
            bufs: &[std::io::IoSlice<'_>],
        ) -> std::task::Poll<std::io::Result<usize>> {
            let bufs = crate::io_driver::gathered(bufs);
            self.io.poll_write(cx, crate::io_driver::total(bufs), || {
                std::io::Write::write_vectored(&mut self.socket(), bufs)
            })
        }

        /// Closes the write side. A socket whose peer is gone already is as good as closed.
        pub(crate) fn shutdown_write(&self) -> std::io::Result<()> {
            match self.io.shutdown(std::net::Shutdown::Write) {
                Err(error) if error.kind() == std::io::ErrorKind::NotConnected => Ok(()),
                result => result,
            }
        }
    };
}

/// The methods that halves hand on to their stream: for reading.
macro_rules! read_half_methods {
    ($address:ty) => {
        /// Waits until a read would not block, or until the peer has closed its side.
        ///
        /// # Errors
        /// If the runtime has shut down.
        ///
        /// # Cancel safety
        /// Dropping the future loses nothing.
        pub async fn readable(&self) -> std::io::Result<()> {
            self.stream().readable().await
        }

        /// Waits until the stream is ready for a part of `interest`, and returns for which.
        ///
        /// # Errors
        /// If the runtime has shut down.
        ///
        /// # Cancel safety
        /// Dropping the future loses nothing.
        pub async fn ready(
            &self,
            interest: zokio_io::Interest,
        ) -> std::io::Result<zokio_io::Ready> {
            self.stream().ready(interest).await
        }

        /// Tries to read. `Ok(0)` says that the peer has closed its side, or that `buf` is empty.
        ///
        /// # Errors
        /// `WouldBlock` if nothing is there; otherwise the errors of the read: `ConnectionReset` if the
        /// peer has broken the connection off.
        pub fn try_read(&self, buf: &mut [u8]) -> std::io::Result<usize> {
            self.stream().try_read(buf)
        }

        /// As [`try_read`](Self::try_read), into the free part of a growable buffer.
        ///
        /// # Errors
        /// As [`try_read`](Self::try_read).
        pub fn try_read_buf<B: bytes::BufMut>(&self, buf: &mut B) -> std::io::Result<usize> {
            self.stream().try_read_buf(buf)
        }

        /// As [`try_read`](Self::try_read), into several buffers, one after the other.
        ///
        /// # Errors
        /// As [`try_read`](Self::try_read).
        pub fn try_read_vectored(
            &self,
            bufs: &mut [std::io::IoSliceMut<'_>],
        ) -> std::io::Result<usize> {
            self.stream().try_read_vectored(bufs)
        }

        half_address_methods!($address);
    };
}

/// The methods that halves hand on to their stream: for writing.
macro_rules! write_half_methods {
    ($address:ty) => {
        /// Waits until a write would not block, or until the write side is closed.
        ///
        /// # Errors
        /// If the runtime has shut down.
        ///
        /// # Cancel safety
        /// Dropping the future loses nothing.
        pub async fn writable(&self) -> std::io::Result<()> {
            self.stream().writable().await
        }

        /// Waits until the stream is ready for a part of `interest`, and returns for which.
        ///
        /// # Errors
        /// If the runtime has shut down.
        ///
        /// # Cancel safety
        /// Dropping the future loses nothing.
        pub async fn ready(
            &self,
            interest: zokio_io::Interest,
        ) -> std::io::Result<zokio_io::Ready> {
            self.stream().ready(interest).await
        }

        /// Tries to write, and returns how many bytes were.
        ///
        /// # Errors
        /// `WouldBlock` if there is no room; otherwise the errors of the write: `BrokenPipe` or
        /// `ConnectionReset` if the peer receives no more.
        pub fn try_write(&self, buf: &[u8]) -> std::io::Result<usize> {
            self.stream().try_write(buf)
        }

        /// As [`try_write`](Self::try_write), from several buffers, one after the other.
        ///
        /// # Errors
        /// As [`try_write`](Self::try_write).
        pub fn try_write_vectored(&self, bufs: &[std::io::IoSlice<'_>]) -> std::io::Result<usize> {
            self.stream().try_write_vectored(bufs)
        }

        half_address_methods!($address);
    };
}

/// The addresses of a half's stream.
macro_rules! half_address_methods {
    ($address:ty) => {
        /// The address of the peer.
        ///
        /// # Errors
        /// If the stream is not connected.
        pub fn peer_addr(&self) -> std::io::Result<$address> {
            self.stream().peer_addr()
        }

        /// The address of this side.
        ///
        /// # Errors
        /// The errors of `getsockname`. An open socket gives none.
        pub fn local_addr(&self) -> std::io::Result<$address> {
            self.stream().local_addr()
        }
    };
}

/// Borrowed and owned halves of a stream.
macro_rules! stream_halves {
    ($stream:ident, $address:ty) => {
        use std::fmt;
        use std::sync::Arc;

        /// The reading half of a stream that is borrowed. Made by `split`.
        #[derive(Debug)]
        pub struct ReadHalf<'a>(&'a $stream);

        /// The writing half of a stream that is borrowed. Made by `split`.
        ///
        /// Shutting it down closes the write side of the stream.
        #[derive(Debug)]
        pub struct WriteHalf<'a>(&'a $stream);

        pub(crate) fn split(stream: &mut $stream) -> (ReadHalf<'_>, WriteHalf<'_>) {
            (ReadHalf(stream), WriteHalf(stream))
        }

        /// The reading half of a stream. Made by `into_split`.
        #[derive(Debug)]
        pub struct OwnedReadHalf {
            inner: Arc<$stream>,
        }

        /// The writing half of a stream. Made by `into_split`.
        ///
        /// Dropping it closes the write side of the stream, unless it is told to
        /// [`forget`](Self::forget).
        #[derive(Debug)]
        pub struct OwnedWriteHalf {
            inner: Arc<$stream>,
            shutdown_on_drop: bool,
        }

        pub(crate) fn split_owned(stream: $stream) -> (OwnedReadHalf, OwnedWriteHalf) {
            let inner = Arc::new(stream);
            let read = OwnedReadHalf {
                inner: inner.clone(),
            };
            let write = OwnedWriteHalf {
                inner,
                shutdown_on_drop: true,
            };
            (read, write)
        }

        /// The two halves do not belong to one stream.
        #[derive(Debug)]
        pub struct ReuniteError(pub OwnedReadHalf, pub OwnedWriteHalf);

        impl fmt::Display for ReuniteError {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("tried to reunite halves that are not from the same socket")
            }
        }

        impl std::error::Error for ReuniteError {}

        fn reunite(
            read: OwnedReadHalf,
            mut write: OwnedWriteHalf,
        ) -> Result<$stream, ReuniteError> {
            if !Arc::ptr_eq(&read.inner, &write.inner) {
                return Err(ReuniteError(read, write));
            }
            write.shutdown_on_drop = false;
            drop(write);
            let stream = Arc::into_inner(read.inner);
            Ok(stream.expect("a stream has two halves, and both are here"))
        }

        impl OwnedReadHalf {
            /// Puts the halves together again.
            ///
            /// # Errors
            /// If they do not belong to one stream; both come back with the error.
            pub fn reunite(self, other: OwnedWriteHalf) -> Result<$stream, ReuniteError> {
                reunite(self, other)
            }

            fn stream(&self) -> &$stream {
                &self.inner
            }

            read_half_methods!($address);
        }

        impl OwnedWriteHalf {
            /// Puts the halves together again.
            ///
            /// # Errors
            /// If they do not belong to one stream; both come back with the error.
            pub fn reunite(self, other: OwnedReadHalf) -> Result<$stream, ReuniteError> {
                reunite(other, self)
            }

            /// Drops the half without closing the write side.
            pub fn forget(mut self) {
                self.shutdown_on_drop = false;
            }

            fn stream(&self) -> &$stream {
                &self.inner
            }

            write_half_methods!($address);
        }

        impl Drop for OwnedWriteHalf {
            fn drop(&mut self) {
                if self.shutdown_on_drop {
                    // Nobody is left to be told of an error.
                    let _ = self.inner.shutdown_write();
                }
            }
        }

        impl ReadHalf<'_> {
            fn stream(&self) -> &$stream {
                self.0
            }

            read_half_methods!($address);
        }

        impl WriteHalf<'_> {
            fn stream(&self) -> &$stream {
                self.0
            }

            write_half_methods!($address);
        }

        impl AsRef<$stream> for ReadHalf<'_> {
            fn as_ref(&self) -> &$stream {
                self.0
            }
        }

        impl AsRef<$stream> for WriteHalf<'_> {
            fn as_ref(&self) -> &$stream {
                self.0
            }
        }

        impl AsRef<$stream> for OwnedReadHalf {
            fn as_ref(&self) -> &$stream {
                &self.inner
            }
        }

        impl AsRef<$stream> for OwnedWriteHalf {
            fn as_ref(&self) -> &$stream {
                &self.inner
            }
        }

        stream_traits!(@read ReadHalf<'_>, |half| half.0);
        stream_traits!(@write WriteHalf<'_>, |half| half.0);
        stream_traits!(@read OwnedReadHalf, |half| half.inner);
        stream_traits!(@write OwnedWriteHalf, |half| half.inner);
    };
}

/// Options of IP sockets that only some systems have. `$inner` is the field that holds something
/// `socket2` understands.
macro_rules! traffic_class_methods {
    ($inner:ident) => {
        /// The traffic class of the IPv6 packets that are sent (`IPV6_TCLASS`).
        ///
        /// # Errors
        /// The errors of `getsockopt`: that a socket for IPv4 does not have the option.
        #[cfg(any(
            target_os = "android",
            target_os = "dragonfly",
            target_os = "freebsd",
            target_os = "fuchsia",
            target_os = "linux",
            target_os = "macos",
            target_os = "netbsd",
            target_os = "openbsd",
            target_os = "cygwin",
        ))]
        pub fn tclass_v6(&self) -> std::io::Result<u32> {
            socket2::SockRef::from(&self.$inner).tclass_v6()
        }

        /// Sets the traffic class of the IPv6 packets that are sent (`IPV6_TCLASS`).
        ///
        /// # Errors
        /// The errors of `setsockopt`: that a socket for IPv4 does not have the option.
        #[cfg(any(
            target_os = "android",
            target_os = "dragonfly",
            target_os = "freebsd",
            target_os = "fuchsia",
            target_os = "linux",
            target_os = "macos",
            target_os = "netbsd",
            target_os = "openbsd",
            target_os = "cygwin",
        ))]
        pub fn set_tclass_v6(&self, tclass: u32) -> std::io::Result<()> {
            socket2::SockRef::from(&self.$inner).set_tclass_v6(tclass)
        }

        /// The type of service of the IPv4 packets that are sent (`IP_TOS`).
        ///
        /// # Errors
        /// The errors of `getsockopt`. An open socket gives none.
        #[cfg(not(any(
            target_os = "fuchsia",
            target_os = "redox",
            target_os = "solaris",
            target_os = "illumos",
            target_os = "haiku",
            target_os = "wasi",
        )))]
        pub fn tos_v4(&self) -> std::io::Result<u32> {
            socket2::SockRef::from(&self.$inner).tos_v4()
        }

        /// As [`tos_v4`](Self::tos_v4).
        ///
        /// # Errors
        /// The errors of `getsockopt`. An open socket gives none.
        #[deprecated(
            note = "`tos` related methods have been renamed `tos_v4` since they are IPv4-specific."
        )]
        #[doc(hidden)]
        #[cfg(not(any(
            target_os = "fuchsia",
            target_os = "redox",
            target_os = "solaris",
            target_os = "illumos",
            target_os = "haiku",
            target_os = "wasi",
        )))]
        pub fn tos(&self) -> std::io::Result<u32> {
            self.tos_v4()
        }

        /// Sets the type of service of the IPv4 packets that are sent (`IP_TOS`).
        ///
        /// # Errors
        /// The errors of `setsockopt`. An open socket gives none.
        #[cfg(not(any(
            target_os = "fuchsia",
            target_os = "redox",
            target_os = "solaris",
            target_os = "illumos",
            target_os = "haiku",
            target_os = "wasi",
        )))]
        pub fn set_tos_v4(&self, tos: u32) -> std::io::Result<()> {
            socket2::SockRef::from(&self.$inner).set_tos_v4(tos)
        }

        /// As [`set_tos_v4`](Self::set_tos_v4).
        ///
        /// # Errors
        /// The errors of `setsockopt`. An open socket gives none.
        #[deprecated(
            note = "`tos` related methods have been renamed `tos_v4` since they are IPv4-specific."
        )]
        #[doc(hidden)]
        #[cfg(not(any(
            target_os = "fuchsia",
            target_os = "redox",
            target_os = "solaris",
            target_os = "illumos",
            target_os = "haiku",
            target_os = "wasi",
        )))]
        pub fn set_tos(&self, tos: u32) -> std::io::Result<()> {
            self.set_tos_v4(tos)
        }

        /// The network interface that the socket is bound to (`SO_BINDTODEVICE`), if it is.
        ///
        /// # Errors
        /// The errors of `getsockopt`. An open socket gives none.
        #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
        pub fn device(&self) -> std::io::Result<Option<Vec<u8>>> {
            socket2::SockRef::from(&self.$inner).device()
        }

        /// Binds the socket to a network interface (`SO_BINDTODEVICE`), or unbinds it.
        ///
        /// # Errors
        /// The errors of `setsockopt` (`SO_BINDTODEVICE`): `PermissionDenied` if the process may not, an
        /// error without a kind (`ENODEV`) if there is no such interface.
        #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
        pub fn bind_device(&self, interface: Option<&[u8]>) -> std::io::Result<()> {
            socket2::SockRef::from(&self.$inner).bind_device(interface)
        }
    };
}

/// Datagrams to and from the connected peer, over `recv_raw`.
macro_rules! datagram_methods {
    () => {
        /// Sends a datagram to the connected peer.
        ///
        /// # Errors
        /// The errors of `send`: `ConnectionRefused` if nobody receives at the peer's address,
        /// `NotConnected` or an error without a kind (`EDESTADDRREQ`) if there is no peer, an error without
        /// a kind (`EMSGSIZE`) if the datagram is too long; or that the runtime has shut down.
        ///
        /// # Cancel safety
        /// If the future is dropped before it completes, nothing was sent.
        pub async fn send(&self, buf: &[u8]) -> std::io::Result<usize> {
            let send = || self.io.send(buf);
            self.io.async_io(zokio_io::Interest::WRITABLE, send).await
        }

        /// Polls for sending a datagram to the connected peer. Of several tasks that poll for
        /// writing, the last is woken.
        ///
        /// # Errors
        /// As [`send`](Self::send).
        pub fn poll_send(
            &self,
            cx: &mut std::task::Context<'_>,
            buf: &[u8],
        ) -> std::task::Poll<std::io::Result<usize>> {
            self.io
                .poll_io(cx, zokio_driver::Direction::Write, || self.io.send(buf))
        }

        /// Tries to send a datagram to the connected peer.
        ///
        /// # Errors
        /// `WouldBlock` if there is no room; otherwise as [`send`](Self::send).
        pub fn try_send(&self, buf: &[u8]) -> std::io::Result<usize> {
            self.io
                .try_io(zokio_io::Interest::WRITABLE, || self.io.send(buf))
        }

        /// Receives a datagram. What does not fit is cut off.
        ///
        /// # Errors
        /// The errors of `recv`: `ConnectionRefused` if a datagram that was sent earlier found no receiver;
        /// or that the runtime has shut down.
        ///
        /// # Cancel safety
        /// If the future is dropped before it completes, no datagram was taken.
        pub async fn recv(&self, buf: &mut [u8]) -> std::io::Result<usize> {
            let receive = || self.io.recv(buf);
            self.io
                .async_io(crate::io_driver::RECEIVABLE, receive)
                .await
        }

        /// Polls for a datagram. Of several tasks that poll for reading, the last is woken.
        ///
        /// # Errors
        /// As [`recv`](Self::recv).
        pub fn poll_recv(
            &self,
            cx: &mut std::task::Context<'_>,
            buf: &mut zokio_io::ReadBuf<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            self.io
                .poll_recv(cx, buf, |buf| Ok((self.recv_raw(buf)?, ())))
        }

        /// Tries to receive a datagram.
        ///
        /// # Errors
        /// `WouldBlock` if none is there; otherwise as [`recv`](Self::recv).
        pub fn try_recv(&self, buf: &mut [u8]) -> std::io::Result<usize> {
            self.io
                .try_io(zokio_io::Interest::READABLE, || self.io.recv(buf))
        }

        /// As [`recv`](Self::recv), into the free part of a growable buffer.
        ///
        /// # Errors
        /// As [`recv`](Self::recv).
        ///
        /// # Cancel safety
        /// As [`recv`](Self::recv).
        pub async fn recv_buf<B: bytes::BufMut>(&self, buf: &mut B) -> std::io::Result<usize> {
            let receive = || self.recv_raw(crate::io_driver::spare(buf));
            let received = self.io.async_io(crate::io_driver::RECEIVABLE, receive);
            let len = received.await?;
            crate::io_driver::advance(buf, len);
            Ok(len)
        }

        /// As [`try_recv`](Self::try_recv), into the free part of a growable buffer.
        ///
        /// # Errors
        /// As [`try_recv`](Self::try_recv).
        pub fn try_recv_buf<B: bytes::BufMut>(&self, buf: &mut B) -> std::io::Result<usize> {
            let len = self.io.try_io(zokio_io::Interest::READABLE, || {
                self.recv_raw(crate::io_driver::spare(buf))
            })?;
            crate::io_driver::advance(buf, len);
            Ok(len)
        }
    };
}
