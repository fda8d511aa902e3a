//! Streams by the lanes of `net::owned`: received into buffers of a pool, sent from buffers that come
//! back, sent from files, with lanes taken apart and made anew; against plain reads and writes.
//!
//! A lane may have received what nobody has asked for yet. So that this does not show, which it may:
//! - what is asked for is a number of bytes, and how many buffers they come in is not compared;
//! - no end is closed in silence while it has bytes that nobody has seen: whether the system says
//!   so to the peer is a matter of who holds them;
//! - an end that was reset says so to a read before it is written to: whoever asks first is told.

use super::kit::*;
use super::streams::{Link, end_elsewhere, how};
use proptest::prelude::*;
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use zokio::net::owned::ZcSender;

/// One step on one of the two ends.
#[derive(Debug, Clone)]
enum Step {
    Send(usize, u16),
    /// A part of a file.
    SendFile(usize, u16, u16),
    Recv(usize, u16),
    /// A receive that is polled some times and dropped.
    CancelRecv(usize, u8),
    /// A send that is dropped before it has begun.
    CancelSend(usize, u16),
    /// The next buffers are kept until the pool is short of them.
    Keep(usize),
    /// Read by a lane, or without.
    Switch(usize),
    End(usize),
    /// By somebody who has another descriptor of it.
    EndElsewhere(usize, u8),
    /// Has the end reset rather than end the connection when it is dropped.
    Impatient(usize),
    Drop(usize),
    /// Both in one.
    Reset(usize),
}

impl Step {
    fn end(&self) -> usize {
        match *self {
            Step::Send(e, _)
            | Step::SendFile(e, ..)
            | Step::Recv(e, _)
            | Step::CancelRecv(e, _)
            | Step::CancelSend(e, _)
            | Step::Keep(e)
            | Step::Switch(e)
            | Step::End(e)
            | Step::EndElsewhere(e, _)
            | Step::Impatient(e)
            | Step::Drop(e)
            | Step::Reset(e) => e,
        }
    }
}

/// How long a buffer is that the network reads where it is.
const LEN_MIN: u16 = ZcSender::<zokio::net::TcpStream>::LEN_MIN as u16;
/// How long the file is.
const FILE_LEN: u16 = 60_000;
/// How many bytes may be on their way when more are sent. With one more send they fit into a socket.
const HELD_MAX: usize = 64 * 1024;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let e = 0..2_usize;
    let short = 1..3_000_u16;
    let sent = prop_oneof![
        4 => short.clone(),
        1 => LEN_MIN - 1..=LEN_MIN + 1,
        1 => LEN_MIN..50_000,
    ];
    let part = (e.clone(), 0..FILE_LEN + 5_000, 0..30_000_u16);
    let step = prop_oneof![
        8 => (e.clone(), sent.clone()).prop_map(|(e, len)| Step::Send(e, len)),
        2 => part.prop_map(|(e, at, len)| Step::SendFile(e, at, len)),
        8 => (e.clone(), short).prop_map(|(e, len)| Step::Recv(e, len)),
        3 => (e.clone(), sent.clone()).prop_map(|(e, len)| Step::Recv(e, len)),
        4 => (e.clone(), 0..4_u8).prop_map(|(e, turns)| Step::CancelRecv(e, turns)),
        1 => (e.clone(), sent).prop_map(|(e, len)| Step::CancelSend(e, len)),
        2 => e.clone().prop_map(Step::Keep),
        3 => e.clone().prop_map(Step::Switch),
        1 => e.clone().prop_map(Step::End),
        1 => (e.clone(), 0..3_u8).prop_map(|(e, how)| Step::EndElsewhere(e, how)),
        1 => e.clone().prop_map(Step::Impatient),
        1 => e.clone().prop_map(Step::Drop),
        2 => e.prop_map(Step::Reset),
    ];
    prop::collection::vec(step, 1..40)
}

/// How many buffers there are for each end, how long they are, and how many are received ahead.
fn pools() -> impl Strategy<Value = (usize, usize, usize)> {
    let size = prop::sample::select(vec![64, 1_000, 4_096, 20_000]);
    (1..9_usize, size, 1..9_usize)
}

