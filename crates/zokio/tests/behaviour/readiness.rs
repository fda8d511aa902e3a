//! `ready` tells the state of a socket, also to who never tries to read or write.

use std::time::Duration;
use zokio::io::{AsyncWriteExt, Interest, Ready};
use zokio::net::{TcpListener, TcpStream};
use zokio::task::yield_now;
use zokio::time::timeout;

/// Far more than anything here takes.
const LONG: Duration = Duration::from_secs(30);

/// Two ends of a connection: of the one that asked for it, and of the one that accepted it.
async fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (connected, accepted) = zokio::join!(TcpStream::connect(address), listener.accept());
    (connected.unwrap(), accepted.unwrap().0)
}

/// Asks for the state until `is_seen` likes it, and does nothing else.
async fn watch(stream: &TcpStream, interest: Interest, is_seen: impl Fn(Ready) -> bool) {
    let seen = async {
        while !is_seen(stream.ready(interest).await.unwrap()) {
            yield_now().await;
        }
    };
    timeout(LONG, seen).await.expect("it is never told");
}

#[zokio::test]
async fn ready_tells_of_data_although_there_is_room_to_write_all_the_time() {
    let (connected, mut accepted) = connection().await;
    accepted.write_all(b"x").await.unwrap();
    watch(
        &connected,
        Interest::READABLE | Interest::WRITABLE,
        Ready::is_readable,
    )
    .await;
}

#[zokio::test]
async fn ready_tells_that_the_peer_has_closed_its_side_although_nobody_reads() {
    let (mut connected, accepted) = connection().await;
    connected.shutdown().await.unwrap();
    watch(&accepted, Interest::READABLE, Ready::is_read_closed).await;
}

/// Elsewhere a socket is attached when it is made, and what it is assumed to be ready for is told once.
#[cfg(unix)]
#[zokio::test]
async fn ready_tells_of_no_data_where_there_is_none() {
    let (_connected, accepted) = connection().await;
    let both = Interest::READABLE | Interest::WRITABLE;
    let ready = timeout(LONG, accepted.ready(both)).await.unwrap().unwrap();
    assert!(ready.is_writable());
    assert!(!ready.is_readable(), "{ready:?}");
}
