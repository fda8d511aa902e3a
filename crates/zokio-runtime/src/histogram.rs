//! How a runtime's histograms are divided: what the [`Builder`](crate::Builder) is told.
//!
//! The arithmetic is the scheduler's ([`zokio_sched::Buckets`]); here are its names, units, defaults
//! and limits. Durations are counted in nanoseconds; one that has more of them than fit 64 bits is
//! as good as endless.

use std::error::Error;
use std::fmt;
use std::time::Duration;
use zokio_sched::{Buckets, LogBuckets, PRECISION_MAX};

/// The bucket that is not told apart from 0, unless a builder says otherwise.
const MIN_VALUE: Duration = Duration::from_nanos(100);
/// From where on nothing is told apart, unless a builder says otherwise.
const MAX_VALUE: Duration = Duration::from_secs(60);
/// A quarter of an error, unless a builder says otherwise.
const PRECISION: u32 = 2;
/// How wide linear buckets are, unless a builder says otherwise.
const WIDTH: Duration = Duration::from_micros(100);
/// How many linear buckets there are, unless a builder says otherwise.
const COUNT: usize = 10;

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// How a histogram divides the times that it counts. Given to
/// [`Builder::metrics_poll_time_histogram_configuration`] and
/// [`Builder::metrics_schedule_latency_histogram_configuration`].
///
/// Buckets are fixed when the runtime is built. The last one takes all times from its beginning on.
///
/// [`Builder::metrics_poll_time_histogram_configuration`]: crate::Builder::metrics_poll_time_histogram_configuration
/// [`Builder::metrics_schedule_latency_histogram_configuration`]: crate::Builder::metrics_schedule_latency_histogram_configuration
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use zokio_runtime::{Builder, HistogramConfiguration};
///
/// let runtime = Builder::new_current_thread()
///     .enable_metrics_poll_time_histogram()
///     .metrics_poll_time_histogram_configuration(HistogramConfiguration::linear(
///         Duration::from_millis(1),
///         3,
///     ))
///     .build()
///     .unwrap();
/// let metrics = runtime.metrics();
/// let ms = Duration::from_millis;
/// assert_eq!(metrics.poll_time_histogram_bucket_range(0), ms(0)..ms(1));
/// assert_eq!(metrics.poll_time_histogram_bucket_range(1), ms(1)..ms(2));
/// assert_eq!(metrics.poll_time_histogram_bucket_range(2).start, ms(2));
/// ```
#[derive(Debug, Clone)]
pub struct HistogramConfiguration {
    buckets: Buckets,
}

impl HistogramConfiguration {
    /// `num_buckets` buckets, each `bucket_width` wide but for the last one, which has no end.
    ///
    /// # Panics
    /// If either is zero.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use zokio_runtime::HistogramConfiguration;
    ///
    /// // Up to a millisecond in steps of ten microseconds.
    /// let _ = HistogramConfiguration::linear(Duration::from_micros(10), 101);
    /// ```
    pub fn linear(bucket_width: Duration, num_buckets: usize) -> Self {
        Self {
            buckets: Buckets::linear(nanos(bucket_width), num_buckets),
        }
    }

    /// Buckets that grow with what they count. Takes a [`LogHistogram`] or the builder of one.
    ///
    /// # Panics
    /// If a builder is given whose greatest value is below its least one.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use zokio_runtime::{HistogramConfiguration, LogHistogram};
    ///
    /// let _default = HistogramConfiguration::log(LogHistogram::default());
    /// let _fine = HistogramConfiguration::log(LogHistogram::builder().max_error(0.01));
    /// ```
    pub fn log(configuration: impl Into<LogHistogram>) -> Self {
        Self {
            buckets: Buckets::Log(configuration.into().buckets),
        }
    }
}

impl Default for HistogramConfiguration {
    /// Ten buckets of a hundred microseconds.
    fn default() -> Self {
        Self::linear(WIDTH, COUNT)
    }
}

