//! The standard streams. Each test starts this program again, to have streams of its own: the part to
//! play is in the environment, and what libtest says is left out by marks around what the part says.
#![cfg(unix)]
#![allow(unsafe_code)] // Flags of descriptors.

use std::io::{ErrorKind, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::process::Stdio;
use std::time::Duration;
use zokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, stderr, stdin, stdout};
use zokio::process::Command;
use zokio::runtime::{Builder, Runtime};
use zokio::time::timeout;

const PART: &str = "ZOKIO_TEST_PART";
const BEGIN: &[u8] = b"<<begin>>";
const END: &[u8] = b"<<end>>";
const PATIENCE: Duration = Duration::from_secs(20);
const SIZE: usize = 5_000_000;

fn runtimes() -> [Runtime; 2] {
    [
        Builder::new_current_thread().enable_all().build().unwrap(),
        Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap(),
    ]
}

fn part(name: &str, flavour: usize) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "the_part", "--nocapture"]);
    command.env(PART, format!("{name} {flavour}"));
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.kill_on_drop(true);
    command
}

/// Plays `name` in a process of its own with `input`, and returns what it said between the marks, and
/// what to its standard error.
fn play(name: &str, input: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let results = runtimes()
        .into_iter()
        .enumerate()
        .map(|(flavour, runtime)| {
            let input = input.to_vec();
            runtime.block_on(async {
                let mut child = part(name, flavour).spawn().unwrap();
                let mut stdin = child.stdin.take().unwrap();
                let writer = zokio::spawn(async move { stdin.write_all(&input).await });
                let output = timeout(PATIENCE, child.wait_with_output())
                    .await
                    .unwrap()
                    .unwrap();
                let _ = writer.await.unwrap();
                assert!(
                    output.status.success(),
                    "{}",
                    String::from_utf8_lossy(&output.stderr)
                );
                (between_marks(&output.stdout), output.stderr)
            })
        });
    results.collect()
}

fn find(text: &[u8], mark: &[u8]) -> usize {
    let mut windows = text.windows(mark.len());
    windows
        .position(|window| window == mark)
        .expect("there are marks")
}

fn between_marks(text: &[u8]) -> Vec<u8> {
    let text = &text[find(text, BEGIN) + BEGIN.len()..];
    text[..find(text, END)].to_vec()
}

fn pattern() -> Vec<u8> {
    (0..SIZE).map(|byte| (byte % 251) as u8).collect()
}

/// Not a test unless somebody asks for a part.
#[test]
fn the_part() {
    let Ok(part) = std::env::var(PART) else {
        return;
    };
    let (name, flavour) = part.split_once(' ').unwrap();
    let [single, multi] = runtimes();
    let runtime = if flavour == "0" { single } else { multi };
    runtime.block_on(async {
        let mut out = stdout();
        out.write_all(BEGIN).await.unwrap();
        out.flush().await.unwrap();
        match name {
            "copy" => copy().await,
            "lines" => lines().await,
            "patience" => patience().await,
            "broken" => broken().await,
            "order" => order().await,
            "pending" => pending().await,
            "unblocking" => unblocking().await,
            "given_up" => given_up().await,
            "bytes" => bytes().await,
            other => panic!("no such part: {other}"),
        }
        out.write_all(END).await.unwrap();
        out.flush().await.unwrap();
    });
    runtime.shutdown_background();
}

async fn copy() {
    let mut out = stdout();
    let copied = zokio::io::copy(&mut stdin(), &mut out).await.unwrap();
    assert_eq!(copied, SIZE as u64);
    out.flush().await.unwrap();
    let mut err = stderr();
    err.write_all(b"copied").await.unwrap();
    err.write_all(b".").await.unwrap();
    err.shutdown().await.unwrap();
}

#[test]
fn large_data_passes_through() {
    let expected = pattern();
    for (said, errors) in play("copy", &expected) {
        assert!(said == expected);
        assert!(errors.ends_with(b"copied."));
    }
}

async fn lines() {
    let mut lines = BufReader::new(stdin()).lines();
    let mut out = stdout();
    while let Some(line) = lines.next_line().await.unwrap() {
        out.write_all(line.to_uppercase().as_bytes()).await.unwrap();
        out.write_all(b"/").await.unwrap();
    }
    // The end stays the end.
    assert_eq!(lines.next_line().await.unwrap(), None);
    out.flush().await.unwrap();
}

