//! Pipes, and files that are pipes.

use super::kit::*;
use proptest::prelude::*;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;

#[derive(Debug, Clone)]
pub enum Step {
    Write(u16),
    /// Until no more fits.
    Fill,
    Read(u16),
    TryRead(u16),
    ReadExact(u16),
    Renew(bool),
    DropSender,
    DropReceiver,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let len = 1..3_000_u16;
    let step = prop_oneof![
        6 => len.clone().prop_map(Step::Write),
        1 => Just(Step::Fill),
        6 => len.clone().prop_map(Step::Read),
        3 => len.clone().prop_map(Step::TryRead),
        2 => len.prop_map(Step::ReadExact),
        2 => any::<bool>().prop_map(Step::Renew),
        1 => Just(Step::DropSender),
        1 => Just(Step::DropReceiver),
    ];
    prop::collection::vec(step, 1..40)
}

fn bytes(len: u16, number: usize) -> Vec<u8> {
    (0..len)
        .map(|n| (n as u8).wrapping_mul(7).wrapping_add(number as u8))
        .collect()
}

/// How many bytes may be on their way.
const HELD_MAX: usize = 16 * 1024;

macro_rules! world {
    ($sender:ty, $receiver:ty, [$($async:tt)*], [$($await:tt)*]) => {
        pub $($async)* fn run(ends: (OwnedFd, OwnedFd), steps: Vec<Step>) -> Vec<Seen> {
            let mut sender: Option<$sender> = Some(sender_of(ends.1));
            let mut receiver: Option<$receiver> = Some(receiver_of(ends.0));
            let mut held = 0;
            let mut seen = Vec::new();
            for (number, step) in steps.into_iter().enumerate() {
                let waits = held == 0 && sender.is_some();
                let has_receiver = receiver.is_some();
                let what = match (step, &mut sender, &mut receiver) {
                    (Step::Write(_), Some(_), _) if held >= HELD_MAX => Seen::Skipped,
                    (Step::Write(len), Some(sender), _) => {
                        let written = sender.write_all(&bytes(len, number)) $($await)*;
                        let written = told(sender, written) $($await)*;
                        if written.is_ok() {
                            held += usize::from(len);
                        }
                        Seen::unit(written)
                    }
                    (Step::Fill, Some(sender), _) if held == 0 && has_receiver => {
                        let (count, ended) = fill(sender, &bytes(3_000, number)) $($await)*;
                        held += count;
                        Seen::Text(format!("{count} {:?}", Seen::unit(Err(ended))))
                    }
                    (Step::Read(len), _, Some(receiver)) if !waits => {
                        let mut buf = vec![0; len.into()];
                        Seen::of(receiver.read(&mut buf) $($await)*, |count| {
                            held -= count;
                            Seen::Bytes(buf[..count].to_vec())
                        })
                    }
                    (Step::TryRead(len), _, Some(receiver)) => {
                        let mut buf = vec![0; len.into()];
                        Seen::of(try_read(receiver, &mut buf, waits) $($await)*, |count| {
                            held -= count;
                            Seen::Bytes(buf[..count].to_vec())
                        })
                    }
                    (Step::ReadExact(len), _, Some(receiver)) if !waits => {
                        let len = if held > 0 { held.min(len.into()) } else { len.into() };
                        let mut buf = vec![0; len];
                        let read = receiver.read_exact(&mut buf) $($await)*;
                        Seen::of(read.map(drop), |()| {
                            held -= len;
                            Seen::Bytes(buf)
                        })
                    }
                    (Step::Renew(true), Some(_), _) => {
                        sender = Some(renewed_sender(sender.take().unwrap()) $($await)*);
                        Seen::Done
                    }
                    (Step::Renew(false), _, Some(_)) => {
                        receiver = Some(renewed_receiver(receiver.take().unwrap()) $($await)*);
                        Seen::Done
                    }
                    (Step::DropSender, ..) => {
                        sender = None;
                        Seen::Done
                    }
                    (Step::DropReceiver, ..) => {
                        receiver = None;
                        Seen::Done
                    }
                    _ => Seen::Skipped,
                };
                seen.push(what);
            }
            seen
        }
    };
}

/// By blocking calls.
pub mod plain {
    use super::*;
    use std::fs::File;
    use std::io::{self, Read, Write};
    use std::os::fd::{AsRawFd, FromRawFd};

    fn sender_of(end: OwnedFd) -> File {
        end.into()
    }

    fn receiver_of(end: OwnedFd) -> File {
        end.into()
    }

    fn renewed_sender(file: File) -> File {
        file
    }

    fn renewed_receiver(file: File) -> File {
        file
    }

    fn told(_: &mut File, written: io::Result<()>) -> io::Result<()> {
        written
    }

