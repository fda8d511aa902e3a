//! How a file is to be opened.

use super::File;
use super::run;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use zokio_driver::op::{OpPath, Open, OpenFile, OpenHow};

/// Options that say how a file is opened, and what may be done with it then.
///
/// The asynchronous twin of [`std::fs::OpenOptions`]: made with [`new`](Self::new), set by chained
/// calls, ended by [`open`](Self::open).
///
/// # Examples
/// ```no_run
/// use zokio::fs::OpenOptions;
///
/// # async fn example() -> std::io::Result<()> {
/// let log = OpenOptions::new().append(true).create(true).open("log.txt").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct OpenOptions(OpenHow);

impl OpenOptions {
    /// Options with everything off.
    pub fn new() -> OpenOptions {
        Self(OpenHow::default())
    }

    fn set(
        &mut self,
        ours: impl FnOnce(&mut OpenHow),
        theirs: impl FnOnce(&mut std::fs::OpenOptions),
    ) -> &mut OpenOptions {
        match &mut self.0.opaque {
            Some(options) => theirs(options),
            None => ours(&mut self.0),
        }
        self
    }

    /// Whether the file is to be read.
    pub fn read(&mut self, read: bool) -> &mut OpenOptions {
        self.set(
            |how| how.read = read,
            |options| {
                options.read(read);
            },
        )
    }

    /// Whether the file is to be written. What is there is overwritten, not cut off.
    pub fn write(&mut self, write: bool) -> &mut OpenOptions {
        self.set(
            |how| how.write = write,
            |options| {
                options.write(write);
            },
        )
    }

    /// Whether writes go to the end of the file, wherever that is by then. Implies writing.
    pub fn append(&mut self, append: bool) -> &mut OpenOptions {
        self.set(
            |how| how.append = append,
            |options| {
                options.append(append);
            },
        )
    }

    /// Whether what is in the file is cut off. Needs writing.
    pub fn truncate(&mut self, truncate: bool) -> &mut OpenOptions {
        self.set(
            |how| how.truncate = truncate,
            |options| {
                options.truncate(truncate);
            },
        )
    }

    /// Whether the file is made if there is none. Needs writing or appending.
    pub fn create(&mut self, create: bool) -> &mut OpenOptions {
        self.set(
            |how| how.create = create,
            |options| {
                options.create(create);
            },
        )
    }

    /// Whether the file has to be made: if there is one, opening fails. Checking and making are one
    /// step. [`create`](Self::create) and [`truncate`](Self::truncate) have no effect beside it.
    pub fn create_new(&mut self, create_new: bool) -> &mut OpenOptions {
        self.set(
            |how| how.create_new = create_new,
            |options| {
                options.create_new(create_new);
            },
        )
    }

    /// Opens `path` with these options.
    ///
    /// # Errors
    /// Those of [`std::fs::OpenOptions::open`].
    ///
    /// # Panics
    /// Outside of a runtime.
    ///
    /// # Cancel safety
    /// Dropped, the future may have made or emptied the file; the descriptor is closed.
    pub async fn open(&self, path: impl AsRef<Path>) -> io::Result<File> {
        open(path.as_ref(), self.0.clone()).await.map(File::own)
    }
}

/// Opens a file for this module.
pub(super) async fn open(path: &Path, how: OpenHow) -> io::Result<Arc<OpenFile>> {
    let path = OpPath::new(path)?;
    run::enter().await?;
    let mut open = Open::new(path, how);
    let file = match open.try_now() {
        Some(result) => result?,
        None => OpenFile::new(run::begin(open).await?),
    };
    run::adopt(&file);
    Ok(file)
}

#[cfg(unix)]
impl OpenOptions {
    /// The permissions of a file that is made, less the process's mask. 0o666 unless set.
    pub fn mode(&mut self, mode: u32) -> &mut OpenOptions {
        use std::os::unix::fs::OpenOptionsExt;
        self.set(
            |how| how.mode = mode,
            |options| {
                options.mode(mode);
            },
        )
    }

    /// Further flags of `open(2)`. Those that say how the file is accessed are ignored.
    pub fn custom_flags(&mut self, flags: i32) -> &mut OpenOptions {
        use std::os::unix::fs::OpenOptionsExt;
        self.set(
            |how| how.custom_flags = flags,
            |options| {
                options.custom_flags(flags);
            },
        )
    }
}

/// Options that only Windows has. See [`std::os::windows::fs::OpenOptionsExt`] for what each of them means.
#[cfg(windows)]
impl OpenOptions {
    /// Keeps the options in the standard library's form, which has a place for all of these.
    fn set_std(&mut self, set: impl FnOnce(&mut std::fs::OpenOptions)) -> &mut OpenOptions {
        let mut options = self.0.to_std();
        set(&mut options);
        self.0 = OpenHow::from(options);
        self
    }

    /// The access that is asked for, in place of what `read`, `write` and `append` say.
    pub fn access_mode(&mut self, access: u32) -> &mut OpenOptions {
        use std::os::windows::fs::OpenOptionsExt;
        self.set_std(|options| {
            options.access_mode(access);
        })
    }

    /// Sets which accesses others may have to the file while it is open.
    pub fn share_mode(&mut self, share: u32) -> &mut OpenOptions {
        use std::os::windows::fs::OpenOptionsExt;
        self.set_std(|options| {
            options.share_mode(share);
        })
    }

    /// Further flags of `CreateFile`.
    pub fn custom_flags(&mut self, flags: u32) -> &mut OpenOptions {
        use std::os::windows::fs::OpenOptionsExt;
        self.set_std(|options| {
            options.custom_flags(flags);
        })
    }

    /// The attributes of a file that is made.
    pub fn attributes(&mut self, attributes: u32) -> &mut OpenOptions {
        use std::os::windows::fs::OpenOptionsExt;
        self.set_std(|options| {
            options.attributes(attributes);
        })
    }

    /// Sets which rights the server of a named pipe gets to act in our name.
    pub fn security_qos_flags(&mut self, flags: u32) -> &mut OpenOptions {
        use std::os::windows::fs::OpenOptionsExt;
        self.set_std(|options| {
            options.security_qos_flags(flags);
        })
    }
}

impl From<std::fs::OpenOptions> for OpenOptions {
    fn from(options: std::fs::OpenOptions) -> OpenOptions {
        Self(OpenHow::from(options))
    }
}

impl fmt::Debug for OpenOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OpenOptions")
            .field(&self.0.to_std())
            .finish()
    }
}
