//! `cargo zokio move` and `back`: the change holds, or no file differs.

use crate::support::Scratch;

const MOVE: &[&str] = &["move", "--path", "../facade"];

/// The manifest and the lock file.
fn files(scratch: &Scratch) -> [String; 2] {
    ["app/Cargo.toml", "app/Cargo.lock"].map(|file| scratch.read(file))
}

#[test]
fn there_and_back_leaves_every_byte() {
    let tails = [
        "",
        "\n[profile.release]\nlto = true # stays\n",
        "\n[patch.crates-io]\nother = { path = \"../other\" } # stays\n",
        "\n[patch]\ncrates-io = { other = { path = \"../other\" } }\n",
    ];
    for tail in tails {
        let scratch =
            Scratch::new("tokio = { version = \"1\", features = [\"full\"] }\nother = \"1\"");
        scratch.publish("other", "1.0.0", "");
        let other =
            "[package]\nname = \"other\"\nversion = \"1.0.0\"\nedition = \"2021\"\n[workspace]\n";
        scratch.package("other", other);
        scratch.append(tail);
        scratch.lock();
        let before = files(&scratch);
        let ran = scratch.zokio(MOVE).expect(0);
        assert!(
            ran.stdout.contains("tokio = { path = \"../facade\" }"),
            "{}",
            ran.stdout
        );
        scratch.zokio(&["check"]).expect(0);
        assert!(scratch.path("app/target").exists(), "nothing was built");
        scratch.zokio(&["back", "--no-build"]).expect(0);
        assert_eq!(files(&scratch), before, "with {tail:?}");
    }
}

/// A folder of sources ignores `--precise`, so this test has a registry.
#[cfg(target_os = "linux")]
#[test]
fn the_way_back_takes_the_version_that_was_locked() {
    let scratch = Scratch::new("tokio = \"1\"");
    scratch.serve_registry("tokio", &["1.47.0", "1.54.1"]);
    scratch.lock();
    let newest = scratch.read("app/Cargo.lock");
    scratch.update(&["tokio", "--precise", "1.47.0"]);
    let before = files(&scratch);
    assert_ne!(before[1], newest);
    scratch.zokio(MOVE).expect(0);
    let line = "tokio = { path = \"../facade\" } # Cargo.lock had 1.47.0\n";
    assert!(scratch.read("app/Cargo.toml").contains(line));
    scratch.zokio(&["back"]).expect(0);
    assert_eq!(files(&scratch), before);
}

#[test]
fn a_version_that_is_not_to_be_had_again_is_told() {
    let scratch = Scratch::new("tokio = \"1\"");
    scratch.lock();
    let older = scratch.read("app/Cargo.lock").replace("1.54.1", "1.47.0");
    scratch.write("app/Cargo.lock", &older);
    scratch.zokio(MOVE).expect(0);
    let ran = scratch.zokio(&["back"]).expect(0);
    assert!(
        ran.stdout.contains("Cargo.lock had tokio 1.47.0"),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_dry_run_tells_and_changes_nothing() {
    let scratch = Scratch::new("tokio = \"1\"");
    scratch.lock();
    let before = files(&scratch);
    let ran = scratch
        .zokio(&["move", "--path", "../facade", "--dry-run"])
        .expect(0);
    assert!(ran.stdout.contains("would change"), "{}", ran.stdout);
    assert_eq!(files(&scratch), before);
    scratch.zokio(MOVE).expect(0);
    let moved = files(&scratch);
    let ran = scratch.zokio(&["back", "--dry-run"]).expect(0);
    assert!(
        ran.stdout.contains("tokio 1.54.1 from crates.io"),
        "{}",
        ran.stdout
    );
    assert_eq!(files(&scratch), moved);
}

#[test]
fn a_move_that_does_not_hold_is_undone() {
    let scratch = Scratch::new("tokio = \"1\"\nbroker = \"0.4\"");
    scratch.publish("broker", "0.4.0", "[dependencies]\ntokio = \"~1.47\"\n");
    scratch.lock();
    let before = files(&scratch);
    let ran = scratch.zokio(MOVE).expect(1);
    assert!(
        ran.stdout.contains("broker 0.4.0 asks for tokio \"~1.47\""),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("nothing was changed"), "{}", ran.stdout);
    assert_eq!(files(&scratch), before);
}

#[test]
fn a_workspace_without_a_lock_file_moves() {
    let scratch = Scratch::new("tokio = \"1\"");
    scratch.zokio(MOVE).expect(0);
    scratch.zokio(&["check"]).expect(0);
}

#[test]
fn a_move_from_a_members_folder_changes_the_root() {
    let scratch = Scratch::new("tokio = \"1\"");
    scratch.append("\n[workspace]\nmembers = [\"part\"]\n");
    let part = "[package]\nname = \"part\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\
                [dependencies]\ntokio = \"1\"\n";
    scratch.package("app/part", part);
    let place = ["--manifest-path", "part/Cargo.toml"];
    scratch.zokio(&[MOVE, &place].concat()).expect(0);
    assert!(scratch.read("app/Cargo.toml").contains("[patch.crates-io]"));
    assert_eq!(scratch.read("app/part/Cargo.toml"), part);
}

#[test]
fn another_patch_of_tokio_is_left_alone() {
    let scratch = Scratch::new("tokio = \"1\"");
    let fork =
        "[package]\nname = \"tokio\"\nversion = \"1.60.0\"\nedition = \"2021\"\n[workspace]\n";
    scratch.package("fork", fork);
    scratch.append("\n[patch.crates-io]\nmine = { package = \"tokio\", path = \"../fork\" }\n");
    scratch.lock();
    let before = files(&scratch);
    let ran = scratch.zokio(MOVE).expect(2);
    assert!(
        ran.stderr.contains("patches tokio already: mine ="),
        "{}",
        ran.stderr
    );
    let ran = scratch.zokio(&["back"]).expect(2);
    assert!(
        ran.stderr.contains("does not lead to Zokio"),
        "{}",
        ran.stderr
    );
    assert_eq!(files(&scratch), before);
}

#[test]
fn what_cannot_be_done_is_said() {
    let scratch = Scratch::new("tokio = \"1\"");
    let ran = scratch.zokio(&["back"]).expect(2);
    assert!(
        ran.stderr.contains("has no patch for tokio"),
        "{}",
        ran.stderr
    );
    let ran = scratch.zokio(&["move", "--path", "../nowhere"]).expect(2);
    assert!(
        ran.stderr.contains("../nowhere is no folder"),
        "{}",
        ran.stderr
    );
    let ran = scratch.zokio(&["move", "--path", "../vendor"]).expect(2);
    assert!(ran.stderr.contains("holds no Cargo.toml"), "{}", ran.stderr);
    let ran = scratch.zokio(&["move"]).expect(2);
    assert!(ran.stderr.contains("--path"), "{}", ran.stderr);
}
