//! Listeners, with lanes (`net::owned::Incoming`) and without: connections in the order in which they
//! came, some of them over by then; accepts that are dropped; and no descriptor left for the next.

use super::kit::*;
use super::limits::take_descriptors;
use proptest::prelude::*;
use socket2::{Domain, SockAddr, Socket, Type};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Debug, Clone)]
enum Step {
    /// Some connect, and say their number.
    Connect(u8),
    /// One of those who wait ends its connection.
    Hang(u8),
    /// One of those who wait has it reset.
    Reset(u8),
    Accept,
    /// An accept that is polled some times and dropped.
    CancelAccept(u8),
    /// Accept by a lane that takes so many ahead, or without.
    Switch(u8),
    /// Every descriptor is taken.
    Starve,
    /// And given back.
    Feed,
}

fn steps(starves: bool) -> impl Strategy<Value = Vec<Step>> {
    let starve = if starves { 2 } else { 0 };
    let step = prop_oneof![
        6 => (1..4_u8).prop_map(Step::Connect),
        2 => any::<u8>().prop_map(Step::Hang),
        2 => any::<u8>().prop_map(Step::Reset),
        8 => Just(Step::Accept),
        3 => (0..4_u8).prop_map(Step::CancelAccept),
        2 => (1..9_u8).prop_map(Step::Switch),
        starve => Just(Step::Starve),
        starve * 2 => Just(Step::Feed),
    ];
    prop::collection::vec(step, 1..40)
}

/// How many may connect: their sockets are made before there are no descriptors.
const CLIENTS: usize = 30;

/// How a connection has ended, as far as it has.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ended {
    No,
    Hung,
    Reset,
}

/// Those who connect: not compared, the same blocking calls in every world.
struct Clients {
    is_tcp: bool,
    address: SockAddr,
    /// Not yet connected.
    sockets: Vec<Socket>,
    /// By their number. None has closed.
    connected: Vec<(Option<Socket>, Ended)>,
    /// The clients that were not accepted yet.
    waiting: VecDeque<usize>,
    taken: Vec<std::fs::File>,
}

impl Clients {
    fn new(is_tcp: bool, address: SockAddr) -> Self {
        let domain = if is_tcp { Domain::IPV4 } else { Domain::UNIX };
        let socket = || Socket::new(domain, Type::STREAM, None).unwrap();
        Self {
            is_tcp,
            address,
            sockets: (0..CLIENTS).map(|_| socket()).collect(),
            connected: Vec::new(),
            waiting: VecDeque::new(),
            taken: Vec::new(),
        }
    }

    fn connect(&mut self, count: u8) {
        for _ in 0..count {
            let Some(socket) = self.sockets.pop() else {
                return;
            };
            // Goes on where a signal interrupts it.
            let limit = Duration::from_secs(20);
            socket.connect_timeout(&self.address, limit).unwrap();
            let number = self.connected.len();
            assert_eq!(socket.send(&[number as u8]).unwrap(), 1);
            self.connected.push((Some(socket), Ended::No));
            self.waiting.push_back(number);
        }
    }

    fn end(&mut self, pick: u8, how: Ended) -> Seen {
        let Some(index) = usize::from(pick).checked_rem(self.waiting.len()) else {
            return Seen::Skipped;
        };
        let (socket, ended) = &mut self.connected[self.waiting[index]];
        let Some(socket) = socket.take() else {
            return Seen::Skipped;
        };
        *ended = Ended::Hung;
        if how == Ended::Reset && self.is_tcp {
            socket.set_linger(Some(Duration::ZERO)).unwrap();
            *ended = Ended::Reset;
        }
        Seen::Done
    }

    /// A listener that has no connection ahead of the caller tells of the lack; one that has does not.
    fn starve(&mut self) -> Seen {
        if !self.waiting.is_empty() || !self.taken.is_empty() {
            return Seen::Skipped;
        }
        self.taken = take_descriptors(0);
        Seen::Done
    }

    /// How the one that is accepted next ended. None if none waits.
    fn next(&self) -> Option<Ended> {
        let first = self.waiting.front()?;
        Some(self.connected[*first].1)
    }

