//! Unix sockets: packets with descriptors for a worker's lifeline, streams for clients.
//!
//! Every descriptor made or received here closes on exec. What a peer sends is bounded here and
//! judged elsewhere.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
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
pub const PACKET_FDS_MAX: usize = 128;

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
    lent: bool,
}

impl Listener {
    /// Makes the socket at `path`, where nothing may be yet, with exactly the access rights `mode`.
    ///
    /// Nobody can connect before the rights are these, and the process's umask, which other
    /// threads share, is left alone.
    pub fn bind(path: impl AsRef<Path>, mode: u32) -> io::Result<Self> {
        Self::bind_for(path, mode, None)
    }

    /// As [`bind`](Self::bind), for a group other than this process's: it is the file's before anybody can connect.
    pub fn bind_for(path: impl AsRef<Path>, mode: u32, group: Option<u32>) -> io::Result<Self> {
        let path = path.as_ref();
        let address = address(path)?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        // The file gets the rights of the socket, less the umask: never more than `mode`.
        let mode = Mode::from_raw_mode(mode & 0o777);
        rustix::fs::fchmod(&socket, mode)?;
        rustix::net::bind(&socket, &address)?;
        // What the umask took away is given back before the socket listens; until then every
        // attempt to connect is refused.
        let listening = group
            .map_or(Ok(()), |group| std::os::unix::fs::lchown(path, None, Some(group)))
            .and_then(|()| give_rights(path, mode))
            .and_then(|()| Ok(rustix::net::listen(&socket, BACKLOG)?));
        if let Err(error) = listening {
            rustix::fs::unlink(path).ok();
            return Err(error);
        }
        Ok(Self { socket, path: path.to_path_buf(), lent: false })
    }

    /// Takes over a socket that listens already: a Unix stream with a path. `lent`: its file belongs to whoever made it.
    pub fn adopt(socket: OwnedFd, lent: bool) -> io::Result<Self> {
        use rustix::net::sockopt::{socket_acceptconn, socket_domain, socket_type};
        let fits = socket_domain(&socket)? == AddressFamily::UNIX
            && socket_type(&socket)? == SocketType::STREAM
            && socket_acceptconn(&socket)?;
        if !fits {
            return Err(invalid("it is no Unix stream socket that listens"));
        }
        let address = SocketAddrUnix::try_from(rustix::net::getsockname(&socket)?)?;
        let path = address.path().ok_or_else(|| invalid("the socket has no path"))?;
        let path = PathBuf::from(std::ffi::OsStr::from_bytes(path.to_bytes()));
        crate::fd::set_nonblocking(&socket, true)?;
        Ok(Self { socket, path, lent })
    }

    /// Whether its file belongs to somebody else, who made it and will remove it.
    pub fn is_lent(&self) -> bool {
        self.lent
    }

