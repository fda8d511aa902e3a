//! Tests of what cannot be seen from outside: children that are noticed by signals.
#![allow(clippy::zombie_processes)] // They are reaped by what is tested.

use super::imp::{Means, Process};
use crate::io_driver::driver;
use crate::runtime::{Builder, Runtime};
use crate::time::{sleep, timeout};
use std::future::poll_fn;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

fn on_both<F: Future<Output = ()>>(test: impl Fn() -> F) {
    let mut single = Builder::new_current_thread();
    let mut multi = Builder::new_multi_thread();
    for builder in [&mut single, multi.worker_threads(2)] {
        let runtime = builder.enable_all().build().unwrap();
        runtime.block_on(async { timeout(PATIENCE, test()).await.expect("the test hangs") });
    }
}

/// Reads its input to the end. Noticed by signals.
fn cat() -> (Process, ChildStdin) {
    let mut command = Command::new("cat");
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let input = child.stdin.take().unwrap();
    let process = Process::by(Means::Signal, child, driver()).unwrap();
    (process, input)
}

async fn wait(process: &mut Process) -> ExitStatus {
    poll_fn(|cx| process.poll_wait(cx)).await.unwrap()
}

async fn no_entry(pid: u32) {
    let entry = PathBuf::from(format!("/proc/{pid}"));
    while entry.exists() {
        sleep(Duration::from_millis(2)).await;
    }
}

#[test]
fn each_of_many_is_noticed() {
    on_both(|| async {
        let (processes, inputs): (Vec<_>, Vec<_>) = (0..20).map(|_| cat()).unzip();
        let waits: Vec<_> = processes
            .into_iter()
            .map(|mut process| crate::spawn(async move { wait(&mut process).await }))
            .collect();
        for input in inputs {
            crate::task::yield_now().await;
            drop(input);
        }
        for wait in waits {
            assert!(wait.await.unwrap().success());
        }
    });
}

#[test]
fn an_early_end_and_a_dropped_wait_are_no_loss() {
    on_both(|| async {
        let (mut process, input) = cat();
        drop(input);
        sleep(Duration::from_millis(20)).await;
        assert!(wait(&mut process).await.success());
        let (mut process, _input) = cat();
        let early = timeout(Duration::from_millis(5), wait(&mut process)).await;
        assert!(early.is_err());
        process.kill().unwrap();
        assert_eq!(wait(&mut process).await.signal(), Some(9));
    });
}

#[test]
fn orphans_are_reaped() {
    on_both(|| async {
        let (mut killed, _input) = cat();
        let (mut ending, input) = cat();
        let pids = [killed.id(), ending.id()];
        killed.kill().unwrap();
        killed.abandon();
        ending.abandon();
        drop(input);
        for pid in pids {
            no_entry(pid).await;
        }
    });
}

#[test]
fn another_runtime_takes_over() {
    let first = Builder::new_current_thread().enable_all().build().unwrap();
    let (mut process, input) = first.block_on(async { cat() });
    Runtime::new().unwrap().block_on(async {
        let early = timeout(Duration::from_millis(5), wait(&mut process)).await;
        assert!(early.is_err());
    });
    first.block_on(async {
        drop(input);
        let status = timeout(PATIENCE, wait(&mut process)).await;
        assert!(status.expect("nobody notices").success());
    });
}

#[test]
fn without_a_runtime_it_is_an_error_and_with_one_again_none() {
    let first = Builder::new_current_thread().enable_all().build().unwrap();
    let (mut process, input) = first.block_on(async { cat() });
    drop(first);
    let mut waiting = std::pin::pin!(poll_fn(|cx| process.poll_wait(cx)));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(matches!(
        waiting.as_mut().poll(&mut cx),
        Poll::Ready(Err(_))
    ));
    drop(input);
    let status = Runtime::new().unwrap().block_on(wait(&mut process));
    assert!(status.success());
}
