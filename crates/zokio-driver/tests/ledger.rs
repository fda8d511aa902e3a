//! Nothing is lost: operations whose futures are dropped, at each state, on both planes. What is
//! counted: descriptors of the process, buffers, operations in flight, requests per thread.
#![cfg(target_os = "linux")]

mod common;

use common::{Pool, has_ring, open_descriptors, plane, settle, turn};
use std::fs::File;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use zokio_driver::buf::{IoBuf, IoBufMut};
use zokio_driver::op::*;
use zokio_driver::uring::{IoMode, thread_in_flight};
use zokio_driver::{Driver, DriverOptions};

/// Descriptors are counted for the whole process, so these tests take turns.
static TURN: Mutex<()> = Mutex::new(());

const ROUNDS: usize = 10_000;

static BUFFERS: AtomicIsize = AtomicIsize::new(0);

/// A buffer that is counted.
struct Counted(Vec<u8>);

impl Counted {
    fn new(bytes: Vec<u8>) -> Self {
        BUFFERS.fetch_add(1, Ordering::Relaxed);
        Self(bytes)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        BUFFERS.fetch_sub(1, Ordering::Relaxed);
    }
}

// SAFETY: as for the vector in it.
unsafe impl IoBuf for Counted {
    fn stable_ptr(&self) -> *const u8 {
        self.0.stable_ptr()
    }
    fn bytes_len(&self) -> usize {
        self.0.bytes_len()
    }
}

// SAFETY: as for the vector in it.
unsafe impl IoBufMut for Counted {
    fn stable_mut_ptr(&mut self) -> *mut u8 {
        self.0.stable_mut_ptr()
    }
    fn bytes_capacity(&self) -> usize {
        self.0.bytes_capacity()
    }
    unsafe fn set_init(&mut self, len: usize) {
        // SAFETY: passed on.
        unsafe { self.0.set_init(len) };
    }
}

/// How far an operation gets before its future is dropped.
#[derive(Debug, Clone, Copy)]
enum DroppedAt {
    /// In the mailbox, never polled.
    Begun,
    /// In the mailbox, its waker there.
    Waiting,
    /// The kernel or a thread has it.
    UnderWay,
    /// Complete, and nobody took the outcome.
    Complete,
    /// Begun, and the pool drops the job.
    PoolGone,
}

const STATES: [DroppedAt; 5] = [
    DroppedAt::Begun,
    DroppedAt::Waiting,
    DroppedAt::UnderWay,
    DroppedAt::Complete,
    DroppedAt::PoolGone,
];

fn poll_once<O: Backends>(op: &mut Op<O>) -> Poll<O::Output> {
    Pin::new(op).poll(&mut Context::from_waker(Waker::noop()))
}

/// Begins `make`'s operation and drops its future at `state`, many times.
fn drop_many<O: Backends>(
    mode: IoMode,
    state: DroppedAt,
    mut make: impl FnMut() -> O,
    mut after: impl FnMut(),
) {
    let pool = Pool::held();
    let plane = plane(mode, &pool).unwrap();
    let held_before = open_descriptors();
    let buffers_before = BUFFERS.load(Ordering::Relaxed);
    let mut ring_descriptors = 0;
    for round in 0..ROUNDS {
        let mut op = plane.start(Some(0), make());
        match state {
            DroppedAt::Begun | DroppedAt::PoolGone => {}
            DroppedAt::Waiting => assert!(poll_once(&mut op).is_pending()),
            DroppedAt::UnderWay => {
                assert!(poll_once(&mut op).is_pending());
                plane.lane(0).submit_pending();
            }
            DroppedAt::Complete => {
                assert!(poll_once(&mut op).is_pending());
                pool.run_all();
                settle(&plane);
            }
        }
        drop(op);
        if let DroppedAt::PoolGone = state {
            pool.drop_all();
        }
        if round % 64 == 0 {
            pool.run_all();
            turn(&plane);
            after();
        }
        ring_descriptors = usize::from(plane.lane(0).fd().is_some());
    }
    pool.run_all();
    settle(&plane);
    // Operations that came back orphaned may have gone to the pool.
    pool.run_all();
    settle(&plane);
    after();
    let what = format!("{mode:?} {state:?} {:?}", plane.metrics());
    assert_eq!(plane.metrics().in_flight, 0, "{what}");
    assert_eq!(thread_in_flight(), 0, "{what}");
    assert_eq!(BUFFERS.load(Ordering::Relaxed), buffers_before, "{what}");
    assert_eq!(open_descriptors(), held_before + ring_descriptors, "{what}");
    assert_eq!(Arc::strong_count(&plane), 1, "no operation is left: {what}");
}

