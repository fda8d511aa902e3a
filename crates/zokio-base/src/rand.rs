//! The only door to random numbers.
//!
//! [`Rng`] is SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators",
//! OOPSLA 2014): eight bytes of state, every seed is good, and a generator can be split off for
//! each worker. It decides whom to steal from and which branch of `select!` comes first; it is not
//! for secrets.
//!
//! Every thread has a generator of its own, seeded from the system. A runtime with a seed enters
//! its own generator instead, so that its choices repeat.

use std::cell::Cell;

/// The odd constant by which the state moves: 2^64 divided by the golden ratio.
const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

crate::sync::per_thread! {
    static CURRENT: Cell<Option<Rng>> = const { Cell::new(None) };
}

/// A small, fast, seedable generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rng(u64);

impl Rng {
    /// The generator whose numbers `seed` determines.
    pub const fn from_seed(seed: u64) -> Self {
        Self(seed)
    }

    /// A generator seeded from the system.
    pub fn from_entropy() -> Self {
        Self(entropy())
    }

    /// The next 64 random bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// A number below `bound`, nearly uniform: the bias is `bound / 2^32` (Lemire's method without
    /// its rejection step).
    ///
    /// # Panics
    /// If `bound` is zero.
    #[inline]
    pub fn below(&mut self, bound: u32) -> u32 {
        assert!(bound > 0, "there is no number below zero");
        ((u64::from(self.next_u64() as u32) * u64::from(bound)) >> 32) as u32
    }

    /// A generator whose numbers are independent of this one's later numbers.
    pub fn split(&mut self) -> Self {
        Self(self.next_u64())
    }
}

#[cfg(not(zokio_shuttle))]
fn entropy() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    // Each `RandomState` has its own keys, drawn from the system's generator.
    RandomState::new().hash_one(GAMMA)
}

/// Shuttle's generator belongs to the schedule, so that a replay draws the same numbers.
#[cfg(zokio_shuttle)]
fn entropy() -> u64 {
    shuttle::rand::RngCore::next_u64(&mut shuttle::rand::thread_rng())
}

/// Makes `rng` the calling thread's generator until the guard is dropped.
pub fn enter(rng: Rng) -> EnterGuard {
    EnterGuard {
        previous: CURRENT.with(|current| current.replace(Some(rng))),
        _not_send: std::marker::PhantomData,
    }
}

/// Restores the thread's former generator when dropped.
#[derive(Debug)]
pub struct EnterGuard {
    previous: Option<Rng>,
    _not_send: std::marker::PhantomData<*const ()>,
}

impl Drop for EnterGuard {
    fn drop(&mut self) {
        let _ = CURRENT.try_with(|current| current.set(self.previous));
    }
}

/// Draws from the calling thread's generator.
pub fn with<R>(draw: impl FnOnce(&mut Rng) -> R) -> R {
    CURRENT.with(|current| {
        let mut rng = current.get().unwrap_or_else(Rng::from_entropy);
        let result = draw(&mut rng);
        current.set(Some(rng));
        result
    })
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;

    #[test]
    fn matches_the_published_sequence_of_seed_zero() {
        // From the reference implementation (prng.di.unimi.it/splitmix64.c).
        let mut rng = Rng::from_seed(0);
        assert_eq!(rng.next_u64(), 0xE220_A839_7B1D_CDAF);
        assert_eq!(rng.next_u64(), 0x6E78_9E6A_A1B9_65F4);
    }

    #[test]
    fn below_reaches_every_number_and_no_other() {
        let mut rng = Rng::from_seed(42);
        let mut seen = [0_u32; 7];
        for _ in 0..7_000 {
            seen[rng.below(7) as usize] += 1;
        }
        assert!(
            seen.iter().all(|&count| count > 800 && count < 1_200),
            "{seen:?}"
        );
    }

    #[test]
    fn an_entered_generator_repeats() {
        let draw = || {
            let _guard = enter(Rng::from_seed(5));
            [with(Rng::next_u64), with(Rng::next_u64)]
        };
        assert_eq!(draw(), draw());
        assert_ne!(with(Rng::next_u64), with(Rng::next_u64));
    }
}
