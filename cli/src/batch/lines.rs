//! Lines of an input that may still be being written: taken as they come, numbered, with a bound on their length.
//!
//! Never blocks by itself: `next` says when there is no whole line, and the caller waits until there is more to `fill`.

use std::fs::File;
use std::io::{self, Read};

/// The longest line.
pub(crate) const LINE_BYTES_MAX: usize = 1 << 20;
/// Bytes read at once.
const READ_BYTES: usize = 64 << 10;

/// Lines that are being read.
#[derive(Debug)]
pub(crate) struct Lines {
    source: File,
    bytes: Vec<u8>,
    /// Where the next line starts.
    start: usize,
    /// No line ends between `start` and here.
    scanned: usize,
    /// The rest of a line that is too long is not kept.
    overlong: bool,
    ended: bool,
    number: u64,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<'a> {
    /// A line and its number, counting from 1.
    Line(u64, &'a [u8]),
    /// A line with too many bytes.
    Overlong(u64),
    /// Part of a line, or nothing: read more first.
    NotYet,
    /// There are no more.
    End,
}

impl Lines {
    pub(crate) fn new(source: File) -> Self {
        Self { source, bytes: Vec::new(), start: 0, scanned: 0, overlong: false, ended: false, number: 0 }
    }

    /// What is read.
    pub(crate) fn source(&self) -> &File {
        &self.source
    }

    /// Whether all has been read, though perhaps not taken.
    pub(crate) fn is_read(&self) -> bool {
        self.ended
    }

    /// Whether no line is left of what has been read.
    pub(crate) fn is_taken(&self) -> bool {
        self.start == self.bytes.len() && !self.overlong
    }

    /// Reads once; waits only if there is nothing to read yet.
    pub(crate) fn fill(&mut self) -> io::Result<()> {
        self.bytes.drain(..self.start);
        self.scanned -= self.start;
        self.start = 0;
        if self.bytes.len() > LINE_BYTES_MAX {
            self.overlong = true;
            self.bytes.clear();
            self.scanned = 0;
        }
        let held = self.bytes.len();
        self.bytes.resize(held + READ_BYTES, 0);
        let count = loop {
            match self.source.read(&mut self.bytes[held..]) {
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.bytes.truncate(held + count.as_ref().copied().unwrap_or(0));
        self.ended = count? == 0;
        Ok(())
    }

    /// The next line, without its end.
    pub(crate) fn next(&mut self) -> Next<'_> {
        let end = self.bytes[self.scanned..].iter().position(|&byte| byte == b'\n');
        let (from, to) = match end {
            Some(offset) => (self.start, self.scanned + offset),
            None if self.ended && (self.start < self.bytes.len() || self.overlong) => {
                (self.start, self.bytes.len())
            }
            None => {
                self.scanned = self.bytes.len();
                return if self.ended { Next::End } else { Next::NotYet };
            }
        };
        self.start = self.bytes.len().min(to + 1);
        self.scanned = self.start;
        self.number += 1;
        if std::mem::take(&mut self.overlong) || to - from > LINE_BYTES_MAX {
            return Next::Overlong(self.number);
        }
        Next::Line(self.number, &self.bytes[from..to])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn lines_of(text: &[u8]) -> Vec<(u64, Option<usize>)> {
        let (reader, writer) = tally_sys::fd::pipe().unwrap();
        let text = text.to_vec();
        let written = std::thread::spawn(move || File::from(writer).write_all(&text).unwrap());
        let (mut lines, mut found) = (Lines::new(reader.into()), Vec::new());
        loop {
            match lines.next() {
                Next::Line(number, line) => found.push((number, Some(line.len()))),
                Next::Overlong(number) => found.push((number, None)),
                Next::NotYet => lines.fill().unwrap(),
                Next::End => break,
            }
            assert!(lines.bytes.len() <= LINE_BYTES_MAX + 2 * READ_BYTES, "it keeps what it will not use");
        }
        written.join().unwrap();
        found
    }

    #[test]
    fn lines_are_numbered_and_the_last_may_have_no_end() {
        assert_eq!(lines_of(b""), []);
        assert_eq!(lines_of(b"ab\n\nc"), [(1, Some(2)), (2, Some(0)), (3, Some(1))]);
        assert_eq!(lines_of(b"ab\n"), [(1, Some(2))]);
    }

    #[test]
    fn a_line_that_is_too_long_costs_itself_alone() {
        let long = vec![b'x'; 5 * LINE_BYTES_MAX];
        let text = [b"ab\n", &long[..], b"\nc\n", &long[..]].concat();
        assert_eq!(lines_of(&text), [(1, Some(2)), (2, None), (3, Some(1)), (4, None)]);
        let just = vec![b'x'; LINE_BYTES_MAX];
        assert_eq!(lines_of(&just), [(1, Some(LINE_BYTES_MAX))]);
    }
}
