//! Everything at once: tasks that do whatever the schedule's random numbers say.

use std::pin::Pin;
use std::time::Duration;

use zokio_base::rand::{self, Rng};
use zokio_base::sync::{Arc, model, thread};
use zokio_sched::block_in_place;
use zokio_task::block_on::block_on;
use zokio_task::{JoinError, JoinHandle};
use zokio_time::{sleep, timeout};

use super::actions::{Bench, event, give_way, yield_now};
use super::program::{Device, Entry, Program, Spawn};

/// How many tasks come from outside.
const ROOTS: usize = 4;
/// How many things a task does at most.
const ACTIONS_MAX: u32 = 4;
/// How deep tasks spawn tasks.
const DEPTH_MAX: u32 = 2;

/// The things that every task has at hand.
#[derive(Clone)]
struct World {
    spawn: Spawn,
    devices: Vec<Device>,
    bench: Arc<Bench>,
}

impl World {
    /// Spawns a task that answers with `number`.
    fn task(&self, number: u64, depth: u32, rng: &mut Rng) -> JoinHandle<u64> {
        let (world, rng) = (self.clone(), rng.split());
        self.spawn
            .spawn_with(move |entry| world.act(entry, number, depth, rng))
    }

    fn act(
        self,
        entry: Arc<Entry>,
        number: u64,
        depth: u32,
        mut rng: Rng,
    ) -> Pin<Box<dyn Future<Output = u64> + Send>> {
        // The entry is weakly held here: the task's own wrapper drops it.
        let entry = Arc::downgrade(&entry);
        Box::pin(async move {
            for _ in 0..rng.below(ACTIONS_MAX + 1) {
                entry.upgrade().expect("the future is alive").visit();
                self.do_one(depth, &mut rng).await;
            }
            number
        })
    }

    async fn do_one(&self, depth: u32, rng: &mut Rng) {
        let millis = Duration::from_millis(1 + u64::from(rng.below(70)));
        match rng.below(12) {
            0 => give_way().await,
            1 => yield_now().await,
            2 | 3 => self.bench.sit().await,
            4 => drop(self.bench.wake_one()),
            5 => {
                let bench = self.bench.clone();
                block_in_place(move || {
                    bench.wake_one();
                    thread::yield_now();
                });
            }
            6 => {
                let at = rng.below(self.devices.len() as u32) as usize;
                event(self.devices[at].clone()).await;
            }
            7 => sleep(millis).await,
            8 => drop(timeout(millis, give_way()).await),
            9 => drop(timeout(millis, self.bench.sit()).await),
            10 if depth < DEPTH_MAX => {
                let child = self.task(u64::from(depth), depth + 1, rng);
                if rng.below(2) == 0 {
                    match child.await {
                        Ok(answer) => assert_eq!(answer, u64::from(depth)),
                        Err(error) => assert!(is_end(&error), "{error}"),
                    }
                }
            }
            11 if depth < DEPTH_MAX => {
                let child = self.task(u64::from(depth), depth + 1, rng);
                child.abort();
                if let Err(error) = child.await {
                    assert!(is_end(&error), "{error}");
                }
            }
            _ => {
                // More than the ring of a worker holds.
                for number in 0..6 {
                    drop(self.spawn.spawn(async move { number }));
                }
            }
        }
    }
}

/// Whether a task that did not finish was cancelled. Or it had left its core behind to block, the
/// scheduler ended meanwhile, and then it asked for a timer: that panics, and says why.
fn is_end(error: &JoinError) -> bool {
    error.is_cancelled() || error.to_string().contains("it is being shutdown")
}

/// Runs one program. With `cut_off` the shutdown comes while tasks are still at it.
fn mix(workers: usize, cut_off: bool) {
    let program = Program::start(workers);
    let world = World {
        spawn: program.spawn.clone(),
        devices: program.devices.clone(),
        bench: Arc::default(),
    };
    let server = {
        let bench = world.bench.clone();
        thread::spawn(move || bench.serve())
    };
    let mut rng = rand::with(Rng::split);
    let mut tasks: Vec<JoinHandle<u64>> = Vec::new();
    for number in 0..ROOTS as u64 {
        tasks.push(world.task(number, 0, &mut rng));
    }
    let victim = rng.below(2 * ROOTS as u32) as usize;
    let aborter = tasks.get(victim).map(JoinHandle::abort_handle);
    let aborting = thread::spawn(move || aborter.inspect(|task| task.abort()));
    let check = |number: usize, task: JoinHandle<u64>| match block_on(task) {
        Ok(answer) => assert_eq!(answer, number as u64),
        Err(error) => assert!(is_end(&error) && (cut_off || number == victim), "{error}"),
    };
    let mut tasks = tasks.into_iter().enumerate();
    let waited_for = if cut_off {
        rng.below(2) as usize
    } else {
        ROOTS
    };
    for (number, task) in tasks.by_ref().take(waited_for) {
        check(number, task);
    }
    // Children whose handles were dropped may still be there in both cases.
    program.end();
    for (number, task) in tasks {
        check(number, task);
    }
    aborting.join().expect("an abort does not panic");
    world.bench.close();
    server.join().expect("the waker does not panic");
}

#[test]
fn everything_at_once_on_two_workers() {
    model(|| mix(2, false));
}

#[test]
fn everything_at_once_on_three_workers() {
    model(|| mix(3, false));
}

#[test]
fn a_shutdown_in_the_midst_of_everything() {
    model(|| mix(2, true));
}
