//! Connected streams, TCP and Unix: both ends in one world, so that each step's result follows from
//! the steps before it. What the network does in between is waited for ([`Link::settle`]).

use super::kit::*;
use proptest::prelude::*;
use std::io::{ErrorKind, IoSlice};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::{Duration, Instant};

/// One step on one of the two ends.
#[derive(Debug, Clone)]
enum Step {
    Write(usize, u16),
    WriteVectored(usize, u16, u16),
    TryWrite(usize, u16),
    /// Until no more fits. Of Unix streams only: how much TCP takes is not said.
    Fill(usize),
    Read(usize, u16),
    ReadVectored(usize, u16, u16),
    TryRead(usize, u16),
    ReadExact(usize, u16),
    Peek(usize, u16),
    End(usize),
    /// By somebody who has another descriptor of it.
    EndElsewhere(usize, u8),
    Renew(usize),
    TakeError(usize),
    /// Has the end reset rather than end the connection when it is dropped.
    Impatient(usize),
    Drop(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let e = 0..2_usize;
    let len = 1..3_000_u16;
    let one = (e.clone(), len.clone());
    let two = (e.clone(), len.clone(), len);
    let step = prop_oneof![
        6 => one.clone().prop_map(|(e, len)| Step::Write(e, len)),
        2 => two.clone().prop_map(|(e, a, b)| Step::WriteVectored(e, a, b)),
        2 => one.clone().prop_map(|(e, len)| Step::TryWrite(e, len)),
        1 => e.clone().prop_map(Step::Fill),
        6 => one.clone().prop_map(|(e, len)| Step::Read(e, len)),
        2 => two.prop_map(|(e, a, b)| Step::ReadVectored(e, a, b)),
        3 => one.clone().prop_map(|(e, len)| Step::TryRead(e, len)),
        2 => one.clone().prop_map(|(e, len)| Step::ReadExact(e, len)),
        2 => one.prop_map(|(e, len)| Step::Peek(e, len)),
        1 => e.clone().prop_map(Step::End),
        1 => (e.clone(), 0..3_u8).prop_map(|(e, how)| Step::EndElsewhere(e, how)),
        2 => e.clone().prop_map(Step::Renew),
        1 => e.clone().prop_map(Step::TakeError),
        1 => e.clone().prop_map(Step::Impatient),
        1 => e.prop_map(Step::Drop),
    ];
    prop::collection::vec(step, 1..40)
}

impl Step {
    fn end(&self) -> usize {
        match *self {
            Step::Write(e, _)
            | Step::WriteVectored(e, ..)
            | Step::TryWrite(e, _)
            | Step::Fill(e)
            | Step::Read(e, _)
            | Step::ReadVectored(e, ..)
            | Step::TryRead(e, _)
            | Step::ReadExact(e, _)
            | Step::Peek(e, _)
            | Step::End(e)
            | Step::EndElsewhere(e, _)
            | Step::Renew(e)
            | Step::TakeError(e)
            | Step::Impatient(e)
            | Step::Drop(e) => e,
        }
    }
}

/// The state of one end.
#[derive(Debug, Clone, Default)]
pub struct End {
    pub is_closed: bool,
    /// Bytes that can be read.
    pub held: usize,
    /// It has said that no more comes.
    pub is_write_shut: bool,
    /// It has said that it reads no more.
    pub is_read_shut: bool,
    /// The connection was reset, from wherever.
    pub is_reset: bool,
    pub is_impatient: bool,
}

/// The state of a connection: the steps that were done to it, and the outcome that they must have.
#[derive(Debug)]
pub struct Link {
    pub is_tcp: bool,
    pub ends: [End; 2],
    next_byte: u8,
}

/// How many bytes may be on their way: fewer than any socket takes.
const HELD_MAX: usize = 16 * 1024;

impl Link {
    pub fn new(is_tcp: bool) -> Self {
        Self {
            is_tcp,
            ends: Default::default(),
            next_byte: 0,
        }
    }

