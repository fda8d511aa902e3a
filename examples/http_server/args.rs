//! The command line.

use clap::Parser;
use clap::error::ErrorKind;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use zokio::runtime::IoMode;

/// An HTTP/1.1 server on Zokio and hyper.
///
/// Routes: / says hello, /echo sends back what is posted, /files/<path> serves a directory, /metrics
/// shows figures for Prometheus. Ctrl-C lets what is in flight finish, and ends.
#[derive(Debug, Parser)]
#[command(name = "http_server")]
pub(crate) struct Args {
    /// Where to listen. Port 0 takes a free one; the first line of the output tells which.
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub(crate) addr: SocketAddr,

    /// How many worker threads; as many as there are cores unless told otherwise.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) workers: Option<u16>,

    /// How the runtime talks to the kernel: auto takes the ring if there is one, uring fails without
    /// it, epoll never makes one.
    #[arg(long, value_enum, default_value_t = Io::Auto)]
    pub(crate) io: Io,

    /// The directory that /files/ serves.
    #[arg(long, default_value = ".")]
    pub(crate) root: PathBuf,
}

/// The runtime's I/O mode, as an option.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Io {
    Auto,
    Uring,
    Epoll,
}

impl From<Io> for IoMode {
    fn from(io: Io) -> Self {
        match io {
            Io::Auto => IoMode::Auto,
            Io::Uring => IoMode::Uring,
            Io::Epoll => IoMode::Epoll,
        }
    }
}

/// The program cannot start like this; one line that says why.
#[derive(Debug)]
pub(crate) struct Unusable(pub(crate) String);

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads the command line. None if it asked for help, which is then shown.
pub(crate) fn read() -> Result<Option<Args>, Unusable> {
    match Args::try_parse() {
        Ok(args) => Ok(Some(args)),
        Err(error) if error.kind() == ErrorKind::DisplayHelp => {
            print!("{error}");
            Ok(None)
        }
        Err(error) => {
            // The first line says what is wrong; the others are about usage.
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default();
            let line = line.strip_prefix("error: ").unwrap_or(line);
            Err(Unusable(format!("{line} (see --help)")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_has_a_default() {
        let args = Args::try_parse_from(["http_server"]).unwrap();
        assert_eq!(args.addr.port(), 8080);
        assert!(args.workers.is_none());
    }
}
