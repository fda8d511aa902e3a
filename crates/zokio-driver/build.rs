//! Names the systems that have rings, once: `zokio_ring` is set where the ring plane is compiled.
//!
//! Those are the architectures of Linux whose layouts the `io-uring` crate knows; the manifest names
//! the same ones for that dependency. Elsewhere `src/uring/absent.rs` takes its place.

use std::env;

const ARCHITECTURES: [&str; 5] = ["x86_64", "aarch64", "riscv64", "loongarch64", "powerpc64"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(zokio_ring)");
    let system = env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    let architecture = env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    if system == "linux" && ARCHITECTURES.contains(&architecture.as_str()) {
        println!("cargo::rustc-cfg=zokio_ring");
    }
}
