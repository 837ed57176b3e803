//! The three standard streams of a process that speaks to nobody: a worker, a forkserver, a private supervisor.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use crate::fd;

/// Standard input and output become /dev/null, so that a reader of the starter's output never waits for this process.
pub fn detach_input_and_output() -> io::Result<()> {
    let null = fd::null_device()?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    Ok(())
}

/// Standard error becomes this descriptor.
pub fn redirect_error(to: OwnedFd) -> io::Result<()> {
    rustix::stdio::dup2_stderr(to.as_fd())?;
    Ok(())
}
