//! A slab whose keys carry a generation.
//!
//! Inserting returns a [`Key`]: the slot's index and how many times the slot was given out. A key
//! that outlives its value finds nothing, whatever took the slot since: late completions and stale
//! cancellations meet nobody else's entry.
//!
//! Invariants:
//!
//! 1. A slot's generation is odd while it holds a value and even while it is free; it grows by one
//!    at each insertion and each removal, and wraps after 2^31 uses of one slot.
//! 2. Free slots form a list through `next_free`, last freed first, so that hot slots stay hot.

/// Names a value in a [`Slab`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    index: u32,
    generation: u32,
}

impl Key {
    /// The slot.
    pub const fn index(self) -> u32 {
        self.index
    }

    /// How often the slot changed hands.
    pub const fn generation(self) -> u32 {
        self.generation
    }

    /// The key as one word: generation above, index below.
    pub const fn to_bits(self) -> u64 {
        ((self.generation as u64) << 32) | self.index as u64
    }

    /// The key that [`to_bits`](Self::to_bits) made a word of. Any word is a key; one that was never
    /// given out finds nothing.
    pub const fn from_bits(bits: u64) -> Self {
        Self {
            index: bits as u32,
            generation: (bits >> 32) as u32,
        }
    }
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    content: Content<T>,
}

#[derive(Debug)]
enum Content<T> {
    Free { next_free: u32 },
    Value(T),
}

/// End of the free list. Also why a slab holds at most `u32::MAX` values.
const NONE: u32 = u32::MAX;