fn modes() -> Vec<IoMode> {
    if has_ring() {
        vec![IoMode::Uring, IoMode::Epoll]
    } else {
        vec![IoMode::Epoll]
    }
}

#[test]
fn opens_are_conserved() {
    let _turn = TURN.lock().unwrap_or_else(|poison| poison.into_inner());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    std::fs::write(&path, b"x").unwrap();
    for mode in modes() {
        for state in STATES {
            let make = || Open::new(OpPath::new(&path).unwrap(), OpenHow::reading());
            drop_many(mode, state, make, || ());
            // One that changes the disk is carried out, and its descriptor closed, all the same.
            let make = || Open::new(OpPath::new(&path).unwrap(), OpenHow::creating());
            drop_many(mode, state, make, || ());
        }
    }
}

#[test]
fn reads_are_conserved() {
    let _turn = TURN.lock().unwrap_or_else(|poison| poison.into_inner());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    std::fs::write(&path, vec![7; 8192]).unwrap();
    let file = OpenFile::new(File::open(&path).unwrap());
    for mode in modes() {
        for state in STATES {
            let make = || {
                let buf = Counted::new(Vec::with_capacity(4096));
                Read::new(file.clone(), buf, 0, 4096, At::Offset(0))
            };
            drop_many(mode, state, make, || ());
            assert_eq!(Arc::strong_count(&file), 1);
        }
    }
}

#[test]
fn writes_are_conserved_and_carried_out() {
    let _turn = TURN.lock().unwrap_or_else(|poison| poison.into_inner());
    let dir = tempfile::tempdir().unwrap();
    for mode in modes() {
        for state in STATES {
            let path = dir.path().join(format!("{mode:?}{state:?}"));
            let file = OpenFile::new(File::create(&path).unwrap());
            let mut offset = 0;
            let make = || {
                let buf = Counted::new(vec![7; 16]);
                offset += 16;
                Write::new(file.clone(), buf, 0, At::Offset(offset - 16))
            };
            drop_many(mode, state, make, || ());
            assert_eq!(Arc::strong_count(&file), 1);
            // A write whose future is gone has been asked for all the same.
            if !matches!((mode, state), (IoMode::Epoll, DroppedAt::PoolGone)) {
                assert_eq!(std::fs::read(&path).unwrap(), vec![7; 16 * ROUNDS]);
            }
        }
    }
}

/// A read that would wait for ever ends with its future.
/// Begins `operation` and drops its future, and returns when it is over.
fn begin_and_drop<O: Backends>(plane: &Arc<Plane>, pool: &Pool, operation: O) {
    let op = plane.start(Some(0), operation);
    assert_eq!(op.kind(), O::KIND);
    drop(op);
    pool.run_all();
    settle(plane);
    pool.run_all();
}

#[test]
fn names_are_changed_though_nobody_waits_for_it() {
    let _turn = TURN.lock().unwrap_or_else(|poison| poison.into_inner());
    for mode in modes() {
        let pool = Pool::held();
        let plane = plane(mode, &pool).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let path = |name: &str| OpPath::new(&at(name)).unwrap();
        std::fs::write(at("file"), b"x").unwrap();

        begin_and_drop(&plane, &pool, Mkdir::new(path("dir"), 0o700));
        assert!(at("dir").is_dir(), "{mode:?}");
        begin_and_drop(&plane, &pool, Link::new(path("file"), path("dir/other")));
        assert_eq!(std::fs::read(at("dir/other")).unwrap(), b"x");
        begin_and_drop(&plane, &pool, Symlink::new(path("file"), path("soft")));
        assert_eq!(std::fs::read_link(at("soft")).unwrap(), at("file"));
        begin_and_drop(&plane, &pool, Rename::new(path("dir/other"), path("name")));
        assert!(at("name").is_file() && !at("dir/other").exists());
        begin_and_drop(&plane, &pool, Unlink::new(path("name")));
        assert!(!at("name").exists());
        begin_and_drop(&plane, &pool, Rmdir::new(path("dir")));
        assert!(!at("dir").exists());
    }
}

