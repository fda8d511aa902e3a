//! The directory that is served, and what keeps requests inside of it.
//!
//! A path from a request passes three checks:
//!
//! 1. It is percent-decoded once, must then be text without NUL, and may consist of plain names
//!    only: no `..`, no root, no drive.
//! 2. The path is resolved, symbolic links and all, and must lie below the root.
//! 3. It must be a regular file: a directory is not listed, a pipe or device is never opened.
//!
//! A user who can change the directory itself while it is served is trusted.

use crate::routes::BodyError;
use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, SizeHint};
use std::future::Future as _;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use zokio::fs::File;
use zokio::io::{AsyncReadExt, Take};

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

/// The directory.
#[derive(Debug)]
pub(crate) struct Root {
    path: PathBuf,
}

/// Why a file is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    Malformed,
    Forbidden,
    Missing,
    /// Out of descriptors or memory.
    Busy,
}

impl Root {
    /// Resolves the directory once. Blocks; meant for the start of the program.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let path = std::fs::canonicalize(path)?;
        // Also finds out whether it may be read.
        std::fs::read_dir(&path)?;
        Ok(Self { path })
    }

    /// The file that a request names.
    pub(crate) async fn find(&self, encoded: &str) -> Result<Found, Denied> {
        let wanted = self.path.join(relative(encoded)?);
        let path = zokio::fs::canonicalize(&wanted)
            .await
            .map_err(|error| denied(&error))?;
        if !path.starts_with(&self.path) {
            return Err(Denied::Forbidden);
        }
        let metadata = zokio::fs::metadata(&path)
            .await
            .map_err(|error| denied(&error))?;
        if !metadata.is_file() {
            return Err(Denied::Missing);
        }
        Ok(Found {
            path,
            length: metadata.len(),
        })
    }
}

/// A file below the root.
#[derive(Debug)]
pub(crate) struct Found {
    path: PathBuf,
    length: u64,
}

impl Found {
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// The type, by the name's ending.
    pub(crate) fn content_type(&self) -> &'static str {
        let ending = self.path.extension().and_then(|ending| ending.to_str());
        match ending.unwrap_or_default() {
            "html" | "htm" => "text/html; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "js" | "mjs" => "text/javascript; charset=utf-8",
            "json" => "application/json",
            "txt" | "md" | "rs" | "toml" => "text/plain; charset=utf-8",
            "svg" => "image/svg+xml",
            "png" => "image/png",
            "jpg" | "jpeg" => "image/jpeg",
            "pdf" => "application/pdf",
            "wasm" => "application/wasm",
            _ => "application/octet-stream",
        }
    }

    /// Its first [`length`](Self::length) bytes, which is what the response has announced.
    pub(crate) async fn open(&self) -> io::Result<Take<File>> {
        let file = File::open(&self.path).await?;
        Ok(file.take(self.length))
    }
}

/// The meaning of a file system's error for the request.
pub(crate) fn denied(error: &io::Error) -> Denied {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Denied::Forbidden,
        io::ErrorKind::OutOfMemory => Denied::Busy,
        // Too many open files, in the process or the system, has no kind of its own.
        _ if cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24)) => Denied::Busy,
        _ => Denied::Missing,
    }
}

/// Decodes a path and checks that it leads down only.
fn relative(encoded: &str) -> Result<PathBuf, Denied> {
    let decoded = decode(encoded).ok_or(Denied::Malformed)?;
    if decoded.contains('\0') {
        return Err(Denied::Malformed);
    }
    let path = PathBuf::from(decoded);
    let is_plain = path
        .components()
        .all(|component| matches!(component, Component::Normal(_) | Component::CurDir));
    if is_plain {
        Ok(path)
    } else {
        Err(Denied::Forbidden)
    }
}

/// Replaces `%xx` by the byte it stands for, once.
fn decode(encoded: &str) -> Option<String> {
    let mut bytes = encoded.bytes();
    let mut decoded = Vec::with_capacity(encoded.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let high = char::from(bytes.next()?).to_digit(16)?;
        let low = char::from(bytes.next()?).to_digit(16)?;
        decoded.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(decoded).ok()
}

/// A file as a body, a chunk at a time.
#[derive(Debug)]
pub(crate) struct FileBody {
    file: Take<File>,
    /// Spare memory for chunks; a chunk that was sent gives its part back.
    buf: BytesMut,
}

impl FileBody {
    pub(crate) fn new(file: Take<File>) -> Self {
        Self {
            file,
            buf: BytesMut::new(),
        }
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let me = self.get_mut();
        let left = me.file.limit();
        if left == 0 {
            return Poll::Ready(None);
        }
        let chunk = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
        me.buf.reserve(chunk);
        // Dropping this future loses nothing, so each poll may make a new one.
        let count = ready!(pin!(me.file.read_buf(&mut me.buf)).poll(cx))?;
        if count == 0 {
            // The length was announced; ending early must not look like the end.
            return Poll::Ready(Some(Err("the file became shorter".into())));
        }
        Poll::Ready(Some(Ok(Frame::data(me.buf.split().freeze()))))
    }

    fn is_end_stream(&self) -> bool {
        self.file.limit() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.file.limit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_pass() {
        for path in ["a", "a/b", "a//b", "./a", "a%20b", "..a", "%C3%A9", "a\\b"] {
            assert!(relative(path).is_ok(), "{path}");
        }
    }

    #[test]
    fn ways_up_and_out_are_forbidden() {
        let ways = [
            "..",
            "../a",
            "a/../b",
            "a/..",
            "%2e%2e/a",
            "a/%2E%2e/b",
            "..%2fa",
            "/etc/passwd",
            "%2fetc/passwd",
            "//etc/passwd",
        ];
        for path in ways {
            assert_eq!(relative(path), Err(Denied::Forbidden), "{path}");
        }
    }

    #[test]
    fn what_cannot_be_decoded_is_malformed() {
        for path in ["%", "%2", "%zz", "%ff", "a%00b", "%+1"] {
            assert_eq!(relative(path), Err(Denied::Malformed), "{path}");
        }
    }

    #[test]
    fn decoding_happens_once() {
        assert_eq!(decode("%252e%252e").as_deref(), Some("%2e%2e"));
    }
}
