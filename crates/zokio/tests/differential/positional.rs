//! Reads and writes at an offset, alone and in batches, with buffers of each kind, beside reads and
//! writes at the cursor; against `pread` and `pwrite`. Some are dropped in the middle, and some
//! files are closed while operations on them are under way.

use super::files::{Mount, forget, own_mounts};
use super::kit::*;
use proptest::prelude::*;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use zokio::runtime::IoMode;

#[derive(Debug, Clone)]
enum Step {
    Read(usize, Place, Kind),
    ReadExact(usize, Place, Kind),
    Write(usize, Place, Kind),
    WriteAll(usize, Place, Kind),
    /// Reads begun together, one behind the other.
    ReadBatch(usize, Place, u8),
    /// Writes begun together, one behind the other.
    WriteBatch(usize, Place, u8),
    /// Reads that are begun and dropped.
    CancelRead(usize, Place, u8),
    /// Writes that are begun, and awaited once the file is closed.
    WriteAndClose(usize, Place, u8),
    AtCursor(usize, u16, bool),
    Forget(usize),
    SetLen(usize, u16),
}

/// Where, and how much.
type Place = (u64, u16);

/// The buffer that holds the bytes.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Vec,
    Box,
    BytesMut,
    /// Those that can be read only, by turns.
    Fixed,
}

/// The open files, in this order: a file in each way, a directory, an end of a pipe, a device that is
/// always full, and one that has neither end nor places.
const FILES: usize = 8;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let offset = prop_oneof![
        8 => 0..30_000_u64,
        1 => Just(i64::MAX as u64 - 5),
        1 => Just(i64::MAX as u64 + 1),
        1 => Just(u64::MAX),
    ];
    let len = prop_oneof![1..200_u16, 1..20_000_u16];
    let place = (offset, len.clone());
    // Mostly the files.
    let h = prop_oneof![6 => 0..4_usize, 1 => 4..FILES];
    let kind = prop::sample::select(vec![Kind::Vec, Kind::Box, Kind::BytesMut, Kind::Fixed]);
    let one = (h.clone(), place.clone(), kind);
    let many = (h.clone(), place, 1..20_u8);
    let step = prop_oneof![
        4 => one.clone().prop_map(|(h, at, kind)| Step::Read(h, at, kind)),
        4 => one.clone().prop_map(|(h, at, kind)| Step::ReadExact(h, at, kind)),
        4 => one.clone().prop_map(|(h, at, kind)| Step::Write(h, at, kind)),
        4 => one.prop_map(|(h, at, kind)| Step::WriteAll(h, at, kind)),
        3 => many.clone().prop_map(|(h, at, count)| Step::ReadBatch(h, at, count)),
        3 => many.clone().prop_map(|(h, at, count)| Step::WriteBatch(h, at, count)),
        2 => many.clone().prop_map(|(h, at, count)| Step::CancelRead(h, at, count)),
        2 => many.prop_map(|(h, at, count)| Step::WriteAndClose(h, at, count)),
        3 => (h.clone(), len.clone(), any::<bool>()).prop_map(|(h, len, w)| Step::AtCursor(h, len, w)),
        3 => h.clone().prop_map(Step::Forget),
        1 => (h, len).prop_map(|(h, len)| Step::SetLen(h, len)),
    ];
    prop::collection::vec(step, 1..30)
}

/// Text, so that a string can hold it.
fn bytes(len: u16, number: usize) -> Vec<u8> {
    (0..len)
        .map(|at| (at as u8).wrapping_mul(3).wrapping_add(number as u8) & 127)
        .collect()
}

/// Places one behind the other, each of that length. One only where it matters which is first: at the
/// end of a file that is appended to, and where there is little room.
fn places((offset, len): Place, count: u8, is_ordered: bool) -> impl Iterator<Item = (u64, u16)> {
    let len = len.min(3_000);
    let count = if is_ordered { 1 } else { count };
    (0..count).map(move |n| (offset.saturating_add(u64::from(n) * u64::from(len)), len))
}

