//! What a service tells the manager that started it: `sd_notify(3)`, a datagram for each message.
//!
//! Nothing here waits for long: a manager that does not read is told nothing.

use std::ffi::{OsStr, OsString};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags,
    SocketType, sendmsg_addr, sendto,
};

use crate::fd::retry;
use crate::{environment, process};

/// How long a message may wait for room in the manager's queue.
const WAIT: Duration = Duration::from_millis(200);

/// Descriptors in one message at the most.
pub const FDS_MAX: usize = 64;

/// The variables of the protocol.
const SOCKET: &str = "NOTIFY_SOCKET";
const WATCHDOG_USEC: &str = "WATCHDOG_USEC";
const WATCHDOG_PID: &str = "WATCHDOG_PID";

/// The way to the service manager.
#[derive(Debug)]
pub struct Notifier {
    socket: OwnedFd,
    address: SocketAddrUnix,
    variables: Vec<(&'static str, OsString)>,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// What the environment tells of a manager; `None` when there is none. The variables are taken out of it, so that
    /// no child speaks in this process's name.
    pub fn from_environment() -> io::Result<Option<Self>> {
        let variables: Vec<(&'static str, OsString)> = [SOCKET, WATCHDOG_USEC, WATCHDOG_PID]
            .into_iter()
            .filter_map(|name| Some((name, environment::take(name)?)))
            .collect();
        let get =
            |wanted| variables.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.as_os_str());
        let Some(path) = get(SOCKET) else { return Ok(None) };
        let address = address(path)?;
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
        set_socket_timeout(&socket, Timeout::Send, Some(WAIT))?;
        let text = |wanted| get(wanted).and_then(OsStr::to_str);
        let ours = text(WATCHDOG_PID).is_none_or(|pid| pid == process::own_pid().to_string());
        let watchdog = text(WATCHDOG_USEC)
            .and_then(|usec| usec.parse().ok())
            .filter(|&usec: &u64| ours && usec > 0)
            .map(Duration::from_micros);
        Ok(Some(Self { socket, address, variables, watchdog }))
    }

    /// Sends one message: lines of `NAME=value`.
    pub fn send(&self, message: &str) -> io::Result<()> {
        match retry(|| sendto(&self.socket, message.as_bytes(), SendFlags::NOSIGNAL, &self.address)) {
            Ok(_) => Ok(()),
            Err(Errno::AGAIN) => Err(io::ErrorKind::TimedOut.into()),
            Err(why) => Err(why.into()),
        }
    }

    /// The same, with copies of descriptors.
    pub fn send_with(&self, message: &str, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_MAX))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if fds.len() > FDS_MAX || !control.push(SendAncillaryMessage::ScmRights(fds)) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "send so many descriptors in one message",
            ));
        }
        let bytes = [IoSlice::new(message.as_bytes())];
        let address = self.address.clone();
        match retry(|| sendmsg_addr(&self.socket, &address, &bytes, &mut control, SendFlags::NOSIGNAL)) {
            Ok(_) => Ok(()),
            Err(Errno::AGAIN) => Err(io::ErrorKind::TimedOut.into()),
            Err(why) => Err(why.into()),
        }
    }

    /// How often the manager wants a sign of life at the least.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// The variables as they were, for a program that takes this process over.
    pub fn variables(&self) -> &[(&'static str, OsString)] {
        &self.variables
    }
}

fn address(path: &OsStr) -> io::Result<SocketAddrUnix> {
    match path.as_bytes() {
        [b'@', name @ ..] => Ok(SocketAddrUnix::new_abstract_name(name)?),
        [b'/', ..] => Ok(SocketAddrUnix::new(path)?),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{SOCKET} is {}", path.display()))),
    }
}
