//! One poll for everything a loop waits for.
//!
//! Level-triggered: what is not read now is reported again. It must never wake by itself: without
//! a timeout it sleeps until a descriptor is ready.
//!
//! Epoll itself rather than a crate over it: a portable one makes several more system calls for
//! each wait, which is a large part of a turn (docs/adr/0001-house.md).

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

/// Descriptors reported by one wait; the rest is reported by the next.
const EVENTS_MAX: usize = 256;

/// What to wait for on a descriptor. A hang-up is always reported, whatever is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// There is something to read, or the end.
    pub readable: bool,
    /// There is room to write.
    pub writable: bool,
}

impl Interest {
    /// Hang-ups only.
    pub const NONE: Self = Self { readable: false, writable: false };
    /// Reading.
    pub const READ: Self = Self { readable: true, writable: false };
    /// Writing.
    pub const WRITE: Self = Self { readable: false, writable: true };
    /// Reading and writing.
    pub const BOTH: Self = Self { readable: true, writable: true };
}

/// What a descriptor is ready for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The key it was watched with.
    pub key: usize,
    /// A read will not wait: there is data, the end or an error.
    pub readable: bool,
    /// A write will not wait: there is room, or an error.
    pub writable: bool,
    /// Both directions are closed: the peer is gone. Not set when the peer has only finished
    /// sending. Data sent before may still be there to read.
    pub hangup: bool,
}

/// A set of watched descriptors.
///
/// A descriptor must be forgotten before it is closed. If it is not, the system forgets it by
/// itself as long as no other process holds the same open file; otherwise its key is reported
/// until that process is gone.
#[derive(Debug)]
pub struct Poll {
    epoll: OwnedFd,
}

impl Interest {
    fn flags(self) -> EventFlags {
        let mut flags = EventFlags::empty();
        flags.set(EventFlags::IN, self.readable);
        flags.set(EventFlags::OUT, self.writable);
        flags
    }
}

impl Ready {
    fn of(event: Event) -> Option<Self> {
        let flags = event.flags;
        // An error is found by whichever operation comes next.
        let broken = flags.intersects(EventFlags::ERR | EventFlags::HUP);
        Some(Self {
            key: usize::try_from(event.data.u64()).ok()?,
            readable: broken || flags.contains(EventFlags::IN),
            writable: broken || flags.contains(EventFlags::OUT),
            hangup: flags.contains(EventFlags::HUP),
        })
    }
}

impl Poll {
    /// A poll that watches nothing.
    pub fn new() -> io::Result<Self> {
        Ok(Self { epoll: epoll::create(CreateFlags::CLOEXEC)? })
    }

