//! The place of a descriptor on Linux, found without asking whoever keeps its file system.
//!
//! A worker's thread may ask a local file system and nobody else: the server of a network file system, or
//! the program behind a FUSE one, may take for ever, and may be a task of this very worker. `statx` with
//! `AT_STATX_DONT_SYNC` answers from what the kernel has in memory. The kind of file system comes from
//! `statmount` (Linux 6.8), or from the table of mounts before that. Neither asks the keeper.
//!
//! Invariants:
//!
//! 1. No call here waits for a device, a server or a program.
//! 2. A place that cannot be judged is remote.
//! 3. The cache is keyed by names of mounts that the kernel never uses twice. Where it has none, the key
//!    is the device's number, which may come back with another file system on it; Linux before 6.8 has
//!    no better one.
#![allow(unsafe_code)]

use super::place::{Keeper, Place, Shape};
use std::fs::File;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, RawFd};
use zokio_base::sync::std_atomic::{AtomicU64, Ordering};

/// The place of `file`.
pub(super) fn place_of(file: &File) -> Place {
    match ask(file.as_raw_fd(), libc::STATX_TYPE) {
        Some(answer) => place_in(&answer),
        None => Place::UNKNOWN,
    }
}

/// The place that an answer to [`ask`] tells of.
pub(super) fn place_in(answer: &libc::statx) -> Place {
    let shape = match u32::from(answer.stx_mode) & libc::S_IFMT {
        libc::S_IFREG | libc::S_IFDIR => Shape::Regular,
        libc::S_IFIFO | libc::S_IFSOCK => Shape::Stream,
        libc::S_IFBLK => Shape::Block,
        libc::S_IFLNK => Shape::Link,
        _ => Shape::Device,
    };
    Place {
        shape,
        keeper: keeper_of(answer),
    }
}

/// Asks for `what`, a mask of `STATX_*`. None if the system does not say.
pub(super) fn ask(fd: RawFd, what: libc::c_uint) -> Option<libc::statx> {
    let mut answer = MaybeUninit::<libc::statx>::zeroed();
    // SAFETY: the empty path means the descriptor, which is open; the answer has room.
    let result = unsafe {
        libc::syscall(
            libc::SYS_statx,
            fd,
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | libc::AT_STATX_DONT_SYNC,
            what | STATX_MNT_ID_UNIQUE,
            answer.as_mut_ptr(),
        )
    };
    if result != 0 {
        return None;
    }
    // SAFETY: zero bits are a valid `statx`, and the kernel wrote valid fields over them.
    Some(unsafe { answer.assume_init() })
}

/// Asks for the name of the mount that is never used twice. Older kernels ignore it.
const STATX_MNT_ID_UNIQUE: libc::c_uint = 0x4000;

/// Places in the cache. Programs see a few mounts.
const CACHED: usize = 64;
/// Bits of an entry that hold the keeper; 0 is an empty entry.
const KEEPER_BITS: u32 = 2;
/// Tells the number of a device from the name of a mount.
const IS_DEVICE: u64 = 1 << 61;

static CACHE: [AtomicU64; CACHED] = [const { AtomicU64::new(0) }; CACHED];

fn keeper_of(answer: &libc::statx) -> Keeper {
    let (major, minor) = (answer.stx_dev_major, answer.stx_dev_minor);
    let mount = (answer.stx_mask & STATX_MNT_ID_UNIQUE != 0).then_some(answer.stx_mnt_id);
    let key = mount.unwrap_or(IS_DEVICE | u64::from(major) << 32 | u64::from(minor));
    let slot = &CACHE[(key ^ key >> 32) as usize % CACHED];
    // ORDERING: Relaxed: an entry is one word, and whoever finds another's asks for itself.
    let entry = slot.load(Ordering::Relaxed);
    if entry >> KEEPER_BITS == key {
        match entry & 3 {
            1 => return Keeper::Local,
            2 => return Keeper::Layered,
            3 => return Keeper::Remote,
            _ => {}
        }
    }
    let keeper = find_keeper(mount, major, minor);
    let code = match keeper {
        Keeper::Local => 1,
        Keeper::Layered => 2,
        Keeper::Remote => 3,
    };
    // ORDERING: Relaxed: as above.
    slot.store(key << KEEPER_BITS | code, Ordering::Relaxed);
    keeper
}

#[cold]
fn find_keeper(mount: Option<u64>, major: u32, minor: u32) -> Keeper {
    let has_device = major != 0;
    if let Some(magic) = mount.and_then(magic_of) {
        return judge_magic(magic, has_device);
    }
    match std::fs::read_to_string("/proc/self/mountinfo") {
        Ok(table) => match type_in(&table, major, minor) {
            Some(name) => judge_name(name, has_device),
            None => Keeper::Remote,
        },
        Err(_) => Keeper::Remote,
    }
}

/// Tells the keeper of a file system by its number. A file system on a device is the kernel's own, except
/// for FUSE and those that several machines share.
fn judge_magic(magic: u64, has_device: bool) -> Keeper {
    const FUSE: u64 = 0x6573_5546;
    const OCFS2: u64 = 0x7461_636f;
    const GFS2: u64 = 0x0116_1970;
    /// tmpfs, ramfs, hugetlbfs, overlayfs, btrfs, bcachefs, zfs, proc, sysfs, cgroup (2), devpts.
    const LAYERED: [u64; 12] = [
        0x0102_1994,
        0x8584_58f6,
        0x9584_58f6,
        0x794c_7630,
        0x9123_683e,
        0xca45_1a4e,
        0x2fc1_2fc1,
        0x9fa0,
        0x6265_6572,
        0x0027_e0eb,
        0x6367_7270,
        0x1cd1,
    ];
    match magic {
        FUSE | OCFS2 | GFS2 => Keeper::Remote,
        _ if has_device => Keeper::Local,
        _ if LAYERED.contains(&magic) => Keeper::Layered,
        _ => Keeper::Remote,
    }
}

