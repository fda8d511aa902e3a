//! Files, names and directories.

use super::kit::*;
use proptest::prelude::*;
use std::io::{ErrorKind, SeekFrom};
use std::path::{Path, PathBuf};
use zokio::runtime::IoMode;

/// One step on open files, or on a small tree of names.
#[derive(Debug, Clone)]
pub enum Step {
    Open(usize, u8),
    Read(usize, u16),
    ReadExact(usize, u16),
    ReadToEnd(usize),
    Write(usize, u16, u8),
    WriteVectored(usize, u16, u16),
    Seek(usize, Whence, i16),
    SetLen(usize, u16),
    Sync(usize, bool),
    Forget(usize),
    Stat(usize),
    SetMode(usize, bool),
    SetTimes(usize, u32),
    Clone(usize),
    Renew(usize),
    Close(usize),
    Metadata(usize, bool),
    Exists(usize),
    Rename(usize, usize),
    RemoveFile(usize),
    RemoveDir(usize),
    RemoveAll(usize),
    Mkdir(usize, bool),
    Link(usize, usize),
    Symlink(usize, usize),
    ReadLink(usize),
    Canonicalize(usize),
    Copy(usize, usize),
    ReadWhole(usize, bool),
    WriteWhole(usize, u16),
    List(usize),
    Chmod(usize, bool),
}

#[derive(Debug, Clone, Copy)]
pub enum Whence {
    Start,
    Current,
    End,
}

/// How many files may be open at once.
const HANDLES: usize = 6;
/// How many names there are.
const NAMES: usize = 11;

/// Names that exist at times, and names that cannot: through a file, through nothing, too long,
/// nothing at all, not to be had in C.
fn name(dir: &Path, index: usize) -> PathBuf {
    match index {
        0..3 => dir.join(["a", "b", "c"][index]),
        3..5 => dir.join(["d", "e"][index - 3]),
        5 => dir.join("d/x"),
        6 => dir.join("a/x"),
        7 => dir.join("missing/x"),
        8 => dir.join("n".repeat(300)),
        9 => PathBuf::new(),
        _ => dir.join("in\0side"),
    }
}

pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Mostly names that may be there.
    let n = prop_oneof![8 => 0..7_usize, 1 => 7..NAMES];
    let h = 0..HANDLES;
    let whence = prop_oneof![
        Just(Whence::Start),
        Just(Whence::Current),
        Just(Whence::End)
    ];
    let (two, flag) = ((n.clone(), n.clone()), any::<bool>());
    let len = prop_oneof![1..100_u16, 1..20_000_u16];
    let on_files = prop_oneof![
        6 => (h.clone(), len.clone()).prop_map(|(h, len)| Step::Read(h, len)),
        2 => (h.clone(), len.clone()).prop_map(|(h, len)| Step::ReadExact(h, len)),
        2 => h.clone().prop_map(Step::ReadToEnd),
        6 => (h.clone(), len.clone(), any::<u8>()).prop_map(|(h, len, b)| Step::Write(h, len, b)),
        2 => (h.clone(), len.clone(), len.clone()).prop_map(|(h, a, b)| Step::WriteVectored(h, a, b)),
        4 => (h.clone(), whence, -9_000..20_000_i16).prop_map(|(h, w, by)| Step::Seek(h, w, by)),
        1 => (h.clone(), len.clone()).prop_map(|(h, len)| Step::SetLen(h, len)),
        1 => (h.clone(), flag).prop_map(|(h, data)| Step::Sync(h, data)),
        3 => h.clone().prop_map(Step::Forget),
        1 => h.clone().prop_map(Step::Stat),
        1 => (h.clone(), flag).prop_map(|(h, all)| Step::SetMode(h, all)),
        1 => (h.clone(), any::<u32>()).prop_map(|(h, at)| Step::SetTimes(h, at)),
        1 => h.clone().prop_map(Step::Clone),
        2 => h.clone().prop_map(Step::Renew),
        2 => h.prop_map(Step::Close),
    ];
    let on_names = prop_oneof![
        2 => (n.clone(), flag).prop_map(|(n, follow)| Step::Metadata(n, follow)),
        1 => n.clone().prop_map(Step::Exists),
        2 => two.clone().prop_map(|(a, b)| Step::Rename(a, b)),
        2 => n.clone().prop_map(Step::RemoveFile),
        1 => n.clone().prop_map(Step::RemoveDir),
        1 => n.clone().prop_map(Step::RemoveAll),
        2 => (n.clone(), flag).prop_map(|(n, all)| Step::Mkdir(n, all)),
        1 => two.clone().prop_map(|(a, b)| Step::Link(a, b)),
        1 => two.clone().prop_map(|(a, b)| Step::Symlink(a, b)),
        1 => n.clone().prop_map(Step::ReadLink),
        1 => n.clone().prop_map(Step::Canonicalize),
        1 => two.prop_map(|(a, b)| Step::Copy(a, b)),
        2 => (n.clone(), flag).prop_map(|(n, is_text)| Step::ReadWhole(n, is_text)),
        2 => (n.clone(), len).prop_map(|(n, len)| Step::WriteWhole(n, len)),
        1 => n.clone().prop_map(Step::List),
        1 => (n.clone(), flag).prop_map(|(n, all)| Step::Chmod(n, all)),
    ];
    let open = (n, any::<u8>()).prop_map(|(n, how)| Step::Open(n, how));
    let step = prop_oneof![3 => open, 8 => on_files, 5 => on_names];
    prop::collection::vec(step, 1..50)
}

