//! `#[zokio::main]` and `#[zokio::test]` with their options, on the real runtime.
#![allow(clippy::disallowed_methods)] // A test measures real time.

use std::time::Duration;
use zokio::runtime::{Handle, RuntimeFlavor};
use zokio::time::Instant;

#[zokio::test]
async fn a_test_runs_on_the_current_thread() {
    let flavor = Handle::current().runtime_flavor();
    assert_eq!(flavor, RuntimeFlavor::CurrentThread);
    assert_eq!(zokio::spawn(async { 6 * 7 }).await.unwrap(), 42);
}

#[zokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_on_two_workers() {
    let handle = Handle::current();
    assert_eq!(handle.runtime_flavor(), RuntimeFlavor::MultiThread);
    assert_eq!(handle.metrics().num_workers(), 2);
    zokio::task::yield_now().await;
    assert!(zokio::task::try_id().is_none());
    let id = zokio::spawn(async { zokio::task::id() }).await.unwrap();
    assert_ne!(id.to_string(), "0");
}

#[zokio::test(start_paused = true)]
async fn a_paused_test_takes_no_time() {
    let real = std::time::Instant::now();
    let start = Instant::now();
    let other = zokio::spawn(async {
        zokio::time::sleep(Duration::from_secs(1_800)).await;
        Instant::now()
    });
    zokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(start.elapsed(), Duration::from_secs(3_600));
    assert_eq!(other.await.unwrap() - start, Duration::from_secs(1_800));
    assert!(real.elapsed() < Duration::from_secs(5));
}

#[zokio::test(name = "a name of its own")]
async fn a_test_with_a_name() {
    assert_eq!(Handle::current().name(), Some("a name of its own"));
}

#[zokio::test(crate = "renamed::deeper")]
async fn a_test_with_another_path() -> Result<(), String> {
    Ok(())
}

mod renamed {
    pub(super) use ::zokio as deeper;
}

trait Blocks {
    fn run(self, more: u32) -> u32;
}

impl Blocks for u32 {
    #[zokio::main(flavor = "current_thread")]
    async fn run(self, more: u32) -> u32 {
        let mine = self;
        zokio::spawn(async move { mine + more }).await.unwrap()
    }
}

#[zokio::main(worker_threads = 1)]
async fn on_one_worker() -> std::io::Result<usize> {
    Ok(Handle::current().metrics().num_workers())
}

#[zokio::main]
#[allow(unreachable_code)]
async fn never() -> ! {
    panic!("as it should");
}

#[zokio::main(flavor = "local")]
async fn on_a_local_runtime() -> u32 {
    zokio::join!(async { 1 }).0
}

#[test]
fn functions_block_on_their_bodies() {
    assert_eq!(1.run(2), 3);
    assert_eq!(on_one_worker().unwrap(), 1);
    assert_eq!(on_a_local_runtime(), 1);
    assert!(std::panic::catch_unwind(|| never()).is_err());
}

#[zokio::test]
async fn everything_works_together() {
    let (sender, mut receiver) = zokio::sync::mpsc::channel::<u32>(4);
    let producer = zokio::spawn(async move {
        for number in 0..10 {
            sender.send(number).await.unwrap();
            zokio::time::sleep(Duration::from_micros(100)).await;
        }
    });
    let mut sum = 0;
    let timer = zokio::time::sleep(Duration::from_secs(20));
    zokio::pin!(timer);
    loop {
        zokio::select! {
            _ = &mut timer => panic!("too slow"),
            Some(number) = receiver.recv() => sum += number,
            else => break,
        }
        if sum == 45 {
            break;
        }
    }
    zokio::try_join!(producer).unwrap();
}
