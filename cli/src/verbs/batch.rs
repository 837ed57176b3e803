//! `batch FILE`: many jobs at once over one connection, on one thread.
//!
//! Lines are read while there is room for more jobs; jobs are started and their ends heard as they come. What is held is
//! bounded by the jobs under way: a slow reader of the answers, or slow jobs, hold up the reading of lines. A line that
//! fails costs nothing but itself. If the daemon goes away, the jobs under way are started again at the next one.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use tally_protocol::control::{Request, part};
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::ids::JobId;
use tally_protocol::limits;
use tally_protocol::varlink::ReplyMessage;
use tally_protocol::view::JobView;
use tally_sys::signal::Signal;

use super::{Context, reduce};
use crate::batch::lines::{LINE_BYTES_MAX, Lines, Next};
use crate::batch::output::{Output, is_full};
use crate::batch::task::{Task, Tasks, bad};
use crate::conversation::{Conversation, interrupted};
use crate::exit_code;
use crate::meaning::batch::Batch;
use crate::place;
use crate::reconnect::{Absence, Back};
use crate::show::number;

/// Files open at once for jobs under way; one job may have more.
const FILES_OPEN_MAX: usize = limits::FILES_MAX;

/// A call that is not answered.
#[derive(Debug)]
enum Call {
    Start(Box<Task>),
    Next,
}

/// All that is under way.
struct Run<'p> {
    plan: &'p Batch,
    talk: Conversation,
    absence: Absence,
    lines: Lines,
    /// Whether the input is watched; what cannot be watched can always be read.
    watched: bool,
    watchable: bool,
    tasks: Tasks,
    /// Tasks that are to be started again.
    waiting: BTreeMap<u64, Task>,
    calls: VecDeque<Call>,
    flying: BTreeMap<JobId, Task>,
    /// Files of all tasks that have not ended.
    files: usize,
    /// The supervisor takes no more before a job has ended.
    full: bool,
    output: Output,
    /// Why the supervisor is of no more use.
    lost: Option<Failure>,
}

pub(super) fn run(context: &mut Context<'_, '_>, plan: &Batch) -> Result<u8, Failure> {
    let lines = Lines::new(open(plan)?);
    let mut talk = reduce::talk_at(context, &plan.place)?;
    let private = talk.client().socket().is_none();
    let mut run = Run {
        absence: Absence::new(&mut talk, context.style.reconnect_ms),
        plan,
        talk,
        lines,
        watched: false,
        watchable: true,
        tasks: Tasks::new(plan.defaults),
        waiting: BTreeMap::new(),
        calls: VecDeque::new(),
        flying: BTreeMap::new(),
        files: 0,
        full: false,
        output: Output::new(context.style, plan.ordered, private),
        lost: None,
    };
    let ended = run.work_through(context);
    let flushed = run.output.flush(context.terminal);
    let Output { told, failed, .. } = run.output;
    run.talk.end();
    ended.and(flushed)?;
    if failed > 0 {
        let of = number::counted(told, "line");
        context.terminal.note(&format!("tally: {} of {of} failed\n", number::grouped(&failed.to_string())));
    }
    Ok(if failed == 0 { exit_code::ANSWERED } else { exit_code::FAILED })
}

fn open(plan: &Batch) -> Result<File, Failure> {
    let Some(path) = &plan.file else {
        let own = io::stdin().as_fd().try_clone_to_owned();
        return own.map(File::from).map_err(|why| cannot_read("standard input", &why));
    };
    let name = path.display().to_string();
    File::open(path).map_err(|why| {
        let code = match why.kind() {
            io::ErrorKind::PermissionDenied => ErrorCode::NotPermitted,
            _ => ErrorCode::BadUsage,
        };
        Failure::new(code, format!("could not open {name}: {}", place::reason(&why)))
    })
}

fn cannot_read(name: &str, why: &io::Error) -> Failure {
    Failure::new(ErrorCode::System, format!("could not read {name}: {}", place::reason(why)))
}

