//! Between whoever leaves mail and the worker that may be going to sleep.
//!
//! A task that leaves mail usually runs on the worker that will submit it, which needs no waking: it
//! submits before it waits. But a worker's core may be taken from a thread that is stuck in a task,
//! and that thread then leaves its mail for a worker which goes to sleep elsewhere, at that moment.
//!
//! The worker:                                    Whoever leaves mail:
//! 1. announces that it waits                     1. leaves the mail, counts it
//! 2. fence                                       2. fence
//! 3. looks for mail: if there is any it does     3. looks whether the worker waits: if so it
//!    not wait                                       ends the wait
//!
//! Invariant: of the two fences one comes first, so at least one side sees what the other did in its
//! first step: no mail lies there while its worker sleeps.

use zokio_base::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};

/// Whether there is mail, and whether the worker waits.
#[derive(Debug)]
pub(super) struct Doorbell {
    mail: AtomicUsize,
    is_waiting: AtomicBool,
}

impl Doorbell {
    pub(super) fn new() -> Self {
        Self {
            mail: AtomicUsize::new(0),
            is_waiting: AtomicBool::new(false),
        }
    }

    /// How many messages there are.
    #[inline]
    pub(super) fn mail(&self) -> usize {
        // ORDERING: Acquire pairs with the release in `set_mail`.
        self.mail.load(Ordering::Acquire)
    }

    /// Says how many messages there are now. Called under the mailbox's lock.
    pub(super) fn set_mail(&self, count: usize) {
        // ORDERING: Release pairs with the acquire in `mail`.
        self.mail.store(count, Ordering::Release);
    }

    /// Whether whoever has just left mail has to end the worker's wait.
    pub(super) fn must_ring(&self) -> bool {
        // ORDERING: pairs with the fence in `begin_wait`.
        fence(Ordering::SeqCst);
        // ORDERING: Relaxed: the fences order it.
        self.is_waiting.load(Ordering::Relaxed)
    }

    /// The worker is about to wait. False if there is mail: then it must not.
    pub(super) fn begin_wait(&self) -> bool {
        // ORDERING: Relaxed: the fences order it.
        self.is_waiting.store(true, Ordering::Relaxed);
        // ORDERING: pairs with the fence in `must_ring`.
        fence(Ordering::SeqCst);
        if self.mail() == 0 {
            return true;
        }
        self.end_wait();
        false
    }

    /// The worker waits no longer.
    pub(super) fn end_wait(&self) {
        // ORDERING: Relaxed: seen late it costs whoever leaves mail a needless ring.
        self.is_waiting.store(false, Ordering::Relaxed);
    }
}

#[cfg(all(test, zokio_loom))]
mod model {
    use super::*;
    use std::sync::Arc;
    use zokio_base::sync::{Mutex, model, thread};

    #[test]
    fn no_mail_lies_there_while_the_worker_sleeps() {
        model(|| {
            let bell = Arc::new(Doorbell::new());
            let rung = Arc::new(Mutex::new(false));
            let poster = {
                let (bell, rung) = (bell.clone(), rung.clone());
                thread::spawn(move || {
                    bell.set_mail(1);
                    if bell.must_ring() {
                        *rung.lock() = true;
                    }
                })
            };
            let sleeps = bell.begin_wait();
            poster.join().unwrap();
            assert!(!sleeps || *rung.lock(), "asleep with mail, and nobody rang");
        });
    }
}
