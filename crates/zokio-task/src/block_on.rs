//! Drives one future on the calling thread, which sleeps in between.
//!
//! Needs no runtime and does not check whether the thread may block: who offers this to users asks
//! [`context::region`] first.

use crate::{context, coop};
use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use zokio_base::parker::{Parker, Unparker};
use zokio_base::sync::thread_local;

thread_local! {
    // Loom's thread locals cannot be constant.
    #[allow(clippy::missing_const_for_thread_local)]
    /// The thread's parker and its waker, unless a `block_on` further up the stack uses them.
    static IDLE: RefCell<Option<(Parker, Waker)>> = RefCell::new(None);
}

struct Unpark(Unparker);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// The thread's parker, or another one if that is in use or the thread's locals are gone.
fn borrow_parker() -> (Parker, Waker) {
    let idle = IDLE.try_with(|idle| idle.borrow_mut().take());
    idle.ok().flatten().unwrap_or_else(|| {
        let parker = Parker::new();
        let waker = Waker::from(Arc::new(Unpark(parker.unparker())));
        (parker, waker)
    })
}

/// Gives a parker back when it goes out of scope, also on a panic.
struct Lease(Option<(Parker, Waker)>);

impl Drop for Lease {
    fn drop(&mut self) {
        let parker = self.0.take();
        let _ = IDLE.try_with(|idle| {
            // Another one may be there if this is the inner of two; one is enough.
            let spare = std::mem::replace(&mut *idle.borrow_mut(), parker);
            drop(spare);
        });
    }
}

/// Runs `future` to its end. Each poll has a full budget.
///
/// # Panics
/// If the future does.
///
/// # Examples
/// ```
/// assert_eq!(zokio_task::block_on::block_on(async { 6 * 7 }), 42);
/// ```
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let lease = Lease(Some(borrow_parker()));
    let Some((parker, waker)) = &lease.0 else {
        unreachable!("the lease was just made")
    };
    let _root = context::enter_root(waker);
    let mut cx = Context::from_waker(waker);
    loop {
        // A token that was meant for a former future of this thread costs one poll.
        match coop::budget(|| future.as_mut().poll(&mut cx)) {
            Poll::Ready(output) => return output,
            Poll::Pending => parker.park(),
        }
    }
}

#[cfg(all(test, not(zokio_model)))]
#[allow(clippy::disallowed_methods)] // The door leads to these.
mod tests {
    use super::*;
    use std::future::poll_fn;
    use zokio_base::sync::thread;

    #[test]
    fn sleeps_until_woken_from_another_thread() {
        let mut started = false;
        let output = block_on(poll_fn(|cx| {
            if started {
                return Poll::Ready(5);
            }
            started = true;
            let waker = cx.waker().clone();
            thread::spawn(move || waker.wake());
            Poll::Pending
        }));
        assert_eq!(output, 5);
    }

    #[test]
    fn nests_without_stealing_tokens() {
        let output = block_on(async {
            let inner = block_on(async {
                let mut yielded = false;
                poll_fn(|cx| {
                    if yielded {
                        return Poll::Ready(1);
                    }
                    yielded = true;
                    cx.waker().wake_by_ref();
                    Poll::Pending
                })
                .await
            });
            inner + 1
        });
        assert_eq!(output, 2);
    }

    #[test]
    fn the_parker_survives_a_panic() {
        let caught = std::panic::catch_unwind(|| block_on(async { panic!("expected") }));
        assert!(caught.is_err());
        assert!(IDLE.with(|idle| idle.borrow().is_some()));
    }

    #[test]
    fn the_budget_forces_a_yield_and_not_a_stall() {
        block_on(async {
            for _ in 0..10_000 {
                coop::consume_budget().await;
            }
        });
    }
}
