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

pub mod pool;

use bytes::{Bytes, BytesMut};

/// A buffer whose bytes an operation may read: one that owns them, wherever it is moved.
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

/// A buffer whose bytes an operation may write, from its beginning up to its capacity.
///
/// # Safety
/// `stable_mut_ptr` stays valid for writes of `bytes_capacity` bytes, and the same, while the value
/// is moved and not otherwise used (invariants 1 and 2).
pub unsafe trait IoBufMut: IoBuf {
    /// Where the bytes are.
    fn stable_mut_ptr(&mut self) -> *mut u8;

    /// How many bytes there is room for, initialised or not.
    fn bytes_capacity(&self) -> usize;

    /// Says that the first `len` bytes are initialised, and makes that the length of a buffer whose
    /// length can change.
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

// SAFETY: a box's bytes are on the heap, where moving the box leaves them, and initialised.
unsafe impl IoBuf for Box<[u8]> {
    fn stable_ptr(&self) -> *const u8 {
        self.as_ptr()
    }

    fn bytes_len(&self) -> usize {
        self.len()
    }
}

// SAFETY: as above.
unsafe impl IoBufMut for Box<[u8]> {
    fn stable_mut_ptr(&mut self) -> *mut u8 {
        self.as_mut_ptr()
    }

    fn bytes_capacity(&self) -> usize {
        self.len()
    }

    // The length of a box does not change.
    unsafe fn set_init(&mut self, _len: usize) {}
}

// SAFETY: these live as long as the program, where they are.
unsafe impl IoBuf for &'static [u8] {
    fn stable_ptr(&self) -> *const u8 {
        self.as_ptr()
    }

    fn bytes_len(&self) -> usize {
        self.len()
    }
}

// SAFETY: as above.
unsafe impl IoBuf for &'static str {
    fn stable_ptr(&self) -> *const u8 {
        self.as_ptr()
    }

    fn bytes_len(&self) -> usize {
        self.len()
    }
}

// SAFETY: a string's bytes are on the heap, where moving the string leaves them.
unsafe impl IoBuf for String {
    fn stable_ptr(&self) -> *const u8 {
        self.as_ptr()
    }

    fn bytes_len(&self) -> usize {
        self.len()
    }
}

// SAFETY: the bytes are static or on the heap, and nobody changes them while this value exists.
unsafe impl IoBuf for Bytes {
    fn stable_ptr(&self) -> *const u8 {
        self.as_ptr()
    }

    fn bytes_len(&self) -> usize {
        self.len()
    }
}

// SAFETY: the bytes are on the heap, and this value's alone.
unsafe impl IoBuf for BytesMut {
    fn stable_ptr(&self) -> *const u8 {
        self.as_ptr()
    }

    fn bytes_len(&self) -> usize {
        self.len()
    }
}

// SAFETY: as above; up to `capacity` they are this value's to write to.
unsafe impl IoBufMut for BytesMut {
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

/// Cuts `buf` off after its first `len` bytes, if its length can change and is greater.
pub fn truncate(buf: &mut impl IoBufMut, len: usize) {
    if len < buf.bytes_len() {
        // SAFETY: fewer bytes than are initialised are.
        unsafe { buf.set_init(len) };
    }
}

/// The first `len` bytes of `buf` as a slice.
pub fn initialised(buf: &impl IoBuf) -> &[u8] {
    // SAFETY: the trait promises that many initialised bytes there.
    unsafe { std::slice::from_raw_parts(buf.stable_ptr(), buf.bytes_len()) }
}