    /// Whether a read at `e` would wait.
    pub fn waits(&self, e: usize) -> bool {
        let (me, peer) = (&self.ends[e], &self.ends[1 - e]);
        let is_over = me.is_reset || me.is_read_shut || peer.is_closed || peer.is_write_shut;
        me.held == 0 && !is_over
    }

    /// Whether there is room for another write by `e`.
    fn has_room(&self, e: usize) -> bool {
        self.ends[1 - e].held < HELD_MAX
    }

    /// The next `len` bytes to send.
    pub fn bytes(&mut self, len: u16) -> Vec<u8> {
        let bytes = (0..len).map(|n| (n as u8).wrapping_add(self.next_byte));
        let bytes = bytes.collect();
        self.next_byte = self.next_byte.wrapping_add(len as u8).wrapping_mul(5);
        bytes
    }

    pub fn wrote(&mut self, e: usize, count: usize) {
        if count == 0 {
            return;
        }
        let peer = &mut self.ends[1 - e];
        // Bytes for somebody who has said goodbye in both directions are answered by a reset.
        if self.is_tcp && (peer.is_closed || peer.is_write_shut && peer.is_read_shut) {
            self.ends[0].is_reset = true;
            self.ends[1].is_reset = true;
        } else if !peer.is_closed {
            peer.held += count;
        }
    }

    pub fn read(&mut self, e: usize, count: usize) {
        self.ends[e].held -= count;
    }

    pub fn shut(&mut self, e: usize, how: Shutdown) {
        self.ends[e].is_write_shut |= how != Shutdown::Read;
        self.ends[e].is_read_shut |= how != Shutdown::Write;
        if !self.is_tcp {
            // Here the two directions are each one thing with two ends.
            let peer = &mut self.ends[1 - e];
            peer.is_read_shut |= how != Shutdown::Read;
            peer.is_write_shut |= how != Shutdown::Write;
        }
    }

    pub fn close(&mut self, e: usize) {
        let is_reset = self.ends[e].is_impatient || self.ends[e].held > 0;
        self.ends[e].is_closed = true;
        self.ends[1 - e].is_reset |= is_reset;
    }

    /// Waits until everything that was sent has arrived.
    fn settle(&self, fds: [Option<RawFd>; 2]) {
        if !self.is_tcp {
            return;
        }
        let begun = Instant::now();
        for (e, fd) in fds.into_iter().enumerate() {
            let Some(fd) = fd else { continue };
            while !self.has_arrived(e, fd) {
                let state = tcp_state(fd);
                assert!(
                    begun.elapsed() < Duration::from_secs(20),
                    "end {e} does not become as it should, state {state}: {self:?}"
                );
                std::thread::sleep(Duration::from_micros(50));
            }
        }
    }

    /// Whether the connection has ended in both directions at `e`.
    fn is_over(&self, e: usize) -> bool {
        let (me, peer) = (&self.ends[e], &self.ends[1 - e]);
        me.is_reset || (peer.is_write_shut || peer.is_closed) && me.is_write_shut
    }

    /// Whether the system's idea of `e` is what it has to become.
    fn has_arrived(&self, e: usize, fd: RawFd) -> bool {
        let me = &self.ends[e];
        let is_read = self.is_over(e) || me.is_read_shut || readable_bytes(fd) == me.held;
        is_read && self.is_in_state(e, fd)
    }