/// As [`judge_magic`], of a file system's name.
fn judge_name(name: &str, has_device: bool) -> Keeper {
    const LAYERED: [&str; 13] = [
        "tmpfs",
        "devtmpfs",
        "ramfs",
        "hugetlbfs",
        "overlay",
        "btrfs",
        "bcachefs",
        "zfs",
        "proc",
        "sysfs",
        "cgroup",
        "cgroup2",
        "devpts",
    ];
    let is_shared = name == "ocfs2" || name == "gfs2" || name.starts_with("fuse");
    if is_shared {
        Keeper::Remote
    } else if has_device {
        Keeper::Local
    } else if LAYERED.contains(&name) {
        Keeper::Layered
    } else {
        Keeper::Remote
    }
}

/// The type of the file system with this device's number, in the table of mounts.
fn type_in(table: &str, major: u32, minor: u32) -> Option<&str> {
    let device = format!("{major}:{minor}");
    let line = table
        .lines()
        .find(|line| line.split(' ').nth(2) == Some(device.as_str()))?;
    line.split_once(" - ")?.1.split(' ').next()
}

/// Asks the kernel for the number of the file system that is mounted there.
fn magic_of(mount: u64) -> Option<u64> {
    /// The same on every machine: it came after the numbers were made one.
    const SYS_STATMOUNT: libc::c_long = 457;
    const SB_BASIC: u64 = 1;

    #[repr(C)]
    struct Request {
        size: u32,
        spare: u32,
        mount: u64,
        what: u64,
    }

    #[repr(C)]
    struct Answer {
        size: u32,
        options: u32,
        told: u64,
        major: u32,
        minor: u32,
        magic: u64,
        /// Much that nobody asks for here.
        rest: [u64; 64],
    }

    let request = Request {
        size: size_of::<Request>() as u32,
        spare: 0,
        mount,
        what: SB_BASIC,
    };
    let mut answer = MaybeUninit::<Answer>::zeroed();
    // SAFETY: the request is what the kernel takes, with its size inside; the answer has the room that is
    // said.
    let result = unsafe {
        libc::syscall(
            SYS_STATMOUNT,
            &request,
            answer.as_mut_ptr(),
            size_of::<Answer>(),
            0,
        )
    };
    if result != 0 {
        return None;
    }
    // SAFETY: zero bits are a valid answer, and the kernel wrote valid fields over them.
    let answer = unsafe { answer.assume_init() };
    (answer.told & SB_BASIC != 0).then_some(answer.magic)
}

#[cfg(all(test, not(zokio_model)))]
mod tests {
    use super::*;

    fn place(path: &str) -> Place {
        Place::of(&File::open(path).unwrap())
    }

    #[test]
    fn shapes_and_keepers_are_told_apart() {
        assert_eq!(place("/proc/self/status").keeper, Keeper::Layered);
        assert_eq!(place("/proc/self/status").shape, Shape::Regular);
        assert_eq!(place("/dev/null").shape, Shape::Device);
        let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
        let file = File::from(std::os::fd::OwnedFd::from(near));
        assert_eq!(Place::of(&file).shape, Shape::Stream);
        // Twice: found out, and remembered.
        assert_eq!(place("/proc/self/status"), place("/proc/self/status"));
    }

    /// Both ways to find out have to say the same of every mount that can be looked at.
    #[test]
    fn the_number_and_the_table_of_mounts_agree() {
        let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let mut compared = 0;
        for line in table.lines() {
            let path = line.split(' ').nth(4).unwrap();
            let Some(answer) = File::open(path)
                .ok()
                .and_then(|file| ask(file.as_raw_fd(), libc::STATX_TYPE))
            else {
                continue;
            };
            if answer.stx_mask & STATX_MNT_ID_UNIQUE == 0 {
                continue;
            }
            let Some(magic) = magic_of(answer.stx_mnt_id) else {
                continue;
            };
            let (major, minor) = (answer.stx_dev_major, answer.stx_dev_minor);
            let Some(name) = type_in(&table, major, minor) else {
                continue;
            };
            let has_device = major != 0;
            assert_eq!(
                judge_magic(magic, has_device),
                judge_name(name, has_device),
                "{name}: {magic:x}"
            );
            compared += 1;
        }
        println!("{compared} mounts compared");
    }

    #[test]
    fn programs_and_servers_are_remote_whatever_they_stand_on() {
        assert_eq!(judge_name("fuseblk", true), Keeper::Remote);
        assert_eq!(judge_name("fuse.sshfs", false), Keeper::Remote);
        assert_eq!(judge_name("nfs4", false), Keeper::Remote);
        assert_eq!(judge_name("ext4", true), Keeper::Local);
        assert_eq!(judge_name("overlay", false), Keeper::Layered);
        assert_eq!(judge_magic(0x6573_5546, true), Keeper::Remote);
        assert_eq!(judge_magic(0x6969, false), Keeper::Remote);
        assert_eq!(judge_magic(0xef53, true), Keeper::Local);
        let table = "36 35 98:0 /a /b rw,noatime master:1 - ext3 /dev/root rw\n\
                     40 35 0:52 / /c rw - fuse.x y rw";
        assert_eq!(type_in(table, 98, 0), Some("ext3"));
        assert_eq!(type_in(table, 0, 52), Some("fuse.x"));
        assert_eq!(type_in(table, 0, 5), None);
    }
}
