//! The memory that a task costs, counted at the allocator: one block for each, of the size that the layout
//! says, and eight bytes in the shard's table.
//!
//! The counts are the thread's: the harness allocates on its own.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::future::pending;
use std::sync::Arc;
use std::thread::LocalKey;
use zokio_task::{AbortHandle, Header, Notified, Schedule, Shard, SpawnMeta};

/// The system's allocator, counting what it is asked for.
struct Counting;

thread_local! {
    static BLOCKS: Cell<usize> = const { Cell::new(0) };
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

/// Adds `amount`, which may stand for a negative one, to `counter`.
fn count(counter: &'static LocalKey<Cell<usize>>, amount: usize) {
    counter.with(|value| value.set(value.get().wrapping_add(amount)));
}

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(&BLOCKS, 1);
        count(&BYTES, layout.size());
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(&BLOCKS, 1_usize.wrapping_neg());
        count(&BYTES, layout.size().wrapping_neg());
        // SAFETY: the caller's.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs what is scheduled on the spot: an aborted task ends at once.
struct OnTheSpot;

impl Schedule for OnTheSpot {
    fn schedule(&self, task: Notified) {
        task.run();
    }
}

/// Blocks and bytes that this thread has in use.
fn used() -> [usize; 2] {
    [&BLOCKS, &BYTES].map(|counter| counter.get())
}

fn since(before: [usize; 2]) -> [usize; 2] {
    let now = used();
    [now[0] - before[0], now[1] - before[1]]
}

/// Fills `aborts` with idle tasks whose join handles are dropped.
fn fill<F>(shard: &Arc<Shard>, aborts: &mut Vec<AbortHandle>, make: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    while aborts.len() < aborts.capacity() {
        let (join, task) = shard.bind(make(), SpawnMeta::new());
        aborts.push(join.abort_handle());
        drop(join);
        task.expect("the shard is open").run();
    }
}

#[test]
#[cfg(target_pointer_width = "64")]
fn a_task_costs_one_block_of_its_own_size() {
    const COUNT: usize = 1 << 16;
    assert_eq!(size_of::<Header>(), 64);
    let shard = Shard::new(Arc::new(OnTheSpot), 0);
    let mut aborts = Vec::with_capacity(COUNT);
    // The first task of all interns its spawn place.
    drop(shard.bind_untracked(pending::<()>(), SpawnMeta::new()));

    // The first round grows the table: segments of 256 tasks, and the list of segments.
    let before = used();
    fill(&shard, &mut aborts, pending::<()>);
    let [blocks, bytes] = since(before);
    println!(
        "{:.2} bytes and {:.4} blocks for each idle task",
        bytes as f64 / COUNT as f64,
        blocks as f64 / COUNT as f64
    );
    assert!(blocks <= COUNT + COUNT / 256 + 2, "{blocks} blocks");
    assert!(bytes >= COUNT * (72 + 8), "{bytes} bytes");
    assert!(
        bytes <= COUNT * (72 + 8) + COUNT / 256 * 64,
        "{bytes} bytes"
    );

    // Ended tasks leave nothing but the table, which serves the next round.
    aborts.drain(..).for_each(|abort| abort.abort());
    let [blocks, bytes] = since(before);
    assert!(blocks <= COUNT / 256 + 2, "{blocks} blocks are left");
    assert!(
        bytes <= COUNT * 8 + COUNT / 256 * 64,
        "{bytes} bytes are left"
    );
    let again = used();
    fill(&shard, &mut aborts, pending::<()>);
    assert_eq!(since(again), [COUNT, COUNT * 72]);
    aborts.drain(..).for_each(|abort| abort.abort());
    assert_eq!(used(), again);

    // A greater future adds its own size and nothing else.
    let ballast = || {
        let ballast = [7_u64; 12];
        async move {
            pending::<()>().await;
            assert_eq!(ballast[0], 7);
        }
    };
    let size = size_of_val(&ballast());
    fill(&shard, &mut aborts, ballast);
    assert_eq!(since(again), [COUNT, COUNT * (64 + size)]);
    drop(aborts);
    shard.shutdown_all();
    assert_eq!(
        used()[0],
        again[0] - 1,
        "the list of abort handles is gone as well"
    );
}
