//! The same operations on the ring and on the blocking pool give the same results, errors included.
#![cfg(target_os = "linux")]

mod common;

use common::{Pool, block_on, has_ring, plane};
use proptest::prelude::*;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zokio_driver::op::*;
use zokio_driver::uring::IoMode;

/// One step on a small tree of names.
#[derive(Debug, Clone)]
enum Step {
    Open(usize, u8),
    Read(usize, Option<u16>, u16),
    Write(usize, Option<u16>, u16),
    Sync(usize, bool),
    Close(usize),
    Statx(usize, bool),
    Rename(usize, usize),
    Unlink(usize),
    Rmdir(usize),
    Mkdir(usize),
    Link(usize, usize),
    Symlink(usize, usize),
}

/// Names that exist at times, and names that cannot: through a file, through nothing, too long,
/// a device that is always full, nothing at all.
const NAMES: usize = 12;

fn name(dir: &Path, index: usize) -> PathBuf {
    match index {
        0..3 => dir.join(["a", "b", "c"][index]),
        3..5 => dir.join(["d", "e"][index - 3]),
        5 => dir.join("d/x"),
        6 => dir.join("a/x"),
        7 => dir.join("missing/x"),
        8 => dir.join("n".repeat(300)),
        9 => PathBuf::from("/dev/full"),
        10 => PathBuf::new(),
        _ => dir.join("d/"),
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let n = 0..NAMES;
    let h = 0..6_usize;
    let at = proptest::option::of(0..5000_u16);
    let step = prop_oneof![
        4 => (n.clone(), any::<u8>()).prop_map(|(n, how)| Step::Open(n, how)),
        4 => (h.clone(), at.clone(), 0..5000_u16).prop_map(|(h, at, len)| Step::Read(h, at, len)),
        4 => (h.clone(), at, 0..5000_u16).prop_map(|(h, at, len)| Step::Write(h, at, len)),
        1 => (h.clone(), any::<bool>()).prop_map(|(h, data)| Step::Sync(h, data)),
        1 => h.prop_map(Step::Close),
        2 => (n.clone(), any::<bool>()).prop_map(|(n, follow)| Step::Statx(n, follow)),
        2 => (n.clone(), n.clone()).prop_map(|(a, b)| Step::Rename(a, b)),
        2 => n.clone().prop_map(Step::Unlink),
        1 => n.clone().prop_map(Step::Rmdir),
        2 => n.clone().prop_map(Step::Mkdir),
        1 => (n.clone(), n.clone()).prop_map(|(a, b)| Step::Link(a, b)),
        1 => (n.clone(), n).prop_map(|(a, b)| Step::Symlink(a, b)),
    ];
    prop::collection::vec(step, 1..40)
}

/// A result without what differs by nature: descriptors, inodes, times.
#[derive(Debug, PartialEq)]
enum Seen {
    Done,
    Count(usize),
    Bytes(Vec<u8>),
    Stat(FileKind, u64, u32, u64),
    Error(io::ErrorKind, Option<i32>),
    NoFile,
}

fn seen<T>(result: io::Result<T>, ok: impl FnOnce(T) -> Seen) -> Seen {
    match result {
        Ok(value) => ok(value),
        Err(error) => Seen::Error(error.kind(), error.raw_os_error()),
    }
}

struct World {
    plane: Arc<Plane>,
    dir: tempfile::TempDir,
    files: Vec<Arc<OpenFile>>,
}

impl World {
    fn new(plane: &Arc<Plane>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), b"hello, world").unwrap();
        std::fs::create_dir(dir.path().join("d")).unwrap();
        Self {
            plane: plane.clone(),
            dir,
            files: Vec::new(),
        }
    }

    fn path(&self, index: usize) -> OpPath {
        OpPath::new(&name(self.dir.path(), index)).unwrap()
    }

    fn run<O: Backends>(&self, operation: O) -> O::Output {
        block_on(&self.plane, self.plane.start(Some(0), operation))
    }

    fn unit<O: Backends<Output = io::Result<()>>>(&self, operation: O) -> Seen {
        seen(self.run(operation), |()| Seen::Done)
    }

    fn file(&self, pick: usize) -> Option<Arc<OpenFile>> {
        let index = pick.checked_rem(self.files.len())?;
        Some(self.files[index].clone())
    }

    fn step(&mut self, step: &Step) -> Seen {
        match *step {
            Step::Open(n, bits) => {
                let how = OpenHow {
                    read: bits & 1 != 0,
                    write: bits & 2 != 0,
                    append: bits & 4 != 0,
                    truncate: bits & 8 != 0,
                    create: bits & 16 != 0,
                    create_new: bits & 96 == 96,
                    mode: if bits & 128 != 0 { 0o600 } else { 0o666 },
                    ..OpenHow::default()
                };
                let opened = self.run(Open::new(self.path(n), how));
                seen(opened, |file| {
                    self.files.push(OpenFile::new(file));
                    Seen::Done
                })
            }
            Step::Read(h, at, len) => {
                let Some(file) = self.file(h) else {
                    return Seen::NoFile;
                };
                let at = at.map_or(At::Cursor, |at| At::Offset(at.into()));
                let buf = Vec::with_capacity(len.into());
                let filled = self.run(Read::new(file, buf, 0, len.into(), at));
                let buf = filled.buf.unwrap();
                seen(filled.result, |count| {
                    assert_eq!(count, buf.len());
                    Seen::Bytes(buf)
                })
            }
            Step::Write(h, at, len) => {
                let Some(file) = self.file(h) else {
                    return Seen::NoFile;
                };
                let at = at.map_or(At::Cursor, |at| At::Offset(at.into()));
                let buf: Vec<u8> = (0..len).map(|n| n as u8).collect();
                let sent = self.run(Write::new(file, buf, usize::from(len / 3), at));
                assert_eq!(sent.buf.unwrap().len(), usize::from(len));
                seen(sent.result, Seen::Count)
            }
            Step::Sync(h, data_only) => match (self.file(h), data_only) {
                (None, _) => Seen::NoFile,
                (Some(file), true) => self.unit(Fdatasync::new(file)),
                (Some(file), false) => self.unit(Fsync::new(file)),
            },
            Step::Close(h) => {
                let Some(index) = h.checked_rem(self.files.len()) else {
                    return Seen::NoFile;
                };
                let file = Arc::into_inner(self.files.swap_remove(index)).unwrap();
                self.unit(Close::new(file.into_std()))
            }
            Step::Statx(n, follow) => seen(self.run(Statx::new(self.path(n), follow)), |stat| {
                // How long a symbolic link is depends on the directory's name.
                let len = match stat.kind {
                    FileKind::File => stat.len,
                    _ => 0,
                };
                Seen::Stat(stat.kind, len, stat.permissions, stat.links)
            }),
            Step::Rename(a, b) => self.unit(Rename::new(self.path(a), self.path(b))),
            Step::Unlink(n) => self.unit(Unlink::new(self.path(n))),
            Step::Rmdir(n) => self.unit(Rmdir::new(self.path(n))),
            Step::Mkdir(n) => self.unit(Mkdir::new(self.path(n), 0o751)),
            Step::Link(a, b) => self.unit(Link::new(self.path(a), self.path(b))),
            Step::Symlink(a, b) => self.unit(Symlink::new(self.path(a), self.path(b))),
        }
    }
}

