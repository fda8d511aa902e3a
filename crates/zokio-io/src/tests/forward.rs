//! An adapter between a caller and a reader, writer or seeker passes on every call: nothing is
//! swallowed, split or answered on the way.

use super::block_on;
use super::script::Script;
use crate::{
    AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncSeek, AsyncSeekExt, AsyncWrite,
    AsyncWriteExt, BufReader, BufStream, BufWriter, ReadBuf,
};
use std::io::{self, Cursor, ErrorKind, IoSlice, SeekFrom};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

/// Three buffers, of which one is empty.
fn parts() -> [IoSlice<'static>; 3] {
    [b"ab", &b""[..], b"cd"].map(IoSlice::new)
}

/// Writes all at once, flushes and closes, and says whether `writer` calls itself vectored.
async fn use_writer<W: AsyncWrite + Unpin>(mut writer: W) -> bool {
    assert_eq!(writer.write_vectored(&parts()).await.unwrap(), 4);
    assert_eq!(writer.write(b"ef").await.unwrap(), 2);
    writer.flush().await.unwrap();
    writer.shutdown().await.unwrap();
    writer.is_write_vectored()
}

/// Checks the calls that arrived at `script` after [`use_writer`].
fn check(script: &Script) {
    assert_eq!(script.written, b"abcdef");
    assert_eq!((script.flushes, script.shutdowns), (1, 1));
}

#[test]
fn writers_behind_references_boxes_and_pins() {
    block_on(async {
        for vectored in [false, true] {
            let script = || Script {
                vectored,
                ..Script::default()
            };
            let mut here = script();
            assert_eq!(use_writer(&mut here).await, vectored);
            check(&here);

            let mut there = script();
            let boxed: Box<dyn AsyncWrite + Unpin + '_> = Box::new(&mut there);
            assert_eq!(use_writer(boxed).await, vectored);
            check(&there);

            let mut pinned = Box::pin(script());
            assert_eq!(use_writer(&mut pinned).await, vectored);
            check(&pinned);
            let mut twice = script();
            assert_eq!(use_writer(Pin::new(&mut twice)).await, vectored);
            check(&twice);

            let mut reader = BufReader::new(script());
            assert_eq!(use_writer(&mut reader).await, vectored);
            check(reader.get_ref());
            let mut join = crate::join(crate::empty(), script());
            assert_eq!(use_writer(&mut join).await, vectored);
            check(join.writer());
        }
    });
}

/// Knows [`AsyncWrite::poll_write`] only.
#[derive(Default)]
struct Plain(Vec<Vec<u8>>);

