//! In the destructors of a thread's locals, the runtime's own are still there, whichever the thread
//! has used first.

use crate::panic_of;
use std::cell::RefCell;
use std::sync::mpsc::{Sender, channel};
use zokio_runtime::{Builder, Handle, TryCurrentError, spawn};

/// The findings of the destructor: the lack of a runtime, and the output of one that it made.
type Found = (Option<TryCurrentError>, String, u32);

/// Looks for a runtime when the thread's locals go.
struct Last(Sender<Found>);

impl Drop for Last {
    fn drop(&mut self) {
        let error = Handle::try_current().err();
        let said = panic_of(|| spawn(async {}));
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let output = runtime.block_on(async { spawn(async { 42 }).await.unwrap() });
        drop(runtime);
        self.0.send((error, said, output)).unwrap();
    }
}

std::thread_local! {
    static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
}

#[test]
#[allow(clippy::disallowed_methods)] // The thread's end is what is looked at.
fn a_runtime_can_be_used_when_the_threads_locals_go() {
    for used_before in [false, true] {
        let (found, find) = channel();
        let thread = std::thread::spawn(move || {
            let use_it = || {
                let runtime = Builder::new_current_thread().build().unwrap();
                runtime.block_on(async { assert!(Handle::try_current().is_ok()) });
            };
            if used_before {
                use_it();
            }
            LAST.set(Some(Last(found)));
            if !used_before {
                use_it();
            }
        });
        thread.join().unwrap();
        let (error, said, output) = find.recv().unwrap();
        let error = error.expect("the thread is inside of no runtime");
        assert!(error.is_missing_context() && !error.is_thread_local_destroyed());
        assert_eq!(said, error.to_string());
        assert_eq!(output, 42);
    }
}
