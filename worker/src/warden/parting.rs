//! How a process of a command is parted with, and what it says then.
//!
//! A line that comes unasked may have come before: each answer since could be that of the question before it, and as each
//! question has found an answer, nothing looks wrong until the last. So each process that has answered is read to the end
//! of its output before its job's answer is told, unless its warden was killed, and one line too many fails the job. Who does
//! not end with its input has said nothing of that: it may be at work on the last question still, with the answer to another
//! taken for its own. That fails the job, too.

use std::os::fd::AsFd;
use std::time::Duration;

use tally_protocol::command::Form;
use tally_protocol::limits;
use tally_protocol::spoken;
use tally_protocol::work::FromWorker;
use tally_sys::clock;
use tally_sys::poll::{Interest, look};

use super::answer::quoted;
use super::outcome::is_blank;
use super::running::Running;
use super::text::Line;
use super::{TICK_NS, Warden, bytes, form_of};
use crate::run::End;

/// How long a process may take to end after its input and its output have: nothing waits for what it does then.
const MUTE_NS: u64 = 500_000_000;

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

    /// Lets the process end by itself at the end of its input, for a while, and hears what it still says. Its answers are
    /// believed if it ends, or ends its output.
    pub(super) fn part(&mut self) -> Result<(), End> {
        let (mut until, mut said_ns) = (None, clock::monotonic_ns());
        let (mut mute, mut unended) = (None, None);
        while let Some(running) = &mut self.running {
            let now = clock::monotonic_ns();
            let patience = limits::parting_ns(running.longest_ns);
            let until = *until.get_or_insert_with(|| {
                running.close_input();
                now.saturating_add(patience)
            });
            let mute = running.is_mute().then(|| *mute.get_or_insert(now.saturating_add(MUTE_NS)));
            let left = mute.unwrap_or(until).min(until).saturating_sub(now);
            if running.ended().is_some() {
                break;
            }
            if left == 0 {
                unended = Some(patience).filter(|_| running.served > 0 && !running.is_mute());
                break;
            }
            let [stdout, stderr, _, child] = running.watched();
            let hurry = [(self.lifeline.as_fd(), Interest::NONE), (self.signals.as_fd(), Interest::READ)];
            let fds = [stdout, stderr, child, Some(hurry[0]), Some(hurry[1])];
            let ready = look(&fds, Some(Duration::from_nanos(left.min(TICK_NS))))
                .map_err(|why| End::Because(format!("wait: {why}")))?;
            self.struck |= ready.iter().any(|one| one.key == 4);
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
            // Leases that are here are not forgotten, however much the process writes.
            let is_time = now.saturating_sub(said_ns) >= TICK_NS;
            let begun = self.attempt.as_ref().map(|attempt| attempt.lease.id);
            let lease = begun.or_else(|| self.waiting.front().map(|waiting| waiting.id));
            if let Some(lease) = lease.filter(|_| is_time) {
                said_ns = now;
                self.say(&FromWorker::Progress { lease, done: 0 })?;
                self.link.flush()?;
            }
        }
        match unended.zip(self.running.take()) {
            Some((patience, running)) => self.give_up(patience, running),
            None => self.kill(0).map(drop),
        }
    }

    /// A process that has answered did not end with its input.
    fn give_up(&mut self, patience: u64, running: Running) -> Result<(), End> {
        let remains = running.end(0, &mut self.buffer);
        if let Some(line) = remains.surplus {
            return self.surplus(&line, TooMany::Unasked, remains.stderr);
        }
        let why = format!(
            "did not end within {} of the end of its input: whether its last answer was the one to the last question, \
             nobody can know",
            spoken::time(patience / 1_000_000_000 * 1_000)
        );
        let hint = "a process that lives on is to end, or to close its output, when its input ends";
        self.distrust(why, hint, remains.stderr)
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

    fn surplus(&mut self, line: &Line, how: TooMany, stderr: String) -> Result<(), End> {
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
        self.distrust(why, hint, stderr)
    }

    /// What the command has answered may be wrong: that is said, and nothing more is asked.
    fn distrust(&mut self, why: String, hint: &str, stderr: String) -> Result<(), End> {
        let Some(job) = self.job.as_ref().map(|job| job.id) else { return Ok(()) };
        self.attempt = None;
        self.waiting.clear();
        self.say(&FromWorker::Surplus { job, why, stderr, hint: Some(hint.to_owned()) })?;
        self.link.flush()?;
        Ok(())
    }
}
