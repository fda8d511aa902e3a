//! Bucket arithmetic against a model that knows nothing of bits: it lists the boundaries one by one
//! and searches the list.

use super::*;
use proptest::prelude::*;

const NS_PER_S: u64 = 1_000_000_000;

/// Where the buckets of a logarithmic histogram begin, from the definition: single values up to
/// `2^(p + 1)`, then `2^p` equal steps to each further power of two. Up to `enough`.
fn boundaries(precision: u32, enough: u64) -> Vec<u128> {
    let enough = u128::from(enough);
    let steps = 1_u128 << precision;
    let mut found: Vec<u128> = (0..=2 * steps).collect();
    let mut power = 2 * steps;
    while *found.last().unwrap() < enough {
        let width = power / steps;
        found.extend((1..=steps).map(|step| power + step * width));
        power *= 2;
    }
    found
}

/// The beginnings of all buckets, as they are documented.
fn model(min: u64, max: u64, precision: u32) -> Vec<u64> {
    let all = boundaries(precision, max);
    let fits = |start: &&u128| **start < 1 << 64;
    // The first bucket ends at the last boundary up to `min` (but is not empty), and the last one
    // begins at the first boundary from `max` on, or at the last that there is.
    let first_end = all.iter().rev().find(|at| **at <= u128::from(min.max(1)));
    let last = all.iter().find(|at| **at >= u128::from(max)).filter(fits);
    let last = last.or(all.iter().rev().find(fits));
    let (first_end, last) = (*first_end.unwrap(), *last.unwrap());
    let middle = all.iter().filter(|at| (first_end..=last).contains(at));
    std::iter::once(0)
        .chain(middle.map(|at| *at as u64))
        .collect()
}

/// Where a value belongs, given the beginnings.
fn search(starts: &[u64], value: u64) -> usize {
    starts.partition_point(|start| *start <= value) - 1
}

fn ranges(buckets: &Buckets) -> Vec<Range<u64>> {
    (0..buckets.count()).map(|b| buckets.range(b)).collect()
}

fn assert_matches(buckets: &Buckets, starts: &[u64], values: impl IntoIterator<Item = u64>) {
    assert_eq!(buckets.count(), starts.len());
    for (bucket, range) in ranges(buckets).into_iter().enumerate() {
        assert_eq!(range.start, starts[bucket]);
        let end = starts.get(bucket + 1).copied().unwrap_or(u64::MAX);
        assert_eq!(range.end, end);
        for value in [range.start, range.end - 1] {
            assert_eq!(buckets.bucket_of(value), search(starts, value), "{value}");
        }
    }
    for value in values {
        assert_eq!(buckets.bucket_of(value), search(starts, value), "{value}");
    }
}

/// Numbers of every size.
fn sized() -> impl Strategy<Value = u64> {
    (0..64_u32, any::<u64>()).prop_map(|(shift, bits)| bits >> shift)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn logarithmic_buckets_are_those_of_the_model(
        low in sized(), high in sized(), precision in 0..=PRECISION_MAX,
        values in prop::collection::vec(sized(), 40),
    ) {
        let (min, max) = (low.min(high), low.max(high).max(1));
        let buckets = Buckets::Log(LogBuckets::new(min, max, precision));
        assert_matches(&buckets, &model(min, max, precision), values);
    }

    #[test]
    fn a_bucket_is_no_wider_than_the_precision_allows(
        max in sized(), precision in 0..=PRECISION_MAX,
    ) {
        let buckets = Buckets::Log(LogBuckets::new(0, max.max(1), precision));
        let all = ranges(&buckets);
        for range in &all[..all.len() - 1] {
            let width = range.end - range.start;
            prop_assert!(width == 1 || u128::from(width) << precision <= u128::from(range.start));
        }
    }

    #[test]
    fn doubling_buckets_double(
        first in sized(), count in 1..80_usize, values in prop::collection::vec(sized(), 40),
    ) {
        let first = (first >> 1).max(1);
        let mut starts = vec![0_u128];
        let mut next = u128::from(first.next_power_of_two());
        while starts.len() < count {
            starts.push(next.min(u128::from(u64::MAX)));
            next = (next * 2).min(1 << 100);
        }
        let starts: Vec<u64> = starts.into_iter().map(|start| start as u64).collect();
        let buckets = Buckets::Log(LogBuckets::doubling(first, count));
        prop_assert_eq!(buckets.count(), count);
        for (bucket, range) in ranges(&buckets).into_iter().enumerate() {
            prop_assert_eq!(range.start, starts[bucket]);
        }
        for value in values {
            prop_assert!(buckets.range(buckets.bucket_of(value)).contains(&value));
        }
    }

    #[test]
    fn linear_buckets_are_multiples(
        width in sized(), count in 1..200_usize, values in prop::collection::vec(sized(), 40),
    ) {
        let width = width.max(1);
        let buckets = Buckets::linear(width, count);
        for value in values {
            let wanted = (u128::from(value) / u128::from(width)).min(count as u128 - 1);
            prop_assert_eq!(buckets.bucket_of(value) as u128, wanted);
        }
        let all = ranges(&buckets);
        prop_assert!(all.windows(2).all(|pair| pair[0].end == pair[1].start));
        prop_assert_eq!(all[0].start, 0);
        prop_assert_eq!(all[count - 1].end, u64::MAX);
    }
}

/// The model itself, on what the documentation says of it.
#[test]
fn the_published_sizes_come_out() {
    let log = |min, max, precision| Buckets::Log(LogBuckets::new(min, max, precision));
    let default = log(100, 60 * NS_PER_S, 2);
    assert_eq!(default.count(), 119);
    assert_eq!(default.range(0), 0..96);
    assert_eq!(default.range(1), 96..112);
    assert_eq!(default.range(118).end, u64::MAX);
    let minimal = log(20_000, 4_000_000, 0);
    assert_eq!(minimal.count(), 10);
    for bucket in 1..9 {
        let range = minimal.range(bucket);
        assert_eq!(range.end - range.start, 16_384 << (bucket - 1));
    }
    assert_eq!(log(100, 60 * NS_PER_S, 10).count(), 27_291);
}

#[test]
fn small_values_have_buckets_of_their_own() {
    let buckets = Buckets::Log(LogBuckets::new(0, 1 << 20, 2));
    for value in 0..8 {
        assert_eq!(buckets.bucket_of(value), value as usize);
    }
    for value in 8..16 {
        assert_eq!(buckets.bucket_of(value), 8 + (value as usize - 8) / 2);
    }
}

#[test]
fn every_value_up_to_the_largest_has_a_bucket() {
    for precision in 0..=PRECISION_MAX {
        let buckets = Buckets::Log(LogBuckets::new(0, u64::MAX, precision));
        let last = buckets.count() - 1;
        assert_eq!(last, index(u64::MAX, precision));
        assert_eq!(buckets.bucket_of(u64::MAX), last);
        assert_eq!(buckets.bucket_of(buckets.range(last).start), last);
        assert_eq!(buckets.bucket_of(buckets.range(last).start - 1), last - 1);
    }
}