/// How one of the files is opened.
fn how(handle: usize) -> std::fs::OpenOptions {
    let mut how = std::fs::File::options();
    match handle {
        0 => how.read(true).write(true),
        1 | 4 => how.read(true),
        2 => how.write(true),
        3 => how.read(true).append(true),
        _ => how.read(true).write(true),
    };
    how
}

fn open(dir: &Path, handle: usize) -> std::fs::File {
    let path = match handle {
        0..4 => dir.join("file"),
        4 => dir.to_owned(),
        5 => return std::fs::File::from(super::pipes::plain::pipe(0).1),
        6 => PathBuf::from("/dev/full"),
        _ => PathBuf::from("/dev/zero"),
    };
    how(handle).open(path).unwrap()
}

/// Whether there are no surprises: some devices have no end, and what nobody reads fills a pipe.
fn is_sensible(step: &Step) -> bool {
    let h = handle_of(step);
    match step {
        Step::AtCursor(..) => h < 5,
        // A directory's length, a pipe's and a device's are not to be set.
        Step::SetLen(..) => h < 4,
        _ => true,
    }
}

fn handle_of(step: &Step) -> usize {
    match *step {
        Step::Read(h, ..)
        | Step::ReadExact(h, ..)
        | Step::Write(h, ..)
        | Step::WriteAll(h, ..)
        | Step::ReadBatch(h, ..)
        | Step::WriteBatch(h, ..)
        | Step::CancelRead(h, ..)
        | Step::WriteAndClose(h, ..)
        | Step::AtCursor(h, ..)
        | Step::Forget(h)
        | Step::SetLen(h, _) => h,
    }
}

/// The outcome of a read, to be compared.
fn read_as(result: io::Result<()>, bytes: Vec<u8>) -> Seen {
    Seen::of(result, |()| Seen::Bytes(bytes))
}

/// By blocking calls.
mod plain {
    use super::*;
    use std::fs::File;
    use std::io::{Read, Write};
    use std::os::unix::fs::FileExt;

    /// A read may be short before the end; it is gone on with.
    fn read(file: &File, (offset, len): Place) -> Seen {
        let mut buf = vec![0; len.into()];
        let mut done = 0;
        while done < buf.len() {
            match file.read_at(&mut buf[done..], offset.saturating_add(done as u64)) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) => return Seen::unit(Err(error)),
            }
        }
        buf.truncate(done);
        Seen::Bytes(buf)
    }

    fn read_exact(file: &File, (offset, len): Place) -> Seen {
        let mut buf = vec![0; len.into()];
        read_as(file.read_exact_at(&mut buf, offset), buf)
    }

    fn write_all(file: &File, (offset, len): Place, number: usize) -> Seen {
        Seen::unit(file.write_all_at(&bytes(len, number), offset))
    }

    pub fn run(dir: &Path, is_tight: bool, steps: &[Step]) -> Vec<Seen> {
        let mut files: Vec<_> = (0..FILES).map(|handle| open(dir, handle)).collect();
        let mut seen = Vec::new();
        for (number, step) in steps.iter().enumerate() {
            let handle = handle_of(step);
            seen.push(one(
                &mut files[handle],
                number,
                step,
                is_tight || handle == 3,
            ));
            if matches!(step, Step::WriteAndClose(..)) {
                files[handle] = open(dir, handle);
            }
        }
        seen
    }

    fn one(file: &mut File, number: usize, step: &Step, is_ordered: bool) -> Seen {
        match *step {
            _ if !is_sensible(step) => Seen::Skipped,
            Step::Read(_, place, _) => read(file, place),
            Step::ReadExact(_, place, _) => read_exact(file, place),
            Step::Write(_, place, _) | Step::WriteAll(_, place, _) => {
                write_all(file, place, number)
            }
            Step::ReadBatch(_, place, count) => {
                let places = places(place, count, false);
                let seen: Vec<_> = places.map(|at| read_exact(file, at)).collect();
                Seen::Text(format!("{seen:?}"))
            }
            Step::WriteBatch(_, place, count) | Step::WriteAndClose(_, place, count) => {
                let places = places(place, count, is_ordered);
                let seen: Vec<_> = places.map(|at| write_all(file, at, number)).collect();
                Seen::Text(format!("{seen:?}"))
            }
            Step::CancelRead(..) => Seen::Done,
            Step::AtCursor(_, len, true) => Seen::unit(file.write_all(&bytes(len, number))),
            Step::AtCursor(_, len, false) => {
                let mut buf = Vec::new();
                let read = file.take(len.into()).read_to_end(&mut buf);
                read_as(read.map(drop), buf)
            }
            Step::Forget(_) => {
                forget(std::os::fd::AsRawFd::as_raw_fd(file));
                Seen::Done
            }
            Step::SetLen(_, len) => Seen::unit(file.set_len(len.into())),
        }
    }
}

