//! `cargo xtask asan`: the stress program under AddressSanitizer, which finds uses of freed memory,
//! overruns, and what is never freed.
//!
//! The stable toolchain ships the sanitizer's runtime and needs no rebuilt standard library: memory
//! that the standard library frees is seen because the allocator is the sanitizer's. The program runs
//! on each plane of I/O, its storm and its endings. Arguments go to it (`--seconds 600`).

use std::process::Command;
use std::time::Instant;

use crate::{Outcome, cmd, table};

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Builds the stress program instrumented and runs it; arguments go to the program.
pub(crate) fn run(args: &[String]) -> Outcome {
    let folder = cmd::target_dir().join("asan");
    let mut build = cmd::cargo(&[
        "build",
        "--quiet",
        "--release",
        "-p",
        "zokio-stress",
        // Build scripts and macros stay uninstrumented.
        "--target",
        TARGET,
    ]);
    build.env("CARGO_TARGET_DIR", &folder);
    // The sanitizer is an unstable option of the stable compiler.
    build.env("RUSTC_BOOTSTRAP", "1");
    build.env(
        "RUSTFLAGS",
        "-Zsanitizer=address -Cdebug-assertions=on -Cforce-frame-pointers=yes",
    );
    cmd::run(build)?;
    let mut rows = Vec::new();
    let programs: [&[&str]; 2] = [&["--workers", "4"], &["--endings"]];
    for (program, io) in programs.iter().flat_map(|p| [(p, "epoll"), (p, "auto")]) {
        let started = Instant::now();
        let mut stress = Command::new(folder.join(TARGET).join("release/zokio-stress"));
        stress.args(*program).args(args);
        stress.env("ZOKIO_IO", io);
        stress.env("ASAN_OPTIONS", "detect_leaks=1:halt_on_error=1");
        cmd::run(stress)?;
        let seconds = format!("{:.0}", started.elapsed().as_secs_f64());
        rows.push(vec![program.join(" "), io.into(), seconds, "clean".into()]);
    }
    let heads = ["program", "I/O", "seconds", "result"];
    print!("{}", table::render(&heads, &rows));
    Ok(())
}
