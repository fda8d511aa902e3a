//! Tests of one task, by theme.
#![allow(clippy::disallowed_methods)] // The door to threads leads to these.

mod handles;
mod life;
mod panics;
mod shown;
mod shutdown;
mod stress;

use crate::testing::{Queue, Tracked};
use crate::{JoinHandle, Notified, Shard, SpawnMeta};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// Binds a task and queues it.
fn spawn<F>(queue: &Arc<Queue>, shard: &Arc<Shard>, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let (join, notified) = shard.bind(future, SpawnMeta::new());
    if let Some(task) = notified {
        crate::Schedule::schedule(&**queue, task);
    }
    join
}

/// Binds a task that is not to be queued.
fn bind<F>(shard: &Arc<Shard>, future: F) -> (JoinHandle<F::Output>, Notified)
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let (join, notified) = shard.bind(future, SpawnMeta::new());
    (join, notified.expect("the shard is open"))
}

/// Wakes itself once and is then ready.
#[derive(Default)]
struct YieldOnce(bool);

impl Future for YieldOnce {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Calls its function when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Pending for ever, with something to drop.
struct Forever(#[allow(dead_code)] Tracked);

impl Future for Forever {
    type Output = Tracked;

    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Tracked> {
        Poll::Pending
    }
}
