//! Small pieces of a file one after another: looked at where the system keeps the file, or read into a buffer.
//!
//! A mapping costs a page fault for each 64 KiB, which is more than reading them, unless the system keeps the file in
//! huge pages: then it is one for 2 MiB, and nothing is as cheap. So each stretch is mapped, touched in two places,
//! and read if the second touch was a fault again (docs/performance.md). The bytes are the same either way; a few
//! stretches are kept for columns that are stored one after another.

use std::hint::black_box;
use std::io;
use std::ops::{Deref, Range};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tally_sys::map::{self, FileMap};
use tally_sys::usage::page_faults;

/// The longest piece that comes from a window: what is read should still be in the second-level cache when it is used.
pub(crate) const PIECE_BYTES: u64 = 1 << 20;
/// What is mapped at once, from a multiple of a huge page on.
const STRETCH_BYTES: u64 = 8 << 20;
const HUGE_PAGE: u64 = 2 << 20;
/// Stretches that are kept.
const STRETCHES_MAX: usize = 4;

/// The stretches of a file that were looked at last.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    /// The last one last.
    stretches: Mutex<Vec<Stretch>>,
    /// What was last read, when nobody looks at it any more.
    spare: Arc<Mutex<Vec<u8>>>,
}

/// A panic in between leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug)]
struct Stretch {
    bytes: Range<u64>,
    /// Where the last piece ended.
    last: u64,
    how: How,
}

#[derive(Debug)]
enum How {
    Mapped(Arc<FileMap>),
    Read,
}

/// A piece of a file.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Some of a mapped stretch.
    Mapped(Arc<FileMap>, Range<usize>),
    /// A copy, in a buffer that goes back.
    Read(Vec<u8>, usize, Arc<Mutex<Vec<u8>>>),
}

impl Windows {
    /// Whether a piece from here on goes on where the last one ended, in the same stretch: a file that was asked how it
    /// is for that one need not be asked again.
    pub(crate) fn goes_on(&self, from: u64, to: u64) -> bool {
        lock(&self.stretches).iter().any(|one| one.last == from && one.holds(from, to))
    }

    /// The bytes `from..to` of a file of `length` bytes, of which there are at most [`PIECE_BYTES`].
    ///
    /// # Errors
    /// When the file cannot be mapped or read, or has ended before.
    pub(crate) fn piece(&self, file: &OwnedFd, length: u64, from: u64, to: u64) -> io::Result<Piece> {
        let mut held = lock(&self.stretches);
        match held.iter().rposition(|one| one.holds(from, to)) {
            Some(found) => held[found..].rotate_left(1),
            None => {
                // The old mapping goes first, so that there is room for the new one.
                if held.len() >= STRETCHES_MAX {
                    held.remove(0);
                }
                held.push(Stretch::at(file, length, from, to));
            }
        }
        let Some(stretch) = held.last_mut() else { return Err(io::ErrorKind::OutOfMemory.into()) };
        stretch.last = to;
        let place = |offset: u64| usize::try_from(offset).map_err(|_| io::ErrorKind::OutOfMemory);
        match &stretch.how {
            How::Mapped(map) => {
                let start = stretch.bytes.start;
                Ok(Piece::Mapped(Arc::clone(map), place(from - start)?..place(to - start)?))
            }
            How::Read => self.read(file, from, place(to - from)?),
        }
    }

    fn read(&self, file: &OwnedFd, from: u64, length: usize) -> io::Result<Piece> {
        let mut buffer = std::mem::take(&mut *lock(&self.spare));
        if buffer.len() < length {
            buffer.resize(length, 0);
        }
        if map::read_at(file, from, &mut buffer[..length])? < length {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it is shorter than it was"));
        }
        Ok(Piece::Read(buffer, length, Arc::clone(&self.spare)))
    }
}

impl Stretch {
    fn at(file: &OwnedFd, length: u64, from: u64, to: u64) -> Self {
        let start = from / HUGE_PAGE * HUGE_PAGE;
        let end = start.saturating_add(STRETCH_BYTES).min(length).max(to);
        let how = if end - start < HUGE_PAGE { None } else { mapped(file, start, end) };
        Self { bytes: start..end, last: from, how: how.map_or(How::Read, How::Mapped) }
    }

    fn holds(&self, from: u64, to: u64) -> bool {
        self.bytes.start <= from && to <= self.bytes.end
    }
}

/// The stretch as memory, if that costs one page fault for a huge page. Where it cannot be mapped, reading it will say
/// why, or do.
fn mapped(file: &OwnedFd, start: u64, end: u64) -> Option<Arc<FileMap>> {
    let map = FileMap::open(file, start, usize::try_from(end - start).ok()?).ok()?;
    let half = usize::try_from(HUGE_PAGE / 2).ok()?;
    let before = page_faults().ok()?;
    black_box((map.first().copied(), map.get(half).copied()));
    let faults = page_faults().ok()?.saturating_sub(before);
    (faults <= 1).then(|| Arc::new(map))
}

