//! Lanes on Linux: `recvmmsg` and `sendmmsg`, unless a filter forbids them.

use super::{RecvBatch, Retreat, SendBatch};
use crate::net::UdpSocket;
use std::io;
use std::os::fd::AsFd;
use zokio_driver::op::net::datagrams::{self, BATCH_MAX};
use zokio_io::Interest;

#[path = "one_by_one.rs"]
pub(crate) mod one_by_one;

pub(super) use datagrams::Desk;

/// Has the kernel join what is received, or not. Returns whether it does.
pub(super) fn set_joining(socket: &UdpSocket, on: bool) -> bool {
    datagrams::set_gro(socket.as_fd(), on).is_ok() && on
}

/// Whether the kernel splits what is sent.
pub(super) fn can_split(socket: &UdpSocket) -> bool {
    datagrams::has_gso(socket.as_fd())
}

/// Judges the error of a joined message.
pub(super) fn retreat(error: &io::Error) -> Retreat {
    match error.raw_os_error() {
        // The device computes no checksums.
        Some(libc::EIO) => Retreat::ForGood,
        // Segments that are longer than a packet, more than the kernel takes, or an old kernel.
        Some(libc::EINVAL | libc::EMSGSIZE | libc::EOPNOTSUPP | libc::ENOPROTOOPT) => Retreat::Once,
        _ => Retreat::No,
    }
}

/// Whether the call itself is refused.
fn is_refused(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSYS))
}

pub(super) async fn recv(socket: &UdpSocket, batch: &mut RecvBatch) -> io::Result<()> {
    let receive = || {
        batch.fill(|desk, bytes, stride, received| {
            desk.recv(socket.as_fd(), bytes, stride, received)
        })
    };
    let receivable = Interest::READABLE | Interest::ERROR;
    match socket.async_io(receivable, receive).await {
        Err(error) if is_refused(&error) => one_by_one::recv(socket, batch).await,
        result => result,
    }
}

/// Sends the first datagrams. Returns how many.
pub(super) async fn send(
    socket: &UdpSocket,
    batch: &mut SendBatch,
    joins: bool,
) -> io::Result<usize> {
    let mut desk = batch.desk.take().unwrap_or_else(|| Desk::new(BATCH_MAX));
    let sent = {
        let messages = batch.messages(joins, BATCH_MAX);
        let (outgoing, counts): (Vec<_>, Vec<_>) = messages.into_iter().unzip();
        let send = || desk.send(socket.as_fd(), &outgoing);
        let sent = socket.async_io(Interest::WRITABLE, send).await;
        sent.map(|sent| counts[..sent].iter().sum())
    };
    batch.desk = Some(desk);
    match sent {
        Err(error) if is_refused(&error) => one_by_one::send(socket, batch).await,
        result => result,
    }
}
