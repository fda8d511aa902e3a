//! A runtime that ends with thousands of operations under way: in tasks that it drops, and in
//! futures that outlive it.

use super::files::{Waiting, endless_read};
use super::ledger::*;
use super::streams::{tcp_pair, unix_pair};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::task::Poll;
use std::time::{Duration, Instant};
use zokio::io::{AsyncReadExt, AsyncWriteExt};
use zokio::net::{TcpListener, TcpStream, UdpSocket};
use zokio::runtime::Runtime;

/// How many operations are under way when a runtime ends.
const UNDER_WAY: usize = 1_000;

/// The things that the other side of the operations keeps open.
#[derive(Default)]
struct Kept {
    fars: Vec<std::sync::Arc<dyn super::streams::Far>>,
    writers: Vec<OwnedFd>,
}

/// The future number `number`: one of each kind of operation. To be called inside of a runtime.
fn waiting(
    number: usize,
    config: Config,
    busy: SocketAddr,
    dir: &std::path::Path,
    kept: &mut Kept,
) -> Waiting {
    match number % 8 {
        0 => Box::pin(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let _ = listener.accept().await;
        }),
        1 => Box::pin(async move {
            let _ = TcpStream::connect(busy).await;
        }),
        2 => {
            let (mut near, far) = tcp_pair();
            kept.fars.push(far);
            Box::pin(async move {
                let _ = near.read(&mut [0; 16]).await;
            })
        }
        3 => {
            let (mut near, far) = unix_pair();
            kept.fars.push(far);
            Box::pin(async move { while near.write_all(&[7; 4096]).await.is_ok() {} })
        }
        4 => Box::pin(async {
            let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let _ = socket.recv(&mut [0; 16]).await;
        }),
        5 => {
            let path = dir.join(format!("file{}", number % 64));
            Box::pin(async move {
                while let Ok(mut file) = zokio::fs::File::create(&path).await {
                    let _ = file.write_all(&[7; 4096]).await;
                }
            })
        }
        6 if config.has_ring() => {
            let (read, writer) = endless_read();
            kept.writers.push(writer);
            read
        }
        _ => Box::pin(zokio::time::sleep(Duration::from_secs(3600))),
    }
}

/// A listener whose queue is full, so that connections to it wait.
fn busy() -> (socket2::Socket, Vec<std::net::TcpStream>, SocketAddr) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&any.into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let mut queued = Vec::new();
    let patience = Duration::from_millis(50);
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, patience) {
        queued.push(stream);
    }
    (socket, queued, address)
}

#[derive(Debug, Clone, Copy)]
enum End {
    /// As soon as the tasks are spawned: most were never polled.
    AtOnce,
    /// When all of them wait.
    Settled,
    /// In the middle.
    Soon,
    /// Without waiting for it.
    Background,
}

const ENDS: [End; 4] = [End::AtOnce, End::Settled, End::Soon, End::Background];

fn let_run(runtime: &Runtime, time: Duration) {
    runtime.block_on(async { zokio::time::sleep(time).await });
}

fn end_with_tasks(config: Config, end: End) {
    let what = format!("shutdown {config:?} {end:?}");
    let books = Books::open();
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let (socket, queued, address) = busy();
    let mut kept = Kept::default();
    let runtime = config.build();
    let metrics = runtime.metrics();
    let tasks: Vec<_> = {
        let _inside = runtime.enter();
        (0..UNDER_WAY)
            .map(|number| zokio::spawn(waiting(number, config, address, dir.path(), &mut kept)))
            .collect()
    };
    match end {
        End::AtOnce => {}
        End::Settled => let_run(&runtime, Duration::from_millis(200)),
        End::Soon | End::Background => let_run(&runtime, Duration::from_millis(3)),
    }
    let in_flight = metrics.operations().in_flight;
    let begun = Instant::now();
    match end {
        End::Background => runtime.shutdown_background(),
        _ => drop(runtime),
    }
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(8), "{what}: took {took:?}");
    // In the background it ends by itself.
    while metrics.num_alive_tasks() > 0 || metrics.operations().in_flight > 0 {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{what}: never ends: {} tasks, {:?}",
            metrics.num_alive_tasks(),
            metrics.operations(),
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    let (driver, operations) = (metrics.driver(), metrics.operations());
    assert_eq!(driver.registered, driver.deregistered, "{what}");
    for task in tasks {
        assert!(task.is_finished(), "{what}");
    }
    drop((metrics, kept, socket, queued, dir));
    books.close(&what);
    println!("{what}: {took:?}, {in_flight} in flight, {driver:?} {operations:?}");
}

#[test]
fn with_thousands_of_tasks() {
    let _turn = turn();
    warm_up();
    let again = rounds().div_ceil(UNDER_WAY * ENDS.len());
    for config in configs() {
        for end in ENDS {
            for _ in 0..again {
                end_with_tasks(config, end);
            }
        }
    }
}

/// Futures that wait when their runtime ends are told so, and can be dropped afterwards.
#[test]
fn with_futures_that_outlive_it() {
    let _turn = turn();
    warm_up();
    for config in configs() {
        let what = format!("outlived {config:?}");
        let books = Books::open();
        let dir = tempfile::tempdir_in("/dev/shm").unwrap();
        let (socket, queued, address) = busy();
        let mut kept = Kept::default();
        let runtime = config.build();
        let metrics = runtime.metrics();
        let mut futures: Vec<_> = {
            let _inside = runtime.enter();
            (0..UNDER_WAY)
                .map(|number| waiting(number, config, address, dir.path(), &mut kept))
                .map(|future| (future, Probe::new()))
                .collect()
        };
        runtime.block_on(zokio::task::unconstrained(async {
            for (future, probe) in &mut futures {
                let _ = poll(future.as_mut(), probe);
            }
        }));
        drop(runtime);
        assert_eq!(metrics.operations().in_flight, 0, "{what}");
        let mut told = 0;
        for (number, (future, probe)) in futures.iter_mut().enumerate() {
            // Sockets that wait are told; every third is asked, the others are only dropped.
            let is_socket = matches!(number % 8, 0 | 2 | 3 | 4);
            if is_socket {
                assert!(probe.is_woken(), "{what}: number {number} still waits");
                if number % 3 == 0 {
                    assert!(matches!(poll(future.as_mut(), probe), Poll::Ready(())));
                    told += 1;
                }
            }
        }
        assert!(told > 100);
        futures.clear();
        let driver = metrics.driver();
        assert_eq!(driver.registered, driver.deregistered, "{what}");
        drop((metrics, kept, socket, queued, dir, futures));
        books.close(&what);
        println!("{what}: {driver:?}");
    }
}
