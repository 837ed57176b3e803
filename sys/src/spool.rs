//! Streams as files: what a pipe or a device holds, read to its end into what has parts and can be mapped.

use std::fs::File;
use std::io::{self, Read, Seek as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};

use crate::clock;
use crate::poll::{Interest, look};

/// Reads a stream to its end into what is a regular file, and can be mapped and passed on as one: memory, or, if it is
/// longer than `memory_bytes`, a file without a name in `directory`. Nothing is left behind by whoever dies when.
///
/// A stream that has not come to its end at `until_ns` of [`clock::monotonic_ns`] is an error of the kind `TimedOut`.
///
/// # Errors
/// When it cannot be read, does not end in time, or there is no room for it.
pub fn spool(
    stream: impl AsFd,
    memory_bytes: u64,
    directory: &Path,
    until_ns: Option<u64>,
) -> io::Result<OwnedFd> {
    let memory = rustix::fs::memfd_create("tally-spool", rustix::fs::MemfdFlags::CLOEXEC)?;
    let from = File::from(stream.as_fd().try_clone_to_owned()?);
    let memory = File::from(memory);
    match until_ns {
        // From file to file, which the system may do by itself.
        None => copied(from, memory, memory_bytes, directory),
        Some(until_ns) => copied(InTime { file: from, until_ns }, memory, memory_bytes, directory),
    }
}

fn copied(from: impl Copied, mut memory: File, memory_bytes: u64, directory: &Path) -> io::Result<OwnedFd> {
    let mut from = from;
    if from.copy(memory_bytes.saturating_add(1), &mut memory)? <= memory_bytes {
        return Ok(memory.into());
    }
    let mut large = File::from(nameless(directory)?);
    memory.rewind()?;
    io::copy(&mut memory, &mut large)?;
    drop(memory);
    from.copy(u64::MAX, &mut large)?;
    Ok(large.into())
}

/// What is copied into a file.
trait Copied {
    /// Copies so many bytes at the most, and says how many.
    fn copy(&mut self, most: u64, to: &mut File) -> io::Result<u64>;
}

impl Copied for File {
    fn copy(&mut self, most: u64, to: &mut File) -> io::Result<u64> {
        io::copy(&mut (&mut *self).take(most), to)
    }
}

impl Copied for InTime {
    fn copy(&mut self, most: u64, to: &mut File) -> io::Result<u64> {
        let mut to = io::BufWriter::with_capacity(BUFFER_BYTES, to);
        let copied = io::copy(&mut (&mut *self).take(most), &mut to)?;
        to.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(copied)
    }
}

/// Bytes that are read at once.
const BUFFER_BYTES: usize = 64 << 10;

/// A stream that is read until a moment and no longer.
struct InTime {
    file: File,
    until_ns: u64,
}

impl Read for InTime {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let left_ns = self.until_ns.saturating_sub(clock::monotonic_ns());
            if left_ns == 0 {
                return Err(io::ErrorKind::TimedOut.into());
            }
            // Early wake-ups, also by signals, find nothing.
            let readable = [Some((self.file.as_fd(), Interest::READ))];
            if !look(&readable, Some(Duration::from_nanos(left_ns)))?.is_empty() {
                return self.file.read(buffer);
            }
        }
    }
}

/// A new file that is in no directory.
fn nameless(directory: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::TMPFILE;
    rustix::fs::open(directory, flags, Mode::RUSR | Mode::WUSR).map_err(|why| {
        let why = io::Error::from(why);
        io::Error::new(why.kind(), format!("there is no room for it in {}: {why}", directory.display()))
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn soon_ns() -> u64 {
        clock::monotonic_ns() + 20_000_000
    }

    #[test]
    fn a_stream_is_a_file_however_long_it_is() {
        for (memory_bytes, until_ns) in
            [(2, None), (1_000, None), (2, Some(u64::MAX)), (1_000, Some(u64::MAX))]
        {
            let (reader, mut writer) = io::pipe().unwrap();
            writer.write_all(b"some bytes").unwrap();
            drop(writer);
            let mut file = File::from(spool(reader, memory_bytes, Path::new("/tmp"), until_ns).unwrap());
            file.rewind().unwrap();
            assert_eq!(io::read_to_string(file).unwrap(), "some bytes");
        }
    }

    #[test]
    fn one_that_does_not_end_in_time_is_an_error() {
        let (reader, writer) = io::pipe().unwrap();
        let silent = spool(reader, 10, Path::new("/tmp"), Some(soon_ns())).unwrap_err();
        assert_eq!(silent.kind(), io::ErrorKind::TimedOut);
        drop(writer);
        let endless = File::open("/dev/zero").unwrap();
        let endless = spool(endless, u64::MAX, Path::new("/tmp"), Some(soon_ns())).unwrap_err();
        assert_eq!(endless.kind(), io::ErrorKind::TimedOut);
    }
}
