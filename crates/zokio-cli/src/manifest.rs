//! The files as they are: the patch of the root manifest, and the lock file.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use semver::Version;
use toml_edit::{DocumentMut, InlineTable, Item, Table, Value};

/// Where a facade is to be taken from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The folder of the facade's manifest.
    Path(PathBuf),
    /// A repository, and `rev`, `tag` or `branch` in it.
    Git {
        url: String,
        at: Option<(&'static str, String)>,
    },
}

/// A manifest that can be changed without touching the rest of its text.
#[derive(Debug)]
pub(crate) struct Manifest {
    path: PathBuf,
    document: DocumentMut,
}

/// The words before the versions in the comment behind a patch.
const BEFORE: &str = "# Cargo.lock had ";

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    ///
    /// If it cannot be read or is no TOML.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text =
            fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let document = text
            .parse()
            .with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            document,
        })
    }

    /// Writes it back.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub(crate) fn write(&self) -> Result<()> {
        fs::write(&self.path, self.document.to_string())
            .with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// Whether `[patch.crates-io]` has an entry for the package `tokio`, under any key.
    pub(crate) fn has_patch(&self) -> bool {
        self.patch().is_some()
    }

    /// The entry's `path`, made absolute; `None` for a repository.
    pub(crate) fn patch_path(&self) -> Option<PathBuf> {
        let path = self.patch()?.1.as_table_like()?.get("path")?.as_str()?;
        Some(self.folder().join(path))
    }

    /// The entry as text, for a person.
    pub(crate) fn patch_text(&self) -> Option<String> {
        let (key, item) = self.patch()?;
        Some(format!(
            "{key} = {}",
            item.to_string().split('#').next().unwrap_or("").trim()
        ))
    }

    /// The versions in the comment that [`add_patch`](Self::add_patch) left.
    pub(crate) fn versions_before(&self) -> Vec<Version> {
        let item = self.patch().and_then(|(_, item)| item.as_value());
        let suffix = item.and_then(|value| value.decor().suffix()?.as_str());
        let text = suffix.and_then(|text| text.trim().strip_prefix(BEFORE));
        text.into_iter()
            .flat_map(|text| text.split(", "))
            .filter_map(|word| word.parse().ok())
            .collect()
    }

    /// Adds the one line that moves a workspace, with a comment that says what the lock file had.
    ///
    /// # Errors
    ///
    /// If there is an entry for `tokio`, or `patch` is no table.
    pub(crate) fn add_patch(&mut self, origin: &Origin, before: &[Version]) -> Result<()> {
        if let Some(text) = self.patch_text() {
            bail!("{} patches tokio already: {text}", self.path.display());
        }
        let mut entry = entry(origin, &self.folder())?;
        let patch = self.document.entry("patch").or_insert_with(implicit_table);
        let patch = patch.as_table_like_mut().context("`patch` is no table")?;
        let source = patch
            .entry("crates-io")
            .or_insert(Item::Table(Table::new()));
        // No comment fits into a table of one line.
        if source.is_table() && !before.is_empty() {
            let list: Vec<String> = before.iter().map(Version::to_string).collect();
            let comment = format!(" {BEFORE}{}", list.join(", "));
            entry.decor_mut().set_suffix(comment);
        }
        let source = source
            .as_table_like_mut()
            .context("`patch.crates-io` is no table")?;
        source.insert("tokio", Item::Value(entry));
        Ok(())
    }

    /// Takes the entry out again, and the tables that are empty without it.
    pub(crate) fn remove_patch(&mut self) {
        let Some((key, _)) = self.patch() else { return };
        let key = key.to_owned();
        let Some(patch) = self
            .document
            .get_mut("patch")
            .and_then(Item::as_table_like_mut)
        else {
            return;
        };
        if let Some(source) = patch.get_mut("crates-io").and_then(Item::as_table_like_mut) {
            source.remove(&key);
            if source.is_empty() {
                patch.remove("crates-io");
            }
        }
        if patch.is_empty() {
            self.document.remove("patch");
        }
    }

    fn patch(&self) -> Option<(&str, &Item)> {
        let patch = self.document.get("patch")?.as_table_like()?;
        let source = patch.get("crates-io")?.as_table_like()?;
        source.iter().find(|(key, item)| {
            let package = item.as_table_like().and_then(|table| table.get("package"));
            package.and_then(Item::as_str).unwrap_or(key) == "tokio"
        })
    }

    fn folder(&self) -> PathBuf {
        self.path.parent().map(Path::to_owned).unwrap_or_default()
    }
}

fn implicit_table() -> Item {
    let mut table = Table::new();
    table.set_implicit(true);
    Item::Table(table)
}

fn entry(origin: &Origin, folder: &Path) -> Result<Value> {
    let mut table = InlineTable::new();
    match origin {
        Origin::Path(path) => {
            let full = fs::canonicalize(path)
                .with_context(|| format!("{} is no folder", path.display()))?;
            if !full.join("Cargo.toml").exists() {
                bail!("{} holds no Cargo.toml", path.display());
            }
            // A relative path survives a checkout elsewhere, if it means the same from the manifest's folder.
            let from_there = fs::canonicalize(folder.join(path));
            let means_the_same = from_there.is_ok_and(|from_there| from_there == full);
            let path = if means_the_same { path } else { &full };
            let text = path.to_str().context("the path is no UTF-8")?;
            table.insert("path", text.into());
        }
        Origin::Git { url, at } => {
            table.insert("git", url.as_str().into());
            if let Some((key, value)) = at {
                table.insert(*key, value.as_str().into());
            }
        }
    }
    Ok(Value::InlineTable(table))
}

/// A lock file, as far as this program reads it.
#[derive(Debug, Default)]
pub(crate) struct Lock {
    /// The `tokio` 1.x in it, whatever their source.
    pub(crate) tokios: Vec<Version>,
    /// The version of a patch for `tokio` that Cargo did not use.
    pub(crate) unused_patch: Option<Version>,
}

impl Lock {
    /// Reads a lock file; one that does not exist is empty.
    ///
    /// # Errors
    ///
    /// If it is no TOML.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let Ok(text) = fs::read_to_string(path) else {
            return Ok(Self::default());
        };
        let document: DocumentMut = text
            .parse()
            .with_context(|| format!("cannot read {}", path.display()))?;
        let unused = document.get("patch").and_then(|patch| patch.get("unused"));
        Ok(Self {
            tokios: versions(document.get("package")),
            unused_patch: versions(unused).pop(),
        })
    }
}

fn versions(tables: Option<&Item>) -> Vec<Version> {
    let tables = tables.and_then(Item::as_array_of_tables);
    let tokios = tables
        .into_iter()
        .flat_map(|tables| tables.iter())
        .filter(|table| table.get("name").and_then(Item::as_str) == Some("tokio"));
    tokios
        .filter_map(|table| table.get("version")?.as_str()?.parse().ok())
        .filter(|version: &Version| version.major == 1)
        .collect()
}
