//! The `Debug` output of schedulers, and the defaults of a policy that says nothing.
#![allow(unsafe_code)]

use super::support::*;
use crate::{Containment, DefaultPolicy, Policy, Scheduler, Step, Worker, sys};
use std::fmt::Debug;
use std::future::pending;
use std::sync::Arc;

/// Shown plainly, it begins with `name` and contains each of `parts`.
#[track_caller]
fn shows(value: &impl Debug, name: &str, parts: &[&str]) {
    let shown = format!("{value:?}");
    assert!(shown.starts_with(name), "{shown}");
    for part in parts {
        assert!(shown.contains(part), "{part} in {shown}");
    }
}

#[test]
fn a_scheduler_shows_who_holds_what_and_how_much_waits() {
    let sched = Sched::current_thread(Still::new(), Settings::default());
    shows(
        &sched,
        "Scheduler",
        &[
            "multi_thread: false",
            "containment: Off",
            "Stealer { len: 0 }",
            "Inbox { len: 0 }",
        ],
    );
    let task = spawn(&sched, pending::<()>());
    shows(&sched, "Scheduler", &["Inbox { len: 1 }"]);
    shows(&sched.spawner(), "Spawner", &["alive: 1"]);
    let mut worker = Worker::claim(&sched, 0).unwrap();
    shows(&worker, "Worker", &["index: 0", "ended: None"]);
    // SAFETY: the guard is dropped before the worker, on this thread.
    let entered = unsafe { worker.enter() };
    while !matches!(worker.step(), Step::Idle { .. }) {}
    shows(&sched, "Scheduler", &["Inbox { len: 0 }"]);
    sched.begin_shutdown();
    while !matches!(worker.step(), Step::Shutdown) {}
    assert_eq!(worker.step(), Step::Shutdown, "it has ended for good");
    shows(&worker, "Worker", &["ended: Some(Shutdown)"]);
    shows(&sched.spawner(), "Spawner", &["alive: 0"]);
    assert!(task.is_finished());
    drop(entered);
    drop(worker);
    assert!(sched.wait_shutdown(None));
}

#[test]
fn who_has_something_to_do_does_not_wait() {
    let sched = Sched::current_thread(Still::new(), Settings::default());
    let mut worker = Worker::claim(&sched, 0).unwrap();
    // SAFETY: the guard is dropped before the worker, on this thread.
    let entered = unsafe { worker.enter() };
    let task = spawn(&sched, async {});
    while !matches!(worker.step(), Step::Ran(_)) {}
    // It would wait for ever: nobody wakes it.
    worker.park(None);
    assert_eq!(sched.worker_metrics(0).parks, 0);
    assert!(task.is_finished());
    drop(entered);
    drop(worker);
    sched.begin_shutdown();
    assert!(sched.wait_shutdown(None));
}

#[test]
fn a_policy_need_say_nothing() {
    let threads = Arc::new(Threads::default());
    let sched = Scheduler::multi_thread(Still::several(2), DefaultPolicy, threads);
    let expected = match sys::barrier_available() {
        true => Containment::On,
        false => Containment::Unavailable,
    };
    assert_eq!(sched.containment(), expected);
    assert!(!sched.policy().report_stalls());
    sched.start().unwrap();
    let task = |output| {
        let meta = zokio_task::SpawnMeta::new();
        sched.spawner().spawn(async move { output }, meta)
    };
    let tasks: Vec<_> = (0..10).map(task).collect();
    for (task, output) in tasks.into_iter().zip(0..) {
        assert_eq!(wait(task).unwrap(), output);
    }
    sched.begin_shutdown();
    assert!(sched.wait_shutdown(None));
}
