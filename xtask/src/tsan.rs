//! `cargo xtask tsan`: the stress program under ThreadSanitizer, standard library included.
//!
//! The standard library is rebuilt with instrumentation, or its own synchronisation would look like
//! races. `--cfg zokio_tsan` replaces what the sanitizer does not understand (fences) by accesses it
//! does. Known false reports, each with its reason, are listed in `stress/tsan.supp`.

use std::process::Command;

use crate::{Outcome, cmd, toolchain};

const TARGET: &str = "x86_64-unknown-linux-gnu";
const FLAGS: &str = "-Zsanitizer=thread -Zexternal-clangrt -Clinker=clang-22 \
                     -Clink-arg=-fsanitize=thread --cfg zokio_tsan";

/// Builds the stress program instrumented and runs it; arguments go to the program.
pub(crate) fn run(args: &[String]) -> Outcome {
    toolchain::ensure(toolchain::BUILD_STD)?;
    toolchain::ensure(&[
        ("clang-22", "/usr/bin/clang-22"),
        (
            "libclang-rt-22-dev",
            "/usr/lib/llvm-22/lib/clang/22/lib/linux/libclang_rt.tsan-x86_64.a",
        ),
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
    for io in ["epoll", "auto"] {
        let mut stress = Command::new(folder.join(TARGET).join("debug/zokio-stress"));
        stress.args(args).env("ZOKIO_IO", io);
        let suppressions = cmd::root().join("stress/tsan.supp");
        stress.env(
            "TSAN_OPTIONS",
            format!(
                "suppressions={} second_deadlock_stack=1",
                suppressions.display()
            ),
        );
        cmd::run(stress)?;
    }
    Ok(())
}
