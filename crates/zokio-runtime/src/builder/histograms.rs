//! The settings that say what is measured around polls.

use super::Builder;
use crate::histogram::{HistogramConfiguration, HistogramScale};
use std::time::Duration;

impl Builder {
    /// Counts how long polls of tasks take, in a histogram for each worker. Off unless this is
    /// called: it reads the clock twice for each poll.
    ///
    /// The counts are in [`RuntimeMetrics::poll_time_histogram_bucket_count`]. Unless
    /// [`metrics_poll_time_histogram_configuration`] says otherwise there are ten buckets of 100 µs,
    /// which take little memory and tell little; a [`LogHistogram`] tells more.
    ///
    /// [`RuntimeMetrics::poll_time_histogram_bucket_count`]: crate::RuntimeMetrics::poll_time_histogram_bucket_count
    /// [`metrics_poll_time_histogram_configuration`]: Self::metrics_poll_time_histogram_configuration
    /// [`LogHistogram`]: crate::LogHistogram
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread()
    ///     .enable_metrics_poll_time_histogram()
    ///     .build()
    ///     .unwrap();
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// let metrics = runtime.metrics();
    /// let polls: u64 = (0..metrics.poll_time_histogram_num_buckets())
    ///     .map(|bucket| metrics.poll_time_histogram_bucket_count(0, bucket))
    ///     .sum();
    /// assert_eq!(polls, 1);
    /// ```
    pub fn enable_metrics_poll_time_histogram(&mut self) -> &mut Self {
        self.settings.histograms.polls = true;
        self
    }

    /// How the histogram of poll times is divided. This alone does not enable it.
    ///
    /// The deprecated `metrics_poll_count_histogram_*` settings, if any of them is used, take the
    /// place of this one.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use zokio_runtime::{Builder, HistogramConfiguration, LogHistogram};
    ///
    /// let runtime = Builder::new_multi_thread()
    ///     .enable_metrics_poll_time_histogram()
    ///     .metrics_poll_time_histogram_configuration(HistogramConfiguration::log(
    ///         LogHistogram::builder()
    ///             .min_value(Duration::from_micros(1))
    ///             .max_value(Duration::from_secs(1))
    ///             .max_error(0.1),
    ///     ))
    ///     .build()
    ///     .unwrap();
    /// assert_eq!(runtime.metrics().poll_time_histogram_num_buckets(), 321);
    /// ```
    pub fn metrics_poll_time_histogram_configuration(
        &mut self,
        configuration: HistogramConfiguration,
    ) -> &mut Self {
        self.settings.histograms.poll_times = configuration;
        self
    }

    /// Measures how long each task waits in a queue for its poll, for the hooks around polls:
    /// [`TaskMeta::schedule_latency`]. Off unless this is called, or
    /// [`enable_metrics_schedule_latency_histogram`] is: it reads the clock at each wake and at each
    /// poll, and makes each task 40 bytes larger.
    ///
    /// The wait begins when the task is woken, not when a task that waits already is woken again.
    /// Tasks of a [`LocalSet`](crate::LocalSet) are not measured.
    ///
    /// [`TaskMeta::schedule_latency`]: crate::TaskMeta::schedule_latency
    /// [`enable_metrics_schedule_latency_histogram`]: Self::enable_metrics_schedule_latency_histogram
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    ///
    /// let runtime = zokio_runtime::Builder::new_multi_thread()
    ///     .track_task_schedule_latency()
    ///     .on_before_task_poll(|task| {
    ///         if task.schedule_latency() > Some(Duration::from_millis(10)) {
    ///             eprintln!("{} has waited for too long", task.spawned_at());
    ///         }
    ///     })
    ///     .build()
    ///     .unwrap();
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// ```
    pub fn track_task_schedule_latency(&mut self) -> &mut Self {
        self.settings.histograms.track = true;
        self
    }