/// Whether all buckets of a histogram are equally wide. For the deprecated
/// [`Builder::metrics_poll_count_histogram_scale`](crate::Builder::metrics_poll_count_histogram_scale);
/// [`HistogramConfiguration`] says the same and more.
///
/// # Examples
/// ```
/// use zokio_runtime::{Builder, HistogramScale};
///
/// # #[allow(deprecated)]
/// let runtime = Builder::new_current_thread()
///     .enable_metrics_poll_time_histogram()
///     .metrics_poll_count_histogram_scale(HistogramScale::Log)
///     .build()
///     .unwrap();
/// # drop(runtime);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HistogramScale {
    /// They are.
    Linear,
    /// Each is twice as wide as the one before it.
    Log,
}

/// Buckets that grow with what they count, so that a few of them tell nanoseconds from minutes.
///
/// Buckets come in groups of `2^p`. Those of one group are equally wide, and twice as wide as those
/// of the group before: no bucket is wider than `2^-p` of the value it begins with, which bounds the
/// relative error. This division is known as
/// [H2 histogram](https://iop.systems/blog/h2-histogram/), with two differences:
///
/// 1. The first bucket covers everything below [`min_value`](LogHistogramBuilder::min_value).
/// 2. The last bucket covers everything from [`max_value`](LogHistogramBuilder::max_value) on, and
///    what is between that and the boundary before it.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use zokio_runtime::LogHistogram;
///
/// let coarse = LogHistogram::builder()
///     .min_value(Duration::from_micros(20))
///     .max_value(Duration::from_millis(4))
///     .precision_exact(0)
///     .build();
/// // Where the last bucket begins: the first power of two from 4 ms on, in nanoseconds.
/// assert_eq!(coarse.max_value(), 4_194_304);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogHistogram {
    buckets: LogBuckets,
}

impl LogHistogram {
    /// The settings of one, at their defaults.
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::LogHistogram;
    /// assert_eq!(LogHistogram::builder().build(), LogHistogram::default());
    /// ```
    pub fn builder() -> LogHistogramBuilder {
        LogHistogramBuilder::default()
    }

    /// Where the last bucket begins, in nanoseconds: times below it are told apart, times from it on
    /// are only counted.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use zokio_runtime::LogHistogram;
    ///
    /// let max = LogHistogram::default().max_value();
    /// assert!(Duration::from_nanos(max) >= Duration::from_secs(60));
    /// ```
    pub fn max_value(&self) -> u64 {
        self.buckets.last_start()
    }
}

impl Default for LogHistogram {
    /// From 100 ns to 60 s with an error of a quarter: 119 buckets.
    fn default() -> Self {
        LogHistogramBuilder::default().build()
    }
}

impl From<LogHistogramBuilder> for LogHistogram {
    /// See [`LogHistogramBuilder::build`].
    fn from(builder: LogHistogramBuilder) -> Self {
        builder.build()
    }
}

/// The settings of a [`LogHistogram`].
///
/// | setting | unless it is set |
/// | --- | --- |
/// | [`min_value`](Self::min_value) | 100 ns |
/// | [`max_value`](Self::max_value) | 60 s |
/// | [`max_error`](Self::max_error), [`precision_exact`](Self::precision_exact) | 25 %, which is 2 |
///
/// That makes 119 buckets, of eight bytes for each worker. Twice as exact is about twice as many.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use zokio_runtime::{HistogramConfiguration, LogHistogram};
///
/// let _configuration = HistogramConfiguration::log(
///     LogHistogram::builder()
///         .min_value(Duration::from_micros(1))
///         .max_value(Duration::from_secs(120))
///         .max_error(0.1)
///         .max_buckets(1_000)
///         .expect("this takes 431 buckets"),
/// );
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct LogHistogramBuilder {
    max_value: Option<Duration>,
    min_value: Option<Duration>,
    precision: Option<u32>,
}

impl LogHistogramBuilder {
    /// The least precision `p` with `2^-p <= max_error`, and 10 at most: errors below a thousandth
    /// are not to be had.
    ///
    /// # Panics
    /// If `max_error` is not between 0 and 1.
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::LogHistogram;
    ///
    /// let by_error = LogHistogram::builder().max_error(0.1).build();
    /// let by_precision = LogHistogram::builder().precision_exact(4).build();
    /// assert_eq!(by_error, by_precision);
    /// ```
    pub fn max_error(self, max_error: f64) -> Self {
        assert!(max_error > 0.0, "max_error must be greater than 0");
        assert!(max_error < 1.0, "max_error must be less than 1");
        let enough = (0..PRECISION_MAX).find(|p| 1.0 / f64::from(1_u32 << p) <= max_error);
        self.precision_exact(enough.unwrap_or(PRECISION_MAX))
    }

