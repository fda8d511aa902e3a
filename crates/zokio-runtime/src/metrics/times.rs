//! Measurements around polls: means and histograms.

use super::RuntimeMetrics;
use std::ops::Range;
use std::time::Duration;
use zokio_base::sync::std_atomic::Ordering;
use zokio_sched::{Buckets, Policy};

impl RuntimeMetrics {
    /// The mean time of a poll on worker `worker`. Recent polls count more: each new one with a
    /// tenth.
    ///
    /// Known for multi-thread runtimes only; zero for others. It costs no clock reading per poll: a
    /// worker times the polls between two waits together, and samples of them if it does not come to
    /// wait.
    ///
    /// # Panics
    /// If there is no such worker.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Runtime::new().unwrap();
    /// let metrics = runtime.metrics();
    /// for worker in 0..metrics.num_workers() {
    ///     println!("{worker}: {:?}", metrics.worker_mean_poll_time(worker));
    /// }
    /// ```
    #[track_caller]
    pub fn worker_mean_poll_time(&self, worker: usize) -> Duration {
        self.worker(worker).mean_poll
    }

    /// How many polls ended because the task had used up its budget: see
    /// [`coop`](zokio_task::coop). A poll counts once, however often it was refused.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread().build().unwrap();
    /// runtime.block_on(async {
    ///     for _ in 0..200 {
    ///         zokio_task::coop::consume_budget().await;
    ///     }
    /// });
    /// assert_eq!(runtime.metrics().budget_forced_yield_count(), 1);
    /// ```
    pub fn budget_forced_yield_count(&self) -> u64 {
        // Relaxed: a figure for people.
        self.handle.inner.forced_yields.load(Ordering::Relaxed)
    }

    /// Whether the times of polls are counted. See
    /// [`Builder::enable_metrics_poll_time_histogram`](crate::Builder::enable_metrics_poll_time_histogram).
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread().build().unwrap();
    /// assert!(!runtime.metrics().poll_time_histogram_enabled());
    /// ```
    pub fn poll_time_histogram_enabled(&self) -> bool {
        self.poll_times().is_some()
    }

    /// How many buckets the histogram of poll times has: zero if they are not counted.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread()
    ///     .enable_metrics_poll_time_histogram()
    ///     .build()
    ///     .unwrap();
    /// assert_eq!(runtime.metrics().poll_time_histogram_num_buckets(), 10);
    /// ```
    pub fn poll_time_histogram_num_buckets(&self) -> usize {
        num_buckets(self.poll_times())
    }

    /// The times that bucket `bucket` of the histogram of poll times counts. The last one has no end,
    /// which is given as `u64::MAX` nanoseconds. Empty if they are not counted.
    ///
    /// # Panics
    /// If they are counted, and there is no such bucket.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// let runtime = zokio_runtime::Builder::new_current_thread()
    ///     .enable_metrics_poll_time_histogram()
    ///     .build()
    ///     .unwrap();
    /// let last = runtime.metrics().poll_time_histogram_bucket_range(9);
    /// assert_eq!(last, Duration::from_micros(900)..Duration::from_nanos(u64::MAX));
    /// ```
    #[track_caller]
    pub fn poll_time_histogram_bucket_range(&self, bucket: usize) -> Range<Duration> {
        range(self.poll_times(), bucket)
    }

    /// How many polls of worker `worker` took a time of bucket `bucket`. Zero if they are not
    /// counted.
    ///
    /// A poll that blocked its thread for so long that another thread went on with the worker is
    /// counted with the worker that began it.
    ///
    /// # Panics
    /// If there is no such worker; if they are counted, and there is no such bucket.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread()
    ///     .enable_metrics_poll_time_histogram()
    ///     .build()
    ///     .unwrap();
    /// let metrics = runtime.metrics();
    /// for bucket in 0..metrics.poll_time_histogram_num_buckets() {
    ///     let range = metrics.poll_time_histogram_bucket_range(bucket);
    ///     println!("{range:?}: {}", metrics.poll_time_histogram_bucket_count(0, bucket));
    /// }
    /// ```
    #[track_caller]
    pub fn poll_time_histogram_bucket_count(&self, worker: usize, bucket: usize) -> u64 {
        let scheduler = &self.handle.inner.scheduler;
        scheduler.poll_time_count(worker, bucket)
    }

    /// Whether the times that tasks wait for their polls are counted. See
    /// [`Builder::enable_metrics_schedule_latency_histogram`](crate::Builder::enable_metrics_schedule_latency_histogram).
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread().build().unwrap();
    /// assert!(!runtime.metrics().schedule_latency_histogram_enabled());
    /// ```
    pub fn schedule_latency_histogram_enabled(&self) -> bool {
        self.latencies().is_some()
    }

