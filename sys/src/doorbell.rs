//! Doorbells, and the waits of a worker: for one descriptor, or for the end of its supervisor.
//!
//! A doorbell is a descriptor that polls as readable from the first ring until it is answered. A
//! ring is a hint and never the truth: whoever wakes looks at what the memory or the queue says.
//! Ringing and answering never wait.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use crate::fd::{read_some, retry, set_nonblocking, write_some};

/// A bell that any holder of a copy of its descriptor can ring or answer.
#[derive(Debug)]
pub struct Doorbell {
    fd: OwnedFd,
}

impl Doorbell {
    /// A new bell that has not been rung.
    pub fn new() -> io::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Ok(Self { fd: rustix::event::eventfd(0, flags)? })
    }

    /// A bell received from another process.
    pub fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        set_nonblocking(&fd, true)?;
        Ok(Self { fd })
    }

    /// Another descriptor of the same bell, to hand to another process.
    pub fn share(&self) -> io::Result<OwnedFd> {
        self.fd.try_clone()
    }

    /// Makes the bell readable.
    pub fn ring(&self) -> io::Result<()> {
        // "No room" means that the counter is at its end: the bell is ringing as it is.
        write_some(&self.fd, &1_u64.to_ne_bytes()).map(|_| ())
    }

    /// Makes the bell unreadable until the next ring; whether it had been rung.
    pub fn answer(&self) -> io::Result<bool> {
        Ok(read_some(&self.fd, &mut [0; 8])?.is_some())
    }
}

impl AsFd for Doorbell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// The awaited descriptor is ready: for data, room, its end or an error.
    Ready,
    /// It is not ready, and the other end of the lifeline is closed.
    Gone,
}

/// Waits until `fd` can be read or the other end of `lifeline` is closed.
///
/// Data on the lifeline ends no wait, and data on `fd` comes before the end of the lifeline.
pub fn wait_readable(fd: impl AsFd, lifeline: impl AsFd) -> io::Result<Woken> {
    wait(fd.as_fd(), PollFlags::IN, lifeline.as_fd())
}

/// Waits until `fd` has room to write or the other end of `lifeline` is closed.
pub fn wait_writable(fd: impl AsFd, lifeline: impl AsFd) -> io::Result<Woken> {
    wait(fd.as_fd(), PollFlags::OUT, lifeline.as_fd())
}

/// Whether the other end of `lifeline` is closed. Never waits.
pub fn is_gone(lifeline: impl AsFd) -> io::Result<bool> {
    let mut fds = [PollFd::new(&lifeline, PollFlags::empty())];
    poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
    Ok(!fds[0].revents().is_empty())
}

fn wait(fd: BorrowedFd<'_>, flags: PollFlags, lifeline: BorrowedFd<'_>) -> io::Result<Woken> {
    // Nothing is asked of the lifeline: a hang-up is reported all the same.
    let mut fds =
        [PollFd::from_borrowed_fd(fd, flags), PollFd::from_borrowed_fd(lifeline, PollFlags::empty())];
    loop {
        poll(&mut fds, None)?;
        if !fds[0].revents().is_empty() {
            return Ok(Woken::Ready);
        }
        if !fds[1].revents().is_empty() {
            return Ok(Woken::Gone);
        }
    }
}

fn poll(fds: &mut [PollFd<'_>], timeout: Option<&Timespec>) -> Result<usize, Errno> {
    retry(|| rustix::event::poll(fds, timeout))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::fd;

    #[test]
    fn a_bell_rings_until_it_is_answered() {
        let bell = Doorbell::new().unwrap();
        assert!(!bell.answer().unwrap());
        bell.ring().unwrap();
        bell.ring().unwrap();
        let (_held, lifeline) = UnixStream::pair().unwrap();
        assert_eq!(wait_readable(&bell, &lifeline).unwrap(), Woken::Ready);
        assert!(bell.answer().unwrap());
        assert!(!bell.answer().unwrap(), "two rings are one answer");
    }

    #[test]
    fn a_shared_bell_is_the_same_bell() {
        let ours = Doorbell::new().unwrap();
        let theirs = Doorbell::from_fd(ours.share().unwrap()).unwrap();
        theirs.ring().unwrap();
        assert!(ours.answer().unwrap());
    }

    #[test]
    fn a_bell_at_the_end_of_its_counter_still_rings() {
        let bell = Doorbell::new().unwrap();
        fd::write_some(&bell, &(u64::MAX - 1).to_ne_bytes()).unwrap();
        bell.ring().unwrap();
        assert!(bell.answer().unwrap());
    }

    #[test]
    fn the_end_of_the_lifeline_ends_a_wait() {
        let bell = Doorbell::new().unwrap();
        let (held, lifeline) = UnixStream::pair().unwrap();
        assert!(!is_gone(&lifeline).unwrap());
        let waiter = std::thread::spawn(move || {
            let woken = wait_readable(&bell, &lifeline).unwrap();
            (woken, is_gone(&lifeline).unwrap())
        });
        drop(held);
        assert_eq!(waiter.join().unwrap(), (Woken::Gone, true));
    }

    #[test]
    fn data_comes_before_the_end_of_the_lifeline() {
        let (reader, writer) = fd::pipe().unwrap();
        let (held, lifeline) = UnixStream::pair().unwrap();
        drop(held);
        assert_eq!(wait_readable(&reader, &lifeline).unwrap(), Woken::Gone);
        fd::write_some(&writer, b"x").unwrap();
        assert_eq!(wait_readable(&reader, &lifeline).unwrap(), Woken::Ready);
        assert_eq!(wait_writable(&writer, &lifeline).unwrap(), Woken::Ready);
    }

    #[test]
    fn data_on_the_lifeline_ends_no_wait() {
        let bell = Doorbell::new().unwrap();
        let (mut held, lifeline) = UnixStream::pair().unwrap();
        held.write_all(b"x").unwrap();
        assert!(!is_gone(&lifeline).unwrap());
        bell.ring().unwrap();
        assert_eq!(wait_readable(&bell, &lifeline).unwrap(), Woken::Ready);
    }
}
