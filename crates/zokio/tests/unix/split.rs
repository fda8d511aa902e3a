//! Halves of a `UnixStream`, borrowed and owned.

use crate::kit::{assert_kind, assert_would_block, on_both, path};
use bytes::BytesMut;
use std::error::Error;
use std::io::{ErrorKind, IoSlice, IoSliceMut};
use zokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest};
use zokio::net::{UnixListener, UnixStream};

#[test]
fn halves_that_borrow_work_at_once_and_the_stream_is_whole_afterwards() {
    on_both(|| async {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let echo = zokio::spawn(async move {
            let (mut read, mut write) = far.split();
            zokio::io::copy(&mut read, &mut write).await.unwrap();
            write.shutdown().await.unwrap();
            far
        });
        let sent = vec![3_u8; 400_000];
        let (mut read, mut write) = near.split();
        let sending = async {
            write.write_all(&sent).await.unwrap();
            write.flush().await.unwrap();
            write.shutdown().await.unwrap();
        };
        let mut received = Vec::new();
        let (read, ()) = zokio::join!(read.read_to_end(&mut received), sending);
        assert_eq!((read.unwrap(), received == sent), (sent.len(), true));
        assert_kind(near.write_all(b"x").await, ErrorKind::BrokenPipe);
        drop(echo.await.unwrap());
    });
}

#[test]
fn borrowed_halves_have_the_attempts_and_waits_of_their_side() {
    on_both(|| async {
        let (mut near, far) = UnixStream::pair().unwrap();
        let (read, write) = near.split();
        assert_would_block(read.try_read(&mut [0; 4]));
        assert_would_block(read.try_read_buf(&mut BytesMut::with_capacity(4)));
        write.writable().await.unwrap();
        assert!(write.ready(Interest::WRITABLE).await.unwrap().is_writable());
        assert!(write.is_write_vectored());
        assert_eq!(write.try_write(b"one").unwrap(), 3);
        let parts = [IoSlice::new(b"t"), IoSlice::new(b"wo")];
        assert_eq!(write.try_write_vectored(&parts).unwrap(), 3);
        far.readable().await.unwrap();
        assert_eq!(far.try_read(&mut [0; 8]).unwrap(), 6);
        far.try_write(b"abcdef").unwrap();
        read.readable().await.unwrap();
        assert!(read.ready(Interest::READABLE).await.unwrap().is_readable());
        let (mut first, mut second) = ([0; 1], [0; 1]);
        let mut bufs = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
        assert_eq!(read.try_read_vectored(&mut bufs).unwrap(), 2);
        assert_eq!((&first, &second), (b"a", b"b"));
        let mut vec = Vec::with_capacity(2);
        assert_eq!(read.try_read_buf(&mut vec).unwrap(), 2);
        assert_eq!(vec, b"cd");
        assert_eq!(read.try_read(&mut [0; 8]).unwrap(), 2);
        assert!(read.peer_addr().unwrap().is_unnamed());
        assert!(write.local_addr().unwrap().is_unnamed());
        let streams: (&UnixStream, &UnixStream) = (read.as_ref(), write.as_ref());
        assert!(std::ptr::eq(streams.0, streams.1));
        assert!(format!("{read:?} {write:?}").starts_with("ReadHalf("));
    });
}

#[test]
fn owned_halves_have_the_attempts_and_waits_of_their_side() {
    on_both(|| async {
        let (_folder, path) = path("listener");
        let listener = UnixListener::bind(&path).unwrap();
        let near = UnixStream::connect(&path).await.unwrap();
        let (far, _) = listener.accept().await.unwrap();
        let (read, mut write) = near.into_split();
        write.writable().await.unwrap();
        assert!(write.ready(Interest::WRITABLE).await.unwrap().is_writable());
        assert!(write.is_write_vectored());
        let parts = [IoSlice::new(b"t"), IoSlice::new(b"wo")];
        assert_eq!(write.try_write(b"one").unwrap(), 3);
        assert_eq!(write.try_write_vectored(&parts).unwrap(), 3);
        assert_eq!(write.write_vectored(&parts).await.unwrap(), 3);
        far.readable().await.unwrap();
        assert_eq!(far.try_read(&mut [0; 16]).unwrap(), 9);
        far.try_write(b"abcd").unwrap();
        read.readable().await.unwrap();
        assert!(read.ready(Interest::READABLE).await.unwrap().is_readable());
        let mut vec = Vec::with_capacity(2);
        assert_eq!(read.try_read_buf(&mut vec).unwrap(), 2);
        assert_eq!(vec, b"ab");
        let mut bufs = [IoSliceMut::new(&mut vec[..1])];
        assert_eq!(read.try_read_vectored(&mut bufs).unwrap(), 1);
        assert_eq!(read.try_read(&mut [0; 4]).unwrap(), 1);
        assert_would_block(read.try_read(&mut [0; 4]));
        let peers = [read.peer_addr().unwrap(), write.peer_addr().unwrap()];
        assert!(
            peers
                .iter()
                .all(|peer| peer.as_pathname() == Some(path.as_path()))
        );
        assert!(read.local_addr().unwrap().is_unnamed());
        assert!(write.local_addr().unwrap().is_unnamed());
        let streams: (&UnixStream, &UnixStream) = (read.as_ref(), write.as_ref());
        assert!(std::ptr::eq(streams.0, streams.1));
    });
}

#[test]
fn dropping_the_half_that_writes_is_the_end_for_the_peer() {
    on_both(|| async {
        let (near, mut far) = UnixStream::pair().unwrap();
        let (mut read, mut write) = near.into_split();
        write.write_all(b"bye").await.unwrap();
        drop(write);
        let mut said = Vec::new();
        far.read_to_end(&mut said).await.unwrap();
        assert_eq!(said, b"bye");
        // The other half still reads.
        far.write_all(b"late").await.unwrap();
        drop(far);
        said.clear();
        read.read_to_end(&mut said).await.unwrap();
        assert_eq!(said, b"late");
    });
}

#[test]
fn a_half_that_is_forgotten_leaves_the_stream_open() {
    on_both(|| async {
        let (near, far) = UnixStream::pair().unwrap();
        let (read, write) = near.into_split();
        write.forget();
        assert_would_block(far.try_read(&mut [0; 4]));
        drop(read);
        far.readable().await.unwrap();
        assert_eq!(far.try_read(&mut [0; 4]).unwrap(), 0);
    });
}

#[test]
fn halves_of_one_stream_make_it_whole_and_others_come_back() {
    on_both(|| async {
        let (near, mut far) = UnixStream::pair().unwrap();
        let (near_read, near_write) = near.into_split();
        let (other, other_far) = UnixStream::pair().unwrap();
        let (other_read, other_write) = other.into_split();
        let error = near_read.reunite(other_write).unwrap_err();
        let source: &dyn Error = &error;
        assert_eq!(
            source.to_string(),
            "tried to reunite halves that are not from the same socket"
        );
        let (near_read, other_write) = (error.0, error.1);
        let error = near_write.reunite(other_read).unwrap_err();
        let (other_read, near_write) = (error.0, error.1);
        // Neither of them was closed by that.
        let mut near = near_read.reunite(near_write).unwrap();
        let mut other = other_write.reunite(other_read).unwrap();
        assert_would_block(far.try_read(&mut [0; 4]));
        assert_would_block(other_far.try_read(&mut [0; 4]));
        near.write_all(b"whole").await.unwrap();
        assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 5);
        far.write_all(b"x").await.unwrap();
        assert_eq!(near.read(&mut [0; 8]).await.unwrap(), 1);
        other.shutdown().await.unwrap();
    });
}