    /// The socket alone, without its path.
    pub fn into_socket(self) -> OwnedFd {
        self.socket
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

fn give_rights(path: &Path, mode: Mode) -> io::Result<()> {
    let found = Mode::from_raw_mode(rustix::fs::lstat(path)?.st_mode & 0o777);
    if found != mode {
        rustix::fs::chmod(path, mode)?;
    }
    Ok(())
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fd::{null_device, pipe, read_some, set_nonblocking, write_some};
    use crate::lockfile::directory::Directory;

    #[test]
    fn packets_stay_whole() {
        let (ours, theirs) = packet_pair().unwrap();
        send_packet(&ours, b"one", &[]).unwrap();
        send_packet(&ours, b"second", &[]).unwrap();
        drop(ours);
        let mut buffer = [0; 16];
        for expected in [&b"one"[..], b"second", b""] {
            let packet = receive_packet(&theirs, &mut buffer).unwrap();
            assert_eq!(&buffer[..packet.length], expected);
            assert!(packet.fds.is_empty() && !packet.truncated);
        }
    }

    #[test]
    fn what_is_too_long_is_cut_and_told() {
        let (ours, theirs) = packet_pair().unwrap();
        send_packet(&ours, b"too long", &[]).unwrap();
        send_packet(&ours, b"ok", &[]).unwrap();
        let mut buffer = [0; 3];
        let packet = receive_packet(&theirs, &mut buffer).unwrap();
        assert!(packet.truncated);
        assert_eq!((packet.length, &buffer), (3, b"too"));
        let packet = receive_packet(&theirs, &mut buffer).unwrap();
        assert!(!packet.truncated && packet.length == 2);
    }

    #[test]
    fn descriptors_go_with_a_packet_and_close_on_exec() {
        let (ours, theirs) = packet_pair().unwrap();
        let (reader, writer) = pipe().unwrap();
        send_packet(&ours, b"x", &[reader.as_fd(), writer.as_fd()]).unwrap();
        drop((reader, writer));
        let packet = receive_packet(&theirs, &mut [0; 1]).unwrap();
        let [reader, writer] = packet.fds.try_into().unwrap();
        write_some(&writer, b"through").unwrap();
        assert_eq!(read_some(&reader, &mut [0; 8]).unwrap(), Some(7));
        for fd in [reader, writer] {
            assert_eq!(rustix::io::fcntl_getfd(&fd).unwrap(), rustix::io::FdFlags::CLOEXEC);
        }
    }

    #[test]
    fn descriptors_have_a_maximum_on_both_sides() {
        let (ours, theirs) = packet_pair().unwrap();
        let null = null_device().unwrap();
        send_packet(&ours, b"x", &[null.as_fd(); PACKET_FDS_MAX]).unwrap();
        let packet = receive_packet(&theirs, &mut [0; 1]).unwrap();
        assert_eq!((packet.fds.len(), packet.truncated), (PACKET_FDS_MAX, false));
        let error = send_packet(&ours, b"x", &[null.as_fd(); PACKET_FDS_MAX + 1]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        // A peer that does not obey the maximum.
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(200))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let many = [null.as_fd(); 200];
        assert!(control.push(SendAncillaryMessage::ScmRights(&many)));
        rustix::net::sendmsg(&ours, &[IoSlice::new(b"x")], &mut control, SendFlags::empty()).unwrap();
        let packet = receive_packet(&theirs, &mut [0; 1]).unwrap();
        assert_eq!((packet.fds.len(), packet.truncated), (PACKET_FDS_MAX, true));
    }

    #[test]
    fn an_empty_packet_is_refused() {
        let (ours, _theirs) = packet_pair().unwrap();
        assert_eq!(send_packet(&ours, b"", &[]).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn nonblocking_packets_say_not_now() {
        let (ours, theirs) = packet_pair().unwrap();
        set_nonblocking(&ours, true).unwrap();
        set_nonblocking(&theirs, true).unwrap();
        let error = receive_packet(&theirs, &mut [0; 1]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        let error = loop {
            if let Err(error) = send_packet(&ours, &[0; 1024], &[]) {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_listener_has_the_rights_asked_for_and_is_probed() {
        let directory = Directory::new();
        for mode in [0o600, 0o660, 0o666] {
            let path = directory.join(&format!("socket-{mode:o}"));
            assert_eq!(probe(&path).unwrap(), Listening::Absent);
            let listener = Listener::bind(&path, mode).unwrap();
            assert_eq!(rustix::fs::stat(&path).unwrap().st_mode & 0o777, mode);
            assert_eq!(listener.path(), path);
            assert_eq!(probe(&path).unwrap(), Listening::Yes);
            assert!(!unlink_stale(&path).unwrap(), "a socket in use stays");
            let error = Listener::bind(&path, mode).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
            drop(listener);
            assert_eq!(probe(&path).unwrap(), Listening::Stale);
            assert!(unlink_stale(&path).unwrap());
            assert!(unlink_stale(&path).unwrap(), "nothing there is as good");
        }
    }

    #[test]
    fn accepted_streams_do_not_block_and_close_on_exec() {
        let directory = Directory::new();
        let listener = Listener::bind(directory.join("socket"), 0o600).unwrap();
        assert!(listener.accept().unwrap().is_none());
        let _client = UnixStream::connect(listener.path()).unwrap();
        let stream = listener.accept().unwrap().unwrap();
        assert_eq!(read_some(&stream, &mut [0; 1]).unwrap(), None);
        assert_eq!(rustix::io::fcntl_getfd(&stream).unwrap(), rustix::io::FdFlags::CLOEXEC);
        assert_eq!(peer(&stream).unwrap().pid, Some(crate::process::own_pid()));
    }

    #[test]
    fn a_full_queue_of_connections_still_means_listening() {
        let directory = Directory::new();
        let path = directory.join("socket");
        let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
        rustix::net::bind(&socket, &address(&path).unwrap()).unwrap();
        rustix::net::listen(&socket, 0).unwrap();
        let _waiting = UnixStream::connect(&path).unwrap();
        assert_eq!(probe(&path).unwrap(), Listening::Yes);
        assert_eq!(probe(&path).unwrap(), Listening::Yes);
    }

    #[test]
    fn only_sockets_are_removed() {
        let directory = Directory::new();
        let path = directory.join("file");
        std::fs::write(&path, "precious").unwrap();
        assert_eq!(probe(&path).unwrap(), Listening::Stale);
        let error = unlink_stale(&path).unwrap_err();
        assert_eq!(error.to_string(), format!("{} is there and is no socket", path.display()));
        assert!(path.exists());
    }

    #[test]
    fn a_path_too_long_is_an_error_with_the_path() {
        let path = format!("/tmp/{}", "x".repeat(120));
        let error = Listener::bind(&path, 0o600).unwrap_err();
        assert_eq!(error.to_string(), format!("the path of a socket has at most 107 bytes: {path}"));
        assert!(probe(&path).is_err());
    }
}
