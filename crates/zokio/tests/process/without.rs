//! Children where something is missing: descriptors, or the system's descriptors for processes. Each test
//! starts this program again, as what it takes away is gone for the whole process: the part to play is in
//! the environment.

use crate::kit::{IMPATIENCE, endless, no_entry, sh};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use zokio::io::{AsyncReadExt, AsyncWriteExt};
use zokio::process::Command;
use zokio::runtime::{Builder, Runtime};
use zokio::time::timeout;

const PART: &str = "ZOKIO_TEST_PART";

/// Plays a part in a process of its own.
fn play(part: &str) {
    let mut program = std::process::Command::new(std::env::current_exe().unwrap());
    program.args(["--exact", "without::the_part", "--nocapture"]);
    let output = program.env(PART, part).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{errors}");
    assert!(said.contains("1 passed"), "{said}");
}

/// Not a test unless somebody asks for a part.
#[test]
fn the_part() {
    let Ok(part) = std::env::var(PART) else {
        return;
    };
    match part.as_str() {
        "start without descriptors" => start_without_descriptors(),
        "ignored signal" => ignored_signal(),
        "wait without descriptors" => wait_without_descriptors(),
        "without pidfd" => without_pidfd(),
        "unwatched pidfd" => unwatched_pidfd(),
        other => panic!("no such part: {other}"),
    }
}

fn runtimes() -> [Runtime; 2] {
    let mut multi = Builder::new_multi_thread();
    [
        Builder::new_current_thread().enable_all().build().unwrap(),
        multi.worker_threads(2).enable_all().build().unwrap(),
    ]
}

/// Takes all descriptors that the process may have, until the files are dropped.
fn no_descriptors() -> Vec<File> {
    let limit = libc::rlimit {
        rlim_cur: 256,
        rlim_max: 256,
    };
    // SAFETY: the call reads the structure.
    let result = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    assert_eq!(result, 0);
    let mut files = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }
    files
}

/// Whether this process has children, of which some may have ended.
fn has_children() -> bool {
    let options = libc::WNOHANG | libc::WEXITED | libc::WNOWAIT;
    // SAFETY: all zeroes are a value of this structure, which the call writes to.
    let mut found: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: as above; nothing is reaped.
    unsafe { libc::waitid(libc::P_ALL, 0, &raw mut found, options) == 0 }
}

#[test]
fn without_descriptors_a_child_that_has_started_lives_and_is_waited_for() {
    play("start without descriptors");
}

fn start_without_descriptors() {
    let without_time = Builder::new_current_thread().enable_io().build().unwrap();
    without_time.block_on(async {
        let files = no_descriptors();
        assert!(Command::new("true").status().await.unwrap().success());
        drop(files);
    });
    for runtime in runtimes() {
        runtime.block_on(async {
            assert!(Command::new("true").status().await.unwrap().success());
            assert!(!has_children());
            let (mut slow, mut fast) = (sh("sleep 0.1; exit 7"), sh("exit 8"));
            let files = no_descriptors();
            let (mut slow, mut fast) = (slow.spawn().unwrap(), fast.spawn().unwrap());
            let mut ends_later = endless().spawn().unwrap();
            assert_eq!(slow.wait().await.unwrap().code(), Some(7));
            assert_eq!(fast.wait().await.unwrap().code(), Some(8));
            assert!(timeout(IMPATIENCE, ends_later.wait()).await.is_err());
            // Those that nobody waits for leave no entry.
            let dropped = endless().kill_on_drop(true).spawn().unwrap();
            let killed = dropped.id().unwrap();
            drop(dropped);
            drop(files);
            no_entry(killed).await;
            assert!(timeout(IMPATIENCE, ends_later.wait()).await.is_err());
            // It has got its descriptor.
            let watched = std::fs::read_dir("/proc/self/fd").unwrap().any(|entry| {
                let target = std::fs::read_link(entry.unwrap().path());
                target.is_ok_and(|target| target.to_str().unwrap().contains("pidfd"))
            });
            assert!(watched);
            ends_later.start_kill().unwrap();
            let status = ends_later.wait().await.unwrap();
            assert_eq!(status.signal(), Some(libc::SIGKILL));
            assert!(!has_children());
        });
    }
}

#[test]
fn without_descriptors_a_wait_goes_on_in_another_runtime() {
    play("wait without descriptors");
}

fn wait_without_descriptors() {
    let [first, second] = runtimes();
    let mut child = first.block_on(async { endless().spawn().unwrap() });
    let mut other = first.block_on(async { endless().spawn().unwrap() });
    second.block_on(async {
        assert!(Command::new("true").status().await.unwrap().success());
        let files = no_descriptors();
        assert!(timeout(IMPATIENCE, child.wait()).await.is_err());
        assert!(timeout(IMPATIENCE, other.wait()).await.is_err());
        child.start_kill().unwrap();
        let status = child.wait().await.unwrap();
        assert_eq!(status.signal(), Some(libc::SIGKILL));
        drop(files);
        assert!(timeout(IMPATIENCE, other.wait()).await.is_err());
        other.start_kill().unwrap();
        let status = other.wait().await.unwrap();
        assert_eq!(status.signal(), Some(libc::SIGKILL));
    });
}

#[test]
fn a_process_that_ignores_the_ends_of_children_hears_of_all_of_them() {
    play("ignored signal");
}

/// Sets what is done with `SIGCHLD`.
fn set_action(handler: libc::sighandler_t, flags: libc::c_int) {
    // SAFETY: all zeroes are a value of this structure: no mask, no flags, the default action.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler;
    action.sa_flags = flags;
    // SAFETY: the call reads the structure, which names no function.
    let result = unsafe { libc::sigaction(libc::SIGCHLD, &raw const action, std::ptr::null_mut()) };
    assert_eq!(result, 0);
}

