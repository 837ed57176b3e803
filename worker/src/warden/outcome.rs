//! How an attempt ends: with an answer, or with a sentence about the command.

use tally_protocol::command::{Command, CommandRequest, Form};
use tally_protocol::limits;
use tally_protocol::spoken::{self, size};
use tally_protocol::work::FromWorker;
use tally_reduce::{Integer, Partial, Tally};
use tally_sys::cgroup::Starved;
use tally_sys::process::{self, ExitStatus};
use tally_sys::reason::reason;
use tally_sys::signal::Signal;
use tally_sys::{clock, crash};

use super::answer::{self, Asked, quoted};
use super::parting::TooMany;
use super::prepare::{Refused, Unfit};
use super::running::Running;
use super::text::Line;
use super::{TICK_NS, Warden, bytes, ends, form_of};
use crate::leases::Lease;
use crate::run::End;

/// How long a process may go on that has closed its output or input without an answer.
const CLOSED_NS: u64 = 1_000_000_000;

/// What programs say who are refused memory.
const NO_MEMORY: [&str; 7] = [
    "MemoryError",
    "emory exhausted",
    "memory allocation of",
    "bad_alloc",
    "annot allocate memory",
    "ut of memory",
    "OutOfMemory",
];

/// How an attempt ended.
pub(super) enum Outcome {
    /// With this line.
    Said(Line),
    /// With nothing, as there was nothing to be asked.
    Nothing,
    /// Without an answer, in words.
    Broke(String),
    /// The same, as it took too much: that is all there is to say.
    Exceeded(String),
    /// It never will have one.
    Unfit(Unfit),
}

impl Warden {
    /// The process of the command has ended.
    pub(super) fn note_end(&mut self) -> Result<(), End> {
        let Some(running) = &mut self.running else { return Ok(()) };
        let cpu_s = running.cpu_seconds();
        let Some(status) = running.ended() else { return Ok(()) };
        let Some(attempt) = &mut self.attempt else {
            return self.kill(0).map(drop);
        };
        let form = form_of(self.job.as_ref());
        let lease = attempt.lease;
        let mut last = attempt.last.take();
        let between = form == Form::Persistent && running.is_between();
        let mut lines = 0_u64;
        let mut count = |line: Line| {
            if !is_blank(&line) {
                lines += 1;
                last = Some(line);
            }
        };
        running.drain_output(&mut self.buffer, &mut count);
        running.last_line().into_iter().for_each(count);
        if between {
            return self.ended_between(status, last);
        }
        let served = running.served;
        let request = self.request();
        let accepted =
            matches!(status, ExitStatus::Exited(code) if request.is_some_and(|one| one.accepts(code)));
        let outcome = match (form, accepted) {
            (Form::Each, true) => match last {
                Some(line) => Outcome::Said(line),
                None => Outcome::Broke("it ended without an answer".to_owned()),
            },
            (Form::Persistent, true) => match last {
                // Its last words were an answer all the same.
                Some(line) if lines == 1 => Outcome::Said(line),
                Some(line) => Outcome::Broke(format!("it answered '{}' and more", quoted(bytes(&line)))),
                // It ends by itself between two partitions, and was told of the second one before that was seen.
                None if served > 0 => return self.set_off_anew(),
                None => Outcome::Broke("it ended without an answer".to_owned()),
            },
            (_, false) => self.failed(status, cpu_s, lease)?,
        };
        self.finish(outcome)
    }

    /// It has ended, however, before it had read what it was asked: the range is not what it died of.
    fn ended_between(&mut self, status: ExitStatus, last: Option<Line>) -> Result<(), End> {
        if let Some(line) = last {
            return self.end_for(&line, TooMany::Unread);
        }
        tracing::warn!("a process of a command {status} after an answer");
        self.set_off_anew()
    }

    /// The same attempt once more, by a fresh process.
    fn set_off_anew(&mut self) -> Result<(), End> {
        self.kill(0)?;
        let Some(attempt) = &mut self.attempt else { return Ok(()) };
        attempt.closed = None;
        let (lease, begun) = (attempt.lease, attempt.begun_ns);
        let set_off = self.set_off(lease, begun);
        self.after_start(set_off)
    }

