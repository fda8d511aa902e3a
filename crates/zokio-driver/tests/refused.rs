//! Where the system refuses io_uring, operations run elsewhere, quietly, and the plane says why.
//!
//! Filters are for life, so each case runs in a process of its own: this program again, told by
//! its environment what to have refused.
#![cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]

mod common;

use common::{Pool, block_on, plane};
use std::process::Command;
use std::sync::{Arc, Mutex};
use zokio_driver::op::*;
use zokio_driver::uring::{IoMode, RingStatus};

const VARIABLE: &str = "ZOKIO_TEST_REFUSE";

/// Has `call` answered with `errno` from here on.
fn refuse(call: libc::c_long, errno: i32) {
    let filter = |code: u32, jt, jf, k| libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let load_number = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    let jump_if_equal = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let answer = libc::BPF_RET | libc::BPF_K;
    let mut program = [
        filter(load_number, 0, 0, 0),
        filter(jump_if_equal, 0, 1, call as u32),
        filter(answer, 0, 0, libc::SECCOMP_RET_ERRNO | errno as u32),
        filter(answer, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: the program is valid for the call, and affects this process only.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        let flags = libc::SECCOMP_FILTER_FLAG_TSYNC;
        let set = libc::SECCOMP_SET_MODE_FILTER;
        assert_eq!(libc::syscall(libc::SYS_seccomp, set, flags, &program), 0);
    }
}

fn in_a_process_of_its_own(case: &str) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_case", "--nocapture"])
        .env(VARIABLE, case)
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{case}:\n{out}\n{err}");
    assert!(out.contains(&format!("done: {case}")), "{out}");
    assert_eq!(err, "", "a library says nothing on its own");
}

/// The body of the processes. Does nothing in the first one.
#[test]
fn the_case() {
    let Ok(case) = std::env::var(VARIABLE) else {
        return;
    };
    let pool = Pool::running(1);
    let told = Arc::new(Mutex::new(Vec::new()));
    let hear = told.clone();
    let make = |mode| {
        let hear = hear.clone();
        Plane::new(
            1,
            mode,
            pool.clone(),
            Arc::new(|_| ()),
            Some(Arc::new(move |why: &str| {
                hear.lock().unwrap().push(why.to_owned())
            })),
        )
    };
    let late = case == "enter, late";
    let early = late.then(|| {
        let plane = make(IoMode::Auto).unwrap();
        exercise(&plane);
        plane
    });
    let (call, errno) = match case.as_str() {
        "setup, EPERM" => (libc::SYS_io_uring_setup, libc::EPERM),
        "setup, ENOSYS" => (libc::SYS_io_uring_setup, libc::ENOSYS),
        "setup, ENOMEM" => (libc::SYS_io_uring_setup, libc::ENOMEM),
        "setup, EMFILE" => (libc::SYS_io_uring_setup, libc::EMFILE),
        "register, EACCES" => (libc::SYS_io_uring_register, libc::EACCES),
        "enter, EPERM" | "enter, late" => (libc::SYS_io_uring_enter, libc::EPERM),
        other => panic!("no case {other}"),
    };
    refuse(call, errno);
    if let Some(plane) = early {
        // The ring broke under way: everything still works.
        exercise(&plane);
        exercise(&plane);
        assert!(plane.metrics().offloaded > 0);
        println!("done: {case}");
        return;
    }
    let plane = make(IoMode::Auto).unwrap();
    assert_eq!(plane.status(), RingStatus::NotNeededYet);
    exercise(&plane);
    exercise(&plane);
    let RingStatus::Refused { why } = plane.status() else {
        panic!("{:?}", plane.status())
    };
    assert_eq!(
        *told.lock().unwrap(),
        std::slice::from_ref(&why),
        "told once"
    );
    assert!(why.contains(case.split(',').next().unwrap()), "{why}");
    assert_eq!(plane.metrics().on_ring, 0);
    assert_eq!(plane.metrics().refused, 1);
    let error = make(IoMode::Uring).unwrap_err();
    assert!(error.to_string().contains("io_uring"), "{error}");
    assert!(make(IoMode::Epoll).is_ok());
    println!("done: {case}");
}

/// A file from its making to its removal.
fn exercise(plane: &Arc<Plane>) {
    let dir = tempfile::tempdir().unwrap();
    let path = || OpPath::new(&dir.path().join("file")).unwrap();
    block_on(plane, async {
        let how = OpenHow {
            read: true,
            ..OpenHow::creating()
        };
        let file = plane.start(Some(0), Open::new(path(), how)).await.unwrap();
        let file = OpenFile::new(file);
        let write = Write::new(file.clone(), b"hello".to_vec(), 0, At::Offset(0));
        assert_eq!(plane.start(Some(0), write).await.result.unwrap(), 5);
        plane.start(None, Fsync::new(file.clone())).await.unwrap();
        let read = Read::new(file.clone(), Vec::with_capacity(16), 0, 16, At::Offset(0));
        let filled = plane.start(Some(0), read).await;
        assert_eq!(filled.buf.unwrap(), b"hello");
        assert_eq!(
            plane
                .start(Some(0), Statx::new(path(), true))
                .await
                .unwrap()
                .len,
            5
        );
        plane.start(Some(0), Unlink::new(path())).await.unwrap();
        let file = Arc::into_inner(file).unwrap();
        plane
            .start(Some(0), Close::new(file.into_std()))
            .await
            .unwrap();
    });
}

#[test]
fn the_ring_is_refused_at_setup() {
    in_a_process_of_its_own("setup, EPERM");
    in_a_process_of_its_own("setup, ENOSYS");
    in_a_process_of_its_own("setup, ENOMEM");
    in_a_process_of_its_own("setup, EMFILE");
}

#[test]
fn the_ring_is_refused_at_register() {
    if !common::has_ring() {
        // Refused earlier already, by the system.
        return;
    }
    in_a_process_of_its_own("register, EACCES");
}

#[test]
fn the_ring_is_refused_at_enter() {
    if !common::has_ring() {
        // Refused earlier already, by the system.
        return;
    }
    in_a_process_of_its_own("enter, EPERM");
}

#[test]
fn the_ring_is_refused_under_way() {
    if !common::has_ring() {
        return;
    }
    in_a_process_of_its_own("enter, late");
}

#[test]
fn the_plane_makes_no_ring_in_mode_epoll() {
    let plane = plane(IoMode::Epoll, &Pool::running(1)).unwrap();
    exercise(&plane);
    assert_eq!(plane.metrics().rings, 0);
    assert!(matches!(plane.status(), RingStatus::Refused { .. }));
}
