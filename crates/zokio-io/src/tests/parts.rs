//! The parts of adapters can be looked at, changed and taken back; bytes that were buffered are missing
//! there.

use super::block_on;
use super::script::Script;
use crate::{
    AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader, BufStream,
    BufWriter, ReadBuf,
};
use std::future::Future;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::{Context, Waker};

#[test]
fn a_chain_shows_both_sources() {
    block_on(async {
        let mut chain = b"one".chain(&b"two"[..]);
        *chain.get_mut().0 = b"1";
        *Pin::new(&mut chain).get_pin_mut().1 = b"2";
        assert_eq!(chain.get_ref(), (&&b"1"[..], &&b"2"[..]));
        assert_eq!(format!("{chain:?}"), "Chain { t: [49], u: [50] }");
        let mut text = String::new();
        chain.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "12");
        // The end of the first was seen: what is put there later is not read any more.
        *chain.get_mut().0 = b"late";
        assert_eq!(chain.read_to_string(&mut text).await.unwrap(), 0);
        assert_eq!(chain.into_inner(), (&b"late"[..], &b""[..]));
    });
}

#[test]
fn what_is_read_beside_a_limit_does_not_count() {
    block_on(async {
        let mut take = b"hello, world".take(3);
        assert_eq!(take.get_mut().read_u8().await.unwrap(), b'h');
        let pinned = Pin::new(&mut take).get_pin_mut();
        assert_eq!(pinned.get_mut().read_u8().await.unwrap(), b'e');
        assert_eq!(take.limit(), 3);
        assert_eq!(take.get_ref(), b"llo, world");
        let mut text = String::new();
        take.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "llo");
        assert_eq!(take.into_inner(), b", world");
    });
}

#[test]
fn a_limit_of_nothing_does_not_ask_the_source() {
    block_on(async {
        // The source would wait for ever.
        let (_writer, reader) = crate::duplex(4);
        let mut take = BufReader::new(reader).take(0);
        assert_eq!(take.read(&mut [0; 4]).await.unwrap(), 0);
        assert!(take.fill_buf().await.unwrap().is_empty());
    });
}

#[test]
fn a_buffered_reader_is_ahead_of_what_it_was_asked() {
    block_on(async {
        let mut reader = BufReader::with_capacity(4, &b"0123456789"[..]);
        assert_eq!(reader.read_u8().await.unwrap(), b'0');
        assert_eq!(reader.get_mut().read_u8().await.unwrap(), b'4');
        let pinned = Pin::new(&mut reader).get_pin_mut();
        assert_eq!(pinned.get_mut().read_u8().await.unwrap(), b'5');
        assert_eq!(reader.buffer(), b"123");
        assert_eq!(
            format!("{reader:?}"),
            "BufReader { reader: [54, 55, 56, 57], buffer: 3/4 }"
        );
        assert_eq!(reader.into_inner(), b"6789");
    });
}

#[test]
fn a_buffered_writer_keeps_back_what_was_not_flushed() {
    block_on(async {
        let mut writer = BufWriter::with_capacity(8, Vec::new());
        writer.write_all(b"kept").await.unwrap();
        writer.get_mut().write_all(b"first").await.unwrap();
        let pinned = Pin::new(&mut writer).get_pin_mut();
        pinned.get_mut().push(b'!');
        assert_eq!(
            format!("{writer:?}"),
            "BufWriter { writer: [102, 105, 114, 115, 116, 33], buffer: 4/8, written: 0 }"
        );
        writer.flush().await.unwrap();
        assert_eq!(writer.get_ref(), b"first!kept");
        writer.write_all(b"lost").await.unwrap();
        assert_eq!(writer.into_inner(), b"first!kept");
    });
}

#[test]
fn a_stream_shows_what_it_buffers_for() {
    block_on(async {
        let script = Script::reading(b"0123456789", []);
        let mut stream = BufStream::with_capacity(4, 4, script);
        assert_eq!(stream.read_u8().await.unwrap(), b'0');
        stream.write_all(b"ab").await.unwrap();
        assert!(stream.get_ref().written.is_empty());
        assert_eq!(stream.get_mut().read_u8().await.unwrap(), b'4');
        let pinned = Pin::new(&mut stream).get_pin_mut();
        assert_eq!(pinned.get_mut().read_u8().await.unwrap(), b'5');
        stream.shutdown().await.unwrap();
        assert_eq!(stream.get_ref().written, b"ab");
        stream.write_all(b"lost").await.unwrap();
        let script = stream.into_inner();
        assert_eq!(script.shutdowns, 1);
        assert_eq!(script.data, b"6789");
    });
}

/// A stream can be made of a reader around a writer, which keeps both buffers too.
#[test]
fn a_stream_is_made_of_a_reader_around_a_writer() {
    block_on(async {
        let mut writer = BufWriter::new(Script::reading(b"in", []));
        writer.write_all(b"out").await.unwrap();
        let mut reader = BufReader::new(writer);
        assert_eq!(reader.read_u8().await.unwrap(), b'i');
        let mut stream = BufStream::from(reader);
        assert_eq!(stream.read_u8().await.unwrap(), b'n');
        stream.flush().await.unwrap();
        assert_eq!(stream.get_ref().written, b"out");
    });
}

