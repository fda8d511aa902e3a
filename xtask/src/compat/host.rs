//! The scratch package that hosts a published package's tests.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::compat::{Over, suite_folder};
use crate::meta::{self, Dependency, Kind, Package};
use crate::{Outcome, cmd};

/// A published package and what its tests need switched on.
#[derive(Debug)]
pub(super) struct Suite {
    pub(super) package: &'static str,
    pub(super) version: &'static str,
    features: &'static [&'static str],
}

const SUITES: &[Suite] = &[
    Suite {
        package: "tokio",
        version: "1.54.1",
        features: &[
            "full",
            "fs",
            "io-util",
            "io-std",
            "macros",
            "net",
            "parking_lot",
            "process",
            "rt",
            "rt-multi-thread",
            "signal",
            "sync",
            "test-util",
            "time",
        ],
    },
    Suite {
        package: "tokio-util",
        version: "0.7.20",
        features: &[
            "full", "codec", "compat", "io", "io-util", "join-map", "net", "rt", "time",
        ],
    },
    Suite {
        package: "tokio-stream",
        version: "0.1.19",
        features: &[
            "full", "fs", "io-util", "net", "rt", "signal", "sync", "time",
        ],
    },
    Suite {
        package: "tokio-test",
        version: "0.4.6",
        features: &[],
    },
];

/// The test that only compiles over the facade.
pub(super) const MARKER: &str = "zokio_facade_marker";

const MARKER_TEST: &str = "#[test]\nfn the_facade_is_used() {\n    \
                           assert!(!tokio::ZOKIO_FACADE.is_empty());\n}\n";

/// The suite called `name`.
pub(super) fn find(name: &str) -> Option<&'static Suite> {
    SUITES.iter().find(|suite| suite.package == name)
}

/// Brings the scratch package up to date and checks its graph; returns its folder. What is right already
/// is left alone, so that Cargo builds only what has changed.
pub(super) fn prepare(suite: &Suite, over: Over) -> Result<PathBuf, String> {
    let package = fetch(suite)?;
    let folder = suite_folder(suite).join(match over {
        Over::Facade => "facade",
        Over::RealTokio => "real",
    });
    let io = |e: std::io::Error| format!("{}: {e}", folder.display());
    fs::create_dir_all(folder.join("src")).map_err(io)?;
    mirror_folder(&package.folder().join("tests"), &folder.join("tests"))?;
    update(&folder.join("src/lib.rs"), b"//! Hosts tests.\n")?;
    update(
        &folder.join("Cargo.toml"),
        manifest(suite, &package, over).as_bytes(),
    )?;
    if over == Over::Facade {
        update(
            &folder.join("tests").join(marker_file()),
            MARKER_TEST.as_bytes(),
        )?;
        assert_graph(&folder)?;
    }
    Ok(folder)
}

/// Lets Cargo download the package, and finds it.
fn fetch(suite: &Suite) -> Result<Package, String> {
    let folder = suite_folder(suite).join("fetch");
    let io = |e: std::io::Error| format!("{}: {e}", folder.display());
    fs::create_dir_all(folder.join("src")).map_err(io)?;
    fs::write(folder.join("src/lib.rs"), "//! Fetches a package.\n").map_err(io)?;
    let manifest = format!(
        "[package]\nname = \"fetch\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n{} = \"={}\"\n\n[workspace]\n",
        suite.package, suite.version
    );
    fs::write(folder.join("Cargo.toml"), manifest).map_err(io)?;
    let packages = meta::load(&folder.join("Cargo.toml"), &[])?;
    packages
        .into_iter()
        .find(|p| p.name == suite.package && p.version == suite.version)
        .ok_or_else(|| format!("{} {} was not fetched", suite.package, suite.version))
}

fn marker_file() -> String {
    format!("{MARKER}.rs")
}

/// Makes `to` hold what `from` holds, and the marker.
fn mirror_folder(from: &Path, to: &Path) -> Outcome {
    let io = |e: std::io::Error| format!("copying {}: {e}", from.display());
    fs::create_dir_all(to).map_err(io)?;
    for entry in fs::read_dir(to).map_err(io)? {
        let entry = entry.map_err(io)?;
        let path = entry.path();
        if path.is_dir() {
            if !from.join(entry.file_name()).is_dir() {
                fs::remove_dir_all(path).map_err(io)?;
            }
        } else if !from.join(entry.file_name()).is_file() && entry.file_name() != *marker_file() {
            fs::remove_file(path).map_err(io)?;
        }
    }
    for entry in fs::read_dir(from).map_err(io)? {
        let entry = entry.map_err(io)?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            mirror_folder(&source, &target)?;
        } else {
            update(&target, &fs::read(&source).map_err(io)?)?;
        }
    }
    Ok(())
}

/// Writes a file unless it holds `contents` already.
fn update(path: &Path, contents: &[u8]) -> Outcome {
    if fs::read(path).is_ok_and(|there| there == contents) {
        return Ok(());
    }
    fs::write(path, contents).map_err(|e| format!("{}: {e}", path.display()))
}

