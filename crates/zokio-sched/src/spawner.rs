//! How tasks get onto a scheduler, without knowing its types.

use std::fmt;
use zokio_base::rand;
use zokio_base::sync::Arc;
use zokio_task::{JoinHandle, Shard, SpawnMeta, context};

/// The shards of a scheduler: one for each worker, on which the tasks are bound that the worker
/// spawns.
#[derive(Clone)]
pub struct Spawner {
    shards: Arc<[Arc<Shard>]>,
    /// The address of the scheduler's shared state.
    scheduler: usize,
}

impl fmt::Debug for Spawner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawner")
            .field("shards", &self.shards)
            .finish_non_exhaustive()
    }
}

impl Spawner {
    pub(crate) fn new(shards: Arc<[Arc<Shard>]>, scheduler: *const ()) -> Self {
        Self {
            shards,
            scheduler: scheduler.addr(),
        }
    }

    /// All shards, by worker.
    pub fn shards(&self) -> &[Arc<Shard>] {
        &self.shards
    }

    /// The worker of this scheduler that runs on the calling thread.
    #[inline]
    pub fn current_worker(&self) -> Option<usize> {
        context::worker()
            .filter(|worker| worker.scheduler.addr() == self.scheduler)
            .map(|worker| worker.index as usize)
    }

    /// The shard for a task that is spawned here: the own one of the worker that runs on this
    /// thread, otherwise any.
    #[inline]
    pub fn shard(&self) -> &Arc<Shard> {
        let index = match (self.current_worker(), self.shards.len()) {
            (Some(index), _) => index,
            (None, 1) => 0,
            (None, shards) => rand::with(|rng| rng.below(shards as u32)) as usize,
        };
        &self.shards[index]
    }

    /// Spawns a task. After the shutdown has begun it is cancelled at once.
    #[inline]
    pub fn spawn<F>(&self, future: F, meta: SpawnMeta) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Self::spawn_on(self.shard(), future, meta)
    }

    /// As [`spawn`](Self::spawn), on a shard that was chosen before.
    #[inline]
    pub fn spawn_on<F>(shard: &Arc<Shard>, future: F, meta: SpawnMeta) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (join, task) = shard.bind(future, meta);
        if let Some(task) = task {
            shard.schedule().schedule(task);
        }
        join
    }

    /// Spawns a task whose future stays on this thread.
    ///
    /// # Safety
    /// As for [`Shard::bind_local`]: the scheduler has one thread, which is this one, from now on
    /// until it is dropped.
    #[allow(unsafe_code)]
    pub unsafe fn spawn_local<F>(&self, future: F, meta: SpawnMeta) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let shard = self.shard();
        // SAFETY: the caller's.
        let (join, task) = unsafe { shard.bind_local(future, meta) };
        if let Some(task) = task {
            shard.schedule().schedule(task);
        }
        join
    }

    /// How many tasks have not ended.
    pub fn alive(&self) -> usize {
        self.shards.iter().map(|shard| shard.alive()).sum()
    }

    /// How many tasks have been spawned, those that have ended included.
    pub fn spawned(&self) -> u64 {
        self.shards.iter().map(|shard| shard.spawned()).sum()
    }
}