/// `len` bytes that are text and differ from `begin` to `begin`.
fn bytes(len: u16, begin: u8) -> Vec<u8> {
    (0..len)
        .map(|n| (n as u8).wrapping_add(begin) & 127)
        .collect()
}

/// The metadata, less those that differ by nature: inodes, times, sizes of directories and links.
fn described(metadata: std::fs::Metadata) -> Seen {
    use std::os::unix::fs::MetadataExt;
    let len = if metadata.is_file() {
        metadata.len()
    } else {
        0
    };
    let (mode, links) = (metadata.mode(), metadata.nlink());
    Seen::Text(format!("{mode:o} {links} links {len} bytes"))
}

fn mode(all: bool) -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    std::fs::Permissions::from_mode(if all { 0o777 } else { 0o600 })
}

/// A path without the directory of the world it comes from.
fn inside(dir: &Path, path: PathBuf) -> Seen {
    let path = path.to_string_lossy().into_owned();
    Seen::Text(path.replace(&*dir.to_string_lossy(), "DIR"))
}

/// Has the system forget what is in a file, so that reading it has to wait.
#[allow(unsafe_code)]
pub fn forget(fd: i32) {
    // SAFETY: numbers only; whatever the file is, these harm nothing.
    unsafe {
        libc::fdatasync(fd);
        libc::posix_fadvise(fd, 0, 0, libc::POSIX_FADV_DONTNEED);
    }
}

