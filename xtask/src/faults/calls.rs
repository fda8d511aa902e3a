//! Which system calls are refused, with which errors, and which are not, and why.

use libc::*;

/// A system call that is to be refused.
pub(super) struct Call {
    pub(super) name: &'static str,
    pub(super) number: i64,
    pub(super) errors: &'static [i32],
    /// It has its effect even if it fails: a descriptor is closed, and the other side of a socket that is not
    /// connected any more knows.
    pub(super) is_done: bool,
}

macro_rules! calls {
    ($($name:ident $number:path [$($error:ident)*]),* $(,)?) => {
        &[$(Call {
            name: stringify!($name),
            number: $number as i64,
            errors: &[$($error),*],
            is_done: matches!(stringify!($name).as_bytes(), b"close" | b"shutdown"),
        }),*]
    };
}

#[cfg(target_arch = "x86_64")]
const SYS_WAIT: c_long = SYS_epoll_wait;
/// There is no `epoll_wait` here.
#[cfg(not(target_arch = "x86_64"))]
const SYS_WAIT: c_long = SYS_epoll_pwait;

/// By its number: the C library has no name for it yet.
const SYS_STATMOUNT: c_long = 457;

#[cfg(target_arch = "x86_64")]
mod names {
    pub(super) use libc::{
        SYS_mkdir as MKDIR, SYS_readlink as READLINK, SYS_rename as RENAME, SYS_symlink as SYMLINK,
        SYS_unlink as UNLINK,
    };
}
/// Newer systems have the calls with a folder only.
#[cfg(not(target_arch = "x86_64"))]
mod names {
    pub(super) use libc::{
        SYS_mkdirat as MKDIR, SYS_readlinkat as READLINK, SYS_renameat as RENAME,
        SYS_symlinkat as SYMLINK, SYS_unlinkat as UNLINK,
    };
}

/// The calls of the driver, the files, the sockets and the processes, with errors that `man 2` names and
/// that a healthy program can meet.
///
/// `EAGAIN` is left out where it says that a descriptor is not ready: the next readiness is then never told,
/// since it was told before, and no program could go on.
pub(super) const LISTED: &[Call] = calls![
    io_uring_setup SYS_io_uring_setup [ENOMEM EMFILE ENFILE EPERM ENOSYS],
    io_uring_register SYS_io_uring_register [ENOMEM EINVAL EPERM],
    io_uring_enter SYS_io_uring_enter [EAGAIN EBUSY ENOMEM EINTR EPERM],
    epoll_create1 SYS_epoll_create1 [EMFILE ENFILE ENOMEM],
    epoll_ctl SYS_epoll_ctl [ENOMEM ENOSPC],
    epoll_wait SYS_WAIT [EINTR ENOMEM],
    ppoll SYS_ppoll [EINTR ENOMEM],
    eventfd2 SYS_eventfd2 [EMFILE ENFILE ENOMEM],
    socket SYS_socket [EMFILE ENFILE ENOBUFS ENOMEM EACCES],
    socketpair SYS_socketpair [EMFILE ENFILE ENOMEM],
    bind SYS_bind [EACCES EADDRINUSE ENOMEM],
    listen SYS_listen [EADDRINUSE],
    accept4 SYS_accept4 [EMFILE ENFILE ENOBUFS ENOMEM ECONNABORTED EINTR EPERM],
    connect SYS_connect [ECONNREFUSED ENETUNREACH EADDRNOTAVAIL ETIMEDOUT],
    getsockname SYS_getsockname [ENOBUFS],
    setsockopt SYS_setsockopt [ENOMEM ENOPROTOOPT],
    getsockopt SYS_getsockopt [ENOBUFS],
    sendto SYS_sendto [ENOBUFS ECONNRESET EPIPE EINTR],
    recvfrom SYS_recvfrom [ECONNRESET ENOMEM EINTR],
    shutdown SYS_shutdown [ENOTCONN],
    pipe2 SYS_pipe2 [EMFILE ENFILE],
    openat SYS_openat [EMFILE ENFILE ENOMEM EACCES EINTR ENOSPC],
    read SYS_read [EIO EINTR ENOMEM],
    write SYS_write [EIO EINTR ENOSPC EPIPE],
    close SYS_close [EIO EINTR],
    statx SYS_statx [ENOMEM EACCES ENOENT EIO],
    lseek SYS_lseek [EINVAL],
    ftruncate SYS_ftruncate [EIO EFBIG EINTR],
    getdents64 SYS_getdents64 [EIO ENOENT],
    fcntl SYS_fcntl [EMFILE ENOMEM],
    clone3 SYS_clone3 [EAGAIN ENOMEM],
    pidfd_open SYS_pidfd_open [EMFILE ENFILE ENOMEM ENOSYS],
    rt_sigaction SYS_rt_sigaction [EINVAL],
    wait4 SYS_wait4 [ECHILD EINTR],
    kill SYS_kill [EPERM ESRCH],
    openat2 SYS_openat2 [EMFILE ENOMEM EACCES ENOSYS EAGAIN],
    preadv2 SYS_preadv2 [EIO EINTR ENOMEM EOPNOTSUPP],
    pwritev2 SYS_pwritev2 [EIO EINTR ENOSPC EOPNOTSUPP],
    copy_file_range SYS_copy_file_range [EIO ENOSPC ENOMEM EXDEV ENOSYS],
    fsync SYS_fsync [EIO ENOSPC EINTR],
    fdatasync SYS_fdatasync [EIO ENOSPC EINTR],
    fchmod SYS_fchmod [EPERM EIO],
    unlinkat SYS_unlinkat [EACCES EBUSY EIO],
    linkat SYS_linkat [EPERM ENOSPC EMLINK],
    newfstatat SYS_newfstatat [EACCES ENOENT EIO],
    ioctl SYS_ioctl [ENOTTY EINVAL],
    statmount SYS_STATMOUNT [ENOSYS EPERM ENOENT],
    rename names::RENAME [EACCES EXDEV ENOSPC],
    mkdir names::MKDIR [EACCES EEXIST ENOSPC],
    unlink names::UNLINK [EACCES EBUSY],
    symlink names::SYMLINK [EACCES ENOSPC],
    readlink names::READLINK [EACCES EINVAL],
    recvmsg SYS_recvmsg [EINTR ENOMEM],
];

