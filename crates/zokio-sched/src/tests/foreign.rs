//! User code that panics at a bad moment: hooks, hosts of threads, wakers. The scheduler goes on as if it
//! had returned, and no core has two owners or none.

use super::support::{Still, Threads, eventually, wait};
use crate::{Policy, Scheduler, StallReport, TaskMeta, ThreadHost, Worker, block_in_place, sys};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::task::{Wake, Waker};
use std::time::Duration;
use zokio_base::foreign;
use zokio_base::park::{Park, Unpark, WakeSink};
use zokio_base::sync::thread;
use zokio_task::context;

/// The hooks, by their place in [`Panicking::calls`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Hook {
    Start,
    Stop,
    Park,
    Unpark,
    BeforePoll,
    AfterPoll,
    Spawn,
    End,
    Stall,
    TaskPanic,
}

const HOOKS: [Hook; 10] = [
    Hook::Start,
    Hook::Stop,
    Hook::Park,
    Hook::Unpark,
    Hook::BeforePoll,
    Hook::AfterPoll,
    Hook::Spawn,
    Hook::End,
    Hook::Stall,
    Hook::TaskPanic,
];

/// One of the hooks panics, at each call while it is armed.
#[derive(Clone)]
struct Panicking {
    hook: Option<Hook>,
    armed: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
}

impl Panicking {
    fn new(hook: Option<Hook>) -> Self {
        Self {
            hook,
            armed: Arc::new(AtomicBool::new(true)),
            calls: Arc::default(),
        }
    }

    fn call(&self, hook: Hook) {
        if self.hook == Some(hook) && self.armed.load(Ordering::SeqCst) {
            self.calls.fetch_add(1, Ordering::SeqCst);
            panic!("{hook:?}");
        }
    }
}

impl Policy for Panicking {
    fn stall_threshold(&self) -> Option<Duration> {
        Some(Duration::from_millis(4))
    }
    fn poll_hooks(&self) -> bool {
        true
    }
    fn task_hooks(&self) -> bool {
        true
    }
    fn on_worker_start(&self, _: usize) {
        self.call(Hook::Start);
    }
    fn on_worker_stop(&self, _: usize) {
        self.call(Hook::Stop);
    }
    fn on_park(&self, _: usize) {
        self.call(Hook::Park);
    }
    fn on_unpark(&self, _: usize) {
        self.call(Hook::Unpark);
    }
    fn before_poll(&self, _: usize, _: &TaskMeta) {
        self.call(Hook::BeforePoll);
    }
    fn after_poll(&self, _: usize, _: &TaskMeta) {
        self.call(Hook::AfterPoll);
    }
    fn on_task_spawn(&self, _: &TaskMeta) {
        self.call(Hook::Spawn);
    }
    fn on_task_end(&self, _: &TaskMeta) {
        self.call(Hook::End);
    }
    fn on_stall(&self, _: &StallReport) {
        self.call(Hook::Stall);
    }
    fn on_task_panic(&self, _: &(dyn std::any::Any + Send)) {
        self.call(Hook::TaskPanic);
    }
}

type Sched<P = Still> = Scheduler<P, Panicking>;

fn start(workers: usize, settings: Panicking, host: Arc<dyn ThreadHost>) -> Arc<Sched> {
    let sched = Scheduler::multi_thread(Still::several(workers), settings, host);
    sched.start().unwrap();
    sched
}

fn end<P: Park + Send + 'static>(sched: &Arc<Sched<P>>) {
    sched.begin_shutdown();
    assert!(sched.wait_shutdown(Some(Duration::from_secs(20))));
}

fn go<F>(sched: &Sched<impl Park + Send + 'static>, future: F) -> zokio_task::JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    sched.spawner().spawn(future, zokio_task::SpawnMeta::new())
}

