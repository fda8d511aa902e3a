//! The methods of the extension traits: partial steps, waits, errors, and how vectors grow.

use super::block_on;
use super::script::{Script, Step::*};
use crate::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader, ReadBuf};
use bytes::{Buf, BufMut, BytesMut};
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll};

#[test]
fn reads_go_on_after_waits_and_parts() {
    block_on(async {
        let mut source = Script::reading(b"hello, world", [Pass(2), Wait, Pass(1), Wait]);
        let mut buf = [0; 5];
        source.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"hello");
        let mut rest = Vec::new();
        assert_eq!(source.read_to_end(&mut rest).await.unwrap(), 7);
        let error = source.read_exact(&mut buf).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert_eq!(
            source.read_u32().await.unwrap_err().kind(),
            ErrorKind::UnexpectedEof
        );
    });
}

#[test]
fn numbers_go_there_and_back() {
    macro_rules! check {
        ($($write:ident $read:ident $value:expr;)*) => {$(
            block_on(async {
                let mut sink = Script::writing([Pass(1), Wait]);
                sink.$write($value).await.unwrap();
                let mut source = Script::reading(&sink.written, [Pass(1), Wait]);
                assert_eq!(source.$read().await.unwrap(), $value);
            });
        )*};
    }
    check! {
        write_u8 read_u8 0xfe_u8;
        write_i8 read_i8 -2_i8;
        write_u16 read_u16 0x0102_u16;
        write_i16 read_i16 i16::MIN;
        write_u32 read_u32 0x0102_0304_u32;
        write_i32 read_i32 i32::MIN;
        write_u64 read_u64 0x0102_0304_0506_0708_u64;
        write_i64 read_i64 i64::MIN;
        write_u128 read_u128 1_u128 << 100;
        write_i128 read_i128 i128::MIN;
        write_f32 read_f32 1.5_f32;
        write_f64 read_f64 -1.5_f64;
        write_u16_le read_u16_le 0x0102_u16;
        write_i16_le read_i16_le i16::MIN;
        write_u32_le read_u32_le 0x0102_0304_u32;
        write_i32_le read_i32_le i32::MIN;
        write_u64_le read_u64_le 0x0102_0304_0506_0708_u64;
        write_i64_le read_i64_le i64::MIN;
        write_u128_le read_u128_le 1_u128 << 100;
        write_i128_le read_i128_le i128::MIN;
        write_f32_le read_f32_le 1.5_f32;
        write_f64_le read_f64_le -1.5_f64;
    }
    block_on(async {
        let mut sink = Vec::new();
        sink.write_u16(0x0102).await.unwrap();
        sink.write_u16_le(0x0102).await.unwrap();
        assert_eq!(sink, [1, 2, 2, 1]);
    });
}

#[test]
fn errors_pass_and_what_was_read_before_stays() {
    block_on(async {
        let steps = [Pass(3), Fail(ErrorKind::ConnectionReset)];
        let mut source = Script::reading(b"hello", steps.clone());
        let mut bytes = b">".to_vec();
        let error = source.read_to_end(&mut bytes).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(bytes, b">hel");
        let mut source = Script::reading(b"hello", steps);
        let mut text = String::from(">");
        source.read_to_string(&mut text).await.unwrap_err();
        assert_eq!(text, ">");
        let mut source: &[u8] = b"ab\xff";
        let error = source.read_to_string(&mut text).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        let inner = error.into_inner().unwrap();
        let not_text = inner.downcast::<std::str::Utf8Error>().unwrap();
        assert_eq!(not_text.valid_up_to(), 3);
        assert_eq!(text, ">");
    });
}

#[test]
fn lines_are_read_across_the_borders_of_the_buffer() {
    block_on(async {
        let source = Script::reading(b"one\r\ntwo\n\nlast", [Pass(2), Wait, Pass(2)]);
        let mut reader = BufReader::with_capacity(3, source);
        let mut line = String::from(">");
        assert_eq!(reader.read_line(&mut line).await.unwrap(), 5);
        assert_eq!(line, ">one\r\n");
        let mut bytes = Vec::new();
        assert_eq!(reader.read_until(b'o', &mut bytes).await.unwrap(), 3);
        let mut lines = reader.lines();
        let mut all = Vec::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            all.push(line);
        }
        assert_eq!(all, ["", "", "last"]);
    });
}