/// The calls that are never refused, and why.
pub(super) const EXCLUDED: &[(&str, i64, &str)] = &[
    (
        "prlimit64",
        SYS_prlimit64,
        "the standard library's and the C library's",
    ),
    (
        "mmap",
        SYS_mmap,
        "the allocator's and the stacks': no memory ends a program",
    ),
    ("munmap", SYS_munmap, "fails for wrong arguments only"),
    (
        "mprotect",
        SYS_mprotect,
        "the guard of a stack: the standard library's",
    ),
    (
        "madvise",
        SYS_madvise,
        "advice: the allocator's, and that a ring is not for children",
    ),
    ("brk", SYS_brk, "the allocator's"),
    (
        "futex",
        SYS_futex,
        "locks: the standard library stops for good without them",
    ),
    ("sched_yield", SYS_sched_yield, "never fails"),
    (
        "sched_getaffinity",
        SYS_sched_getaffinity,
        "the number of processors: a guess without it",
    ),
    (
        "clock_nanosleep",
        SYS_clock_nanosleep,
        "the standard library's sleep panics",
    ),
    (
        "rt_sigprocmask",
        SYS_rt_sigprocmask,
        "fails for wrong arguments only",
    ),
    ("rt_sigreturn", SYS_rt_sigreturn, "has no answer"),
    (
        "sigaltstack",
        SYS_sigaltstack,
        "the standard library's, for overruns of stacks",
    ),
    ("rseq", SYS_rseq, "the C library's"),
    ("set_robust_list", SYS_set_robust_list, "the C library's"),
    ("gettid", SYS_gettid, "never fails"),
    ("getpid", SYS_getpid, "never fails"),
    ("getppid", SYS_getppid, "marks the beginning and the end"),
    (
        "prctl",
        SYS_prctl,
        "names a thread: nobody looks at the answer",
    ),
    (
        "membarrier",
        SYS_membarrier,
        "asked for once, and then known to work",
    ),
    (
        "getrandom",
        SYS_getrandom,
        "the standard library's maps panic",
    ),
    ("exit", SYS_exit, "has no answer"),
    ("exit_group", SYS_exit_group, "has no answer"),
    ("restart_syscall", SYS_restart_syscall, "the kernel's"),
    ("execve", SYS_execve, "a child's"),
];
