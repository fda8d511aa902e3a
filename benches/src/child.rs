//! Measurements that need a fresh process per runtime.

use std::process::{Command, Stdio};

use crate::measure::{Flavor, Metric};
use crate::{metric, on_tokio, on_zokio};

/// How many idle tasks are measured.
pub(crate) const TASKS: usize = 1_000_000;

/// Bytes of resident memory for each idle task.
pub(crate) fn memory(runtime: &str, flavor: Flavor) -> Vec<Metric> {
    let [before, with, _] = idle(runtime, flavor, false);
    vec![metric(
        "per idle task",
        "bytes",
        (with - before) / TASKS as f64,
    )]
}

/// Resident bytes before, with the tasks, and after aborting and spawning them again.
pub(crate) fn idle(runtime: &str, flavor: Flavor, again: bool) -> [f64; 3] {
    let workers = match flavor {
        Flavor::Multi(workers) => workers,
        Flavor::Current => 0,
    };
    let own = std::env::current_exe().expect("this program has a path");
    let output = Command::new(own)
        .args([
            "child",
            runtime,
            &workers.to_string(),
            &TASKS.to_string(),
            &again.to_string(),
        ])
        .stderr(Stdio::inherit())
        .output()
        .expect("this program can be run again");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let numbers: Vec<f64> = text
        .split_whitespace()
        .filter_map(|n| n.parse().ok())
        .collect();
    numbers
        .try_into()
        .unwrap_or_else(|_| panic!("the child said: {text}"))
}

/// The process: `child RUNTIME WORKERS TASKS AGAIN`.
pub(crate) fn main(words: &[&str]) -> Result<(), String> {
    let [runtime, workers, tasks, again] = words else {
        return Err("child RUNTIME WORKERS TASKS AGAIN".into());
    };
    let number = |text: &str| {
        text.parse::<usize>()
            .map_err(|_| format!("not a number: {text}"))
    };
    let flavor = match number(workers)? {
        0 => Flavor::Current,
        workers => Flavor::Multi(workers),
    };
    let (tasks, again) = (number(tasks)?, *again == "true");
    let (before, with, after) = match *runtime {
        "zokio" => on_zokio::under::idle_tasks(flavor, tasks, again),
        _ => on_tokio::under::idle_tasks(flavor, tasks, again),
    };
    println!("{before} {with} {}", after.unwrap_or(0));
    Ok(())
}
