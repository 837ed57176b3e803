//! Each link and each start method, tried: a supervisor of its own starts one worker over it and has it add.

use tally_protocol::control::{Request, part};
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::job::{JobRequest, JobState, StartMethod, Transport};
use tally_protocol::varlink::ReplyMessage;
use tally_protocol::view::{JobView, WorkerView};
use tally_sys::clock;

use super::{Finding, Known, Level};
use crate::client::Client;
use crate::conversation::{Conversation, Heard, interrupted, interrupts};
use crate::place::plain;
use crate::roles::PrivateOptions;
use crate::verbs::Context;

/// How long one try may take: a worker may take `start_ms` to be ready, on a busy machine.
const TRY_NS_MAX: u64 = 20_000_000_000;
/// What is added, and what that comes to: both directions of the link are used, and more than once.
const SOURCE: &str = "0..1000";
const SUM: &str = "499500";

/// All of them.
///
/// # Errors
/// The command was interrupted.
pub(super) fn look(context: &mut Context<'_, '_>, known: &Known) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();
    let mut confined = None;
    for transport in Transport::ALL {
        let options = PrivateOptions { transport: Some(*transport), ..one_worker() };
        let name = format!("link {}", transport.name());
        let tried = attempt(context, &options);
        let mut found = finding(&name, tried, Some(*transport), link_hint(*transport), &mut confined)?;
        if found.level == Level::Warn && known.transport == transport.name() {
            found.level = Level::Fail;
        }
        findings.push(found);
    }
    for start in StartMethod::ALL {
        let options = PrivateOptions { start: Some(*start), ..one_worker() };
        let name = format!("start {}", start.name());
        findings.push(finding(&name, attempt(context, &options), None, start_hint(*start), &mut confined)?);
    }
    findings.extend(confined.map(|confined| confinement(&confined)));
    Ok(findings)
}

fn one_worker() -> PrivateOptions {
    PrivateOptions { workers: Some(1), transport: None, start: None, many_requests: true }
}

/// How one try went.
struct Tried {
    elapsed_ms: u64,
    /// The link that was used in the end.
    transport: Transport,
    confined: Option<Vec<String>>,
}

fn finding(
    name: &str,
    tried: Result<Tried, Failure>,
    wanted: Option<Transport>,
    hint: &str,
    confined: &mut Option<Vec<String>>,
) -> Result<Finding, Failure> {
    match tried {
        Ok(tried) if wanted.is_some_and(|wanted| wanted != tried.transport) => {
            // Jobs run all the same; something is wrong only where the settings ask for this link.
            let text = format!("it cannot be made: a {} serves instead", tried.transport.name());
            Ok(Finding::warn(name, text, hint))
        }
        Ok(tried) => {
            *confined = confined.take().or(tried.confined);
            Ok(Finding::ok(name, format!("a worker added over it, {} ms", tried.elapsed_ms)))
        }
        Err(failure) if failure.code == ErrorCode::Interrupted => Err(failure),
        Err(failure) => {
            let said =
                failure.stderr.as_deref().and_then(|text| text.lines().rfind(|line| !line.trim().is_empty()));
            let said = said.map(|line| format!("; it said: {}", line.trim())).unwrap_or_default();
            let hint =
                failure.hint.filter(|_| failure.code == ErrorCode::System).unwrap_or_else(|| hint.to_owned());
            Ok(Finding::fail(name, format!("{}{said}", plain(&failure.message)), hint))
        }
    }
}

fn attempt(context: &mut Context<'_, '_>, options: &PrivateOptions) -> Result<Tried, Failure> {
    let begun_ns = clock::monotonic_ns();
    let signals = interrupts()?;
    let supervisor = (context.roles.private)(options)?;
    let mut talk = Conversation::new(Client::over(supervisor.stream), supervisor.child, signals)?;
    let tried = add(&mut talk, begun_ns);
    talk.end();
    tried
}

