//! Two connections that are joined by `net::owned::Splice` are as one: whoever is at either end sees
//! what they would see on a single connection, while the runs that join them are dropped and begun
//! again.

use super::kit::*;
use super::lanes::for_turns;
use proptest::prelude::*;
use socket2::Socket;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, OwnedFd};
use zokio::net::owned::{Splice, StreamSocket};
use zokio::net::{TcpStream, UnixStream};

/// One step at one of the two ends, or between them.
#[derive(Debug, Clone)]
enum Step {
    Write(usize, u16),
    Read(usize, u16),
    End(usize),
    /// A run that is polled some times and dropped.
    Run(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let e = 0..2_usize;
    let one = (
        e.clone(),
        prop_oneof![4 => 1..3_000_u16, 1 => 1..60_000_u16],
    );
    let step = prop_oneof![
        6 => one.clone().prop_map(|(e, len)| Step::Write(e, len)),
        6 => one.prop_map(|(e, len)| Step::Read(e, len)),
        1 => e.prop_map(Step::End),
        4 => (0..5_u8).prop_map(Step::Run),
    ];
    prop::collection::vec(step, 1..40)
}

/// How many bytes may be on their way in one direction: fewer than any socket takes.
const HELD_MAX: usize = 60_000;

/// The two ends, and what is on its way to each.
struct Ends {
    sockets: [Socket; 2],
    held: [usize; 2],
    sent: [u64; 2],
    has_ended: [bool; 2],
}

impl Ends {
    fn new(sockets: [Socket; 2]) -> Self {
        Self {
            sockets,
            held: [0; 2],
            sent: [0; 2],
            has_ended: [false; 2],
        }
    }

    fn write(&mut self, e: usize, len: u16) -> Seen {
        if self.has_ended[e] || self.held[1 - e] + usize::from(len) > HELD_MAX {
            return Seen::Skipped;
        }
        let first = self.sent[e] as u8;
        let bytes: Vec<_> = (0..len).map(|at| (at as u8).wrapping_add(first)).collect();
        let written = self.sockets[e].write_all(&bytes);
        self.held[1 - e] += usize::from(len);
        self.sent[e] += u64::from(len);
        Seen::unit(written)
    }

    fn end(&mut self, e: usize) -> Seen {
        if self.has_ended[e] {
            return Seen::Skipped;
        }
        self.has_ended[e] = true;
        Seen::unit(self.sockets[e].shutdown(Shutdown::Write))
    }

    /// How many bytes can be read at `e`, of `len`. None if that would wait for ever.
    fn wanted(&self, e: usize, len: u16) -> Option<usize> {
        let is_over = self.held[e] == 0 && self.has_ended[1 - e];
        (self.held[e] > 0 || is_over).then_some(self.held[e].min(len.into()))
    }

    /// Reads so many bytes, or the end if there are none.
    fn read(&mut self, e: usize, wanted: usize) -> Seen {
        let mut bytes = vec![0; wanted.max(1)];
        let result = match wanted {
            0 => self.sockets[e].read(&mut bytes),
            _ => self.sockets[e].read_exact(&mut bytes).map(|()| wanted),
        };
        Seen::of(result, |count| {
            self.held[e] -= count;
            bytes.truncate(count);
            Seen::Bytes(bytes)
        })
    }

