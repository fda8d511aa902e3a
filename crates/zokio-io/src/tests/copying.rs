//! Copying one way and both ways.

use super::block_on;
use super::script::{Script, Step::*};
use crate::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};
use crate::{
    AsyncReadExt, AsyncWriteExt, BufReader, BufWriter, copy, copy_bidirectional, copy_buf,
};
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

#[test]
fn everything_is_copied_through_waits_and_parts() {
    block_on(async {
        let data: Vec<u8> = (0..30_000u32).map(|at| at as u8).collect();
        let mut reader = Script::reading(&data, [Pass(3), Wait, Pass(9_000), Wait]);
        let mut writer = Script::writing([Pass(1), Wait, Wait, Pass(2), Wait]);
        assert_eq!(copy(&mut reader, &mut writer).await.unwrap(), 30_000);
        assert_eq!(writer.written, data);
        assert!(writer.flushes >= 1);

        let reader = Script::reading(&data, [Pass(3), Wait, Pass(9_000), Wait]);
        let mut writer = Script::writing([Pass(1), Wait, Wait, Pass(2), Wait]);
        let mut reader = BufReader::with_capacity(100, reader);
        assert_eq!(copy_buf(&mut reader, &mut writer).await.unwrap(), 30_000);
        assert_eq!(writer.written, data);
        assert!(writer.flushes >= 1);
    });
}

#[test]
fn errors_end_a_copy() {
    block_on(async {
        let mut reader = Script::reading(b"abc", [Pass(1), Fail(ErrorKind::TimedOut)]);
        let error = copy(&mut reader, &mut Vec::new()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let mut writer = Script::writing([Pass(0)]);
        let error = copy(&mut &b"abc"[..], &mut writer).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WriteZero);
        let mut writer = Script::writing([Pass(1), Pass(0)]);
        let mut reader: &[u8] = b"abc";
        let error = copy_buf(&mut reader, &mut writer).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WriteZero);
        assert_eq!(reader, b"bc");
    });
}

/// The other side sends more only once it got what was sent: a copy into a writer that buffers must
/// flush while it waits.
#[test]
fn a_copy_that_waits_has_flushed() {
    block_on(async {
        for buffered_source in [false, true] {
            let (mut client, server) = crate::duplex(1_024);
            let (mut reader, writer) = crate::split(server);
            let mut writer = BufWriter::new(writer);
            client.write_all(b"ping").await.unwrap();
            let echo = async {
                if buffered_source {
                    copy_buf(&mut BufReader::new(reader), &mut writer).await
                } else {
                    copy(&mut reader, &mut writer).await
                }
            };
            let mut echo = std::pin::pin!(echo);
            let polled = std::future::poll_fn(|cx| Poll::Ready(echo.as_mut().poll(cx))).await;
            assert!(polled.is_pending());
            let mut word = [0; 4];
            client.read_exact(&mut word).await.unwrap();
            assert_eq!(&word, b"ping");
        }
    });
}

#[test]
fn both_ways_end_each_for_itself() {
    block_on(async {
        let mut a = Script::reading(b"from a", [Pass(2), Wait, Wait]);
        let mut b = Script::reading(b"from b!", [Wait, Pass(1)]);
        assert_eq!(copy_bidirectional(&mut a, &mut b).await.unwrap(), (6, 7));
        assert_eq!(a.written, b"from b!");
        assert_eq!(b.written, b"from a");
        assert_eq!((a.shutdowns, b.shutdowns), (1, 1));
        let mut a = Script::reading(b"from a", []);
        let mut b = Script::reading(b"", [Fail(ErrorKind::ConnectionReset)]);
        copy_bidirectional(&mut a, &mut b).await.unwrap_err();
    });
}

#[test]
fn what_was_interrupted_is_tried_again() {
    let interrupted = [Pass(1), Fail(ErrorKind::Interrupted), Pass(1)];
    block_on(async {
        let mut reader = Script::reading(b"abc", interrupted.clone());
        let mut writer = Script::writing(interrupted.clone());
        assert_eq!(copy(&mut reader, &mut writer).await.unwrap(), 3);
        let mut reader = BufReader::new(Script::reading(b"abc", interrupted.clone()));
        let mut writer = Script::writing(interrupted);
        assert_eq!(copy_buf(&mut reader, &mut writer).await.unwrap(), 3);
        assert_eq!(writer.written, b"abc");
    });
}

#[test]
#[should_panic(expected = "`b_to_a_buf_size` must be greater than 0")]
fn a_copy_without_a_buffer_panics() {
    let (mut a, mut b) = (Script::default(), Script::default());
    let copy = crate::copy_bidirectional_with_sizes(&mut a, &mut b, 1, 0);
    let _ = block_on(copy);
}

/// A reader of endless bytes that counts how often it was asked whether it has failed.
#[derive(Default)]
struct Doubtful {
    asked: usize,
    has_failed: bool,
    /// After so many bytes it ends.
    left: Option<usize>,
}

impl AsyncRead for Doubtful {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let count = buf.remaining().min(self.left.unwrap_or(usize::MAX));
        buf.put_slice(&vec![7; count]);
        self.left = self.left.map(|left| left - count);
        Poll::Ready(Ok(()))
    }

    fn poll_read_failure(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Error> {
        self.asked += 1;
        if self.has_failed {
            Poll::Ready(ErrorKind::ConnectionReset.into())
        } else {
            Poll::Pending
        }
    }
}

impl AsyncBufRead for Doubtful {
    fn poll_fill_buf(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Poll::Ready(Ok(b"more"))
    }

    fn consume(self: Pin<&mut Self>, _amt: usize) {}
}

impl AsyncWrite for Doubtful {
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

/// The kind of the error that `copy` ends with at its first poll, if it does.
async fn first_poll<T>(copy: impl Future<Output = io::Result<T>>) -> Option<ErrorKind> {
    let mut copy = pin!(copy);
    poll_fn(|cx| {
        Poll::Ready(match copy.as_mut().poll(cx) {
            Poll::Ready(result) => Some(result.err().expect("nothing ends here").kind()),
            Poll::Pending => None,
        })
    })
    .await
}

#[test]
fn a_reader_that_fails_while_the_writer_waits_ends_a_copy() {
    block_on(async {
        for has_failed in [false, true] {
            let ends = has_failed.then_some(ErrorKind::ConnectionReset);
            let doubtful = || Doubtful {
                has_failed,
                ..Doubtful::default()
            };
            let (mut reader, mut writer) = (doubtful(), Doubtful::default());
            assert_eq!(first_poll(copy(&mut reader, &mut writer)).await, ends);
            assert_eq!((reader.asked, writer.asked), (1, 0));
            let mut reader = doubtful();
            assert_eq!(first_poll(copy_buf(&mut reader, &mut writer)).await, ends);
            assert_eq!(reader.asked, 1);
            let (mut a, mut b) = (Doubtful::default(), doubtful());
            assert_eq!(first_poll(copy_bidirectional(&mut a, &mut b)).await, ends);
            assert_eq!((a.asked, b.asked), (1, 1));
        }
    });
}

/// A reader that has ended is not asked: what came before its end is to be written, whatever happens to it.
#[test]
fn a_reader_that_has_ended_cannot_fail_any_more() {
    block_on(async {
        let mut reader = Doubtful {
            has_failed: true,
            left: Some(100),
            ..Doubtful::default()
        };
        let mut writer = Doubtful::default();
        assert_eq!(first_poll(copy(&mut reader, &mut writer)).await, None);
        assert_eq!(reader.asked, 0);
    });
}
