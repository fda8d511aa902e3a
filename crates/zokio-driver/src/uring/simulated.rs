//! A kernel that does what a test tells it to, in the place of `ring.rs` and `probe.rs`.
//!
//! It keeps what a kernel keeps: a submission queue that it takes a part of, requests that run in no
//! order, a completion queue that is too short, and completions that it posts only when entered. It
//! reads and writes the memory that requests name, gives out and closes descriptors, and checks the
//! bytes of what is written.
//!
//! Invariants:
//!
//! 1. Every request that was taken is completed once.
//! 2. Completions are posted in the order in which requests were completed, without a loss.
#![allow(unsafe_code)]
#![allow(missing_docs, missing_debug_implementations)] // Test code.

use crate::op::table::Kind;
use arbitrary::Arbitrary;
use io_uring::squeue;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use zokio_base::sync::Mutex;

/// Requests that fit into the submission queue: few, so that it fills up.
const SUBMISSIONS_MAX: usize = 8;
/// Completions that fit before the kernel keeps them.
const COMPLETIONS_MAX: usize = 4;
/// The flag of a completion that is not its request's last.
const MORE: u32 = 1 << 1;
/// A flag without a meaning: a completion that concerns nobody.
const STALE: u32 = 1 << 30;

/// As in `probe.rs`.
#[derive(Debug, Clone)]
pub struct Refusal {
    is_for_now: bool,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the test refuses")
    }
}

impl Refusal {
    pub(super) fn for_now() -> Self {
        Self { is_for_now: true }
    }

    pub(super) fn for_good() -> Self {
        Self { is_for_now: false }
    }

    pub(super) fn hindered(_step: &'static str) -> Self {
        Self::for_now()
    }

    pub fn is_for_now(&self) -> bool {
        self.is_for_now
    }
}

/// As in `probe.rs`.
pub fn supports(_kind: Kind) -> Result<bool, Refusal> {
    Ok(true)
}

/// As in `probe.rs`.
pub fn require() -> io::Result<()> {
    Ok(())
}

/// As in `ring.rs`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Completion {
    pub(super) name: u64,
    pub(super) result: i32,
    pub(super) flags: u32,
}

/// The kernel's answer when requests are submitted.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub(crate) enum Answer {
    /// It takes all.
    All,
    /// It takes so many.
    Part(u8),
    Interrupted,
    Busy,
    Again,
    /// It may not be entered any more.
    Forbidden,
}

/// How a request ends.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub(super) enum End {
    Full,
    Short(u8),
    Interrupted,
    Again,
    Invalid,
    Unsupported,
    Failed,
    /// As when the thread that submitted it ends. The fuzzer does not choose it: its corpus is older.
    #[arbitrary(skip)]
    Cancelled,
}

/// A request, as the kernel reads it.
#[derive(Debug, Clone, Copy)]
struct Request {
    code: u8,
    fd: RawFd,
    offset: u64,
    address: u64,
    len: u32,
    name: u64,
}

mod code {
    pub(super) const FSYNC: u8 = 3;
    pub(super) const CANCEL: u8 = 14;
    pub(super) const OPENAT: u8 = 18;
    pub(super) const CLOSE: u8 = 19;
    pub(super) const STATX: u8 = 21;
    pub(super) const READ: u8 = 22;
    pub(super) const WRITE: u8 = 23;
}

impl Request {
    fn new(entry: &squeue::Entry) -> Self {
        // SAFETY: an entry is the kernel's structure of 64 bytes, and all of them are initialised.
        let bytes: [u8; 64] = unsafe { std::mem::transmute_copy(entry) };
        let word = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap());
        let half = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
        Self {
            code: bytes[0],
            fd: half(4) as RawFd,
            offset: word(8),
            address: word(16),
            len: half(24),
            name: word(32),
        }
    }

    fn is_of_bytes(&self) -> bool {
        matches!(self.code, code::READ | code::WRITE)
    }
}

