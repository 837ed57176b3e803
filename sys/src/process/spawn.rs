//! Children that start the running program anew.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Child, Pid};

/// The running program itself, also after its file was replaced or removed: the link leads to
/// the file that runs and not to a path.
const RUNNING_PROGRAM: &str = "/proc/self/exe";

/// What the child is called, in `ps` for example.
const NAME: &str = "tally";

/// Runs a program that is not this one, in a directory: no standard input, its output and its errors to `output`. It leads
/// a process group of its own.
pub fn spawn_program(
    program: &Path,
    arguments: &[OsString],
    directory: &Path,
    output: OwnedFd,
) -> io::Result<Child> {
    let mut command = Command::new(program);
    let errors = output.try_clone()?;
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::from(output)).stderr(Stdio::from(errors));
    let id = command.current_dir(directory).process_group(0).spawn()?.id();
    let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
    Child::adopt_or_end(pid.ok_or_else(|| io::Error::other("learn the pid of a child"))?)
}

/// Starts a user's command in this process's place in the world: same streams, same process group, same directory, the
/// descriptors that are not closed on exec, and these variables besides its own; with `stdin`, another standard input.
/// SIGPIPE has its default effect there. A file that is no program of this system is run by the shell, as `execvp(3)` has
/// it.
///
/// # Errors
/// `NotFound`: there is no such program. Others: it is there and cannot be run.
pub fn spawn_command<'v>(
    program: &OsStr,
    arguments: &[OsString],
    variables: impl Iterator<Item = (&'v str, OsString)> + Clone,
    stdin: Option<OwnedFd>,
) -> io::Result<Child> {
    let spawn = |mut command: Command| {
        if let Some(stdin) = &stdin {
            command.stdin(Stdio::from(stdin.try_clone()?));
        }
        command.args(arguments).envs(variables.clone()).spawn()
    };
    let spawned = match spawn(Command::new(program)) {
        Err(why) if why.raw_os_error() == Some(libc::ENOEXEC) => {
            let mut shell = Command::new("/bin/sh");
            shell.arg(program);
            spawn(shell)
        }
        other => other,
    };
    let pid = i32::try_from(spawned?.id()).ok().and_then(Pid::from_raw);
    Child::adopt_or_end(pid.ok_or_else(|| io::Error::other("learn the pid of a child"))?)
}

/// Becomes another program: same process, same descriptors but those closed on exec, these variables besides its own,
/// this directory. Returns only when it could not.
pub fn exec(
    program: &Path,
    arguments: impl Iterator<Item = OsString>,
    variables: impl Iterator<Item = (&'static str, OsString)>,
    directory: &Path,
) -> io::Error {
    Command::new(program).arg0(NAME).args(arguments).envs(variables).current_dir(directory).exec()
}

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
