//! A scratch folder with an application, a stand-in for crates.io, and a stand-in for Zokio's facade.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A facade as the command sees it: a name, a version, features, and the mark.
pub(crate) const FACADE: &str = r#"[package]
name = "tokio"
version = "1.999.0"
edition = "2021"
[package.metadata.zokio]
facade = true
[features]
rt = []
full = ["rt"]
[workspace]
"#;

pub(crate) struct Scratch {
    folder: TempDir,
}

/// The outcome of the command.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Scratch {
    /// An application that depends on `tokio` as `line` says, with `tokio` 1.47.0 and 1.54.1 on crates.io.
    pub(crate) fn new(line: &str) -> Self {
        let scratch = Self {
            folder: TempDir::new().expect("a folder"),
        };
        scratch.write(
            ".cargo/config.toml",
            "[source.crates-io]\nreplace-with = \"fakes\"\n[source.fakes]\ndirectory = \"vendor\"\n",
        );
        let features = "[features]\nrt = []\nfull = [\"rt\"]\nbrand-new = []\n";
        for version in ["0.2.25", "1.47.0", "1.54.1"] {
            scratch.publish("tokio", version, features);
        }
        scratch.package("facade", FACADE);
        scratch.package(
            "app",
            &format!(
                "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[dependencies]\n{line}\n"
            ),
        );
        scratch
    }

    /// Adds a package to the stand-in for crates.io.
    pub(crate) fn publish(&self, name: &str, version: &str, tables: &str) {
        let folder = format!("vendor/{name}-{version}");
        self.package(
            &folder,
            &format!(
                "[package]\nname = \"{name}\"\nversion = \"{version}\"\nedition = \"2021\"\n{tables}"
            ),
        );
        self.write(
            &format!("{folder}/.cargo-checksum.json"),
            "{\"files\":{},\"package\":null}",
        );
    }

    /// Writes a manifest and an empty library.
    pub(crate) fn package(&self, folder: &str, manifest: &str) {
        self.write(&format!("{folder}/Cargo.toml"), manifest);
        self.write(&format!("{folder}/src/lib.rs"), "");
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    /// Adds lines to the application's manifest.
    pub(crate) fn append(&self, text: &str) {
        let manifest = self.read("app/Cargo.toml");
        self.write("app/Cargo.toml", &format!("{manifest}{text}"));
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).expect("a file")
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Makes the lock file as an ordinary build would.
    pub(crate) fn lock(&self) {
        self.cargo("app", &["generate-lockfile"]);
    }

    /// Runs `cargo update -p SPEC..`.
    pub(crate) fn update(&self, spec: &[&str]) {
        self.cargo("app", &[&["update", "-p"], spec].concat());
    }

    /// Serves these versions from an index with archives, in place of the folder of sources.
    #[cfg(target_os = "linux")]
    pub(crate) fn serve_registry(&self, name: &str, versions: &[&str]) {
        let mut index = String::new();
        for version in versions {
            let folder = format!("vendor/{name}-{version}");
            self.cargo(&folder, &["package", "--no-verify", "--allow-dirty"]);
            let archive = format!("{name}-{version}.crate");
            let packed = self.path(&format!("{folder}/target/package/{archive}"));
            fs::create_dir_all(self.path("registry")).expect("a folder");
            fs::copy(&packed, self.path("registry").join(&archive)).expect("a copy");
            let sum = Command::new("sha256sum")
                .arg(&packed)
                .output()
                .expect("a sum")
                .stdout;
            let sum = String::from_utf8(sum).expect("text");
            let sum = sum.split(' ').next().expect("a sum");
            let features = r#"{"rt":[],"full":["rt"],"brand-new":[]}"#;
            index += &format!(
                "{{\"name\":\"{name}\",\"vers\":\"{version}\",\"deps\":[],\"cksum\":\"{sum}\",\
                 \"features\":{features},\"yanked\":false}}\n"
            );
        }
        let (first, second) = (&name[..2], &name[2..4]);
        self.write(&format!("registry/index/{first}/{second}/{name}"), &index);
        self.write(
            ".cargo/config.toml",
            "[source.crates-io]\nreplace-with = \"local\"\n[source.local]\nlocal-registry = \"registry\"\n",
        );
    }

    fn cargo(&self, folder: &str, args: &[&str]) {
        let output = command("cargo", &self.path(folder)).args(args).output();
        let output = output.expect("cargo starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "cargo {args:?}: {stderr}");
    }

    /// Runs `cargo zokio ARGS` in the application's folder.
    pub(crate) fn zokio(&self, args: &[&str]) -> Ran {
        let output = command(env!("CARGO_BIN_EXE_cargo-zokio"), &self.path("app"))
            .arg("zokio")
            .args(args)
            .output();
        let Output {
            status,
            stdout,
            stderr,
        } = output.expect("the command starts");
        Ran {
            code: status.code().expect("no signal"),
            stdout: String::from_utf8(stdout).expect("text"),
            stderr: String::from_utf8(stderr).expect("text"),
        }
    }
}

fn command(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder);
    // Each scratch workspace builds below itself, and Cargo looks for its settings from there.
    command.env_remove("CARGO_TARGET_DIR");
    command.env_remove("CARGO_MANIFEST_DIR");
    command
}

impl Ran {
    /// Panics unless the exit code is `code`, with what was printed.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "stdout:\n{}\nstderr:\n{}",
            self.stdout, self.stderr
        );
        self
    }

    /// Panics unless one cause and one mend were printed, each with these words.
    #[track_caller]
    pub(crate) fn finds(self, cause: &[&str], mend: &str) {
        let ran = self.expect(1);
        let line = |start: &str| -> Vec<&str> {
            let lines = ran.stdout.lines();
            lines.filter_map(|line| line.strip_prefix(start)).collect()
        };
        let (causes, mends) = (line("error: "), line(" mend: "));
        assert_eq!((causes.len(), mends.len()), (1, 1), "{}", ran.stdout);
        for words in cause {
            assert!(causes[0].contains(words), "{words:?} in {:?}", causes[0]);
        }
        assert!(mends[0].contains(mend), "{mend:?} in {:?}", mends[0]);
    }
}
