//! How often a worker measured what: one counter for each bucket.
//!
//! A worker counts with a load and a store, as in `stats.rs`: only the holder of its core does. A
//! poll that has lost its core meanwhile (it blocked, which is just what a histogram should show)
//! is counted in a second row, with locked instructions; it has other costs to bear. Readers add the
//! two.

use crate::buckets::Buckets;
use crate::stats::Counter;
use zokio_base::pad::CachePadded;
use zokio_base::sync::std_atomic::{AtomicU64, Ordering};

/// Counters on one padded line.
const LINE: usize = 16;

/// One worker's histogram of one thing.
#[derive(Debug)]
pub(crate) struct Histogram {
    buckets: Buckets,
    /// By the holder of the core. Whole lines, so that no other worker's counters lie on them.
    own: Box<[CachePadded<[Counter; LINE]>]>,
    /// By threads that have lost the core.
    late: Box<[AtomicU64]>,
}

impl Histogram {
    /// An empty one.
    pub(crate) fn new(buckets: Buckets) -> Self {
        let lines = buckets.count().div_ceil(LINE);
        Self {
            own: (0..lines).map(|_| CachePadded::default()).collect(),
            late: (0..buckets.count()).map(|_| AtomicU64::new(0)).collect(),
            buckets,
        }
    }

    /// Counts `value`. Only the holder of the core calls this.
    #[inline]
    pub(crate) fn record(&self, value: u64) {
        let bucket = self.buckets.bucket_of(value);
        self.own[bucket / LINE][bucket % LINE].add(1);
    }

    /// Counts `value`, on any thread.
    #[cold]
    pub(crate) fn record_late(&self, value: u64) {
        // Relaxed: a figure for people.
        self.late[self.buckets.bucket_of(value)].fetch_add(1, Ordering::Relaxed);
    }

    /// How many values have fallen into `bucket`.
    ///
    /// # Panics
    /// If there is no such bucket.
    #[track_caller]
    pub(crate) fn count(&self, bucket: usize) -> u64 {
        let buckets = self.late.len();
        assert!(
            bucket < buckets,
            "there is no bucket {bucket} in a histogram of {buckets}"
        );
        // Relaxed: as above.
        self.own[bucket / LINE][bucket % LINE].get() + self.late[bucket].load(Ordering::Relaxed)
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_counted_once_whoever_counts() {
        let histogram = Histogram::new(Buckets::linear(10, 40));
        for value in 0..400 {
            histogram.record(value);
        }
        histogram.record_late(395);
        histogram.record_late(u64::MAX);
        for bucket in 0..39 {
            assert_eq!(histogram.count(bucket), 10);
        }
        assert_eq!(histogram.count(39), 12);
    }

    #[test]
    #[should_panic(expected = "there is no bucket 3 in a histogram of 3")]
    fn a_bucket_that_is_not_there_is_no_zero() {
        Histogram::new(Buckets::linear(10, 3)).count(3);
    }

    #[test]
    fn threads_that_lost_the_core_lose_no_count() {
        let histogram = Histogram::new(Buckets::linear(1, 2));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1_000).for_each(|_| histogram.record_late(0)));
            }
            (0..1_000).for_each(|_| histogram.record(0));
        });
        assert_eq!(histogram.count(0), 5_000);
    }
}