    /// The precision itself: groups have `2^p` buckets of one width. With 0, each bucket is twice as
    /// wide as the one before it, as in the deprecated [`HistogramScale::Log`].
    ///
    /// # Panics
    /// If `p` is above 10.
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::LogHistogram;
    /// let _fine = LogHistogram::builder().precision_exact(10).build();
    /// ```
    pub fn precision_exact(mut self, p: u32) -> Self {
        assert!(
            p <= PRECISION_MAX,
            "precision must be <= {PRECISION_MAX}, it is {p}"
        );
        self.precision = Some(p);
        self
    }

    /// The least time that is told apart from zero: the first bucket goes that far at most. A larger
    /// one saves buckets.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use zokio_runtime::LogHistogram;
    /// let _coarse = LogHistogram::builder().min_value(Duration::from_micros(20)).build();
    /// ```
    pub fn min_value(mut self, duration: Duration) -> Self {
        self.min_value = Some(duration);
        self
    }

    /// The greatest time that is told apart from longer ones. Those are counted in the last bucket.
    ///
    /// # Panics
    /// If it is zero.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use zokio_runtime::LogHistogram;
    /// let _short = LogHistogram::builder().max_value(Duration::from_millis(10)).build();
    /// ```
    pub fn max_value(mut self, duration: Duration) -> Self {
        assert!(
            !duration.is_zero(),
            "the max value of a histogram must be greater than 0"
        );
        self.max_value = Some(duration);
        self
    }

    /// As [`build`](Self::build), if that takes `max_buckets` buckets at most.
    ///
    /// # Errors
    /// [`TooManyBuckets`](InvalidHistogramConfiguration::TooManyBuckets) if it takes more.
    ///
    /// # Panics
    /// As for [`build`](Self::build).
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::{InvalidHistogramConfiguration, LogHistogram};
    ///
    /// assert!(LogHistogram::builder().max_buckets(119).is_ok());
    /// let error = LogHistogram::builder().max_buckets(118).unwrap_err();
    /// let InvalidHistogramConfiguration::TooManyBuckets { required_bucket_count } = error;
    /// assert_eq!(required_bucket_count, 119);
    /// ```
    pub fn max_buckets(
        &mut self,
        max_buckets: usize,
    ) -> Result<LogHistogram, InvalidHistogramConfiguration> {
        let histogram = self.build();
        let required_bucket_count = Buckets::Log(histogram.buckets).count();
        if required_bucket_count > max_buckets {
            return Err(InvalidHistogramConfiguration::TooManyBuckets {
                required_bucket_count,
            });
        }
        Ok(histogram)
    }

    /// Makes the histogram's description.
    ///
    /// # Panics
    /// If the greatest value is below the least one.
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::LogHistogram;
    /// let _histogram = LogHistogram::builder().max_error(0.5).build();
    /// ```
    pub fn build(&self) -> LogHistogram {
        let min = self.min_value.unwrap_or(MIN_VALUE);
        let max = self.max_value.unwrap_or(MAX_VALUE);
        assert!(
            min <= max,
            "the min value of a histogram ({min:?}) must not be above its max value ({max:?})"
        );
        let precision = self.precision.unwrap_or(PRECISION);
        LogHistogram {
            buckets: LogBuckets::new(nanos(min), nanos(max), precision),
        }
    }
}

/// Why there is no such histogram. See [`LogHistogramBuilder::max_buckets`].
///
/// # Examples
/// ```
/// use zokio_runtime::LogHistogram;
///
/// let error = LogHistogram::builder().max_buckets(1).unwrap_err();
/// assert_eq!(error.to_string(), "this histogram takes 119 buckets");
/// ```
#[derive(Debug)]
pub enum InvalidHistogramConfiguration {
    /// It takes more buckets than were allowed.
    TooManyBuckets {
        /// How many it takes.
        required_bucket_count: usize,
    },
}

impl fmt::Display for InvalidHistogramConfiguration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyBuckets {
                required_bucket_count,
            } => write!(f, "this histogram takes {required_bucket_count} buckets"),
        }
    }
}

