//! Channels and locks for tasks.
//!
//! None of them needs a runtime: they work under any executor, and their `blocking_` methods on any
//! thread.

pub use zokio_sync::*;