/// The file that is sent.
fn file() -> &'static Path {
    static FILE: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_dir, path) = FILE.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let bytes: Vec<u8> = (0..FILE_LEN).map(|at| (at % 251) as u8).collect();
        std::fs::write(&path, bytes).unwrap();
        (dir, path)
    });
    path
}

/// How many bytes have come in on a TCP socket, whoever has them now.
#[allow(unsafe_code)]
fn came_in(fd: RawFd) -> u64 {
    // Where `tcpi_bytes_received` is in `struct tcp_info`.
    const AT: usize = 128;
    let mut info = [0_u64; AT / 8 + 1];
    let mut len = size_of_val(&info) as libc::socklen_t;
    // SAFETY: the system writes at most `len` bytes.
    let result = unsafe {
        let info = info.as_mut_ptr().cast();
        libc::getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_INFO, info, &mut len)
    };
    assert_eq!(result, 0);
    info[AT / 8]
}

/// Whether the system knows that nobody is at the other end of a Unix stream.
#[allow(unsafe_code)]
fn is_hung_up(fd: RawFd) -> bool {
    let mut poll = libc::pollfd {
        fd,
        events: 0,
        revents: 0,
    };
    // SAFETY: one valid element.
    let count = unsafe { libc::poll(&mut poll, 1, 0) };
    count == 1 && poll.revents & libc::POLLHUP != 0
}

/// Whether the system's idea of `e` is what it has to become, to which that many bytes were sent.
fn has_settled(link: &Link, e: usize, fd: RawFd, sent: u64) -> bool {
    if !link.is_tcp {
        return !link.ends[1 - e].is_closed || is_hung_up(fd);
    }
    link.is_in_state(e, fd) && (link.ends[e].is_reset || came_in(fd) >= sent)
}

