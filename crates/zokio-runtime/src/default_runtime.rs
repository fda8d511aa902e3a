//! The runtime of programs that make none.
//!
//! It is made when it is first needed, and never dropped: a process that ends takes its threads with
//! it. Only [`block_on`] leads to it; whatever else needs a runtime has to be inside of one.

use crate::builder::Builder;
use crate::handle::Handle;
use crate::runtime::Runtime;
use zokio_base::sync::OnceLock;
use zokio_task::box_if_large;

/// The default runtime, once it was needed.
static DEFAULT: OnceLock<Runtime> = OnceLock::new();

/// Runs a future to its end on the calling thread, for programs that neither have a `#[main]` nor
/// make a runtime.
///
/// Inside of a runtime's context ([`Handle::enter`], a closure of `spawn_blocking`) this is
/// [`Handle::block_on`] of that runtime. Outside of every runtime the future runs inside of a
/// multi-thread runtime with everything enabled and all settings at their defaults, named `default`,
/// which is made by the first call and serves all later ones, on all threads.
///
/// Tasks that are spawned there go on when `block_on` has returned. Nobody waits for them when the program
/// ends, and they are not dropped then. A program that minds makes its own [`Runtime`](crate::Runtime).
///
/// # Panics
/// If the future does; if the thread is driving a runtime's tasks already; and if the default runtime
/// cannot be made, because the system gives no threads or descriptors, or because `ZOKIO_IO` or
/// `TOKIO_WORKER_THREADS` says something that cannot be had.
///
/// # Examples
/// ```
/// use std::time::Duration;
///
/// fn main() {
///     let sum = zokio_runtime::block_on(async {
///         let left = zokio_runtime::spawn(async { 1 });
///         zokio_time::sleep(Duration::from_millis(1)).await;
///         left.await.unwrap() + 2
///     });
///     assert_eq!(sum, 3);
/// }
/// ```
#[track_caller]
pub fn block_on<F: Future>(future: F) -> F::Output {
    box_if_large!(future: F => match Handle::try_current() {
        Ok(handle) => handle.block_on(future),
        Err(_) => default_runtime().block_on(future),
    })
}

#[track_caller]
fn default_runtime() -> &'static Runtime {
    // If this panics the next call tries again.
    DEFAULT.get_or_init(|| {
        match Builder::new_multi_thread()
            .enable_all()
            .name("default")
            .build()
        {
            Ok(runtime) => runtime,
            Err(error) => panic!("the default runtime could not be made: {error}"),
        }
    })
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn all_calls_are_inside_of_one_runtime() {
        let id = || block_on(async { (Handle::current().id(), crate::spawn(async { 7 }).await) });
        let here = id();
        assert_eq!(here.1.unwrap(), 7);
        let there = std::thread::scope(|scope| scope.spawn(id).join().unwrap());
        assert_eq!(here.0, there.0);
        assert_eq!(
            block_on(async { Handle::current().name().map(str::to_owned) }).as_deref(),
            Some("default")
        );
        assert!(Handle::try_current().is_err());
    }

    #[test]
    fn a_task_outlives_the_call_that_spawned_it() {
        let handle = block_on(async { Handle::current() });
        let task = handle.spawn(async { 42 });
        assert_eq!(block_on(task).unwrap(), 42);
    }

    #[test]
    fn inside_of_a_runtime_it_is_that_one() {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .unwrap();
        let id = runtime.handle().id();
        let _entered = runtime.enter();
        assert_eq!(block_on(async { Handle::current().id() }), id);
        let nested =
            runtime.block_on(async { catch_unwind(AssertUnwindSafe(|| block_on(async {}))) });
        assert!(nested.is_err());
    }
}
