//! A FUSE file system with one file, whose server keeps back the answers to what it is told to.
//!
//! The server is a process of its own: this program, called again to run [`serve`]. So nothing of the runtime
//! under test has a part in it, and when the test dies, so does the server, and with it every call that
//! waits for an answer: a thread that waits for its own process's server could not even be killed. The mount
//! is in a namespace of the test's, and goes with it.
//!
//! Both sides talk over a pair of sockets. The test sends the numbers of what is to be kept back, and
//! [`GO_ON`]; the server confirms each of these, and says of each request of the kernel's what it was.
#![allow(unsafe_code)]

use std::collections::HashSet;
use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// The kernel's requests: numbers of its interface.
pub mod ask {
    pub const LOOKUP: u32 = 1;
    pub const GETATTR: u32 = 3;
    pub const OPEN: u32 = 14;
    pub const READ: u32 = 15;
    pub const WRITE: u32 = 16;
    pub const FLUSH: u32 = 25;
    pub const POLL: u32 = 40;
    pub const LSEEK: u32 = 46;
}

const FORGET: u32 = 2;
const RELEASE: u32 = 18;
const INIT: u32 = 26;
const INTERRUPT: u32 = 36;
const BATCH_FORGET: u32 = 42;
const DESTROY: u32 = 38;

/// How long the file is.
pub const LEN: u64 = 1 << 20;

/// Tells the server to answer everything.
const GO_ON: u8 = 255;
/// The server has done what it was told to.
const DONE: u8 = 254;
/// The environment's words to a server: its descriptors, and whether the kernel keeps what it reads.
const DEVICE: &str = "HUNG_DEVICE";
const KIND: &str = "HUNG_KIND";

/// The test's knowledge of its server.
#[derive(Default)]
struct Seen {
    asked: HashSet<u8>,
    done: usize,
}

type Book = Arc<(Mutex<Seen>, Condvar)>;

/// The kind of file system that it serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The kernel keeps what it has read.
    Cached,
    /// It asks each time.
    Direct,
    /// As `Cached`, on a disk (`fuseblk`): its device's number is that of any local file system.
    Block,
}

/// A mounted file system.
pub struct Server {
    dir: tempfile::TempDir,
    /// Kept until the file system is gone.
    _disk: Option<Disk>,
    process: Child,
    orders: Mutex<UnixStream>,
    book: Book,
}

impl Server {
    /// Mounts one. None, with a word why, where that is not allowed.
    pub fn mount(kind: Kind) -> Option<Server> {
        match Self::try_mount(kind) {
            Ok(server) => Some(server),
            Err(why) => {
                println!("SKIPPED: no FUSE file system can be mounted here ({kind:?}): {why}");
                None
            }
        }
    }

    fn try_mount(kind: Kind) -> std::io::Result<Server> {
        let device = File::options().read(true).write(true).open("/dev/fuse")?;
        let dir = tempfile::tempdir()?;
        static NAMESPACE: std::sync::Once = std::sync::Once::new();
        let mut own = Ok(());
        NAMESPACE.call_once(|| own = own_namespace());
        own?;
        let options = format!(
            "fd={},rootmode=40000,user_id=0,group_id=0",
            device.as_raw_fd()
        );
        let disk = (kind == Kind::Block).then(Disk::new).transpose()?;
        match &disk {
            None => mount("hung", dir.path(), "fuse", 6, &options)?,
            Some(disk) => {
                let options = format!("{options},blksize=4096");
                mount(&disk.path, dir.path(), "fuseblk", 6, &options)?;
            }
        }
        let (orders, near) = UnixStream::pair()?;
        let inherited = [near.as_raw_fd(), device.as_raw_fd()];
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["--exact", "serve", "--ignored", "--nocapture"])
            .env(DEVICE, format!("{} {}", inherited[0], inherited[1]))
            .env(
                KIND,
                if kind == Kind::Direct {
                    "direct"
                } else {
                    "cached"
                },
            )
            .stdout(std::process::Stdio::null());
        // SAFETY: the closure only sets flags of its own process's descriptors.
        unsafe {
            std::os::unix::process::CommandExt::pre_exec(&mut command, move || {
                for fd in inherited {
                    libc::fcntl(fd, libc::F_SETFD, 0);
                }
                Ok(())
            })
        };
        let process = command.spawn()?;
        let book = Book::default();
        let (noted, news) = (book.clone(), orders.try_clone()?);
        std::thread::spawn(move || take_note(&noted, news));
        Ok(Server {
            dir,
            _disk: disk,
            process,
            orders: Mutex::new(orders),
            book,
        })
    }

    /// The one file.
    pub fn file(&self) -> PathBuf {
        self.dir.path().join("f")
    }

    /// Answers nothing of this any more.
    pub fn keep_back(&self, asks: &[u32]) {
        let orders: Vec<u8> = asks.iter().map(|what| *what as u8).collect();
        self.order(&orders);
    }

    /// Answers all that was kept back, and all that comes.
    pub fn go_on(&self) {
        self.order(&[GO_ON]);
    }

    fn order(&self, orders: &[u8]) {
        let mut socket = self.orders.lock().unwrap();
        let (seen, changed) = &*self.book;
        let wanted = seen.lock().unwrap().done + orders.len();
        socket.write_all(orders).unwrap();
        let mut seen = seen.lock().unwrap();
        while seen.done < wanted {
            let waited = changed.wait_timeout(seen, Duration::from_secs(20)).unwrap();
            assert!(!waited.1.timed_out(), "the server does not obey");
            seen = waited.0;
        }
    }

    /// Waits until it was asked for `what`.
    pub async fn asked_for(&self, what: u32) {
        self.asked_for_any(&[what]).await;
    }

    /// Waits until a read has come here. The kernel's threads ask first whether the file is ready.
    pub async fn asked_to_read(&self) {
        self.asked_for_any(&[ask::READ, ask::POLL]).await;
    }

    async fn asked_for_any(&self, asks: &[u32]) {
        while !asks.iter().any(|what| self.was_asked_for(*what)) {
            zokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Whether it was asked for `what`.
    pub fn was_asked_for(&self, what: u32) -> bool {
        self.book.0.lock().unwrap().asked.contains(&(what as u8))
    }

    /// Ends the server: what waits for it fails.
    pub fn end(&self) {
        let _ = self
            .orders
            .lock()
            .unwrap()
            .shutdown(std::net::Shutdown::Both);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
        let _ = self.process.wait();
        let path = CString::new(self.dir.path().to_str().unwrap()).unwrap();
        // SAFETY: a terminated path.
        unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) };
    }
}

