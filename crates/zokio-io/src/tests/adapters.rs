//! Buffers, chains, limits, and sources and sinks of nothing.

use super::block_on;
use super::script::{Script, Step::*};
use crate::{
    AsyncBufReadExt, AsyncReadExt, AsyncSeekExt, AsyncWrite, AsyncWriteExt, BufReader, BufStream,
    BufWriter,
};
use std::io::{Cursor, ErrorKind, IoSlice, SeekFrom};

#[test]
fn a_chain_reads_one_after_the_other() {
    block_on(async {
        let mut chain = b"one".chain(&b"two"[..]);
        let mut empty: [u8; 0] = [];
        assert_eq!(chain.read(&mut empty).await.unwrap(), 0);
        let mut text = String::new();
        chain.read_line(&mut text).await.unwrap();
        assert_eq!(text, "onetwo");
        assert_eq!(chain.get_ref().0.len(), 0);
        let (first, second) = chain.into_inner();
        assert!(first.is_empty() && second.is_empty());
    });
}

#[test]
fn a_limit_holds_for_reads_and_buffers() {
    block_on(async {
        let mut take = b"hello, world".take(5);
        let mut buf = [0; 3];
        take.read_exact(&mut buf).await.unwrap();
        assert_eq!(take.limit(), 2);
        assert_eq!(take.fill_buf().await.unwrap(), b"lo");
        take.consume(1);
        assert_eq!(take.limit(), 1);
        take.consume(100);
        assert_eq!(take.limit(), 0);
        assert!(take.fill_buf().await.unwrap().is_empty());
        take.set_limit(u64::MAX);
        let mut text = String::new();
        take.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, ", world");
        assert!(take.into_inner().is_empty());
    });
}

#[test]
fn large_reads_go_around_the_buffer() {
    block_on(async {
        let mut reader = BufReader::with_capacity(4, &b"hello, world"[..]);
        let mut small = [0; 2];
        reader.read_exact(&mut small).await.unwrap();
        assert_eq!(reader.buffer(), b"ll");
        let mut large = [0; 8];
        assert_eq!(reader.read(&mut large).await.unwrap(), 2);
        assert_eq!(reader.read(&mut large).await.unwrap(), 8);
        assert!(reader.buffer().is_empty());
    });
}

#[test]
fn seeking_accounts_for_the_buffer() {
    block_on(async {
        let mut reader = BufReader::with_capacity(4, Cursor::new(b"0123456789"));
        assert_eq!(reader.read_u8().await.unwrap(), b'0');
        assert_eq!(reader.seek(SeekFrom::Current(1)).await.unwrap(), 2);
        assert!(reader.buffer().is_empty());
        assert_eq!(reader.read_u8().await.unwrap(), b'2');
        assert_eq!(reader.stream_position().await.unwrap(), 3);
        assert_eq!(reader.seek(SeekFrom::End(-1)).await.unwrap(), 9);
        assert_eq!(reader.read_u8().await.unwrap(), b'9');
        reader.seek(SeekFrom::Current(i64::MIN)).await.unwrap_err();
        // A seek that failed is over.
        assert_eq!(reader.seek(SeekFrom::Start(1)).await.unwrap(), 1);
        assert_eq!(reader.read_u8().await.unwrap(), b'1');
    });
}

#[test]
fn a_seek_that_does_not_fit_goes_in_two_steps() {
    block_on(async {
        let mut reader = BufReader::new(Script::reading(b"0123456789", []));
        reader.read_u8().await.unwrap();
        reader.seek(SeekFrom::Current(i64::MIN)).await.unwrap_err();
        let steps = &reader.get_ref().seeks;
        assert_eq!(
            steps[..],
            [SeekFrom::Current(-9), SeekFrom::Current(i64::MIN)]
        );
        assert!(reader.buffer().is_empty());
    });
}

#[test]
#[should_panic(expected = "must be greater than zero")]
fn a_buffer_of_nothing_panics() {
    let _ = BufReader::with_capacity(0, crate::empty());
}

#[test]
fn small_writes_are_gathered_and_large_ones_are_not() {
    block_on(async {
        let mut writer = BufWriter::with_capacity(4, Script::default());
        writer.write_all(b"ab").await.unwrap();
        assert_eq!(writer.buffer(), b"ab");
        writer.write_all(b"cde").await.unwrap();
        assert_eq!(writer.get_ref().written, b"ab");
        writer.write_all(b"large").await.unwrap();
        assert_eq!(writer.get_ref().written, b"abcdelarge");
        writer.write_all(b"x").await.unwrap();
        writer.shutdown().await.unwrap();
        assert_eq!(writer.get_ref().written, b"abcdelargex");
        assert_eq!(writer.get_ref().shutdowns, 1);
    });
}

