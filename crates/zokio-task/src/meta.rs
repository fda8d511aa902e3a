//! What is known of a task besides its future: identity, place, name, priority, hook state.

use crate::id::Id;
use std::any::Any;
use std::fmt;
use std::panic::Location;

/// How urgent a task is. A class gets a share, not precedence: none starves another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Priority {
    /// The greatest share.
    High,
    /// What tasks have unless they ask for another.
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

/// What a task is spawned with besides its future.
pub struct SpawnMeta {
    /// Its identity.
    pub id: Id,
    /// Where it was spawned.
    pub location: &'static Location<'static>,
    /// Its name, if it has one. Costs memory only then.
    pub name: Option<Box<str>>,
    /// Its class.
    pub priority: Priority,
    /// What hooks keep with the task. Costs memory only if it is set.
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

    /// The parts that few tasks have, if this one has any.
    pub(crate) fn take_ext(&mut self) -> Option<Ext> {
        if self.name.is_none() && self.hook.is_none() {
            return None;
        }
        Some(Ext {
            name: self.name.take(),
            hook: self.hook.take(),
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

/// What lies behind the stage in the allocation of a task that has a name or hook state.
pub(crate) struct Ext {
    pub(crate) name: Option<Box<str>>,
    pub(crate) hook: Option<Box<dyn Any + Send + Sync>>,
}