/// The error of an operation whose thread goes away without running it.
fn said_when_lost<T>(operation: impl Backends<Output = std::io::Result<T>>) -> String {
    let pool = Pool::held();
    let plane = plane(IoMode::Epoll, &pool).unwrap();
    let mut op = plane.start(Some(0), operation);
    assert!(poll_once(&mut op).is_pending());
    pool.drop_all();
    match poll_once(&mut op) {
        Poll::Ready(result) => result.map(drop).unwrap_err().to_string(),
        Poll::Pending => "it waits for ever".to_owned(),
    }
}

#[test]
fn an_operation_that_is_not_run_says_so() {
    let _turn = TURN.lock().unwrap_or_else(|poison| poison.into_inner());
    let dir = tempfile::tempdir().unwrap();
    let path = || OpPath::new(&dir.path().join("name")).unwrap();
    let file = OpenFile::new(File::create(dir.path().join("file")).unwrap());
    let said = [
        said_when_lost(Open::new(path(), OpenHow::creating())),
        said_when_lost(Mkdir::new(path(), 0o700)),
        said_when_lost(Link::new(path(), path())),
        said_when_lost(Symlink::new(path(), path())),
        said_when_lost(Rename::new(path(), path())),
        said_when_lost(Unlink::new(path())),
        said_when_lost(Rmdir::new(path())),
        said_when_lost(Statx::new(path(), true)),
        said_when_lost(Fsync::new(file.clone())),
        said_when_lost(Fdatasync::new(file)),
    ];
    assert_eq!(said, ["background task failed"; 10]);
    let left = std::fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(left, 1, "nothing was done");
}

#[test]
fn reads_of_an_empty_pipe_are_cancelled() {
    let _turn = TURN.lock().unwrap_or_else(|poison| poison.into_inner());
    if !has_ring() {
        return;
    }
    let (reader, writer) = std::io::pipe().unwrap();
    let file = OpenFile::new(File::from(std::os::fd::OwnedFd::from(reader)));
    for state in [DroppedAt::Begun, DroppedAt::Waiting, DroppedAt::UnderWay] {
        let make = || {
            let buf = Counted::new(Vec::with_capacity(16));
            Read::new(file.clone(), buf, 0, 16, At::Cursor)
        };
        drop_many(IoMode::Uring, state, make, || ());
        assert_eq!(Arc::strong_count(&file), 1);
    }
    drop(writer);
}

/// A lane ends with reads in flight that nobody will ever answer, and with writes to be done.
#[test]
fn a_lane_shuts_down_with_operations_in_flight() {
    let _turn = TURN.lock().unwrap_or_else(|poison| poison.into_inner());
    if !has_ring() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let target = OpenFile::new(File::create(&path).unwrap());
    let (reader, _writer) = std::io::pipe().unwrap();
    let file = OpenFile::new(File::from(std::os::fd::OwnedFd::from(reader)));
    let pool = Pool::held();
    let plane = plane(IoMode::Uring, &pool).unwrap();
    let mut reads: Vec<_> = (0..100)
        .map(|_| {
            let buf = Counted::new(Vec::with_capacity(16));
            plane.start(Some(0), Read::new(file.clone(), buf, 0, 16, At::Cursor))
        })
        .collect();
    plane.lane(0).submit_pending();
    assert_eq!(thread_in_flight(), 100);
    for n in 0..100 {
        let write = Write::new(target.clone(), vec![7; 16], 0, At::Offset(n * 16));
        drop(plane.start(Some(0), write));
    }
    let mut wakers = Vec::new();
    assert_eq!(
        plane.lane(0).shutdown(None, &mut wakers),
        0,
        "nothing is abandoned"
    );
    assert_eq!(std::fs::read(&path).unwrap().len(), 1600);
    // The remaining waiters are told, through the pool, which has the last word.
    for read in &mut reads {
        assert!(poll_once(read).is_pending());
    }
    pool.drop_all();
    for read in &mut reads {
        let Poll::Ready(filled) = poll_once(read) else {
            panic!("the pool is gone, so is the read")
        };
        assert!(filled.result.is_err());
    }
    // Operations that begin afterwards go to the pool.
    let mut late = plane.start(Some(0), Fsync::new(target.clone()));
    assert!(poll_once(&mut late).is_pending());
    pool.run_all();
    assert!(matches!(poll_once(&mut late), Poll::Ready(Ok(()))));
    assert_eq!(thread_in_flight(), 0);
    assert_eq!(BUFFERS.load(Ordering::Relaxed), 0);
}

