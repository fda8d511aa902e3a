//! A small program of everything that asks the system for something, for a tracer that has it refused.
//!
//! `cargo xtask faults` runs it many times, and answers one of its system calls, or two, with an error
//! each time. Whatever the system says, each part ends, with a result or with an error; nothing panics but
//! where no thread is to be had, as documented; what is read is what was reported as written; and when the
//! runtime is gone, so are its descriptors.
//!
//! The tracer counts calls between two that ask for the parent's number (`mark`), which nothing else does.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use zokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use zokio::net::{TcpListener, TcpStream, UdpSocket, UnixStream, unix::pipe};
use zokio::runtime::{Builder, Runtime};
use zokio::{fs, process, signal, task, time};

/// Within what every part ends.
const PART_MAX: Duration = Duration::from_secs(4);
/// Within what the runtime's descriptors are gone after its end.
const LEFT_MAX: Duration = Duration::from_secs(3);

/// The message of `spawn_blocking`'s panic if there is no thread and none to be had.
const NO_THREAD: &str = "OS can't spawn worker thread";

/// The message that is printed once nothing is refused any more.
static SAID: Mutex<String> = Mutex::new(String::new());

static PANICS: AtomicUsize = AtomicUsize::new(0);

type Part = (&'static str, fn(&'static Path) -> Running);
type Running = std::pin::Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

