//! A hierarchical wheel of deadlines in nanoseconds.
//!
//! Pure data structure: it reads no clock, takes no lock and wakes nobody. Level 0 has 64 slots of
//! [`GRAIN_BITS`] bits of nanoseconds each (65.5 us); a slot of each further level spans a whole
//! turn of the level below. Eight levels cover every `u64`. Within a level-0 slot deadlines are
//! kept exactly, unsorted, and are sorted when the slot comes due: so the order is exact and an
//! insertion is a push to a list, whatever the number of timers. Why a hybrid, with numbers:
//! `docs/design/0001-timers.md`.
//!
//! Nodes live in a generational slab and are linked by slot numbers.
//!
//! Invariants:
//!
//! 1. A node at level `k` differs from `elapsed` in digit `k` (of 64) of its grain, and in no higher
//!    digit; a node that was due when it was inserted stands in `elapsed`'s own slot of level 0.
//!    Hence every node of a level comes before every node of the levels above, and the first
//!    occupied slot of the lowest occupied level holds the earliest deadline.
//! 2. A slot's `min` is at most the earliest deadline in it. It is exact unless a node was taken
//!    out since the slot was filled: then a caller may ask too early, never too late.
//! 3. `elapsed` never decreases. It passes the start of an occupied slot above level 0 only by
//!    moving that slot's nodes down.
//! 4. Nodes with one deadline expire in the order in which they were inserted.
//! 5. A node at [`NEVER`] is in no slot.

#[cfg(all(any(feature = "fuzz", test), not(zokio_model)))]
pub mod fuzz;
mod level;
#[cfg(all(test, not(zokio_model)))]
mod tests;

use level::{Level, SLOT_COUNT};
use zokio_base::slab::{Key, Slab};

/// Nanoseconds of a level-0 slot, as a power of two.
pub(crate) const GRAIN_BITS: u32 = 16;
/// Slots of a level, as a power of two.
const LEVEL_BITS: u32 = 6;
/// As many as cover 64 bits.
const LEVEL_COUNT: usize = (64 - GRAIN_BITS).div_ceil(LEVEL_BITS) as usize;

const _: () = assert!(SLOT_COUNT == 1 << LEVEL_BITS);
const _: () = assert!(LEVEL_COUNT <= u8::BITS as usize);

/// A deadline that does not come.
pub(crate) const NEVER: u64 = u64::MAX;

/// No node: the end of a list.
const NIL: u32 = u32::MAX;

/// Where a node stands: level above, slot below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place(u16);

impl Place {
    /// In no slot.
    const NOWHERE: Self = Self(u16::MAX);

    fn new(level: usize, slot: usize) -> Self {
        Self(((level as u16) << LEVEL_BITS) | slot as u16)
    }

    fn level(self) -> usize {
        usize::from(self.0 >> LEVEL_BITS)
    }

    fn slot(self) -> usize {
        usize::from(self.0) % SLOT_COUNT
    }
}

#[derive(Debug)]
struct Node<T> {
    when: u64,
    previous: u32,
    next: u32,
    place: Place,
    value: T,
}

/// Values that come due.
#[derive(Debug)]
pub(crate) struct Wheel<T> {
    elapsed: u64,
    /// Bit `k` is set while level `k` holds a node.
    occupied: u8,
    levels: Box<[Level; LEVEL_COUNT]>,
    nodes: Slab<Node<T>>,
    /// Scratch: what of a slot is due.
    due: Vec<(u64, u32)>,
}

impl<T> Wheel<T> {
    /// An empty wheel that stands at `elapsed`.
    pub(crate) fn new(elapsed: u64) -> Self {
        Self {
            elapsed,
            occupied: 0,
            levels: Box::new([const { Level::new() }; LEVEL_COUNT]),
            nodes: Slab::new(),
            due: Vec::new(),
        }
    }

    /// How many values it holds, those at [`NEVER`] included.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Adds `value`, due at `when`. [`next`](Self::next) is then `when` or as before, whichever comes
    /// first.
    pub(crate) fn insert(&mut self, when: u64, value: T) -> Key {
        // The node comes into the slab with its links set, and is not looked up again.
        let (place, previous) = self.find_place(when);
        let key = self.nodes.insert(Node {
            when,
            previous,
            next: NIL,
            place,
            value,
        });
        self.append(place, previous, key.index(), when);
        key
    }

