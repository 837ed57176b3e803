//! What of a job's files is the standard input of one process: the lines of a block, or a whole file.
//!
//! A block is a range of bytes. A line belongs to the block in which it begins, and is given whole, so that each line of a
//! file goes to exactly one process, however the file is cut; the last one of a file gets an end if it has none. Nothing is held of a file but a bounded piece.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use tally_kernel::packed_by;
use tally_protocol::source::{Files, parts};
use tally_sys::map::read_at;

use crate::maps::identity;

use super::prepare::Unfit;
use super::unfit;

/// Bytes read at once: what a pipe holds.
const PIECE_BYTES: usize = 64 << 10;
/// Pieces that are searched before anything else is listened to.
const PIECES_PER_STEP: u32 = 16;

/// The files of a job, open.
#[derive(Debug)]
pub(crate) struct OpenFiles {
    files: Files,
    fds: Vec<OwnedFd>,
}

/// A search for the first line of a block, which may be far: it is made piece by piece.
#[derive(Debug)]
pub(crate) struct Search {
    open: Arc<OpenFiles>,
    /// Where a line may begin behind, in the first file.
    sought: Option<Stretch>,
    /// What follows.
    stretches: VecDeque<Stretch>,
}

/// What a process has yet to be given.
#[derive(Debug)]
pub(crate) struct Feed {
    open: Arc<OpenFiles>,
    stretches: VecDeque<Stretch>,
    /// The last byte that was given.
    last: u8,
}

/// Bytes of one file.
#[derive(Debug)]
struct Stretch {
    file: usize,
    at: u64,
    /// Where it ends, or the line that is begun before this.
    to: u64,
}

impl OpenFiles {
    /// # Errors
    /// After "could not": there are not as many descriptors as files, or one has no lines to be cut at.
    pub(crate) fn new(files: Files, fds: Vec<OwnedFd>) -> Result<Arc<Self>, Unfit> {
        let (named, came) = (files.files.len(), fds.len());
        if named != came {
            return Err(unfit(&format!("open the files of the job: {came} of {named} descriptors came")));
        }
        let open = Self { files, fds };
        open.unpacked()?;
        Ok(Arc::new(open))
    }

    /// Whether what is cut at the ends of lines is text, as far as its first bytes tell.
    fn unpacked(&self) -> Result<(), Unfit> {
        if self.files.whole {
            return Ok(());
        }
        for (file, source) in self.files.files.iter().enumerate() {
            let mut head = [0; 4];
            let came =
                read_at(&self.fds[file], 0, &mut head).map_err(|why| unfit(&self.unread(file, &why)))?;
            if let Some(by) = packed_by(&head[..came]) {
                let plain = if by == "gzip" { "zcat" } else { "zstdcat" };
                return Err(Unfit {
                    why: format!("read the lines of {}: it is packed by {by}", source.name),
                    hint: Some(format!(
                        "'{plain} FILE | tally ... --lines -' reads what is in it, --files gives it as it is"
                    )),
                });
            }
        }
        Ok(())
    }

    /// A search for the input of some positions.
    ///
    /// # Errors
    /// After "could not": a file cannot be read, or was changed.
    pub(crate) fn search(self: &Arc<Self>, position: u64, count: u64) -> Result<Search, String> {
        self.unchanged(position, count)?;
        let mut stretches = VecDeque::new();
        let mut sought = None;
        for part in parts(&self.files, position, count) {
            let file = part.file;
            if self.files.whole {
                stretches.push_back(Stretch { file, at: 0, to: self.bytes(file) });
            } else if part.from == 0 {
                stretches.push_back(Stretch { file, at: 0, to: part.to });
            } else {
                // Only the first one can begin within a file. A line begins behind the end of the one before it.
                sought = Some(Stretch { file, at: part.from - 1, to: part.to });
            }
        }
        Ok(Search { open: Arc::clone(self), sought, stretches })
    }

