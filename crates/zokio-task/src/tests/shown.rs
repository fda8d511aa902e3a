//! The `Debug` output of a task and the things around it serves a reader who looks for a fault.
#![allow(unsafe_code)]

use super::{Forever, bind};
use crate::context::{self, Saved};
use crate::testing::{Ledger, Queue};
use crate::{Notified, Priority, Shard, SpawnMeta, TaskQueue};
use std::any::Any;
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

/// The state that the task shows.
#[track_caller]
fn state_shows(task: Notified, parts: &[&str]) -> Notified {
    let raw = task.into_raw();
    // SAFETY: the notification keeps the task alive, and is made again from what it became.
    unsafe {
        shows(raw.as_ref(), "Header", parts);
        Notified::from_raw(raw)
    }
}

#[test]
fn a_task_shows_its_state() {
    let (_queue, shard) = Queue::with_shard();
    let (join, task) = bind(&shard, pending::<()>());
    let task = state_shows(
        task,
        &[
            &format!("Id({})", join.id()),
            "running: false",
            "complete: false",
            "notified: true",
            "cancelled: false",
            "join_interest: true",
            "priority: Normal",
        ],
    );
    join.abort();
    let task = state_shows(task, &["notified: true", "cancelled: true"]);
    drop(join);
    drop(state_shows(task, &["join_interest: false"]));
}

#[test]
fn tasks_in_number_show_how_many_they_are() {
    let (_queue, shard) = Queue::with_shard();
    let mut tasks = TaskQueue::new();
    shows(&tasks, "TaskQueue", &["len: 0"]);
    shows(&shard, "Shard", &["index: 0", "alive: 0"]);
    for _ in 0..2 {
        let (_, task) = bind(&shard, pending::<()>());
        tasks.push_back(task);
    }
    shows(&tasks, "TaskQueue", &["len: 2"]);
    shows(&shard, "Shard", &["alive: 2"]);
    shard.shutdown_all();
    shows(&shard, "Shard", &["alive: 0"]);
}

#[test]
fn what_is_said_about_a_task_is_shown() {
    let mut meta = SpawnMeta::default();
    assert_eq!(meta.location.file(), file!(), "whoever made it is named");
    meta.name = Some("the first".into());
    meta.priority = Priority::High;
    let id = format!("{:?}", meta.id);
    shows(&meta, "SpawnMeta", &[&id, "shown.rs", "the first", "High"]);
}

#[test]
fn contexts_are_shown_without_their_services() {
    shows(&Saved::default(), "Saved", &["Outside", "task: None"]);
    struct Nothing;
    impl context::Services for Nothing {
        fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
            self
        }

        fn as_any(&self) -> &(dyn Any + Send + Sync) {
            self
        }

        fn timers(&self) -> Option<&(dyn Any + Send + Sync)> {
            None
        }

        fn driver(&self) -> Option<&(dyn Any + Send + Sync)> {
            None
        }
    }
    let services: Arc<dyn context::Services> = Arc::new(Nothing);
    shows(&context::enter(services), "EnterGuard", &[]);
}

#[test]
fn a_task_that_nobody_can_wake_is_freed_when_it_waits() {
    let ledger = Arc::new(Ledger::default());
    let shard = Shard::new(Arc::new(Queue::default()), 0);
    let (join, task) = shard.bind_untracked(Forever(ledger.entry()), SpawnMeta::new());
    drop(join);
    assert_eq!(ledger.alive(), 1);
    task.run();
    assert_eq!(ledger.alive(), 0);
}