macro_rules! world {
    ([$param:ident: $bound:ident], $end:ty, [$($async:tt)*], [$($await:tt)*]) => {
        pub struct World<$param: $bound> {
            link: Link,
            /// A read has told that the connection is over.
            is_told: [bool; 2],
            /// How many bytes each has sent.
            sent: [u64; 2],
            ends: [Option<$end>; 2],
        }

        impl<$param: $bound> World<$param> {
            pub fn new(is_tcp: bool, ends: [$end; 2]) -> Self {
                let ends = ends.map(Some);
                Self { link: Link::new(is_tcp), is_told: [false; 2], sent: [0; 2], ends }
            }

            pub $($async)* fn run(mut self, steps: Vec<Step>) -> Vec<Seen> {
                let mut seen = Vec::new();
                for step in steps {
                    let e = step.end();
                    seen.push(match self.ends[e].take() {
                        None => Seen::Skipped,
                        Some(end) => self.step(e, end, step) $($await)*,
                    });
                    self.settle() $($await)*;
                }
                seen
            }

            /// Waits until everything that was sent has arrived.
            $($async)* fn settle(&self) {
                let begun = Instant::now();
                for e in 0..2 {
                    let Some(end) = &self.ends[e] else { continue };
                    while !has_settled(&self.link, e, end.fd(), self.sent[1 - e]) {
                        let link = &self.link;
                        assert!(begun.elapsed() < Duration::from_secs(20), "end {e} of {link:?}");
                        pause() $($await)*;
                    }
                }
            }

            /// Whether nothing is to be sent by `e` now.
            fn is_held_back(&self, e: usize) -> bool {
                let (me, peer) = (&self.link.ends[e], &self.link.ends[1 - e]);
                let is_deaf = self.link.is_tcp && peer.is_read_shut && !peer.is_closed;
                // Nothing tells that it is closed: it may be so a moment later.
                let is_closing = self.link.is_tcp && peer.is_write_shut && peer.is_closed;
                let is_told = !me.is_reset || self.is_told[e];
                !is_told || is_deaf || is_closing || peer.held > HELD_MAX
            }

            $($async)* fn step(&mut self, e: usize, mut end: $end, step: Step) -> Seen {
                let is_held_back = self.is_held_back(e);
                let link = &mut self.link;
                let seen = match step {
                    Step::Send(..) | Step::SendFile(..) | Step::CancelSend(..)
                        if is_held_back => Seen::Skipped,
                    Step::Recv(..) if link.waits(e) => Seen::Skipped,
                    // Which of the two was first is told to who asked before the second.
                    Step::Recv(..) if link.ends[e].is_read_shut && link.ends[e].is_reset => {
                        Seen::Skipped
                    }
                    Step::Send(_, len) => {
                        let sent = end.send(link.bytes(len)) $($await)*;
                        Seen::of(sent, |()| {
                            self.sent[e] += u64::from(len);
                            link.wrote(e, len.into());
                            Seen::Done
                        })
                    }
                    Step::SendFile(_, at, len) => {
                        let sent = end.send_file(at.into(), len.into()) $($await)*;
                        Seen::of(sent, |count| {
                            self.sent[e] += count;
                            link.wrote(e, count as usize);
                            Seen::Number(count)
                        })
                    }
                    Step::CancelSend(_, len) => {
                        end.cancel_send(link.bytes(len)) $($await)*;
                        Seen::Done
                    }
                    Step::Recv(_, len) => {
                        let want = link.ends[e].held.clamp(1, len.into());
                        let received = end.recv(want) $($await)*;
                        self.is_told[e] |= received.as_ref().map_or(true, |bytes| bytes.is_empty());
                        Seen::of(received, |bytes| {
                            link.read(e, bytes.len());
                            Seen::Bytes(bytes)
                        })
                    }
                    Step::CancelRecv(_, turns) => {
                        end.cancel_recv(turns.into()) $($await)*;
                        Seen::Done
                    }
                    Step::Keep(_) => {
                        end.keep();
                        Seen::Done
                    }
                    Step::Switch(_) => {
                        end.switch() $($await)*;
                        Seen::Done
                    }
                    Step::End(_) => {
                        let ended = end.end() $($await)*;
                        if ended.is_ok() {
                            link.shut(e, Shutdown::Write);
                        }
                        Seen::unit(ended)
                    }
                    Step::EndElsewhere(_, number) => {
                        let ended = end_elsewhere(&end.stream(), how(number));
                        if ended.is_ok() {
                            link.shut(e, how(number));
                        }
                        Seen::unit(ended)
                    }
                    Step::Impatient(_) => {
                        link.ends[e].is_impatient = link.is_tcp;
                        let now = Some(Duration::ZERO);
                        Seen::unit(socket2::SockRef::from(&end.stream()).set_linger(now))
                    }
                    Step::Reset(_) if !link.is_tcp => Seen::Skipped,
                    Step::Drop(_) if link.ends[e].held > 0 && !link.ends[e].is_impatient => {
                        Seen::Skipped
                    }
                    Step::Drop(_) | Step::Reset(_) => {
                        if matches!(step, Step::Reset(_)) {
                            link.ends[e].is_impatient = true;
                            let now = Some(Duration::ZERO);
                            socket2::SockRef::from(&end.stream()).set_linger(now).unwrap();
                        }
                        end.close() $($await)*;
                        link.close(e);
                        return Seen::Done;
                    }
                };
                self.ends[e] = Some(end);
                seen
            }
        }
    };
}

/// By blocking calls: what lanes do is not seen.
mod plain {
    use super::*;
    use std::io::{Read, Write};
    use std::os::fd::BorrowedFd;
    use std::os::unix::fs::FileExt;

    pub trait Stream: Read + Write + AsFd {}
    impl<S: Read + Write + AsFd> Stream for S {}

    /// An end; whether it has ended, as far as its reader knows.
    pub struct Plain<S>(pub S, pub bool);

    impl<S: Stream> Plain<S> {
        fn cancel_send(&mut self, _bytes: Vec<u8>) {}

        fn cancel_recv(&mut self, _turns: usize) {}

        fn keep(&mut self) {}

        fn switch(&mut self) {}

        fn close(self) {}

        fn fd(&self) -> RawFd {
            self.0.as_fd().as_raw_fd()
        }

        fn stream(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }

        fn send(&mut self, bytes: Vec<u8>) -> io::Result<()> {
            self.0.write_all(&bytes)
        }

        fn send_file(&mut self, at: u64, len: u64) -> io::Result<u64> {
            let mut bytes = vec![0; len as usize];
            let count = std::fs::File::open(file())?.read_at(&mut bytes, at)?;
            self.0.write_all(&bytes[..count])?;
            Ok(count as u64)
        }

