//! Runs a program and answers chosen system calls of its threads with errors, by `ptrace(2)`.
//!
//! At the entry of a call that is to fail its number is replaced by one that there is not, so that the kernel
//! does nothing; at its exit the answer is replaced by the error. Of a call that has its effect even if it
//! fails (`close`), only the answer is replaced. Calls count between two calls of `getppid`, which the
//! program makes for that purpose, in whatever thread. Its child processes are not traced.
//!
//! Invariant: all calls of one run are made by the thread that started the program, which is its tracer.
#![allow(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// How long a run may take.
const RUN_MAX: Duration = Duration::from_secs(10);

/// One call that is to fail.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault {
    pub(super) call: i64,
    /// Which one of them, from 1.
    pub(super) nth: u64,
    pub(super) error: i32,
    /// Whether the kernel does it all the same.
    pub(super) is_done: bool,
}

/// The outcome of a run.
#[derive(Debug)]
pub(super) struct Run {
    /// None if it was killed because it did not end.
    pub(super) status: Option<i32>,
    /// How often each call was made.
    pub(super) counts: BTreeMap<i64, u64>,
    /// How many of the faults were met.
    pub(super) met: usize,
}

struct Tracer<'a> {
    faults: &'a [Fault],
    counts: BTreeMap<i64, u64>,
    met: usize,
    markers: u32,
    known: BTreeSet<i32>,
    /// Threads in a call that is to fail, and the error.
    failing: BTreeMap<i32, i32>,
}

/// Runs `command` with `faults`.
pub(super) fn run(command: &mut Command, faults: &[Fault]) -> io::Result<Run> {
    // SAFETY: the closure makes one system call and allocates nothing.
    unsafe {
        command.pre_exec(|| {
            let none = std::ptr::null_mut::<libc::c_void>();
            match libc::ptrace(libc::PTRACE_TRACEME, 0, none, none) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            }
        });
    }
    let child = command.spawn()?;
    let main = child.id() as i32;
    let was_killed = Arc::new(AtomicBool::new(false));
    let (over, is_over) = mpsc::channel::<()>();
    let dog = {
        let was_killed = was_killed.clone();
        std::thread::spawn(move || {
            let heard = is_over.recv_timeout(RUN_MAX);
            if heard == Err(mpsc::RecvTimeoutError::Timeout) {
                was_killed.store(true, Ordering::SeqCst);
                // SAFETY: plain numbers; the process is not reaped before the channel says so.
                unsafe { libc::kill(main, libc::SIGKILL) };
            }
        })
    };
    let mut tracer = Tracer {
        faults,
        counts: BTreeMap::new(),
        met: 0,
        markers: 0,
        known: BTreeSet::new(),
        failing: BTreeMap::new(),
    };
    let status = tracer.follow(&child);
    drop(over);
    let _ = dog.join();
    let status = status?;
    Ok(Run {
        status: (!was_killed.load(Ordering::SeqCst)).then_some(status),
        counts: tracer.counts,
        met: tracer.met,
    })
}

