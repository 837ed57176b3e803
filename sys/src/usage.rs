//! What processes use: memory, descriptors, processor time. Read from the system, never kept.

use std::fs;
use std::io;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// Bytes of memory that a process holds in RAM; `None` when it is gone or not ours to look at.
pub fn resident_bytes(pid: u32) -> Option<u64> {
    status_bytes(pid, "VmRSS:")
}

/// Bytes of address space that a process has taken, which is what its memory limit is about.
pub fn address_space_bytes(pid: u32) -> Option<u64> {
    status_bytes(pid, "VmSize:")
}

/// The name of a process, as `ps` shows it. The system has it at hand: unlike with a command line, no process can have its
/// reader wait.
pub fn name(pid: u32) -> Option<String> {
    let name = fs::read(format!("/proc/{pid}/comm")).ok()?;
    Some(String::from_utf8_lossy(&name).trim_end().to_owned()).filter(|name| !name.is_empty())
}

fn status_bytes(pid: u32, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    kib.checked_mul(1024)
}

/// How many descriptors this process has open.
pub fn open_descriptors() -> io::Result<u64> {
    // The one that reads the directory is among them.
    Ok((fs::read_dir("/proc/self/fd")?.count() as u64).saturating_sub(1))
}

/// What a process and its children have used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// Nanoseconds of processor time, in user mode and in the system, all together.
    pub processor_ns: u64,
    /// The most memory in RAM that the largest one of them ever had.
    pub peak_bytes: u64,
}

/// What this process, and those of its descendants that have ended and were waited for, have used.
pub fn with_children() -> io::Result<Used> {
    let all = [getrusage(UsageWho::RUSAGE_SELF)?, getrusage(UsageWho::RUSAGE_CHILDREN)?];
    let times = all.iter().flat_map(|usage| [usage.user_time(), usage.system_time()]);
    let peaks = all.iter().map(|usage| u64::try_from(usage.max_rss()).unwrap_or(0));
    Ok(Used {
        processor_ns: times.map(|time| u64::try_from(time.num_nanoseconds()).unwrap_or(0)).sum(),
        peak_bytes: peaks.max().unwrap_or(0).saturating_mul(1024),
    })
}

/// Nanoseconds of processor time this process has used, in user mode and in the system.
pub fn processor_ns() -> io::Result<u64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let both = [usage.user_time(), usage.system_time()];
    Ok(both.iter().map(|time| u64::try_from(time.num_nanoseconds()).unwrap_or(0)).sum())
}

/// How often this thread has touched memory for which the system first had to find or map a page.
pub fn page_faults() -> io::Result<u64> {
    let usage = getrusage(UsageWho::RUSAGE_THREAD)?;
    let both = [usage.minor_page_faults(), usage.major_page_faults()];
    Ok(both.into_iter().map(|faults| u64::try_from(faults).unwrap_or(0)).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_something() {
        assert!(resident_bytes(std::process::id()).is_some_and(|bytes| bytes > 1 << 16));
        assert!(address_space_bytes(std::process::id()) > resident_bytes(std::process::id()));
        assert_eq!(resident_bytes(u32::MAX), None);
        let used = with_children().unwrap();
        assert!(processor_ns().unwrap() > 0 && used.processor_ns > 0 && used.peak_bytes > 1 << 16);
        let faults = page_faults().unwrap();
        std::hint::black_box(vec![1_u8; 8 << 20]);
        assert!(page_faults().unwrap() > faults);
        let before = open_descriptors().unwrap();
        assert!(before >= 3);
    }
}