    /// Whether the files of some positions are what they were.
    ///
    /// # Errors
    /// After "could not": one is not.
    pub(crate) fn unchanged(&self, position: u64, count: u64) -> Result<(), String> {
        for part in parts(&self.files, position, count) {
            let now = identity(&self.fds[part.file]).map_err(|why| self.unread(part.file, &why))?;
            if now != self.files.files[part.file].identity {
                return Err(self.changed(part.file));
            }
        }
        Ok(())
    }

    /// The path of the file at a position, if files are whole and it has one.
    pub(crate) fn path(&self, position: u64) -> Option<&str> {
        let part = parts(&self.files, position, 1).next().filter(|_| self.files.whole)?;
        self.files.files[part.file].path.as_deref()
    }

    /// Adds a piece of `from..to` that is not empty.
    fn read(&self, file: usize, from: u64, to: u64, into: &mut Vec<u8>) -> Result<(), String> {
        let before = into.len();
        let count = usize::try_from(to - from).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES));
        into.resize(before + count, 0);
        let came =
            read_at(&self.fds[file], from, &mut into[before..]).map_err(|why| self.unread(file, &why))?;
        if came < count { Err(self.changed(file)) } else { Ok(()) }
    }

    fn bytes(&self, file: usize) -> u64 {
        self.files.files[file].bytes
    }

    fn unread(&self, file: usize, why: &std::io::Error) -> String {
        format!("read {}: {why}", self.files.files[file].name)
    }

    fn changed(&self, file: usize) -> String {
        format!("read {}: it was changed while the job ran", self.files.files[file].name)
    }
}

impl Search {
    /// Looks a little further. `Some(None)`: no line begins in these positions.
    ///
    /// # Errors
    /// After "could not": a file cannot be read, or was cut.
    pub(crate) fn step(&mut self) -> Result<Option<Option<Feed>>, String> {
        let mut piece = Vec::new();
        for _ in 0..PIECES_PER_STEP {
            let Some(sought) = self.sought.as_mut().filter(|sought| sought.at + 1 < sought.to) else {
                return Ok(Some(self.end()));
            };
            piece.clear();
            self.open.read(sought.file, sought.at, sought.to - 1, &mut piece)?;
            if let Some(found) = piece.iter().position(|&byte| byte == b'\n') {
                let at = sought.at + found as u64 + 1;
                self.stretches.push_front(Stretch { at, ..*sought });
                self.sought = None;
                return Ok(Some(self.end()));
            }
            sought.at += piece.len() as u64;
        }
        Ok(None)
    }

    fn end(&mut self) -> Option<Feed> {
        let stretches = std::mem::take(&mut self.stretches);
        let some = !stretches.is_empty();
        some.then(|| Feed { open: Arc::clone(&self.open), stretches, last: b'\n' })
    }
}

