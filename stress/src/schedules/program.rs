//! The ground that a program under random schedules stands on: devices, time, threads, a scheduler, the
//! books.
//!
//! A worker waits at a [`DevicePark`]. Threads fire events at it, as a kernel would. Time is a
//! paused clock that all workers share: a worker that would wait for a timer lets other threads go
//! first, and then moves the clock to the timer's deadline. So time passes in no schedule by
//! itself, and in every schedule far enough.

use std::any::Any;
use std::collections::VecDeque;
use std::io;
use std::task::Waker;
use std::time::{Duration, Instant};

use zokio_base::clock::Clock;
use zokio_base::park::{Park, Unpark, WakeSink};
use zokio_base::parker::{Parker, Unparker};
use zokio_base::rand::{self, Rng};
use zokio_base::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use zokio_base::sync::{Arc, Mutex, thread};
use zokio_sched::{Policy, Scheduler, Spawner, ThreadHost};
use zokio_task::context::{self, Services};
use zokio_task::{JoinHandle, SpawnMeta};
use zokio_time::TimerHandle;

/// The events that became ready at one worker, and the means to end its wait.
#[derive(Clone)]
pub(super) struct Device {
    ready: Arc<Mutex<VecDeque<Waker>>>,
    unparker: Unparker,
}

impl Unpark for Device {
    fn unpark(&self) {
        self.unparker.unpark();
    }
}

impl Device {
    pub(super) fn fire(&self, waker: Waker) {
        self.ready.lock().push_back(waker);
        self.unparker.unpark();
    }
}

/// Where a worker waits: for its device and its timers.
struct DevicePark {
    device: Device,
    parker: Parker,
    index: usize,
    timers: TimerHandle,
}

impl DevicePark {
    fn several(count: usize) -> (Vec<Self>, TimerHandle) {
        let parkers: Vec<Parker> = (0..count).map(|_| Parker::new()).collect();
        let unparkers: Vec<Unparker> = parkers.iter().map(Parker::unparker).collect();
        let clock = Clock::new();
        clock.pause();
        let unpark = Arc::new(move |index: usize| unparkers[index].unpark());
        let timers = TimerHandle::new(count, clock, false, Duration::ZERO, unpark);
        let parks = parkers.into_iter().enumerate().map(|(index, parker)| Self {
            device: Device {
                ready: Arc::default(),
                unparker: parker.unparker(),
            },
            parker,
            index,
            timers: timers.clone(),
        });
        (parks.collect(), timers)
    }

    /// Waits for the next timer, without anything else to do.
    fn pass_time_until(&self, deadline: Instant) {
        thread::yield_now();
        let clock = self.timers.clock();
        clock.advance(deadline.saturating_duration_since(clock.now()));
    }
}

impl Park for DevicePark {
    type Unpark = Device;

    fn unparker(&self) -> Device {
        self.device.clone()
    }

    fn deadline(&self) -> Option<Instant> {
        self.timers.next_deadline(self.index)
    }

    fn poll<S: WakeSink>(&mut self, sink: &mut S) {
        loop {
            let waker = self.device.ready.lock().pop_front();
            let Some(waker) = waker else { break };
            sink.wake(waker);
        }
        let now = self.timers.clock().now();
        self.timers.process(self.index, now, sink);
    }

    fn park<S: WakeSink>(&mut self, limit: Option<Duration>, sink: &mut S) {
        if limit.is_none() {
            // None, as the clock stands; from here on an insertion unparks.
            assert_eq!(self.timers.begin_wait(self.index), None);
            match self.deadline() {
                Some(deadline) => self.pass_time_until(deadline),
                None => self.parker.park(),
            }
        }
        self.poll(sink);
    }

    fn leave<S: WakeSink>(&mut self, _sink: &mut S) {}

    fn shutdown<S: WakeSink>(&mut self, _deadline: Option<Instant>, sink: &mut S) {
        self.timers.shutdown(sink);
        self.poll(sink);
    }
}

/// Leads the tasks to their timers.
struct Timers(TimerHandle);

