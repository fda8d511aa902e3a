//! [`AsyncSeekExt`] and its future.

use crate::AsyncSeek;
use pin_project_lite::pin_project;
use std::future::Future;
use std::io::{self, SeekFrom};
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Methods of everything that can be sought in.
///
/// # Examples
/// ```
/// # zokio_task::block_on::block_on(async {
/// use std::io::{Cursor, SeekFrom};
/// use zokio_io::{AsyncReadExt, AsyncSeekExt};
///
/// let mut source = Cursor::new(b"abcdef");
/// source.seek(SeekFrom::Start(4)).await?;
/// let mut rest = String::new();
/// source.read_to_string(&mut rest).await?;
/// assert_eq!(rest, "ef");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub trait AsyncSeekExt: AsyncSeek {
    /// Moves to `pos` and returns the new position from the start.
    ///
    /// # Errors
    /// If the position is before the start, and those of the source.
    ///
    /// # Cancel safety
    /// Not cancel safe: a dropped seek may have happened or not.
    fn seek(&mut self, pos: SeekFrom) -> Seek<'_, Self>
    where
        Self: Unpin,
    {
        Seek {
            target: self,
            requested: Some(pos),
            _pin: PhantomPinned,
        }
    }

    /// Moves to the start.
    ///
    /// # Errors
    /// Those of the source.
    ///
    /// # Cancel safety
    /// As [`seek`](Self::seek).
    fn rewind(&mut self) -> Seek<'_, Self>
    where
        Self: Unpin,
    {
        self.seek(SeekFrom::Start(0))
    }

    /// Returns the position from the start.
    ///
    /// # Errors
    /// Those of the source.
    ///
    /// # Cancel safety
    /// Moves nothing; nothing is lost by dropping it.
    fn stream_position(&mut self) -> Seek<'_, Self>
    where
        Self: Unpin,
    {
        self.seek(SeekFrom::Current(0))
    }
}

impl<S: AsyncSeek + ?Sized> AsyncSeekExt for S {}

pin_project! {
    /// Future of [`AsyncSeekExt::seek`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct Seek<'a, S: ?Sized> {
        target: &'a mut S,
        // None once the seek has begun.
        requested: Option<SeekFrom>,
        #[pin]
        _pin: PhantomPinned,
    }
}

impl<S: AsyncSeek + ?Sized + Unpin> Future for Seek<'_, S> {
    type Output = io::Result<u64>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let me = self.project();
        if let Some(position) = *me.requested {
            // Nothing else may be in progress when a seek begins.
            ready!(Pin::new(&mut **me.target).poll_complete(cx))?;
            Pin::new(&mut **me.target).start_seek(position)?;
            *me.requested = None;
        }
        Pin::new(&mut **me.target).poll_complete(cx)
    }
}
