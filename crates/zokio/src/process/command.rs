//! [`Command`]: what to start, and how.

use super::Child;
use crate::io_driver::driver;
use std::ffi::OsStr;
use std::future::Future;
use std::io;
use std::path::Path;
use std::process::{Child as StdChild, Command as StdCommand, ExitStatus, Output, Stdio};

/// A process to be started: [`std::process::Command`], whose children can be awaited.
///
/// # Examples
/// ```no_run
/// use zokio::process::Command;
///
/// # async fn demo() -> std::io::Result<()> {
/// let status = Command::new("ls").arg("-l").current_dir("/").status().await?;
/// println!("{status}");
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Command {
    std: StdCommand,
    kill_on_drop: bool,
}

impl Command {
    /// A command that runs `program`, which is looked for in `PATH` unless it is a path; with no
    /// arguments, and with environment, directory and standard streams of this process.
    pub fn new<S: AsRef<OsStr>>(program: S) -> Command {
        StdCommand::new(program).into()
    }

    /// The standard library's command in here.
    pub fn as_std(&self) -> &StdCommand {
        &self.std
    }

    /// The standard library's command in here, for settings that this type lacks.
    pub fn as_std_mut(&mut self) -> &mut StdCommand {
        &mut self.std
    }

    /// Takes the standard library's command out. What [`kill_on_drop`](Self::kill_on_drop) said is
    /// lost.
    pub fn into_std(self) -> StdCommand {
        self.std
    }

    /// Adds an argument. No shell sees it: it needs no quotes.
    pub fn arg<S: AsRef<OsStr>>(&mut self, arg: S) -> &mut Command {
        self.std.arg(arg);
        self
    }

    /// Adds arguments.
    pub fn args<I, S>(&mut self, args: I) -> &mut Command
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        self.std.args(args);
        self
    }

    /// Sets a variable of the environment.
    pub fn env<K, V>(&mut self, key: K, val: V) -> &mut Command
    where
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        self.std.env(key, val);
        self
    }

    /// Sets variables of the environment.
    pub fn envs<I, K, V>(&mut self, vars: I) -> &mut Command
    where
        I: IntoIterator<Item = (K, V)>,
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        self.std.envs(vars);
        self
    }

    /// Keeps a variable of the environment from being inherited.
    pub fn env_remove<K: AsRef<OsStr>>(&mut self, key: K) -> &mut Command {
        self.std.env_remove(key);
        self
    }

    /// Keeps the whole environment from being inherited.
    pub fn env_clear(&mut self) -> &mut Command {
        self.std.env_clear();
        self
    }

    /// Sets the directory that the process starts in.
    pub fn current_dir<P: AsRef<Path>>(&mut self, dir: P) -> &mut Command {
        self.std.current_dir(dir);
        self
    }

    /// Sets the process's standard input. Inherited unless set.
    pub fn stdin<T: Into<Stdio>>(&mut self, cfg: T) -> &mut Command {
        self.std.stdin(cfg);
        self
    }

    /// Sets the process's standard output. Inherited unless set; a pipe for [`output`](Self::output).
    pub fn stdout<T: Into<Stdio>>(&mut self, cfg: T) -> &mut Command {
        self.std.stdout(cfg);
        self
    }

    /// Sets the process's standard error. Inherited unless set; a pipe for [`output`](Self::output).
    pub fn stderr<T: Into<Stdio>>(&mut self, cfg: T) -> &mut Command {
        self.std.stderr(cfg);
        self
    }

    /// Says whether a [`Child`] that is dropped before its process has ended kills it. `false` unless
    /// set.
    ///
    /// The process is dead soon after, and its entry in the system's table goes away by itself; see
    /// [Zombies](crate::process#zombies). To be sure when, [`kill`](Child::kill) it.
    pub fn kill_on_drop(&mut self, kill_on_drop: bool) -> &mut Command {
        self.kill_on_drop = kill_on_drop;
        self
    }

    /// The setting of [`kill_on_drop`](Self::kill_on_drop).
    pub fn get_kill_on_drop(&self) -> bool {
        self.kill_on_drop
    }

    /// Starts the process. Standard streams are inherited unless set.
    ///
    /// # Errors
    /// If the process cannot be started; `NotFound` if there is no such program. There is no process
    /// then.
    ///
    /// # Panics
    /// Outside of a runtime, or if the runtime has no I/O.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn demo() -> std::io::Result<()> {
    /// let mut child = zokio::process::Command::new("sleep").arg("1").spawn()?;
    /// println!("{}", child.wait().await?);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn spawn(&mut self) -> io::Result<Child> {
        self.spawn_with(StdCommand::spawn)
    }

    /// As [`spawn`](Self::spawn), by a function that starts the process: for ways to do so that the
    /// standard library has and this type has not.
    ///
    /// # Errors
    /// The errors of the function; and as [`spawn`](Self::spawn).
    ///
    /// # Panics
    /// As [`spawn`](Self::spawn).
    #[track_caller]
    pub fn spawn_with(
        &mut self,
        with: impl FnOnce(&mut StdCommand) -> io::Result<StdChild>,
    ) -> io::Result<Child> {
        // First of all, as without a runtime nothing may be started.
        let driver = driver();
        if driver.is_shutdown() {
            // Nobody would watch it.
            return Err(zokio_driver::poll::shutdown_error());
        }
        super::imp::before_spawn();
        Child::new(with(&mut self.std)?, self.kill_on_drop, driver)
    }

    /// Starts the process and waits for its end. Standard streams are inherited unless set; pipes
    /// are closed at once.
    ///
    /// The process is started by this call, not by the first poll.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn) and [`Child::wait`].
    ///
    /// # Panics
    /// As [`spawn`](Self::spawn).
    ///
    /// # Cancel safety
    /// Dropping the future is dropping a [`Child`]: the process goes on, or is killed if
    /// [`kill_on_drop`](Self::kill_on_drop) is set.
    #[track_caller]
    pub fn status(&mut self) -> impl Future<Output = io::Result<ExitStatus>> + use<> {
        let child = self.spawn();
        async {
            let mut child = child?;
            // Held open, they could keep the process from ending.
            drop((child.stdin.take(), child.stdout.take(), child.stderr.take()));
            child.wait().await
        }
    }

    /// Starts the process and collects what it writes. Standard output and error become pipes,
    /// whatever was set; standard input is inherited unless set.
    ///
    /// The process is started by this call, not by the first poll.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn) and [`Child::wait_with_output`].
    ///
    /// # Panics
    /// As [`spawn`](Self::spawn).
    ///
    /// # Cancel safety
    /// Dropping the future is dropping a [`Child`]: the process goes on, or is killed if
    /// [`kill_on_drop`](Self::kill_on_drop) is set. What it wrote is lost.
    ///
    /// # Examples
    /// ```no_run
    /// # async fn demo() -> std::io::Result<()> {
    /// let output = zokio::process::Command::new("date").output().await?;
    /// println!("{}", String::from_utf8_lossy(&output.stdout));
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn output(&mut self) -> impl Future<Output = io::Result<Output>> + use<> {
        self.std.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = self.spawn();
        async { child?.wait_with_output().await }
    }
}

