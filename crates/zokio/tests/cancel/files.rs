//! Files: what is opened and not wanted is closed, what is read ahead is kept, what was said to be
//! written is written, and buffers come back.

use super::ledger::*;
use super::memory::MARKED;
use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;
use zokio::fs::File;
use zokio::io::{AsyncReadExt, AsyncWriteExt};

/// A directory whose files are never opened or written at once, if there is one: in memory.
pub fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// A pipe: reading end and writing end.
fn pipe() -> (OwnedFd, OwnedFd) {
    let mut ends = [0; 2];
    // SAFETY: there is room for the two descriptors.
    #[allow(unsafe_code)]
    let result = unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) };
    assert_eq!(result, 0);
    // SAFETY: the system has just given us these two.
    #[allow(unsafe_code)]
    ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) }).into()
}

fn set_nonblocking(end: &OwnedFd) {
    // SAFETY: an open descriptor.
    #[allow(unsafe_code)]
    let result = unsafe { libc::fcntl(end.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
    assert_eq!(result, 0);
}

fn file_of(end: OwnedFd) -> File {
    File::from_std(std::fs::File::from(end))
}

/// Opens `path` in one of three ways.
async fn open(path: PathBuf, round: usize) -> std::io::Result<File> {
    match round / STATES.len() % 3 {
        0 => File::open(path).await,
        1 => File::create(path).await,
        _ => {
            let mut options = File::options();
            options.append(true).create(true).open(path).await
        }
    }
}

async fn drop_opens(config: Config) {
    let has_ring = config.has_ring();
    let rival = Rival::new();
    let dir = directory();
    let path = dir.path().join("file");
    std::fs::write(&path, b"x").unwrap();
    let mut dice = Dice::new();
    let mut flat = None;
    let mut waited = 0;
    for round in 0..rounds() {
        if round == rounds() / 10 {
            flat = Some(Flat::from_here());
        }
        let state = state_of(round);
        let probe = Probe::new();
        let mut future = Box::pin(open(path.clone(), round));
        if state == State::Unpolled {
            continue;
        }
        if state == State::Racing {
            // From wherever it is to wherever it gets.
            let task = zokio::spawn(future);
            let (handle, pause) = (task.abort_handle(), dice.pause());
            let aborted = rival.start(move || {
                pause.pass();
                handle.abort();
            });
            match task.await {
                Ok(file) => drop(file.unwrap()),
                Err(error) => assert!(error.is_cancelled()),
            }
            aborted.recv().unwrap();
            continue;
        }
        // A thread would be done before it is asked: with the gate closed the open has to wait.
        let gate = (!has_ring).then(Gate::closed);
        match poll(future.as_mut(), &probe) {
            Poll::Ready(file) => drop(file.unwrap()),
            Poll::Pending => {
                waited += 1;
                if state == State::Moved {
                    let _ = poll(future.as_mut(), &Probe::new());
                }
                if state == State::Woken {
                    drop(gate);
                    probe.woken().await;
                }
            }
        }
        drop(future);
        if round % 64 == 0 {
            // A turn of the worker's loop.
            zokio::task::yield_now().await;
        }
    }
    // Every state but two, less what is opened at once where the directory is not in memory.
    println!("{waited} opens waited");
    assert!(waited > rounds() / 3, "only {waited} opens waited");
    settle(dir.path()).await;
    flat.unwrap().check();
}

/// Waits until the descriptors of files in `dir` are closed.
async fn settle(dir: &std::path::Path) {
    for _ in 0..2_000 {
        let open = std::fs::read_dir("/proc/self/fd").unwrap();
        let in_dir = open
            .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
            .filter(|target| target.starts_with(dir));
        if in_dir.count() == 0 {
            return;
        }
        zokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("files are left open");
}

#[test]
fn files_that_are_opened_and_not_wanted() {
    on_each(configs(), "fs open", drop_opens);
}

/// A read of a pipe that waits, on a ring or on a thread.
async fn drop_reads() {
    let rival = Rival::new();
    let mut dice = Dice::new();
    let mut bytes = Sequence::new();
    let mut flat = None;
    let (reader, writer) = pipe();
    let mut file = file_of(reader);
    let mut put = std::fs::File::from(writer);
    let mut buf = [0; MARKED];
    for round in 0..rounds() {
        if round == rounds() / 10 {
            flat = Some(Flat::from_here());
        }
        use std::io::Write;
        let state = state_of(round);
        let probe = Probe::new();
        let sent = bytes.next(2 + dice.below(64));
        let mut future = Box::pin(file.read(&mut buf));
        let mut taken = 0;
        match state {
            State::Unpolled => put.write_all(sent).unwrap(),
            State::Pending | State::Moved => {
                assert!(poll(future.as_mut(), &probe).is_pending());
                if state == State::Moved {
                    assert!(poll(future.as_mut(), &Probe::new()).is_pending());
                }
                if round % 4 == 0 {
                    // The kernel gets to see it.
                    zokio::task::yield_now().await;
                }
                drop(future);
                put.write_all(sent).unwrap();
            }
            State::Woken => {
                assert!(poll(future.as_mut(), &probe).is_pending());
                put.write_all(sent).unwrap();
                probe.woken().await;
                drop(future);
            }
            State::Partial => {
                // More was read ahead than the next read asks for.
                assert!(poll(future.as_mut(), &probe).is_pending());
                put.write_all(sent).unwrap();
                probe.woken().await;
                drop(future);
                let mut one = [0];
                assert_eq!(file.read(&mut one).await.unwrap(), 1);
                bytes.seen(&one);
                drop(Box::pin(file.read(&mut buf)));
            }
            State::Racing => {
                assert!(poll(future.as_mut(), &probe).is_pending());
                let mut other = put.try_clone().unwrap();
                let written = rival.start(move || other.write_all(sent).unwrap());
                dice.spin();
                if dice.below(2) == 0 {
                    if let Poll::Ready(count) = poll(future.as_mut(), &probe) {
                        taken = count.unwrap();
                    }
                }
                drop(future);
                written.recv().unwrap();
            }
        }
        bytes.seen(&buf[..taken]);
        while !bytes.is_all_seen() {
            let room = 1 + dice.below(48);
            let count = file.read(&mut buf[..room]).await.unwrap();
            assert!(count > 0, "the pipe is open");
            bytes.seen(&buf[..count]);
        }
    }
    drop(put);
    assert_eq!(file.read(&mut buf).await.unwrap(), 0);
    flat.unwrap().check();
}

#[test]
fn reads_of_a_file_that_waits() {
    on_each(configs(), "fs read", |_| drop_reads());
}

/// Files dropped with a read under way that nobody will ever answer.
#[test]
fn files_dropped_while_they_are_read() {
    on_each(configs(), "fs read, file dropped", |config| async move {
        let has_ring = config.has_ring();
        let mut flat = None;
        for round in 0..rounds() / 2 {
            if round == rounds() / 20 {
                flat = Some(Flat::from_here());
            }
            let (reader, writer) = pipe();
            let mut file = file_of(reader);
            let mut buf = [0; MARKED];
            let probe = Probe::new();
            assert!(poll(pin!(file.read(&mut buf)), &probe).is_pending());
            match round % 4 {
                0 => {}
                1 => zokio::task::yield_now().await,
                2 => {
                    assert_eq!(put_one(&writer, b"x"), 1);
                    probe.woken().await;
                }
                _ => assert_eq!(put_one(&writer, b"x"), 1),
            }
            drop(file);
            // A thread that reads is not to be stopped; a ring is.
            if round % 2 == 0 || !has_ring {
                drop(writer);
            } else {
                wait_for_no_reader(&writer).await;
            }
        }
        flat.unwrap().check();
    });
}

fn put_one(end: &OwnedFd, bytes: &[u8]) -> isize {
    // SAFETY: the slice is valid for reads, and the descriptor is open.
    #[allow(unsafe_code)]
    unsafe {
        libc::write(end.as_raw_fd(), bytes.as_ptr().cast(), bytes.len())
    }
}

/// Until the reading end is closed: nothing holds the file any more.
async fn wait_for_no_reader(writer: &OwnedFd) {
    for _ in 0..20_000 {
        let mut poll = libc::pollfd {
            fd: writer.as_fd().as_raw_fd(),
            events: 0,
            revents: 0,
        };
        // SAFETY: one valid element.
        #[allow(unsafe_code)]
        let count = unsafe { libc::poll(&mut poll, 1, 0) };
        if count == 1 && poll.revents & libc::POLLERR != 0 {
            return;
        }
        zokio::task::yield_now().await;
    }
    panic!("a dropped read still holds its file");
}

/// Takes up to `limit` bytes of what is in a pipe.
fn drain(reader: &std::fs::File, bytes: &mut Sequence, limit: usize) {
    use std::io::Read;
    let mut buf = [0; MARKED];
    let mut reader = reader;
    let mut left = limit;
    while left > 0 {
        let len = left.min(buf.len());
        match reader.read(&mut buf[..len]) {
            Ok(0) => return,
            Ok(count) => {
                bytes.seen(&buf[..count]);
                left -= count;
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                return;
            }
        }
    }
}

/// Writes to a pipe what is left of its room, to the last byte: the system takes a few bytes of a
/// greater write into the last page as long as they fit there.
fn fill_up(writer: &std::fs::File, bytes: &mut Sequence) {
    use std::io::Write;
    let mut len = 4096;
    let mut writer = writer;
    while len > 0 {
        match writer.write(bytes.upcoming(len)) {
            Ok(count) => bytes.sent(count),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                len /= 2;
            }
        }
    }
}

/// Writes to a pipe that is full.
async fn drop_writes() {
    let mut dice = Dice::new();
    let mut bytes = Sequence::new();
    let mut flat = None;
    let mut waited = 0;
    let (reader, writer) = pipe();
    set_nonblocking(&reader);
    let reader = std::fs::File::from(reader);
    let beside = {
        use std::os::unix::fs::OpenOptionsExt;
        let mut options = std::fs::OpenOptions::new();
        options.write(true).custom_flags(libc::O_NONBLOCK);
        let path = format!("/proc/self/fd/{}", writer.as_raw_fd());
        options.open(path).unwrap()
    };
    let mut file = file_of(writer);
    for round in 0..rounds() {
        if round == rounds() / 10 {
            flat = Some(Flat::from_here());
        }
        let state = state_of(round);
        let probe = Probe::new();
        let offer = bytes.upcoming(MARKED);
        let mut future = Box::pin(file.write(offer));
        if state == State::Unpolled {
            continue;
        }
        if let Poll::Ready(count) = poll(future.as_mut(), &probe) {
            let count = count.unwrap();
            bytes.sent(count);
            if count < MARKED {
                // It was written at once, so that nothing of the file's is on its way.
                fill_up(&beside, &mut bytes);
            }
            continue;
        }
        waited += 1;
        match state {
            State::Moved => {
                if let Poll::Ready(count) = poll(future.as_mut(), &Probe::new()) {
                    bytes.sent(count.unwrap());
                }
            }
            State::Woken | State::Partial => {
                // Bytes of a write that was reported are in the sequence already. Only the room
                // for one is made: it is soon full again.
                while !probe.is_woken() {
                    drain(&reader, &mut bytes, MARKED);
                    let _ = zokio::time::timeout(Duration::from_millis(1), probe.woken()).await;
                }
            }
            State::Racing => {
                drain(&reader, &mut bytes, MARKED);
                dice.spin();
                if let Poll::Ready(count) = poll(future.as_mut(), &probe) {
                    bytes.sent(count.unwrap());
                }
            }
            State::Unpolled | State::Pending => {}
        }
    }
    loop {
        drain(&reader, &mut bytes, usize::MAX);
        if let Poll::Ready(result) = poll(pin!(file.flush()), &Probe::new()) {
            result.unwrap();
            break;
        }
        zokio::time::sleep(Duration::from_millis(1)).await;
    }
    drain(&reader, &mut bytes, usize::MAX);
    assert!(bytes.is_all_seen());
    println!("{waited} writes waited");
    assert!(waited > rounds() / 3, "only {waited} writes waited");
    flat.unwrap().check();
}

#[test]
fn writes_to_a_file_that_is_full() {
    on_each(configs(), "fs write", |_| drop_writes());
}

/// Files dropped while they are written: what was reported as written is written all the same.
#[test]
fn files_dropped_while_they_are_written() {
    on_each(configs(), "fs write, file dropped", |_| async {
        let dir = directory();
        let path = dir.path().join("file");
        let mut bytes = Sequence::new();
        let mut flat = None;
        let mut ends = Vec::new();
        for round in 0..rounds() {
            if round == rounds() / 10 {
                flat = Some(Flat::from_here());
            }
            // Each file has its own place, so that it does not matter who is first.
            let mut options = File::options();
            options.write(true).create(true);
            let mut file = options.open(&path).await.unwrap();
            let offer = bytes.upcoming(MARKED.min(16 + round % 64));
            use zokio::io::AsyncSeekExt;
            let place = std::io::SeekFrom::Start(ends.last().copied().unwrap_or(0));
            file.seek(place).await.unwrap();
            let polled = poll(pin!(file.write(offer)), &Probe::new());
            let Poll::Ready(Ok(count)) = polled else {
                panic!("an idle file takes what it is given: {polled:?}")
            };
            bytes.sent(count);
            ends.push(ends.last().copied().unwrap_or(0) + count as u64);
            if round % 3 == 0 {
                // Waits for the first, and is dropped.
                let _ = poll(pin!(file.flush()), &Probe::new());
            }
            drop(file);
        }
        settle(dir.path()).await;
        bytes.seen(&std::fs::read(&path).unwrap());
        assert!(bytes.is_all_seen());
        flat.unwrap().check();
    });
}

/// Boxed, so that kinds of futures can be mixed.
pub type Waiting = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A read of a pipe for which nobody ever writes. The writing end is to be kept.
pub fn endless_read() -> (Waiting, OwnedFd) {
    let (reader, writer) = pipe();
    let read = async move {
        let mut file = file_of(reader);
        let mut buf = vec![0; MARKED - 1];
        let _ = file.read(&mut buf).await;
    };
    (Box::pin(read), writer)
}