    /// Counts how long tasks wait for their polls, in a histogram for each worker, and measures it
    /// as [`track_task_schedule_latency`](Self::track_task_schedule_latency) does.
    ///
    /// The counts are in [`RuntimeMetrics::schedule_latency_histogram_bucket_count`]: with the worker
    /// that polls the task, not with the one on which it was woken.
    ///
    /// [`RuntimeMetrics::schedule_latency_histogram_bucket_count`]: crate::RuntimeMetrics::schedule_latency_histogram_bucket_count
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread()
    ///     .enable_metrics_schedule_latency_histogram()
    ///     .build()
    ///     .unwrap();
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// let metrics = runtime.metrics();
    /// let waits: u64 = (0..metrics.schedule_latency_histogram_num_buckets())
    ///     .map(|bucket| metrics.schedule_latency_histogram_bucket_count(0, bucket))
    ///     .sum();
    /// assert_eq!(waits, 1);
    /// ```
    pub fn enable_metrics_schedule_latency_histogram(&mut self) -> &mut Self {
        self.settings.histograms.latencies = true;
        self
    }

    /// How the histogram of schedule latencies is divided: ten buckets of 100 µs, unless it is set.
    /// This alone does not enable it.
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::{Builder, HistogramConfiguration, LogHistogram};
    ///
    /// let runtime = Builder::new_current_thread()
    ///     .enable_metrics_schedule_latency_histogram()
    ///     .metrics_schedule_latency_histogram_configuration(HistogramConfiguration::log(
    ///         LogHistogram::default(),
    ///     ))
    ///     .build()
    ///     .unwrap();
    /// assert_eq!(runtime.metrics().schedule_latency_histogram_num_buckets(), 119);
    /// ```
    pub fn metrics_schedule_latency_histogram_configuration(
        &mut self,
        configuration: HistogramConfiguration,
    ) -> &mut Self {
        self.settings.histograms.schedule_latencies = configuration;
        self
    }

    /// Whether the buckets of the histogram of poll times are equally wide, or each is twice as wide
    /// as the one before it. Equally, unless it is set.
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
    #[deprecated = "use `metrics_poll_time_histogram_configuration`"]
    pub fn metrics_poll_count_histogram_scale(&mut self, scale: HistogramScale) -> &mut Self {
        self.legacy().scale = scale;
        self
    }

    /// How wide the first bucket of the histogram of poll times is: 100 µs, unless it is set. With
    /// [`HistogramScale::Log`] it is rounded up to a power of two, in nanoseconds.
    ///
    /// # Panics
    /// If it is zero, or longer than half of what 64 bits of nanoseconds hold.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use zokio_runtime::Builder;
    ///
    /// let us = Duration::from_micros;
    /// # #[allow(deprecated)]
    /// let runtime = Builder::new_current_thread()
    ///     .enable_metrics_poll_time_histogram()
    ///     .metrics_poll_count_histogram_resolution(us(50))
    ///     .build()
    ///     .unwrap();
    /// assert_eq!(runtime.metrics().poll_time_histogram_bucket_range(0), us(0)..us(50));
    /// ```
    #[deprecated = "use `metrics_poll_time_histogram_configuration`"]
    pub fn metrics_poll_count_histogram_resolution(&mut self, resolution: Duration) -> &mut Self {
        assert!(
            !resolution.is_zero(),
            "the resolution of a histogram must not be zero"
        );
        assert!(
            resolution <= Duration::from_nanos(1 << 63),
            "the resolution of a histogram must not be longer than 2^63 nanoseconds"
        );
        self.legacy().resolution = resolution;
        self
    }

    /// How many buckets the histogram of poll times has: ten, unless it is set.
    ///
    /// # Panics
    /// If it is zero.
    ///
    /// # Examples
    /// ```
    /// # #[allow(deprecated)]
    /// let runtime = zokio_runtime::Builder::new_current_thread()
    ///     .enable_metrics_poll_time_histogram()
    ///     .metrics_poll_count_histogram_buckets(15)
    ///     .build()
    ///     .unwrap();
    /// assert_eq!(runtime.metrics().poll_time_histogram_num_buckets(), 15);
    /// ```
    #[deprecated = "use `metrics_poll_time_histogram_configuration`"]
    pub fn metrics_poll_count_histogram_buckets(&mut self, buckets: usize) -> &mut Self {
        assert!(buckets > 0, "a histogram must have at least one bucket");
        self.legacy().buckets = buckets;
        self
    }

    fn legacy(&mut self) -> &mut crate::histogram::Legacy {
        self.settings.histograms.legacy.get_or_insert_default()
    }
}