    /// How many buckets the histogram of schedule latencies has: zero if they are not counted.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread()
    ///     .enable_metrics_schedule_latency_histogram()
    ///     .build()
    ///     .unwrap();
    /// assert_eq!(runtime.metrics().schedule_latency_histogram_num_buckets(), 10);
    /// ```
    pub fn schedule_latency_histogram_num_buckets(&self) -> usize {
        num_buckets(self.latencies())
    }

    /// The times that bucket `bucket` of the histogram of schedule latencies counts. The last one has
    /// no end, which is given as `u64::MAX` nanoseconds. Empty if they are not counted.
    ///
    /// # Panics
    /// If they are counted, and there is no such bucket.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// let runtime = zokio_runtime::Builder::new_current_thread()
    ///     .enable_metrics_schedule_latency_histogram()
    ///     .build()
    ///     .unwrap();
    /// let first = runtime.metrics().schedule_latency_histogram_bucket_range(0);
    /// assert_eq!(first, Duration::ZERO..Duration::from_micros(100));
    /// ```
    #[track_caller]
    pub fn schedule_latency_histogram_bucket_range(&self, bucket: usize) -> Range<Duration> {
        range(self.latencies(), bucket)
    }

    /// How often worker `worker` polled a task that had waited for a time of bucket `bucket`. Zero
    /// if they are not counted.
    ///
    /// # Panics
    /// If there is no such worker; if they are counted, and there is no such bucket.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread()
    ///     .enable_metrics_schedule_latency_histogram()
    ///     .build()
    ///     .unwrap();
    /// let metrics = runtime.metrics();
    /// for bucket in 0..metrics.schedule_latency_histogram_num_buckets() {
    ///     let range = metrics.schedule_latency_histogram_bucket_range(bucket);
    ///     println!("{range:?}: {}", metrics.schedule_latency_histogram_bucket_count(0, bucket));
    /// }
    /// ```
    #[track_caller]
    pub fn schedule_latency_histogram_bucket_count(&self, worker: usize, bucket: usize) -> u64 {
        self.handle.inner.scheduler.latency_count(worker, bucket)
    }

    fn poll_times(&self) -> Option<Buckets> {
        self.handle.inner.scheduler.policy().poll_times()
    }

    fn latencies(&self) -> Option<Buckets> {
        self.handle.inner.scheduler.policy().latencies()
    }
}

fn num_buckets(buckets: Option<Buckets>) -> usize {
    buckets.map_or(0, |buckets| buckets.count())
}