    /// Whether the ends of either direction that were told have arrived at `e`.
    pub fn is_in_state(&self, e: usize, fd: RawFd) -> bool {
        const CLOSE_WAIT: u8 = 8;
        const CLOSED: u8 = 7;
        const LAST_ACK: u8 = 9;
        let peer = &self.ends[1 - e];
        let state = tcp_state(fd);
        if self.is_over(e) {
            return state == CLOSED;
        }
        let is_peer_over = peer.is_write_shut || peer.is_closed;
        !is_peer_over || matches!(state, CLOSE_WAIT | LAST_ACK | CLOSED)
    }
}

#[allow(unsafe_code)]
fn readable_bytes(fd: RawFd) -> usize {
    let mut count: libc::c_int = 0;
    // SAFETY: `count` is what this request writes.
    let result = unsafe { libc::ioctl(fd, libc::FIONREAD, &mut count) };
    assert_eq!(result, 0);
    usize::try_from(count).unwrap()
}

/// The first field of `struct tcp_info`.
#[allow(unsafe_code)]
fn tcp_state(fd: RawFd) -> u8 {
    let mut state = 0_u8;
    let mut len = 1;
    // SAFETY: the system writes at most `len` bytes.
    let result = unsafe {
        libc::getsockopt(
            fd,
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut state).cast(),
            &mut len,
        )
    };
    assert_eq!(result, 0);
    state
}

pub fn how(number: u8) -> Shutdown {
    [Shutdown::Read, Shutdown::Write, Shutdown::Both][usize::from(number)]
}

/// Ends it through a descriptor of one's own, which is closed then.
pub fn end_elsewhere(stream: &impl AsFd, how: Shutdown) -> std::io::Result<()> {
    let other = stream.as_fd().try_clone_to_owned().unwrap();
    socket2::Socket::from(other).shutdown(how)
}

