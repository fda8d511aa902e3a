//! UDP lanes: what comes and goes is the same as one by one, and dropping loses nothing.

use super::ledger::*;
use super::{drops, for_turns};
use std::collections::VecDeque;
use std::io;
use std::time::Duration;
use zokio::net::UdpSocket;
use zokio::net::owned::{RecvBatch, SendBatch, UdpLane};

async fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    // Room for all that a test has under way.
    socket2::SockRef::from(&socket)
        .set_recv_buffer_size(4 << 20)
        .unwrap();
    socket
}

async fn lane(joins: bool) -> UdpLane {
    match joins {
        true => UdpLane::new(socket().await).unwrap(),
        false => UdpLane::unjoined(socket().await),
    }
}

fn batch_for(lane: &UdpLane, messages: usize) -> RecvBatch {
    match lane.is_joining() {
        true => RecvBatch::for_lane(messages),
        false => RecvBatch::new(messages, 2_000),
    }
}

/// A datagram whose bytes tell its number and size.
fn datagram(number: usize, len: usize) -> Vec<u8> {
    let mut bytes = vec![(number % 251) as u8; len];
    let head = (number as u32).to_le_bytes();
    let head_len = len.min(4);
    bytes[..head_len].copy_from_slice(&head[..head_len]);
    bytes
}

async fn receive(lane: &UdpLane, expected: &mut VecDeque<Vec<u8>>, batch: &mut RecvBatch) {
    let receive = lane.recv_many(batch);
    let count = zokio::time::timeout(Duration::from_secs(60), receive)
        .await
        .expect("datagrams are lost")
        .unwrap();
    check(count, expected, batch);
}

fn check(count: usize, expected: &mut VecDeque<Vec<u8>>, batch: &RecvBatch) {
    assert!(count > 0);
    assert_eq!((count, batch.iter().count()), (batch.len(), batch.len()));
    for found in batch {
        let next = expected.pop_front().expect("none that nobody sent");
        assert!(found.bytes == next, "in order, each once");
        assert!(!found.is_truncated);
    }
}

/// Sends datagrams of all sizes, in runs and mixed, and receives them.
async fn exchange(from: &UdpLane, to: &UdpLane) {
    let mut dice = Dice::new();
    let peer = to.local_addr().unwrap();
    let (mut out, mut room) = (SendBatch::new(), batch_for(to, 5));
    let mut expected = VecDeque::new();
    let mut number = 0;
    for _ in 0..100 {
        let mut len = dice.below(1_400);
        for _ in 0..dice.below(40) {
            // Runs of one size, with shorter and longer ones in between, and some of no size.
            let this = match dice.below(12) {
                0 => dice.below(1_400),
                1 => 0,
                2 => {
                    len = dice.below(1_400);
                    len
                }
                _ => len,
            };
            let bytes = datagram(number, this);
            number += 1;
            out.push(&bytes, peer);
            expected.push_back(bytes);
        }
        let count = out.len();
        assert_eq!(from.send_many(&mut out).await.unwrap(), count);
        assert!(out.is_empty());
        while !expected.is_empty() {
            receive(to, &mut expected, &mut room).await;
        }
    }
}

#[test]
fn datagrams_arrive_as_they_were_sent() {
    on_each(configs_for_sockets(), "udp lanes", |_| async {
        for (joins, splits) in [(true, true), (false, true), (true, false), (false, false)] {
            exchange(&lane(splits).await, &lane(joins).await).await;
        }
    });
}

