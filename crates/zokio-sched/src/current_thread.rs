//! `block_on` on a current-thread scheduler, from any number of threads, and `run_until_idle`, for
//! whoever has a loop of his own.
//!
//! One thread at a time holds the core and drives all tasks beside its own future. The others poll
//! their own futures only, and wait for either of two things: that their future is woken, or that
//! the core becomes free. Whoever leaves the core passes it on to one of them; one that was chosen
//! and does not need it any more passes it on further.
//!
//! The root future is polled when it was woken, between rounds: a round ends when the driver was
//! polled, which is after `driver_interval` tasks or when none is ready.
#![allow(unsafe_code)]

use crate::policy::Policy;
use crate::scheduler::Scheduler;
use crate::worker::{Step, Worker};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;
use zokio_base::park::{Park, Unpark};
use zokio_base::parker::{Parker, Unparker};
use zokio_base::rand;
use zokio_base::sync::Arc;
use zokio_base::sync::atomic::{AtomicBool, Ordering, fence};
use zokio_task::{context, coop};

/// Wakes the future of one `block_on`.
struct Root<U> {
    woken: AtomicBool,
    /// The thread holds the core, and waits in its driver rather than in `parker`.
    driving: AtomicBool,
    driver: U,
    parker: Unparker,
    /// The scheduler's address, to know its thread from others.
    scheduler: usize,
}

impl<U: Unpark> Root<U> {
    /// Whether the future was woken since the last call.
    fn take_woken(&self) -> bool {
        // Acquire pairs with the release in `wake_by_ref`: what the waker did is seen by the poll.
        self.woken.swap(false, Ordering::Acquire)
    }

    fn is_woken(&self) -> bool {
        // Relaxed: decides about waiting only; `set_driving` has the fence.
        self.woken.load(Ordering::Relaxed)
    }

    /// Says where the thread will wait. It looks at `woken` after this and before it waits.
    fn set_driving(&self, driving: bool) {
        // Relaxed: ordered by the fence, which pairs with the one in `wake_by_ref`.
        self.driving.store(driving, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }
}

impl<U: Unpark> Wake for Root<U> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Release pairs with the acquire in `take_woken`.
        if self.woken.swap(true, Ordering::Release) {
            return;
        }
        // Pairs with the fence in `set_driving`: either the thread sees that it was woken, or we
        // see where it waits.
        fence(Ordering::SeqCst);
        if !self.driving.load(Ordering::Relaxed) {
            return self.parker.unpark();
        }
        // The thread that drives looks at the flag before it waits.
        let here = context::worker().is_some_and(|here| here.scheduler.addr() == self.scheduler);
        if !here {
            self.driver.unpark();
        }
    }
}

impl<P: Park + Send + 'static, Q: Policy> Scheduler<P, Q> {
    /// Drives `future` to its end on this thread, and all tasks with it if no other thread does so
    /// already. For current-thread schedulers.
    ///
    /// The caller has made sure that the thread is not inside of a runtime.
    ///
    /// # Panics
    /// If the future does, and with the policy's [`failure`](Policy::failure) when there is one.
    #[track_caller]
    pub fn block_on<F: Future>(self: &Arc<Self>, future: F) -> F::Output {
        let _region = context::enter_runtime(false);
        let parker = Parker::new();
        let root = Arc::new(Root {
            woken: AtomicBool::new(true),
            driving: AtomicBool::new(false),
            driver: self.shared.lanes[0].unpark.clone(),
            parker: parker.unparker(),
            scheduler: self.shared.address().addr(),
        });
        let waker = Waker::from(root.clone());
        let _root = context::enter_root(&waker);
        let mut cx = Context::from_waker(&waker);
        let mut future = pin!(future);
        let queued = Queued {
            scheduler: self,
            parker: &parker,
        };
        loop {
            self.assert_not_failed();
            if let Some(worker) = Worker::claim(self, 0) {
                if let Some(output) = drive(worker, &root, future.as_mut(), &mut cx) {
                    return output;
                }
                // The failure may have woken the future, which is not to see it.
                self.assert_not_failed();
            }
            if root.take_woken() {
                if let Poll::Ready(output) = coop::budget(|| future.as_mut().poll(&mut cx)) {
                    return output;
                }
            }
            // Queue first, then look again: the core may have become free just before.
            queued.enter();
            let may_wait = !root.is_woken() && self.shared.policy.failure().is_none();
            if may_wait && !self.shared.lanes[0].seat.is_free() {
                parker.park();
            }
        }
    }

    /// Runs what is ready, and what becomes ready by that, until nothing is and the driver has
    /// nothing new. Never waits. For current-thread schedulers; if another thread drives this one,
    /// nothing happens. Returns when the driver wants to be polled next.
    ///
    /// The caller has made sure that the thread is not inside of a runtime.
    ///
    /// # Panics
    /// With the policy's [`failure`](Policy::failure) when there is one.
    #[track_caller]
    pub fn run_until_idle(self: &Arc<Self>) -> Option<Instant> {
        let _region = context::enter_runtime(false);
        let deadline = Worker::claim(self, 0).and_then(drive_until_idle);
        self.assert_not_failed();
        deadline
    }

    /// Panics with the policy's failure, if there is one, here and wherever else a thread waits for the
    /// core.
    #[track_caller]
    fn assert_not_failed(&self) {
        if let Some(reason) = self.shared.policy.failure() {
            self.tell_all_waiting();
            panic!("{reason}");
        }
    }

    /// Has every thread that waits for the core look around.
    fn tell_all_waiting(&self) {
        for (_, unparker) in self.waiting.lock().iter() {
            unparker.unpark();
        }
    }
}

