//! A wait for a descriptor that others can end.
//!
//! A thread of the pool that reads from a terminal or a pipe waits for somebody else, maybe for ever. It must
//! not do so inside of the read, where nothing reaches it: it waits in `poll(2)` for the descriptor and for
//! its [`Bell`], and reads what is there. Whoever gives the operation up, or ends the pool, rings.
//!
//! 1. The waiter looks whether the bell was rung, and leaves the rope (one end of a pair of sockets) in the
//!    bell, both under the lock. Then it waits for the other end, too.
//! 2. The ringer sets `is_rung` and pulls the rope if there is one, both under the lock.
//!
//! So a ringer that comes before step 1 is seen by the look, and one that comes after it finds the rope.
//!
//! Invariant: a bell that was rung stays rung.

use zokio_base::park::Interrupt;
use zokio_base::sync::{Arc, Mutex};

#[cfg(unix)]
#[path = "sys/bell_unix.rs"]
mod system;
#[cfg(not(unix))]
#[path = "sys/bell_other.rs"]
mod system;

#[cfg(unix)]
pub use system::wait_writable;
use system::{Rope, pull};

/// The event of a descriptor that ends a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// There is something to read, or the end of the stream.
    ToRead,
    /// There is room to write, or nobody reads any more.
    ToWrite,
}

/// The outcome of a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// The descriptor is ready.
    Ready,
    /// The time is over.
    Late,
    /// The bell was rung.
    Rung,
}

/// Ends a wait.
#[derive(Debug, Default)]
pub struct Bell(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    is_rung: bool,
    rope: Option<Rope>,
}

impl Bell {
    /// One that nobody has rung.
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Ends the wait that is under way, and all that come.
    pub fn ring(&self) {
        let mut state = self.0.lock();
        state.is_rung = true;
        if let Some(rope) = &state.rope {
            pull(rope);
        }
    }

    /// Whether it was rung.
    pub fn is_rung(&self) -> bool {
        self.0.lock().is_rung
    }

    /// Step 1. False if it was rung already.
    fn leave(&self, rope: Rope) -> bool {
        let mut state = self.0.lock();
        if !state.is_rung {
            state.rope = Some(rope);
        }
        !state.is_rung
    }

    /// Nobody waits any more.
    fn take_away(&self) {
        self.0.lock().rope = None;
    }
}

impl Interrupt for Bell {
    fn interrupt(&self) {
        self.ring();
    }
}

#[cfg(all(test, zokio_loom))]
mod model {
    use super::*;
    use zokio_base::sync::{model, thread};

    /// The waiter hears the bell whether it rings before or after the look: by the look or by the rope.
    #[test]
    fn a_bell_is_heard() {
        model(|| {
            let bell = Bell::new();
            let (rope, heard) = system::model_rope();
            let ringer = {
                let bell = bell.clone();
                thread::spawn(move || bell.ring())
            };
            let waits = bell.leave(rope);
            ringer.join().unwrap();
            assert!(!waits || heard(), "rung, and nobody hears it");
            assert!(bell.is_rung());
        });
    }
}

#[cfg(all(test, unix, not(zokio_model)))]
mod tests {
    #![allow(clippy::disallowed_methods)] // Ringers are threads.

    use super::*;
    use std::io::{Read, Write};
    use std::os::fd::AsFd;
    use std::time::Duration;

    #[test]
    fn what_is_there_is_not_waited_for() {
        let (mut near, far) = std::os::unix::net::UnixStream::pair().unwrap();
        near.write_all(b"x").unwrap();
        let bell = Bell::new();
        assert_eq!(bell.wait(far.as_fd(), Wait::ToRead, None), Waited::Ready);
        assert_eq!(bell.wait(far.as_fd(), Wait::ToWrite, None), Waited::Ready);
        // Rung, it is heard though the descriptor is ready.
        bell.ring();
        assert_eq!(bell.wait(far.as_fd(), Wait::ToRead, None), Waited::Rung);
    }

    #[test]
    fn a_wait_ends_with_the_bell_the_data_or_the_time() {
        let (mut near, mut far) = std::os::unix::net::UnixStream::pair().unwrap();
        let bell = Bell::new();
        let soon = Some(Duration::from_millis(1));
        assert_eq!(bell.wait(far.as_fd(), Wait::ToRead, soon), Waited::Late);
        let waiter = {
            let (bell, far) = (bell.clone(), far.try_clone().unwrap());
            std::thread::spawn(move || bell.wait(far.as_fd(), Wait::ToRead, None))
        };
        near.write_all(b"x").unwrap();
        assert_eq!(waiter.join().unwrap(), Waited::Ready);
        far.read_exact(&mut [0]).unwrap();
        let waiter = {
            let (bell, far) = (bell.clone(), far.try_clone().unwrap());
            std::thread::spawn(move || bell.wait(far.as_fd(), Wait::ToRead, None))
        };
        bell.ring();
        assert_eq!(waiter.join().unwrap(), Waited::Rung);
    }
}
