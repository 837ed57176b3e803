//! The warden: a worker that has a user's command answer for its partitions.
//!
//! It sits between a link and the pipes of a process, and waits for all of them at once: the supervisor may take a
//! partition back, the command may answer, fail, hang or write without end. It serves one job and no other, since what
//! ran in its hands may have been anything. Before it ends, everything that descends from it has ended: it adopts the
//! orphans of its tree, and hears of its supervisor's death instead of dying of it.
//!
//! It never decides whether an attempt is repeated: it says that one broke, and how.

mod answer;
mod feed;
mod outcome;
mod parting;
mod prepare;
mod running;
mod text;

pub use answer::{Asked, read as read_answer};
pub use text::{Line, Lines};

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use tally_protocol::command::Form;
use tally_protocol::frame::{Assembler, encode};
use tally_protocol::job::KernelSpec;
use tally_protocol::source::{Source, runs};
use tally_protocol::work::{FromWorker, LeaseId, ToWorker};
use tally_protocol::{JobId, SlotId};
use tally_reduce::{Integer, Reduction};
use tally_sys::cgroup::{Counted, Ward};
use tally_sys::poll::{Interest, look};
use tally_sys::process;
use tally_sys::signal::{Signal, SignalStream};
use tally_sys::{clock, crash};
use tally_transport::{Received, Wait, WorkerLink};

use crate::guard::end_by;
use crate::leases::Lease;
use crate::run::{End, receive_files};
use crate::setup::Worker;

use answer::quoted;
use feed::{Feed, OpenFiles, Search};
use outcome::{Outcome, is_blank};
use parting::TooMany;
use prepare::{Prepared, Refused, Told, Unfit};
use running::{Running, end_tree};

/// Between two signs of life of an attempt, and two looks at what it takes.
const TICK_NS: u64 = 100_000_000;
/// Between two looks at a link that cannot be watched: during an attempt, and else.
const LOOKS_NS: [u64; 2] = [1_000_000, 20_000_000];
/// Bytes read at once.
const BUFFER_BYTES: usize = 64 << 10;

/// Serves one job until told to quit or the supervisor is gone; then nothing of it is left.
pub(crate) fn serve(worker: Worker) -> Result<(), String> {
    let mut warden = Warden::new(worker)?;
    let ended = warden.live();
    warden.leave();
    end_tree();
    match ended {
        Err(End::Because(why)) => Err(why),
        // Whoever watches is told what it was.
        Err(End::Quietly) if warden.struck => {
            end_by(Signal::Term).map_err(|why| format!("end by SIGTERM: {why}"))
        }
        Err(End::Quietly) | Ok(()) => Ok(()),
    }
}

struct Warden {
    link: Box<dyn WorkerLink>,
    lifeline: OwnedFd,
    signals: SignalStream,
    /// SIGTERM has come.
    struck: bool,
    /// Ends of its children: its own, and orphans of its tree.
    ends: SignalStream,
    slot: SlotId,
    ward: Option<Ward>,
    waiting: VecDeque<Lease>,
    job: Option<Job>,
    running: Option<Running>,
    attempt: Option<Attempt>,
    assembler: Assembler,
    frame: Vec<u8>,
    scratch: Vec<u8>,
    buffer: Vec<u8>,
    /// What a process that has failed and is gone wrote to its standard error.
    last_errors: String,
}

/// The job it serves.
struct Job {
    id: JobId,
    reductions: Vec<Reduction>,
    source: Source,
    /// Its files, where it has some.
    files: Option<Arc<OpenFiles>>,
    /// The command, or why it cannot be run.
    prepared: Result<Box<Prepared>, Unfit>,
}

/// The partition that is being answered.
struct Attempt {
    lease: Lease,
    begun_ns: u64,
    /// When it said that it lives.
    said_ns: u64,
    /// When it has taken too long.
    due: Option<u64>,
    /// When it is given up as its process has closed a pipe, and which.
    closed: Option<(u64, &'static str)>,
    /// The last line of a process for each partition.
    last: Option<Line>,
    /// Its process is not started yet: what is its input is still looked for.
    search: Option<Search>,
    /// What its control group had counted when it began.
    before: Counted,
    /// What the system has done to its processes, in words.
    cause: Option<String>,
}

impl Warden {
    fn new(worker: Worker) -> Result<Self, String> {
        process::set_child_subreaper().map_err(|why| format!("adopt the orphans of a command: {why}"))?;
        let signals = SignalStream::new(&[Signal::Term]).map_err(|why| format!("hear signals: {why}"))?;
        let ends =
            SignalStream::new(&[Signal::Chld]).map_err(|why| format!("hear of ends of processes: {why}"))?;
        Ok(Self {
            link: worker.link,
            lifeline: worker.lifeline,
            signals,
            struck: false,
            ends,
            slot: worker.slot,
            ward: worker.ward,
            waiting: VecDeque::new(),
            job: None,
            running: None,
            attempt: None,
            assembler: Assembler::new(),
            frame: Vec::new(),
            scratch: Vec::new(),
            buffer: vec![0; BUFFER_BYTES],
            last_errors: String::new(),
        })
    }

