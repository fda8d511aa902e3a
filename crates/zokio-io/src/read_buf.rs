//! [`ReadBuf`]: a buffer to read into that keeps count of what is filled and what is initialised.
//!
//! The buffer has three parts:
//!
//! ```text
//! [   filled   |   initialised, not filled   |   not initialised   ]
//! 0         filled                      initialized             capacity
//! ```
//!
//! Invariants:
//!
//! 1. `filled <= initialized <= buf.len()`.
//! 2. `buf[..initialized]` holds initialised bytes. Nothing safe takes that back: safe methods give
//!    out `&mut [u8]` for that part only, and what gives out `&mut [MaybeUninit<u8>]` is unsafe.
#![allow(unsafe_code)]

use bytes::BufMut;
use bytes::buf::UninitSlice;
use std::fmt;
use std::mem::MaybeUninit;

/// A buffer that is filled step by step and may start out uninitialised.
///
/// A reader appends to the filled part; memory that was never written need not be zeroed first.
///
/// # Examples
/// ```
/// use std::mem::MaybeUninit;
/// use zokio_io::ReadBuf;
///
/// let mut memory = [MaybeUninit::uninit(); 8];
/// let mut buf = ReadBuf::uninit(&mut memory);
/// buf.put_slice(b"abc");
/// assert_eq!(buf.filled(), b"abc");
/// assert_eq!(buf.remaining(), 5);
/// ```
pub struct ReadBuf<'a> {
    buf: &'a mut [MaybeUninit<u8>],
    filled: usize,
    initialized: usize,
}

impl<'a> ReadBuf<'a> {
    /// A buffer over initialised memory, nothing filled.
    #[inline]
    pub fn new(buf: &'a mut [u8]) -> ReadBuf<'a> {
        let initialized = buf.len();
        let length = buf.len();
        // SAFETY: the slice is a live, exclusive `[u8]` of that length, and `MaybeUninit<u8>` has
        // the layout of `u8`. Invariant 2 keeps safe code from writing uninitialised bytes to it.
        let buf = unsafe { std::slice::from_raw_parts_mut(buf.as_mut_ptr().cast(), length) };
        ReadBuf {
            buf,
            filled: 0,
            initialized,
        }
    }

    /// A buffer over memory of which nothing is known to be initialised, nothing filled.
    ///
    /// Memory that is initialised in part can be declared so with [`assume_init`](Self::assume_init).
    #[inline]
    pub fn uninit(buf: &'a mut [MaybeUninit<u8>]) -> ReadBuf<'a> {
        ReadBuf {
            buf,
            filled: 0,
            initialized: 0,
        }
    }

    /// The length of the whole buffer.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.buf.len()
    }

    /// The filled part.
    #[inline]
    pub fn filled(&self) -> &[u8] {
        // SAFETY: invariants 1 and 2: everything before `filled` is initialised.
        unsafe { assume_bytes(&self.buf[..self.filled]) }
    }

    /// The filled part, to be changed.
    #[inline]
    pub fn filled_mut(&mut self) -> &mut [u8] {
        // SAFETY: invariants 1 and 2: everything before `filled` is initialised.
        unsafe { assume_bytes_mut(&mut self.buf[..self.filled]) }
    }

    /// A new buffer over the next `n` bytes of the unfilled part, or all of it if there are fewer.
    ///
    /// Bytes that are filled there do not count here until [`advance`](Self::advance) says so; memory
    /// that was initialised through it must be declared first, by [`assume_init`](Self::assume_init).
    #[inline]
    pub fn take(&mut self, n: usize) -> ReadBuf<'_> {
        let end = self.filled + n.min(self.remaining());
        ReadBuf {
            initialized: self.initialized.min(end) - self.filled,
            filled: 0,
            buf: &mut self.buf[self.filled..end],
        }
    }

    /// The part that is known to be initialised, the filled part included.
    #[inline]
    pub fn initialized(&self) -> &[u8] {
        // SAFETY: invariant 2.
        unsafe { assume_bytes(&self.buf[..self.initialized]) }
    }

    /// The part that is known to be initialised, to be changed.
    #[inline]
    pub fn initialized_mut(&mut self) -> &mut [u8] {
        // SAFETY: invariant 2.
        unsafe { assume_bytes_mut(&mut self.buf[..self.initialized]) }
    }

    /// The whole buffer.
    ///
    /// # Safety
    /// The caller must not make bytes uninitialised that were initialised.
    #[inline]
    pub unsafe fn inner_mut(&mut self) -> &mut [MaybeUninit<u8>] {
        self.buf
    }

    /// The part that is not filled.
    ///
    /// # Safety
    /// The caller must not make bytes uninitialised that were initialised.
    #[inline]
    pub unsafe fn unfilled_mut(&mut self) -> &mut [MaybeUninit<u8>] {
        &mut self.buf[self.filled..]
    }

