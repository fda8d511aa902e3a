//! Datagrams, UDP and Unix: both sockets in one world.

use super::kit::*;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant};

/// One step at one of the two sockets.
#[derive(Debug, Clone)]
enum Step {
    Send(usize, u16),
    SendTo(usize, u16),
    TrySend(usize, u16),
    SendHuge(usize),
    Recv(usize, u16),
    RecvFrom(usize, u16),
    TryRecv(usize, u16),
    Peek(usize, u16),
    PeekFrom(usize, u16),
    TakeError(usize),
    Renew(usize),
    Drop(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let e = 0..2_usize;
    let one = (e.clone(), prop_oneof![1 => Just(0), 8 => 0..1_500_u16]);
    let step = prop_oneof![
        5 => one.clone().prop_map(|(e, len)| Step::Send(e, len)),
        2 => one.clone().prop_map(|(e, len)| Step::SendTo(e, len)),
        2 => one.clone().prop_map(|(e, len)| Step::TrySend(e, len)),
        1 => e.clone().prop_map(Step::SendHuge),
        4 => one.clone().prop_map(|(e, len)| Step::Recv(e, len)),
        3 => one.clone().prop_map(|(e, len)| Step::RecvFrom(e, len)),
        3 => one.clone().prop_map(|(e, len)| Step::TryRecv(e, len)),
        1 => one.clone().prop_map(|(e, len)| Step::Peek(e, len)),
        1 => one.prop_map(|(e, len)| Step::PeekFrom(e, len)),
        1 => e.clone().prop_map(Step::TakeError),
        1 => e.clone().prop_map(Step::Renew),
        1 => e.prop_map(Step::Drop),
    ];
    prop::collection::vec(step, 1..40)
}

/// How many datagrams may wait: fewer than a Unix socket holds.
const HELD_MAX: usize = 8;

#[derive(Default)]
struct End {
    held: VecDeque<u16>,
    is_closed: bool,
    /// The system has been told that nobody is there, and will say so once.
    is_refused: bool,
}

/// `len` bytes; those of two datagrams in a row differ.
fn bytes(len: u16, number: usize) -> Vec<u8> {
    (0..len)
        .map(|n| (n as u8).wrapping_add(number as u8))
        .collect()
}

/// Waits until the system knows that nobody is there.
#[allow(unsafe_code)]
pub fn until_refused(fd: RawFd) {
    let begun = Instant::now();
    loop {
        let mut poll = libc::pollfd {
            fd,
            events: 0,
            revents: 0,
        };
        // SAFETY: one valid element.
        let count = unsafe { libc::poll(&mut poll, 1, 100) };
        if count == 1 && poll.revents & libc::POLLERR != 0 {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "nobody said no");
    }
}

macro_rules! world {
    ($socket:ty, $is_udp:literal, [$($async:tt)*], [$($await:tt)*]) => {
        pub $($async)* fn run(pair: [$socket; 2], steps: Vec<Step>) -> Vec<Seen> {
            let mut sockets = pair.map(Some);
            let mut ends = [End::default(), End::default()];
            let mut seen = Vec::new();
            for (number, step) in steps.into_iter().enumerate() {
                let e = end_of(&step);
                seen.push(match sockets[e].take() {
                    None => Seen::Skipped,
                    Some(socket) => {
                        let (seen, socket) =
                            one(socket, &mut ends, e, number, step) $($await)*;
                        sockets[e] = socket;
                        seen
                    }
                });
            }
            seen
        }

        $($async)* fn one(
            socket: $socket,
            ends: &mut [End; 2],
            e: usize,
            number: usize,
            step: Step,
        ) -> (Seen, Option<$socket>) {
            let waits = ends[e].held.is_empty() && !ends[e].is_refused;
            let mut buf = vec![0; 2_000];
            let seen = match step {
                Step::Send(_, len) | Step::TrySend(_, len) | Step::SendTo(_, len) => {
                    let bytes = bytes(len, number);
                    let sent = match step {
                        _ if ends[1 - e].held.len() >= HELD_MAX => {
                            return (Seen::Skipped, Some(socket));
                        }
                        Step::SendTo(..) if !$is_udp || ends[1 - e].is_closed => {
                            return (Seen::Skipped, Some(socket));
                        }
                        Step::SendTo(..) => send_to(&socket, &bytes) $($await)*,
                        Step::TrySend(..) => try_send(&socket, &bytes) $($await)*,
                        _ => socket.send(&bytes) $($await)*,
                    };
                    match &sent {
                        Ok(_) if !ends[1 - e].is_closed => ends[1 - e].held.push_back(len),
                        Ok(_) => {
                            until_refused(socket.as_raw_fd());
                            ends[e].is_refused = true;
                        }
                        Err(_) => {
                            ends[e].is_refused = false;
                            if !$is_udp {
                                // The system ends such a connection, with all that came by it.
                                ends[e].held.clear();
                            }
                        }
                    }
                    Seen::number(sent)
                }
                Step::SendHuge(_) => {
                    if ends[1 - e].is_closed && !$is_udp {
                        return (Seen::Skipped, Some(socket));
                    }
                    let sent = socket.send(&vec![0; 300_000]) $($await)*;
                    ends[e].is_refused &= sent.as_ref().is_err_and(|error| {
                        error.kind() != ErrorKind::ConnectionRefused
                    });
                    Seen::number(sent)
                }
                Step::Recv(..) | Step::RecvFrom(..) | Step::Peek(..) | Step::PeekFrom(..)
                    if waits => Seen::Skipped,
                // An error is not readiness; whoever receives is told all the same.
                Step::TryRecv(..) if ends[e].is_refused => Seen::Skipped,
                Step::RecvFrom(..) | Step::Peek(..) | Step::PeekFrom(..)
                    if !$is_udp => Seen::Skipped,
                Step::Recv(_, len) | Step::RecvFrom(_, len) | Step::TryRecv(_, len)
                | Step::Peek(_, len) | Step::PeekFrom(_, len) => {
                    let buf = &mut buf[..len.into()];
                    let count = match step {
                        Step::Recv(..) => socket.recv(buf) $($await)*,
                        Step::TryRecv(..) => try_recv(&socket, buf, waits) $($await)*,
                        Step::RecvFrom(..) => recv_from(&socket, buf) $($await)*,
                        Step::Peek(..) => peek(&socket, buf) $($await)*,
                        _ => peek_from(&socket, buf) $($await)*,
                    };
                    let takes = !matches!(step, Step::Peek(..) | Step::PeekFrom(..));
                    match &count {
                        Ok(_) if takes => drop(ends[e].held.pop_front().expect("nobody sent it")),
                        Ok(_) => {}
                        Err(_) => ends[e].is_refused = false,
                    }
                    Seen::of(count, |count| Seen::Bytes(buf[..count].to_vec()))
                }
                Step::TakeError(_) => {
                    ends[e].is_refused = false;
                    Seen::text(socket.take_error().map(|it| it.map(|it| it.raw_os_error())))
                }
                Step::Renew(_) => return (Seen::Done, Some(renewed(socket))),
                Step::Drop(_) => {
                    ends[e].is_closed = true;
                    return (Seen::Done, None);
                }
            };
            (seen, Some(socket))
        }
    };
}

fn end_of(step: &Step) -> usize {
    match *step {
        Step::Send(e, _)
        | Step::SendTo(e, _)
        | Step::TrySend(e, _)
        | Step::Recv(e, _)
        | Step::RecvFrom(e, _)
        | Step::TryRecv(e, _)
        | Step::Peek(e, _)
        | Step::PeekFrom(e, _)
        | Step::SendHuge(e)
        | Step::TakeError(e)
        | Step::Renew(e)
        | Step::Drop(e) => e,
    }
}

macro_rules! plain {
    ($name:ident, $socket:ty, $is_udp:literal, { $($more:item)* }) => {
        /// By blocking calls.
        mod $name {
            use super::*;
            use std::io;
            $($more)*

            fn try_send(socket: &$socket, bytes: &[u8]) -> io::Result<usize> {
                socket.set_nonblocking(true).unwrap();
                let sent = socket.send(bytes);
                socket.set_nonblocking(false).unwrap();
                sent
            }

            fn try_recv(socket: &$socket, buf: &mut [u8], _waits: bool) -> io::Result<usize> {
                // A datagram that is on its way is waited for.
                socket.set_nonblocking(_waits).unwrap();
                let count = socket.recv(buf);
                socket.set_nonblocking(false).unwrap();
                count
            }

            fn renewed(socket: $socket) -> $socket {
                socket
            }

            world!($socket, $is_udp, [], []);
        }
    };
}

macro_rules! ours {
    ($name:ident, $socket:ty, $is_udp:literal, { $($more:item)* }) => {
        /// By the runtime.
        mod $name {
            use super::*;
            use std::io;
            $($more)*

            async fn try_send(socket: &$socket, bytes: &[u8]) -> io::Result<usize> {
                loop {
                    socket.writable().await?;
                    match socket.try_send(bytes) {
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                        result => return result,
                    }
                }
            }

            async fn try_recv(socket: &$socket, buf: &mut [u8], waits: bool) -> io::Result<usize> {
                loop {
                    if !waits {
                        socket.readable().await?;
                    }
                    match socket.try_recv(buf) {
                        Err(error) if !waits && error.kind() == ErrorKind::WouldBlock => {}
                        result => return result,
                    }
                }
            }

            fn renewed(socket: $socket) -> $socket {
                <$socket>::from_std(socket.into_std().unwrap()).unwrap()
            }

            world!($socket, $is_udp, [async], [.await]);
        }
    };
}

macro_rules! addressed {
    ($socket:ty, [$($async:tt)*], [$($await:tt)*]) => {
        $($async)* fn send_to(socket: &$socket, bytes: &[u8]) -> io::Result<usize> {
            socket.send_to(bytes, socket.peer_addr().unwrap()) $($await)*
        }
        $($async)* fn recv_from(socket: &$socket, buf: &mut [u8]) -> io::Result<usize> {
            let (count, from) = socket.recv_from(buf) $($await)*?;
            assert_eq!(from, socket.peer_addr().unwrap());
            Ok(count)
        }
        $($async)* fn peek(socket: &$socket, buf: &mut [u8]) -> io::Result<usize> {
            socket.peek(buf) $($await)*
        }
        $($async)* fn peek_from(socket: &$socket, buf: &mut [u8]) -> io::Result<usize> {
            let (count, from) = socket.peek_from(buf) $($await)*?;
            assert_eq!(from, socket.peer_addr().unwrap());
            Ok(count)
        }
    };
}

/// The questions that sockets without addresses are not asked.
macro_rules! nameless {
    ($socket:ty, [$($async:tt)*]) => {
        $($async)* fn send_to(_: &$socket, _: &[u8]) -> io::Result<usize> {
            unreachable!("no address")
        }
        $($async)* fn recv_from(_: &$socket, _: &mut [u8]) -> io::Result<usize> {
            unreachable!("no address")
        }
        $($async)* fn peek(_: &$socket, _: &mut [u8]) -> io::Result<usize> {
            unreachable!("no peek")
        }
        $($async)* fn peek_from(_: &$socket, _: &mut [u8]) -> io::Result<usize> {
            unreachable!("no peek")
        }
    };
}

plain!(plain_udp, std::net::UdpSocket, true, {
    addressed!(std::net::UdpSocket, [], []);
});
ours!(our_udp, zokio::net::UdpSocket, true, {
    addressed!(zokio::net::UdpSocket, [async], [.await]);
});
plain!(plain_unix, std::os::unix::net::UnixDatagram, false, {
    nameless!(std::os::unix::net::UnixDatagram, []);
});
ours!(our_unix, zokio::net::UnixDatagram, false, {
    nameless!(zokio::net::UnixDatagram, [async]);
});

pub fn udp_pair() -> [std::net::UdpSocket; 2] {
    let pair = [0; 2].map(|_| std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
    pair[0].connect(pair[1].local_addr().unwrap()).unwrap();
    pair[1].connect(pair[0].local_addr().unwrap()).unwrap();
    pair
}

#[test]
fn udp_datagrams() {
    let sides = runtimes();
    let _storm = Storm::begin();
    let mut tally = Tally::default();
    for_each("UDP", 1_000, &steps(), |steps| {
        let expected = plain_udp::run(udp_pair(), steps.clone());
        tally.count(&expected);
        for side in &sides {
            let begun = steps.clone();
            let seen = side.run(async move {
                let pair = udp_pair().map(|socket| {
                    socket.set_nonblocking(true).unwrap();
                    zokio::net::UdpSocket::from_std(socket).unwrap()
                });
                our_udp::run(pair, begun).await
            });
            check(side, &steps, &seen, &expected);
        }
    });
    tally.has(
        "UDP",
        &[ErrorKind::WouldBlock, ErrorKind::ConnectionRefused],
    );
}

#[test]
fn unix_datagrams() {
    let sides = runtimes();
    let _storm = Storm::begin();
    let mut tally = Tally::default();
    let pair = || <[_; 2]>::from(std::os::unix::net::UnixDatagram::pair().unwrap());
    for_each("Unix datagrams", 1_000, &steps(), |steps| {
        let expected = plain_unix::run(pair(), steps.clone());
        tally.count(&expected);
        for side in &sides {
            let begun = steps.clone();
            let seen = side.run(async move {
                let pair = pair().map(|socket| {
                    socket.set_nonblocking(true).unwrap();
                    zokio::net::UnixDatagram::from_std(socket).unwrap()
                });
                our_unix::run(pair, begun).await
            });
            check(side, &steps, &seen, &expected);
        }
    });
    let met = [
        ErrorKind::WouldBlock,
        ErrorKind::ConnectionRefused,
        ErrorKind::NotConnected,
    ];
    tally.has("Unix datagrams", &met);
}
