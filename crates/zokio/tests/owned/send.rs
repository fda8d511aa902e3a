//! Zero-copy send: all bytes, in order; buffers come back, or are dropped when nobody waits.

use super::ledger::*;
use super::{connection, drops, for_turns, pattern};
use std::io;
use zokio::io::AsyncReadExt;
use zokio::net::UnixStream;
use zokio::net::owned::{Target, ZcSender};

async fn check<W: Target>(
    target: W,
    mut far: impl zokio::io::AsyncRead + Unpin + Send + 'static,
) -> u64 {
    let lens = [0, 1, 1_000, 32_768, 40_000, 1_000_000, 5, 5_000_000];
    let total = lens.iter().sum();
    let listener = zokio::spawn(async move {
        let mut heard = Vec::with_capacity(total);
        far.read_to_end(&mut heard).await.unwrap();
        heard
    });
    let mut sender = ZcSender::new(target);
    let mut expected = Vec::with_capacity(total);
    for (number, len) in lens.into_iter().enumerate() {
        let mut bytes = pattern(len);
        bytes.iter_mut().for_each(|byte| *byte ^= number as u8);
        expected.extend_from_slice(&bytes);
        let address = bytes.as_ptr() as usize;
        let (result, back) = sender.send(bytes).await;
        result.unwrap();
        assert_eq!((back.len(), back.as_ptr() as usize), (len, address));
        assert!(expected.ends_with(&back), "unchanged");
    }
    let (result, text) = sender.send("and the end").await;
    result.unwrap();
    expected.extend_from_slice(text.as_bytes());
    let on_ring = sender.on_ring();
    drop(sender.into_inner().await.unwrap());
    assert!(listener.await.unwrap() == expected);
    on_ring
}

#[test]
fn all_bytes_arrive_and_buffers_come_back() {
    on_each(configs(), "send", |config| async move {
        let (near, far) = connection().await;
        let on_ring = check(near, far).await;
        assert!(
            on_ring >= 4 || !config.has_ring() || !config.is_multi,
            "{on_ring}"
        );
        assert!(on_ring == 0 || config.has_ring());
        let (near, far) = connection().await;
        let (_reader, writer) = near.into_split();
        check(writer, far).await;
        // The kernel copies what goes to one of these.
        let (near, far) = UnixStream::pair().unwrap();
        check(near, far).await;
    });
}

/// Loopback hands the bytes to the receiver, which takes a copy.
#[test]
fn what_is_copied_after_all_is_soon_written_instead() {
    const SENDS: usize = 30;
    on_each(configs(), "send copied", |config| async move {
        let (near, mut far) = connection().await;
        let listener = zokio::spawn(async move {
            let mut heard = Vec::new();
            far.read_to_end(&mut heard).await.unwrap();
            heard
        });
        let mut sender = ZcSender::new(near);
        let mut bytes = pattern(100_000);
        let expected = bytes.repeat(SENDS);
        for _ in 0..SENDS {
            let (result, back) = sender.send(bytes).await;
            result.unwrap();
            bytes = back;
        }
        let on_ring = sender.on_ring() as usize;
        assert!(on_ring < SENDS / 2, "{on_ring} requests");
        assert_eq!(on_ring > 0, config.has_ring());
        drop(sender.into_inner().await.unwrap());
        assert!(listener.await.unwrap() == expected);
    });
}

#[test]
fn the_error_comes_with_the_buffer() {
    on_each(configs(), "send error", |_| async {
        let (near, far) = connection().await;
        far.set_zero_linger().unwrap();
        drop(far);
        near.readable().await.unwrap();
        let mut sender = ZcSender::new(near);
        let mut bytes = pattern(100_000);
        let error = loop {
            let (result, back) = sender.send(bytes).await;
            bytes = back;
            if let Err(error) = result {
                break error;
            }
        };
        let kinds = [io::ErrorKind::BrokenPipe, io::ErrorKind::ConnectionReset];
        assert!(kinds.contains(&error.kind()), "{error}");
        assert!(bytes == pattern(100_000));
    });
}

const LEN: usize = 40_000;

/// Stands at the beginning of each buffer, and nowhere else.
const MARK: u8 = 255;

/// A buffer that tells its number, however little of it is heard.
fn numbered(number: usize) -> Vec<u8> {
    let mut buffer = vec![(number % 200) as u8; LEN];
    buffer[..2].copy_from_slice(&[MARK, (number / 200) as u8]);
    buffer
}

#[test]
fn dropped_sends_keep_the_order() {
    on_each(configs(), "send dropped", |_| async {
        let (near, mut far) = connection().await;
        let listener = zokio::spawn(async move {
            let mut heard = Vec::new();
            far.read_to_end(&mut heard).await.unwrap();
            heard
        });
        let mut dice = Dice::new();
        let mut sender = ZcSender::new(near);
        let mut whole = Vec::new();
        for number in 0..drops() / 4 {
            let send = sender.send(numbered(number));
            whole.push(match for_turns(dice.below(4), send).await {
                Some((result, back)) => {
                    result.unwrap();
                    assert!(back == numbered(number));
                    true
                }
                None => false,
            });
            if dice.below(3) == 0 {
                zokio::task::yield_now().await;
            }
        }
        drop(sender.into_inner().await.unwrap());
        // Of each buffer the beginning, in their order; of those that were not dropped, all.
        let heard = listener.await.unwrap();
        let mut pieces = heard.split(|byte| *byte == MARK);
        assert_eq!(pieces.next(), Some(&[][..]), "bytes of nobody");
        let mut next = 0;
        for piece in pieces {
            // A beginning that is too short to tell whose it is.
            let [high, low, ..] = *piece else { continue };
            let number = usize::from(high) * 200 + usize::from(low);
            assert!(number >= next, "{number} came behind {next}");
            assert!(piece == &numbered(number)[1..=piece.len()], "{number}");
            let lost = whole[next..number].iter().position(|is_whole| *is_whole);
            assert_eq!(lost, None, "between {next} and {number}");
            assert!(
                piece.len() == LEN - 1 || !whole[number],
                "{number}: {}",
                piece.len()
            );
            next = number + 1;
        }
        assert!(!whole[next..].contains(&true), "from {next} on");
    });
}

#[test]
fn dropped_senders_give_all_back() {
    on_each(configs(), "senders dropped", |_| async {
        let mut dice = Dice::new();
        for round in 0..drops() / 20 {
            let (near, far) = connection().await;
            far.set_zero_linger().unwrap();
            let mut sender = ZcSender::new(near);
            // More than there is room for: nobody reads.
            let send = sender.send(vec![round as u8; 8_000_000]);
            assert!(for_turns(1 + dice.below(300), send).await.is_none());
            drop(sender);
            drop(far);
        }
    });
}
