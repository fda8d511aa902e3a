//! Large futures and closures: how much stack it takes to hand them to a runtime, by each way there
//! is, and what is left of them when their task has ended.
#![allow(clippy::disallowed_methods)] // Threads with stacks of a certain size.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use zokio_runtime::{
    Builder, JoinSet, LocalRuntime, LocalSet, Runtime, TaskBuilder, spawn, spawn_blocking,
    spawn_local,
};
use zokio_task::JoinHandle;

/// How large the futures are.
const SIZE: usize = 512 << 10;

/// Room for the caller's future, for one copy of it, and for half of one more.
const STACK: usize = SIZE / 2 * 5;

/// Where the tests share a process they take turns: the blocks are those of all threads.
fn alone() -> impl Drop {
    static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
    TURN.lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Counts the blocks that are as large as the futures.
struct Counting;

static BLOCKS: AtomicUsize = AtomicUsize::new(0);

fn is_counted(layout: Layout) -> usize {
    // Nothing else has this very size: what a panic reads of the program's symbols is larger or smaller.
    usize::from((SIZE..SIZE + 256).contains(&layout.size()))
}

// SAFETY: everything goes to the system's allocator as it comes.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BLOCKS.fetch_add(is_counted(layout), Ordering::Relaxed);
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        BLOCKS.fetch_sub(is_counted(layout), Ordering::Relaxed);
        // SAFETY: the caller's.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// A future that is large, since it keeps much while it waits.
async fn large() -> u8 {
    let kept = [1_u8; SIZE];
    zokio_time::sleep(std::time::Duration::from_millis(1)).await;
    black_box(&kept)[SIZE / 2]
}

/// A closure that is large, since it owns much.
fn large_closure() -> impl FnOnce() -> u8 + Send + 'static {
    let owned = [1_u8; SIZE];
    move || black_box(&owned)[SIZE / 2]
}

fn build() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
}

fn build_current() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Runs `way` on a thread with little stack. If the future is copied once more the process dies.
#[track_caller]
fn on_little_stack(way: fn()) {
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(way);
    thread.unwrap().join().unwrap();
}

fn join(handle: impl Fn(&Runtime) -> JoinHandle<u8>) {
    let runtime = build();
    let handle = handle(&runtime);
    assert_eq!(runtime.block_on(handle).unwrap(), 1);
}

fn join_set(fill: impl Fn(&mut JoinSet<u8>, &Runtime)) {
    let runtime = build();
    let mut set = JoinSet::new();
    {
        let _entered = runtime.enter();
        fill(&mut set, &runtime);
    }
    assert_eq!(runtime.block_on(set.join_next()).unwrap().unwrap(), 1);
}

fn local(spawn: impl Fn(&LocalSet) -> JoinHandle<u8>) {
    let set = LocalSet::new();
    let handle = spawn(&set);
    assert_eq!(set.block_on(&build_current(), handle).unwrap(), 1);
}

/// One test for each way, so that each has a process, and a caller's frame, of its own.
macro_rules! ways {
    ($($name:ident: $way:expr;)*) => {
        $(#[test]
        fn $name() {
            let _alone = alone();
            on_little_stack(|| $way);
        })*
    };
}