macro_rules! world {
    ([$($async:tt)*], [$($await:tt)*]) => {
        pub struct World<S> {
            link: Link,
            streams: [Option<S>; 2],
        }

        impl<S: Stream> World<S> {
            pub fn new(is_tcp: bool, pair: [S; 2]) -> Self {
                Self { link: Link::new(is_tcp), streams: pair.map(Some) }
            }

            pub $($async)* fn run(mut self, steps: Vec<Step>) -> Vec<Seen> {
                let mut seen = Vec::new();
                for step in steps {
                    let e = step.end();
                    seen.push(match self.streams[e].take() {
                        None => Seen::Skipped,
                        Some(stream) => self.step(e, stream, step) $($await)*,
                    });
                    let [a, b] = &self.streams;
                    let fd = |it: &Option<S>| it.as_ref().map(|it| it.as_fd().as_raw_fd());
                    self.link.settle([fd(a), fd(b)]);
                }
                seen
            }

            $($async)* fn step(&mut self, e: usize, mut stream: S, step: Step) -> Seen {
                let link = &mut self.link;
                let waits = link.waits(e);
                let seen = match step {
                    Step::Write(..) | Step::WriteVectored(..) | Step::TryWrite(..)
                        if !link.has_room(e) => Seen::Skipped,
                    // While it is partly full, it has room without saying so.
                    Step::Fill(_) if link.is_tcp || link.ends[1 - e].held > 0 => Seen::Skipped,
                    Step::Read(..) | Step::ReadVectored(..) | Step::ReadExact(..)
                        if waits => Seen::Skipped,
                    Step::Write(_, len) => {
                        let bytes = link.bytes(len);
                        let written = stream.write_all(&bytes) $($await)*;
                        Seen::of(written, |()| {
                            link.wrote(e, bytes.len());
                            Seen::Done
                        })
                    }
                    Step::WriteVectored(_, a, b) => {
                        let (a, b) = (link.bytes(a), link.bytes(b));
                        let parts = [IoSlice::new(&a), IoSlice::new(&[]), IoSlice::new(&b)];
                        let count = stream.write_vectored(&parts) $($await)*;
                        if let Ok(count) = count {
                            link.wrote(e, count);
                        }
                        Seen::number(count)
                    }
                    Step::TryWrite(_, len) => {
                        let bytes = link.bytes(len);
                        let count = try_write(&stream, &bytes) $($await)*;
                        if let Ok(count) = count {
                            link.wrote(e, count);
                        }
                        Seen::number(count)
                    }
                    Step::Fill(_) => {
                        let bytes = link.bytes(3_000);
                        let (count, ended) = fill(&stream, &bytes) $($await)*;
                        link.wrote(e, count);
                        Seen::Text(format!("{count} {:?}", Seen::unit(Err(ended))))
                    }
                    Step::Read(_, len) => {
                        let mut buf = vec![0; len.into()];
                        let count = stream.read(&mut buf) $($await)*;
                        Seen::of(count, |count| {
                            link.read(e, count);
                            Seen::Bytes(buf[..count].to_vec())
                        })
                    }
                    Step::ReadVectored(_, a, b) => {
                        let (mut a, mut b) = (vec![0; a.into()], vec![0; b.into()]);
                        let count = read_vectored(&mut stream, &mut a, &mut b) $($await)*;
                        Seen::of(count, |count| {
                            link.read(e, count);
                            Seen::Bytes([a, b].concat()[..count].to_vec())
                        })
                    }
                    Step::ReadExact(_, len) => {
                        let me = &link.ends[e];
                        // A read of bytes that are not there yet would wait, unless nothing comes any more.
                        let len = if me.held > 0 { me.held.min(len.into()) } else { len.into() };
                        let mut buf = vec![0; len];
                        let read = stream.read_exact(&mut buf) $($await)*;
                        Seen::of(read.map(drop), |()| {
                            link.read(e, len);
                            Seen::Bytes(buf)
                        })
                    }
                    Step::TryRead(_, len) => {
                        let mut buf = vec![0; len.into()];
                        let count = try_read(&stream, &mut buf, waits) $($await)*;
                        Seen::of(count, |count| {
                            link.read(e, count);
                            Seen::Bytes(buf[..count].to_vec())
                        })
                    }
                    Step::Peek(_, len) => {
                        let mut buf = vec![0; len.into()];
                        if waits || !link.is_tcp {
                            Seen::Skipped
                        } else {
                            let count = stream.look(&mut buf) $($await)*;
                            Seen::of(count, |count| Seen::Bytes(buf[..count].to_vec()))
                        }
                    }
                    Step::End(_) => {
                        let ended = end(&mut stream) $($await)*;
                        if ended.is_ok() {
                            link.shut(e, Shutdown::Write);
                        }
                        Seen::unit(ended)
                    }
                    Step::EndElsewhere(_, number) => {
                        let ended = end_elsewhere(&stream, how(number));
                        if ended.is_ok() {
                            link.shut(e, how(number));
                        }
                        Seen::unit(ended)
                    }
                    Step::Renew(_) => {
                        stream = stream.renewed();
                        Seen::Done
                    }
                    Step::TakeError(_) => {
                        Seen::text(stream.error().map(|it| it.map(|it| it.raw_os_error())))
                    }
                    Step::Impatient(_) => {
                        link.ends[e].is_impatient = link.is_tcp;
                        let now = Some(Duration::ZERO);
                        Seen::unit(socket2::SockRef::from(&stream).set_linger(now))
                    }
                    Step::Drop(_) => {
                        drop(stream);
                        link.close(e);
                        return Seen::Done;
                    }
                };
                self.streams[e] = Some(stream);
                seen
            }
        }
    };
}

/// By blocking calls.
mod plain {
    use super::*;
    use std::io::{self, IoSliceMut, Read, Write};
    use std::net::TcpStream;
    use std::os::unix::net::UnixStream;

    pub trait Stream: Read + Write + AsFd + Sized {
        fn set_blocking(&self, is_blocking: bool);
        fn look(&self, buf: &mut [u8]) -> io::Result<usize>;
        fn error(&self) -> io::Result<Option<io::Error>>;
        fn shutdown_write(&self) -> io::Result<()>;
        fn renewed(self) -> Self {
            self
        }
    }

    impl Stream for TcpStream {
        fn set_blocking(&self, is_blocking: bool) {
            self.set_nonblocking(!is_blocking).unwrap();
        }
        fn look(&self, buf: &mut [u8]) -> io::Result<usize> {
            self.peek(buf)
        }
        fn error(&self) -> io::Result<Option<io::Error>> {
            self.take_error()
        }
        fn shutdown_write(&self) -> io::Result<()> {
            self.shutdown(Shutdown::Write)
        }
    }

