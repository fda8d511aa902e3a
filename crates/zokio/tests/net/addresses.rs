//! Everything that can be turned into addresses, and what looking names up says when it fails.

use crate::kit::{now, on_both, plain_runtime};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::sync::mpsc;
use std::time::Duration;
use zokio::net::{ToSocketAddrs, lookup_host};
use zokio::runtime::Builder;

async fn all_of(host: impl ToSocketAddrs) -> Vec<SocketAddr> {
    lookup_host(host).await.unwrap().collect()
}

#[test]
fn addresses_of_every_type_are_themselves() {
    on_both(|| async {
        let (four, six) = (Ipv4Addr::new(192, 0, 2, 7), Ipv6Addr::LOCALHOST);
        let four_at: SocketAddr = "192.0.2.7:80".parse().unwrap();
        let six_at: SocketAddr = "[::1]:80".parse().unwrap();
        assert_eq!(all_of(four_at).await, [four_at]);
        assert_eq!(all_of(SocketAddrV4::new(four, 80)).await, [four_at]);
        assert_eq!(all_of((four, 80)).await, [four_at]);
        assert_eq!(all_of((IpAddr::V4(four), 80)).await, [four_at]);
        assert_eq!(all_of(SocketAddrV6::new(six, 80, 0, 0)).await, [six_at]);
        assert_eq!(all_of((six, 80)).await, [six_at]);
        assert_eq!(all_of((IpAddr::V6(six), 80)).await, [six_at]);
        // The scope of an address is kept.
        let scoped = SocketAddrV6::new(six, 80, 5, 3);
        assert_eq!(all_of(scoped).await, [SocketAddr::V6(scoped)]);
        let list = [six_at, four_at];
        assert_eq!(all_of(&list[..]).await, list);
        assert_eq!(all_of(&&list[..]).await, list);
        assert_eq!(all_of(&list[..0]).await, []);
    });
}

#[test]
fn texts_that_are_addresses_need_no_look_up() {
    // A look-up would need a runtime, and would not be done at the first poll.
    let four: SocketAddr = "192.0.2.7:80".parse().unwrap();
    let six: SocketAddr = "[2001:db8::7]:80".parse().unwrap();
    let collect = |found: Option<Vec<SocketAddr>>| found.expect("it waits for a look-up");
    assert_eq!(collect(now(all_of("192.0.2.7:80"))), [four]);
    assert_eq!(collect(now(all_of("[2001:db8::7]:80"))), [six]);
    assert_eq!(collect(now(all_of("192.0.2.7:80".to_owned()))), [four]);
    assert_eq!(collect(now(all_of(&"192.0.2.7:80".to_owned()))), [four]);
    assert_eq!(collect(now(all_of(("192.0.2.7", 80)))), [four]);
    assert_eq!(collect(now(all_of(("2001:db8::7", 80)))), [six]);
    assert_eq!(collect(now(all_of(("192.0.2.7".to_owned(), 80)))), [four]);
}

#[test]
fn names_of_every_type_are_looked_up() {
    on_both(|| async {
        for found in [
            all_of("localhost:81").await,
            all_of("localhost:81".to_owned()).await,
            all_of(("localhost", 81)).await,
            all_of(("localhost".to_owned(), 81)).await,
        ] {
            assert!(!found.is_empty());
            assert!(
                found
                    .iter()
                    .all(|at| at.ip().is_loopback() && at.port() == 81)
            );
        }
    });
}

#[test]
fn what_was_found_says_how_much_it_is() {
    on_both(|| async {
        let mut one = lookup_host("192.0.2.7:80").await.unwrap();
        assert_eq!(one.size_hint(), (1, Some(1)));
        assert!(one.next().is_some());
        assert_eq!(one.size_hint(), (0, Some(0)));
        assert!(one.next().is_none());
        let several = lookup_host("localhost:80").await.unwrap();
        let (least, most) = several.size_hint();
        let count = several.count();
        assert!(least <= count && most.is_none_or(|most| count <= most));
    });
}

async fn failure(host: impl ToSocketAddrs) -> ErrorKind {
    lookup_host(host).await.map(drop).unwrap_err().kind()
}

#[test]
fn what_is_no_host_with_a_port_is_an_error() {
    on_both(|| async {
        for malformed in ["", "localhost", "localhost:", "localhost:port", "[::1]"] {
            assert_eq!(failure(malformed).await, ErrorKind::InvalidInput);
        }
        assert_eq!(failure("localhost:65536").await, ErrorKind::InvalidInput);
        // No resolver is asked for a name with a zero byte in it.
        assert_eq!(failure("local\0host:80").await, ErrorKind::InvalidInput);
        assert_eq!(failure(("local\0host", 80)).await, ErrorKind::InvalidInput);
    });
}

#[test]
fn a_look_up_that_the_runtime_gives_up_is_an_error() {
    let runtime = Builder::new_current_thread()
        .max_blocking_threads(1)
        .reserved_blocking_threads(0)
        .enable_all()
        .build()
        .unwrap();
    let (release, held) = mpsc::channel::<()>();
    let (started, begun) = mpsc::channel();
    // The only thread for look-ups is busy.
    runtime.spawn_blocking(move || {
        started.send(()).unwrap();
        let _ = held.recv();
    });
    begun.recv().unwrap();
    let mut lookup = Box::pin(lookup_host("localhost:80"));
    {
        let _inside = runtime.enter();
        assert!(now(lookup.as_mut()).is_none());
    }
    runtime.shutdown_background();
    drop(release);
    let found = plain_runtime().block_on(async {
        let limit = Duration::from_secs(20);
        zokio::time::timeout(limit, lookup).await.unwrap()
    });
    let error = found.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Other);
    assert_eq!(error.to_string(), "task was cancelled");
}
