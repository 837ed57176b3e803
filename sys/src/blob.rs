//! Bytes behind a descriptor and without a name: what a process tells the program that takes its place.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::fd::OwnedFd;

use rustix::fs::MemfdFlags;

/// A descriptor, closed on exec, behind which these bytes are. `label` names nothing.
///
/// # Errors
/// The system has no room for them.
pub fn write(label: &str, bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(rustix::fs::memfd_create(label, MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    Ok(file.into())
}

/// All bytes behind a descriptor, from the first on.
///
/// # Errors
/// It cannot be read, or there are more than `most`: `InvalidData`.
pub fn read(fd: OwnedFd, most: usize) -> io::Result<Vec<u8>> {
    let mut file = File::from(fd);
    file.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX);
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() > most {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "there is too much of it"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_read_back_up_to_a_limit() {
        let fd = write("tally-test", b"abc").unwrap();
        assert_eq!(read(fd.try_clone().unwrap(), 3).unwrap(), b"abc");
        assert_eq!(read(fd.try_clone().unwrap(), 9).unwrap(), b"abc", "from the first on, each time");
        assert!(read(fd, 2).is_err());
    }
}
