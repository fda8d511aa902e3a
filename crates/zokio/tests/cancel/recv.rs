//! Receiving: no byte is lost, none comes twice, and all come in order.

use super::ledger::*;
use super::streams::{Boxed, Far, Near, tcp_pair, unix_pair};
use std::io::ErrorKind;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use zokio::io::AsyncReadExt;
use zokio::net::UdpSocket;

/// The operation that waits for bytes.
#[derive(Debug, Clone, Copy)]
enum Way {
    Read,
    Readable,
    Look,
}

const WAYS: [Way; 3] = [Way::Read, Way::Readable, Way::Look];

/// A future that waits for bytes. Returns how many it took, and how many there are in `buf`.
fn waiting<'a, S: Near>(near: &'a mut S, way: Way, buf: &'a mut [u8]) -> Boxed<'a, (usize, usize)> {
    match way {
        Way::Read => Box::pin(async move {
            let count = near.read(buf).await.unwrap();
            (count, count)
        }),
        Way::Readable => Box::pin(async move {
            near.wait_readable().await.unwrap();
            (0, 0)
        }),
        Way::Look => Box::pin(async move { (0, near.look(buf).await.unwrap()) }),
    }
}

async fn drop_reads<S: Near>(mut near: S, far: Arc<dyn Far>) {
    let rival = Rival::new();
    let mut dice = Dice::new();
    let mut bytes = Sequence::new();
    let mut flat = None;
    let mut buf = [0; 64];
    for round in 0..rounds() {
        if round == rounds() / 10 {
            flat = Some(Flat::from_here());
        }
        let way = WAYS[round / STATES.len() % WAYS.len()];
        let state = state_of(round);
        let probe = Probe::new();
        let count = 1 + dice.below(buf.len());
        forget_readiness(&mut near).await;
        let mut future = waiting(&mut near, way, &mut buf);
        let mut taken = (0, 0);
        match state {
            State::Unpolled => far.put(bytes.next(count)),
            State::Pending | State::Moved => {
                assert!(poll(future.as_mut(), &probe).is_pending());
                if state == State::Moved {
                    assert!(poll(future.as_mut(), &Probe::new()).is_pending());
                }
                drop(future);
                future = Box::pin(async { (0, 0) });
                far.put(bytes.next(count));
            }
            State::Woken => {
                assert!(poll(future.as_mut(), &probe).is_pending());
                far.put(bytes.next(count));
                probe.woken().await;
            }
            State::Partial => {
                drop(future);
                far.put(bytes.next(1 + count));
                let mut one = [0];
                assert_eq!(near.read(&mut one).await.unwrap(), 1);
                bytes.seen(&one);
                future = waiting(&mut near, way, &mut buf);
            }
            State::Racing => {
                assert!(poll(future.as_mut(), &probe).is_pending());
                let (far, sent) = (far.clone(), bytes.next(count));
                let put = rival.start(move || far.put(sent));
                dice.spin();
                if dice.below(2) == 0 {
                    if let Poll::Ready(found) = poll(future.as_mut(), &probe) {
                        taken = found;
                    }
                }
                drop(future);
                future = Box::pin(async { (0, 0) });
                put.recv().unwrap();
            }
        }
        drop(future);
        bytes.check(&buf[..taken.1]);
        bytes.seen(&buf[..taken.0]);
        drain(&mut near, &mut bytes, &mut dice, way).await;
    }
    far.end();
    assert_eq!(near.read(&mut buf).await.unwrap(), 0, "and nothing else");
    flat.unwrap().check();
}

/// Waiting for readiness may end for no reason, which would be no waiting: leaves none behind. To be
/// called when nothing is there.
async fn forget_readiness<S: Near>(near: &mut S) {
    while poll(near.wait_readable().as_mut(), &Probe::new()).is_ready() {
        let nothing = near.attempt_read(&mut [0]);
        assert_eq!(nothing.unwrap_err().kind(), ErrorKind::WouldBlock);
    }
}

/// Reads all that was sent.
async fn drain<S: Near>(near: &mut S, bytes: &mut Sequence, dice: &mut Dice, way: Way) {
    while !bytes.is_all_seen() {
        let mut buf = [0; 32];
        let room = 1 + dice.below(buf.len());
        let count = match way {
            Way::Read | Way::Look => near.read(&mut buf[..room]).await.unwrap(),
            Way::Readable => {
                near.wait_readable().await.unwrap();
                match near.attempt_read(&mut buf[..room]) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                    result => result.unwrap(),
                }
            }
        };
        assert!(count > 0, "the stream is open");
        bytes.seen(&buf[..count]);
    }
}

