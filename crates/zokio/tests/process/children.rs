//! Children: their ends, pipes and settings; who is killed, and who is reaped.

use crate::kit::{
    IMPATIENCE, PATIENCE, ended, endless, has_entry, no_entry, on_all, piped, runtimes, sh,
};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use zokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use zokio::process::{Child, Command};
use zokio::runtime::{Builder, Runtime};
use zokio::time::{sleep, timeout};

#[test]
fn statuses_are_those_of_the_process() {
    on_all(|| async {
        for code in [0, 1, 42, 255] {
            let mut child = sh(&format!("exit {code}")).spawn().unwrap();
            assert!(child.id().is_some());
            let status = child.wait().await.unwrap();
            assert_eq!(status.code(), Some(code));
            assert_eq!(child.id(), None);
            // And again.
            assert_eq!(child.wait().await.unwrap(), status);
            assert_eq!(child.try_wait().unwrap(), Some(status));
        }
        let killed = sh("kill -TERM $$").status().await.unwrap();
        assert_eq!(killed.signal(), Some(libc::SIGTERM));
        assert!(Command::new("true").status().await.unwrap().success());
    });
}

#[test]
fn programs_that_are_not_there_are_not_found() {
    on_all(|| async {
        let error = Command::new("/no/such/program").spawn().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let error = Command::new("/no/such/program").output().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    });
}

#[test]
fn output_is_collected_and_told_apart() {
    on_all(|| async {
        let output = sh("echo out; echo err >&2; exit 3").output().await.unwrap();
        assert_eq!(output.stdout, b"out\n");
        assert_eq!(output.stderr, b"err\n");
        assert_eq!(output.status.code(), Some(3));
        // A stream that is not a pipe is not collected.
        let child = sh("echo out").stdout(Stdio::null()).spawn().unwrap();
        assert_eq!(child.wait_with_output().await.unwrap().stdout, b"");
    });
}

#[test]
fn large_data_goes_both_ways_at_once() {
    on_all(|| async {
        let sent: Vec<u8> = (0..3_000_000_u32).map(|byte| (byte % 251) as u8).collect();
        let mut cat = piped(&mut Command::new("cat")).spawn().unwrap();
        let mut input = cat.stdin.take().unwrap();
        let expected = sent.clone();
        let writer = zokio::spawn(async move { input.write_all(&sent).await.unwrap() });
        let output = cat.wait_with_output().await.unwrap();
        assert!(output.status.success() && output.stdout == expected);
        writer.await.unwrap();
    });
}

#[test]
fn one_piece_after_the_other_comes_while_the_process_lives() {
    on_all(|| async {
        let mut cat = piped(&mut Command::new("cat")).spawn().unwrap();
        let mut input = cat.stdin.take().unwrap();
        let mut output = cat.stdout.take().unwrap();
        for round in 0..50_u8 {
            let piece = [round; 700];
            input.write_all(&piece).await.unwrap();
            let mut back = [0; 700];
            output.read_exact(&mut back).await.unwrap();
            assert_eq!(piece, back);
            let early = timeout(Duration::from_micros(200), output.read(&mut back)).await;
            assert!(early.is_err());
        }
        drop(input);
        assert_eq!(output.read(&mut [0; 1]).await.unwrap(), 0);
        assert!(cat.wait().await.unwrap().success());
    });
}

#[test]
fn waiting_closes_the_input_and_trying_does_not() {
    on_all(|| async {
        let mut cat = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        assert_eq!(cat.try_wait().unwrap(), None);
        assert!(cat.stdin.is_some());
        assert!(cat.wait().await.unwrap().success());
        let status = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .status();
        assert!(status.await.unwrap().success());
    });
}

