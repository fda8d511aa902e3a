//! Lets one thread at a time take completions, and loses nothing that others came for.
//!
//! Any thread may reap a ring. One that finds another at it goes away: it may have come for a
//! completion that was posted after the other has looked for the last time, and it may have taken the
//! only event that told of it. So it leaves word, and the other looks once more.
//!
//! ```text
//! who comes                                   who is inside
//! 1. leaves word                              1. takes the word away, works
//! 2. fence                                    2. leaves
//! 3. goes in, or away if somebody is inside   3. fence
//!                                             4. looks for a word, and if there is one starts again
//! ```
//!
//! Invariant: of the two fences one comes first. So either who comes finds nobody inside, or who
//! leaves finds the word; and what was there before the word was left is worked on after it.

use zokio_base::sync::Mutex;
use zokio_base::sync::atomic::{AtomicBool, Ordering, fence};

/// Where threads take turns.
#[derive(Debug)]
pub(super) struct Turnstile {
    inside: Mutex<()>,
    word: AtomicBool,
}

impl Turnstile {
    pub(super) fn new() -> Self {
        Self {
            inside: Mutex::new(()),
            word: AtomicBool::new(false),
        }
    }

    /// Runs `work`, or has the thread that is at it run it again.
    pub(super) fn pass(&self, mut work: impl FnMut()) {
        // ORDERING: Release pairs with the acquire of the swap below: what this thread knows to be
        // there is seen by whoever works in its place. A swap, since a store would hide from that
        // thread what others have left word of.
        self.word.swap(true, Ordering::Release);
        loop {
            // ORDERING: pairs with the fence below, of the thread that leaves.
            fence(Ordering::SeqCst);
            let Some(guard) = self.inside.try_lock() else {
                return;
            };
            // ORDERING: Acquire pairs with the release above.
            if self.word.swap(false, Ordering::Acquire) {
                work();
            }
            drop(guard);
            // ORDERING: pairs with the fence above, of a thread that finds this one inside.
            fence(Ordering::SeqCst);
            // ORDERING: Relaxed: the fences order it.
            if !self.word.load(Ordering::Relaxed) {
                return;
            }
        }
    }
}

#[cfg(all(test, zokio_loom))]
mod model {
    use super::*;
    use std::sync::Arc;
    use zokio_base::sync::atomic::AtomicUsize;
    use zokio_base::sync::{model, thread};

    #[test]
    fn what_anybody_came_for_is_taken() {
        model(|| {
            let turnstile = Arc::new(Turnstile::new());
            let posted = Arc::new(AtomicUsize::new(0));
            let taken = Arc::new(AtomicUsize::new(0));
            let come = {
                let (turnstile, posted, taken) = (turnstile.clone(), posted.clone(), taken.clone());
                move || {
                    // ORDERING: Relaxed: the turnstile orders it.
                    posted.fetch_add(1, Ordering::Relaxed);
                    turnstile.pass(|| {
                        // ORDERING: Relaxed: as above; one thread at a time takes.
                        taken.store(posted.load(Ordering::Relaxed), Ordering::Relaxed);
                    });
                }
            };
            let others = [thread::spawn(come.clone()), thread::spawn(come.clone())];
            come();
            for other in others {
                other.join().unwrap();
            }
            assert_eq!(taken.load(Ordering::Relaxed), 3);
        });
    }
}
