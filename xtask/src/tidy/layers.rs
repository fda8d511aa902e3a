//! The layer table: who may use whom.
//!
//! Dependencies point down only. The table is written out here, so a new edge between crates is a
//! change of this file that a reviewer sees; a workspace member that the table does not know is an
//! error too. Development dependencies are free, because tests may look at a layer from above.

use crate::meta::{Kind, Package};
use crate::tidy::Finding;

/// Crate, what it may use among the workspace's crates.
const TABLE: &[(&str, &[&str])] = &[
    ("zokio-base", &[]),
    ("zokio-task", &["zokio-base"]),
    ("zokio-time", &["zokio-base", "zokio-task"]),
    ("zokio-io", &["zokio-base", "zokio-task"]),
    ("zokio-driver", &["zokio-base"]),
    ("zokio-sched", &["zokio-base", "zokio-task"]),
    ("zokio-sync", &["zokio-base", "zokio-task", "zokio-time"]),
    (
        "zokio-runtime",
        &[
            "zokio-base",
            "zokio-task",
            "zokio-time",
            "zokio-io",
            "zokio-driver",
            "zokio-sched",
            "zokio-sync",
        ],
    ),
    ("zokio-macros", &[]),
    (
        "zokio",
        &[
            "zokio-base",
            "zokio-task",
            "zokio-time",
            "zokio-io",
            "zokio-driver",
            "zokio-sched",
            "zokio-sync",
            "zokio-runtime",
            "zokio-macros",
        ],
    ),
    ("zokio-util", &["zokio"]),
    ("tokio", &["zokio", "zokio-macros"]),
    ("zokio-examples", &["zokio", "zokio-util", "tokio"]),
    (
        "zokio-stress",
        &[
            "zokio",
            "zokio-base",
            "zokio-task",
            "zokio-sched",
            "zokio-time",
            "zokio-driver",
            "zokio-sync",
        ],
    ),
    ("zokio-cli", &[]),
    ("xtask", &[]),
];

/// The libraries that the crates behind the facade may use: all of these but the last come with Tokio too. Whatever
/// else they use is optional and off, or it stands in the lock file of every program that is moved.
const OUTSIDE: &[&str] = &[
    "bytes",
    "libc",
    "mio",
    "pin-project-lite",
    "proc-macro2",
    "quote",
    "signal-hook-registry",
    "socket2",
    "syn",
    "windows-sys",
    "io-uring",
];

