//! A command that runs: its pipes, what has come through them, and how it is ended.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use tally_protocol::limits;
use tally_sys::fd::{self, write_some};
use tally_sys::poll::Interest;
use tally_sys::process::{self, Child, ExitStatus, Pid};
use tally_sys::usage;

use super::feed::Feed;
use super::outcome::is_blank;
use super::prepare::Started;
use super::text::{Flow, Line, Lines, Tail, pour};

/// How long what was killed may take to be gone before it is left to the supervisor.
const END_MAX: Duration = Duration::from_secs(2);
/// Writes of one look, so that who reads without end is not all that is listened to.
const WRITES_PER_LOOK: u32 = 16;

/// One process of a command, with whatever it has started.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    stdin: Option<OwnedFd>,
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
    lines: Lines,
    tail: Tail,
    /// What it has not yet taken of its input.
    unsent: Vec<u8>,
    /// What it is given after that; then its input ends.
    feed: Option<Feed>,
    /// Why that could not be read; after "could not".
    pub(crate) unread: Option<String>,
    /// It takes no input any more.
    pub(crate) deaf: bool,
    /// Partitions it has answered.
    pub(crate) served: u64,
    /// The longest that it has taken for an answer.
    pub(crate) longest_ns: u64,
    /// Bytes of the last line it was told.
    told_bytes: u64,
}

/// What is left of a process that has ended.
#[derive(Debug, Default)]
pub(crate) struct Remains {
    /// The tail of its standard error.
    pub(crate) stderr: String,
    /// The first line that it said and was not asked for.
    pub(crate) surplus: Option<Line>,
}

impl Running {
    pub(crate) fn new(started: Started, feed: Option<Feed>) -> Self {
        Self {
            child: started.child,
            stdin: started.stdin,
            stdout: Some(started.stdout),
            stderr: Some(started.stderr),
            lines: Lines::default(),
            tail: Tail::default(),
            unsent: Vec::new(),
            feed,
            unread: None,
            deaf: false,
            served: 0,
            longest_ns: 0,
            told_bytes: 0,
        }
    }