impl Tracer<'_> {
    /// Until the program has ended. Returns its status, or minus the signal that ended it.
    fn follow(&mut self, child: &Child) -> io::Result<i32> {
        let main = child.id() as i32;
        loop {
            let mut status = 0;
            // SAFETY: there is room for the status.
            let thread =
                unsafe { libc::waitpid(-1, &mut status, libc::__WALL | libc::__WNOTHREAD) };
            if thread < 0 {
                let error = io::Error::last_os_error();
                if error.kind() == io::ErrorKind::Interrupted {
                    continue;
                }
                return Err(error);
            }
            if libc::WIFEXITED(status) || libc::WIFSIGNALED(status) {
                self.failing.remove(&thread);
                if thread != main {
                    continue;
                }
                return Ok(match libc::WIFEXITED(status) {
                    true => libc::WEXITSTATUS(status),
                    false => -libc::WTERMSIG(status),
                });
            }
            let signal = self.stopped(thread, status);
            // A thread that was killed meanwhile says so to the next wait.
            let _ = ptrace(libc::PTRACE_SYSCALL, thread, 0, signal as usize);
        }
    }

    /// A thread has stopped. Returns the signal that it is to get.
    fn stopped(&mut self, thread: i32, status: i32) -> i32 {
        if self.known.insert(thread) {
            let options =
                libc::PTRACE_O_TRACESYSGOOD | libc::PTRACE_O_TRACECLONE | libc::PTRACE_O_EXITKILL;
            let _ = ptrace(libc::PTRACE_SETOPTIONS, thread, 0, options as usize);
            // A thread begins to be traced with this stop.
            return 0;
        }
        match libc::WSTOPSIG(status) {
            signal if signal == libc::SIGTRAP | 0x80 => {
                self.at_call(thread);
                0
            }
            // An event: a thread was made.
            libc::SIGTRAP if status >> 16 != 0 => 0,
            signal => signal,
        }
    }

    fn at_call(&mut self, thread: i32) {
        if let Some(error) = self.failing.remove(&thread) {
            registers::set_answer(thread, -i64::from(error));
            return;
        }
        let Some(call) = entered(thread) else {
            return;
        };
        if call == libc::SYS_getppid {
            self.markers += 1;
        }
        if self.markers != 1 {
            return;
        }
        let count = self.counts.entry(call).or_default();
        *count += 1;
        let fault = self
            .faults
            .iter()
            .find(|it| it.call == call && it.nth == *count);
        let Some(fault) = fault else { return };
        if !fault.is_done {
            registers::set_call(thread, -1);
        }
        self.failing.insert(thread, fault.error);
        self.met += 1;
    }
}

/// The number of the call that a thread is about to make. None if it comes out of one.
fn entered(thread: i32) -> Option<i64> {
    // SAFETY: a structure of numbers.
    let mut info: libc::ptrace_syscall_info = unsafe { std::mem::zeroed() };
    let size = size_of_val(&info);
    ptrace(
        libc::PTRACE_GET_SYSCALL_INFO,
        thread,
        size,
        (&raw mut info).addr(),
    )
    .ok()?;
    if info.op != libc::PTRACE_SYSCALL_INFO_ENTRY {
        return None;
    }
    // SAFETY: at an entry this is the part that is filled in.
    Some(unsafe { info.u.entry.nr } as i64)
}

fn ptrace(request: libc::c_uint, thread: i32, address: usize, data: usize) -> io::Result<()> {
    // SAFETY: the requests of this file read or write what `data` points at, as large as `address` or the
    // vector there says.
    let done = unsafe { libc::ptrace(request, thread, address, data) };
    match done {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

#[cfg(target_arch = "x86_64")]
mod registers {
    //! The number of a call stands in `orig_rax`, its answer in `rax`.

    pub(super) fn set_call(thread: i32, call: i64) {
        let at = libc::ORIG_RAX as usize * 8;
        let _ = super::ptrace(libc::PTRACE_POKEUSER, thread, at, call as usize);
    }

    pub(super) fn set_answer(thread: i32, answer: i64) {
        let at = libc::RAX as usize * 8;
        let _ = super::ptrace(libc::PTRACE_POKEUSER, thread, at, answer as usize);
    }
}

#[cfg(target_arch = "aarch64")]
mod registers {
    //! The number of a call is a register set of its own, its answer stands in `x0`.

    const PRSTATUS: usize = 1;
    const SYSTEM_CALL: usize = 0x404;

    fn access(request: libc::c_uint, thread: i32, set: usize, words: &mut [u8]) {
        let mut vector = libc::iovec {
            iov_base: words.as_mut_ptr().cast(),
            iov_len: words.len(),
        };
        let _ = super::ptrace(request, thread, set, (&raw mut vector).addr());
    }

    pub(super) fn set_call(thread: i32, call: i64) {
        let mut number = (call as i32).to_ne_bytes();
        access(libc::PTRACE_SETREGSET, thread, SYSTEM_CALL, &mut number);
    }

    pub(super) fn set_answer(thread: i32, answer: i64) {
        // 31 registers, the stack's, the program's and the state.
        let mut all = [0; 34 * 8];
        access(libc::PTRACE_GETREGSET, thread, PRSTATUS, &mut all);
        all[..8].copy_from_slice(&answer.to_ne_bytes());
        access(libc::PTRACE_SETREGSET, thread, PRSTATUS, &mut all);
    }
}
