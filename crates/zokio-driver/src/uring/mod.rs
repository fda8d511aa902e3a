//! The completion plane: one ring per worker, made when first needed.
//!
//! - [`probe`] finds out once per process what the kernel allows; `attempt` keeps what it refuses.
//! - [`backend`] is what an operation implements to run on a ring.
//! - `slots` names operations in flight by index and generation.
//! - `ring` is the kernel's side of it, which tests replace.
//! - [`lane`] is a worker's ring with its mailbox: anyone may put operations in and reap what is
//!   complete; the owner submits, in batches.
//! - `minder` goes on with a lane whose worker has stopped; `shutdown` ends a lane.
//! - [`threads`] counts what each thread has submitted, because the kernel ties requests to threads.
//!
//! Where there is no io_uring, `absent.rs` offers the same names, and nothing ever runs there.

#[cfg(zokio_ring)]
mod attempt;
#[cfg(zokio_ring)]
pub mod backend;
#[cfg(zokio_ring)]
mod doorbell;
#[cfg(zokio_ring)]
pub mod lane;
#[cfg(zokio_ring)]
mod minder;
#[cfg(all(zokio_ring, not(all(any(test, feature = "fuzz"), not(zokio_model)))))]
pub mod probe;
#[cfg(all(zokio_ring, not(all(any(test, feature = "fuzz"), not(zokio_model)))))]
mod ring;
#[cfg(zokio_ring)]
mod shutdown;
#[cfg(zokio_ring)]
mod submit;
#[cfg(zokio_ring)]
mod turnstile;

#[cfg(not(zokio_ring))]
#[path = "absent.rs"]
pub mod backend;
#[cfg(not(zokio_ring))]
pub use backend as lane;
#[cfg(not(zokio_ring))]
pub use backend as probe;

#[cfg(zokio_ring)]
mod slots;
pub mod threads;

#[cfg(all(test, zokio_loom, zokio_ring))]
mod model;

// Unit tests and the fuzzer decide what the kernel does.
#[cfg(all(any(feature = "fuzz", test), not(zokio_model), zokio_ring))]
pub mod fuzz;
#[cfg(all(any(feature = "fuzz", test), not(zokio_model), zokio_ring))]
#[path = "simulated.rs"]
pub mod probe;
#[cfg(all(any(feature = "fuzz", test), not(zokio_model), zokio_ring))]
use probe as ring;

pub use lane::Lane;
pub use threads::thread_in_flight;

/// The largest count that one request is given.
#[cfg(zokio_ring)]
pub(crate) const COUNT_MAX: u32 = i32::MAX as u32 - 4095;

use std::fmt;
use std::str::FromStr;

/// Which planes the driver uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IoMode {
    /// The ring where the system has it and it is the better choice; quietly without otherwise.
    #[default]
    Auto,
    /// The ring for all it can do. Building a driver fails where the ring is refused.
    Uring,
    /// Never a ring.
    Epoll,
}

/// A word that is no [`IoMode`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownIoMode(String);

impl fmt::Display for UnknownIoMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is none of auto, uring, epoll", self.0)
    }
}

impl std::error::Error for UnknownIoMode {}

impl FromStr for IoMode {
    type Err = UnknownIoMode;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "auto" => Ok(Self::Auto),
            "uring" => Ok(Self::Uring),
            "epoll" => Ok(Self::Epoll),
            _ => Err(UnknownIoMode(word.to_owned())),
        }
    }
}

impl IoMode {
    /// The mode in `ZOKIO_IO`. None if it is not set.
    ///
    /// # Errors
    /// If it says something else than a mode.
    pub fn from_env() -> Result<Option<Self>, UnknownIoMode> {
        match std::env::var("ZOKIO_IO") {
            Ok(word) => word.parse().map(Some),
            Err(_) => Ok(None),
        }
    }
}

/// Whether the completion plane runs on rings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RingStatus {
    /// At least one worker has a ring.
    Active,
    /// No operation has asked for one yet.
    NotNeededYet,
    /// Operations run on the blocking pool instead.
    Refused {
        /// The system's error, or the mode that forbids it.
        why: String,
    },
}

/// Figures of the work that the completion plane has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpMetrics {
    /// Operations that went to a ring.
    pub on_ring: u64,
    /// Operations that went to the blocking pool.
    pub offloaded: u64,
    /// Operations that a ring holds now.
    pub in_flight: u64,
    /// System calls that submitted to a ring.
    pub enters: u64,
    /// Workers that have a ring.
    pub rings: u64,
    /// Rings that the system refused to a worker.
    pub refused: u64,
    /// Operations that the shutdown did not wait for to the end: the kernel still has them, and what
    /// they hold stays allocated until it is done with them.
    pub abandoned: u64,
}
