//! All that a runtime had is given back when its drop returns, whatever else the machine does.
//!
//! One test, because the descriptors are the process's.
#![cfg(target_os = "linux")]

use std::path::PathBuf;
use std::time::Duration;
use zokio_runtime::{Builder, Runtime};

/// The files behind the descriptors of the process, but for the one that looks.
fn descriptors() -> Vec<PathBuf> {
    let entries = std::fs::read_dir("/proc/self/fd").unwrap();
    entries
        .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
        .filter(|target| !target.starts_with("/proc"))
        .collect()
}

fn build() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    // The monitor looks often, so that it holds something when the runtime ends.
    let builder = builder.worker_threads(2).enable_all();
    builder.stall_threshold(Some(Duration::from_millis(2)));
    builder.build().unwrap()
}

#[test]
fn a_dropped_runtime_leaves_no_descriptor() {
    drop(build());
    let before = descriptors();
    let begun = zokio_base::clock::real_now();
    let mut rounds = 0;
    while rounds < 100 || begun.elapsed() < Duration::from_millis(500) {
        let runtime = build();
        runtime.block_on(async { zokio_runtime::spawn(async {}).await.unwrap() });
        drop(runtime);
        assert_eq!(descriptors(), before, "after {rounds} rounds");
        rounds += 1;
    }
}