impl Deref for Piece {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map, range) => map.get(range.clone()).unwrap_or(&[]),
            Self::Read(buffer, length, _) => &buffer[..*length],
        }
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        if let Self::Read(buffer, _, spare) = self {
            *lock(spare) = std::mem::take(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::*;

    fn file_of(bytes: &[u8]) -> OwnedFd {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.into()
    }

    fn bytes(length: u64) -> Vec<u8> {
        (0..length).map(|at| u8::try_from((at * 2_654_435_761) >> 20 & 0xff).unwrap()).collect()
    }

    fn at(offset: u64) -> usize {
        usize::try_from(offset).unwrap()
    }

    #[test]
    fn pieces_are_what_the_file_has() {
        for length in [1, 70_001, HUGE_PAGE + 1, STRETCH_BYTES + HUGE_PAGE + 77] {
            let bytes = bytes(length);
            let file = file_of(&bytes);
            let windows = Windows::default();
            let mut held = Vec::new();
            for step in [PIECE_BYTES, 4_097, 262_144 + 3] {
                for from in (0..length).step_by(at(step * 7)) {
                    let to = (from + step).min(length);
                    let piece = windows.piece(&file, length, from, to).unwrap();
                    assert!(*piece == bytes[at(from)..at(to)], "{from}..{to} of {length}");
                    held.push((piece, from, to));
                }
            }
            // Pieces that are looked at together keep apart.
            assert!(held.iter().all(|(piece, from, to)| **piece == bytes[at(*from)..at(*to)]));
        }
    }

    #[test]
    fn both_ways_are_the_same() {
        let length = HUGE_PAGE + 5;
        let bytes = bytes(length);
        let file = file_of(&bytes);
        let map = Arc::new(FileMap::open(&file, 0, at(length)).unwrap());
        for how in [How::Mapped(map), How::Read] {
            let windows = Windows::default();
            lock(&windows.stretches).push(Stretch { bytes: 0..length, last: 0, how });
            for (from, to) in [(0, 10), (10, PIECE_BYTES), (length - 9, length)] {
                let piece = windows.piece(&file, length, from, to).unwrap();
                assert_eq!(*piece, bytes[at(from)..at(to)]);
                assert!(windows.goes_on(to, to) && !windows.goes_on(to + 1, to + 1));
            }
        }
    }

    #[test]
    #[expect(clippy::print_stdout, reason = "a test says what it skips")]
    fn small_pages_are_read() {
        let shmem = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/shmem_enabled");
        if shmem.is_ok_and(|modes| !modes.contains("[never]") && !modes.contains("[advise]")) {
            return println!("skipped: here memory files may have huge pages");
        }
        let length = 2 * HUGE_PAGE;
        let stream = file_at_its_start(&bytes(length));
        let memory = tally_sys::spool::spool(stream, u64::MAX, std::path::Path::new("/tmp"), None).unwrap();
        let piece = Windows::default().piece(&memory, length, 0, 100).unwrap();
        assert!(matches!(piece, Piece::Read(..)), "{piece:?}");
    }

    fn file_at_its_start(bytes: &[u8]) -> File {
        use std::io::Seek;
        let mut file = File::from(file_of(bytes));
        file.rewind().unwrap();
        file
    }

    #[test]
    fn columns_that_are_read_side_by_side_keep_their_stretches() {
        let length = 3 * STRETCH_BYTES;
        let bytes = bytes(length);
        let file = file_of(&bytes);
        let windows = Windows::default();
        for step in 0..8 {
            for column in 0..3 {
                let from = column * STRETCH_BYTES + step * 1000;
                assert_eq!(windows.goes_on(from, from + 1000), step > 0);
                let piece = windows.piece(&file, length, from, from + 1000).unwrap();
                assert_eq!(*piece, bytes[at(from)..at(from + 1000)]);
            }
        }
        assert_eq!(lock(&windows.stretches).len(), 3);
    }

    #[test]
    fn a_buffer_is_used_again() {
        let file = file_of(&bytes(1000));
        let windows = Windows::default();
        let first = windows.piece(&file, 1000, 0, 900).unwrap().as_ptr();
        let second = windows.piece(&file, 1000, 100, 1000).unwrap().as_ptr();
        assert_eq!(first, second);
    }

    #[test]
    fn a_file_that_shrinks_under_a_reader_is_an_error() {
        let file = File::from(file_of(&bytes(1000)));
        let windows = Windows::default();
        file.set_len(500).unwrap();
        let file = OwnedFd::from(file);
        let error = windows.piece(&file, 1000, 400, 600).unwrap_err();
        assert_eq!(error.to_string(), "it is shorter than it was");
    }
}