/// By the runtime.
mod ours {
    use super::super::lanes::for_turns;
    use super::*;
    use bytes::{Bytes, BytesMut};
    use zokio::fs::{self, File};
    use zokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn read(file: &File, (offset, len): Place, kind: Kind) -> Seen {
        let mut all = Vec::new();
        loop {
            let left = usize::from(len) - all.len();
            if left == 0 {
                return Seen::Bytes(all);
            }
            let at = offset.saturating_add(all.len() as u64);
            let (result, part) = match kind {
                Kind::Box => {
                    let (result, part) = file.read_at(vec![9; left].into_boxed_slice(), at).await;
                    // Its length does not change.
                    assert_eq!(part.len(), left);
                    let count = *result.as_ref().unwrap_or(&0);
                    (result, part[..count].to_vec())
                }
                Kind::BytesMut => {
                    let (result, part) = file.read_at(BytesMut::with_capacity(left), at).await;
                    (result, part.to_vec())
                }
                _ => file.read_at(Vec::with_capacity(left), at).await,
            };
            match result {
                Ok(0) => return Seen::Bytes(all),
                Ok(count) => {
                    assert_eq!(count, part.len());
                    all.extend(part);
                }
                Err(error) => return Seen::unit(Err(error)),
            }
        }
    }

    async fn read_exact(file: &File, (offset, len): Place, kind: Kind) -> Seen {
        let len = usize::from(len);
        let (result, bytes) = match kind {
            Kind::Box => {
                let buf = vec![9; len].into_boxed_slice();
                let (result, buf) = file.read_exact_at(buf, len, offset).await;
                (result, buf.into_vec())
            }
            Kind::BytesMut => {
                let buf = BytesMut::with_capacity(len + 10);
                let (result, buf) = file.read_exact_at(buf, len, offset).await;
                (result, buf.to_vec())
            }
            _ => {
                let buf = Vec::with_capacity(len + 10);
                file.read_exact_at(buf, len, offset).await
            }
        };
        assert!(result.is_err() || bytes.len() == len);
        read_as(result, bytes)
    }

    /// Writes what is left, once.
    async fn write(file: &File, left: &[u8], at: u64, kind: Kind) -> io::Result<usize> {
        macro_rules! with {
            ($buf:expr) => {{
                let (result, back) = file.write_at($buf, at).await;
                assert_eq!(AsRef::<[u8]>::as_ref(&back), left);
                result
            }};
        }
        match kind {
            Kind::Vec => with!(left.to_vec()),
            Kind::Box => with!(left.to_vec().into_boxed_slice()),
            Kind::BytesMut => with!(BytesMut::from(left)),
            Kind::Fixed if at % 2 == 0 => with!(Bytes::copy_from_slice(left)),
            Kind::Fixed => with!(String::from_utf8(left.to_vec()).unwrap()),
        }
    }

