//! Running other programs: cargo with the right environment, time-outs that kill whole process
//! groups, and the folders that commands may write to.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::Outcome;

/// The repository's root: as cargo says when it runs this program, not as it was when the program was
/// built, because a target directory may be shared by several clones.
pub(crate) fn root() -> PathBuf {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(find_root).clone()
}

fn find_root() -> PathBuf {
    let own = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let here = std::env::current_dir().expect("the current folder exists");
    own.iter()
        .flat_map(|folder| folder.ancestors())
        .chain(here.ancestors())
        .find(|folder| folder.join("xtask/src/cmd.rs").exists())
        .expect("run this in the repository")
        .to_path_buf()
}

/// The target directory in use: `CARGO_TARGET_DIR`, or `target` in the repository.
pub(crate) fn target_dir() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => {
            let dir = PathBuf::from(dir);
            if dir.is_absolute() {
                dir
            } else {
                root().join(dir)
            }
        }
        None => root().join("target"),
    }
}

/// A cargo command run in the repository's root, by the same cargo that runs this program.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root());
    // Set by `cargo run` for this program only; a nested cargo must not see them.
    for name in [
        "CARGO_MANIFEST_DIR",
        "CARGO_PKG_NAME",
        "CARGO_PKG_VERSION",
        "CARGO_MANIFEST_PATH",
    ] {
        command.env_remove(name);
    }
    command
}

/// How a command is shown in messages.
pub(crate) fn show(command: &Command) -> String {
    let mut text = String::new();
    for (key, value) in command.get_envs() {
        if let Some(value) = value {
            text.push_str(&format!("{}={:?} ", key.to_string_lossy(), value));
        }
    }
    text.push_str(
        &Path::new(command.get_program())
            .file_name()
            .unwrap_or_default()
            .to_string_lossy(),
    );
    for arg in command.get_args() {
        text.push(' ');
        text.push_str(&arg.to_string_lossy());
    }
    text
}

/// Runs `command` with its output shown; an unsuccessful end is an error.
pub(crate) fn run(mut command: Command) -> Outcome {
    eprintln!("$ {}", show(&command));
    let status = command
        .status()
        .map_err(|e| format!("cannot run `{}`: {e}", show(&command)))?;
    success(&command, status)
}

/// Runs `command` and returns its standard output; standard error is shown.
pub(crate) fn capture(mut command: Command) -> Result<String, String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("cannot run `{}`: {e}", show(&command)))?;
    success(&command, output.status)?;
    String::from_utf8(output.stdout)
        .map_err(|_| format!("`{}`: output is not UTF-8", show(&command)))
}

fn success(command: &Command, status: ExitStatus) -> Outcome {
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{}` ended with {status}", show(command)))
    }
}

/// Whether `program --version` (or the given arguments) runs at all.
pub(crate) fn present(program: &str, args: &[&str]) -> bool {
    Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// How a command with a time-out ended.
pub(crate) struct Finished {
    /// `None`: the time-out passed and the process group was killed.
    pub(crate) status: Option<ExitStatus>,
    /// Standard output and standard error, in that order.
    pub(crate) output: String,
    pub(crate) seconds: f64,
}

/// Runs `command` in a process group of its own; after `limit` the whole group is killed.
pub(crate) fn run_limited(mut command: Command, limit: Duration) -> std::io::Result<Finished> {
    own_group(&mut command);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let started = Instant::now();
    let mut child = command.spawn()?;
    let readers = [
        child
            .stdout
            .take()
            .map(|pipe| read_in_background(Box::new(pipe))),
        child
            .stderr
            .take()
            .map(|pipe| read_in_background(Box::new(pipe))),
    ];
    let mut pause = Duration::from_micros(500);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if started.elapsed() >= limit {
            kill_group(child.id());
            child.wait()?;
            break None;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    };
    let seconds = started.elapsed().as_secs_f64();
    // Children that outlived the test would hold the pipes open for ever.
    kill_group(child.id());
    let output = readers
        .into_iter()
        .flatten()
        .map(|r| r.join().unwrap_or_default())
        .collect();
    Ok(Finished {
        status,
        output,
        seconds,
    })
}

fn read_in_background(mut pipe: Box<dyn Read + Send>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // A broken pipe ends the output, nothing more.
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

#[cfg(unix)]
fn own_group(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}

#[cfg(not(unix))]
fn own_group(_command: &mut Command) {}

#[cfg(unix)]
#[allow(unsafe_code)]
fn kill_group(leader: u32) {
    // SAFETY: `kill` takes no pointers. The group was made for our own child by `own_group`, and
    // its number cannot have been reused: a group's number stays taken while it has members, and
    // a group without members is only an ESRCH.
    unsafe { libc::kill(-(leader as libc::pid_t), libc::SIGKILL) };
}

#[cfg(not(unix))]
fn kill_group(_leader: u32) {}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_hanging_command_is_killed_with_its_children() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; sleep 60 & sleep 60"]);
        let finished = run_limited(command, Duration::from_millis(300)).unwrap();
        assert!(finished.status.is_none());
        assert!(finished.seconds < 30.0);
        assert_eq!(finished.output, "out\n");
    }

    #[test]
    fn output_and_status_are_reported() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        let finished = run_limited(command, Duration::from_secs(30)).unwrap();
        assert_eq!(finished.status.unwrap().code(), Some(3));
        assert_eq!(finished.output, "out\nerr\n");
    }
}