fn add(talk: &mut Conversation, begun_ns: u64) -> Result<Tried, Failure> {
    let until_ns = begun_ns.saturating_add(TRY_NS_MAX);
    let request = JobRequest {
        reductions: vec!["sum".to_owned()],
        sources: vec![SOURCE.to_owned()],
        partitions: Some(10),
        ..JobRequest::default()
    };
    talk.ask(&Request::Submit(Box::new(request.check()?)), true)?;
    let job: JobView = loop {
        let reply = hear(talk, until_ns)?;
        if !reply.continues {
            break part(reply, "job")?;
        }
    };
    let answer = job.results.first().map(|result| result.value.as_str());
    match (job.state, answer, job.error) {
        (JobState::Done, Some(SUM), _) => {}
        (JobState::Done, answer, _) => {
            let answer = answer.unwrap_or("nothing");
            let why = format!("could not add {SOURCE}: it came to {answer} instead of {SUM}");
            return Err(Failure::new(ErrorCode::Internal, why));
        }
        (_, _, Some(error)) => return Err(error),
        (state, ..) => {
            return Err(Failure::new(
                ErrorCode::Internal,
                format!("could not add {SOURCE}: the job is {state}"),
            ));
        }
    }
    let elapsed_ms = clock::monotonic_ns().saturating_sub(begun_ns) / 1_000_000;
    talk.ask(&Request::Workers, false)?;
    let workers: Vec<WorkerView> = part(hear(talk, until_ns)?, "workers")?;
    let Some(worker) = workers.into_iter().next() else {
        return Err(Failure::new(ErrorCode::NoWorkers, "could not see the worker that added"));
    };
    Ok(Tried { elapsed_ms, transport: worker.transport, confined: worker.confined })
}

fn hear(talk: &mut Conversation, until_ns: u64) -> Result<ReplyMessage, Failure> {
    match talk.hear(Some(until_ns))? {
        Heard::Reply(reply) => Ok(reply),
        Heard::Signal(signal) => Err(interrupted(signal, "")),
        Heard::Nothing => {
            let why = format!("could not hear of a worker within {} s", TRY_NS_MAX / 1_000_000_000);
            Err(Failure::new(ErrorCode::TimedOut, why))
        }
    }
}

fn link_hint(transport: Transport) -> &'static str {
    match transport {
        Transport::Shm => "its memory is a memfd: look at the limits of memory and of open files",
        Transport::ShmNamed => "its memory is a file in /dev/shm: make room there, or use the link shm",
        Transport::Pipe => "it takes descriptors and nothing else: look at the limit of open files",
        Transport::Mqueue => {
            "it takes message queues: raise 'ulimit -q' (LimitMSGQUEUE=), or use the link shm"
        }
        Transport::Channel => "it takes sockets in $TMPDIR: look at its room and rights, or use the link shm",
    }
}

fn start_hint(start: StartMethod) -> &'static str {
    match start {
        StartMethod::Forkserver | StartMethod::Fork => {
            "raise 'ulimit -u' (LimitNPROC=, TasksMax=), or free memory"
        }
        StartMethod::Spawn => {
            "it runs this program's file again: /proc must be mounted, and the file be one that can be run"
        }
    }
}

fn confinement(confined: &[String]) -> Finding {
    const NAME: &str = "confinement";
    let missing: Vec<&str> = ["seccomp", "landlock", "rlimits"]
        .into_iter()
        .filter(|one| !confined.iter().any(|have| have == one))
        .collect();
    match (confined.is_empty(), missing.is_empty()) {
        (false, true) => Finding::ok(NAME, confined.join(", ")),
        (true, _) => Finding::warn(
            NAME,
            "workers are not confined",
            "'confine' is false, or the system offers nothing",
        ),
        (false, false) => Finding::warn(
            NAME,
            format!("{}; without {}", confined.join(", "), missing.join(", ")),
            "the kernel or a container keeps it away; workers run all the same",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_of_the_confinement_is_named() {
        let of = |names: &[&str]| confinement(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&["seccomp", "landlock", "rlimits"]).level, Level::Ok);
        assert_eq!(of(&["seccomp", "rlimits"]).message, "seccomp, rlimits; without landlock");
        assert_eq!(of(&[]).level, Level::Warn);
    }
}
