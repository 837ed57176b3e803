//! Descriptors: pipes, flags, and reads and writes that know "not now" from an error.
//!
//! Every descriptor made here closes on exec. Nothing here may take or close a descriptor that
//! somebody else owns; the one sweep that does so runs only in a child just forked.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// The highest of the three standard descriptors.
const STANDARD_ERROR: RawFd = 2;

/// Makes reads and writes on `fd` return at once (`true`) or wait (`false`).
///
/// The flag belongs to the open file: every process that shares it is affected.
pub fn set_nonblocking(fd: impl AsFd, nonblocking: bool) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(&fd)?;
    let wanted = if nonblocking { flags | OFlags::NONBLOCK } else { flags - OFlags::NONBLOCK };
    if wanted != flags {
        rustix::fs::fcntl_setfl(&fd, wanted)?;
    }
    Ok(())
}

/// A new pipe: its read end and its write end, both blocking and closed on exec.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?)
}

/// A descriptor that reads as empty and swallows what is written.
pub fn null_device() -> io::Result<OwnedFd> {
    Ok(rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?)
}

/// Opens `/dev/null` on each of 0, 1 and 2 that is closed.
///
/// A later descriptor must never land there: a log line written to "standard error" would end up
/// in a socket, and libraries that take descriptor 0 for "none" would misbehave.
pub fn open_standard_streams() -> io::Result<()> {
    loop {
        // The system hands out the lowest free number. Not close-on-exec: programs started later
        // need their standard streams as well.
        let fd = rustix::fs::open("/dev/null", OFlags::RDWR, Mode::empty())?.into_raw_fd();
        if fd > STANDARD_ERROR {
            drop(owned(fd));
            return Ok(());
        }
    }
}

/// Has `fd` stay open in programs that this process starts from now on, and in those that they start.
pub fn keep_on_exec(fd: impl AsFd) -> io::Result<()> {
    Ok(rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::empty())?)
}

/// Marks every open descriptor above 2 to be closed on exec, also those that this process was
/// born with. Nothing is closed now.
pub fn close_all_on_exec() -> io::Result<()> {
    close_range(3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC)
}

/// Reads once into `buffer`. `None`: nothing there now (non-blocking descriptors only);
/// `Some(0)`: the end. An interrupted read is started again.
pub fn read_some(fd: impl AsFd, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    would_block_is_none(retry(|| rustix::io::read(&fd, &mut *buffer)))
}

/// Writes once from `bytes` and says how many were taken, maybe fewer than all. `None`: no room
/// now (non-blocking descriptors only). An interrupted write is started again.
pub fn write_some(fd: impl AsFd, bytes: &[u8]) -> io::Result<Option<usize>> {
    would_block_is_none(retry(|| rustix::io::write(&fd, bytes)))
}

/// Bytes that wait in a pipe, asked at either end; also when nobody reads from it any more.
pub fn waiting(fd: impl AsFd) -> io::Result<u64> {
    Ok(rustix::io::ioctl_fionread(fd)?)
}

/// Calls `operation` again for as long as a signal interrupts it.
pub(crate) fn retry<T>(mut operation: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    loop {
        match operation() {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}

fn would_block_is_none(result: rustix::io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(Errno::AGAIN) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Closes every descriptor above 2 but those in `keep`, whoever owns them.
///
/// Only for a child just forked, which will never run the code that owns the others
/// (`process::fork`): it must hold neither another worker's link nor the daemon's socket, or their
/// peers would never see them close.
pub(crate) fn close_all_except(keep: &KeptFds) -> io::Result<()> {
    let mut first = 3;
    for &kept in &keep.sorted {
        if kept > first {
            close_range(first, kept - 1, 0)?;
        }
        first = first.max(kept.saturating_add(1));
    }
    close_range(first, u32::MAX, 0)
}

/// Descriptor numbers to keep, in order. Made before the fork, so that the child need not allocate.
#[derive(Debug)]
pub(crate) struct KeptFds {
    sorted: Vec<u32>,
}

impl KeptFds {
    pub(crate) fn new<'fd>(fds: impl Iterator<Item = BorrowedFd<'fd>>) -> Self {
        let mut sorted: Vec<u32> = fds.filter_map(|fd| u32::try_from(fd.as_raw_fd()).ok()).collect();
        sorted.sort_unstable();
        Self { sorted }
    }
}

/// The raw system call: the C library has a wrapper only since glibc 2.34.
fn close_range(first: u32, last: u32, flags: libc::c_uint) -> io::Result<()> {
    // SAFETY: takes three numbers and touches no memory; that nobody uses a closed descriptor any
    // more is the duty of `close_all_except`, the only caller that closes.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Takes back what `into_raw_fd` gave away.
fn owned(fd: RawFd) -> OwnedFd {
    // SAFETY: the caller has just got the number from `OwnedFd::into_raw_fd` and keeps no copy.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_carries_bytes_and_ends() {
        let (reader, writer) = pipe().unwrap();
        assert_eq!(write_some(&writer, b"abc").unwrap(), Some(3));
        let mut buffer = [0; 8];
        assert_eq!(read_some(&reader, &mut buffer).unwrap(), Some(3));
        assert_eq!(&buffer[..3], b"abc");
        drop(writer);
        assert_eq!(read_some(&reader, &mut buffer).unwrap(), Some(0));
    }

    #[test]
    fn pipes_close_on_exec() {
        let (reader, writer) = pipe().unwrap();
        for end in [&reader, &writer] {
            assert_eq!(rustix::io::fcntl_getfd(end).unwrap(), rustix::io::FdFlags::CLOEXEC);
        }
    }

    #[test]
    fn a_nonblocking_end_says_not_now() {
        let (reader, writer) = pipe().unwrap();
        set_nonblocking(&reader, true).unwrap();
        set_nonblocking(&writer, true).unwrap();
        assert_eq!(read_some(&reader, &mut [0; 8]).unwrap(), None);
        let chunk = [0; 4096];
        let mut written = 0;
        while let Some(count) = write_some(&writer, &chunk).unwrap() {
            written += count;
        }
        assert!(written >= 4096, "{written} bytes before the pipe was full");
        set_nonblocking(&reader, false).unwrap();
        assert!(!rustix::fs::fcntl_getfl(&reader).unwrap().contains(OFlags::NONBLOCK));
    }

    #[test]
    fn writing_to_a_pipe_without_a_reader_is_an_error_and_no_signal() {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let error = write_some(&writer, b"x").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn descriptors_to_keep_are_sorted() {
        let (reader, writer) = pipe().unwrap();
        let kept = KeptFds::new([writer.as_fd(), reader.as_fd()].into_iter());
        assert!(kept.sorted.is_sorted());
        assert_eq!(kept.sorted.len(), 2);
    }
}
