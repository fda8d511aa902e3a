//! Whole pieces of work dropped at every point where they wait: at the first, at the second, and so
//! on, until they reach their end. After each of them the books balance.

use super::files::directory;
use super::ledger::*;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use zokio::fs::{self, File};
use zokio::io::{AsyncReadExt, AsyncWriteExt};
use zokio::net::{TcpListener, TcpStream, UdpSocket};

/// A future that is given up when it has to wait once more than it may.
struct Stop<F> {
    /// None once it is over.
    future: Option<Pin<Box<F>>>,
    waits_left: usize,
}

impl<F: Future> Future for Stop<F> {
    /// None if it was given up.
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let future = self.future.as_mut().expect("polled after its end");
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if self.waits_left == 0 => {
                self.future = None;
                Poll::Ready(None)
            }
            Poll::Pending => {
                self.waits_left -= 1;
                Poll::Pending
            }
        }
    }
}

/// How many points there may be. A piece of work that does not end before is stuck.
const POINTS_MAX: usize = 5_000;

/// How often each piece of work is begun anew: which points there are depends on who is faster.
const SWEEPS: usize = 3;

/// Drops what `make` makes at its first point, at its second, and so on. `check` is given what it
/// brought, or None.
async fn at_every_point<F, C>(
    what: &str,
    registered: u64,
    mut make: impl FnMut() -> F,
    mut check: impl FnMut(Option<F::Output>) -> C,
) where
    F: Future,
    C: Future<Output = ()>,
{
    // Things that the first makes once are not to be counted.
    check(Some(make().await)).await;
    let metrics = zokio::runtime::Handle::current().metrics();
    let (mut books, rings) = (Books::open(), metrics.operations().rings);
    let mut points = Vec::new();
    for _ in 0..SWEEPS {
        let mut point = 0;
        loop {
            let work = Stop {
                future: Some(Box::pin(make())),
                waits_left: point,
            };
            let output = work.await;
            let is_done = output.is_some();
            check(output).await;
            let name = format!("{what}, point {point}");
            books.settle(&name, registered, rings).await;
            if is_done {
                break;
            }
            point += 1;
            assert!(point < POINTS_MAX, "{what} does not end");
        }
        points.push(point);
    }
    println!("{what}: {points:?} points");
    let sum: usize = points.iter().sum();
    assert!(sum >= SWEEPS, "{what}: hardly anything waited");
}

/// The content of the files.
fn contents() -> Vec<u8> {
    (0..40_000_u32).map(|n| (n % 251) as u8).collect()
}

/// A copy by hand, with everything that can be awaited of a file on the way.
async fn copy(dir: PathBuf) -> u64 {
    let mut from = File::open(dir.join("from")).await.unwrap();
    let mut to = File::create(dir.join("to")).await.unwrap();
    let mut count = 0;
    let mut buf = vec![0; 4_000];
    loop {
        let read = from.read(&mut buf).await.unwrap();
        if read == 0 {
            break;
        }
        to.write_all(&buf[..read]).await.unwrap();
        count += read as u64;
    }
    to.flush().await.unwrap();
    let permissions = from.metadata().await.unwrap().permissions();
    to.set_permissions(permissions).await.unwrap();
    to.sync_all().await.unwrap();
    drop(to);
    fs::rename(dir.join("to"), dir.join("done")).await.unwrap();
    assert_eq!(
        fs::read(dir.join("done")).await.unwrap().len() as u64,
        count
    );
    fs::remove_file(dir.join("done")).await.unwrap();
    count
}

