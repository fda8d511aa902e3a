//! Waiting between two attempts where the system has no event for the moment at which the next one
//! could succeed.
//!
//! A [`BackOff`] makes pauses that grow, each twice as long as the one before. A pause works in
//! every runtime: it is a timer where there are timers, and otherwise a thread of the blocking pool
//! that sleeps. A paused clock stands still during such a sleep: to jump to a timer would make a loop of
//! attempts without any pause.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use zokio_task::{JoinHandle, context};
use zokio_time::{Sleep, TimerHandle};

/// The first pause.
const FIRST: Duration = Duration::from_micros(500);

/// The longest pause.
const LONGEST: Duration = Duration::from_millis(32);

/// Pauses that grow.
#[derive(Debug)]
pub(crate) struct BackOff {
    next: Duration,
}

impl BackOff {
    pub(crate) fn new() -> Self {
        Self { next: FIRST }
    }

    /// The next pause.
    ///
    /// # Errors
    /// If the runtime has shut down.
    ///
    /// # Panics
    /// Outside of a runtime.
    #[track_caller]
    pub(crate) fn pause(&mut self) -> io::Result<Pause> {
        let duration = self.next;
        self.next = (duration * 2).min(LONGEST);
        Pause::new(duration)
    }
}

/// Runs `attempt` until it does not say `WouldBlock`, with growing pauses.
///
/// # Errors
/// The errors of `attempt`; or that the runtime has shut down.
///
/// # Cancel safety
/// The future is dropped between two attempts only.
pub(crate) async fn until_possible<R>(mut attempt: impl FnMut() -> io::Result<R>) -> io::Result<R> {
    let mut back_off = BackOff::new();
    loop {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => back_off.pause()?.await?,
            result => return result,
        }
    }
}

/// One pause.
#[derive(Debug)]
pub(crate) enum Pause {
    Timer(Pin<Box<Sleep>>),
    Thread(JoinHandle<()>),
}

impl Pause {
    fn new(duration: Duration) -> io::Result<Self> {
        if has_timers() {
            return Ok(Self::Timer(Box::pin(zokio_time::sleep(duration))));
        }
        // On a thread of the pool, which is there to be blocked.
        #[allow(clippy::disallowed_methods)]
        let sleep = move || zokio_base::sync::thread::sleep(duration);
        zokio_runtime::try_spawn_blocking(sleep).map(Self::Thread)
    }
}

/// Whether a timer can be used here. On a thread that is no worker it could outlive its runtime, and
/// polling it then is a panic.
fn has_timers() -> bool {
    let are_running = context::with_services(|services| {
        let timers = services?.timers()?.downcast_ref::<TimerHandle>()?;
        Some(!timers.clock().is_paused())
    });
    context::worker().is_some() && are_running.ok().flatten() == Some(true)
}

impl Future for Pause {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Timer(sleep) => {
                ready!(sleep.as_mut().poll(cx));
                Poll::Ready(Ok(()))
            }
            // Cancelled: the pool is closed.
            Self::Thread(sleep) => Poll::Ready(
                ready!(Pin::new(sleep).poll(cx)).map_err(|_| zokio_driver::poll::shutdown_error()),
            ),
        }
    }
}
