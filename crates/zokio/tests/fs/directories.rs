//! Directories: made in every way, read entry by entry, removed with what is in them.

use super::ledger::*;
use super::seen;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::os::unix::fs::{DirEntryExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::task::{Context, Poll, Waker};
use zokio::fs::{self, DirBuilder, ReadDir};
use zokio::runtime::Builder;

fn mode_of(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

#[test]
fn directories_are_made_one_by_one_or_with_all_above_them() {
    on_each(configs(), "DirBuilder", |_| async {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let mut builder = DirBuilder::new();
        builder.create(at("one")).await.unwrap();
        let error = builder.create(at("one")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        let error = builder.create(at("a/b/c")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        builder.recursive(true);
        builder.create(at("a/b/c")).await.unwrap();
        // A folder that is there is fine, and something else is not.
        builder.create(at("a/b")).await.unwrap();
        std::fs::write(at("file"), "").unwrap();
        let std = |name: &str| std::fs::DirBuilder::new().recursive(true).create(at(name));
        for name in ["file", "file/x", ""] {
            assert_eq!(seen(builder.create(at(name)).await), seen(std(name)));
        }
        builder.recursive(false);
        builder.create(at("x/y")).await.unwrap_err();
        assert!(!at("x").exists());
    });
}

#[test]
fn directories_have_the_mode_that_was_asked_for() {
    use std::os::unix::fs::DirBuilderExt;
    on_each(configs(), "DirBuilder with a mode", |_| async {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for mode in [None, Some(0o700), Some(0o750), Some(0o777)] {
            let (mut ours, mut theirs) = (DirBuilder::new(), std::fs::DirBuilder::new());
            if let Some(mode) = mode {
                ours.mode(mode);
                theirs.mode(mode);
            }
            ours.recursive(true).create(at("ours/below")).await.unwrap();
            theirs.recursive(true).create(at("theirs/below")).unwrap();
            for name in ["", "/below"] {
                let pair = ["ours", "theirs"].map(|tree| mode_of(&at(&format!("{tree}{name}"))));
                assert_eq!(pair[0], pair[1], "{mode:?}");
            }
            fs::remove_dir_all(at("ours")).await.unwrap();
            fs::remove_dir_all(at("theirs")).await.unwrap();
        }
        fs::create_dir(at("plain")).await.unwrap();
        std::fs::create_dir(at("theirs")).unwrap();
        assert_eq!(mode_of(&at("plain")), mode_of(&at("theirs")));
        assert!(format!("{:?}", DirBuilder::new()).starts_with("DirBuilder"));
    });
}

#[test]
fn making_and_removing_fails_as_the_standard_library_does() {
    on_each(configs(), "directories, errors", |_| async {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("file"), "").unwrap();
        std::fs::create_dir_all(at("full/x")).unwrap();
        for name in ["file", "full", "missing/x", "file/x", "a\0b"] {
            let (ours, theirs) = (
                fs::create_dir(at(name)).await,
                std::fs::create_dir(at(name)),
            );
            assert_eq!(seen(ours).is_err(), seen(theirs).is_err(), "{name}");
        }
        let error = fs::create_dir_all(at("file/x")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotADirectory);
        for name in ["file", "full", "missing", "a\0b"] {
            let ours = seen(fs::remove_dir(at(name)).await);
            assert_eq!(ours, seen(std::fs::remove_dir(at(name))), "{name}");
            assert!(ours.is_err());
        }
        for name in ["missing", "file"] {
            let ours = fs::remove_dir_all(at(name)).await.unwrap_err().kind();
            let theirs = std::fs::remove_dir_all(at(name)).unwrap_err().kind();
            assert_eq!(ours, theirs, "{name}");
        }
        assert!(at("file").exists() && at("full/x").exists());
    });
}

/// Links are removed and not followed.
#[test]
fn a_tree_is_removed_and_what_it_points_at_is_not() {
    on_each(configs(), "remove_dir_all", |_| async {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(at("tree/a/b")).unwrap();
        std::fs::create_dir(at("kept")).unwrap();
        std::fs::write(at("kept/file"), "x").unwrap();
        std::fs::write(at("tree/a/file"), "x").unwrap();
        std::os::unix::fs::symlink(at("kept"), at("tree/link")).unwrap();
        fs::remove_dir_all(at("tree")).await.unwrap();
        assert!(!at("tree").exists());
        assert_eq!(std::fs::read(at("kept/file")).unwrap(), b"x");
    });
}

async fn next(entries: &mut ReadDir) -> Option<fs::DirEntry> {
    std::future::poll_fn(|cx| entries.poll_next_entry(cx))
        .await
        .unwrap()
}

#[test]
fn each_entry_is_seen_once_and_says_what_it_is() {
    on_each(configs(), "read_dir", |_| async {
        for count in [0, 1, 32, 33, 100] {
            let dir = tempfile::tempdir().unwrap();
            for n in 0..count {
                let path = dir.path().join(n.to_string());
                match n % 3 {
                    0 => std::fs::write(path, vec![0; n]).unwrap(),
                    1 => std::fs::create_dir(path).unwrap(),
                    _ => std::os::unix::fs::symlink("0", path).unwrap(),
                }
            }
            let mut expected = BTreeMap::new();
            for entry in std::fs::read_dir(dir.path()).unwrap() {
                let entry = entry.unwrap();
                expected.insert(entry.file_name(), entry);
            }
            let mut entries = fs::read_dir(dir.path()).await.unwrap();
            while let Some(entry) = next(&mut entries).await {
                let std = expected.remove(&entry.file_name()).expect("once");
                assert_eq!(entry.path(), std.path());
                assert_eq!(entry.ino(), std.ino());
                let file_type = entry.file_type().await.unwrap();
                assert_eq!(file_type, std.file_type().unwrap());
                let (ours, theirs) = (entry.metadata().await.unwrap(), std.metadata().unwrap());
                assert_eq!((ours.ino(), ours.len()), (theirs.ino(), theirs.len()));
                assert_eq!(ours.is_symlink(), file_type.is_symlink());
                assert!(format!("{entry:?}").contains(&format!("{std:?}")));
            }
            assert!(expected.is_empty(), "{expected:?}");
            // The end stays the end.
            assert!(entries.next_entry().await.unwrap().is_none());
        }
    });
}

#[test]
fn a_dropped_wait_for_an_entry_loses_none() {
    on_each(configs(), "next_entry, dropped", |_| async {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..150 {
            std::fs::write(dir.path().join(n.to_string()), "").unwrap();
        }
        let mut entries = fs::read_dir(dir.path()).await.unwrap();
        let (mut seen, mut dropped) = (0, 0);
        loop {
            // A thread may be done before it is asked.
            let gate = Gate::closed();
            let polled = entries.poll_next_entry(&mut Context::from_waker(Waker::noop()));
            match polled {
                Poll::Ready(Ok(Some(_))) => seen += 1,
                Poll::Ready(Ok(None)) => break,
                Poll::Ready(Err(error)) => panic!("{error}"),
                Poll::Pending => {
                    dropped += 1;
                    drop(gate);
                    seen += usize::from(entries.next_entry().await.unwrap().is_some());
                }
            }
        }
        assert_eq!(seen, 150);
        assert!(dropped > 0);
    });
}

#[test]
fn an_entry_that_is_gone_is_not_found() {
    on_each(configs(), "entries, gone", |_| async {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "").unwrap();
        let mut entries = fs::read_dir(dir.path()).await.unwrap();
        let entry = entries.next_entry().await.unwrap().unwrap();
        std::fs::remove_file(&path).unwrap();
        let error = entry.metadata().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        // The directory has said what it was.
        assert!(entry.file_type().await.unwrap().is_file());
        let error = fs::read_dir(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        std::fs::write(&path, "").unwrap();
        let error = fs::read_dir(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotADirectory);
    });
}

/// A question to the system is an error once the runtime has ended, again and again, and never
/// waits.
#[test]
fn a_runtime_that_has_ended_reads_no_further() {
    let _turn = turn();
    warm_up();
    let books = Books::open();
    let dir = tempfile::tempdir().unwrap();
    for n in 0..100 {
        std::fs::write(dir.path().join(n.to_string()), "").unwrap();
    }
    let runtime = Builder::new_current_thread().build().unwrap();
    let handle = runtime.handle().clone();
    let mut entries = runtime.block_on(fs::read_dir(dir.path())).unwrap();
    drop(runtime);
    let entered = handle.enter();
    let mut cx = Context::from_waker(Waker::noop());
    let mut seen = 0;
    let error = loop {
        match entries.poll_next_entry(&mut cx) {
            Poll::Ready(Ok(entry)) => seen += usize::from(entry.is_some()),
            Poll::Ready(Err(error)) => break error,
            Poll::Pending => panic!("nobody will come"),
        }
    };
    assert!((1..100).contains(&seen), "{seen}");
    assert_eq!(error.to_string(), "background task failed");
    let again = entries.poll_next_entry(&mut cx);
    assert!(matches!(again, Poll::Ready(Err(_))), "{again:?}");
    drop(entered);
    drop((handle, entries));
    books.close("entries of a runtime that has ended");
}
