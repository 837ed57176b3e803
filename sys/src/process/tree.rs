//! Everything that descends from a process: found in `/proc`, and ended.
//!
//! A process that adopts its orphans ([`super::set_child_subreaper`]) has all of its tree below it, whatever leaves its
//! session or its parent; so what is ended here in rounds, until a look finds nothing, is the whole of it.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::io;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::{PidfdFlags, Signal as RawSignal, pidfd_open, pidfd_send_signal};

use super::status::{How, Whose, wait};
use super::{Pid, own_pid};
use crate::clock;
use crate::usage::Process;

/// Processes looked at in one round.
const PROCESSES_MAX: usize = 100_000;
/// Rounds after which what is left is stopped before it is killed: it starts others as fast as it is killed.
const PATIENT_ROUNDS: u32 = 3;
/// Between two looks at what does not end.
const LOOK: Duration = Duration::from_millis(5);

/// A process and its parent, as of one look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kin {
    pid: Pid,
    parent: Pid,
}

/// How much there is of this process's tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TreeUse {
    /// Processes.
    pub processes: u64,
    /// Bytes in memory, those that several share counted for each.
    pub resident_bytes: u64,
}

/// The processes below this one, and what they hold.
pub fn use_of_descendants() -> TreeUse {
    let kin = below(children(own_pid()));
    let bytes = kin.iter().filter_map(|one| crate::usage::resident_bytes(one.pid.raw().unsigned_abs())).sum();
    TreeUse { processes: kin.len() as u64, resident_bytes: bytes }
}

/// What a process and all below it use together, its age being the process's; `None` when it is gone. At most so many
/// processes are counted, so that a look at many small ones stays cheap. What is shared in memory counts for each; those
/// that have ended count with whoever waited for them.
pub fn use_of_tree(root: u32, processes_max: usize) -> Option<Process> {
    let mut all = crate::usage::of_process(root)?;
    let mut below: VecDeque<Pid> =
        listed(Pid::from_raw(i32::try_from(root).ok()?)?).unwrap_or_default().into();
    let mut counted = 1;
    while let Some(pid) = below.pop_front() {
        if counted >= processes_max {
            break;
        }
        counted += 1;
        // Children of one that has ended meanwhile are somebody else's by now, and counted by the next look.
        let Some(one) = crate::usage::of_process(pid.raw().unsigned_abs()) else { continue };
        all.processor_ms = all.processor_ms.saturating_add(one.processor_ms);
        all.own_ms = all.own_ms.saturating_add(one.own_ms);
        all.resident_bytes = all.resident_bytes.saturating_add(one.resident_bytes);
        below.extend(listed(pid).unwrap_or_default());
    }
    Some(all)
}

/// Whether this process has any child, ended or not.
pub fn has_children() -> bool {
    match wait(Whose::Any, How::Peek) {
        Ok(_) => true,
        Err(error) => Errno::from_io_error(&error) != Some(Errno::CHILD),
    }
}

/// Kills everything below this process and reaps it; false if something is left after `within`. Its children must be
/// nobody else's to reap.
pub fn end_descendants(within: Duration) -> bool {
    let begun = clock::monotonic_ns();
    let mut rounds = 0;
    loop {
        reap_all();
        if !has_children() {
            return true;
        }
        let kin = below(children(own_pid()));
        if rounds >= PATIENT_ROUNDS {
            stop_all(&kin);
        }
        kin.iter().for_each(|one| strike(*one, RawSignal::KILL));
        rounds += 1;
        if clock::monotonic_ns().saturating_sub(begun) > u64::try_from(within.as_nanos()).unwrap_or(u64::MAX)
        {
            return false;
        }
        await_one(&kin);
    }
}

/// Kills children of this process that nobody knows, and all below them; returns how many there were. Those that have
/// ended are for [`super::reap_strays`].
pub fn strike_strays(mut is_known: impl FnMut(Pid) -> bool) -> usize {
    let strays: Vec<Kin> = children(own_pid()).into_iter().filter(|one| !is_known(one.pid)).collect();
    let kin = below(strays);
    kin.iter().for_each(|one| strike(*one, RawSignal::KILL));
    kin.len()
}

