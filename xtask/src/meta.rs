//! The output of `cargo metadata`, as far as the checks need it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cmd;

/// One package of a dependency graph.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) edition: String,
    /// `None` for a package from a path.
    pub(crate) source: Option<String>,
    pub(crate) manifest: PathBuf,
    pub(crate) member: bool,
    pub(crate) features: Vec<String>,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a `[dependencies]` table.
#[derive(Debug, Clone)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) rename: Option<String>,
    pub(crate) requirement: String,
    pub(crate) kind: Kind,
    pub(crate) target: Option<String>,
    pub(crate) features: Vec<String>,
    pub(crate) default_features: bool,
    pub(crate) optional: bool,
}

/// Which table a dependency stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Normal,
    Dev,
    Build,
}

impl Package {
    /// The package's own folder.
    pub(crate) fn folder(&self) -> &Path {
        self.manifest.parent().expect("a manifest lies in a folder")
    }
}

/// The graph of the manifest at `manifest`.
pub(crate) fn load(manifest: &Path, extra: &[&str]) -> Result<Vec<Package>, String> {
    let mut command = cmd::cargo(&["metadata", "--format-version", "1", "--manifest-path"]);
    command.arg(manifest).args(extra);
    parse(&cmd::capture(command)?)
}

/// Reads the JSON that `cargo metadata` prints.
pub(crate) fn parse(json: &str) -> Result<Vec<Package>, String> {
    let value: Value = serde_json::from_str(json).map_err(|e| format!("cargo metadata: {e}"))?;
    let members = texts(&value["workspace_members"]);
    let packages = value["packages"]
        .as_array()
        .ok_or("cargo metadata: no packages")?;
    Ok(packages
        .iter()
        .map(|package| parse_package(package, &members))
        .collect())
}

fn parse_package(value: &Value, members: &[String]) -> Package {
    let dependencies = value["dependencies"]
        .as_array()
        .map_or(&[][..], |list| list);
    let mut features: Vec<String> = value["features"]
        .as_object()
        .map(|m| m.keys().cloned().collect())
        .unwrap_or_default();
    features.sort();
    Package {
        name: text(&value["name"]),
        version: text(&value["version"]),
        edition: text(&value["edition"]),
        source: value["source"].as_str().map(str::to_string),
        manifest: PathBuf::from(text(&value["manifest_path"])),
        member: members.contains(&text(&value["id"])),
        features,
        dependencies: dependencies.iter().map(parse_dependency).collect(),
    }
}

fn parse_dependency(value: &Value) -> Dependency {
    Dependency {
        name: text(&value["name"]),
        rename: value["rename"].as_str().map(str::to_string),
        requirement: text(&value["req"]),
        kind: match value["kind"].as_str() {
            Some("dev") => Kind::Dev,
            Some("build") => Kind::Build,
            _ => Kind::Normal,
        },
        target: value["target"].as_str().map(str::to_string),
        features: texts(&value["features"]),
        default_features: value["uses_default_features"].as_bool().unwrap_or(true),
        optional: value["optional"].as_bool().unwrap_or(false),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_string()
}

fn texts(value: &Value) -> Vec<String> {
    value
        .as_array()
        .map(|list| list.iter().map(text).collect())
        .unwrap_or_default()
}
