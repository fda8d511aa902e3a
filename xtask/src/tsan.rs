//! `cargo xtask tsan`: the stress program under ThreadSanitizer, standard library included.
//!
//! The standard library is rebuilt with instrumentation, or its own synchronisation would look like
//! races. The program runs on each plane of I/O, with more workers than processors and with few. It
//! ends with an error on the first report that `stress/tsan.supp` does not list as false, with its
//! reason.
//!
//! The sanitizer does not understand fences. Those of the workspace order a store before a load
//! (who sleeps, who has work); none hands data over, so there is nothing to replace. One that did
//! would need an acquire load in its place under `--cfg zokio_tsan`.

use std::process::Command;
use std::time::Instant;

use crate::{Outcome, cmd, table, toolchain};

const TARGET: &str = "x86_64-unknown-linux-gnu";
const FLAGS: &str = "-Zsanitizer=thread -Zexternal-clangrt -Clinker=clang-22 \
                     -Clink-arg=-fsanitize=thread --cfg zokio_tsan";

/// The programs that are run: storms with few workers and with many, and runtimes that end at any moment.
const PROGRAMS: &[&[&str]] = &[&["--workers", "2"], &["--workers", "5"], &["--endings"]];

/// Makes reports readable, and suppressions by name possible.
const SYMBOLIZER: &str = "/usr/bin/llvm-symbolizer-22";

/// Builds the stress program instrumented and runs it; arguments go to the program.
pub(crate) fn run(args: &[String]) -> Outcome {
    toolchain::ensure(toolchain::BUILD_STD)?;
    toolchain::ensure(&[
        ("clang-22", "/usr/bin/clang-22"),
        (
            "libclang-rt-22-dev",
            "/usr/lib/llvm-22/lib/clang/22/lib/linux/libclang_rt.tsan-x86_64.a",
        ),
        ("llvm-22", SYMBOLIZER),
    ])?;
    let folder = cmd::target_dir().join("tsan");
    let mut build = toolchain::cargo(
        &[
            "build",
            "--quiet",
            "-p",
            "zokio-stress",
            "-Zbuild-std",
            "--target",
            TARGET,
        ],
        &folder,
    );
    build.env("RUSTFLAGS", FLAGS);
    cmd::run(build)?;
    let mut rows = Vec::new();
    for io in ["epoll", "auto"] {
        for program in PROGRAMS {
            let started = Instant::now();
            let mut stress = Command::new(folder.join(TARGET).join("debug/zokio-stress"));
            stress.args(*program).args(args);
            stress.env("ZOKIO_IO", io);
            stress.env("TSAN_OPTIONS", options());
            cmd::run(stress)?;
            let seconds = format!("{:.0}", started.elapsed().as_secs_f64());
            rows.push(vec![io.into(), program.join(" "), seconds, "clean".into()]);
        }
    }
    print!(
        "{}",
        table::render(&["I/O", "program", "seconds", "result"], &rows)
    );
    Ok(())
}

fn options() -> String {
    let suppressions = cmd::root().join("stress/tsan.supp");
    format!(
        "suppressions={} external_symbolizer_path={SYMBOLIZER} second_deadlock_stack=1 \
         halt_on_error=1",
        suppressions.display()
    )
}
