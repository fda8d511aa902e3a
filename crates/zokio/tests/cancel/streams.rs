//! Streams between a runtime and a thread.

use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::pin::Pin;
use std::sync::Arc;
use zokio::io::{AsyncRead, AsyncWrite};
use zokio::net::{TcpStream, UnixStream};

pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The runtime's end.
pub trait Near: AsyncRead + AsyncWrite + Unpin + Send + Sync + 'static {
    fn wait_readable(&self) -> Boxed<'_, io::Result<()>>;
    fn wait_writable(&self) -> Boxed<'_, io::Result<()>>;
    fn attempt_read(&self, buf: &mut [u8]) -> io::Result<usize>;
    /// Looks at bytes, or for streams that cannot, waits until there are some.
    fn look<'a>(&'a self, buf: &'a mut [u8]) -> Boxed<'a, io::Result<usize>>;
}

/// The thread's end.
pub trait Far: Send + Sync + 'static {
    fn put(&self, bytes: &[u8]);
    /// Takes what is there, without waiting.
    fn take(&self, buf: &mut [u8]) -> usize;
    /// Says that no more comes.
    fn end(&self);
}

macro_rules! near {
    ($stream:ty, |$this:ident, $buf:ident| $look:expr) => {
        impl Near for $stream {
            fn wait_readable(&self) -> Boxed<'_, io::Result<()>> {
                Box::pin(self.readable())
            }
            fn wait_writable(&self) -> Boxed<'_, io::Result<()>> {
                Box::pin(self.writable())
            }
            fn attempt_read(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.try_read(buf)
            }
            fn look<'a>(&'a self, $buf: &'a mut [u8]) -> Boxed<'a, io::Result<usize>> {
                let $this = self;
                Box::pin($look)
            }
        }
    };
}

near!(TcpStream, |stream, buf| stream.peek(buf));
near!(UnixStream, |stream, _buf| async move {
    stream.readable().await.map(|()| 0)
});

/// Reads without waiting, whatever mode the descriptor is in.
fn take(stream: &impl AsFd, buf: &mut [u8]) -> usize {
    // SAFETY: never broken: a byte is what may be uninitialised here, and none is.
    #[allow(unsafe_code)]
    let taken = unsafe {
        libc::recv(
            stream.as_fd().as_raw_fd(),
            buf.as_mut_ptr().cast(),
            buf.len(),
            libc::MSG_DONTWAIT,
        )
    };
    match usize::try_from(taken) {
        Ok(taken) => taken,
        Err(_) => {
            let error = io::Error::last_os_error();
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
            0
        }
    }
}

macro_rules! far {
    ($stream:ty) => {
        impl Far for $stream {
            fn put(&self, bytes: &[u8]) {
                let mut stream = self;
                stream.write_all(bytes).unwrap();
            }
            fn take(&self, buf: &mut [u8]) -> usize {
                take(self, buf)
            }
            fn end(&self) {
                self.shutdown(std::net::Shutdown::Write).unwrap();
            }
        }
    };
}

far!(std::net::TcpStream);
far!(std::os::unix::net::UnixStream);

/// How many bytes a stream holds, about, where that matters.
const SMALL: usize = 16 * 1024;

pub fn tcp_pair() -> (TcpStream, Arc<dyn Far>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    socket2::SockRef::from(&listener)
        .set_recv_buffer_size(SMALL)
        .unwrap();
    let near = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    socket2::SockRef::from(&near)
        .set_send_buffer_size(SMALL)
        .unwrap();
    near.set_nonblocking(true).unwrap();
    near.set_nodelay(true).unwrap();
    let (far, _) = listener.accept().unwrap();
    far.set_nodelay(true).unwrap();
    (TcpStream::from_std(near).unwrap(), Arc::new(far))
}

pub fn unix_pair() -> (UnixStream, Arc<dyn Far>) {
    let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
    socket2::SockRef::from(&near)
        .set_send_buffer_size(SMALL)
        .unwrap();
    near.set_nonblocking(true).unwrap();
    (UnixStream::from_std(near).unwrap(), Arc::new(far))
}
