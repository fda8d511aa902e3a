//! The soak: a mixed load for as long as one likes, during which nothing may grow.
//!
//! How it works: families of tasks go round after round, each round with an end at which all that
//! it made is gone. From time to time all of them stop at a gate; when everything is quiet, memory and
//! descriptors are counted, and the gate opens again. The first part of the time is for filling
//! caches and pools. The samples after it must be flat:
//!
//! 1. There are never more descriptors than at the first sample that counts.
//! 2. Memory in use does not grow: the mean of the last third is not above that of the first
//!    third by more than [`GROWTH_MAX`].
//! 3. At each sample, no operation is in flight, no task is alive but those of the soak, every
//!    registration but the soak's own is undone.
//! 4. Each family makes progress between two samples.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use zokio::io::{AsyncReadExt, AsyncWriteExt};
use zokio::net::{TcpListener, TcpStream, UdpSocket, UnixStream};
use zokio::process::Command;
use zokio::runtime::{Builder, Handle, IoMode};
use zokio::sync::{Barrier, mpsc};
use zokio::task::{JoinSet, spawn_blocking, yield_now};
use zokio::time::{sleep, timeout};

use crate::storm::Choices;

/// The growth that memory may have, in bytes: an allocator keeps as much for a thread more or less.
pub const GROWTH_MAX: u64 = 4 * 1024 * 1024;

/// How many threads there are for what blocks: few, so that all are there soon.
const BLOCKING_THREADS: usize = 4;

/// How long one sample may take to become quiet.
const QUIET_LIMIT: Duration = Duration::from_secs(30);

/// The run's settings.
#[derive(Debug, Clone, Copy)]
pub struct Soak {
    /// Where the choices come from.
    pub seed: u64,
    /// How long it goes on.
    pub time: Duration,
    /// How many samples are taken on the way.
    pub samples: u32,
    /// Which planes the runtime uses.
    pub mode: IoMode,
}

/// The counts at one moment at which everything was quiet.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// When, since the beginning.
    pub at: Duration,
    /// Memory of the process that is not shared with files.
    pub bytes: u64,
    /// Open descriptors, but for rings, of which each worker makes one when it needs it.
    pub descriptors: usize,
    /// Threads.
    pub threads: usize,
    /// Rounds that the families have gone since the last sample.
    pub rounds: u64,
}

/// A family: what it is called, and how often it went round.
struct Family {
    name: &'static str,
    rounds: AtomicU64,
}

/// The state that all families share.
struct Shared {
    /// Raised when all are to stop at the gate.
    stops: AtomicUsize,
    /// Where families and the sampler meet: once to stop, once to go on.
    gate: Barrier,
    families: Vec<Family>,
}

/// Runs the soak and checks it. Returns the samples.
///
/// # Panics
/// If something grew, or stood still.
pub fn soak(options: Soak) -> Vec<Sample> {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).io_mode(options.mode).enable_all();
    // Threads that come and go, and one more each time the machine is busier than ever, would look
    // like memory that does.
    builder
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_keep_alive(Duration::from_secs(24 * 3600));
    let runtime = builder.build().expect("a runtime can be built");
    let samples = runtime.block_on(run(options));
    drop(runtime);
    check(&samples);
    samples
}

/// One turn of a family.
type Round = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// Makes one, out of choices.
type Maker = fn(Choices) -> Round;

