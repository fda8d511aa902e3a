//! `cargo xtask instructions --base REV`: each benchmark row's instructions, beside those of an
//! earlier commit.
//!
//! Times on a shared machine differ by more than most changes cost; the instructions of a
//! single-threaded program hardly differ from run to run. So `compare one zokio current ROW` runs
//! under callgrind, once as the work tree has it and once as REV had it, and the ratio is judged.
//! A row above [`LIMIT`] is an error.
//!
//! Rows whose work depends on time or on other threads (`remote`, `sleeps`, `file`, `memory`) are
//! left out, and so are echoes, whose other end is a process of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Outcome, cmd, table};

/// The greatest ratio that is no loss.
const LIMIT: f64 = 1.03;

/// How a bench is built: with its own scenarios for `compare one`.
const BUILD: &[&str] = &["build", "--quiet", "--release", "--bin", "compare"];

const ROWS: &[&str] = &[
    "spawn",
    "yield",
    "ping_pong",
    "chained",
    "mpsc",
    "mpsc_1_bounded",
    "mpsc_4_bounded",
    "mpsc_1_narrow",
    "mpsc_1_unbounded",
    "mpsc_4_unbounded",
    "oneshot_local",
    "oneshot_across",
    "mutex_free",
    "mutex_4",
    "mutex_4_held",
    "rwlock_read",
    "rwlock_write",
    "rwlock_4_read_mostly",
    "rwlock_4_write",
    "semaphore_free",
    "semaphore_4_held",
    "notify_ping_pong",
    "notify_100_waiters",
    "broadcast_4",
    "broadcast_4_single",
    "watch_4",
    "timeout_ready",
    "timeout_dropped",
    "timeout_then_ready",
];

/// Counts and compares; `--base REV` is needed, further words choose rows.
pub(crate) fn run(args: &[String]) -> Outcome {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let ["--base", revision, ref rows @ ..] = words[..] else {
        return Err("usage: instructions --base REV [ROW..]".into());
    };
    if !cmd::present("valgrind", &["--version"]) {
        return Err("needs valgrind: apt-get install --no-install-recommends valgrind".into());
    }
    let rows = if rows.is_empty() { ROWS } else { rows };
    let now = build(&cmd::root(), "benches")?;
    let before = build(&checkout(revision)?, "benches-base")?;
    let mut table_rows = Vec::new();
    let mut worse = Vec::new();
    for row in rows {
        let (then, now) = (count(&before, row)?, count(&now, row)?);
        let ratio = now as f64 / then as f64;
        if ratio > LIMIT {
            worse.push(format!("{row} {ratio:.3}"));
        }
        table_rows.push(vec![
            (*row).to_string(),
            then.to_string(),
            now.to_string(),
            format!("{ratio:.3}"),
        ]);
    }
    let heads = ["row", "instructions before", "now", "ratio"];
    print!("{}", table::render(&heads, &table_rows));
    if worse.is_empty() {
        Ok(())
    } else {
        Err(format!("above {LIMIT}: {}", worse.join(", ")))
    }
}

/// A clean checkout of `revision`, below the target folder.
fn checkout(revision: &str) -> Result<PathBuf, String> {
    let folder = cmd::target_dir().join("base-checkout");
    let mut forget = git(&["worktree", "remove", "--force"]);
    // There is none the first time.
    let _ = forget.arg(&folder).output();
    let mut add = git(&["worktree", "add", "--quiet", "--detach"]);
    add.arg(&folder).arg(revision);
    cmd::run(add)?;
    Ok(folder)
}

fn git(args: &[&str]) -> Command {
    let mut git = Command::new("git");
    git.args(args).current_dir(cmd::root());
    git
}

/// Builds the benchmarks of the checkout in `root`.
fn build(root: &Path, target: &str) -> Result<PathBuf, String> {
    let folder = cmd::target_dir().join(target);
    let mut build = cmd::cargo(BUILD);
    build.current_dir(root.join("benches"));
    build.env("CARGO_TARGET_DIR", &folder);
    cmd::run(build)?;
    Ok(folder.join("release/compare"))
}

/// The instructions that one run of `row` takes.
fn count(program: &Path, row: &str) -> Result<u64, String> {
    let mut run = Command::new("valgrind");
    run.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    run.arg(program).args(["one", "zokio", "current", row]);
    // A ring's kernel threads are none of callgrind's business, and no row needs one.
    run.env("ZOKIO_IO", "epoll");
    let output = run.output().map_err(|e| format!("valgrind: {e}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    let collected = text.lines().find_map(|line| {
        let (_, number) = line.split_once("Collected : ")?;
        number.trim().parse().ok()
    });
    match collected {
        Some(count) if output.status.success() => Ok(count),
        _ => Err(format!("{row} under callgrind: {text}")),
    }
}
