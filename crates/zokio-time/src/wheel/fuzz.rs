//! The wheel against a naive ordered map, for any sequence of steps.
//!
//! [`run`] takes bytes, so that the fuzzer, the kept corpus and random bytes in an ordinary test all
//! come the same way.

use super::{NEVER, Wheel};
use arbitrary::{Arbitrary, Unstructured};
use std::collections::BTreeMap;
use zokio_base::slab::Key;

/// A distance of any magnitude, so that every level is met.
#[derive(Debug, Clone, Copy, Arbitrary)]
struct Distance {
    bits: u8,
    noise: u64,
}

impl Distance {
    fn get(self) -> u64 {
        self.noise >> (self.bits % 64)
    }
}

#[derive(Debug, Arbitrary)]
enum Step {
    Insert(Distance),
    /// The same deadline as an entry that there was.
    InsertBeside(u8),
    InsertPast(Distance),
    InsertNever,
    Remove(u8),
    Reset(u8, Distance),
    ResetToNever(u8),
    /// All that is due.
    Advance(Distance),
    /// A part of it: no further slot once there are so many.
    AdvancePartly(Distance, u8),
    Jump,
    Exchange,
}

/// The entries that are due, by deadline and then by order of insertion.
#[derive(Default)]
struct Naive {
    waiting: BTreeMap<(u64, u64), u32>,
    places: BTreeMap<u32, (u64, u64)>,
    order: u64,
}

impl Naive {
    fn insert(&mut self, when: u64, name: u32) {
        let place = (when, self.order);
        self.order += 1;
        self.waiting.insert(place, name);
        self.places.insert(name, place);
    }

    fn remove(&mut self, name: u32) -> bool {
        let place = self.places.remove(&name);
        place.is_some_and(|place| self.waiting.remove(&place).is_some())
    }

    fn first_due(&self, now: u64) -> Option<u32> {
        let (&(when, _), &name) = self.waiting.first_key_value()?;
        (when <= now && when != NEVER).then_some(name)
    }

    fn next(&self) -> u64 {
        let first = self.waiting.first_key_value();
        first.map_or(NEVER, |(&(when, _), _)| when)
    }
}

/// Both, side by side.
struct Pair {
    wheel: Wheel<u32>,
    naive: Naive,
    keys: Vec<Key>,
    /// The deadline that each entry was last given.
    whens: Vec<u64>,
    now: u64,
}

impl Pair {
    fn new(now: u64) -> Self {
        Self {
            wheel: Wheel::new(now),
            naive: Naive::default(),
            keys: Vec::new(),
            whens: Vec::new(),
            now,
        }
    }

    fn insert(&mut self, when: u64) {
        let name = self.keys.len() as u32;
        let before = self.wheel.next();
        self.keys.push(self.wheel.insert(when, name));
        assert_eq!(self.wheel.next(), before.min(when));
        self.whens.push(when);
        self.naive.insert(when, name);
    }

    /// An entry that there is or was.
    fn pick(&self, which: u8) -> Option<usize> {
        let count = self.keys.len();
        (count > 0).then(|| usize::from(which) % count)
    }

    fn remove(&mut self, which: usize) {
        let was = self.naive.remove(which as u32);
        let name = Some(which as u32).filter(|_| was);
        assert_eq!(self.wheel.contains(self.keys[which]), was);
        assert_eq!(self.wheel.remove(self.keys[which]), name);
    }

    fn reset(&mut self, which: usize, when: u64) {
        let was = self.naive.remove(which as u32);
        if was {
            self.naive.insert(when, which as u32);
            self.whens[which] = when;
        }
        assert_eq!(self.wheel.reset(self.keys[which], when), was);
    }

    /// Goes on to `now`. Whether there is more that is due.
    fn expire(&mut self, limit: usize) -> bool {
        let mut due = Vec::new();
        let more = self.wheel.expire(self.now, &mut due, limit);
        for &name in &due {
            assert_eq!(self.naive.first_due(self.now), Some(name));
            self.naive.remove(name);
        }
        if more {
            assert!(due.len() >= limit, "stopped for no reason");
        }
        more
    }

    fn expire_all(&mut self) {
        while self.expire(3) {}
        assert_eq!(self.naive.first_due(self.now), None, "overslept");
        assert!(self.wheel.next() > self.now);
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Insert(by) => self.insert(self.now.saturating_add(by.get())),
            Step::InsertBeside(which) => {
                if let Some(which) = self.pick(which) {
                    self.insert(self.whens[which]);
                }
            }
            Step::InsertPast(by) => self.insert(self.now.saturating_sub(by.get())),
            Step::InsertNever => self.insert(NEVER),
            Step::Remove(which) => {
                if let Some(which) = self.pick(which) {
                    self.remove(which);
                }
            }
            Step::Reset(which, by) => {
                if let Some(which) = self.pick(which) {
                    self.reset(which, self.now.saturating_add(by.get()));
                }
            }
            Step::ResetToNever(which) => {
                if let Some(which) = self.pick(which) {
                    self.reset(which, NEVER);
                }
            }
            Step::Advance(by) => {
                self.advance(by);
                self.expire_all();
            }
            Step::AdvancePartly(by, limit) => {
                self.advance(by);
                self.expire(usize::from(limit));
            }
            Step::Jump => {
                let next = self.wheel.next_exact();
                assert_eq!(next, self.naive.next());
                if next != NEVER {
                    self.now = self.now.max(next);
                    self.expire_all();
                }
            }
            Step::Exchange => {
                let mut taken = self.wheel.exchange(|_| true, || u32::MAX);
                taken.sort_unstable();
                assert!(taken.iter().eq(self.naive.places.keys()));
                // All is where it was.
                for name in taken {
                    let place = self.wheel.get_mut(self.keys[name as usize]);
                    assert_eq!(std::mem::replace(place.unwrap(), name), u32::MAX);
                }
            }
        }
    }

    fn advance(&mut self, by: Distance) {
        self.now = self.now.saturating_add(by.get()).min(NEVER - 1);
    }

    fn check(&self) {
        assert!(self.wheel.next() <= self.naive.next(), "would oversleep");
        assert_eq!(self.wheel.len(), self.naive.waiting.len());
    }
}

/// Runs the steps that `bytes` stand for.
///
/// # Panics
/// If the wheel does something else than the naive map.
pub fn run(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let Ok(start) = Distance::arbitrary(&mut input) else {
        return;
    };
    let mut pair = Pair::new(start.get().min(NEVER - 1));
    while !input.is_empty() {
        let Ok(step) = Step::arbitrary(&mut input) else {
            break;
        };
        pair.step(step);
        pair.check();
    }
    pair.now = NEVER - 1;
    pair.expire_all();
    pair.check();
    pair.step(Step::Exchange);
    assert_eq!(pair.wheel.next(), NEVER);
}
