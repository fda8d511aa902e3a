//! Batches of datagrams by the lanes of `net::owned`, joined by the system and not, against one send
//! and one receive for each datagram.
//!
//! A lane may have received more than was asked for. So what is asked for is a number of datagrams.
//! To somebody who is gone one datagram is sent at a time: how many of several leave before the
//! system says so is not said.

use super::datagrams::{udp_pair, until_refused};
use super::kit::*;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;

#[derive(Debug, Clone)]
enum Step {
    Send(usize, Vec<Run>),
    /// With one among them that is longer than a datagram can be, which is left out then.
    SendHuge(usize, Vec<Run>),
    Recv(usize, u8),
    /// A receive that is polled some times and dropped.
    CancelRecv(usize, u8),
    /// A send that is dropped before it has begun, and done again.
    CancelSend(usize, Vec<Run>),
    /// A lane that joins, or one that does not; room for so many messages, of that size if it does not.
    Switch(usize, bool, u8, u16),
    Drop(usize),
}

/// Datagrams of one length, and one behind them.
#[derive(Debug, Clone)]
struct Run {
    count: u8,
    len: u16,
    last: u16,
    is_addressed: bool,
}

/// How many datagrams, and how many bytes, may wait: fewer than a socket holds.
const HELD_MAX: usize = 150;
const BYTES_MAX: usize = 100_000;
/// The most that a datagram can have.
const LEN_MAX: usize = 65_507;

fn runs() -> impl Strategy<Value = Vec<Run>> {
    let len = prop_oneof![
        1 => Just(0),
        4 => 1..200_u16,
        2 => 1..1_500_u16,
        // Two of these cannot be joined any more, or just so.
        1 => 32_740..32_750_u16,
        1 => 65_480..=LEN_MAX as u16,
    ];
    // 64 is the most that are joined.
    let count = prop_oneof![4 => 1..10_u8, 1 => 62..67_u8, 1 => Just(130)];
    let run = (count, len.clone(), len, any::<bool>());
    let run = run.prop_map(|(count, len, last, is_addressed)| Run {
        count,
        len,
        last,
        is_addressed,
    });
    prop::collection::vec(run, 1..4)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let e = 0..2_usize;
    let size = prop::sample::select(vec![1, 100, 1_000, 2_000]);
    let switch = (e.clone(), any::<bool>(), 1..80_u8, size);
    let step = prop_oneof![
        6 => (e.clone(), runs()).prop_map(|(e, runs)| Step::Send(e, runs)),
        1 => (e.clone(), runs()).prop_map(|(e, runs)| Step::SendHuge(e, runs)),
        6 => (e.clone(), 1..200_u8).prop_map(|(e, count)| Step::Recv(e, count)),
        3 => (e.clone(), 0..4_u8).prop_map(|(e, turns)| Step::CancelRecv(e, turns)),
        1 => (e.clone(), runs()).prop_map(|(e, runs)| Step::CancelSend(e, runs)),
        2 => switch.prop_map(|(e, joins, messages, size)| Step::Switch(e, joins, messages, size)),
        1 => e.prop_map(Step::Drop),
    ];
    prop::collection::vec(step, 1..30)
}

fn end_of(step: &Step) -> usize {
    match *step {
        Step::Send(e, _)
        | Step::SendHuge(e, _)
        | Step::Recv(e, _)
        | Step::CancelRecv(e, _)
        | Step::CancelSend(e, _)
        | Step::Switch(e, ..)
        | Step::Drop(e) => e,
    }
}

/// A datagram to be sent: its bytes, and whether to an address rather than to whom the socket is
/// connected.
type Datagram = (Vec<u8>, bool);

#[derive(Default)]
struct End {
    /// How long those are that wait.
    held: VecDeque<usize>,
    is_closed: bool,
    /// The system has been told that nobody is there, and will say so once.
    is_refused: bool,
    /// Of those that wait, some may have left the socket.
    is_ahead: bool,
}

