//! POSIX message queues without a name: made, opened at both ends, and unlinked at once.
//!
//! Messages stay whole, also when a sender is killed. The ends have open files of their own, so
//! that no flag a peer sets on its end changes anything at the other. Neither end ever waits. A
//! queue does not tell of the death of a peer.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};

use nix::errno::Errno;
use nix::mqueue::{
    MQ_OFlag, MqAttr, MqdT, mq_attr_member_t, mq_getattr, mq_open, mq_receive, mq_send, mq_unlink,
};
use nix::sys::stat::Mode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::fd::set_nonblocking;

/// The end of a queue that messages are put in.
#[derive(Debug)]
pub struct QueueSender(OwnedFd);

/// The end of a queue that messages are taken from.
#[derive(Debug)]
pub struct QueueReceiver(OwnedFd);

/// A new queue for `messages` messages of up to `message_bytes` bytes each.
///
/// `name` starts with a slash and has no other; it must be free, and is free again on return,
/// unless this process is killed meanwhile. [`is_exhausted`] tells the errors that mean "too many
/// queues" from the others.
pub fn create(name: &str, messages: u16, message_bytes: u16) -> io::Result<(QueueSender, QueueReceiver)> {
    let attributes =
        MqAttr::new(0, mq_attr_member_t::from(messages), mq_attr_member_t::from(message_bytes), 0);
    let always = MQ_OFlag::O_NONBLOCK | MQ_OFlag::O_CLOEXEC;
    let new = MQ_OFlag::O_CREAT | MQ_OFlag::O_EXCL | MQ_OFlag::O_RDONLY | always;
    let receiver =
        QueueReceiver(owned(mq_open(name, new, Mode::S_IRUSR | Mode::S_IWUSR, Some(&attributes))?));
    let sender = mq_open(name, MQ_OFlag::O_WRONLY | always, Mode::empty(), None);
    unlink(name)?;
    Ok((QueueSender(owned(sender?)), receiver))
}

/// Whether `error` says that this user, or the system, may have no more queues or descriptors.
pub fn is_exhausted(error: &io::Error) -> bool {
    let exhausted = [libc::EMFILE, libc::ENFILE, libc::ENOSPC, libc::ENOMEM];
    error.raw_os_error().is_some_and(|errno| exhausted.contains(&errno))
}

/// Lets this process make queues only while all queues of its user take at most `bytes` together,
/// for good. A limit that is lower already stays.
pub fn limit_bytes(bytes: u64) -> io::Result<()> {
    let Rlimit { current, maximum } = getrlimit(Resource::Msgqueue);
    let lowered = |limit: Option<u64>| Some(limit.map_or(bytes, |limit| limit.min(bytes)));
    setrlimit(Resource::Msgqueue, Rlimit { current: lowered(current), maximum: lowered(maximum) })?;
    Ok(())
}

/// Removes the name of a queue; one that is gone already is no error.
pub fn unlink(name: &str) -> io::Result<()> {
    match mq_unlink(name) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

impl QueueSender {
    /// A sending end received from another process.
    pub fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        set_nonblocking(&fd, true)?;
        Ok(Self(fd))
    }

    /// Puts a message in. False: the queue is full.
    pub fn send(&self, message: &[u8]) -> io::Result<bool> {
        loop {
            match mq_send(&borrowed(&self.0), message, 0) {
                Ok(()) => return Ok(true),
                Err(Errno::EAGAIN) => return Ok(false),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

impl QueueReceiver {
    /// A receiving end received from another process.
    pub fn from_fd(fd: OwnedFd) -> io::Result<Self> {
        set_nonblocking(&fd, true)?;
        Ok(Self(fd))
    }

    /// Takes the oldest message into `buffer`, which must not be smaller than the largest message
    /// of the queue, and returns its length. `None`: the queue is empty.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            match mq_receive(&borrowed(&self.0), buffer, &mut 0) {
                Ok(length) => return Ok(Some(length)),
                Err(Errno::EAGAIN) => return Ok(None),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// How many messages are in the queue.
    pub fn waiting(&self) -> io::Result<usize> {
        Ok(usize::try_from(mq_getattr(&borrowed(&self.0))?.curmsgs()).unwrap_or(0))
    }
}

impl AsFd for QueueSender {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsFd for QueueReceiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<QueueSender> for OwnedFd {
    fn from(end: QueueSender) -> Self {
        end.0
    }
}

impl From<QueueReceiver> for OwnedFd {
    fn from(end: QueueReceiver) -> Self {
        end.0
    }
}

/// On Linux a queue's descriptor is a descriptor like others, and closing it closes the queue.
/// nix's type would never close it.
fn owned(queue: MqdT) -> OwnedFd {
    // SAFETY: nix has just opened the descriptor and gives it away here.
    unsafe { OwnedFd::from_raw_fd(queue.into_raw_fd()) }
}

fn borrowed(fd: &OwnedFd) -> MqdT {
    // SAFETY: the descriptor is open; the value has no destructor, and no caller keeps it longer
    // than one call. For a descriptor that is no queue the system returns an error.
    unsafe { MqdT::from_raw_fd(fd.as_raw_fd()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::own_pid;

    fn queue(test: &str) -> (QueueSender, QueueReceiver) {
        create(&format!("/tally-sys-test-{}-{test}", own_pid()), 2, 64).unwrap()
    }

    #[test]
    fn messages_stay_whole_and_in_order() {
        let (sender, receiver) = queue("order");
        let mut buffer = [0; 64];
        assert_eq!(receiver.receive(&mut buffer).unwrap(), None);
        assert!(sender.send(b"first").unwrap());
        assert!(sender.send(b"").unwrap());
        assert!(!sender.send(b"third").unwrap(), "the queue takes two");
        assert_eq!(receiver.waiting().unwrap(), 2);
        assert_eq!(receiver.receive(&mut buffer).unwrap(), Some(5));
        assert_eq!(&buffer[..5], b"first");
        assert_eq!(receiver.receive(&mut buffer).unwrap(), Some(0));
        assert_eq!(receiver.receive(&mut buffer).unwrap(), None);
    }

    #[test]
    fn the_name_is_free_again_at_once() {
        let _first = queue("name");
        let _second = queue("name");
        unlink("/tally-sys-test-none").unwrap();
    }

    #[test]
    fn a_peer_cannot_make_this_end_wait() {
        let (sender, receiver) = queue("flags");
        set_nonblocking(&sender, false).unwrap();
        assert_eq!(receiver.receive(&mut [0; 64]).unwrap(), None);
    }

    #[test]
    fn each_end_only_does_its_part() {
        let (sender, receiver) = queue("parts");
        assert!(QueueSender::from_fd(receiver.into()).unwrap().send(b"x").is_err());
        assert!(QueueReceiver::from_fd(sender.into()).unwrap().receive(&mut [0; 64]).is_err());
    }

    #[test]
    fn what_is_no_queue_is_an_error() {
        let (reader, writer) = crate::fd::pipe().unwrap();
        assert!(QueueReceiver::from_fd(reader).unwrap().receive(&mut [0; 64]).is_err());
        assert!(QueueSender::from_fd(writer).unwrap().send(b"x").is_err());
    }

    #[test]
    fn a_queue_too_large_is_no_exhaustion() {
        let error = create("/tally-sys-test-large", u16::MAX, u16::MAX).unwrap_err();
        assert!(!is_exhausted(&error), "{error}");
        assert!(is_exhausted(&io::Error::from_raw_os_error(libc::ENOSPC)));
    }
}
