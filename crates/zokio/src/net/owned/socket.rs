//! The operations that the lanes ask of a stream socket.

use crate::net::TcpStream;
#[cfg(unix)]
use crate::net::UnixStream;
use std::future::Future;
use std::io;
#[cfg(unix)]
use std::os::fd::AsFd;
use std::task::{Context, Poll};
use zokio_driver::DriverHandle;
use zokio_io::{Interest, ReadBuf};

/// A stream socket that the lanes of this module take: [`TcpStream`], and on unix
/// [`UnixStream`](crate::net::UnixStream).
///
/// The trait is sealed: it can be named in bounds, and implemented here only.
pub trait StreamSocket: Sealed {}

impl StreamSocket for TcpStream {}
#[cfg(unix)]
impl StreamSocket for UnixStream {}

/// The operations of a socket that the lanes use.
#[cfg(unix)]
pub trait Sealed: Lane + AsFd + Send + Sync + 'static {}
/// The operations of a socket that the lanes use.
#[cfg(not(unix))]
pub trait Sealed: Lane + Send + Sync + 'static {}

/// The methods that all stream sockets have, as a trait.
pub trait Lane {
    fn driver(&self) -> &DriverHandle;
    fn try_read(&self, buf: &mut [u8]) -> io::Result<usize>;
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>>;
    fn poll_failure(&self, cx: &mut Context<'_>) -> Poll<io::Error>;
    fn try_write(&self, buf: &[u8]) -> io::Result<usize>;
    fn shutdown_write(&self) -> io::Result<()>;
    fn ready(&self, interest: Interest) -> impl Future<Output = io::Result<()>> + Send;
    fn async_io<R: Send>(
        &self,
        interest: Interest,
        f: impl FnMut() -> io::Result<R> + Send,
    ) -> impl Future<Output = io::Result<R>> + Send;
}

macro_rules! lane {
    ($stream:ty) => {
        impl Sealed for $stream {}

        impl Lane for $stream {
            fn driver(&self) -> &DriverHandle {
                self.driver_handle()
            }

            fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
                <$stream>::try_read(self, buf)
            }

            fn poll_read(
                &self,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                <$stream>::poll_read_shared(self, cx, buf)
            }

            fn poll_failure(&self, cx: &mut Context<'_>) -> Poll<io::Error> {
                <$stream>::poll_failure_shared(self, cx)
            }

            fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
                <$stream>::try_write(self, buf)
            }

            fn shutdown_write(&self) -> io::Result<()> {
                <$stream>::shutdown_write(self)
            }

            async fn ready(&self, interest: Interest) -> io::Result<()> {
                <$stream>::ready(self, interest).await.map(drop)
            }

            async fn async_io<R: Send>(
                &self,
                interest: Interest,
                f: impl FnMut() -> io::Result<R> + Send,
            ) -> io::Result<R> {
                <$stream>::async_io(self, interest, f).await
            }
        }
    };
}

lane!(TcpStream);
#[cfg(unix)]
lane!(UnixStream);