#[test]
fn a_flush_goes_on_where_it_failed() {
    block_on(async {
        let steps = [
            Pass(2),
            Fail(ErrorKind::TimedOut),
            Wait,
            Fail(ErrorKind::Interrupted),
            Pass(0),
        ];
        let mut writer = BufWriter::new(Script::writing(steps));
        writer.write_all(b"hello").await.unwrap();
        writer.flush().await.unwrap_err();
        assert_eq!(writer.buffer(), b"llo");
        assert_eq!(
            writer.flush().await.unwrap_err().kind(),
            ErrorKind::WriteZero
        );
        writer.flush().await.unwrap();
        assert_eq!(writer.get_ref().written, b"hello");
        assert_eq!(writer.get_ref().flushes, 1);
    });
}

#[test]
fn vectored_writes_are_gathered() {
    block_on(async {
        for vectored in [false, true] {
            let sink = Script {
                vectored,
                ..Script::default()
            };
            let mut writer = BufWriter::with_capacity(8, sink);
            let small = [IoSlice::new(b""), IoSlice::new(b"ab"), IoSlice::new(b"c")];
            assert_eq!(writer.write_vectored(&small).await.unwrap(), 3);
            assert_eq!(writer.buffer(), b"abc");
            let large = [IoSlice::new(b"0123456789"), IoSlice::new(b"!")];
            let taken = writer.write_vectored(&large).await.unwrap();
            assert_eq!(taken, if vectored { 11 } else { 10 });
            assert!(writer.buffer().is_empty());
            assert_eq!(writer.get_ref().written.len(), 3 + taken);
            assert_eq!(writer.write_vectored(&[]).await.unwrap(), 0);
            assert!(AsyncWrite::is_write_vectored(&writer));
        }
    });
}

#[test]
fn a_seek_writes_the_buffer_first() {
    block_on(async {
        let mut writer = BufWriter::new(Cursor::new(Vec::new()));
        writer.write_all(b"hello").await.unwrap();
        assert_eq!(writer.seek(SeekFrom::Start(1)).await.unwrap(), 1);
        writer.write_all(b"EL").await.unwrap();
        assert_eq!(writer.stream_position().await.unwrap(), 3);
        assert_eq!(writer.into_inner().into_inner(), b"hELlo");
    });
}

#[test]
fn a_stream_keeps_both_buffers_when_it_is_made() {
    block_on(async {
        let mut reader = BufReader::new(Script::reading(b"hello", []));
        reader.read_u8().await.unwrap();
        let mut writer = BufWriter::new(reader);
        writer.write_all(b"out").await.unwrap();
        let mut stream = BufStream::from(writer);
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        stream.flush().await.unwrap();
        assert_eq!(text, "ello");
        assert_eq!(stream.get_ref().written, b"out");
        assert!(format!("{stream:?}").starts_with("BufStream"));
    });
}

#[test]
fn nothing_is_empty_and_takes_everything() {
    block_on(async {
        let mut nothing = crate::empty();
        assert_eq!(nothing.read(&mut [0; 4]).await.unwrap(), 0);
        assert_eq!(nothing.write(b"abc").await.unwrap(), 3);
        assert_eq!(nothing.seek(SeekFrom::End(9)).await.unwrap(), 0);
        let bufs = [IoSlice::new(b"ab"), IoSlice::new(b"c")];
        assert_eq!(crate::sink().write_vectored(&bufs).await.unwrap(), 3);
        let mut buf = [0; 3];
        assert_eq!(crate::repeat(7).read(&mut buf).await.unwrap(), 3);
        assert_eq!(buf, [7; 3]);
        assert_eq!(
            format!("{:?} {:?}", crate::empty(), crate::sink()),
            "Empty { .. } Sink { .. }"
        );
    });
}

#[test]
fn a_join_reads_here_and_writes_there() {
    block_on(async {
        let mut join = crate::join(&b"in"[..], Vec::new());
        assert_eq!(join.fill_buf().await.unwrap(), b"in");
        join.write_all(b"out").await.unwrap();
        assert_eq!(join.writer(), b"out");
        assert_eq!(join.reader().len(), 2);
        join.writer_mut().clear();
        assert!(AsyncWrite::is_write_vectored(&join));
        assert!(join.into_inner().1.is_empty());
    });
}
