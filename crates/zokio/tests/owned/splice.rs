//! `splice_bidirectional`: half-close, errors, and no byte lost by dropping it.

use super::ledger::*;
use super::{connection, drops, for_turns, narrow, pattern};
use std::io;
use zokio::io::{AsyncReadExt, AsyncWriteExt};
use zokio::net::UnixStream;
use zokio::net::owned::{Splice, StreamSocket, splice_bidirectional};

/// Writes all of `bytes` in uneven parts, closes the write side, and reads all that comes.
async fn talk<S>(mut stream: S, bytes: Vec<u8>) -> Vec<u8>
where
    S: zokio::io::AsyncRead + zokio::io::AsyncWrite + Unpin,
{
    let (mut dice, mut rest) = (Dice::new(), &bytes[..]);
    let mut heard = Vec::new();
    let (mut reader, mut writer) = zokio::io::split(&mut stream);
    let speak = async {
        while !rest.is_empty() {
            let (part, behind) = rest.split_at(rest.len().min(1 + dice.below(30_000)));
            writer.write_all(part).await.unwrap();
            zokio::task::yield_now().await;
            rest = behind;
        }
        writer.shutdown().await.unwrap();
    };
    let listen = async { reader.read_to_end(&mut heard).await.unwrap() };
    zokio::join!(speak, listen);
    heard
}

async fn check_both_ways<A, B>(near: A, mut a: impl StreamSocket, mut b: impl StreamSocket, far: B)
where
    A: zokio::io::AsyncRead + zokio::io::AsyncWrite + Unpin + Send + 'static,
    B: zokio::io::AsyncRead + zokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (there, back) = (pattern(3_000_000), pattern(70_001));
    let near = zokio::spawn(talk(near, there.clone()));
    let far = zokio::spawn(talk(far, back.clone()));
    let moved = splice_bidirectional(&mut a, &mut b).await.unwrap();
    assert_eq!(moved, (there.len() as u64, back.len() as u64));
    assert!(near.await.unwrap() == back && far.await.unwrap() == there);
}

#[test]
fn bytes_go_both_ways_between_sockets_of_each_kind() {
    on_each(configs_for_sockets(), "splice", |_| async {
        let ((near, a), (b, far)) = (connection().await, connection().await);
        check_both_ways(near, a, b, far).await;
        let ((near, a), (b, far)) = (UnixStream::pair().unwrap(), connection().await);
        check_both_ways(near, a, b, far).await;
        let (near, a) = UnixStream::pair().unwrap();
        let (b, far) = UnixStream::pair().unwrap();
        check_both_ways(near, a, b, far).await;
    });
}

#[test]
fn one_side_may_end_long_before_the_other() {
    on_each(configs_for_sockets(), "splice half-close", |_| async {
        let ((mut near, mut a), (mut b, mut far)) = (connection().await, connection().await);
        let joined = zokio::spawn(async move { splice_bidirectional(&mut a, &mut b).await });
        near.write_all(b"question").await.unwrap();
        near.shutdown().await.unwrap();
        let mut question = String::new();
        far.read_to_string(&mut question).await.unwrap();
        assert_eq!(question, "question");
        assert!(!joined.is_finished(), "the other direction is open");
        far.write_all(b"answer").await.unwrap();
        let mut answer = [0; 6];
        near.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"answer");
        far.shutdown().await.unwrap();
        assert_eq!(joined.await.unwrap().unwrap(), (8, 6));
        assert_eq!(near.read(&mut answer).await.unwrap(), 0);
    });
}

#[test]
fn a_reset_is_an_error() {
    on_each(configs_for_sockets(), "splice reset", |_| async {
        let ((near, mut a), (mut b, _far)) = (connection().await, connection().await);
        near.set_zero_linger().unwrap();
        drop(near);
        let error = splice_bidirectional(&mut a, &mut b).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    });
}

/// The target takes nothing more, and the source is reset behind bytes that wait to be moved.
#[test]
fn a_reset_is_an_error_while_the_other_side_takes_nothing() {
    on_each(configs_for_sockets(), "splice stuck", |config| async move {
        let ((near, mut a), (mut b, _far)) = (connection().await, connection().await);
        narrow(&b);
        let mut splice = Splice::new(&mut a, &mut b);
        let filler = [7; 64 * 1024];
        // Nobody reads from the far end. What does not move on for some turns is stuck.
        let mut still = 0;
        while still < 3 {
            let before = splice.moved();
            let is_pushed = near.try_write(&filler).is_ok();
            assert!(for_turns(20, splice.run()).await.is_none());
            let moves = is_pushed || splice.moved() != before;
            still = if moves { 0 } else { still + 1 };
        }
        assert!(splice.in_transit().0 > 0, "on {config:?}");
        near.set_zero_linger().unwrap();
        drop(near);
        let error = splice.run().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    });
}

/// Joins two connections by runs that are dropped. Returns how many were.
async fn drop_runs<N, A, B, F>(near: N, mut a: A, mut b: B, far: F) -> usize
where
    N: zokio::io::AsyncRead + zokio::io::AsyncWrite + Unpin + Send + 'static,
    A: StreamSocket,
    B: StreamSocket,
    F: zokio::io::AsyncRead + zokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let mut dice = Dice::new();
    let (there, back) = (pattern(300_000), pattern(200_000));
    let near = zokio::spawn(talk(near, there.clone()));
    let far = zokio::spawn(talk(far, back.clone()));
    let mut splice = Splice::new(&mut a, &mut b);
    let mut dropped = 0;
    let moved = loop {
        match for_turns(1 + dice.below(3), splice.run()).await {
            Some(moved) => break moved.unwrap(),
            None => dropped += 1,
        }
        zokio::task::yield_now().await;
    };
    assert_eq!(moved, (there.len() as u64, back.len() as u64));
    assert_eq!(splice.in_transit(), (0, 0));
    assert!(near.await.unwrap() == back && far.await.unwrap() == there);
    dropped
}

#[test]
fn dropped_runs_lose_no_byte() {
    on_each(configs_for_sockets(), "splice dropped", |_| async {
        let mut dropped = 0;
        while dropped < drops() {
            let (near, a) = UnixStream::pair().unwrap();
            let (b, far) = UnixStream::pair().unwrap();
            for socket in [&near, &a, &b, &far] {
                narrow(socket);
            }
            dropped += drop_runs(near, a, b, far).await;
            let ((near, a), (b, far)) = (UnixStream::pair().unwrap(), connection().await);
            dropped += drop_runs(near, a, b, far).await;
        }
    });
}
