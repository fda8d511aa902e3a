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

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;

    /// A buffer's bytes stay where they are while it is moved.
    fn stays<B: IoBuf>(buf: B, expected: &[u8]) -> B {
        assert_eq!(initialised(&buf), expected);
        let before = buf.stable_ptr();
        let moved = Box::new(buf);
        assert_eq!(moved.stable_ptr(), before);
        let moved = *moved;
        assert_eq!((moved.stable_ptr(), moved.bytes_len()), (before, 5));
        moved
    }

    /// And bytes may be written there, up to the capacity.
    fn takes<B: IoBufMut>(buf: B, expected: &[u8]) -> B {
        let mut buf = stays(buf, expected);
        assert_eq!(buf.stable_mut_ptr().cast_const(), buf.stable_ptr());
        let (start, room) = (buf.stable_mut_ptr(), buf.bytes_capacity());
        assert!(room >= 5);
        // SAFETY: there is room for that many bytes, and all of them are initialised then.
        unsafe {
            start.write_bytes(b'x', room);
            buf.set_init(room);
        }
        assert!(initialised(&buf).iter().all(|byte| *byte == b'x'));
        buf
    }

    #[test]
    fn buffers_that_can_be_read_stay_where_they_are() {
        stays("hello", b"hello");
        stays(&b"hello"[..], b"hello");
        stays(String::from("hello"), b"hello");
        stays(Bytes::from_static(b"hello"), b"hello");
        stays(Bytes::from(b"hello".to_vec()), b"hello");
    }

    #[test]
    fn buffers_that_can_be_written_to_do_so_too() {
        let mut vec = Vec::with_capacity(9);
        vec.extend_from_slice(b"hello");
        let mut vec = takes(vec, b"hello");
        assert!(vec.len() >= 9, "up to the capacity");
        truncate(&mut vec, 3);
        assert_eq!(vec, b"xxx");
        truncate(&mut vec, 5);
        assert_eq!(vec, b"xxx", "it is not made longer");

        let mut bytes = BytesMut::with_capacity(9);
        bytes.extend_from_slice(b"hello");
        let mut bytes = takes(bytes, b"hello");
        truncate(&mut bytes, 3);
        assert_eq!(&bytes[..], b"xxx");

        let mut fixed = takes(b"hello".to_vec().into_boxed_slice(), b"hello");
        truncate(&mut fixed, 3);
        assert_eq!(&fixed[..], b"xxxxx", "its length does not change");
    }
}