    /// Another file for the same pipe, that does not wait.
    #[allow(unsafe_code)]
    fn impatient<T>(file: &File, act: impl FnOnce(&File) -> T) -> T {
        let set = |flags: libc::c_int| {
            // SAFETY: an open descriptor.
            let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFL, flags) };
            assert_eq!(result, 0);
        };
        set(libc::O_NONBLOCK);
        let result = act(file);
        set(0);
        result
    }

    fn try_read(file: &mut File, buf: &mut [u8], _waits: bool) -> io::Result<usize> {
        impatient(file, |mut file| file.read(buf))
    }

    fn fill(file: &mut File, bytes: &[u8]) -> (usize, io::Error) {
        let mut sum = 0;
        let ended = impatient(file, |mut file| {
            loop {
                match file.write(bytes) {
                    Ok(count) => sum += count,
                    Err(error) => return error,
                }
            }
        });
        (sum, ended)
    }

    #[allow(unsafe_code)]
    pub fn pipe(flags: i32) -> (OwnedFd, OwnedFd) {
        let mut ends = [0; 2];
        // SAFETY: there is room for two descriptors, which are then ours.
        unsafe {
            assert_eq!(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC | flags), 0);
            ends.map(|end| OwnedFd::from_raw_fd(end)).into()
        }
    }

    world!(File, File, [], []);
}

/// By the runtime's pipes.
mod ours {
    use super::*;
    use std::io;
    use zokio::io::{AsyncReadExt, AsyncWriteExt};
    use zokio::net::unix::pipe::{Receiver, Sender};

    fn sender_of(end: OwnedFd) -> Sender {
        Sender::from_owned_fd(end).unwrap()
    }

    fn receiver_of(end: OwnedFd) -> Receiver {
        Receiver::from_owned_fd(end).unwrap()
    }

    async fn renewed_sender(sender: Sender) -> Sender {
        sender_of(sender.into_blocking_fd().unwrap())
    }

    async fn renewed_receiver(receiver: Receiver) -> Receiver {
        receiver_of(receiver.into_nonblocking_fd().unwrap())
    }

    async fn told(_: &mut Sender, written: io::Result<()>) -> io::Result<()> {
        written
    }

    async fn try_read(receiver: &mut Receiver, buf: &mut [u8], waits: bool) -> io::Result<usize> {
        loop {
            if !waits {
                receiver.readable().await?;
            }
            match receiver.try_read(buf) {
                Err(error) if !waits && error.kind() == ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    }

    async fn fill(sender: &mut Sender, bytes: &[u8]) -> (usize, io::Error) {
        let mut sum = 0;
        if let Err(error) = sender.writable().await {
            return (sum, error);
        }
        loop {
            match sender.try_write(bytes) {
                Ok(count) => sum += count,
                Err(error) => return (sum, error),
            }
        }
    }

    world!(Sender, Receiver, [async], [.await]);
}

/// By the runtime's files, which do not know that it is a pipe.
mod files {
    use super::*;
    use std::io;
    use zokio::fs::File;
    use zokio::io::{AsyncReadExt, AsyncWriteExt};

    fn sender_of(end: OwnedFd) -> File {
        File::from_std(end.into())
    }

    fn receiver_of(end: OwnedFd) -> File {
        File::from_std(end.into())
    }

    async fn renewed_sender(file: File) -> File {
        File::from_std(file.into_std().await)
    }

    async fn renewed_receiver(file: File) -> File {
        File::from_std(file.into_std().await)
    }

    /// A flush tells the outcome of a write.
    async fn told(file: &mut File, written: io::Result<()>) -> io::Result<()> {
        written.and(file.flush().await)
    }

    async fn try_read(file: &mut File, buf: &mut [u8], waits: bool) -> io::Result<usize> {
        if waits {
            return Err(ErrorKind::WouldBlock.into());
        }
        file.read(buf).await
    }

    /// There is no such thing for files: what fits is known, though.
    async fn fill(file: &mut File, bytes: &[u8]) -> (usize, io::Error) {
        let mut sum = 0;
        // The room of a pipe, 16 pages, in writes that take one page each.
        for _ in 0..16 {
            if let Err(error) = file.write_all(bytes).await {
                return (sum, error);
            }
            if let Err(error) = file.flush().await {
                return (sum, error);
            }
            sum += bytes.len();
        }
        (sum, ErrorKind::WouldBlock.into())
    }

    world!(File, File, [async], [.await]);
}

#[test]
fn pipes() {
    let sides = runtimes();
    let _storm = Storm::begin();
    let mut tally = Tally::default();
    for_each("pipes", 1_000, &steps(), |steps| {
        let expected = plain::run(plain::pipe(0), steps.clone());
        tally.count(&expected);
        for side in &sides {
            let begun = steps.clone();
            let seen = side.run(async move {
                let pipe = plain::pipe(libc::O_NONBLOCK);
                ours::run(pipe, begun).await
            });
            check(side, &steps, &seen, &expected);
            let begun = steps.clone();
            let seen = side.run(async move { files::run(plain::pipe(0), begun).await });
            check(side, &steps, &seen, &expected);
        }
    });
    let met = [
        ErrorKind::WouldBlock,
        ErrorKind::BrokenPipe,
        ErrorKind::UnexpectedEof,
    ];
    tally.has("pipes", &met);
}