/// The same by the tools for it.
async fn copy_by_tools(dir: PathBuf) -> u64 {
    let mut from = File::open(dir.join("from")).await.unwrap();
    let mut to = File::create(dir.join("to")).await.unwrap();
    let count = zokio::io::copy(&mut from, &mut to).await.unwrap();
    to.flush().await.unwrap();
    drop(to);
    assert_eq!(
        fs::copy(dir.join("to"), dir.join("done")).await.unwrap(),
        count
    );
    fs::remove_file(dir.join("to")).await.unwrap();
    let mut names = fs::read_dir(&dir).await.unwrap();
    let mut found = 0;
    while let Some(entry) = names.next_entry().await.unwrap() {
        assert!(entry.metadata().await.unwrap().is_file());
        found += 1;
    }
    assert_eq!(found, 2);
    fs::remove_file(dir.join("done")).await.unwrap();
    count
}

/// Checks that the bytes copied so far are the beginning of the whole.
fn check_files(dir: &Path, whole: &[u8]) {
    for name in ["to", "done"] {
        if let Ok(bytes) = std::fs::read(dir.join(name)) {
            assert!(whole.starts_with(&bytes), "{name} is something else");
        }
    }
    assert_eq!(std::fs::read(dir.join("from")).unwrap(), whole);
}

/// Keeps the threads for what blocks busy until dropped, so that whoever needs one has to wait:
/// there is always a queue before them, and whoever leaves it goes to its end.
struct Busy(Arc<AtomicBool>);

impl Busy {
    /// To be called inside of a runtime.
    fn begin() -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        for _ in 0..8 {
            let is_over = is_over.clone();
            zokio::task::spawn_blocking(move || nap(is_over));
        }
        Self(is_over)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn nap(is_over: Arc<AtomicBool>) {
    std::thread::sleep(Duration::from_micros(50));
    if !is_over.load(Ordering::SeqCst) {
        zokio::task::spawn_blocking(move || nap(is_over));
    }
}

#[test]
fn a_file_copy() {
    on_each(configs(), "copy", |_| async {
        let busy = Busy::begin();
        let dir = directory();
        let whole = contents();
        let round = AtomicUsize::new(0);
        let at = |round: usize| dir.path().join(round.to_string());
        // A directory for each: what was dropped once it had begun is carried out all the same, on a
        // thread that may be late.
        let next = || {
            let path = at(round.fetch_add(1, Ordering::SeqCst) + 1);
            std::fs::create_dir(&path).unwrap();
            std::fs::write(path.join("from"), &whole).unwrap();
            path
        };
        let check = |count: Option<u64>| {
            if let Some(count) = count {
                assert_eq!(count, whole.len() as u64);
            }
            let (path, whole) = (at(round.load(Ordering::SeqCst)), &whole);
            async move { check_files(&path, whole) }
        };
        at_every_point("copy by hand", 0, || copy(next()), check).await;
        at_every_point("copy by tools", 0, || copy_by_tools(next()), check).await;
        drop(busy);
    });
}

/// How many messages a session has.
const MESSAGES: usize = 6;

/// The message `number`.
fn message(number: usize) -> Vec<u8> {
    (0..500 + number * 700)
        .map(|n| (n * 3 + number) as u8)
        .collect()
}

/// The findings of a peer on a thread of its own.
#[derive(Default)]
struct Peer {
    /// Sessions, or datagrams, that are over.
    ended: AtomicUsize,
    /// Bytes of the last session.
    seen: AtomicUsize,
}

/// Accepts for ever and sends back what comes, one session after the other.
fn echo_for_ever(listener: std::net::TcpListener, peer: Arc<Peer>) {
    let expected: Vec<u8> = (0..MESSAGES).flat_map(message).collect();
    std::thread::spawn(move || {
        let mut buf = [0; 300];
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.set_nodelay(true).unwrap();
            peer.seen.store(0, Ordering::SeqCst);
            // The end may be a reset, when bytes were on the way back.
            while let Ok(count @ 1..) = stream.read(&mut buf) {
                // The writer has to wait.
                std::thread::sleep(Duration::from_micros(100));
                let seen = peer.seen.fetch_add(count, Ordering::SeqCst);
                assert_eq!(buf[..count], expected[seen..seen + count]);
                if stream.write_all(&buf[..count]).is_err() {
                    break;
                }
            }
            drop(stream);
            peer.ended.fetch_add(1, Ordering::SeqCst);
        }
    });
}