/// The children of this process, ended or not.
pub fn own_children() -> Vec<Pid> {
    children(own_pid()).into_iter().map(|one| one.pid).collect()
}

fn reap_all() {
    while let Ok(Some(_)) = wait(Whose::Any, How::Try) {}
}

/// Has all of them stop, and what they start meanwhile: then nothing moves while it is killed.
fn stop_all(first: &[Kin]) {
    let mut stopped: BTreeSet<Kin> = BTreeSet::new();
    let mut fresh = first.to_vec();
    while !fresh.is_empty() && stopped.len() < PROCESSES_MAX {
        fresh.iter().for_each(|one| strike(*one, RawSignal::STOP));
        stopped.extend(fresh);
        fresh = below(children(own_pid())).into_iter().filter(|one| !stopped.contains(one)).collect();
    }
}

/// Waits a moment for one of these to end.
fn await_one(kin: &[Kin]) {
    let own = own_pid();
    let first = kin.iter().find(|one| one.parent == own);
    let Some(pidfd) = first.and_then(|one| pidfd_open(one.pid.to_rustix(), PidfdFlags::empty()).ok()) else {
        return;
    };
    let timeout = Timespec { tv_sec: 0, tv_nsec: LOOK.subsec_nanos().into() };
    rustix::event::poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&timeout)).ok();
}

/// Sends a signal to a process that still has the parent it was found with, or was adopted by this process since: a
/// number that has passed to another one is not struck.
fn strike(one: Kin, signal: RawSignal) {
    let Ok(pidfd) = pidfd_open(one.pid.to_rustix(), PidfdFlags::empty()) else { return };
    if parent_of(one.pid).is_some_and(|parent| parent == one.parent || parent == own_pid()) {
        // One that has ended needs none; one of another user's, by a program that has more rights, is the system's.
        pidfd_send_signal(&pidfd, signal).ok();
    }
}

/// These and everything below them.
fn below(first: Vec<Kin>) -> Vec<Kin> {
    let mut all = first;
    let mut at = 0;
    while at < all.len() && all.len() < PROCESSES_MAX {
        let more = children(all[at].pid);
        all.extend(more);
        at += 1;
    }
    all
}

/// The children of a process, by any of its threads.
fn children(parent: Pid) -> Vec<Kin> {
    match listed(parent) {
        Some(pids) => pids.into_iter().map(|pid| Kin { pid, parent }).collect(),
        None => scan(parent),
    }
}

/// The children of a process as the system lists them; `None`: this one keeps no such lists.
fn listed(parent: Pid) -> Option<Vec<Pid>> {
    let mut all = Vec::new();
    let Ok(threads) = fs::read_dir(format!("/proc/{parent}/task")) else { return Some(all) };
    for thread in threads.flatten() {
        match fs::read_to_string(thread.path().join("children")) {
            Ok(list) => all.extend(
                list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok().and_then(Pid::from_raw)),
            ),
            // The thread has ended, or there is no such list.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !keeps_lists() => return None,
            Err(_) => {}
        }
    }
    Some(all)
}

fn keeps_lists() -> bool {
    fs::exists("/proc/thread-self/children").unwrap_or(false)
}

/// The same by a look at every process.
fn scan(parent: Pid) -> Vec<Kin> {
    let Ok(all) = fs::read_dir("/proc") else { return Vec::new() };
    let pids =
        all.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw));
    pids.filter(|&pid| parent_of(pid) == Some(parent)).map(|pid| Kin { pid, parent }).collect()
}

/// `None`: it is gone, or its parent is none of this container.
fn parent_of(pid: Pid) -> Option<Pid> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    // The name is in parentheses, and anything may stand in it. Behind it: state, parent.
    let (_, rest) = stat.rsplit_once(") ")?;
    Pid::from_raw(rest.split(' ').nth(1)?.parse().ok()?)
}
