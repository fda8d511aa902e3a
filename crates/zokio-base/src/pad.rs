//! Padding that keeps hot words of different threads off each other's cache lines.
//!
//! 128 bytes on x86-64 and aarch64, where the prefetcher fetches lines in pairs or lines are that
//! long; 64 elsewhere.

use std::ops::{Deref, DerefMut};

/// A value alone on its cache line.
#[derive(Debug, Default, Clone, Copy)]
#[cfg_attr(any(target_arch = "x86_64", target_arch = "aarch64"), repr(align(128)))]
#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "aarch64")),
    repr(align(64))
)]
pub struct CachePadded<T>(T);

impl<T> CachePadded<T> {
    /// Pads `value`.
    pub const fn new(value: T) -> Self {
        Self(value)
    }
}

impl<T> Deref for CachePadded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for CachePadded<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;

    #[test]
    fn neighbours_share_no_line() {
        let pair = [CachePadded::new(1_u8), CachePadded::new(2_u8)];
        let distance = (&raw const pair[1]).addr() - (&raw const pair[0]).addr();
        assert!(distance >= 64);
        assert_eq!(*pair[0] + *pair[1], 3);
    }
}
