//! The settings that upstream calls unstable. Here they are settings like the others.

use super::{Builder, Kind};
use crate::local_set::UnhandledPanic;
use crate::seed::RngSeed;
use crate::settings::PanicPolicy;
use crate::task_meta::TaskMeta;
use zokio_base::sync::Arc;

impl Builder {
    /// Sets the consequence that the panic of a task has for the others. None, unless it is set.
    ///
    /// With [`UnhandledPanic::ShutdownRuntime`] the first panic of a task cancels all tasks, and
    /// `block_on` panics.
    ///
    /// # Panics
    /// If a multi-thread runtime is to be shut down by a panic.
    ///
    /// # Examples
    /// ```should_panic
    /// use zokio_runtime::{Builder, UnhandledPanic};
    ///
    /// let runtime = Builder::new_current_thread()
    ///     .unhandled_panic(UnhandledPanic::ShutdownRuntime)
    ///     .build()
    ///     .unwrap();
    /// runtime.spawn(async { panic!("boom") });
    /// runtime.block_on(std::future::pending::<()>());
    /// ```
    #[track_caller]
    pub fn unhandled_panic(&mut self, behavior: UnhandledPanic) -> &mut Self {
        self.settings.on_panic = match behavior {
            UnhandledPanic::Ignore => PanicPolicy::Ignore,
            UnhandledPanic::ShutdownRuntime => {
                assert!(
                    self.kind == Kind::CurrentThread,
                    "only a current-thread runtime can be shut down by a task's panic"
                );
                PanicPolicy::ShutDown
            }
        };
        self
    }

    /// Has the task that another one woke last wait in the queue of its worker, instead of jumping it.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_multi_thread()
    ///     .disable_lifo_slot()
    ///     .build()
    ///     .unwrap();
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// ```
    pub fn disable_lifo_slot(&mut self) -> &mut Self {
        self.settings.lifo_slot = false;
        self
    }

    /// Sets the seed of the runtime's random choices: with the same seed, a current-thread runtime makes
    /// the same ones. The system gives one, unless it is set.
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::{Builder, RngSeed};
    ///
    /// let runtime = Builder::new_current_thread()
    ///     .rng_seed(RngSeed::from_bytes(b"the same each time"))
    ///     .build()
    ///     .unwrap();
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// ```
    pub fn rng_seed(&mut self, seed: RngSeed) -> &mut Self {
        self.settings.seed = Some(seed.number());
        self
    }

