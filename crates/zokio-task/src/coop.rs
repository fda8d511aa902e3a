//! The cooperation budget: how much a task may do before it has to let others run.
//!
//! Each poll of a task starts with a budget of [`BUDGET`] units. Leaf operations (a receive, a
//! read, a timer) take one unit when they make progress, through [`poll_proceed`]. With the budget
//! used up every leaf operation returns `Pending` and has the task woken again, behind the others:
//! so a task that never runs out of ready input cannot keep its thread.
//!
//! Outside of a task, and inside [`unconstrained`], there is no limit. An executor inside of a poll (another
//! crate's `block_on`, a set of futures with wakers of its own) is refused a few times, and goes on with units
//! that only such executors can use: the task's own operations stay refused until its poll is over.

use crate::context;
use pin_project_lite::pin_project;
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Units at the start of each poll. The ecosystem's tests count on this very number.
pub const BUDGET: u8 = 128;

/// Stands for a budget that is used up, and has refused an operation: the poll counts as one that
/// was forced to yield.
const REFUSED: u8 = u8::MAX;

/// Stands for no budget at all: nothing is counted.
const UNLIMITED: u8 = REFUSED - 1;

/// Stands, with a count of refusals added, for a budget that is used up and has refused only operations
/// with a foreign waker ([`refuse`]).
const REFUSED_FOREIGN: u8 = 200;

/// How many refusals in a row an executor inside of a poll gets before it gets units of its own
/// ([`GRANT`]). More than one, because one poll of such an executor may try several operations.
const FOREIGN_REFUSALS_MAX: u8 = 4;

/// Stands, with a count of units added, for a budget that is used up, but for as many operations with a
/// foreign waker.
const GRANTED: u8 = BUDGET;

/// How many units an executor inside of a poll gets after its refusals.
const GRANT: u8 = 64;

const _: () = assert!(GRANTED + GRANT < REFUSED_FOREIGN);
const _: () = assert!(REFUSED_FOREIGN + FOREIGN_REFUSALS_MAX < UNLIMITED);

/// The rest of a poll's budget: units up to [`BUDGET`], or one of the constants above. One byte,
/// because each operation reads it, writes it, and often writes it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget(u8);

impl Budget {
    /// A full budget.
    pub const fn initial() -> Self {
        Self(BUDGET)
    }

    /// No limit.
    pub const fn unlimited() -> Self {
        Self(UNLIMITED)
    }

    /// Whether anything is left.
    pub const fn has_remaining(self) -> bool {
        self.0 == UNLIMITED || is_left(self.0)
    }
}

/// Whether a budget has units left: zero and what is above a whole budget stand for none.
#[inline]
const fn is_left(units: u8) -> bool {
    units.wrapping_sub(1) < BUDGET
}

/// Runs `f` with `budget` in force, and restores the former budget afterwards, also on a panic.
#[inline]
pub fn with_budget<R>(budget: Budget, f: impl FnOnce() -> R) -> R {
    struct Restore(Budget);
    impl Drop for Restore {
        fn drop(&mut self) {
            context::set_budget(self.0);
        }
    }
    let _restore = Restore(context::replace_budget(budget));
    f()
}

/// Runs `f` with a full budget.
#[inline]
pub fn budget<R>(f: impl FnOnce() -> R) -> R {
    with_budget(Budget::initial(), f)
}

/// Whether the current task has budget left. True outside of a task.
///
/// # Examples
/// ```
/// use zokio_task::coop;
///
/// # async fn demo(mut items: Vec<u32>) {
/// // Work in pieces, for as long as this poll may go on.
/// while coop::has_budget_remaining() && items.pop().is_some() {
///     coop::consume_budget().await;
/// }
/// # }
/// ```
#[inline]
pub fn has_budget_remaining() -> bool {
    context::budget().has_remaining()
}

/// Gives the unit back when it is dropped, unless [`made_progress`](Self::made_progress) was
/// called: an operation that turns out to be pending costs nothing.
///
/// # Examples
/// ```
/// use std::task::{Context, Poll, Waker};
/// use zokio_task::coop;
///
/// let mut cx = Context::from_waker(Waker::noop());
/// if let Poll::Ready(unit) = coop::poll_proceed(&mut cx) {
///     // Nothing was done: the unit is given back.
///     drop(unit);
/// }
/// ```
#[derive(Debug)]
#[must_use]
pub struct RestoreOnPending {
    before: Cell<Budget>,
    // A budget belongs to the thread's current poll.
    _not_send: std::marker::PhantomData<*const ()>,
}

impl RestoreOnPending {
    /// The operation did something: the unit is spent.
    ///
    /// # Examples
    /// ```
    /// use std::task::{Context, Poll, ready};
    /// use zokio_task::coop;
    ///
    /// fn poll_take(cx: &mut Context<'_>, ready_items: &mut Vec<u32>) -> Poll<u32> {
    ///     let unit = ready!(coop::poll_proceed(cx));
    ///     match ready_items.pop() {
    ///         Some(item) => {
    ///             unit.made_progress();
    ///             Poll::Ready(item)
    ///         }
    ///         // The unit is given back.
    ///         None => Poll::Pending,
    ///     }
    /// }
    /// ```
    #[inline]
    pub fn made_progress(&self) {
        self.before.set(Budget::unlimited());
    }
}

