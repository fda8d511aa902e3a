//! `cargo zokio move` and `cargo zokio back`: the change of one line, and of the lock file behind it.
//!
//! Both make the change, let Cargo resolve the workspace, and look at the result. If it is not as it should be, or if
//! only a dry run was asked for, every file is put back. A build comes last: its failure leaves the change in place,
//! because the errors are about the files as they are then.

use anyhow::{Context, Result, bail};

use crate::cargo::Cargo;
use crate::check::Report;
use crate::graph::{self, Graph};
use crate::manifest::{Lock, Manifest, Origin};
use crate::snapshot::Snapshot;

/// How far to go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct How {
    pub(crate) dry_run: bool,
    pub(crate) builds: bool,
}

/// Moves the workspace to Zokio: whether the graph is as it should be.
pub(crate) fn there(cargo: &Cargo, origin: &Origin, how: How) -> Result<bool> {
    let as_it_was = take(cargo)?;
    let before = Lock::read(&cargo.lock_file())?.tokios;
    let mut manifest = Manifest::read(cargo.root_manifest())?;
    manifest.add_patch(origin, &before)?;
    manifest.write()?;
    for version in &before {
        cargo.capture(&["update", "-p", &format!("tokio@{version}")])?;
    }
    let report = Report::make(cargo)?;
    report.print();
    if !report.is_fine() {
        println!("nothing was changed");
        return Ok(false);
    }
    let line = manifest.patch_text().unwrap_or_default();
    let place = cargo.root_manifest().display();
    finish(
        cargo,
        as_it_was,
        how,
        &format!("{place}: [patch.crates-io] {line}"),
    )?;
    Ok(true)
}

/// Moves the workspace back to Tokio: whether the graph is as it should be.
pub(crate) fn back(cargo: &Cargo, how: How) -> Result<bool> {
    let as_it_was = take(cargo)?;
    let mut manifest = Manifest::read(cargo.root_manifest())?;
    let Some(line) = manifest.patch_text() else {
        bail!("{} has no patch for tokio", cargo.root_manifest().display());
    };
    if let Some(folder) = manifest.patch_path() {
        let facade = Graph::package_in(cargo, &folder)?;
        if !facade.is_some_and(|package| graph::is_ours(&package)) {
            bail!("the patch for tokio does not lead to Zokio, and stays: {line}");
        }
    }
    let had_lock = cargo.lock_file().exists();
    let before = manifest.versions_before();
    manifest.remove_patch();
    manifest.write()?;
    let mut graph = Graph::load(cargo)?;
    if had_lock && !before.is_empty() {
        let now = Lock::read(&cargo.lock_file())?.tokios;
        for (now, before) in now
            .iter()
            .zip(&before)
            .filter(|(now, before)| now != before)
        {
            let (package, version) = (format!("tokio@{now}"), before.to_string());
            cargo
                .capture(&["update", "-p", &package, "--precise", &version])
                .with_context(|| format!("cannot set Cargo.lock back to tokio {version}"))?;
        }
        graph = Graph::load(cargo)?;
        let now = Lock::read(&cargo.lock_file())?.tokios;
        for version in before.iter().filter(|version| !now.contains(version)) {
            println!(
                " note: Cargo.lock had tokio {version} before the move, and Cargo did not take it again"
            );
        }
    }
    if let Some(ours) = graph.tokios().find(|package| graph::is_ours(package)) {
        println!(
            "error: tokio {} of {} is still used",
            ours.version,
            graph::place(ours)
        );
        println!(" mend: look for a patch in a configuration file of Cargo");
        println!("nothing was changed");
        return Ok(false);
    }
    for tokio in graph.tokios() {
        println!(
            "   ok: tokio {} from {}",
            tokio.version,
            graph::place(tokio)
        );
    }
    let place = cargo.root_manifest().display();
    finish(cargo, as_it_was, how, &format!("{place}: without {line}"))?;
    Ok(true)
}

fn take(cargo: &Cargo) -> Result<Snapshot> {
    Snapshot::take([cargo.root_manifest().to_owned(), cargo.lock_file()])
}

/// Keeps what was tried, unless it was a try only, and builds.
fn finish(cargo: &Cargo, as_it_was: Snapshot, how: How, change: &str) -> Result<()> {
    if how.dry_run {
        println!("would change {change}");
        return Ok(());
    }
    as_it_was.keep();
    println!("changed {change}");
    if how.builds {
        cargo
            .show(&["build", "--workspace"])
            .context("the change is made, but the workspace does not build")?;
    }
    Ok(())
}
