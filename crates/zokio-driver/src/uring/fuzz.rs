//! Operations on a ring whose kernel a test plays, for any sequence of steps.
//!
//! These rules are checked, by counting on both sides:
//!
//! 1. Each operation comes to one end: its future is ready once, or its result is disposed of. A waiter is
//!    woken.
//! 2. The lane holds the operations that the kernel has or is about to get, and no others; threads
//!    are charged for those that the kernel took.
//! 3. The bytes that the kernel read into a buffer come back in that buffer, and a buffer is not given
//!    up while the kernel may touch it.
//! 4. In the end all buffers, all descriptors and all operations are gone.
//!
//! [`run`] takes bytes, so that the fuzzer, the kept corpus and random bytes in an ordinary test all
//! come the same way.
#![allow(unsafe_code)]

use super::probe::{Answer, End, Kernel, byte};
use crate::buf::{IoBuf, IoBufMut};
use crate::op::OpenFile;
use crate::op::{
    At, Backends, Close, Filled, Fsync, Op, OpPath, Open, OpenHow, Plane, Read, Sent, Statx, Write,
};
use crate::uring::{IoMode, thread_in_flight};
use arbitrary::{Arbitrary, Unstructured};
use std::future::Future;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Wake, Waker};
use std::time::Instant;
use zokio_base::clock::real_now;
use zokio_base::park::{Offload, WakeSink};
use zokio_base::sync::Mutex;
use zokio_base::sync::std_atomic::{AtomicUsize, Ordering};

/// Operations that are under way at a time.
const FUTURES_MAX: usize = 32;

/// Rounds within which everything ends once the kernel is willing.
const ROUNDS_MAX: usize = 64;

#[derive(Debug, Clone, Copy, Arbitrary)]
enum What {
    Read { pipe: bool, len: u8 },
    Write { pipe: bool, len: u8 },
    Open { create: bool },
    Close,
    Statx,
    Sync,
}

#[derive(Debug, Arbitrary)]
enum Step {
    Begin {
        what: What,
        is_owner: bool,
    },
    Poll(u8),
    Drop(u8),
    Submit,
    Answer(Answer),
    Complete(u8, End),
    More(u8),
    Stale(u8),
    Vain,
    Reap,
    /// Others come while one reaps, each time after the kernel has completed something.
    ReapWithVisitors(u8),
    BeginWait,
    EndWait,
    RunJob(u8),
    DropJob(u8),
}

/// How it all ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
enum Ending {
    /// Everything is waited for.
    Wait,
    /// Futures are dropped, the rest is waited for.
    Drop,
    /// The lane shuts down while the kernel goes on.
    ShutDown,
    /// The lane shuts down; the kernel completes nothing more, and takes nothing if it is busy.
    Abandon { is_busy: bool },
}

// ---- what is conserved ----

struct Buffer {
    bytes: Vec<u8>,
    kernel: Arc<Kernel>,
}

impl Buffer {
    fn new(bytes: Vec<u8>, kernel: Arc<Kernel>) -> Self {
        kernel.lend(bytes.as_ptr() as u64);
        Self { bytes, kernel }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.kernel.take_back(self.bytes.as_ptr() as u64);
    }
}

// SAFETY: the bytes are a vector's.
unsafe impl IoBuf for Buffer {
    fn stable_ptr(&self) -> *const u8 {
        self.bytes.stable_ptr()
    }

    fn bytes_len(&self) -> usize {
        self.bytes.bytes_len()
    }
}

// SAFETY: as above.
unsafe impl IoBufMut for Buffer {
    fn stable_mut_ptr(&mut self) -> *mut u8 {
        self.bytes.stable_mut_ptr()
    }

    fn bytes_capacity(&self) -> usize {
        self.bytes.bytes_capacity()
    }

    unsafe fn set_init(&mut self, len: usize) {
        // SAFETY: the caller's promise.
        unsafe { self.bytes.set_init(len) };
    }
}

