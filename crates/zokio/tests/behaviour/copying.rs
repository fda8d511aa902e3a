//! `copy` goes on reading while the writer waits.

use std::time::Duration;
use zokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, copy, duplex, split};
use zokio::time::timeout;

/// Far more than anything here takes.
const LONG: Duration = Duration::from_secs(30);

/// Longer than what fits into all pipes on the way, and shorter than what copying reads ahead.
const SPEECH: &[u8] = b"one two three four five six seven";

/// Says everything before it listens, over a pipe with room for a part of it.
async fn talk(mut pipe: DuplexStream) -> Vec<u8> {
    pipe.write_all(SPEECH).await.unwrap();
    pipe.shutdown().await.unwrap();
    let mut heard = Vec::new();
    pipe.read_to_end(&mut heard).await.unwrap();
    heard
}

/// Copying is a task of its own: nobody polls it but who it waits for.
#[zokio::test]
async fn copy_reads_on_while_the_writer_waits() {
    let (talker, echo) = duplex(4);
    let echoing = zokio::spawn(async move {
        let (mut reader, mut writer) = split(echo);
        let copied = copy(&mut reader, &mut writer).await.unwrap();
        writer.shutdown().await.unwrap();
        copied
    });
    let heard = timeout(LONG, talk(talker)).await;
    assert_eq!(heard.expect("both wait for each other"), SPEECH);
    assert_eq!(echoing.await.unwrap(), SPEECH.len() as u64);
}