macro_rules! parts {
    ($($name:ident),*) => {
        [$((stringify!($name), (|dir| Box::pin($name(dir))) as fn(&'static Path) -> Running)),*]
    };
}

/// Keeps a line for the end: writing it out is a system call, too.
fn say(line: String) {
    let mut said = SAID.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    said.push_str(&line);
    said.push('\n');
}

/// Runs it once, on a runtime of one thread or on one with workers. Says what failed, and fails if
/// anything is wrong.
pub fn run(workers: usize) -> ExitCode {
    std::panic::set_hook(Box::new(|info| {
        say(format!("panic: {info}"));
        if !info.to_string().contains(NO_THREAD) {
            PANICS.fetch_add(1, Ordering::Relaxed);
        }
    }));
    let dir = std::env::temp_dir().join(format!("zokio-faulted-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a directory for temporary files");
    let dir: &'static Path = Box::leak(dir.into_boxed_path());
    let before = descriptors();
    mark();
    let mut is_bad = traced(dir, workers);
    mark();
    // Threads that wait for the kernel outlive the runtime for a moment.
    let since = Instant::now();
    while descriptors().difference(&before).next().is_some() {
        if since.elapsed() > LEFT_MAX {
            say(format!(
                "left open: {:?}",
                descriptors().difference(&before)
            ));
            is_bad = true;
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = std::fs::remove_dir_all(dir);
    let said = SAID.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    print!("{said}");
    match is_bad || PANICS.load(Ordering::Relaxed) > 0 {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}

/// Tells the tracer that what counts begins, or has ended.
fn mark() {
    let _ = std::os::unix::process::parent_id();
}

/// The part that is traced. Returns whether some of it did not end.
fn traced(dir: &'static Path, workers: usize) -> bool {
    let runtime = match workers {
        0 => Builder::new_current_thread().enable_all().build(),
        _ => Builder::new_multi_thread()
            .worker_threads(workers)
            .enable_all()
            .build(),
    };
    match runtime {
        Ok(runtime) => drive(&runtime, dir),
        Err(error) => {
            say(format!("no runtime: {error}"));
            false
        }
    }
}

fn drive(runtime: &Runtime, dir: &'static Path) -> bool {
    let parts: [Part; 8] = parts![files, directories, tcp, udp, unix, pipes, children, signals];
    let mut hangs = false;
    for (name, part) in parts {
        let ended = runtime.block_on(async {
            // On a worker, and with a timer beside it.
            time::timeout(PART_MAX, task::spawn(part(dir))).await
        });
        match ended {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => say(format!("{name}: {error}")),
            Ok(Err(error)) => say(format!("{name}: {error}")),
            Err(_) => {
                say(format!("{name}: does not end"));
                hangs = true;
            }
        }
    }
    hangs
}

fn descriptors() -> BTreeSet<String> {
    let names = std::fs::read_dir("/proc/self/fd").expect("Linux has it");
    let names: Vec<_> = names.flatten().map(|entry| entry.path()).collect();
    // The one that listed them is closed by now.
    let open = names.iter().filter_map(|path| {
        let what = std::fs::read_link(path).ok()?;
        Some(format!("{} {}", path.display(), what.display()))
    });
    open.collect()
}

async fn files(dir: &'static Path) -> io::Result<()> {
    let path = dir.join("file");
    let mut file = fs::File::create(&path).await?;
    file.write_all(b"hello").await?;
    file.flush().await?;
    file.sync_all().await?;
    file.sync_data().await?;
    file.set_len(3).await?;
    drop(file);
    let mut file = fs::OpenOptions::new().append(true).open(&path).await?;
    file.write_all(&[7; 70_000]).await?;
    file.flush().await?;
    drop(file);
    let mut file = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .await?;
    file.seek(io::SeekFrom::Start(1)).await?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).await?;
    let mut expected = vec![7; 70_003];
    expected[..3].copy_from_slice(b"hel");
    assert!(bytes == expected[1..], "the bytes that were written");
    let copy = file.try_clone().await?;
    let (read, _) = copy.read_at(Vec::with_capacity(100), 5).await;
    read?;
    file.metadata().await?;
    drop((file, copy));
    assert!(fs::read(&path).await? == expected, "the bytes of the file");
    fs::write(dir.join("other"), b"others").await?;
    assert_eq!(fs::read(dir.join("other")).await?, b"others");
    fs::copy(&path, dir.join("copy")).await?;
    assert!(fs::read(dir.join("copy")).await? == expected, "the copy");
    Ok(())
}

async fn directories(dir: &'static Path) -> io::Result<()> {
    let sub = dir.join("sub");
    fs::create_dir_all(sub.join("deep")).await?;
    fs::write(sub.join("a"), b"a").await?;
    fs::rename(sub.join("a"), sub.join("b")).await?;
    fs::hard_link(sub.join("b"), sub.join("c")).await?;
    fs::symlink(sub.join("b"), sub.join("d")).await?;
    fs::read_link(sub.join("d")).await?;
    fs::canonicalize(sub.join("d")).await?;
    fs::metadata(sub.join("b")).await?;
    let mut entries = fs::read_dir(&sub).await?;
    while entries.next_entry().await?.is_some() {}
    fs::remove_file(sub.join("c")).await?;
    fs::remove_dir_all(&sub).await
}

async fn tcp(_: &'static Path) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = task::spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        let mut bytes = vec![0; 1 << 16];
        loop {
            let read = stream.read(&mut bytes).await?;
            if read == 0 {
                return stream.shutdown().await;
            }
            stream.write_all(&bytes[..read]).await?;
        }
    });
    // The end of one side, for whatever reason, ends the other.
    let client = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        for len in [1, 1000, 30_000] {
            stream.write_all(&vec![7; len]).await?;
            let mut back = vec![0; len];
            stream.read_exact(&mut back).await?;
            assert!(back.iter().all(|&byte| byte == 7), "others' bytes");
        }
        stream.shutdown().await?;
        stream.read_to_end(&mut Vec::new()).await.map(drop)
    };
    let result = client.await;
    // A client that failed early leaves a server that may never see anybody.
    if result.is_err() {
        server.abort();
    }
    result.and(
        server
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error))),
    )
}

async fn udp(_: &'static Path) -> io::Result<()> {
    let (one, other) = (
        UdpSocket::bind("127.0.0.1:0").await?,
        UdpSocket::bind("127.0.0.1:0").await?,
    );
    one.connect(other.local_addr()?).await?;
    one.send(b"hello").await?;
    let mut bytes = [0; 16];
    let (_, from) = other.recv_from(&mut bytes).await?;
    other.send_to(b"back", from).await?;
    one.recv(&mut bytes).await.map(drop)
}

async fn unix(_: &'static Path) -> io::Result<()> {
    let (mut one, mut other) = UnixStream::pair()?;
    one.write_all(b"hello").await?;
    one.shutdown().await?;
    let mut heard = Vec::new();
    other.read_to_end(&mut heard).await?;
    assert_eq!(heard, b"hello");
    Ok(())
}

async fn pipes(_: &'static Path) -> io::Result<()> {
    let (mut sender, mut receiver) = pipe::pipe()?;
    let writer = task::spawn(async move { sender.write_all(&[7; 100_000]).await });
    let mut bytes = Vec::new();
    let read = receiver.read_to_end(&mut bytes).await;
    drop(receiver);
    let written = writer
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)));
    read?;
    written?;
    assert!(bytes == [7; 100_000], "the bytes of the pipe");
    Ok(())
}

async fn children(_: &'static Path) -> io::Result<()> {
    let mut child = process::Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(b"hello").await?;
    }
    if let Some(mut output) = child.stdout.take() {
        output.read_to_end(&mut Vec::new()).await?;
    }
    child.wait().await?;
    let output = process::Command::new("true").output().await?;
    say(format!("true: {}", output.status.success()));
    let mut sleeper = process::Command::new("sleep")
        .arg("5")
        .kill_on_drop(true)
        .spawn()?;
    sleeper.kill().await
}

async fn signals(_: &'static Path) -> io::Result<()> {
    let mut hup = signal::unix::signal(signal::unix::SignalKind::window_change())?;
    let id = std::process::id().to_string();
    process::Command::new("kill")
        .args(["-s", "WINCH", &id])
        .status()
        .await?;
    // The sender may have failed.
    let _ = time::timeout(Duration::from_millis(300), hup.recv()).await;
    // Also less than a millisecond, which takes a finer wait.
    time::sleep(Duration::from_millis(2)).await;
    time::sleep(Duration::from_micros(300)).await;
    task::spawn_blocking(|| ()).await.map_err(io::Error::other)
}
