//! How a process of a command is parted with, and what it says then.
//!
//! A line that comes unasked may have come before: each answer since could be that of the question before it, and as each
//! question has found an answer, nothing looks wrong until the last. So each process that has answered is read to the end
//! of its output before its job's answer is told, unless its warden was killed, and one line too many fails the job.

use std::os::fd::AsFd;
use std::time::Duration;

use tally_protocol::command::Form;
use tally_protocol::limits;
use tally_protocol::work::FromWorker;
use tally_sys::clock;
use tally_sys::poll::{Interest, look};

use super::answer::quoted;
use super::outcome::is_blank;
use super::text::Line;
use super::{TICK_NS, Warden, bytes, form_of};
use crate::run::End;

/// Why a line is one too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TooMany {
    /// Nothing was asked.
    Unasked,
    /// What was asked had not been read.
    Unread,
}

impl Warden {
    /// Ends the process, and says if it has said more than so many lines more; the tail of its standard error.
    pub(super) fn kill(&mut self, asked: usize) -> Result<String, End> {
        let Some(running) = self.running.take() else { return Ok(String::new()) };
        let asked = match form_of(self.job.as_ref()) {
            Form::Each => usize::MAX,
            Form::Persistent => asked,
        };
        // Of one that has answered nothing yet, nothing has been believed.
        let believed = running.served > 0;
        let remains = running.end(asked, &mut self.buffer);
        if let Some(line) = remains.surplus.filter(|_| believed) {
            self.surplus(&line, TooMany::Unasked, remains.stderr.clone())?;
        }
        Ok(remains.stderr)
    }

    /// Lets the process end by itself at the end of its input, for a while, and hears what it still says.
    pub(super) fn part(&mut self) -> Result<(), End> {
        let (mut until, mut said_ns) = (None, clock::monotonic_ns());
        while let Some(running) = &mut self.running {
            let now = clock::monotonic_ns();
            let until = *until.get_or_insert_with(|| {
                running.close_input();
                now.saturating_add(limits::parting_ns(running.longest_ns))
            });
            let left = until.saturating_sub(now);
            if left == 0 || running.ended().is_some() {
                break;
            }
            let [stdout, stderr, _, child] = running.watched();
            let hurry = [(self.lifeline.as_fd(), Interest::NONE), (self.signals.as_fd(), Interest::READ)];
            let fds = [stdout, stderr, child, Some(hurry[0]), Some(hurry[1])];
            let ready = look(&fds, Some(Duration::from_nanos(left.min(TICK_NS))))
                .map_err(|why| End::Because(format!("wait: {why}")))?;
            if ready.iter().any(|one| one.key >= 3) {
                return Err(End::Quietly);
            }
            let mut surplus = None;
            running.read_output(&mut self.buffer, |line| {
                if !is_blank(&line) {
                    surplus.get_or_insert(line);
                }
            });
            running.read_errors(&mut self.buffer);
            if let Some(line) = surplus {
                return self.end_for(&line, TooMany::Unasked);
            }
            // Leases that wait here are not forgotten, however much the process writes.
            let is_time = now.saturating_sub(said_ns) >= TICK_NS;
            if let Some(lease) = self.waiting.front().map(|waiting| waiting.id).filter(|_| is_time) {
                said_ns = now;
                self.say(&FromWorker::Progress { lease, done: 0 })?;
                self.link.flush()?;
            }
        }
        self.kill(0).map(drop)
    }

    /// Before this process ends, whatever for.
    pub(super) fn leave(&mut self) {
        let asked = usize::from(self.attempt.is_some());
        // Nobody may listen any more.
        if self.kill(asked).is_ok() {
            drop(self.link.flush());
        }
    }

    /// Ends the process for a line that is one too many.
    pub(super) fn end_for(&mut self, line: &Line, how: TooMany) -> Result<(), End> {
        let remains = self.running.take().map(|running| running.end(usize::MAX, &mut self.buffer));
        self.surplus(line, how, remains.unwrap_or_default().stderr)
    }

    pub(super) fn surplus(&mut self, line: &Line, how: TooMany, stderr: String) -> Result<(), End> {
        let Some(job) = self.job.as_ref().map(|job| job.id) else { return Ok(()) };
        self.attempt = None;
        self.waiting.clear();
        let text = quoted(bytes(line));
        let (when, hint) = match how {
            TooMany::Unasked => (
                "unasked",
                "it is to answer each line that it reads with one line, and to write nothing else",
            ),
            TooMany::Unread => (
                "before it had read its input",
                "a process that lives on answers each line that it reads; \
                 a command to be run for each partition names {start} and {end}",
            ),
        };
        let why = format!("answered more lines than it was asked: '{text}' came {when}");
        self.say(&FromWorker::Surplus { job, why, stderr, hint: Some(hint.to_owned()) })?;
        self.link.flush()?;
        Ok(())
    }
}
