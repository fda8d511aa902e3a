//! `cargo zokio check`: is there one `tokio` 1.x in the graph, and is it Zokio's? If not, why, and what mends it?
//!
//! The causes, in the order in which they are looked for:
//!
//! 1. A member of the workspace has the patch. Cargo reads patches of the root manifest only.
//! 2. There is no patch.
//! 3. The patch leads to a package that is not Zokio's facade.
//! 4. A dependent's requirement does not admit the facade's version, or a dependent asks for a feature that the facade
//!    does not have. One such dependent is enough for Cargo to drop the patch for the whole graph.
//! 5. None of these: the lock file holds a version from before the patch, and Cargo prefers what is locked.
//! 6. A `tokio` comes from a path, a repository or another registry: a patch of crates.io does not reach it.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use cargo_metadata::Package;
use semver::Version;

use crate::cargo::Cargo;
use crate::graph::{self, Graph, Request};
use crate::manifest::{Lock, Manifest};
use crate::snapshot::Snapshot;

/// A deviation: one line for the cause, one for the mend.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) cause: String,
    pub(crate) mend: String,
}

/// The findings, in words for a person.
#[derive(Debug)]
pub(crate) struct Report {
    findings: Vec<Finding>,
    /// Said if there is no finding.
    verdict: String,
    notes: Vec<String>,
}

/// Runs the command: whether the graph is as it should be.
pub(crate) fn run(cargo: &Cargo) -> Result<bool> {
    let _as_it_was = Snapshot::take([cargo.lock_file()])?;
    let report = Report::make(cargo)?;
    report.print();
    Ok(report.is_fine())
}

impl Report {
    /// Lets Cargo resolve the workspace and compares. The lock file may be written.
    ///
    /// # Errors
    ///
    /// If Cargo cannot resolve the workspace, or a manifest cannot be read.
    pub(crate) fn make(cargo: &Cargo) -> Result<Self> {
        let graph = Graph::load(cargo)?;
        let (ours, foreign): (Vec<_>, Vec<_>) = graph.tokios().partition(|p| graph::is_ours(p));
        let mut findings = vec![];
        for tokio in foreign {
            findings.extend(match &tokio.source {
                Some(source) if source.is_crates_io() => why_not_patched(cargo, &graph, tokio)?,
                _ => vec![from_elsewhere(cargo, &graph, tokio)?],
            });
        }
        let verdict = match ours.first() {
            Some(facade) => format!(
                "the only tokio 1.x is Zokio's: {} from {}",
                facade.version,
                graph::place(facade)
            ),
            None if findings.is_empty() => {
                findings.push(Finding {
                    cause: "no package of this workspace depends on tokio 1.x".into(),
                    mend: "nothing is to be moved; remove a patch of tokio if there is one".into(),
                });
                String::new()
            }
            None => String::new(),
        };
        let notes = graph.other_tokios().map(|p| {
            let way = graph.way_to(p);
            format!(
                "tokio {} is another major version and stays as it is ({way})",
                p.version
            )
        });
        let notes = notes.collect();
        Ok(Self {
            findings,
            verdict,
            notes,
        })
    }

    /// Whether there is nothing to mend.
    pub(crate) fn is_fine(&self) -> bool {
        self.findings.is_empty()
    }

    /// Tells the user.
    pub(crate) fn print(&self) {
        for Finding { cause, mend } in &self.findings {
            println!("error: {cause}");
            println!(" mend: {mend}");
        }
        if self.is_fine() {
            println!("   ok: {}", self.verdict);
        }
        for note in &self.notes {
            println!(" note: {note}");
        }
    }
}

/// Why the patch does not hold for `tokio`, which comes from crates.io.
fn why_not_patched(cargo: &Cargo, graph: &Graph, tokio: &Package) -> Result<Vec<Finding>> {
    let root = Manifest::read(cargo.root_manifest())?;
    let lock = Lock::read(&cargo.lock_file())?;
    let mut findings = misplaced(cargo, graph)?;
    if !root.has_patch() && lock.unused_patch.is_none() {
        if findings.is_empty() {
            findings.push(Finding {
                cause: format!(
                    "tokio {} comes from crates.io ({}), and {} has no patch for it",
                    tokio.version,
                    graph.way_to(tokio),
                    cargo.root_manifest().display()
                ),
                mend: "cargo zokio move --path ZOKIO/facade/tokio".into(),
            });
        }
        return Ok(findings);
    }
    let Some(facade) = Facade::of_patch(cargo, &root, &lock)? else {
        findings.push(Finding {
            cause: format!("Cargo does not use the patch: {}", said(&graph.warnings)),
            mend: "look at the entry for tokio below [patch.crates-io]".into(),
        });
        return Ok(findings);
    };
    if !facade.is_ours {
        findings.push(no_facade(cargo, &root));
        return Ok(findings);
    }
    let requests = graph.requests(tokio);
    findings.extend(
        requests
            .iter()
            .filter_map(|r| refused_version(graph, r, &facade)),
    );
    findings.extend(
        requests
            .iter()
            .flat_map(|r| missing_features(graph, r, &facade)),
    );
    if findings.is_empty() {
        findings.push(Finding {
            cause: format!(
                "Cargo.lock holds tokio {} from before the patch, and Cargo prefers what is locked",
                tokio.version
            ),
            mend: format!("cargo update -p tokio@{}", tokio.version),
        });
    }
    Ok(findings)
}

