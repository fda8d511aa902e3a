//! Sending with full buffers: what a write said it took arrives, and nothing else.

use super::ledger::*;
use super::streams::{Boxed, Far, Near, tcp_pair, unix_pair};
use std::io::ErrorKind;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use zokio::io::AsyncWriteExt;
use zokio::net::UnixDatagram;

/// How much is offered at once: more than is free.
const OFFER: usize = 32 * 1024;

/// A future that waits for room. Returns how much of `offer` was taken.
fn waiting<'a, S: Near>(near: &'a mut S, writes: bool, offer: &'a [u8]) -> Boxed<'a, usize> {
    if writes {
        Box::pin(async move { near.write(offer).await.unwrap() })
    } else {
        Box::pin(async move {
            near.wait_writable().await.unwrap();
            0
        })
    }
}

/// Writes until there is no room. A thread or the kernel may still be moving bytes on, so what
/// counts is that a future waits.
fn fill<S: Near>(near: &mut S, bytes: &mut Sequence, probe: &Arc<Probe>) {
    loop {
        let offer = bytes.upcoming(OFFER);
        match poll(waiting(near, true, offer).as_mut(), probe) {
            Poll::Ready(count) => bytes.sent(count),
            Poll::Pending => return,
        }
    }
}

fn drain(far: &dyn Far, bytes: &mut Sequence) -> usize {
    let mut buf = [0; OFFER];
    let mut count = 0;
    loop {
        match far.take(&mut buf) {
            0 => return count,
            taken => {
                bytes.seen(&buf[..taken]);
                count += taken;
            }
        }
    }
}

async fn drop_writes<S: Near>(mut near: S, far: Arc<dyn Far>) {
    let rival = Rival::new();
    let mut dice = Dice::new();
    let mut bytes = Sequence::new();
    let mut flat = None;
    let mut waited = 0;
    for round in 0..rounds() {
        if round == rounds() / 10 {
            flat = Some(Flat::from_here());
        }
        let state = state_of(round);
        let writes = round / STATES.len() % 2 == 0;
        let probe = Probe::new();
        fill(&mut near, &mut bytes, &probe);
        let offer = bytes.upcoming(OFFER);
        let mut future = waiting(&mut near, writes, offer);
        let mut taken = 0;
        if state != State::Unpolled {
            match poll(future.as_mut(), &probe) {
                Poll::Pending => waited += 1,
                Poll::Ready(count) => {
                    bytes.sent(count);
                    continue;
                }
            }
        }
        match state {
            State::Unpolled | State::Pending => {}
            State::Moved => {
                if let Poll::Ready(count) = poll(future.as_mut(), &Probe::new()) {
                    taken = count;
                }
            }
            State::Woken => {
                while !probe.is_woken() {
                    drain(&*far, &mut bytes);
                    let _ = zokio::time::timeout(Duration::from_millis(1), probe.woken()).await;
                }
            }
            State::Partial => {
                // Some of the offer is taken, and then there is no room again.
                drop(future);
                while drain(&*far, &mut bytes) == 0 {
                    zokio::time::sleep(Duration::from_millis(1)).await;
                }
                let first = zokio::time::timeout(Duration::from_secs(20), near.write(offer));
                bytes.sent(first.await.expect("there is room").unwrap());
                fill(&mut near, &mut bytes, &probe);
                continue;
            }
            State::Racing => {
                let far = far.clone();
                let drained = rival.start(move || {
                    let mut buf = [0; OFFER];
                    let count = far.take(&mut buf);
                    buf[..count].to_vec()
                });
                dice.spin();
                if let Poll::Ready(count) = poll(future.as_mut(), &probe) {
                    taken = count;
                }
                drop(future);
                future = Box::pin(async { 0 });
                bytes.seen(&drained.recv().unwrap());
            }
        }
        drop(future);
        bytes.sent(taken);
    }
    near.shutdown().await.unwrap();
    while !bytes.is_all_seen() {
        drain(&*far, &mut bytes);
        std::thread::yield_now();
    }
    assert!(waited > rounds() / 2, "only {waited} futures waited");
    flat.unwrap().check();
}

#[test]
fn writes_to_a_full_tcp_stream() {
    on_each(configs_for_sockets(), "send tcp", |_| async {
        let (near, far) = tcp_pair();
        drop_writes(near, far).await;
    });
}

#[test]
fn writes_to_a_full_unix_stream() {
    on_each(configs_for_sockets(), "send unix", |_| async {
        let (near, far) = unix_pair();
        drop_writes(near, far).await;
    });
}

#[test]
fn datagrams_to_a_full_socket() {
    on_each(configs_for_sockets(), "send datagram", |_| async {
        let (near, far) = std::os::unix::net::UnixDatagram::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        far.set_nonblocking(true).unwrap();
        let raw = near.try_clone().unwrap();
        drop_datagrams(UnixDatagram::from_std(near).unwrap(), raw, Arc::new(far)).await;
    });
}

type StdDatagram = std::os::unix::net::UnixDatagram;

fn take_datagram(far: &StdDatagram, expected: &mut u64) -> bool {
    let mut buf = [0; 8];
    match far.recv(&mut buf) {
        Ok(count) => {
            assert_eq!(count, 8);
            assert_eq!(
                u64::from_le_bytes(buf),
                *expected,
                "each datagram once, in order"
            );
            *expected += 1;
            true
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            false
        }
    }
}

/// Sends until there is no room. A future that has to wait does not say that: it may be that it was
/// not told of the room yet.
fn fill_with_datagrams(near: &StdDatagram, sent: &mut u64) {
    while near.send(&sent.to_le_bytes()).is_ok() {
        *sent += 1;
    }
}

/// `raw` is a second descriptor of `near`.
async fn drop_datagrams(near: UnixDatagram, raw: StdDatagram, far: Arc<StdDatagram>) {
    let rival = Rival::new();
    let mut dice = Dice::new();
    let (mut sent, mut seen) = (0_u64, 0_u64);
    let send = |number: u64| {
        let near = &near;
        Box::pin(async move { near.send(&number.to_le_bytes()).await.unwrap() })
    };
    for round in 0..rounds() {
        let probe = Probe::new();
        while poll(send(sent).as_mut(), &probe).is_ready() {
            sent += 1;
        }
        fill_with_datagrams(&raw, &mut sent);
        let mut future = send(sent);
        match state_of(round) {
            State::Unpolled => drop(future),
            State::Pending | State::Moved | State::Partial => {
                assert!(poll(future.as_mut(), &probe).is_pending());
                assert!(poll(future.as_mut(), &Probe::new()).is_pending());
            }
            State::Woken => {
                assert!(poll(future.as_mut(), &probe).is_pending());
                while take_datagram(&far, &mut seen) {}
                probe.woken().await;
            }
            State::Racing => {
                assert!(poll(future.as_mut(), &probe).is_pending());
                let (far, mut expected) = (far.clone(), seen);
                let taken = rival.start(move || {
                    while take_datagram(&far, &mut expected) {}
                    expected
                });
                dice.spin();
                let polled = poll(future.as_mut(), &probe);
                drop(future);
                sent += u64::from(polled.is_ready());
                seen = taken.recv().unwrap();
            }
        }
    }
    while take_datagram(&far, &mut seen) {}
    assert_eq!(seen, sent);
}