#[test]
fn connected_sockets_and_plain_ones_take_part() {
    on_each(configs_for_sockets(), "udp connected", |_| async {
        let (near, far) = (socket().await, lane(true).await);
        near.connect(far.local_addr().unwrap()).await.unwrap();
        let (near, mut out) = (UdpLane::new(near).unwrap(), SendBatch::new());
        let mut expected = VecDeque::new();
        for number in 0..200 {
            let bytes = datagram(number, 100);
            out.push_connected(&bytes);
            expected.push_back(bytes);
        }
        assert_eq!(near.send_many(&mut out).await.unwrap(), 200);
        let mut room = batch_for(&far, 3);
        let near_address = near.local_addr().unwrap();
        while !expected.is_empty() {
            receive(&far, &mut expected, &mut room).await;
            assert!(room.iter().all(|found| found.peer == near_address));
        }
        // Given back, the socket receives them one by one.
        let (near, far) = (near.into_socket(), far.into_socket());
        let mut out = SendBatch::new();
        out.push_connected(b"one");
        out.push_connected(b"two");
        let near = UdpLane::new(near).unwrap();
        assert_eq!(near.send_many(&mut out).await.unwrap(), 2);
        let mut bytes = [0; 10];
        assert_eq!(far.recv(&mut bytes).await.unwrap(), 3);
        assert_eq!(far.recv(&mut bytes).await.unwrap(), 3);
    });
}

#[test]
fn what_does_not_fit_is_cut_off_and_says_so() {
    on_each(configs_for_sockets(), "udp truncated", |_| async {
        let (near, far) = (lane(true).await, UdpLane::unjoined(socket().await));
        let mut out = SendBatch::new();
        for word in [&b"12345"[..], b"123456", b"1234567", b""] {
            out.push(word, far.local_addr().unwrap());
        }
        near.send_many(&mut out).await.unwrap();
        let mut room = RecvBatch::new(8, 5);
        let mut seen = Vec::new();
        while seen.len() < 4 {
            far.recv_many(&mut room).await.unwrap();
            seen.extend(
                room.iter()
                    .map(|found| (found.bytes.to_vec(), found.is_truncated)),
            );
        }
        let full = b"12345".to_vec();
        assert_eq!(seen[..2], [(full.clone(), false), (full.clone(), true)]);
        assert_eq!(seen[2..], [(full, true), (Vec::new(), false)]);
        let far = UdpLane::new(far.into_socket()).unwrap();
        if far.is_joining() {
            let refused = far.recv_many(&mut room).await.unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
        }
    });
}

#[test]
fn an_error_is_of_the_datagram_that_has_it() {
    on_each(configs_for_sockets(), "udp errors", |_| async {
        let (near, far) = (lane(true).await, lane(true).await);
        let peer = far.local_addr().unwrap();
        let mut out = SendBatch::new();
        let mut expected = VecDeque::new();
        for number in 0..10 {
            let bytes = datagram(number, 100);
            if number == 5 {
                // Longer than any datagram can be.
                out.push(&[0; 65_530], peer);
            }
            out.push(&bytes, peer);
            expected.push_back(bytes);
        }
        let error = near.send_many(&mut out).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(90), "message too long: {error}");
        assert_eq!(out.len(), 6);
        assert!(out.skip());
        assert_eq!(near.send_many(&mut out).await.unwrap(), 5);
        let mut room = batch_for(&far, 8);
        while !expected.is_empty() {
            receive(&far, &mut expected, &mut room).await;
        }
    });
}

#[test]
fn segments_longer_than_a_packet_are_sent_alone() {
    on_each(configs_for_sockets(), "udp fragments", |_| async {
        let (near, far) = (lane(true).await, lane(true).await);
        let mut out = SendBatch::new();
        let mut expected = VecDeque::new();
        for number in 0..4 {
            // The loopback device's packets have 65,536 bytes: two of these are not joined.
            for len in [40_000, 20_000, 20_000] {
                let bytes = datagram(number, len);
                out.push(&bytes, far.local_addr().unwrap());
                expected.push_back(bytes);
            }
        }
        assert_eq!(near.send_many(&mut out).await.unwrap(), 12);
        let mut room = RecvBatch::for_lane(4);
        while !expected.is_empty() {
            receive(&far, &mut expected, &mut room).await;
        }
    });
}

