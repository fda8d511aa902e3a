//! Readers and writers over streams that do what the test says.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // Locks and channels of the standard library.

use super::{Input, MAX_BUF_SIZE, Output, Reader, Writer};
use crate::runtime::Builder;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::sync::{Mutex, mpsc};
use std::task::{Context, Waker};
use std::time::Duration;
use zokio_driver::bell::Bell;
use zokio_io::ReadBuf;

/// The answer of the stream when it is asked.
enum Step {
    Bytes(&'static [u8]),
    Fail(ErrorKind),
    Panic,
}

/// Does one step after the other; later, and for what is no step, it is at its end.
#[derive(Default)]
struct Scripted {
    steps: Mutex<VecDeque<Step>>,
    written: Mutex<Vec<u8>>,
    waits: Mutex<usize>,
}

impl Scripted {
    fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            steps: Mutex::new(steps.into_iter().collect()),
            written: Mutex::default(),
            waits: Mutex::default(),
        }
    }

    fn step(&self) -> io::Result<&'static [u8]> {
        let step = self.steps.lock().unwrap().pop_front();
        match step {
            Some(Step::Bytes(bytes)) => Ok(bytes),
            Some(Step::Fail(kind)) => Err(kind.into()),
            Some(Step::Panic) => panic!("as the test says"),
            None => Ok(&[]),
        }
    }
}

impl Input for Scripted {
    fn read(&self, buf: &mut [u8], _bell: &Bell) -> io::Result<usize> {
        let bytes = self.step()?;
        buf[..bytes.len()].copy_from_slice(bytes);
        Ok(bytes.len())
    }
}

impl Output for Scripted {
    fn write(&self, buf: &[u8]) -> io::Result<usize> {
        // A script's bytes are how much is taken; otherwise it is all.
        let taken = match self.step()?.len() {
            0 => buf.len(),
            some => some,
        };
        self.written
            .lock()
            .unwrap()
            .extend_from_slice(&buf[..taken]);
        Ok(taken)
    }

    fn flush(&self) -> io::Result<()> {
        self.step().map(drop)
    }

    fn wait(&self) {
        *self.waits.lock().unwrap() += 1;
    }
}

fn run(test: impl Future<Output = ()>) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        crate::time::timeout(Duration::from_secs(20), test)
            .await
            .expect("the test hangs");
    });
}

async fn read(reader: &mut Reader<Scripted>) -> io::Result<Vec<u8>> {
    let mut room = [0; 16];
    let mut buf = ReadBuf::new(&mut room);
    poll_fn(|cx| reader.poll_read(cx, &mut buf)).await?;
    Ok(buf.filled().to_vec())
}

async fn write(writer: &mut Writer<Scripted>, bytes: &[u8]) -> io::Result<usize> {
    poll_fn(|cx| writer.poll_write(cx, bytes)).await
}

async fn flush(writer: &mut Writer<Scripted>) -> io::Result<()> {
    poll_fn(|cx| writer.poll_flush(cx)).await
}

#[test]
fn a_read_that_a_signal_has_interrupted_is_repeated() {
    run(async {
        let interrupted = || Step::Fail(ErrorKind::Interrupted);
        let steps = [interrupted(), interrupted(), Step::Bytes(b"abc")];
        let mut reader = Reader::new(Scripted::new(steps));
        assert_eq!(read(&mut reader).await.unwrap(), b"abc");
        assert_eq!(read(&mut reader).await.unwrap(), b"");
    });
}

#[test]
fn a_failure_is_told_once_and_the_stream_goes_on() {
    run(async {
        let steps = [Step::Fail(ErrorKind::TimedOut), Step::Bytes(b"abc")];
        let mut reader = Reader::new(Scripted::new(steps));
        let error = read(&mut reader).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(read(&mut reader).await.unwrap(), b"abc");
        let steps = [Step::Fail(ErrorKind::TimedOut), Step::Bytes(b"")];
        let mut writer = Writer::new(Scripted::new(steps));
        assert_eq!(write(&mut writer, b"lost").await.unwrap(), 4);
        let error = write(&mut writer, b"refused").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(write(&mut writer, b"kept").await.unwrap(), 4);
        flush(&mut writer).await.unwrap();
        assert_eq!(*writer.get_ref().written.lock().unwrap(), b"kept");
    });
}

