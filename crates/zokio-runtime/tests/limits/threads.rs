//! The system gives no thread, or a thread cannot be named.

use crate::{is_child, panic_of};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use zokio_runtime::{Builder, Runtime, spawn};

/// A stack for which there is no room in any process.
const TOO_LARGE: usize = 1 << 50;

fn current_thread(prepare: impl FnOnce(&mut Builder) -> &mut Builder) -> Runtime {
    prepare(&mut Builder::new_current_thread()).build().unwrap()
}

#[test]
fn without_any_thread_a_closure_that_blocks_is_refused_and_dropped() {
    let runtime = current_thread(|builder| builder.thread_stack_size(TOO_LARGE));
    let owned = Arc::new(());
    let inside = owned.clone();
    let said = panic_of(|| runtime.spawn_blocking(move || drop(inside)));
    assert!(said.starts_with("OS can't spawn worker thread: "), "{said}");
    assert_eq!(Arc::strong_count(&owned), 1);
    assert_eq!(runtime.metrics().num_blocking_threads(), 0);
    // Tasks need no further thread, and the end of the runtime waits for none.
    runtime.block_on(async { spawn(async {}).await.unwrap() });
    drop(runtime);
}

#[test]
fn without_threads_there_are_no_workers() {
    let error = Builder::new_multi_thread()
        .worker_threads(2)
        .thread_stack_size(TOO_LARGE)
        .build()
        .unwrap_err();
    assert!(
        error.raw_os_error().is_some(),
        "it is the system's: {error}"
    );
}

#[test]
fn without_a_further_thread_a_closure_waits_for_one_that_there_is() {
    const STACK: usize = 640 << 20;
    let name = "threads::without_a_further_thread_a_closure_waits_for_one_that_there_is";
    // One stack fits into the address space that the process may use, two do not.
    let limited = |program: Command| {
        let mut shell = Command::new("sh");
        shell.args(["-c", "ulimit -v 1048576 && exec \"$0\" \"$@\""]);
        shell.arg(program.get_program());
        shell
    };
    if !is_child(name, limited) {
        return;
    }
    let runtime = current_thread(|builder| builder.thread_stack_size(STACK));
    let (begun, wait_begun) = channel();
    let (go, wait) = channel();
    let first = runtime.spawn_blocking(move || {
        begun.send(()).unwrap();
        wait.recv().unwrap();
        1
    });
    wait_begun.recv().unwrap();
    let others: Vec<_> = (2..5)
        .map(|number| runtime.spawn_blocking(move || number))
        .collect();
    let metrics = runtime.metrics();
    assert_eq!(metrics.num_blocking_threads(), 1);
    assert_eq!(metrics.blocking_queue_depth(), 3);
    go.send(()).unwrap();
    runtime.block_on(async {
        assert_eq!(first.await.unwrap(), 1);
        for (task, number) in others.into_iter().zip(2..) {
            assert_eq!(task.await.unwrap(), number);
        }
    });
    assert_eq!(metrics.num_blocking_threads(), 1);
}

#[test]
fn a_name_that_cannot_be_made_is_no_thread_that_is_waited_for() {
    let calls = AtomicUsize::new(0);
    let runtime = current_thread(|builder| {
        builder.max_blocking_threads(1).thread_name_fn(move || {
            match calls.fetch_add(1, Ordering::SeqCst) {
                0 => "with\0zero".to_owned(),
                _ => "named at last".to_owned(),
            }
        })
    });
    // The system's names contain no zero, and the standard library says so.
    panic_of(|| runtime.spawn_blocking(|| ()));
    assert_eq!(runtime.metrics().num_blocking_threads(), 0);
    // There is room for the one thread that may be.
    let named = runtime.spawn_blocking(|| std::thread::current().name().map(str::to_owned));
    let name = runtime.block_on(named).unwrap();
    assert_eq!(name.as_deref(), Some("named at last"));
    drop(runtime);
}

#[test]
fn workers_that_cannot_be_named_are_not_waited_for() {
    let refused = Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("with\0zero")
        .build();
    assert!(refused.is_err());
}