/// Where jobs wait.
#[derive(Default)]
struct Pool(Mutex<Vec<Job>>);

type Job = Box<dyn FnOnce() + Send>;

impl Offload for Pool {
    fn offload(&self, job: Job) {
        self.0.lock().push(job);
    }

    /// Nobody else fills or empties a pipe here: what waits for that waits for nobody.
    fn watch(&self, wait: std::sync::Weak<dyn zokio_base::park::Interrupt>) {
        if let Some(wait) = wait.upgrade() {
            wait.interrupt();
        }
    }
}

impl Pool {
    fn take(&self, which: u8) -> Option<Job> {
        let mut jobs = self.0.lock();
        let count = jobs.len();
        (count > 0).then(|| jobs.swap_remove(usize::from(which) % count))
    }
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A future whose outcome checks itself.
type Checked = Pin<Box<dyn Future<Output = ()>>>;

struct Waiting {
    future: Checked,
    wakes: Arc<Wakes>,
    /// How often it had been woken when it was last found pending.
    since: Option<usize>,
}

impl Waiting {
    /// Whether it is ready now.
    fn poll(&mut self) -> bool {
        let waker = Waker::from(self.wakes.clone());
        self.since = Some(self.wakes.0.load(Ordering::Relaxed));
        let polled = self.future.as_mut().poll(&mut Context::from_waker(&waker));
        polled.is_ready()
    }

    fn was_woken(&self) -> bool {
        let now = self.wakes.0.load(Ordering::Relaxed);
        self.since.is_none_or(|since| now > since)
    }
}

// ---- files ----

struct Files {
    /// A regular file.
    plain: Arc<OpenFile>,
    /// Both ends of a pipe that never blocks.
    reader: Arc<OpenFile>,
    writer: Arc<OpenFile>,
}

impl Files {
    /// Leaves a page in the pipe: more than one read takes, and less than leaves no room for a write.
    fn level_pipe(&self) {
        let mut page = [0; 4096];
        while (&**self.reader)
            .read(&mut page)
            .is_ok_and(|count| count > 0)
        {}
        let filled = (&**self.writer).write(&page);
        assert_eq!(filled.ok(), Some(page.len()), "an empty pipe has room");
    }
}

fn pipe() -> (OwnedFd, OwnedFd) {
    let mut ends = [0; 2];
    // SAFETY: there is room for two descriptors, which are new and ours.
    unsafe {
        let made = libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK);
        assert_eq!(made, 0, "no pipe: {}", io::Error::last_os_error());
        (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1]))
    }
}

fn files() -> &'static Files {
    static FILES: OnceLock<Files> = OnceLock::new();
    FILES.get_or_init(|| {
        // SAFETY: the name is terminated, the descriptor is new and ours.
        let plain = unsafe {
            let fd = libc::memfd_create(c"fuzz".as_ptr(), libc::MFD_CLOEXEC);
            assert!(fd >= 0, "no file: {}", io::Error::last_os_error());
            OwnedFd::from_raw_fd(fd)
        };
        let (reader, writer) = pipe();
        Files {
            plain: OpenFile::new(plain.into()),
            reader: OpenFile::new(reader.into()),
            writer: OpenFile::new(writer.into()),
        }
    })
}

// ---- the world ----

struct World {
    kernel: Arc<Kernel>,
    plane: Arc<Plane>,
    pool: Arc<Pool>,
    unparks: Arc<AtomicUsize>,
    waiting: Vec<Waiting>,
    is_asleep: bool,
    /// Readable to its end once every descriptor that was given out is closed.
    end: OwnedFd,
}

/// Where completions go; others come to reap meanwhile.
struct Sink<'a> {
    world: &'a World,
    visitors: u8,
}

impl WakeSink for Sink<'_> {
    fn wake(&mut self, waker: Waker) {
        waker.wake();
        if self.visitors > 0 {
            self.visitors -= 1;
            let lane = self.world.plane.lane(0);
            lane.submit_pending();
            self.world.kernel.complete(self.visitors, End::Full);
            let taken = lane.reap(&mut Vec::new());
            assert_eq!(taken, 0, "one at a time");
        }
    }
}