#[track_caller]
fn range(buckets: Option<Buckets>, bucket: usize) -> Range<Duration> {
    let range = match buckets {
        Some(buckets) => buckets.range(bucket),
        None => 0..0,
    };
    Duration::from_nanos(range.start)..Duration::from_nanos(range.end)
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use crate::{Builder, HistogramConfiguration, RuntimeMetrics};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::task::Poll;
    use std::time::Duration;
    use zokio_task::coop;

    fn sum(buckets: usize, metrics: &RuntimeMetrics, count: impl Fn(usize, usize) -> u64) -> u64 {
        let pairs = (0..metrics.num_workers()).flat_map(|w| (0..buckets).map(move |b| (w, b)));
        pairs.map(|(worker, bucket)| count(worker, bucket)).sum()
    }

    #[test]
    fn every_poll_of_a_task_is_in_both_histograms() {
        let linear = HistogramConfiguration::linear(Duration::from_millis(50), 3);
        for mut builder in [Builder::new_current_thread(), Builder::new_multi_thread()] {
            let runtime = builder
                .worker_threads(2)
                .enable_metrics_poll_time_histogram()
                .metrics_poll_time_histogram_configuration(linear.clone())
                .enable_metrics_schedule_latency_histogram()
                .metrics_schedule_latency_histogram_configuration(linear.clone())
                .build()
                .unwrap();
            let metrics = runtime.metrics();
            assert!(metrics.poll_time_histogram_enabled());
            assert!(metrics.schedule_latency_histogram_enabled());
            runtime.block_on(async {
                for _ in 0..50 {
                    crate::spawn(async {}).await.unwrap();
                }
            });
            drop(runtime);
            let polls = sum(3, &metrics, |worker, bucket| {
                metrics.poll_time_histogram_bucket_count(worker, bucket)
            });
            let waits = sum(3, &metrics, |worker, bucket| {
                metrics.schedule_latency_histogram_bucket_count(worker, bucket)
            });
            assert_eq!((polls, waits), (50, 50));
        }
    }

    #[test]
    fn without_histograms_there_are_no_buckets() {
        let runtime = Builder::new_current_thread()
            .metrics_poll_time_histogram_configuration(HistogramConfiguration::default())
            .build()
            .unwrap();
        let metrics = runtime.metrics();
        assert!(!metrics.poll_time_histogram_enabled());
        assert_eq!(metrics.poll_time_histogram_num_buckets(), 0);
        assert!(metrics.poll_time_histogram_bucket_range(99).is_empty());
        assert_eq!(metrics.poll_time_histogram_bucket_count(0, 99), 0);
        assert!(!metrics.schedule_latency_histogram_enabled());
        assert_eq!(metrics.schedule_latency_histogram_num_buckets(), 0);
        let no_worker = catch_unwind(AssertUnwindSafe(|| {
            metrics.poll_time_histogram_bucket_count(1, 0)
        }));
        assert!(no_worker.is_err());
    }

    #[test]
    fn buckets_that_are_not_there_are_refused() {
        let runtime = Builder::new_current_thread()
            .enable_metrics_poll_time_histogram()
            .build()
            .unwrap();
        let metrics = runtime.metrics();
        let range = AssertUnwindSafe(|| metrics.poll_time_histogram_bucket_range(10));
        assert!(catch_unwind(range).is_err());
        let count = AssertUnwindSafe(|| metrics.poll_time_histogram_bucket_count(0, 10));
        assert!(catch_unwind(count).is_err());
    }

    #[test]
    #[allow(deprecated)]
    fn deprecated_settings_double_from_a_power_of_two_on() {
        let runtime = Builder::new_current_thread()
            .enable_metrics_poll_time_histogram()
            .metrics_poll_count_histogram_scale(crate::HistogramScale::Log)
            .metrics_poll_count_histogram_buckets(3)
            .metrics_poll_count_histogram_resolution(Duration::from_micros(50))
            .build()
            .unwrap();
        let metrics = runtime.metrics();
        let first = Duration::from_nanos(65_536);
        let range = |bucket| metrics.poll_time_histogram_bucket_range(bucket);
        assert_eq!(range(0), Duration::ZERO..first);
        assert_eq!(range(1), first..2 * first);
        assert_eq!(range(2), 2 * first..Duration::from_nanos(u64::MAX));
    }

    #[test]
    fn hooks_hear_a_latency_only_where_there_is_one() {
        let runtime = Builder::new_current_thread()
            .track_task_schedule_latency()
            .on_task_spawn(|task| assert_eq!(task.schedule_latency(), None))
            .on_before_task_poll(|task| assert!(task.schedule_latency().is_some()))
            .on_after_task_poll(|task| assert!(task.schedule_latency().is_some()))
            .on_task_terminate(|task| assert_eq!(task.schedule_latency(), None))
            .build()
            .unwrap();
        assert!(!runtime.metrics().schedule_latency_histogram_enabled());
        runtime.block_on(runtime.spawn(async {})).unwrap();
        let without = Builder::new_current_thread()
            .on_before_task_poll(|task| assert_eq!(task.schedule_latency(), None))
            .build()
            .unwrap();
        without.block_on(without.spawn(async {})).unwrap();
    }

    #[test]
    fn a_poll_is_forced_to_yield_once() {
        let runtime = Builder::new_current_thread().build().unwrap();
        let metrics = runtime.metrics();
        // Two futures in one poll, both refused: one yield.
        let spend = || {
            let mut yielded = false;
            std::future::poll_fn(move |cx| {
                if yielded {
                    return Poll::Ready(());
                }
                while let Poll::Ready(unit) = coop::poll_proceed(cx) {
                    unit.made_progress();
                }
                yielded = true;
                Poll::<()>::Pending
            })
        };
        let (mut left, mut right) = (spend(), spend());
        runtime.block_on(std::future::poll_fn(move |cx| {
            let (left, right) = (
                std::pin::Pin::new(&mut left),
                std::pin::Pin::new(&mut right),
            );
            match (left.poll(cx), right.poll(cx)) {
                (Poll::Ready(()), Poll::Ready(())) => Poll::Ready(()),
                _ => Poll::Pending,
            }
        }));
        assert_eq!(metrics.budget_forced_yield_count(), 1);
        // Tasks count as well, on either kind of runtime.
        let threads = Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .unwrap();
        threads.block_on(threads.spawn(spend())).unwrap();
        assert_eq!(threads.metrics().budget_forced_yield_count(), 1);
        assert_eq!(metrics.budget_forced_yield_count(), 1);
    }
}