/// Patches in manifests of members, which Cargo does not read.
fn misplaced(cargo: &Cargo, graph: &Graph) -> Result<Vec<Finding>> {
    let mut findings = vec![];
    for member in graph.members() {
        let path = member.manifest_path.as_std_path();
        if path != cargo.root_manifest() && Manifest::read(path)?.has_patch() {
            findings.push(Finding {
                cause: format!(
                    "{} patches tokio, and Cargo reads patches of the workspace's root manifest only",
                    path.display()
                ),
                mend: format!("move the entry to {}", cargo.root_manifest().display()),
            });
        }
    }
    Ok(findings)
}

/// The patch leads to a package of the name that is not Zokio's.
fn no_facade(cargo: &Cargo, root: &Manifest) -> Finding {
    Finding {
        cause: format!(
            "the patch of {} is not Zokio's facade: {}",
            cargo.root_manifest().display(),
            root.patch_text().unwrap_or_default()
        ),
        mend: "let it name the folder facade/tokio of Zokio".into(),
    }
}

/// Why `tokio` comes from a path, a repository or another registry.
fn from_elsewhere(cargo: &Cargo, graph: &Graph, tokio: &Package) -> Result<Finding> {
    let root = Manifest::read(cargo.root_manifest())?;
    let patched = root
        .patch_path()
        .and_then(|folder| folder.canonicalize().ok());
    let folder = tokio
        .manifest_path
        .parent()
        .map(|folder| folder.as_std_path());
    if tokio.source.is_none() && patched.as_deref() == folder {
        return Ok(no_facade(cargo, &root));
    }
    let place = graph::place(tokio);
    let mend = match &tokio.source {
        Some(source) => {
            let url = source
                .repr
                .split_once('+')
                .map_or(source.repr.as_str(), |(_, url)| url);
            let url = url.split(['?', '#']).next().unwrap_or(url);
            format!("add the same entry below [patch.\"{url}\"]")
        }
        None => {
            "let the dependency ask for tokio = \"1\" of crates.io, which the patch replaces".into()
        }
    };
    Ok(Finding {
        cause: format!(
            "tokio {} comes from {place} ({}), which a patch of crates.io does not reach",
            tokio.version,
            graph.way_to(tokio)
        ),
        mend,
    })
}

fn refused_version(graph: &Graph, request: &Request<'_>, facade: &Facade) -> Option<Finding> {
    let Request {
        dependent,
        requirement,
        ..
    } = request;
    if requirement.matches(&facade.version) {
        return None;
    }
    // A requirement that admits some later 1.x wants a newer facade; any other holds back all of them.
    let later = Version::new(1, u64::MAX, 0);
    let mend = match requirement.matches(&later) {
        true => "update Zokio: its facade is older than what is asked for".into(),
        false => format!(
            "let {0} ask for tokio = \"1\": by a later version of it (cargo update -p {0}), or by a patch of {0}",
            dependent.name
        ),
    };
    let asked = format!("tokio \"{requirement}\"");
    let cause = unmet(graph, dependent, &asked, facade, "satisfy");
    Some(Finding { cause, mend })
}

/// A dependent's wish that the facade does not fulfil.
fn unmet(graph: &Graph, dependent: &Package, asked: &str, facade: &Facade, verb: &str) -> String {
    format!(
        "{} {} asks for {asked}, which Zokio's {} does not {verb} ({})",
        dependent.name,
        dependent.version,
        facade.version,
        graph.way_to(dependent)
    )
}

fn missing_features(graph: &Graph, request: &Request<'_>, facade: &Facade) -> Vec<Finding> {
    let Request {
        dependent,
        features,
        ..
    } = request;
    let Some(known) = &facade.features else {
        return vec![];
    };
    let missing = features.difference(known).map(|feature| Finding {
        cause: unmet(
            graph,
            dependent,
            &format!("the feature `{feature}` of tokio"),
            facade,
            "have",
        ),
        mend: format!(
            "update Zokio; if its newest version lacks `{feature}` too, report that, and turn it off in {}",
            dependent.name
        ),
    });
    missing.collect()
}

/// The package that a patch leads to, when the graph does not show it.
#[derive(Debug)]
struct Facade {
    version: Version,
    /// `None` if unknown: the patch is a repository that no build has used.
    features: Option<BTreeSet<String>>,
    is_ours: bool,
}

impl Facade {
    /// Looks at the patch's folder; of a repository no more is known than the version in the lock file.
    fn of_patch(cargo: &Cargo, root: &Manifest, lock: &Lock) -> Result<Option<Self>> {
        if let Some(folder) = root.patch_path() {
            return Self::in_folder(cargo, &folder);
        }
        let version = lock.unused_patch.clone();
        Ok(version.map(|version| Self {
            version,
            features: None,
            is_ours: true,
        }))
    }

    fn in_folder(cargo: &Cargo, folder: &Path) -> Result<Option<Self>> {
        let Some(package) = Graph::package_in(cargo, folder)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            is_ours: graph::is_ours(&package),
            features: Some(package.features.keys().cloned().collect()),
            version: package.version,
        }))
    }
}

/// Cargo's warnings in one line.
fn said(warnings: &str) -> String {
    let lines = warnings.lines().filter(|line| line.starts_with("warning"));
    let lines: Vec<&str> = lines.collect();
    match lines.is_empty() {
        true => "it does not say why".into(),
        false => lines.join("; "),
    }
}
