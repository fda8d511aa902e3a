//! The names that the macros expand to. Not for use by hand.

pub use std::future::{Future, IntoFuture, poll_fn};
pub use std::pin::Pin;
pub use std::result::Result;
pub use std::task::{Context, Poll, ready};
pub use zokio_macros::{__join, __select, __try_join};

use pin_project_lite::pin_project;
use zokio_task::coop;

/// Pending, with a wake-up to come, if the task has used up its budget.
#[inline]
pub fn poll_budget_available(cx: &mut Context<'_>) -> Poll<()> {
    // The unit goes back when it is dropped: `select!` itself does nothing that costs.
    coop::poll_proceed(cx).map(drop)
}

/// A number below `bound`: which branch of `select!` is polled first.
pub fn thread_rng_n(bound: u32) -> u32 {
    zokio_base::rand::with(|rng| rng.below(bound))
}

pin_project! {
    /// A future, then its output, then nothing.
    // The tag stands apart from the content, so that the size does not depend on what niches the
    // content has.
    #[project = MaybeDoneProj]
    #[project_replace = MaybeDoneReplace]
    #[repr(C)]
    pub enum MaybeDone<F: Future> {
        /// Still running.
        Future { #[pin] future: F },
        /// Done.
        Done { output: F::Output },
        /// Its output was taken.
        Gone,
    }
}

/// Wraps a future whose output is to be kept until the others are done.
pub fn maybe_done<F: IntoFuture>(future: F) -> MaybeDone<F::IntoFuture> {
    MaybeDone::Future {
        future: future.into_future(),
    }
}

impl<F: Future> std::fmt::Debug for MaybeDone<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Future { .. } => "Future",
            Self::Done { .. } => "Done",
            Self::Gone => "Gone",
        })
    }
}

impl<F: Future> MaybeDone<F> {
    /// The output, if the future is done and nobody took it.
    pub fn take_output(self: Pin<&mut Self>) -> Option<F::Output> {
        if !matches!(*self, Self::Done { .. }) {
            return None;
        }
        match self.project_replace(Self::Gone) {
            MaybeDoneReplace::Done { output } => Some(output),
            _ => unreachable!("checked above"),
        }
    }
}

impl<F: Future> Future for MaybeDone<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let output = match self.as_mut().project() {
            MaybeDoneProj::Future { future } => ready!(future.poll(cx)),
            MaybeDoneProj::Done { .. } => return Poll::Ready(()),
            MaybeDoneProj::Gone => panic!("a joined future was polled after it was done"),
        };
        self.set(Self::Done { output });
        Poll::Ready(())
    }
}

/// Polls one future of `try_join!`. Ready with its error, or with none if it succeeded.
pub fn try_poll<F, T, E>(
    mut future: Pin<&mut MaybeDone<F>>,
    cx: &mut Context<'_>,
) -> Poll<Option<E>>
where
    F: Future<Output = Result<T, E>>,
{
    ready!(future.as_mut().poll(cx));
    let failed = matches!(&*future, MaybeDone::Done { output: Err(_) });
    if !failed {
        return Poll::Ready(None);
    }
    Poll::Ready(future.take_output().and_then(Result::err))
}

/// How `join!` chooses whom to poll first.
pub trait RotatorSelect {
    /// The chooser for `COUNT` futures.
    type Rotator<const COUNT: u32>: Default;
}

/// Another one each time.
#[derive(Debug)]
pub struct SelectNormal;

/// Always the first.
#[derive(Debug)]
pub struct SelectBiased;

impl RotatorSelect for SelectNormal {
    type Rotator<const COUNT: u32> = Rotator<COUNT>;
}

impl RotatorSelect for SelectBiased {
    type Rotator<const COUNT: u32> = BiasedRotator;
}

/// Starts with the first and moves on by one each time.
#[derive(Debug, Default)]
pub struct Rotator<const COUNT: u32> {
    next: u32,
}

impl<const COUNT: u32> Rotator<COUNT> {
    /// Which future is polled first this time.
    pub fn num_skip(&mut self) -> u32 {
        let now = self.next;
        self.next = if now + 1 == COUNT { 0 } else { now + 1 };
        now
    }
}

/// Starts with the first each time.
#[derive(Debug, Default)]
pub struct BiasedRotator {}

impl BiasedRotator {
    /// Which future is polled first: the first.
    pub fn num_skip(&mut self) -> u32 {
        0
    }
}
