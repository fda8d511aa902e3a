//! Lanes where the system moves one datagram at a time.

use super::{RecvBatch, Retreat, SendBatch};
use crate::net::UdpSocket;
use std::io;

#[path = "one_by_one.rs"]
mod one_by_one;

/// Nothing is kept between calls.
#[derive(Default)]
pub(super) struct Desk;

impl Desk {
    pub(super) fn new(_messages: usize) -> Self {
        Self
    }
}

/// It does not.
pub(super) fn set_joining(_socket: &UdpSocket, _on: bool) -> bool {
    false
}

/// It does not.
pub(super) fn can_split(_socket: &UdpSocket) -> bool {
    false
}

/// Nothing was joined.
pub(super) fn retreat(_error: &io::Error) -> Retreat {
    Retreat::No
}

pub(super) async fn recv(socket: &UdpSocket, batch: &mut RecvBatch) -> io::Result<()> {
    one_by_one::recv(socket, batch).await
}

/// Sends the first datagrams. Returns how many.
pub(super) async fn send(
    socket: &UdpSocket,
    batch: &mut SendBatch,
    _joins: bool,
) -> io::Result<usize> {
    one_by_one::send(socket, batch).await
}
