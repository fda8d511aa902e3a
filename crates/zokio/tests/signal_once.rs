//! Listeners that leave the second signal to the system. Each test starts this program again, as the
//! signal ends the process: the part to play is in the environment.
#![cfg(unix)]
// Test programs use the standard library's processes.
#![allow(clippy::disallowed_methods)]

use std::io::{BufRead, BufReader, Lines};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;
use zokio::runtime::Builder;
use zokio::signal::unix::{SignalKind, once_then_default, signal};

const PART: &str = "ZOKIO_TEST_PART";

/// A part that is played in a process of its own, which is killed when this is dropped.
struct Player {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Player {
    fn new(part: &str) -> Self {
        let mut program = Command::new(std::env::current_exe().unwrap());
        program.args(["--exact", "the_part", "--nocapture"]);
        program.env(PART, part).stdout(Stdio::piped());
        let mut process = program.spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    /// Waits until the part says `line`.
    fn says(&mut self, line: &str) {
        assert!(
            self.lines.any(|said| said.unwrap().ends_with(line)),
            "it ends before it says {line:?}"
        );
    }

    fn send(&self, signal: libc::c_int) {
        let process = i32::try_from(self.process.id()).unwrap();
        // SAFETY: signals a child that was not reaped yet.
        #[allow(unsafe_code)]
        let result = unsafe { libc::kill(process, signal) };
        assert_eq!(result, 0);
    }

    /// Sends `signal` once the process listens, and waits until it has heard it.
    fn hears(&mut self, signal: libc::c_int) {
        self.says("listening");
        self.send(signal);
        self.says("heard");
    }

    fn ends_by(&mut self, signal: libc::c_int) {
        assert_eq!(self.process.wait().unwrap().signal(), Some(signal));
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Not a test unless somebody asks for a part.
#[test]
fn the_part() {
    let Ok(part) = std::env::var(PART) else {
        return;
    };
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let kind = SignalKind::terminate();
        match part.as_str() {
            "once" => {
                let mut other = signal(kind).unwrap();
                let mut listener = once_then_default(kind).unwrap();
                println!("\nlistening");
                listener.recv().await;
                other.recv().await;
                println!("\nheard");
            }
            "twice" => {
                for _ in 0..2 {
                    let mut listener = once_then_default(kind).unwrap();
                    println!("\nlistening");
                    listener.recv().await;
                    println!("\nheard");
                }
            }
            "dropped" => {
                drop(once_then_default(kind).unwrap());
                println!("\nlistening");
                // It is kept for this one, or heard by it.
                signal(kind).unwrap().recv().await;
                println!("\nheard");
            }
            "ctrl-c" => {
                println!("\nlistening");
                zokio::signal::ctrl_c_once_then_default().await.unwrap();
                println!("\nheard");
            }
            other => panic!("no such part: {other}"),
        }
        // Until it is ended.
        std::future::pending::<()>().await;
    });
}

#[test]
fn the_second_signal_ends_the_process_whoever_listens() {
    let mut player = Player::new("once");
    player.hears(libc::SIGTERM);
    player.send(libc::SIGTERM);
    player.ends_by(libc::SIGTERM);
}

#[test]
fn another_call_has_one_more_signal_heard() {
    let mut player = Player::new("twice");
    for _ in 0..2 {
        player.hears(libc::SIGTERM);
    }
    player.send(libc::SIGTERM);
    player.ends_by(libc::SIGTERM);
}

#[test]
fn a_listener_that_is_dropped_has_taken_over_one_signal() {
    let mut player = Player::new("dropped");
    player.hears(libc::SIGTERM);
    player.send(libc::SIGTERM);
    player.ends_by(libc::SIGTERM);
}

#[test]
fn a_second_ctrl_c_ends_the_process() {
    let mut player = Player::new("ctrl-c");
    player.says("listening");
    // The listener is made by the first poll, right after the line: a process that listens for nothing
    // yet is ended by the signal.
    while !catches(player.process.id()) {
        std::thread::yield_now();
    }
    player.send(libc::SIGINT);
    player.says("heard");
    player.send(libc::SIGINT);
    player.ends_by(libc::SIGINT);
}

/// Whether the process handles `SIGINT`, as the system tells.
fn catches(process: u32) -> bool {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{process}/status")) else {
        // No such file on this system: time has to do.
        std::thread::sleep(Duration::from_secs(1));
        return true;
    };
    let line = status
        .lines()
        .find(|line| line.starts_with("SigCgt"))
        .unwrap();
    let mask = u64::from_str_radix(line.rsplit('\t').next().unwrap(), 16).unwrap();
    mask & (1 << (libc::SIGINT - 1)) != 0
}
