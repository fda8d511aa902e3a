//! Where there is no ring: nothing is ever given to one.
#![allow(unsafe_code)] // The trait is a promise about pointers, kept where there is a ring.

use super::{End, Multishot, Shared};
use std::sync::Arc;

/// How a multishot operation runs on a ring: not at all here.
///
/// # Safety
/// None is needed where there is no ring.
pub unsafe trait ManyOnRing: Multishot {}

// SAFETY: there is no ring.
unsafe impl<M: Multishot> ManyOnRing for M {}

/// Nothing is taken.
pub(super) fn launch<M: ManyOnRing>(shared: &Arc<Shared<M>>, _is_owner: bool) {
    drop(shared.end(End::NotBegun));
}
