//! The lanes of `net::owned` beside the sockets' own methods, on Zokio and on Tokio: `compare lanes`.
//!
//! The peer at the other end of the sockets is a process of its own (`peer.rs`), a plain thread, so
//! that the processor time is that of the side that is measured. It runs on the same machine and
//! over loopback, where the network reads nothing in place: a zero-copy send is copied there after all.

mod on_tokio;
mod on_zokio;
mod owned;
mod peer;

pub(crate) use peer::main as peer_main;

use zokio::runtime::IoMode;

use crate::arms::{Options, Program, arm};

/// How many connections a round of `accept` takes.
pub(crate) const CONNECTS: usize = 4_000;
/// How many of them come at once.
pub(crate) const BURST: usize = 64;
/// How many connections `receive` has.
pub(crate) const STREAMS: usize = 32;
/// How many messages each of them brings, and how long they are.
pub(crate) const MESSAGES: usize = 4_000;
/// As above.
pub(crate) const MESSAGE: usize = 1_024;
/// How many messages of [`MESSAGE`] bytes each connection of `echo` gets back, one after the other.
pub(crate) const EXCHANGES: usize = 1_500;
/// How many sockets send datagrams.
pub(crate) const SENDERS: usize = 2;
/// How many datagrams each of them sends before it waits for as many answers, and how often.
pub(crate) const FLIGHT: usize = 64;
/// As above.
pub(crate) const FLIGHTS: usize = 400;
/// How long a datagram is.
pub(crate) const DATAGRAM: usize = 200;
/// How long the buffers are that `send` and `proxy` move.
pub(crate) const CHUNK: usize = 256 * 1024;
/// How many of them.
pub(crate) const CHUNKS: usize = 1_024;

const USAGE: &str = "usage: compare lanes [--rounds N] [--workers N] \
                     [accept|receive|echo|datagrams|send|file|proxy]..";

fn accept(workers: usize) -> Program {
    Program {
        name: "accept",
        operations: CONNECTS,
        arms: vec![
            arm("Tokio, accept", move || on_tokio::accept(workers)),
            arm("Zokio, accept", move || on_zokio::accept(workers)),
            arm("Zokio, Incoming by readiness", move || {
                owned::accept(workers, IoMode::Epoll)
            }),
            arm("Zokio, Incoming on the ring", move || {
                owned::accept(workers, IoMode::Uring)
            }),
        ],
        expected: CONNECTS as u64,
    }
}

fn receive(workers: usize) -> Program {
    Program {
        name: "receive",
        operations: STREAMS * MESSAGES,
        arms: vec![
            arm("Tokio, read", move || on_tokio::receive(workers)),
            arm("Zokio, read", move || on_zokio::receive(workers)),
            arm("Zokio, Receiver by readiness", move || {
                owned::receive(workers, IoMode::Epoll)
            }),
            arm("Zokio, Receiver on the ring", move || {
                owned::receive(workers, IoMode::Uring)
            }),
        ],
        expected: (STREAMS * MESSAGES * MESSAGE) as u64,
    }
}

fn echo(workers: usize) -> Program {
    Program {
        name: "echo",
        operations: STREAMS * EXCHANGES,
        arms: vec![
            arm("Tokio, read", move || on_tokio::echo(workers)),
            arm("Zokio, read", move || on_zokio::echo(workers)),
            arm("Zokio, Receiver by readiness", move || {
                owned::echo(workers, IoMode::Epoll)
            }),
            arm("Zokio, Receiver on the ring", move || {
                owned::echo(workers, IoMode::Uring)
            }),
        ],
        expected: (STREAMS * EXCHANGES * MESSAGE) as u64,
    }
}

fn datagrams(workers: usize) -> Program {
    Program {
        name: "datagrams",
        operations: SENDERS * FLIGHT * FLIGHTS,
        arms: vec![
            arm("Tokio, recv_from and send_to", move || {
                on_tokio::datagrams(workers)
            }),
            arm("Zokio, recv_from and send_to", move || {
                on_zokio::datagrams(workers)
            }),
            arm("Zokio, UdpLane that does not join", move || {
                owned::datagrams(workers, false)
            }),
            arm("Zokio, UdpLane", move || owned::datagrams(workers, true)),
        ],
        expected: (SENDERS * FLIGHT * FLIGHTS * DATAGRAM) as u64,
    }
}

fn send(workers: usize) -> Program {
    Program {
        name: "send",
        operations: CHUNKS,
        arms: vec![
            arm("Tokio, write_all", move || on_tokio::send(workers)),
            arm("Zokio, write_all", move || on_zokio::send(workers)),
            arm("Zokio, ZcSender by readiness", move || {
                owned::send(workers, IoMode::Epoll)
            }),
            arm("Zokio, ZcSender on the ring", move || {
                owned::send(workers, IoMode::Uring)
            }),
        ],
        expected: (CHUNKS * CHUNK) as u64,
    }
}

fn file(workers: usize) -> Program {
    Program {
        name: "file",
        operations: CHUNKS,
        arms: vec![
            arm("Tokio, io::copy", move || on_tokio::file(workers)),
            arm("Zokio, io::copy", move || on_zokio::file(workers)),
            arm("Zokio, sendfile", move || owned::file(workers)),
        ],
        expected: (CHUNKS * CHUNK) as u64,
    }
}

fn proxy(workers: usize) -> Program {
    Program {
        name: "proxy",
        operations: CHUNKS,
        arms: vec![
            arm("Tokio, copy_bidirectional", move || {
                on_tokio::proxy(workers)
            }),
            arm("Zokio, copy_bidirectional", move || {
                on_zokio::proxy(workers)
            }),
            arm("Zokio, splice_bidirectional", move || owned::proxy(workers)),
        ],
        expected: (CHUNKS * CHUNK) as u64,
    }
}

/// The program: `compare lanes ..`.
pub(crate) fn main(words: &[&str]) -> Result<(), String> {
    let options = Options::parse(words, USAGE)?;
    let programs = [accept, receive, echo, datagrams, send, file, proxy];
    let programs = programs.map(|program| program(options.workers));
    options.run(programs.into(), USAGE)
}