/// A step that would do something to `/dev/full` itself rather than to what is written there.
fn is_harmful(step: &Step) -> bool {
    matches!(
        step,
        Step::Rename(9, _) | Step::Rename(_, 9) | Step::Unlink(9) | Step::Rmdir(9)
    )
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn ring_and_pool_agree(steps in steps()) {
        if !has_ring() {
            return Ok(());
        }
        let pool = Pool::running(1);
        let ring = plane(IoMode::Uring, &pool).unwrap();
        let offload = plane(IoMode::Epoll, &pool).unwrap();
        let (mut on_ring, mut offloaded) = (World::new(&ring), World::new(&offload));
        for step in steps.iter().filter(|step| !is_harmful(step)) {
            prop_assert_eq!(on_ring.step(step), offloaded.step(step), "{:?}", step);
        }
        prop_assert_eq!(offload.metrics().on_ring, 0);
        pool.close();
    }
}

#[test]
fn named_errors_are_the_same() {
    let pool = Pool::running(1);
    let mut planes = vec![plane(IoMode::Epoll, &pool).unwrap()];
    if has_ring() {
        planes.push(plane(IoMode::Uring, &pool).unwrap());
    }
    for plane in &planes {
        let mut world = World::new(plane);
        let kind = |seen| match seen {
            Seen::Error(kind, _) => kind,
            other => panic!("{other:?} is no error"),
        };
        const READ: u8 = 1;
        const WRITE: u8 = 2;
        const CREATE_NEW: u8 = 96 | WRITE;
        use io::ErrorKind::*;
        assert_eq!(kind(world.step(&Step::Open(7, READ))), NotFound);
        assert_eq!(kind(world.step(&Step::Open(3, WRITE))), IsADirectory);
        assert_eq!(kind(world.step(&Step::Open(6, READ))), NotADirectory);
        assert_eq!(kind(world.step(&Step::Open(0, CREATE_NEW))), AlreadyExists);
        assert_eq!(kind(world.step(&Step::Open(0, 0))), InvalidInput);
        assert_eq!(kind(world.step(&Step::Mkdir(3))), AlreadyExists);
        assert_eq!(world.step(&Step::Open(3, READ)), Seen::Done);
        assert_eq!(kind(world.step(&Step::Read(0, None, 10))), IsADirectory);
        world.files.clear();
        assert_eq!(world.step(&Step::Open(9, WRITE)), Seen::Done);
        assert_eq!(kind(world.step(&Step::Write(0, None, 10))), StorageFull);
        world.files.clear();
        assert_eq!(world.step(&Step::Open(0, WRITE)), Seen::Done);
        // A file that is not open for reading.
        assert_eq!(
            world.step(&Step::Read(0, None, 10)),
            Seen::Error(
                io::Error::from_raw_os_error(libc::EBADF).kind(),
                Some(libc::EBADF)
            )
        );
    }
    pool.close();
}