        fn recv(&mut self, want: usize) -> io::Result<Vec<u8>> {
            let mut bytes = vec![0; want];
            let mut len = 0;
            while len < want && !self.1 {
                let count = self.0.read(&mut bytes[len..])?;
                self.1 = count == 0;
                len += count;
            }
            bytes.truncate(len);
            Ok(bytes)
        }

        fn end(&mut self) -> io::Result<()> {
            match end_elsewhere(&self.0, Shutdown::Write) {
                // As streams of runtimes say it: the end of what is over is no error.
                Err(error) if error.kind() == ErrorKind::NotConnected => Ok(()),
                result => result,
            }
        }
    }

    fn pause() {
        std::thread::sleep(Duration::from_micros(50));
    }

    world!([S: Stream], Plain<S>, [], []);
}

/// By the lanes.
mod ours {
    use super::*;
    use std::collections::VecDeque;
    use std::future::poll_fn;
    use std::os::fd::BorrowedFd;
    use std::pin::pin;
    use zokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
    use zokio::net::owned::{Buffer, BufferPool, Receiver, Source, StreamSocket, Target};
    use zokio::net::{TcpStream, UnixStream, owned, tcp, unix};

    /// A kind of stream and its halves.
    pub trait Kind: Send + Sync + 'static {
        type Stream: StreamSocket + Send + Sync;
        type Reader: Source<Stream = Self::Stream>
            + AsRef<Self::Stream>
            + AsyncRead
            + Unpin
            + std::fmt::Debug;
        type Writer: Target + AsyncWrite + Unpin + std::fmt::Debug;
        fn split(stream: Self::Stream) -> (Self::Reader, Self::Writer);
        fn join(reader: Self::Reader, writer: Self::Writer) -> Self::Stream;
        fn forget(writer: Self::Writer);
    }

    macro_rules! kind {
        ($name:ident, $stream:ident, $halves:ident) => {
            pub struct $name;

            impl Kind for $name {
                type Stream = $stream;
                type Reader = $halves::OwnedReadHalf;
                type Writer = $halves::OwnedWriteHalf;
                fn split(stream: $stream) -> (Self::Reader, Self::Writer) {
                    stream.into_split()
                }
                fn join(reader: Self::Reader, writer: Self::Writer) -> $stream {
                    reader.reunite(writer).expect("halves of one stream")
                }
                fn forget(writer: Self::Writer) {
                    writer.forget();
                }
            }
        };
    }

    kind!(Tcp, TcpStream, tcp);
    kind!(Unix, UnixStream, unix);

    enum Reading<R: Source> {
        ByLane(Receiver<R>),
        Plainly(R),
    }

    /// An end that sends by a lane, and receives by one or without.
    pub struct Lanes<K: Kind> {
        /// None while they are taken apart.
        reading: Option<Reading<K::Reader>>,
        sender: Option<ZcSender<K::Writer>>,
        is_plain: bool,
        pool: BufferPool,
        ahead: usize,
        /// Received, and not asked for yet; behind it, what the system said.
        rest: VecDeque<u8>,
        error: Option<io::Error>,
        is_at_end: bool,
        /// Buffers in somebody's hands, and what has to stay in them.
        kept: Vec<(Buffer, Vec<u8>)>,
        keeps: bool,
    }

    /// Receives, and gives kept buffers back while there are no others.
    async fn recv_one<R: Source>(
        receiver: &mut Receiver<R>,
        pool: &BufferPool,
        kept: &mut Vec<(Buffer, Vec<u8>)>,
    ) -> io::Result<Option<Buffer>> {
        let mut recv = pin!(receiver.recv());
        poll_fn(|cx| {
            loop {
                let polled = recv.as_mut().poll(cx);
                if polled.is_pending() && pool.lent() >= pool.count() {
                    if let Some((buffer, bytes)) = kept.pop() {
                        assert!(buffer[..] == bytes, "nobody writes to what is lent");
                        continue;
                    }
                }
                return polled;
            }
        })
        .await
    }

    impl<K: Kind> Lanes<K> {
        pub fn new(stream: K::Stream, (count, size, ahead): (usize, usize, usize)) -> Self {
            let (reader, writer) = K::split(stream);
            let pool = BufferPool::new(count, size);
            Self {
                reading: Some(Reading::ByLane(Receiver::with_limit(reader, &pool, ahead))),
                sender: Some(ZcSender::new(writer)),
                is_plain: false,
                pool,
                ahead,
                rest: VecDeque::new(),
                error: None,
                is_at_end: false,
                kept: Vec::new(),
                keeps: false,
            }
        }

        /// Takes note of what a receive brought.
        fn take(&mut self, received: io::Result<Option<Buffer>>) {
            match received {
                Ok(Some(buffer)) => {
                    assert!(!buffer.is_empty() && buffer.len() <= self.pool.size());
                    self.rest.extend(&buffer[..]);
                    if self.keeps {
                        let bytes = buffer.to_vec();
                        self.kept.push((buffer, bytes));
                    }
                }
                Ok(None) => self.is_at_end = true,
                Err(error) => self.error = Some(error),
            }
        }

        /// Reads on, if nothing has been said that is behind what there is.
        async fn more(&mut self) {
            match self.reading.as_mut().unwrap() {
                Reading::ByLane(receiver) => {
                    let received = recv_one(receiver, &self.pool, &mut self.kept).await;
                    self.take(received);
                }
                Reading::Plainly(reader) => {
                    let mut bytes = [0; 1_000];
                    match reader.read(&mut bytes).await {
                        Ok(0) => self.is_at_end = true,
                        Ok(count) => self.rest.extend(&bytes[..count]),
                        Err(error) => self.error = Some(error),
                    }
                }
            }
        }

        /// Takes the lanes off: what they hold is received.
        async fn take_apart(&mut self) -> (K::Reader, K::Writer) {
            let reader = match self.reading.take().unwrap() {
                Reading::Plainly(reader) => reader,
                Reading::ByLane(receiver) => {
                    let (reader, ahead) = receiver.into_parts().await.unwrap();
                    for buffer in ahead {
                        self.take(buffer.map(Some));
                    }
                    reader
                }
            };
            (
                reader,
                self.sender.take().unwrap().into_inner().await.unwrap(),
            )
        }

        fn put_together(&mut self, reader: K::Reader, writer: K::Writer) {
            self.reading = Some(if self.is_plain {
                Reading::Plainly(reader)
            } else {
                Reading::ByLane(Receiver::with_limit(reader, &self.pool, self.ahead))
            });
            self.sender = Some(ZcSender::new(writer));
        }

        fn fd(&self) -> RawFd {
            self.stream().as_raw_fd()
        }

        fn stream(&self) -> BorrowedFd<'_> {
            let reader = match self.reading.as_ref().unwrap() {
                Reading::ByLane(receiver) => receiver.source(),
                Reading::Plainly(reader) => reader,
            };
            reader.as_ref().as_fd()
        }

        async fn send(&mut self, bytes: Vec<u8>) -> io::Result<()> {
            let (sender, expected) = (self.sender.as_mut().unwrap(), bytes.clone());
            let (result, back) = sender.send(bytes).await;
            assert!(back == expected, "the buffer comes back as it was");
            result
        }

        async fn send_file(&mut self, at: u64, len: u64) -> io::Result<u64> {
            let (reader, writer) = self.take_apart().await;
            let mut stream = K::join(reader, writer);
            let file = zokio::fs::File::open(file()).await.unwrap();
            let sent = owned::sendfile(&mut stream, &file, at, len).await;
            let (reader, writer) = K::split(stream);
            self.put_together(reader, writer);
            sent
        }

        async fn recv(&mut self, want: usize) -> io::Result<Vec<u8>> {
            while self.rest.len() < want && self.error.is_none() && !self.is_at_end {
                self.more().await;
            }
            if self.rest.is_empty() {
                self.error.take().map_or(Ok(()), Err)?;
            }
            let count = want.min(self.rest.len());
            Ok(self.rest.drain(..count).collect())
        }

        async fn cancel_send(&mut self, bytes: Vec<u8>) {
            drop(self.sender.as_mut().unwrap().send(bytes));
        }

        async fn cancel_recv(&mut self, turns: usize) {
            if let (Some(Reading::ByLane(receiver)), None, false) =
                (&mut self.reading, &self.error, self.is_at_end)
            {
                if let Some(received) = for_turns(turns, receiver.recv()).await {
                    self.take(received);
                }
            }
        }

        fn keep(&mut self) {
            self.keeps ^= true;
        }

        async fn switch(&mut self) {
            let (reader, writer) = self.take_apart().await;
            self.is_plain ^= true;
            self.put_together(reader, writer);
        }

        async fn end(&mut self) -> io::Result<()> {
            let mut writer = self.sender.take().unwrap().into_inner().await.unwrap();
            let ended = writer.shutdown().await;
            self.sender = Some(ZcSender::new(writer));
            ended
        }

        async fn close(mut self) {
            // Dropped, it would end the connection before it is closed.
            K::forget(self.sender.take().unwrap().into_inner().await.unwrap());
        }
    }

    async fn pause() {
        zokio::task::yield_now().await;
    }

    world!([K: Kind], Lanes<K>, [async], [.await]);
}

