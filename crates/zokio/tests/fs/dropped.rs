//! Futures at an offset, alone and in batches, dropped at each state: buffers, descriptors and
//! operations are conserved, and writes that were begun are carried out.

use super::ledger::*;
use super::memory::MARKED;
use super::{directory, pattern};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;
use zokio::fs::{self, File};

/// A read or a batch of them that has to wait, and what it needs.
type Reads = Pin<Box<dyn Future<Output = Vec<(std::io::Result<usize>, Vec<u8>)>> + Send>>;

const FILE: usize = 64 * 1024;

fn reads(file: &File, count: usize, dice: &mut Dice) -> Reads {
    let mut read = |_| file.read_at(Vec::with_capacity(MARKED), dice.below(FILE - MARKED) as u64);
    if count == 1 {
        let read = read(0);
        return Box::pin(async move { vec![read.await] });
    }
    let reads: Vec<_> = (0..count).map(read).collect();
    Box::pin(fs::batch(reads))
}

fn check(outcome: &[(std::io::Result<usize>, Vec<u8>)], count: usize) {
    assert_eq!(outcome.len(), count);
    for (result, buf) in outcome {
        assert_eq!(*result.as_ref().unwrap(), MARKED);
        assert_eq!(buf.len(), MARKED);
    }
}

async fn drop_reads(config: Config, count: usize) {
    let rival = Rival::new();
    let dir = directory();
    let path = dir.path().join("file");
    std::fs::write(&path, pattern(FILE)).unwrap();
    let mut file = File::open(&path).await.unwrap();
    let mut dice = Dice::new();
    let (mut flat, mut waited) = (None, 0);
    for round in 0..rounds() {
        if round == rounds() / 10 {
            flat = Some(Flat::from_here());
        }
        let state = state_of(round);
        let probe = Probe::new();
        let mut future = reads(&file, count, &mut dice);
        if round % 7 == 0 {
            // The futures hold the file.
            file = File::open(&path).await.unwrap();
        }
        if state == State::Unpolled {
            continue;
        }
        if state == State::Racing {
            let task = zokio::spawn(future);
            let (handle, pause) = (task.abort_handle(), dice.pause());
            let aborted = rival.start(move || {
                pause.pass();
                handle.abort();
            });
            match task.await {
                Ok(outcome) => check(&outcome, count),
                Err(error) => assert!(error.is_cancelled()),
            }
            aborted.recv().unwrap();
            continue;
        }
        // A thread would be done before it is asked.
        let gate = (!config.has_ring()).then(Gate::closed);
        match poll(future.as_mut(), &probe) {
            Poll::Ready(outcome) => check(&outcome, count),
            Poll::Pending => {
                waited += 1;
                if state == State::Moved {
                    let _ = poll(future.as_mut(), &Probe::new());
                }
                if matches!(state, State::Woken | State::Partial) {
                    drop(gate);
                    probe.woken().await;
                }
                if state == State::Partial {
                    // The first of a batch is over, the next may not be.
                    let _ = poll(future.as_mut(), &probe);
                }
            }
        }
        drop(future);
        if round % 64 == 0 {
            zokio::task::yield_now().await;
        }
    }
    println!("{waited} waited");
    assert!(waited > rounds() / 3, "only {waited} waited");
    flat.unwrap().check();
}

#[test]
fn reads_at_an_offset() {
    on_each(configs(), "read_at", |config| drop_reads(config, 1));
}

#[test]
fn batches_of_reads() {
    on_each(configs(), "batch of reads", |config| drop_reads(config, 5));
}

/// Each write has its own place. Polled once, it is carried out.
async fn drop_writes(config: Config, count: usize) {
    let dir = directory();
    let path = dir.path().join("file");
    let mut flat = None;
    let (mut expected, mut end) = (Vec::new(), 0_u64);
    let std = std::fs::File::create(&path).unwrap();
    let file = File::from_std(std.try_clone().unwrap());
    for round in 0..rounds() / 4 {
        if round == rounds() / 40 {
            flat = Some(Flat::from_here());
        }
        let state = state_of(round);
        let probe = Probe::new();
        let blocks: Vec<_> = (0..count as u64)
            .map(|n| file.write_all_at(vec![round as u8 | 1; MARKED], end + n * MARKED as u64))
            .collect();
        let mut future = Box::pin(fs::batch(blocks));
        if state == State::Unpolled {
            continue;
        }
        end += (count * MARKED) as u64;
        expected.push((round as u8) | 1);
        let mut gate = (!config.has_ring()).then(Gate::closed);
        if poll(future.as_mut(), &probe).is_pending() {
            match state {
                State::Moved => drop(poll(future.as_mut(), &Probe::new())),
                State::Woken | State::Partial => {
                    drop(gate.take());
                    probe.woken().await;
                    if state == State::Partial {
                        let _ = poll(future.as_mut(), &probe);
                    }
                }
                _ => {}
            }
        }
        drop(future);
        drop(gate);
        if end > 8_000_000 {
            // Those that were begun are over.
            settle(&path, &expected, count).await;
            std.set_len(0).unwrap();
            (end, expected) = (0, Vec::new());
        }
    }
    settle(&path, &expected, count).await;
    flat.unwrap().check();
}

/// Until all that was begun is there.
async fn settle(path: &std::path::Path, expected: &[u8], count: usize) {
    let is_there = |bytes: &[u8]| {
        let blocks = bytes.chunks(count * MARKED).zip(expected);
        bytes.len() == expected.len() * count * MARKED
            && blocks.fold(true, |is_there, (block, byte)| {
                is_there && block.iter().all(|found| found == byte)
            })
    };
    for _ in 0..5_000 {
        if is_there(&std::fs::read(path).unwrap()) {
            return;
        }
        zokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("writes that were begun are missing");
}

#[test]
fn writes_at_an_offset() {
    on_each(configs(), "write_all_at", |config| drop_writes(config, 1));
}

#[test]
fn batches_of_writes() {
    on_each(configs(), "batch of writes", |config| {
        drop_writes(config, 3)
    });
}
