//! How a histogram divides its values: which bucket a value falls into, and what a bucket covers.
//!
//! Two ways to divide. *Linear*: all buckets are equally wide. *Logarithmic*: buckets come in
//! groups of `2^p`; those of one group are equally wide, and twice as wide as those of the group
//! before, so that a bucket is never wider than `2^-p` of what it begins with.
//!
//! The logarithmic index of a value is its exponent and the `p` bits below its leading one, read
//! as one number:
//!
//! ```text
//!  value   0 0 1 m m x x x      group = exponent - p (0 if that is negative): 3
//!              ^ ^^^ ^^^^^      mantissa = value >> group, the leading one and p bits
//!              |  p  group      index = (group << p) + mantissa
//! ```
//!
//! Values below `2^(p + 1)` are in group 0, where the index is the value itself. The last index of
//! a group and the first one of the next are neighbours: a full mantissa plus one is `2^(p + 1)`,
//! which is `2^p` of the present group and `2^p` more.
//!
//! Invariants:
//!
//! 1. Buckets are adjacent: each begins where the one before it ends, the first one at 0.
//! 2. The last bucket takes everything from its beginning on; its end is given as `u64::MAX`.
//! 3. There is at least one bucket.

use std::ops::Range;

/// The greatest precision that [`LogBuckets`] can have.
pub const PRECISION_MAX: u32 = 10;

/// Buckets that grow with what they measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogBuckets {
    /// `p`: how many bits below the leading one are told apart.
    precision: u32,
    /// This many logarithmic indices are one with the first bucket's.
    merged: usize,
    /// How many buckets there are.
    count: usize,
}

impl LogBuckets {
    /// Buckets for values from `min` to `max`, told apart to `2^-precision`.
    ///
    /// The first one covers everything below `min`, and no more than that; the last one begins at
    /// the first boundary that is not below `max`.
    ///
    /// # Panics
    /// If `precision` is above [`PRECISION_MAX`], or if `max` is 0 or below `min`.
    pub fn new(min: u64, max: u64, precision: u32) -> Self {
        assert!(
            precision <= PRECISION_MAX,
            "the precision of a histogram is {PRECISION_MAX} at most"
        );
        assert!(max > 0, "the greatest value of a histogram must not be 0");
        assert!(
            min <= max,
            "the least value of a histogram must not be above its greatest one"
        );
        let merged = index(min, precision).saturating_sub(1);
        let below = index(max, precision);
        // The highest index has no successor; its bucket goes to the end anyway.
        let last = match start(below, precision) == max || below == index(u64::MAX, precision) {
            true => below,
            false => below + 1,
        };
        Self {
            precision,
            merged,
            count: last - merged + 1,
        }
    }

    /// `count` buckets, each twice as wide as what lies below it; the first one covers what is below
    /// the power of two that is not below `first`.
    ///
    /// # Panics
    /// If `first` or `count` is 0, or if there is no such power of two.
    pub fn doubling(first: u64, count: usize) -> Self {
        assert!(count > 0, "a histogram must have at least one bucket");
        assert!(first > 0, "the first bucket must not be empty");
        let first = first
            .checked_next_power_of_two()
            .expect("the first bucket must be no wider than half of all values");
        Self {
            precision: 0,
            merged: index(first, 0) - 1,
            count,
        }
    }

    /// Where the last bucket begins: the first value that is not measured any more, only counted.
    pub fn last_start(&self) -> u64 {
        self.start_of(self.count - 1)
    }

    fn start_of(&self, bucket: usize) -> u64 {
        match bucket {
            0 => 0,
            _ => start(bucket + self.merged, self.precision),
        }
    }
}

/// The logarithmic index of `value`.
#[inline]
fn index(value: u64, precision: u32) -> usize {
    // The exponent of 0 is as good as that of 1: both are in group 0.
    let group = (value | 1).ilog2().saturating_sub(precision);
    ((group as usize) << precision) + (value >> group) as usize
}

/// The least value with the logarithmic index `index`; the greatest of all if there is none.
fn start(index: usize, precision: u32) -> u64 {
    let ones = (1_usize << precision) - 1;
    match index >> precision {
        0 => index as u64,
        high => {
            let mantissa = ((index & ones) | (1 << precision)) as u128;
            // A shift by more than 64 leaves no value of ours; `u128` has room for one bit more.
            let group = (high - 1).min(64);
            u64::try_from(mantissa << group).unwrap_or(u64::MAX)
        }
    }
}

/// How a histogram divides its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Buckets {
    /// Buckets of one width. Neither is 0.
    Linear {
        /// How wide they are.
        width: u64,
        /// How many there are.
        count: usize,
    },
    /// Buckets that grow.
    Log(LogBuckets),
}

impl Buckets {
    /// `count` buckets of one width.
    ///
    /// # Panics
    /// If `width` or `count` is 0.
    pub fn linear(width: u64, count: usize) -> Self {
        assert!(width > 0, "the buckets of a histogram must not be empty");
        assert!(count > 0, "a histogram must have at least one bucket");
        Self::Linear { width, count }
    }

    /// How many buckets there are.
    pub fn count(&self) -> usize {
        match self {
            Self::Linear { count, .. } => *count,
            Self::Log(log) => log.count,
        }
    }

    /// The bucket that `value` falls into.
    #[inline]
    pub fn bucket_of(&self, value: u64) -> usize {
        let (bucket, count) = match self {
            Self::Linear { width, count } => {
                (usize::try_from(value / width).unwrap_or(usize::MAX), *count)
            }
            Self::Log(log) => (
                index(value, log.precision).saturating_sub(log.merged),
                log.count,
            ),
        };
        bucket.min(count - 1)
    }

    /// The values that fall into `bucket`. The end of the last one stands for no end.
    ///
    /// # Panics
    /// If there is no such bucket.
    #[track_caller]
    pub fn range(&self, bucket: usize) -> Range<u64> {
        let count = self.count();
        assert!(
            bucket < count,
            "there is no bucket {bucket} in a histogram of {count}"
        );
        let start = |bucket: usize| match self {
            Self::Linear { width, .. } => width.saturating_mul(bucket as u64),
            Self::Log(log) => log.start_of(bucket),
        };
        match bucket + 1 == count {
            true => start(bucket)..u64::MAX,
            false => start(bucket)..start(bucket + 1),
        }
    }
}

#[cfg(all(test, not(zokio_model)))]
#[path = "tests/buckets.rs"]
mod tests;
