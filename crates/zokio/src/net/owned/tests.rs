//! The ways that other systems take, taken here: the same bytes and datagrams.

use super::datagrams::one_by_one;
use super::{RecvBatch, SendBatch, SendFile, Splice};
use crate::fs::File;
use crate::net::{UdpSocket, UnixStream};
use zokio_io::{AsyncReadExt, AsyncWriteExt};

fn block_on<F: Future>(future: F) -> F::Output {
    let mut builder = crate::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap().block_on(future)
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

#[test]
fn a_buffer_splices_as_a_pipe_does() {
    block_on(async {
        let (mut near, mut a) = UnixStream::pair().unwrap();
        let (mut b, mut far) = UnixStream::pair().unwrap();
        let (there, sent) = (pattern(1_000_000), pattern(1_000_000));
        let speaker = crate::spawn(async move {
            near.write_all(&sent).await.unwrap();
            near.shutdown().await.unwrap();
            let mut heard = String::new();
            near.read_to_string(&mut heard).await.unwrap();
            heard
        });
        let listener = crate::spawn(async move {
            far.write_all(b"back").await.unwrap();
            far.shutdown().await.unwrap();
            let mut heard = Vec::new();
            far.read_to_end(&mut heard).await.unwrap();
            heard
        });
        let mut splice = Splice::new(&mut a, &mut b).copying();
        assert_eq!(splice.run().await.unwrap(), (1_000_000, 4));
        assert_eq!(splice.in_transit(), (0, 0));
        assert_eq!(speaker.await.unwrap(), "back");
        assert!(listener.await.unwrap() == there);
    });
}

#[test]
fn a_file_is_copied_as_the_kernel_sends_it() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let bytes = pattern(1_000_000);
        crate::fs::write(&path, &bytes).await.unwrap();
        let file = File::open(&path).await.unwrap();
        for (offset, len) in [(0, u64::MAX), (10, 300_000), (999_999, 5), (2_000_000, 5)] {
            let (mut near, mut far) = UnixStream::pair().unwrap();
            let heard = crate::spawn(async move {
                let mut heard = Vec::new();
                far.read_to_end(&mut heard).await.unwrap();
                heard
            });
            let start = (offset as usize).min(bytes.len());
            let expected = &bytes[start..][..(bytes.len() - start).min(len as usize)];
            let mut sending = SendFile::new(&mut near, &file, offset, len).copying();
            assert_eq!(sending.run().await.unwrap(), expected.len() as u64);
            drop(near);
            assert!(heard.await.unwrap() == expected);
        }
    });
}

#[test]
fn datagrams_go_one_by_one() {
    block_on(async {
        let near = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let far = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let peer = far.local_addr().unwrap();
        let (mut out, mut batch) = (SendBatch::new(), RecvBatch::new(3, 4));
        let words = [&b"one"[..], b"", b"four", b"fiver", b"x"];
        for word in words {
            out.push(word, peer);
        }
        while !out.is_empty() {
            let sent = one_by_one::send(&near, &out).await.unwrap();
            out.sent(sent);
        }
        let mut seen = Vec::new();
        while seen.len() < words.len() {
            one_by_one::recv(&far, &mut batch).await.unwrap();
            assert!((1..=3).contains(&batch.len()));
            for found in &batch {
                assert_eq!(found.peer, near.local_addr().unwrap());
                seen.push((found.bytes.to_vec(), found.is_truncated));
            }
        }
        let expected = words.map(|word| (word[..word.len().min(4)].to_vec(), word.len() > 4));
        assert_eq!(seen, expected);
    });
}

#[test]
fn a_batch_that_cannot_be_is_refused_and_not_made_smaller() {
    for (messages, size) in [(1, usize::MAX), (usize::MAX, 1), (3, usize::MAX / 2)] {
        let made = std::panic::catch_unwind(|| RecvBatch::new(messages, size));
        let said = made.expect_err("there is not that much memory");
        let said = said.downcast_ref::<String>().map(String::as_str);
        assert_eq!(said, Some("a batch fits into memory"));
    }
}
