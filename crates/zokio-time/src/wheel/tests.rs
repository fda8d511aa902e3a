//! The wheel, step by step and for any sequence of steps.

use super::*;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]
    #[test]
    fn expires_as_an_ordered_map_does(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        fuzz::run(&bytes);
    }
}

#[test]
fn the_corpus_passes() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/wheel");
    for file in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        println!("{}", file.path().display());
        fuzz::run(&std::fs::read(file.path()).unwrap());
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
