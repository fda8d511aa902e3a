//! The second half of making a connection, which stream sockets of both families share.

use crate::io_driver::IoSource;
use std::future::poll_fn;
use std::io;
use zokio_driver::{Direction, Ready};
use zokio_task::coop;

/// A socket that was told to connect.
pub(super) trait Connecting {
    /// Takes the error that the attempt has left (`SO_ERROR`).
    fn take_error(&self) -> io::Result<Option<io::Error>>;

    /// Whether the system knows the address of a peer.
    fn has_peer(&self) -> bool;
}

#[cfg(unix)]
impl Connecting for mio::net::UnixStream {
    fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.take_error()
    }

    fn has_peer(&self) -> bool {
        self.peer_addr().is_ok()
    }
}

/// Waits until the attempt of `socket` is over. Returns the socket if it is connected.
///
/// # Errors
/// The error of the attempt; or that the runtime has shut down.
pub(super) async fn connected<E: Connecting>(socket: IoSource<E>) -> io::Result<IoSource<E>> {
    coop::consume_budget().await;
    if socket.driver().is_eager() {
        // Many a connection to this very host is there at once, which saves waiting for it.
        fail_if_refused(&socket)?;
        if socket.has_peer() {
            // A new connection has room to send.
            return Ok(socket.assuming(Ready::WRITABLE));
        }
    }
    poll_fn(|cx| socket.poll_ready(cx, Direction::Write)).await?;
    fail_if_refused(&socket)?;
    Ok(socket)
}

fn fail_if_refused<E: Connecting>(socket: &IoSource<E>) -> io::Result<()> {
    match E::take_error(socket)? {
        Some(error) => Err(error),
        None => Ok(()),
    }
}
