//! The actions of a program's tasks, one at a time.

use std::future::poll_fn;
use std::task::{Poll, Waker};

use zokio_base::sync::atomic::{AtomicBool, Ordering::SeqCst};
use zokio_base::sync::{Arc, Condvar, Mutex, thread};
use zokio_task::context;

use super::program::Device;

/// Is woken by itself, at once, behind the others.
pub(super) async fn give_way() {
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

/// Goes on after the driver was polled.
pub(super) async fn yield_now() {
    let mut first = true;
    poll_fn(|cx| {
        if std::mem::take(&mut first) {
            context::defer(cx.waker());
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    })
    .await;
}

/// One thing that a device makes ready, from a thread of its own.
pub(super) async fn event(device: Device) {
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

/// Where tasks wait for each other, and for a thread outside that wakes them all in the end.
#[derive(Default)]
pub(super) struct Bench {
    state: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    wakers: Vec<(Arc<AtomicBool>, Waker)>,
    closed: bool,
}

impl Bench {
    /// Waits until somebody wakes this very visit.
    pub(super) async fn sit(&self) {
        let woken = Arc::new(AtomicBool::new(false));
        let mut seated = false;
        poll_fn(|cx| {
            if woken.load(SeqCst) {
                return Poll::Ready(());
            }
            if !std::mem::replace(&mut seated, true) {
                let mut state = self.state.lock();
                state.wakers.push((woken.clone(), cx.waker().clone()));
                drop(state);
                self.changed.notify_one();
            }
            Poll::Pending
        })
        .await;
    }

    /// Wakes whoever sits here for the longest time.
    pub(super) fn wake_one(&self) -> bool {
        let first = {
            let mut state = self.state.lock();
            (!state.wakers.is_empty()).then(|| state.wakers.remove(0))
        };
        let Some((woken, waker)) = first else {
            return false;
        };
        woken.store(true, SeqCst);
        waker.wake();
        true
    }

    /// Wakes everyone who comes, until the bench is closed.
    pub(super) fn serve(&self) {
        loop {
            while self.wake_one() {}
            let mut state = self.state.lock();
            while state.wakers.is_empty() {
                if state.closed {
                    return;
                }
                state = self.changed.wait(state);
            }
        }
    }

    /// Ends [`serve`](Self::serve).
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_all();
    }
}