    async fn write_by_steps(file: &File, (offset, len): Place, number: usize, kind: Kind) -> Seen {
        let bytes = bytes(len, number);
        let mut done = 0;
        while done < bytes.len() {
            let at = offset.saturating_add(done as u64);
            match write(file, &bytes[done..], at, kind).await {
                Ok(0) => return Seen::unit(Err(ErrorKind::WriteZero.into())),
                Ok(count) => done += count,
                Err(error) => return Seen::unit(Err(error)),
            }
        }
        Seen::Done
    }

    async fn write_all(file: &File, (offset, len): Place, number: usize, kind: Kind) -> Seen {
        let bytes = bytes(len, number);
        let result = match kind {
            Kind::Vec => file.write_all_at(bytes, offset).await.0,
            Kind::Box => file.write_all_at(bytes.into_boxed_slice(), offset).await.0,
            Kind::BytesMut => {
                file.write_all_at(BytesMut::from(&bytes[..]), offset)
                    .await
                    .0
            }
            Kind::Fixed => file.write_all_at(Bytes::from(bytes), offset).await.0,
        };
        Seen::unit(result)
    }

    pub async fn run(dir: PathBuf, is_tight: bool, steps: Vec<Step>) -> Vec<Seen> {
        let file = |handle| File::from_std(open(&dir, handle));
        let mut files: Vec<_> = (0..FILES).map(|handle| Some(file(handle))).collect();
        let mut seen = Vec::new();
        for (number, step) in steps.iter().enumerate() {
            let handle = handle_of(step);
            let slot = &mut files[handle];
            seen.push(one(slot, number, step, is_tight || handle == 3).await);
            if slot.is_none() {
                *slot = Some(file(handle));
            }
        }
        seen
    }

    async fn one(slot: &mut Option<File>, number: usize, step: &Step, is_ordered: bool) -> Seen {
        let file = slot.as_mut().unwrap();
        match *step {
            _ if !is_sensible(step) => {
                if matches!(step, Step::WriteAndClose(..)) {
                    *slot = None;
                }
                Seen::Skipped
            }
            Step::Read(_, place, kind) => read(file, place, kind).await,
            Step::ReadExact(_, place, kind) => read_exact(file, place, kind).await,
            Step::Write(_, place, kind) => write_by_steps(file, place, number, kind).await,
            Step::WriteAll(_, place, kind) => write_all(file, place, number, kind).await,
            Step::ReadBatch(_, place, count) => {
                let reads = places(place, count, false).map(|(at, len)| {
                    file.read_exact_at(Vec::with_capacity(len.into()), len.into(), at)
                });
                let read = fs::batch(reads).await;
                let seen: Vec<_> = read.into_iter().map(|it| read_as(it.0, it.1)).collect();
                Seen::Text(format!("{seen:?}"))
            }
            Step::WriteBatch(_, place, count) => {
                let places = places(place, count, is_ordered);
                let writes = places.map(|(at, len)| file.write_all_at(bytes(len, number), at));
                let written = fs::batch(writes).await;
                let seen: Vec<_> = written.into_iter().map(|it| Seen::unit(it.0)).collect();
                Seen::Text(format!("{seen:?}"))
            }
            Step::WriteAndClose(_, place, count) => {
                let places = places(place, count, is_ordered);
                let writes = places.map(|(at, len)| file.write_all_at(bytes(len, number), at));
                let mut writes = fs::batch(writes);
                // Begun, and the file is closed while they are under way.
                let at_once = for_turns(1, &mut writes).await;
                *slot = None;
                let written = match at_once {
                    Some(written) => written,
                    None => writes.await,
                };
                let seen: Vec<_> = written.into_iter().map(|it| Seen::unit(it.0)).collect();
                Seen::Text(format!("{seen:?}"))
            }
            Step::CancelRead(_, place, count) => {
                let read = |(at, len): Place| file.read_at(Vec::with_capacity(len.into()), at);
                let mut reads: Vec<_> = places(place, count, false).map(read).collect();
                for read in &mut reads {
                    let _ = for_turns(1, read).await;
                }
                drop(reads);
                let reads = fs::batch(places(place, count, false).map(read));
                let _ = for_turns(1, reads).await;
                Seen::Done
            }
            Step::AtCursor(_, len, true) => {
                let written = file.write_all(&bytes(len, number)).await;
                Seen::unit(written.and(file.flush().await))
            }
            Step::AtCursor(_, len, false) => {
                let mut buf = Vec::new();
                let read = file.take(len.into()).read_to_end(&mut buf).await;
                read_as(read.map(drop), buf)
            }
            Step::Forget(_) => {
                forget(std::os::fd::AsRawFd::as_raw_fd(file));
                Seen::Done
            }
            Step::SetLen(_, len) => Seen::unit(file.set_len(len.into()).await),
        }
    }
}

