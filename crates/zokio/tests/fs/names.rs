//! Names: links of both kinds, renaming, what a path is, and what is refused.

use super::ledger::*;
use super::seen;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use zokio::fs;

#[test]
fn a_hard_link_is_the_same_file() {
    on_each(configs(), "hard_link", |_| async {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("file"), "content").unwrap();
        fs::hard_link(at("file"), at("link")).await.unwrap();
        let metadata = fs::metadata(at("link")).await.unwrap();
        assert_eq!(metadata.ino(), at("file").metadata().unwrap().ino());
        assert_eq!(metadata.nlink(), 2);
        // The file goes with its last name.
        fs::remove_file(at("file")).await.unwrap();
        assert_eq!(fs::read_to_string(at("link")).await.unwrap(), "content");
        for (from, to) in [
            ("missing", "x"),
            ("link", "link"),
            (".", "x"),
            ("link", "a/b"),
        ] {
            let ours = seen(fs::hard_link(at(from), at(to)).await);
            let theirs = seen(std::fs::hard_link(at(from), at(to)));
            assert_eq!(ours, theirs, "{from} {to}");
            assert!(ours.is_err());
        }
    });
}

#[test]
fn a_symbolic_link_is_followed_where_it_should_be() {
    on_each(configs(), "symlink", |_| async {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("d")).unwrap();
        std::fs::write(at("d/file"), "content").unwrap();
        fs::symlink("d/file", at("link")).await.unwrap();
        fs::symlink("nothing", at("dangling")).await.unwrap();
        fs::symlink("loop", at("loop")).await.unwrap();
        assert_eq!(
            fs::read_link(at("link")).await.unwrap(),
            Path::new("d/file")
        );
        let real = fs::canonicalize(at("d/../link")).await.unwrap();
        assert_eq!(real, std::fs::canonicalize(at("d/file")).unwrap());
        assert_eq!(fs::metadata(at("link")).await.unwrap().len(), 7);
        let itself = fs::symlink_metadata(at("dangling")).await.unwrap();
        assert!(itself.is_symlink() && !itself.is_file());
        assert!(fs::try_exists(at("link")).await.unwrap());
        assert!(!fs::try_exists(at("dangling")).await.unwrap());
        let exists = seen(fs::try_exists(at("loop")).await);
        assert_eq!(exists, seen(std::fs::exists(at("loop"))));
        assert!(exists.is_err());
        for name in ["dangling", "loop", "missing", "link/x", "a\0b"] {
            let ours = seen(fs::metadata(at(name)).await.map(drop));
            assert_eq!(ours, seen(std::fs::metadata(at(name)).map(drop)), "{name}");
            let ours = seen(fs::canonicalize(at(name)).await);
            assert_eq!(ours, seen(std::fs::canonicalize(at(name))), "{name}");
            let ours = seen(fs::symlink_metadata(at(name)).await.map(drop));
            let theirs = seen(std::fs::symlink_metadata(at(name)).map(drop));
            assert_eq!(ours, theirs, "{name}");
        }
        let error = fs::symlink("x", at("link")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        let error = fs::read_link(at("d/file")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        fs::remove_file(at("link")).await.unwrap();
        assert!(at("d/file").exists());
    });
}

#[test]
fn permissions_are_set_through_links() {
    on_each(configs(), "set_permissions", |_| async {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("file"), "").unwrap();
        fs::symlink("file", at("link")).await.unwrap();
        let permissions = PermissionsExt::from_mode(0o640);
        fs::set_permissions(at("link"), permissions).await.unwrap();
        let mode = fs::metadata(at("file")).await.unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        let permissions = PermissionsExt::from_mode(0o640);
        let error = fs::set_permissions(at("missing"), permissions).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn a_renamed_file_takes_the_place_of_what_is_there() {
    on_each(configs(), "rename", |_| async {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("new"), "new").unwrap();
        std::fs::write(at("old"), "old").unwrap();
        fs::rename(at("new"), at("old")).await.unwrap();
        assert!(!at("new").exists());
        assert_eq!(fs::read(at("old")).await.unwrap(), b"new");
        std::fs::create_dir_all(at("d/full")).unwrap();
        for (from, to) in [
            ("old", "d"),
            ("d", "old"),
            ("missing", "x"),
            ("d", "d/full"),
        ] {
            let ours = seen(fs::rename(at(from), at(to)).await);
            assert_eq!(ours, seen(std::fs::rename(at(from), at(to))), "{from} {to}");
            assert!(ours.is_err());
        }
        let error = fs::rename(at("old"), "a\0b").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let error = fs::remove_file(at("d")).await.unwrap_err();
        assert_eq!(
            Err((error.kind(), error.raw_os_error())),
            seen(std::fs::remove_file(at("d")))
        );
    });
}

#[test]
fn whole_files_fail_as_the_standard_librarys_do() {
    on_each(configs(), "read and write, errors", |_| async {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("file"), "content").unwrap();
        for name in ["missing", "", "file/x", "a\0b"] {
            let ours = seen(fs::read(at(name)).await);
            assert_eq!(ours, seen(std::fs::read(at(name))), "{name}");
            let ours = seen(fs::read_to_string(at(name)).await);
            assert_eq!(ours, seen(std::fs::read_to_string(at(name))), "{name}");
        }
        for name in ["", "file/x", "missing/x"] {
            let ours = seen(fs::write(at(name), "x").await);
            assert_eq!(ours, seen(std::fs::write(at(name), "x")), "{name}");
            assert!(ours.is_err());
        }
        // The rest of a longer file is cut off.
        fs::write(at("file"), "new").await.unwrap();
        assert_eq!(std::fs::read(at("file")).unwrap(), b"new");
    });
}
