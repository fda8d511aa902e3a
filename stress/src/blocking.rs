//! The families of tasks that block, or have others block for them: the pool, handed-over and taken
//! cores, files.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use zokio::fs;
use zokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use zokio::task::{block_in_place, spawn_blocking, yield_now};
use zokio::time::{sleep, timeout};

use crate::storm::{Choices, Ledger};

/// How many tasks a round has.
const BATCH: usize = 8;

/// Tasks that block their thread: announced, not announced, and on a thread of the pool.
pub(crate) async fn blockers(ledger: Arc<Ledger>, mut choices: Choices) {
    while !ledger.stopped() {
        let mut tasks = Vec::with_capacity(BATCH);
        for _ in 0..BATCH {
            let (guard, kind) = (ledger.guard(), choices.below(16));
            let pause = Duration::from_micros(choices.below(500));
            tasks.push(zokio::spawn(async move {
                let _guard = guard;
                match kind {
                    // Long enough for the monitor to take the core.
                    0 => thread::sleep(Duration::from_millis(15)),
                    1..=7 => block_in_place(|| thread::sleep(pause)),
                    _ => {
                        let inner = spawn_blocking(move || {
                            thread::sleep(pause);
                            kind
                        });
                        assert_eq!(inner.await.expect("it has begun or is queued"), kind);
                    }
                }
                yield_now().await;
                sleep(pause).await;
                kind
            }));
        }
        for task in tasks {
            timeout(Duration::from_secs(20), task)
                .await
                .expect("no wake is lost")
                .expect("not aborted");
        }
        ledger.finish();
    }
}

/// A file of its own for each task in `folder`, written, read back, and left in the middle of
/// either. Files that are left stay, to be removed with the folder.
pub(crate) async fn files(ledger: Arc<Ledger>, mut choices: Choices, folder: PathBuf) {
    while !ledger.stopped() {
        let mut tasks = Vec::with_capacity(BATCH);
        for _ in 0..BATCH {
            let (guard, ledger, choices) = (ledger.guard(), ledger.clone(), choices.fork());
            let path = folder.join(guard.number().to_string());
            tasks.push(zokio::spawn(async move {
                let _guard = guard;
                one_file(path, &ledger, choices).await;
            }));
        }
        for task in &tasks {
            if choices.below(4) == 0 {
                sleep(Duration::from_micros(choices.below(300))).await;
                task.abort();
            }
        }
        for task in tasks {
            let ended = timeout(Duration::from_secs(20), task)
                .await
                .expect("no completion is lost");
            match ended {
                Ok(()) => ledger.finish(),
                Err(error) => {
                    assert!(error.is_cancelled(), "nothing panicked: {error}");
                    ledger.abort();
                }
            }
        }
    }
}

async fn one_file(path: PathBuf, ledger: &Ledger, mut choices: Choices) {
    let length = 1 + choices.below(20_000) as usize;
    let sent: Vec<u8> = (0..length).map(|_| choices.next() as u8).collect();
    let mut file = fs::OpenOptions::new()
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .open(&path)
        .await
        .expect("the folder for scratch files can be written to");
    file.write_all(&sent).await.expect("there is room");
    file.sync_data().await.expect("it is written");
    file.rewind().await.expect("files can be rewound");
    let mut came = Vec::new();
    file.read_to_end(&mut came).await.expect("it can be read");
    assert!(sent == came, "what was written is read");
    assert_eq!(
        fs::metadata(&path).await.expect("it is there").len(),
        length as u64
    );
    fs::remove_file(&path).await.expect("it is there");
    ledger.add_bytes(length);
}