/// Polls a future that many times.
pub async fn for_turns<F: Future>(turns: usize, future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    let mut turn = 0;
    std::future::poll_fn(|cx| {
        if turn == turns {
            return std::task::Poll::Ready(None);
        }
        turn += 1;
        cx.waker().wake_by_ref();
        future.as_mut().poll(cx).map(Some)
    })
    .await
}

/// Room for all that is under way.
const ROOM: usize = 400 * 1024;

fn with_room(socket: impl AsFd) {
    let socket = socket2::SockRef::from(&socket);
    socket.set_send_buffer_size(ROOM).unwrap();
    socket.set_recv_buffer_size(ROOM).unwrap();
}

fn tcp_pair() -> [std::net::TcpStream; 2] {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    with_room(&listener);
    let near = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    with_room(&near);
    let ends = [near, listener.accept().unwrap().0];
    for end in &ends {
        end.set_nodelay(true).unwrap();
    }
    ends
}

fn unix_pair() -> [std::os::unix::net::UnixStream; 2] {
    let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
    with_room(&near);
    with_room(&far);
    [near, far]
}

/// Operations that were begun on a runtime have ended, or do in a moment.
pub fn nothing_is_in_flight(side: &Side) {
    let begun = Instant::now();
    while side.runtime.metrics().operations().in_flight > 0 {
        assert!(begun.elapsed() < Duration::from_secs(20), "{}", side.name);
        side.run(zokio::task::yield_now());
    }
}