/// Each hook panics at each of its calls, on all workers, and everything else is as ever.
#[test]
fn every_hook_may_panic() {
    for hook in HOOKS {
        let settings = Panicking::new(Some(hook));
        let threads = Arc::new(Threads::default());
        let before = foreign::contained();
        let sched = start(2, settings.clone(), threads.clone());
        for round in 0..3 {
            assert_eq!(wait(go(&sched, async move { round })).unwrap(), round);
            // Long enough for the monitor, which then has the core run elsewhere.
            let (send, receive) = channel();
            let contained = sched.metrics().stalls_contained;
            let stuck = go(&sched, async move {
                receive.recv_timeout(Duration::from_secs(20)).unwrap()
            });
            if sys::barrier_available() {
                eventually(|| sched.metrics().stalls_contained > contained);
            }
            let beside = go(&sched, async move { send.send(round).unwrap() });
            assert_eq!(wait(stuck).unwrap(), round, "{hook:?}");
            wait(beside).unwrap();
            assert!(wait(go(&sched, async { panic!("the task's own") })).is_err());
        }
        end(&sched);
        eventually(|| threads.running.load(Ordering::SeqCst) == 0);
        let calls = settings.calls.load(Ordering::SeqCst);
        let is_reached = calls > 0 || (hook == Hook::Stall && !sys::barrier_available());
        assert!(is_reached, "{hook:?} was not called");
        assert!(foreign::contained() >= before + calls as u64, "{hook:?}");
    }
}

/// The hook after the poll panics when the core is in other hands already: the thread that has it by
/// then stays the only one.
#[test]
fn a_panic_after_the_core_was_taken_frees_nobody_elses_seat() {
    if !sys::barrier_available() {
        return;
    }
    let settings = Panicking::new(Some(Hook::AfterPoll));
    settings.armed.store(false, Ordering::SeqCst);
    let sched = start(1, settings.clone(), Arc::new(Threads::default()));
    let (send, receive) = channel::<()>();
    let armed = settings.armed.clone();
    let stuck = go(&sched, async move {
        receive.recv_timeout(Duration::from_secs(20)).unwrap();
        armed.store(true, Ordering::SeqCst);
    });
    eventually(|| sched.metrics().stalls_contained == 1);
    // From here on nobody takes a core any more.
    sched.shared.bell.close();
    assert!(sched.shared.bell.wait_until_gone(None));
    // The replacement runs, inside of a poll of this task.
    let (inside, is_inside) = channel();
    let (leave, may_leave) = channel();
    let beside = go(&sched, async move {
        inside.send(()).unwrap();
        may_leave.recv_timeout(Duration::from_secs(20)).unwrap();
    });
    is_inside.recv_timeout(Duration::from_secs(20)).unwrap();
    send.send(()).unwrap();
    wait(stuck).unwrap();
    eventually(|| settings.calls.load(Ordering::SeqCst) == 1);
    settings.armed.store(false, Ordering::SeqCst);
    for _ in 0..100 {
        assert!(sched.shared.lanes[0].seat.is_held());
        assert!(Worker::claim(&sched, 0).is_none(), "a second owner");
        thread::yield_now();
    }
    leave.send(()).unwrap();
    wait(beside).unwrap();
    wait(go(&sched, async {})).unwrap();
    end(&sched);
}

/// A host that panics or refuses when it is told to.
#[derive(Default)]
struct Moody {
    threads: Threads,
    panics: AtomicBool,
}

impl ThreadHost for Moody {
    fn host(&self, job: Box<dyn FnOnce() + Send>) -> io::Result<()> {
        assert!(!self.panics.load(Ordering::SeqCst), "no name comes to mind");
        self.threads.host(job)
    }
}

#[test]
fn a_host_that_panics_takes_no_worker_along() {
    let host = Arc::new(Moody::default());
    let sched = start(1, Panicking::new(None), host.clone());
    wait(go(&sched, async {})).unwrap();
    host.panics.store(true, Ordering::SeqCst);
    // In `block_in_place`, and in the monitor.
    wait(go(&sched, async {
        block_in_place(|| thread::sleep(Duration::from_millis(20)));
        thread::sleep(Duration::from_millis(20));
    }))
    .unwrap();
    assert_eq!(sched.metrics().hand_overs, 0);
    assert_eq!(sched.metrics().stalls_contained, 0);
    host.panics.store(false, Ordering::SeqCst);
    wait(go(&sched, async { block_in_place(|| ()) })).unwrap();
    assert_eq!(sched.metrics().hand_overs, 1);
    end(&sched);
}

