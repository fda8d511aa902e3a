//! `cargo xtask bench`: Zokio beside Tokio, in a workspace of its own so that real Tokio is there.

use crate::{Outcome, cmd};

/// Runs `benches/compare` in the release profile; arguments go to it.
pub(crate) fn run(args: &[String]) -> Outcome {
    let mut command = cmd::cargo(&["run", "--release", "--bin", "compare", "--"]);
    command.args(args).current_dir(cmd::root().join("benches"));
    command.env("CARGO_TARGET_DIR", cmd::target_dir().join("benches"));
    cmd::run(command)
}
