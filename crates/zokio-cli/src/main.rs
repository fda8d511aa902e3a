//! `cargo zokio`: moves a workspace from Tokio to Zokio and back, and checks which `tokio` a build uses.
//!
//! Cargo only warns about a `[patch]` that it does not use, and then builds real Tokio. A suite that passes, or a
//! service that runs, proves nothing about Zokio until somebody has looked at the graph. `check` looks, and names the
//! cause and the mend of each deviation in one line each; `move` and `back` try a change, look, and keep the change
//! only if the graph is as it should be.
//!
//! Layers: [`cargo`] runs Cargo; [`graph`] is what Cargo resolved; [`manifest`] is what the root manifest and the lock
//! file say; [`check`](mod@check) compares the two; [`moving`] changes them.
//!
//! Exit codes: 0, the graph is as it should be; 1, it is not; 2, the command could not be carried out.

#![forbid(unsafe_code)]

mod cargo;
mod check;
mod graph;
mod manifest;
mod moving;
mod snapshot;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use crate::cargo::Cargo;
use crate::manifest::Origin;

/// Cargo starts `cargo-zokio zokio ..` for `cargo zokio ..`.
#[derive(Debug, Parser)]
#[command(name = "cargo", bin_name = "cargo")]
enum Outer {
    /// Moves a workspace from Tokio to Zokio and back, and checks which tokio a build uses.
    #[command(version, arg_required_else_help = true)]
    Zokio(Cli),
}

#[derive(Debug, Args)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    place: Place,
}

/// Options that are given to each Cargo command as they are.
#[derive(Debug, Args)]
struct Place {
    /// A manifest of the workspace; that of the current folder unless given.
    #[arg(long, global = true, value_name = "PATH")]
    manifest_path: Option<PathBuf>,
    /// Use only what Cargo has downloaded before.
    #[arg(long, global = true)]
    offline: bool,
    /// A setting for Cargo, such as a patch that stands in no file.
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    config: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Checks that the workspace builds with one tokio 1.x, and that this is Zokio. Changes no file.
    Check,
    /// Writes the patch into the root manifest, updates the lock file, checks, and builds.
    Move {
        #[command(flatten)]
        origin: OriginArgs,
        #[command(flatten)]
        how: How,
    },
    /// Takes the patch out of the root manifest, sets the lock file back, checks, and builds.
    Back {
        #[command(flatten)]
        how: How,
    },
}

#[derive(Debug, Args)]
struct How {
    /// Try and report, then leave every file as it was.
    #[arg(long)]
    dry_run: bool,
    /// Do not build when the change is made.
    #[arg(long)]
    no_build: bool,
}

#[derive(Debug, Args)]
#[group(skip)]
struct OriginArgs {
    /// The folder of Zokio's facade, `facade/tokio` of a checkout.
    #[arg(
        long,
        value_name = "FOLDER",
        conflicts_with = "git",
        required_unless_present = "git"
    )]
    path: Option<PathBuf>,
    /// A git repository that holds Zokio.
    #[arg(long, value_name = "URL")]
    git: Option<String>,
    /// A commit of that repository.
    #[arg(long, requires = "git", conflicts_with_all = ["tag", "branch"])]
    rev: Option<String>,
    /// A tag of that repository.
    #[arg(long, requires = "git", conflicts_with = "branch")]
    tag: Option<String>,
    /// A branch of that repository.
    #[arg(long, requires = "git")]
    branch: Option<String>,
}

impl OriginArgs {
    fn origin(self) -> Origin {
        if let Some(path) = self.path {
            return Origin::Path(path);
        }
        let url = self.git.expect("clap demands a path or a repository");
        let at = [
            ("rev", self.rev),
            ("tag", self.tag),
            ("branch", self.branch),
        ]
        .into_iter()
        .find_map(|(key, value)| value.map(|value| (key, value)));
        Origin::Git { url, at }
    }
}

fn main() -> ExitCode {
    let Outer::Zokio(cli) = Outer::parse();
    match run(cli) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether the graph is as it should be.
fn run(cli: Cli) -> Result<bool> {
    let Place {
        manifest_path,
        offline,
        config,
    } = cli.place;
    let cargo = Cargo::find(manifest_path, offline, config)?;
    match cli.command {
        Command::Check => check::run(&cargo),
        Command::Move { origin, how } => moving::there(&cargo, &origin.origin(), how.into()),
        Command::Back { how } => moving::back(&cargo, how.into()),
    }
}

impl From<How> for moving::How {
    fn from(how: How) -> Self {
        let How { dry_run, no_build } = how;
        moving::How {
            dry_run,
            builds: !no_build && !dry_run,
        }
    }
}
