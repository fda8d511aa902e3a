//! The distribution's Rust, for what the stable toolchain here cannot do: `-Zbuild-std`.
//!
//! Checks for other targets and ThreadSanitizer rebuild the standard library. Debian's `rustc-web`
//! and `rust-web-src` allow that without a nightly toolchain. They are called by path, never found
//! by accident: the toolchain in `PATH` comes first everywhere else.

use std::path::Path;
use std::process::Command;

use crate::cmd;

const CARGO: &str = "/usr/bin/cargo";
const RUSTC: &str = "/usr/bin/rustc";
const RUSTDOC: &str = "/usr/bin/rustdoc";

/// Packages that make `-Zbuild-std` work.
pub(crate) const BUILD_STD: &[(&str, &str)] = &[
    ("rustc-web", RUSTC),
    ("cargo-web", CARGO),
    ("rust-web-src", "/usr/lib/rustlib/src/rust"),
    (
        "libstd-rust-web-dev",
        "/usr/lib/rustlib/x86_64-unknown-linux-gnu/lib",
    ),
];

/// Installs the packages whose file is missing; needs root and a Debian.
pub(crate) fn ensure(packages: &[(&str, &str)]) -> Result<(), String> {
    let missing: Vec<&str> = packages
        .iter()
        .filter(|(_, file)| !Path::new(file).exists())
        .map(|(name, _)| *name)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if !cmd::present("apt-get", &["--version"]) || !is_root() {
        return Err(format!(
            "needs these Debian packages: apt-get install --no-install-recommends {list}"
        ));
    }
    let mut update = Command::new("apt-get");
    update.arg("update").arg("-qq");
    cmd::run(update)?;
    let mut install = Command::new("apt-get");
    install
        .args(["install", "-y", "-qq", "--no-install-recommends"])
        .args(&missing);
    install.env("DEBIAN_FRONTEND", "noninteractive");
    cmd::run(install)
}

#[cfg(unix)]
#[allow(unsafe_code)]
fn is_root() -> bool {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

/// The distribution's cargo with its own rustc, unstable options allowed, in `target_dir`.
pub(crate) fn cargo(args: &[&str], target_dir: &Path) -> Command {
    let mut command = Command::new(CARGO);
    command.args(args).current_dir(cmd::root());
    command
        .env("RUSTC", RUSTC)
        .env("RUSTDOC", RUSTDOC)
        .env("RUSTC_BOOTSTRAP", "1");
    command.env("CARGO_TARGET_DIR", target_dir);
    for name in [
        "CARGO",
        "RUSTUP_TOOLCHAIN",
        "RUSTFLAGS",
        "CARGO_MANIFEST_DIR",
    ] {
        command.env_remove(name);
    }
    command
}
