//! The end of a runtime: timers that go on while closures that block are waited for.
//!
//! A closure of `spawn_blocking` that has begun is not cancelled, and it may be inside of
//! [`Handle::block_on`](crate::Handle::block_on) with a `sleep`, a `timeout` or an `interval`. The workers are
//! gone by then, so nobody would fire its timer. The thread that ends the runtime waits for the closure anyway:
//! it fires the timers meanwhile, for [`LEFT_MAX`] at most. A timer that is due later panics at once, as all do
//! after the end. Without a limit, a closure that loops over an interval, and which the panic ends, would keep
//! the runtime from ending for ever.
//!
//! 1. The last worker begins the end of the timers ([`time_left`] says how much time they have).
//! 2. [`wait`] fires what comes due, until all threads of the pool have ended or the time is over.
//! 3. It closes the timers. If a worker is late and step 1 comes afterwards, it leaves no time.
//!
//! Invariant: `wait` listens before it asks for the next deadline ([`TimerHandle::begin_wait`]). A timer that is
//! inserted with an earlier one rings the pool's door then, or was seen.

use crate::blocking::pool::{Pool, Waited};
use std::task::Waker;
use std::time::{Duration, Instant};
use zokio_base::clock::real_now;
use zokio_base::foreign;
use zokio_base::sync::Arc;
use zokio_time::TimerHandle;

/// For how long timers go on at most. Long enough for what a program does to finish a piece of work; short
/// enough to be no reason to kill a program that is ending.
const LEFT_MAX: Duration = Duration::from_secs(1);

/// How much time timers have in an end that is to be over by `deadline`.
pub(crate) fn time_left(deadline: Option<Instant>) -> Duration {
    deadline.map_or(LEFT_MAX, |deadline| {
        deadline.saturating_duration_since(real_now()).min(LEFT_MAX)
    })
}

/// Waits until all threads of the pool have ended, until `deadline` at most. `are_workers_gone` says that no worker
/// fires timers any more.
pub(crate) fn wait(
    pool: &Arc<Pool>,
    timers: Option<&TimerHandle>,
    deadline: Option<Instant>,
    are_workers_gone: bool,
) {
    let Some(timers) = timers else {
        pool.wait(deadline);
        return;
    };
    if are_workers_gone {
        fire_while_waiting(pool, timers, deadline);
    }
    let mut wakers: Vec<Waker> = Vec::new();
    timers.close(&mut wakers);
    foreign::wake_all(wakers);
    pool.wait(deadline);
}

/// Fires what comes due until the pool is empty, or no timer is left that may fire, or `deadline` has come.
fn fire_while_waiting(pool: &Arc<Pool>, timers: &TimerHandle, deadline: Option<Instant>) {
    let until = real_now() + LEFT_MAX;
    let until = deadline.map_or(until, |deadline| deadline.min(until));
    pool.listen(true);
    loop {
        let shards = 0..timers.shard_count();
        let next = shards.filter_map(|shard| timers.begin_wait(shard)).min();
        let next = next.and_then(|next| real_now().checked_add(next));
        let waited = pool.wait_for_threads(Some(next.map_or(until, |next| next.min(until))));
        if waited == Waited::Empty || waited == Waited::Late && real_now() >= until {
            break;
        }
        let mut wakers: Vec<Waker> = Vec::new();
        for shard in 0..timers.shard_count() {
            timers.process(shard, timers.clock().now(), &mut wakers);
        }
        foreign::wake_all(wakers);
    }
    pool.listen(false);
}

#[cfg(all(test, not(zokio_model)))]
mod tests;
