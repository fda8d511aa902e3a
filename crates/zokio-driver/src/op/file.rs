//! An open file that operations share, with what is known of it.
//!
//! Invariants:
//!
//! 1. The place of the file is found out once, when it is first asked for, without a call that may wait.
//! 2. A file whose close may wait is not closed by the thread that lets go of it, if there is a pool: closing
//!    a file of a FUSE file system or of a server sends what was written, and waits for the answer. All
//!    other files are closed at once, as programs expect that replace, lock or run what they have just
//!    written.

use super::sys::{Keeper, Place, Shape};
use std::fmt;
use std::fs::File;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};
use zokio_base::park::Offload;

/// An open file.
pub struct OpenFile {
    std: ManuallyDrop<File>,
    place: OnceLock<Place>,
    closer: OnceLock<Arc<dyn Offload>>,
}

impl fmt::Debug for OpenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        File::fmt(self, f)
    }
}

impl From<File> for OpenFile {
    fn from(std: File) -> Self {
        Self {
            std: ManuallyDrop::new(std),
            place: OnceLock::new(),
            closer: OnceLock::new(),
        }
    }
}

impl Deref for OpenFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.std
    }
}

impl OpenFile {
    /// Takes `std` over, to be shared.
    pub fn new(std: File) -> Arc<Self> {
        Arc::new(std.into())
    }

    /// Its place.
    #[inline]
    pub fn place(&self) -> Place {
        *self.place.get_or_init(|| Place::of(&self.std))
    }

    /// Takes note of what it is, which the caller knows.
    pub(crate) fn note_place(&self, place: Place) {
        let _ = self.place.set(place);
    }

    /// Has `closer` close it, if closing it may wait. The first one counts.
    pub fn close_with(&self, closer: &Arc<dyn Offload>) {
        if self.closes_slowly() {
            let _ = self.closer.set(closer.clone());
        }
    }

    /// Whether a call at the cursor may be made by a thread that must not wait, if nobody else holds the
    /// cursor's lock.
    pub fn moves_at_once(&self) -> bool {
        let place = self.place();
        match place.shape {
            Shape::Regular => place.keeper != Keeper::Remote,
            // It has no cursor, and says so.
            Shape::Stream => true,
            Shape::Block | Shape::Device | Shape::Link => false,
        }
    }

    /// Whether its keeper has to be asked for everything.
    pub fn is_remote(&self) -> bool {
        let place = self.place();
        place.shape == Shape::Regular && place.keeper == Keeper::Remote
    }

    /// Whether reading or writing it may wait without bound.
    pub(crate) fn is_unbounded(&self) -> bool {
        matches!(self.place().shape, Shape::Stream | Shape::Device)
    }

    /// Whether it has offsets that every way to read it takes alike.
    pub(crate) fn has_offsets(&self) -> bool {
        self.place().shape == Shape::Regular
    }

    fn closes_slowly(&self) -> bool {
        self.is_remote() || self.place().shape == Shape::Device
    }

    /// The file of the standard library, which the caller closes.
    pub fn into_std(self) -> File {
        let mut me = ManuallyDrop::new(self);
        // Nothing is left but the file itself.
        drop(me.closer.take());
        take(&mut me.std)
    }
}

/// Takes a file out of its place.
#[allow(unsafe_code)]
fn take(file: &mut ManuallyDrop<File>) -> File {
    // SAFETY: both callers own the place and never touch it again: one is a drop, the other has
    // forgotten its owner.
    unsafe { ManuallyDrop::take(file) }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        let std = take(&mut self.std);
        match self.closer.take() {
            // A pool that has ended drops the job, and the file with it.
            Some(closer) => closer.offload(Box::new(move || drop(std))),
            None => drop(std),
        }
    }
}

#[cfg(all(test, not(zokio_model), target_os = "linux"))]
mod tests {
    use super::*;
    use std::os::fd::{AsRawFd, RawFd};
    use std::sync::Mutex;

    /// Keeps what it is given to do.
    #[derive(Default)]
    struct Later(Mutex<Vec<Box<dyn FnOnce() + Send>>>);

    impl Offload for Later {
        fn offload(&self, job: Box<dyn FnOnce() + Send>) {
            self.0.lock().unwrap().push(job);
        }
    }

    #[allow(unsafe_code)]
    fn is_open(fd: RawFd) -> bool {
        // SAFETY: asks for the flags of whatever has that number.
        unsafe { libc::fcntl(fd, libc::F_GETFD) >= 0 }
    }

    #[test]
    fn a_file_whose_close_may_wait_is_closed_elsewhere() {
        let later = Arc::new(Later::default());
        let closer: Arc<dyn Offload> = later.clone();
        let file = OpenFile::new(tempfile::tempfile().unwrap());
        file.note_place(Place {
            shape: Shape::Regular,
            keeper: Keeper::Remote,
        });
        file.close_with(&closer);
        let fd = file.as_raw_fd();
        drop(file);
        assert!(is_open(fd), "it was closed here");
        let job = later.0.lock().unwrap().pop().unwrap();
        job();
        assert!(!is_open(fd));
    }

    #[test]
    fn a_local_file_is_closed_at_once_and_one_that_is_given_away_is_not_closed() {
        let later = Arc::new(Later::default());
        let closer: Arc<dyn Offload> = later.clone();
        let file = OpenFile::new(tempfile::tempfile().unwrap());
        file.note_place(Place {
            shape: Shape::Regular,
            keeper: Keeper::Local,
        });
        file.close_with(&closer);
        let fd = file.as_raw_fd();
        drop(file);
        assert!(!is_open(fd));
        let file = OpenFile::from(tempfile::tempfile().unwrap());
        file.note_place(Place::UNKNOWN);
        file.close_with(&closer);
        let std = file.into_std();
        assert!(is_open(std.as_raw_fd()));
        assert!(later.0.lock().unwrap().is_empty());
    }
}