fn ignored_signal() {
    // Inherited; and set by somebody later on, in either form.
    let ways = [
        (libc::SIG_IGN, 0),
        (libc::SIG_DFL, libc::SA_NOCLDWAIT),
        (libc::SIG_IGN, 0),
    ];
    for (handler, flags) in ways {
        set_action(handler, flags);
        for runtime in runtimes() {
            runtime.block_on(async {
                for round in 0..20 {
                    let delay = if round % 2 == 0 { "" } else { "sleep 0.01; " };
                    let status = sh(&format!("{delay}exit 42")).status().await.unwrap();
                    assert_eq!(status.code(), Some(42), "round {round}");
                }
                // The children themselves do not inherit it.
                let ignored = sh("grep SigIgn /proc/self/status").output().await.unwrap();
                let text = String::from_utf8(ignored.stdout).unwrap();
                let mask = text.trim().rsplit('\t').next().unwrap();
                let mask = u64::from_str_radix(mask, 16).unwrap();
                assert_eq!(mask & (1 << (libc::SIGCHLD - 1)), 0, "{text}");
            });
        }
    }
    assert!(!has_children());
}

#[test]
fn where_processes_have_no_descriptors_signals_tell_of_their_ends() {
    play("without pidfd");
}

/// Has the system refuse a call: always, or if an argument has a value.
fn refuse(call: libc::c_long, argument: Option<(u32, u32)>, errno: libc::c_int) {
    let step = |code: u32, jt, jf, k| libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let load = |offset| step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset);
    let is_equal = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let answer = |answer| step(libc::BPF_RET | libc::BPF_K, 0, 0, answer);
    // A filter sees the call's number, the machine, the address, and from byte 16 on the arguments,
    // of 8 bytes each. Without one to look at, the number is looked at twice.
    let low_half = if cfg!(target_endian = "little") { 0 } else { 4 };
    let (offset, value) = match argument {
        Some((index, value)) => (16 + 8 * index + low_half, value),
        None => (0, call as u32),
    };
    let mut program = [
        load(0),
        step(is_equal, 0, 3, call as u32),
        load(offset),
        step(is_equal, 0, 1, value),
        answer(libc::SECCOMP_RET_ERRNO | errno as u32),
        answer(libc::SECCOMP_RET_ALLOW),
    ];
    let filter = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    let (one, zero): (libc::c_ulong, libc::c_ulong) = (1, 0);
    let mode = libc::c_ulong::from(libc::SECCOMP_MODE_FILTER);
    // SAFETY: the first call takes numbers only. The second reads the program, which is there; it is
    // in force for this thread and those that it starts.
    unsafe {
        let promised = libc::prctl(libc::PR_SET_NO_NEW_PRIVS, one, zero, zero, zero);
        assert_eq!(promised, 0);
        let installed = libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const filter);
        assert_eq!(installed, 0);
    }
}

fn without_pidfd() {
    refuse(libc::SYS_pidfd_open, None, libc::ENOSYS);
    let error = zokio_driver::fd::pidfd_open(std::process::id()).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENOSYS));
    for runtime in runtimes() {
        runtime.block_on(async {
            // Ends that come together are each noticed.
            let children: Vec<_> = (0..10)
                .map(|code| sh(&format!("exit {code}")).spawn().unwrap())
                .collect();
            for (code, mut child) in children.into_iter().enumerate() {
                let status = child.wait().await.unwrap();
                assert_eq!(status.code(), i32::try_from(code).ok());
            }
            let mut cat = Command::new("cat");
            cat.stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut cat = cat.spawn().unwrap();
            assert!(
                timeout(IMPATIENCE, async {
                    cat.stdout.as_mut().unwrap().read_u8().await
                })
                .await
                .is_err()
            );
            cat.stdin.as_mut().unwrap().write_all(b"x").await.unwrap();
            assert_eq!(cat.wait_with_output().await.unwrap().stdout, b"x");
            let mut killed = endless().spawn().unwrap();
            killed.kill().await.unwrap();
            // Those that nobody waits for leave no entry.
            let dropped = endless().kill_on_drop(true).spawn().unwrap();
            let left = sh("exit 0").spawn().unwrap();
            let numbers = [dropped.id().unwrap(), left.id().unwrap()];
            drop((dropped, left));
            for number in numbers {
                no_entry(number).await;
            }
            assert!(!has_children());
        });
    }
}

#[test]
fn where_descriptors_of_processes_cannot_be_watched_signals_tell_of_their_ends() {
    play("unwatched pidfd");
}

fn unwatched_pidfd() {
    let [runtime, _] = runtimes();
    runtime.block_on(async {
        // All that the runtime opens for its own use is open from now on.
        assert!(Command::new("true").status().await.unwrap().success());
        // The next descriptor that is opened is that of the child.
        let next = File::open("/dev/null").unwrap().as_raw_fd();
        let mut child = endless().spawn().unwrap();
        let is_pidfd = std::fs::read_link(format!("/proc/self/fd/{next}")).unwrap();
        assert!(is_pidfd.to_str().unwrap().contains("pidfd"), "{is_pidfd:?}");
        let descriptor = u32::try_from(next).unwrap();
        refuse(libc::SYS_epoll_ctl, Some((2, descriptor)), libc::EPERM);
        assert!(timeout(IMPATIENCE, child.wait()).await.is_err());
        // Its place was taken by something else.
        assert!(std::fs::read_link(format!("/proc/self/fd/{next}")).ok() != Some(is_pidfd));
        child.start_kill().unwrap();
        let status = child.wait().await.unwrap();
        assert_eq!(status.signal(), Some(libc::SIGKILL));
    });
}