    fn live(&mut self) -> Result<(), End> {
        crash::point("before-ready");
        self.say(&FromWorker::Ready)?;
        self.link.flush()?;
        loop {
            self.listen()?;
            if self.attempt.is_none()
                && let Some(lease) = self.waiting.pop_front()
            {
                self.begin(lease)?;
                continue;
            }
            if !self.link.before_sleep()? {
                self.wait()?;
            }
        }
    }

    /// Takes all the supervisor has said.
    fn listen(&mut self) -> Result<(), End> {
        loop {
            match self.link.receive(&mut self.frame, Wait::Never)? {
                Received::Frame => {}
                Received::Empty => return Ok(()),
                Received::Closed => return Err(End::Quietly),
            }
            let Some(message) = self.assembler.push::<ToWorker>(&self.frame)? else { continue };
            match message {
                ToWorker::Job { job, kernel } => self.take_job(job, kernel)?,
                ToWorker::Lease { lease, position, count } => {
                    self.waiting.push_back(Lease { id: lease, position, count });
                }
                ToWorker::Cancel { lease } => self.cancel(lease)?,
                ToWorker::Forget { .. } => {}
                ToWorker::Quit => {
                    self.part()?;
                    return Err(End::Quietly);
                }
            }
        }
    }

    fn take_job(&mut self, id: JobId, kernel: KernelSpec) -> Result<(), End> {
        // They come each time that it is told of the job, and before it is.
        let fds = receive_files(&self.lifeline, id, kernel.source.files().len())?;
        if self.job.as_ref().is_some_and(|job| job.id != id) {
            return Err(End::Because(format!("serve {id}: it has served another job")));
        }
        if self.job.is_some() {
            return Ok(());
        }
        let Some(command) = kernel.command else {
            return Err(End::Because(format!("serve {id}: it has no command")));
        };
        let files = match &kernel.source {
            Source::Ranges(_) => Ok(None),
            Source::Files(files) => OpenFiles::new(files.clone(), fds).map(Some),
        };
        if let Some(ward) = &self.ward {
            // Before it becomes somebody who may not.
            ward.limit(command.memory_limit_bytes, command.request.processes_max);
        }
        let prepared = Prepared::new(command, id, self.slot.0).map(Box::new);
        let (files, prepared) = match files {
            Ok(files) => (files, prepared),
            Err(why) => (None, Err(why)),
        };
        self.job = Some(Job { id, reductions: kernel.reductions, source: kernel.source, files, prepared });
        Ok(())
    }

    fn cancel(&mut self, lease: LeaseId) -> Result<(), End> {
        let before = self.waiting.len();
        self.waiting.retain(|one| one.id != lease);
        let running = self.attempt.as_ref().is_some_and(|attempt| attempt.lease.id == lease);
        if running {
            self.kill(1)?;
            self.attempt = None;
        }
        if running || self.waiting.len() < before {
            self.say(&FromWorker::Cancelled { lease })?;
        }
        Ok(())
    }

    /// Has the command begin a partition.
    fn begin(&mut self, lease: Lease) -> Result<(), End> {
        crash::point("before-started");
        self.say(&FromWorker::Started { lease: lease.id })?;
        self.link.commit()?;
        crash::point("fold");
        let now = clock::monotonic_ns();
        let (begun_ns, said_ns, before) = (now, now, self.counted());
        let (due, closed, last, search, cause) = (None, None, None, None, None);
        self.attempt = Some(Attempt { lease, begun_ns, said_ns, due, closed, last, search, before, cause });
        self.replace_stale()?;
        if self.attempt.is_none() {
            return Ok(());
        }
        let set_off = self.set_off(lease, now);
        self.after_start(set_off)
    }

    /// Parts with a process that has ended since it answered, or can be asked nothing more: another takes its place.
    fn replace_stale(&mut self) -> Result<(), End> {
        let Some(running) = &mut self.running else { return Ok(()) };
        let mut unasked = Vec::new();
        running.read_output(&mut self.buffer, |line| unasked.push(line));
        if let Some(line) = unasked.iter().find(|line| !is_blank(line)) {
            return self.end_for(line, TooMany::Unasked);
        }
        let open = !(running.is_in_line() || running.is_mute() || running.deaf) && running.ended().is_none();
        if open && unasked.is_empty() { Ok(()) } else { self.part() }
    }

