//! Auto traits that a type must not have, as members that take no room.

use std::marker::PhantomData;

/// Takes `UnwindSafe` and `RefUnwindSafe` away, and nothing else: what a panic interrupted may be
/// seen half done through it.
pub(crate) type NotUnwindSafe = PhantomData<Box<dyn Send + Sync>>;