impl World {
    fn new(refuses: bool) -> Self {
        let (end, file) = pipe();
        let kernel = Kernel::install(file, refuses);
        let pool = Arc::new(Pool::default());
        let unparks = Arc::new(AtomicUsize::new(0));
        let counter = unparks.clone();
        let unpark = Arc::new(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        let plane = Plane::new(1, IoMode::Uring, pool.clone(), unpark, None);
        Self {
            kernel,
            plane: plane.expect("the kernel knows everything"),
            pool,
            unparks,
            waiting: Vec::new(),
            is_asleep: false,
            end,
        }
    }

    fn buffer(&self, bytes: Vec<u8>) -> Buffer {
        Buffer::new(bytes, self.kernel.clone())
    }

    /// Begins `operation` on the ring, or where it goes without one.
    fn start<O: Backends>(&self, is_owner: bool, operation: O) -> Op<O> {
        let before = (self.unparks.load(Ordering::Relaxed), self.pending());
        let op = self.plane.start(is_owner.then_some(0), operation);
        let after = (self.unparks.load(Ordering::Relaxed), self.pending());
        if after.1 > before.1 && (!is_owner || self.is_asleep) {
            assert!(after.0 > before.0, "mail, and nobody told the worker");
        }
        op
    }

    fn pending(&self) -> usize {
        self.plane.lane(0).pending()
    }

    fn begin(&mut self, what: What, is_owner: bool) {
        if self.waiting.len() == FUTURES_MAX {
            return;
        }
        let files = files();
        let path = || OpPath::new(Path::new("/dev/null")).expect("no zero byte");
        let future: Checked = match what {
            What::Read { pipe, len } => {
                let (file, at) = match pipe {
                    true => (&files.reader, At::Cursor),
                    false => (&files.plain, At::Offset(0)),
                };
                let buffer = self.buffer(Vec::with_capacity(usize::from(len) + 1));
                let read = Read::new(file.clone(), buffer, 0, usize::from(len) + 1, at);
                let (op, kernel) = (self.start(is_owner, read), self.kernel.clone());
                Box::pin(async move { check_read(op.await, &kernel) })
            }
            What::Write { pipe, len } => {
                let (file, at) = match pipe {
                    true => (&files.writer, At::Cursor),
                    false => (&files.plain, At::Offset(0)),
                };
                let bytes: Vec<u8> = (0..usize::from(len) + 1).map(|i| byte(len, i)).collect();
                let write = Write::new(file.clone(), self.buffer(bytes), 0, at);
                let op = self.start(is_owner, write);
                Box::pin(async move { check_write(op.await, len) })
            }
            What::Open { create } => {
                let how = match create {
                    true => OpenHow::creating(),
                    false => OpenHow::reading(),
                };
                let op = self.start(is_owner, Open::new(path(), how));
                Box::pin(async move { drop(op.await) })
            }
            What::Close => {
                let op = self.start(is_owner, Close::new(self.kernel.open()));
                Box::pin(async move { drop(op.await) })
            }
            What::Statx => {
                let op = self.start(is_owner, Statx::new(path(), true));
                Box::pin(async move { drop(op.await) })
            }
            What::Sync => {
                let op = self.start(is_owner, Fsync::new(files.plain.clone()));
                Box::pin(async move { drop(op.await) })
            }
        };
        self.waiting.push(Waiting {
            future,
            wakes: Arc::default(),
            since: None,
        });
    }

    fn pick(&self, which: u8) -> Option<usize> {
        let count = self.waiting.len();
        (count > 0).then(|| usize::from(which) % count)
    }

    fn poll(&mut self, which: usize) {
        if self.waiting[which].poll() {
            self.waiting.swap_remove(which);
        }
    }

    fn reap(&self, visitors: u8) {
        let is_vain = self.kernel.is_vain();
        let mut sink = Sink {
            world: self,
            visitors,
        };
        self.plane.lane(0).reap(&mut sink);
        if self.plane.lane(0).in_flight() > 0 {
            let (posted, kept) = self.kernel.unseen();
            assert_eq!(posted, 0, "completions were left");
            assert!(kept == 0 || is_vain, "completions were left in the kernel");
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Begin { what, is_owner } => self.begin(what, is_owner),
            Step::Poll(which) => {
                if let Some(which) = self.pick(which) {
                    self.poll(which);
                }
            }
            Step::Drop(which) => {
                if let Some(which) = self.pick(which) {
                    drop(self.waiting.swap_remove(which));
                }
            }
            Step::Submit => {
                self.plane.lane(0).submit_pending();
            }
            Step::Answer(answer) => self.kernel.answer(answer),
            Step::Complete(which, end) => self.kernel.complete(which, end),
            Step::More(which) => self.kernel.post_more(which),
            Step::Stale(which) => self.kernel.post_stale(which),
            Step::Vain => self.kernel.be_vain(),
            Step::Reap => self.reap(0),
            Step::ReapWithVisitors(count) => self.reap(count % 8),
            Step::BeginWait => {
                let has_mail = self.pending() > 0;
                self.is_asleep = self.plane.lane(0).begin_wait();
                assert_eq!(self.is_asleep, !has_mail);
            }
            Step::EndWait => {
                self.plane.lane(0).end_wait();
                self.is_asleep = false;
            }
            Step::RunJob(which) => {
                if let Some(job) = self.pool.take(which) {
                    files().level_pipe();
                    job();
                }
            }
            Step::DropJob(which) => drop(self.pool.take(which)),
        }
    }

    /// Checks what is true at any time.
    fn check(&self) {
        let (queued, taken) = self.kernel.named();
        // Requests that a broken ring was not asked for in time are not there.
        let is_broken = self.plane.lane(0).is_broken.load(Ordering::Relaxed);
        let queued = if is_broken { 0 } else { queued };
        assert_eq!(self.plane.lane(0).in_flight(), queued + taken);
        assert_eq!(thread_in_flight(), taken);
    }

    // ---- the end ----

    /// Lets everything go on until nothing is left.
    fn settle(&mut self) {
        self.kernel.be_willing();
        for _ in 0..ROUNDS_MAX {
            let lane = self.plane.lane(0);
            lane.submit_pending();
            self.reap(0);
            self.run_jobs();
            // An operation that is over has woken its waiter; a waiter that was not woken has nothing to
            // find.
            for which in (0..self.waiting.len()).rev() {
                if self.waiting[which].was_woken() {
                    self.poll(which);
                }
            }
            let is_done = self.waiting.is_empty() && self.pool.0.lock().is_empty();
            let lane = self.plane.lane(0);
            if is_done && lane.in_flight() == 0 && lane.pending() == 0 {
                return;
            }
        }
        panic!("some wait for ever: {:?}", self.plane);
    }

    fn run_jobs(&self) {
        while let Some(job) = self.pool.take(0) {
            // It may wait for room or for bytes, and nobody else is there to make any.
            files().level_pipe();
            job();
        }
    }

    fn shut_down(&mut self) {
        self.kernel.be_willing();
        let left = self.end_lane(None);
        assert_eq!(left, 0, "the kernel was willing");
        self.settle();
    }

    /// Ends the lane. Returns how many operations it abandoned.
    fn end_lane(&self, deadline: Option<Instant>) -> usize {
        let mut wakers = Vec::new();
        let left = self.plane.lane(0).shutdown(deadline, &mut wakers);
        wakers.into_iter().for_each(Waker::wake);
        assert_eq!(self.pending(), 0, "messages were left");
        left
    }

    /// The kernel keeps what it has, and the lane gives up. Then the kernel goes on, or never does.
    fn abandon(&mut self, is_busy: bool) {
        self.kernel.be_stuck(is_busy);
        let lane = self.plane.lane(0);
        lane.close();
        lane.submit_pending();
        // All completions are taken: a descriptor in one would be lost for good.
        while self.kernel.unseen() != (0, 0) && self.plane.lane(0).in_flight() > 0 {
            self.reap(0);
        }
        let lane = self.plane.lane(0);
        let taken = lane
            .slots
            .names(|finisher| self.kernel.is_running(finisher.flying().name()));
        assert_eq!(self.end_lane(Some(real_now())), taken.len());
        let lane = self.plane.lane(0);
        assert_eq!(lane.in_flight(), taken.len(), "each keeps its slot");
        if is_busy {
            self.kernel.halt();
            self.finish_waiting();
            for name in taken {
                // As if the process ended here.
                drop(self.plane.lane(0).slots.retire(name));
            }
        } else {
            // A waiter is told before the kernel is done with its operation.
            self.finish_waiting();
            self.settle();
        }
    }

    /// All that wait are told something.
    fn finish_waiting(&mut self) {
        for _ in 0..ROUNDS_MAX {
            self.run_jobs();
            for which in (0..self.waiting.len()).rev() {
                if self.waiting[which].was_woken() {
                    self.poll(which);
                }
            }
        }
        assert!(self.waiting.is_empty(), "some wait for ever");
    }

    fn finish(mut self, ending: Ending) {
        match ending {
            Ending::Wait => self.settle(),
            Ending::Drop => {
                self.waiting.clear();
                self.settle();
            }
            Ending::ShutDown => self.shut_down(),
            Ending::Abandon { is_busy } => self.abandon(is_busy),
        }
        self.kernel.close();
        assert_eq!(self.plane.lane(0).in_flight(), 0);
        assert_eq!(thread_in_flight(), 0);
        assert_eq!(self.kernel.lent(), 0, "buffers");
        assert_eq!(Arc::strong_count(&self.plane), 1, "operations");
        let mut byte = 0_u8;
        // SAFETY: there is room for one byte.
        let read = unsafe { libc::read(self.end.as_raw_fd(), (&raw mut byte).cast(), 1) };
        assert_eq!(read, 0, "descriptors");
    }
}

fn check_read(filled: Filled<Buffer>, kernel: &Kernel) {
    let Some(buffer) = &filled.buf else {
        assert!(filled.result.is_err(), "its buffer went away with a thread");
        return;
    };
    // Otherwise a thread read it.
    let Some((count, seed)) = kernel.take_filled(buffer.bytes.as_ptr() as u64) else {
        return;
    };
    assert_eq!(filled.result.ok(), Some(count));
    let expected = (0..count).map(|index| byte(seed, index));
    assert!(buffer.bytes.iter().copied().eq(expected), "others' bytes");
}

fn check_write(sent: Sent<Buffer>, len: u8) {
    let Some(buffer) = &sent.buf else {
        assert!(sent.result.is_err(), "its buffer went away with a thread");
        return;
    };
    assert_eq!(buffer.bytes.len(), usize::from(len) + 1);
    assert_eq!(buffer.bytes[0], byte(len, 0));
}

/// Runs the steps that `bytes` stand for.
///
/// # Panics
/// If anything is lost, doubled or given up too early.
pub fn run(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let Ok((ending, refuses)) = <(Ending, u8)>::arbitrary(&mut input) else {
        return;
    };
    let mut world = World::new(refuses % 16 == 15);
    while !input.is_empty() {
        let Ok(step) = Step::arbitrary(&mut input) else {
            break;
        };
        world.step(step);
        world.check();
    }
    world.finish(ending);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uring::submit::REFUSALS_MAX;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

        #[test]
        fn operations_end_once_and_nothing_is_lost(
            bytes in prop::collection::vec(any::<u8>(), 0..600),
        ) {
            run(&bytes);
        }
    }

