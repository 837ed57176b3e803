//! The three standard streams of a process that speaks to nobody: a worker, a forkserver, a private supervisor.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::fd;

/// Whether standard input was closed when the program began.
static INPUT_WAS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Looks at standard input before the language's runtime opens /dev/null in the place of a closed one, after which nobody
/// can tell. It runs before `main`: one system call, no allocation, nothing of the runtime.
// SAFETY: the linker's list of functions that run before main takes pointers of exactly this type.
#[used]
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;

extern "C" fn look() {
    let closed = rustix::io::fcntl_getfd(rustix::stdio::stdin()) == Err(Errno::BADF);
    INPUT_WAS_CLOSED.store(closed, Ordering::Relaxed);
}

/// Whether standard input was closed when the program began: there is nothing to read, not even an end.
#[must_use]
pub fn input_was_closed() -> bool {
    // The reference keeps the look before main in every program that asks.
    std::hint::black_box(&LOOK);
    INPUT_WAS_CLOSED.load(Ordering::Relaxed)
}

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
