//! Seeks of buffered readers, writers and streams: what is buffered is accounted for, and a seek that
//! has to wait or that fails leaves the rest usable.

use super::block_on;
use super::script::{Script, Step::*};
use crate::{
    AsyncReadExt, AsyncSeek, AsyncSeekExt, AsyncWrite, AsyncWriteExt, BufReader, BufStream,
    BufWriter,
};
use std::collections::VecDeque;
use std::io::{Cursor, ErrorKind, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// A source of ten digits whose seeks take these steps.
fn slow(arrivals: impl Into<VecDeque<super::script::Step>>) -> Script {
    Script {
        arrivals: arrivals.into(),
        ..Script::reading(b"0123456789", [])
    }
}

#[test]
fn a_seek_that_waits_is_begun_once() {
    block_on(async {
        let mut reader = BufReader::with_capacity(4, slow([Wait, Wait]));
        reader.read_u8().await.unwrap();
        // Three bytes are in the buffer.
        assert_eq!(reader.seek(SeekFrom::Current(2)).await.unwrap(), 3);
        assert_eq!(reader.get_ref().seeks, [SeekFrom::Current(-1)]);
        assert!(reader.buffer().is_empty());

        // In two steps, each of which waits.
        let mut reader = BufReader::with_capacity(4, slow([Wait, Pass(0), Wait]));
        reader.read_u8().await.unwrap();
        reader.seek(SeekFrom::Current(i64::MIN)).await.unwrap_err();
        let asked = [SeekFrom::Current(-3), SeekFrom::Current(i64::MIN)];
        assert_eq!(reader.get_ref().seeks, asked);
        assert_eq!(reader.get_ref().position, 1);
    });
}

#[test]
fn a_seek_that_fails_keeps_what_was_read_ahead() {
    block_on(async {
        let mut reader = BufReader::with_capacity(4, slow([Fail(ErrorKind::TimedOut)]));
        reader.read_u8().await.unwrap();
        let error = reader.seek(SeekFrom::Start(5)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(reader.buffer(), b"123");
        let error = reader.seek(SeekFrom::End(0)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(reader.read_u8().await.unwrap(), b'1');
    });
}

#[test]
fn the_position_is_known_without_a_seek() {
    let mut cx = Context::from_waker(Waker::noop());
    let mut reader = BufReader::with_capacity(4, slow([]));
    block_on(reader.read_u8()).unwrap();
    let position = Pin::new(&mut reader).poll_complete(&mut cx);
    assert!(matches!(position, Poll::Ready(Ok(1))), "{position:?}");
    assert_eq!(reader.buffer(), b"123");

    let mut writer = BufWriter::new(Script::default());
    block_on(writer.write_all(b"abc")).unwrap();
    let position = Pin::new(&mut writer).poll_complete(&mut cx);
    assert!(matches!(position, Poll::Ready(Ok(3))), "{position:?}");
    assert_eq!(writer.buffer(), b"abc");
}

#[test]
fn a_writer_seeks_behind_what_it_could_write() {
    block_on(async {
        let steps = [Pass(2), Fail(ErrorKind::TimedOut)];
        let mut writer = BufWriter::new(Script::writing(steps));
        writer.write_all(b"hello").await.unwrap();
        // The buffer cannot be written: there is no seek, and nothing is lost.
        let error = writer.seek(SeekFrom::Start(9)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(writer.buffer(), b"llo");
        assert!(writer.get_ref().seeks.is_empty());
        assert_eq!(writer.seek(SeekFrom::Start(9)).await.unwrap(), 9);
        assert_eq!(writer.get_ref().written, b"hello");
        assert_eq!(writer.get_ref().seeks, [SeekFrom::Start(9)]);
    });
}

#[test]
fn a_writer_waits_for_a_seek_that_is_in_progress() {
    block_on(async {
        let script = Script {
            arrivals: [Wait, Pass(0), Wait].into(),
            ..Script::default()
        };
        let mut writer = BufWriter::new(script);
        writer.write_all(b"ab").await.unwrap();
        assert_eq!(writer.seek(SeekFrom::Current(5)).await.unwrap(), 7);
        assert_eq!(writer.get_ref().seeks, [SeekFrom::Current(5)]);
        // The one in progress has failed.
        writer.get_mut().arrivals.push_back(Fail(ErrorKind::Other));
        writer.seek(SeekFrom::Start(1)).await.unwrap_err();
        assert_eq!(writer.get_ref().seeks.len(), 1);
        // One that cannot be begun.
        let error = writer.seek(SeekFrom::End(0)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(writer.stream_position().await.unwrap(), 7);
    });
}

#[test]
fn a_stream_writes_one_buffer_and_empties_the_other() {
    block_on(async {
        let file = Cursor::new(b"0123456789".to_vec());
        let mut stream = BufStream::with_capacity(4, 4, file);
        assert!(stream.is_write_vectored());
        assert_eq!(stream.read_u8().await.unwrap(), b'0');
        // Four bytes were read, one of them is taken.
        assert_eq!(stream.seek(SeekFrom::Current(1)).await.unwrap(), 2);
        let bufs = [b"a", &b"b"[..]].map(std::io::IoSlice::new);
        assert_eq!(stream.write_vectored(&bufs).await.unwrap(), 2);
        assert_eq!(stream.get_ref().get_ref(), b"0123456789");
        assert_eq!(stream.stream_position().await.unwrap(), 4);
        assert_eq!(stream.get_ref().get_ref(), b"01ab456789");
        assert_eq!(stream.seek(SeekFrom::End(-1)).await.unwrap(), 9);
        assert_eq!(stream.read_u8().await.unwrap(), b'9');
        stream.rewind().await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'0');
        stream.seek(SeekFrom::Current(-2)).await.unwrap_err();
    });
}