#[test]
fn a_stream_that_would_block_is_waited_for_and_gets_each_byte_once() {
    run(async {
        let full = || Step::Fail(ErrorKind::WouldBlock);
        let steps = [
            full(),
            Step::Bytes(b"??"),
            full(),
            full(),
            Step::Bytes(b"?"),
        ];
        let rest = [Step::Bytes(b""), full(), Step::Bytes(b"")];
        let mut writer = Writer::new(Scripted::new(steps.into_iter().chain(rest)));
        assert_eq!(write(&mut writer, b"hello").await.unwrap(), 5);
        // The flush would block as well, once.
        flush(&mut writer).await.unwrap();
        assert_eq!(*writer.get_ref().written.lock().unwrap(), b"hello");
        assert_eq!(*writer.get_ref().waits.lock().unwrap(), 4);
    });
}

#[test]
fn a_panic_of_the_stream_is_an_error_and_the_stream_goes_on() {
    run(async {
        let mut reader = Reader::new(Scripted::new([Step::Panic, Step::Bytes(b"abc")]));
        let error = read(&mut reader).await.unwrap_err();
        assert_eq!(error.to_string(), "background task failed");
        assert_eq!(read(&mut reader).await.unwrap(), b"abc");
        let mut writer = Writer::new(Scripted::new([Step::Panic]));
        assert_eq!(write(&mut writer, b"lost").await.unwrap(), 4);
        let error = flush(&mut writer).await.unwrap_err();
        assert_eq!(error.to_string(), "background task failed");
        assert_eq!(write(&mut writer, b"kept").await.unwrap(), 4);
        flush(&mut writer).await.unwrap();
        assert_eq!(*writer.get_ref().written.lock().unwrap(), b"kept");
    });
}

#[test]
fn what_the_pool_did_not_begin_before_it_was_shut_down_is_an_error() {
    let mut builder = Builder::new_current_thread();
    builder.max_blocking_threads(1).reserved_blocking_threads(0);
    let runtime = builder.build().unwrap();
    let (release, is_released) = mpsc::channel::<()>();
    let mut reader = Reader::new(Scripted::new([Step::Bytes(b"never")]));
    let mut writer = Writer::new(Scripted::default());
    runtime.block_on(async {
        crate::task::spawn_blocking(move || {
            let _ = is_released.recv();
        });
        // Both wait for the only thread.
        let mut cx = Context::from_waker(Waker::noop());
        let mut room = [0; 4];
        let polled = reader.poll_read(&mut cx, &mut ReadBuf::new(&mut room));
        assert!(polled.is_pending());
        assert_eq!(write(&mut writer, b"never").await.unwrap(), 5);
    });
    runtime.shutdown_background();
    drop(release);
    run(async {
        let error = read(&mut reader).await.unwrap_err();
        assert!(zokio_runtime::is_rt_shutdown_err(&error), "{error}");
        let error = flush(&mut writer).await.unwrap_err();
        assert!(zokio_runtime::is_rt_shutdown_err(&error), "{error}");
        assert!(writer.get_ref().written.lock().unwrap().is_empty());
    });
}

#[test]
fn nothing_to_be_read_or_written_starts_nothing() {
    run(async {
        let mut reader = Reader::new(Scripted::new([Step::Panic]));
        poll_fn(|cx| reader.poll_read(cx, &mut ReadBuf::new(&mut [])))
            .await
            .unwrap();
        let mut writer = Writer::new(Scripted::new([Step::Panic]));
        assert_eq!(write(&mut writer, b"").await.unwrap(), 0);
        flush(&mut writer).await.unwrap();
    });
}

#[test]
fn a_write_takes_as_much_as_one_job_moves_and_text_no_half_of_a_character() {
    run(async {
        let mut writer = Writer::new(Scripted::default());
        let large = vec![b'x'; MAX_BUF_SIZE + 7];
        assert_eq!(write(&mut writer, &large).await.unwrap(), MAX_BUF_SIZE);
        flush(&mut writer).await.unwrap();
        assert_eq!(writer.get_ref().written.lock().unwrap().len(), MAX_BUF_SIZE);
        let mut text = vec![b'x'; MAX_BUF_SIZE - 1];
        text.extend("ß".as_bytes());
        let mut writer = Writer::new(Scripted::default());
        let taken = poll_fn(|cx| writer.poll_write_text(cx, &text)).await;
        assert_eq!(taken.unwrap(), MAX_BUF_SIZE - 1);
        let taken = poll_fn(|cx| writer.poll_write_text(cx, &text[MAX_BUF_SIZE - 1..])).await;
        assert_eq!(taken.unwrap(), 2);
        flush(&mut writer).await.unwrap();
        assert_eq!(*writer.get_ref().written.lock().unwrap(), text);
    });
}
