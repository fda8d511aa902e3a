//! The operations that the kernel and its filters allow: found out once per process.
//!
//! A ring is made with the flags we want, then with fewer as long as the answer is `EINVAL`; the
//! kernel is asked which opcodes it knows; and one request that does nothing is run, because a
//! filter may allow the ring to be made and refuse it to be entered. Whatever is refused, the
//! operations run elsewhere. The answer is kept: for good if the system has no rings or forbids them,
//! for a while if it lacks descriptors or memory (`attempt.rs`).

use super::attempt::Attempt;
use crate::op::table::{KINDS, Kind, TABLE};
use io_uring::{IoUring, Probe, opcode};
use std::fmt;
use std::io;
use std::sync::LazyLock;

/// Requests that fit into one submission.
const SUBMISSION_ENTRIES: u32 = 256;
/// Completions that fit before the kernel has to keep them.
const COMPLETION_ENTRIES: u32 = 4 * SUBMISSION_ENTRIES;

/// Why there is no ring.
#[derive(Debug, Clone)]
pub struct Refusal {
    step: &'static str,
    error: i32,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (when, until) = match self.is_for_now() {
            true => ("for now", " until it is"),
            false => ("here", ""),
        };
        write!(
            f,
            "io_uring is not available {when}, files use the blocking pool{until}: {}: {}",
            self.step,
            io::Error::from_raw_os_error(self.error)
        )
    }
}

impl Refusal {
    pub(super) fn new(step: &'static str, error: &io::Error) -> Self {
        Self {
            step,
            error: error.raw_os_error().unwrap_or(libc::EIO),
        }
    }

    /// The ring is there, but something hinders it.
    pub(super) fn hindered(step: &'static str) -> Self {
        Self {
            step,
            error: libc::EAGAIN,
        }
    }

    /// Whether the system may answer otherwise later: it lacks what others may give back.
    pub fn is_for_now(&self) -> bool {
        matches!(
            self.error,
            libc::EMFILE
                | libc::ENFILE
                | libc::ENOMEM
                | libc::ENOSPC
                | libc::ENOBUFS
                | libc::EAGAIN
                | libc::EBUSY
                | libc::EINTR
        )
    }
}

/// The flags that a ring is made with. Each step drops what older kernels lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Setup {
    /// 6.6: without the array of indices.
    Full,
    /// 5.19: task work runs when we enter, and a flag says that there is some.
    Cooperative,
    /// 5.18: a bad request does not stop the batch.
    SubmitAll,
    /// 5.6: limits are clamped.
    Plain,
}

const SETUPS: [Setup; 4] = [
    Setup::Full,
    Setup::Cooperative,
    Setup::SubmitAll,
    Setup::Plain,
];

impl Setup {
    fn build(self) -> io::Result<IoUring> {
        let mut builder = IoUring::builder();
        // A child process must not touch our rings; their descriptors close on exec by themselves.
        builder.dontfork();
        builder.setup_clamp().setup_cqsize(COMPLETION_ENTRIES);
        if self != Self::Plain {
            builder.setup_submit_all();
        }
        if matches!(self, Self::Full | Self::Cooperative) {
            builder.setup_coop_taskrun().setup_taskrun_flag();
        }
        if self == Self::Full {
            builder.setup_no_sqarray();
        }
        builder.build(SUBMISSION_ENTRIES)
    }
}

struct Caps {
    setup: Setup,
    supported: [bool; KINDS],
}

fn caps() -> Result<&'static Caps, Refusal> {
    static CAPS: LazyLock<Attempt<Caps>> = LazyLock::new(Attempt::new);
    CAPS.get_or_try(probe)
}

fn probe() -> Result<Caps, Refusal> {
    let (setup, mut ring) =
        first_setup().map_err(|error| Refusal::new("io_uring_setup", &error))?;
    let mut probe = Probe::new();
    ring.submitter()
        .register_probe(&mut probe)
        .map_err(|error| Refusal::new("io_uring_register", &error))?;
    let supported = TABLE.map(|row| probe.is_supported(row.code));
    enter_once(&mut ring).map_err(|error| Refusal::new("io_uring_enter", &error))?;
    Ok(Caps { setup, supported })
}

fn first_setup() -> io::Result<(Setup, IoUring)> {
    let mut refused = io::Error::from_raw_os_error(libc::EINVAL);
    for setup in SETUPS {
        match setup.build() {
            Ok(ring) => return Ok((setup, ring)),
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => refused = error,
            Err(error) => return Err(error),
        }
    }
    Err(refused)
}

#[allow(unsafe_code)]
fn enter_once(ring: &mut IoUring) -> io::Result<()> {
    let nothing = opcode::Nop::new().build();
    // SAFETY: the request names no memory and no descriptor.
    let pushed = unsafe { ring.submission().push(&nothing) };
    pushed.map_err(|_| io::Error::from_raw_os_error(libc::EBUSY))?;
    loop {
        match ring.submit_and_wait(1) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
            Ok(_) => break,
        }
    }
    match ring.completion().next() {
        Some(completion) if completion.result() >= 0 => Ok(()),
        Some(completion) => Err(io::Error::from_raw_os_error(-completion.result())),
        None => Err(io::Error::from_raw_os_error(libc::EIO)),
    }
}

/// Whether rings run operations of this kind.
///
/// # Errors
/// Why there are no rings.
pub fn supports(kind: Kind) -> Result<bool, Refusal> {
    caps().map(|caps| caps.supported[kind as usize])
}

/// Fails if there are no rings.
///
/// # Errors
/// Why there are none, with the system's error kind.
pub fn require() -> io::Result<()> {
    caps().map(drop).map_err(|refusal| {
        let kind = io::Error::from_raw_os_error(refusal.error).kind();
        io::Error::new(kind, refusal.to_string())
    })
}

/// Makes a ring for a worker.
pub(super) fn build_ring() -> Result<IoUring, Refusal> {
    caps()?
        .setup
        .build()
        .map_err(|error| Refusal::new("io_uring_setup", &error))
}
