//! Links: how frames travel between the supervisor and one worker.
//!
//! Five transports, one behaviour: whole frames in order, a supervisor that never waits, one
//! descriptor for it to poll. A link knows nothing of what the frames say.
//!
//! What comes from a worker is copied out once and checked before it is used. A worker is
//! nevertheless this program under this user: the checks are made against its faults and its
//! sudden death. One that is taken over could do what no check here prevents, as it could kill the
//! supervisor anyway: make the eventfds that both share wait, truncate the segment of a
//! `shm-named` link, or send half a message of `ipc-channel`'s by hand.
//!
//! [`create`] and [`open`] make the two ends, [`sweep()`] removes what killed supervisors left, and
//! `tests/conformance.rs` says what every transport must do.

#![forbid(unsafe_code)]

mod channel;
mod guard;
mod limits;
mod link;
mod mqueue;
mod name;
mod outbox;
mod packed;
mod pipe;
mod records;
mod ring_link;
mod shm;
mod shm_named;
pub mod steps;
mod sweep;

use std::fmt;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

pub use limits::{OFFER_FDS_MAX, OFFER_TEXT_BYTES_MAX, OUTBOX_BYTES_MAX, TAG_BYTES_MAX};
pub use link::{CreateError, LinkError, Received, SupervisorLink, Wait, WorkerLink};
pub use sweep::{Swept, sweep};

/// A kind of link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// Two rings in a sealed segment without a name, with eventfds as doorbells.
    Shm,
    /// Two rings in a named segment, with a semaphore in it to wake the worker.
    ShmNamed,
    /// Two pipes.
    Pipe,
    /// Two POSIX message queues.
    Mqueue,
    /// Channels of the crate `ipc-channel`, with eventfds as doorbells.
    Channel,
}

impl Transport {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Shm, Self::ShmNamed, Self::Pipe, Self::Mqueue, Self::Channel];

    /// What it is called by people and in a worker's set-up.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shm => "shm",
            Self::ShmNamed => "shm-named",
            Self::Pipe => "pipe",
            Self::Mqueue => "mqueue",
            Self::Channel => "channel",
        }
    }

    /// The transport of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|transport| transport.name() == name)
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a worker needs to open its end.
///
/// It travels over the worker's lifeline; the sender closes its copies of the descriptors when
/// they are sent, or the supervisor would never see the worker's end close.
#[derive(Debug)]
pub struct Offer {
    /// At most [`OFFER_TEXT_BYTES_MAX`] bytes.
    pub text: Vec<u8>,
    /// At most [`OFFER_FDS_MAX`] descriptors.
    pub fds: Vec<OwnedFd>,
}

/// Makes a link: the supervisor's end, and the offer for the worker.
///
/// `tag` tells this link from all other live ones of this process: ASCII letters, digits and
/// dashes, at most [`TAG_BYTES_MAX`] bytes, e.g. a worker's number.
pub fn create(transport: Transport, tag: &str) -> Result<(Box<dyn SupervisorLink>, Offer), CreateError> {
    let fits = !tag.is_empty()
        && tag.len() <= TAG_BYTES_MAX
        && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !fits {
        return Err(CreateError::Tag(tag.to_owned()));
    }
    match transport {
        Transport::Shm => shm::create(),
        Transport::ShmNamed => shm_named::create(tag),
        Transport::Pipe => pipe::create(),
        Transport::Mqueue => mqueue::create(tag),
        Transport::Channel => channel::create(),
    }
}

/// Opens the worker's end of a link, from the text and descriptors of the supervisor's offer.
///
/// `lifeline` is the worker's socket to its supervisor, from which nothing more is to be read; its
/// end is the end of the link. After this the worker tells the supervisor that it has opened.
pub fn open(text: &[u8], fds: Vec<OwnedFd>, lifeline: BorrowedFd<'_>) -> io::Result<Box<dyn WorkerLink>> {
    let text = std::str::from_utf8(text).map_err(|_| bad_offer("an offer that is no text"))?;
    let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
    let transport =
        Transport::from_name(name).ok_or_else(|| bad_offer(&format!("the unknown transport {name:?}")))?;
    let lifeline = lifeline.try_clone_to_owned()?;
    match transport {
        Transport::Shm => shm::open(rest, fds, lifeline),
        Transport::ShmNamed => shm_named::open(rest, fds, lifeline),
        Transport::Pipe => pipe::open(fds, lifeline),
        Transport::Mqueue => mqueue::open(fds, lifeline),
        Transport::Channel => channel::open(rest, fds, lifeline),
    }
}

/// The worker's side of an offer does not fit this program.
fn bad_offer(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("open a link from {what}"))
}

/// The descriptors of an offer, if they are as many as expected.
fn take_fds<const N: usize>(fds: Vec<OwnedFd>) -> io::Result<[OwnedFd; N]> {
    fds.try_into()
        .map_err(|fds: Vec<OwnedFd>| bad_offer(&format!("{} descriptors instead of {N}", fds.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_transport_has_a_name_of_its_own() {
        for transport in Transport::ALL {
            assert_eq!(Transport::from_name(transport.name()), Some(transport));
        }
        assert_eq!(Transport::from_name("Shm"), None);
    }

    #[test]
    fn a_tag_that_could_name_something_else_is_refused() {
        for tag in ["", "a/b", "..", "a b", "ä", &"x".repeat(TAG_BYTES_MAX + 1)] {
            assert!(matches!(create(Transport::Pipe, tag), Err(CreateError::Tag(_))), "{tag:?}");
        }
    }

    #[test]
    fn an_offer_that_makes_no_sense_is_refused() {
        let (lifeline, _held) = std::os::unix::net::UnixStream::pair().unwrap();
        let lifeline = std::os::fd::AsFd::as_fd(&lifeline);
        for text in [&b""[..], b"carrier-pigeon", b"shm", b"shm x", b"shm 8", b"pipe", b"\xff"] {
            assert!(open(text, Vec::new(), lifeline).is_err(), "{text:?}");
        }
    }
}
