//! [`Child`]: a process that was started.

use super::imp::Process;
use super::{ChildStderr, ChildStdin, ChildStdout};
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::process::{Child as StdChild, ExitStatus, Output};
use std::task::ready;
use zokio_driver::DriverHandle;
use zokio_io::{AsyncRead, AsyncReadExt};

/// A process that was started. Made by [`Command::spawn`](super::Command::spawn).
///
/// Dropping it leaves the process alone, unless
/// [`kill_on_drop`](super::Command::kill_on_drop) says otherwise.
pub struct Child {
    reaper: Reaper,

    /// Writes to the process's standard input, if that is a pipe.
    ///
    /// Take it out to use it beside the child; dropping it is the end of the process's input.
    pub stdin: Option<ChildStdin>,

    /// Reads from the process's standard output, if that is a pipe.
    pub stdout: Option<ChildStdout>,

    /// Reads from the process's standard error, if that is a pipe.
    pub stderr: Option<ChildStderr>,
}

/// Sees to it that the process is reaped. Apart from [`Child`], whose pipes can be moved out because
/// it has no `Drop` of its own.
struct Reaper {
    state: State,
    kill_on_drop: bool,
}

enum State {
    /// It was not waited for yet, whether it has ended or not.
    Unreaped(Process),
    Reaped(ExitStatus),
}

impl Child {
    pub(super) fn new(
        mut std: StdChild,
        kill_on_drop: bool,
        driver: DriverHandle,
    ) -> io::Result<Child> {
        let (stdin, stdout, stderr) = (std.stdin.take(), std.stdout.take(), std.stderr.take());
        // If anything fails from here on, there is no child, and no process either.
        let mut child = Child {
            reaper: Reaper {
                state: State::Unreaped(Process::new(std, driver.clone())?),
                kill_on_drop: true,
            },
            stdin: None,
            stdout: None,
            stderr: None,
        };
        child.stdin = stdin
            .map(|pipe| ChildStdin::with_driver(pipe, driver.clone()))
            .transpose()?;
        child.stdout = stdout
            .map(|pipe| ChildStdout::with_driver(pipe, driver.clone()))
            .transpose()?;
        child.stderr = stderr
            .map(|pipe| ChildStderr::with_driver(pipe, driver))
            .transpose()?;
        child.reaper.kill_on_drop = kill_on_drop;
        Ok(child)
    }

    /// The system's number of the process. `None` once it was waited for: the number may be
    /// another's then.
    pub fn id(&self) -> Option<u32> {
        match &self.reaper.state {
            State::Unreaped(process) => Some(process.id()),
            State::Reaped(_) => None,
        }
    }

    /// The system's handle of the process. `None` once it was waited for.
    #[cfg(windows)]
    pub fn raw_handle(&self) -> Option<std::os::windows::io::RawHandle> {
        match &self.reaper.state {
            State::Unreaped(process) => Some(process.raw_handle()),
            State::Reaped(_) => None,
        }
    }

    /// Has the system kill the process (on unix by `SIGKILL`), and does not wait until it is dead.
    ///
    /// Somebody has to wait for it, or drop the child: see [Zombies](crate::process#zombies).
    ///
    /// # Errors
    /// The errors of `kill` (on Windows of `TerminateProcess`): `PermissionDenied` if the program has
    /// become another user's. None if the process has ended already.
    pub fn start_kill(&mut self) -> io::Result<()> {
        match &mut self.reaper.state {
            State::Unreaped(process) => process.kill(),
            State::Reaped(_) => Ok(()),
        }
    }

    /// Kills the process and waits until it is gone.
    ///
    /// # Errors
    /// As [`start_kill`](Self::start_kill) and [`wait`](Self::wait).
    ///
    /// # Cancel safety
    /// The process is killed by the first poll; the rest is [`wait`](Self::wait).
    ///
    /// # Examples
    /// ```no_run
    /// # async fn demo() -> std::io::Result<()> {
    /// let mut child = zokio::process::Command::new("sleep").arg("1000").spawn()?;
    /// child.kill().await?;
    /// # Ok(()) }
    /// ```
    pub async fn kill(&mut self) -> io::Result<()> {
        self.start_kill()?;
        self.wait().await?;
        Ok(())
    }