#[derive(Default)]
struct State {
    queued: VecDeque<Request>,
    running: Vec<Request>,
    posted: VecDeque<Completion>,
    kept: VecDeque<Completion>,
    answers: VecDeque<Answer>,
    /// Addresses of buffers that live.
    lent: BTreeSet<u64>,
    /// Names of requests that were completed.
    finished: Vec<u64>,
    /// The bytes that were read into the memory at an address: how many, and which.
    filled: BTreeMap<u64, (usize, u8)>,
    /// It takes nothing.
    is_busy: bool,
    /// Entering posts nothing the next time.
    is_vain: bool,
    /// How often entering for completions fails from here on.
    entering_refused: u32,
    /// Every operation that runs is completed as soon as somebody looks.
    is_willing: bool,
}

/// The kernel.
pub(crate) struct Kernel {
    state: Mutex<State>,
    /// The file that opened files are copies of.
    file: Mutex<Option<OwnedFd>>,
    refuses: bool,
}

thread_local! {
    static KERNEL: RefCell<Option<Arc<Kernel>>> = const { RefCell::new(None) };
}

/// The byte that a read puts at `index`.
pub(super) fn byte(seed: u8, index: usize) -> u8 {
    seed.wrapping_add(index as u8)
}

impl Kernel {
    /// A kernel for the rings that this thread makes from here on.
    pub(crate) fn install(file: OwnedFd, refuses: bool) -> Arc<Self> {
        let kernel = Arc::new(Self {
            state: Mutex::new(State::default()),
            file: Mutex::new(Some(file)),
            refuses,
        });
        KERNEL.set(Some(kernel.clone()));
        kernel
    }

    /// A file that counts as open until it is closed.
    pub(super) fn open(&self) -> File {
        let file = self.file.lock();
        let copy = file.as_ref().expect("it is there to the end").try_clone();
        copy.expect("there are descriptors").into()
    }

    pub(crate) fn answer(&self, answer: Answer) {
        self.state.lock().answers.push_back(answer);
    }

    /// How many requests with a name there are: in the queue, and beyond it.
    pub(crate) fn named(&self) -> (usize, usize) {
        let state = self.state.lock();
        let queued = state.queued.iter().filter(|r| r.name != 0).count();
        let running = state.running.iter().filter(|r| r.name != 0).count();
        let done = state.posted.iter().chain(&state.kept);
        let done = done.filter(|c| c.name != 0 && c.flags == 0).count();
        (queued, running + done)
    }

