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

/// What one process uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Milliseconds of processor time, with those of its children that have ended and were waited for.
    pub processor_ms: u64,
    /// Of these, its own.
    pub own_ms: u64,
    /// Milliseconds since it started.
    pub age_ms: u64,
    /// Bytes of memory that it holds in RAM.
    pub resident_bytes: u64,
}

/// What a process uses now; `None` when there is none of this number.
pub fn of_process(pid: u32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let since_boot_ms = u64::try_from(boot.tv_sec).ok()?.saturating_mul(1_000)
        + u64::try_from(boot.tv_nsec).ok()? / 1_000_000;
    parse_stat(
        &stat,
        rustix::param::clock_ticks_per_second(),
        since_boot_ms,
        rustix::param::page_size() as u64,
    )
}

/// Reads `/proc/PID/stat`. The name of the program, which may hold anything, ends with the last parenthesis.
fn parse_stat(stat: &str, ticks_per_s: u64, since_boot_ms: u64, page_bytes: u64) -> Option<Process> {
    let (_, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    // proc(5) counts from 1, and the third is the first here.
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    let ms = |ticks: u64| ticks.saturating_mul(1_000).checked_div(ticks_per_s);
    let own = field(14)?.saturating_add(field(15)?);
    let of_children = field(16)?.saturating_add(field(17)?);
    Some(Process {
        processor_ms: ms(own.saturating_add(of_children))?,
        own_ms: ms(own)?,
        age_ms: since_boot_ms.saturating_sub(ms(field(22)?)?),
        resident_bytes: field(24)?.saturating_mul(page_bytes),
    })
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
    fn a_programs_name_cannot_confuse() {
        let stat = "7 (a) b (1) S 1 7 7 0 -1 4194560 104 0 0 0 250 50 7 3 20 0 1 0 3000 2621440 425 18446744073709551615 1 1";
        let read = parse_stat(stat, 100, 40_000, 4_096);
        assert_eq!(
            read,
            Some(Process { processor_ms: 3_100, own_ms: 3_000, age_ms: 10_000, resident_bytes: 425 * 4_096 })
        );
        assert_eq!(parse_stat("7 (a) S 1", 100, 40_000, 4_096), None);
        let own = of_process(std::process::id()).unwrap();
        assert!(own.resident_bytes > 1 << 16 && own.age_ms < 86_400_000, "{own:?}");
        assert_eq!(of_process(u32::MAX), None);
    }

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