#[test]
fn dropped_receives_take_nothing() {
    on_each(configs_for_sockets(), "udp recv dropped", |_| async {
        for joins in [true, false] {
            let (near, far) = (lane(joins).await, lane(joins).await);
            let peer = far.local_addr().unwrap();
            let (mut dice, mut room) = (Dice::new(), batch_for(&far, 4));
            let mut expected = VecDeque::new();
            for round in 0..drops() {
                if dice.below(3) == 0 {
                    let mut out = SendBatch::new();
                    for _ in 0..dice.below(9) {
                        let bytes = datagram(round, dice.below(300));
                        out.push(&bytes, peer);
                        expected.push_back(bytes);
                    }
                    near.send_many(&mut out).await.unwrap();
                }
                let receive = far.recv_many(&mut room);
                if let Some(count) = for_turns(dice.below(3), receive).await {
                    check(count.unwrap(), &mut expected, &room);
                }
            }
            while !expected.is_empty() {
                receive(&far, &mut expected, &mut room).await;
            }
        }
    });
}

#[test]
fn dropped_sends_leave_the_rest_in_the_batch() {
    on_each(configs_for_sockets(), "udp send dropped", |_| async {
        let (near, far) = (socket().await, lane(true).await);
        // Next to no room, so that sending waits.
        socket2::SockRef::from(&near)
            .set_send_buffer_size(1)
            .unwrap();
        let near = UdpLane::unjoined(near);
        let peer = far.local_addr().unwrap();
        let (mut dice, mut room) = (Dice::new(), batch_for(&far, 8));
        let (mut out, mut expected) = (SendBatch::new(), VecDeque::new());
        for round in 0..drops() {
            for _ in 0..dice.below(4) {
                let bytes = datagram(round, dice.below(300));
                out.push(&bytes, peer);
                expected.push_back(bytes);
            }
            if let Some(sent) = for_turns(dice.below(2), near.send_many(&mut out)).await {
                sent.unwrap();
                assert!(out.is_empty());
            }
            let under_way = expected.len() - out.len();
            if under_way > 200 {
                while expected.len() > out.len() {
                    receive(&far, &mut expected, &mut room).await;
                }
            }
        }
        near.send_many(&mut out).await.unwrap();
        while !expected.is_empty() {
            receive(&far, &mut expected, &mut room).await;
        }
    });
}

/// Without checksums the system takes no joined datagrams: they are sent one by one, and nobody sees
/// that but by the number of calls.
#[test]
fn what_the_system_refuses_joined_is_sent_all_the_same() {
    on_each(configs_for_sockets(), "udp refused joined", |_| async {
        let near = socket().await;
        leave_out_checksums(&near);
        let (near, far) = (UdpLane::new(near).unwrap(), lane(true).await);
        let splits = near.is_splitting();
        let (mut out, mut room) = (SendBatch::new(), batch_for(&far, 5));
        let mut expected = VecDeque::new();
        for number in 0..200 {
            let bytes = datagram(number, 100);
            out.push(&bytes, far.local_addr().unwrap());
            expected.push_back(bytes);
        }
        assert_eq!(near.send_many(&mut out).await.unwrap(), 200);
        assert!(out.is_empty());
        while !expected.is_empty() {
            receive(&far, &mut expected, &mut room).await;
        }
        assert_eq!(near.is_splitting(), splits, "others may be joined again");
    });
}

#[allow(unsafe_code)]
fn leave_out_checksums(socket: &UdpSocket) {
    let fd = std::os::fd::AsRawFd::as_raw_fd(socket);
    let on: libc::c_int = 1;
    // SAFETY: the system reads that number.
    let result = unsafe {
        let len = size_of_val(&on) as libc::socklen_t;
        libc::setsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_NO_CHECK,
            (&raw const on).cast(),
            len,
        )
    };
    assert_eq!(result, 0);
}