/// Both planes, or the one that there is.
fn modes() -> impl Iterator<Item = IoMode> {
    [IoMode::Epoll]
        .into_iter()
        .chain(has_ring().then_some(IoMode::Uring))
}

/// The standard library's options, which tell nobody what they say.
#[test]
fn options_of_the_standard_library_open_what_they_say() {
    let pool = Pool::running(1);
    for mode in modes() {
        let plane = plane(mode, &pool).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let open = |options: &std::fs::OpenOptions| {
            let how = OpenHow::from(options.clone());
            let open = Open::new(OpPath::new(&path).unwrap(), how);
            block_on(&plane, plane.start(Some(0), open))
        };
        let mut options = File::options();
        options.write(true).create_new(true);
        std::io::Write::write_all(&mut open(&options).unwrap(), b"hello").unwrap();
        let again = open(&options).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        let mut options = File::options();
        options.append(true);
        std::io::Write::write_all(&mut open(&options).unwrap(), b" world").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"hello world");
        assert_eq!(
            plane.metrics().on_ring,
            0,
            "what cannot be read is not told a ring"
        );
    }
    pool.close();
}

/// Places that a file does not have: behind what a number can say, and in a pipe.
#[test]
fn places_that_there_are_not() {
    let pool = Pool::running(1);
    for mode in modes() {
        let plane = plane(mode, &pool).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let mut options = File::options();
        options.read(true).write(true).create(true);
        let file = OpenFile::new(options.open(&path).unwrap());
        let (reader, writer) = std::io::pipe().unwrap();
        let ends = [
            OpenFile::new(File::from(std::os::fd::OwnedFd::from(reader))),
            OpenFile::new(File::from(std::os::fd::OwnedFd::from(writer))),
        ];
        for (files, offset, code) in [
            ([&file, &file], u64::MAX, libc::EINVAL),
            ([&file, &file], i64::MAX as u64 + 1, libc::EINVAL),
            ([&ends[0], &ends[1]], 0, libc::ESPIPE),
        ] {
            let at = At::Offset(offset);
            let [from, to] = files.map(Arc::clone);
            let read = || Read::new(from.clone(), Vec::with_capacity(8), 0, 8, at);
            let write = || Write::new(to.clone(), vec![7; 8], 0, at);
            let filled = block_on(&plane, plane.start(Some(0), read()));
            assert_eq!(filled.result.unwrap_err().raw_os_error(), Some(code));
            assert!(filled.buf.unwrap().is_empty());
            let sent = block_on(&plane, plane.start(Some(0), write()));
            assert_eq!(sent.result.unwrap_err().raw_os_error(), Some(code));
            assert_eq!(sent.buf.unwrap(), [7; 8]);
            // At once it is the same, or it is not done.
            if let Ok(filled) = read().try_now() {
                assert_eq!(filled.result.unwrap_err().raw_os_error(), Some(code));
            }
            if let Ok(sent) = write().try_now() {
                assert_eq!(sent.result.unwrap_err().raw_os_error(), Some(code));
            }
        }
        assert_eq!(file.metadata().unwrap().len(), 0);
    }
    pool.close();
}

/// Operations begun together: each has its own outcome, the ring is entered once for all of them.
#[test]
fn many_begun_together() {
    let pool = Pool::running(1);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let bytes: Vec<u8> = (0..64 * 16_u32).map(|n| (n * 7 / 3) as u8).collect();
    std::fs::write(&path, &bytes).unwrap();
    let file = OpenFile::new(File::open(&path).unwrap());
    for mode in modes() {
        let plane = plane(mode, &pool).unwrap();
        let reads = (0..64).map(|n| {
            let buf = Vec::with_capacity(16);
            Read::new(file.clone(), buf, 0, 16, At::Offset(n * 16))
        });
        let reads = plane.start_all(Some(0), reads);
        assert_eq!(reads.len(), 64);
        for (n, read) in reads.into_iter().enumerate() {
            let filled = block_on(&plane, read);
            assert_eq!(filled.result.unwrap(), 16);
            assert_eq!(filled.buf.unwrap(), bytes[n * 16..][..16]);
        }
        let metrics = plane.metrics();
        match mode {
            IoMode::Epoll => assert_eq!((metrics.offloaded, metrics.on_ring), (64, 0)),
            _ => assert_eq!((metrics.on_ring, metrics.enters), (64, 1)),
        }
        assert!(plane.start_all(Some(0), Vec::<Fsync>::new()).is_empty());
        // A lane that takes nothing any more: the pool does it.
        plane.lane(0).shutdown(None, &mut Vec::new());
        let late = (0..4).map(|_| Fsync::new(file.clone()));
        for sync in plane.start_all(Some(0), late) {
            block_on(&plane, sync).unwrap();
        }
    }
    pool.close();
}