#[test]
fn no_byte_of_a_tcp_stream_is_lost() {
    on_each(configs_for_sockets(), "recv tcp", |_| async {
        let (near, far) = tcp_pair();
        drop_reads(near, far).await;
    });
}

#[test]
fn no_byte_of_a_unix_stream_is_lost() {
    on_each(configs_for_sockets(), "recv unix", |_| async {
        let (near, far) = unix_pair();
        drop_reads(near, far).await;
    });
}

/// A task that gives up waiting every now and then, while a thread keeps sending.
#[test]
fn no_byte_of_a_stream_in_full_flow_is_lost() {
    on_each(configs_for_sockets(), "recv flow", |_| async {
        let (mut near, far) = tcp_pair();
        let total = rounds() * 16;
        let sender = std::thread::spawn(move || {
            let mut bytes = Sequence::new();
            let mut dice = Dice::new();
            let mut left = total;
            while left > 0 {
                let count = left.min(1 + dice.below(40));
                far.put(bytes.next(count));
                left -= count;
                dice.spin();
            }
        });
        let mut bytes = Sequence::new();
        bytes.sent(total);
        let mut buf = [0; 24];
        let mut dropped = 0;
        while !bytes.is_all_seen() {
            let probe = Probe::new();
            let polled = poll(pin!(near.read(&mut buf)), &probe);
            match polled {
                Poll::Ready(count) => bytes.seen(&buf[..count.unwrap()]),
                Poll::Pending => {
                    dropped += 1;
                    probe.woken().await;
                }
            }
        }
        sender.join().unwrap();
        assert!(dropped > 0);
    });
}

#[test]
fn no_datagram_is_lost() {
    on_each(configs_for_sockets(), "recv udp", |_| async {
        let near = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let far = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        near.connect(far.local_addr().unwrap()).await.unwrap();
        far.connect(near.local_addr().unwrap()).unwrap();
        drop_datagrams(near, Arc::new(far)).await;
    });
}

fn datagram(near: &UdpSocket, way: Way) -> Boxed<'_, Option<usize>> {
    Box::pin(async move {
        let mut buf = [0; 16];
        let count = match way {
            Way::Read => near.recv(&mut buf).await.unwrap(),
            Way::Readable => {
                near.readable().await.unwrap();
                return None;
            }
            Way::Look => {
                let count = near.peek_from(&mut buf).await.unwrap().0;
                assert_eq!(count, 8);
                return None;
            }
        };
        Some(usize::from_le_bytes(buf[..count].try_into().unwrap()))
    })
}

async fn drop_datagrams(near: UdpSocket, far: Arc<std::net::UdpSocket>) {
    let rival = Rival::new();
    let mut dice = Dice::new();
    for round in 0..rounds() {
        let send = |number: usize| assert_eq!(far.send(&number.to_le_bytes()).unwrap(), 8);
        let state = state_of(round);
        let way = WAYS[round / STATES.len() % WAYS.len()];
        let probe = Probe::new();
        // As in `forget_readiness`.
        while poll(pin!(near.readable()), &Probe::new()).is_ready() {
            let nothing = near.try_recv(&mut [0]);
            assert_eq!(nothing.unwrap_err().kind(), ErrorKind::WouldBlock);
        }
        let mut future = datagram(&near, way);
        let mut taken = None;
        match state {
            State::Unpolled => send(round),
            State::Pending | State::Moved => {
                assert!(poll(future.as_mut(), &probe).is_pending());
                if state == State::Moved {
                    assert!(poll(future.as_mut(), &Probe::new()).is_pending());
                }
                drop(future);
                future = Box::pin(async { None });
                send(round);
            }
            State::Woken => {
                assert!(poll(future.as_mut(), &probe).is_pending());
                send(round);
                probe.woken().await;
            }
            State::Partial => {
                send(usize::MAX);
                assert_eq!(datagram(&near, Way::Read).await, Some(usize::MAX));
                send(round);
            }
            State::Racing => {
                assert!(poll(future.as_mut(), &probe).is_pending());
                let far = far.clone();
                let sent = rival.start(move || far.send(&round.to_le_bytes()).unwrap());
                dice.spin();
                if let Poll::Ready(found) = poll(future.as_mut(), &probe) {
                    taken = found;
                }
                drop(future);
                future = Box::pin(async { None });
                assert_eq!(sent.recv().unwrap(), 8);
            }
        }
        drop(future);
        let number = match taken {
            Some(number) => number,
            None => datagram(&near, Way::Read).await.unwrap(),
        };
        assert_eq!(number, round, "{state:?}");
    }
    assert_eq!(
        near.try_recv(&mut [0; 16]).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
}
