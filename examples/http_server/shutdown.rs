//! From Ctrl-C to the end of the last response.
//!
//! 1. The accept loop ends and the listener is closed.
//! 2. [`Drain::finish`] tells every connection, through its [`Stop`], to end after its current
//!    request; idle ones end at once.
//! 3. Each connection holds a [`Stop`] while it lives; the last one to go ends the wait. It also ends
//!    after [`GRACE`], or with a second Ctrl-C.

use std::io;
use std::time::Duration;
use zokio::sync::watch;

/// How long connections may take to finish.
pub(crate) const GRACE: Duration = Duration::from_secs(30);

/// Ctrl-C, again and again.
pub(crate) struct Interrupts {
    #[cfg(unix)]
    signal: zokio::signal::unix::Signal,
}

impl Interrupts {
    /// From here on Ctrl-C no longer ends the process by itself.
    #[cfg(unix)]
    pub(crate) fn listen() -> io::Result<Self> {
        use zokio::signal::unix::{SignalKind, signal};
        let signal = signal(SignalKind::interrupt())?;
        Ok(Self { signal })
    }

    /// From the first wait on Ctrl-C no longer ends the process by itself.
    #[cfg(not(unix))]
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Waits for the next one.
    #[cfg(unix)]
    pub(crate) async fn next(&mut self) {
        self.signal.recv().await;
    }

    /// Waits for the next one.
    #[cfg(not(unix))]
    pub(crate) async fn next(&mut self) {
        if zokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}

/// Tells connections to end, and waits until they have.
pub(crate) struct Drain {
    stop: watch::Sender<bool>,
}

/// How it ended.
pub(crate) enum Outcome {
    Finished,
    CutOff(&'static str),
}

impl Drain {
    pub(crate) fn new() -> Self {
        let (stop, _) = watch::channel(false);
        Self { stop }
    }

    /// For one connection, to be kept while it lives.
    pub(crate) fn stop(&self) -> Stop {
        Stop {
            receiver: self.stop.subscribe(),
        }
    }

    /// Has every connection end, and waits for them.
    pub(crate) async fn finish(self, interrupts: &mut Interrupts) -> Outcome {
        self.stop.send_replace(true);
        zokio::select! {
            () = self.stop.closed() => Outcome::Finished,
            () = zokio::time::sleep(GRACE) => Outcome::CutOff("not finished after 30 s"),
            () = interrupts.next() => Outcome::CutOff("interrupted again"),
        }
    }
}

/// A connection's view of the shutdown.
pub(crate) struct Stop {
    receiver: watch::Receiver<bool>,
}

impl Stop {
    /// Waits until connections are to end.
    pub(crate) async fn requested(&mut self) {
        // The sender outlives the connections, unless everything is being dropped anyway.
        let _ = self.receiver.wait_for(|stop| *stop).await;
    }
}