impl Peer {
    /// Waits for the end of that many.
    async fn until_ended(&self, count: usize) {
        let ended = async {
            while self.ended.load(Ordering::SeqCst) != count {
                zokio::time::sleep(Duration::from_micros(200)).await;
            }
        };
        let ended = zokio::time::timeout(Duration::from_secs(10), ended).await;
        ended.expect("the peer sees the end of each");
    }
}

/// A session. `sent` is what the system is known to have taken, `back` what came back.
async fn session(address: SocketAddr, sent: Arc<AtomicUsize>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for number in 0..MESSAGES {
        let message = message(number);
        stream.write_all(&message).await.unwrap();
        sent.fetch_add(message.len(), Ordering::SeqCst);
        let mut back = vec![0; message.len()];
        stream.read_exact(&mut back).await.unwrap();
        assert_eq!(back, message);
    }
    stream.shutdown().await.unwrap();
    assert_eq!(stream.read(&mut [0; 9]).await.unwrap(), 0);
}

#[test]
fn an_echo_session() {
    let turn = turn();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let peer = Arc::new(Peer::default());
    echo_for_ever(listener, peer.clone());
    let total: usize = (0..MESSAGES).map(|number| message(number).len()).sum();
    on_each_in(turn, configs_for_sockets(), "echo", |_| {
        let peer = peer.clone();
        async move {
            let sent = Arc::new(AtomicUsize::new(0));
            let mut sessions = peer.ended.load(Ordering::SeqCst);
            let make = || {
                sent.store(0, Ordering::SeqCst);
                session(address, sent.clone())
            };
            let check = |ended: Option<()>| {
                sessions += 1;
                let (peer, sent, sessions) = (peer.clone(), sent.clone(), sessions);
                async move {
                    peer.until_ended(sessions).await;
                    let (seen, sent) = (&peer.seen, sent.load(Ordering::SeqCst));
                    let seen = seen.load(Ordering::SeqCst);
                    // Each message was answered before the next, so at most one was in the way of
                    // the reset.
                    assert!(sent <= seen + message(MESSAGES - 1).len() && seen <= total);
                    if ended.is_some() {
                        assert_eq!((seen, sent), (total, total));
                    }
                }
            };
            at_every_point("echo", 0, make, check).await;
        }
    });
}

/// How many connections a loop accepts.
const CLIENTS: usize = 5;

/// Accepts that many, tells each that it was, and counts them.
async fn accept(listener: Arc<TcpListener>, count: usize, accepted: Arc<AtomicUsize>) {
    for _ in 0..count {
        let (mut stream, _) = listener.accept().await.unwrap();
        accepted.fetch_add(1, Ordering::SeqCst);
        let mut name = [0; 4];
        stream.read_exact(&mut name).await.unwrap();
        stream.write_all(&name).await.unwrap();
    }
}

/// Connects, one after the other, and hears of each whether it was served. The last byte of a name
/// is sent late, so that the other side has to wait for it.
fn connect_all(address: SocketAddr) -> usize {
    let mut served = 0;
    for number in 0..CLIENTS as u32 {
        let name = number.to_le_bytes();
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        let said = stream.write_all(&name[..3]).and_then(|()| {
            std::thread::sleep(Duration::from_micros(300));
            stream.write_all(&name[3..])
        });
        let mut back = [0; 4];
        match said.and_then(|()| stream.read_exact(&mut back)) {
            Ok(()) => {
                assert_eq!(back, name);
                served += 1;
            }
            // Dropped with the future that had accepted it.
            Err(error) => assert!(
                [
                    std::io::ErrorKind::UnexpectedEof,
                    std::io::ErrorKind::ConnectionReset,
                    std::io::ErrorKind::BrokenPipe,
                ]
                .contains(&error.kind()),
                "{error}"
            ),
        }
    }
    served
}

