//! The three standard streams of a process that speaks to nobody: a worker, a forkserver, a private supervisor.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::fd;

/// Standard input and output become /dev/null, so that a reader of the starter's output never waits for this process.
pub fn detach_input_and_output() -> io::Result<()> {
    let null = fd::null_device()?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    Ok(())
}

/// Opens a file to add lines to; it is made, with mode 0640, if it is not there. Never waits.
///
/// # Errors
/// Those of `open`. A pipe is one: without a reader it keeps its writer from starting, with a slow one from going on.
pub fn open_log(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::WRONLY
        | OFlags::APPEND
        | OFlags::CREATE
        | OFlags::CLOEXEC
        | OFlags::NOCTTY
        | OFlags::NONBLOCK;
    let pipe = || io::Error::other("it is a pipe or a socket");
    let file = match rustix::fs::open(path, flags, Mode::from_raw_mode(0o640)) {
        Err(Errno::NXIO) => return Err(pipe()),
        opened => opened?,
    };
    if FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode).is_fifo() {
        return Err(pipe());
    }
    fd::set_nonblocking(&file, false)?;
    Ok(file)
}

/// Standard error becomes this descriptor.
pub fn redirect_error(to: OwnedFd) -> io::Result<()> {
    rustix::stdio::dup2_stderr(to.as_fd())?;
    Ok(())
}
