//! [`TextBuffer`]: a string while bytes are read into it.
//!
//! Invariant: while the buffer is alive, the string is empty and `bytes` holds its text followed by
//! what was read. However it ends (`finish_*` or drop), the string gets its text back.

use std::io;

/// A borrowed string, turned into bytes to be appended to.
#[derive(Debug)]
pub(crate) struct TextBuffer<'a> {
    output: &'a mut String,
    bytes: Vec<u8>,
    /// How long the string was.
    start: usize,
}

impl<'a> TextBuffer<'a> {
    pub(crate) fn take(output: &'a mut String) -> Self {
        let bytes = std::mem::take(output).into_bytes();
        let start = bytes.len();
        Self {
            output,
            bytes,
            start,
        }
    }

    /// The bytes, to be appended to.
    pub(crate) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Gives the string back with what was read, if that is text. On an error of the reader too.
    pub(crate) fn finish_keeping(&mut self, result: io::Result<usize>) -> io::Result<usize> {
        self.finish(result, false)
    }

    /// Gives the string back with what was read, if that is text and the reader has not failed.
    pub(crate) fn finish_all_or_nothing(&mut self, result: io::Result<usize>) -> io::Result<usize> {
        self.finish(result, true)
    }

    fn finish(&mut self, result: io::Result<usize>, drop_on_error: bool) -> io::Result<usize> {
        if drop_on_error && result.is_err() {
            self.bytes.truncate(self.start);
        }
        match String::from_utf8(std::mem::take(&mut self.bytes)) {
            Ok(text) => {
                *self.output = text;
                result
            }
            Err(error) => {
                let not_text = error.utf8_error();
                self.bytes = error.into_bytes();
                self.bytes.truncate(self.start);
                self.restore();
                result.and(Err(io::Error::new(io::ErrorKind::InvalidData, not_text)))
            }
        }
    }

    /// Gives the string back with as much of what was read as is text.
    fn restore(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        *self.output = String::from_utf8(bytes).unwrap_or_else(|error| {
            let valid = error.utf8_error().valid_up_to();
            let mut bytes = error.into_bytes();
            bytes.truncate(valid);
            String::from_utf8(bytes).unwrap_or_default()
        });
    }
}

impl Drop for TextBuffer<'_> {
    fn drop(&mut self) {
        // Without bytes either it has finished, or there is nothing to give back.
        if !self.bytes.is_empty() {
            self.restore();
        }
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_buffer_gives_the_text_back() {
        let mut text = String::from("kept ");
        let mut buffer = TextBuffer::take(&mut text);
        buffer
            .bytes()
            .extend_from_slice("é and half of é".as_bytes());
        let half = buffer.bytes().len() - 1;
        buffer.bytes().truncate(half);
        drop(buffer);
        assert_eq!(text, "kept é and half of ");
    }

    #[test]
    fn bytes_that_are_no_text_leave_the_string_as_it_was() {
        let mut text = String::from("kept");
        let mut buffer = TextBuffer::take(&mut text);
        buffer.bytes().push(0xff);
        let error = buffer.finish_keeping(Ok(1)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        drop(buffer);
        assert_eq!(text, "kept");
    }

    #[test]
    fn an_error_of_the_reader_keeps_or_drops_what_was_read() {
        let failed = || Err(io::Error::other("broken"));
        let mut text = String::from("a");
        let mut buffer = TextBuffer::take(&mut text);
        buffer.bytes().push(b'b');
        buffer.finish_keeping(failed()).unwrap_err();
        drop(buffer);
        assert_eq!(text, "ab");
        let mut buffer = TextBuffer::take(&mut text);
        buffer.bytes().push(b'c');
        buffer.finish_all_or_nothing(failed()).unwrap_err();
        drop(buffer);
        assert_eq!(text, "ab");
    }
}