    impl Stream for UnixStream {
        fn set_blocking(&self, is_blocking: bool) {
            self.set_nonblocking(!is_blocking).unwrap();
        }
        fn look(&self, _buf: &mut [u8]) -> io::Result<usize> {
            unreachable!("Unix streams cannot be looked into")
        }
        fn error(&self) -> io::Result<Option<io::Error>> {
            self.take_error()
        }
        fn shutdown_write(&self) -> io::Result<()> {
            self.shutdown(Shutdown::Write)
        }
    }

    /// Does something without waiting.
    fn at_once<S: Stream, T>(stream: &S, act: impl FnOnce() -> T) -> T {
        stream.set_blocking(false);
        let result = act();
        stream.set_blocking(true);
        result
    }

    fn write<S: Stream>(stream: &S, bytes: &[u8]) -> io::Result<usize> {
        socket2::SockRef::from(stream).send(bytes)
    }

    fn try_write<S: Stream>(stream: &S, bytes: &[u8]) -> io::Result<usize> {
        at_once(stream, || write(stream, bytes))
    }

    fn fill<S: Stream>(stream: &S, bytes: &[u8]) -> (usize, io::Error) {
        let mut sum = 0;
        let ended = at_once(stream, || {
            loop {
                match write(stream, bytes) {
                    Ok(count) => sum += count,
                    Err(error) => return error,
                }
            }
        });
        (sum, ended)
    }

    fn try_read<S: Stream>(stream: &S, buf: &mut [u8], _waits: bool) -> io::Result<usize> {
        at_once(stream, || {
            let fd = stream.as_fd().try_clone_to_owned().unwrap();
            socket2::Socket::from(fd).read(buf)
        })
    }

    fn read_vectored<S: Stream>(stream: &mut S, a: &mut [u8], b: &mut [u8]) -> io::Result<usize> {
        stream.read_vectored(&mut [IoSliceMut::new(a), IoSliceMut::new(b)])
    }

    /// As streams of runtimes say it: the end of what is over is no error.
    fn end<S: Stream>(stream: &mut S) -> io::Result<()> {
        match stream.shutdown_write() {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }

    world!([], []);
}

/// By the runtime.
mod ours {
    use super::*;
    use std::io::{self, IoSliceMut};
    use zokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
    use zokio::net::{TcpStream, UnixStream};

    pub trait Stream: AsyncRead + AsyncWrite + AsFd + Unpin + Send + Sync + Sized {
        fn look(&mut self, buf: &mut [u8]) -> impl Future<Output = io::Result<usize>> + Send;
        fn until_readable(&self) -> impl Future<Output = io::Result<()>> + Send;
        fn until_writable(&self) -> impl Future<Output = io::Result<()>> + Send;
        fn read_now(&self, buf: &mut [u8]) -> io::Result<usize>;
        fn read_vectored_now(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize>;
        fn write_now(&self, bytes: &[u8]) -> io::Result<usize>;
        fn error(&self) -> io::Result<Option<io::Error>>;
        fn renewed(self) -> Self;
    }

    macro_rules! stream {
        ($stream:ty, |$this:ident, $buf:ident| $look:expr) => {
            impl Stream for $stream {
                async fn look(&mut self, $buf: &mut [u8]) -> io::Result<usize> {
                    let $this = self;
                    $look
                }
                async fn until_readable(&self) -> io::Result<()> {
                    self.readable().await
                }
                async fn until_writable(&self) -> io::Result<()> {
                    self.writable().await
                }
                fn read_now(&self, buf: &mut [u8]) -> io::Result<usize> {
                    self.try_read(buf)
                }
                fn read_vectored_now(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                    self.try_read_vectored(bufs)
                }
                fn write_now(&self, bytes: &[u8]) -> io::Result<usize> {
                    self.try_write(bytes)
                }
                fn error(&self) -> io::Result<Option<io::Error>> {
                    self.take_error()
                }
                fn renewed(self) -> Self {
                    Self::from_std(self.into_std().unwrap()).unwrap()
                }
            }
        };
    }