#[test]
fn lines_are_read_to_the_last() {
    for (said, _) in play("lines", b"one\n\ntwo\nthree") {
        assert_eq!(said, b"ONE//TWO/THREE/");
    }
}

async fn order() {
    let mut out = stdout();
    for round in 0..20 {
        print!("{round}");
        out.write_all(b",").await.unwrap();
        out.flush().await.unwrap();
        // Nothing to be flushed.
        out.flush().await.unwrap();
    }
}

#[test]
fn it_is_the_stream_that_print_writes_to() {
    let expected: String = (0..20).map(|round| format!("{round},")).collect();
    for (said, _) in play("order", b"") {
        assert_eq!(said, expected.as_bytes());
    }
}

/// Gives up reading, again and again, while nothing comes; then loses nothing.
async fn patience() {
    let mut input = stdin();
    let mut byte = [0; 1];
    for _ in 0..5 {
        let early = timeout(Duration::from_millis(5), input.read(&mut byte)).await;
        assert!(early.is_err());
    }
    let mut out = stdout();
    out.write_all(b"go").await.unwrap();
    out.write_all(END).await.unwrap();
    out.flush().await.unwrap();
    let mut all = String::new();
    input.read_to_string(&mut all).await.unwrap();
    assert_eq!(all, "hello");
    // A buffer without room reads nothing.
    assert_eq!(input.read(&mut []).await.unwrap(), 0);
}

#[test]
fn a_dropped_read_loses_nothing() {
    for (flavour, runtime) in runtimes().into_iter().enumerate() {
        runtime.block_on(async {
            let mut child = part("patience", flavour).spawn().unwrap();
            let mut said = Vec::new();
            let mut output = child.stdout.take().unwrap();
            while !said.ends_with(END) {
                assert_ne!(output.read_buf(&mut said).await.unwrap(), 0);
            }
            let mut input = child.stdin.take().unwrap();
            input.write_all(b"hel").await.unwrap();
            zokio::time::sleep(Duration::from_millis(10)).await;
            input.write_all(b"lo").await.unwrap();
            drop(input);
            output.read_to_end(&mut said).await.unwrap();
            let status = timeout(PATIENCE, child.wait()).await.unwrap().unwrap();
            assert!(status.success(), "{}", String::from_utf8_lossy(&said));
        });
    }
}

/// The reader is gone after the mark.
async fn broken() {
    stdin().read_exact(&mut [0; 1]).await.unwrap();
    let mut out = stdout();
    // The write is reported as done; what became of it comes later, once.
    out.write_all(&[b'x'; 100_000]).await.unwrap();
    let error = out.flush().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    out.write_all(b"lost\n").await.unwrap();
    let error = out.write_all(b"lost\n").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    std::io::stderr().write_all(b"as expected").unwrap();
    // The messages of libtest have no way out.
    std::process::exit(0);
}

#[test]
fn an_error_is_told_by_the_next_call() {
    for (flavour, runtime) in runtimes().into_iter().enumerate() {
        runtime.block_on(async {
            let mut child = part("broken", flavour).spawn().unwrap();
            let mut said = Vec::new();
            let mut output = child.stdout.take().unwrap();
            while !said.ends_with(BEGIN) {
                assert_ne!(output.read_buf(&mut said).await.unwrap(), 0);
            }
            drop(output);
            child.stdin.as_mut().unwrap().write_all(b"!").await.unwrap();
            let output = timeout(PATIENCE, child.wait_with_output())
                .await
                .unwrap()
                .unwrap();
            assert!(output.stderr.ends_with(b"as expected"), "{output:?}");
        });
    }
}

/// A read that is not over does not keep a program from ending.
async fn pending() {
    let reading = zokio::spawn(async { stdin().read(&mut [0; 1]).await });
    zokio::time::sleep(Duration::from_millis(10)).await;
    assert!(!reading.is_finished());
}

#[test]
fn shutting_down_in_the_background_does_not_wait_for_input() {
    for (flavour, runtime) in runtimes().into_iter().enumerate() {
        runtime.block_on(async {
            let mut child = part("pending", flavour).spawn().unwrap();
            let _open = child.stdin.take();
            let status = timeout(PATIENCE, child.wait()).await.unwrap().unwrap();
            assert!(status.success());
        });
    }
}