    /// Watches `fd` and reports it as `key`.
    pub fn watch(&self, fd: impl AsFd, key: usize, interest: Interest) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, fd, EventData::new_u64(key as u64), interest.flags())?)
    }

    /// Changes what a watched descriptor is watched for, and its key.
    pub fn change(&self, fd: impl AsFd, key: usize, interest: Interest) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, fd, EventData::new_u64(key as u64), interest.flags())?)
    }

    /// Stops watching; a descriptor that is not watched is none the worse for it.
    pub fn forget(&self, fd: impl AsFd) -> io::Result<()> {
        match epoll::delete(&self.epoll, fd) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until something is ready or `timeout` has passed (`None`: for ever) and puts what is
    /// ready into `ready`, emptied before. It may return early with nothing.
    pub fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<Ready>) -> io::Result<()> {
        ready.clear();
        let timeout = timeout.map(timespec);
        let mut events = [MaybeUninit::uninit(); EVENTS_MAX];
        match epoll::wait(&self.epoll, &mut events, timeout.as_ref()) {
            Ok((events, _)) => ready.extend(events.iter().copied().filter_map(Ready::of)),
            // A signal: its stream is readable, and the next wait says so.
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

/// Waits once for a few descriptors, or until `timeout` has passed (`None`: for ever), and says what each is ready for;
/// its key is its place. For a loop whose descriptors come and go.
pub fn look(fds: &[Option<(BorrowedFd<'_>, Interest)>], timeout: Option<Duration>) -> io::Result<Vec<Ready>> {
    let mut places = Vec::with_capacity(fds.len());
    let mut asked = Vec::with_capacity(fds.len());
    for (place, (fd, interest)) in fds.iter().enumerate().filter_map(|(place, one)| Some((place, (*one)?))) {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, interest.readable);
        flags.set(PollFlags::OUT, interest.writable);
        places.push(place);
        asked.push(PollFd::from_borrowed_fd(fd, flags));
    }
    let timeout = timeout.map(timespec);
    match rustix::event::poll(&mut asked, timeout.as_ref()) {
        Ok(_) => {}
        Err(Errno::INTR) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    }
    let found = places.into_iter().zip(&asked).filter(|(_, one)| !one.revents().is_empty());
    Ok(found
        .map(|(key, one)| {
            let flags = one.revents();
            let broken = flags.intersects(PollFlags::ERR | PollFlags::HUP);
            Ready {
                key,
                readable: broken || flags.contains(PollFlags::IN),
                writable: broken || flags.contains(PollFlags::OUT),
                hangup: flags.contains(PollFlags::HUP),
            }
        })
        .collect())
}

fn timespec(span: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: span.subsec_nanos().into(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::Shutdown;
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::fd;

    /// What is ready at once.
    fn ready_now(poll: &mut Poll) -> Vec<Ready> {
        let mut ready = vec![Ready { key: 99, readable: true, writable: true, hangup: true }];
        poll.wait(Some(Duration::ZERO), &mut ready).unwrap();
        ready
    }

    #[test]
    fn readiness_is_reported_until_it_is_used_up() {
        let (reader, writer) = fd::pipe().unwrap();
        let mut poll = Poll::new().unwrap();
        poll.watch(&reader, 7, Interest::READ).unwrap();
        assert_eq!(ready_now(&mut poll), []);
        fd::write_some(&writer, b"ab").unwrap();
        let expected = [Ready { key: 7, readable: true, writable: false, hangup: false }];
        assert_eq!(ready_now(&mut poll), expected);
        assert_eq!(fd::read_some(&reader, &mut [0; 1]).unwrap(), Some(1));
        assert_eq!(ready_now(&mut poll), expected, "half the data is still there");
        assert_eq!(fd::read_some(&reader, &mut [0; 1]).unwrap(), Some(1));
        assert_eq!(ready_now(&mut poll), []);
    }

    #[test]
    fn interest_can_change_and_end() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let mut poll = Poll::new().unwrap();
        poll.watch(&ours, 1, Interest::READ).unwrap();
        assert_eq!(ready_now(&mut poll), []);
        poll.change(&ours, 2, Interest::BOTH).unwrap();
        assert_eq!(ready_now(&mut poll), [Ready { key: 2, readable: false, writable: true, hangup: false }]);
        poll.forget(&ours).unwrap();
        assert_eq!(ready_now(&mut poll), []);
        poll.forget(&ours).unwrap();
        assert!(poll.change(&ours, 2, Interest::READ).is_err());
    }

    #[test]
    fn a_half_close_is_the_end_of_data_but_no_hangup() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut poll = Poll::new().unwrap();
        poll.watch(&ours, 1, Interest::READ).unwrap();
        theirs.shutdown(Shutdown::Write).unwrap();
        assert_eq!(ready_now(&mut poll), [Ready { key: 1, readable: true, writable: false, hangup: false }]);
        drop(theirs);
        let ready = ready_now(&mut poll);
        assert_eq!(ready.len(), 1);
        assert!(ready[0].hangup && ready[0].readable, "{ready:?}");
    }

    #[test]
    fn a_hangup_is_reported_without_any_interest() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut poll = Poll::new().unwrap();
        poll.watch(&ours, 3, Interest::NONE).unwrap();
        theirs.write_all(b"data").unwrap();
        assert_eq!(ready_now(&mut poll), []);
        drop(theirs);
        let ready = ready_now(&mut poll);
        assert_eq!(ready.len(), 1);
        assert!(ready[0].hangup && ready[0].key == 3, "{ready:?}");
    }

    #[test]
    fn a_closed_pipe_reader_shows_as_writable() {
        let (reader, writer) = fd::pipe().unwrap();
        let mut poll = Poll::new().unwrap();
        poll.watch(&writer, 1, Interest::NONE).unwrap();
        drop(reader);
        let ready = ready_now(&mut poll);
        assert_eq!(ready.len(), 1);
        assert!(ready[0].writable, "{ready:?}");
    }

    #[test]
    fn a_closed_descriptor_is_dropped_by_the_system() {
        let (reader, writer) = fd::pipe().unwrap();
        fd::write_some(&writer, b"x").unwrap();
        let mut poll = Poll::new().unwrap();
        poll.watch(&reader, 1, Interest::READ).unwrap();
        drop(reader);
        assert_eq!(ready_now(&mut poll), []);
    }
}