    pub(super) fn after_start(&mut self, set_off: Result<(), Refused>) -> Result<(), End> {
        match set_off {
            Ok(()) => Ok(()),
            Err(Refused::ForGood(unfit)) => self.finish(Outcome::Unfit(unfit)),
            Err(Refused::Nothing) => self.finish(Outcome::Nothing),
            Err(Refused::Now(why)) => {
                self.finish(Outcome::Broke(format!("it could not be started: {}", reason(&why))))
            }
        }
    }

    fn command(&self) -> Option<&Command> {
        self.job.as_ref()?.prepared.as_ref().ok().map(|prepared| &*prepared.command)
    }

    fn request(&self) -> Option<&CommandRequest> {
        self.command().map(|command| &*command.request)
    }

    /// What a failure is told as: more than the bare status where more is known.
    fn failed(&mut self, status: ExitStatus, cpu_s: Option<u64>, lease: Lease) -> Result<Outcome, End> {
        // As long as all of it is there to be looked at.
        let is_known = self.note_cause().is_some();
        let stderr = self.kill(usize::MAX)?;
        let bare = status.to_string();
        let Some(command) = self.command() else {
            return Ok(Outcome::Broke(bare));
        };
        // The errors go with the outcome.
        let outcome = match status {
            ExitStatus::Exited(code @ (126 | 127)) if is_shell(command) => {
                let what = if code == 127 { "found no program to run" } else { "may not run a program" };
                // The first of all: it is not the range that it fails at.
                if lease.position == 0 && lease.id.attempt.0 == 1 {
                    let none = (Integer::ZERO, Integer::ZERO);
                    let job = self.job.as_ref();
                    let (start, end) = job.map_or(none, |job| ends(&job.source, 0, lease.count));
                    let why = format!(
                        "run the command at range {start}..{end}: the shell {bare}, which says that it {what}"
                    );
                    Outcome::Unfit(Unfit { why, hint: None })
                } else {
                    Outcome::Broke(format!("{bare}: the shell says so when it {what}"))
                }
            }
            ExitStatus::Killed { signal, .. } if spent(signal, cpu_s, command.request.cpu_limit_s) => {
                let most = command.request.cpu_limit_s.unwrap_or_default();
                Outcome::Broke(format!("{bare}: its limit of {most} s of processor time was reached"))
            }
            _ => match command.memory_limit_bytes {
                Some(most) if !is_known && NO_MEMORY.iter().any(|words| stderr.contains(words)) => {
                    Outcome::Broke(format!("{bare}: {}", spoken::likely_out_of_memory(most)))
                }
                _ => Outcome::Broke(bare),
            },
        };
        self.last_errors = stderr;
        Ok(outcome)
    }

    /// What the system has done to this attempt's processes, in words, once it has done something.
    fn note_cause(&mut self) -> Option<String> {
        let cause = self.starved().or_else(|| self.refused());
        let attempt = self.attempt.as_mut()?;
        attempt.cause = cause.or(attempt.cause.take());
        attempt.cause.clone()
    }

    /// Whether the system has killed one of this attempt's processes for want of memory, in words.
    fn starved(&self) -> Option<String> {
        let before = self.attempt.as_ref()?.before;
        let most = self.command().and_then(|command| command.memory_limit_bytes);
        match (self.counted().starved_since(before)?, most) {
            (Starved::ByItsLimit, Some(most)) => Some(out_of_memory(most)),
            _ => Some("the service or the system was out of memory".to_owned()),
        }
    }

    /// Whether one of this attempt's was refused a process or thread by its limit, in words.
    fn refused(&self) -> Option<String> {
        let (before, most) = (self.attempt.as_ref()?.before, self.request()?.processes_max?);
        let refused = self.counted().refused_tasks > before.refused_tasks;
        refused.then(|| format!("it had more processes and threads than its limit of {most} processes"))
    }