/// Somebody has set the streams not to block: all bytes pass, and no error is seen.
async fn unblocking() {
    for fd in 0..3 {
        // SAFETY: sets the flags of an open descriptor.
        assert!(unsafe { libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK) } >= 0);
    }
    copy().await;
}

#[test]
fn streams_that_do_not_block_are_waited_for() {
    let expected = pattern();
    for (said, errors) in play("unblocking", &expected) {
        assert!(said == expected);
        assert!(errors.ends_with(b"copied."));
    }
}

/// A read that was given up, alone and with its runtime, leaves the next line to whoever reads it.
async fn given_up() {
    let input = zokio::task::spawn_blocking(|| {
        for runtime in runtimes() {
            let mut kept = stdin();
            runtime.block_on(async {
                let given_up = async { stdin().read_u8().await };
                let given_up = timeout(Duration::from_millis(20), given_up);
                assert!(given_up.await.is_err());
                let given_up = timeout(Duration::from_millis(20), kept.read_u8());
                assert!(given_up.await.is_err());
                zokio::spawn(async { stdin().read_u8().await });
            });
            // Ends, though one read is under way and a handle that waits is kept.
            drop(runtime);
        }
        print!("go");
        std::io::stdout().flush().unwrap();
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).unwrap();
        line
    });
    assert_eq!(input.await.unwrap(), "first\n");
    assert_eq!(
        BufReader::new(stdin())
            .read_line(&mut String::new())
            .await
            .unwrap(),
        7
    );
}

#[test]
fn a_read_that_was_given_up_takes_nothing_and_holds_up_no_runtime() {
    for (flavour, runtime) in runtimes().into_iter().enumerate() {
        runtime.block_on(async {
            let mut child = part("given_up", flavour).spawn().unwrap();
            let mut input = child.stdin.take().unwrap();
            let mut said = Vec::new();
            let mut output = child.stdout.take().unwrap();
            while !said.ends_with(b"<<begin>>go") {
                let read = timeout(PATIENCE, output.read_buf(&mut said)).await;
                assert_ne!(read.expect("a read is not given up").unwrap(), 0);
            }
            input.write_all(b"first\n").await.unwrap();
            zokio::time::sleep(Duration::from_millis(10)).await;
            input.write_all(b"second\n").await.unwrap();
            // The end shows what the standard library has read ahead, if the lines came together.
            drop(input);
            let status = timeout(PATIENCE, child.wait()).await.unwrap().unwrap();
            output.read_to_end(&mut said).await.unwrap();
            assert!(status.success(), "{}", String::from_utf8_lossy(&said));
        });
    }
}

/// Handles that read a byte each share what the first of them has brought.
async fn bytes() {
    let mut word = Vec::new();
    for _ in 0..5 {
        let byte = timeout(PATIENCE / 2, stdin().read_u8()).await;
        word.push(byte.expect("it is there").unwrap());
    }
    assert_eq!(word, b"hello");
}

#[test]
fn what_was_read_ahead_is_not_waited_for() {
    for (flavour, runtime) in runtimes().into_iter().enumerate() {
        runtime.block_on(async {
            let mut child = part("bytes", flavour).spawn().unwrap();
            let mut input = child.stdin.take().unwrap();
            input.write_all(b"hello").await.unwrap();
            // It stays open: nothing more comes, and no end.
            let status = timeout(PATIENCE, child.wait()).await.unwrap().unwrap();
            assert!(status.success());
            drop(input);
        });
    }
}

#[test]
fn handles_are_the_process_s() {
    assert_eq!(stdin().as_raw_fd(), 0);
    assert_eq!(stdout().as_raw_fd(), 1);
    assert_eq!(stderr().as_raw_fd(), 2);
    assert_eq!(stdin().as_fd().as_raw_fd(), 0);
    assert_eq!(stdout().as_fd().as_raw_fd(), 1);
    assert_eq!(stderr().as_fd().as_raw_fd(), 2);
    let shown = format!("{:?} {:?} {:?}", stdin(), stdout(), stderr());
    assert_eq!(shown, "Stdin { .. } Stdout { .. } Stderr { .. }");
}
