//! A process among others: its parent, its group, its strays, its threads and its niceness.

use std::fmt;
use std::io;

use rustix::io::Errno;
use rustix::process::Signal as RawSignal;

use super::status::{How, Whose, wait};
use super::{ExitStatus, Pid, own_children, own_pid, parent_pid, quiet};

/// A thread that has ended is still counted for a moment, even after it was joined.
const THREAD_COUNT_TRIES: u32 = 100;

/// Why a process cannot rely on its parent.
#[derive(Debug)]
pub enum Orphaned {
    /// The parent is gone already.
    ParentGone {
        /// Who it was to be.
        expected: Pid,
        /// Who is the parent now.
        found: Option<Pid>,
    },
    /// The system refused to tell of the parent's death.
    Refused(io::Error),
}

impl fmt::Display for Orphaned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ParentGone { expected, .. } => write!(f, "follow process {expected}: it is gone"),
            Self::Refused(error) => write!(f, "learn of the parent's death: {error}"),
        }
    }
}

impl std::error::Error for Orphaned {}

/// Has the system kill this process when its parent dies.
///
/// A parent that died before is no parent to wait for: hence the second look, with the pid that
/// the parent itself handed over. On an error this process must end.
///
/// It is the death of the *thread* that started this process that counts: processes are started
/// from a thread that lives as long as its process. Forked children do not inherit this.
pub fn arm_parent_death(expected_parent: Pid) -> Result<(), Orphaned> {
    arm(expected_parent, RawSignal::KILL)
}

/// The same by SIGTERM, for a process that has something to do first. A change of its user undoes it.
pub fn hear_parent_death(expected_parent: Pid) -> Result<(), Orphaned> {
    arm(expected_parent, RawSignal::TERM)
}

fn arm(expected_parent: Pid, signal: RawSignal) -> Result<(), Orphaned> {
    rustix::process::set_parent_process_death_signal(Some(signal))
        .map_err(|error| Orphaned::Refused(error.into()))?;
    let found = parent_pid();
    if found == Some(expected_parent) {
        Ok(())
    } else {
        Err(Orphaned::ParentGone { expected: expected_parent, found })
    }
}

/// Makes this process the leader of a process group of its own, out of reach of the terminal's
/// signals. Nothing changes for one that is a leader already.
pub fn become_group_leader() -> io::Result<()> {
    match rustix::process::setpgid(None, None) {
        Ok(()) => Ok(()),
        // The leader of a session is refused, and is the leader of its group.
        Err(Errno::PERM) if rustix::process::getpgrp() == own_pid().to_rustix() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Names this process for `ps` and `top`, in at most 15 bytes.
pub fn set_name(name: &std::ffi::CStr) -> io::Result<()> {
    Ok(rustix::thread::set_name(name)?)
}

/// Has descendants that lose their parent become children of this process, instead of the
/// system's first one. They must be reaped: [`reap_strays`].
pub fn set_child_subreaper() -> io::Result<()> {
    Ok(rustix::process::set_child_subreaper(Some(own_pid().to_rustix()))?)
}

/// Reaps ended children that nobody else will: those for which `is_known` is false. Never waits.
///
/// A known child that has ended and is not reaped yet hides those behind it from the system's own
/// answer; these are then asked about one by one. A child that somebody else starts for this
/// process ([`super::clone_sibling`]) is known from the moment it was asked for, before its pid
/// is: do not call this while such a pid is still to come.
pub fn reap_strays(mut is_known: impl FnMut(Pid) -> bool) -> io::Result<Vec<(Pid, ExitStatus)>> {
    let mut reaped = Vec::new();
    while let Some((pid, _)) = unless_none(wait(Whose::Any, How::Peek))? {
        if is_known(pid) {
            for pid in own_children().into_iter().filter(|pid| !is_known(*pid)) {
                reaped.extend(unless_none(wait(Whose::Pid(pid), How::Try))?);
            }
            break;
        }
        reaped.extend(wait(Whose::Pid(pid), How::Try)?);
    }
    Ok(reaped)
}

/// That there is no such child is no error.
fn unless_none(asked: io::Result<Option<(Pid, ExitStatus)>>) -> io::Result<Option<(Pid, ExitStatus)>> {
    match asked {
        Err(error) if Errno::from_io_error(&error) == Some(Errno::CHILD) => Ok(None),
        other => other,
    }
}

/// Sets how readily this process leaves the processor to others: 0 to 19, more is nicer.
/// Lowering it takes a privilege: a process that is nicer than that already stays as it is.
pub fn set_nice(nice: i32) -> io::Result<()> {
    if rustix::process::getpriority_process(None)? < nice {
        rustix::process::setpriority_process(None, nice)?;
    }
    Ok(())
}

/// Whether this process has one thread only; false also if that cannot be told.
pub fn single_threaded() -> bool {
    has_threads(1)
}

/// Whether all other threads are quiet ones; false also if that cannot be told.
pub(super) fn may_fork() -> bool {
    has_threads(1 + quiet::count())
}

/// Whether this process has at most so many threads.
fn has_threads(most: u32) -> bool {
    for _ in 0..THREAD_COUNT_TRIES {
        // A directory's link count is 2 and one for each directory in it: one for each thread.
        match rustix::fs::stat("/proc/self/task") {
            Ok(found) if found.st_nlink <= (2 + most).into() => return true,
            Ok(_) => rustix::thread::sched_yield(),
            Err(_) => return false,
        }
    }
    false
}
