//! The programs that are compiled for each runtime, which whoever includes this names `rt`.

use super::rt;
use super::rt::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use crate::files::tree::{self, Tree};
use crate::files::{APPENDS, IN_FLIGHT};

/// A runtime with that many workers.
pub(crate) fn runtime(workers: usize) -> rt::runtime::Runtime {
    rt::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .expect("a runtime can be built")
}

/// Runs `futures` as tasks and adds up what they return.
pub(crate) fn sum_of<F>(workers: usize, futures: impl IntoIterator<Item = F>) -> u64
where
    F: Future<Output = u64> + Send + 'static,
{
    let runtime = runtime(workers);
    let tasks: Vec<_> = futures
        .into_iter()
        .map(|future| runtime.spawn(future))
        .collect();
    runtime.block_on(async {
        let mut sum = 0_u64;
        for task in tasks {
            sum = sum.wrapping_add(task.await.expect("it does not panic"));
        }
        sum
    })
}

/// Random blocks of one file, with a cursor for each reader.
pub(crate) fn seek_and_read(tree: &Tree, workers: usize) -> u64 {
    let one = |reader, path| async move {
        let mut file = rt::fs::File::open(path).await.expect("it is there");
        let (mut sum, mut block) = (0_u64, vec![0; tree::BLOCK]);
        for index in tree::places(reader) {
            let place = std::io::SeekFrom::Start(tree::offset(index));
            file.seek(place).await.expect("within the file");
            file.read_exact(&mut block).await.expect("within the file");
            sum = sum.wrapping_add(tree::sum_of_block(&block));
        }
        sum
    };
    sum_of(
        workers,
        (0..IN_FLIGHT).map(|reader| one(reader, tree.large.clone())),
    )
}

/// Small files, opened, read to their end, and closed.
pub(crate) fn open_and_read(tree: &Tree, workers: usize, in_flight: usize) -> u64 {
    let one = |paths: Vec<std::path::PathBuf>| async move {
        let (mut sum, mut bytes) = (0, Vec::new());
        for path in paths {
            bytes.clear();
            let mut file = rt::fs::File::open(path).await.expect("it is there");
            file.read_to_end(&mut bytes).await.expect("it can be read");
            sum += tree::sum_of_bytes(&bytes);
        }
        sum
    };
    sum_of(
        workers,
        (0..in_flight).map(|reader| one(tree.share(reader, in_flight))),
    )
}

/// Small files, by the function that reads a whole one.
pub(crate) fn whole(tree: &Tree, workers: usize, in_flight: usize) -> u64 {
    let one = |paths: Vec<std::path::PathBuf>| async move {
        let mut sum = 0;
        for path in paths {
            let bytes = rt::fs::read(path).await.expect("it is there");
            sum += tree::sum_of_bytes(&bytes);
        }
        sum
    };
    sum_of(
        workers,
        (0..in_flight).map(|reader| one(tree.share(reader, in_flight))),
    )
}

/// A few bytes at the end of a file, brought to the disk each time.
pub(crate) fn append(tree: &Tree, workers: usize) -> u64 {
    let path = tree.log.clone();
    let one = async move {
        let mut options = rt::fs::OpenOptions::new();
        let options = options.append(true).create_new(true);
        let mut file = options.open(path).await.expect("it is not there");
        for step in 0..APPENDS {
            file.write_all(&tree::appended(step))
                .await
                .expect("there is room");
            file.sync_data().await.expect("the disk works");
        }
        0
    };
    sum_of(workers, [one]);
    tree.take_log()
}