    /// The part that is not filled, zeroed where it was not initialised. It counts as initialised
    /// from then on, so that the cost arises once.
    #[inline]
    pub fn initialize_unfilled(&mut self) -> &mut [u8] {
        self.initialize_unfilled_to(self.remaining())
    }

    /// As [`initialize_unfilled`](Self::initialize_unfilled), for the first `n` bytes only.
    ///
    /// # Panics
    /// If `n` is more than [`remaining`](Self::remaining).
    #[inline]
    #[track_caller]
    pub fn initialize_unfilled_to(&mut self, n: usize) -> &mut [u8] {
        assert!(self.remaining() >= n, "n overflows remaining");
        let end = self.filled + n;
        if self.initialized < end {
            self.buf[self.initialized..end].fill(MaybeUninit::new(0));
            self.initialized = end;
        }
        // SAFETY: invariant 2: `end <= initialized` was just established.
        unsafe { assume_bytes_mut(&mut self.buf[self.filled..end]) }
    }

    /// How many bytes are not filled.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.capacity() - self.filled
    }

    /// Makes the filled part empty. What is initialised stays so.
    #[inline]
    pub fn clear(&mut self) {
        self.filled = 0;
    }

    /// Adds the next `n` bytes, which must be initialised, to the filled part.
    ///
    /// # Panics
    /// If there are not `n` initialised bytes after the filled part.
    #[inline]
    #[track_caller]
    pub fn advance(&mut self, n: usize) {
        let filled = self.filled.checked_add(n).expect("filled overflow");
        self.set_filled(filled);
    }

    /// Makes the first `n` bytes the filled part. It may become shorter by that.
    ///
    /// # Panics
    /// If `n` is more than what is initialised.
    #[inline]
    #[track_caller]
    pub fn set_filled(&mut self, n: usize) {
        assert!(
            n <= self.initialized,
            "filled must not become larger than initialized"
        );
        self.filled = n;
    }

    /// Declares the first `n` bytes after the filled part to be initialised.
    ///
    /// # Safety
    /// They must be, and the buffer must have that many.
    #[inline]
    pub unsafe fn assume_init(&mut self, n: usize) {
        debug_assert!(n <= self.remaining());
        self.initialized = self.initialized.max(self.filled + n);
    }

    /// Appends `buf` to the filled part.
    ///
    /// # Panics
    /// If [`remaining`](Self::remaining) is less than the length of `buf`.
    #[inline]
    #[track_caller]
    pub fn put_slice(&mut self, buf: &[u8]) {
        assert!(
            self.remaining() >= buf.len(),
            "buf.len() must fit in remaining(); buf.len() = {}, remaining() = {}",
            buf.len(),
            self.remaining()
        );
        let end = self.filled + buf.len();
        // SAFETY: source and destination have the same length, the destination is borrowed
        // exclusively, so they do not overlap, and initialised bytes may be stored in
        // `MaybeUninit`.
        unsafe {
            self.buf[self.filled..end]
                .as_mut_ptr()
                .cast::<u8>()
                .copy_from_nonoverlapping(buf.as_ptr(), buf.len());
        }
        self.initialized = self.initialized.max(end);
        self.filled = end;
    }
}

// SAFETY: `chunk_mut` is exactly the unfilled part, `remaining_mut` its length, and `advance_mut`
// moves the border between the two by what its caller declares to be initialised.
unsafe impl<'a> BufMut for ReadBuf<'a> {
    fn remaining_mut(&self) -> usize {
        self.remaining()
    }

    unsafe fn advance_mut(&mut self, cnt: usize) {
        assert!(
            cnt <= self.remaining(),
            "advance past the end of the buffer"
        );
        // SAFETY: the caller declares them initialised; the bound was checked.
        unsafe { self.assume_init(cnt) };
        self.advance(cnt);
    }

    fn chunk_mut(&mut self) -> &mut UninitSlice {
        UninitSlice::uninit(&mut self.buf[self.filled..])
    }
}

impl fmt::Debug for ReadBuf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadBuf")
            .field("filled", &self.filled)
            .field("initialized", &self.initialized)
            .field("capacity", &self.capacity())
            .finish()
    }
}

/// # Safety
/// Every byte of `slice` must be initialised.
#[inline]
unsafe fn assume_bytes(slice: &[MaybeUninit<u8>]) -> &[u8] {
    // SAFETY: same layout; the caller says that the bytes are initialised.
    unsafe { std::slice::from_raw_parts(slice.as_ptr().cast(), slice.len()) }
}

/// # Safety
/// Every byte of `slice` must be initialised.
#[inline]
unsafe fn assume_bytes_mut(slice: &mut [MaybeUninit<u8>]) -> &mut [u8] {
    // SAFETY: same layout; the caller says that the bytes are initialised, and `&mut [u8]` allows
    // initialised bytes to be stored only.
    unsafe { std::slice::from_raw_parts_mut(slice.as_mut_ptr().cast(), slice.len()) }
}
