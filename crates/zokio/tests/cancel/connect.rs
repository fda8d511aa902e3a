//! Connecting: a connection whose future is dropped is closed, or never made.
//!
//! Connections to this very host are there at once, unless the listener's queue is full: then they
//! wait until the kernel tries again, about a second later. So futures are brought into their states
//! in batches.

use super::ledger::*;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;
use zokio::net::{TcpStream, UnixListener, UnixStream};

/// A listener with a queue that is full.
struct Busy {
    listener: std::net::TcpListener,
    address: SocketAddr,
    /// Those that fill the queue.
    queued: Vec<std::net::TcpStream>,
}

impl Busy {
    fn new() -> Self {
        let socket =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        socket.bind(&any.into()).unwrap();
        socket.listen(0).unwrap();
        let listener: std::net::TcpListener = socket.into();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let mut queued = Vec::new();
        while let Ok(stream) =
            std::net::TcpStream::connect_timeout(&address, Duration::from_millis(50))
        {
            queued.push(stream);
        }
        Self {
            listener,
            address,
            queued,
        }
    }

    /// Lets everybody in: the next time they try.
    fn make_room(&mut self) {
        // SAFETY: an open descriptor; listening again sets the length of the queue.
        #[allow(unsafe_code)]
        let result = unsafe { libc::listen(self.listener.as_raw_fd(), 4096) };
        assert_eq!(result, 0);
        self.queued.clear();
    }

    /// Takes all connections there are, and returns whose they are.
    fn take_all(&self) -> Vec<SocketAddr> {
        let mut peers = Vec::new();
        while let Ok((stream, peer)) = self.listener.accept() {
            // A reset instead of a farewell: ports do not have to rest.
            let linger = Some(Duration::ZERO);
            socket2::SockRef::from(&stream).set_linger(linger).unwrap();
            peers.push(peer);
        }
        peers
    }
}

/// How many wait at once.
const BATCH: usize = 1_000;

fn batches(total: usize) -> impl Iterator<Item = usize> {
    (0..total.div_ceil(BATCH)).map(move |batch| BATCH.min(total - batch * BATCH))
}

/// Never polled, polled once, polled by two wakers.
async fn drop_early() {
    let busy = Busy::new();
    let mut flat = None;
    let count = rounds() * 3 / 5;
    for round in 0..count {
        if round == count / 10 {
            flat = Some(Flat::from_here());
        }
        let mut future = Box::pin(TcpStream::connect(busy.address));
        for _ in 0..round % 3 {
            assert!(poll(future.as_mut(), &Probe::new()).is_pending());
        }
    }
    flat.unwrap().check();
}

/// Woken and not polled again.
async fn drop_woken() {
    for count in batches(rounds() / 5) {
        let mut busy = Busy::new();
        let mut waiting: Vec<_> = (0..count)
            .map(|_| (Box::pin(TcpStream::connect(busy.address)), Probe::new()))
            .collect();
        for (future, probe) in &mut waiting {
            assert!(poll(future.as_mut(), probe).is_pending());
        }
        busy.make_room();
        for (_, probe) in &waiting {
            probe.woken().await;
        }
        busy.take_all();
        drop(waiting);
    }
}

/// Aborted while connections come to be. Who has got one keeps it until it is counted.
async fn drop_racing() {
    for count in batches(rounds() / 5) {
        let mut busy = Busy::new();
        let address = busy.address;
        let tasks: Vec<_> = (0..count)
            .map(|_| zokio::spawn(TcpStream::connect(address)))
            .collect();
        // Until all of them wait.
        zokio::time::sleep(Duration::from_millis(100)).await;
        busy.make_room();
        let handles: Vec<_> = tasks.iter().map(|task| task.abort_handle()).collect();
        let aborter = std::thread::spawn(move || {
            let mut dice = Dice::new();
            // The kernel tries again one second after the first time, each for itself.
            std::thread::sleep(Duration::from_millis(880));
            let pause = Duration::from_millis(300) / handles.len() as u32;
            for handle in handles {
                std::thread::sleep(pause);
                dice.spin();
                handle.abort();
            }
        });
        let mut connected = Vec::new();
        for task in tasks {
            match task.await {
                Ok(stream) => connected.push(stream.unwrap()),
                Err(error) => assert!(error.is_cancelled()),
            }
        }
        aborter.join().unwrap();
        let peers = busy.take_all();
        println!("{} of {count} connections were made", connected.len());
        for stream in &connected {
            let name = stream.local_addr().unwrap();
            assert!(peers.contains(&name), "a connection that nobody accepted");
        }
    }
}

#[test]
fn tcp_connections_under_way() {
    on_each(configs_for_sockets(), "connect tcp", |_| async {
        drop_early().await;
        drop_woken().await;
        drop_racing().await;
    });
}

/// Connections to this host, aborted from another thread while they are made.
#[test]
fn connections_that_are_there_at_once() {
    on_each(configs_for_sockets(), "connect unix", |_| async {
        let dir = tempfile::tempdir().unwrap();
        let path = Arc::new(dir.path().join("socket"));
        let listener = UnixListener::bind(&*path).unwrap();
        let rival = Rival::new();
        let mut dice = Dice::new();
        let mut connected = 0;
        let mut flat = None;
        for round in 0..rounds() {
            if round == rounds() / 10 {
                flat = Some(Flat::from_here());
            }
            let to = path.clone();
            let task = zokio::spawn(async move { UnixStream::connect(&*to).await });
            let (handle, pause) = (task.abort_handle(), dice.pause());
            let aborted = rival.start(move || {
                pause.pass();
                handle.abort();
            });
            if round % 2 == 0 {
                dice.spin();
            }
            match task.await {
                Ok(stream) => {
                    drop(stream.unwrap());
                    connected += 1;
                }
                Err(error) => assert!(error.is_cancelled()),
            }
            aborted.recv().unwrap();
            // Of those whose task was aborted some are in the queue too: there is nobody behind them.
            while poll(Box::pin(listener.accept()).as_mut(), &Probe::new()).is_ready() {}
        }
        println!("{connected} connections were made");
        flat.unwrap().check();
    });
}
