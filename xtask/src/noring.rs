//! `cargo xtask noring [-p] CMD..`: runs a command with io_uring refused by the kernel.
//!
//! A seccomp filter answers `io_uring_setup`, `io_uring_enter` and `io_uring_register` with ENOSYS
//! (an old kernel) or, with `-p`, EPERM (a container's profile). The filter is inherited by every
//! child, so a whole test run sees a machine without rings.

use crate::Outcome;

/// Runs the command; returns only when it could not be started.
#[cfg(target_os = "linux")]
pub(crate) fn run(args: &[String]) -> Outcome {
    use std::os::unix::process::CommandExt;

    let (errno, command) = match args {
        [flag, rest @ ..] if flag == "-p" => (libc::EPERM, rest),
        all => (libc::ENOSYS, all),
    };
    let Some((program, arguments)) = command.split_first() else {
        return Err("usage: cargo xtask noring [-p] CMD..".into());
    };
    filter::install(errno).map_err(|e| format!("seccomp: {e}"))?;
    let error = std::process::Command::new(program).args(arguments).exec();
    Err(format!("cannot run `{program}`: {error}"))
}

/// There is nothing to refuse elsewhere.
#[cfg(not(target_os = "linux"))]
pub(crate) fn run(_args: &[String]) -> Outcome {
    Err("io_uring exists on Linux only".into())
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
mod filter {
    //! The filter program: load the call's number, compare with the range, return.

    use std::io;

    const LOAD_WORD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const JUMP_GE: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
    const JUMP_GT: u16 = (libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    /// Where `seccomp_data` holds the call's number.
    const NUMBER_OFFSET: u32 = 0;

    /// Refuses the three calls, which have consecutive numbers, with `errno`.
    pub(super) fn install(errno: i32) -> io::Result<()> {
        let (first, last) = (
            libc::SYS_io_uring_setup as u32,
            libc::SYS_io_uring_register as u32,
        );
        let refuse = libc::SECCOMP_RET_ERRNO | errno as u32;
        let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
        let mut program = [
            step(LOAD_WORD, 0, 0, NUMBER_OFFSET),
            step(JUMP_GE, 0, 2, first),
            step(JUMP_GT, 1, 0, last),
            step(RETURN, 0, 0, refuse),
            step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
        ];
        let filter = libc::sock_fprog {
            len: program.len() as u16,
            filter: program.as_mut_ptr(),
        };
        let (one, zero): (libc::c_ulong, libc::c_ulong) = (1, 0);
        // SAFETY: this option takes numbers only.
        let promised = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, one, zero, zero, zero) };
        if promised != 0 {
            return Err(io::Error::last_os_error());
        }
        let mode = libc::SECCOMP_MODE_FILTER as libc::c_ulong;
        // SAFETY: `filter` points to `program`, both alive during the call; the kernel copies it.
        let installed = unsafe { libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const filter) };
        if installed != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    #[cfg(test)]
    mod tests {
        use std::io;

        #[test]
        fn the_ring_is_refused_and_nothing_else() {
            // Filters are per thread, so the other tests of this process are left alone.
            let refused = std::thread::spawn(|| {
                super::install(libc::EPERM).unwrap();
                // SAFETY: with a null parameter block the call can only fail.
                let made = unsafe {
                    libc::syscall(libc::SYS_io_uring_setup, 1, std::ptr::null_mut::<u8>())
                };
                (
                    made,
                    io::Error::last_os_error().raw_os_error(),
                    std::fs::metadata("/").is_ok(),
                )
            });
            assert_eq!(refused.join().unwrap(), (-1, Some(libc::EPERM), true));
        }
    }
}
