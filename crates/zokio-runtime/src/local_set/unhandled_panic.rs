//! [`UnhandledPanic`]: what the panic of a task means to the others.

/// What happens when a task panics.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum UnhandledPanic {
    /// Nothing but that the task's join handle yields the panic. The default.
    Ignore,
    /// All tasks are cancelled, and whoever runs them panics.
    ShutdownRuntime,
}
