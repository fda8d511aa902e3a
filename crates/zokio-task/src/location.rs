//! Spawn places as 32-bit numbers.
//!
//! A place is a `&'static Location`, of which a program has a few hundred; a task stores the
//! place's number instead. Numbers are given out once and never taken back.
//!
//! # How it works
//!
//! A chain of tables, each twice as long as the one before. A table is an open-addressed set of
//! pointers: a place is looked for in at most [`PROBES`] slots of each, starting at its hash; where
//! an empty slot turns up, the place is put there. The number is the slot's position in the chain.
//! Looking a known place up is a hash and usually one load of a line that nobody writes any more,
//! so there is no cache for each thread; nobody ever waits for anybody.
//!
//! Invariants:
//!
//! 1. A slot is written once, from null to a place.
//! 2. A place's probe sequence is always the same, and ends at the first empty slot: all slots
//!    before a place's own were full when it was put there, and stay so (1). Hence a place has one
//!    number, and two threads that put the same place at once compete for the same slot.
#![allow(unsafe_code)]

use std::panic::Location;
use zokio_base::sync::OnceLock;
use zokio_base::sync::std_atomic::{AtomicPtr, Ordering};

type Place = Location<'static>;

/// Slots of the first table.
const FIRST_LEN: usize = 256;
/// How many tables there can be; together they have 16 million slots.
const LEVELS: usize = 16;
/// How many slots of one table are tried.
const PROBES: usize = 8;
/// The number of a place that found no room.
const UNKNOWN: u32 = u32::MAX;

static TABLES: [OnceLock<Box<[AtomicPtr<Place>]>>; LEVELS] = [const { OnceLock::new() }; LEVELS];

fn table(level: usize) -> &'static [AtomicPtr<Place>] {
    TABLES[level].get_or_init(|| {
        (0..FIRST_LEN << level)
            .map(|_| AtomicPtr::new(std::ptr::null_mut()))
            .collect()
    })
}

/// The position in the chain of the first slot of table `level`.
const fn base(level: usize) -> usize {
    FIRST_LEN * ((1 << level) - 1)
}

/// The number of `place`.
#[inline]
pub(crate) fn intern(place: &'static Place) -> u32 {
    let wanted = std::ptr::from_ref(place).cast_mut();
    // Fibonacci hashing; the high bits are the good ones.
    let hash = ((wanted.addr() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize;
    for level in 0..LEVELS {
        let table = table(level);
        for probe in 0..PROBES {
            let index = (hash + probe) & (table.len() - 1);
            if claim(&table[index], wanted) {
                return (base(level) + index) as u32;
            }
        }
    }
    UNKNOWN
}

/// Whether `slot` holds `wanted`, after putting it there if the slot was empty.
#[inline]
fn claim(slot: &AtomicPtr<Place>, wanted: *mut Place) -> bool {
    // Relaxed throughout: a place is constant data of the program, nothing is published with it.
    let mut found = slot.load(Ordering::Relaxed);
    if found.is_null() {
        // Relaxed pairs with nothing, as above: only who comes first matters.
        found = slot
            .compare_exchange(
                std::ptr::null_mut(),
                wanted,
                Ordering::Relaxed,
                Ordering::Relaxed,
            )
            .map_or_else(|other| other, |_| wanted);
    }
    found == wanted
}

/// The place whose number `number` is.
pub(crate) fn resolve(number: u32) -> &'static Place {
    let position = number as usize;
    let level = (position / FIRST_LEN + 1).ilog2() as usize;
    let found = TABLES.get(level).and_then(OnceLock::get).map(|table| {
        // Relaxed: as in `claim`; whoever has the number got it from a thread that saw the slot.
        table[position - base(level)].load(Ordering::Relaxed)
    });
    // SAFETY: slots hold null or a `&'static Place` (invariant 1).
    let found = found.and_then(|place| unsafe { place.as_ref() });
    found.unwrap_or_else(|| unknown())
}

/// Stands for a place that found no room.
#[track_caller]
fn unknown() -> &'static Place {
    Location::caller()
}

#[cfg(all(test, not(zokio_model)))]
#[allow(clippy::disallowed_methods)] // The door leads to these.
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Copies of a place, whose addresses of their own make them other places.
    static PLACES: OnceLock<Vec<Place>> = OnceLock::new();

    #[test]
    fn a_place_has_one_number_from_every_thread() {
        let places = PLACES.get_or_init(|| vec![*Location::caller(); 2_000]);
        let threads: Vec<_> = (0..4)
            .map(|_| {
                zokio_base::sync::thread::spawn(|| places.iter().map(intern).collect::<Vec<_>>())
            })
            .collect();
        let mut results: Vec<_> = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect();
        let first = results.pop().unwrap();
        assert!(results.iter().all(|other| *other == first));
        let mut owners = BTreeMap::new();
        for (number, place) in first.iter().zip(places) {
            assert!(std::ptr::eq(resolve(*number), place));
            assert!(owners.insert(*number, place).is_none());
        }
    }

    #[test]
    fn a_number_nobody_has_resolves_to_this_file() {
        assert!(resolve(UNKNOWN).file().ends_with("location.rs"));
    }

    #[test]
    fn levels_tile_the_numbers() {
        for level in 0..LEVELS {
            let first = base(level);
            let last = base(level + 1) - 1;
            assert_eq!((first / FIRST_LEN + 1).ilog2() as usize, level);
            assert_eq!((last / FIRST_LEN + 1).ilog2() as usize, level);
        }
    }
}