/// Settings that only unix has.
#[cfg(unix)]
impl Command {
    /// Sets what the process sees as its own name, its argument 0.
    pub fn arg0<S: AsRef<OsStr>>(&mut self, arg: S) -> &mut Command {
        std::os::unix::process::CommandExt::arg0(&mut self.std, arg);
        self
    }

    /// Sets the user that the process runs as.
    pub fn uid(&mut self, id: u32) -> &mut Command {
        std::os::unix::process::CommandExt::uid(&mut self.std, id);
        self
    }

    /// Sets the group that the process runs as.
    pub fn gid(&mut self, id: u32) -> &mut Command {
        std::os::unix::process::CommandExt::gid(&mut self.std, id);
        self
    }

    /// Puts the process into a process group; 0 makes a new one with the process's own id.
    pub fn process_group(&mut self, pgroup: i32) -> &mut Command {
        std::os::unix::process::CommandExt::process_group(&mut self.std, pgroup);
        self
    }

    /// Has the new process run a closure just before it becomes the program.
    ///
    /// # Safety
    /// The closure runs between `fork` and `exec`, in a copy of this process with one thread, where
    /// little is allowed: no allocation, and no lock that another thread might have held. See
    /// [`pre_exec`](std::os::unix::process::CommandExt::pre_exec) of the standard library.
    #[allow(unsafe_code)] // Passes the promise on.
    pub unsafe fn pre_exec<F>(&mut self, f: F) -> &mut Command
    where
        F: FnMut() -> io::Result<()> + Send + Sync + 'static,
    {
        // SAFETY: the caller promises what the standard library asks for.
        unsafe { std::os::unix::process::CommandExt::pre_exec(&mut self.std, f) };
        self
    }
}

/// Settings that only Windows has.
#[cfg(windows)]
impl Command {
    /// Sets the [flags](https://learn.microsoft.com/windows/win32/procthread/process-creation-flags)
    /// that the process is created with.
    pub fn creation_flags(&mut self, flags: u32) -> &mut Command {
        std::os::windows::process::CommandExt::creation_flags(&mut self.std, flags);
        self
    }

    /// Adds text to the command line as it is, without quoting or escaping it.
    pub fn raw_arg<S: AsRef<OsStr>>(&mut self, text_to_append_as_is: S) -> &mut Command {
        std::os::windows::process::CommandExt::raw_arg(&mut self.std, text_to_append_as_is);
        self
    }
}

/// Children of it are not killed when they are dropped, unless set.
impl From<StdCommand> for Command {
    fn from(std: StdCommand) -> Command {
        Command {
            std,
            kill_on_drop: false,
        }
    }
}