    /// Whether a read of so many bytes does not wait.
    #[allow(unsafe_code)]
    fn is_there(&self, e: usize, wanted: usize) -> bool {
        let fd = self.sockets[e].as_raw_fd();
        let mut count: libc::c_int = 0;
        let mut poll = libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: `count` is what the first writes, and there is one element for the second.
        unsafe {
            assert_eq!(libc::ioctl(fd, libc::FIONREAD, &mut count), 0);
            libc::poll(&mut poll, 1, 0);
        }
        count as usize >= wanted && poll.revents & libc::POLLIN != 0
    }
}

/// On one connection.
fn plain(sockets: [Socket; 2], steps: &[Step]) -> Vec<Seen> {
    let mut ends = Ends::new(sockets);
    let mut seen = Vec::new();
    for step in steps {
        seen.push(match *step {
            Step::Write(e, len) => ends.write(e, len),
            Step::End(e) => ends.end(e),
            Step::Run(_) => Seen::Done,
            Step::Read(e, len) => match ends.wanted(e, len) {
                Some(wanted) => ends.read(e, wanted),
                None => Seen::Skipped,
            },
        });
    }
    ends.end(0);
    ends.end(1);
    seen.push(Seen::Text(format!("{:?}", ends.sent)));
    seen
}

/// On two that are joined: from one end to `a`, from `b` to the other.
async fn ours(
    sockets: [Socket; 2],
    mut a: impl StreamSocket,
    mut b: impl StreamSocket,
    steps: Vec<Step>,
) -> Vec<Seen> {
    let mut ends = Ends::new(sockets);
    let mut splice = Splice::new(&mut a, &mut b);
    // Once both have ended a run is over, and what it returned stays.
    let mut over = None;
    let mut seen = Vec::new();
    for step in steps {
        seen.push(match step {
            Step::Write(e, len) => ends.write(e, len),
            Step::End(e) => ends.end(e),
            Step::Run(turns) => {
                if over.is_none() {
                    over = for_turns(turns.into(), splice.run()).await;
                }
                let (moved, waiting) = (splice.moved(), splice.in_transit());
                assert!(moved.0 + waiting.0 as u64 <= ends.sent[0]);
                assert!(moved.1 + waiting.1 as u64 <= ends.sent[1]);
                Seen::Done
            }
            Step::Read(e, len) => match ends.wanted(e, len) {
                None => Seen::Skipped,
                Some(wanted) => {
                    while !ends.is_there(e, wanted) {
                        if over.is_none() {
                            over = for_turns(1, splice.run()).await;
                        }
                        zokio::task::yield_now().await;
                    }
                    ends.read(e, wanted)
                }
            },
        });
    }
    ends.end(0);
    ends.end(1);
    let moved = match over {
        Some(moved) => moved,
        None => splice.run().await,
    };
    assert_eq!(splice.in_transit(), (0, 0));
    seen.push(Seen::Text(format!(
        "{:?}",
        moved.map(<[u64; 2]>::from).unwrap()
    )));
    seen
}

fn tcp() -> [Socket; 2] {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let near = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let far = listener.accept().unwrap().0;
    [near, far].map(|end| {
        end.set_nodelay(true).unwrap();
        end.into()
    })
}

fn unix() -> [Socket; 2] {
    <[_; 2]>::from(std::os::unix::net::UnixStream::pair().unwrap())
        .map(|end| OwnedFd::from(end).into())
}

fn tcp_of(end: Socket) -> TcpStream {
    end.set_nonblocking(true).unwrap();
    TcpStream::from_std(end.into()).unwrap()
}

fn unix_of(end: Socket) -> UnixStream {
    end.set_nonblocking(true).unwrap();
    UnixStream::from_std(OwnedFd::from(end).into()).unwrap()
}

#[test]
fn joined_connections() {
    let sides = runtimes();
    let _storm = Storm::begin();
    let mut tally = Tally::default();
    for_each("splices", 300, &(steps(), 0..3_u8), |(steps, kinds)| {
        let expected = plain(if kinds == 0 { tcp() } else { unix() }, &steps);
        tally.count(&expected);
        for side in &sides {
            let begun = steps.clone();
            let seen = side.run(async move {
                if kinds == 0 {
                    let ([near, a], [b, far]) = (tcp(), tcp());
                    ours([near, far], tcp_of(a), tcp_of(b), begun).await
                } else if kinds == 1 {
                    let ([near, a], [b, far]) = (unix(), tcp());
                    ours([near, far], unix_of(a), tcp_of(b), begun).await
                } else {
                    let ([near, a], [b, far]) = (unix(), unix());
                    ours([near, far], unix_of(a), unix_of(b), begun).await
                }
            });
            let end = Step::Run(0);
            let steps: Vec<_> = steps.iter().chain([&end]).collect();
            check(side, &steps, &seen, &expected);
        }
    });
    tally.has("splices", &[]);
}