/// The datagrams of `runs`, as many as there is room for at `to`. No two in a row are the same.
fn datagrams(runs: &[Run], to: &End, number: usize) -> Vec<Datagram> {
    let limit = if to.is_closed { 1 } else { HELD_MAX };
    let mut bytes: usize = to.held.iter().sum();
    let mut datagrams: Vec<Datagram> = Vec::new();
    for run in runs {
        let lens = std::iter::repeat_n(run.len, run.count.into()).chain([run.last]);
        for len in lens {
            let is_room = to.held.len() + datagrams.len() < limit;
            bytes += usize::from(len);
            if !is_room || bytes > BYTES_MAX {
                return datagrams;
            }
            let first = (number * 31 + datagrams.len()) as u8;
            let content = (0..len).map(|at| (at as u8).wrapping_add(first)).collect();
            datagrams.push((content, run.is_addressed && !to.is_closed));
        }
    }
    datagrams
}

macro_rules! world {
    ([$($async:tt)*], [$($await:tt)*]) => {
        pub $($async)* fn run(pair: [std::net::UdpSocket; 2], steps: Vec<Step>) -> Vec<Seen> {
            let mut lanes = pair.map(|socket| Some(Lane::new(socket)));
            let mut ends = [End::default(), End::default()];
            let mut seen = Vec::new();
            for (number, step) in steps.into_iter().enumerate() {
                let e = end_of(&step);
                let what = match (&step, &mut lanes[e]) {
                    (_, None) => Seen::Skipped,
                    (Step::Drop(_), lane) => {
                        *lane = None;
                        ends[e].is_closed = true;
                        Seen::Done
                    }
                    (_, Some(lane)) => one(lane, &mut ends, e, number, step) $($await)*,
                };
                seen.push(what);
            }
            seen
        }

        $($async)* fn one(
            lane: &mut Lane,
            ends: &mut [End; 2],
            e: usize,
            number: usize,
            step: Step,
        ) -> Seen {
            match step {
                Step::Send(_, runs) | Step::CancelSend(_, runs) | Step::SendHuge(_, runs)
                    if datagrams(&runs, &ends[1 - e], number).is_empty() => Seen::Skipped,
                Step::SendHuge(..) if ends[1 - e].is_closed => Seen::Skipped,
                // An error comes before all that is in the socket.
                Step::Send(..) | Step::CancelSend(..)
                    if ends[1 - e].is_closed && ends[e].is_ahead => Seen::Skipped,
                Step::SendHuge(_, runs) => {
                    let mut sent = datagrams(&runs, &ends[1 - e], number);
                    let lens: Vec<_> = sent.iter().map(|it| it.0.len()).collect();
                    sent.insert(sent.len() / 2, (vec![0; LEN_MAX + 1], true));
                    lane.push(sent);
                    let error = lane.send() $($await)*;
                    lane.skip();
                    let rest = lane.send() $($await)*;
                    ends[1 - e].held.extend(lens);
                    Seen::Text(format!("{:?} {rest:?}", Seen::number(error)))
                }
                Step::Send(_, ref runs) | Step::CancelSend(_, ref runs) => {
                    let sent = datagrams(runs, &ends[1 - e], number);
                    let lens: Vec<_> = sent.iter().map(|it| it.0.len()).collect();
                    lane.push(sent);
                    if matches!(step, Step::CancelSend(..)) {
                        lane.cancel_send() $($await)*;
                    }
                    let sent = lane.send() $($await)*;
                    match &sent {
                        Ok(_) if !ends[1 - e].is_closed => ends[1 - e].held.extend(lens),
                        Ok(_) => {
                            until_refused(lane.fd());
                            ends[e].is_refused = true;
                        }
                        Err(_) => {
                            lane.clear();
                            ends[e].is_refused = false;
                        }
                    }
                    Seen::number(sent)
                }
                Step::Recv(_, count) => {
                    let count = ends[e].held.len().min(count.into());
                    if count == 0 && !ends[e].is_refused {
                        return Seen::Skipped;
                    }
                    match lane.recv(count.max(1)) $($await)* {
                        Ok(found) => {
                            ends[e].held.drain(..count);
                            ends[e].is_ahead = !ends[e].held.is_empty();
                            let cut = found.iter().map(|it| it.1).collect::<Vec<_>>();
                            let bytes: Vec<_> = found.into_iter().flat_map(|it| it.0).collect();
                            Seen::Text(format!("{cut:?} {:?}", Seen::Bytes(bytes)))
                        }
                        Err(error) => {
                            ends[e].is_refused = false;
                            Seen::unit(Err(error))
                        }
                    }
                }
                // The party that is told that nobody is there is not compared.
                Step::CancelRecv(..) if ends[e].is_refused => Seen::Skipped,
                Step::CancelRecv(_, turns) => {
                    lane.cancel_recv(turns.into()) $($await)*;
                    ends[e].is_ahead = !ends[e].held.is_empty();
                    Seen::Done
                }
                // Joined datagrams stay joined, and a datagram is cut off when it is received.
                Step::Switch(..) if !ends[e].held.is_empty() => Seen::Skipped,
                Step::Switch(_, joins, messages, size) => {
                    lane.switch(joins, messages.into(), size.into());
                    Seen::Done
                }
                Step::Drop(_) => unreachable!("nothing of the lane's"),
            }
        }
    };
}

