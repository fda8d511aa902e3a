//! The wheel against a naive ordered map.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
enum Step {
    Insert(u64),
    Remove(usize),
    Reset(usize, u64),
    Advance(u64),
    Jump,
}

/// Distances of every magnitude, so that every level is met.
fn distance() -> impl Strategy<Value = u64> {
    (0..64_u32, any::<u64>()).prop_map(|(bits, noise)| noise >> bits)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => distance().prop_map(Step::Insert),
        1 => (0..40_usize).prop_map(Step::Remove),
        1 => ((0..40_usize), distance()).prop_map(|(which, by)| Step::Reset(which, by)),
        2 => (20..64_u32, any::<u64>()).prop_map(|(bits, noise)| Step::Advance(noise >> bits)),
        1 => Just(Step::Jump),
    ]
}

/// The naive model: what is due when, by deadline and then by order of insertion.
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

    fn expire(&mut self, now: u64) -> Vec<u32> {
        let mut due = Vec::new();
        while let Some((&(when, _), &name)) = self.waiting.first_key_value() {
            if when > now || when == NEVER {
                break;
            }
            self.remove(name);
            due.push(name);
        }
        due
    }

    fn next(&self) -> u64 {
        let first = self.waiting.first_key_value();
        first.map_or(NEVER, |(&(when, _), _)| when)
    }
}

fn expire_all(wheel: &mut Wheel<u32>, now: u64) -> Vec<u32> {
    let mut due = Vec::new();
    while wheel.expire(now, &mut due, 3) {}
    due
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn expires_as_an_ordered_map_does(
        start in distance(),
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut wheel = Wheel::new(start);
        let mut naive = Naive::default();
        let mut keys: Vec<Key> = Vec::new();
        let mut now = start;
        for step in steps {
            match step {
                Step::Insert(by) => {
                    let when = now.saturating_add(by);
                    let name = keys.len() as u32;
                    keys.push(wheel.insert(when, name));
                    naive.insert(when, name);
                }
                Step::Remove(which) if which < keys.len() => {
                    let was = naive.remove(which as u32);
                    let name = Some(which as u32).filter(|_| was);
                    prop_assert_eq!(wheel.remove(keys[which]), name);
                }
                Step::Reset(which, by) if which < keys.len() => {
                    let when = now.saturating_add(by);
                    let was = naive.remove(which as u32);
                    if was {
                        naive.insert(when, which as u32);
                    }
                    prop_assert_eq!(wheel.reset(keys[which], when), was);
                }
                Step::Remove(_) | Step::Reset(..) => {}
                Step::Advance(by) => {
                    now = now.saturating_add(by).min(NEVER - 1);
                    prop_assert_eq!(expire_all(&mut wheel, now), naive.expire(now));
                    prop_assert!(wheel.next() > now);
                }
                Step::Jump => {
                    let next = wheel.next_exact();
                    prop_assert_eq!(next, naive.next());
                    if next != NEVER {
                        now = now.max(next);
                        prop_assert_eq!(expire_all(&mut wheel, now), naive.expire(now));
                    }
                }
            }
            prop_assert!(wheel.next() <= naive.next());
            prop_assert_eq!(wheel.len(), naive.waiting.len());
        }
        prop_assert_eq!(wheel.drain().len(), naive.waiting.len());
        prop_assert_eq!(wheel.next(), NEVER);
    }
}

#[test]
fn nothing_expires_early_and_next_is_exact_without_removals() {
    let mut wheel = Wheel::new(0);
    for when in [5, 70_000, 4_000_000, 1 << 33, 1 << 50, NEVER - 1] {
        wheel.insert(when, when);
    }
    let mut due = Vec::new();
    for when in [5, 70_000, 4_000_000, 1 << 33, 1 << 50, NEVER - 1] {
        assert_eq!(wheel.next(), when);
        assert!(!wheel.expire(when - 1, &mut due, usize::MAX));
        assert!(due.is_empty());
        assert!(!wheel.expire(when, &mut due, usize::MAX));
        assert_eq!(due, [when]);
        due.clear();
    }
    assert_eq!(wheel.len(), 0);
}

#[test]
fn a_removed_minimum_costs_one_early_question() {
    let mut wheel = Wheel::new(0);
    let first = wheel.insert(100, 1);
    wheel.insert(200, 2);
    assert_eq!(wheel.remove(first), Some(1));
    assert_eq!(wheel.next(), 100);
    let mut due = Vec::new();
    assert!(!wheel.expire(100, &mut due, usize::MAX));
    assert!(due.is_empty());
    assert_eq!(wheel.next(), 200);
}

#[test]
fn what_never_comes_can_be_brought_back() {
    let mut wheel = Wheel::new(0);
    let key = wheel.insert(NEVER, ());
    assert_eq!(wheel.next(), NEVER);
    assert!(wheel.reset(key, 10));
    assert_eq!(wheel.next(), 10);
    assert!(wheel.reset(key, NEVER));
    assert_eq!(wheel.next(), NEVER);
    let mut due = Vec::new();
    assert!(!wheel.expire(NEVER - 1, &mut due, usize::MAX));
    assert!(due.is_empty());
    assert_eq!(wheel.remove(key), Some(()));
}

/// Costs for docs/design/0001-timers.md. Run with
/// `cargo test --release -p zokio-time --lib -- --ignored --nocapture wheel_costs`.
#[test]
#[ignore = "prints costs, checks nothing"]
fn wheel_costs() {
    use zokio_base::clock::real_now;
    use zokio_base::rand::Rng;
    const COUNT: u64 = 100_000;
    let per_op = |start: std::time::Instant| start.elapsed().as_nanos() as f64 / COUNT as f64;
    for (name, span) in [("1 ms", 1 << 20), ("1 s", 1 << 30), ("17 min", 1_u64 << 40)] {
        let mut rng = Rng::from_seed(1);
        let mut wheel = Wheel::new(0);
        let start = real_now();
        for _ in 0..COUNT {
            let key = wheel.insert(span + rng.next_u64() % span, 0);
            wheel.remove(key);
        }
        let cancel = per_op(start);
        let start = real_now();
        for _ in 0..COUNT {
            wheel.insert(rng.next_u64() % span, 0);
        }
        let insert = per_op(start);
        let mut due = Vec::new();
        let mut turns = 0;
        let start = real_now();
        while wheel.len() > 0 {
            // A worker wakes for the next deadline, 50 us late.
            let now = wheel.next() + 50_000;
            wheel.expire(now, &mut due, usize::MAX);
            turns += 1;
        }
        let fire = per_op(start);
        println!(
            "grain 2^{GRAIN_BITS} ns, within {name}: insert and cancel {cancel:.0} ns, \
             insert {insert:.0} ns, fire {fire:.0} ns ({turns} turns)"
        );
    }
}
