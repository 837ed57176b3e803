//! Files as memory: a part of a regular file, mapped for reading.
//!
//! Faster than reading into a buffer, at a price: a file that shrinks under the mapping kills the process that touches
//! the lost part (SIGBUS). Only workers map, one partition at a time, so that such a file costs a worker and not the
//! supervisor.

use std::fmt;
use std::io;
use std::ops::Deref;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::ptr::{self, NonNull};

use rustix::fs::{Mode, OFlags};
use rustix::mm::{Advice, MapFlags, ProtFlags};

/// Mappings begin at a multiple of the page size; every page size of Linux divides this.
const ALIGNMENT: u64 = 64 << 10;

/// The bytes of one part of a file.
///
/// They are as the file is: another process that writes to it changes them under the reader. Whoever reads them must
/// take any bytes at any time, and check again what it has checked before if it reads it twice.
pub struct FileMap {
    base: NonNull<u8>,
    /// Bytes from `base` to the part asked for.
    skip: usize,
    length: usize,
}

// SAFETY: the mapping belongs to this value alone, is read only, and may be read and unmapped by any thread.
unsafe impl Send for FileMap {}
// SAFETY: nothing can be done with a shared one but read it.
unsafe impl Sync for FileMap {}

impl FileMap {
    /// Maps `length` bytes of `file` from `offset` on.
    ///
    /// # Errors
    /// When the file has no such part now, or cannot be mapped (a pipe, a device, a directory).
    pub fn open(file: impl AsFd, offset: u64, length: usize) -> io::Result<Self> {
        let short = || io::Error::new(io::ErrorKind::UnexpectedEof, "map a part beyond the end of the file");
        let size = u64::try_from(rustix::fs::fstat(&file)?.st_size).unwrap_or(0);
        let end =
            u64::try_from(length).ok().and_then(|length| offset.checked_add(length)).ok_or_else(short)?;
        if end > size {
            return Err(short());
        }
        if length == 0 {
            return Ok(Self { base: NonNull::dangling(), skip: 0, length });
        }
        let start = offset / ALIGNMENT * ALIGNMENT;
        let skip = usize::try_from(offset - start).map_err(|_| short())?;
        let bytes = skip.checked_add(length).ok_or_else(short)?;
        // SAFETY: with no address asked for, the system maps where nothing is yet.
        let base = unsafe {
            rustix::mm::mmap(ptr::null_mut(), bytes, ProtFlags::READ, MapFlags::SHARED, &file, start)
        }?;
        let base: NonNull<u8> = NonNull::new(base.cast()).ok_or_else(short)?;
        // SAFETY: exactly what has just been mapped. Advice only: what it says on failure is of no use.
        unsafe { rustix::mm::madvise(base.as_ptr().cast(), bytes, Advice::Sequential) }.ok();
        Ok(Self { base, skip, length })
    }
}

/// Reads from `offset` on until `into` is full or the file ends; how many bytes came.
///
/// # Errors
/// When the file cannot be read.
pub fn read_at(file: impl AsFd, offset: u64, into: &mut [u8]) -> io::Result<usize> {
    let mut came = 0;
    while came < into.len() {
        match rustix::io::pread(&file, &mut into[came..], offset + came as u64) {
            Ok(0) => break,
            Ok(more) => came += more,
            Err(rustix::io::Errno::INTR) => {}
            Err(why) => return Err(why.into()),
        }
    }
    Ok(came)
}

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileState {
    /// The device it is on.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its last change, in nanoseconds since 1970.
    pub modified_ns: i128,
    /// The last change of its bytes, its names or its rights, in nanoseconds since 1970. Nobody can set it back.
    pub changed_ns: i128,
    /// Whether it is a regular file: one that has parts.
    pub regular: bool,
    /// Whether it has a name: a file that was removed, or never was in a directory, is gone with its last descriptor.
    pub named: bool,
}

/// How a file is now.
///
/// # Errors
/// When the descriptor is none.
pub fn file_state(file: impl AsFd) -> io::Result<FileState> {
    let stat = rustix::fs::fstat(file)?;
    Ok(FileState {
        device: stat.st_dev,
        inode: stat.st_ino,
        bytes: u64::try_from(stat.st_size).unwrap_or(0),
        modified_ns: i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec),
        changed_ns: i128::from(stat.st_ctime) * 1_000_000_000 + i128::from(stat.st_ctime_nsec),
        regular: rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file(),
        named: stat.st_nlink > 0,
    })
}

/// Whether a descriptor is open for reading; one of a place only (`O_PATH`) is not.
///
/// # Errors
/// Those of `fcntl`.
pub fn may_read(file: impl AsFd) -> io::Result<bool> {
    let flags = rustix::fs::fcntl_getfl(file)?;
    let mode = flags & OFlags::RWMODE;
    Ok(!flags.contains(OFlags::PATH) && (mode == OFlags::RDONLY || mode == OFlags::RDWR))
}