    /// A process that has closed its output, or its input, has a moment to end in.
    pub(super) fn note_closed(&mut self) {
        let (Some(running), Some(attempt)) = (&self.running, &mut self.attempt) else { return };
        let what = match (running.is_mute(), running.deaf) {
            (true, _) => "it closed its output without an answer",
            (false, true) => "it closed its input without an answer",
            (false, false) => return,
        };
        // A process for each partition may end later than its output.
        if form_of(self.job.as_ref()) == Form::Each {
            return;
        }
        attempt.closed.get_or_insert_with(|| (clock::monotonic_ns().saturating_add(CLOSED_NS), what));
    }

    /// Now and then during an attempt: has it taken too long, or too much?
    pub(super) fn tick(&mut self) -> Result<(), End> {
        let now = clock::monotonic_ns();
        let Some(attempt) = &mut self.attempt else { return Ok(()) };
        if attempt.due.is_some_and(|due| due <= now) {
            let ms = self.request().and_then(|request| request.partition_timeout_ms).unwrap_or(0);
            return self.finish(Outcome::Broke(format!("it gave no answer within {}", spoken::time(ms))));
        }
        if let Some((_, what)) = attempt.closed.filter(|(until, _)| *until <= now) {
            if form_of(self.job.as_ref()) == Form::Persistent
                && self.running.as_ref().is_some_and(Running::is_between)
            {
                self.part()?;
                return self.set_off_anew();
            }
            return self.finish(Outcome::Broke(what.to_owned()));
        }
        if now.saturating_sub(attempt.said_ns) < TICK_NS {
            return Ok(());
        }
        attempt.said_ns = now;
        let lease = attempt.lease.id;
        self.say(&FromWorker::Progress { lease, done: 0 })?;
        self.link.flush()?;
        self.reap_orphans();
        match self.excess() {
            Some(what) => self.finish(Outcome::Exceeded(what)),
            None => Ok(()),
        }
    }

    /// What it takes too much of.
    fn excess(&self) -> Option<String> {
        let command = self.command()?;
        let (memory, processes) = (command.memory_limit_bytes, command.request.processes_max);
        if memory.is_none() && processes.is_none() {
            return None;
        }
        if let Some(what) = self.refused() {
            return Some(what);
        }
        let used = process::use_of_descendants();
        match (memory, processes) {
            (Some(most), _) if used.resident_bytes > most => Some(out_of_memory(most)),
            (_, Some(most)) if used.processes > most => {
                Some(format!("it had {} processes (limit {most})", used.processes))
            }
            _ => None,
        }
    }

    /// Tells how the attempt ended. What the command is after a failure, nobody can know: it does not go on.
    pub(super) fn finish(&mut self, outcome: Outcome) -> Result<(), End> {
        let cause = self.note_cause();
        let Some(attempt) = self.attempt.take() else { return Ok(()) };
        let lease = attempt.lease;
        let said = match &outcome {
            Outcome::Said(line) if form_of(self.job.as_ref()) == Form::Persistent => Some(line.clone()),
            _ => None,
        };
        let outcome = match self.state(outcome, lease) {
            Ok(state) => {
                let unread = self.running.as_ref().is_some_and(|running| !running.has_read());
                if let Some(line) = said.filter(|_| unread) {
                    return self.end_for(&line, TooMany::Unread);
                }
                let busy_ns = clock::monotonic_ns().saturating_sub(attempt.begun_ns);
                // Nothing of a process for each partition is left when its answer is told.
                if form_of(self.job.as_ref()) == Form::Each {
                    self.kill(0)?;
                }
                crash::point("before-partial");
                let elements = lease.count;
                self.say(&FromWorker::Partial { lease: lease.id, elements, busy_ns, state })?;
                crash::point("after-partial");
                return self.retire(busy_ns);
            }
            Err(other) => other,
        };
        let mut stderr = self.kill(1)?;
        if stderr.is_empty() {
            stderr = std::mem::take(&mut self.last_errors);
        }
        self.last_errors.clear();
        let (why, hint, for_good) = match outcome {
            // A shell may go on when what it has started was killed: the reason is not seen in how it ends.
            Outcome::Broke(why) => match cause {
                Some(cause) => (format!("{why}: {cause}"), None, false),
                None => (why, None, false),
            },
            Outcome::Exceeded(why) => (why, None, false),
            Outcome::Unfit(Unfit { why, hint }) => (why, hint, true),
            Outcome::Said(_) | Outcome::Nothing => return Ok(()),
        };
        self.say(&FromWorker::Broke { lease: lease.id, why, stderr, hint, for_good })
    }