    /// The value under `key`, if it has not expired and was not removed.
    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.nodes.get_mut(key).map(|node| &mut node.value)
    }

    /// The value under `key` and when it is due, if it is still waiting.
    pub(crate) fn get_with_deadline(&mut self, key: Key) -> Option<(u64, &mut T)> {
        self.nodes
            .get_mut(key)
            .map(|node| (node.when, &mut node.value))
    }

    /// Whether the value under `key` is still waiting.
    pub(crate) fn contains(&self, key: Key) -> bool {
        self.nodes.get(key).is_some()
    }

    /// Takes a value out before it is due.
    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let node = self.nodes.remove(key)?;
        self.close_gap(node.place, node.previous, node.next);
        Some(node.value)
    }

    /// Moves a value to another deadline. Returns false if it is not waiting any more.
    pub(crate) fn reset(&mut self, key: Key, when: u64) -> bool {
        if !self.contains(key) {
            return false;
        }
        self.unlink(key.index());
        self.link(key.index(), when);
        true
    }

    /// No later than the earliest deadline (invariant 2), or [`NEVER`].
    pub(crate) fn next(&self) -> u64 {
        self.first().map_or(NEVER, |place| self.slot(place).min)
    }

    /// The earliest deadline, or [`NEVER`]. Walks one slot.
    pub(crate) fn next_exact(&mut self) -> u64 {
        let Some(place) = self.first() else {
            return NEVER;
        };
        let min = self.indices(place).map(|(when, _)| when).min();
        let min = min.expect("an occupied slot holds a node");
        self.levels[place.level()].slots[place.slot()].min = min;
        min
    }

    /// Moves to `now` and appends the values that are due to `into`, in the order of their
    /// deadlines. Stops early, between two slots, once `limit` values were appended: the answer is
    /// then true, and the next call goes on.
    pub(crate) fn expire(&mut self, now: u64, into: &mut Vec<T>, limit: usize) -> bool {
        let start = into.len();
        while let Some(place) = self.first() {
            let begins = self.begin(place);
            if place.level() == 0 {
                if self.slot(place).min > now {
                    break;
                }
                if into.len() - start >= limit {
                    return true;
                }
                self.elapsed = self.elapsed.max(begins);
                self.expire_slot(place, now, into);
            } else {
                if begins > now {
                    break;
                }
                self.elapsed = self.elapsed.max(begins);
                self.move_down(place);
            }
        }
        self.elapsed = self.elapsed.max(now);
        false
    }

    /// Takes each value whose deadline `choose` picks, and leaves one of `instead` in its place: the nodes stay
    /// where they are, and their keys go on to find them.
    pub(crate) fn exchange(
        &mut self,
        choose: impl Fn(u64) -> bool,
        mut instead: impl FnMut() -> T,
    ) -> Vec<T> {
        let chosen = self.nodes.iter().filter(|(_, node)| choose(node.when));
        let keys: Vec<Key> = chosen.map(|(key, _)| key).collect();
        keys.into_iter()
            .filter_map(|key| Some(std::mem::replace(self.get_mut(key)?, instead())))
            .collect()
    }

    /// The slot with the earliest deadline (invariant 1).
    fn first(&self) -> Option<Place> {
        if self.occupied == 0 {
            return None;
        }
        let level = self.occupied.trailing_zeros() as usize;
        let slot = self.levels[level].occupied.trailing_zeros();
        Some(Place::new(level, slot as usize))
    }

    fn slot(&self, place: Place) -> &level::Slot {
        &self.levels[place.level()].slots[place.slot()]
    }

    /// The first nanosecond of a slot, in the turn that `elapsed` is in.
    fn begin(&self, place: Place) -> u64 {
        let shift = GRAIN_BITS + LEVEL_BITS * place.level() as u32;
        let above = shift + LEVEL_BITS;
        let turn = self
            .elapsed
            .checked_shr(above)
            .map_or(0, |turns| turns << above);
        turn | ((place.slot() as u64) << shift)
    }

    /// Where a deadline belongs (invariant 1).
    fn place(&self, when: u64) -> Place {
        let here = self.elapsed >> GRAIN_BITS;
        let there = when.max(self.elapsed) >> GRAIN_BITS;
        // The highest digit in which the two differ; digit 0 if in none.
        let level = ((here ^ there) | 1).ilog2() / LEVEL_BITS;
        let slot = (there >> (LEVEL_BITS * level)) as usize % SLOT_COUNT;
        Place::new(level as usize, slot)
    }

    fn node(&mut self, index: u32) -> &mut Node<T> {
        let node = self.nodes.at_mut(index);
        node.expect("links lead to nodes of this slab")
    }

    fn link(&mut self, index: u32, when: u64) {
        let (place, previous) = self.find_place(when);
        let node = self.node(index);
        node.when = when;
        node.previous = previous;
        node.next = NIL;
        node.place = place;
        self.append(place, previous, index, when);
    }

    /// Where a node with this deadline is to stand, and behind which node.
    fn find_place(&self, when: u64) -> (Place, u32) {
        if when == NEVER {
            return (Place::NOWHERE, NIL);
        }
        let place = self.place(when);
        (place, self.slot(place).tail)
    }

    /// Makes a node the last of its slot, after [`find_place`](Self::find_place).
    fn append(&mut self, place: Place, previous: u32, index: u32, when: u64) {
        if place == Place::NOWHERE {
            return;
        }
        self.occupied |= 1 << place.level();
        let level = &mut self.levels[place.level()];
        level.occupied |= 1 << place.slot();
        let slot = &mut level.slots[place.slot()];
        slot.min = slot.min.min(when);
        slot.tail = index;
        if previous == NIL {
            slot.head = index;
        } else {
            self.node(previous).next = index;
        }
    }

    fn unlink(&mut self, index: u32) {
        let node = self.node(index);
        let (previous, next) = (node.previous, node.next);
        let place = std::mem::replace(&mut node.place, Place::NOWHERE);
        self.close_gap(place, previous, next);
    }

    /// Joins the neighbours of a node that has left `place`.
    fn close_gap(&mut self, place: Place, previous: u32, next: u32) {
        if place == Place::NOWHERE {
            return;
        }
        if next != NIL {
            self.node(next).previous = previous;
        }
        if previous != NIL {
            self.node(previous).next = next;
        }
        let level = &mut self.levels[place.level()];
        let slot = &mut level.slots[place.slot()];
        if next == NIL {
            slot.tail = previous;
        }
        if previous == NIL {
            slot.head = next;
        }
        if slot.head == NIL {
            self.vacate(place);
        }
    }

    /// Marks a slot as empty.
    fn vacate(&mut self, place: Place) {
        let level = &mut self.levels[place.level()];
        level.vacate(place.slot());
        if level.occupied == 0 {
            self.occupied &= !(1 << place.level());
        }
    }

    /// Deadlines and indices of a slot's nodes, first to last.
    fn indices(&self, place: Place) -> impl Iterator<Item = (u64, u32)> + '_ {
        let mut index = self.slot(place).head;
        std::iter::from_fn(move || {
            let node = self.nodes.at(index)?;
            let item = (node.when, index);
            index = node.next;
            Some(item)
        })
    }

    /// Takes out of a level-0 slot what is due and makes `min` exact for the rest.
    fn expire_slot(&mut self, place: Place, now: u64, into: &mut Vec<T>) {
        let mut due = std::mem::take(&mut self.due);
        let mut rest = NEVER;
        for (when, index) in self.indices(place) {
            if when <= now {
                due.push((when, index));
            } else {
                rest = rest.min(when);
            }
        }
        // Stable: invariant 4.
        due.sort_by_key(|&(when, _)| when);
        self.levels[place.level()].slots[place.slot()].min = rest;
        for (_, index) in due.drain(..) {
            let key = self.nodes.key_at(index).expect("the node was just found");
            into.push(self.remove(key).expect("the key was just made"));
        }
        self.due = due;
    }

    /// Empties a slot above level 0 whose start `elapsed` has reached. Its nodes now differ from
    /// `elapsed` in a lower digit only.
    fn move_down(&mut self, place: Place) {
        let mut index = self.slot(place).head;
        self.vacate(place);
        while index != NIL {
            let node = self.node(index);
            let (when, next) = (node.when, node.next);
            self.link(index, when);
            index = next;
        }
    }
}
