//! Children that start the running program anew.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use super::{Child, Pid};

/// The running program itself, also after its file was replaced or removed: the link leads to
/// the file that runs and not to a path.
const RUNNING_PROGRAM: &str = "/proc/self/exe";

/// What the child is called, in `ps` for example.
const NAME: &str = "tally";

/// Starts the running program again with the arguments `role`, the given standard input and
/// error, and no standard output. `own_group`: as leader of a process group of its own, out of
/// reach of the terminal's signals.
///
/// No `pre_exec`: it would copy the whole process first. What a child must set for itself, it
/// sets when it runs ([`super::arm_parent_death`], limits).
pub fn spawn_self(role: &[&str], stdin: OwnedFd, stderr: OwnedFd, own_group: bool) -> io::Result<Child> {
    let mut command = Command::new(RUNNING_PROGRAM);
    command.arg0(NAME).args(role).stdin(Stdio::from(stdin)).stdout(Stdio::null()).stderr(Stdio::from(stderr));
    if own_group {
        command.process_group(0);
    }
    // The standard library's child does nothing when dropped: this one is reaped by its pidfd.
    let id = command.spawn()?.id();
    let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
    Child::adopt_or_end(pid.ok_or_else(|| io::Error::other("learn the pid of a child"))?)
}
