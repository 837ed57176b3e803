//! A child of this process, held by its pidfd: no other process can be mistaken for it.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};

use super::status::{How, Whose, wait};
use super::{ExitStatus, Pid, named, send};
use crate::signal::Signal;

/// A child of this process. As a descriptor it becomes readable when the child has ended.
///
/// Dropping it neither ends the child nor waits for it; a child that has ended by then is reaped.
#[derive(Debug)]
pub struct Child {
    pid: Pid,
    pidfd: OwnedFd,
    status: Option<ExitStatus>,
}

impl Child {
    /// Takes charge of a child of this process that nobody has reaped: `pid` then cannot have
    /// passed to another process. An error if it is no child of this process.
    pub fn adopt(pid: Pid) -> io::Result<Self> {
        let pidfd = pidfd_open(pid.to_rustix(), PidfdFlags::empty())?;
        let child = Self { pid, pidfd, status: None };
        wait(child.whose(), How::Peek)?;
        Ok(child)
    }

    /// As [`Child::adopt`], for a child just started; one that cannot be watched, for lack of a
    /// descriptor, is killed and reaped.
    pub(super) fn adopt_or_end(pid: Pid) -> io::Result<Self> {
        Self::adopt(pid).inspect_err(|_| {
            drop(send(pid, Signal::Kill));
            drop(wait(Whose::Pid(pid), How::Wait));
        })
    }

    /// A child just started, with the pidfd that came with it.
    pub(super) fn of_pidfd(pid: Pid, pidfd: OwnedFd) -> Self {
        Self { pid, pidfd, status: None }
    }

    /// Its number, valid until it is reaped.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// How it ended, once it has; `None` while it runs. Never waits. After the first answer the
    /// system has forgotten the child and this value repeats it.
    ///
    /// An error means that the child was reaped behind this value's back: it is gone, and how it
    /// ended is lost. That is so in a process that ignores SIGCHLD, as its parent may have had it
    /// do: call `restore_default(Signal::Chld)` before the first child.
    pub fn try_reap(&mut self) -> io::Result<Option<ExitStatus>> {
        self.reap_with(How::Try)
    }

    /// Waits until it has ended and says how.
    pub fn reap(&mut self) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = self.reap_with(How::Wait)? {
                return Ok(status);
            }
        }
    }

    /// Sends it a signal; one that has ended already needs none.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(&self.pidfd, named(signal)?) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn reap_with(&mut self, how: How) -> io::Result<Option<ExitStatus>> {
        if self.status.is_none() {
            self.status = wait(self.whose(), how)?.map(|(_, status)| status);
        }
        Ok(self.status)
    }

    fn whose(&self) -> Whose {
        Whose::PidFd(self.pidfd.as_raw_fd())
    }
}

impl AsFd for Child {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Best effort: leaves no zombie behind where that costs nothing.
        drop(self.try_reap());
    }
}