/// An operation that cannot be waited for is abandoned, not freed: the kernel may still write there. It is
/// given back when the kernel is done with it.
#[test]
fn what_outlasts_the_grace_is_abandoned_and_given_back_later() {
    let _turn = TURN.lock().unwrap_or_else(|poison| poison.into_inner());
    if !has_ring() {
        return;
    }
    let (reader, writer) = std::io::pipe().unwrap();
    let file = OpenFile::new(File::from(std::os::fd::OwnedFd::from(writer)));
    let mut driver = Driver::new(&DriverOptions::new(1), Pool::held()).unwrap();
    let plane = driver.handle.plane().clone();
    // More than a pipe holds, so the last of them waits for a reader.
    let start = |_| {
        let bytes = Counted::new(vec![7; 8192]);
        plane.start(Some(0), Write::new(file.clone(), bytes, 0, At::Cursor))
    };
    let mut writes: Vec<_> = (0..32).map(start).collect();
    let mut wakers: Vec<std::task::Waker> = Vec::new();
    let begun = zokio_base::clock::real_now();
    let deadline = begun + Duration::from_millis(50);
    driver.workers[0].shutdown(Some(deadline), &mut wakers);
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "it has a deadline"
    );
    let abandoned = plane.metrics().abandoned;
    assert!(abandoned > 0);
    let is_lost = |write: &mut Op<Write<Counted>>| matches!(poll_once(write), Poll::Ready(sent) if sent.buf.is_none() && sent.result.is_err());
    let lost = writes.iter_mut().map(is_lost).filter(|&is_lost| is_lost);
    assert_eq!(lost.count() as u64, abandoned);
    drop((writes, file, driver));
    assert_ne!(BUFFERS.load(Ordering::Relaxed), 0, "the kernel has them");
    // A reader comes: the kernel goes on.
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut { reader }, &mut bytes).unwrap();
    assert!(bytes.len() > 8192 && bytes.iter().all(|&byte| byte == 7));
    while BUFFERS.load(Ordering::Relaxed) > 0 || plane.metrics().in_flight > 0 {
        std::thread::yield_now();
    }
}

/// A thread that lost its worker's core in a long poll takes itself for the worker still. What it
/// leaves has to end the wait of the worker, which is elsewhere.
#[test]
fn what_is_left_for_a_worker_that_waits_ends_its_wait() {
    let _turn = TURN.lock().unwrap_or_else(|poison| poison.into_inner());
    if !has_ring() {
        return;
    }
    let unparked = Arc::new(AtomicIsize::new(0));
    let count = unparked.clone();
    let unpark = Arc::new(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let plane = Plane::new(1, IoMode::Uring, Pool::held(), unpark, None).unwrap();
    let stat = || Statx::new(OpPath::new("/".as_ref()).unwrap(), true);
    let first = plane.start(Some(0), stat());
    assert_eq!(unparked.load(Ordering::Relaxed), 0, "the worker is awake");
    assert!(!plane.lane(0).begin_wait(), "there is mail");
    settle(&plane);
    assert!(plane.lane(0).begin_wait());
    let second = plane.start(Some(0), stat());
    assert_eq!(unparked.load(Ordering::Relaxed), 1);
    plane.lane(0).end_wait();
    settle(&plane);
    drop((first, second));
}
