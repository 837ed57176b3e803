//! What a command writes, taken in bounded pieces: whole lines of its output, the tail of its errors.

use std::os::fd::{AsFd, OwnedFd};

use tally_protocol::limits;
use tally_sys::fd::read_some;

/// Reads of one look, so that who writes without end is not all that is listened to.
const READS_PER_LOOK: u32 = 16;

/// Whether more may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Later.
    Open,
    /// Nothing any more.
    Ended,
}

/// Reads what there is, up to a look's bound.
pub(crate) fn pour(pipe: &OwnedFd, buffer: &mut [u8], mut take: impl FnMut(&[u8])) -> Flow {
    for _ in 0..READS_PER_LOOK {
        match read_some(pipe.as_fd(), buffer) {
            Ok(None) => return Flow::Open,
            Ok(Some(0)) | Err(_) => return Flow::Ended,
            Ok(Some(count)) => take(&buffer[..count]),
        }
    }
    Flow::Open
}

/// The output of a command, line by line.
#[derive(Debug, Default)]
pub struct Lines {
    bytes: Vec<u8>,
    /// Of the line that is being read, more than is kept has come.
    cut: bool,
}

/// A line, without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// All of it.
    Whole(Vec<u8>),
    /// It is longer than a line may be; this is how it begins.
    TooLong(Vec<u8>),
}

impl Lines {
    /// Takes more, and tells of each line that is whole now.
    pub fn feed(&mut self, mut bytes: &[u8], mut whole: impl FnMut(Line)) {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            self.push(&bytes[..end]);
            whole(self.take());
            bytes = &bytes[end + 1..];
        }
        self.push(bytes);
    }

    /// What has come of a line without an end; `None`: nothing.
    pub fn rest(&mut self) -> Option<Line> {
        (!self.bytes.is_empty()).then(|| self.take())
    }

    /// Whether a line has begun.
    pub fn has_begun(&self) -> bool {
        !self.bytes.is_empty()
    }

    /// The line that has begun, if it is longer than one may be: whatever follows, it is no answer.
    pub(crate) fn overlong(&self) -> Option<Line> {
        self.cut.then(|| Line::TooLong(self.bytes.clone()))
    }

    fn push(&mut self, bytes: &[u8]) {
        let room = limits::KERNEL_LINE_BYTES_MAX - self.bytes.len();
        self.cut |= bytes.len() > room;
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn take(&mut self) -> Line {
        let bytes = std::mem::take(&mut self.bytes);
        if std::mem::take(&mut self.cut) { Line::TooLong(bytes) } else { Line::Whole(bytes) }
    }
}

/// The last that a command has written to its standard error.
#[derive(Debug, Default)]
pub(crate) struct Tail(Vec<u8>);

impl Tail {
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        let most = limits::STDERR_TAIL_BYTES;
        let new = &bytes[bytes.len().saturating_sub(most)..];
        let surplus = (self.0.len() + new.len()).saturating_sub(most);
        self.0.drain(..surplus.min(self.0.len()));
        self.0.extend_from_slice(new);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// As text, without what would move a terminal's cursor.
    pub(crate) fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.0);
        let keep = |one: &char| !one.is_control() || matches!(one, '\n' | '\t');
        text.trim_end().chars().filter(keep).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lines: &mut Lines, bytes: &[u8]) -> Vec<Line> {
        let mut all = Vec::new();
        lines.feed(bytes, |line| all.push(line));
        all
    }

    #[test]
    fn lines_come_whole_however_they_are_cut() {
        let mut some = Lines::default();
        assert_eq!(lines(&mut some, b"on"), []);
        assert_eq!(lines(&mut some, b"e\n\ntw"), [Line::Whole(b"one".to_vec()), Line::Whole(Vec::new())]);
        assert!(some.has_begun());
        assert_eq!(some.rest(), Some(Line::Whole(b"tw".to_vec())));
        assert_eq!(some.rest(), None);
    }

    #[test]
    fn a_line_without_end_takes_no_more_than_its_bound() {
        let mut some = Lines::default();
        let much = vec![b'1'; 1 << 16];
        assert_eq!(some.overlong(), None);
        for _ in 0..40 {
            assert_eq!(lines(&mut some, &much), []);
        }
        assert!(matches!(some.overlong(), Some(Line::TooLong(_))), "nobody has to wait for its end");
        match lines(&mut some, b"\n5\n").as_slice() {
            [Line::TooLong(start), Line::Whole(five)] => {
                assert_eq!(start.len(), limits::KERNEL_LINE_BYTES_MAX);
                assert_eq!(five, b"5");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_the_tail_is_kept() {
        let mut tail = Tail::default();
        for _ in 0..1000 {
            tail.feed(&[b'x'; 1000]);
        }
        tail.feed(b"last words\x1b[2J\n");
        assert!(tail.0.len() <= limits::STDERR_TAIL_BYTES);
        assert!(tail.text().ends_with("last words[2J"));
        tail.feed(&vec![b'y'; 100_000]);
        assert_eq!(tail.0.len(), limits::STDERR_TAIL_BYTES);
    }
}
