//! What the daemon knows: jobs, locks, objects, keys. Where there is no daemon, nothing.

use tally_protocol::control::{Request, part};
use tally_protocol::ids::JobId;
use tally_protocol::job::JobState;
use tally_protocol::locks::LockRequest;
use tally_protocol::locks::view::LockView;
use tally_protocol::objects::{DictVerb, ObjectRequest, ObjectResult, ObjectView, Operation, Verb};
use tally_protocol::varlink::ReplyMessage;
use tally_protocol::view::JobView;

use super::line::Line;
use crate::show::number::counted;
use crate::show::progress::Step;
use crate::verbs::what;

/// What can be chosen, with a word about each.
type Found = Vec<(String, String)>;

fn ask(line: &Line, request: &Request) -> Option<ReplyMessage> {
    line.reach().connect().ok()?.call(request).ok()
}

/// Jobs for which a command makes sense, the newest first.
pub(super) fn jobs(line: &Line, command: &str) -> Found {
    let mut jobs = all_jobs(line).unwrap_or_default();
    jobs.retain(|job| suits(command, job.state) && !line.arguments().any(|word| word == job.job.to_string()));
    jobs.sort_by_key(|job| std::cmp::Reverse(job.job));
    let about = |job: &JobView| match job.state {
        JobState::Running => format!("{} {}% {}", job.state, Step::of(job).percent(), what(job)),
        _ => format!("{} {}", job.state, what(job)),
    };
    jobs.iter().map(|job| (job.job.to_string(), about(job))).collect()
}

fn all_jobs(line: &Line) -> Option<Vec<JobView>> {
    let mut client = line.reach().connect().ok()?;
    let (mut jobs, mut after) = (Vec::new(), None);
    loop {
        let reply = client.call(&Request::Jobs { all: true, after }).ok()?;
        after = reply.parameters.get("next").and_then(|next| next.as_str()?.parse::<JobId>().ok());
        jobs.extend(part::<Vec<JobView>>(reply, "jobs").ok()?);
        if after.is_none() {
            return Some(jobs);
        }
    }
}

/// Whether a command makes sense for a job in this state.
fn suits(command: &str, state: JobState) -> bool {
    let open = matches!(state, JobState::Queued | JobState::Running | JobState::Paused);
    match command {
        "cancel" | "explain" | "follow" => open,
        "pause" => open && state != JobState::Paused,
        "resume" => state == JobState::Paused,
        "result" => !open,
        "retry" => !open && state != JobState::Done,
        _ => true,
    }
}

/// Locks, or semaphores, that are held or waited for.
pub(super) fn locks(line: &Line, kind: &str) -> Found {
    let reply = ask(line, &Request::Lock(LockRequest::Locks));
    let locks: Vec<LockView> = reply.and_then(|reply| part(reply, "locks").ok()).unwrap_or_default();
    let locks = locks.into_iter().filter(|lock| lock.kind.to_string() == kind);
    let many = |count: usize, what: &str| counted(u64::try_from(count).unwrap_or(u64::MAX), what);
    let about = |lock: &LockView| {
        format!("{}, {}", many(lock.holders.len(), "holder"), many(lock.waiters.len(), "waiter"))
    };
    locks.map(|lock| (lock.name.clone(), about(&lock))).collect()
}

/// Objects of a kind, or all.
pub(super) fn objects(line: &Line, kind: Option<&str>) -> Found {
    let reply = ask(line, &Request::Object(ObjectRequest::List));
    let objects: Vec<ObjectView> = reply.and_then(|reply| part(reply, "objects").ok()).unwrap_or_default();
    let objects =
        objects.into_iter().filter(|object| kind.is_none_or(|kind| object.kind.to_string() == kind));
    objects
        .map(|object| (object.object.clone(), format!("{}, length {}", object.kind, object.length)))
        .collect()
}

/// What an operation is done with, as far as it can be known: the keys of a dict, the objects that are removed.
pub(super) fn operands(line: &Line) -> Found {
    let words: Vec<&str> = line.arguments().collect();
    match words[..] {
        ["objects", "rm", ..] => objects(line, None),
        ["dict", name, "get" | "set" | "add" | "cas" | "del"] => keys(line, name).unwrap_or_default(),
        _ => Vec::new(),
    }
}

fn keys(line: &Line, name: &str) -> Option<Found> {
    let operation = Operation::new(name, Verb::Dict(DictVerb::Keys(None)));
    let reply = ask(line, &Request::Object(ObjectRequest::Operate(Box::new(operation))))?;
    let result: ObjectResult = part(reply, "result").ok()?;
    Some(result.keys?.into_iter().map(|key| (key, format!("key of {name}"))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_offered_what_it_can_be_used_for() {
        let suited = |command: &str| {
            let fits = JobState::ALL.iter().filter(|state| suits(command, **state));
            fits.map(|state| state.name()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(suited("resume"), "paused");
        assert_eq!(suited("pause"), "queued running");
        assert_eq!(suited("cancel"), "queued running paused");
        assert_eq!(suited("retry"), "failed cancelled timed-out");
        assert_eq!(suited("result"), "done failed cancelled timed-out");
        assert_eq!(suited("show").split(' ').count(), JobState::ALL.len());
    }
}
