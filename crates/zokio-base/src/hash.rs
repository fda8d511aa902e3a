//! Maps and sets whose order is the same in every run.
//!
//! The standard library seeds each map differently, and whatever walks one then differs between
//! two runs of one simulation. These are keyed by the runtime's own small numbers, never by
//! outside input, so a fixed seed opens no door to collisions by design.
#![allow(clippy::disallowed_types)] // This file is the door that the ban points at.

use std::collections::hash_map::DefaultHasher;
use std::hash::BuildHasherDefault;

/// A hash map with a fixed order.
pub type Map<K, V> = std::collections::HashMap<K, V, BuildHasherDefault<DefaultHasher>>;

/// A hash set with a fixed order.
pub type Set<T> = std::collections::HashSet<T, BuildHasherDefault<DefaultHasher>>;

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;

    #[test]
    fn two_maps_with_one_history_have_one_order() {
        let build = || {
            (0..100_u32)
                .map(|key| (key * 7919, key))
                .collect::<Map<_, _>>()
        };
        assert!(build().into_iter().eq(build()));
        let set: Set<u32> = (0..10).collect();
        assert_eq!(set.len(), 10);
    }
}
