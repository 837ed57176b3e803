//! One file for each verb or family of verbs: ask, then show.
//!
//! A verb returns its exit code, or the failure that ends the command; it prints nothing but through the terminal.

mod batch;
mod cancel;
mod change;
pub(crate) mod compare;
mod config;
mod daemon;
mod debug;
mod dump;
mod explain;
mod follow;
pub(crate) mod help;
mod here;
mod hold;
mod jobs;
mod lab;
mod locks;
mod man;
mod metrics;
mod objects;
mod ping;
mod reduce;
mod reload;
mod result;
pub(crate) mod running;
mod self_test;
mod show;
mod status;
mod stop;
pub(crate) mod top;
mod upgrade;
mod wait;
mod workers;

pub(crate) use jobs::what;
use tally_protocol::control::Request;
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::objects::ObjectRequest;
use tally_protocol::varlink::ReplyMessage;
use tally_sys::clock;

use crate::client::Client;
use crate::conversation::{Conversation, Heard, interrupted, interrupts};
use crate::meaning::{Ask, Style, Verb};
use crate::place::Reach;
use crate::report;
use crate::roles::Roles;
use crate::terminal::Terminal;

/// How long a daemon may take to answer a plain question before that is told.
const SLOW_NS: u64 = 3_000_000_000;

/// How long it may take over what a monitor asks, so that the monitor learns that it does not answer.
const GIVE_UP_NS: u64 = 7_000_000_000;

/// What every verb has at hand.
pub(crate) struct Context<'a, 't> {
    pub(crate) style: Style,
    pub(crate) roles: &'a Roles<'a>,
    pub(crate) terminal: &'a mut Terminal<'t>,
}

/// Does what is to be done.
pub(crate) fn run(
    verb: Verb,
    style: Style,
    roles: &Roles<'_>,
    terminal: &mut Terminal<'_>,
) -> Result<u8, Failure> {
    let mut context = Context { style, roles, terminal };
    match verb {
        Verb::Reduce(mut plan) => {
            plan.inputs = plan.inputs.told(context.style.json);
            reduce::run(&mut context, *plan)
        }
        Verb::Lab(options, plot) => lab::run(&mut context, &options, plot.as_deref()),
        Verb::Batch(plan) => batch::run(&mut context, &plan),
        Verb::Running(plan) => running::run(&mut context, &plan),
        Verb::Compare(mut comparison) => {
            comparison.plan.inputs = comparison.plan.inputs.told(context.style.json);
            compare::run(&mut context, &comparison)
        }
        Verb::Daemon(options) => daemon::run(&mut context, options),
        Verb::Config(reach, asked) => config::run(&mut context, &reach, &asked),
        Verb::Hold(reach, holding) => hold::run(&mut context, &reach, &holding),
        Verb::Object(reach, what) => objects::run(&mut context, &reach, what),
        Verb::SelfTest(reach) => self_test::run(&mut context, &reach),
        Verb::Bundle(reach, wanted) => debug::run(&mut context, &reach, &wanted),
        Verb::Help(about, word) => help::run(&mut context, about.as_deref(), word.as_deref()),
        Verb::Man(ask) => man::run(&mut context, &ask),
        Verb::Completion(shell) => help::completion(&mut context, &shell),
        Verb::Ask(reach, ask) => {
            let context = &mut context;
            match ask {
                Ask::Jobs(jobs) => jobs::run(context, &reach, &jobs),
                Ask::Show { job, history, plot } => show::run(context, &reach, job, history, plot.as_deref()),
                Ask::Explain(job) => explain::run(context, &reach, job),
                Ask::Wait(jobs) => wait::run(context, &reach, jobs),
                Ask::Result(job) => result::run(context, &reach, job),
                Ask::Follow(job, progress) => follow::run(context, &reach, job, progress),
                Ask::Cancel { jobs, all } => cancel::run(context, &reach, jobs, all),
                Ask::Pause(job) => change::run(context, &reach, change::Change::Pause, job),
                Ask::Resume(job) => change::run(context, &reach, change::Change::Resume, job),
                Ask::Retry(job) => change::run(context, &reach, change::Change::Retry, job),
                Ask::Status => status::run(context, &reach),
                Ask::Workers(template) => workers::run(context, &reach, template.as_ref()),
                Ask::Top(look) => top::run(context, &reach, &look),
                Ask::Ping { timeout_ms } => ping::run(context, &reach, timeout_ms),
                Ask::Reload => reload::run(context, &reach),
                Ask::Metrics => metrics::run(context, &reach),
                Ask::Drain => stop::drain(context, &reach),
                Ask::Stop { now } => stop::stop(context, &reach, now),
                Ask::Upgrade { binary } => upgrade::run(context, &reach, binary),
                Ask::Dump => dump::run(context, &reach),
                Ask::Locks(template) => locks::locks(context, &reach, template.as_ref()),
                Ask::Deadlocks => locks::deadlocks(context, &reach),
            }
        }
    }
}

/// Connects to the daemon, asks one question and waits for its one reply. `doing` fits after "could not".
fn ask(
    context: &mut Context<'_, '_>,
    reach: &Reach,
    request: &Request,
    doing: &str,
) -> Result<ReplyMessage, Failure> {
    let mut talk = talk_to(reach.connect()?)?;
    let reply = answer_to(context, &mut talk, request, doing);
    talk.end();
    reply
}

/// Whether the daemon may take its time over a request.
fn may_wait(request: &Request) -> bool {
    match request {
        Request::Wait(_) => true,
        Request::Object(ObjectRequest::Operate(operation)) => operation.verb.may_wait(),
        _ => false,
    }
}

fn talk_to(client: Client) -> Result<Conversation, Failure> {
    Conversation::new(client, None, interrupts()?)
}

/// Asks one question and waits for its one reply; `wait` may take as long as it likes, others are expected soon.
fn answer_to(
    context: &mut Context<'_, '_>,
    talk: &mut Conversation,
    request: &Request,
    doing: &str,
) -> Result<ReplyMessage, Failure> {
    let soon = !may_wait(request);
    let mut slow = soon.then(|| clock::monotonic_ns().saturating_add(SLOW_NS));
    let mut is_slow = false;
    let asked = talk.ask(request, false);
    asked.map_err(|failure| report::about(doing, failure))?;
    loop {
        match talk.hear(slow).map_err(|failure| report::about(doing, failure))? {
            Heard::Reply(reply) => return Ok(reply),
            Heard::Signal(signal) => {
                let jobs = matches!(request, Request::Wait(_));
                let meanwhile = if jobs { "the jobs go on without us" } else { "" };
                return Err(interrupted(signal, meanwhile));
            }
            Heard::Nothing if is_slow => {
                let who = talk.client().peer_pid();
                let who = who.map_or_else(|| "it".to_owned(), |pid| format!("the daemon, process {pid},"));
                let message = format!("could not {doing}: {who} did not answer within 10s");
                return Err(Failure::new(ErrorCode::TimedOut, message)
                    .hint("somebody listens, but does not get to answer: it may be stopped, or very busy"));
            }
            Heard::Nothing => {
                let bounded = matches!(request, Request::Status | Request::Jobs { .. });
                slow = bounded.then(|| clock::monotonic_ns().saturating_add(GIVE_UP_NS));
                is_slow = true;
                context.terminal.note("tally: the daemon is slow to answer; still waiting\n");
            }
        }
    }
}