/// The ring was used if there is one, and only then.
pub fn check_plane(side: &Side) {
    nothing_is_in_flight(side);
    let operations = side.runtime.metrics().operations();
    println!("{}: {operations:?}", side.name);
    let has_ring = side.mode == zokio::runtime::IoMode::Uring;
    assert_eq!(operations.on_ring > 0, has_ring);
}

macro_rules! compare {
    ($what:literal, $kind:ident, $is_tcp:literal, $pair:ident, $stream:ty, $met:expr) => {{
        let sides = runtimes();
        let _storm = Storm::begin();
        let mut tally = Tally::default();
        let strategy = (steps(), pools(), pools());
        for_each($what, 500, &strategy, |(steps, near, far)| {
            let ends = $pair().map(|end| plain::Plain(end, false));
            let expected = plain::World::new($is_tcp, ends).run(steps.clone());
            tally.count(&expected);
            for side in &sides {
                let begun = steps.clone();
                let seen = side.run(async move {
                    let ends = $pair().map(|end| {
                        end.set_nonblocking(true).unwrap();
                        <$stream>::from_std(end).unwrap()
                    });
                    let [a, b] = ends;
                    let ends = [ours::Lanes::new(a, near), ours::Lanes::new(b, far)];
                    ours::World::<ours::$kind>::new($is_tcp, ends)
                        .run(begun)
                        .await
                });
                check(side, &steps, &seen, &expected);
            }
        });
        tally.has($what, &$met);
        sides.iter().for_each(check_plane);
    }};
}

#[test]
fn tcp_by_lanes() {
    let met = [
        ErrorKind::ConnectionReset,
        ErrorKind::BrokenPipe,
        ErrorKind::NotConnected,
    ];
    compare!(
        "TCP by lanes",
        Tcp,
        true,
        tcp_pair,
        zokio::net::TcpStream,
        met
    );
}

#[test]
fn unix_streams_by_lanes() {
    let met = [ErrorKind::BrokenPipe];
    compare!(
        "Unix by lanes",
        Unix,
        false,
        unix_pair,
        zokio::net::UnixStream,
        met
    );
}
