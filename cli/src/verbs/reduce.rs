//! `sum`, `product`, ..., `reduce`, `factorial`: submits a job, watches it and shows its answer.
//!
//! An attached job ends with its client: an interrupt hangs up, and the supervisor does the rest.

use tally_protocol::command::Form;
use tally_protocol::control::{Request, part};
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::range::{parse_integer, parse_range};
use tally_protocol::varlink::ReplyMessage;
use tally_protocol::view::JobView;
use tally_reduce::Integer;
use tally_sys::clock;

use super::show::Failures;
use super::{Context, answer_to, here, talk_to};
use crate::args::values::ProgressWhen;
use crate::client::Client;
use crate::conversation::{Conversation, Heard, interrupted, interrupts};
use crate::meaning::{Place, Plan};
use crate::reconnect::{Absence, Back};
use crate::report;
use crate::roles::PrivateOptions;
use crate::show::progress::{Progress, Step};
use crate::show::{answer, json};
use crate::terminal::Terminal;

pub(super) fn run(context: &mut Context<'_, '_>, mut plan: Plan) -> Result<u8, Failure> {
    let begun_ns = clock::monotonic_ns();
    let taken = (context.roles.check)(&mut plan.spec, &plan.inputs)?;
    let plan = &plan;
    if let Some(taken) = taken {
        context.terminal.note(&format!("tally: note: {taken}\n"));
    }
    remark(context, plan);
    let mut talk = match &plan.place {
        Place::Here(mode) => return here::run(context, plan, *mode, begun_ns),
        place => talk_at(context, place)?,
    };
    talk.carry(plan.inputs.clone());
    let code = if plan.spec.request.detach {
        detach(context, &mut talk, plan)
    } else {
        attend(context, &mut talk, plan, begun_ns)
    };
    talk.end();
    code
}

/// What somebody may have meant otherwise.
fn remark(context: &mut Context<'_, '_>, plan: &Plan) {
    let request = &plan.spec.request;
    // Scripts have ranges that are empty; at a terminal it is a slip.
    let one = Integer::from(1_u64);
    let backwards = |source: &&String| {
        let (from, to) = source.split_once("..").unwrap_or_default();
        let to = to.strip_prefix('=').unwrap_or(to);
        request.step.is_none()
            && parse_range(source, &one).is_ok_and(|range| range.count == 0)
            && matches!((parse_integer(from), parse_integer(to)), (Ok(from), Ok(to)) if from > to)
    };
    if context.terminal.is_watched()
        && !request.files
        && let Some(source) = request.sources.iter().find(backwards)
    {
        let (from, to) = source.split_once("..").unwrap_or_default();
        let turned = format!("{}..{from}", to.strip_prefix('=').unwrap_or(to));
        context
            .terminal
            .note(&format!("tally: note: {source} is empty: {turned} goes up, and --step -1 walks down\n"));
    }
}

/// A conversation with the supervisor at a place that is not this process.
pub(super) fn talk_at(context: &Context<'_, '_>, place: &Place) -> Result<Conversation, Failure> {
    match place {
        Place::Here(_) => {
            Err(Failure::new(ErrorCode::Internal, "could not find a supervisor: there is none here"))
        }
        Place::Daemon(reach) => talk_to(reach.connect()?),
        Place::Private(options) => private(context, options),
        Place::DaemonOrPrivate(reach, options) => match reach.connect_if_there()? {
            Some(client) => talk_to(client),
            None => private(context, options),
        },
    }
}

/// Starts a supervisor for this command alone.
fn private(context: &Context<'_, '_>, options: &PrivateOptions) -> Result<Conversation, Failure> {
    // Signals are caught before there is anything to leave behind.
    let signals = interrupts()?;
    let supervisor =
        (context.roles.private)(options).map_err(|failure| report::about("start a supervisor", failure))?;
    Conversation::new(Client::over(supervisor.stream), supervisor.child, signals)
}

fn detach(context: &mut Context<'_, '_>, talk: &mut Conversation, plan: &Plan) -> Result<u8, Failure> {
    let request = Request::Submit(Box::new(plan.spec.clone()));
    let mut absence = Absence::new(talk, context.style.reconnect_ms);
    let job: JobView = loop {
        let failure = match hand_in(context, talk, &request)? {
            HandedIn::Acknowledged(reply) => break part(*reply, "job")?,
            HandedIn::NotTaken(failure) => failure,
        };
        match absence.outlast(talk, context.terminal, failure)? {
            Back::Ask => {}
            Back::Signal(signal) => return Err(interrupted(signal, "the job was not started")),
        }
    };
    let text = if context.style.json { json::job(&job) } else { format!("{}\n", job.job) };
    context.terminal.answer(&text)?;
    Ok(0)
}

/// A detached job that was asked for; where it may be there and nobody said so, asking for it again is no answer.
enum HandedIn {
    Acknowledged(Box<ReplyMessage>),
    /// It cannot be there.
    NotTaken(Failure),
}

