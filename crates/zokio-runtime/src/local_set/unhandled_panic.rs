//! [`UnhandledPanic`]: what the panic of a task means to the others.

/// The consequence of a task's panic. Given to
/// [`Builder::unhandled_panic`](crate::Builder::unhandled_panic) and
/// [`LocalSet::unhandled_panic`](crate::LocalSet::unhandled_panic).
///
/// # Examples
/// ```
/// use zokio_runtime::{Builder, UnhandledPanic};
///
/// let runtime = Builder::new_current_thread()
///     .unhandled_panic(UnhandledPanic::Ignore)
///     .build()
///     .unwrap();
/// let fails = runtime.spawn(async { panic!("boom") });
/// let goes_on = runtime.spawn(async { 42 });
/// runtime.block_on(async {
///     assert!(fails.await.unwrap_err().is_panic());
///     assert_eq!(goes_on.await.unwrap(), 42);
/// });
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum UnhandledPanic {
    /// Nothing but that the task's join handle yields the panic. The default.
    Ignore,
    /// All tasks are cancelled, and whoever runs them panics.
    ShutdownRuntime,
}