/// Opens a file for reading if it is the one that is meant; `None` if another one is there. That one is not opened: who
/// opens a pipe or a device may be noticed. A symbolic link is another one.
///
/// # Errors
/// Those of `open`.
pub fn open_to_read(path: &str, is_meant: impl Fn(&FileState) -> bool) -> io::Result<Option<OwnedFd>> {
    let place = rustix::fs::open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    if !is_meant(&file_state(&place)?) {
        return Ok(None);
    }
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    // By its place: the name may lead elsewhere by now.
    let again = format!("/proc/self/fd/{}", place.as_raw_fd());
    let opened = rustix::fs::open(again, flags, Mode::empty())?;
    Ok(is_meant(&file_state(&opened)?).then_some(opened))
}

impl Deref for FileMap {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        if self.length == 0 {
            return &[];
        }
        // SAFETY: `base` maps `skip + length` bytes until `drop`, and all bits are valid bytes. A writer of the file
        // may change them under this slice; readers of it are told (see the type) to rely on nothing they have read.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr().wrapping_add(self.skip), self.length) }
    }
}

impl Drop for FileMap {
    fn drop(&mut self) {
        if self.length > 0 {
            // SAFETY: exactly what `open` mapped, and no borrow of it outlives this value. It fails for arguments
            // that are none only.
            unsafe { rustix::mm::munmap(self.base.as_ptr().cast(), self.skip + self.length) }.ok();
        }
    }
}

impl fmt::Debug for FileMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileMap").field("length", &self.length).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::*;

    /// A pipe with a writer that waits for a reader: none is seen to come.
    #[test]
    fn what_is_another_file_is_not_opened() {
        let directory = std::env::temp_dir().join(format!("tally-open-if-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let path = |name: &str| directory.join(name).to_str().unwrap().to_owned();
        let (pipe, link, plain) = (path("pipe"), path("link"), path("plain"));
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        std::os::unix::fs::symlink(&pipe, &link).unwrap();
        std::fs::write(&plain, "abc").unwrap();
        let regular = |state: &FileState| state.regular;
        // Whoever opens a pipe to write without waiting is told whether somebody reads.
        let reader = || rustix::fs::open(&pipe, OFlags::WRONLY | OFlags::NONBLOCK, Mode::empty()).is_ok();
        for other in [&pipe, &link] {
            let looked = std::cell::Cell::new(false);
            let look = |state: &FileState| {
                looked.set(true);
                assert!(!reader(), "somebody has opened the pipe");
                regular(state)
            };
            assert!(open_to_read(other, look).unwrap().is_none());
            assert!(looked.get());
        }
        assert!(may_read(open_to_read(&plain, regular).unwrap().unwrap()).unwrap());
        std::fs::remove_dir_all(&directory).unwrap();
    }

    fn file_of(bytes: &[u8]) -> File {
        let fd = rustix::fs::memfd_create("tally-test", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        let mut file = File::from(fd);
        file.write_all(bytes).unwrap();
        file
    }

    #[test]
    fn any_part_of_a_file_can_be_mapped() {
        let bytes: Vec<u8> = (0..200_003_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let file = file_of(&bytes);
        for (offset, length) in
            [(0, 200_003), (0, 1), (1, 65_536), (65_536, 7), (131_071, 68_932), (200_002, 1)]
        {
            let map = FileMap::open(&file, offset, length).unwrap();
            let from = usize::try_from(offset).unwrap();
            assert!(*map == bytes[from..from + length], "{offset} {length}");
        }
    }

    #[test]
    fn any_part_of_a_file_can_be_read() {
        let file = file_of(b"0123456789");
        let mut into = [0; 4];
        assert_eq!((read_at(&file, 3, &mut into).unwrap(), &into), (4, b"3456"));
        assert_eq!((read_at(&file, 8, &mut into).unwrap(), &into[..2]), (2, &b"89"[..]));
        assert_eq!(read_at(&file, 10, &mut into).unwrap(), 0);
        let (_reader, writer) = crate::fd::pipe().unwrap();
        assert!(read_at(&writer, 0, &mut into).is_err());
    }

    #[test]
    fn nothing_is_mapped_as_nothing() {
        assert!(FileMap::open(file_of(b"abc"), 3, 0).unwrap().is_empty());
        assert!(FileMap::open(file_of(b""), 0, 0).unwrap().is_empty());
    }

    #[test]
    fn only_the_file_that_is_meant_is_opened() {
        let name = std::env::temp_dir().join(format!("tally-sys-map-{}", crate::process::own_pid()));
        std::fs::write(&name, "12").unwrap();
        let path = name.to_str().unwrap();
        assert!(open_to_read(path, |state| state.regular && state.bytes == 3).unwrap().is_none());
        let opened = open_to_read(path, |state| state.regular && state.bytes == 2).unwrap().unwrap();
        assert!(may_read(&opened).unwrap());
        std::fs::remove_file(&name).unwrap();
        assert_eq!(open_to_read(path, |_| true).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_the_file_does_not_have_is_refused() {
        for (offset, length) in [(0, 4), (3, 1), (u64::MAX, 1), (0, usize::MAX), (4, 0)] {
            let error = FileMap::open(file_of(b"abc"), offset, length).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{offset} {length}");
        }
        let (reader, _writer) = crate::fd::pipe().unwrap();
        assert!(FileMap::open(&reader, 0, 1).is_err());
    }
}
