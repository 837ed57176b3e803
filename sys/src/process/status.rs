//! How a process ended, as a value with one sentence for people.

use std::fmt;
use std::io;

use super::Pid;
use crate::signal::Signal;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExitStatus {
    /// It returned this status, 0 to 255; 0 is success.
    Exited(i32),
    /// A signal ended it.
    Killed {
        /// Which one.
        signal: Signal,
        /// Whether the system wrote a memory image.
        core: bool,
    },
}

impl ExitStatus {
    /// Whether it ended by itself with status 0.
    pub fn success(self) -> bool {
        self == Self::Exited(0)
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "exited with status {status}"),
            Self::Killed { signal, core: false } => write!(f, "killed by {signal}"),
            Self::Killed { signal, core: true } => write!(f, "killed by {signal} (core dumped)"),
        }
    }
}

/// Which ended children to ask about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Whose {
    Any,
    Pid(Pid),
    PidFd(std::os::fd::RawFd),
}

/// Whether to wait for an end, and whether to leave the child for a later reap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// Wait, then reap.
    Wait,
    /// Reap if it has ended.
    Try,
    /// Look only.
    Peek,
}

/// Asks the system about ended children; `None`: no such child has ended yet.
///
/// The raw call and not a wrapper: rustix does not tell the pid, and nix fails on an end by a
/// real-time signal.
pub(super) fn wait(whose: Whose, how: How) -> io::Result<Option<(Pid, ExitStatus)>> {
    let (kind, id) = match whose {
        Whose::Any => (libc::P_ALL, 0),
        Whose::Pid(pid) => (libc::P_PID, pid.raw()),
        Whose::PidFd(fd) => (libc::P_PIDFD, fd),
    };
    let flags = libc::WEXITED
        | match how {
            How::Wait => 0,
            How::Try => libc::WNOHANG,
            How::Peek => libc::WNOHANG | libc::WNOWAIT,
        };
    let id = libc::id_t::try_from(id).unwrap_or(0);
    let info = loop {
        // SAFETY: a record of plain numbers, for which all zero is a value; it must be zero, since
        // the call leaves it alone when no child has ended.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: `info` is ours and large enough.
        if unsafe { libc::waitid(kind, id, &raw mut info, flags) } == 0 {
            break info;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    };
    // SAFETY: waitid fills in the part for SIGCHLD, or it is all zero.
    let pid = unsafe { info.si_pid() };
    // SAFETY: as above.
    let value = unsafe { info.si_status() };
    let status = match info.si_code {
        libc::CLD_EXITED => ExitStatus::Exited(value),
        code => ExitStatus::Killed { signal: Signal::from_raw(value), core: code == libc::CLD_DUMPED },
    };
    Ok(Pid::from_raw(pid).map(|pid| (pid, status)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_read_as_sentences() {
        let killed = |signal, core| ExitStatus::Killed { signal, core };
        assert_eq!(ExitStatus::Exited(3).to_string(), "exited with status 3");
        assert_eq!(killed(Signal::Kill, false).to_string(), "killed by SIGKILL");
        assert_eq!(killed(Signal::Abrt, true).to_string(), "killed by SIGABRT (core dumped)");
        assert_eq!(killed(Signal::Other(35), false).to_string(), "killed by signal 35");
        assert!(ExitStatus::Exited(0).success());
        assert!(!ExitStatus::Exited(1).success() && !killed(Signal::Term, false).success());
    }
}
