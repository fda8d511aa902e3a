//! The extension traits: what users call. Their futures live beside them, one file per family.

mod buf_read;
mod read;
mod seek;
mod write;

pub use buf_read::AsyncBufReadExt;
pub use read::AsyncReadExt;
pub use seek::AsyncSeekExt;
pub use write::AsyncWriteExt;

pub(crate) use buf_read::poll_read_until;
