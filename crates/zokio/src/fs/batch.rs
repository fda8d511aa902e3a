//! Many reads or writes at an offset, begun together.
//!
//! 1. Each of them is tried at once, in its turn. Each takes a unit of the budget.
//! 2. Those that have to wait are begun together: the ring of one worker gets them, that worker is told
//!    once, and the kernel is entered once for all of them.
//! 3. The batch waits for the first that is not over, then for the next. So each of them wakes the
//!    task once at most, and those that were over meanwhile do not wake it at all.

use super::run;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use zokio_driver::op::{Backends, Op};
use zokio_task::coop;

/// A future whose operation can be begun by somebody else, who begins others with it.
pub trait BeginsApart: Future + Unpin {
    /// The operation.
    type Operation: Backends;

    /// Does what can be done without waiting. None if the rest has to wait.
    fn at_once(&mut self) -> Option<Self::Output>;

    /// The operation that has to wait, to be begun.
    fn take_operation(&mut self) -> Self::Operation;

    /// That operation, begun.
    fn resume(&mut self, op: Op<Self::Operation>);
}

/// A member of a [`Batch`]: one of the futures of [`File::read_at`](super::File::read_at) and its
/// relatives. It cannot be implemented elsewhere.
pub trait InBatch: BeginsApart {}

/// Begins `operations` together, and awaits them all. Their results come in the order of `operations`;
/// which of them the system does first is not said.
///
/// # Panics
/// The future, once polled: as the operations.
///
/// # Cancel safety
/// Dropped, it leaves nothing behind: each operation is as if it had been dropped alone. Reads that are
/// under way are forgotten, writes are carried out, and the system gives the buffers back, to be
/// freed.
///
/// # Examples
/// ```
/// use zokio::fs::{self, File};
///
/// # #[zokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// # let path = std::env::temp_dir().join(format!("batch-{}", std::process::id()));
/// # fs::write(&path, "0123456789").await?;
/// let file = File::open(&path).await?;
/// let offsets = [8, 0, 4];
/// let reads = offsets.map(|offset| file.read_exact_at(Vec::with_capacity(2), 2, offset));
/// let mut text = Vec::new();
/// for (result, bytes) in fs::batch(reads).await {
///     result?;
///     text.extend(bytes);
/// }
/// assert_eq!(text, b"890145");
/// # fs::remove_file(&path).await
/// # }
/// ```
pub fn batch<I>(operations: I) -> Batch<I::Item>
where
    I: IntoIterator,
    I::Item: InBatch,
{
    Batch {
        places: operations.into_iter().map(Place::Open).collect(),
        begun: 0,
        over: 0,
    }
}

/// The future of [`batch`].
#[must_use = "futures do nothing unless they are awaited or polled"]
pub struct Batch<F: InBatch> {
    places: Vec<Place<F>>,
    /// Those before this one are begun.
    begun: usize,
    /// Those before this one are over.
    over: usize,
}

enum Place<F: InBatch> {
    Open(F),
    Over(F::Output),
}

impl<F: InBatch> Unpin for Batch<F> {}

impl<F: InBatch> fmt::Debug for Batch<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("operations", &self.places.len())
            .field("begun", &self.begun)
            .finish_non_exhaustive()
    }
}

impl<F: InBatch> Batch<F> {
    /// Steps 1 and 2, as far as the budget goes.
    fn poll_begin(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (mut waiting, mut operations) = (Vec::new(), Vec::new());
        let mut outcome = Poll::Ready(());
        while let Some(place) = self.places.get_mut(self.begun) {
            let Poll::Ready(unit) = coop::poll_proceed(cx) else {
                outcome = Poll::Pending;
                break;
            };
            unit.made_progress();
            let Place::Open(future) = place else {
                unreachable!("what was not begun is not over")
            };
            match future.at_once() {
                Some(output) => *place = Place::Over(output),
                None => {
                    operations.push(future.take_operation());
                    waiting.push(self.begun);
                }
            }
            self.begun += 1;
        }
        for (index, op) in waiting.into_iter().zip(run::begin_all(operations)) {
            let Place::Open(future) = &mut self.places[index] else {
                unreachable!("what waits is not over")
            };
            future.resume(op);
        }
        outcome
    }
}

impl<F: InBatch> Future for Batch<F> {
    type Output = Vec<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let me = self.get_mut();
        if me.begun < me.places.len() {
            ready!(me.poll_begin(cx));
        }
        while let Some(place) = me.places.get_mut(me.over) {
            if let Place::Open(future) = place {
                *place = Place::Over(ready!(Pin::new(future).poll(cx)));
            }
            me.over += 1;
        }
        let places = std::mem::take(&mut me.places);
        let outputs = places.into_iter().map(|place| match place {
            Place::Over(output) => output,
            Place::Open(_) => unreachable!("all are over"),
        });
        Poll::Ready(outputs.collect())
    }
}
