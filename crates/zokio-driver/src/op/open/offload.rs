//! `open(2)` on a thread that may block, through the standard library.
//!
//! A named pipe is opened only once somebody has opened its other end. `open` waits for that where nothing
//! reaches it. Here the pipe is opened without waiting, and waited for as long as `bell` is silent.

use super::Open;
use crate::bell::Bell;
use crate::op::OnOffload;
#[cfg(target_os = "linux")]
use crate::op::sys::fifo;

impl OnOffload for Open {
    fn run(self) -> Self::Output {
        self.how.to_std().open(self.path.path())
    }

    fn can_be_ended(&self) -> bool {
        cfg!(target_os = "linux")
    }

    #[cfg(target_os = "linux")]
    fn run_until(self, bell: &Bell) -> Self::Output {
        match fifo::open(&self.how, self.path.path(), bell) {
            Some(result) => result,
            None => self.run(),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn run_until(self, _bell: &Bell) -> Self::Output {
        self.run()
    }
}
