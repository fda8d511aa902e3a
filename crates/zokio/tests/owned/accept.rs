//! Multishot accept: each connection is accepted once, or closed, whatever is dropped.

use super::ledger::*;
use super::{drops, for_turns};
use std::collections::BTreeSet;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream as Client};
use zokio::net::TcpListener;
use zokio::net::owned::Incoming;

async fn incoming(ahead: usize) -> (Incoming, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (Incoming::with_limit(listener, ahead), address)
}

/// A connection that is reset when it is dropped: thousands of ports do not have to rest.
fn connect(address: SocketAddr) -> (Client, SocketAddr) {
    let client = Client::connect(address).unwrap();
    let linger = Some(std::time::Duration::ZERO);
    socket2::SockRef::from(&client).set_linger(linger).unwrap();
    let name = client.local_addr().unwrap();
    (client, name)
}

#[test]
fn a_burst_is_accepted_whole() {
    on_each(configs(), "accept burst", |config| async move {
        for ahead in [1, 4, 1_000] {
            let (mut incoming, address) = incoming(ahead).await;
            assert!(!incoming.is_on_ring());
            let (mut clients, mut names) = (Vec::new(), BTreeSet::new());
            for round in 0..3 {
                for _ in 0..60 {
                    let (client, name) = connect(address);
                    clients.push(client);
                    assert!(names.insert(name));
                }
                while !names.is_empty() {
                    let stream = incoming.accept().await.unwrap();
                    assert!(names.remove(&stream.peer_addr().unwrap()), "round {round}");
                    stream.set_zero_linger().unwrap();
                }
            }
            let waits = for_turns(3, incoming.accept()).await;
            assert!(waits.is_none(), "nobody else came");
            let is_served = config.has_ring() && config.is_multi;
            assert!(incoming.is_on_ring() || !is_served);
            let (listener, rest) = incoming.into_listener().await.unwrap();
            assert!(rest.is_empty());
            // The listener is as good as before.
            let (_client, name) = connect(address);
            assert_eq!(listener.accept().await.unwrap().1, name);
        }
    });
}

#[test]
fn dropped_accepts_lose_no_connection() {
    on_each(configs(), "accept dropped", |_| async {
        let (mut incoming, address) = incoming(8).await;
        let (mut dice, mut names) = (Dice::new(), BTreeSet::new());
        let mut clients = Vec::new();
        let mut dropped = 0;
        let rival = Rival::new();
        while dropped < drops() {
            let racing = (dice.below(4) == 0).then(|| rival.start(move || connect(address)));
            match for_turns(dice.below(3), incoming.accept()).await {
                Some(stream) => {
                    let stream = stream.unwrap();
                    // Its client may not have said its name yet.
                    if let Some(racing) = racing {
                        let (client, name) = racing.recv().unwrap();
                        clients.push(client);
                        assert!(names.insert(name));
                    }
                    assert!(names.remove(&stream.peer_addr().unwrap()));
                }
                None => {
                    dropped += 1;
                    if let Some(racing) = racing {
                        let (client, name) = racing.recv().unwrap();
                        clients.push(client);
                        assert!(names.insert(name));
                    }
                }
            }
            if clients.len() > 200 {
                while !names.is_empty() {
                    let stream = incoming.accept().await.unwrap();
                    assert!(names.remove(&stream.peer_addr().unwrap()));
                }
                clients.clear();
            }
        }
        let (listener, ahead) = incoming.into_listener().await.unwrap();
        for stream in ahead {
            assert!(names.remove(&stream.peer_addr().unwrap()));
        }
        while !names.is_empty() {
            assert!(names.remove(&listener.accept().await.unwrap().1));
        }
    });
}

#[test]
fn a_dropped_listener_closes_what_it_had_accepted() {
    on_each(configs(), "incoming dropped", |_| async {
        let mut dice = Dice::new();
        for round in 0..drops() / 20 {
            let (mut incoming, address) = incoming(1 + dice.below(4)).await;
            let _ = for_turns(dice.below(3), incoming.accept()).await;
            let mut clients: Vec<_> = (0..dice.below(6)).map(|_| connect(address).0).collect();
            if dice.below(2) == 0 && !clients.is_empty() {
                drop(incoming.accept().await.unwrap());
            }
            let _ = for_turns(dice.below(2), incoming.accept()).await;
            drop(incoming);
            // Whether it was accepted or not, no connection stays open.
            let ends = zokio::task::spawn_blocking(move || {
                clients.iter_mut().map(end_of).collect::<Vec<_>>()
            });
            for end in ends.await.unwrap() {
                match end {
                    Ok(0) => {}
                    Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
                    other => panic!("{other:?} in round {round}"),
                }
            }
        }
    });
}

/// The end that a waiting client finds.
fn end_of(client: &mut Client) -> io::Result<usize> {
    let limit = Some(std::time::Duration::from_secs(60));
    client.set_read_timeout(limit).unwrap();
    client.read(&mut [0])
}

#[test]
fn connections_ahead_come_with_the_listener() {
    on_each(configs(), "accepted ahead", |_| async {
        let (mut incoming, address) = incoming(3).await;
        assert!(for_turns(2, incoming.accept()).await.is_none());
        let clients: Vec<_> = (0..50).map(|_| connect(address)).collect();
        let mut names: BTreeSet<_> = clients.iter().map(|client| client.1).collect();
        for _ in 0..10 {
            let stream = incoming.accept().await.unwrap();
            assert!(names.remove(&stream.peer_addr().unwrap()));
        }
        let (listener, ahead) = incoming.into_listener().await.unwrap();
        for stream in ahead {
            assert!(names.remove(&stream.peer_addr().unwrap()));
        }
        while !names.is_empty() {
            assert!(names.remove(&listener.accept().await.unwrap().1));
        }
    });
}

#[test]
fn a_runtime_that_ends_takes_the_request_with_it() {
    let _turn = turn();
    warm_up();
    for config in configs() {
        let books = Books::open();
        let runtime = config.build();
        let (mut incoming, client) = runtime.block_on(async {
            let (incoming, address) = incoming(4).await;
            let task = zokio::spawn(async move {
                let mut incoming = incoming;
                assert!(for_turns(2, incoming.accept()).await.is_none());
                incoming
            });
            let incoming = task.await.unwrap();
            (incoming, connect(address))
        });
        drop(runtime);
        // Connections that came before the end may still be taken; then there is an error, and no hang.
        let waker = std::task::Waker::noop();
        let mut cx = std::task::Context::from_waker(waker);
        let mut taken = 0;
        while let std::task::Poll::Ready(Ok(stream)) = incoming.poll_accept(&mut cx) {
            drop(stream);
            taken += 1;
        }
        assert!(taken <= 1);
        drop((incoming, client));
        books.close(&format!("{config:?}"));
    }
}

#[test]
fn a_clock_that_stands_jumps_while_a_request_waits() {
    let _turn = turn();
    warm_up();
    for config in configs() {
        let mut builder = zokio::runtime::Builder::new_current_thread();
        builder.enable_all().io_mode(config.mode).start_paused(true);
        builder.build().unwrap().block_on(async {
            let (mut incoming, _) = incoming(4).await;
            let hour = std::time::Duration::from_secs(3_600);
            let waits = zokio::time::timeout(hour, incoming.accept()).await;
            assert!(waits.is_err(), "an hour that passes at once");
            assert_eq!(incoming.is_on_ring(), config.has_ring());
        });
    }
}
