//! Multishot receive: each byte once and in order, each buffer back, whatever is dropped.

use super::ledger::*;
use super::{connection, drops, for_turns, pattern};
use std::io;
use zokio::io::{AsyncReadExt, AsyncWriteExt};
use zokio::net::UnixStream;
use zokio::net::owned::{BufferPool, Receiver, Source};

/// Receives all there is, and says how.
async fn drain<R: Source>(receiver: &mut Receiver<R>, config: Config) -> Vec<u8> {
    let mut heard = Vec::new();
    while let Some(buffer) = receiver.recv().await.unwrap() {
        assert!(!buffer.is_empty());
        assert!(
            receiver.is_on_ring() || !config.has_ring() || !config.is_multi || heard.is_empty()
        );
        heard.extend_from_slice(&buffer);
    }
    assert!(
        receiver.recv().await.unwrap().is_none(),
        "the end is the end"
    );
    heard
}

#[test]
fn all_bytes_arrive_in_order() {
    on_each(configs(), "receive", |config| async move {
        for (count, size, ahead) in [(1, 1_000, 1), (4, 100, 2), (64, 4_096, 8), (64, 512, 200)] {
            let pool = BufferPool::new(count, size);
            let bytes = pattern(300_000);
            let (mut far, near) = connection().await;
            let sent = bytes.clone();
            let speaker = zokio::spawn(async move {
                far.write_all(&sent).await.unwrap();
                far.shutdown().await.unwrap();
                far
            });
            let mut receiver = Receiver::with_limit(near, &pool, ahead);
            assert!(
                drain(&mut receiver, config).await == bytes,
                "{count} of {size}"
            );
            drop(speaker.await.unwrap());
            drop(receiver);
            assert_eq!(pool.lent(), 0);
        }
    });
}

