//! Whole files: read and written.

use super::open_options::open;
use super::run;
use std::fs::Metadata;
use std::io;
use std::path::Path;
use zokio_driver::op::{At, OpenHow, Read, Speculated, now};

/// How much is read in one step. A step may happen on the calling thread, from memory.
const STEP: usize = 256 * 1024;
/// Room for files whose size is not known, and to see the end of those whose size is.
const ROOM: usize = 32;

/// Reads the whole file `path`.
///
/// # Errors
/// Those of [`std::fs::read`].
///
/// # Panics
/// Outside of a runtime.
///
/// # Examples
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// let bytes = zokio::fs::read("Cargo.toml").await?;
/// # Ok(())
/// # }
/// ```
pub async fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    let file = open(path.as_ref(), OpenHow::reading()).await?;
    let len = match now::file_len(&file) {
        Speculated::Done(len) => len,
        Speculated::NotNow | Speculated::Never => {
            let file = file.clone();
            let metadata = run::offload(move || file.metadata()).await.ok();
            metadata
                .filter(Metadata::is_file)
                .map(|metadata| metadata.len())
        }
    };
    let size = usize::try_from(len.unwrap_or(0)).unwrap_or(usize::MAX);
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(size.saturating_add(ROOM))
        .map_err(|_| io::ErrorKind::OutOfMemory)?;
    loop {
        if bytes.capacity() - bytes.len() < ROOM {
            bytes
                .try_reserve(bytes.len().max(STEP))
                .map_err(|_| io::ErrorKind::OutOfMemory)?;
        }
        let start = bytes.len();
        let asked = (bytes.capacity() - start).min(STEP);
        let read = Read::new(file.clone(), bytes, start, asked, At::Cursor);
        let filled = match read.try_now() {
            Ok(filled) => filled,
            Err(read) => run::begin(read).await,
        };
        let count = filled.result?;
        bytes = filled.buf.ok_or_else(run::not_run)?;
        // A short read that ends at the known size has seen the end.
        let at_size = size > 0 && bytes.len() == size && count < asked;
        if count == 0 || at_size {
            return Ok(bytes);
        }
        run::enter().await?;
    }
}

/// Reads the whole file `path` as text.
///
/// # Errors
/// Those of [`std::fs::read_to_string`]; `InvalidData` if the file is not UTF-8.
///
/// # Panics
/// Outside of a runtime.
pub async fn read_to_string(path: impl AsRef<Path>) -> io::Result<String> {
    let bytes = read(path).await?;
    String::from_utf8(bytes).map_err(|_| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "stream did not contain valid UTF-8",
        )
    })
}

/// Writes `contents` as the whole file `path`, in place of what is there.
///
/// # Errors
/// Those of [`std::fs::write`].
///
/// # Panics
/// Outside of a runtime.
///
/// # Cancel safety
/// Dropped once begun, it is carried out all the same.
pub async fn write(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> io::Result<()> {
    // Making a file always waits, so this is one journey to the pool instead of three to the ring.
    let path = path.as_ref().to_owned();
    let contents = contents.as_ref().to_owned();
    run::offload(move || std::fs::write(path, contents)).await
}
