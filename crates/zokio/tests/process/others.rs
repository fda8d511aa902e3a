//! Children that others have a part in: another user, another process at the end of a pipe, somebody
//! who reaps what is not theirs.

use crate::kit::{endless, no_entry, on_all, sh};
use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use zokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use zokio::process::Command;

/// Nobody, on most systems; in any case not who runs the tests.
const OTHER: u32 = 65_534;

#[test]
fn user_and_group_are_those_that_were_set() {
    // SAFETY: the call takes nothing and cannot fail.
    let is_root = unsafe { libc::geteuid() } == 0;
    on_all(|| async move {
        let mut command = sh("id -u; id -g");
        command.uid(OTHER).gid(OTHER).current_dir("/");
        if is_root {
            let output = command.output().await.unwrap();
            let said = String::from_utf8(output.stdout).unwrap();
            assert_eq!(said, format!("{OTHER}\n{OTHER}\n"));
        } else {
            let error = command.output().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        }
    });
}

#[test]
fn a_group_of_its_own_can_be_killed_with_all_in_it() {
    on_all(|| async {
        let mut command = sh("sleep 1000 & echo $!; wait");
        command.process_group(0).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let group = i32::try_from(child.id().unwrap()).unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let inner = lines.next_line().await.unwrap().unwrap();
        assert_ne!(inner.parse::<i32>().unwrap(), group);
        // SAFETY: signals a group that has this child and its own in it.
        assert_eq!(unsafe { libc::killpg(group, libc::SIGTERM) }, 0);
        let status = child.wait().await.unwrap();
        assert_eq!(status.signal(), Some(libc::SIGTERM));
        // The other one has held the pipe open.
        assert_eq!(lines.next_line().await.unwrap(), None);
    });
}

#[test]
fn each_pipe_of_a_child_can_become_a_stream_of_another() {
    on_all(|| async {
        let mut upper = Command::new("tr");
        upper.args(["a-z", "A-Z"]);
        upper.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut upper = upper.spawn().unwrap();
        let into_upper: Stdio = upper.stdin.take().unwrap().try_into().unwrap();
        let said = sh("echo hello").stdout(into_upper).status().await.unwrap();
        assert!(said.success());
        let mut text = String::new();
        let mut output = upper.stdout.take().unwrap();
        output.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "HELLO\n");
        assert!(upper.wait().await.unwrap().success());
        let mut complains = sh("echo no >&2");
        complains.stderr(Stdio::piped());
        let mut complains = complains.spawn().unwrap();
        let errors: Stdio = complains.stderr.take().unwrap().try_into().unwrap();
        let cat = Command::new("cat").stdin(errors).output().await.unwrap();
        assert_eq!(cat.stdout, b"no\n");
        assert!(complains.wait().await.unwrap().success());
    });
}

#[test]
fn descriptors_of_pipes_are_given_away_in_blocking_mode() {
    on_all(|| async {
        let mut cat = Command::new("cat");
        cat.stdin(Stdio::piped()).stdout(Stdio::piped());
        cat.stderr(Stdio::piped());
        let mut cat = cat.spawn().unwrap();
        let input = cat.stdin.take().unwrap();
        let (output, errors) = (cat.stdout.take().unwrap(), cat.stderr.take().unwrap());
        assert_eq!(input.as_fd().as_raw_fd(), input.as_raw_fd());
        assert_eq!(errors.as_fd().as_raw_fd(), errors.as_raw_fd());
        let descriptors = [
            input.into_owned_fd().unwrap(),
            output.into_owned_fd().unwrap(),
            errors.into_owned_fd().unwrap(),
        ];
        for fd in &descriptors {
            let flags = zokio_driver::fd::status_flags(fd.as_fd()).unwrap();
            assert_eq!(flags & libc::O_NONBLOCK, 0);
        }
        drop(descriptors);
        assert!(cat.wait().await.unwrap().success());
    });
}

#[test]
fn whom_somebody_else_has_reaped_cannot_be_waited_for() {
    on_all(|| async {
        let mut child = sh("exit 3").spawn().unwrap();
        let number = i32::try_from(child.id().unwrap()).unwrap();
        let mut status = 0;
        // SAFETY: the status is written to by the call only.
        let reaped = unsafe { libc::waitpid(number, &raw mut status, 0) };
        assert_eq!(reaped, number);
        let error = child.wait().await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ECHILD));
        let error = child.try_wait().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ECHILD));
        // Dropping it does no harm.
        drop(child);
    });
}

#[test]
fn a_child_says_what_it_is_until_it_is_reaped() {
    on_all(|| async {
        let mut child = endless().stdin(Stdio::piped()).spawn().unwrap();
        let number = child.id().unwrap();
        assert_eq!(child.try_wait().unwrap(), None);
        assert_eq!(child.id(), Some(number));
        child.start_kill().unwrap();
        let status = child.wait().await.unwrap();
        assert_eq!(status.signal(), Some(libc::SIGKILL));
        assert_eq!(child.id(), None);
        assert!(child.stdin.is_none());
        // From now on nothing is done to whoever has the number next.
        child.start_kill().unwrap();
        assert_eq!(child.try_wait().unwrap(), Some(status));
        assert_eq!(child.wait().await.unwrap(), status);
        no_entry(number).await;
    });
}

#[test]
fn what_a_child_has_left_to_say_is_collected_beside_what_was_read() {
    on_all(|| async {
        let mut command = sh("read line; echo \"got $line\"; echo rest; echo bad >&2; exit 4");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(b"it\n").await.unwrap();
        let mut first = [0; 7];
        let output = child.stdout.as_mut().unwrap();
        output.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"got it\n");
        let output = child.wait_with_output().await.unwrap();
        assert_eq!(output.status.code(), Some(4));
        assert_eq!(
            (output.stdout, output.stderr),
            (b"rest\n".into(), b"bad\n".into())
        );
    });
}