    #[test]
    fn the_corpus_passes() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/ring");
        for file in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            println!("{}", file.path().display());
            run(&std::fs::read(file.path()).unwrap());
        }
    }

    const READ: What = What::Read {
        pipe: false,
        len: 7,
    };

    #[test]
    fn what_the_kernel_never_took_does_not_wait_for_ever_at_the_end() {
        let mut world = World::new(false);
        for _ in 0..FUTURES_MAX {
            world.begin(READ, true);
        }
        world.finish(Ending::Abandon { is_busy: true });
    }

    #[test]
    fn what_the_kernel_leaves_makes_new_operations_go_elsewhere_until_it_takes_it() {
        let mut world = World::new(false);
        world.begin(READ, true);
        for _ in 0..REFUSALS_MAX {
            assert!(world.pool.0.lock().is_empty());
            world.kernel.answer(Answer::Again);
            world.step(Step::Submit);
            assert!(world.plane.lane(0).must_retry());
        }
        world.begin(READ, true);
        assert_eq!(world.pool.0.lock().len(), 1, "it waits behind nothing");
        world.step(Step::Submit);
        assert!(!world.plane.lane(0).must_retry());
        world.begin(READ, true);
        assert_eq!(world.plane.lane(0).pending(), 1, "the ring takes it again");
        world.finish(Ending::Wait);
    }

    #[test]
    fn what_cannot_be_flushed_is_asked_for_again() {
        let mut world = World::new(false);
        // More than the completion queue holds.
        for _ in 0..8 {
            world.begin(READ, true);
        }
        world.step(Step::Submit);
        world.kernel.complete_all();
        // A reaper tries twice.
        world.kernel.refuse_entering(2);
        world.plane.lane(0).reap(&mut Vec::<Waker>::new());
        assert!(world.plane.lane(0).in_flight() > 0);
        assert!(world.plane.lane(0).must_retry(), "no event tells of them");
        world.step(Step::Reap);
        assert!(!world.plane.lane(0).must_retry());
        world.finish(Ending::Wait);
    }

    #[test]
    fn what_was_abandoned_is_given_back_when_the_kernel_is_done_with_it() {
        let mut world = World::new(false);
        for what in [READ, What::Open { create: true }, What::Close] {
            world.begin(what, true);
        }
        world.begin(What::Open { create: true }, true);
        world.step(Step::Submit);
        // Nobody waits for the last one.
        drop(world.waiting.pop());
        world.finish(Ending::Abandon { is_busy: false });
    }

    #[test]
    fn a_write_that_ended_with_its_thread_is_made_elsewhere() {
        let mut world = World::new(false);
        let write = What::Write {
            pipe: false,
            len: 7,
        };
        world.begin(write, true);
        world.step(Step::Submit);
        world.waiting.clear();
        world.kernel.complete(0, End::Cancelled);
        world.step(Step::Reap);
        assert_eq!(world.pool.0.lock().len(), 1, "it was promised");
        world.finish(Ending::Wait);
    }

    #[test]
    fn a_batch_of_nothing_but_orphans_is_not_the_last() {
        let mut world = World::new(false);
        for _ in 0..FUTURES_MAX {
            world.begin(READ, true);
        }
        world.waiting.clear();
        world.begin(READ, true);
        world.step(Step::Submit);
        assert_eq!(world.kernel.named(), (0, 1));
        world.finish(Ending::Wait);
    }

    #[test]
    fn what_a_forbidden_ring_was_not_asked_for_in_time_is_never_asked_for() {
        let mut world = World::new(false);
        world.begin(READ, true);
        world.step(Step::Submit);
        world.begin(READ, true);
        world.kernel.answer(Answer::Forbidden);
        world.step(Step::Submit);
        // The second one is run by a thread, and its memory is given up.
        world.poll(1);
        world.run_jobs();
        world.poll(1);
        assert_eq!(world.waiting.len(), 1);
        // Cancelling the first must not submit what is left in the ring.
        world.finish(Ending::ShutDown);
    }
}
