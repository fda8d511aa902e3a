//! The operating system's figures for this process: processor time, memory, threads, switches.

use std::fs;
use std::time::Duration;

/// Processor time of all threads so far, user and system.
pub(crate) fn processor_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a live `timespec`, which the call fills.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    assert_eq!(result, 0, "this clock exists on every Linux");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Resident memory in bytes.
pub(crate) fn resident() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").expect("procfs is mounted");
    let pages: u64 = text
        .split(' ')
        .nth(1)
        .and_then(|n| n.parse().ok())
        .expect("statm has pages");
    pages * 4096
}

/// How many threads this process has.
pub(crate) fn threads() -> usize {
    fs::read_dir("/proc/self/task")
        .expect("procfs is mounted")
        .count()
}

/// Context switches so far of all threads but the main one, with the number of those threads.
pub(crate) fn switches() -> (u64, usize) {
    let own = std::process::id().to_string();
    let (mut sum, mut threads) = (0, 0);
    for entry in fs::read_dir("/proc/self/task")
        .expect("procfs is mounted")
        .flatten()
    {
        if entry.file_name().to_string_lossy() == own {
            continue;
        }
        // A thread that ends meanwhile has no status any more.
        let status = fs::read_to_string(entry.path().join("status")).unwrap_or_default();
        threads += 1;
        sum += status
            .lines()
            .filter(|line| line.contains("ctxt_switches:"))
            .filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok())
            .sum::<u64>();
    }
    (sum, threads)
}

/// Cores, kernel and load, for the head of a table.
pub(crate) fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let read = |path: &str| {
        fs::read_to_string(path)
            .unwrap_or_default()
            .trim()
            .to_string()
    };
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg")
        .split(' ')
        .next()
        .unwrap_or("?")
        .to_string();
    format!("{cores} cores, Linux {kernel}, load {load}")
}