/// A task blocks its thread, which no other can replace, and waits for what it has just spawned: that
/// went into the slot, from which only its own worker takes. The other worker gets it all the same.
#[test]
fn without_a_thread_the_slot_is_shared() {
    for in_place in [true, false] {
        if !in_place && !sys::barrier_available() {
            return;
        }
        let host = Arc::new(Moody::default());
        let sched = start(2, Panicking::new(None), host.clone());
        wait(go(&sched, async {})).unwrap();
        host.threads.refuse.store(true, Ordering::SeqCst);
        let inner = sched.clone();
        let waits = go(&sched, async move {
            let (send, receive) = channel();
            drop(go(&inner, async move { send.send(()).unwrap() }));
            drop(inner);
            let block = || receive.recv_timeout(Duration::from_secs(20)).is_ok();
            if in_place {
                block_in_place(block)
            } else {
                block()
            }
        });
        assert!(wait(waits).unwrap(), "in place: {in_place}");
        end(&sched);
    }
}

/// A driver that panics once, in its wait.
struct Breaks {
    still: Still,
    breaks: Arc<AtomicBool>,
}

impl Park for Breaks {
    type Unpark = <Still as Park>::Unpark;

    fn unparker(&self) -> Self::Unpark {
        self.still.unparker()
    }

    fn deadline(&self) -> Option<std::time::Instant> {
        None
    }

    fn poll<S: WakeSink>(&mut self, sink: &mut S) {
        self.still.poll(sink);
    }

    fn park<S: WakeSink>(&mut self, limit: Option<Duration>, sink: &mut S) {
        assert!(!self.breaks.swap(false, Ordering::SeqCst), "broken");
        self.still.park(limit, sink);
    }

    fn leave<S: WakeSink>(&mut self, sink: &mut S) {
        self.still.leave(sink);
    }

    fn shutdown<S: WakeSink>(&mut self, deadline: Option<std::time::Instant>, sink: &mut S) {
        self.still.shutdown(deadline, sink);
    }
}

/// A host whose threads outlive the panics of their jobs, as those of the runtime's pool do.
struct Tough;

impl ThreadHost for Tough {
    fn host(&self, job: Box<dyn FnOnce() + Send>) -> io::Result<()> {
        thread::Builder::new()
            .spawn(move || {
                let _ = foreign::contain(job);
            })
            .map(drop)
    }
}

#[test]
fn a_worker_that_ends_by_a_panic_is_replaced() {
    let breaks = Arc::new(AtomicBool::new(false));
    let park = Breaks {
        still: Still::new(),
        breaks: breaks.clone(),
    };
    let sched = Scheduler::multi_thread(vec![park], Panicking::new(None), Arc::new(Tough));
    sched.start().unwrap();
    wait(go(&sched, async {})).unwrap();
    breaks.store(true, Ordering::SeqCst);
    sched.shared.lanes[0].unpark.unpark();
    eventually(|| !breaks.load(Ordering::SeqCst));
    wait(go(&sched, async {})).unwrap();
    end(&sched);
}

/// A worker that is dropped, outside of a panic, leaves its seat to the next one.
#[test]
fn a_worker_that_is_dropped_leaves_its_seat() {
    let sched = Scheduler::multi_thread(
        Still::several(1),
        Panicking::new(None),
        Arc::new(Threads::default()),
    );
    for _ in 0..2 {
        let worker = Worker::claim(&sched, 0).unwrap();
        assert!(Worker::claim(&sched, 0).is_none());
        drop(worker);
    }
    end(&sched);
}

/// A waker that yields itself once more when it is cloned.
struct Reentrant;

impl Wake for Reentrant {
    fn wake(self: Arc<Self>) {}
}

/// Wakers that panic, with payloads that do so too, in one drain with tasks: all others are woken.
#[test]
fn wakers_that_panic_do_not_end_a_drain() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(std::thread::panicking(), "the payload as well");
        }
    }
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            std::panic::panic_any(Bomb);
        }
    }
    let sched = start(1, Panicking::new(None), Arc::new(Threads::default()));
    let before = foreign::contained();
    let task = go(&sched, async {
        for _ in 0..3 {
            context::defer(&Waker::from(Arc::new(Panics)));
            context::defer(&Waker::from(Arc::new(Reentrant)));
        }
        super::support::yield_now().await;
    });
    wait(task).unwrap();
    assert!(foreign::contained() >= before + 3);
    // Nothing waits in a batch that nobody ends.
    for number in 0..1_000 {
        drop(go(&sched, async move { number }));
    }
    wait(go(&sched, async {})).unwrap();
    end(&sched);
}
