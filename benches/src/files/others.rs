//! Arms of one kind: Zokio's own interface, a plain thread, compio, and the best that can be made of
//! Tokio's.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use compio::fs::File as RingFile;
use compio::io::{AsyncReadAtExt, AsyncWriteAtExt};

use super::tree::{self, BLOCK, Tree};
use super::{APPENDED, APPENDS, IN_FLIGHT, on_tokio, on_zokio};

/// A read on a thread of the pool: Tokio has none at an offset.
pub(super) fn tokio_pread(tree: &Tree, workers: usize) -> u64 {
    let file = Arc::new(File::open(&tree.large).expect("it is there"));
    let one = |reader, file: Arc<File>| async move {
        let (mut sum, mut block) = (0_u64, vec![0; BLOCK]);
        for index in tree::places(reader) {
            let file = file.clone();
            let read = move || {
                let result = file.read_exact_at(&mut block, tree::offset(index));
                (result, block)
            };
            let (result, read) = tokio::task::spawn_blocking(read)
                .await
                .expect("it does not panic");
            result.expect("within the file");
            block = read;
            sum = sum.wrapping_add(tree::sum_of_block(&block));
        }
        sum
    };
    on_tokio::sum_of(
        workers,
        (0..IN_FLIGHT).map(|reader| one(reader, file.clone())),
    )
}

/// Reads at an offset, of one file by many tasks.
pub(super) fn zokio_read_at(tree: &Tree, workers: usize) -> u64 {
    let file = zokio::fs::File::from_std(File::open(&tree.large).expect("it is there"));
    let file = Arc::new(file);
    let one = |reader, file: Arc<zokio::fs::File>| async move {
        let (mut sum, mut block) = (0_u64, Vec::with_capacity(BLOCK));
        for index in tree::places(reader) {
            let (result, read) = file.read_exact_at(block, BLOCK, tree::offset(index)).await;
            result.expect("within the file");
            block = read;
            sum = sum.wrapping_add(tree::sum_of_block(&block));
        }
        sum
    };
    on_zokio::sum_of(
        workers,
        (0..IN_FLIGHT).map(|reader| one(reader, file.clone())),
    )
}

/// Reads at an offset by one task, as many at once as the others have.
pub(super) fn zokio_batches(tree: &Tree, workers: usize) -> u64 {
    let file = zokio::fs::File::from_std(File::open(&tree.large).expect("it is there"));
    let all = async move {
        let mut readers: Vec<_> = (0..IN_FLIGHT).map(tree::places).collect();
        let mut blocks: Vec<_> = (0..IN_FLIGHT).map(|_| Vec::with_capacity(BLOCK)).collect();
        let mut sum = 0_u64;
        loop {
            let places: Vec<u64> = readers.iter_mut().filter_map(Iterator::next).collect();
            if places.is_empty() {
                return sum;
            }
            let reads = places.into_iter().zip(blocks.drain(..));
            let reads =
                reads.map(|(index, block)| file.read_exact_at(block, BLOCK, tree::offset(index)));
            for (result, block) in zokio::fs::batch(reads).await {
                result.expect("within the file");
                sum = sum.wrapping_add(tree::sum_of_block(&block));
                blocks.push(block);
            }
        }
    };
    on_zokio::sum_of(workers, [all])
}

/// Runs `futures` as tasks and adds up what they return.
fn compio_sum_of<F>(futures: impl IntoIterator<Item = F>) -> u64
where
    F: Future<Output = u64> + 'static,
{
    let runtime = compio::runtime::Runtime::new().expect("a ring can be made");
    runtime.block_on(async {
        let tasks: Vec<_> = futures.into_iter().map(compio::runtime::spawn).collect();
        let mut sum = 0_u64;
        for task in tasks {
            sum = sum.wrapping_add(task.await.expect("it does not panic"));
        }
        sum
    })
}

/// Reads at an offset, of one file by many tasks.
pub(super) fn compio_read_at(tree: &Tree) -> u64 {
    let one = |reader, path| async move {
        let file = RingFile::open(path).await.expect("it is there");
        let (mut sum, mut block) = (0_u64, Vec::with_capacity(BLOCK));
        for index in tree::places(reader) {
            block.clear();
            let read = file.read_exact_at(block, tree::offset(index)).await;
            read.0.expect("within the file");
            block = read.1;
            sum = sum.wrapping_add(tree::sum_of_block(&block));
        }
        sum
    };
    compio_sum_of((0..IN_FLIGHT).map(|reader| one(reader, tree.large.clone())))
}

/// Small files, opened, read to their end, and closed.
pub(super) fn compio_whole(tree: &Tree, in_flight: usize) -> u64 {
    let one = |paths: Vec<std::path::PathBuf>| async move {
        let (mut sum, mut bytes) = (0, Vec::with_capacity(BLOCK));
        for path in paths {
            bytes.clear();
            let file = RingFile::open(path).await.expect("it is there");
            let read = file.read_to_end_at(bytes, 0).await;
            read.0.expect("it can be read");
            bytes = read.1;
            sum += tree::sum_of_bytes(&bytes);
        }
        sum
    };
    compio_sum_of((0..in_flight).map(|reader| one(tree.share(reader, in_flight))))
}

/// A few bytes at the end of a file, brought to the disk each time.
pub(super) fn compio_append(tree: &Tree) -> u64 {
    let path = tree.log.clone();
    compio_sum_of([async move {
        let mut file = RingFile::create(path).await.expect("there is room");
        for step in 0..APPENDS {
            let place = (step * APPENDED) as u64;
            let written = file.write_all_at(tree::appended(step), place).await;
            written.0.expect("there is room");
            file.sync_data().await.expect("the disk works");
        }
        0
    }]);
    tree.take_log()
}

/// One read after the other.
pub(super) fn plain_pread(tree: &Tree) -> u64 {
    let file = File::open(&tree.large).expect("it is there");
    let (mut sum, mut block) = (0_u64, vec![0; BLOCK]);
    for index in (0..IN_FLIGHT).flat_map(tree::places) {
        file.read_exact_at(&mut block, tree::offset(index))
            .expect("within the file");
        sum = sum.wrapping_add(tree::sum_of_block(&block));
    }
    sum
}

/// One file after the other.
pub(super) fn plain_whole(tree: &Tree) -> u64 {
    let read = |path| std::fs::read(path).expect("it is there");
    tree.small
        .iter()
        .map(|path| tree::sum_of_bytes(&read(path)))
        .sum()
}

/// One append after the other.
pub(super) fn plain_append(tree: &Tree) -> u64 {
    let mut options = File::options();
    let mut file = options
        .append(true)
        .create_new(true)
        .open(&tree.log)
        .expect("it is not there");
    for step in 0..APPENDS {
        file.write_all(&tree::appended(step))
            .expect("there is room");
        file.sync_data().expect("the disk works");
    }
    drop(file);
    tree.take_log()
}
