//! [`RunUntil`]: a future that runs a local set beside another future.

use crate::local_set::shared::{HostId, Shared};
use crate::local_set::{LocalContext, current_set};
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use zokio_base::foreign;
use zokio_task::context;

pin_project! {
    /// Runs a set until `future` is ready.
    ///
    /// Made by hand and not by an `async fn`, which would hold `future` twice.
    #[must_use = "futures do nothing unless polled"]
    // Nothing here depends on the address; an `async fn` is `!Unpin`.
    #[project(!Unpin)]
    pub(super) struct RunUntil<'a, F> {
        context: &'a Rc<LocalContext>,
        // None before the first poll.
        hosting: Option<Hosting<'a>>,
        #[pin]
        future: F,
    }
}

impl<'a, F> RunUntil<'a, F> {
    pub(super) fn new(context: &'a Rc<LocalContext>, future: F) -> Self {
        Self {
            context,
            hosting: None,
            future,
        }
    }
}

/// A host of the set, until it is dropped or ready.
struct Hosting<'a> {
    shared: &'a Shared,
    host: HostId,
}

impl<'a> Hosting<'a> {
    fn new(shared: &'a Shared) -> Self {
        Self {
            shared,
            host: shared.new_host(),
        }
    }
}

impl Drop for Hosting<'_> {
    fn drop(&mut self) {
        self.shared.leave(self.host);
    }
}

impl<F: Future> Future for RunUntil<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let context = *this.context;
        let _current = current_set::enter(context);
        let _region = context::forbid_block_in_place();
        let _running = context.shared.run();
        let _deferring = context::hold_nothing_back_for(cx.waker());
        let hosting = this
            .hosting
            .get_or_insert_with(|| Hosting::new(&context.shared));
        context.shared.arrive(hosting.host, cx.waker());
        if let Poll::Ready(output) = this.future.poll(cx) {
            // Tasks that are ready now are for another host. Not only when this future is dropped: it may be
            // kept for long.
            *this.hosting = None;
            return Poll::Ready(output);
        }
        if context.tick() {
            foreign::wake_by_ref(cx.waker());
        }
        Poll::Pending
    }
}
