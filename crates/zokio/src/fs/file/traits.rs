//! Reading, writing and seeking a file.

use super::File;
use std::io::{self, IoSlice, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use zokio_io::{AsyncRead, AsyncSeek, AsyncWrite, ReadBuf};
use zokio_task::coop;

impl AsyncRead for File {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        dst: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let unit = ready!(coop::poll_proceed(cx));
        let me = self.get_mut();
        let result = me
            .engine
            .get_mut()
            .poll_read(&me.std, me.max_buf_size, cx, dst);
        if result.is_ready() {
            unit.made_progress();
        }
        result
    }
}

impl AsyncWrite for File {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        src: &[u8],
    ) -> Poll<io::Result<usize>> {
        let unit = ready!(coop::poll_proceed(cx));
        let me = self.get_mut();
        let result = me
            .engine
            .get_mut()
            .poll_write(&me.std, me.max_buf_size, cx, &[src]);
        if result.is_ready() {
            unit.made_progress();
        }
        result
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let unit = ready!(coop::poll_proceed(cx));
        let me = self.get_mut();
        let parts: Vec<&[u8]> = bufs.iter().map(|buf| &**buf).collect();
        let result = me
            .engine
            .get_mut()
            .poll_write(&me.std, me.max_buf_size, cx, &parts);
        if result.is_ready() {
            unit.made_progress();
        }
        result
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let me = self.get_mut();
        me.engine.get_mut().poll_promise(&me.std, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

impl AsyncSeek for File {
    fn start_seek(self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        let me = self.get_mut();
        me.engine.get_mut().start_seek(&me.std, position)
    }

    fn poll_complete(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        let me = self.get_mut();
        me.engine.get_mut().poll_sought(&me.std, cx)
    }
}
