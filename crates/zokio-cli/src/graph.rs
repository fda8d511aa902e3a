//! The graph as Cargo resolved it, with all features and for all targets: what some build of the workspace may use.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use anyhow::{Context, Result};
use cargo_metadata::{Metadata, MetadataCommand, Node, Package, PackageId};

use crate::cargo::Cargo;

/// Packages and who uses whom.
#[derive(Debug)]
pub(crate) struct Graph {
    metadata: Metadata,
    /// The warnings that Cargo printed beside it.
    pub(crate) warnings: String,
}

/// A package that asks for a `tokio`, and how.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) dependent: &'a Package,
    pub(crate) requirement: &'a semver::VersionReq,
    /// Those of its table and of its own features that are on.
    pub(crate) features: BTreeSet<String>,
}

impl Graph {
    /// Lets Cargo resolve the workspace. Cargo may write the lock file.
    ///
    /// # Errors
    ///
    /// If Cargo cannot resolve it: with Cargo's own words.
    pub(crate) fn load(cargo: &Cargo) -> Result<Self> {
        let output = cargo.capture(&["metadata", "--format-version", "1", "--all-features"])?;
        let metadata = MetadataCommand::parse(output.stdout)
            .context("cannot read what cargo metadata prints")?;
        Ok(Self {
            metadata,
            warnings: output.stderr,
        })
    }

    /// Every `tokio` 1.x.
    pub(crate) fn tokios(&self) -> impl Iterator<Item = &Package> {
        let packages = self.metadata.packages.iter();
        packages.filter(|p| p.name.as_str() == "tokio" && p.version.major == 1)
    }

    /// Every `tokio` of another major version.
    pub(crate) fn other_tokios(&self) -> impl Iterator<Item = &Package> {
        let packages = self.metadata.packages.iter();
        packages.filter(|p| p.name.as_str() == "tokio" && p.version.major != 1)
    }

    /// The package `tokio` whose manifest lies in `folder`, whether the workspace uses it or not.
    ///
    /// # Errors
    ///
    /// If Cargo cannot read that manifest.
    pub(crate) fn package_in(cargo: &Cargo, folder: &Path) -> Result<Option<Package>> {
        let manifest = folder.join("Cargo.toml");
        let output =
            cargo
                .at(&manifest)
                .capture(&["metadata", "--format-version", "1", "--no-deps"])?;
        let metadata = MetadataCommand::parse(output.stdout)
            .context("cannot read what cargo metadata prints")?;
        let manifest = manifest.canonicalize().unwrap_or(manifest);
        let mut packages = metadata.packages.into_iter();
        Ok(packages.find(|p| {
            let own = p.manifest_path.as_std_path();
            p.name.as_str() == "tokio" && own.canonicalize().is_ok_and(|own| own == manifest)
        }))
    }

    /// The members of the workspace.
    pub(crate) fn members(&self) -> Vec<&Package> {
        self.metadata.workspace_packages()
    }

    /// Every package that depends on `tokio`, by a table that led to this package.
    pub(crate) fn requests<'a>(&'a self, tokio: &'a Package) -> Vec<Request<'a>> {
        let nodes = self.nodes();
        let users = nodes
            .values()
            .filter(|node| node.dependencies.contains(&tokio.id))
            .map(|node| (&self.metadata[&node.id], &node.features));
        let mut requests: Vec<Request<'_>> = users
            .flat_map(|(dependent, active)| {
                let tables = dependent.dependencies.iter();
                let tables = tables.filter(|d| d.name == "tokio" && d.req.matches_major(1));
                tables.map(move |table| {
                    let key = table.rename.as_deref().unwrap_or("tokio");
                    let mut features: BTreeSet<String> = table.features.iter().cloned().collect();
                    let own = active
                        .iter()
                        .filter_map(|name| dependent.features.get(name.as_str()));
                    features.extend(own.flatten().filter_map(|line| forwarded(line, key)));
                    Request {
                        dependent,
                        requirement: &table.req,
                        features,
                    }
                })
            })
            .collect();
        requests.sort_by_key(|r| (r.dependent.name.to_string(), r.dependent.version.clone()));
        requests
    }

    /// The shortest way from a member to `target`, both included: `app > client 0.3.1`.
    pub(crate) fn way_to(&self, target: &Package) -> String {
        let nodes = self.nodes();
        let mut from: BTreeMap<&PackageId, Option<&PackageId>> = BTreeMap::new();
        let mut queue: VecDeque<&PackageId> = VecDeque::new();
        for member in &self.metadata.workspace_members {
            from.insert(member, None);
            queue.push_back(member);
        }
        while let Some(id) = queue.pop_front() {
            if *id == target.id {
                break;
            }
            for next in nodes
                .get(id)
                .into_iter()
                .flat_map(|node| &node.dependencies)
            {
                if !from.contains_key(next) {
                    from.insert(next, Some(id));
                    queue.push_back(next);
                }
            }
        }
        let mut names = vec![];
        let mut at = from.contains_key(&target.id).then_some(&target.id);
        while let Some(id) = at {
            let package = &self.metadata[id];
            names.push(match self.metadata.workspace_members.contains(id) {
                true => package.name.to_string(),
                false => format!("{} {}", package.name, package.version),
            });
            at = from.get(id).copied().flatten();
        }
        names.reverse();
        names.join(" > ")
    }

    fn nodes(&self) -> BTreeMap<&PackageId, &Node> {
        let resolve = self.metadata.resolve.as_ref();
        let nodes = resolve.map_or(&[][..], |resolve| &resolve.nodes);
        nodes.iter().map(|node| (&node.id, node)).collect()
    }
}

/// Whether this is a facade of Zokio, which says so in its manifest.
pub(crate) fn is_ours(package: &Package) -> bool {
    package.metadata["zokio"]["facade"] == true
}

/// Where a package comes from, for a person.
pub(crate) fn place(package: &Package) -> String {
    match &package.source {
        Some(source) if source.is_crates_io() => "crates.io".into(),
        Some(source) => source.repr.clone(),
        None => package
            .manifest_path
            .parent()
            .map(|p| p.to_string())
            .unwrap_or_default(),
    }
}

/// The feature of the dependency `key` that a line of a feature's list turns on.
fn forwarded(line: &str, key: &str) -> Option<String> {
    let (dependency, feature) = line.split_once('/')?;
    (dependency.trim_end_matches('?') == key).then(|| feature.to_owned())
}

/// A question to a requirement that `semver` does not answer.
trait Major {
    /// Whether some version `major.*` may satisfy it.
    fn matches_major(&self, major: u64) -> bool;
}

impl Major for semver::VersionReq {
    fn matches_major(&self, major: u64) -> bool {
        // `*` and `>=0.2` name another major version or none, and may be answered by this one.
        let mut named = self.comparators.iter();
        named.all(|c| match c.op {
            semver::Op::Greater | semver::Op::GreaterEq => c.major <= major,
            semver::Op::Less | semver::Op::LessEq => c.major >= major,
            _ => c.major == major,
        })
    }
}
