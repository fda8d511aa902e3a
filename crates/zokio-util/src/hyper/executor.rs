//! [`Executor`]: hyper's tasks as Zokio's.

use std::future::Future;

/// Spawns what hyper wants to run on the side, as `zokio::spawn` does.
///
/// HTTP/2 needs one for its streams.
///
/// # Panics
/// [`execute`](hyper::rt::Executor::execute) panics outside of a runtime.
///
/// # Examples
/// ```
/// use hyper::rt::Executor as _;
/// use zokio_util::hyper::Executor;
///
/// # zokio::runtime::Runtime::new().unwrap().block_on(async {
/// let (sender, receiver) = zokio::sync::oneshot::channel();
/// Executor::new().execute(async { sender.send("ran") });
/// assert_eq!(receiver.await, Ok("ran"));
/// # });
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Executor;

impl Executor {
    /// An executor for the current runtime: that of the caller of `execute`.
    pub fn new() -> Self {
        Self
    }
}

impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        // The handle is not needed: nobody joins these tasks.
        drop(zokio::spawn(future));
    }
}
