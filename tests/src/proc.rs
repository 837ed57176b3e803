//! Processes as /proc shows them, found by a mark in their environment.

use std::fs;

/// One live process (not a zombie).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its parent's.
    pub parent: u32,
    /// Its name, as `ps` shows it.
    pub name: String,
    /// Its state letter: R, S, T, ...
    pub state: char,
}

/// Every live process that was started with `mark` in its environment.
#[must_use]
pub fn marked(mark: &str) -> Vec<Process> {
    let mut found: Vec<Process> = fs::read_dir("/proc")
        .expect("/proc is mounted")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|&pid: &u32| {
            fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environ| {
                environ.split(|&byte| byte == 0).any(|variable| variable == mark.as_bytes())
            })
        })
        .filter_map(look)
        .collect();
    found.sort_by_key(|process| process.pid);
    found
}

/// One process, unless it is gone or a zombie.
#[must_use]
pub fn look(pid: u32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (front, back) = stat.rsplit_once(')')?;
    let name = front.split_once('(')?.1.to_owned();
    let mut fields = back.split_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    (!matches!(state, 'Z' | 'X')).then_some(Process { pid, parent, name, state })
}

/// Number of open descriptors of a process.
#[must_use]
pub fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// What the open descriptors of a process lead to.
#[must_use]
pub fn descriptor_names(pid: u32) -> Vec<String> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| fs::read_link(entry.path()).ok());
    names.map(|name| name.display().to_string()).collect()
}

/// Context switches a process has made of its own accord: it counts every wake-up of a sleeping process.
#[must_use]
pub fn voluntary_switches(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Bytes of memory a process has resident.
#[must_use]
pub fn resident_bytes(pid: u32) -> Option<u64> {
    bytes(pid, "VmRSS:")
}

/// Bytes of address space a process has taken.
#[must_use]
pub fn mapped_bytes(pid: u32) -> Option<u64> {
    bytes(pid, "VmSize:")
}

fn bytes(pid: u32, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}