#[test]
fn nobody_reads_any_more() {
    on_all(|| async {
        let mut sleeper = endless().stdin(Stdio::piped()).spawn().unwrap();
        let mut input = sleeper.stdin.take().unwrap();
        let writer = zokio::spawn(async move {
            loop {
                input.write_all(&[0; 8192]).await?;
            }
            #[allow(unreachable_code)]
            std::io::Result::Ok(())
        });
        sleep(IMPATIENCE).await;
        sleeper.kill().await.unwrap();
        let error = writer.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn killing_ends_it_and_later_on_does_nothing() {
    on_all(|| async {
        let mut child = endless().spawn().unwrap();
        let pid = child.id().unwrap();
        child.kill().await.unwrap();
        assert!(!has_entry(pid));
        assert_eq!(child.wait().await.unwrap().signal(), Some(libc::SIGKILL));
        child.start_kill().unwrap();
        child.kill().await.unwrap();
        // Dead already, and nobody knows.
        let mut child = Command::new("true").spawn().unwrap();
        ended(child.id().unwrap()).await;
        child.start_kill().unwrap();
        assert!(child.wait().await.unwrap().success());
    });
}

#[test]
fn a_dropped_wait_loses_nothing() {
    on_all(|| async {
        let mut child = sh("read line; exit 7")
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        for _ in 0..20 {
            assert!(
                timeout(Duration::from_millis(1), child.wait())
                    .await
                    .is_err()
            );
        }
        input.write_all(b"\n").await.unwrap();
        assert_eq!(child.wait().await.unwrap().code(), Some(7));
    });
}

#[test]
fn a_child_that_is_dropped_lives_on_and_leaves_no_zombie() {
    on_all(|| async {
        let mut child = sh("read line; echo still here")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let pid = child.id().unwrap();
        let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        drop(child);
        sleep(IMPATIENCE).await;
        assert!(has_entry(pid));
        input.write_all(b"\n").await.unwrap();
        let mut said = String::new();
        output.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "still here\n");
        no_entry(pid).await;
    });
}

#[test]
fn killed_on_drop_is_gone_for_good() {
    on_all(|| async {
        let mut command = endless();
        assert!(!command.get_kill_on_drop());
        command.kill_on_drop(true);
        assert!(command.get_kill_on_drop());
        // In whatever state: fresh, waited for, ended.
        let fresh = command.spawn().unwrap();
        let mut waited = command.spawn().unwrap();
        let mut ended = command.spawn().unwrap();
        assert!(timeout(IMPATIENCE, waited.wait()).await.is_err());
        ended.start_kill().unwrap();
        sleep(IMPATIENCE).await;
        let pids = [&fresh, &waited, &ended].map(|child| child.id().unwrap());
        drop((fresh, waited, ended));
        for pid in pids {
            no_entry(pid).await;
        }
        // So does a dropped future.
        let marked = sh("echo $$ >&2; exec sleep 1000")
            .kill_on_drop(true)
            .output();
        assert!(timeout(IMPATIENCE, marked).await.is_err());
    });
}

#[test]
fn dropped_outside_of_the_runtime() {
    for runtime in runtimes() {
        let child = runtime.block_on(async { endless().kill_on_drop(true).spawn().unwrap() });
        let pid = child.id().unwrap();
        drop(child);
        runtime.block_on(no_entry(pid));
    }
}

/// Waits without any runtime.
fn no_entry_by_itself(pid: u32) {
    let begun = std::time::Instant::now();
    while has_entry(pid) {
        assert!(begun.elapsed() < PATIENCE, "there is a zombie");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Ends when its input does.
fn cat() -> (Child, OwnedFd) {
    let mut cat = Command::new("cat");
    cat.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = cat.spawn().unwrap();
    let input = child.stdin.take().unwrap().into_owned_fd().unwrap();
    (child, input)
}

#[test]
fn orphans_of_a_runtime_that_is_gone_are_reaped_without_any_other() {
    for runtime in runtimes() {
        let (before, of_task, after) = runtime.block_on(async {
            let (before, before_input) = cat();
            let before_pid = before.id().unwrap();
            drop(before);
            // Its task ends with the runtime.
            let (mut of_task, task_input) = cat();
            let task_pid = of_task.id().unwrap();
            zokio::spawn(async move { of_task.wait().await });
            zokio::task::yield_now().await;
            let (after, after_input) = cat();
            (
                (before_pid, before_input),
                (task_pid, task_input),
                (after, after_input),
            )
        });
        drop(runtime);
        let after_pid = after.0.id().unwrap();
        drop(after.0);
        for (pid, input) in [before, of_task, (after_pid, after.1)] {
            assert!(has_entry(pid));
            drop(input);
            no_entry_by_itself(pid);
        }
    }
}

#[test]
fn children_that_are_killed_as_their_runtime_ends_leave_no_zombie() {
    for runtime in runtimes() {
        let pids: Vec<_> = (0..70)
            .map(|_| {
                runtime.block_on(async {
                    let mut child = endless().kill_on_drop(true).spawn().unwrap();
                    let pid = child.id().unwrap();
                    zokio::spawn(async move { child.wait().await });
                    pid
                })
            })
            .collect();
        runtime.shutdown_timeout(PATIENCE);
        pids.into_iter().for_each(no_entry_by_itself);
    }
}

#[test]
fn a_child_can_be_awaited_in_another_runtime() {
    /// Ends when its input does.
    fn child(code: i32) -> (Child, OwnedFd) {
        let mut command = sh(&format!("read line; exit {code}"));
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let input = child.stdin.take().unwrap().into_owned_fd().unwrap();
        (child, input)
    }
    for is_watched in [false, true] {
        let first = Builder::new_current_thread().enable_all().build().unwrap();
        let (mut waited, input) = first.block_on(async {
            let (mut child, input) = child(5);
            if is_watched {
                assert!(timeout(IMPATIENCE, child.wait()).await.is_err());
            }
            (child, input)
        });
        // The first one is there and does nothing.
        let status = Runtime::new().unwrap().block_on(async {
            assert!(timeout(IMPATIENCE, waited.wait()).await.is_err());
            drop(input);
            timeout(PATIENCE, waited.wait())
                .await
                .expect("nobody notices")
        });
        assert_eq!(status.unwrap().code(), Some(5));
        let (mut waited, input) = first.block_on(async { child(6) });
        drop(first);
        drop(input);
        let status = Runtime::new().unwrap().block_on(waited.wait());
        assert_eq!(status.unwrap().code(), Some(6));
    }
}

#[test]
fn many_at_once() {
    on_all(|| async {
        let tasks: Vec<_> = (0..60)
            .map(|number| {
                zokio::spawn(async move {
                    let output = sh(&format!("echo {number}; exit {number}"))
                        .output()
                        .await
                        .unwrap();
                    assert_eq!(output.status.code(), Some(number));
                    assert_eq!(output.stdout, format!("{number}\n").into_bytes());
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        // Ended together, and each is noticed.
        let mut children: Vec<Child> = (0..40)
            .map(|_| {
                Command::new("cat")
                    .stdin(Stdio::piped())
                    .stdout(Stdio::null())
                    .spawn()
                    .unwrap()
            })
            .collect();
        let pids: BTreeSet<_> = children.iter().map(|child| child.id().unwrap()).collect();
        assert_eq!(pids.len(), children.len());
        let inputs: Vec<_> = children
            .iter_mut()
            .map(|child| child.stdin.take())
            .collect();
        let waits: Vec<_> = children
            .into_iter()
            .map(|mut child| zokio::spawn(async move { child.wait().await.unwrap() }))
            .collect();
        sleep(IMPATIENCE).await;
        drop(inputs);
        for wait in waits {
            assert!(wait.await.unwrap().success());
        }
    });
}

#[test]
fn many_orphans_leave_nothing() {
    on_all(|| async {
        let tasks: Vec<_> = (0..80)
            .map(|number: u32| {
                zokio::spawn(async move {
                    // Ending by itself, killed at once, and killed while it is waited for.
                    let mut command = if number % 3 == 0 {
                        sh("true")
                    } else {
                        endless()
                    };
                    let mut child = command.kill_on_drop(number % 3 != 0).spawn().unwrap();
                    let pid = child.id().unwrap();
                    if number % 3 == 1 {
                        assert!(timeout(IMPATIENCE, child.wait()).await.is_err());
                    }
                    pid
                })
            })
            .collect();
        for task in tasks {
            no_entry(task.await.unwrap()).await;
        }
    });
}

#[test]
fn descriptors_are_given_back() {
    if !Path::new("/proc/self/fd").exists() {
        return;
    }
    // Other tests of this program run at the same time if it is not one process for each.
    let script = "true";
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let growth = |runtime: &Runtime| {
        let before = open();
        runtime.block_on(async {
            for _ in 0..20 {
                piped(&mut sh(script)).output().await.unwrap();
                drop(piped(&mut sh(script)).spawn().unwrap());
            }
            sleep(Duration::from_millis(100)).await;
        });
        open().saturating_sub(before)
    };
    let grows_always = (0..5).all(|_| growth(&runtime) >= 20);
    assert!(!grows_always);
}

#[test]
fn pipes_connect_processes() {
    on_all(|| async {
        let mut echo = Command::new("echo")
            .arg("hello")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input: Stdio = echo.stdout.take().unwrap().try_into().unwrap();
        let tr = Command::new("tr")
            .args(["a-z", "A-Z"])
            .stdin(input)
            .output()
            .await
            .unwrap();
        assert_eq!(tr.stdout, b"HELLO\n");
        assert!(echo.wait().await.unwrap().success());
        let mut child = piped(&mut Command::new("cat")).spawn().unwrap();
        let output = child.stdout.take().unwrap();
        assert_eq!(output.as_fd().as_raw_fd(), output.as_raw_fd());
        let fd: OwnedFd = output.into_owned_fd().unwrap();
        let flags = zokio_driver::fd::status_flags(fd.as_fd()).unwrap();
        assert_eq!(flags & libc::O_NONBLOCK, 0);
        child.kill().await.unwrap();
    });
}

#[test]
fn pipes_can_be_moved_out_of_a_child() {
    on_all(|| async {
        let mut child = piped(&mut Command::new("cat")).spawn().unwrap();
        child.stderr = None;
        let Child { stdin, stdout, .. } = child;
        let (mut input, mut output) = (stdin.unwrap(), stdout.unwrap());
        input.write_all(b"hello").await.unwrap();
        drop(input);
        let mut said = String::new();
        output.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "hello");
    });
}

#[test]
fn pipes_of_the_standard_library_are_taken_over() {
    on_all(|| async {
        let mut command = std::process::Command::new("cat");
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut cat = command.spawn().unwrap();
        let mut input = zokio::process::ChildStdin::from_std(cat.stdin.take().unwrap()).unwrap();
        let mut output = zokio::process::ChildStdout::from_std(cat.stdout.take().unwrap()).unwrap();
        let mut errors = zokio::process::ChildStderr::from_std(cat.stderr.take().unwrap()).unwrap();
        let parts = [b"he".as_slice(), b"llo"].map(std::io::IoSlice::new);
        assert_eq!(input.write_vectored(&parts).await.unwrap(), 5);
        assert!(input.is_write_vectored());
        input.flush().await.unwrap();
        input.shutdown().await.unwrap();
        drop(input);
        let mut said = String::new();
        output.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "hello");
        assert_eq!(errors.read(&mut [0; 1]).await.unwrap(), 0);
        assert!(cat.wait().unwrap().success());
    });
}

#[test]
fn settings_reach_the_process() {
    on_all(|| async {
        let mut command =
            sh("echo $0 $GREETING $OTHER $PWD; ps -o pgid= -p $$ | tr -d ' '; echo $$");
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap());
        command
            .envs([("GREETING", "hi"), ("OTHER", "no")])
            .env_remove("OTHER");
        command.current_dir("/").process_group(0);
        let output = command.output().await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "sh hi /");
        if lines.len() == 3 {
            assert_eq!(lines[1], lines[2]);
        }
        let mut named = sh("echo $0");
        named.arg0("other");
        assert_eq!(named.output().await.unwrap().stdout, b"other\n");
        let mut same = std::process::Command::new("echo");
        same.arg("1");
        let mut command = Command::from(same);
        command.args(["2", "3"]).as_std_mut().arg("4");
        assert_eq!(command.as_std().get_args().count(), 4);
        let output = command
            .spawn_with(|std| std.stdout(Stdio::piped()).spawn())
            .unwrap();
        assert_eq!(
            output.wait_with_output().await.unwrap().stdout,
            b"1 2 3 4\n"
        );
        assert_eq!(command.into_std().get_args().count(), 4);
        let mut refused = sh("true");
        // SAFETY: the closure returns a number and does nothing else.
        #[allow(unsafe_code)]
        unsafe {
            refused.pre_exec(|| Err(std::io::Error::from_raw_os_error(libc::EDOM)));
        }
        let error = refused.spawn().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EDOM));
    });
}

#[test]
fn debug_says_which() {
    on_all(|| async {
        let mut child = endless().kill_on_drop(true).spawn().unwrap();
        let pid = child.id().unwrap();
        assert!(
            format!("{child:?}").starts_with(&format!("Child {{ id: {pid}, kill_on_drop: true"))
        );
        child.kill().await.unwrap();
        assert!(format!("{child:?}").starts_with("Child { status: "));
    });
}

#[test]
#[should_panic(
    expected = "there is no reactor running, must be called from the context of a Tokio 1.x runtime"
)]
fn outside_of_a_runtime_it_panics() {
    let _ = Command::new("true").spawn();
}

#[test]
#[should_panic(expected = "IO is disabled")]
fn without_io_it_panics() {
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let _ = Command::new("true").spawn();
    });
}

fn is_unwind_safe<T: Send + Sync + Unpin + std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}

#[test]
fn auto_traits() {
    fn is_send<T: Send + Sync + Unpin>() {}
    fn is_send_value<T: Send + Sync>(_: T) {}
    is_send::<Child>();
    is_send::<Command>();
    is_unwind_safe::<zokio::process::ChildStdin>();
    is_unwind_safe::<zokio::process::ChildStdout>();
    is_unwind_safe::<zokio::process::ChildStderr>();
    is_unwind_safe::<zokio::io::Stdin>();
    is_unwind_safe::<zokio::io::Stdout>();
    is_unwind_safe::<zokio::io::Stderr>();
    on_all(|| async {
        let mut child = Command::new("true").spawn().unwrap();
        is_send_value(child.wait());
        is_send_value(child.kill());
        is_send_value(child.wait_with_output());
        is_send_value(Command::new("true").status());
        is_send_value(Command::new("true").output());
    });
}