async fn run(options: Soak) -> Vec<Sample> {
    let makers: [(&'static str, Maker); 7] = [
        ("connections", |choices| Box::pin(connections(choices))),
        ("unix", |choices| Box::pin(unix(choices))),
        ("datagrams", |choices| Box::pin(datagrams(choices))),
        ("files", |choices| Box::pin(files(choices))),
        ("timers", |choices| Box::pin(timers(choices))),
        ("tasks", |choices| Box::pin(tasks(choices))),
        ("processes", |choices| Box::pin(processes(choices))),
    ];
    let shared = Arc::new(Shared {
        stops: AtomicUsize::new(0),
        gate: Barrier::new(makers.len() + 1),
        families: makers
            .iter()
            .map(|(name, _)| Family {
                name,
                rounds: AtomicU64::new(0),
            })
            .collect(),
    });
    let mut choices = Choices::new(options.seed);
    let mut families = JoinSet::new();
    for (index, (_, make)) in makers.into_iter().enumerate() {
        families.spawn(go_round(shared.clone(), index, make, choices.fork()));
    }
    let begun = Instant::now();
    let mut samples = Vec::new();
    for number in 1..=options.samples {
        let next = options.time * number / options.samples;
        sleep(next.saturating_sub(begun.elapsed())).await;
        shared.stops.fetch_add(1, SeqCst);
        shared.gate.wait().await;
        let most = samples.get(first_counted(options.samples as usize));
        let most = most.map_or(usize::MAX, |it: &Sample| it.descriptors);
        let sample = sample(&shared, begun, most).await;
        println!("{sample:?}");
        samples.push(sample);
        shared.gate.wait().await;
    }
    families.abort_all();
    while let Some(ended) = families.join_next().await {
        let error = ended.expect_err("families do not end by themselves");
        assert!(error.is_cancelled(), "{error}");
    }
    samples
}

/// Goes round after round, and stops at the gate in between when asked.
async fn go_round(shared: Arc<Shared>, index: usize, make: Maker, mut choices: Choices) {
    let mut stopped = 0;
    loop {
        if shared.stops.load(SeqCst) != stopped {
            stopped += 1;
            shared.gate.wait().await;
            shared.gate.wait().await;
        }
        let round = timeout(Duration::from_secs(60), make(choices.fork()));
        let name = shared.families[index].name;
        assert!(round.await.is_ok(), "{name}: a round does not end");
        shared.families[index].rounds.fetch_add(1, SeqCst);
    }
}

/// The first sample that counts: those before are of what is made once.
fn first_counted(samples: usize) -> usize {
    samples / 3
}

/// Open descriptors of this process, but for `rings`.
fn descriptors(rings: u64) -> usize {
    let entries = std::fs::read_dir("/proc/self/fd").expect("descriptors can be listed");
    entries.count() - 1 - rings as usize
}

/// Waits until everything is quiet, with not more than `most` descriptors if that comes about, and
/// counts.
async fn sample(shared: &Shared, begun: Instant, most: usize) -> Sample {
    let metrics = Handle::current().metrics();
    let stopped = Instant::now();
    loop {
        let (driver, operations) = (metrics.driver(), metrics.operations());
        // Signals have a socket of their own once a process was waited for.
        let registered = driver.registered - driver.deregistered;
        let tasks = metrics.num_alive_tasks();
        let is_quiet = operations.in_flight == 0
            && metrics.blocking_queue_depth() == 0
            && registered <= 1
            && tasks <= shared.families.len();
        if is_quiet {
            break;
        }
        assert!(
            stopped.elapsed() < QUIET_LIMIT,
            "{tasks} tasks, {driver:?}, {operations:?}"
        );
        sleep(Duration::from_millis(5)).await;
    }
    // A ring that a thread is about to close is closed a little later.
    let rings = || metrics.operations().rings;
    sleep(Duration::from_millis(20)).await;
    while descriptors(rings()) > most && stopped.elapsed() < QUIET_LIMIT {
        sleep(Duration::from_millis(5)).await;
    }
    let mut rounds = 0;
    for family in &shared.families {
        let count = family.rounds.swap(0, SeqCst);
        assert!(count > 0, "{} stands still", family.name);
        rounds += count;
    }
    let (bytes, threads) = memory_and_threads();
    Sample {
        at: begun.elapsed(),
        bytes,
        descriptors: descriptors(rings()),
        threads,
        rounds,
    }
}

/// The system's figures for this process.
fn memory_and_threads() -> (u64, usize) {
    let status = std::fs::read_to_string("/proc/self/status").expect("the system says");
    let number = |name: &str| -> u64 {
        let line = status.lines().find(|line| line.starts_with(name));
        let word = line.and_then(|line| line.split_whitespace().nth(1));
        word.and_then(|word| word.parse().ok()).expect(name)
    };
    (number("RssAnon:") * 1024, number("Threads:") as usize)
}

/// Holds the samples against invariants 1 and 2.
fn check(samples: &[Sample]) {
    let counted = &samples[first_counted(samples.len())..];
    assert!(counted.len() >= 3, "too few samples");
    let first = counted[0];
    for sample in counted {
        assert!(
            sample.descriptors <= first.descriptors,
            "descriptors grew from {first:?} to {sample:?}"
        );
    }
    let third = counted.len() / 3;
    let mean = |part: &[Sample]| part.iter().map(|it| it.bytes).sum::<u64>() / part.len() as u64;
    let (early, late) = (
        mean(&counted[..third]),
        mean(&counted[counted.len() - third..]),
    );
    assert!(
        late <= early + GROWTH_MAX,
        "memory grew from {early} to {late} bytes: {counted:#?}"
    );
    println!("memory {early} bytes early, {late} bytes late; {first:?}");
}

/// Bytes that nobody would guess.
fn bytes(choices: &mut Choices, max: u64) -> Vec<u8> {
    let len = 1 + choices.below(max);
    (0..len).map(|_| choices.next() as u8).collect()
}

/// Clients come, talk and go; some hang up in the middle.
async fn connections(mut choices: Choices) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let count = 1 + choices.below(16);
    let server = zokio::spawn(async move {
        let mut sessions = JoinSet::new();
        for _ in 0..count {
            let (mut stream, _) = listener.accept().await.expect("they come");
            sessions.spawn(async move {
                let (mut read, mut write) = stream.split();
                // The other side may have hung up.
                let _ = zokio::io::copy(&mut read, &mut write).await;
            });
        }
        while sessions.join_next().await.is_some() {}
    });
    let mut clients = JoinSet::new();
    for _ in 0..count {
        let mut choices = choices.fork();
        clients.spawn(async move {
            let mut stream = TcpStream::connect(address).await.expect("it listens");
            for _ in 0..choices.below(4) {
                let sent = bytes(&mut choices, 8_000);
                stream.write_all(&sent).await.expect("it reads");
                if choices.below(8) == 0 {
                    return;
                }
                let mut back = vec![0; sent.len()];
                stream.read_exact(&mut back).await.expect("it answers");
                assert!(back == sent, "what was sent comes back");
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.expect("no client fails");
    }
    server.await.expect("the server ends");
}

async fn unix(mut choices: Choices) {
    let (mut near, mut far) = UnixStream::pair().expect("a pair");
    let sent = bytes(&mut choices, 500_000);
    let expected = sent.clone();
    let writer = zokio::spawn(async move {
        near.write_all(&sent).await.expect("it is read");
        near.shutdown().await.expect("it can be ended");
    });
    let mut came = Vec::new();
    far.read_to_end(&mut came).await.expect("it ends");
    assert!(came == expected, "what was sent comes");
    writer.await.expect("the writer ends");
}

async fn datagrams(mut choices: Choices) {
    let one = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let other = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let to = other.local_addr().expect("it is bound");
    for _ in 0..8 {
        let sent = bytes(&mut choices, 1_400);
        one.send_to(&sent, to).await.expect("it fits");
        let mut came = vec![0; 1_500];
        // One that never comes is dropped in the middle.
        let late = timeout(Duration::from_micros(50), one.recv(&mut came)).await;
        assert!(late.is_err(), "nobody sends there");
        let count = other.recv(&mut came).await.expect("it comes");
        assert!(came[..count] == sent, "what was sent comes");
    }
}

async fn files(mut choices: Choices) {
    let folder = std::env::temp_dir();
    let name = format!("zokio-soak-{}-{}", std::process::id(), choices.next());
    let path = folder.join(name);
    let sent = bytes(&mut choices, 100_000);
    zokio::fs::write(&path, &sent)
        .await
        .expect("it can be written");
    let mut file = zokio::fs::File::open(&path).await.expect("it is there");
    let mut came = Vec::new();
    file.read_to_end(&mut came).await.expect("it can be read");
    assert!(came == sent, "what was written is read");
    if choices.below(4) == 0 {
        // Dropped with a read under way.
        let mut file = zokio::fs::File::open(&path).await.expect("it is there");
        let read = file.read(&mut came);
        let _ = timeout(Duration::ZERO, read).await;
    }
    zokio::fs::remove_file(&path).await.expect("it is there");
}

async fn timers(mut choices: Choices) {
    let mut sleeps = JoinSet::new();
    for _ in 0..200 {
        let (short, long) = (choices.below(3_000), 1_000_000 * choices.below(5_000));
        sleeps.spawn(async move {
            let never = sleep(Duration::from_micros(3_000 + long));
            let _ = timeout(Duration::from_micros(short), never).await;
        });
    }
    while let Some(ended) = sleeps.join_next().await {
        ended.expect("no sleep fails");
    }
}

/// Tasks that talk, tasks that are aborted, and closures that block.
async fn tasks(mut choices: Choices) {
    let (sender, mut receiver) = mpsc::channel::<Vec<u8>>(4);
    let mut all = JoinSet::new();
    for index in 0..100 {
        let (sender, mut own) = (sender.clone(), choices.fork());
        let handle = all.spawn(async move {
            for _ in 0..own.below(5) {
                yield_now().await;
            }
            if own.below(10) == 0 {
                let nap = Duration::from_micros(own.below(200));
                spawn_blocking(move || std::thread::sleep(nap))
                    .await
                    .expect("a nap does not fail");
            }
            let _ = sender.send(vec![index; 1_000]).await;
        });
        if choices.below(4) == 0 {
            handle.abort();
        }
    }
    drop(sender);
    while receiver.recv().await.is_some() {}
    while let Some(ended) = all.join_next().await {
        assert!(ended.map_or_else(|error| error.is_cancelled(), |()| true));
    }
}

async fn processes(mut choices: Choices) {
    let output = Command::new("echo").arg("hello").output().await;
    let output = output.expect("there is an echo");
    assert_eq!(output.stdout, b"hello\n");
    // One that is killed.
    let mut child = Command::new("sleep")
        .arg("1000")
        .kill_on_drop(true)
        .spawn()
        .expect("there is a sleep");
    if choices.below(2) == 0 {
        child.kill().await.expect("it runs");
    } else {
        drop(child);
    }
    sleep(Duration::from_millis(20)).await;
}