/// The code that carries steps out, once for both: `$await` is nothing or `.await`.
macro_rules! world {
    ([$($async:tt)*], [$($await:tt)*]) => {
        #[derive(Default)]
        pub struct World {
            dir: PathBuf,
            files: Vec<File>,
        }

        impl World {
            pub fn new(dir: &Path) -> Self {
                Self { dir: dir.to_owned(), files: Vec::new() }
            }

            pub $($async)* fn run(mut self, steps: Vec<Step>) -> Vec<Seen> {
                let mut seen = Vec::new();
                for step in steps {
                    let what = match step {
                        Step::Open(n, bits) => self.open(n, bits) $($await)*,
                        _ => match handle_of(&step) {
                            Some(_) if self.files.is_empty() => Seen::Skipped,
                            Some(h) => {
                                let h = h % self.files.len();
                                self.on_file(h, step) $($await)*
                            }
                            None => on_name(&self.dir, step) $($await)*,
                        },
                    };
                    seen.push(what);
                }
                seen
            }

            $($async)* fn open(&mut self, n: usize, bits: u8) -> Seen {
                let mut how = fs::OpenOptions::new();
                how.read(bits & 1 != 0)
                    .write(bits & 2 != 0)
                    .append(bits & 12 == 12)
                    .truncate(bits & 24 == 24)
                    .create(bits & 32 != 0)
                    .create_new(bits & 192 == 192)
                    .mode(if bits & 64 != 0 { 0o600 } else { 0o666 });
                let opened = how.open(name(&self.dir, n)) $($await)*;
                Seen::of(opened, |file| {
                    self.files.push(file);
                    if self.files.len() > HANDLES {
                        self.files.remove(0);
                    }
                    Seen::Done
                })
            }

            $($async)* fn on_file(&mut self, h: usize, step: Step) -> Seen {
                let file = &mut self.files[h];
                match step {
                    Step::Read(_, len) => {
                        let mut buf = vec![0; len.into()];
                        // A call may end where what is in memory ends. It may not be empty before
                        // the end of the file, and an error comes first.
                        let mut filled = 0;
                        loop {
                            match file.read(&mut buf[filled..]) $($await)* {
                                Ok(0) => break,
                                Ok(count) => filled += count,
                                Err(error) => return Seen::unit(Err(error)),
                            }
                            if filled == buf.len() {
                                break;
                            }
                        }
                        buf.truncate(filled);
                        Seen::Bytes(buf)
                    }
                    Step::ReadExact(_, len) => {
                        let mut buf = vec![0; len.into()];
                        let read = file.read_exact(&mut buf) $($await)*;
                        Seen::of(read.map(drop), |()| Seen::Bytes(buf))
                    }
                    Step::ReadToEnd(_) => {
                        let mut buf = Vec::new();
                        let count = file.read_to_end(&mut buf) $($await)*;
                        Seen::of(count, |count| {
                            assert_eq!(count, buf.len());
                            Seen::Bytes(buf)
                        })
                    }
                    Step::Write(_, len, begin) => {
                        let written = file.write_all(&bytes(len, begin)) $($await)*;
                        // An error of an earlier write is told at the latest here.
                        let flushed = file.flush() $($await)*;
                        let result = written.and(flushed);
                        if result.is_err() {
                            leave_rest(file) $($await)*;
                        }
                        Seen::unit(result)
                    }
                    Step::WriteVectored(_, a, b) => {
                        let (a, b) = (bytes(a, 1), bytes(b, 100));
                        let parts = [std::io::IoSlice::new(&a), std::io::IoSlice::new(&b)];
                        // How much the first call takes is not said: files of the runtime may
                        // take all of it, and tell what became of the rest at the flush.
                        let mut written = file.write_vectored(&parts) $($await)*;
                        if let Ok(count) = written {
                            let rest = [a, b].concat().split_off(count);
                            written = file.write_all(&rest) $($await)* .map(|()| 0);
                        }
                        let flushed = file.flush() $($await)*;
                        let result = written.and(flushed);
                        if result.is_err() {
                            leave_rest(file) $($await)*;
                        }
                        Seen::unit(result)
                    }
                    Step::Seek(_, whence, by) => {
                        let to = match whence {
                            Whence::Start => SeekFrom::Start(by.unsigned_abs().into()),
                            Whence::Current => SeekFrom::Current(by.into()),
                            Whence::End => SeekFrom::End(by.into()),
                        };
                        Seen::number(file.seek(to) $($await)*)
                    }
                    Step::SetLen(_, len) => Seen::unit(file.set_len(len.into()) $($await)*),
                    Step::Sync(_, true) => Seen::unit(file.sync_data() $($await)*),
                    Step::Sync(_, false) => Seen::unit(file.sync_all() $($await)*),
                    Step::Forget(_) => {
                        forget(file.as_raw_fd());
                        Seen::Done
                    }
                    Step::Stat(_) => Seen::of(file.metadata() $($await)*, described),
                    Step::SetMode(_, all) => {
                        Seen::unit(file.set_permissions(mode(all)) $($await)*)
                    }
                    Step::SetTimes(_, at) => {
                        let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(at.into());
                        match file.set_modified(at) $($await)* {
                            Ok(()) => {
                                let metadata = file.metadata() $($await)*;
                                Seen::text(metadata.and_then(|it| it.modified()))
                            }
                            Err(error) => Seen::unit(Err(error)),
                        }
                    }
                    Step::Clone(_) => {
                        let other = file.try_clone() $($await)*;
                        Seen::of(other, |other| {
                            self.files.push(other);
                            if self.files.len() > HANDLES {
                                self.files.remove(0);
                            }
                            Seen::Done
                        })
                    }
                    Step::Renew(_) => {
                        let file = self.files.swap_remove(h);
                        self.files.push(renewed(file) $($await)*);
                        Seen::Done
                    }
                    _ => {
                        drop(self.files.swap_remove(h));
                        Seen::Done
                    }
                }
            }
        }

        $($async)* fn on_name(dir: &Path, step: Step) -> Seen {
            let path = |n| name(dir, n);
            match step {
                Step::Metadata(n, true) => Seen::of(fs::metadata(path(n)) $($await)*, described),
                Step::Metadata(n, false) => {
                    Seen::of(fs::symlink_metadata(path(n)) $($await)*, described)
                }
                Step::Exists(n) => Seen::text(try_exists(path(n)) $($await)*),
                Step::Rename(a, b) => Seen::unit(fs::rename(path(a), path(b)) $($await)*),
                Step::RemoveFile(n) => Seen::unit(fs::remove_file(path(n)) $($await)*),
                Step::RemoveDir(n) => Seen::unit(fs::remove_dir(path(n)) $($await)*),
                Step::RemoveAll(n) => Seen::unit(fs::remove_dir_all(path(n)) $($await)*),
                Step::Mkdir(n, false) => Seen::unit(fs::create_dir(path(n)) $($await)*),
                Step::Mkdir(n, true) => Seen::unit(fs::create_dir_all(path(n)) $($await)*),
                Step::Link(a, b) => Seen::unit(fs::hard_link(path(a), path(b)) $($await)*),
                Step::Symlink(a, b) => Seen::unit(symlink(path(a), path(b)) $($await)*),
                Step::ReadLink(n) => {
                    Seen::of(fs::read_link(path(n)) $($await)*, |to| inside(dir, to))
                }
                Step::Canonicalize(n) => {
                    Seen::of(fs::canonicalize(path(n)) $($await)*, |to| inside(dir, to))
                }
                Step::Copy(a, b) => Seen::number(fs::copy(path(a), path(b)) $($await)*),
                Step::ReadWhole(n, false) => Seen::of(fs::read(path(n)) $($await)*, Seen::Bytes),
                Step::ReadWhole(n, true) => {
                    Seen::of(fs::read_to_string(path(n)) $($await)*, Seen::Text)
                }
                Step::WriteWhole(n, len) => {
                    Seen::unit(fs::write(path(n), bytes(len, 3)) $($await)*)
                }
                Step::List(n) => Seen::text(list(&path(n)) $($await)*),
                Step::Chmod(n, all) => {
                    Seen::unit(fs::set_permissions(path(n), mode(all)) $($await)*)
                }
                _ => unreachable!("no step on a name"),
            }
        }
    };
}

