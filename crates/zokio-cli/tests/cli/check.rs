//! `cargo zokio check`: each way in which Cargo builds another `tokio` is named, with its mend.

use crate::support::{FACADE, Scratch};

const PATCH: &str = "\n[patch.crates-io]\ntokio = { path = \"../facade\" }\n";

#[test]
fn a_patched_workspace_is_fine() {
    let scratch = Scratch::new("tokio = { version = \"1\", features = [\"full\"] }");
    scratch.append(PATCH);
    let ran = scratch.zokio(&["check"]).expect(0);
    assert!(
        ran.stdout
            .contains("the only tokio 1.x is Zokio's: 1.999.0"),
        "{}",
        ran.stdout
    );
}

#[test]
fn no_file_is_written() {
    let scratch = Scratch::new("tokio = \"1\"");
    scratch.zokio(&["check"]).expect(1);
    assert!(
        !scratch.path("app/Cargo.lock").exists(),
        "check made a lock file"
    );
    scratch.lock();
    let lock = scratch.read("app/Cargo.lock");
    scratch.append(PATCH);
    let manifest = scratch.read("app/Cargo.toml");
    scratch.zokio(&["check"]).expect(1);
    assert_eq!(scratch.read("app/Cargo.lock"), lock);
    assert_eq!(scratch.read("app/Cargo.toml"), manifest);
}

#[test]
fn a_missing_patch_is_named() {
    let scratch = Scratch::new("client = \"1\"");
    scratch.publish("client", "1.2.3", "[dependencies]\ntokio = \"1\"\n");
    scratch.zokio(&["check"]).finds(
        &[
            "tokio 1.54.1 comes from crates.io",
            "app > client 1.2.3 > tokio 1.54.1",
            "no patch",
        ],
        "cargo zokio move",
    );
}

#[test]
fn a_stale_lock_file_is_named_and_the_mend_mends() {
    let scratch = Scratch::new("tokio = \"1\"");
    scratch.lock();
    scratch.append(PATCH);
    scratch.zokio(&["check"]).finds(
        &["Cargo.lock holds tokio 1.54.1"],
        "cargo update -p tokio@1.54.1",
    );
    scratch.update(&["tokio@1.54.1"]);
    scratch.zokio(&["check"]).expect(0);
}

#[test]
fn a_pin_is_named_with_the_package_that_pins() {
    let scratch = Scratch::new("tokio = \"1\"\nbroker = \"0.4\"");
    scratch.publish("broker", "0.4.0", "[dependencies]\ntokio = \"~1.47\"\n");
    scratch.append(PATCH);
    scratch.zokio(&["check"]).finds(
        &[
            "broker 0.4.0 asks for tokio \"~1.47\"",
            "app > broker 0.4.0",
        ],
        "cargo update -p broker",
    );
}

#[test]
fn a_facade_that_is_too_old_is_named() {
    let scratch = Scratch::new("tokio = \"1.51\"");
    scratch.package("facade", &FACADE.replace("1.999.0", "1.50.0"));
    scratch.append(PATCH);
    scratch.zokio(&["check"]).finds(
        &["app 0.1.0 asks for tokio \"^1.51\"", "1.50.0"],
        "update Zokio",
    );
}

#[test]
fn a_missing_feature_is_named_when_a_table_asks_for_it() {
    let scratch = Scratch::new("tokio = \"1\"\nbroker = \"0.4\"");
    let table = "[dependencies]\ntokio = { version = \"1\", features = [\"rt\", \"brand-new\"] }\n";
    scratch.publish("broker", "0.4.0", table);
    scratch.append(PATCH);
    scratch.zokio(&["check"]).finds(
        &["broker 0.4.0 asks for the feature `brand-new`"],
        "turn it off in broker",
    );
}

#[test]
fn a_missing_feature_is_named_when_a_feature_of_a_renamed_dependency_asks_for_it() {
    let scratch = Scratch::new("broker = \"0.4\"");
    let tables = "[dependencies]\nrt1 = { package = \"tokio\", version = \"1\" }\n\
                  [features]\ndefault = [\"fast\"]\nfast = [\"rt1/brand-new\"]\n";
    scratch.publish("broker", "0.4.0", tables);
    scratch.append(PATCH);
    scratch.zokio(&["check"]).finds(
        &["broker 0.4.0 asks for the feature `brand-new`"],
        "turn it off in broker",
    );
}

#[test]
fn a_patch_in_a_members_manifest_is_named() {
    let scratch = Scratch::new("tokio = \"1\"");
    scratch.append("\n[workspace]\nmembers = [\"part\"]\n");
    let part = "[package]\nname = \"part\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\
                [dependencies]\ntokio = \"1\"\n[patch.crates-io]\ntokio = { path = \"../../facade\" }\n";
    scratch.package("app/part", part);
    scratch.zokio(&["check"]).finds(
        &["part/Cargo.toml patches tokio", "root manifest only"],
        "move the entry to",
    );
}

#[test]
fn a_patch_to_another_package_is_named() {
    // Used by Cargo, and not.
    for version in ["1.60.0", "1.50.0"] {
        let scratch = Scratch::new("tokio = \"1.51\"");
        let plain = format!(
            "[package]\nname = \"tokio\"\nversion = \"{version}\"\nedition = \"2021\"\n[workspace]\n"
        );
        scratch.package("facade", &plain);
        scratch.append(PATCH);
        scratch
            .zokio(&["check"])
            .finds(&["is not Zokio's facade", "../facade"], "facade/tokio");
    }
}

#[test]
fn a_tokio_from_a_path_is_named() {
    let scratch = Scratch::new("tokio = \"1\"\nfork = { package = \"tokio\", path = \"../fork\" }");
    let fork =
        "[package]\nname = \"tokio\"\nversion = \"1.60.0\"\nedition = \"2021\"\n[workspace]\n";
    scratch.package("fork", fork);
    scratch.append(PATCH);
    scratch.zokio(&["check"]).finds(
        &["tokio 1.60.0 comes from", "fork", "does not reach"],
        "of crates.io",
    );
}

#[test]
fn another_major_version_is_a_note() {
    let scratch = Scratch::new("tokio = \"1\"\nold = { package = \"tokio\", version = \"0.2\" }");
    scratch.append(PATCH);
    let ran = scratch.zokio(&["check"]).expect(0);
    assert!(
        ran.stdout
            .contains("note: tokio 0.2.25 is another major version"),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_workspace_without_tokio_is_told_so() {
    let scratch = Scratch::new("");
    scratch.zokio(&["check"]).finds(
        &["no package of this workspace depends on tokio 1.x"],
        "nothing is to be moved",
    );
}

#[test]
fn a_patch_of_the_command_line_counts() {
    let scratch = Scratch::new("tokio = \"1\"");
    let patch = format!(
        "patch.crates-io.tokio.path={:?}",
        scratch.path("facade").to_str().expect("text")
    );
    scratch.zokio(&["check", "--config", &patch]).expect(0);
}

#[test]
fn a_workspace_that_cargo_cannot_resolve_is_an_error_of_its_own() {
    let scratch = Scratch::new("tokio = \"1\"\nnowhere = \"1\"");
    let ran = scratch.zokio(&["check"]).expect(2);
    assert!(ran.stderr.contains("nowhere"), "{}", ran.stderr);
}
