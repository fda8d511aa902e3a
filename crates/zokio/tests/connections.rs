//! Thousands of connections at once, as many as a process may have descriptors for: a server in this
//! process, the clients in another. Each connection sends several messages, all different, and each
//! comes back.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods)] // Processes and limits are what this is about.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use zokio::io::{AsyncReadExt, AsyncWriteExt};
use zokio::net::{TcpSocket, TcpStream};
use zokio::runtime::{Builder, IoMode, Runtime};
use zokio::sync::{Barrier, Semaphore};

/// How many connections there are.
const CONNECTIONS: usize = 9_000;
/// How many messages each sends.
const MESSAGES: usize = 4;
/// Descriptors for everything else.
const OTHERS: usize = 200;
/// How many clients knock at once.
const KNOCKING: usize = 256;

/// Set in the process of the clients: where the server is.
const SERVER: &str = "ZOKIO_CONNECTIONS_SERVER";
/// The test that is run again there.
const CLIENTS: &str = "thousands_of_connections";

/// The message of connection `number` in turn `turn`: its name, and a length and bytes of its own.
fn message(number: usize, turn: usize) -> Vec<u8> {
    let len = 16 + (number * 7 + turn * 131) % 500;
    let mut bytes = vec![0; len];
    bytes[..8].copy_from_slice(&(number as u64).to_le_bytes());
    bytes[8..12].copy_from_slice(&(len as u32).to_le_bytes());
    for (place, byte) in bytes[12..].iter_mut().enumerate() {
        *byte = (place * (turn + 3) + number) as u8;
    }
    bytes
}

/// Raises the limit on descriptors as far as it goes. Returns it.
#[allow(unsafe_code)]
fn raise_limit() -> usize {
    let mut limits = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limits` is valid for writes, and then for reads.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limits), 0);
        limits.rlim_cur = limits.rlim_max;
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limits), 0);
    }
    usize::try_from(limits.rlim_max).unwrap_or(usize::MAX)
}

fn runtime(mode: IoMode) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).io_mode(mode).enable_all();
    builder.build().unwrap()
}

/// Sends back what comes, a message at a time.
async fn serve(mut stream: TcpStream) -> usize {
    let mut count = 0;
    let mut head = [0; 12];
    while stream.read_exact(&mut head).await.is_ok() {
        let len = u32::from_le_bytes(head[8..].try_into().unwrap()) as usize;
        let mut bytes = head.to_vec();
        bytes.resize(len, 0);
        stream.read_exact(&mut bytes[12..]).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        count += 1;
    }
    count
}

/// Serves. Returns the connections and messages that the server has seen.
async fn server(mode: IoMode) -> (usize, usize) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1_024).unwrap();
    let mut clients = start_clients(listener.local_addr().unwrap(), mode);
    let mut sessions = zokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (stream, _) = listener.accept().await.unwrap();
        sessions.spawn(serve(stream));
    }
    let metrics = zokio::runtime::Handle::current().metrics();
    let mut messages = 0;
    while let Some(count) = sessions.join_next().await {
        messages += count.unwrap();
    }
    assert!(metrics.driver().registered >= CONNECTIONS as u64);
    let ended = zokio::task::spawn_blocking(move || clients.wait().unwrap());
    assert!(ended.await.unwrap().success(), "the clients say why");
    (CONNECTIONS, messages)
}

/// This program once more, as the clients of `server`.
fn start_clients(server: SocketAddr, mode: IoMode) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([CLIENTS, "--exact", "--nocapture", "--test-threads=1"])
        .env(SERVER, format!("{server} {mode:?}"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.stdout.take().unwrap();
    // The test itself tells of a panic.
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            println!("clients: {}", line.unwrap());
        }
    });
    child
}

async fn clients(server: SocketAddr) {
    let begun = Instant::now();
    let knocking = Arc::new(Semaphore::new(KNOCKING));
    // No message is sent before all connections stand, and none ends before all have been served.
    let all = Arc::new(Barrier::new(CONNECTIONS));
    let open = Arc::new(AtomicUsize::new(0));
    let mut sessions = zokio::task::JoinSet::new();
    for number in 0..CONNECTIONS {
        let (knocking, all, open) = (knocking.clone(), all.clone(), open.clone());
        sessions.spawn(async move {
            let permit = knocking.acquire().await.unwrap();
            let mut stream = TcpStream::connect(server).await.unwrap();
            drop(permit);
            open.fetch_add(1, Ordering::SeqCst);
            all.wait().await;
            assert_eq!(open.load(Ordering::SeqCst), CONNECTIONS);
            for turn in 0..MESSAGES {
                let message = message(number, turn);
                stream.write_all(&message).await.unwrap();
                let mut back = vec![0; message.len()];
                stream.read_exact(&mut back).await.unwrap();
                assert!(back == message, "connection {number}, message {turn}");
            }
            all.wait().await;
        });
    }
    while let Some(ended) = sessions.join_next().await {
        ended.unwrap();
    }
    println!("{CONNECTIONS} connections in {:?}", begun.elapsed());
    std::io::stdout().flush().unwrap();
}

#[test]
fn thousands_of_connections() {
    let limit = raise_limit();
    if limit < CONNECTIONS + OTHERS {
        println!("not run: a process may have {limit} descriptors here");
        return;
    }
    if let Ok(server) = std::env::var(SERVER) {
        let (address, mode) = server.split_once(' ').unwrap();
        let mode = if mode == "Auto" {
            IoMode::Auto
        } else {
            IoMode::Epoll
        };
        runtime(mode).block_on(clients(address.parse().unwrap()));
        return;
    }
    for mode in [IoMode::Auto, IoMode::Epoll] {
        let begun = Instant::now();
        let runtime = runtime(mode);
        let counted = runtime.block_on(async {
            let bounded = zokio::time::timeout(Duration::from_secs(100), server(mode));
            bounded.await.expect("all are served")
        });
        drop(runtime);
        assert_eq!(counted, (CONNECTIONS, CONNECTIONS * MESSAGES));
        println!("{mode:?}: {:?}", begun.elapsed());
    }
}