/// By one call for each datagram.
mod plain {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::RawFd;

    pub struct Lane {
        socket: UdpSocket,
        waiting: VecDeque<Datagram>,
        size: usize,
    }

    impl Lane {
        fn new(socket: UdpSocket) -> Self {
            let (waiting, size) = (VecDeque::new(), LEN_MAX);
            Self {
                socket,
                waiting,
                size,
            }
        }

        fn fd(&self) -> RawFd {
            self.socket.as_raw_fd()
        }

        fn push(&mut self, datagrams: Vec<Datagram>) {
            self.waiting.extend(datagrams);
        }

        fn send(&mut self) -> io::Result<usize> {
            let mut sent = 0;
            while let Some((bytes, is_addressed)) = self.waiting.front() {
                if *is_addressed {
                    let peer = self.socket.peer_addr().unwrap();
                    self.socket.send_to(bytes, peer)?;
                } else {
                    self.socket.send(bytes)?;
                }
                self.waiting.pop_front();
                sent += 1;
            }
            Ok(sent)
        }

        fn skip(&mut self) {
            self.waiting.pop_front();
        }

        fn clear(&mut self) {
            self.waiting.clear();
        }

        fn cancel_send(&mut self) {}

        fn recv(&mut self, count: usize) -> io::Result<Vec<(Vec<u8>, bool)>> {
            let mut found = Vec::new();
            let mut room = vec![0; LEN_MAX + 1];
            while found.len() < count {
                let len = self.socket.recv(&mut room)?;
                found.push((room[..len.min(self.size)].to_vec(), len > self.size));
            }
            Ok(found)
        }

        fn cancel_recv(&mut self, _turns: usize) {}

        fn switch(&mut self, joins: bool, _messages: usize, size: usize) {
            self.size = if joins { LEN_MAX } else { size };
        }
    }

    world!([], []);
}

/// By lanes.
mod ours {
    use super::super::lanes::for_turns;
    use super::*;
    use std::os::fd::RawFd;
    use zokio::net::UdpSocket;
    use zokio::net::owned::{RecvBatch, SendBatch, UdpLane};

    pub struct Lane {
        /// None while it is taken apart.
        lane: Option<UdpLane>,
        fd: RawFd,
        peer: std::net::SocketAddr,
        out: SendBatch,
        room: RecvBatch,
        /// Received, and not asked for yet.
        rest: VecDeque<(Vec<u8>, bool)>,
    }