    /// Waits until the process has ended. After that, returns the same again.
    ///
    /// Closes [`stdin`](Self::stdin) first: a process that waits for the end of its input would not
    /// end otherwise. Take it out to keep it open.
    ///
    /// # Errors
    /// The errors of `waitpid` (on Windows of `GetExitCodeProcess`): an error without a kind (`ECHILD`) if
    /// other code of this program has reaped the process; or that the runtime has shut down.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing: wait again. (`stdin` is closed all the same.)
    ///
    /// # Examples
    /// ```no_run
    /// # async fn demo() -> std::io::Result<()> {
    /// let mut child = zokio::process::Command::new("true").spawn()?;
    /// assert!(child.wait().await?.success());
    /// # Ok(()) }
    /// ```
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        poll_fn(|cx| {
            let status = match &mut self.reaper.state {
                State::Unreaped(process) => ready!(process.poll_wait(cx))?,
                State::Reaped(status) => *status,
            };
            self.reaper.state = State::Reaped(status);
            std::task::Poll::Ready(Ok(status))
        })
        .await
    }

    /// The process's status if it has ended, without waiting; leaves `stdin` alone.
    ///
    /// # Errors
    /// The errors of `waitpid` (on Windows of `GetExitCodeProcess`): an error without a kind (`ECHILD`) if
    /// other code of this program has reaped the process.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        let status = match &mut self.reaper.state {
            State::Unreaped(process) => process.try_wait()?,
            State::Reaped(status) => Some(*status),
        };
        if let Some(status) = status {
            self.reaper.state = State::Reaped(status);
        }
        Ok(status)
    }

    /// Waits until the process has ended, and collects what it writes to the pipes that are still
    /// here.
    ///
    /// Closes [`stdin`](Self::stdin) first.
    ///
    /// # Errors
    /// As [`wait`](Self::wait), and what reading from the pipes gives.
    ///
    /// # Cancel safety
    /// Dropping the future is dropping the child; what was read is lost.
    ///
    /// # Examples
    /// ```no_run
    /// use std::process::Stdio;
    ///
    /// # async fn demo() -> std::io::Result<()> {
    /// let child = zokio::process::Command::new("ls").stdout(Stdio::piped()).spawn()?;
    /// let output = child.wait_with_output().await?;
    /// println!("{} bytes", output.stdout.len());
    /// # Ok(()) }
    /// ```
    pub async fn wait_with_output(mut self) -> io::Result<Output> {
        let mut stdout = self.stdout.take();
        let mut stderr = self.stderr.take();
        let (status, stdout, stderr) =
            zokio::try_join!(self.wait(), collect(&mut stdout), collect(&mut stderr))?;
        Ok(Output {
            status,
            stdout,
            stderr,
        })
    }
}

/// Reads a pipe to its end, if there is one.
async fn collect<R: AsyncRead + Unpin>(pipe: &mut Option<R>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

impl Drop for Reaper {
    fn drop(&mut self) {
        let State::Unreaped(process) = &mut self.state else {
            return;
        };
        if self.kill_on_drop {
            // A process that cannot be killed has ended, or is not ours to kill any more.
            let _ = process.kill();
        }
        process.abandon();
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Child");
        match &self.reaper.state {
            State::Unreaped(process) => debug.field("id", &process.id()),
            State::Reaped(status) => debug.field("status", status),
        };
        debug
            .field("kill_on_drop", &self.reaper.kill_on_drop)
            .field("stdin", &self.stdin)
            .field("stdout", &self.stdout)
            .field("stderr", &self.stderr)
            .finish()
    }
}