    /// What to wait for: output, errors, room for input, the end.
    pub(crate) fn watched(&self) -> [Option<(BorrowedFd<'_>, Interest)>; 4] {
        let write = self.stdin.as_ref().filter(|_| self.feed.is_some() || !self.unsent.is_empty());
        [
            self.stdout.as_ref().map(|pipe| (pipe.as_fd(), Interest::READ)),
            self.stderr.as_ref().map(|pipe| (pipe.as_fd(), Interest::READ)),
            write.map(|pipe| (pipe.as_fd(), Interest::WRITE)),
            Some((self.child.as_fd(), Interest::READ)),
        ]
    }

    /// A new partition: what was written to standard error belongs to earlier ones.
    pub(crate) fn forget_errors(&mut self, buffer: &mut [u8]) {
        self.read_errors(buffer);
        self.tail.clear();
    }

    /// Gives it a line.
    pub(crate) fn tell(&mut self, line: &str) {
        self.told_bytes = line.len() as u64;
        self.unsent.extend_from_slice(line.as_bytes());
        self.send();
    }

    /// Whether it has begun to read the last line it was told. It cannot have answered that before.
    pub(crate) fn has_read(&self) -> bool {
        let unread = self.stdin.as_ref().map(|pipe| fd::waiting(pipe).unwrap_or(0));
        !self.deaf && self.unsent.is_empty() && unread.is_some_and(|bytes| bytes < self.told_bytes)
    }

    /// Whether it has answered and not begun to read what it was asked since: whatever becomes of it is no fault of that.
    pub(crate) fn is_between(&self) -> bool {
        self.served > 0 && !self.has_read()
    }

    /// Gives it as much as it takes, up to a look's bound.
    pub(crate) fn send(&mut self) {
        for _ in 0..WRITES_PER_LOOK {
            if self.unsent.is_empty() && !self.refill() {
                return;
            }
            let Some(stdin) = &self.stdin else { return };
            match write_some(stdin, &self.unsent) {
                Ok(Some(count)) => drop(self.unsent.drain(..count)),
                Ok(None) => return,
                Err(_) => {
                    self.deaf = true;
                    self.unsent.clear();
                    // It has enough of its input, which is for it to know.
                    if self.feed.take().is_some() {
                        self.stdin = None;
                    }
                    return;
                }
            }
        }
    }

    /// Whether there is more to send; else its input ends, if it is fed.
    fn refill(&mut self) -> bool {
        let Some(feed) = &mut self.feed else { return false };
        let filled = feed.fill(&mut self.unsent);
        if filled == Ok(true) {
            return true;
        }
        self.unread = filled.err();
        self.unsent.clear();
        self.feed = None;
        self.stdin = None;
        false
    }

    /// Reads its output; each whole line is told.
    pub(crate) fn read_output(&mut self, buffer: &mut [u8], mut line: impl FnMut(Line)) {
        let Some(pipe) = &self.stdout else { return };
        let lines = &mut self.lines;
        if pour(pipe, buffer, |bytes| lines.feed(bytes, &mut line)) == Flow::Ended {
            self.stdout = None;
        }
    }

    /// The line that its output ended with, if that has no end of its own.
    pub(crate) fn last_line(&mut self) -> Option<Line> {
        self.lines.rest()
    }

    /// Whether a line has begun that is not whole yet.
    pub(crate) fn is_in_line(&self) -> bool {
        self.lines.has_begun()
    }

    /// The line that has begun, if that can be no answer any more.
    pub(crate) fn overlong(&self) -> Option<Line> {
        self.lines.overlong()
    }

    /// Whether its output has ended.
    pub(crate) fn is_mute(&self) -> bool {
        self.stdout.is_none()
    }

    /// Reads its standard error.
    pub(crate) fn read_errors(&mut self, buffer: &mut [u8]) {
        let Some(pipe) = &self.stderr else { return };
        let tail = &mut self.tail;
        if pour(pipe, buffer, |bytes| tail.feed(bytes)) == Flow::Ended {
            self.stderr = None;
        }
    }

    /// Its number.
    pub(crate) fn pid(&self) -> Pid {
        self.child.pid()
    }

    /// How it ended, once it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        // A child that cannot be asked about was reaped behind our back: nothing does that.
        self.child.try_reap().ok().flatten()
    }

    /// Seconds of processor time that it has used; asked before its end is.
    pub(crate) fn cpu_seconds(&self) -> Option<u64> {
        Some(usage::of_process(self.child.pid().raw().unsigned_abs())?.own_ms / 1_000)
    }

    /// Ends it and all it has started. What it has said is read to its end: it may answer so many lines more.
    pub(crate) fn end(mut self, mut asked: usize, buffer: &mut [u8]) -> Remains {
        let mut surplus = None;
        let mut count = |line: Line| match asked {
            _ if is_blank(&line) => {}
            0 if surplus.is_none() => surplus = Some(line),
            more => asked = more.saturating_sub(1),
        };
        self.drain_output(buffer, &mut count);
        self.last_line().into_iter().for_each(count);
        // All who could write are gone: a pipe holds no more than this.
        self.read_errors(buffer);
        Remains { stderr: self.tail.text(), surplus }
    }

    /// Ends its input.
    pub(crate) fn close_input(&mut self) {
        self.unsent.clear();
        self.feed = None;
        self.stdin = None;
    }

    /// Reads what is left of its output once all who could write are gone.
    pub(crate) fn drain_output(&mut self, buffer: &mut [u8], mut line: impl FnMut(Line)) {
        end_tree();
        for _ in 0..limits::KERNEL_LINE_BYTES_MAX / buffer.len().max(1) {
            if self.is_mute() {
                return;
            }
            self.read_output(buffer, &mut line);
        }
    }
}

/// Ends everything that descends from this process.
pub(crate) fn end_tree() {
    if process::has_children() && !process::end_descendants(END_MAX) {
        // What is left is in the hands of the system, in a call that cannot be ended.
        tracing::warn!("a process of a command did not end");
    }
}