/// Asks for a detached job, once.
fn hand_in(
    context: &mut Context<'_, '_>,
    talk: &mut Conversation,
    request: &Request,
) -> Result<HandedIn, Failure> {
    // It outlives this connection, so the versions must fit before it is sent.
    if let Err(failure) = talk.client().greet() {
        return Ok(HandedIn::NotTaken(failure));
    }
    match answer_to(context, talk, request, "start the job") {
        Ok(reply) => Ok(HandedIn::Acknowledged(Box::new(reply))),
        Err(failure) if failure.code == ErrorCode::Stopping || talk.client().is_unread() => {
            Ok(HandedIn::NotTaken(failure))
        }
        Err(failure) => Err(failure),
    }
}

fn attend(
    context: &mut Context<'_, '_>,
    talk: &mut Conversation,
    plan: &Plan,
    begun_ns: u64,
) -> Result<u8, Failure> {
    let request = Request::Submit(Box::new(plan.spec.clone()));
    let watched = watch(context, talk, &request, plan.progress, begun_ns, None);
    match watched.map_err(|failure| report::about("start the job", failure))? {
        Watched::Ended(mut job) => {
            let elapsed_ns = clock::monotonic_ns().saturating_sub(begun_ns);
            if talk.client().socket().is_none() {
                forget_job(&mut job);
            }
            answer::show(context.terminal, &job, plan.names, context.style, Some(elapsed_ns))
        }
        Watched::Interrupted(signal, percent) => {
            let what = plan.spec.request.sources.join(", ");
            Err(interrupted(signal, &format!("{percent}% of {what} was done")))
        }
    }
}

/// A private supervisor and its jobs end with this command: a hint to come back to the job would be a lie.
fn forget_job(job: &mut JobView) {
    if let Some(error) = &mut job.error {
        error.hint = error.hint.take().filter(|hint| !hint.contains("'tally "));
    }
}

/// How watching a job ended.
#[derive(Debug)]
pub(super) enum Watched {
    /// With the job's end.
    Ended(Box<JobView>),
    /// By a signal, when this much of it was done.
    Interrupted(tally_sys::signal::Signal, u64),
}

/// Asks for a job's progress and shows it until the job has ended.
pub(super) fn watch(
    context: &mut Context<'_, '_>,
    talk: &mut Conversation,
    request: &Request,
    when: ProgressWhen,
    begun_ns: u64,
    mut failures: Option<Failures>,
) -> Result<Watched, Failure> {
    let lives_on = match request {
        Request::Submit(spec) => spec.kernel.command.as_ref().is_some_and(|one| one.form == Form::Persistent),
        _ => false,
    };
    let progress = Progress::new(when, context.style.quiet, context.terminal, begun_ns);
    let mut progress = progress.of_command(lives_on);
    let mut absence = Absence::new(talk, context.style.reconnect_ms);
    loop {
        let shown = Shown { progress: &mut progress, failures: failures.as_mut() };
        let failure = match watch_once(context, talk, request, shown, &mut absence) {
            Ok(Watched::Ended(job)) if absence.ended_with_daemon(&job) => {
                let why = job.error.map_or_else(String::new, |error| error.message);
                Failure::new(ErrorCode::SupervisorGone, why)
            }
            Err(failure) => failure,
            Ok(Watched::Ended(job)) => {
                progress.end(Step::of(&job), context.terminal);
                return Ok(Watched::Ended(job));
            }
            Ok(Watched::Interrupted(signal, percent)) => {
                // What was submitted here ends with this command; what is followed goes on.
                if matches!(request, Request::Submit(_)) {
                    progress.cut(context.terminal);
                }
                return Ok(Watched::Interrupted(signal, percent));
            }
        };
        match absence.outlast(talk, context.terminal, failure)? {
            Back::Ask => {}
            Back::Signal(signal) => return Ok(Watched::Interrupted(signal, progress.percent())),
        }
    }
}

/// What is shown of a job that is watched.
struct Shown<'a> {
    progress: &'a mut Progress,
    failures: Option<&'a mut Failures>,
}

impl Shown<'_> {
    fn tell_failures(&mut self, job: &JobView, terminal: &mut Terminal<'_>) {
        let Some(text) = self.failures.as_mut().and_then(|failures| failures.news(job)) else { return };
        self.progress.clear();
        terminal.note(&text);
    }
}

/// The same over one connection.
fn watch_once(
    context: &mut Context<'_, '_>,
    talk: &mut Conversation,
    request: &Request,
    mut shown: Shown<'_>,
    absence: &mut Absence,
) -> Result<Watched, Failure> {
    talk.ask(request, true)?;
    loop {
        let heard = talk.hear(shown.progress.due_ns())?;
        let now_ns = clock::monotonic_ns();
        match heard {
            Heard::Nothing => shown.progress.tick(now_ns, context.terminal),
            Heard::Signal(signal) => return Ok(Watched::Interrupted(signal, shown.progress.percent())),
            Heard::Reply(reply) => {
                let continues = reply.continues;
                let job: JobView = part(reply, "job")?;
                if !absence.ended_with_daemon(&job) {
                    absence.over();
                }
                shown.tell_failures(&job, context.terminal);
                if !continues {
                    return Ok(Watched::Ended(Box::new(job)));
                }
                shown.progress.step(now_ns, Step::of(&job), context.terminal);
            }
        }
    }
}
