//! `OpenOptions`: each combination opens, makes, empties and refuses what the standard library's
//! does.

use super::ledger::*;
use super::seen;
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use zokio::fs::{File, OpenOptions};

/// The six settings that all systems have, as bits.
const COMBINATIONS: u32 = 1 << 6;

macro_rules! set {
    ($options:expr, $bits:expr) => {{
        let (mut options, bits) = ($options, $bits);
        options
            .read(bits & 1 != 0)
            .write(bits & 2 != 0)
            .append(bits & 4 != 0)
            .truncate(bits & 8 != 0)
            .create(bits & 16 != 0)
            .create_new(bits & 32 != 0);
        options
    }};
}

type Kind = (ErrorKind, Option<i32>);

/// The operations that a file allows, and its content afterwards.
#[derive(Debug, PartialEq)]
struct Use {
    opened: Result<(), Kind>,
    read: Option<Result<usize, Kind>>,
    written: Option<Result<usize, Kind>>,
    left: Option<Vec<u8>>,
}

fn use_it(opened: std::io::Result<std::fs::File>, path: &Path) -> Use {
    let (mut read, mut written) = (None, None);
    let opened = opened.map(|mut file| {
        read = Some(seen(file.read(&mut [0; 3])));
        file.rewind().unwrap();
        written = Some(seen(file.write(b"xy")));
    });
    Use {
        opened: seen(opened),
        read,
        written,
        left: std::fs::read(path).ok(),
    }
}

#[test]
fn every_combination_does_what_the_standard_library_does() {
    on_each(configs(), "options", |_| async {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        for (bits, is_there) in (0..COMBINATIONS).flat_map(|bits| [(bits, false), (bits, true)]) {
            let prepare = || {
                let _ = std::fs::remove_file(&path);
                if is_there {
                    std::fs::write(&path, "content").unwrap();
                }
            };
            prepare();
            let theirs = set!(std::fs::OpenOptions::new(), bits);
            let theirs = use_it(theirs.open(&path), &path);
            // Ours from the start, and made of one of the standard library's.
            let wrapped = OpenOptions::from(std::fs::OpenOptions::new());
            for options in [OpenOptions::new(), wrapped] {
                prepare();
                let ours = match set!(options, bits).open(&path).await {
                    Ok(file) => Ok(file.into_std().await),
                    Err(error) => Err(error),
                };
                let ours = use_it(ours, &path);
                assert_eq!(ours, theirs, "{bits:#08b}, is there: {is_there}");
            }
        }
    });
}

#[test]
fn options_of_the_standard_library_keep_what_was_set() {
    on_each(configs(), "options of std", |_| async {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let mut std = std::fs::OpenOptions::new();
        std.write(true).create_new(true).mode(0o600);
        let options = OpenOptions::from(std);
        drop(options.open(&path).await.unwrap());
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let error = options.open(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        // A copy is another set of options.
        let mut copy = options.clone();
        copy.create_new(false);
        drop(copy.open(&path).await.unwrap());
        options.open(&path).await.unwrap_err();
    });
}

#[test]
fn a_file_is_made_with_its_mode_less_the_mask() {
    on_each(configs(), "options with a mode", |_| async {
        let dir = tempfile::tempdir().unwrap();
        let mode_of = |name: &str| {
            let metadata = std::fs::metadata(dir.path().join(name)).unwrap();
            metadata.permissions().mode() & 0o7777
        };
        for mode in [None, Some(0o777), Some(0o640), Some(0o400)] {
            let mut std = std::fs::OpenOptions::new();
            let mut options = OpenOptions::new();
            let mut wrapped = OpenOptions::from(std::fs::OpenOptions::new());
            if let Some(mode) = mode {
                std.mode(mode);
                options.mode(mode);
                wrapped.mode(mode);
            }
            std.write(true).create(true);
            std.open(dir.path().join("theirs")).unwrap();
            for (name, options) in [("ours", &mut options), ("wrapped", &mut wrapped)] {
                options.write(true).create(true);
                options.open(dir.path().join(name)).await.unwrap();
                assert_eq!(mode_of(name), mode_of("theirs"), "{mode:?}");
                // One that is there keeps its own.
                options.mode(0o777);
                let _ = options.open(dir.path().join(name)).await;
                assert_eq!(mode_of(name), mode_of("theirs"), "{mode:?}");
                std::fs::remove_file(dir.path().join(name)).unwrap();
            }
            std::fs::remove_file(dir.path().join("theirs")).unwrap();
        }
    });
}

#[test]
fn further_flags_reach_the_system() {
    on_each(configs(), "options with flags", |_| async {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        std::fs::write(&file, "content").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        for wrapped in [false, true] {
            let new = || match wrapped {
                false => OpenOptions::new(),
                true => OpenOptions::from(std::fs::OpenOptions::new()),
            };
            let flags = |flags| {
                let mut options = new();
                options.read(true).custom_flags(flags);
                options
            };
            let error = flags(libc::O_NOFOLLOW).open(&link).await.unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::ELOOP));
            let error = flags(libc::O_DIRECTORY).open(&file).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotADirectory);
            flags(libc::O_DIRECTORY).open(dir.path()).await.unwrap();
            // How the file is accessed is not theirs to say.
            let both = flags(libc::O_RDWR).open(&file).await.unwrap();
            // SAFETY: asks for the flags of an open descriptor.
            let got = unsafe { libc::fcntl(both.as_raw_fd(), libc::F_GETFL) };
            assert_eq!(got & libc::O_ACCMODE, libc::O_RDONLY);
            // The last call counts.
            let mut options = flags(libc::O_DIRECTORY);
            options.custom_flags(0).open(&file).await.unwrap();
        }
    });
}

#[test]
fn files_are_opened_for_reading_and_made_for_writing() {
    on_each(configs(), "open and create", |_| async {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let error = File::open(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let mut std = File::create(&path).await.unwrap().into_std().await;
        assert_eq!(std.write(b"content").unwrap(), 7);
        let kind = std.read(&mut [0]).unwrap_err().raw_os_error();
        assert_eq!(kind, Some(libc::EBADF));
        let mut std = File::open(&path).await.unwrap().into_std().await;
        assert_eq!(std.read(&mut [0; 9]).unwrap(), 7);
        let kind = std.write(b"x").unwrap_err().raw_os_error();
        assert_eq!(kind, Some(libc::EBADF));
        let error = File::create_new(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        drop(File::create(&path).await.unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), b"");
        std::fs::remove_file(&path).unwrap();
        let mut std = File::create_new(&path).await.unwrap().into_std().await;
        assert_eq!(std.write(b"both").unwrap(), 4);
        std.rewind().unwrap();
        assert_eq!(std.read(&mut [0; 9]).unwrap(), 4);
        // No name has a zero byte in it.
        let error = File::open("a\0b").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn options_show_what_they_are() {
    let mut options = File::options();
    options.read(true).append(true).mode(0o600);
    let mut std = std::fs::OpenOptions::new();
    std.read(true).append(true).mode(0o600);
    let shown = format!("{options:?}");
    assert!(shown.contains(&format!("{std:?}")), "{shown}");
    assert_eq!(format!("{:?}", OpenOptions::from(std)), shown);
    let default = format!("{:?}", OpenOptions::default());
    assert_eq!(default, format!("{:?}", OpenOptions::new()));
}