impl Services for Timers {
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }

    fn timers(&self) -> Option<&(dyn Any + Send + Sync)> {
        Some(&self.0)
    }

    fn driver(&self) -> Option<&(dyn Any + Send + Sync)> {
        None
    }
}

/// Containment asks the real kernel about real threads, so it is off.
struct Uncontained;

impl Policy for Uncontained {
    fn stall_threshold(&self) -> Option<Duration> {
        None
    }
}

/// Threads as shuttle has them, inside of the services.
struct Threads {
    services: Arc<dyn Services>,
    started: Mutex<Vec<thread::JoinHandle<()>>>,
}

impl ThreadHost for Threads {
    fn host(&self, job: Box<dyn FnOnce() + Send>) -> io::Result<()> {
        let services = self.services.clone();
        let started = thread::spawn(move || {
            let _services = context::enter(services);
            job();
        });
        self.started.lock().push(started);
        Ok(())
    }
}

/// Futures made and futures dropped.
#[derive(Default)]
pub(super) struct Books {
    made: AtomicUsize,
    dropped: AtomicUsize,
}

/// Lives in a future.
pub(super) struct Entry {
    books: Arc<Books>,
    /// Touched without any lock, by whoever polls or drops the future.
    visits: AtomicUsize,
}

impl Books {
    fn entry(self: &Arc<Self>) -> Entry {
        self.made.fetch_add(1, SeqCst);
        Entry {
            books: self.clone(),
            visits: AtomicUsize::new(0),
        }
    }
}

impl Entry {
    /// Asserts that nobody else is here.
    pub(super) fn visit(&self) {
        assert_eq!(self.visits.fetch_add(1, SeqCst), 0, "polled by two threads");
        self.visits.fetch_sub(1, SeqCst);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        assert_eq!(self.visits.load(SeqCst), 0, "dropped while it is polled");
        self.books.dropped.fetch_add(1, SeqCst);
    }
}

/// Spawns tasks whose futures are in the books.
#[derive(Clone)]
pub(super) struct Spawn {
    spawner: Spawner,
    books: Arc<Books>,
}

impl Spawn {
    pub(super) fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn_with(|_| future)
    }

    /// As [`spawn`](Self::spawn), with the entry of the future.
    pub(super) fn spawn_with<F>(&self, make: impl FnOnce(Arc<Entry>) -> F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let entry = Arc::new(self.books.entry());
        let future = make(entry.clone());
        let future = async move {
            let _entry = entry;
            future.await
        };
        self.spawner.spawn(future, SpawnMeta::new())
    }
}

/// A started scheduler, with its devices.
pub(super) struct Program {
    scheduler: Arc<Scheduler<DevicePark, Uncontained>>,
    threads: Arc<Threads>,
    pub(super) devices: Vec<Device>,
    pub(super) spawn: Spawn,
    _rng: rand::EnterGuard,
}

impl Program {
    pub(super) fn start(workers: usize) -> Self {
        let (parks, timers) = DevicePark::several(workers);
        let devices = parks.iter().map(|park| park.device.clone()).collect();
        let threads = Arc::new(Threads {
            services: Arc::new(Timers(timers)),
            started: Mutex::new(Vec::new()),
        });
        let scheduler = Scheduler::multi_thread(parks, Uncontained, threads.clone());
        scheduler.start().expect("shuttle has threads");
        Self {
            devices,
            spawn: Spawn {
                spawner: scheduler.spawner().clone(),
                books: Arc::default(),
            },
            scheduler,
            threads,
            _rng: rand::enter(Rng::from_entropy()),
        }
    }

    pub(super) fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn.spawn(future)
    }

    /// Ends everything and checks the books.
    pub(super) fn end(self) {
        self.scheduler.begin_shutdown();
        assert!(self.scheduler.wait_shutdown(None), "the shutdown ends");
        drop(self.scheduler);
        // A thread may start another one until it ends.
        loop {
            let started = self.threads.started.lock().pop();
            let Some(thread) = started else { break };
            thread.join().expect("no worker panics");
        }
        assert_eq!(self.spawn.spawner.alive(), 0, "every task has ended");
        let books = &self.spawn.books;
        assert_eq!(books.made.load(SeqCst), books.dropped.load(SeqCst));
    }
}
