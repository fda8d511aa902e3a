//! Datagrams moved one by one, where the system has no call for many.

use super::{RecvBatch, SendBatch};
use crate::net::UdpSocket;
use std::io;
use zokio_driver::op::net::Received;
use zokio_io::Interest;
use zokio_task::coop;

/// Receives until nothing is there or the batch is full.
pub(crate) async fn recv(socket: &UdpSocket, batch: &mut RecvBatch) -> io::Result<()> {
    loop {
        coop::consume_budget().await;
        let received = batch.fill(|_, bytes, stride, received| {
            for room in bytes.chunks_exact_mut(stride) {
                let (len, peer) = match socket.try_recv_from(room) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => break,
                    result => result?,
                };
                received.push(Received {
                    peer,
                    len,
                    segment: len,
                    is_truncated: false,
                });
            }
            Ok(received.len())
        });
        match received {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                socket.ready(Interest::READABLE | Interest::ERROR).await?;
            }
            Ok(()) if batch.is_empty() => {}
            result => return result,
        }
    }
}

/// Sends the first datagram.
pub(crate) async fn send(socket: &UdpSocket, batch: &SendBatch) -> io::Result<usize> {
    loop {
        coop::consume_budget().await;
        let sent = {
            let messages = batch.messages(false, 1);
            let Some((message, _)) = messages.first() else {
                return Ok(0);
            };
            match message.peer {
                Some(peer) => socket.try_send_to(message.bytes, peer),
                None => socket.try_send(message.bytes),
            }
        };
        match sent {
            Ok(_) => return Ok(1),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                socket.ready(Interest::WRITABLE).await?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