impl Drop for RestoreOnPending {
    /// Gives the unit back, unless an operation inside of this one was refused since. The count of refusals
    /// then stands in the unit's place, and it has to stay: an executor inside of the poll would otherwise try
    /// again with the one unit for ever, and the inner operation be refused each time.
    #[inline]
    fn drop(&mut self) {
        // An unlimited budget has nothing to restore; it also marks progress.
        let before = self.before.get();
        // All that stands for refusals, or for units that came after them, is more than what was there before.
        if before != Budget::unlimited() && context::budget().0 <= before.0 {
            context::set_budget(before);
        }
    }
}

/// Takes one unit of the budget, or returns `Pending` if none is left; the task is then woken again
/// once the others had their turn.
///
/// # Examples
/// ```
/// use std::task::{Context, Poll, Waker};
/// use zokio_task::coop;
///
/// let mut cx = Context::from_waker(Waker::noop());
/// // Outside of a task there is no limit.
/// let Poll::Ready(unit) = coop::poll_proceed(&mut cx) else {
///     panic!("a unit is left")
/// };
/// unit.made_progress();
/// ```
#[inline]
pub fn poll_proceed(cx: &mut Context<'_>) -> Poll<RestoreOnPending> {
    let before = context::budget();
    let after = match before.0 {
        units if is_left(units) => Budget(units - 1),
        UNLIMITED => before,
        units => ready!(poll_used_up(units, cx)),
    };
    context::set_budget(after);
    Poll::Ready(RestoreOnPending {
        before: Cell::new(before),
        _not_send: std::marker::PhantomData,
    })
}

/// Decides on an operation of a poll whose budget is used up: the rest after it, or pending if it is refused.
#[cold]
fn poll_used_up(units: u8, cx: &Context<'_>) -> Poll<Budget> {
    match units {
        // The last one leads back to where refusals are counted.
        ..REFUSED_FOREIGN if units > GRANTED && !context::returns_to_loop(cx.waker()) => {
            let left = units - 1;
            Poll::Ready(Budget(if left == GRANTED { REFUSED } else { left }))
        }
        _ => {
            refuse(units, cx);
            Poll::Pending
        }
    }
}

/// Has the task woken again later. The first refusal of a poll is reported to the runtime.
///
/// A waker that is neither a task's nor the root's belongs to an executor inside of the poll, such as another
/// crate's `block_on`. It is woken at once, and gets units of its own after a few refusals: the poll around
/// it, which would bring a new budget, may not end before it does. Rejected: a new budget for the whole
/// poll, with which a task that asks several others between its own operations would never yield.
fn refuse(units: u8, cx: &Context<'_>) {
    let refusals = match units {
        REFUSED => 1,
        // Also 1 after a grant and at the first refusal.
        units => units.saturating_sub(REFUSED_FOREIGN) + 1,
    };
    context::set_budget(if context::returns_to_loop(cx.waker()) {
        Budget(REFUSED)
    } else if refusals < FOREIGN_REFUSALS_MAX {
        Budget(REFUSED_FOREIGN + refusals)
    } else {
        Budget(GRANTED + GRANT)
    });
    if units == 0 {
        // A thread that is being torn down has no runtime to tell.
        let _ = context::with_services(|services| {
            if let Some(services) = services {
                services.forced_yield();
            }
        });
    }
    context::defer(cx.waker());
}

/// Takes one unit of the budget and yields to the scheduler if none is left.
///
/// # Cancel safety
/// Dropping the future takes nothing back and loses nothing.
///
/// # Examples
/// ```
/// # async fn demo(items: Vec<u32>) -> u64 {
/// let mut sum = 0;
/// for item in items {
///     sum += u64::from(item);
///     zokio_task::coop::consume_budget().await;
/// }
/// # sum }
/// ```
pub async fn consume_budget() {
    std::future::poll_fn(|cx| {
        ready!(poll_proceed(cx)).made_progress();
        Poll::Ready(())
    })
    .await;
}

pin_project! {
    /// A future that is polled without a budget. Made by [`unconstrained`].
    #[must_use = "Unconstrained does nothing unless polled"]
    #[derive(Debug)]
    pub struct Unconstrained<F> {
        #[pin]
        inner: F,
    }
}

/// Takes `inner` out of cooperative scheduling: it never yields because of the budget.
///
/// A future that always has something to do then keeps its thread.
///
/// # Examples
/// ```
/// # async fn demo(receive: impl Future<Output = u32>) -> u32 {
/// zokio_task::coop::unconstrained(receive).await
/// # }
/// ```
pub fn unconstrained<F>(inner: F) -> Unconstrained<F> {
    Unconstrained { inner }
}

impl<F: Future> Future for Unconstrained<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        with_budget(Budget::unlimited(), || self.project().inner.poll(cx))
    }
}