/// By blocking calls.
mod plain {
    use super::*;
    use std::fs::{self, File};
    use std::io::{self, Read, Seek, Write};
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::{OpenOptionsExt, symlink};

    fn renewed(file: File) -> File {
        file
    }

    /// Forgets the bytes that were not written.
    fn leave_rest(_file: &mut File) {}

    fn try_exists(path: PathBuf) -> io::Result<bool> {
        path.try_exists()
    }

    fn list(path: &Path) -> io::Result<Vec<(String, bool)>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            names.push((name, entry.file_type()?.is_dir()));
        }
        names.sort();
        Ok(names)
    }

    world!([], []);
}

/// By the runtime.
mod ours {
    use super::*;
    use std::io;
    use std::os::fd::AsRawFd;
    use zokio::fs::{self, File, symlink, try_exists};
    use zokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

    async fn renewed(file: File) -> File {
        File::from_std(file.into_std().await)
    }

    /// The bytes that were not written are kept until the position leaves them.
    async fn leave_rest(file: &mut File) {
        let _ = file.stream_position().await;
    }

    async fn list(path: &Path) -> io::Result<Vec<(String, bool)>> {
        let mut names = Vec::new();
        let mut entries = fs::read_dir(path).await?;
        while let Some(entry) = entries.next_entry().await? {
            let name = entry.file_name().to_string_lossy().into_owned();
            names.push((name, entry.file_type().await?.is_dir()));
        }
        names.sort();
        Ok(names)
    }

    world!([async], [.await]);
}

/// Which open file a step is about.
fn handle_of(step: &Step) -> Option<usize> {
    match *step {
        Step::Read(h, _)
        | Step::ReadExact(h, _)
        | Step::ReadToEnd(h)
        | Step::Write(h, ..)
        | Step::WriteVectored(h, ..)
        | Step::Seek(h, ..)
        | Step::SetLen(h, _)
        | Step::Sync(h, _)
        | Step::Forget(h)
        | Step::Stat(h)
        | Step::SetMode(h, _)
        | Step::SetTimes(h, _)
        | Step::Clone(h)
        | Step::Renew(h)
        | Step::Close(h) => Some(h),
        _ => None,
    }
}

