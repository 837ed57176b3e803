//! A process that need not be a child of this one, held by its pidfd: a signal reaches it or nobody.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};

use super::{Pid, named};
use crate::signal::Signal;

/// A process. It is not waited for, and its end is not taken from whoever does.
#[derive(Debug)]
pub struct Other(OwnedFd);

impl Other {
    /// The process that has this number now. Whoever means a certain one looks at it after this.
    ///
    /// # Errors
    /// There is none, or no descriptor to hold it by.
    pub fn hold(pid: Pid) -> io::Result<Self> {
        Ok(Self(pidfd_open(pid.to_rustix(), PidfdFlags::empty())?))
    }

    /// Sends it a signal; whether it was there to get one.
    ///
    /// # Errors
    /// It belongs to somebody else.
    pub fn signal(&self, signal: Signal) -> io::Result<bool> {
        match pidfd_send_signal(&self.0, named(signal)?) {
            Ok(()) => Ok(true),
            Err(Errno::SRCH) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// It can be watched: readable once the process has ended.
impl AsFd for Other {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
