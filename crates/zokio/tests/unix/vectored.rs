//! Writes and reads with more slices than the system takes at once, of which the first hold nothing.

use std::io::{IoSlice, IoSliceMut};
use std::time::Duration;
use zokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use zokio::net::{TcpListener, TcpStream, UnixStream, unix::pipe};

/// More than the 1024 that the system takes.
const EMPTY: usize = 1500;

fn slices(word: &[u8]) -> Vec<IoSlice<'_>> {
    let mut slices = vec![IoSlice::new(b""); EMPTY];
    slices.push(IoSlice::new(word));
    slices
}

async fn writes_behind_empty_slices(name: &str, writer: &mut (impl AsyncWrite + Unpin)) {
    let written = writer.write_vectored(&slices(b"hello")).await.unwrap();
    assert_eq!(written, 5, "{name}");
    let nothing = vec![IoSlice::new(b""); EMPTY];
    let written = writer.write_vectored(&nothing).await.unwrap();
    assert_eq!(written, 0, "{name}: nothing is written of nothing");
    // More than the system takes, each with a byte: what was not taken says nothing about the room.
    let bytes = vec![b'x'; 3 * EMPTY];
    let mut left = &bytes[..];
    while !left.is_empty() {
        let slices: Vec<IoSlice<'_>> = left.chunks(1).map(IoSlice::new).collect();
        let write = writer.write_vectored(&slices);
        let written = zokio::time::timeout(Duration::from_secs(20), write).await;
        left = &left[written.expect("there is room").unwrap()..];
    }
    writer.flush().await.unwrap();
}

async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap());
    (near.await.unwrap(), listener.accept().await.unwrap().0)
}

#[zokio::test]
async fn empty_slices_do_not_look_like_the_end() {
    let (mut near, mut far) = tcp().await;
    assert_eq!(near.try_write_vectored(&slices(b"now")).unwrap(), 3);
    writes_behind_empty_slices("TcpStream", &mut near).await;
    drop(near);
    let mut all = Vec::new();
    far.read_to_end(&mut all).await.unwrap();
    assert_eq!(all.len(), 8 + 3 * EMPTY);
    let (mut near, _far) = UnixStream::pair().unwrap();
    writes_behind_empty_slices("UnixStream", &mut near).await;
    let (mut sender, _receiver) = pipe::pipe().unwrap();
    sender.writable().await.unwrap();
    assert_eq!(sender.try_write_vectored(&slices(b"now")).unwrap(), 3);
    writes_behind_empty_slices("pipe", &mut sender).await;
    let (mut near, _far) = zokio::io::duplex(1 << 16);
    writes_behind_empty_slices("duplex", &mut near).await;
    let dir = tempfile::tempdir().unwrap();
    let mut file = zokio::fs::File::create(dir.path().join("file"))
        .await
        .unwrap();
    writes_behind_empty_slices("File", &mut file).await;
    let (near, _far) = UnixStream::pair().unwrap();
    let mut writer = zokio::io::BufWriter::with_capacity(4, near);
    writes_behind_empty_slices("BufWriter", &mut writer).await;
    let mut command = zokio::process::Command::new("cat");
    command.stdin(std::process::Stdio::piped());
    command.stdout(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    writes_behind_empty_slices("ChildStdin", &mut stdin).await;
    drop(stdin);
    child.wait().await.unwrap();
}

#[zokio::test]
async fn a_read_into_slices_without_room_is_no_end_either() {
    let mut word = [0; 5];
    let (mut sender, receiver) = pipe::pipe().unwrap();
    sender.write_all(b"hello").await.unwrap();
    receiver.readable().await.unwrap();
    assert_eq!(
        receiver.try_read_vectored(&mut rooms(&mut word)).unwrap(),
        5
    );
    let (mut near, far) = tcp().await;
    near.write_all(b"hello").await.unwrap();
    far.readable().await.unwrap();
    assert_eq!(far.try_read_vectored(&mut rooms(&mut word)).unwrap(), 5);
    let (mut near, far) = UnixStream::pair().unwrap();
    near.write_all(b"hello").await.unwrap();
    far.readable().await.unwrap();
    assert_eq!(far.try_read_vectored(&mut rooms(&mut word)).unwrap(), 5);
}

fn rooms(word: &mut [u8]) -> Vec<IoSliceMut<'_>> {
    let mut rooms: Vec<IoSliceMut<'_>> = (0..EMPTY).map(|_| IoSliceMut::new(&mut [])).collect();
    rooms.push(IoSliceMut::new(word));
    rooms
}