    fn set_off(&mut self, lease: Lease, now: u64) -> Result<(), Refused> {
        let Some(job) = &mut self.job else {
            return Err(Refused::ForGood(unfit("run a command of which it was not told")));
        };
        let prepared = job.prepared.as_ref().map_err(|why| Refused::ForGood(why.clone()))?;
        let limit_ms = prepared.command.request.partition_timeout_ms;
        if let (Some(ms), Some(attempt)) = (limit_ms, &mut self.attempt) {
            attempt.due = Some(now.saturating_add(ms.saturating_mul(1_000_000)));
        }
        let told = told(job, lease, self.slot);
        let prepared = job.prepared.as_mut().map_err(|why| Refused::ForGood(why.clone()))?;
        match (prepared.command.form, &job.files) {
            (Form::Each, Some(files)) => {
                let search = files.search(lease.position, lease.count);
                let search = search.map_err(|why| Refused::ForGood(unfit(&why)))?;
                if let Some(attempt) = &mut self.attempt {
                    attempt.search = Some(search);
                }
            }
            (Form::Each, None) => {
                let started = prepared.start(&told)?;
                self.running = Some(Running::new(started, None));
            }
            (Form::Persistent, _) => {
                let running = match &mut self.running {
                    Some(running) => {
                        running.forget_errors(&mut self.buffer);
                        running
                    }
                    // What a fresh one has said already is of this attempt: it may end before it reads.
                    none => none.insert(Running::new(prepared.start(&told)?, None)),
                };
                running.tell(&told.line());
            }
        }
        Ok(())
    }

    /// Looks for the input of the attempt a little further; once that is found, its process is started.
    fn seek(&mut self) -> Result<(), End> {
        let Some(attempt) = &mut self.attempt else { return Ok(()) };
        let Some(search) = &mut attempt.search else { return Ok(()) };
        let found = match search.step() {
            Ok(None) => return Ok(()),
            Ok(Some(found)) => Ok(found),
            Err(why) => Err(Refused::ForGood(unfit(&why))),
        };
        attempt.search = None;
        let lease = attempt.lease;
        let started = found.and_then(|feed| self.start_fed(lease, feed));
        self.after_start(started)
    }

    fn start_fed(&mut self, lease: Lease, feed: Option<Feed>) -> Result<(), Refused> {
        let Some(feed) = feed else { return Err(Refused::Nothing) };
        let Some(job) = &mut self.job else { return Err(Refused::Nothing) };
        let told = told(job, lease, self.slot);
        let prepared = job.prepared.as_mut().map_err(|why| Refused::ForGood(why.clone()))?;
        self.running = Some(Running::new(prepared.start(&told)?, Some(feed)));
        Ok(())
    }

    fn counted(&self) -> Counted {
        self.ward.as_ref().map(Ward::counted).unwrap_or_default()
    }

    /// Sleeps until something happens, and takes it.
    fn wait(&mut self) -> Result<(), End> {
        let timeout = self.timeout();
        let [stdout, stderr, stdin, child] = self.running.as_ref().map_or([None; 4], Running::watched);
        let fds = [
            self.link.bell().map(|bell| (bell, Interest::READ)),
            Some((self.lifeline.as_fd(), Interest::NONE)),
            Some((self.signals.as_fd(), Interest::READ)),
            stdout,
            stderr,
            stdin,
            child,
            Some((self.ends.as_fd(), Interest::READ)),
        ];
        let ready = look(&fds, timeout).map_err(|why| End::Because(format!("wait: {why}")))?;
        let is_ready = |place: usize| ready.iter().any(|one| one.key == place);
        // SIGTERM and the end of the supervisor mean the same: end, and leave nothing.
        self.struck |= is_ready(2);
        if is_ready(1) || is_ready(2) {
            return Err(End::Quietly);
        }
        if is_ready(0) {
            self.link.answer_bell()?;
        }
        if let Some(running) = &mut self.running {
            if is_ready(4) {
                running.read_errors(&mut self.buffer);
            }
            if is_ready(5) {
                running.send();
            }
        }
        self.note_unread()?;
        if is_ready(3) {
            self.hear()?;
        }
        if is_ready(6) {
            self.note_end()?;
        }
        if is_ready(7) {
            self.ends.pending().map_err(|why| End::Because(format!("hear of ends of processes: {why}")))?;
            self.reap_orphans();
        }
        self.note_closed();
        self.seek()?;
        self.tick()
    }