#[test]
fn a_line_that_fails_keeps_its_text_and_its_string() {
    block_on(async {
        let steps = [Pass(2), Fail(ErrorKind::TimedOut)];
        let mut reader = BufReader::new(Script::reading(b"ab", steps));
        let mut line = String::from(">");
        reader.read_line(&mut line).await.unwrap_err();
        assert_eq!(line, ">ab");
        let steps = [Pass(2), Fail(ErrorKind::TimedOut)];
        let mut reader = BufReader::new(Script::reading(b"a\xc3", steps));
        let error = reader.read_line(&mut line).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(line, ">ab");
    });
}

#[test]
fn segments_lose_their_delimiter_only() {
    block_on(async {
        let mut segments = AsyncBufReadExt::split(&b"a,,b,"[..], b',');
        let mut all = Vec::new();
        while let Some(segment) = segments.next_segment().await.unwrap() {
            all.push(segment);
        }
        assert_eq!(all, [&b"a"[..], b"", b"b"]);
    });
}

#[test]
fn a_dropped_next_line_loses_nothing() {
    block_on(async {
        let source = Script::reading(b"hello\n", [Pass(2), Wait, Pass(4)]);
        let mut lines = BufReader::new(source).lines();
        {
            let mut next = std::pin::pin!(lines.next_line());
            let polled = std::future::poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx))).await;
            assert!(polled.is_pending());
        }
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("hello"));
    });
}

#[test]
fn writes_go_on_after_waits_and_parts() {
    block_on(async {
        let mut sink = Script::writing([Pass(2), Wait, Pass(1)]);
        sink.write_all(b"hello").await.unwrap();
        assert_eq!(sink.written, b"hello");
        sink.writes = [Pass(0)].into();
        assert_eq!(
            sink.write_all(b"x").await.unwrap_err().kind(),
            ErrorKind::WriteZero
        );
        sink.writes = [Pass(0)].into();
        assert_eq!(
            sink.write_u8(1).await.unwrap_err().kind(),
            ErrorKind::WriteZero
        );
        sink.flush().await.unwrap();
        sink.shutdown().await.unwrap();
        assert_eq!((sink.flushes, sink.shutdowns), (1, 1));
    });
}

#[test]
fn buffers_advance_by_what_was_taken() {
    block_on(async {
        for vectored in [false, true] {
            let mut sink = Script::writing([Pass(2), Wait, Pass(3), Fail(ErrorKind::Other)]);
            sink.vectored = vectored;
            let mut buf = Buf::chain(&b"hello, "[..], &b"world"[..]);
            assert_eq!(sink.write_buf(&mut buf).await.unwrap(), 2);
            sink.write_all_buf(&mut buf).await.unwrap_err();
            assert_eq!(buf.remaining(), 7);
            sink.write_all_buf(&mut buf).await.unwrap();
            assert_eq!(sink.written, b"hello, world");
            assert_eq!(sink.write_buf(&mut buf).await.unwrap(), 0);
        }
        let mut sink = Script::writing([Pass(0)]);
        let error = sink.write_all_buf(&mut &b"x"[..]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WriteZero);
    });
}

#[test]
fn read_buf_appends_and_respects_the_room() {
    block_on(async {
        let mut source: &[u8] = b"hello";
        let mut buf = BytesMut::from(&b">"[..]);
        assert_eq!(source.read_buf(&mut buf).await.unwrap(), 5);
        assert_eq!(&buf[..], b">hello");
        let mut source: &[u8] = b"hello";
        let mut limited = Vec::new().limit(2);
        assert_eq!(source.read_buf(&mut limited).await.unwrap(), 2);
        assert_eq!(source.read_buf(&mut limited).await.unwrap(), 0);
    });
}

