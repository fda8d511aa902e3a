//! The facts about a task besides its future: identity, place, name, priority, hook state.

use crate::id::Id;
use std::any::Any;
use std::fmt;
use std::panic::Location;
use zokio_base::sync::std_atomic::{AtomicU64, Ordering};

/// How urgent a task is. A class gets a share, not precedence: none starves another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Priority {
    /// The greatest share.
    High,
    /// The priority of tasks that ask for no other.
    #[default]
    Normal,
    /// The smallest share.
    Low,
}

impl Priority {
    pub(crate) const fn to_bits(self) -> u64 {
        self as u64
    }

    pub(crate) const fn from_bits(bits: u64) -> Self {
        match bits {
            0 => Self::High,
            1 => Self::Normal,
            _ => Self::Low,
        }
    }
}

/// The facts that a task is spawned with besides its future.
pub struct SpawnMeta {
    /// Its identity.
    pub id: Id,
    /// Where it was spawned.
    pub location: &'static Location<'static>,
    /// Its name, if it has one. Costs memory only then.
    pub name: Option<Box<str>>,
    /// Its class.
    pub priority: Priority,
    /// The state that hooks keep with the task. Costs memory only if it is set.
    pub hook: Option<Box<dyn Any + Send + Sync>>,
}

impl SpawnMeta {
    /// A new id, the caller's place, no name, normal priority.
    #[track_caller]
    pub fn new() -> Self {
        Self {
            id: Id::next(),
            location: Location::caller(),
            name: None,
            priority: Priority::default(),
            hook: None,
        }
    }

    /// The parts that few tasks have, if this one has any, or is to have a `stamp`.
    pub(crate) fn take_ext(&mut self, stamp: bool) -> Option<Ext> {
        if self.name.is_none() && self.hook.is_none() && !stamp {
            return None;
        }
        Some(Ext {
            name: self.name.take(),
            hook: self.hook.take(),
            stamp: AtomicU64::new(NO_STAMP),
        })
    }
}

impl Default for SpawnMeta {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for SpawnMeta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpawnMeta")
            .field("id", &self.id)
            .field("location", &self.location)
            .field("name", &self.name)
            .field("priority", &self.priority)
            .finish_non_exhaustive()
    }
}

/// The stamp of a task that was not stamped yet.
const NO_STAMP: u64 = u64::MAX;

/// The extension behind the stage in the allocation of a task that has a name or hook state, or whose
/// scheduler stamps its tasks.
pub(crate) struct Ext {
    pub(crate) name: Option<Box<str>>,
    pub(crate) hook: Option<Box<dyn Any + Send + Sync>>,
    /// When the task was queued last. Touched by the owner of the task's `Notified` only.
    stamp: AtomicU64,
}

impl Ext {
    /// Writes the stamp. For the owner of the task's `Notified`.
    pub(crate) fn set_stamp(&self, stamp: u64) {
        // Relaxed: whatever hands the notification on orders this before the next owner's read.
        self.stamp.store(stamp.min(NO_STAMP - 1), Ordering::Relaxed);
    }

    /// The stamp, if there is one. For the owner of the task's `Notified`.
    pub(crate) fn stamp(&self) -> Option<u64> {
        // Relaxed: as above.
        let stamp = self.stamp.load(Ordering::Relaxed);
        (stamp != NO_STAMP).then_some(stamp)
    }
}
