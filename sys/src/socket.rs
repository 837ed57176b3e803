//! Unix sockets: packets with descriptors for a worker's lifeline, streams for clients.
//!
//! Every descriptor made or received here closes on exec. What a peer sends is bounded here and
//! judged elsewhere.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};

use crate::fd::retry;
use crate::process::Pid;

/// The most descriptors that go with one packet.
pub const PACKET_FDS_MAX: usize = 16;

/// How many connections may wait to be accepted; the system may allow fewer.
const BACKLOG: i32 = 1024;

/// Two connected ends of a packet socket: packets stay whole, and the end is seen when the other
/// side is gone. Both ends block.
pub fn packet_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// Two connected ends of a stream. Both ends block.
pub fn stream_pair() -> io::Result<(UnixStream, UnixStream)> {
    UnixStream::pair()
}

/// Sends one packet of at least one byte, and copies of at most [`PACKET_FDS_MAX`] descriptors.
///
/// A peer that is gone is `BrokenPipe`, without a signal; a full non-blocking socket `WouldBlock`.
pub fn send_packet(fd: impl AsFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    if bytes.is_empty() {
        return Err(invalid("send an empty packet: it would read as the end"));
    }
    if fds.len() > PACKET_FDS_MAX {
        return Err(invalid("send so many descriptors in one packet"));
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(PACKET_FDS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(invalid("send so many descriptors in one packet"));
    }
    let sent =
        retry(|| rustix::net::sendmsg(&fd, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL))?;
    if sent == bytes.len() { Ok(()) } else { Err(io::Error::other("send a whole packet")) }
}

/// A received packet.
#[derive(Debug)]
pub struct Packet {
    /// How many bytes of the buffer it fills; 0 is the end: the peer is gone.
    pub length: usize,
    /// The descriptors that came with it, at most [`PACKET_FDS_MAX`].
    pub fds: Vec<OwnedFd>,
    /// Something was lost: bytes beyond the buffer, or descriptors that were too many for a
    /// packet or for this process's limit of open files.
    pub truncated: bool,
}

/// Receives one packet into `buffer`. Nothing there on a non-blocking socket: `WouldBlock`.
pub fn receive_packet(fd: impl AsFd, buffer: &mut [u8]) -> io::Result<Packet> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(PACKET_FDS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = retry(|| {
        rustix::net::recvmsg(&fd, &mut [IoSliceMut::new(buffer)], &mut control, RecvFlags::CMSG_CLOEXEC)
    })?;
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            fds.extend(received);
        }
    }
    // The space is rounded up, so the system may have put one more in than was asked for.
    let surplus = fds.len() > PACKET_FDS_MAX;
    fds.truncate(PACKET_FDS_MAX);
    let lost = received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC);
    Ok(Packet { length: received.bytes.min(buffer.len()), fds, truncated: lost || surplus })
}

/// A socket in the file system that clients connect to. Dropping it does not remove the file.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    path: PathBuf,
}

impl Listener {
    /// Makes the socket at `path`, where nothing may be yet, with the access rights `mode`.
    ///
    /// Sets the process's umask for a moment, so that the socket never has wider rights than
    /// these, not even between two system calls: other threads must not make files meanwhile.
    pub fn bind(path: impl AsRef<Path>, mode: u32) -> io::Result<Self> {
        let path = path.as_ref();
        let address = address(path)?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        let before = rustix::process::umask(Mode::from_raw_mode(!mode & 0o777));
        let bound = rustix::net::bind(&socket, &address);
        rustix::process::umask(before);
        bound?;
        rustix::net::listen(&socket, BACKLOG)?;
        Ok(Self { socket, path: path.to_path_buf() })
    }

    /// The next connection, non-blocking; `None` when nobody is waiting.
    ///
    /// [`is_out_of_descriptors`] tells the error that calls for a pause from the others.
    pub fn accept(&self) -> io::Result<Option<UnixStream>> {
        loop {
            match rustix::net::accept_with(&self.socket, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok(stream) => return Ok(Some(stream.into())),
                Err(Errno::AGAIN) => return Ok(None),
                // A client that has left already is no error of this socket.
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Whether `error` says that this process, or the system, has no descriptor left: the connection
/// is still waiting, and accepting again at once would only spin.
pub fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM))
}

/// Who made a connection, as the system tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its process; none when it lives where this process cannot see it (another container).
    pub pid: Option<Pid>,
    /// Its effective user.
    pub uid: u32,
    /// Its effective group.
    pub gid: u32,
}

/// Who is at the other end, from the moment it connected.
pub fn peer(stream: &UnixStream) -> io::Result<Peer> {
    let credentials = nix::sys::socket::getsockopt(stream, nix::sys::socket::sockopt::PeerCredentials)?;
    Ok(Peer { pid: Pid::from_raw(credentials.pid()), uid: credentials.uid(), gid: credentials.gid() })
}

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listening {
    /// A socket that somebody listens on.
    Yes,
    /// A file that nobody listens on: left behind, or no socket at all.
    Stale,
    /// Nothing.
    Absent,
}

/// Tries the socket at `path` without waiting. A listener sees a connection that ends at once.
pub fn probe(path: impl AsRef<Path>) -> io::Result<Listening> {
    let address = address(path.as_ref())?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    match retry(|| rustix::net::connect(&socket, &address)) {
        // A full queue of waiting connections has a listener behind it.
        Ok(()) | Err(Errno::AGAIN) => Ok(Listening::Yes),
        Err(Errno::CONNREFUSED) => Ok(Listening::Stale),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(Listening::Absent),
        Err(error) => Err(error.into()),
    }
}

/// Removes the socket at `path` if nobody listens on it, and says whether the path is free now.
///
/// The caller must hold the lock that every owner of this path takes first; otherwise a socket
/// made between the look and the removal would be lost. Anything but a socket is left alone, with
/// an error.
pub fn unlink_stale(path: impl AsRef<Path>) -> io::Result<bool> {
    let path = path.as_ref();
    match probe(path)? {
        Listening::Yes => return Ok(false),
        Listening::Absent => return Ok(true),
        Listening::Stale => {}
    }
    match rustix::fs::lstat(path) {
        Ok(found) if FileType::from_raw_mode(found.st_mode) == FileType::Socket => {}
        Ok(_) => return Err(io::Error::new(io::ErrorKind::AlreadyExists, NotASocket(path.to_path_buf()))),
        Err(Errno::NOENT) => return Ok(true),
        Err(error) => return Err(error.into()),
    }
    match rustix::fs::unlink(path) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

#[derive(Debug)]
struct NotASocket(PathBuf);

impl fmt::Display for NotASocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is there and is no socket", self.0.display())
    }
}

impl std::error::Error for NotASocket {}

fn address(path: &Path) -> io::Result<SocketAddrUnix> {
    SocketAddrUnix::new(path).map_err(|error| match error {
        Errno::NAMETOOLONG => io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("the path of a socket has at most 107 bytes: {}", path.display()),
        ),
        other => other.into(),
    })
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}
