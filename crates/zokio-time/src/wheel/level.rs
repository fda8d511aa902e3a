//! One level of the wheel: 64 lists, a bit for each that is not empty.

use super::{NEVER, NIL};

/// As many slots as a word has bits.
pub(super) const SLOT_COUNT: usize = 64;

/// A list of nodes, by the slab slots of its ends, and a lower bound of their deadlines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    pub(super) head: u32,
    pub(super) tail: u32,
    pub(super) min: u64,
}

const EMPTY: Slot = Slot {
    head: NIL,
    tail: NIL,
    min: NEVER,
};

#[derive(Debug)]
pub(super) struct Level {
    /// Bit `i` is set while slot `i` holds a node.
    pub(super) occupied: u64,
    pub(super) slots: [Slot; SLOT_COUNT],
}

impl Level {
    pub(super) const fn new() -> Self {
        Self {
            occupied: 0,
            slots: [EMPTY; SLOT_COUNT],
        }
    }

    /// Marks a slot as empty.
    pub(super) fn vacate(&mut self, slot: usize) {
        self.occupied &= !(1 << slot);
        self.slots[slot] = EMPTY;
    }
}
