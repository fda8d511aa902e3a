//! A runtime of one thread and one future, for tests: the worker's turn that `lib.rs` describes.

use crate::{TIMER_FLOOR, TimerHandle};
use std::any::Any;
use std::future::Future;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use zokio_base::clock::Clock;
use zokio_base::parker::{Parker, Unparker};
use zokio_base::sync::Arc;
use zokio_base::sync::std_atomic::{AtomicBool, Ordering};
use zokio_task::context::{self, Services, Worker};

struct Handle(Option<TimerHandle>);

impl Services for Handle {
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
    fn timers(&self) -> Option<&(dyn Any + Send + Sync)> {
        self.0.as_ref().map(|timers| timers as _)
    }
    fn driver(&self) -> Option<&(dyn Any + Send + Sync)> {
        None
    }
}

struct Root {
    woken: AtomicBool,
    unparker: Unparker,
}

impl Wake for Root {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.unparker.unpark();
    }
}

pub(crate) struct Runtime {
    clock: Clock,
    timers: TimerHandle,
    handle: Arc<Handle>,
    parker: Mutex<Parker>,
}

pub(crate) struct Entered {
    _clock: zokio_base::clock::EnterGuard,
    _services: context::EnterGuard,
}

impl Runtime {
    pub(crate) fn new(start_paused: bool) -> Self {
        Self::build(start_paused, true, true)
    }

    pub(crate) fn build(start_paused: bool, may_pause: bool, has_timers: bool) -> Self {
        let clock = Clock::new();
        if start_paused {
            clock.pause();
        }
        let parker = Parker::new();
        let unparker = parker.unparker();
        let unpark = Arc::new(move |_| unparker.unpark());
        let timers = TimerHandle::new(1, clock.clone(), may_pause, TIMER_FLOOR, unpark);
        Self {
            clock,
            handle: Arc::new(Handle(Some(timers.clone()).filter(|_| has_timers))),
            timers,
            parker: Mutex::new(parker),
        }
    }

    pub(crate) fn timers(&self) -> &TimerHandle {
        &self.timers
    }

    pub(crate) fn enter(&self) -> Entered {
        Entered {
            _clock: self.clock.enter(),
            _services: context::enter(self.handle.clone()),
        }
    }

    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        let parker = self
            .parker
            .lock()
            .unwrap_or_else(|poison| poison.into_inner());
        let _entered = self.enter();
        let worker = Worker {
            scheduler: std::ptr::null(),
            local: std::ptr::null(),
            index: 0,
        };
        // SAFETY: there is no scheduler that would follow the pointers, and the guard ends with this call.
        #[allow(unsafe_code)]
        let _worker = unsafe { context::enter_worker(worker) };
        let root = Arc::new(Root {
            woken: AtomicBool::new(true),
            unparker: parker.unparker(),
        });
        let waker = Waker::from(root.clone());
        let mut future = pin!(future);
        loop {
            if root.woken.swap(false, Ordering::AcqRel) {
                let mut cx = Context::from_waker(&waker);
                let polled = zokio_task::coop::budget(|| future.as_mut().poll(&mut cx));
                if let Poll::Ready(output) = polled {
                    return output;
                }
            }
            self.process();
            let mut deferred = Vec::new();
            context::take_deferred(&mut deferred);
            deferred.into_iter().for_each(Waker::wake);
            if !root.woken.load(Ordering::Acquire) {
                self.wait(&parker);
            }
        }
    }

    fn wait(&self, parker: &Parker) {
        if self.timers.jump_to_next() {
            self.process();
            return;
        }
        match self.timers.begin_wait(0) {
            Some(limit) => {
                parker.park_timeout(limit);
            }
            None => assert!(
                parker.park_timeout(Duration::from_secs(20)),
                "nothing will ever happen"
            ),
        }
        self.process();
    }

    fn process(&self) {
        let mut due: Vec<Waker> = Vec::new();
        self.timers.process(0, self.clock.now(), &mut due);
        due.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let mut left: Vec<Waker> = Vec::new();
        self.timers.shutdown(&mut left);
        left.into_iter().for_each(Waker::wake);
    }
}
