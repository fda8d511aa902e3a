//! Waiting for room at the peer of a datagram socket that is not connected.
//!
//! A datagram for a peer whose queue is full is refused with `WouldBlock`. The system says nothing when
//! the peer has room again: the sender is not connected, so its own readiness knows of its own memory
//! only. On Linux it even says "writable" after each refusal, as the refused datagram gave its memory
//! back, and a loop that waits for that costs a whole processor.
//!
//! A [`Room`] waits through a second socket that is connected with the peer: of such a one the system
//! says "writable" when the peer's queue has room. Where that cannot be had (no descriptor is left, the
//! peer takes datagrams of one sender only) and where it is of no help, it makes growing pauses.

use crate::io_driver::{BackOff, IoSource, Pause};
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use zokio_base::sync::Mutex;
use zokio_driver::{Direction, DriverHandle, Interest};

/// So often the second socket may say that there is room, at once and in vain, before pauses begin.
const CLAIMS_MAX: u32 = 3;

/// One wait for room at a peer, from a refusal to success.
#[derive(Debug)]
pub(super) struct Room {
    back_off: BackOff,
    claims: u32,
    wait: Option<Wait>,
}

#[derive(Debug)]
enum Wait {
    Peer(IoSource<mio::net::UnixDatagram>),
    Pause(Pause),
}

impl Room {
    pub(super) fn new() -> Self {
        Self {
            back_off: BackOff::new(),
            claims: 0,
            wait: None,
        }
    }

    /// Waits until there seems to be room at `target`. To be called again after the next refusal.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        target: &Path,
        driver: &DriverHandle,
    ) -> Poll<io::Result<()>> {
        let is_new = self.wait.is_none();
        let wait = match &mut self.wait {
            Some(wait) => wait,
            none => none.insert(match connected(target, driver) {
                Ok(peer) if self.claims < CLAIMS_MAX => Wait::Peer(peer),
                _ => Wait::Pause(self.back_off.pause()?),
            }),
        };
        let waited = match wait {
            Wait::Peer(peer) => ready!(peer.poll_ready(cx, Direction::Write)),
            Wait::Pause(pause) => ready!(Pin::new(pause).poll(cx)),
        };
        self.claims = if is_new { self.claims + 1 } else { 0 };
        // The next wait asks the system anew: this socket's readiness is used up.
        self.wait = None;
        Poll::Ready(waited)
    }
}

/// A socket that is connected with the one at `target`.
fn connected(target: &Path, driver: &DriverHandle) -> io::Result<IoSource<mio::net::UnixDatagram>> {
    let socket = mio::net::UnixDatagram::unbound()?;
    socket.connect(target)?;
    IoSource::with_driver(socket, Interest::WRITABLE, driver.clone())
}

/// The wait of a sender that polls: one for each socket, as its waker is.
#[derive(Debug)]
pub(super) struct Refused {
    target: PathBuf,
    room: Room,
    /// The socket has said since that it is writable, and the datagram was refused again.
    is_for_peer: bool,
}

/// Where a socket keeps it. Never held while anything is polled.
pub(super) type RefusedSlot = Mutex<Option<Refused>>;

/// Sends with `send` once the socket and the peer have room. `poll_writable` asks for room of the
/// socket's own.
pub(super) fn poll_send_to<R>(
    slot: &RefusedSlot,
    cx: &mut Context<'_>,
    target: &Path,
    driver: &DriverHandle,
    mut poll_writable: impl FnMut(&mut Context<'_>) -> Poll<io::Result<()>>,
    mut send: impl FnMut() -> io::Result<R>,
) -> Poll<io::Result<R>> {
    let before = slot.lock().take();
    let mut refused = before.filter(|refused| refused.target == target);
    let polled = loop {
        if let Some(refused) = refused.as_mut().filter(|refused| refused.is_for_peer) {
            match refused.room.poll(cx, target, driver) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
        }
        match poll_writable(cx) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
            Poll::Pending => break Poll::Pending,
        }
        match send() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => match &mut refused {
                Some(refused) => refused.is_for_peer = true,
                none => {
                    *none = Some(Refused {
                        target: target.to_owned(),
                        room: Room::new(),
                        is_for_peer: false,
                    });
                }
            },
            sent => break Poll::Ready(sent),
        }
    };
    if polled.is_pending() {
        *slot.lock() = refused;
    }
    polled
}