/// This thread's place in the queue for the core. Leaving passes on what was meant for us.
struct Queued<'a, P: Park + Send + 'static, Q: Policy> {
    scheduler: &'a Arc<Scheduler<P, Q>>,
    parker: &'a Parker,
}

impl<P: Park + Send + 'static, Q: Policy> Queued<'_, P, Q> {
    fn key(&self) -> usize {
        std::ptr::from_ref(self.parker).addr()
    }

    fn enter(&self) {
        let key = self.key();
        let mut waiting = self.scheduler.waiting.lock();
        if !waiting.iter().any(|(other, _)| *other == key) {
            waiting.push_back((key, self.parker.unparker()));
        }
    }
}

impl<P: Park + Send + 'static, Q: Policy> Drop for Queued<'_, P, Q> {
    fn drop(&mut self) {
        let key = self.key();
        self.scheduler
            .waiting
            .lock()
            .retain(|(other, _)| *other != key);
        // If we were told that the core is free, another may want it now. Telling one too many is
        // harmless.
        self.scheduler.seat_was_freed();
    }
}

/// Holds the core and drives everything until `future` is done. None if the scheduler was shut
/// down before.
fn drive<P: Park + Send + 'static, Q: Policy, F: Future>(
    mut worker: Worker<P, Q>,
    root: &Arc<Root<P::Unpark>>,
    mut future: Pin<&mut F>,
    cx: &mut Context<'_>,
) -> Option<F::Output> {
    let _rng = rand::enter(worker.split_random());
    // SAFETY: the guard is dropped before the worker, which stays on this thread.
    let _entered = unsafe { worker.enter() };
    root.set_driving(true);
    loop {
        if root.take_woken() {
            if worker.is_asleep() {
                let _ = worker.rise();
            }
            let polled = worker.poll_root(|| coop::budget(|| future.as_mut().poll(cx)));
            if let Poll::Ready(output) = polled {
                worker.leave();
                return Some(output);
            }
            // The tasks that the future has set going get their turn before the future's next.
            worker.reset_driver_interval();
        }
        loop {
            match worker.step() {
                Step::Idle { .. } => {
                    if root.is_woken() {
                        // A future that wakes itself must not keep timers and events waiting.
                        worker.glance();
                    } else {
                        worker.park_unless(None, || root.is_woken());
                    }
                    break;
                }
                Step::Polled => break,
                Step::Lost | Step::Shutdown => {
                    root.set_driving(false);
                    return None;
                }
                Step::Ran(_) if worker.has_failed() => {
                    worker.cancel_all();
                    root.set_driving(false);
                    return None;
                }
                _ => {}
            }
        }
    }
}

/// Steps the worker until it is idle right after it has polled the driver.
fn drive_until_idle<P: Park + Send + 'static, Q: Policy>(
    mut worker: Worker<P, Q>,
) -> Option<Instant> {
    let _rng = rand::enter(worker.split_random());
    // SAFETY: the guard is dropped before the worker, which stays on this thread.
    let _entered = unsafe { worker.enter() };
    if worker.has_failed() {
        return None;
    }
    let mut has_looked = false;
    loop {
        match worker.step() {
            Step::Idle { deadline } if has_looked => {
                worker.leave();
                return deadline;
            }
            Step::Idle { .. } => {
                worker.glance();
                has_looked = true;
            }
            Step::Ran(_) if worker.has_failed() => {
                worker.cancel_all();
                return None;
            }
            Step::Ran(_) => has_looked = false,
            Step::Lost | Step::Shutdown => return None,
            _ => {}
        }
    }
}

#[cfg(all(test, zokio_loom))]
#[path = "tests/model_current_thread.rs"]
mod model;