#[test]
fn an_accept_loop() {
    on_each(configs_for_sockets(), "accept", |_| async {
        let listener = Arc::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let clients = std::sync::Mutex::new(None);
        let make = || {
            accepted.store(0, Ordering::SeqCst);
            let thread = std::thread::spawn(move || connect_all(address));
            *clients.lock().unwrap() = Some(thread);
            accept(listener.clone(), CLIENTS, accepted.clone())
        };
        let check = |ended: Option<()>| {
            let thread = clients.lock().unwrap().take().unwrap();
            let (listener, accepted) = (listener.clone(), accepted.clone());
            async move {
                // The others are there still, each once.
                let left = CLIENTS - accepted.load(Ordering::SeqCst);
                accept(listener, left, accepted).await;
                while !thread.is_finished() {
                    zokio::time::sleep(Duration::from_micros(200)).await;
                }
                let served = thread.join().unwrap();
                let lost = usize::from(ended.is_none());
                assert!(served + lost >= CLIENTS, "only {served} were served");
            }
        };
        // The listener itself stays registered.
        at_every_point("accept", 1, make, check).await;
    });
}

/// How many datagrams an exchange has.
const DATAGRAMS: usize = 8;

/// Sends back every datagram for ever, with a pause.
fn answer_for_ever(socket: std::net::UdpSocket, peer: Arc<Peer>) {
    std::thread::spawn(move || {
        let mut buf = [0; 2_000];
        loop {
            let (count, from) = socket.recv_from(&mut buf).unwrap();
            std::thread::sleep(Duration::from_micros(200));
            socket.send_to(&buf[..count], from).unwrap();
            peer.ended.fetch_add(1, Ordering::SeqCst);
        }
    });
}

/// An exchange of datagrams on `socket`, which outlives it. `counts` are those sent and received.
async fn exchange(socket: Arc<UdpSocket>, to: SocketAddr, counts: Arc<[AtomicUsize; 2]>) {
    let mut buf = [0; 2_000];
    for number in 0..DATAGRAMS {
        socket.send_to(&message(number % 2), to).await.unwrap();
        counts[0].fetch_add(1, Ordering::SeqCst);
        let (count, from) = socket.recv_from(&mut buf).await.unwrap();
        counts[1].fetch_add(1, Ordering::SeqCst);
        assert_eq!((&buf[..count], from), (&message(number % 2)[..], to));
    }
}

#[test]
fn a_udp_exchange() {
    let turn = turn();
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = socket.local_addr().unwrap();
    let peer = Arc::new(Peer::default());
    answer_for_ever(socket, peer.clone());
    on_each_in(turn, configs_for_sockets(), "UDP", |_| {
        let peer = peer.clone();
        async move {
            let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
            let counts = Arc::new([const { AtomicUsize::new(0) }; 2]);
            let mut answered = peer.ended.load(Ordering::SeqCst);
            let make = || {
                counts
                    .iter()
                    .for_each(|count| count.store(0, Ordering::SeqCst));
                exchange(socket.clone(), to, counts.clone())
            };
            let check = |ended: Option<()>| {
                let [sent, received] = [0, 1].map(|at| counts[at].load(Ordering::SeqCst));
                answered += sent;
                let (peer, socket, answered) = (peer.clone(), socket.clone(), answered);
                async move {
                    // Each one that was sent arrived, was answered, and its answer is here.
                    peer.until_ended(answered).await;
                    let mut buf = [0; 2_000];
                    for _ in received..sent {
                        socket.recv_from(&mut buf).await.unwrap();
                    }
                    let more = socket.try_recv_from(&mut buf).unwrap_err();
                    assert_eq!(more.kind(), std::io::ErrorKind::WouldBlock);
                    if ended.is_some() {
                        assert_eq!((sent, received), (DATAGRAMS, DATAGRAMS));
                    }
                }
            };
            at_every_point("UDP", 1, make, check).await;
        }
    });
}
