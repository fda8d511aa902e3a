//! The load generator: one thread, one event loop, in a process of its own.
//!
//! Each connection sends a message and waits until all of it has come back; then it sends again,
//! at once (closed loop) or at its next beat (`pause`). With beats, a message that had to wait for
//! the answer to the one before counts from its beat, so a stall is seen by every request that it
//! delays; one that did not counts from when it is sent, so that the lateness of the generator's own
//! timer, which ticks once a millisecond, is nobody's. The first fifth of the time warms up and is
//! not counted.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

/// How long the server of a paced load has to accept its connections.
const SETTLING: Duration = Duration::from_millis(50);

/// The load to send.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    pub(crate) time: Duration,
    pub(crate) bytes: usize,
    /// The beat of each connection; `None`: as fast as answers come.
    pub(crate) pause: Option<Duration>,
}

/// The answers that came back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    /// Answers, warm-up included.
    pub(crate) requests_all: u64,
    /// Wall time for each counted answer, all connections together.
    pub(crate) ns_per_request: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) max_us: f64,
}

impl Load {
    /// Runs the generator as another process against `address`.
    pub(crate) fn run(self, address: SocketAddr) -> Result<Seen, String> {
        let own = std::env::current_exe().map_err(|e| format!("own path: {e}"))?;
        let pause = self.pause.unwrap_or_default().as_micros();
        let output = Command::new(own)
            .args(["load", &address.to_string(), &self.connections.to_string()])
            .args([self.time.as_millis(), self.bytes as u128, pause].map(|n| n.to_string()))
            .stderr(Stdio::inherit())
            .output()
            .map_err(|e| format!("the load generator: {e}"))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let numbers: Vec<f64> = text
            .split_whitespace()
            .filter_map(|n| n.parse().ok())
            .collect();
        let [requests, ns_per_request, p50_us, p99_us, max_us] = numbers[..] else {
            return Err(format!("the load generator said: {text}"));
        };
        Ok(Seen {
            requests_all: requests as u64,
            ns_per_request,
            p50_us,
            p99_us,
            max_us,
        })
    }
}

struct Connection {
    stream: TcpStream,
    /// When the message in flight was due; `None` between messages.
    due: Option<Instant>,
    next: Instant,
    /// When the last answer was there.
    answered: Instant,
    written: usize,
    read: usize,
}

/// The process: `load ADDRESS CONNECTIONS MILLISECONDS BYTES PAUSE_US`.
pub(crate) fn main(words: &[&str]) -> Result<(), String> {
    let [address, connections, millis, bytes, pause] = words else {
        return Err("load ADDRESS CONNECTIONS MILLISECONDS BYTES PAUSE_US".into());
    };
    let address: SocketAddr = address.parse().map_err(|_| "not an address")?;
    if !address.ip().is_loopback() {
        return Err("load is for this machine only".into());
    }
    let number = |text: &str| {
        text.parse::<u64>()
            .map_err(|_| format!("not a number: {text}"))
    };
    let pause = number(pause)?;
    let load = Load {
        connections: number(connections)? as usize,
        time: Duration::from_millis(number(millis)?),
        bytes: number(bytes)? as usize,
        pause: (pause > 0).then(|| Duration::from_micros(pause)),
    };
    let mut generator =
        Generator::connect(load, address).map_err(|e| format!("connecting: {e}"))?;
    generator.run().map_err(|e| format!("load: {e}"))?;
    generator.print();
    Ok(())
}

struct Generator {
    load: Load,
    poll: Poll,
    connections: Vec<Connection>,
    message: Vec<u8>,
    buffer: Vec<u8>,
    latencies_us: Vec<f64>,
    requests_all: u64,
    started: Instant,
}

impl Generator {
    fn connect(load: Load, address: SocketAddr) -> std::io::Result<Self> {
        let poll = Poll::new()?;
        let mut connections = Vec::with_capacity(load.connections);
        for index in 0..load.connections {
            let stream = std::net::TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry()
                .register(&mut stream, Token(index), interest)?;
            let beat = load.pause.unwrap_or_default();
            let offset = beat.mul_f64(index as f64 / load.connections as f64);
            let next = Instant::now() + offset + if beat.is_zero() { beat } else { SETTLING };
            connections.push(Connection {
                stream,
                due: None,
                next,
                answered: Instant::now(),
                written: 0,
                read: 0,
            });
        }
        let message = vec![b'z'; load.bytes];
        let buffer = vec![0; load.bytes.max(4096)];
        let started = Instant::now();
        Ok(Self {
            load,
            poll,
            connections,
            message,
            buffer,
            latencies_us: vec![],
            requests_all: 0,
            started,
        })
    }

    fn run(&mut self) -> std::io::Result<()> {
        let mut events = Events::with_capacity(1024);
        self.started = Instant::now();
        let end = self.started + self.load.time;
        for index in 0..self.connections.len() {
            self.drive(index)?;
        }
        loop {
            let now = Instant::now();
            if now >= end {
                return Ok(());
            }
            let timeout = if self.load.pause.is_some() {
                Duration::from_millis(1)
            } else {
                end - now
            };
            self.poll.poll(&mut events, Some(timeout))?;
            let ready: Vec<usize> = events.iter().map(|event| event.token().0).collect();
            for index in ready {
                self.drive(index)?;
            }
            if self.load.pause.is_some() {
                let now = Instant::now();
                for index in 0..self.connections.len() {
                    if self.connections[index].due.is_none() && self.connections[index].next <= now
                    {
                        self.drive(index)?;
                    }
                }
            }
        }
    }

    /// Writes and reads what can be written and read now.
    fn drive(&mut self, index: usize) -> std::io::Result<()> {
        loop {
            let connection = &mut self.connections[index];
            if connection.due.is_none() {
                let now = Instant::now();
                if connection.next > now {
                    return Ok(());
                }
                let had_to_wait = connection.answered > connection.next;
                connection.due = Some(if had_to_wait { connection.next } else { now });
                (connection.written, connection.read) = (0, 0);
            }
            while connection.written < self.message.len() {
                match connection.stream.write(&self.message[connection.written..]) {
                    Ok(length) => connection.written += length,
                    Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                    Err(e) => return Err(e),
                }
            }
            while connection.read < self.message.len() {
                match connection.stream.read(&mut self.buffer) {
                    Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                    Ok(length) => connection.read += length,
                    Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                    Err(e) => return Err(e),
                }
            }
            self.answered(index);
        }
    }

    fn answered(&mut self, index: usize) {
        let now = Instant::now();
        let connection = &mut self.connections[index];
        let due = connection.due.take().expect("an answer follows a message");
        connection.next = match self.load.pause {
            Some(pause) => connection.next + pause,
            None => now,
        };
        connection.answered = now;
        self.requests_all += 1;
        if now - self.started > self.load.time / 5 {
            self.latencies_us
                .push((now - due).as_nanos() as f64 / 1000.0);
        }
    }

    fn print(&self) {
        let counted = self.latencies_us.len().max(1) as f64;
        let quantile = |part| crate::measure::quantile(&self.latencies_us, part);
        println!(
            "{} {} {} {} {}",
            self.requests_all,
            self.load.time.as_nanos() as f64 * 0.8 / counted,
            quantile(0.5),
            quantile(0.99),
            quantile(1.0)
        );
    }
}