impl AsyncWrite for Plain {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().0.push(buf.to_vec());
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A writer that knows nothing of several buffers gets the first that is not empty.
#[test]
fn without_vectored_writes_the_first_buffer_is_written() {
    block_on(async {
        let mut plain = Plain::default();
        assert!(!plain.is_write_vectored());
        let bufs = [b"", &b"ab"[..], b"cd"].map(IoSlice::new);
        assert_eq!(plain.write_vectored(&bufs).await.unwrap(), 2);
        assert_eq!(plain.write_vectored(&bufs[..1]).await.unwrap(), 0);
        assert_eq!(plain.write_vectored(&[]).await.unwrap(), 0);
        assert_eq!(plain.0, [&b"ab"[..], b"", b""]);
    });
}

#[test]
fn memory_takes_several_buffers_as_far_as_there_is_room() {
    block_on(async {
        let mut short = [0; 3];
        let mut cursor = Cursor::new(&mut short[..]);
        assert!(cursor.is_write_vectored());
        assert_eq!(cursor.write_vectored(&parts()).await.unwrap(), 3);
        assert_eq!(cursor.write_vectored(&parts()).await.unwrap(), 0);
        assert_eq!(&short, b"abc");

        let mut boxed = Cursor::new(vec![0; 3].into_boxed_slice());
        assert!(boxed.is_write_vectored());
        assert_eq!(boxed.write_vectored(&parts()).await.unwrap(), 3);
        boxed.flush().await.unwrap();
        boxed.shutdown().await.unwrap();
        assert_eq!(&**boxed.get_ref(), b"abc");

        let mut owned = Cursor::new(vec![1, 2]);
        owned.set_position(1);
        assert!(owned.is_write_vectored());
        assert_eq!(owned.write_vectored(&parts()).await.unwrap(), 4);
        assert_eq!(owned.into_inner(), b"\x01abcd");

        let mut lent = vec![1, 2];
        let mut cursor = Cursor::new(&mut lent);
        assert!(cursor.is_write_vectored());
        cursor.set_position(2);
        assert_eq!(cursor.write_vectored(&parts()).await.unwrap(), 4);
        assert_eq!(lent, b"\x01\x02abcd");
    });
}

#[test]
fn nothing_and_the_sink_take_several_buffers_whole() {
    block_on(async {
        let (mut empty, mut sink) = (crate::empty(), crate::sink());
        assert!(empty.is_write_vectored() && sink.is_write_vectored());
        assert_eq!(empty.write_vectored(&parts()).await.unwrap(), 4);
        assert_eq!(sink.write_vectored(&parts()).await.unwrap(), 4);
        empty.flush().await.unwrap();
        empty.shutdown().await.unwrap();
        // Taking from nothing leaves nothing, however much is taken.
        empty.consume(100);
        assert!(empty.fill_buf().await.unwrap().is_empty());
        assert_eq!(empty.seek(SeekFrom::Start(7)).await.unwrap(), 0);
        assert_eq!(empty.stream_position().await.unwrap(), 0);
    });
}

/// Takes two bytes by its buffer and the next by a read.
async fn use_buffer<R: AsyncBufRead + Unpin>(mut reader: R) {
    assert_eq!(reader.fill_buf().await.unwrap(), b"hello");
    reader.consume(2);
    assert_eq!(reader.fill_buf().await.unwrap(), b"llo");
    assert_eq!(reader.read_u8().await.unwrap(), b'l');
}

#[test]
fn buffers_behind_references_pins_and_adapters() {
    block_on(async {
        let mut source = Cursor::new("hello");
        use_buffer(&mut source).await;
        assert_eq!(source.position(), 3);
        let mut boxed: Box<dyn AsyncBufRead + Unpin> = Box::new(Cursor::new("hello"));
        use_buffer(&mut boxed).await;
        assert_eq!(boxed.fill_buf().await.unwrap(), b"lo");
        use_buffer(Box::pin(Cursor::new("hello"))).await;
        use_buffer(crate::join(&b"hello"[..], crate::sink())).await;
        let reader = BufReader::new(Script::reading(b"hello", []));
        use_buffer(BufWriter::new(reader)).await;
        use_buffer(BufStream::new(Script::reading(b"hello", []))).await;
        use_buffer(b"hello".chain(&b"more"[..])).await;
        use_buffer(b"hello, world".take(5)).await;
    });
}

async fn use_seeker<S: AsyncSeek + Unpin>(mut seeker: S) {
    assert_eq!(seeker.seek(SeekFrom::Start(4)).await.unwrap(), 4);
    assert_eq!(seeker.seek(SeekFrom::Current(-1)).await.unwrap(), 3);
    assert_eq!(seeker.stream_position().await.unwrap(), 3);
    let error = seeker.seek(SeekFrom::Current(-4)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn seekers_behind_references_boxes_and_pins() {
    block_on(async {
        let asked = [
            SeekFrom::Start(4),
            SeekFrom::Current(-1),
            SeekFrom::Current(0),
            SeekFrom::Current(-4),
        ];
        let mut here = Script::default();
        use_seeker(&mut here).await;
        assert_eq!(here.seeks, asked);
        let mut boxed = Box::new(Script::default());
        use_seeker(&mut boxed).await;
        assert_eq!(boxed.seeks, asked);
        let mut pinned = Box::pin(Script::default());
        use_seeker(&mut pinned).await;
        assert_eq!(pinned.seeks, asked);
    });
}

/// A reader that fails.
struct Broken;

impl AsyncRead for Broken {
    fn poll_read(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        _buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(Err(ErrorKind::ConnectionReset.into()))
    }
}

/// A reader that waits for ever, and has failed.
struct Lost;

impl AsyncRead for Lost {
    fn poll_read(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        _buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_read_failure(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Error> {
        Poll::Ready(ErrorKind::ConnectionReset.into())
    }
}

impl AsyncWrite for Lost {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        _buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

/// The answer of `reader` to the question whether it has failed.
fn failure<R: AsyncRead>(reader: R) -> Option<ErrorKind> {
    let mut cx = Context::from_waker(Waker::noop());
    match pin!(reader).poll_read_failure(&mut cx) {
        Poll::Ready(error) => Some(error.kind()),
        Poll::Pending => None,
    }
}

#[test]
fn whether_the_source_has_failed_is_asked_through_every_adapter() {
    let reset = Some(ErrorKind::ConnectionReset);
    assert_eq!(failure(&mut Lost), reset);
    let boxed: Box<dyn AsyncRead + Unpin> = Box::new(Lost);
    assert_eq!(failure(boxed), reset);
    assert_eq!(failure(Box::pin(Lost)), reset);
    assert_eq!(failure(Pin::new(&mut Lost)), reset);
    assert_eq!(failure(BufReader::new(Lost)), reset);
    assert_eq!(failure(BufWriter::new(Lost)), reset);
    assert_eq!(failure(BufStream::new(Lost)), reset);
    assert_eq!(failure(crate::join(Lost, crate::sink())), reset);
    assert_eq!(failure(crate::split(Lost).0), reset);
    assert_eq!(failure(Lost.take(1)), reset);
    assert_eq!(failure(Lost.chain(Script::default())), reset);
    // Of a source that is not read any more, or not yet, nobody asks it.
    assert_eq!(failure(Lost.take(0)), None);
    assert_eq!(failure(Script::default().chain(Lost)), None);
    block_on(async {
        let mut chain = b"ab".chain(Lost);
        let mut buf = [0; 4];
        assert_eq!(chain.read(&mut buf).await.unwrap(), 2);
        assert_eq!(failure(&mut chain), None);
        std::future::poll_fn(|cx| {
            let read = Pin::new(&mut chain).poll_read(cx, &mut ReadBuf::new(&mut buf));
            assert!(read.is_pending());
            Poll::Ready(())
        })
        .await;
        assert_eq!(failure(&mut chain), reset);
    });
    // A descriptor that can only be read knows of no failure.
    assert_eq!(failure(&b"ab"[..]), None);
    assert_eq!(failure(crate::duplex(1).0), None);
}

#[test]
fn errors_of_the_source_come_through_every_adapter() {
    block_on(async {
        let kind = |result: io::Result<usize>| result.unwrap_err().kind();
        let mut buf = [0; 4];
        let reset = ErrorKind::ConnectionReset;
        assert_eq!(kind(BufReader::new(Broken).read(&mut buf).await), reset);
        assert_eq!(kind(Broken.take(9).read(&mut buf).await), reset);
        let mut chain = b"ab".chain(Broken);
        assert_eq!(chain.read(&mut buf).await.unwrap(), 2);
        assert_eq!(kind(chain.read(&mut buf).await), reset);
        let mut join = crate::join(Broken, crate::sink());
        assert_eq!(kind(join.read(&mut buf).await), reset);
        let mut reader = BufReader::new(Broken);
        assert_eq!(reader.fill_buf().await.unwrap_err().kind(), reset);
        assert_eq!(reader.lines().next_line().await.unwrap_err().kind(), reset);
    });
}
