//! The table of a shard's live tasks: one pointer-sized entry for each, in segments.
//!
//! Segments are never moved or copied when the table grows, so growing needs no memory beside what
//! it adds, and a million tasks take eight megabytes. Entries of ended tasks form a list, last freed
//! first; segments are not given back.
//!
//! Invariants:
//!
//! 1. An entry below `used` is a task's address, which is even, or twice the index of the next free
//!    entry plus one, which is odd. All entries from `used` on are free and were never used.
//! 2. `free` is the first of the list of free entries below `used`, or [`NONE`]; so is each link.

use crate::cell::Header;
use std::ptr::NonNull;

/// Entries of one segment.
#[cfg(not(zokio_loom))]
const SEGMENT_LEN: usize = 256;
/// Entries of one segment. Models grow the table.
#[cfg(zokio_loom)]
const SEGMENT_LEN: usize = 2;

/// No entry. Also the greatest number of entries: a link fits 31 bits of a 32-bit address.
const NONE: u32 = (1 << 31) - 1;

type Entry = *mut Header;

/// Which tasks are alive.
#[derive(Debug)]
pub(crate) struct Table {
    segments: Vec<Box<[Entry]>>,
    free: u32,
    used: u32,
    len: usize,
}

// A pointer in an entry is a name here: the shard, which owns what it names, says who may use it.
#[allow(unsafe_code)]
// SAFETY: the table never follows a pointer.
unsafe impl Send for Table {}

fn link(next: u32) -> Entry {
    std::ptr::without_provenance_mut((next as usize) << 1 | 1)
}

fn task(entry: Entry) -> Option<NonNull<Header>> {
    if entry.addr() & 1 == 0 {
        NonNull::new(entry)
    } else {
        None
    }
}

impl Table {
    /// An empty table, which allocates nothing.
    pub(crate) const fn new() -> Self {
        Self {
            segments: Vec::new(),
            free: NONE,
            used: 0,
            len: 0,
        }
    }

    /// How many tasks there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The end of the slots in which tasks can be.
    pub(crate) fn end(&self) -> u32 {
        self.used
    }

    fn entry(&mut self, slot: u32) -> &mut Entry {
        let slot = slot as usize;
        &mut self.segments[slot / SEGMENT_LEN][slot % SEGMENT_LEN]
    }

    /// Adds a task and returns its slot.
    ///
    /// # Panics
    /// If the table holds 2^31 - 1 tasks.
    pub(crate) fn insert(&mut self, address: NonNull<Header>) -> u32 {
        debug_assert!(address.addr().get() & 1 == 0, "tasks are aligned");
        let slot = self.free;
        if slot == NONE {
            return self.insert_at_end(address);
        }
        let freed = std::mem::replace(self.entry(slot), address.as_ptr());
        debug_assert!(task(freed).is_none(), "invariant 2");
        self.free = (freed.addr() >> 1) as u32;
        self.len += 1;
        slot
    }

    fn insert_at_end(&mut self, address: NonNull<Header>) -> u32 {
        let slot = self.used;
        assert!(slot < NONE, "a shard has fewer than 2^31 live tasks");
        if slot as usize == self.segments.len() * SEGMENT_LEN {
            let segment = vec![link(NONE); SEGMENT_LEN];
            self.segments.push(segment.into_boxed_slice());
        }
        *self.entry(slot) = address.as_ptr();
        self.used += 1;
        self.len += 1;
        slot
    }

    /// Takes a task out.
    ///
    /// # Panics
    /// If `address` is not in `slot`.
    pub(crate) fn remove(&mut self, slot: u32, address: NonNull<Header>) {
        let freed = link(self.free);
        let entry = std::mem::replace(self.entry(slot), freed);
        assert!(task(entry) == Some(address), "a task is in its own slot");
        self.free = slot;
        self.len -= 1;
    }

    /// The task in `slot`, which lies below [`end`](Self::end).
    pub(crate) fn get(&self, slot: u32) -> Option<NonNull<Header>> {
        let slot = slot as usize;
        task(self.segments[slot / SEGMENT_LEN][slot % SEGMENT_LEN])
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn name(number: usize) -> NonNull<Header> {
        NonNull::new(std::ptr::without_provenance_mut((number + 1) * 16)).unwrap()
    }

    proptest! {
        #[test]
        fn behaves_as_a_map(steps in prop::collection::vec((0..3_u8, any::<prop::sample::Index>()), 0..1_500)) {
            let mut table = Table::new();
            let mut naive: BTreeMap<u32, NonNull<Header>> = BTreeMap::new();
            for (number, (kind, pick)) in steps.into_iter().enumerate() {
                if kind > 0 || naive.is_empty() {
                    let slot = table.insert(name(number));
                    prop_assert_eq!(naive.insert(slot, name(number)), None);
                } else {
                    let slot = *pick.get(&naive.keys().copied().collect::<Vec<_>>());
                    table.remove(slot, naive.remove(&slot).unwrap());
                }
                prop_assert_eq!(table.len(), naive.len());
            }
            let found: BTreeMap<_, _> = (0..table.end())
                .filter_map(|slot| Some((slot, table.get(slot)?)))
                .collect();
            prop_assert_eq!(found, naive);
        }
    }

    #[test]
    fn slots_are_reused_before_the_table_grows() {
        let mut table = Table::new();
        let slots: Vec<u32> = (0..1_000)
            .map(|number| table.insert(name(number)))
            .collect();
        for (number, slot) in slots.iter().enumerate() {
            table.remove(*slot, name(number));
        }
        for number in 0..1_000 {
            assert!(table.insert(name(number)) < 1_000);
        }
        assert_eq!(table.end(), 1_000);
    }

    #[test]
    #[should_panic(expected = "in its own slot")]
    fn a_task_is_removed_from_its_own_slot_only() {
        let mut table = Table::new();
        let slot = table.insert(name(1));
        table.remove(slot, name(2));
    }
}
