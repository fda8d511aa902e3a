//! The traits over memory, and `ReadBuf`.

use super::block_on;
use crate::{AsyncBufReadExt, AsyncReadExt, AsyncSeekExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use bytes::BufMut;
use std::io::{Cursor, IoSlice, SeekFrom};
use std::mem::MaybeUninit;
use std::pin::Pin;

#[test]
fn slices_are_read_to_their_end() {
    block_on(async {
        let mut source: &[u8] = b"hello";
        let mut buf = [0; 3];
        assert_eq!(source.read(&mut buf).await.unwrap(), 3);
        assert_eq!(source.read(&mut buf).await.unwrap(), 2);
        assert_eq!(source.read(&mut buf).await.unwrap(), 0);
    });
}

#[test]
fn a_cursor_past_its_end_reads_nothing() {
    block_on(async {
        let mut cursor = Cursor::new(b"hello".to_vec());
        for position in [5, 6, u64::MAX] {
            cursor.set_position(position);
            let mut rest = Vec::new();
            assert_eq!(cursor.read_to_end(&mut rest).await.unwrap(), 0);
            assert!(cursor.fill_buf().await.unwrap().is_empty());
        }
        assert_eq!(cursor.seek(SeekFrom::End(-2)).await.unwrap(), 3);
        assert_eq!(cursor.stream_position().await.unwrap(), 3);
        let mut text = String::new();
        cursor.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "lo");
        cursor.rewind().await.unwrap();
        assert_eq!(cursor.read_u8().await.unwrap(), b'h');
        assert!(cursor.seek(SeekFrom::Current(-2)).await.is_err());
    });
}

#[test]
fn memory_is_written_in_all_its_forms() {
    block_on(async {
        let mut slice = [0; 4];
        let mut cursor = Cursor::new(&mut slice[..]);
        assert_eq!(cursor.write(b"abcdef").await.unwrap(), 4);
        assert_eq!(cursor.write(b"x").await.unwrap(), 0);
        assert_eq!(&slice, b"abcd");

        let mut boxed = Cursor::new(vec![0u8; 2].into_boxed_slice());
        assert_eq!(boxed.write(b"abc").await.unwrap(), 2);

        let mut vec = vec![1, 2, 3];
        let mut cursor = Cursor::new(&mut vec);
        cursor.set_position(2);
        cursor.write_all(b"zz").await.unwrap();
        assert_eq!(vec, [1, 2, b'z', b'z']);

        let mut vec = Vec::new();
        assert!(AsyncWrite::is_write_vectored(&vec));
        let bufs = [IoSlice::new(b"ab"), IoSlice::new(b"c")];
        assert_eq!(vec.write_vectored(&bufs).await.unwrap(), 3);
        vec.flush().await.unwrap();
        vec.shutdown().await.unwrap();
    });
}

#[test]
fn references_boxes_and_pins_forward() {
    block_on(async {
        let mut source: &[u8] = b"abc";
        let mut boxed: Box<dyn crate::AsyncBufRead + Unpin> = Box::new(&mut source);
        let mut pinned = Pin::new(&mut boxed);
        assert_eq!(pinned.read_u8().await.unwrap(), b'a');
        assert_eq!(pinned.fill_buf().await.unwrap(), b"bc");
        pinned.consume(1);
        assert_eq!(pinned.read_u8().await.unwrap(), b'c');

        let mut sink: Box<dyn AsyncWrite + Unpin> = Box::new(Vec::new());
        assert!(Pin::new(&mut sink).is_write_vectored());
        Pin::new(&mut sink).write_all(b"abc").await.unwrap();
        Pin::new(&mut sink).flush().await.unwrap();
        Pin::new(&mut sink).shutdown().await.unwrap();

        let mut seeker: Box<dyn crate::AsyncSeek + Unpin> = Box::new(Cursor::new([0u8; 4]));
        assert_eq!(
            Pin::new(&mut seeker).seek(SeekFrom::End(0)).await.unwrap(),
            4
        );
    });
}

#[test]
fn a_read_buf_counts_its_parts() {
    let mut memory = [MaybeUninit::uninit(); 8];
    let mut buf = ReadBuf::uninit(&mut memory);
    assert_eq!((buf.capacity(), buf.remaining()), (8, 8));
    assert!(buf.initialized().is_empty());
    buf.put_slice(b"ab");
    assert_eq!(buf.initialize_unfilled_to(2), [0, 0]);
    buf.initialize_unfilled_to(2)[0] = b'c';
    buf.advance(1);
    assert_eq!(buf.filled(), b"abc");
    assert_eq!(buf.initialized(), b"abc\0");
    buf.filled_mut()[0] = b'A';
    buf.initialized_mut()[3] = b'd';
    buf.set_filled(4);
    assert_eq!(buf.filled(), b"Abcd");
    let mut part = buf.take(2);
    assert_eq!(part.capacity(), 2);
    part.put_slice(b"ef");
    assert_eq!(buf.filled(), b"Abcd");
    assert_eq!(buf.take(100).capacity(), 4);
    buf.put_u8(b'!');
    assert_eq!(buf.filled(), b"Abcd!");
    // The bytes that were put into the part were not declared here, and so are zeroed.
    assert_eq!(buf.initialize_unfilled(), [0, 0, 0]);
    buf.clear();
    assert_eq!((buf.filled().len(), buf.initialized().len()), (0, 8));
    assert_eq!(
        format!("{buf:?}"),
        "ReadBuf { filled: 0, initialized: 8, capacity: 8 }"
    );
}

#[test]
#[should_panic(expected = "filled must not become larger than initialized")]
fn what_is_not_initialised_cannot_be_filled() {
    ReadBuf::uninit(&mut [MaybeUninit::uninit(); 8]).advance(1);
}

#[test]
#[should_panic(expected = "filled overflow")]
fn an_advance_beyond_everything_panics() {
    let mut memory = [0; 8];
    let mut buf = ReadBuf::new(&mut memory);
    buf.advance(1);
    buf.advance(usize::MAX);
}

#[test]
#[should_panic(expected = "n overflows remaining")]
fn initialising_too_much_panics() {
    ReadBuf::new(&mut [0; 8]).initialize_unfilled_to(9);
}

#[test]
#[should_panic(expected = "must fit in remaining()")]
fn putting_too_much_panics() {
    ReadBuf::new(&mut [0; 2]).put_slice(b"abc");
}
