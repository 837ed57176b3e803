//! Processes: who they are, how they are started, watched, signalled and reaped.
//!
//! A child is known by its pid and watched by its pidfd; it is reaped through the pidfd and
//! nothing else, so that no exit is ever taken from its owner. Forks happen only in a process of
//! one thread (`fork`), everything else is started by exec (`spawn`).

mod background;
mod child;
mod fork;
mod kinship;
mod launch;
mod other;
mod quiet;
mod spawn;
mod status;
mod tree;

use std::fmt;
use std::io;
use std::num::NonZeroI32;

pub use background::{Announcer, Start, start_in_background};
pub use child::Child;
pub use fork::{clone_sibling, clone_sibling_with, fork_child, fork_child_with, fork_twin};
pub use kinship::{
    Orphaned, arm_parent_death, become_group_leader, hear_parent_death, reap_strays, set_child_subreaper,
    set_name, set_nice, single_threaded,
};
pub use launch::{Constraints, Launcher, NoProgram, find_program};
pub use other::Other;
pub use quiet::QuietThread;
pub use spawn::{exec, spawn_command, spawn_program, spawn_self};
pub use status::ExitStatus;
pub use tree::{
    TreeUse, end_descendants, has_children, own_children, strike_strays, use_of_descendants, use_of_tree,
};

use crate::signal::Signal;

/// The number of a process, always positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pid(NonZeroI32);

impl Pid {
    /// The process of this number; none for 0 and below, which mean groups to the system.
    pub fn from_raw(number: i32) -> Option<Self> {
        NonZeroI32::new(number).filter(|number| number.get() > 0).map(Self)
    }

    /// Its number.
    pub fn raw(self) -> i32 {
        self.0.get()
    }

    pub(crate) fn to_rustix(self) -> rustix::process::Pid {
        // A positive number is a pid to both; the fallback is never taken.
        rustix::process::Pid::from_raw(self.raw()).unwrap_or(rustix::process::Pid::INIT)
    }
}

impl From<rustix::process::Pid> for Pid {
    fn from(pid: rustix::process::Pid) -> Self {
        Self(pid.as_raw_nonzero())
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// This process.
pub fn own_pid() -> Pid {
    rustix::process::getpid().into()
}

/// The effective user of this process.
pub fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The parent of this process as of now; none when it is outside this process's container.
pub fn parent_pid() -> Option<Pid> {
    rustix::process::getppid().map(Pid::from)
}

/// Sends `signal` to a process.
///
/// A number may have passed to another process since it was learnt, unless it is this process's
/// parent or a child not reaped yet: prefer [`Child::signal`].
pub fn send(pid: Pid, signal: Signal) -> io::Result<()> {
    Ok(rustix::process::kill_process(pid.to_rustix(), named(signal)?)?)
}

/// Sends `signal` to every process of the group that `leader` leads. `NotFound`: there is none.
pub fn send_to_group(leader: Pid, signal: Signal) -> io::Result<()> {
    Ok(rustix::process::kill_process_group(leader.to_rustix(), named(signal)?)?)
}

fn named(signal: Signal) -> io::Result<rustix::process::Signal> {
    rustix::process::Signal::from_named_raw(signal.raw())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, format!("send {signal}")))
}