#[test]
fn many_share_a_pool_that_is_too_small() {
    on_each(configs(), "receive shared", |config| async move {
        let pool = BufferPool::new(4, 256);
        let mut tasks = Vec::new();
        for _ in 0..20 {
            let (mut far, near) = UnixStream::pair().unwrap();
            let pool = pool.clone();
            tasks.push(zokio::spawn(async move {
                far.write_all(&pattern(20_000)).await.unwrap();
            }));
            tasks.push(zokio::spawn(async move {
                let mut receiver = Receiver::new(near, &pool);
                assert!(drain(&mut receiver, config).await == pattern(20_000));
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(pool.lent(), 0);
    });
}

#[test]
fn who_keeps_the_buffers_holds_the_peer_up_and_loses_nothing() {
    on_each(configs(), "receive held up", |_| async {
        let pool = BufferPool::new(2, 10);
        let (mut far, near) = UnixStream::pair().unwrap();
        far.write_all(b"0123456789abcdefghijklmnopqrstuvwxyz")
            .await
            .unwrap();
        let mut receiver = Receiver::new(near, &pool);
        let first = receiver.recv().await.unwrap().unwrap();
        let second = receiver.recv().await.unwrap().unwrap();
        assert_eq!(
            (&first[..], &second[..]),
            (&b"0123456789"[..], &b"abcdefghij"[..])
        );
        assert_eq!(pool.lent(), 2);
        assert!(
            for_turns(20, receiver.recv()).await.is_none(),
            "there is none left"
        );
        drop(first);
        let third = receiver.recv().await.unwrap().unwrap();
        assert_eq!(&third[..], b"klmnopqrst");
        drop((second, third));
        assert_eq!(&receiver.recv().await.unwrap().unwrap()[..], b"uvwxyz");
        drop(far);
        assert!(receiver.recv().await.unwrap().is_none());
    });
}

#[test]
fn dropped_receives_lose_no_byte() {
    on_each(configs(), "receive dropped", |_| async {
        let (mut dice, mut dropped) = (Dice::new(), 0);
        let pool = BufferPool::new(8, 500);
        while dropped < drops() {
            let (mut far, near) = UnixStream::pair().unwrap();
            let speaker = zokio::spawn(async move {
                let (mut dice, bytes) = (Dice::new(), pattern(50_000));
                let mut rest = &bytes[..];
                while !rest.is_empty() {
                    let (part, behind) = rest.split_at(rest.len().min(1 + dice.below(900)));
                    far.write_all(part).await.unwrap();
                    zokio::task::yield_now().await;
                    rest = behind;
                }
            });
            let mut receiver = Receiver::with_limit(near, &pool, 1 + dice.below(5));
            let (mut heard, mut kept) = (Vec::new(), None);
            loop {
                match for_turns(dice.below(3), receiver.recv()).await {
                    Some(buffer) => match buffer.unwrap() {
                        Some(buffer) => {
                            heard.extend_from_slice(&buffer);
                            kept = (dice.below(2) == 0).then_some(buffer);
                        }
                        None => break,
                    },
                    None => dropped += 1,
                }
                if dice.below(4) == 0 {
                    zokio::task::yield_now().await;
                }
            }
            drop(kept);
            assert!(heard == pattern(50_000));
            speaker.await.unwrap();
            drop(receiver);
            assert_eq!(pool.lent(), 0);
        }
    });
}

#[test]
fn dropped_receivers_give_their_buffers_back() {
    on_each(configs(), "receivers dropped", |_| async {
        let mut dice = Dice::new();
        let pool = BufferPool::new(8, 100);
        for _ in 0..drops() / 5 {
            let (mut far, near) = UnixStream::pair().unwrap();
            let mut receiver = Receiver::with_limit(near, &pool, 1 + dice.below(3));
            let _ = for_turns(dice.below(3), receiver.recv()).await;
            far.write_all(&pattern(dice.below(1_500))).await.unwrap();
            if dice.below(2) == 0 {
                let _ = for_turns(dice.below(4), receiver.recv()).await;
            }
            drop(receiver);
        }
        // Requests end a moment later, with what they had received.
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while pool.lent() > 0 {
            assert!(std::time::Instant::now() < end, "{pool:?}");
            zokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        // And the pool is as good as new.
        let (mut far, near) = UnixStream::pair().unwrap();
        far.write_all(&pattern(3_000)).await.unwrap();
        drop(far);
        let mut heard = Vec::new();
        let mut receiver = Receiver::new(near, &pool);
        while let Some(buffer) = receiver.recv().await.unwrap() {
            heard.extend_from_slice(&buffer);
        }
        assert!(heard == pattern(3_000));
    });
}

#[test]
fn bytes_ahead_come_with_the_socket() {
    on_each(configs(), "received ahead", |_| async {
        let mut dice = Dice::new();
        let pool = BufferPool::new(8, 100);
        for _ in 0..drops() / 20 {
            let (mut far, near) = connection().await;
            let bytes = pattern(2_000);
            let (first, second) = bytes.split_at(dice.below(2_000));
            let mut receiver = Receiver::with_limit(near, &pool, 1 + dice.below(4));
            far.write_all(first).await.unwrap();
            let mut heard = Vec::new();
            for _ in 0..dice.below(5) {
                if let Some(buffer) = for_turns(dice.below(6), receiver.recv()).await {
                    heard.extend_from_slice(&buffer.unwrap().unwrap());
                }
            }
            let (mut near, ahead) = receiver.into_parts().await.unwrap();
            for buffer in ahead {
                heard.extend_from_slice(&buffer.unwrap());
            }
            far.write_all(second).await.unwrap();
            far.shutdown().await.unwrap();
            near.read_to_end(&mut heard).await.unwrap();
            assert!(heard == bytes);
            assert_eq!(pool.lent(), 0);
        }
    });
}

#[test]
fn a_reset_is_an_error_behind_the_bytes() {
    on_each(configs(), "receive reset", |_| async {
        let pool = BufferPool::new(4, 100);
        let (far, near) = connection().await;
        let mut receiver = Receiver::new(near, &pool);
        assert!(for_turns(2, receiver.recv()).await.is_none());
        far.set_zero_linger().unwrap();
        drop(far);
        let error = receiver.recv().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert!(receiver.recv().await.unwrap().is_none());
    });
}

/// A ring may have been told of it while nobody asked: the socket alone would tell of a clean end.
#[test]
fn a_reset_that_nobody_has_seen_comes_with_the_socket() {
    on_each(configs(), "reset ahead", |_| async {
        let pool = BufferPool::new(4, 100);
        let (mut far, near) = connection().await;
        let mut receiver = Receiver::new(near, &pool);
        assert!(for_turns(2, receiver.recv()).await.is_none());
        far.write_all(b"hello").await.unwrap();
        while pool.lent() == 0 && receiver.is_on_ring() {
            zokio::task::yield_now().await;
        }
        far.set_zero_linger().unwrap();
        drop(far);
        while !is_closed(receiver.source()) {
            zokio::task::yield_now().await;
        }
        let (mut near, ahead) = receiver.into_parts().await.unwrap();
        let (mut heard, mut error) = (Vec::new(), None);
        for received in ahead {
            match received {
                Ok(buffer) => heard.extend_from_slice(&buffer),
                Err(told) => error = Some(told),
            }
        }
        let error = match error {
            None => near.read_to_end(&mut heard).await.unwrap_err(),
            Some(told) => told,
        };
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(heard, b"hello");
    });
}

/// Whether the system knows that a connection is over in both directions.
fn is_closed(stream: &zokio::net::TcpStream) -> bool {
    match socket2::SockRef::from(stream).peer_addr() {
        Ok(_) => false,
        Err(error) => error.kind() == io::ErrorKind::NotConnected,
    }
}

#[test]
fn buffers_may_outlive_the_runtime() {
    let _turn = turn();
    warm_up();
    for config in configs() {
        let books = Books::open();
        let runtime = config.build();
        let (buffer, receiver, far) = runtime.block_on(async {
            let task = zokio::spawn(async {
                let pool = BufferPool::new(4, 100);
                let (mut far, near) = UnixStream::pair().unwrap();
                far.write_all(b"hello").await.unwrap();
                let mut receiver = Receiver::new(near, &pool);
                let buffer = receiver.recv().await.unwrap().unwrap();
                assert!(for_turns(2, receiver.recv()).await.is_none());
                (buffer, receiver, far)
            });
            task.await.unwrap()
        });
        drop(runtime);
        assert_eq!(&buffer[..], b"hello");
        drop((far, receiver));
        assert_eq!(&buffer[..], b"hello");
        drop(buffer);
        books.close(&format!("{config:?}"));
    }
}

#[test]
fn a_pool_says_what_it_has_and_its_buffers_are_the_callers() {
    on_each(configs(), "pool", |config| async move {
        let pool = BufferPool::new(3, 100);
        assert_eq!((pool.count(), pool.size(), pool.lent()), (4, 100, 0));
        assert!(!pool.is_on_ring() || config.has_ring());
        let (mut far, near) = UnixStream::pair().unwrap();
        let mut receiver = Receiver::new(near, &pool);
        assert!(receiver.source().peer_addr().is_ok());
        far.write_all(b"hello").await.unwrap();
        let mut buffer = receiver.recv().await.unwrap().unwrap();
        buffer[0] = b'j';
        assert_eq!(buffer.as_ref(), b"jello");
        assert_eq!((pool.lent(), pool.clone().lent()), (1, 1));
        assert_eq!(format!("{buffer:?}"), "Buffer { len: 5 }");
        assert!(format!("{pool:?}").contains("count: 4, size: 100, lent: 1"));
        assert!(format!("{receiver:?}").contains("is_at_end: false"));
        drop(far);
        assert!(receiver.recv().await.unwrap().is_none());
        assert!(format!("{receiver:?}").contains("is_at_end: true"));
    });
}