    /// Completions that nobody has taken: posted, and kept until the kernel is entered.
    pub(super) fn unseen(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.posted.len(), state.kept.len())
    }

    /// The memory at `address` may be touched for requests.
    pub(super) fn lend(&self, address: u64) {
        assert!(self.state.lock().lent.insert(address));
    }

    /// The memory at `address` is given up.
    pub(super) fn take_back(&self, address: u64) {
        let mut state = self.state.lock();
        assert!(state.lent.remove(&address));
        state.filled.remove(&address);
        let mut requests = state.running.iter();
        assert!(
            !requests.any(|request| request.is_of_bytes() && request.address == address),
            "memory was given up that the kernel may touch"
        );
    }

    /// How much memory is lent.
    pub(super) fn lent(&self) -> usize {
        self.state.lock().lent.len()
    }

    pub(super) fn is_running(&self, name: u64) -> bool {
        self.state.lock().running.iter().any(|r| r.name == name)
    }

    pub(super) fn is_vain(&self) -> bool {
        self.state.lock().is_vain
    }

    /// Takes the bytes that a read has put at `address`: how many, and from which seed.
    pub(super) fn take_filled(&self, address: u64) -> Option<(usize, u8)> {
        self.state.lock().filled.remove(&address)
    }

    /// Ends one of the requests that run.
    pub(super) fn complete(&self, which: u8, end: End) {
        let mut state = self.state.lock();
        if !state.running.is_empty() {
            let which = usize::from(which) % state.running.len();
            let request = state.running.swap_remove(which);
            self.end(&mut state, request, end);
        }
    }

    pub(crate) fn complete_all(&self) {
        while !self.state.lock().running.is_empty() {
            self.complete(0, End::Full);
        }
    }

    /// A completion that is not a request's last.
    pub(super) fn post_more(&self, which: u8) {
        let mut state = self.state.lock();
        if !state.running.is_empty() {
            let name = state.running[usize::from(which) % state.running.len()].name;
            state.post(name, 1, MORE);
        }
    }

    /// A second completion of a request that was completed before.
    pub(super) fn post_stale(&self, which: u8) {
        let mut state = self.state.lock();
        if !state.finished.is_empty() {
            let name = state.finished[usize::from(which) % state.finished.len()];
            state.post(name, 7, STALE);
        }
    }

    pub(super) fn be_vain(&self) {
        self.state.lock().is_vain = true;
    }

    pub(super) fn refuse_entering(&self, times: u32) {
        self.state.lock().entering_refused = times;
    }

    /// From here on it takes everything and completes everything.
    pub(crate) fn be_willing(&self) {
        let mut state = self.state.lock();
        state.answers.clear();
        state.is_willing = true;
        state.is_busy = false;
        state.is_vain = false;
    }

    /// From here on it completes nothing by itself, and takes everything, or nothing if `is_busy`.
    pub(super) fn be_stuck(&self, is_busy: bool) {
        let mut state = self.state.lock();
        state.answers.clear();
        state.is_busy = is_busy;
        state.is_vain = false;
    }

    /// It will never touch anything again.
    pub(super) fn halt(&self) {
        let mut state = self.state.lock();
        state.queued.clear();
        state.running.clear();
    }

    /// Closes the original of all files.
    pub(super) fn close(&self) {
        *self.file.lock() = None;
    }

    fn end(&self, state: &mut State, request: Request, end: End) {
        let result = match (request.code, end) {
            (code::CANCEL, end) => state.cancel(request.address, end),
            (_, End::Interrupted) => -libc::EINTR,
            (_, End::Again) => -libc::EAGAIN,
            (_, End::Cancelled) => -libc::ECANCELED,
            (_, End::Invalid) => -libc::EINVAL,
            (code::CLOSE, End::Unsupported) => -libc::EINVAL,
            (_, End::Unsupported) => -libc::EOPNOTSUPP,
            (_, End::Failed) => -libc::EIO,
            (code::READ, end) => {
                let count = end.count(request.len);
                let seed = request.name as u8;
                for index in 0..count {
                    let to = (request.address as *mut u8).wrapping_add(index);
                    // SAFETY: what is tested here: the memory is the request's until this.
                    unsafe { to.write(byte(seed, index)) };
                }
                state.filled.insert(request.address, (count, seed));
                count as i32
            }
            (code::WRITE, end) => {
                check_bytes(&request);
                end.count(request.len) as i32
            }
            (code::OPENAT, _) => {
                use std::os::fd::IntoRawFd;
                self.open().into_raw_fd()
            }
            (code::STATX, _) => {
                let to = request.offset as *mut libc::statx;
                // SAFETY: as for reads.
                unsafe { (*to).stx_size = request.name };
                0
            }
            (code::CLOSE | code::FSYNC, _) => 0,
            (code, _) => panic!("no test submits {code}"),
        };
        let is_open = [-libc::EAGAIN, -libc::EINVAL].contains(&result);
        if request.code == code::CLOSE && !is_open {
            // SAFETY: the operation gave its descriptor away with the request.
            drop(unsafe { OwnedFd::from_raw_fd(request.fd) });
        }
        state.finish(request.name, result);
    }

    fn submit(&self) -> io::Result<usize> {
        let mut state = self.state.lock();
        let len = state.queued.len();
        let count = match state.answers.pop_front() {
            None if state.is_busy => return Err(io::Error::from_raw_os_error(libc::EBUSY)),
            None | Some(Answer::All) => len,
            Some(Answer::Part(count)) => usize::from(count) % (len + 1),
            Some(Answer::Interrupted) => return Err(io::Error::from_raw_os_error(libc::EINTR)),
            Some(Answer::Busy) => return Err(io::Error::from_raw_os_error(libc::EBUSY)),
            Some(Answer::Again) => return Err(io::Error::from_raw_os_error(libc::EAGAIN)),
            Some(Answer::Forbidden) => return Err(io::Error::from_raw_os_error(libc::EPERM)),
        };
        let taken: Vec<Request> = state.queued.drain(..count).collect();
        for request in taken.iter().filter(|request| request.is_of_bytes()) {
            let is_lent = state.lent.contains(&request.address);
            assert!(is_lent, "the kernel was given memory that is gone");
        }
        state.running.extend(taken);
        Ok(count)
    }
}