/// Everything below `dir`: names, what they are, and what is in them.
fn tree(dir: &Path) -> Vec<(PathBuf, Seen, Seen)> {
    let mut all = Vec::new();
    let mut left = vec![dir.to_owned()];
    while let Some(at) = left.pop() {
        for entry in std::fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            let contents = if metadata.is_file() {
                Seen::Bytes(std::fs::read(&path).unwrap())
            } else if metadata.is_dir() {
                left.push(path.clone());
                Seen::Done
            } else {
                inside(dir, std::fs::read_link(&path).unwrap())
            };
            let name = path.strip_prefix(dir).unwrap().to_owned();
            all.push((name, described(metadata), contents));
        }
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

fn furnish(dir: &Path) {
    std::fs::write(dir.join("a"), b"hello, world").unwrap();
    std::fs::create_dir(dir.join("d")).unwrap();
}

/// Runs sequences in directories that `room` makes, and holds every runtime against the blocking
/// calls.
pub fn compare<D: AsRef<Path>>(what: &str, cases: u32, met: &[ErrorKind], room: impl Fn() -> D) {
    let sides = runtimes();
    let _storm = Storm::begin();
    let mut number = 0;
    let mut tally = Tally::default();
    for_each(what, cases, &steps(), |steps| {
        number += 1;
        let expected = {
            let dir = room();
            furnish(dir.as_ref());
            let seen = plain::World::new(dir.as_ref()).run(steps.clone());
            (seen, tree(dir.as_ref()))
        };
        tally.count(&expected.0);
        for side in &sides {
            let dir = room();
            furnish(dir.as_ref());
            let seen = side.run(ours::World::new(dir.as_ref()).run(steps.clone()));
            check(side, &steps, &seen, &expected.0);
            assert_eq!(tree(dir.as_ref()), expected.1, "{}", side.name);
        }
    });
    tally.has(what, met);
    for side in &sides {
        let operations = side.runtime.metrics().operations();
        println!("{what}, {}: {number} sequences, {operations:?}", side.name);
        assert_eq!(operations.in_flight, 0);
        if side.mode == IoMode::Uring {
            assert!(operations.on_ring > 0, "nothing went to the ring");
        } else {
            assert_eq!(operations.on_ring, 0);
        }
        assert!(operations.offloaded > 0);
    }
}

/// The errors that have to be met on the way.
const MET: [ErrorKind; 7] = [
    ErrorKind::NotFound,
    ErrorKind::AlreadyExists,
    ErrorKind::InvalidInput,
    ErrorKind::IsADirectory,
    ErrorKind::NotADirectory,
    ErrorKind::DirectoryNotEmpty,
    ErrorKind::UnexpectedEof,
];

#[test]
fn files_on_a_disk() {
    compare("files on a disk", 400, &MET, || {
        tempfile::tempdir().unwrap()
    });
}

#[test]
fn files_in_memory() {
    compare("files in memory", 400, &MET, || {
        tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
    });
}

/// File systems of a few pages: at every size something does not fit.
#[test]
fn files_where_there_is_no_room() {
    in_child("files::files_where_there_is_no_room", || {
        if let Err(error) = own_mounts().and_then(|()| Mount::new()) {
            println!("not run: no file system can be mounted: {error}");
            return;
        }
        let met = [ErrorKind::StorageFull];
        compare("files without room", 400, &met, || Mount::new().unwrap());
    });
}

/// Files may not be made longer than 8,000 bytes.
#[test]
fn files_that_may_not_grow() {
    in_child("files::files_that_may_not_grow", || {
        // SAFETY: no handler.
        #[allow(unsafe_code)]
        unsafe {
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN)
        };
        // The test program's own output is not a file of that length.
        limit(libc::RLIMIT_FSIZE, 8_000);
        let met = [ErrorKind::FileTooLarge];
        compare("files that may not grow", 400, &met, || {
            tempfile::tempdir().unwrap()
        });
    });
}

/// Mounts made by this thread and those it starts are theirs only.
#[allow(unsafe_code)]
pub fn own_mounts() -> std::io::Result<()> {
    let none = std::ptr::null();
    // SAFETY: strings that end, and no data.
    let result = unsafe {
        if libc::unshare(libc::CLONE_NEWNS) == 0 {
            let how = libc::MS_REC | libc::MS_PRIVATE;
            libc::mount(none, c"/".as_ptr(), none, how, none.cast())
        } else {
            -1
        }
    };
    if result == 0 {
        Ok(())
    } else {
        Err(std::io::Error::last_os_error())
    }
}

/// A file system in 16 pages of memory, for 12 files.
pub struct Mount(tempfile::TempDir);

impl AsRef<Path> for Mount {
    fn as_ref(&self) -> &Path {
        self.0.path()
    }
}

impl Mount {
    #[allow(unsafe_code)]
    pub fn new() -> std::io::Result<Self> {
        let dir = tempfile::tempdir()?;
        let path = std::ffi::CString::new(dir.path().to_str().unwrap()).unwrap();
        let (kind, options) = (c"tmpfs", c"size=64k,nr_inodes=12");
        // SAFETY: strings that end.
        let result = unsafe {
            let data = options.as_ptr().cast();
            libc::mount(kind.as_ptr(), path.as_ptr(), kind.as_ptr(), 0, data)
        };
        if result == 0 {
            Ok(Self(dir))
        } else {
            Err(std::io::Error::last_os_error())
        }
    }
}

impl Drop for Mount {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        let path = std::ffi::CString::new(self.0.path().to_str().unwrap()).unwrap();
        // SAFETY: a string that ends.
        unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) };
    }
}
