//! Something that the system gives at its first need, or refuses: for good, or for now.
//!
//! A system without io_uring refuses for good, and the answer is kept. A process that has no more
//! descriptors today may have some tomorrow: that answer is kept for a while, which grows with each
//! refusal in a row, and then the system is asked again.
//!
//! Invariant: what was made stays. A refusal is remembered until it is asked again after its time.

use super::probe::Refusal;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use zokio_base::clock::real_now;
use zokio_base::sync::Mutex;

/// For how long the first refusal for now stands.
const PAUSE_MIN: Duration = Duration::from_millis(10);
/// For how long any refusal for now stands at most.
const PAUSE_MAX: Duration = Duration::from_secs(10);

struct Refused {
    why: Refusal,
    pause: Duration,
    /// None if it stands for good.
    until: Option<Instant>,
}

/// Made when it is first needed.
pub(super) struct Attempt<T> {
    made: OnceLock<T>,
    /// The last refusal. Held while the system is asked, so that one thread at a time asks.
    refused: Mutex<Option<Refused>>,
}

impl<T> Attempt<T> {
    pub(super) fn new() -> Self {
        Self {
            made: OnceLock::new(),
            refused: Mutex::new(None),
        }
    }

    /// The value that was made.
    #[inline]
    pub(super) fn get(&self) -> Option<&T> {
        self.made.get()
    }

    /// The value that was made, or is made now unless the system refuses.
    #[inline]
    pub(super) fn get_or_try(
        &self,
        make: impl FnOnce() -> Result<T, Refusal>,
    ) -> Result<&T, Refusal> {
        match self.made.get() {
            Some(made) => Ok(made),
            None => self.attempt(make),
        }
    }

    #[cold]
    fn attempt(&self, make: impl FnOnce() -> Result<T, Refusal>) -> Result<&T, Refusal> {
        let mut refused = self.refused.lock();
        // Another thread may have made it while this one waited for the lock.
        if let Some(made) = self.made.get() {
            return Ok(made);
        }
        let mut pause = PAUSE_MIN;
        if let Some(last) = &*refused {
            if last.until.is_none_or(|until| real_now() < until) {
                return Err(last.why.clone());
            }
            pause = (last.pause * 2).min(PAUSE_MAX);
        }
        match make() {
            Ok(made) => {
                *refused = None;
                Ok(self.made.get_or_init(|| made))
            }
            Err(why) => {
                let until = why.is_for_now().then(|| real_now() + pause);
                *refused = Some(Refused {
                    why: why.clone(),
                    pause,
                    until,
                });
                Err(why)
            }
        }
    }
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;

    /// Asks until the system is asked, which `make` stands for.
    fn ask(attempt: &Attempt<u8>, make: impl Fn() -> Result<u8, Refusal>) -> Result<u8, Refusal> {
        let asked = std::cell::Cell::new(false);
        loop {
            let answer = attempt.get_or_try(|| {
                asked.set(true);
                make()
            });
            if asked.get() {
                return answer.copied();
            }
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_refusal_for_now_is_asked_again_later() {
        let attempt = Attempt::new();
        assert!(ask(&attempt, || Err(Refusal::for_now())).is_err());
        // It stands for a while.
        let at_once = attempt.get_or_try(|| panic!("asked again at once"));
        assert!(at_once.is_err());
        assert!(ask(&attempt, || Err(Refusal::for_now())).is_err());
        assert_eq!(ask(&attempt, || Ok(7)).ok(), Some(7));
        assert_eq!(attempt.get(), Some(&7));
    }

    #[test]
    fn a_refusal_for_good_stands() {
        let attempt = Attempt::<u8>::new();
        assert!(ask(&attempt, || Err(Refusal::for_good())).is_err());
        let started = real_now();
        while started.elapsed() < 2 * PAUSE_MIN {
            let answer = attempt.get_or_try(|| panic!("asked again"));
            assert!(answer.is_err());
            std::thread::yield_now();
        }
    }
}
