//! Memory that an operation owns while the kernel may read or write it.
//!
//! A buffer that takes part in an operation moves into it and comes back with its outcome. Moving
//! the value must not move the bytes, which is what the two traits promise.
//!
//! Invariants:
//!
//! 1. The address that a buffer reports stays the same while the buffer is moved about and nobody
//!    else touches it.
//! 2. Bytes below `len` are initialised. Bytes up to `capacity` may be written to.
#![allow(unsafe_code)]

/// A buffer whose bytes an operation may read.
///
/// # Safety
/// `stable_ptr` stays valid for `bytes_len` initialised bytes, and the same, while the value is moved
/// and not otherwise used (invariants 1 and 2).
pub unsafe trait IoBuf: Send + Sync + 'static {
    /// Where the bytes are.
    fn stable_ptr(&self) -> *const u8;

    /// How many of them are initialised.
    fn bytes_len(&self) -> usize;
}

/// A buffer whose bytes an operation may write.
///
/// # Safety
/// `stable_mut_ptr` stays valid for writes of `bytes_capacity` bytes, and the same, while the value
/// is moved and not otherwise used (invariants 1 and 2).
pub unsafe trait IoBufMut: IoBuf {
    /// Where the bytes are.
    fn stable_mut_ptr(&mut self) -> *mut u8;

    /// How many bytes there is room for, initialised or not.
    fn bytes_capacity(&self) -> usize;

    /// Says that the first `len` bytes are initialised.
    ///
    /// # Safety
    /// They are, and `len` is within the capacity.
    unsafe fn set_init(&mut self, len: usize);
}

// SAFETY: a vector's bytes are on the heap, where moving the vector leaves them; the first `len` of
// `capacity` are initialised.
unsafe impl IoBuf for Vec<u8> {
    fn stable_ptr(&self) -> *const u8 {
        self.as_ptr()
    }

    fn bytes_len(&self) -> usize {
        self.len()
    }
}

// SAFETY: as above.
unsafe impl IoBufMut for Vec<u8> {
    fn stable_mut_ptr(&mut self) -> *mut u8 {
        self.as_mut_ptr()
    }

    fn bytes_capacity(&self) -> usize {
        self.capacity()
    }

    unsafe fn set_init(&mut self, len: usize) {
        // SAFETY: the caller's promise is the one that this needs.
        unsafe { self.set_len(len) };
    }
}

/// The first `len` bytes of `buf` as a slice.
pub(crate) fn initialised(buf: &impl IoBuf) -> &[u8] {
    // SAFETY: the trait promises that many initialised bytes there.
    unsafe { std::slice::from_raw_parts(buf.stable_ptr(), buf.bytes_len()) }
}
