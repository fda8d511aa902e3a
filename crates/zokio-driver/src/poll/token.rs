//! Tokens: what a readiness set calls its members towards the system.
//!
//! A word is divided, from the lowest bit up:
//!
//! | bits, in words of 64 | of 32 | holds |
//! | --- | --- | --- |
//! | 0-31 | 0-19 | the slot of a source |
//! | 32-62 | 20-30 | which use of the slot it is, as far as there is room |
//! | 63 | 31 | the token is no source's but a special one |
//!
//! A slot's generation is odd while the slot is in use, so its lowest bit is left out, and what is
//! kept is exact in words of 64 bits. In words of 32 bits it repeats after 2,048 uses of a slot, and a
//! set holds about a million sources at most. An event would have to lie between the system and the
//! set's lock for that many uses to be taken for a later source's.

use mio::Token;
use zokio_base::slab::{Key, Slab};

const INDEX_BITS: u32 = if usize::BITS >= 64 { 32 } else { 20 };
const GENERATION_BITS: u32 = usize::BITS - 1 - INDEX_BITS;

/// The least token that no source has.
pub(super) const FIRST_SPECIAL: usize = 1 << (usize::BITS - 1);

/// The token of a source; nothing if slots with such a high index have none.
pub(super) fn of_key(key: Key) -> Option<Token> {
    if u64::from(key.index()) >> INDEX_BITS != 0 {
        return None;
    }
    let uses = (key.generation() >> 1) as usize & ((1 << GENERATION_BITS) - 1);
    Some(Token(key.index() as usize | uses << INDEX_BITS))
}

/// The source that `token` names, if it is still there.
pub(super) fn find<T>(slab: &Slab<T>, token: Token) -> Option<&T> {
    let index = (token.0 as u64 & ((1 << INDEX_BITS) - 1)) as u32;
    let key = slab.key_at(index)?;
    if of_key(key) == Some(token) {
        slab.at(index)
    } else {
        None
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;

    #[test]
    fn a_token_finds_its_source_and_no_later_one() {
        let mut slab = Slab::new();
        let first = slab.insert("first");
        let second = slab.insert("second");
        let (first_token, second_token) = (of_key(first).unwrap(), of_key(second).unwrap());
        assert!(first_token.0 < FIRST_SPECIAL && second_token.0 < FIRST_SPECIAL);
        assert_eq!(find(&slab, first_token), Some(&"first"));
        assert_eq!(find(&slab, second_token), Some(&"second"));
        slab.remove(first);
        assert_eq!(find(&slab, first_token), None);
        let third = slab.insert("third");
        assert_eq!(third.index(), first.index());
        assert_eq!(find(&slab, first_token), None);
        assert_eq!(find(&slab, of_key(third).unwrap()), Some(&"third"));
    }

    #[test]
    fn the_uses_of_a_slot_are_told_apart() {
        let mut slab = Slab::new();
        let key = slab.insert(0);
        let token = of_key(key).unwrap();
        slab.remove(key);
        for use_count in 1..2_048 {
            let key = slab.insert(use_count);
            assert_eq!(find(&slab, token), None);
            slab.remove(key);
        }
    }

    #[test]
    fn no_source_has_a_special_token() {
        let last = (1_u64 << INDEX_BITS) - 1;
        for generation in [1, 3, u32::MAX - 2, u32::MAX] {
            let key = Key::from_bits(u64::from(generation) << 32 | last);
            assert!(of_key(key).unwrap().0 < FIRST_SPECIAL);
        }
    }
}
