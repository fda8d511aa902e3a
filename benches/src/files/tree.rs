//! The files that are read and written, and the sums over them.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use super::{APPENDED, APPENDS, IN_FLIGHT, READS};

/// How much one read brings.
pub(crate) const BLOCK: usize = 4096;
/// How many blocks the large file has.
const BLOCKS: u64 = 64 * 1024 * 1024 / BLOCK as u64;
/// How many small files there are.
pub(crate) const FILES: usize = 10_000;

/// A large file, many small ones, and a place for one to be appended to. Gone with the value.
#[derive(Debug)]
pub(crate) struct Tree {
    dir: PathBuf,
    /// Of [`BLOCKS`] blocks.
    pub(crate) large: PathBuf,
    /// [`FILES`] of these.
    pub(crate) small: Vec<PathBuf>,
    /// Not there.
    pub(crate) log: PathBuf,
}

/// A number that is made of another and looks random.
fn mixed(n: u64) -> u64 {
    let n = (n ^ (n >> 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (n ^ (n >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) ^ n
}

/// Both ends of a block are its own.
fn block(index: u64) -> Vec<u8> {
    let mut block = vec![0x5a; BLOCK];
    block[..8].copy_from_slice(&mixed(index).to_le_bytes());
    block[BLOCK - 8..].copy_from_slice(&mixed(!index).to_le_bytes());
    block
}

/// The part of a block in the sum.
pub(crate) fn sum_of_block(block: &[u8]) -> u64 {
    assert_eq!(block.len(), BLOCK);
    let word = |at: usize| u64::from_le_bytes(block[at..at + 8].try_into().expect("eight bytes"));
    word(0).wrapping_add(word(BLOCK - 8).rotate_left(1))
}

/// The blocks that one of [`IN_FLIGHT`] readers reads.
pub(crate) fn places(reader: usize) -> impl Iterator<Item = u64> {
    let start = reader as u64 * 1_000_003;
    (0..(READS / IN_FLIGHT) as u64).map(move |n| mixed(start + n) % BLOCKS)
}

/// Where a block begins.
pub(crate) fn offset(block: u64) -> u64 {
    block * BLOCK as u64
}

/// The sum over all reads.
pub(crate) fn sum_of_reads() -> u64 {
    let places = (0..IN_FLIGHT).flat_map(places);
    places.fold(0, |sum, index| {
        let ends = mixed(index).wrapping_add(mixed(!index).rotate_left(1));
        sum.wrapping_add(ends)
    })
}

fn contents(file: usize) -> Vec<u8> {
    let len = 64 + mixed(file as u64) as usize % 1500;
    (0..len)
        .map(|n| (mixed(file as u64) as usize + n * 7) as u8)
        .collect()
}

/// The sum over some bytes.
pub(crate) fn sum_of_bytes(bytes: &[u8]) -> u64 {
    bytes.iter().map(|&byte| u64::from(byte)).sum::<u64>() + bytes.len() as u64
}

/// The sum over all small files.
pub(crate) fn sum_of_files() -> u64 {
    (0..FILES).map(|file| sum_of_bytes(&contents(file))).sum()
}

/// The bytes that are appended at each step.
pub(crate) fn appended(step: usize) -> Vec<u8> {
    (0..APPENDED).map(|n| (step * 3 + n) as u8).collect()
}

/// The sum over the file that was appended to.
pub(crate) fn sum_of_appends() -> u64 {
    (0..APPENDS)
        .map(|step| sum_of_bytes(&appended(step)) - APPENDED as u64)
        .sum::<u64>()
        + (APPENDS * APPENDED) as u64
}

impl Tree {
    /// Makes it, below the directory for temporary files, and brings all of it into memory.
    pub(crate) fn make() -> Self {
        let dir = std::env::temp_dir().join(format!("zokio-files-{}", std::process::id()));
        let large = dir.join("large");
        std::fs::create_dir_all(&dir).expect("a directory can be made");
        let mut file = File::create(&large).expect("a file can be made");
        for index in 0..BLOCKS {
            file.write_all(&block(index)).expect("there is room");
        }
        let small: Vec<_> = (0..FILES)
            .map(|n| dir.join((n % 100).to_string()).join(n.to_string()))
            .collect();
        for (n, path) in small.iter().enumerate() {
            std::fs::create_dir_all(path.parent().expect("it has one")).expect("as above");
            std::fs::write(path, contents(n)).expect("as above");
        }
        file.sync_all().expect("the disk works");
        Self {
            log: dir.join("log"),
            dir,
            large,
            small,
        }
    }

    /// The sum over the file that was appended to, which is gone then.
    pub(crate) fn take_log(&self) -> u64 {
        let sum = sum_of_bytes(&std::fs::read(&self.log).expect("it was written"));
        std::fs::remove_file(&self.log).expect("as above");
        sum
    }

    /// The small files that one of `readers` readers reads.
    pub(crate) fn share(&self, reader: usize, readers: usize) -> Vec<PathBuf> {
        self.small
            .iter()
            .skip(reader)
            .step_by(readers)
            .cloned()
            .collect()
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
