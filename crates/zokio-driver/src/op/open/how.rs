//! How a file is to be opened.
//!
//! The standard library's options cannot be asked what they say, so these are kept beside them.

use std::fs::OpenOptions;

/// The settings of [`OpenOptions`], readable.
#[derive(Debug, Clone)]
pub struct OpenHow {
    /// For reading.
    pub read: bool,
    /// For writing.
    pub write: bool,
    /// For writing at the end.
    pub append: bool,
    /// Empty it.
    pub truncate: bool,
    /// Make it if there is none.
    pub create: bool,
    /// Make it; fail if there is one.
    pub create_new: bool,
    /// Permissions of a file that is made, on Unix.
    pub mode: u32,
    /// Further flags, on Unix.
    pub custom_flags: i32,
    /// Options that came from elsewhere and cannot be read. They stand for all of the above.
    pub opaque: Option<OpenOptions>,
}

impl Default for OpenHow {
    fn default() -> Self {
        Self {
            read: false,
            write: false,
            append: false,
            truncate: false,
            create: false,
            create_new: false,
            mode: 0o666,
            custom_flags: 0,
            opaque: None,
        }
    }
}

impl From<OpenOptions> for OpenHow {
    fn from(options: OpenOptions) -> Self {
        Self {
            opaque: Some(options),
            ..Self::default()
        }
    }
}

impl OpenHow {
    /// For reading.
    pub fn reading() -> Self {
        Self {
            read: true,
            ..Self::default()
        }
    }

    /// For writing, made if there is none, emptied if there is one.
    pub fn creating() -> Self {
        Self {
            write: true,
            create: true,
            truncate: true,
            ..Self::default()
        }
    }

    /// The same for the standard library.
    pub fn to_std(&self) -> OpenOptions {
        if let Some(options) = &self.opaque {
            return options.clone();
        }
        let mut options = OpenOptions::new();
        options
            .read(self.read)
            .write(self.write)
            .append(self.append)
            .truncate(self.truncate)
            .create(self.create)
            .create_new(self.create_new);
        self.add_unix(&mut options);
        options
    }

    #[cfg(unix)]
    fn add_unix(&self, options: &mut OpenOptions) {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(self.mode).custom_flags(self.custom_flags);
    }

    #[cfg(not(unix))]
    fn add_unix(&self, _options: &mut OpenOptions) {}

    /// Whether opening may make or empty a file, as far as one can tell.
    pub(crate) fn changes_the_disk(&self) -> bool {
        self.create || self.create_new || self.truncate || self.opaque.is_some()
    }

    /// Whether the caller added flags of its own.
    #[cfg(zokio_ring)]
    pub(crate) fn has_custom_flags(&self) -> bool {
        self.custom_flags != 0
    }

    /// Whether the ring can be told all that this says.
    #[cfg(zokio_ring)]
    pub(crate) fn fits_the_ring(&self) -> bool {
        self.flags().is_some()
    }

    /// There is no ring here.
    #[cfg(not(zokio_ring))]
    pub(crate) fn fits_the_ring(&self) -> bool {
        false
    }

    /// The flags of `open(2)`. None if the standard library would refuse the combination (it then
    /// has the right error to give), or if the options cannot be read.
    #[cfg(zokio_ring)]
    pub(crate) fn flags(&self) -> Option<i32> {
        if self.opaque.is_some() {
            return None;
        }
        let access = match (self.read, self.write, self.append) {
            (true, false, false) => libc::O_RDONLY,
            (false, true, false) => libc::O_WRONLY,
            (true, true, false) => libc::O_RDWR,
            (false, _, true) => libc::O_WRONLY | libc::O_APPEND,
            (true, _, true) => libc::O_RDWR | libc::O_APPEND,
            (false, false, false) => return None,
        };
        let makes = self.create || self.create_new;
        if !self.write && !self.append && (makes || self.truncate) {
            return None;
        }
        if self.append && self.truncate && !self.create_new {
            return None;
        }
        let creation = match (self.create, self.truncate, self.create_new) {
            (false, false, false) => 0,
            (true, false, false) => libc::O_CREAT,
            (false, true, false) => libc::O_TRUNC,
            (true, true, false) => libc::O_CREAT | libc::O_TRUNC,
            (_, _, true) => libc::O_CREAT | libc::O_EXCL,
        };
        Some(libc::O_CLOEXEC | access | creation | (self.custom_flags & !libc::O_ACCMODE))
    }
}

#[cfg(all(test, not(zokio_model), zokio_ring))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Where the standard library opens, so do the flags; where it refuses, there are none.
        #[test]
        fn flags_exist_where_the_standard_library_opens(bits in 0_u8..64) {
            let how = OpenHow {
                read: bits & 1 != 0,
                write: bits & 2 != 0,
                append: bits & 4 != 0,
                truncate: bits & 8 != 0,
                create: bits & 16 != 0,
                create_new: bits & 32 != 0,
                ..OpenHow::default()
            };
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("file");
            if !how.create && !how.create_new {
                std::fs::write(&path, b"x").unwrap();
            }
            let opened = how.to_std().open(&path);
            prop_assert_eq!(how.flags().is_some(), opened.is_ok(), "{:?}: {:?}", how, opened);
        }
    }
}