impl Run<'_> {
    fn work_through(&mut self, context: &mut Context<'_, '_>) -> Result<(), Failure> {
        loop {
            self.start_jobs(context)?;
            if self.is_over() || context.terminal.answer_is_unread() {
                return Ok(());
            }
            self.output.flush(context.terminal)?;
            if let Some(signal) = self.listen(context)? {
                let done = number::counted(self.output.told, "line");
                return Err(interrupted(signal, &format!("{done} had been answered")));
            }
        }
    }

    fn is_over(&self) -> bool {
        self.calls.is_empty() && self.flying.is_empty() && self.waiting.is_empty() && self.lines_are_out()
    }

    /// Nothing is left of the input.
    fn lines_are_out(&self) -> bool {
        self.lines.is_read() && self.lines.is_taken()
    }

    /// Jobs that are started or about to be.
    fn under_way(&self) -> usize {
        let starting = self.calls.iter().filter(|call| matches!(call, Call::Start(_))).count();
        self.flying.len() + starting
    }

    /// Whether one more job may be started.
    fn has_room(&self) -> bool {
        !self.full && self.under_way() < self.plan.in_flight
    }

    /// Whether one more line may be taken.
    fn takes_lines(&self) -> bool {
        self.has_room() && self.files < FILES_OPEN_MAX && self.output.kept() < self.plan.in_flight
    }

    /// Starts as many jobs as there is room for, and asks for the end of the next one.
    fn start_jobs(&mut self, context: &mut Context<'_, '_>) -> Result<(), Failure> {
        let mut some = false;
        while self.has_room() {
            let Some(task) = self.next_task(context)? else { break };
            some |= self.start(context, task)?;
        }
        // A call behind a waiting `Next` has it answered at once: so there is always one behind all starts.
        let waits = self.calls.iter().any(|call| matches!(call, Call::Next));
        if self.under_way() > 0 && (some || !waits) {
            self.talk.client().hold(&Request::Next)?;
            self.calls.push_back(Call::Next);
        }
        self.talk.client().send_held()
    }

    /// The next job that is to be started, of those whose lines are here.
    fn next_task(&mut self, context: &mut Context<'_, '_>) -> Result<Option<Task>, Failure> {
        if let Some((_, task)) = self.waiting.pop_first() {
            return Ok(Some(task));
        }
        while self.takes_lines() {
            let (number, task) = match self.lines.next() {
                Next::End => return Ok(None),
                Next::NotYet if self.watchable => {
                    // Whether it can be watched is found out by trying.
                    if self.watched || self.watch(true) {
                        return Ok(None);
                    }
                    self.watchable = false;
                    continue;
                }
                Next::NotYet => {
                    self.fill()?;
                    continue;
                }
                Next::Overlong(number) => {
                    (number, Err(bad(format!("it is longer than {LINE_BYTES_MAX} bytes"))))
                }
                Next::Line(number, line) => (number, self.tasks.read(number, line)),
            };
            let checked = task.and_then(|task| match task {
                Some(mut task) => {
                    task.inputs = task.inputs.told(context.style.json);
                    (context.roles.check)(&mut task.spec, &task.inputs).map(|_| Some(task))
                }
                None => Ok(None),
            });
            match checked {
                Ok(Some(task)) => {
                    self.output.expect(number);
                    self.files += task.inputs.fds().len();
                    return Ok(Some(task));
                }
                Ok(None) => {}
                Err(failure) => self.output.refused(context.terminal, number, failure)?,
            }
        }
        Ok(None)
    }

    fn fill(&mut self) -> Result<(), Failure> {
        self.lines.fill().map_err(|why| {
            let name = self
                .plan
                .file
                .as_ref()
                .map_or("standard input".to_owned(), |path| path.display().to_string());
            cannot_read(&name, &why)
        })
    }

    /// Has the input watched, or not; false if it cannot be.
    fn watch(&mut self, wanted: bool) -> bool {
        if wanted && !self.watched {
            self.watched = self.talk.watch_input(self.lines.source());
        } else if !wanted && self.watched {
            self.talk.forget_input(self.lines.source());
            self.watched = false;
        }
        self.watched == wanted
    }

    /// Holds the request for a job ready, or sends it with its files. False if it came to nothing.
    fn start(&mut self, context: &mut Context<'_, '_>, task: Task) -> Result<bool, Failure> {
        let request = Request::Start(Box::new(task.spec.clone()));
        let fds = task.inputs.fds();
        let client = self.talk.client();
        let sent = if fds.is_empty() {
            client.hold(&request)
        } else {
            // Descriptors belong to the request they are sent with.
            client.send_held()?;
            client.send_with(&request, false, &fds)
        };
        match sent {
            Ok(()) => {
                self.calls.push_back(Call::Start(Box::new(task)));
                Ok(true)
            }
            Err(failure) if failure.code == ErrorCode::BadUsage => {
                self.files -= fds.len();
                self.output.refused(context.terminal, task.number, failure)?;
                Ok(false)
            }
            Err(failure) => Err(failure),
        }
    }

    /// Waits for something to happen and takes in what there is.
    fn listen(&mut self, context: &mut Context<'_, '_>) -> Result<Option<Signal>, Failure> {
        // The input is left alone while there is no room for more.
        let wants_input = self.watchable && self.takes_lines() && !self.lines.is_read();
        self.watch(wants_input);
        match self.talk.wake(true) {
            Ok(wake) if wake.signal.is_some() => return Ok(wake.signal),
            Ok(wake) if wake.input => self.fill()?,
            Ok(_) => {}
            Err(failure) => self.lost = Some(failure),
        }
        while self.lost.is_none() {
            match self.talk.client().take_any() {
                Ok(Some(reply)) => self.take(context, reply)?,
                Ok(None) => return Ok(None),
                Err(failure) => return Err(failure),
            }
        }
        self.go_on_elsewhere(context)
    }

    fn take(&mut self, context: &mut Context<'_, '_>, reply: ReplyMessage) -> Result<(), Failure> {
        match self.calls.pop_front() {
            Some(Call::Start(task)) => self.started(context, *task, part(reply, "job")),
            Some(Call::Next) => match part::<Vec<JobView>>(reply, "jobs") {
                Ok(jobs) => jobs.iter().try_for_each(|job| self.ended(context, job)),
                // All that were started came to nothing.
                Err(failure) if failure.code == ErrorCode::WrongState => Ok(()),
                Err(failure) => self.fail(failure),
            },
            None => part(reply, "call").map(|(): ()| ()),
        }
    }

    fn started(
        &mut self,
        context: &mut Context<'_, '_>,
        task: Task,
        job: Result<JobId, Failure>,
    ) -> Result<(), Failure> {
        match job {
            Ok(job) => {
                self.absence.over();
                self.flying.insert(job, task);
                Ok(())
            }
            Err(failure) if failure.code == ErrorCode::Stopping => {
                self.waiting.insert(task.number, task);
                self.fail(failure)
            }
            Err(failure) if is_full(&failure) && self.under_way() > 0 => {
                self.full = true;
                self.waiting.insert(task.number, task);
                Ok(())
            }
            Err(failure) => {
                self.files -= task.inputs.fds().len();
                self.output.refused(context.terminal, task.number, failure)
            }
        }
    }

    fn ended(&mut self, context: &mut Context<'_, '_>, job: &JobView) -> Result<(), Failure> {
        let Some(task) = self.flying.remove(&job.job) else { return Ok(()) };
        self.full = false;
        if self.absence.ended_with_daemon(job) {
            let why = job.error.as_ref().map_or_else(String::new, |error| error.message.clone());
            self.waiting.insert(task.number, task);
            return self.fail(Failure::new(ErrorCode::SupervisorGone, why));
        }
        self.files -= task.inputs.fds().len();
        self.output.ended(context.terminal, task.number, task.names, job)
    }

    /// The supervisor is of no more use, if that is what a failure says.
    fn fail(&mut self, failure: Failure) -> Result<(), Failure> {
        match failure.code {
            ErrorCode::Stopping | ErrorCode::SupervisorGone => {
                self.lost.get_or_insert(failure);
                Ok(())
            }
            _ => Err(failure),
        }
    }

    /// Takes all jobs that are under way to the next daemon.
    fn go_on_elsewhere(&mut self, context: &mut Context<'_, '_>) -> Result<Option<Signal>, Failure> {
        let Some(failure) = self.lost.take() else { return Ok(None) };
        self.watch(false);
        let calls = std::mem::take(&mut self.calls).into_iter().filter_map(|call| match call {
            Call::Start(task) => Some(*task),
            Call::Next => None,
        });
        let tasks = std::mem::take(&mut self.flying).into_values().chain(calls);
        self.waiting.extend(tasks.map(|task| (task.number, task)));
        self.full = false;
        match self.absence.outlast(&mut self.talk, context.terminal, failure)? {
            Back::Ask => Ok(None),
            Back::Signal(signal) => Ok(Some(signal)),
        }
    }
}
