//! Models of the queues: wakes from another thread against a host's poll, its end, and the set's
//! drop.

use super::LocalSet;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use zokio_base::sync::atomic::{AtomicBool, Ordering};
use zokio_base::sync::{Arc, Mutex, model, thread};
use zokio_task::block_on::block_on;

/// Something that one thread does and a task of another waits for.
#[derive(Default)]
struct Event {
    happened: Mutex<(bool, Option<Waker>)>,
}

impl Event {
    fn happen(&self) {
        let waker = {
            let mut state = self.happened.lock();
            state.0 = true;
            state.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.happened.lock();
        if state.0 {
            return Poll::Ready(());
        }
        state.1 = Some(cx.waker().clone());
        Poll::Pending
    }

    async fn wait(self: Arc<Self>) {
        poll_fn(|cx| self.poll(cx)).await;
    }
}

/// Fails if it is dropped on another thread than the one that made it.
struct StaysHere {
    owner: thread::ThreadId,
    dropped: Arc<AtomicBool>,
}

impl StaysHere {
    fn new() -> (Self, Arc<AtomicBool>) {
        let dropped = Arc::new(AtomicBool::new(false));
        let owner = thread::current_id();
        let here = Self {
            owner,
            dropped: dropped.clone(),
        };
        (here, dropped)
    }
}

impl Drop for StaysHere {
    fn drop(&mut self) {
        assert_eq!(self.owner, thread::current_id(), "dropped elsewhere");
        // Relaxed: read by the same thread.
        self.dropped.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_wake_from_elsewhere_is_not_lost() {
    model(|| {
        let event = Arc::new(Event::default());
        let set = LocalSet::new();
        set.spawn_local(event.clone().wait());
        let other = thread::spawn(move || event.happen());
        block_on(set);
        other.join().unwrap();
    });
}

#[test]
fn the_second_of_two_wakes_relies_on_the_first() {
    model(|| {
        let events = [(); 2].map(|()| Arc::new(Event::default()));
        let set = LocalSet::new();
        for event in &events {
            set.spawn_local(event.clone().wait());
        }
        let others = events.map(|event| thread::spawn(move || event.happen()));
        block_on(set);
        for other in others {
            other.join().unwrap();
        }
    });
}

#[test]
fn a_host_that_is_dropped_passes_the_wake_on() {
    model(|| {
        let event = Arc::new(Event::default());
        let set = LocalSet::new();
        let task = set.spawn_local(event.clone().wait());
        let other = thread::spawn(move || event.happen());
        let mut second = Some(Box::pin(set.run_until(std::future::pending::<()>())));
        let mut first = pin!(set.run_until(task));
        block_on(poll_fn(|cx| {
            let polled = first.as_mut().poll(cx);
            // The one that was polled last is gone, and its waker wakes nobody.
            if let Some(mut second) = second.take() {
                let mut nobody = Context::from_waker(Waker::noop());
                assert!(Pin::new(&mut second).poll(&mut nobody).is_pending());
            }
            polled.map(Result::unwrap)
        }));
        other.join().unwrap();
    });
}

#[test]
fn a_wake_against_the_sets_drop() {
    model(|| {
        let event = Arc::new(Event::default());
        let (here, dropped) = StaysHere::new();
        let mut set = LocalSet::new();
        let task = set.spawn_local({
            let event = event.clone();
            async move {
                let _here = here;
                event.wait().await;
            }
        });
        let mut nobody = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut set).poll(&mut nobody).is_pending());
        let other = thread::spawn(move || event.happen());
        let shared = Arc::downgrade(&set.context.shared);
        drop(set);
        assert!(dropped.load(Ordering::Relaxed));
        drop(task);
        other.join().unwrap();
        assert_eq!(
            shared.strong_count(),
            0,
            "the task and the queues keep each other"
        );
    });
}

#[test]
fn an_abort_from_elsewhere_against_the_sets_drop() {
    model(|| {
        let (here, dropped) = StaysHere::new();
        let mut set = LocalSet::new();
        let task = set.spawn_local(async move {
            let _here = here;
            std::future::pending::<()>().await;
        });
        let mut nobody = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut set).poll(&mut nobody).is_pending());
        // The other thread has the last handle, and so may be the one that frees the task.
        let other = thread::spawn(move || {
            task.abort();
            drop(task);
        });
        let shared = Arc::downgrade(&set.context.shared);
        drop(set);
        assert!(dropped.load(Ordering::Relaxed));
        other.join().unwrap();
        assert_eq!(
            shared.strong_count(),
            0,
            "the task and the queues keep each other"
        );
    });
}

#[test]
fn an_abort_from_elsewhere_ends_the_set() {
    model(|| {
        let (here, dropped) = StaysHere::new();
        let set = LocalSet::new();
        let task = set.spawn_local(async move {
            let _here = here;
            std::future::pending::<()>().await;
        });
        let other = thread::spawn(move || task.abort());
        block_on(set);
        assert!(dropped.load(Ordering::Relaxed));
        other.join().unwrap();
    });
}

#[test]
fn an_abort_and_a_wake_from_elsewhere() {
    model(|| {
        let event = Arc::new(Event::default());
        let (here, dropped) = StaysHere::new();
        let set = LocalSet::new();
        let task = set.spawn_local({
            let event = event.clone();
            async move {
                let _here = here;
                event.wait().await;
            }
        });
        let others = [
            thread::spawn(move || task.abort()),
            thread::spawn(move || event.happen()),
        ];
        block_on(set);
        assert!(dropped.load(Ordering::Relaxed));
        for other in others {
            other.join().unwrap();
        }
    });
}

#[test]
fn a_task_is_joined_elsewhere() {
    model(|| {
        let set = LocalSet::new();
        let task = set.spawn_local(async { 1 });
        let other = thread::spawn(move || block_on(task).unwrap());
        block_on(set);
        assert_eq!(other.join().unwrap(), 1);
    });
}

#[test]
fn a_join_from_elsewhere_against_the_sets_drop() {
    model(|| {
        let (here, dropped) = StaysHere::new();
        let set = LocalSet::new();
        let task = set.spawn_local(async move {
            let _here = here;
            std::future::pending::<()>().await;
        });
        let other = thread::spawn(move || block_on(task).unwrap_err().is_cancelled());
        drop(set);
        assert!(dropped.load(Ordering::Relaxed));
        assert!(other.join().unwrap());
    });
}

#[test]
fn a_wake_while_another_task_is_spawned() {
    model(|| {
        let event = Arc::new(Event::default());
        let set = LocalSet::new();
        let first = set.spawn_local(event.clone().wait());
        let mut nobody = Context::from_waker(Waker::noop());
        let mut host = Box::pin(set.run_until(first));
        assert!(host.as_mut().poll(&mut nobody).is_pending());
        let other = thread::spawn(move || event.happen());
        let second = set.spawn_local(async { 2 });
        block_on(host).unwrap();
        assert_eq!(block_on(set.run_until(second)).unwrap(), 2);
        other.join().unwrap();
    });
}
