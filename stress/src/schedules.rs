//! The multi-thread scheduler under random schedules: spawn, steal, wake, abort, events, shutdown.
//!
//! How it works: shuttle runs the same small program again and again, each time with other choices
//! of which thread goes on. Sockets and timers are stood in for by a device at the `Park` seam: a
//! thread of its own makes things ready at a worker and ends that worker's wait, as a kernel would.
//! Stall containment is off, because it asks the real kernel about real threads.
//!
//! What must hold in every schedule:
//!
//! 1. Every task that is not aborted comes to its end: no wake-up and no event is lost.
//! 2. A join says what happened; an aborted task either finished first or is cancelled.
//! 3. Every future is dropped exactly once, those that the shutdown cuts off too.
//! 4. The shutdown ends.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use zokio_base::park::{Park, Unpark, WakeSink};
use zokio_base::parker::{Parker, Unparker};
use zokio_base::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use zokio_base::sync::{Arc, Mutex, model, thread};
use zokio_sched::{Policy, Scheduler, Spawner, ThreadHost};
use zokio_task::block_on::block_on;
use zokio_task::{JoinHandle, SpawnMeta};

/// What became ready at one worker, and how to end its wait.
#[derive(Clone)]
struct Device {
    ready: Arc<Mutex<VecDeque<Waker>>>,
    unparker: Unparker,
}

impl Unpark for Device {
    fn unpark(&self) {
        self.unparker.unpark();
    }
}

impl Device {
    fn fire(&self, waker: Waker) {
        self.ready.lock().push_back(waker);
        self.unparker.unpark();
    }
}

/// Where a worker waits: for its device.
struct DevicePark {
    device: Device,
    parker: Parker,
}

impl DevicePark {
    fn new() -> Self {
        let parker = Parker::new();
        let ready = Arc::new(Mutex::new(VecDeque::new()));
        Self {
            device: Device {
                ready,
                unparker: parker.unparker(),
            },
            parker,
        }
    }
}

impl Park for DevicePark {
    type Unpark = Device;

    fn unparker(&self) -> Device {
        self.device.clone()
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn poll<S: WakeSink>(&mut self, sink: &mut S) {
        loop {
            let waker = self.device.ready.lock().pop_front();
            let Some(waker) = waker else { return };
            sink.wake(waker);
        }
    }

    fn park<S: WakeSink>(&mut self, limit: Option<Duration>, sink: &mut S) {
        if limit != Some(Duration::ZERO) {
            self.parker.park();
        }
        self.poll(sink);
    }

    fn shutdown<S: WakeSink>(&mut self, sink: &mut S) {
        self.poll(sink);
    }
}

/// Fixed choices inside, so that the schedule is all that varies.
struct Fixed;

impl Policy for Fixed {
    fn stall_threshold(&self) -> Option<Duration> {
        None
    }

    fn seed(&self) -> Option<u64> {
        Some(1)
    }
}

/// Threads as shuttle has them.
struct Threads(Mutex<Vec<thread::JoinHandle<()>>>);

impl ThreadHost for Threads {
    fn host(&self, job: Box<dyn FnOnce() + Send>) -> io::Result<()> {
        self.0.lock().push(thread::spawn(job));
        Ok(())
    }
}

/// Futures made and futures dropped.
#[derive(Default)]
struct Books {
    made: AtomicUsize,
    dropped: AtomicUsize,
}

struct Entry(Arc<Books>);

impl Books {
    fn entry(self: &Arc<Self>) -> Entry {
        self.made.fetch_add(1, SeqCst);
        Entry(self.clone())
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, SeqCst);
    }
}

struct Program {
    scheduler: Arc<Scheduler<DevicePark, Fixed>>,
    threads: Arc<Threads>,
    devices: Vec<Device>,
    books: Arc<Books>,
}

impl Program {
    fn start(workers: usize) -> Self {
        let parks: Vec<DevicePark> = (0..workers).map(|_| DevicePark::new()).collect();
        let devices = parks.iter().map(|park| park.device.clone()).collect();
        let threads = Arc::new(Threads(Mutex::new(Vec::new())));
        let scheduler = Scheduler::multi_thread(parks, Fixed, threads.clone());
        scheduler.start().expect("shuttle has threads");
        Self {
            scheduler,
            threads,
            devices,
            books: Arc::default(),
        }
    }

    fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        spawn_on(self.scheduler.spawner(), &self.books, future)
    }

    /// Ends everything and checks the books.
    fn end(self) {
        self.scheduler.begin_shutdown();
        assert!(self.scheduler.wait_shutdown(None), "the shutdown ends");
        drop(self.scheduler);
        let threads = std::mem::take(&mut *self.threads.0.lock());
        for thread in threads {
            thread.join().expect("no worker panics");
        }
        assert_eq!(
            self.books.made.load(SeqCst),
            self.books.dropped.load(SeqCst)
        );
    }
}

fn spawn_on<F>(spawner: &Spawner, books: &Arc<Books>, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let entry = books.entry();
    let future = async move {
        let _entry = entry;
        future.await
    };
    spawner.spawn(future, SpawnMeta::new())
}

async fn give_way() {
    let mut first = true;
    poll_fn(|cx| {
        if std::mem::take(&mut first) {
            cx.waker().wake_by_ref();
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    })
    .await;
}

/// One thing that a device makes ready, from a thread of its own.
async fn event(device: Device) {
    let ready = Arc::new(AtomicBool::new(false));
    let mut submitted = false;
    poll_fn(move |cx| {
        if ready.load(SeqCst) {
            return Poll::Ready(());
        }
        if !std::mem::replace(&mut submitted, true) {
            let (device, ready, waker) = (device.clone(), ready.clone(), cx.waker().clone());
            thread::spawn(move || {
                ready.store(true, SeqCst);
                device.fire(waker);
            });
        }
        Poll::Pending
    })
    .await;
}

#[test]
fn tasks_that_spawn_are_all_run() {
    model(|| {
        let program = Program::start(2);
        let (spawner, books) = (program.scheduler.spawner().clone(), program.books.clone());
        let root = program.spawn(async move {
            let children: Vec<_> = (0..4u64)
                .map(|number| {
                    spawn_on(&spawner, &books, async move {
                        give_way().await;
                        number
                    })
                })
                .collect();
            let mut sum = 0;
            for child in children {
                sum += child.await.expect("not aborted");
            }
            sum
        });
        assert_eq!(block_on(root).expect("not aborted"), 6);
        program.end();
    });
}

#[test]
fn events_at_any_worker_wake_their_task() {
    model(|| {
        let program = Program::start(2);
        let tasks: Vec<_> = (0..3)
            .map(|number| {
                let device = program.devices[number % 2].clone();
                program.spawn(async move {
                    event(device.clone()).await;
                    event(device).await;
                    number
                })
            })
            .collect();
        for (number, task) in tasks.into_iter().enumerate() {
            assert_eq!(block_on(task).expect("not aborted"), number);
        }
        program.end();
    });
}

#[test]
fn an_abort_races_with_everything() {
    model(|| {
        let program = Program::start(2);
        let device = program.devices[0].clone();
        let first = program.spawn(async move { event(device).await });
        let second = program.spawn(async {
            give_way().await;
            give_way().await;
        });
        let aborter = first.abort_handle();
        let aborting = thread::spawn(move || aborter.abort());
        second.abort();
        for task in [first, second] {
            if let Err(error) = block_on(task) {
                assert!(error.is_cancelled());
            }
        }
        aborting.join().expect("an abort does not panic");
        program.end();
    });
}

#[test]
fn the_shutdown_cuts_off_what_is_left() {
    model(|| {
        let program = Program::start(2);
        let device = program.devices[1].clone();
        let waiting = program.spawn(std::future::pending::<()>());
        let running = program.spawn(async {
            for _ in 0..3 {
                give_way().await;
            }
        });
        drop(program.spawn(async move { event(device).await }));
        program.end();
        assert!(block_on(waiting).is_err_and(|error| error.is_cancelled()));
        if let Err(error) = block_on(running) {
            assert!(error.is_cancelled());
        }
    });
}
