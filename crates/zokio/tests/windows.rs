//! The types that only Windows has: named pipes, and options of files. Where Windows is not at hand these run
//! under wine (docs/TESTING.md).
#![cfg(windows)]

use std::io::ErrorKind;
use std::time::Duration;
use zokio::io::{AsyncReadExt, AsyncWriteExt};
use zokio::net::windows::named_pipe::{
    ClientOptions, NamedPipeServer, PipeEnd, PipeMode, ServerOptions,
};

/// A name of its own for each test.
fn name(test: &str) -> String {
    format!(r"\\.\pipe\zokio-{}-{test}", std::process::id())
}

async fn echo(mut server: NamedPipeServer) -> std::io::Result<()> {
    let mut buf = vec![0; 1000];
    loop {
        let count = server.read(&mut buf).await?;
        if count == 0 {
            return Ok(());
        }
        server.write_all(&buf[..count]).await?;
    }
}

#[zokio::test]
async fn bytes_come_back_in_order() {
    let name = name("echo");
    let server = ServerOptions::new()
        .first_pipe_instance(true)
        .create(&name)
        .unwrap();
    let serving = zokio::spawn(async move {
        server.connect().await?;
        echo(server).await
    });
    let mut client = ClientOptions::new().open(&name).unwrap();
    let sent: Vec<u8> = (0..20_000_u32).flat_map(u32::to_le_bytes).collect();
    let mut received = Vec::new();
    for part in sent.chunks(4_001) {
        client.write_all(part).await.unwrap();
        let mut back = vec![0; part.len()];
        client.read_exact(&mut back).await.unwrap();
        received.extend(back);
    }
    assert!(received == sent);
    drop(client);
    serving.await.unwrap().unwrap();
}

#[zokio::test]
async fn a_connect_that_is_dropped_loses_no_client() {
    let name = name("cancel");
    let server = ServerOptions::new().create(&name).unwrap();
    for _ in 0..3 {
        let waits = zokio::time::timeout(Duration::from_millis(20), server.connect());
        assert!(waits.await.is_err(), "there is no client yet");
    }
    let mut client = ClientOptions::new().open(&name).unwrap();
    server.connect().await.unwrap();
    client.write_all(b"x").await.unwrap();
    let mut server = server;
    assert_eq!(server.read_u8().await.unwrap(), b'x');

    // The next client, on the same instance.
    server.disconnect().unwrap();
    drop(client);
    let waits = zokio::time::timeout(Duration::from_millis(20), server.connect());
    assert!(waits.await.is_err(), "the old client is gone");
    let mut client = ClientOptions::new().open(&name).unwrap();
    server.connect().await.unwrap();
    server.write_all(b"y").await.unwrap();
    assert_eq!(client.read_u8().await.unwrap(), b'y');
}

#[zokio::test]
async fn the_pipe_is_as_it_was_asked_for() {
    let name = name("info");
    let server = ServerOptions::new()
        .pipe_mode(PipeMode::Message)
        .max_instances(2)
        .create(&name)
        .unwrap();
    let client = ClientOptions::new()
        .pipe_mode(PipeMode::Message)
        .open(&name)
        .unwrap();
    server.connect().await.unwrap();
    let (of_server, of_client) = (server.info().unwrap(), client.info().unwrap());
    assert_eq!(of_server.mode, PipeMode::Message);
    assert_eq!(of_server.end, PipeEnd::Server);
    assert_eq!(of_client.end, PipeEnd::Client);
    assert_eq!(of_server.max_instances, 2);

    // A read ends where the message does.
    client.writable().await.unwrap();
    assert_eq!(client.try_write(b"first").unwrap(), 5);
    let mut server = server;
    let mut buf = [0; 64];
    assert_eq!(server.read(&mut buf).await.unwrap(), 5);
    assert_eq!(
        server.try_read(&mut buf).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
}

#[zokio::test]
async fn what_cannot_be_had_is_an_error() {
    let name = name("errors");
    let missing = ClientOptions::new().open(&name).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    let zero = ServerOptions::new().create("zero\0inside").unwrap_err();
    assert_eq!(zero.kind(), ErrorKind::InvalidInput);

    let first = ServerOptions::new()
        .first_pipe_instance(true)
        .max_instances(1)
        .create(&name)
        .unwrap();
    let taken = ServerOptions::new().first_pipe_instance(true).create(&name);
    assert!(taken.is_err());
    drop(first);
}

#[zokio::test]
#[should_panic(expected = "cannot specify more than 254 instances")]
async fn too_many_instances_are_refused() {
    ServerOptions::new().max_instances(255);
}

#[zokio::test]
async fn a_file_is_opened_with_what_only_windows_has() {
    const FILE_ATTRIBUTE_HIDDEN: u32 = 2;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hidden");
    let mut options = zokio::fs::OpenOptions::new();
    options.write(true).attributes(FILE_ATTRIBUTE_HIDDEN);
    // Set afterwards, and kept all the same.
    let mut file = options
        .create_new(true)
        .share_mode(0)
        .open(&path)
        .await
        .unwrap();
    file.write_all(b"secret").await.unwrap();
    file.flush().await.unwrap();
    assert!(
        zokio::fs::read(&path).await.is_err(),
        "nobody shares the file"
    );
    drop(file);
    use std::os::windows::fs::MetadataExt;
    let metadata = zokio::fs::metadata(&path).await.unwrap();
    assert_eq!(
        metadata.file_attributes() & FILE_ATTRIBUTE_HIDDEN,
        FILE_ATTRIBUTE_HIDDEN
    );
    assert_eq!(zokio::fs::read(&path).await.unwrap(), b"secret");
}