#[test]
fn a_vector_that_just_fits_does_not_grow() {
    let bytes: Vec<u8> = (0..100).collect();
    block_on(async {
        for length in [32, 33, 40, 63, 99] {
            for first in [0, 1, 31, 32] {
                for capacity in 0..100 {
                    let steps = [Pass(if first == 0 { usize::MAX } else { first })];
                    let mut source = Script::reading(&bytes[..length], steps);
                    let mut vec = Vec::with_capacity(capacity);
                    source.read_to_end(&mut vec).await.unwrap();
                    assert_eq!(vec, &bytes[..length]);
                    if capacity >= length {
                        assert_eq!(vec.capacity(), capacity);
                    }
                }
            }
        }
    });
}

/// Initialises more than it fills, and checks that this is remembered.
struct Initialising {
    expected: usize,
    rounds: usize,
}

impl AsyncRead for Initialising {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let spare = buf.initialized().len() - buf.filled().len();
        assert_eq!(spare, self.expected);
        if self.rounds > 0 {
            self.rounds -= 1;
            buf.initialize_unfilled_to(spare + 2);
            buf.advance(1);
            self.expected += 1;
        }
        Poll::Ready(Ok(()))
    }
}

#[test]
fn what_a_reader_initialised_is_remembered() {
    let mut vec = Vec::with_capacity(64);
    let mut source = Initialising {
        expected: 0,
        rounds: 20,
    };
    block_on(source.read_to_end(&mut vec)).unwrap();
    assert_eq!(vec.len(), 20);
}

/// Puts a buffer of its own in the place of the caller's.
struct Swapping;

impl AsyncRead for Swapping {
    fn poll_read(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut other = ReadBuf::new(vec![0; 64].leak());
        other.put_slice(&[1; 64]);
        *buf = other;
        Poll::Ready(Ok(()))
    }
}

#[test]
#[should_panic(expected = "swapped the buffer")]
fn a_swapped_buffer_is_noticed_by_read_buf() {
    let _ = block_on(Swapping.read_buf(&mut Vec::with_capacity(8)));
}

#[test]
#[should_panic(expected = "swapped the buffer")]
fn a_swapped_buffer_is_noticed_by_read_to_end() {
    let _ = block_on(Swapping.read_to_end(&mut Vec::new()));
}

#[test]
#[should_panic(expected = "swapped the buffer")]
fn a_swapped_buffer_is_noticed_by_take() {
    let _ = block_on(Swapping.take(10).read(&mut [0; 4]));
}

#[test]
fn what_was_interrupted_is_tried_again() {
    let interrupted = || {
        [
            Fail(ErrorKind::Interrupted),
            Pass(1),
            Fail(ErrorKind::Interrupted),
        ]
    };
    block_on(async {
        let source = || Script::reading(b"abcd", interrupted());
        source().read_exact(&mut [0; 4]).await.unwrap();
        assert_eq!(source().read_u32().await.unwrap(), 0x6162_6364);
        source().read_to_end(&mut Vec::new()).await.unwrap();
        source()
            .read_to_end(&mut Vec::with_capacity(32))
            .await
            .unwrap();
        source().read_to_string(&mut String::new()).await.unwrap();
        let mut reader = BufReader::new(source());
        reader.read_until(b'd', &mut Vec::new()).await.unwrap();
        source().read(&mut [0; 4]).await.unwrap_err();

        for vectored in [false, true] {
            let mut sink = Script::writing(interrupted());
            sink.vectored = vectored;
            sink.write_all_buf(&mut &b"abcd"[..]).await.unwrap();
            sink.writes = interrupted().into();
            sink.write_all(b"efgh").await.unwrap();
            sink.writes = interrupted().into();
            sink.write_u16(0x6970).await.unwrap();
            assert_eq!(sink.written, b"abcdefghip");
            sink.writes = interrupted().into();
            sink.write(b"x").await.unwrap_err();
        }
    });
}