    /// The answer as it is told; or what it is instead. What was read of a file that has changed is no answer.
    fn state(&self, outcome: Outcome, lease: Lease) -> Result<Vec<u8>, Outcome> {
        let line = match outcome {
            Outcome::Said(line) => Some(line),
            Outcome::Nothing => None,
            other => return Err(other),
        };
        let Some(job) = &self.job else {
            return Err(Outcome::Broke("it answered for no job".to_owned()));
        };
        if let Some(files) = &job.files {
            let unread = |why| Outcome::Unfit(Unfit { why, hint: None });
            files.unchanged(lease.position, lease.count).map_err(unread)?;
        }
        match line {
            Some(line) => self.partial(&line, lease).map_err(Outcome::Broke),
            None => Ok(Tally::from(Partial::identity(&job.reductions)).to_bytes()),
        }
    }

    /// A file of the job could not be read while the process was fed.
    pub(super) fn note_unread(&mut self) -> Result<(), End> {
        match self.running.as_mut().and_then(|running| running.unread.take()) {
            Some(why) => self.finish(Outcome::Unfit(Unfit { why, hint: None })),
            None => Ok(()),
        }
    }

    fn partial(&self, line: &Line, lease: Lease) -> Result<Vec<u8>, String> {
        let Some(job) = &self.job else { return Err("it answered for no job".to_owned()) };
        match line {
            Line::TooLong(start) => Err(format!(
                "it answered '{}', a line of more than {}",
                quoted(start),
                size(limits::KERNEL_LINE_BYTES_MAX as u64)
            )),
            Line::Whole(text) => {
                let asked = Asked {
                    reductions: &job.reductions,
                    elements: lease.count,
                    partition: lease.id.partition.0,
                    attempt: lease.id.attempt.0,
                };
                answer::read(text, asked).map(|partial| Tally::from(partial).to_bytes())
            }
        }
    }

    /// After an answer: a process that has served its turn goes.
    fn retire(&mut self, busy_ns: u64) -> Result<(), End> {
        let Some((after, bytes)) =
            self.request().map(|request| (request.recycle_after, request.recycle_bytes))
        else {
            return Ok(());
        };
        let Some(running) = &mut self.running else { return Ok(()) };
        running.served += 1;
        running.longest_ns = running.longest_ns.max(busy_ns);
        let worn = after.is_some_and(|most| running.served >= most)
            || bytes.is_some_and(|most| process::use_of_descendants().resident_bytes >= most);
        if worn {
            self.link.flush()?;
            self.part()?;
        }
        Ok(())
    }
}

/// Whether a signal means that the limit of processor time was reached. Who ignores SIGXCPU is killed a second later.
fn spent(signal: Signal, cpu_s: Option<u64>, most: Option<u64>) -> bool {
    match signal {
        Signal::Xcpu => most.is_some(),
        Signal::Kill => most.is_some_and(|most| cpu_s.is_some_and(|cpu_s| cpu_s >= most)),
        _ => false,
    }
}

fn is_shell(command: &Command) -> bool {
    command.words.first().is_some_and(|word| word == "/bin/sh")
}

fn out_of_memory(most: u64) -> String {
    format!("it ran out of memory (limit {})", size(most))
}

pub(super) fn is_blank(line: &Line) -> bool {
    matches!(line, Line::Whole(bytes) if bytes.trim_ascii().is_empty())
}
