//! A worker's turns over a ring whose kernel the test plays.

use super::*;
use crate::op::{Fsync, Op, OpenFile};
use crate::uring::probe::{Answer, Kernel};
use std::future::Future;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// A pool without threads.
#[derive(Default)]
struct Jobs(zokio_base::sync::Mutex<Vec<Box<dyn FnOnce() + Send>>>);

impl Offload for Jobs {
    fn offload(&self, job: Box<dyn FnOnce() + Send>) {
        self.0.lock().push(job);
    }
}

struct World {
    kernel: Arc<Kernel>,
    jobs: Arc<Jobs>,
    driver: Driver,
    file: Arc<OpenFile>,
}

impl World {
    /// `ring` is what the ring's descriptor stands for.
    fn new(ring: OwnedFd) -> Self {
        let kernel = Kernel::install(ring, false);
        let jobs = Arc::new(Jobs::default());
        let mut options = DriverOptions::new(1);
        options.mode = IoMode::Uring;
        Self {
            kernel,
            driver: Driver::new(&options, jobs.clone()).unwrap(),
            jobs,
            file: OpenFile::new(tempfile::tempfile().unwrap()),
        }
    }

    fn start(&self) -> Op<Fsync> {
        let plane = self.driver.handle.plane();
        plane.start(Some(0), Fsync::new(self.file.clone()))
    }

    /// Waits without a limit of its own.
    fn park(&mut self) {
        let mut wakers: Vec<Waker> = Vec::new();
        self.driver.workers[0].park(None, None, &mut wakers);
    }
}

fn is_ready(op: &mut Op<Fsync>) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    matches!(Pin::new(op).poll(&mut cx), Poll::Ready(Ok(())))
}

/// A descriptor that a set can watch: nothing ever happens there.
fn silent() -> OwnedFd {
    std::os::unix::net::UnixDatagram::unbound().unwrap().into()
}

/// A descriptor that no set can watch.
fn unwatchable() -> OwnedFd {
    tempfile::tempfile().unwrap().into()
}

#[test]
fn what_the_kernel_left_is_tried_again_without_an_event() {
    let mut world = World::new(silent());
    world.kernel.be_willing();
    let mut op = world.start();
    let refusals = 40;
    for _ in 0..refusals {
        world.kernel.answer(Answer::Again);
    }
    // Each of these would wait for ever if nobody thought of what is left.
    let mut turns = 0;
    while !is_ready(&mut op) {
        world.park();
        turns += 1;
        assert!(turns <= refusals + 1);
    }
}

#[test]
fn whoever_a_submission_wakes_keeps_the_worker_awake() {
    let mut world = World::new(silent());
    let mut op = world.start();
    assert!(!is_ready(&mut op));
    world.kernel.answer(Answer::Forbidden);
    // The waiter is the worker's own task: it is woken in here, and nothing else would end the wait.
    let mut wakers: Vec<Waker> = Vec::new();
    world.driver.workers[0].park(None, None, &mut wakers);
    assert_eq!(wakers.len(), 1);
    assert!(!is_ready(&mut op));
    let job = world.jobs.0.lock().pop();
    job.expect("it runs elsewhere")();
    assert!(is_ready(&mut op));
}

#[test]
fn mail_behind_what_the_kernel_left_does_not_keep_the_worker_busy() {
    let mut world = World::new(silent());
    world.kernel.be_willing();
    // More than the submission queue holds: the rest stays in the mailbox.
    let mut ops: Vec<_> = (0..20).map(|_| world.start()).collect();
    for _ in 0..6 {
        world.kernel.answer(Answer::Busy);
    }
    let begun = clock::real_now();
    for _ in 0..6 {
        world.park();
    }
    let waited = clock::real_now().saturating_duration_since(begun);
    assert!(waited > PAUSE_MIN, "it has waited: {waited:?}");
    while world.driver.handle.plane().lane(0).in_flight() > 0 {
        world.park();
    }
    assert!(ops.iter_mut().all(is_ready));
}

#[test]
fn a_ring_that_no_set_can_watch_serves_what_it_has_and_gets_nothing_new() {
    let mut world = World::new(unwatchable());
    let mut first = world.start();
    world.park();
    assert_eq!(world.kernel.named(), (0, 1));
    // The worker cannot see the ring: it does not sleep.
    world.park();
    assert!(!is_ready(&mut first));
    world.kernel.complete_all();
    world.park();
    assert!(is_ready(&mut first));
    // Operations that begin now go elsewhere.
    let mut second = world.start();
    let job = world.jobs.0.lock().pop();
    job.expect("it was not for the ring")();
    assert!(is_ready(&mut second));
}

#[test]
fn a_worker_that_leaves_hands_over_what_is_pending() {
    let mut world = World::new(silent());
    drop(world.start());
    let mut wakers: Vec<Waker> = Vec::new();
    world.driver.workers[0].leave(&mut wakers);
    assert_eq!(world.kernel.named(), (0, 1));
    // It is not over, and nobody else would take turns.
    let minder = world.jobs.0.lock().pop().expect("somebody looks after it");
    // One is enough.
    world.driver.workers[0].leave(&mut wakers);
    assert!(world.jobs.0.lock().is_empty());
    world.kernel.complete_all();
    minder();
    assert_eq!(world.driver.handle.plane().lane(0).in_flight(), 0);
    // The next one starts another.
    drop(world.start());
    world.kernel.answer(Answer::Again);
    world.driver.workers[0].leave(&mut wakers);
    world.kernel.be_willing();
    let minder = world.jobs.0.lock().pop().expect("as above");
    minder();
    assert_eq!(world.driver.handle.plane().lane(0).in_flight(), 0);
}

#[test]
fn a_minder_that_the_pool_drops_leaves_the_place_free() {
    let mut world = World::new(silent());
    drop(world.start());
    let mut wakers: Vec<Waker> = Vec::new();
    world.driver.workers[0].leave(&mut wakers);
    world.jobs.0.lock().clear();
    world.driver.workers[0].leave(&mut wakers);
    assert_eq!(world.jobs.0.lock().len(), 1);
    world.kernel.complete_all();
    let minder = world.jobs.0.lock().pop().unwrap();
    minder();
}

#[test]
fn a_set_that_could_not_be_taken_out_is_nested_anew() {
    let (guard, peer) = (Set::new(8).unwrap(), Set::new(8).unwrap());
    let mut wakers: Vec<Waker> = Vec::new();
    guard.nest(&peer, 1).unwrap();
    peer.fire();
    assert_eq!(guard.try_drain(&mut wakers).unwrap().peers, 1 << 1);
    // It is there still, as after a `take_out` that the system refused. What came meanwhile is reported.
    guard.nest(&peer, 1).unwrap();
    assert_eq!(guard.try_drain(&mut wakers).unwrap().peers, 1 << 1);
    guard.take_out(&peer);
    // Once more than needed.
    guard.take_out(&peer);
}
