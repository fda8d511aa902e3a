//! `cargo xtask wine`: the tests of the library's crates, built for Windows and run under wine.
//!
//! A pass is evidence for the use of the system's calls and for the logic of readiness over completion
//! ports; it says nothing about timing. One process runs a whole test binary: starting one under wine
//! costs more than most tests do.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::{Outcome, cmd, table, testbin, toolchain};

const TARGET: &str = "x86_64-pc-windows-gnu";
const CRATES: &[&str] = &[
    "zokio-base",
    "zokio-task",
    "zokio-time",
    "zokio-io",
    "zokio-sync",
    "zokio-sched",
    "zokio-driver",
    "zokio-runtime",
    "zokio",
];
const WINE: &str = "/usr/lib/wine/wine64";
const COMPILER: &str = "/usr/bin/x86_64-w64-mingw32-gcc";

/// The longest that one binary may take.
const LIMIT: Duration = Duration::from_secs(300);

/// A library of Windows that older wines lack, and that the standard library takes its random numbers
/// from: made of a call that they have.
const RANDOM: &str = "\
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE to, SIZE_T left) {
    while (left > 0) {
        ULONG part = left > 0x10000000 ? 0x10000000 : (ULONG)left;
        if (!SystemFunction036(to, part)) return FALSE;
        to += part;
        left -= part;
    }
    return TRUE;
}
";

/// Builds and runs the tests; arguments go to each of the binaries.
pub(crate) fn run(args: &[String]) -> Outcome {
    toolchain::ensure(&[("wine64", WINE), ("gcc-mingw-w64-x86-64", COMPILER)])?;
    let mut build = cmd::cargo(&["test", "--no-run", "--target", TARGET]);
    build.arg("--message-format=json-render-diagnostics");
    build.args(CRATES.iter().flat_map(|name| ["-p", name]));
    let binaries = testbin::executables(&cmd::capture(build)?);
    if binaries.is_empty() {
        return Err("no tests were built".into());
    }
    let prefix = prepare(&binaries)?;
    let (mut rows, mut failures) = (Vec::new(), Vec::new());
    let mut total = 0;
    for (name, binary) in &binaries {
        let mut command = wine(&prefix, binary);
        command.args(["--test-threads", "2"]).args(args);
        let finished = cmd::run_limited(command, LIMIT)
            .map_err(|error| format!("cannot run {}: {error}", binary.display()))?;
        let (passed, failed) = counts(&finished.output);
        total += passed;
        let is_clean = finished.status.is_some_and(|status| status.success());
        if !is_clean {
            failures.push(name.clone());
            println!("==== {name}\n{}", finished.output);
        }
        let verdict = match (finished.status, is_clean) {
            (None, _) => "timed out",
            (_, true) => "ok",
            (_, false) => "failed",
        };
        if passed + failed > 0 || !is_clean {
            let seconds = format!("{:.1}", finished.seconds);
            let (passed, failed) = (passed.to_string(), failed.to_string());
            rows.push(vec![name.clone(), passed, failed, seconds, verdict.into()]);
        }
    }
    let heading = ["tests", "passed", "failed", "seconds", "result"];
    print!("{}", table::render(&heading, &rows));
    println!("{total} tests passed under wine");
    if failures.is_empty() {
        Ok(())
    } else {
        Err(format!("failed: {}", failures.join(", ")))
    }
}

/// Makes a folder for wine, and the library that it may lack beside the binaries.
fn prepare(binaries: &[(String, PathBuf)]) -> Result<PathBuf, String> {
    let prefix = cmd::target_dir().join("wine");
    let folders: std::collections::BTreeSet<&Path> = binaries
        .iter()
        .filter_map(|(_, binary)| binary.parent())
        .collect();
    std::fs::create_dir_all(&prefix).map_err(|error| format!("{}: {error}", prefix.display()))?;
    let source = prefix.join("random.c");
    std::fs::write(&source, RANDOM).map_err(|error| format!("{}: {error}", source.display()))?;
    for folder in folders {
        let mut compile = Command::new(COMPILER);
        compile.args(["-O1", "-shared", "-o"]);
        compile
            .arg(folder.join("bcryptprimitives.dll"))
            .arg(&source);
        compile.arg("-ladvapi32");
        cmd::run(compile)?;
    }
    if !prefix.join("system.reg").exists() {
        let mut boot = wine(&prefix, Path::new("wineboot"));
        boot.arg("-i");
        cmd::run(boot)?;
    }
    Ok(prefix)
}

fn wine(prefix: &Path, program: &Path) -> Command {
    let mut command = Command::new(WINE);
    command.arg(program).current_dir(cmd::root());
    command.env("WINEPREFIX", prefix).env("WINEDEBUG", "-all");
    command
}

/// How many tests passed and failed, as the binary says.
fn counts(output: &str) -> (usize, usize) {
    let line = output.lines().find(|line| line.starts_with("test result:"));
    let count = |word: &str| {
        let (before, _) = line?.split_once(word)?;
        before.split_whitespace().last()?.parse().ok()
    };
    (count(" passed").unwrap_or(0), count(" failed").unwrap_or(0))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_last_line_is_read() {
        let output = "running 3 tests\ntest result: FAILED. 29 passed; 1 failed; 0 ignored";
        assert_eq!(super::counts(output), (29, 1));
        assert_eq!(super::counts("killed"), (0, 0));
    }
}
