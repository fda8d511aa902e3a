//! The parts that the tests share: runtimes of all kinds, processes to be started, and the system's table
//! of them.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use zokio::process::Command;
use zokio::runtime::{Builder, IoMode, Runtime};
use zokio::time::{sleep, timeout};

/// Enough for anything that is to come.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// Not enough for it.
pub const IMPATIENCE: Duration = Duration::from_millis(30);

pub fn runtimes() -> Vec<Runtime> {
    let mut runtimes = Vec::new();
    for mode in [IoMode::Auto, IoMode::Epoll] {
        let mut single = Builder::new_current_thread();
        let mut multi = Builder::new_multi_thread();
        runtimes.push(single.enable_all().io_mode(mode).build().unwrap());
        let multi = multi.worker_threads(2).enable_all().io_mode(mode).build();
        runtimes.push(multi.unwrap());
    }
    runtimes
}

pub fn on_all<F: Future<Output = ()>>(test: impl Fn() -> F) {
    for runtime in runtimes() {
        runtime.block_on(async { timeout(PATIENCE, test()).await.expect("the test hangs") });
    }
}

pub fn sh(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(script);
    command
}

/// Goes on until somebody ends it.
pub fn endless() -> Command {
    let mut command = Command::new("sleep");
    command.arg("1000");
    command
}

pub fn piped(command: &mut Command) -> &mut Command {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
}

/// Whether the system's table has an entry, if only of a zombie.
pub fn has_entry(pid: u32) -> bool {
    let mut known = std::process::Command::new("ps");
    known.args(["-p", &pid.to_string()]).stdout(Stdio::null());
    if Path::new("/proc/self").exists() {
        Path::new(&format!("/proc/{pid}")).exists()
    } else {
        known.status().unwrap().success()
    }
}

pub async fn no_entry(pid: u32) {
    let gone = async {
        while has_entry(pid) {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, gone).await.expect("there is a zombie");
}

/// Returns when a child has ended, and does not reap it.
pub async fn ended(pid: u32) {
    let options = libc::WNOHANG | libc::WEXITED | libc::WNOWAIT;
    let is_running = || {
        // SAFETY: all zeroes are a value of this structure, which the call writes to.
        let mut found: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: as above.
        let asked = unsafe { libc::waitid(libc::P_PID, pid, &raw mut found, options) };
        assert_eq!(asked, 0);
        found.si_signo == 0
    };
    while is_running() {
        sleep(Duration::from_millis(2)).await;
    }
}