    /// Runs `hook` when a task is spawned, on the thread that spawns it, before it is polled. A panic
    /// of the hook ends there.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread()
    ///     .on_task_spawn(|task| println!("{} was spawned at {}", task.id(), task.spawned_at()))
    ///     .build()
    ///     .unwrap();
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// ```
    pub fn on_task_spawn<F>(&mut self, hook: F) -> &mut Self
    where
        F: Fn(&TaskMeta<'_>) + Send + Sync + 'static,
    {
        self.settings.on_task_spawn = Some(Arc::new(hook));
        self
    }

    /// Runs `hook` when a task has ended or was cancelled, after its future was dropped. A panic of
    /// the hook ends there.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread()
    ///     .on_task_terminate(|task| println!("{}, spawned at {}, has ended", task.id(), task.spawned_at()))
    ///     .build()
    ///     .unwrap();
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// ```
    pub fn on_task_terminate<F>(&mut self, hook: F) -> &mut Self
    where
        F: Fn(&TaskMeta<'_>) + Send + Sync + 'static,
    {
        self.settings.on_task_terminate = Some(Arc::new(hook));
        self
    }

    /// Runs `hook` before each poll of a task, on the worker that polls it. A panic of the
    /// hook ends there.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread()
    ///     .on_before_task_poll(|task| println!("{}, spawned at {}, is polled", task.id(), task.spawned_at()))
    ///     .build()
    ///     .unwrap();
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// ```
    pub fn on_before_task_poll<F>(&mut self, hook: F) -> &mut Self
    where
        F: Fn(&TaskMeta<'_>) + Send + Sync + 'static,
    {
        self.settings.before_poll = Some(Arc::new(hook));
        self
    }

    /// Runs `hook` after each poll of a task, on the worker that has polled it. A panic
    /// of the hook ends there.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_current_thread()
    ///     .on_after_task_poll(|task| println!("{}, spawned at {}, was polled", task.id(), task.spawned_at()))
    ///     .build()
    ///     .unwrap();
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// ```
    pub fn on_after_task_poll<F>(&mut self, hook: F) -> &mut Self
    where
        F: Fn(&TaskMeta<'_>) + Send + Sync + 'static,
    {
        self.settings.after_poll = Some(Arc::new(hook));
        self
    }

    /// Accepted for compatibility: rings are used wherever the system has them, see
    /// [`io_mode`](Self::io_mode).
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_multi_thread()
    ///     .enable_io_uring()
    ///     .build()
    ///     .unwrap();
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// ```
    pub fn enable_io_uring(&mut self) -> &mut Self {
        self
    }

    /// Enables timers, as [`enable_time`](Self::enable_time) does: every worker has its own in either
    /// case.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_multi_thread()
    ///     .enable_alt_timer()
    ///     .build()
    ///     .unwrap();
    /// runtime.block_on(async { zokio_time::sleep(std::time::Duration::from_millis(1)).await });
    /// ```
    pub fn enable_alt_timer(&mut self) -> &mut Self {
        self.enable_time()
    }

    /// Accepted for compatibility: every worker has a driver of its own, and one that is held up by
    /// a task goes on on another thread, see [`stall_threshold`](Self::stall_threshold).
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_multi_thread()
    ///     .enable_eager_driver_handoff()
    ///     .build()
    ///     .unwrap();
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// ```
    pub fn enable_eager_driver_handoff(&mut self) -> &mut Self {
        self
    }

    /// Accepted for compatibility: the queue of the blocking pool is sharded.
    ///
    /// # Examples
    /// ```
    /// let runtime = zokio_runtime::Builder::new_multi_thread()
    ///     .enable_sharded_blocking_queue()
    ///     .build()
    ///     .unwrap();
    /// runtime.block_on(runtime.spawn(async {})).unwrap();
    /// ```
    pub fn enable_sharded_blocking_queue(&mut self) -> &mut Self {
        self
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn a_panic_cancels_all_tasks_and_every_block_on_panics() {
        let runtime = Builder::new_current_thread()
            .unhandled_panic(UnhandledPanic::ShutdownRuntime)
            .build()
            .unwrap();
        let other = runtime.spawn(std::future::pending::<()>());
        runtime.spawn(async { panic!("boom") });
        for _ in 0..2 {
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                runtime.block_on(std::future::pending::<()>());
            }));
            let payload = ended.unwrap_err();
            let text = payload.downcast_ref::<String>().unwrap();
            assert!(text.contains("shut down on unhandled panic"), "{text}");
        }
        assert!(other.is_finished());
        assert!(runtime.spawn(async {}).is_finished());
    }

    #[test]
    #[should_panic(expected = "shut down on unhandled panic")]
    fn who_waits_for_the_task_that_panicked_does_not_go_on() {
        let runtime = Builder::new_current_thread()
            .unhandled_panic(UnhandledPanic::ShutdownRuntime)
            .build()
            .unwrap();
        runtime.block_on(async {
            let _ = crate::spawn(async { panic!("boom") }).await;
        });
    }

    #[test]
    fn all_that_block_on_hear_of_the_panic() {
        let runtime = Builder::new_current_thread()
            .unhandled_panic(UnhandledPanic::ShutdownRuntime)
            .build()
            .unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..3)
                .map(|_| {
                    let (runtime, sender) = (&runtime, sender.clone());
                    scope.spawn(move || {
                        runtime.block_on(async {
                            sender.send(()).unwrap();
                            std::future::pending::<()>().await;
                        });
                    })
                })
                .collect();
            for _ in 0..3 {
                receiver.recv().unwrap();
            }
            runtime.spawn(async { panic!("boom") });
            for thread in threads {
                assert!(thread.join().is_err());
            }
        });
    }

    #[test]
    fn hooks_see_each_task_begin_be_polled_and_end() {
        for mut builder in [Builder::new_current_thread(), Builder::new_multi_thread()] {
            let counts: Arc<[AtomicUsize; 4]> = Arc::default();
            let ids = Arc::new(Mutex::new(Vec::new()));
            let count = |which: usize| {
                let (counts, ids) = (counts.clone(), ids.clone());
                move |task: &TaskMeta<'_>| {
                    assert_eq!(task.spawned_at().file(), file!());
                    ids.lock().unwrap().push(task.id());
                    // Relaxed: read after the runtime has ended.
                    counts[which].fetch_add(1, Ordering::Relaxed);
                }
            };
            let runtime = builder
                .on_task_spawn(count(0))
                .on_before_task_poll(count(1))
                .on_after_task_poll(count(2))
                .on_task_terminate(count(3))
                .build()
                .unwrap();
            let id = runtime.block_on(async {
                let task = crate::spawn(async {});
                let id = task.id();
                task.await.unwrap();
                id
            });
            drop(runtime);
            let counts: Vec<usize> = counts
                .iter()
                .map(|count| count.load(Ordering::Relaxed))
                .collect();
            assert_eq!(counts, [1, 1, 1, 1]);
            assert!(ids.lock().unwrap().iter().all(|other| *other == id));
        }
    }

    #[test]
    fn a_seed_makes_choices_repeat() {
        let draw = || {
            let runtime = Builder::new_current_thread()
                .rng_seed(RngSeed::from_bytes(b"seed"))
                .build()
                .unwrap();
            let one = || runtime.block_on(async { zokio_base::rand::with(|r| r.next_u64()) });
            (one(), one())
        };
        assert_eq!(draw(), draw());
        assert_ne!(draw().0, draw().1);
    }
}