impl Error for InvalidHistogramConfiguration {}

/// The deprecated settings of the histogram of poll times.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Legacy {
    pub(crate) scale: HistogramScale,
    pub(crate) resolution: Duration,
    pub(crate) buckets: usize,
}

impl Default for Legacy {
    fn default() -> Self {
        Self {
            scale: HistogramScale::Linear,
            resolution: WIDTH,
            buckets: COUNT,
        }
    }
}

impl Legacy {
    fn buckets(self) -> Buckets {
        let resolution = nanos(self.resolution);
        match self.scale {
            HistogramScale::Linear => Buckets::linear(resolution, self.buckets),
            HistogramScale::Log => Buckets::Log(LogBuckets::doubling(resolution, self.buckets)),
        }
    }
}

/// A builder's settings for histograms.
#[derive(Debug, Clone, Default)]
pub(crate) struct Histograms {
    /// Whether poll times are counted.
    pub(crate) polls: bool,
    pub(crate) poll_times: HistogramConfiguration,
    /// In place of `poll_times`, if any of it was said.
    pub(crate) legacy: Option<Legacy>,
    /// Whether schedule latencies are measured for the hooks.
    pub(crate) track: bool,
    /// Whether they are counted, too.
    pub(crate) latencies: bool,
    pub(crate) schedule_latencies: HistogramConfiguration,
}

impl Histograms {
    /// How poll times are counted, if they are.
    pub(crate) fn poll_times(&self) -> Option<Buckets> {
        let buckets = || match self.legacy {
            Some(legacy) => legacy.buckets(),
            None => self.poll_times.buckets,
        };
        self.polls.then(buckets)
    }

    /// How schedule latencies are counted, if they are.
    pub(crate) fn schedule_latencies(&self) -> Option<Buckets> {
        self.latencies.then_some(self.schedule_latencies.buckets)
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;

    fn count(histogram: LogHistogram) -> usize {
        Buckets::Log(histogram.buckets).count()
    }

    #[test]
    fn the_error_decides_the_precision() {
        for (error, precision) in [
            (0.99, 1),
            (0.5, 1),
            (0.49, 2),
            (0.25, 2),
            (0.1, 4),
            (0.001, 10),
            (1e-9, 10),
        ] {
            let by_error = LogHistogram::builder().max_error(error).build();
            let exact = LogHistogram::builder().precision_exact(precision).build();
            assert_eq!(by_error, exact, "{error}");
        }
        assert_eq!(
            count(LogHistogram::builder().max_error(0.001).build()),
            27_291
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        fn refused<R>(f: impl FnOnce() -> R + std::panic::UnwindSafe) -> bool {
            std::panic::catch_unwind(f).is_err()
        }
        let builder = LogHistogram::builder;
        for error in [0.0, 1.0, -1.0, f64::NAN] {
            assert!(refused(|| builder().max_error(error)), "{error}");
        }
        assert!(refused(|| builder().precision_exact(11)));
        assert!(refused(|| builder().max_value(Duration::ZERO)));
        let (short, long) = (Duration::from_nanos(5), Duration::from_nanos(6));
        assert!(refused(|| builder()
            .min_value(long)
            .max_value(short)
            .build()));
        assert!(refused(|| HistogramConfiguration::linear(
            Duration::ZERO,
            3
        )));
        assert!(refused(|| HistogramConfiguration::linear(short, 0)));
    }

    #[test]
    fn endless_times_fit_a_histogram() {
        let all = LogHistogram::builder()
            .min_value(Duration::ZERO)
            .max_value(Duration::MAX)
            .build();
        // (64 - p + 1) * 2^p.
        assert_eq!(count(all), 63 * 4);
    }

    #[test]
    fn deprecated_settings_take_the_place_of_others() {
        let mut histograms = Histograms {
            legacy: Some(Legacy {
                buckets: 7,
                ..Legacy::default()
            }),
            ..Histograms::default()
        };
        assert_eq!(histograms.poll_times(), None);
        histograms.polls = true;
        assert_eq!(histograms.poll_times(), Some(Buckets::linear(100_000, 7)));
        histograms.legacy = None;
        assert_eq!(histograms.poll_times(), Some(Buckets::linear(100_000, 10)));
    }
}
