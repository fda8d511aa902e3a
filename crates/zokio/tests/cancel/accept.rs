//! Accepting: each connection that was made is accepted, or waits to be, whatever was dropped.

use super::ledger::*;
use std::fmt::Debug;
use std::io;
use std::pin::Pin;
use std::task::Poll;
use zokio::net::{TcpListener, UnixListener};

/// Drops futures of `accept` on one listener. `connect` makes a connection and names it, `name` is
/// the name that an accepted connection has.
async fn drop_accepts<S, A, C, N>(
    accept: impl Fn() -> Pin<Box<dyn Future<Output = io::Result<(S, A)>> + Send>>,
    connect: impl Fn() -> (C, N) + Clone + Send + 'static,
    name: impl Fn(&S, &A, &C) -> N,
) where
    C: Send + 'static,
    N: PartialEq + Debug + Send + 'static,
{
    let rival = Rival::new();
    let mut dice = Dice::new();
    let mut flat = None;
    for round in 0..rounds() {
        if round == rounds() / 10 {
            flat = Some(Flat::from_here());
        }
        let probe = Probe::new();
        let mut future = accept();
        let mut accepted = None;
        let state = state_of(round);
        let (client, expected) = match state {
            State::Unpolled => connect(),
            State::Pending | State::Moved => {
                assert!(poll(future.as_mut(), &probe).is_pending());
                if state == State::Moved {
                    assert!(poll(future.as_mut(), &Probe::new()).is_pending());
                }
                drop(future);
                future = accept();
                connect()
            }
            State::Woken => {
                assert!(poll(future.as_mut(), &probe).is_pending());
                let client = connect();
                probe.woken().await;
                client
            }
            State::Partial => {
                // Two connections, of which one is taken.
                assert!(poll(future.as_mut(), &probe).is_pending());
                let (first, second) = (connect(), connect());
                let (stream, peer) = accept().await.unwrap();
                assert_eq!(name(&stream, &peer, &first.0), first.1);
                second
            }
            State::Racing => {
                assert!(poll(future.as_mut(), &probe).is_pending());
                let client = rival.start(connect.clone());
                dice.spin();
                if dice.below(2) == 0 {
                    if let Poll::Ready(taken) = poll(future.as_mut(), &probe) {
                        accepted = Some(taken);
                    }
                }
                drop(future);
                future = accept();
                client.recv().unwrap()
            }
        };
        drop(future);
        let (stream, peer) = match accepted {
            Some(taken) => taken.unwrap(),
            None => accept().await.unwrap(),
        };
        assert_eq!(
            name(&stream, &peer, &client),
            expected,
            "{state:?} in round {round}"
        );
    }
    assert!(
        poll(accept().as_mut(), &Probe::new()).is_pending(),
        "nobody else came"
    );
    flat.unwrap().check();
}

#[test]
fn no_tcp_connection_is_lost() {
    on_each(configs_for_sockets(), "accept tcp", |_| async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let listener = std::sync::Arc::new(listener);
        let accept = || {
            let listener = listener.clone();
            Box::pin(async move { listener.accept().await }) as Pin<Box<_>>
        };
        let connect = move || {
            let stream = std::net::TcpStream::connect(address).unwrap();
            // A reset instead of a farewell: ten thousand ports do not have to rest.
            let linger = Some(std::time::Duration::ZERO);
            socket2::SockRef::from(&stream).set_linger(linger).unwrap();
            let name = stream.local_addr().unwrap();
            (stream, name)
        };
        drop_accepts(accept, connect, |_, peer, _| *peer).await;
    });
}

#[test]
fn no_unix_connection_is_lost() {
    on_each(configs_for_sockets(), "accept unix", |_| async {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let listener = std::sync::Arc::new(UnixListener::bind(&path).unwrap());
        let accept = || {
            let listener = listener.clone();
            Box::pin(async move { listener.accept().await }) as Pin<Box<_>>
        };
        let numbers = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
        // Clients have no names: what each of them says first is one.
        let connect = move || {
            use std::io::Write;
            let mut stream = std::os::unix::net::UnixStream::connect(&path).unwrap();
            let name = numbers.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            stream.write_all(&name.to_le_bytes()).unwrap();
            (stream, name)
        };
        let name = |stream: &zokio::net::UnixStream, _: &_, _: &_| {
            let mut name = [0; 4];
            assert_eq!(stream.try_read(&mut name).unwrap(), 4);
            u32::from_le_bytes(name)
        };
        drop_accepts(accept, connect, name).await;
    });
}