/// A file as a disk.
struct Disk {
    path: String,
    device: File,
}

impl Disk {
    fn new() -> std::io::Result<Self> {
        const GET_FREE: u64 = 0x4c82;
        const SET_FD: u64 = 0x4c00;

        let control = File::options()
            .read(true)
            .write(true)
            .open("/dev/loop-control")?;
        let backing = tempfile::tempfile()?;
        backing.set_len(1 << 20)?;
        // Another test may be faster to take the one that is free.
        for _ in 0..100 {
            // SAFETY: asks for a number.
            let number = unsafe { libc::ioctl(control.as_raw_fd(), GET_FREE as _) };
            if number < 0 {
                break;
            }
            let path = format!("/dev/loop{number}");
            let device = File::options().read(true).write(true).open(&path)?;
            // SAFETY: hands over an open descriptor's number.
            let set = unsafe { libc::ioctl(device.as_raw_fd(), SET_FD as _, backing.as_raw_fd()) };
            if set == 0 {
                return Ok(Self { path, device });
            }
        }
        Err(std::io::Error::last_os_error())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        const CLEAR_FD: u64 = 0x4c01;

        // SAFETY: takes no memory. In use, it is cleared by the last user.
        unsafe { libc::ioctl(self.device.as_raw_fd(), CLEAR_FD as _) };
    }
}

/// Reads what the server says.
fn take_note((seen, changed): &(Mutex<Seen>, Condvar), mut news: UnixStream) {
    let mut word = [0];
    while news.read_exact(&mut word).is_ok() {
        let mut seen = seen.lock().unwrap();
        match word[0] {
            DONE => seen.done += 1,
            what => {
                seen.asked.insert(what);
            }
        }
        drop(seen);
        changed.notify_all();
    }
}

/// Mounts made from here on are seen by this thread and those that it starts, and end with the process.
fn own_namespace() -> std::io::Result<()> {
    // SAFETY: takes no memory.
    if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
        return Err(std::io::Error::last_os_error());
    }
    mount(
        "none",
        Path::new("/"),
        "",
        libc::MS_REC | libc::MS_PRIVATE,
        "",
    )
}

