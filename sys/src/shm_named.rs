//! Shared memory with a name (`/dev/shm/NAME`), by the crate `shared_memory`.
//!
//! The name lives until somebody removes it, so it is removed as soon as both sides have the
//! segment, and by the next supervisor if this one was killed before (`transport::sweep`). Unlike
//! `shm`, the size cannot be sealed: a peer that truncates the segment kills whoever touches it.
//!
//! The crate's own removal is switched off from the start: its owner flag is copied by a fork, so
//! that a dying child would remove its parent's segment, and it forgets the name when the
//! descriptor happens to be 0.

use std::fmt;
use std::io;
use std::sync::atomic::AtomicU64;

use nix::fcntl::OFlag;
use nix::sys::mman::{shm_open, shm_unlink};
use nix::sys::stat::Mode;
use shared_memory::{Shmem, ShmemConf, ShmemError};

use crate::process::{Pid, own_pid};
use crate::ring::Words;
use crate::shm::keep_from_children;

/// A mapped segment that has, or had, a name.
pub struct NamedSegment {
    memory: Shmem,
    words: usize,
}

/// The name of a segment, removed when this is dropped by the process that made it.
#[derive(Debug)]
pub struct SegmentName {
    name: String,
    maker: Pid,
}

impl NamedSegment {
    /// A new segment of zero bytes, a multiple of 8, for this user only, and its name, by which
    /// others open it. `name` starts with a slash and has no other; it must be free.
    pub fn create(name: &str, bytes: usize) -> io::Result<(Self, SegmentName)> {
        let mut memory = ShmemConf::new().os_id(name).size(bytes).create().map_err(to_io)?;
        memory.set_owner(false);
        let name = SegmentName { name: name.to_owned(), maker: own_pid() };
        reserve(name.as_str(), bytes)?;
        Ok((Self::new(memory, bytes)?, name))
    }

    /// The segment of that name, if it has exactly that size.
    pub fn open(name: &str, bytes: usize) -> io::Result<Self> {
        Self::new(ShmemConf::new().os_id(name).open().map_err(to_io)?, bytes)
    }

    fn new(memory: Shmem, bytes: usize) -> io::Result<Self> {
        if memory.len() != bytes || !bytes.is_multiple_of(size_of::<u64>()) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "use a segment of an unexpected size"));
        }
        let segment = Self { memory, words: bytes / size_of::<u64>() };
        keep_from_children(segment.words())?;
        Ok(segment)
    }
}

impl Words for NamedSegment {
    fn words(&self) -> &[AtomicU64] {
        // SAFETY: the segment is mapped page-aligned until `drop`, and `new` has compared its size.
        // All bits are valid in an atomic, and its interior may change at any time.
        unsafe { std::slice::from_raw_parts(self.memory.as_ptr().cast(), self.words) }
    }
}

impl fmt::Debug for NamedSegment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NamedSegment").field("words", &self.words).finish_non_exhaustive()
    }
}

impl SegmentName {
    /// The name, with its slash.
    pub fn as_str(&self) -> &str {
        &self.name
    }
}

impl Drop for SegmentName {
    fn drop(&mut self) {
        // A forked child has a copy of this value, but not the duty. A name that cannot be removed
        // is left to the next sweep.
        if self.maker == own_pid() {
            drop(unlink(&self.name));
        }
    }
}

/// Has the system set the memory aside. Without that a full /dev/shm would only be found by a SIGBUS
/// at the first touch, which kills whoever it is.
fn reserve(name: &str, bytes: usize) -> io::Result<()> {
    let segment = shm_open(name, OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())?;
    let bytes = u64::try_from(bytes).map_err(io::Error::other)?;
    crate::fd::retry(|| rustix::fs::fallocate(&segment, rustix::fs::FallocateFlags::empty(), 0, bytes))?;
    Ok(())
}

/// Removes the name of a segment; one that is gone already is no error.
pub fn unlink(name: &str) -> io::Result<()> {
    match shm_unlink(name) {
        Ok(()) | Err(nix::errno::Errno::ENOENT) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

fn to_io(error: ShmemError) -> io::Error {
    match error {
        ShmemError::MappingIdExists => io::ErrorKind::AlreadyExists.into(),
        ShmemError::MapCreateFailed(errno)
        | ShmemError::MapOpenFailed(errno)
        | ShmemError::UnknownOsError(errno) => {
            i32::try_from(errno).map_or_else(|_| io::Error::other(error), io::Error::from_raw_os_error)
        }
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;
    use std::sync::atomic::Ordering;

    use super::*;

    fn name(test: &str) -> (String, PathBuf) {
        let name = format!("/tally-sys-test-{}-{test}", own_pid());
        let path = PathBuf::from(format!("/dev/shm{name}"));
        (name, path)
    }

    #[test]
    fn two_mappings_see_the_same_words_and_the_name_goes_early() {
        let (name, path) = name("share");
        let (ours, held) = NamedSegment::create(&name, 8192).unwrap();
        assert_eq!(held.as_str(), name);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o600);
        let theirs = NamedSegment::open(&name, 8192).unwrap();
        drop(held);
        assert!(!path.exists());
        theirs.words()[1023].store(7, Ordering::Relaxed);
        assert_eq!(ours.words()[1023].load(Ordering::Relaxed), 7);
    }

    #[test]
    fn only_the_name_keeps_the_name() {
        let (name, path) = name("drop");
        let (ours, held) = NamedSegment::create(&name, 4096).unwrap();
        drop(NamedSegment::open(&name, 4096).unwrap());
        drop(ours);
        assert!(path.exists());
        drop(held);
        assert!(!path.exists());
    }

    #[test]
    fn a_taken_name_and_a_wrong_size_are_refused() {
        let (name, path) = name("refuse");
        let _ours = NamedSegment::create(&name, 4096).unwrap();
        assert_eq!(NamedSegment::create(&name, 4096).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert!(path.exists());
        assert!(NamedSegment::open(&name, 8192).is_err());
        let none = NamedSegment::open("/tally-sys-test-none", 4096).unwrap_err();
        assert_eq!(none.kind(), io::ErrorKind::NotFound);
        unlink("/tally-sys-test-none").unwrap();
    }

    #[test]
    fn a_size_that_is_no_number_of_words_leaves_no_name() {
        let (name, path) = name("odd");
        assert!(NamedSegment::create(&name, 4097).is_err());
        assert!(!path.exists());
    }
}