    impl Lane {
        fn new(socket: std::net::UdpSocket) -> Self {
            socket.set_nonblocking(true).unwrap();
            let (fd, peer) = (socket.as_raw_fd(), socket.peer_addr().unwrap());
            let lane = UdpLane::new(UdpSocket::from_std(socket).unwrap()).unwrap();
            Self {
                lane: Some(lane),
                fd,
                peer,
                out: SendBatch::new(),
                room: RecvBatch::for_lane(3),
                rest: VecDeque::new(),
            }
        }

        fn fd(&self) -> RawFd {
            self.fd
        }

        fn lane(&self) -> &UdpLane {
            self.lane.as_ref().unwrap()
        }

        fn push(&mut self, datagrams: Vec<Datagram>) {
            for (bytes, is_addressed) in datagrams {
                if is_addressed {
                    self.out.push(&bytes, self.peer);
                } else {
                    self.out.push_connected(&bytes);
                }
            }
        }

        async fn send(&mut self) -> io::Result<usize> {
            let (before, lane) = (self.out.len(), self.lane.as_ref().unwrap());
            let sent = lane.send_many(&mut self.out).await;
            assert!(sent.is_err() || sent.as_ref().is_ok_and(|it| *it == before));
            assert!(sent.is_err() || self.out.is_empty());
            sent
        }

        fn skip(&mut self) {
            assert!(self.out.skip());
        }

        fn clear(&mut self) {
            self.out.clear();
        }

        async fn cancel_send(&mut self) {
            let before = self.out.len();
            drop(self.lane.as_ref().unwrap().send_many(&mut self.out));
            assert_eq!(self.out.len(), before);
        }

        fn take(&mut self) {
            for found in &self.room {
                assert_eq!(found.peer, self.peer);
                self.rest
                    .push_back((found.bytes.to_vec(), found.is_truncated));
            }
        }

        async fn recv(&mut self, count: usize) -> io::Result<Vec<(Vec<u8>, bool)>> {
            while self.rest.len() < count {
                let lane = self.lane.as_ref().unwrap();
                let len = lane.recv_many(&mut self.room).await?;
                assert_eq!((len, len), (self.room.len(), self.room.iter().count()));
                self.take();
            }
            Ok(self.rest.drain(..count).collect())
        }

        async fn cancel_recv(&mut self, turns: usize) {
            let lane = self.lane.as_ref().unwrap();
            let received = for_turns(turns, lane.recv_many(&mut self.room)).await;
            if let Some(len) = received {
                assert!(len.unwrap() > 0);
                self.take();
            }
        }

        fn switch(&mut self, joins: bool, messages: usize, size: usize) {
            let socket = self.lane.take().unwrap().into_socket();
            let lane = if joins {
                UdpLane::new(socket).unwrap()
            } else {
                UdpLane::unjoined(socket)
            };
            self.lane = Some(lane);
            self.room = if joins {
                RecvBatch::for_lane(messages.min(8))
            } else {
                RecvBatch::new(messages, size)
            };
            assert_eq!(self.lane().is_joining(), joins && has_joining());
        }
    }

    /// Whether the system joins datagrams at all.
    fn has_joining() -> bool {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let lane = UdpLane::new(UdpSocket::from_std(socket).unwrap());
        lane.unwrap().is_joining()
    }

    world!([async], [.await]);
}

/// Room for all that is under way.
fn pair() -> [std::net::UdpSocket; 2] {
    let pair = udp_pair();
    for socket in &pair {
        let socket = socket2::SockRef::from(socket);
        socket.set_recv_buffer_size(1 << 20).unwrap();
        socket.set_send_buffer_size(1 << 20).unwrap();
    }
    pair
}

#[test]
fn batches_of_datagrams() {
    let sides = runtimes();
    let _storm = Storm::begin();
    let mut tally = Tally::default();
    for_each("batches", 500, &steps(), |steps| {
        let expected = plain::run(pair(), steps.clone());
        tally.count(&expected);
        for side in &sides {
            let begun = steps.clone();
            let seen = side.run(async move { ours::run(pair(), begun).await });
            check(side, &steps, &seen, &expected);
        }
    });
    tally.has("batches", &[ErrorKind::ConnectionRefused]);
}
