//! Shared memory without a name: a segment that two processes share by passing a descriptor.
//!
//! Its size is sealed, so that no peer can shrink it and turn an access into SIGBUS. It goes away
//! with its last user, however that one ends. A forked child does not inherit the mapping: what
//! one worker shares with the supervisor is no other worker's.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, AtomicU64};

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::mm::{Advice, MapFlags, ProtFlags};

use crate::ring::Words;

const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);

/// A mapped segment.
pub struct Segment {
    base: NonNull<AtomicU64>,
    words: usize,
}

impl Segment {
    /// A new segment of zero bytes, a multiple of 8, and the descriptor to open it with elsewhere.
    /// `label` is shown by the system (/proc/PID/maps) and names nothing.
    pub fn create(label: &str, bytes: usize) -> io::Result<(Self, OwnedFd)> {
        let fd = rustix::fs::memfd_create(label, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        let size = u64::try_from(bytes).map_err(|_| wrong_size())?;
        rustix::fs::ftruncate(&fd, size)?;
        rustix::fs::fcntl_add_seals(&fd, SEALS)?;
        Ok((Self::map(&fd, bytes)?, fd))
    }

    /// The segment behind a received descriptor, if it has exactly that size and keeps it.
    pub fn open(fd: impl AsFd, bytes: usize) -> io::Result<Self> {
        let size = rustix::fs::fstat(&fd)?.st_size;
        if usize::try_from(size) != Ok(bytes) {
            return Err(wrong_size());
        }
        if !rustix::fs::fcntl_get_seals(&fd)?.contains(SEALS) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "use a segment that is not sealed"));
        }
        Self::map(fd, bytes)
    }

    fn map(fd: impl AsFd, bytes: usize) -> io::Result<Self> {
        if bytes == 0 || !bytes.is_multiple_of(size_of::<u64>()) {
            return Err(wrong_size());
        }
        let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
        // SAFETY: with no address asked for, the system maps where nothing is yet.
        let base = unsafe { rustix::mm::mmap(ptr::null_mut(), bytes, access, flags, &fd, 0) }?;
        let base = NonNull::new(base.cast()).ok_or_else(wrong_size)?;
        let segment = Self { base, words: bytes / size_of::<u64>() };
        keep_from_children(segment.words())?;
        Ok(segment)
    }
}

impl Segment {
    /// The same memory in words of 32 bits, which are what one can sleep on. Who uses these of a place uses
    /// [`Words::words`] of another place only.
    pub fn halves(&self) -> &[AtomicU32] {
        // SAFETY: as for `words`; an aligned word of 64 bits is two aligned words of 32.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr().cast(), self.words * 2) }
    }
}

impl Words for Segment {
    fn words(&self) -> &[AtomicU64] {
        // SAFETY: `base` maps that many words, page-aligned, until `drop`; the file cannot shrink.
        // All bits are valid in an atomic, and its interior may change at any time.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr(), self.words) }
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        let bytes = self.words * size_of::<u64>();
        // SAFETY: exactly what `map` mapped, and no borrow of it outlives this value. It fails for
        // arguments that are none only.
        unsafe { rustix::mm::munmap(self.base.as_ptr().cast(), bytes) }.ok();
    }
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Segment").field("words", &self.words).finish_non_exhaustive()
    }
}

/// Leaves the mapping of these words out of children forked from now on, in which they must not
/// be touched. The words begin and end with a page.
pub(crate) fn keep_from_children(words: &[AtomicU64]) -> io::Result<()> {
    let base = words.as_ptr().cast_mut().cast();
    // SAFETY: changes nothing in this process; a child that touched the words would be killed by
    // the system, not read anything else.
    unsafe { rustix::mm::madvise(base, size_of_val(words), Advice::LinuxDontFork) }?;
    Ok(())
}

fn wrong_size() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "use a segment of an unexpected size")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn two_mappings_see_the_same_words() {
        let (ours, fd) = Segment::create("tally-test", 8192).unwrap();
        let theirs = Segment::open(&fd, 8192).unwrap();
        drop(fd);
        assert_eq!(ours.words().len(), 1024);
        assert!(theirs.words().iter().all(|word| word.load(Ordering::Relaxed) == 0));
        theirs.words()[1023].store(7, Ordering::Relaxed);
        assert_eq!(ours.words()[1023].load(Ordering::Relaxed), 7);
    }

    #[test]
    fn the_size_is_sealed() {
        let (_segment, fd) = Segment::create("tally-test", 4096).unwrap();
        assert!(rustix::fs::ftruncate(&fd, 0).is_err());
        assert!(rustix::fs::ftruncate(&fd, 8192).is_err());
        assert!(rustix::fs::fcntl_add_seals(&fd, SealFlags::WRITE).is_err());
    }

    #[test]
    fn what_is_not_a_sealed_segment_of_that_size_is_refused() {
        let (_segment, fd) = Segment::create("tally-test", 4096).unwrap();
        assert!(Segment::open(&fd, 8192).is_err());
        let unsealed = rustix::fs::memfd_create("tally-test", MemfdFlags::ALLOW_SEALING).unwrap();
        rustix::fs::ftruncate(&unsealed, 4096).unwrap();
        assert!(Segment::open(&unsealed, 4096).is_err());
        let (reader, _writer) = crate::fd::pipe().unwrap();
        assert!(Segment::open(&reader, 0).is_err());
        assert!(Segment::create("tally-test", 0).is_err());
        assert!(Segment::create("tally-test", 12).is_err());
    }
}
