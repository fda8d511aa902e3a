//! [`RngSeed`]: what a runtime's random choices are made from.

use std::fmt;

/// A seed for the random choices of a runtime: whom to steal from, which branch of `select!` comes
/// first. Given to [`Builder::rng_seed`](crate::Builder::rng_seed).
///
/// # Examples
/// ```
/// use zokio_runtime::{Builder, RngSeed};
///
/// let runtime = Builder::new_current_thread()
///     .rng_seed(RngSeed::from_bytes(b"seventeen"))
///     .build()
///     .unwrap();
/// # drop(runtime);
/// ```
#[derive(Clone)]
pub struct RngSeed(u64);

impl RngSeed {
    /// The seed that these bytes determine: the same ones give the same seed, everywhere.
    ///
    /// # Examples
    /// ```
    /// use zokio_runtime::{Builder, RngSeed};
    ///
    /// let runtime = Builder::new_multi_thread().rng_seed(RngSeed::from_bytes(b"7")).build().unwrap();
    /// # drop(runtime);
    /// ```
    pub fn from_bytes(bytes: &[u8]) -> Self {
        // FNV-1a: spreads, and is defined by its constants. The generator mixes the rest.
        const BASIS: u64 = 0xCBF2_9CE4_8422_2325;
        const PRIME: u64 = 0x0000_0100_0000_01B3;
        let hash = bytes.iter().fold(BASIS, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(PRIME)
        });
        Self(hash)
    }

    pub(crate) fn number(&self) -> u64 {
        self.0
    }
}

/// The seed itself is not shown.
impl fmt::Debug for RngSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RngSeed").finish_non_exhaustive()
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;

    #[test]
    fn the_published_hashes_come_out() {
        assert_eq!(RngSeed::from_bytes(b"").number(), 0xCBF2_9CE4_8422_2325);
        assert_eq!(RngSeed::from_bytes(b"a").number(), 0xAF63_DC4C_8601_EC8C);
        assert_eq!(
            RngSeed::from_bytes(b"foobar").number(),
            0x8594_4171_F739_67E8
        );
    }
}
