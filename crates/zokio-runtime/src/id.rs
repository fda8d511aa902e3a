//! Identities of runtimes.

use std::fmt;
use std::num::NonZeroU64;
use zokio_base::sync::std_atomic::{AtomicU64, Ordering};

/// An opaque name for a runtime, unique among all runtimes of the process that run at the time.
///
/// # Examples
/// ```
/// let runtime = zokio_runtime::Runtime::new().unwrap();
/// println!("runtime {}", runtime.handle().id());
/// ```
#[derive(Clone, Copy, Debug, Hash, Eq, PartialEq)]
pub struct Id(NonZeroU64);

/// Relaxed: only the number's uniqueness matters.
static NEXT: AtomicU64 = AtomicU64::new(1);

impl Id {
    pub(crate) fn next() -> Self {
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(NonZeroU64::new(id).expect("the counter starts at one and does not wrap"))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
