//! `cargo xtask targets`: type-checks the workspace for systems this machine is not.
//!
//! The standard library is built for each target from source (see [`crate::toolchain`]), so no
//! target needs a linker or a C compiler. Libraries, programs and examples are checked, tests are not.
//! A check proves that the portable paths compile, not that they run.

use std::time::Instant;

use crate::{Outcome, cmd, table, toolchain};

/// The targets that are checked by default.
const TARGETS: &[&str] = &[
    "aarch64-unknown-linux-gnu",
    "x86_64-unknown-linux-musl",
    "i686-unknown-linux-gnu",
    "aarch64-apple-darwin",
    "x86_64-apple-darwin",
    "x86_64-unknown-freebsd",
    "x86_64-pc-windows-gnu",
];

/// Import libraries are made even by a check.
const WINDOWS: &[(&str, &str)] = &[(
    "binutils-mingw-w64-x86-64",
    "/usr/bin/x86_64-w64-mingw32-dlltool",
)];

/// Checks the given targets, or all.
pub(crate) fn run(args: &[String]) -> Outcome {
    toolchain::ensure(toolchain::BUILD_STD)?;
    let wanted: Vec<&str> = if args.is_empty() {
        TARGETS.to_vec()
    } else {
        args.iter().map(String::as_str).collect()
    };
    if wanted.iter().any(|target| target.contains("windows")) {
        toolchain::ensure(WINDOWS)?;
    }
    let folder = cmd::target_dir().join("targets");
    let (mut rows, mut failed) = (Vec::new(), Vec::new());
    for target in wanted {
        let started = Instant::now();
        let outcome = cmd::run(toolchain::cargo(
            &[
                "check",
                "--quiet",
                "--workspace",
                "--lib",
                "--bins",
                "--examples",
                "-Zbuild-std",
                "--target",
                target,
            ],
            &folder,
        ));
        let seconds = format!("{:.0}", started.elapsed().as_secs_f64());
        let word = if outcome.is_ok() { "ok" } else { "failed" };
        rows.push(vec![target.to_string(), word.to_string(), seconds]);
        failed.extend(outcome.err());
    }
    print!("{}", table::render(&["target", "check", "seconds"], &rows));
    if failed.is_empty() {
        Ok(())
    } else {
        Err(failed.join("\n"))
    }
}