#[test]
fn both_sides_of_a_join_can_be_reached() {
    block_on(async {
        let mut join = crate::join(&b"in"[..], vec![1]);
        *join.reader_mut() = b"other";
        assert_eq!(join.read_u8().await.unwrap(), b'o');
        *Pin::new(&mut join).reader_pin_mut() = b"third";
        Pin::new(&mut join).writer_pin_mut().push(2);
        assert_eq!(
            format!("{join:?}"),
            "Join { reader: [116, 104, 105, 114, 100], writer: [1, 2] }"
        );
        assert_eq!(join.into_inner(), (&b"third"[..], vec![1, 2]));
    });
}

#[test]
fn the_source_of_lines_can_be_reached() {
    block_on(async {
        let mut lines = BufReader::with_capacity(2, &b"one\ntwo\nthree"[..]).lines();
        assert_eq!(lines.next_line().await.unwrap().unwrap(), "one");
        assert_eq!(lines.get_ref().buffer(), b"");
        let mut skipped = String::new();
        lines.get_mut().read_line(&mut skipped).await.unwrap();
        assert_eq!(skipped, "two\n");
        let mut rest = String::new();
        lines.into_inner().read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "three");
    });
}

/// The part of a line that was taken from the source before the future was dropped is in the next
/// one.
#[test]
fn a_dropped_wait_for_a_line_or_segment_loses_nothing() {
    let mut cx = Context::from_waker(Waker::noop());
    let (mut near, far) = crate::duplex(64);
    let mut lines = BufReader::new(far).lines();
    block_on(near.write_all(b"hel")).unwrap();
    assert!(pin!(lines.next_line()).poll(&mut cx).is_pending());
    block_on(near.write_all(b"lo\nend")).unwrap();
    assert_eq!(block_on(lines.next_line()).unwrap().unwrap(), "hello");
    drop(near);
    assert_eq!(block_on(lines.next_line()).unwrap().unwrap(), "end");
    assert_eq!(block_on(lines.next_line()).unwrap(), None);

    let (mut near, far) = crate::duplex(64);
    let mut segments = BufReader::new(far).split(b',');
    block_on(near.write_all(b"a")).unwrap();
    assert!(pin!(segments.next_segment()).poll(&mut cx).is_pending());
    block_on(near.write_all(b"b,,")).unwrap();
    assert_eq!(block_on(segments.next_segment()).unwrap().unwrap(), b"ab");
    assert_eq!(block_on(segments.next_segment()).unwrap().unwrap(), b"");
    drop(near);
    assert_eq!(block_on(segments.next_segment()).unwrap(), None);
}

#[test]
fn a_line_that_is_not_text_is_an_error_and_the_next_is_read() {
    block_on(async {
        let mut lines = b"a\xff\nfine\r\n".lines();
        let error = lines.next_line().await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
        let inner = error.into_inner().unwrap();
        let inner: Box<std::string::FromUtf8Error> = inner.downcast().unwrap();
        assert_eq!(inner.into_bytes(), b"a\xff");
        assert_eq!(lines.next_line().await.unwrap().unwrap(), "fine");
        assert_eq!(lines.next_line().await.unwrap(), None);
    });
}

#[test]
#[should_panic(expected = "polled after completion")]
fn a_buffer_is_lent_once() {
    let mut source = &b"abc"[..];
    let mut fill = pin!(source.fill_buf());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(fill.as_mut().poll(&mut cx).is_ready());
    let _ = fill.as_mut().poll(&mut cx);
}

/// The whole memory of a buffer, the filled part included: what is put behind that part counts once
/// it was declared.
#[test]
fn the_memory_of_a_buffer_is_all_of_it() {
    let mut memory = [MaybeUninit::uninit(); 4];
    let mut buf = ReadBuf::uninit(&mut memory);
    buf.put_slice(b"a");
    #[allow(unsafe_code)]
    // SAFETY: bytes are made initialised only, and then declared to be.
    unsafe {
        let inner = buf.inner_mut();
        assert_eq!(inner.len(), 4);
        inner[1].write(b'b');
        buf.assume_init(1);
    }
    assert_eq!((buf.filled(), buf.initialized()), (&b"a"[..], &b"ab"[..]));
    buf.advance(1);
    assert_eq!(buf.filled(), b"ab");
}

/// A pipe of one direction is its own peer: it needs no flush, and closing it shows at both ends.
#[test]
fn a_pipe_of_one_direction_is_closed_by_its_writer() {
    block_on(async {
        let mut pipe = crate::SimplexStream::new_unsplit(4);
        assert_eq!(pipe.write(b"abcdef").await.unwrap(), 4);
        pipe.flush().await.unwrap();
        pipe.shutdown().await.unwrap();
        let error = pipe.write(b"x").await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
        let mut text = String::new();
        pipe.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "abcd");
    });
}

/// Polled without a future of this crate: the buffer may hold more than the limit lets through.
#[test]
fn a_limit_cuts_the_buffer_off() {
    let mut take = BufReader::new(&b"hello"[..]).take(2);
    let mut cx = Context::from_waker(Waker::noop());
    let shown = Pin::new(&mut take).poll_fill_buf(&mut cx);
    assert!(matches!(shown, std::task::Poll::Ready(Ok(b"he"))));
    let mut memory = [0; 8];
    let mut buf = ReadBuf::new(&mut memory);
    assert!(Pin::new(&mut take).poll_read(&mut cx, &mut buf).is_ready());
    assert_eq!(buf.filled(), b"he");
    assert_eq!(take.get_ref().buffer(), b"llo");
}
