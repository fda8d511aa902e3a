//! Many begun together.

use super::ledger::*;
use super::{directory, pattern};
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use zokio::fs::{self, File};
use zokio::runtime::{Builder, Handle, IoMode};

#[test]
fn results_come_in_order() {
    on_each(configs(), "batch", |_| async {
        for dir in [directory(), tempfile::tempdir().unwrap()] {
            let path = dir.path().join("file");
            let bytes = pattern(1000 * 100);
            let mut options = File::options();
            options.read(true).write(true).create(true);
            let file = options.open(&path).await.unwrap();
            let writes = (0..1000).rev().map(|n| {
                let block = bytes[n * 100..][..100].to_vec();
                file.write_all_at(block, n as u64 * 100)
            });
            let written = fs::batch(writes).await;
            assert_eq!(written.len(), 1000);
            for (n, (result, block)) in written.into_iter().enumerate() {
                result.unwrap();
                assert_eq!(block, bytes[(999 - n) * 100..][..100]);
            }
            assert!(std::fs::read(&path).unwrap() == bytes);
            // Every third is behind the end, others are long enough to take another way.
            let other = File::open(&path).await.unwrap();
            let place = |n: u64| if n % 3 == 0 { 200_000 } else { n * 99 };
            let reads = (0..500).map(|n| {
                let file = if n % 2 == 0 { &file } else { &other };
                let len = if n % 50 == 1 { 300_000 } else { 64 };
                file.read_at(Vec::with_capacity(len), place(n))
            });
            for (n, (result, block)) in fs::batch(reads).await.into_iter().enumerate() {
                let start = place(n as u64) as usize;
                let expected = bytes.get(start..).unwrap_or_default();
                let len = if n % 50 == 1 { 300_000 } else { 64 };
                let expected = &expected[..expected.len().min(len)];
                assert_eq!(result.unwrap(), expected.len());
                assert!(block == expected, "{n}");
            }
            let none: Vec<fs::ReadAt<Vec<u8>>> = Vec::new();
            assert!(fs::batch(none).await.is_empty());
        }
    });
}

#[test]
fn each_has_its_own_error() {
    on_each(configs(), "batch with errors", |_| async {
        let dir = directory();
        let path = dir.path().join("file");
        std::fs::write(&path, pattern(100)).unwrap();
        let file = File::open(&path).await.unwrap();
        let reads = [(0, 100), (50, 100), (0, 10), (u64::MAX, 10), (90, 10)];
        let reads = reads.map(|(offset, len)| file.read_exact_at(vec![0; 100], len, offset));
        let kinds: Vec<_> = fs::batch(reads)
            .await
            .into_iter()
            .map(|(result, buf)| (result.map_err(|error| error.kind()), buf.len()))
            .collect();
        let expected = [
            (Ok(()), 100),
            (Err(ErrorKind::UnexpectedEof), 50),
            (Ok(()), 10),
            (Err(ErrorKind::InvalidInput), 100),
            (Ok(()), 10),
        ];
        assert_eq!(kinds, expected);
    });
}

/// The ring is entered for the batch, not for each of its operations.
#[test]
fn one_entry_for_all() {
    on_each(configs(), "batch, counted", |config| async move {
        let dir = directory();
        let path = dir.path().join("file");
        std::fs::write(&path, pattern(6400)).unwrap();
        let file = File::open(&path).await.unwrap();
        let before = Handle::current().metrics().operations();
        // More than is ever copied at once, so that all of them have to be begun.
        let reads = (0..64).map(|n| file.read_at(Vec::with_capacity(300_000), n * 100));
        for (n, (result, buf)) in fs::batch(reads).await.into_iter().enumerate() {
            assert_eq!(result.unwrap(), 6400 - n * 100);
            assert!(buf == pattern(6400)[n * 100..]);
        }
        let after = Handle::current().metrics().operations();
        let (on_ring, entered) = (after.on_ring - before.on_ring, after.enters - before.enters);
        let offloaded = after.offloaded - before.offloaded;
        if config.has_ring() && config.is_multi {
            assert_eq!((on_ring, offloaded), (64, 0));
            assert!(entered <= 4, "{entered}");
        } else {
            // The root of a runtime with one worker has no loop that would submit.
            assert_eq!(on_ring + offloaded, 64);
        }
    });
}

/// A batch gives way to others like everybody.
#[test]
fn a_long_batch_gives_way() {
    let _turn = turn();
    for mode in [IoMode::Auto, IoMode::Epoll] {
        let runtime = Builder::new_current_thread().io_mode(mode).build().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, pattern(4096)).unwrap();
        let had_its_turn = Arc::new(AtomicBool::new(false));
        let it_had = had_its_turn.clone();
        runtime.block_on(async move {
            let file = File::open(&path).await.unwrap();
            let long = zokio::spawn(async move {
                let reads = (0..1000).map(|_| file.read_at(Vec::with_capacity(16), 0));
                for (result, _) in fs::batch(reads).await {
                    assert_eq!(result.unwrap(), 16);
                }
                assert!(it_had.load(Ordering::Relaxed));
            });
            let other = zokio::spawn(async move { had_its_turn.store(true, Ordering::Relaxed) });
            long.await.unwrap();
            other.await.unwrap();
        });
    }
}

/// A thread that is no worker has nobody who would submit for it when there is one worker only.
#[test]
fn the_root_of_a_runtime_with_one_worker_begins_them_on_threads() {
    let _turn = turn();
    warm_up();
    let books = Books::open();
    for mode in [IoMode::Auto, IoMode::Epoll] {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .io_mode(mode)
            .build()
            .unwrap();
        let dir = directory();
        let path = dir.path().join("file");
        std::fs::write(&path, pattern(6400)).unwrap();
        runtime.block_on(async {
            let file = File::open(&path).await.unwrap();
            let before = Handle::current().metrics().operations();
            // More than is ever copied at once.
            let reads = (0..8).map(|n| file.read_at(Vec::with_capacity(300_000), n * 100));
            for (n, (result, buf)) in fs::batch(reads).await.into_iter().enumerate() {
                assert_eq!(result.unwrap(), 6400 - n * 100);
                assert!(buf == pattern(6400)[n * 100..]);
            }
            let after = Handle::current().metrics().operations();
            assert_eq!(after.offloaded - before.offloaded, 8);
        });
    }
    books.close("batch of a root");
}

#[test]
fn a_batch_shows_how_far_it_is() {
    let _turn = turn();
    warm_up();
    let books = Books::open();
    let runtime = Builder::new_current_thread().build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    std::fs::write(&path, "abc").unwrap();
    runtime.block_on(async {
        let file = File::open(&path).await.unwrap();
        let mut batch = fs::batch([0, 1].map(|at| file.read_at(Vec::with_capacity(1), at)));
        assert_eq!(
            format!("{batch:?}"),
            "Batch { operations: 2, begun: 0, .. }"
        );
        assert_eq!((&mut batch).await.len(), 2);
        assert_eq!(
            format!("{batch:?}"),
            "Batch { operations: 0, begun: 2, .. }"
        );
    });
    drop((runtime, dir));
    books.close("batch, shown");
}
