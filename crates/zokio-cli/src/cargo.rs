//! Cargo as a command: where the workspace is, and how a command is run in it.
//!
//! Every command gets the same `--manifest-path`, `--offline` and `--config`, so that all of them see one graph.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// A workspace and the options for each command in it.
#[derive(Debug)]
pub(crate) struct Cargo {
    root: PathBuf,
    offline: bool,
    config: Vec<String>,
}

/// A command that has ended well.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) stdout: String,
    /// Warnings are here.
    pub(crate) stderr: String,
}

impl Cargo {
    /// The workspace that `manifest` belongs to, or the current folder.
    ///
    /// # Errors
    ///
    /// If Cargo cannot be started, or finds no manifest there.
    pub(crate) fn find(
        manifest: Option<PathBuf>,
        offline: bool,
        config: Vec<String>,
    ) -> Result<Self> {
        let mut command = Command::new(program());
        command.args(["locate-project", "--workspace", "--message-format", "plain"]);
        if let Some(manifest) = manifest {
            command.arg("--manifest-path").arg(manifest);
        }
        let root = PathBuf::from(capture(command)?.stdout.trim_end());
        Ok(Self {
            root,
            offline,
            config,
        })
    }

    /// The same options for another manifest.
    pub(crate) fn at(&self, manifest: &Path) -> Self {
        let (offline, config) = (self.offline, self.config.clone());
        Self {
            root: manifest.to_owned(),
            offline,
            config,
        }
    }

    /// The manifest at the root of the workspace, the only one whose `[patch]` Cargo reads.
    pub(crate) fn root_manifest(&self) -> &Path {
        &self.root
    }

    /// The lock file, which need not exist.
    pub(crate) fn lock_file(&self) -> PathBuf {
        self.root.with_file_name("Cargo.lock")
    }

    /// Runs `cargo ARGS` and keeps what it prints.
    ///
    /// # Errors
    ///
    /// If the command fails: with what it printed.
    pub(crate) fn capture(&self, args: &[&str]) -> Result<Output> {
        capture(self.command(args))
    }

    /// Runs `cargo ARGS` and lets the user see what it prints.
    ///
    /// # Errors
    ///
    /// If the command fails.
    pub(crate) fn show(&self, args: &[&str]) -> Result<()> {
        let status = self
            .command(args)
            .status()
            .with_context(|| format!("cannot start cargo {}", args.join(" ")))?;
        if !status.success() {
            bail!("cargo {} failed", args.join(" "));
        }
        Ok(())
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(args).arg("--manifest-path").arg(&self.root);
        if self.offline {
            command.arg("--offline");
        }
        // Behind the subcommand: Cargo forgets a `--config` in front of one that is a program of its own.
        for setting in &self.config {
            command.arg("--config").arg(setting);
        }
        command
    }
}

/// The Cargo that has started this program, or that of the path.
fn program() -> std::ffi::OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn capture(mut command: Command) -> Result<Output> {
    command.stdin(Stdio::null());
    let output = command.output().context("cannot start cargo")?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        bail!("cargo failed:\n{}", stderr.trim_end());
    }
    Ok(Output { stdout, stderr })
}
