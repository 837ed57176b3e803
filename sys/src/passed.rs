//! Bytes of a stream with the descriptors that came among them: what a client passes for others to read.
//!
//! How many are taken with one read is bounded by the room for them; the system closes those beyond it itself, so a
//! sender of many can use up none of this process's numbers. What was taken closes on exec and when it is dropped.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};

use crate::fd::retry;

/// The most descriptors that are taken with one read; a sender can pass 253 with one write.
pub const PASSED_FDS_MAX: usize = 128;
/// The most that the system lets go with one write.
pub const SENT_FDS_MAX: usize = 253;

/// What one read took.
#[derive(Debug)]
pub struct Taken {
    /// Bytes of the buffer that were filled; 0 is the end.
    pub bytes: usize,
    /// The descriptors that came with them, at most [`PASSED_FDS_MAX`].
    pub fds: Vec<OwnedFd>,
    /// There were more, now closed: too many for one read or for this process's limit of open files.
    pub lost: bool,
}

/// Reads once from a stream socket. `None`: nothing there now. Bytes sent with descriptors are never put together
/// with bytes sent before.
///
/// # Errors
/// The connection is broken.
pub fn take(stream: impl AsFd, buffer: &mut [u8]) -> io::Result<Option<Taken>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(PASSED_FDS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = retry(|| {
        rustix::net::recvmsg(&stream, &mut [IoSliceMut::new(buffer)], &mut control, RecvFlags::CMSG_CLOEXEC)
    });
    let received = match received {
        Ok(received) => received,
        Err(Errno::AGAIN) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(passed) = message {
            fds.extend(passed);
        }
    }
    // The space is rounded up, so the system may have put one more in than was asked for.
    let surplus = fds.len() > PASSED_FDS_MAX;
    fds.truncate(PASSED_FDS_MAX);
    let lost = surplus || received.flags.contains(ReturnFlags::CTRUNC);
    Ok(Some(Taken { bytes: received.bytes, fds, lost }))
}

/// Writes once to a stream socket and passes copies of descriptors along, at most [`SENT_FDS_MAX`]. Says how many
/// bytes were taken; the descriptors go with the first.
///
/// # Errors
/// The connection is broken, or there are no bytes or too many descriptors: `InvalidInput`.
pub fn pass(stream: impl AsFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SENT_FDS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if bytes.is_empty() || fds.len() > SENT_FDS_MAX {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let parts = [IoSlice::new(bytes)];
    Ok(retry(|| rustix::net::sendmsg(&stream, &parts, &mut control, SendFlags::NOSIGNAL))?)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::fd::{null_device, set_nonblocking};

    fn send(stream: &UnixStream, count: usize) {
        let null = null_device().unwrap();
        assert_eq!(super::pass(stream, b"x", &vec![null.as_fd(); count]).unwrap(), 1);
    }

    #[test]
    fn descriptors_come_with_their_bytes_and_are_bounded() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        set_nonblocking(&ours, true).unwrap();
        let mut buffer = [0; 8];
        assert!(take(&ours, &mut buffer).unwrap().is_none());
        theirs.write_all(b"ab").unwrap();
        send(&theirs, PASSED_FDS_MAX);
        send(&theirs, 250);
        let plain = take(&ours, &mut buffer).unwrap().unwrap();
        // With or without the byte after them, as the system likes.
        assert!(plain.bytes >= 2 && !plain.lost);
        let mut taken = plain.fds.len();
        let mut lost = false;
        for _ in 0..2 {
            if let Some(next) = take(&ours, &mut buffer).unwrap() {
                taken += next.fds.len();
                lost |= next.lost;
            }
        }
        assert!(lost && taken == 2 * PASSED_FDS_MAX, "{taken}");
        drop(theirs);
        assert_eq!(take(&ours, &mut buffer).unwrap().unwrap().bytes, 0);
    }

    #[test]
    fn a_flood_of_descriptors_leaves_none_behind() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        send(&theirs, 250);
        drop(take(&ours, &mut [0; 64]).unwrap());
        // Other tests of this process open and close theirs meanwhile, but never hundreds.
        let before = open();
        for _ in 0..200 {
            send(&theirs, 250);
            drop(take(&ours, &mut [0; 64]).unwrap());
        }
        assert!(open() < before + 200);
    }
}