    stream!(TcpStream, |stream, buf| stream.peek(buf).await);
    stream!(UnixStream, |_stream, _buf| unreachable!(
        "Unix streams cannot be looked into"
    ));

    async fn try_write<S: Stream>(stream: &S, bytes: &[u8]) -> io::Result<usize> {
        loop {
            stream.until_writable().await?;
            match stream.write_now(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    }

    async fn fill<S: Stream>(stream: &S, bytes: &[u8]) -> (usize, io::Error) {
        let mut sum = 0;
        if let Err(error) = stream.until_writable().await {
            return (sum, error);
        }
        loop {
            match stream.write_now(bytes) {
                Ok(count) => sum += count,
                Err(error) => return (sum, error),
            }
        }
    }

    async fn try_read<S: Stream>(stream: &S, buf: &mut [u8], waits: bool) -> io::Result<usize> {
        loop {
            if !waits {
                stream.until_readable().await?;
            }
            match stream.read_now(buf) {
                Err(error) if !waits && error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    }

    async fn read_vectored<S: Stream>(
        stream: &mut S,
        a: &mut [u8],
        b: &mut [u8],
    ) -> io::Result<usize> {
        loop {
            stream.until_readable().await?;
            match stream.read_vectored_now(&mut [IoSliceMut::new(a), IoSliceMut::new(b)]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    }

    async fn end<S: Stream>(stream: &mut S) -> io::Result<()> {
        stream.shutdown().await
    }

    world!([async], [.await]);
}

fn tcp_pair() -> [std::net::TcpStream; 2] {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let near = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    for end in [&near, &far] {
        end.set_nodelay(true).unwrap();
    }
    [near, far]
}

fn unix_pair() -> [std::os::unix::net::UnixStream; 2] {
    let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
    [near, far]
}

/// The errors that have to be met on the way.
const MET: [ErrorKind; 5] = [
    ErrorKind::WouldBlock,
    ErrorKind::ConnectionReset,
    ErrorKind::BrokenPipe,
    ErrorKind::UnexpectedEof,
    ErrorKind::NotConnected,
];

#[test]
fn tcp_streams() {
    let sides = runtimes();
    let _storm = Storm::begin();
    let mut tally = Tally::default();
    for_each("TCP streams", 1_000, &steps(), |steps| {
        let expected = plain::World::new(true, tcp_pair()).run(steps.clone());
        tally.count(&expected);
        for side in &sides {
            let begun = steps.clone();
            let seen = side.run(async move {
                let pair = tcp_pair().map(|end| {
                    end.set_nonblocking(true).unwrap();
                    zokio::net::TcpStream::from_std(end).unwrap()
                });
                ours::World::new(true, pair).run(begun).await
            });
            check(side, &steps, &seen, &expected);
        }
    });
    tally.has("TCP streams", &MET);
}

#[test]
fn unix_streams() {
    let sides = runtimes();
    let _storm = Storm::begin();
    let mut tally = Tally::default();
    for_each("Unix streams", 1_000, &steps(), |steps| {
        let expected = plain::World::new(false, unix_pair()).run(steps.clone());
        tally.count(&expected);
        for side in &sides {
            let begun = steps.clone();
            let seen = side.run(async move {
                let pair = unix_pair().map(|end| {
                    end.set_nonblocking(true).unwrap();
                    zokio::net::UnixStream::from_std(end).unwrap()
                });
                ours::World::new(false, pair).run(begun).await
            });
            check(side, &steps, &seen, &expected);
        }
    });
    // A Unix stream never forgets that it was connected.
    tally.has("Unix streams", &MET[..4]);
}
