//! Small things several adapters share.

use std::io;
use std::task::Poll;

/// How much buffered adapters hold unless told otherwise.
pub(crate) const DEFAULT_BUF_SIZE: usize = 8 * 1024;

/// Runs `operation` again as long as it was interrupted by a signal: nothing has happened then.
#[inline]
pub(crate) fn poll_retry<T>(
    mut operation: impl FnMut() -> Poll<io::Result<T>>,
) -> Poll<io::Result<T>> {
    loop {
        match operation() {
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

/// The index of the first `byte` in `haystack`, eight bytes at a time.
pub(crate) fn find_byte(byte: u8, haystack: &[u8]) -> Option<usize> {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let pattern = LOW * u64::from(byte);
    let mut offset = 0;
    let mut words = haystack.chunks_exact(8);
    for word in &mut words {
        let Ok(word) = <[u8; 8]>::try_from(word) else {
            break;
        };
        // A byte of `differences` is zero where the word has `byte`; the next line finds out
        // whether there is such a byte at all.
        let differences = u64::from_ne_bytes(word) ^ pattern;
        if differences.wrapping_sub(LOW) & !differences & HIGH != 0 {
            break;
        }
        offset += 8;
    }
    let found = haystack[offset..].iter().position(|&at| at == byte)?;
    Some(offset + found)
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_what_a_plain_search_finds(
            haystack in proptest::collection::vec(0u8..4, 0..70),
            byte in 0u8..5,
        ) {
            let naive = haystack.iter().position(|&at| at == byte);
            prop_assert_eq!(find_byte(byte, &haystack), naive);
        }
    }
}
