//! Stepping: many virtual workers on one thread, a seed that decides everything.
#![allow(unsafe_code)]

use super::support::*;
use crate::{Step, Worker};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use zokio_base::rand::{self, Rng};
use zokio_task::context::{self, Saved};

const WORKERS: usize = 3;

/// Changes the context of this thread, on which everything here happens.
fn swap(saved: Saved) -> Saved {
    // SAFETY: each context is put on with its worker alive, and its guard is dropped within it.
    unsafe { context::swap(saved) }
}

/// The trace of a run, with tasks numbered in the order in which they were first seen: their ids differ
/// between two runs in one process.
fn trace(seed: u64) -> (Vec<(usize, String)>, usize) {
    let settings = Settings {
        seed: Some(seed),
        ..Settings::default()
    };
    let sched = Sched::multi_thread(
        Still::several(WORKERS),
        settings,
        Arc::new(Threads::default()),
    );
    let _rng = rand::enter(Rng::from_seed(seed));
    let mut chooser = Rng::from_seed(!seed);
    let mut workers: Vec<_> = (0..WORKERS)
        .map(|index| Worker::claim(&sched, index).unwrap())
        .collect();
    // Each worker has a context of its own, which is put on before its step and off after it.
    let outside = swap(Saved::default());
    let mut contexts: Vec<_> = workers
        .iter()
        .map(|worker| {
            // SAFETY: the guard is dropped before the worker, in a context of its own.
            let entered = unsafe { worker.enter() };
            (Some(swap(Saved::default())), entered)
        })
        .collect();
    let ran = Arc::new(AtomicUsize::new(0));
    plant(&sched, &ran);
    let mut names: Vec<zokio_task::Id> = Vec::new();
    let mut trace = Vec::new();
    let mut idle = [false; WORKERS];
    while !(idle.iter().all(|idle| *idle) && sched.spawner().alive() == 0) {
        let chosen = chooser.below(WORKERS as u32) as usize;
        let saved = contexts[chosen].0.take().unwrap_or_default();
        drop(swap(saved));
        let step = workers[chosen].step();
        contexts[chosen].0 = Some(swap(Saved::default()));
        idle[chosen] = matches!(step, Step::Idle { .. });
        trace.push((chosen, describe(step, &mut names)));
        assert!(trace.len() < 1_000_000, "this should have ended by now");
    }
    sched.begin_shutdown();
    for (worker, (saved, entered)) in workers.iter_mut().zip(contexts) {
        drop(swap(saved.unwrap_or_default()));
        while !matches!(worker.step(), Step::Shutdown) {}
        drop(entered);
        swap(Saved::default());
    }
    drop(swap(outside));
    assert!(sched.wait_shutdown(None));
    (trace, ran.load(Ordering::Relaxed))
}

fn plant(sched: &Arc<Sched>, ran: &Arc<AtomicUsize>) {
    for number in 0..40_usize {
        let (inner, ran) = (sched.clone(), ran.clone());
        spawn(sched, async move {
            for child in 0..number % 7 {
                let ran = ran.clone();
                spawn(&inner, async move {
                    if child % 2 == 0 {
                        yield_now().await;
                    }
                    ran.fetch_add(1, Ordering::Relaxed);
                });
                wake_myself().await;
            }
            ran.fetch_add(1, Ordering::Relaxed);
        });
    }
}

fn describe(step: Step, names: &mut Vec<zokio_task::Id>) -> String {
    let Step::Ran(id) = step else {
        return format!("{step:?}");
    };
    let name = names
        .iter()
        .position(|known| *known == id)
        .unwrap_or_else(|| {
            names.push(id);
            names.len() - 1
        });
    format!("ran {name}")
}

#[test]
fn equal_seeds_give_equal_traces() {
    let (first, ran) = trace(42);
    let (second, ran_again) = trace(42);
    assert_eq!(first, second);
    assert_eq!(ran, ran_again);
    let planted: usize = (0..40).map(|number| 1 + number % 7).sum();
    assert_eq!(ran, planted);
    assert!(first.iter().any(|(_, step)| step.starts_with("Stole")));
}

#[test]
fn other_seeds_give_other_traces() {
    assert_ne!(trace(1).0, trace(2).0);
}