/// Values under generational keys.
#[derive(Debug)]
pub struct Slab<T> {
    slots: Vec<Slot<T>>,
    free_head: u32,
    len: usize,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Slab<T> {
    /// An empty slab, which allocates nothing.
    pub const fn new() -> Self {
        Self {
            slots: Vec::new(),
            free_head: NONE,
            len: 0,
        }
    }

    /// How many values it holds.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a value and names it.
    ///
    /// # Panics
    /// If the slab holds `u32::MAX` values.
    pub fn insert(&mut self, value: T) -> Key {
        self.insert_with(|_| value)
    }

    /// Adds the value that `make` returns for its own key.
    ///
    /// # Panics
    /// If the slab holds `u32::MAX` values.
    pub fn insert_with(&mut self, make: impl FnOnce(Key) -> T) -> Key {
        let index = self.free_head;
        if let Some(slot) = self.slots.get_mut(index as usize) {
            let key = Key {
                index,
                generation: slot.generation.wrapping_add(1),
            };
            let Content::Free { next_free } = slot.content else {
                unreachable!("the free list leads to free slots only (invariant 2)")
            };
            slot.content = Content::Value(make(key));
            slot.generation = key.generation;
            self.free_head = next_free;
            self.len += 1;
            return key;
        }
        let index = u32::try_from(self.slots.len())
            .ok()
            .filter(|&index| index != NONE);
        let key = Key {
            index: index.expect("a slab holds fewer than u32::MAX values"),
            generation: 1,
        };
        self.slots.push(Slot {
            generation: 1,
            content: Content::Value(make(key)),
        });
        self.len += 1;
        key
    }

    /// The value under `key`, if it is still there.
    pub fn get(&self, key: Key) -> Option<&T> {
        match self.slots.get(key.index as usize) {
            Some(Slot {
                generation,
                content: Content::Value(value),
            }) if *generation == key.generation => Some(value),
            _ => None,
        }
    }

    /// The value under `key`, if it is still there.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        match self.slots.get_mut(key.index as usize) {
            Some(Slot {
                generation,
                content: Content::Value(value),
            }) if *generation == key.generation => Some(value),
            _ => None,
        }
    }

    /// The key of the value in slot `index`, if the slot holds one: values of one slab may link to
    /// each other by their slots alone.
    pub fn key_at(&self, index: u32) -> Option<Key> {
        let slot = self.slots.get(index as usize)?;
        matches!(slot.content, Content::Value(_)).then_some(Key {
            index,
            generation: slot.generation,
        })
    }

    /// The value in slot `index`, whatever its generation.
    pub fn at(&self, index: u32) -> Option<&T> {
        match &self.slots.get(index as usize)?.content {
            Content::Value(value) => Some(value),
            Content::Free { .. } => None,
        }
    }

    /// The value in slot `index`, whatever its generation.
    pub fn at_mut(&mut self, index: u32) -> Option<&mut T> {
        match &mut self.slots.get_mut(index as usize)?.content {
            Content::Value(value) => Some(value),
            Content::Free { .. } => None,
        }
    }

    /// Takes the value under `key` out, if it is still there.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        let slot = self.slots.get_mut(key.index as usize)?;
        if slot.generation != key.generation || !matches!(slot.content, Content::Value(_)) {
            return None;
        }
        let freed = Content::Free {
            next_free: self.free_head,
        };
        let Content::Value(value) = std::mem::replace(&mut slot.content, freed) else {
            unreachable!("checked above")
        };
        slot.generation = slot.generation.wrapping_add(1);
        self.free_head = key.index;
        self.len -= 1;
        Some(value)
    }

    /// The values with their keys, in the order of their slots.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.slots
            .iter()
            .enumerate()
            .filter_map(|(index, slot)| match &slot.content {
                Content::Value(value) => Some((
                    Key {
                        index: index as u32,
                        generation: slot.generation,
                    },
                    value,
                )),
                Content::Free { .. } => None,
            })
    }

    /// All values, to be changed, in the order of their slots.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots
            .iter_mut()
            .filter_map(|slot| match &mut slot.content {
                Content::Value(value) => Some(value),
                Content::Free { .. } => None,
            })
    }

    /// Takes every value out. Keys given out before find nothing afterwards.
    pub fn drain(&mut self) -> Vec<T> {
        let keys: Vec<Key> = self.iter().map(|(key, _)| key).collect();
        keys.into_iter()
            .filter_map(|key| self.remove(key))
            .collect()
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_stale_key_finds_nothing() {
        let mut slab = Slab::new();
        let old = slab.insert("old");
        assert_eq!(slab.remove(old), Some("old"));
        let new = slab.insert("new");
        assert_eq!(old.index(), new.index());
        assert_ne!(old.generation(), new.generation());
        assert_eq!(slab.get(old), None);
        assert_eq!(slab.key_at(old.index()), Some(new));
        assert_eq!(slab.at(old.index()), Some(&"new"));
        assert_eq!(slab.at_mut(7), None);
        assert_eq!(slab.remove(new), Some("new"));
        assert_eq!(
            (slab.at(new.index()), slab.key_at(new.index())),
            (None, None)
        );
        assert_eq!(slab.at_mut(new.index()), None);
        let new = slab.insert("newer");
        assert_eq!(slab.remove(old), None);
        assert_eq!(slab.get(Key::from_bits(new.to_bits())), Some(&"newer"));
    }

    proptest! {
        #[test]
        fn behaves_as_a_map(steps in prop::collection::vec((any::<bool>(), 0..16_usize), 0..200)) {
            let mut slab = Slab::new();
            let mut naive = BTreeMap::new();
            let mut given_out = Vec::new();
            for (number, (insert, pick)) in steps.into_iter().enumerate() {
                if insert || given_out.is_empty() {
                    let key = slab.insert(number);
                    prop_assert_eq!(naive.insert(key, number), None);
                    given_out.push(key);
                } else {
                    let key = given_out[pick % given_out.len()];
                    prop_assert_eq!(slab.get(key), naive.get(&key));
                    prop_assert_eq!(slab.remove(key), naive.remove(&key));
                }
                prop_assert_eq!(slab.len(), naive.len());
            }
            let mut left: Vec<usize> = naive.into_values().collect();
            let mut drained = slab.drain();
            left.sort_unstable();
            drained.sort_unstable();
            prop_assert_eq!(left, drained);
            prop_assert!(slab.is_empty());
        }
    }
}
