//! Pipes in memory, and streams split in halves.

use super::block_on;
use crate::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex, simplex, split};
use std::io::{ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_dropped_end_is_an_end_of_stream_and_a_broken_pipe() {
    block_on(async {
        let (mut a, mut b) = duplex(16);
        a.write_all(b"last").await.unwrap();
        drop(a);
        let mut text = String::new();
        b.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "last");
        let error = b.write_all(b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_shutdown_closes_one_way() {
    block_on(async {
        let (mut a, mut b) = duplex(16);
        a.shutdown().await.unwrap();
        assert_eq!(b.read(&mut [0; 4]).await.unwrap(), 0);
        b.write_all(b"back").await.unwrap();
        let mut word = [0; 4];
        a.read_exact(&mut word).await.unwrap();
        assert_eq!(
            a.write(b"x").await.unwrap_err().kind(),
            ErrorKind::BrokenPipe
        );
        b.flush().await.unwrap();
    });
}

#[test]
fn whoever_waits_is_woken() {
    let count = Arc::new(Count::default());
    let waker = Waker::from(count.clone());
    let mut cx = Context::from_waker(&waker);
    let (mut a, mut b) = duplex(2);
    let mut memory = [0; 4];
    let mut buf = crate::ReadBuf::new(&mut memory);
    assert!(Pin::new(&mut b).poll_read(&mut cx, &mut buf).is_pending());
    assert!(Pin::new(&mut a).poll_write(&mut cx, b"abc").is_ready());
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    assert!(Pin::new(&mut a).poll_write(&mut cx, b"c").is_pending());
    assert!(Pin::new(&mut b).poll_read(&mut cx, &mut buf).is_ready());
    assert_eq!(buf.filled(), b"ab");
    assert_eq!(count.0.load(Ordering::Relaxed), 2);
    assert!(Pin::new(&mut a).poll_write(&mut cx, b"cd").is_ready());
    assert!(Pin::new(&mut a).poll_write(&mut cx, b"e").is_pending());
    drop(b);
    assert_eq!(count.0.load(Ordering::Relaxed), 3);
}

#[test]
fn a_one_way_pipe_takes_vectored_writes() {
    block_on(async {
        let (mut receiver, mut sender) = simplex(4);
        let bufs = [
            IoSlice::new(b"ab"),
            IoSlice::new(b""),
            IoSlice::new(b"cdef"),
        ];
        assert!(sender.is_write_vectored());
        assert_eq!(sender.write_vectored(&bufs).await.unwrap(), 4);
        let mut word = [0; 4];
        receiver.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"abcd");
        sender.shutdown().await.unwrap();
        assert_eq!(receiver.read(&mut word).await.unwrap(), 0);
        let mut whole = receiver.unsplit(sender);
        assert_eq!(
            whole.write(b"x").await.unwrap_err().kind(),
            ErrorKind::BrokenPipe
        );
    });
}

#[test]
#[should_panic(expected = "at least one byte")]
fn a_pipe_of_nothing_panics() {
    let _ = duplex(0);
}

#[test]
fn halves_find_each_other() {
    block_on(async {
        let (stream, mut peer) = duplex(16);
        let (mut reader, mut writer) = split(stream);
        let (other_reader, other_writer) = split(duplex(16).0);
        assert!(reader.is_pair_of(&writer) && writer.is_pair_of(&reader));
        assert!(!reader.is_pair_of(&other_writer) && !writer.is_pair_of(&other_reader));
        writer.write_all(b"ab").await.unwrap();
        peer.write_all(b"cd").await.unwrap();
        assert_eq!(reader.read_u16().await.unwrap(), 0x6364);
        writer.flush().await.unwrap();
        writer.shutdown().await.unwrap();
        assert_eq!(
            format!("{reader:?} {writer:?}"),
            "split::ReadHalf split::WriteHalf"
        );
        let mut whole = reader.unsplit(writer);
        peer.write_all(b"e").await.unwrap();
        assert_eq!(whole.read_u8().await.unwrap(), b'e');
    });
}

#[test]
#[should_panic(expected = "Unrelated")]
fn unrelated_halves_cannot_be_joined() {
    let (reader, _) = split(duplex(1).0);
    let (_, writer) = split(duplex(1).0);
    reader.unsplit(writer);
}

#[test]
fn nothing_is_moved_without_waiting() {
    block_on(async {
        let (mut a, mut b) = duplex(1);
        assert_eq!(a.read(&mut []).await.unwrap(), 0);
        a.write_all(b"x").await.unwrap();
        assert_eq!(a.write(&[]).await.unwrap(), 0);
        assert_eq!(b.read(&mut []).await.unwrap(), 0);
        drop(b);
        assert_eq!(
            a.write(&[]).await.unwrap_err().kind(),
            ErrorKind::BrokenPipe
        );
    });
}
