//! Bit fields packed into one word.
//!
//! A [`Field`] is a bit range of a `u64` whose width is checked when it is made (in a constant, so
//! at compile time). `set` panics in debug builds where a value does not fit.

/// A range of bits in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    shift: u32,
    width: u32,
}

impl Field {
    /// The lowest `width` bits.
    pub const fn lowest(width: u32) -> Self {
        assert!(width > 0 && width <= 64, "a field has 1 to 64 bits");
        Self { shift: 0, width }
    }

    /// The `width` bits above this field.
    pub const fn then(self, width: u32) -> Self {
        let shift = self.shift + self.width;
        assert!(width > 0 && shift + width <= 64, "the word is full");
        Self { shift, width }
    }

    /// The greatest value the field holds.
    pub const fn max(self) -> u64 {
        u64::MAX >> (64 - self.width)
    }

    /// The field's bits in place, all set.
    pub const fn mask(self) -> u64 {
        self.max() << self.shift
    }

    /// One unit of the field, in place.
    pub const fn one(self) -> u64 {
        1 << self.shift
    }

    /// The field's value in `word`.
    pub const fn get(self, word: u64) -> u64 {
        (word >> self.shift) & self.max()
    }

    /// `word` with the field set to `value`.
    pub const fn set(self, word: u64, value: u64) -> u64 {
        debug_assert!(value <= self.max(), "the value does not fit its field");
        (word & !self.mask()) | (value << self.shift)
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;

    const LOW: Field = Field::lowest(3);
    const MIDDLE: Field = LOW.then(21);
    const HIGH: Field = MIDDLE.then(40);

    #[test]
    fn fields_tile_the_word() {
        assert_eq!(LOW.mask() | MIDDLE.mask() | HIGH.mask(), u64::MAX);
        assert_eq!(LOW.mask() & MIDDLE.mask(), 0);
        assert_eq!(MIDDLE.mask() & HIGH.mask(), 0);
    }

    #[test]
    fn a_field_keeps_its_neighbours() {
        let word = HIGH.set(LOW.set(0, 5), 77);
        let word = MIDDLE.set(word, MIDDLE.max());
        assert_eq!(
            (LOW.get(word), MIDDLE.get(word), HIGH.get(word)),
            (5, MIDDLE.max(), 77)
        );
        assert_eq!(MIDDLE.get(MIDDLE.set(word, 0)), 0);
    }

    #[test]
    fn fields_made_at_run_time_are_the_same() {
        let low = Field::lowest(3);
        assert_eq!((low, low.then(21)), (LOW, MIDDLE));
    }

    #[test]
    #[should_panic(expected = "a field has 1 to 64 bits")]
    fn a_field_of_no_bits_is_refused() {
        Field::lowest(0);
    }

    #[test]
    #[should_panic(expected = "the word is full")]
    fn a_field_beyond_the_word_is_refused() {
        HIGH.then(1);
    }
}