    fn accepted(&mut self, number: u8) {
        assert_eq!(self.waiting.pop_front(), Some(number.into()));
    }
}

macro_rules! world {
    ([$($async:tt)*], [$($await:tt)*]) => {
        pub $($async)* fn run(is_tcp: bool, path: PathBuf, steps: Vec<Step>) -> Vec<Seen> {
            let (mut listener, address) = Listener::bind(is_tcp, &path) $($await)*;
            let mut clients = Clients::new(is_tcp, address);
            let mut seen = Vec::new();
            for step in steps {
                seen.push(match step {
                    Step::Connect(count) => {
                        clients.connect(count);
                        Seen::Done
                    }
                    Step::Hang(pick) => clients.end(pick, Ended::Hung),
                    Step::Reset(pick) => clients.end(pick, Ended::Reset),
                    Step::Starve => clients.starve(),
                    Step::Feed => {
                        clients.taken.clear();
                        Seen::Done
                    }
                    Step::CancelAccept(turns) => {
                        listener.cancel_accept(turns.into()) $($await)*;
                        Seen::Done
                    }
                    Step::Switch(limit) => {
                        listener = listener.switched(limit.into()) $($await)*;
                        Seen::Done
                    }
                    Step::Accept => accept(&mut listener, &mut clients) $($await)*,
                });
            }
            seen
        }

        $($async)* fn accept(listener: &mut Listener, clients: &mut Clients) -> Seen {
            let Some(ended) = clients.next() else {
                return Seen::Skipped;
            };
            let mut stream = match listener.accept() $($await)* {
                Ok(stream) => stream,
                Err(error) => return Seen::unit(Err(error)),
            };
            let mut byte = [0];
            let first = stream.read_exact(&mut byte) $($await)*;
            assert!(first.is_ok(), "what came before its end is there: {first:?}");
            clients.accepted(byte[0]);
            let then = match ended {
                Ended::No => Seen::Done,
                _ => Seen::number(stream.read(&mut byte) $($await)*),
            };
            Seen::Text(format!("{byte:?}, {then:?}"))
        }
    };
}

fn any_port() -> std::net::SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// By blocking calls.
mod plain {
    use super::*;
    use std::io::{self, Read};
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;

    enum Listener {
        Tcp(TcpListener),
        Unix(UnixListener),
    }

    impl Listener {
        fn bind(is_tcp: bool, path: &Path) -> (Self, SockAddr) {
            if is_tcp {
                let listener = TcpListener::bind(any_port()).unwrap();
                let address = listener.local_addr().unwrap().into();
                (Self::Tcp(listener), address)
            } else {
                let listener = UnixListener::bind(path).unwrap();
                (Self::Unix(listener), SockAddr::unix(path).unwrap())
            }
        }

        fn accept(&mut self) -> io::Result<Box<dyn Read>> {
            Ok(match self {
                Self::Tcp(listener) => Box::new(listener.accept()?.0),
                Self::Unix(listener) => Box::new(listener.accept()?.0),
            })
        }

        fn cancel_accept(&mut self, _turns: usize) {}

        fn switched(self, _limit: usize) -> Self {
            self
        }
    }

    world!([], []);
}

/// By the runtime.
mod ours {
    use super::super::lanes::for_turns;
    use super::*;
    use std::io;
    use zokio::io::{AsyncRead, AsyncReadExt};
    use zokio::net::owned::Incoming;
    use zokio::net::{TcpListener, UnixListener};

    type Accepted = Box<dyn AsyncRead + Send + Unpin>;

    enum Kind {
        Lane(Incoming),
        Tcp(TcpListener),
        Unix(UnixListener),
    }

    struct Listener {
        kind: Kind,
        /// Accepted by futures that were dropped, or ahead.
        ahead: VecDeque<Accepted>,
    }

    impl Listener {
        async fn bind(is_tcp: bool, path: &Path) -> (Self, SockAddr) {
            let (kind, address) = if is_tcp {
                let listener = TcpListener::bind(any_port()).await.unwrap();
                let address = listener.local_addr().unwrap().into();
                (Kind::Lane(Incoming::with_limit(listener, 2)), address)
            } else {
                let listener = UnixListener::bind(path).unwrap();
                (Kind::Unix(listener), SockAddr::unix(path).unwrap())
            };
            let ahead = VecDeque::new();
            (Self { kind, ahead }, address)
        }