/// Checks every edge between workspace members, and that real Tokio is nowhere in the graph.
pub(super) fn check(packages: &[Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let members: Vec<&str> = packages
        .iter()
        .filter(|p| p.member)
        .map(|p| p.name.as_str())
        .collect();
    for package in packages.iter().filter(|p| p.member) {
        let Some((_, allowed)) = TABLE.iter().find(|(name, _)| *name == package.name) else {
            let text = format!(
                "`{}` is not in the layer table (xtask/src/tidy/layers.rs)",
                package.name
            );
            findings.push(Finding::new("layers", "Cargo.toml", 0, text));
            continue;
        };
        let edges = package.dependencies.iter().filter(|d| d.kind != Kind::Dev);
        for edge in edges.filter(|d| members.contains(&d.name.as_str())) {
            if !allowed.contains(&edge.name.as_str()) {
                let text = format!(
                    "`{}` may not use `{}`: dependencies point down only",
                    package.name, edge.name
                );
                findings.push(Finding::new("layers", "Cargo.toml", 0, text));
            }
        }
    }
    for package in packages
        .iter()
        .filter(|p| p.name == "tokio" && p.source.is_some())
    {
        let text = format!(
            "tokio {} from a registry is in the workspace's graph",
            package.version
        );
        findings.push(Finding::new("layers", "Cargo.lock", 0, text));
    }
    findings
}

/// Checks what the facade brings with it into a user's build.
pub(super) fn check_footprint(packages: &[Package]) -> Vec<Finding> {
    let members: Vec<&Package> = packages.iter().filter(|p| p.member).collect();
    let mut behind = vec!["tokio"];
    let mut findings = Vec::new();
    let mut index = 0;
    while let Some(name) = behind.get(index).copied() {
        index += 1;
        let package = members.iter().find(|p| p.name == name);
        let edges = package.into_iter().flat_map(|p| &p.dependencies);
        for edge in edges.filter(|d| d.kind != Kind::Dev && !d.optional) {
            let edge = edge.name.as_str();
            if members.iter().any(|p| p.name == edge) {
                if !behind.contains(&edge) {
                    behind.push(edge);
                }
            } else if !OUTSIDE.contains(&edge) {
                let text = format!("`{name}` brings `{edge}` into every program on the facade");
                findings.push(Finding::new("footprint", "Cargo.toml", 0, text));
            }
        }
    }
    findings
}

/// The facade holds attributes, documentation, re-exports and its marker; nothing else.
pub(super) fn check_facade(path: &str, code: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let text = code.join("\n");
    let mut rest = text.as_str();
    let mut line = 1;
    loop {
        let trimmed = rest.trim_start();
        line += rest[..rest.len() - trimmed.len()].matches('\n').count();
        if trimmed.is_empty() {
            return findings;
        }
        let attribute = trimmed.starts_with('#');
        let end = if attribute {
            trimmed.find("]\n").map(|i| i + 1)
        } else {
            trimmed.find(';').map(|i| i + 1)
        };
        let item = &trimmed[..end.unwrap_or(trimmed.len())];
        let allowed =
            attribute || item.starts_with("pub use ") || item.starts_with("pub const ZOKIO_FACADE");
        if !allowed {
            let first = item.lines().next().unwrap_or_default();
            findings.push(Finding::new(
                "facade",
                path,
                line,
                format!("not a re-export: `{first}`"),
            ));
        }
        line += item.matches('\n').count();
        rest = &trimmed[item.len()..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::lexer;

    fn package(name: &str, uses: &[(&str, &str)]) -> String {
        let dependencies: Vec<String> = uses
            .iter()
            .map(|(name, kind)| {
                let kind = if *kind == "normal" {
                    "null".into()
                } else {
                    format!("\"{kind}\"")
                };
                format!(r#"{{"name":"{name}","req":"*","kind":{kind},"features":[]}}"#)
            })
            .collect();
        format!(
            r#"{{"name":"{name}","version":"0.1.0","id":"{name}","source":null,"manifest_path":"/x/Cargo.toml","features":{{}},"dependencies":[{}]}}"#,
            dependencies.join(",")
        )
    }

    fn graph(packages: &[String], members: &[&str]) -> Vec<Package> {
        let members: Vec<String> = members.iter().map(|m| format!("\"{m}\"")).collect();
        let json = format!(
            r#"{{"packages":[{}],"workspace_members":[{}]}}"#,
            packages.join(","),
            members.join(",")
        );
        crate::meta::parse(&json).unwrap()
    }

    #[test]
    fn a_library_behind_the_facade_is_found() {
        let packages = |library| {
            [
                package("tokio", &[("zokio", "normal"), ("tempfile", "dev")]),
                package("zokio", &[("zokio-base", "normal"), ("bytes", "normal")]),
                package("zokio-base", &[(library, "normal")]),
                package("xtask", &[("serde_json", "normal")]),
            ]
        };
        let members = ["tokio", "zokio", "zokio-base", "xtask"];
        assert!(check_footprint(&graph(&packages("libc"), &members)).is_empty());
        let findings = check_footprint(&graph(&packages("loom"), &members));
        assert_eq!(findings.len(), 1);
        assert!(findings[0].text.contains("`zokio-base` brings `loom`"));
    }

    #[test]
    fn an_edge_upwards_is_found() {
        let packages = [
            package("zokio-base", &[]),
            package("zokio-driver", &[("zokio-base", "normal")]),
        ];
        let members = ["zokio-base", "zokio-driver"];
        assert!(check(&graph(&packages, &members)).is_empty());
        let packages = [
            package("zokio-base", &[("zokio-driver", "normal")]),
            package("zokio-driver", &[]),
        ];
        assert_eq!(check(&graph(&packages, &members)).len(), 1);
        let packages = [
            package("zokio-base", &[("zokio-driver", "dev")]),
            package("zokio-driver", &[]),
        ];
        assert!(check(&graph(&packages, &members)).is_empty());
    }

    #[test]
    fn an_unknown_member_and_real_tokio_are_found() {
        assert_eq!(
            check(&graph(&[package("zokio-new", &[])], &["zokio-new"])).len(),
            1
        );
        let tokio = package("tokio", &[]).replace("\"source\":null", "\"source\":\"registry+x\"");
        assert_eq!(check(&graph(&[tokio], &[])).len(), 1);
    }

    #[test]
    fn code_in_the_facade_is_found() {
        let good = "//! Doc.\n#![forbid(unsafe_code)]\n\n#[cfg(x)]\npub use zokio::{a,\n b};\npub const ZOKIO_FACADE: &str = \"1\";\n";
        assert!(check_facade("f", &lexer::split(good).code).is_empty());
        let bad = "//! Doc.\npub use zokio::*;\npub fn f() { g(); }\n";
        let findings = check_facade("f", &lexer::split(bad).code);
        assert_eq!(findings[0].line, 3);
    }
}
