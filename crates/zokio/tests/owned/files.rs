//! `sendfile`: ranges, slow readers, and no byte lost or sent twice by dropping it.

use super::ledger::*;
use super::{connection, drops, for_turns, narrow, pattern};
use std::io;
use zokio::fs::File;
use zokio::io::{AsyncReadExt, AsyncWriteExt};
use zokio::net::UnixStream;
use zokio::net::owned::{SendFile, sendfile};

const SIZE: usize = 3_000_001;

async fn file_of(bytes: &[u8]) -> (tempfile::TempDir, File) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    zokio::fs::write(&path, bytes).await.unwrap();
    (dir, File::open(&path).await.unwrap())
}

#[test]
fn any_part_of_a_file_is_sent() {
    on_each(configs(), "sendfile", |_| async {
        let bytes = pattern(SIZE);
        let (_dir, file) = file_of(&bytes).await;
        let size = SIZE as u64;
        let ranges = [
            (0, size),
            (0, u64::MAX),
            (1, 10),
            (size - 1, 10),
            (size, 10),
            (size + 10, 10),
            (123_456, 1_000_000),
            (5, 0),
        ];
        for (offset, len) in ranges {
            let (mut far, mut near) = connection().await;
            let heard = zokio::spawn(async move {
                let mut heard = Vec::new();
                far.read_to_end(&mut heard).await.unwrap();
                heard
            });
            let start = (offset as usize).min(SIZE);
            let expected = &bytes[start..][..(SIZE - start).min(len as usize)];
            let sent = sendfile(&mut near, &file, offset, len).await.unwrap();
            assert_eq!(sent, expected.len() as u64, "{offset}, {len}");
            drop(near);
            assert!(heard.await.unwrap() == expected, "{offset}, {len}");
        }
    });
}

#[test]
fn a_file_that_is_being_written_is_sent_as_written() {
    on_each(configs(), "sendfile written", |_| async {
        let dir = tempfile::tempdir().unwrap();
        let mut file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(dir.path().join("file"))
            .await
            .unwrap();
        let (mut near, mut far) = UnixStream::pair().unwrap();
        file.write_all(b"hello").await.unwrap();
        assert_eq!(sendfile(&mut near, &file, 0, 100).await.unwrap(), 5);
        let mut word = [0; 5];
        far.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"hello");
        // The cursor stayed.
        file.write_all(b" world").await.unwrap();
        assert_eq!(sendfile(&mut near, &file, 5, 100).await.unwrap(), 6);
    });
}

#[test]
fn what_is_no_plain_file_is_copied_or_refused() {
    on_each(configs(), "sendfile special", |_| async {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let status = File::open("/proc/self/status").await.unwrap();
        let sent = sendfile(&mut near, &status, 0, 6).await.unwrap();
        assert_eq!(sent, 6);
        let mut word = [0; 6];
        far.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"Name:\t");
        let dir = File::open("/").await.unwrap();
        let refused = sendfile(&mut near, &dir, 0, 1).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::IsADirectory);
        drop(far);
        let gone = sendfile(&mut near, &status, 0, 1).await.unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::BrokenPipe);
    });
}

/// Sends a file by runs that are dropped. Returns how many were.
async fn drop_runs(file: &File, bytes: &[u8]) -> usize {
    let (mut far, mut near) = UnixStream::pair().unwrap();
    narrow(&far);
    narrow(&near);
    let heard = zokio::spawn(async move {
        let (mut heard, mut part) = (Vec::new(), vec![0; 10_000]);
        loop {
            match far.read(&mut part).await.unwrap() {
                0 => return heard,
                len => heard.extend_from_slice(&part[..len]),
            }
            zokio::task::yield_now().await;
        }
    });
    let mut dice = Dice::new();
    let mut sending = SendFile::new(&mut near, file, 0, u64::MAX);
    let mut dropped = 0;
    let sent = loop {
        match for_turns(1 + dice.below(3), sending.run()).await {
            Some(sent) => break sent.unwrap(),
            None => dropped += 1,
        }
        zokio::task::yield_now().await;
    };
    assert_eq!(sent, bytes.len() as u64);
    drop(near);
    assert!(heard.await.unwrap() == bytes);
    dropped
}

#[test]
fn dropped_runs_send_each_byte_once() {
    on_each(configs(), "sendfile dropped", |_| async {
        let bytes = pattern(300_000);
        let (_dir, file) = file_of(&bytes).await;
        let mut dropped = 0;
        while dropped < drops() {
            dropped += drop_runs(&file, &bytes).await;
        }
    });
}