    /// Orphans that have ended are nobody else's to reap, and would count as processes as long as the command runs.
    fn reap_orphans(&self) {
        let own = self.running.as_ref().map(Running::pid);
        if let Err(why) = process::reap_strays(|pid| own == Some(pid)) {
            tracing::warn!("could not reap orphans of a command: {why}");
        }
    }

    fn timeout(&self) -> Option<Duration> {
        if self.attempt.as_ref().is_some_and(|attempt| attempt.search.is_some()) {
            return Some(Duration::ZERO);
        }
        let now = clock::monotonic_ns();
        let attempt = self.attempt.as_ref().map(|attempt| {
            let tick = attempt.said_ns.saturating_add(TICK_NS);
            let closed = attempt.closed.map(|(until, _)| until);
            [attempt.due, closed].into_iter().flatten().fold(tick, u64::min).saturating_sub(now)
        });
        let blind = self.link.bell().is_none().then(|| LOOKS_NS[usize::from(self.attempt.is_none())]);
        attempt.into_iter().chain(blind).min().map(Duration::from_nanos)
    }

    /// The command has written something.
    fn hear(&mut self) -> Result<(), End> {
        let Some(running) = &mut self.running else { return Ok(()) };
        let form = form_of(self.job.as_ref());
        let mut lines: Vec<Line> = Vec::new();
        // Of a process for each partition only the last line counts, and an empty one is none.
        running.read_output(&mut self.buffer, |line| match form {
            Form::Persistent if lines.len() < 2 => lines.push(line),
            Form::Persistent => {}
            Form::Each if is_blank(&line) => {}
            Form::Each => lines = vec![line],
        });
        let more = lines.len() > 1 || running.is_in_line();
        // Of a process for each partition the next line may be one.
        let overlong = running.overlong().filter(|_| form == Form::Persistent && self.attempt.is_some());
        if let Some(line) = overlong.filter(|_| lines.is_empty()) {
            return self.finish(Outcome::Said(line));
        }
        let Some(line) = lines.first().cloned() else { return Ok(()) };
        match (&mut self.attempt, form) {
            (Some(attempt), Form::Each) => attempt.last = Some(line),
            (Some(_), Form::Persistent) if more => {
                let text = quoted(bytes(&line));
                return self.finish(Outcome::Broke(format!("it answered '{text}' and then more")));
            }
            (Some(_), Form::Persistent) => return self.finish(Outcome::Said(line)),
            (None, _) => match lines.iter().find(|line| !is_blank(line)) {
                Some(line) => return self.end_for(line, TooMany::Unasked),
                // What it says next could pass for an answer.
                None => return self.part(),
            },
        }
        Ok(())
    }

    fn say(&mut self, message: &FromWorker) -> Result<(), End> {
        let link = &mut self.link;
        let room = link.frame_bytes_max();
        encode(message, room, &mut self.scratch, |frame| link.send(frame).map_err(End::from))
    }
}

fn form_of(job: Option<&Job>) -> Form {
    job.and_then(|job| job.prepared.as_ref().ok()).map_or(Form::Persistent, |prepared| prepared.command.form)
}

/// What of a lease stands in the words of a command, in its environment, and in the line that it reads.
fn told(job: &Job, lease: Lease, slot: SlotId) -> Told {
    let (start, end) = ends(&job.source, lease.position, lease.count);
    let values = [
        start.to_string(),
        end.to_string(),
        lease.id.partition.to_string(),
        lease.id.attempt.0.to_string(),
        job.id.to_string(),
        slot.0.to_string(),
    ];
    let file = job.files.as_ref().and_then(|files| files.path(lease.position)).map(str::to_owned);
    Told { values, file }
}

fn unfit(why: &str) -> Unfit {
    Unfit { why: why.to_owned(), hint: None }
}

/// The first number of some positions of a range, and the one after the last; of files the positions themselves.
fn ends(source: &Source, position: u64, count: u64) -> (Integer, Integer) {
    match source {
        Source::Ranges(ranges) => {
            let run = runs(ranges, position, count).next();
            run.map_or_else(|| (Integer::ZERO, Integer::ZERO), |run| (run.at(0), run.at(run.count)))
        }
        Source::Files(_) => (position.into(), position.saturating_add(count).into()),
    }
}

fn bytes(line: &Line) -> &[u8] {
    match line {
        Line::Whole(bytes) | Line::TooLong(bytes) => bytes,
    }
}