pin_project! {
    /// A future that takes part in cooperative scheduling. Made by [`cooperative`].
    #[must_use = "futures do nothing unless polled"]
    #[derive(Debug)]
    pub struct Coop<F: Future> {
        #[pin]
        inner: F,
    }
}

/// Makes a future of foreign origin take one unit of the budget each time it makes progress.
///
/// # Examples
/// ```
/// # async fn demo(receive: impl Future<Output = u32>) -> u32 {
/// zokio_task::coop::cooperative(receive).await
/// # }
/// ```
pub fn cooperative<F: Future>(inner: F) -> Coop<F> {
    Coop { inner }
}

impl<F: Future> Future for Coop<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let unit = ready!(poll_proceed(cx));
        let output = ready!(self.project().inner.poll(cx));
        unit.made_progress();
        Poll::Ready(output)
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;
    use crate::context::Services;
    use std::any::Any;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Waker;

    #[test]
    fn a_poll_has_exactly_its_budget() {
        let mut cx = Context::from_waker(Waker::noop());
        budget(|| {
            for _ in 0..BUDGET {
                let Poll::Ready(unit) = poll_proceed(&mut cx) else {
                    panic!("budget left")
                };
                unit.made_progress();
            }
            assert!(!has_budget_remaining());
            assert!(poll_proceed(&mut cx).is_pending());
        });
        assert!(has_budget_remaining());
    }

    #[test]
    fn the_runtime_hears_of_each_poll_that_had_to_yield() {
        #[derive(Default)]
        struct Counting(AtomicUsize);
        impl Services for Counting {
            fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
                self
            }
            fn as_any(&self) -> &(dyn Any + Send + Sync) {
                self
            }
            fn timers(&self) -> Option<&(dyn Any + Send + Sync)> {
                None
            }
            fn driver(&self) -> Option<&(dyn Any + Send + Sync)> {
                None
            }
            fn forced_yield(&self) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let counting = Arc::new(Counting::default());
        let count = || counting.0.load(Ordering::Relaxed);
        let _entered = context::enter(counting.clone());
        let _root = context::enter_root(Waker::noop());
        let mut cx = Context::from_waker(Waker::noop());
        let mut spend = |units: u8| {
            (0..units)
                .filter(|_| match poll_proceed(&mut cx) {
                    Poll::Ready(unit) => {
                        unit.made_progress();
                        true
                    }
                    Poll::Pending => false,
                })
                .count()
        };
        // All of it, but no more: nothing was refused.
        budget(|| assert_eq!(spend(BUDGET), usize::from(BUDGET)));
        assert_eq!(count(), 0);
        // One poll, two operations too many.
        budget(|| assert_eq!(spend(BUDGET + 2), usize::from(BUDGET)));
        assert_eq!(count(), 1);
        budget(|| spend(BUDGET + 1));
        assert_eq!(count(), 2);
        // Without a limit nothing is refused.
        assert_eq!(spend(BUDGET + 1), usize::from(BUDGET) + 1);
        assert_eq!(count(), 2);
    }

    #[test]
    fn pending_operations_cost_nothing() {
        let mut cx = Context::from_waker(Waker::noop());
        budget(|| {
            for _ in 0..1_000 {
                assert!(poll_proceed(&mut cx).is_ready());
            }
        });
    }

    /// Another crate's executor in the poll of a task, with an operation inside of another one: whatever is
    /// left of the budget, it gets through, and so does the next.
    #[test]
    fn operations_that_nest_get_through_under_an_executor_inside_of_a_poll() {
        let mut cx = Context::from_waker(Waker::noop());
        for spent in 0..=BUDGET + GRANT + FOREIGN_REFUSALS_MAX {
            budget(|| {
                for _ in 0..spent {
                    let _ = poll_proceed(&mut cx).map(|unit| unit.made_progress());
                }
                for _ in 0..3 {
                    let mut nested = std::pin::pin!(cooperative(cooperative(consume_budget())));
                    let tries = 3 * FOREIGN_REFUSALS_MAX;
                    let is_through = (0..tries).any(|_| nested.as_mut().poll(&mut cx).is_ready());
                    assert!(is_through, "after {spent} units");
                }
            });
        }
    }

    #[test]
    fn a_task_whose_inner_operation_was_refused_has_no_unit_left_in_this_poll() {
        let _root = context::enter_root(Waker::noop());
        let mut cx = Context::from_waker(Waker::noop());
        budget(|| {
            for _ in 1..BUDGET {
                let _ = poll_proceed(&mut cx).map(|unit| unit.made_progress());
            }
            let mut nested = std::pin::pin!(cooperative(consume_budget()));
            assert!(nested.as_mut().poll(&mut cx).is_pending());
            assert!(!has_budget_remaining());
        });
    }

    #[test]
    fn unconstrained_lifts_the_limit_and_restores_it() {
        let mut cx = Context::from_waker(Waker::noop());
        budget(|| {
            let mut lifted = std::pin::pin!(unconstrained(async {
                for _ in 0..1_000 {
                    consume_budget().await;
                }
            }));
            assert!(lifted.as_mut().poll(&mut cx).is_ready());
            assert_eq!(context::budget(), Budget::initial());
        });
    }
}