/// The host's manifest. The address in it is asked for by tests that read `Cargo.toml`.
fn manifest(suite: &Suite, package: &Package, over: Over) -> String {
    let mut text = format!(
        "# Tests of {} {}, see https://tokio.rs\n[package]\nname = \"compat-host\"\nversion = \"0.0.0\"\nedition = \"{}\"\npublish = false\n\n",
        package.name, package.version, package.edition
    );
    text.push_str("[workspace]\n\n[lints.rust]\nwarnings = \"allow\"\n\n");
    text.push_str("[profile.dev]\ndebug = false\nincremental = false\n\n[features]\n");
    let on: Vec<String> = suite.features.iter().map(|f| format!("\"{f}\"")).collect();
    text.push_str(&format!("default = [{}]\n", on.join(", ")));
    let mut names: Vec<&str> = package.features.iter().map(String::as_str).collect();
    names.extend(suite.features);
    names.sort_unstable();
    names.dedup();
    for name in names.iter().filter(|name| **name != "default") {
        text.push_str(&format!("{name} = []\n"));
    }
    for (table, lines) in dependencies(suite, package) {
        text.push_str(&format!("\n[{table}]\n"));
        for line in lines.values() {
            text.push_str(line);
        }
    }
    if over == Over::Facade {
        let facade = cmd::root().join("facade/tokio");
        text.push_str(&format!(
            "\n[patch.crates-io]\ntokio = {{ path = {facade:?} }}\n"
        ));
    }
    text
}

/// Dependency tables by name, each with its lines by dependency.
fn dependencies(suite: &Suite, package: &Package) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut tables: BTreeMap<String, BTreeMap<String, Dependency>> = BTreeMap::new();
    let itself = Dependency {
        name: suite.package.to_string(),
        rename: None,
        requirement: if suite.package == "tokio" {
            "1".into()
        } else {
            format!("={}", suite.version)
        },
        kind: Kind::Normal,
        target: None,
        features: suite.features.iter().map(|f| (*f).to_string()).collect(),
        default_features: true,
        optional: false,
    };
    let published = package
        .dependencies
        .iter()
        .filter(|d| is_wanted(d))
        .cloned();
    for mut dependency in published.chain([itself]) {
        if dependency.name == "tokio" {
            dependency.requirement = "1".into();
            dependency
                .features
                .extend(["full".into(), "test-util".into()]);
            dependency.target = None;
        }
        let table = match &dependency.target {
            Some(target) => format!("target.'{target}'.dependencies"),
            None => "dependencies".to_string(),
        };
        let key = dependency
            .rename
            .clone()
            .unwrap_or_else(|| dependency.name.clone());
        let entry = tables.entry(table).or_default().entry(key);
        let merged = entry.or_insert_with(|| dependency.clone());
        merged.features.extend(dependency.features);
        merged.default_features |= dependency.default_features;
    }
    let render = |(key, dependency): (String, Dependency)| (key.clone(), line(&key, dependency));
    tables
        .into_iter()
        .map(|(table, entries)| (table, entries.into_iter().map(render).collect()))
        .collect()
}

/// Leaves out what stable tests on this system never need.
fn is_wanted(dependency: &Dependency) -> bool {
    const NEVER: &[&str] = &[
        "tokio-macros",
        "tracing",
        "tracing-mock",
        "loom",
        "backtrace",
    ];
    const ELSEWHERE: &[&str] = &["loom", "tokio_unstable", "tokio_taskdump"];
    let target = dependency.target.as_deref().unwrap_or_default();
    dependency.kind != Kind::Build
        && !NEVER.contains(&dependency.name.as_str())
        && !ELSEWHERE.iter().any(|word| target.contains(word))
}

fn line(key: &str, mut dependency: Dependency) -> String {
    dependency.features.sort();
    dependency.features.dedup();
    let mut text = format!("{key} = {{ version = \"{}\"", dependency.requirement);
    if dependency.rename.is_some() {
        text.push_str(&format!(", package = \"{}\"", dependency.name));
    }
    if !dependency.default_features {
        text.push_str(", default-features = false");
    }
    if !dependency.features.is_empty() {
        text.push_str(&format!(", features = {:?}", dependency.features));
    }
    text.push_str(" }\n");
    text
}

/// The names of the test files, without the extension.
pub(super) fn test_files(folder: &Path) -> Result<Vec<String>, String> {
    let tests = folder.join("tests");
    let entries = fs::read_dir(&tests).map_err(|e| format!("{}: {e}", tests.display()))?;
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| {
            entry
                .file_name()
                .to_str()?
                .strip_suffix(".rs")
                .map(str::to_string)
        })
        .collect();
    names.sort();
    Ok(names)
}

/// The facade is the only `tokio` 1.x of the graph, and the patch is used.
fn assert_graph(folder: &Path) -> Outcome {
    let _ = fs::remove_file(folder.join("Cargo.lock"));
    let packages = meta::load(&folder.join("Cargo.toml"), &[])?;
    let lock = fs::read_to_string(folder.join("Cargo.lock")).unwrap_or_default();
    judge_graph(&packages, &lock)
}

