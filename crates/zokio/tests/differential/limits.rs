//! Limits of a process, connections that do not come about, and faults that were found once.

use super::kit::*;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A name that was free a moment ago, and nobody else takes.
fn free_port() -> (socket2::Socket, std::net::SocketAddr) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
    // Bound and not listened on: connections are refused.
    socket.bind(&any.into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

/// Takes every descriptor that is left, but for `but`.
pub fn take_descriptors(but: usize) -> Vec<std::fs::File> {
    let mut taken = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        taken.push(file);
    }
    assert!(taken.len() > but);
    taken.truncate(taken.len() - but);
    taken
}

macro_rules! scenarios {
    ([$($async:tt)*], [$($await:tt)*]) => {
        /// Every way to come by a descriptor, where there is none left.
        pub $($async)* fn without_descriptors(dir: PathBuf) -> Vec<Seen> {
            let file = dir.join("file");
            std::fs::write(&file, b"x").unwrap();
            let listener = TcpListener::bind("127.0.0.1:0") $($await)*.unwrap();
            let address = listener.local_addr().unwrap();
            let unix = UnixListener::bind(dir.join("socket")).unwrap();
            let open = File::open(&file) $($await)*.unwrap();
            let _waiting = std::net::TcpStream::connect(address).unwrap();
            let taken = take_descriptors(0);
            let mut seen = vec![
                Seen::unit(File::open(&file) $($await)*.map(drop)),
                Seen::unit(File::create(dir.join("new")) $($await)*.map(drop)),
                Seen::unit(open.try_clone() $($await)*.map(drop)),
                Seen::unit(fs::read(&file) $($await)*.map(drop)),
                Seen::unit(fs::write(dir.join("new"), b"x") $($await)*),
                Seen::unit(fs::copy(&file, dir.join("new")) $($await)*.map(drop)),
                Seen::unit(fs::read_dir(&dir) $($await)*.map(drop)),
                Seen::unit(TcpListener::bind("127.0.0.1:0") $($await)*.map(drop)),
                Seen::unit(TcpStream::connect(address) $($await)*.map(drop)),
                Seen::unit(listener.accept() $($await)*.map(drop)),
                Seen::unit(UdpSocket::bind("127.0.0.1:0") $($await)*.map(drop)),
                Seen::unit(UnixStream::pair().map(drop)),
                Seen::unit(UnixDatagram::pair().map(drop)),
                Seen::unit(UnixListener::bind(dir.join("other")).map(drop)),
                Seen::unit(UnixStream::connect(dir.join("socket")) $($await)*.map(drop)),
                // An operation that needs none goes on.
                Seen::unit(fs::metadata(&file) $($await)*.map(drop)),
                Seen::unit(fs::rename(&file, dir.join("renamed")) $($await)*),
                Seen::unit(fs::create_dir(dir.join("made")) $($await)*),
            ];
            drop(taken);
            // The connection that could not be accepted is still there.
            seen.push(Seen::unit(listener.accept() $($await)*.map(drop)));
            seen.push(Seen::unit(File::open(dir.join("renamed")) $($await)*.map(drop)));
            drop(unix);
            seen
        }

        /// Listeners and those who look for them.
        pub $($async)* fn connections(dir: PathBuf) -> Vec<Seen> {
            let (path, plain) = (dir.join("socket"), dir.join("plain"));
            std::fs::write(&plain, b"").unwrap();
            let (_kept, refused) = free_port();
            let tcp = TcpListener::bind("127.0.0.1:0") $($await)*.unwrap();
            let address = tcp.local_addr().unwrap();
            let mut seen = vec![
                Seen::unit(TcpStream::connect(refused) $($await)*.map(drop)),
                Seen::unit(TcpListener::bind(address) $($await)*.map(drop)),
                Seen::unit(TcpListener::bind("203.0.113.1:1") $($await)*.map(drop)),
                Seen::unit(UdpSocket::bind("203.0.113.1:1") $($await)*.map(drop)),
                Seen::unit(TcpStream::connect("255.255.255.255:1") $($await)*.map(drop)),
                Seen::unit(UnixStream::connect(&path) $($await)*.map(drop)),
                Seen::unit(UnixStream::connect(&plain) $($await)*.map(drop)),
                Seen::unit(UnixStream::connect(dir.join("n".repeat(200))) $($await)*.map(drop)),
            ];
            let unix = UnixListener::bind(&path).unwrap();
            seen.push(Seen::unit(UnixListener::bind(&path).map(drop)));
            seen.push(Seen::unit(UnixListener::bind(dir.join("no/where")).map(drop)));

            // Accepted in the order in which they came, one of them reset by then, one gone.
            let mut clients = Vec::new();
            for byte in 0..4_u8 {
                let mut client = TcpStream::connect(address) $($await)*.unwrap();
                client.write_all(&[byte; 9]) $($await)*.unwrap();
                if byte == 1 {
                    let now = Some(Duration::ZERO);
                    socket2::SockRef::from(&client).set_linger(now).unwrap();
                }
                if byte == 1 || byte == 2 {
                    drop(client);
                } else {
                    clients.push(client);
                }
            }
            for _ in 0..4 {
                let accepted = tcp.accept() $($await)*;
                let Ok((mut stream, _)) = accepted else {
                    seen.push(Seen::unit(accepted.map(drop)));
                    continue;
                };
                let mut buf = [0; 9];
                let read = stream.read_exact(&mut buf) $($await)*;
                seen.push(Seen::of(read.map(drop), |()| Seen::Bytes(buf.to_vec())));
                if buf[0] == 2 {
                    let count = stream.read(&mut buf) $($await)*;
                    seen.push(Seen::number(count));
                }
            }

            // Left in the queue of a listener that goes away.
            let mut left = UnixStream::connect(&path) $($await)*.unwrap();
            left.write_all(b"hello") $($await)*.unwrap();
            drop(unix);
            seen.push(Seen::number(left.read(&mut [0; 9]) $($await)*));
            seen.push(Seen::number(left.write(b"more") $($await)*));
            seen.push(Seen::unit(UnixStream::connect(&path) $($await)*.map(drop)));
            let mut left = TcpStream::connect(address) $($await)*.unwrap();
            drop(tcp);
            seen.push(Seen::number(left.read(&mut [0; 9]) $($await)*));
            seen.push(Seen::unit(TcpStream::connect(address) $($await)*.map(drop)));
            // The address is free at once.
            seen.push(Seen::unit(TcpListener::bind(address) $($await)*.map(drop)));
            seen
        }

        /// A device that is always full.
        pub $($async)* fn full() -> Vec<Seen> {
            let mut how = fs::OpenOptions::new();
            let mut file = how.write(true).open("/dev/full") $($await)*.unwrap();
            let mut seen = Vec::new();
            for len in [1, 100, 300_000] {
                let written = file.write_all(&vec![7; len]) $($await)*;
                let flushed = file.flush() $($await)*;
                seen.push(Seen::unit(written.and(flushed)));
            }
            seen.push(Seen::unit(fs::write("/dev/full", b"x") $($await)*));
            seen
        }

        /// A file that may not be longer than 8,000 bytes, written by turns.
        pub $($async)* fn short_writes(path: PathBuf, append: bool) -> Vec<Seen> {
            let mut how = fs::OpenOptions::new();
            how.create(true).read(true).write(!append).append(append);
            let mut file = how.open(&path) $($await)*.unwrap();
            let mut seen = Vec::new();
            for len in [5_000, 5_000, 1] {
                let written = file.write_all(&vec![len as u8; len]) $($await)*;
                let flushed = file.flush() $($await)*;
                seen.push(Seen::unit(written.and(flushed)));
                let position = file.seek(io::SeekFrom::Current(0)) $($await)*;
                seen.push(Seen::number(position));
            }
            seen.push(Seen::of(fs::read(&path) $($await)*, Seen::Bytes));
            seen
        }
    };
}