/// Runs sequences in directories that `room` makes, and holds every runtime against the blocking
/// calls.
fn compare<D: AsRef<Path>>(what: &str, is_tight: bool, met: &[ErrorKind], room: impl Fn() -> D) {
    let sides = runtimes();
    let _storm = Storm::begin();
    let mut tally = Tally::default();
    for_each(what, 300, &steps(), |steps| {
        let furnished = || {
            let dir = room();
            std::fs::write(dir.as_ref().join("file"), bytes(6_000, 3)).unwrap();
            if is_tight {
                // Leaves three pages.
                std::fs::write(dir.as_ref().join("ballast"), [0; 44 * 1024]).unwrap();
            }
            dir
        };
        let contents = |dir: &D| Seen::of(std::fs::read(dir.as_ref().join("file")), Seen::Bytes);
        let dir = furnished();
        let expected = plain::run(dir.as_ref(), is_tight, &steps);
        let left = contents(&dir);
        drop(dir);
        tally.count(&expected);
        for side in &sides {
            let dir = furnished();
            let path = dir.as_ref().to_owned();
            let seen = side.run(ours::run(path, is_tight, steps.clone()));
            check(side, &steps, &seen, &expected);
            assert_eq!(contents(&dir), left, "{}", side.name);
        }
    });
    tally.has(what, met);
    for side in &sides {
        super::lanes::nothing_is_in_flight(side);
        let operations = side.runtime.metrics().operations();
        println!("{what}, {}: {operations:?}", side.name);
        assert_eq!(operations.on_ring > 0, side.mode == IoMode::Uring);
        assert!(operations.offloaded > 0 || side.mode == IoMode::Uring);
    }
}

/// The errors that have to be met on the way.
const MET: [ErrorKind; 5] = [
    ErrorKind::UnexpectedEof,
    ErrorKind::InvalidInput,
    ErrorKind::IsADirectory,
    ErrorKind::NotSeekable,
    ErrorKind::StorageFull,
];

#[test]
fn places_in_files() {
    compare("places in files", false, &MET, || {
        tempfile::tempdir().unwrap()
    });
}

#[test]
fn places_where_there_is_no_room() {
    in_child("positional::places_where_there_is_no_room", || {
        if let Err(error) = own_mounts().and_then(|()| Mount::new()) {
            println!("not run: no file system can be mounted: {error}");
            return;
        }
        let met = [ErrorKind::StorageFull];
        compare("places without room", true, &met, || Mount::new().unwrap());
    });
}

/// Files may not be made longer than 8,000 bytes.
#[test]
fn places_behind_the_limit() {
    in_child("positional::places_behind_the_limit", || {
        // SAFETY: no handler.
        #[allow(unsafe_code)]
        unsafe {
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN)
        };
        limit(libc::RLIMIT_FSIZE, 8_000);
        let met = [ErrorKind::FileTooLarge];
        compare("places behind the limit", false, &met, || {
            tempfile::tempdir().unwrap()
        });
    });
}