ways! {
    spawned: join(|runtime| {
        let _entered = runtime.enter();
        spawn(large())
    });
    spawned_by_a_handle: join(|runtime| runtime.handle().spawn(large()));
    spawned_by_a_runtime: join(|runtime| runtime.spawn(large()));
    spawned_by_a_builder: join(|runtime| {
        let _entered = runtime.enter();
        TaskBuilder::new().spawn(large()).unwrap()
    });
    spawned_by_a_builder_on: join(|runtime| {
        TaskBuilder::new().spawn_on(large(), runtime.handle()).unwrap()
    });
    spawned_in_a_set: join_set(|set, _| {
        set.spawn(large());
    });
    spawned_in_a_set_on: join_set(|set, runtime| {
        set.spawn_on(large(), runtime.handle());
    });
    spawned_in_a_set_by_a_builder: join_set(|set, _| {
        set.build_task().spawn(large()).unwrap();
    });
    spawned_in_a_set_by_a_builder_on: join_set(|set, runtime| {
        set.build_task().spawn_on(large(), runtime.handle()).unwrap();
    });
    spawned_locally: local(|set| {
        let _entered = set.enter();
        spawn_local(large())
    });
    spawned_locally_by_the_set: local(|set| set.spawn_local(large()));
    spawned_locally_by_a_builder: local(|set| {
        let _entered = set.enter();
        TaskBuilder::new().spawn_local(large()).unwrap()
    });
    spawned_locally_by_a_builder_on: local(|set| {
        TaskBuilder::new().spawn_local_on(large(), set).unwrap()
    });
    spawned_locally_in_a_set: {
        let (local, mut set) = (LocalSet::new(), JoinSet::new());
        set.spawn_local_on(large(), &local);
        assert_eq!(local.block_on(&build_current(), set.join_next()).unwrap().unwrap(), 1);
    };
    spawned_on_a_local_runtime: {
        let runtime = LocalRuntime::new().unwrap();
        let handle = runtime.spawn_local(large());
        assert_eq!(runtime.block_on(handle).unwrap(), 1);
    };
    blocked_on: assert_eq!(build().block_on(large()), 1);
    blocked_on_a_current_thread: assert_eq!(build_current().block_on(large()), 1);
    blocked_on_by_a_handle: assert_eq!(build().handle().block_on(large()), 1);
    blocked_on_a_local_runtime: assert_eq!(LocalRuntime::new().unwrap().block_on(large()), 1);
    blocked_on_a_local_set: assert_eq!(LocalSet::new().block_on(&build_current(), large()), 1);
    blocked_on_by_default: assert_eq!(zokio_runtime::block_on(large()), 1);
    closure: join(|runtime| {
        let _entered = runtime.enter();
        spawn_blocking(large_closure())
    });
    closure_by_a_handle: join(|runtime| runtime.handle().spawn_blocking(large_closure()));
    closure_by_a_runtime: join(|runtime| runtime.spawn_blocking(large_closure()));
    closure_by_a_builder: join(|runtime| {
        let _entered = runtime.enter();
        TaskBuilder::new().spawn_blocking(large_closure()).unwrap()
    });
    closure_by_a_builder_on: join(|runtime| {
        TaskBuilder::new().spawn_blocking_on(large_closure(), runtime.handle()).unwrap()
    });
    closure_in_a_set: join_set(|set, _| {
        set.spawn_blocking(large_closure());
    });
    closure_in_a_set_on: join_set(|set, runtime| {
        set.spawn_blocking_on(large_closure(), runtime.handle());
    });
    closure_on_a_local_runtime: {
        let runtime = LocalRuntime::new().unwrap();
        let handle = runtime.spawn_blocking(large_closure());
        assert_eq!(runtime.block_on(handle).unwrap(), 1);
    };
}

/// Waits until the task has ended, without taking its outcome.
fn wait_for_end<T>(handle: &JoinHandle<T>) {
    while !handle.is_finished() {
        std::thread::yield_now();
    }
}

/// How many large blocks there are.
fn blocks() -> usize {
    BLOCKS.load(Ordering::Relaxed)
}

/// Spawns on the current runtime and waits for the end. In a function of its own, as everything that
/// makes a large future: its frame has room for it.
fn ended<T: Send + 'static>(spawn: impl FnOnce() -> JoinHandle<T>) -> JoinHandle<T> {
    let handle = spawn();
    wait_for_end(&handle);
    handle
}

#[test]
fn what_is_large_goes_when_its_task_ends() {
    let _alone = alone();
    let thread = std::thread::Builder::new().stack_size(SIZE * 64);
    let thread = thread.spawn(large_ones_go_with_their_tasks).unwrap();
    thread.join().unwrap();
}

fn large_ones_go_with_their_tasks() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .thread_stack_size(SIZE * 64)
        .enable_all()
        .build()
        .unwrap();
    let entered = runtime.enter();
    let before = blocks();

    let done = [
        ended(|| spawn(large())),
        ended(|| spawn_blocking(large_closure())),
    ];
    let aborts = done.each_ref().map(JoinHandle::abort_handle);
    assert_eq!(blocks(), before, "ended, and not joined yet");
    drop(done);

    let waiting = || {
        spawn(async {
            let kept = [1_u8; SIZE];
            std::future::pending::<()>().await;
            black_box(&kept);
        })
    };
    let cancelled = waiting();
    assert_eq!(blocks(), before + 1);
    cancelled.abort();
    wait_for_end(&cancelled);
    assert_eq!(blocks(), before, "cancelled, and not joined yet");

    let panicked = ended(|| {
        spawn(async {
            let kept = [1_u8; SIZE];
            zokio_time::sleep(std::time::Duration::from_millis(1)).await;
            panic!("expected {}", black_box(&kept)[0]);
        })
    });
    assert_eq!(blocks(), before, "panicked, and not joined yet");
    assert!(aborts.iter().all(zokio_task::AbortHandle::is_finished));
    drop(panicked);

    // One that is refused is dropped at once.
    let handle = runtime.handle().clone();
    drop(entered);
    drop(runtime);
    let refused = ended(|| handle.spawn(large()));
    assert_eq!(blocks(), before, "refused");
    drop(refused);
}
