//! The other side of the tests: a server process, a blocking HTTP/1.1 client, a directory.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The built example. `cargo test` builds it; a test that is run alone builds it here.
fn binary() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let profile = own.parent().and_then(Path::parent).unwrap();
    let binary = profile.join("examples").join("http_server");
    if !binary.exists() {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "-p", "zokio-examples", "--example", "http_server"]);
        if profile.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success());
    }
    binary
}

/// Whether the kernel gives out rings.
pub(crate) fn ring_is_there() -> bool {
    // SAFETY: a ring of one entry with zeroed parameters; the kernel writes to the parameters only,
    // which are larger than it needs, and the descriptor it may return is closed.
    #[cfg(target_os = "linux")]
    #[allow(unsafe_code)]
    unsafe {
        let mut parameters = [0u64; 32];
        let ring = libc::syscall(libc::SYS_io_uring_setup, 1, parameters.as_mut_ptr());
        if ring >= 0 {
            libc::close(ring as libc::c_int);
        }
        ring >= 0
    }
    #[cfg(not(target_os = "linux"))]
    false
}

/// A running server.
pub(crate) struct Server {
    child: Mutex<Child>,
    stderr: Mutex<Option<ChildStderr>>,
    address: SocketAddr,
}

impl Server {
    pub(crate) fn start(root: &TempDir, io: &str) -> Self {
        let mut child = Command::new(binary())
            .args(["--addr", "127.0.0.1:0", "--workers", "2", "--io", io])
            .arg("--root")
            .arg(root.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let address = line
            .trim()
            .strip_prefix("listening on http://")
            .unwrap_or_else(|| panic!("no address from the server: {line:?}"))
            .parse()
            .unwrap();
        Self {
            stderr: Mutex::new(child.stderr.take()),
            child: Mutex::new(child),
            address,
        }
    }

    /// Runs the program to its end: exit code, output, error output.
    pub(crate) fn run_to_end(options: &[&str]) -> (Option<i32>, String, String) {
        let output = Command::new(binary()).args(options).output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client {
            stream: BufReader::new(stream),
        }
    }

    /// Ctrl-C.
    pub(crate) fn interrupt(&self) {
        let id = self.child.lock().unwrap().id();
        // SAFETY: signals a process that was started here and not yet waited for.
        #[allow(unsafe_code)]
        let result = unsafe { libc::kill(id as libc::pid_t, libc::SIGINT) };
        assert_eq!(result, 0);
    }

    /// Waits for the end and returns what it said on stderr.
    pub(crate) fn expect_exit(&self, code: i32) -> String {
        let begin = Instant::now();
        let status = loop {
            if let Some(status) = self.child.lock().unwrap().try_wait().unwrap() {
                break status;
            }
            assert!(begin.elapsed() < PATIENCE, "the server does not end");
            thread::sleep(Duration::from_millis(5));
        };
        let mut said = String::new();
        if let Some(mut stderr) = self.stderr.lock().unwrap().take() {
            stderr.read_to_string(&mut said).unwrap();
        }
        assert_eq!(status.code(), Some(code), "{status}: {said}");
        said
    }

    pub(crate) fn interrupt_and_expect(&self, code: i32) {
        self.interrupt();
        self.expect_exit(code);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Gone already, unless the test has failed.
        let mut child = self
            .child
            .lock()
            .unwrap_or_else(|poison| poison.into_inner());
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let (_, value) = headers.find(|(other, _)| other == name)?;
        Some(value)
    }
}

/// One connection.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.request("GET", path, &[])
    }

    pub(crate) fn post(&mut self, path: &str, body: &[u8]) -> Answer {
        self.request("POST", path, body)
    }

    pub(crate) fn request(&mut self, method: &str, path: &str, body: &[u8]) -> Answer {
        self.send(method, path, body);
        self.receive(method != "HEAD").unwrap()
    }

    /// None if the connection was closed before the answer had begun.
    pub(crate) fn try_get(&mut self, path: &str) -> Option<io::Result<Answer>> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n");
        if self.stream.get_mut().write_all(request.as_bytes()).is_err() {
            return None;
        }
        match self.stream.fill_buf() {
            Ok([]) | Err(_) => None,
            Ok(_) => Some(self.receive(true)),
        }
    }

    pub(crate) fn send(&mut self, method: &str, path: &str, body: &[u8]) {
        let length = body.len();
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n");
        let stream = self.stream.get_mut();
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
    }

    /// Sends and receives at once: a body that comes back as it is sent fills both ways.
    pub(crate) fn exchange(&mut self, path: &str, body: &[u8], is_chunked: bool) -> Answer {
        let mut sender = self.stream.get_ref().try_clone().unwrap();
        let framing = match is_chunked {
            true => "Transfer-Encoding: chunked".to_string(),
            false => format!("Content-Length: {}", body.len()),
        };
        let head = format!("POST {path} HTTP/1.1\r\nHost: test\r\n{framing}\r\n\r\n");
        thread::scope(|scope| {
            scope.spawn(move || {
                sender.write_all(head.as_bytes()).unwrap();
                if !is_chunked {
                    return sender.write_all(body).unwrap();
                }
                for chunk in body.chunks(77_777) {
                    write!(sender, "{:x}\r\n", chunk.len()).unwrap();
                    sender.write_all(chunk).unwrap();
                    sender.write_all(b"\r\n").unwrap();
                }
                sender.write_all(b"0\r\n\r\n").unwrap();
            });
            self.receive(true).unwrap()
        })
    }

    /// Reads one answer, with its body unless it answers a HEAD.
    pub(crate) fn receive(&mut self, with_body: bool) -> io::Result<Answer> {
        let first = self.line()?;
        let status = first
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no status: {first:?}")))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.trim().to_string()));
        }
        let mut answer = Answer {
            status,
            headers,
            body: Vec::new(),
        };
        if !with_body {
            return Ok(answer);
        }
        if answer.header("transfer-encoding") == Some("chunked") {
            self.chunks(&mut answer.body)?;
        } else {
            let length = answer.header("content-length");
            let length = length.and_then(|length| length.parse().ok()).unwrap_or(0);
            answer.body.resize(length, 0);
            self.stream.read_exact(&mut answer.body)?;
        }
        Ok(answer)
    }

    fn chunks(&mut self, body: &mut Vec<u8>) -> io::Result<()> {
        loop {
            let line = self.line()?;
            let length = usize::from_str_radix(&line, 16).map_err(io::Error::other)?;
            let start = body.len();
            body.resize(start + length, 0);
            self.stream.read_exact(&mut body[start..])?;
            self.line()?;
            if length == 0 {
                return Ok(());
            }
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        match line.strip_suffix("\r\n") {
            Some(line) => Ok(line.to_string()),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// A directory that is removed in the end.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("zokio-{name}-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(std::fs::canonicalize(path).unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    pub(crate) fn link(&self, target: impl AsRef<Path>, name: &str) {
        symlink(target, self.0.join(name)).unwrap();
    }

    pub(crate) fn pipe(&self, name: &str) {
        let status = Command::new("mkfifo").arg(self.0.join(name)).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
