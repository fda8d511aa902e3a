//! `cargo xtask deny`: cargo-deny over every dependency, by the rules in `deny.toml`.
//!
//! Licences, sources and bans need nothing but the lock file. Advisories come from a database that is
//! fetched; where it cannot be, that is said, and is no failure: it says nothing of our dependencies.

use std::time::Duration;

use crate::{Outcome, cmd};

/// How long the database may take to come.
const FETCH_LIMIT: Duration = Duration::from_secs(120);

/// Runs the command.
pub(crate) fn run(args: &[String]) -> Outcome {
    if !args.is_empty() {
        return Err("deny takes no arguments".into());
    }
    if !cmd::present("cargo", &["deny", "--version"]) {
        return Err("cargo-deny is missing: cargo install cargo-deny --locked".into());
    }
    cmd::run(cmd::cargo(&[
        "deny", "check", "bans", "licenses", "sources",
    ]))?;
    let fetched = cmd::run_limited(cmd::cargo(&["deny", "fetch", "db"]), FETCH_LIMIT)
        .map_err(|e| format!("cannot run cargo-deny: {e}"))?;
    if !fetched.status.is_some_and(|status| status.success()) {
        println!("advisories: not checked, their database cannot be fetched here");
        return Ok(());
    }
    cmd::run(cmd::cargo(&[
        "deny",
        "check",
        "--disable-fetch",
        "advisories",
    ]))
}
