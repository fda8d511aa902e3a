//! Copies out of a connection that fails while the writer takes nothing: a reset ends the copy although
//! bytes that were received before stand in front of it; the end of a peer that closed in good order does not.

use crate::kit::{connected, on_both};
use std::future::Future;
use std::io::{self, ErrorKind};
use zokio::io::{
    AsyncReadExt, AsyncWriteExt, BufReader, BufStream, DuplexStream, Interest, copy,
    copy_bidirectional, copy_buf, duplex, split,
};
use zokio::net::TcpStream;

/// More than a copy has room for, and less than a socket has.
const SENT: usize = 64 * 1024;

/// How much the writer takes while nobody reads behind it.
const ROOM: usize = 512;

/// A connection whose peer has sent [`SENT`] bytes, the peer, and a writer that takes [`ROOM`] bytes until
/// they are read at its other end.
async fn stuck() -> (TcpStream, TcpStream, DuplexStream, DuplexStream) {
    let (mut peer, stream) = connected().await;
    peer.write_all(&[7; SENT]).await.unwrap();
    let (writer, unread) = duplex(ROOM);
    (stream, peer, writer, unread)
}

/// Resets the connection of `peer` once `copy` waits for its writer, and expects the copy to say so.
async fn expect_reset<T: std::fmt::Debug>(
    peer: TcpStream,
    mut unread: DuplexStream,
    copy: impl Future<Output = io::Result<T>>,
) {
    let reset = async {
        // The byte behind the room comes once the copy was stuck.
        unread.read_exact(&mut [0; ROOM + 1]).await.unwrap();
        peer.set_zero_linger().unwrap();
        drop(peer);
    };
    let (copied, ()) = zokio::join!(copy, reset);
    assert_eq!(copied.unwrap_err().kind(), ErrorKind::ConnectionReset);
    drop(unread);
}

#[test]
fn a_reset_ends_a_copy_whose_writer_takes_nothing() {
    on_both(|| async {
        let (mut stream, peer, mut writer, unread) = stuck().await;
        expect_reset(peer, unread, copy(&mut stream, &mut writer)).await;

        let (stream, peer, mut writer, unread) = stuck().await;
        let mut stream = BufReader::new(stream);
        expect_reset(peer, unread, copy_buf(&mut stream, &mut writer)).await;

        let (mut stream, peer, mut writer, unread) = stuck().await;
        let copied = copy_bidirectional(&mut stream, &mut writer);
        expect_reset(peer, unread, copied).await;

        let (mut stream, peer, mut writer, unread) = stuck().await;
        let copied = copy_bidirectional(&mut writer, &mut stream);
        expect_reset(peer, unread, copied).await;
    });
}

#[test]
fn halves_and_adapters_of_a_connection_pass_the_reset_on() {
    on_both(|| async {
        let (mut stream, peer, mut writer, unread) = stuck().await;
        let (mut half, _write) = stream.split();
        expect_reset(peer, unread, copy(&mut half, &mut writer)).await;

        let (stream, peer, mut writer, unread) = stuck().await;
        let (mut half, _write) = stream.into_split();
        expect_reset(peer, unread, copy(&mut half, &mut writer)).await;

        let (stream, peer, mut writer, unread) = stuck().await;
        let (mut half, _write) = split(BufStream::new(stream));
        expect_reset(peer, unread, copy(&mut half, &mut writer)).await;

        let (stream, peer, mut writer, unread) = stuck().await;
        let mut part = Box::pin(stream.take(u64::MAX).chain(&b"more"[..]));
        expect_reset(peer, unread, copy(&mut part, &mut writer)).await;
    });
}

/// A copy whose task was not polled for other reasons learns of a reset that came before it got stuck.
#[test]
fn a_reset_from_before_the_copy_is_seen_as_well() {
    on_both(|| async {
        let (mut stream, peer, mut writer, _unread) = stuck().await;
        peer.set_zero_linger().unwrap();
        drop(peer);
        stream.ready(Interest::ERROR).await.unwrap();
        let error = copy(&mut stream, &mut writer).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn bytes_in_front_of_an_end_in_good_order_all_arrive() {
    on_both(|| async {
        let (mut stream, peer, mut writer, mut reader) = stuck().await;
        let close_and_read = async {
            reader.read_exact(&mut [0; ROOM + 1]).await.unwrap();
            drop(peer);
            let mut rest = Vec::new();
            reader.read_to_end(&mut rest).await.unwrap();
            rest.len()
        };
        let copied = async {
            let copied = copy(&mut stream, &mut writer).await.unwrap();
            drop(writer);
            copied
        };
        let (copied, read) = zokio::join!(copied, close_and_read);
        assert_eq!((copied, read), (SENT as u64, SENT - ROOM - 1));
    });
}

/// The peer sends all it has and closes; what it is sent after that is answered with a reset. Its bytes are all
/// here, and its end is too.
#[test]
fn an_answer_to_a_peer_that_has_gone_loses_none_of_its_bytes() {
    on_both(|| async {
        let (mut stream, peer, mut writer, mut reader) = stuck().await;
        drop(peer);
        stream.write_all(b"too late").await.unwrap();
        stream.ready(Interest::ERROR).await.unwrap();
        let copied = async {
            let copied = copy(&mut stream, &mut writer).await.unwrap();
            drop(writer);
            copied
        };
        let mut heard = Vec::new();
        let (copied, read) = zokio::join!(copied, reader.read_to_end(&mut heard));
        assert_eq!((copied, read.unwrap()), (SENT as u64, SENT));
    });
}
