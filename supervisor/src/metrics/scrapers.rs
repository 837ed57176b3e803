//! Connections of scrapers, each with one request, one answer and little time.
//!
//! A hostile one costs only itself: heads and connections are bounded, and what takes too long is cut. When the house
//! is full the one that has been here longest makes room.

use std::collections::BTreeMap;
use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use tally_sys::fd::{read_some, write_some};
use tally_sys::poll::Interest;
use tally_sys::socket::{self, Listener};

use super::http::{self, HEAD_BYTES_MAX};
use crate::config::MetricsAddress;

/// Scrapers at once.
const SCRAPERS_MAX: usize = 16;
/// From the connection to the end of the answer.
const TIME_NS_MAX: u64 = 5_000_000_000;
/// Who may connect to a socket file: its user and its group.
const SOCKET_MODE: u32 = 0o660;

/// Where scrapers come in.
#[derive(Debug)]
pub(crate) enum Door {
    Tcp(TcpListener),
    Unix(Listener),
}

impl Door {
    /// Opens one; `None` where none is wanted.
    pub(crate) fn open(address: &MetricsAddress) -> io::Result<Option<Self>> {
        match address {
            MetricsAddress::None => Ok(None),
            MetricsAddress::Tcp(address) => {
                let listener = TcpListener::bind(address)?;
                listener.set_nonblocking(true)?;
                Ok(Some(Self::Tcp(listener)))
            }
            MetricsAddress::Unix(path) => {
                if !socket::unlink_stale(path)? {
                    return Err(io::Error::new(io::ErrorKind::AddrInUse, "somebody else listens there"));
                }
                Listener::bind(path, SOCKET_MODE).map(Self::Unix).map(Some)
            }
        }
    }

    /// Where it is, as a scraper is told: with the port that the system chose, if it did.
    pub(crate) fn address(&self) -> String {
        match self {
            Self::Tcp(listener) => match listener.local_addr() {
                Ok(address) => format!("http://{address}/metrics"),
                Err(why) => format!("an address that nobody knows: {why}"),
            },
            Self::Unix(listener) => format!("unix:{}", listener.path().display()),
        }
    }

    /// Closes it; a socket file goes with it.
    pub(crate) fn close(self) {
        if let Self::Unix(listener) = &self
            && let Err(why) = std::fs::remove_file(listener.path())
        {
            tracing::warn!("could not remove {}: {why}", listener.path().display());
        }
    }

    fn accept(&self) -> io::Result<Option<Stream>> {
        match self {
            Self::Tcp(listener) => match listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(true)?;
                    Ok(Some(Stream::Tcp(stream)))
                }
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => Ok(None),
                // It has left already.
                Err(why)
                    if matches!(
                        why.kind(),
                        io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted
                    ) =>
                {
                    Ok(None)
                }
                Err(why) => Err(why),
            },
            Self::Unix(listener) => Ok(listener.accept()?.map(Stream::Unix)),
        }
    }
}

impl AsFd for Door {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(listener) => listener.as_fd(),
            Self::Unix(listener) => listener.as_fd(),
        }
    }
}

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    fn say_no_more(&self) {
        match self {
            Self::Tcp(stream) => drop(stream.shutdown(Shutdown::Write)),
            Self::Unix(stream) => drop(stream.shutdown(Shutdown::Write)),
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        }
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Scraper {
    stream: Stream,
    head: Vec<u8>,
    /// What is still to be sent; empty before the request is understood.
    answer: Vec<u8>,
    sent: usize,
    /// All is sent: what comes is read and thrown away, so that closing does not take the answer back.
    leaving: bool,
    until_ns: u64,
}

impl Scraper {
    /// What the poll is to watch for.
    pub(crate) fn interest(&self) -> Interest {
        if self.is_answered() { Interest::WRITE } else { Interest::READ }
    }

    /// Reads what has come, once: a flood is cut by the clock.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Heard {
        let room = if self.leaving { buffer.len() } else { HEAD_BYTES_MAX + 4 - self.head.len() };
        let room = room.min(buffer.len());
        match read_some(&self.stream, &mut buffer[..room]) {
            Ok(None) => return Heard::Nothing,
            Ok(Some(0)) | Err(_) => return Heard::Over,
            Ok(Some(_)) if self.leaving => return Heard::Nothing,
            Ok(Some(count)) => self.head.extend_from_slice(&buffer[..count]),
        }
        http::understand(&self.head).map_or(Heard::Nothing, Heard::Asks)
    }

    /// Takes its answer.
    pub(crate) fn answer(&mut self, bytes: Vec<u8>) {
        self.answer = bytes;
    }

    /// Sends what goes. False when it is over.
    pub(crate) fn write(&mut self) -> bool {
        while self.sent < self.answer.len() {
            match write_some(&self.stream, &self.answer[self.sent..]) {
                Ok(None) => return true,
                Ok(Some(count)) => self.sent += count,
                Err(_) => return false,
            }
        }
        self.stream.say_no_more();
        self.leaving = true;
        true
    }

    /// Whether its answer is under way.
    pub(crate) fn is_answered(&self) -> bool {
        self.sent < self.answer.len()
    }
}

/// What a scraper said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Nothing whole yet.
    Nothing,
    /// A request, good or bad: it gets this answer.
    Asks(http::Answer),
    /// Nothing more.
    Over,
}

impl AsFd for Scraper {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// All of them, and their door.
#[derive(Debug, Default)]
pub(crate) struct Scrapers {
    door: Option<Door>,
    all: BTreeMap<u64, Scraper>,
    last: u64,
    /// The door waits until a descriptor is free.
    pub(crate) paused: bool,
}

impl Scrapers {
    /// With a door, if there is one.
    pub(crate) fn behind(door: Option<Door>) -> Self {
        Self { door, ..Self::default() }
    }

    pub(crate) fn door(&self) -> Option<&Door> {
        self.door.as_ref()
    }

    pub(crate) fn take_door(&mut self) -> Option<Door> {
        self.door.take()
    }

    /// The next one at the door, and who has to make room for it.
    pub(crate) fn admit(&mut self, now_ns: u64) -> io::Result<Option<(u64, Option<u64>)>> {
        let Some(door) = &self.door else { return Ok(None) };
        let Some(stream) = door.accept()? else { return Ok(None) };
        let oldest = self.oldest().filter(|_| self.all.len() >= SCRAPERS_MAX);
        self.last += 1;
        let scraper = Scraper {
            stream,
            head: Vec::new(),
            answer: Vec::new(),
            sent: 0,
            leaving: false,
            until_ns: now_ns.saturating_add(TIME_NS_MAX),
        };
        self.all.insert(self.last, scraper);
        Ok(Some((self.last, oldest)))
    }

    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut Scraper> {
        self.all.get_mut(&id)
    }

    pub(crate) fn remove(&mut self, id: u64) -> Option<Scraper> {
        self.all.remove(&id)
    }

    /// When the next one is cut: they come and go in order.
    pub(crate) fn next_deadline_ns(&self) -> Option<u64> {
        self.all.values().map(|one| one.until_ns).min()
    }

    /// Those whose time is over.
    pub(crate) fn overdue(&self, now_ns: u64) -> Vec<u64> {
        self.all.iter().filter(|(_, one)| one.until_ns <= now_ns).map(|(id, _)| *id).collect()
    }

    /// The one that has been here longest.
    pub(crate) fn oldest(&self) -> Option<u64> {
        self.all.keys().next().copied()
    }
}
