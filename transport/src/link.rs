//! What the two ends of a link can do, whatever carries the frames.

use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;

use tally_sys::reason::reason;

use crate::Transport;

/// The supervisor's end of a link to one worker. No function of it waits for the worker.
///
/// A turn with a link: when its [`doorbell`](Self::doorbell) is readable, [`answer`](Self::answer),
/// then [`receive`](Self::receive) until nothing is there (or some bound), then
/// [`flush`](Self::flush). Before sleeping in a poll, ask [`before_sleep`](Self::before_sleep).
///
/// The end of a worker is learnt from its process and not from its link: some transports see it
/// ([`LinkError::Closed`], after the last frame was received; the doorbell may then stay readable
/// and is no longer to be polled), others never do. What the worker had handed over before it died
/// can still be received.
pub trait SupervisorLink: fmt::Debug {
    /// What carries the frames.
    fn transport(&self) -> Transport;

    /// The worker has said over its lifeline that its end is open: removes names, accepts the
    /// connection. It must not be called before.
    fn peer_opened(&mut self) -> io::Result<()>;

    /// The longest frame, in bytes.
    fn frame_bytes_max(&self) -> usize;

    /// Takes a frame for the worker. It may wait here until [`flush`](Self::flush).
    ///
    /// [`LinkError::Full`]: too much is waiting already; the frame was not taken.
    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError>;

    /// Hands waiting frames over as far as there is room, and wakes the worker. True: none is
    /// left. Otherwise the doorbell rings when there may be room, and this is to be called again.
    fn flush(&mut self) -> Result<bool, LinkError>;

    /// The one descriptor to poll for reading: frames, or room for waiting ones, may be there.
    fn doorbell(&self) -> BorrowedFd<'_>;

    /// Makes the doorbell silent, before receiving: whatever comes after this rings again.
    fn answer(&mut self) -> Result<(), LinkError>;

    /// Takes the next whole frame into `frame`, emptied before. False: none is there.
    ///
    /// [`LinkError::Violation`]: the worker, or something else, broke the rules of the link, which
    /// is dead from then on.
    fn receive(&mut self, frame: &mut Vec<u8>) -> Result<bool, LinkError>;

    /// Before sleeping: true if frames may be there although the doorbell is silent, as after
    /// receiving up to a bound only. Frames that wait for the worker are flushed once more.
    fn before_sleep(&mut self) -> Result<bool, LinkError>;
}

/// The worker's end of a link.
pub trait WorkerLink: fmt::Debug {
    /// What carries the frames.
    fn transport(&self) -> Transport;

    /// The longest frame, in bytes.
    fn frame_bytes_max(&self) -> usize;

    /// Takes the next frame into `frame`, emptied before. Before it waits, what was sent is
    /// flushed.
    fn receive(&mut self, frame: &mut Vec<u8>, wait: Wait) -> Result<Received, LinkError>;

    /// Takes a frame for the supervisor, which sees it after [`flush`](Self::flush) at the latest.
    /// Waits like it when there is no more room for the frame.
    fn send(&mut self, frame: &[u8]) -> Result<(), LinkError>;

    /// Hands everything over and wakes the supervisor; waits for room as long as needed.
    ///
    /// [`LinkError::Closed`]: the supervisor is gone.
    fn flush(&mut self) -> Result<(), LinkError>;

    /// Hands buffered frames over without waking the supervisor where the link can: it sees them
    /// when it looks, at the latest when the worker is dead. For signs that nobody waits for.
    fn commit(&mut self) -> Result<(), LinkError> {
        self.flush()
    }

    /// What a worker that waits for other things, too, watches for reading: a frame may have come when it is ready.
    /// `None`: this link has nothing to watch, and must be looked at now and then.
    fn bell(&self) -> Option<BorrowedFd<'_>>;

    /// Makes the bell unready; then `receive` until it has nothing.
    fn answer_bell(&mut self) -> Result<(), LinkError>;

    /// Before such a wait, when `receive` has had nothing: hands everything over and has the bell ring for the next
    /// frame. True: one is there already, and there is no need to wait.
    fn before_sleep(&mut self) -> Result<bool, LinkError>;
}

/// How long to wait for a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Not at all.
    Never,
    /// Until one comes or the supervisor is gone.
    Forever,
}

/// What came of waiting for a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// A frame.
    Frame,
    /// Nothing is there now.
    Empty,
    /// The supervisor is gone, and nothing will come any more.
    Closed,
}

/// Why a link could not do something. Its text fits after "could not".
#[derive(Debug)]
pub enum LinkError {
    /// The other end is closed, and everything from it was received.
    Closed,
    /// Too many bytes wait for the worker already ([`crate::OUTBOX_BYTES_MAX`]).
    Full,
    /// The frame is longer than this link takes.
    TooLong {
        /// The length of the frame.
        bytes: usize,
        /// The longest possible.
        bytes_max: usize,
    },
    /// The other end broke the rules; says how.
    Violation(String),
    /// The system refused.
    Io(io::Error),
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("reach the other end of the link: it is closed"),
            Self::Full => f.write_str("queue more frames: the worker does not take those that wait"),
            Self::TooLong { bytes, bytes_max } => {
                write!(f, "send a frame of {bytes} bytes: {bytes_max} is the most")
            }
            Self::Violation(what) => write!(f, "trust the other end of the link: {what}"),
            Self::Io(error) => write!(f, "use the link: {}", reason(error)),
        }
    }
}

impl std::error::Error for LinkError {}

impl From<io::Error> for LinkError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Self::Closed,
            _ => Self::Io(error),
        }
    }
}

impl From<tally_sys::ring::Corrupt> for LinkError {
    fn from(corrupt: tally_sys::ring::Corrupt) -> Self {
        Self::Violation(corrupt.to_string())
    }
}

/// Why a link could not be made. Its text fits after "could not".
#[derive(Debug)]
pub enum CreateError {
    /// A limit of the system on this kind of link is reached: another transport may still do.
    Exhausted {
        /// Which limit, and how to raise it.
        text: String,
    },
    /// This transport is not available here.
    Unsupported(Transport),
    /// The tag is none.
    Tag(String),
    /// The system refused.
    Io {
        /// What was to be made.
        what: &'static str,
        /// Why it was not.
        error: io::Error,
    },
}

impl CreateError {
    /// An error of the system in making something, for `map_err`.
    pub(crate) fn io<E: Into<io::Error>>(what: &'static str) -> impl Fn(E) -> Self {
        move |error| Self::Io { what, error: error.into() }
    }
}

impl fmt::Display for CreateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exhausted { text } => f.write_str(text),
            Self::Unsupported(transport) => write!(f, "make a {transport} link: it is not available here"),
            Self::Tag(tag) => write!(f, "make a link with the tag {tag:?}"),
            Self::Io { what, error } => write!(f, "make {what}: {}", reason(error)),
        }
    }
}

impl std::error::Error for CreateError {}