        async fn accept_more(&mut self) -> io::Result<Accepted> {
            Ok(match &mut self.kind {
                Kind::Lane(incoming) => Box::new(incoming.accept().await?),
                Kind::Tcp(listener) => Box::new(listener.accept().await?.0),
                Kind::Unix(listener) => Box::new(listener.accept().await?.0),
            })
        }

        async fn accept(&mut self) -> io::Result<Accepted> {
            match self.ahead.pop_front() {
                Some(stream) => Ok(stream),
                None => self.accept_more().await,
            }
        }

        async fn cancel_accept(&mut self, turns: usize) {
            if let Some(Ok(stream)) = for_turns(turns, self.accept_more()).await {
                self.ahead.push_back(stream);
            }
        }

        async fn switched(mut self, limit: usize) -> Self {
            self.kind = match self.kind {
                Kind::Lane(incoming) => {
                    let (listener, ahead) = incoming.into_listener().await.unwrap();
                    self.ahead
                        .extend(ahead.into_iter().map(|it| Box::new(it) as Accepted));
                    Kind::Tcp(listener)
                }
                Kind::Tcp(listener) => {
                    let listener = TcpListener::from_std(listener.into_std().unwrap());
                    Kind::Lane(Incoming::with_limit(listener.unwrap(), limit))
                }
                Kind::Unix(listener) => {
                    let listener = UnixListener::from_std(listener.into_std().unwrap());
                    Kind::Unix(listener.unwrap())
                }
            };
            self
        }
    }

    world!([async], [.await]);
}

/// Runs sequences on every runtime, and holds them against the blocking calls.
fn compare(what: &str, cases: u32, is_tcp: bool, starves: bool, sides: &[Side]) -> Tally {
    let mut tally = Tally::default();
    for_each(what, cases, &steps(starves), |steps| {
        let dir = tempfile::tempdir().unwrap();
        let expected = plain::run(is_tcp, dir.path().join("expected"), steps.clone());
        tally.count(&expected);
        for (number, side) in sides.iter().enumerate() {
            let path = dir.path().join(number.to_string());
            let work = ours::run(is_tcp, path, steps.clone());
            let seen = if starves {
                side.run_to_the_last_close(work)
            } else {
                side.run(work)
            };
            check(side, &steps, &seen, &expected);
        }
    });
    sides.iter().for_each(super::lanes::nothing_is_in_flight);
    tally
}

#[test]
fn tcp_listeners() {
    let sides = runtimes();
    let _storm = Storm::begin();
    compare("TCP listeners", 500, true, false, &sides);
    sides.iter().for_each(super::lanes::check_plane);
}

#[test]
fn unix_listeners() {
    let sides = runtimes();
    let _storm = Storm::begin();
    compare("Unix listeners", 500, false, false, &sides);
}

#[test]
fn listeners_without_descriptors() {
    in_child("accepts::listeners_without_descriptors", || {
        let sides = runtimes_without_monitor();
        for side in &sides {
            // Rings are made when they are needed, and need descriptors.
            for _ in 0..20 {
                let path = PathBuf::new();
                side.run_to_the_last_close(ours::run(true, path, vec![Step::CancelAccept(1)]));
            }
        }
        let open = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
        limit(libc::RLIMIT_NOFILE, open + 200);
        // There was none when the connection came; there is one when it is asked for.
        let found_once = [
            Step::Connect(1),
            Step::Accept,
            Step::Starve,
            Step::Connect(1),
            Step::Feed,
            Step::Accept,
        ];
        for side in &sides {
            let work = ours::run(true, PathBuf::new(), found_once.to_vec());
            let seen = side.run_to_the_last_close(work);
            let expected = Seen::Text("[1], Done".to_owned());
            assert_eq!(seen[5], expected, "{}", side.name);
        }
        for is_tcp in [true, false] {
            let tally = compare("starved listeners", 100, is_tcp, true, &sides);
            let too_many = std::io::Error::from_raw_os_error(libc::EMFILE).kind();
            tally.has("starved listeners", &[too_many]);
        }
    });
}