fn judge_graph(packages: &[Package], lock: &str) -> Outcome {
    let tokios: Vec<&Package> = packages
        .iter()
        .filter(|p| p.name == "tokio" && p.version.starts_with("1."))
        .collect();
    if lock.contains("[[patch.unused]]") {
        return Err(
            "the patch is not used: a feature or version that the facade lacks is asked for".into(),
        );
    }
    match tokios[..] {
        [one] if one.source.is_none() => Ok(()),
        [] => Err("no tokio in the graph".into()),
        _ => {
            let list: Vec<String> = tokios
                .iter()
                .map(|p| format!("{} from {:?}", p.version, p.source))
                .collect();
            Err(format!("real Tokio is in the graph: {}", list.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(version: &str, source: &str) -> String {
        format!(
            r#"{{"name":"tokio","version":"{version}","edition":"2021","id":"x{version}","source":{source},"manifest_path":"/x/Cargo.toml","features":{{"full":[],"default":[]}},"dependencies":[
            {{"name":"bytes","req":"^1.0","kind":null,"features":[],"uses_default_features":true}},
            {{"name":"bytes","req":"^1.2","kind":"dev","features":["std"],"uses_default_features":false}},
            {{"name":"rng","rename":"rand","req":"^0.9","kind":"dev","features":[],"uses_default_features":false}},
            {{"name":"loom","req":"^0.7","kind":"dev","target":"cfg(loom)","features":[]}},
            {{"name":"nix","req":"^0.29","kind":"dev","target":"cfg(unix)","features":["fs"]}}]}}"#
        )
    }

    fn graph(packages: &[String]) -> Vec<Package> {
        meta::parse(&format!(
            r#"{{"packages":[{}],"workspace_members":[]}}"#,
            packages.join(",")
        ))
        .unwrap()
    }

    #[test]
    fn real_tokio_in_the_graph_is_refused() {
        let facade = package("1.999.0", "null");
        let real = package("1.54.1", "\"registry+x\"");
        let old = package("0.2.1", "\"registry+x\"");
        assert!(judge_graph(&graph(&[facade.clone(), old]), "").is_ok());
        assert!(judge_graph(&graph(std::slice::from_ref(&facade)), "[[patch.unused]]").is_err());
        assert!(judge_graph(&graph(std::slice::from_ref(&real)), "").is_err());
        assert!(judge_graph(&graph(&[facade, real]), "").is_err());
        assert!(judge_graph(&graph(&[]), "").is_err());
    }

    #[test]
    fn the_manifest_has_what_the_tests_need() {
        let package = &graph(&[package("1.54.1", "\"registry+x\"")])[0];
        let text = manifest(find("tokio").unwrap(), package, Over::Facade);
        assert!(text.contains("https://tokio.rs"));
        assert!(text.contains("bytes = { version = \"^1.0\", features = [\"std\"] }"));
        assert!(text.contains(
            "rand = { version = \"^0.9\", package = \"rng\", default-features = false }"
        ));
        assert!(text.contains("[target.'cfg(unix)'.dependencies]\nnix ="));
        assert!(!text.contains("loom"));
        assert!(text.contains("[patch.crates-io]"));
        assert!(!manifest(find("tokio").unwrap(), package, Over::RealTokio).contains("[patch"));
    }
    #[test]
    fn a_mirror_touches_only_what_differs() {
        let root = std::env::temp_dir().join(format!("zokio-mirror-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        let (from, to) = (root.join("from"), root.join("to"));
        fs::create_dir_all(from.join("support")).unwrap();
        fs::create_dir_all(to.join("gone")).unwrap();
        fs::write(from.join("same.rs"), "same").unwrap();
        fs::write(from.join("other.rs"), "new").unwrap();
        fs::write(from.join("support/new.rs"), "new").unwrap();
        for (name, text) in [("same.rs", "same"), ("other.rs", "old"), ("gone.rs", "old")] {
            fs::write(to.join(name), text).unwrap();
        }
        fs::write(to.join(marker_file()), MARKER_TEST).unwrap();
        let time = |name: &str| fs::metadata(to.join(name)).unwrap().modified().unwrap();
        let long_ago = std::time::SystemTime::UNIX_EPOCH;
        for name in ["same.rs", "other.rs"] {
            let file = fs::File::options().write(true).open(to.join(name)).unwrap();
            file.set_modified(long_ago).unwrap();
        }
        mirror_folder(&from, &to).unwrap();
        assert_eq!(time("same.rs"), long_ago);
        assert_ne!(time("other.rs"), long_ago);
        assert_eq!(fs::read(to.join("other.rs")).unwrap(), b"new");
        assert_eq!(fs::read(to.join("support/new.rs")).unwrap(), b"new");
        assert!(to.join(marker_file()).exists());
        assert!(!to.join("gone").exists() && !to.join("gone.rs").exists());
        fs::remove_dir_all(&root).unwrap();
    }
}