impl Feed {
    /// Adds the next bytes; `false`: there are none.
    ///
    /// # Errors
    /// After "could not": a file cannot be read, or was cut.
    pub(crate) fn fill(&mut self, into: &mut Vec<u8>) -> Result<bool, String> {
        while let Some(stretch) = self.stretches.front_mut() {
            let (open, file) = (&self.open, stretch.file);
            let (start, size) = (into.len(), open.bytes(file));
            if stretch.at < stretch.to {
                // A file after one whose last line has no end begins with a line of its own.
                if self.last != b'\n' && stretch.at == 0 && !open.files.whole {
                    into.push(b'\n');
                }
                let before = into.len();
                open.read(file, stretch.at, stretch.to, into)?;
                stretch.at += (into.len() - before) as u64;
            } else if self.last != b'\n' && stretch.at < size && !open.files.whole {
                open.read(file, stretch.at, size, into)?;
                if let Some(end) = into[start..].iter().position(|&byte| byte == b'\n') {
                    into.truncate(start + end + 1);
                }
                stretch.at += (into.len() - start) as u64;
            } else {
                self.stretches.pop_front();
                continue;
            }
            self.last = into.last().copied().unwrap_or(b'\n');
            return Ok(true);
        }
        // A line is a line, whichever is the last of a block: so what is counted does not depend on the cuts.
        if self.last != b'\n' && !self.open.files.whole {
            self.last = b'\n';
            into.push(b'\n');
            return Ok(true);
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use tally_protocol::source::FileSource;

    use super::*;

    fn open(texts: &[&[u8]], whole: bool) -> Arc<OpenFiles> {
        let (mut files, mut fds) = (Vec::new(), Vec::new());
        for text in texts {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(text).unwrap();
            files.push(FileSource {
                name: "some.log".to_owned(),
                bytes: text.len() as u64,
                identity: identity(&file).unwrap(),
                format: None,
                path: None,
                changed_ns: None,
                nameless: true,
            });
            fds.push(file.into());
        }
        OpenFiles::new(Files { set: 1, files, grain: 1, whole }, fds).unwrap()
    }

    fn found(open: &Arc<OpenFiles>, position: u64, count: u64) -> Option<Feed> {
        let mut search = open.search(position, count).unwrap();
        loop {
            if let Some(found) = search.step().unwrap() {
                return found;
            }
        }
    }

    fn fed(open: &Arc<OpenFiles>, position: u64, count: u64) -> Option<Vec<u8>> {
        let mut feed = found(open, position, count)?;
        let mut all = Vec::new();
        while feed.fill(&mut all).unwrap() {}
        Some(all)
    }

    #[test]
    fn each_line_goes_to_one_block_however_they_are_cut() {
        let long = [b'x'; 200_000];
        let texts: [&[u8]; 4] = [b"one\n\ntwo\r\nthree", b"", b"\nfour\n", &long];
        let open = open(&texts, false);
        let all: u64 = texts.iter().map(|text| text.len() as u64).sum();
        let mut expected: Vec<Vec<u8>> =
            [&b"one"[..], b"", b"two\r", b"three", b"", b"four"].map(Vec::from).into();
        expected.push(long.to_vec());
        for size in [1, 2, 3, 5, 7, 20, 70_000, all] {
            let mut lines = Vec::new();
            for position in (0..all.min(100)).step_by(usize::try_from(size).unwrap()) {
                let count = if position + size >= 100 { all - position } else { size };
                let Some(block) = fed(&open, position, count) else { continue };
                let block = block.strip_suffix(b"\n").expect("each line has its end");
                lines.extend(block.split(|&byte| byte == b'\n').map(<[u8]>::to_vec));
            }
            assert!(lines == expected, "blocks of {size} bytes");
        }
    }

    #[test]
    fn whole_files_are_given_as_they_are() {
        let open = open(&[b"a\nb", b"", b"c\n"], true);
        let all: Vec<_> = (0..3).map(|at| fed(&open, at, 1)).collect();
        assert_eq!(all, [Some(b"a\nb".to_vec()), Some(Vec::new()), Some(b"c\n".to_vec())]);
    }

    #[test]
    fn a_file_that_changes_is_an_error() {
        let open = open(&[b"one\ntwo\n"], false);
        let mut feed = found(&open, 0, 8).unwrap();
        std::fs::File::from(open.fds[0].try_clone().unwrap()).set_len(4).unwrap();
        let changed = Err("read some.log: it was changed while the job ran".to_owned());
        assert_eq!(feed.fill(&mut Vec::new()), changed);
        assert_eq!(open.unchanged(0, 8), changed.map(|_| ()));
    }

    #[test]
    fn a_line_that_begins_far_away_is_looked_for_in_pieces() {
        let mut text = vec![b'x'; 3 << 20];
        text.extend_from_slice(b"\nlast\n");
        let open = open(&[&text], false);
        let mut search = open.search(10, text.len() as u64 - 10).unwrap();
        assert!(search.step().unwrap().is_none(), "there is time for others in between");
        assert_eq!(fed(&open, 10, text.len() as u64 - 10), Some(b"last\n".to_vec()));
        assert_eq!(fed(&open, 10, 2 << 20), None);
    }
}