/// By blocking calls.
mod plain {
    use super::*;
    use std::fs::{self, File};
    use std::io::{Read, Seek, Write};
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

    scenarios!([], []);
}

/// By the runtime.
mod ours {
    use super::*;
    use zokio::fs::{self, File};
    use zokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
    use zokio::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};

    scenarios!([async], [.await]);
}

fn equal(side: &Side, seen: &[Seen], expected: &[Seen]) {
    let steps: Vec<usize> = (0..expected.len()).collect();
    check(side, &steps, seen, expected);
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn path_of(dir: &impl AsRef<Path>) -> PathBuf {
    dir.as_ref().to_owned()
}

#[test]
fn no_descriptor_is_left() {
    in_child("limits::no_descriptor_is_left", || {
        let sides = runtimes_without_monitor();
        for side in &sides {
            // Threads and rings are made when they are needed, and need descriptors.
            side.run_to_the_last_close(async {
                zokio::fs::metadata("/").await.unwrap();
                zokio::fs::read("/proc/self/status").await.unwrap();
            });
        }
        let open = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
        limit(libc::RLIMIT_NOFILE, open + 40);
        let dir = directory();
        let expected = plain::without_descriptors(path_of(&dir));
        let errors = expected
            .iter()
            .filter(|seen| matches!(seen, Seen::Error(_, number) if *number == Some(libc::EMFILE)));
        assert_eq!(errors.count(), 15, "{expected:?}");
        for side in &sides {
            for _ in 0..3 {
                let dir = directory();
                let path = path_of(&dir);
                let work = async move { ours::without_descriptors(path).await };
                let seen = side.run_to_the_last_close(work);
                equal(side, &seen, &expected);
            }
        }
    });
}

#[test]
fn connections_that_do_not_come_about() {
    let sides = runtimes();
    let _storm = Storm::begin();
    for _ in 0..10 {
        let dir = directory();
        let expected = plain::connections(path_of(&dir));
        let mut tally = Tally::default();
        tally.count(&expected);
        let met = [
            ErrorKind::AddrInUse,
            ErrorKind::AddrNotAvailable,
            ErrorKind::ConnectionRefused,
            ErrorKind::ConnectionReset,
            ErrorKind::InvalidInput,
            ErrorKind::NotFound,
        ];
        tally.has("connections", &met);
        for side in &sides {
            let dir = directory();
            let path = path_of(&dir);
            let seen = side.run(async move { ours::connections(path).await });
            equal(side, &seen, &expected);
        }
    }
}

#[test]
fn a_device_that_is_full() {
    let sides = runtimes();
    let expected = plain::full();
    assert!(matches!(
        expected[0],
        Seen::Error(ErrorKind::StorageFull, _)
    ));
    for side in &sides {
        equal(side, &side.run(ours::full()), &expected);
    }
}

/// A write that is cut short and then fails leaves the cursor behind what was written: the ring left
/// it before, so that the next write went there, and nobody was told of the error.
#[test]
fn the_cursor_is_behind_a_short_write() {
    in_child("limits::the_cursor_is_behind_a_short_write", || {
        // SAFETY: no handler.
        #[allow(unsafe_code)]
        unsafe {
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN)
        };
        limit(libc::RLIMIT_FSIZE, 8_000);
        for append in [false, true] {
            let dir = directory();
            let expected = plain::short_writes(dir.path().join("file"), append);
            assert!(matches!(
                expected[2],
                Seen::Error(ErrorKind::FileTooLarge, _)
            ));
            for side in &runtimes() {
                let dir = directory();
                let path = dir.path().join("file");
                let seen = side.run(async move { ours::short_writes(path, append).await });
                equal(side, &seen, &expected);
            }
        }
    });
}

/// A connected socket that waits for datagrams is told that nobody is there any more.
#[test]
fn whoever_waits_for_datagrams_is_refused() {
    for side in &runtimes() {
        let seen = side.run(async {
            let peer = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            let socket = zokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
            socket.connect(peer.local_addr().unwrap()).await.unwrap();
            drop(peer);
            let mut buf = [0; 9];
            let mut recv = std::pin::pin!(socket.recv(&mut buf));
            // It waits, and is known to the driver.
            let waits = zokio::time::timeout(Duration::from_millis(5), recv.as_mut()).await;
            assert!(waits.is_err());
            socket.send(b"hello").await.unwrap();
            Seen::number(recv.await)
        });
        assert_eq!(
            seen,
            Seen::Error(ErrorKind::ConnectionRefused, Some(libc::ECONNREFUSED)),
            "{}",
            side.name
        );
    }
}