/// Bytes to be written count up from the first.
fn check_bytes(request: &Request) {
    for index in 0..request.len as usize {
        let from = (request.address as *const u8).wrapping_add(index);
        // SAFETY: what is tested here: the memory is the request's until this.
        let (first, here) = unsafe { ((request.address as *const u8).read(), from.read()) };
        assert_eq!(here, byte(first, index), "written bytes changed under way");
    }
}

impl End {
    fn count(self, len: u32) -> usize {
        match self {
            Self::Short(by) => len.saturating_sub(u32::from(by)) as usize,
            _ => len as usize,
        }
    }
}

impl State {
    fn cancel(&mut self, name: u64, end: End) -> i32 {
        let Some(at) = self.running.iter().position(|r| r.name == name) else {
            return -libc::ENOENT;
        };
        if !matches!(end, End::Full) {
            return -libc::EALREADY;
        }
        let target = self.running.swap_remove(at);
        self.finish(target.name, -libc::ECANCELED);
        0
    }

    fn finish(&mut self, name: u64, result: i32) {
        if name != 0 {
            self.finished.push(name);
        }
        self.post(name, result, 0);
    }

    fn post(&mut self, name: u64, result: i32, flags: u32) {
        let completion = Completion {
            name,
            result,
            flags,
        };
        if self.kept.is_empty() && self.posted.len() < COMPLETIONS_MAX {
            self.posted.push_back(completion);
        } else {
            self.kept.push_back(completion);
        }
    }
}

/// As in `ring.rs`.
pub(super) struct Ring(Arc<Kernel>);

impl Ring {
    pub(super) fn build() -> Result<Self, Refusal> {
        let kernel = KERNEL
            .with_borrow(Clone::clone)
            .ok_or(Refusal::for_good())?;
        if kernel.refuses {
            return Err(Refusal::for_good());
        }
        Ok(Self(kernel))
    }

    /// A descriptor that nobody does more with than to wait for a moment.
    pub(super) fn fd(&self) -> RawFd {
        self.0.file.lock().as_ref().map_or(0, AsRawFd::as_raw_fd)
    }

    pub(super) unsafe fn room(&self) -> usize {
        SUBMISSIONS_MAX - self.0.state.lock().queued.len()
    }

    pub(super) unsafe fn push(&self, entry: &squeue::Entry) {
        let mut state = self.0.state.lock();
        assert!(state.queued.len() < SUBMISSIONS_MAX, "no more than fit");
        state.queued.push_back(Request::new(entry));
    }

    pub(super) fn submit(&self) -> io::Result<usize> {
        self.0.submit()
    }

    pub(super) unsafe fn wants_entering(&self) -> bool {
        !self.0.state.lock().kept.is_empty()
    }

    pub(super) fn enter_for_events(&self) -> io::Result<()> {
        let mut state = self.0.state.lock();
        if state.entering_refused > 0 {
            state.entering_refused -= 1;
            return Err(io::Error::from_raw_os_error(libc::EAGAIN));
        }
        if std::mem::take(&mut state.is_vain) {
            return Ok(());
        }
        while state.posted.len() < COMPLETIONS_MAX {
            let Some(kept) = state.kept.pop_front() else {
                break;
            };
            state.posted.push_back(kept);
        }
        Ok(())
    }

    /// As in `ring.rs`. It knows no buffers of its own.
    pub(super) unsafe fn register_buffers(
        &self,
        _address: u64,
        _count: u16,
        _name: u16,
    ) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// As in `ring.rs`.
    pub(super) fn unregister_buffers(&self, _name: u16) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) unsafe fn completions(&self) -> impl Iterator<Item = Completion> + '_ {
        if self.0.state.lock().is_willing {
            self.0.complete_all();
        }
        let count = self.0.state.lock().posted.len();
        (0..count).map_while(|_| self.0.state.lock().posted.pop_front())
    }
}