fn mount(what: &str, to: &Path, kind: &str, flags: u64, options: &str) -> std::io::Result<()> {
    let text = |text: &str| CString::new(text).unwrap();
    let (what, to, kind, options) = (
        text(what),
        text(to.to_str().unwrap()),
        text(kind),
        text(options),
    );
    // SAFETY: terminated texts.
    let mounted = unsafe {
        libc::mount(
            what.as_ptr(),
            to.as_ptr(),
            kind.as_ptr(),
            flags,
            options.as_ptr().cast(),
        )
    };
    match mounted {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

fn put(out: &mut Vec<u8>, number: u64, bytes: usize) {
    out.extend_from_slice(&number.to_le_bytes()[..bytes]);
}

fn attributes(node: u64) -> Vec<u8> {
    let (mode, size) = if node == 1 {
        (0o40755, 0)
    } else {
        (0o100_644, LEN)
    };
    let mut out = Vec::new();
    for number in [node, size, size.div_ceil(512), 1, 1, 1] {
        put(&mut out, number, 8);
    }
    for number in [0, 0, 0, mode, 1, 0, 0, 0, 4096, 0] {
        put(&mut out, number, 4);
    }
    out
}

/// The server's process.
pub fn serve() {
    let Ok(fds) = std::env::var(DEVICE) else {
        return;
    };
    let (orders, device) = fds.split_once(' ').unwrap();
    let own = |fd: &str| {
        // SAFETY: the test has given these to this process, which uses them for nothing else.
        unsafe { OwnedFd::from_raw_fd(fd.parse().unwrap()) }
    };
    let (orders, device) = (UnixStream::from(own(orders)), File::from(own(device)));
    let serving = Arc::new(Serving {
        device,
        news: orders.try_clone().unwrap(),
        state: Mutex::default(),
        is_direct: std::env::var(KIND).as_deref() == Ok("direct"),
    });
    let obeying = serving.clone();
    std::thread::spawn(move || {
        obeying.obey(orders);
        // The test is over, or dead.
        std::process::exit(0);
    });
    serving.serve();
    std::process::exit(0);
}

#[derive(Default)]
struct Kept {
    /// The requests that are not answered.
    back: HashSet<u8>,
    answers: Vec<Vec<u8>>,
}

struct Serving {
    device: File,
    news: UnixStream,
    state: Mutex<Kept>,
    is_direct: bool,
}

impl Serving {
    fn obey(&self, mut orders: UnixStream) {
        let mut order = [0];
        while orders.read_exact(&mut order).is_ok() {
            let mut state = self.state.lock().unwrap();
            if order[0] == GO_ON {
                state.back.clear();
                for answer in std::mem::take(&mut state.answers) {
                    self.send(&answer);
                }
            } else {
                state.back.insert(order[0]);
            }
            let _ = (&self.news).write_all(&[DONE]);
        }
    }

    /// Serves until the file system is gone.
    fn serve(&self) {
        let mut request = vec![0; 1 << 21];
        while let Ok(len) = (&self.device).read(&mut request) {
            let Some(answer) = self.answer(&request[..len]) else {
                continue;
            };
            let what = request[4];
            let mut state = self.state.lock().unwrap();
            if state.back.contains(&what) {
                state.answers.push(answer);
            } else {
                self.send(&answer);
            }
            let _ = (&self.news).write_all(&[what]);
        }
    }

    /// None if no answer is expected.
    fn answer(&self, request: &[u8]) -> Option<Vec<u8>> {
        let number = |at: usize| u32::from_le_bytes(request[at..at + 4].try_into().unwrap());
        let long = |at: usize| u64::from_le_bytes(request[at..at + 8].try_into().unwrap());
        let (what, name, node) = (number(4), long(8), long(16));
        let mut out = Vec::new();
        let mut error = 0;
        match what {
            INIT => self.introduce(&mut out),
            ask::LOOKUP if request[40..].starts_with(b"f\0") => {
                for number in [2, 0, 60, 0] {
                    put(&mut out, number, 8);
                }
                put(&mut out, 0, 8);
                out.extend(attributes(2));
            }
            ask::LOOKUP => error = -libc::ENOENT,
            ask::GETATTR => {
                put(&mut out, 0, 8);
                put(&mut out, 0, 8);
                out.extend(attributes(node));
            }
            ask::OPEN => {
                put(&mut out, 1, 8);
                put(&mut out, u64::from(self.is_direct), 4);
                put(&mut out, 0, 4);
            }
            ask::READ => {
                let (from, size) = (long(48), u64::from(number(56)));
                let count = LEN.min(from + size).saturating_sub(from);
                out.resize(count as usize, b'x');
            }
            ask::WRITE => put(&mut out, u64::from(number(56)), 8),
            RELEASE | ask::FLUSH => {}
            FORGET | INTERRUPT | BATCH_FORGET | DESTROY => return None,
            _ => error = -libc::ENOSYS,
        }
        let mut answer = Vec::new();
        put(&mut answer, 16 + out.len() as u64, 4);
        answer.extend(error.to_le_bytes());
        put(&mut answer, name, 8);
        answer.extend(out);
        Some(answer)
    }

    fn introduce(&self, out: &mut Vec<u8>) {
        for (number, bytes) in [(7, 4), (31, 4), (65536, 4), (1, 4), (16 | 16 << 16, 4)] {
            put(out, number, bytes);
        }
        for (number, bytes) in [(1 << 17, 4), (1, 4), (256, 2), (0, 2)] {
            put(out, number, bytes);
        }
        out.resize(64, 0);
    }

    fn send(&self, answer: &[u8]) {
        // SAFETY: the bytes are valid for reads. One that nobody waits for any more is refused.
        unsafe {
            libc::write(
                self.device.as_raw_fd(),
                answer.as_ptr().cast(),
                answer.len(),
            )
        };
    }
}
