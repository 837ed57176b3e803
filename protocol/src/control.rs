//! What clients ask of the supervisor and what it answers: the interface `io.tally`.
//!
//! `Request::from_call` is the only way in: what it returns has been parsed, and nothing behind it looks at JSON
//! again. The interface description in `io.tally.varlink` is the same list for other programs.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::error::{ErrorCode, Failure};
use crate::ids::JobId;
use crate::job::{JobRequest, JobSpec};
use crate::limits;
use crate::locks::{LockReply, LockRequest};
use crate::objects::{self, ObjectReply, ObjectRequest};
use crate::settings::{ConfigView, ReloadView};
use crate::source::FileSource;
use crate::top::{TopQuery, TopView};
use crate::varlink::{Call, ReplyMessage};
use crate::version::Spoken;
use crate::view::{JobView, StatusView, WorkerView};

/// The interface description, as `org.varlink.service.GetInterfaceDescription` returns it.
pub const INTERFACE: &str = include_str!("io.tally.varlink");

/// The description of the service interface itself.
pub const SERVICE_INTERFACE: &str = include_str!("org.varlink.service.varlink");

/// One request of one client, parsed. A client has at most one at a time.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Which versions the client speaks.
    Hello(Spoken),
    /// A new job. Attached unless it asks to be detached: then it ends with its client.
    Submit(Box<JobSpec>),
    /// A new job that is answered at once with its id and ends with its connection; `Next` tells its end.
    Start(Box<JobSpec>),
    /// Replies when jobs that this connection has started have ended; each is told once.
    Next,
    /// All open jobs, or the ended ones too.
    Jobs {
        /// Ended ones too.
        all: bool,
        /// Those with higher ids than this one.
        after: Option<JobId>,
    },
    /// One job.
    Show(JobId),
    /// The same with what happened to its partitions: `Show` with `history`.
    ShowHistory(JobId),
    /// Why a job waits.
    Explain(JobId),
    /// Replies when all of them have ended.
    Wait(Vec<JobId>),
    /// The outcome of an ended job.
    Result(JobId),
    /// A job's progress until it ends.
    Follow(JobId),
    /// Ends jobs.
    Cancel {
        /// These; ignored when `all`.
        jobs: Vec<JobId>,
        /// Every open job.
        all: bool,
    },
    /// No new leases for a job.
    Pause(JobId),
    /// Leases again.
    Resume(JobId),
    /// A failed, cancelled or timed-out job goes on from its accepted partials.
    Retry(JobId),
    /// The supervisor as a whole.
    Status,
    /// Its slots.
    Workers,
    /// One page of a live view.
    Top(TopQuery),
    /// Whether the loop turns.
    Ping,
    /// Take no new jobs, finish the open ones, then end.
    Drain,
    /// End.
    Stop {
        /// Without letting leased partitions finish.
        now: bool,
    },
    /// Another binary takes the daemon over.
    Upgrade {
        /// Its path; the daemon's own where there is none.
        binary: Option<String>,
    },
    /// The whole state, for people who look for a defect.
    Dump,
    /// Another priority for an open job.
    Reprioritize {
        /// Which.
        job: JobId,
        /// Higher goes first.
        priority: i32,
    },
    /// Read the configuration again.
    Reload,
    /// The settings in force.
    Config,
    /// Counters and figures.
    Metrics,
    /// Named locks and semaphores.
    Lock(LockRequest),
    /// Something about hosted objects.
    Object(ObjectRequest),
}

/// What the machine answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// To `Hello`: the version both will speak.
    Hello(u32),
    /// To `Submit`, `Show`, `Result`, `Follow`, `Pause`, `Resume`, `Retry`, `Reprioritize`: the job as it is now.
    Job(Box<JobView>),
    /// To `Start`: the id of the job.
    Started(JobId),
    /// To `Wait`, `Cancel`, `Next`: the jobs as they are now.
    Jobs(Vec<JobView>),
    /// To `Jobs`: the jobs as they are now, in the order of their ids.
    Listed {
        /// No more than `limits::JOBS_LISTED_MAX`.
        jobs: Vec<JobView>,
        /// There are more after this one.
        next: Option<JobId>,
    },
    /// To `Explain`: sentences, the weightiest first.
    Explanation {
        /// The job.
        job: Box<JobView>,
        /// Why it waits, or what it does.
        reasons: Vec<String>,
    },
    /// To `Status`.
    Status(Box<StatusView>),
    /// To `Workers`.
    Workers(Vec<WorkerView>),
    /// To `Top`.
    Top(Box<TopView>),
    /// To `Dump`.
    Dump(String),
    /// To `Reload`: what has changed.
    Reloaded(ReloadView),
    /// To `Config`.
    Config(ConfigView),
    /// To `Metrics`: OpenMetrics text.
    Metrics(String),
    /// To a `LockRequest`.
    Lock(LockReply),
    /// To `Ping`, `Drain`, `Stop`, `Upgrade`.
    Done,
    /// To what was asked about hosted objects.
    Object(ObjectReply),
    /// It could not be done.
    Refused(Failure),
}

/// Why a call is no request.
#[derive(Clone, Debug, PartialEq)]
pub enum BadCall {
    /// `org.varlink.service.InterfaceNotFound`.
    Interface(String),
    /// `org.varlink.service.MethodNotFound`.
    Method(String),
    /// `org.varlink.service.InvalidParameter`: the parameter's name.
    Parameter(String),
    /// A parameter is of the right type but its meaning is refused.
    Meaning(Failure),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoParameters {}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OneJob {
    job: JobId,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ShownJob {
    job: JobId,
    #[serde(default)]
    history: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SomeJobs {
    jobs: Vec<JobId>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AllJobs {
    #[serde(default)]
    all: bool,
    #[serde(default)]
    after: Option<JobId>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CancelJobs {
    #[serde(default)]
    jobs: Vec<JobId>,
    #[serde(default)]
    all: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StopHow {
    #[serde(default)]
    now: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UpgradeHow {
    #[serde(default)]
    binary: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JobPriority {
    job: JobId,
    priority: i32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubmitJob {
    request: JobRequest,
}

/// Files that came with a call.
#[derive(Clone, Debug, Default)]
pub struct Passed {
    /// What their descriptors are known by.
    pub set: u64,
    /// What they turned out to be, in their order.
    pub files: Vec<FileSource>,
}

impl Request {
    /// Parses a call of `io.tally`.
    ///
    /// # Errors
    /// With the varlink error that names what is wrong.
    pub fn from_call(call: Call) -> Result<Self, BadCall> {
        Self::from_call_with(call, Passed::default())
    }

    /// Parses a call that came with descriptors, which are files if it is a job.
    ///
    /// # Errors
    /// With the varlink error that names what is wrong.
    pub fn from_call_with(call: Call, files: Passed) -> Result<Self, BadCall> {
        let Some(method) = call.method.strip_prefix("io.tally.") else {
            let interface =
                call.method.rsplit_once('.').map_or(call.method.as_str(), |(interface, _)| interface);
            return Err(BadCall::Interface(interface.to_owned()));
        };
        let parameters = call.parameters;
        let one = |make: fn(JobId) -> Self, parameters| read::<OneJob>(parameters).map(|one| make(one.job));
        let none = |request, parameters| read::<NoParameters>(parameters).map(|_| request);
        match method {
            "Hello" => Ok(Self::Hello(read(parameters)?)),
            "Submit" => {
                let submit: SubmitJob = read(parameters)?;
                let checked = submit.request.check_with(files.set, files.files);
                checked.map(|spec| Self::Submit(Box::new(spec))).map_err(BadCall::Meaning)
            }
            "Start" => {
                let submit: SubmitJob = read(parameters)?;
                if submit.request.detach {
                    let why = "could not start a detached job: it would not end with its connection";
                    let failure = Failure::new(ErrorCode::BadUsage, why).hint("Submit takes one");
                    return Err(BadCall::Meaning(failure));
                }
                let checked = submit.request.check_with(files.set, files.files);
                checked.map(|spec| Self::Start(Box::new(spec))).map_err(BadCall::Meaning)
            }
            "Next" => none(Self::Next, parameters),
            "Jobs" => read::<AllJobs>(parameters).map(|jobs| Self::Jobs { all: jobs.all, after: jobs.after }),
            "Show" => read::<ShownJob>(parameters).map(|shown| {
                if shown.history { Self::ShowHistory(shown.job) } else { Self::Show(shown.job) }
            }),
            "Explain" => one(Self::Explain, parameters),
            "Wait" => read::<SomeJobs>(parameters).map(|some| Self::Wait(some.jobs)),
            "Result" => one(Self::Result, parameters),
            "Follow" => one(Self::Follow, parameters),
            "Cancel" => read::<CancelJobs>(parameters)
                .map(|cancel| Self::Cancel { jobs: cancel.jobs, all: cancel.all }),
            "Pause" => one(Self::Pause, parameters),
            "Resume" => one(Self::Resume, parameters),
            "Retry" => one(Self::Retry, parameters),
            "Status" => none(Self::Status, parameters),
            "Workers" => none(Self::Workers, parameters),
            "Top" => match read::<TopQuery>(parameters)? {
                query if query.filter.len() <= limits::TOP_FILTER_BYTES_MAX => Ok(Self::Top(query)),
                _ => Err(BadCall::Parameter("filter".to_owned())),
            },
            "Ping" => none(Self::Ping, parameters),
            "Drain" => none(Self::Drain, parameters),
            "Stop" => read::<StopHow>(parameters).map(|how| Self::Stop { now: how.now }),
            "Upgrade" => read::<UpgradeHow>(parameters).map(|how| Self::Upgrade { binary: how.binary }),
            "Dump" => none(Self::Dump, parameters),
            "Reprioritize" => read::<JobPriority>(parameters)
                .map(|one| Self::Reprioritize { job: one.job, priority: one.priority }),
            "Reload" => none(Self::Reload, parameters),
            "Config" => none(Self::Config, parameters),
            "Metrics" => none(Self::Metrics, parameters),
            lock if LockRequest::METHODS.contains(&lock) => {
                LockRequest::from_call(lock, parameters).map(Self::Lock)
            }
            _ if objects::METHODS.contains(&method) => {
                ObjectRequest::from_call(method, parameters).map(Self::Object)
            }
            _ => Err(BadCall::Method(call.method)),
        }
    }

    /// The call a client sends for this request; `more` asks for a stream where the method has one.
    #[must_use]
    pub fn to_call(&self, more: bool) -> Call {
        let one = |job: &JobId| json!({ "job": job });
        let (name, parameters) = match self {
            Self::Hello(spoken) => ("Hello", json!(spoken)),
            Self::Submit(spec) => ("Submit", json!({ "request": spec.request })),
            Self::Start(spec) => ("Start", json!({ "request": spec.request })),
            Self::Next => ("Next", json!({})),
            Self::Jobs { all, after: None } => ("Jobs", json!({ "all": all })),
            Self::Jobs { all, after: Some(after) } => ("Jobs", json!({ "all": all, "after": after })),
            Self::Show(job) => ("Show", one(job)),
            Self::ShowHistory(job) => ("Show", json!({ "job": job, "history": true })),
            Self::Explain(job) => ("Explain", one(job)),
            Self::Wait(jobs) => ("Wait", json!({ "jobs": jobs })),
            Self::Result(job) => ("Result", one(job)),
            Self::Follow(job) => ("Follow", one(job)),
            Self::Cancel { jobs, all } => ("Cancel", json!({ "jobs": jobs, "all": all })),
            Self::Pause(job) => ("Pause", one(job)),
            Self::Resume(job) => ("Resume", one(job)),
            Self::Retry(job) => ("Retry", one(job)),
            Self::Status => ("Status", json!({})),
            Self::Workers => ("Workers", json!({})),
            Self::Top(query) => ("Top", json!(query)),
            Self::Ping => ("Ping", json!({})),
            Self::Drain => ("Drain", json!({})),
            Self::Stop { now } => ("Stop", json!({ "now": now })),
            Self::Upgrade { binary } => {
                ("Upgrade", binary.as_ref().map_or(json!({}), |binary| json!({ "binary": binary })))
            }
            Self::Dump => ("Dump", json!({})),
            Self::Reprioritize { job, priority } => {
                ("Reprioritize", json!({ "job": job, "priority": priority }))
            }
            Self::Reload => ("Reload", json!({})),
            Self::Config => ("Config", json!({})),
            Self::Metrics => ("Metrics", json!({})),
            Self::Lock(request) => request.to_call(),
            Self::Object(request) => request.to_call(),
        };
        Call { method: format!("io.tally.{name}"), parameters: object(parameters), more, ..Call::default() }
    }
}

pub(crate) fn read<P: Deserialize<'static>>(parameters: Map<String, Value>) -> Result<P, BadCall> {
    let only = match parameters.len() {
        1 => parameters.keys().next().cloned(),
        _ => None,
    };
    P::deserialize(Value::Object(parameters)).map_err(|why| {
        let why = why.to_string();
        if why.starts_with("could not ") {
            return BadCall::Meaning(Failure::new(ErrorCode::BadUsage, why));
        }
        BadCall::Parameter(named_field(&why).or(only).unwrap_or(why))
    })
}

/// The parameter that serde names: "missing field `job`", "unknown field `jbo`, expected `job`".
fn named_field(why: &str) -> Option<String> {
    let rest = why.strip_prefix("missing field `").or_else(|| why.strip_prefix("unknown field `"))?;
    rest.split_once('`').map(|(name, _)| name.to_owned())
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}

impl BadCall {
    /// The reply that says so.
    #[must_use]
    pub fn to_message(&self) -> ReplyMessage {
        let (error, parameters) = match self {
            Self::Interface(name) => ("org.varlink.service.InterfaceNotFound", json!({ "interface": name })),
            Self::Method(name) => ("org.varlink.service.MethodNotFound", json!({ "method": name })),
            Self::Parameter(what) => ("org.varlink.service.InvalidParameter", json!({ "parameter": what })),
            Self::Meaning(failure) => return Reply::Refused(failure.clone()).to_message(false),
        };
        ReplyMessage { error: Some(error.to_owned()), parameters: object(parameters), continues: false }
    }
}

impl Reply {
    /// The reply as it stands on the wire.
    #[must_use]
    pub fn to_message(&self, continues: bool) -> ReplyMessage {
        let (error, parameters) = match self {
            Self::Hello(version) => (None, json!({ "version": version })),
            Self::Job(job) => (None, json!({ "job": job })),
            Self::Started(job) => (None, json!({ "job": job })),
            Self::Jobs(jobs) | Self::Listed { jobs, next: None } => (None, json!({ "jobs": jobs })),
            Self::Listed { jobs, next: Some(next) } => (None, json!({ "jobs": jobs, "next": next })),
            Self::Explanation { job, reasons } => (None, json!({ "job": job, "reasons": reasons })),
            Self::Status(status) => (None, json!({ "status": status })),
            Self::Workers(workers) => (None, json!({ "workers": workers })),
            Self::Top(top) => (None, json!({ "top": top })),
            Self::Dump(state) => (None, json!({ "state": state })),
            Self::Reloaded(reload) => (None, json!({ "reload": reload })),
            Self::Config(config) => (None, json!({ "config": config })),
            Self::Metrics(text) => (None, json!({ "text": text })),
            Self::Lock(reply) => (None, reply.to_value()),
            Self::Done => (None, json!({})),
            Self::Object(reply) => (None, json!(reply)),
            Self::Refused(failure) => (Some(failure.code.varlink_name()), json!(failure)),
        };
        ReplyMessage { error, parameters: object(parameters), continues }
    }
}

/// Reads one named part of a reply, for clients.
///
/// # Errors
/// The failure the supervisor reported, or one of our own when the reply is not what was asked for.
pub fn part<P: DeserializeOwned>(message: ReplyMessage, name: &str) -> Result<P, Failure> {
    let mut parameters = accepted(message)?;
    let value = parameters.remove(name).unwrap_or(Value::Null);
    serde_json::from_value(value).map_err(|why| {
        Failure::new(ErrorCode::Internal, format!("could not read the daemon's reply: {name}: {why}"))
    })
}

/// The parameters of a reply that is no error.
///
/// # Errors
/// The failure the supervisor reported.
pub fn accepted(message: ReplyMessage) -> Result<Map<String, Value>, Failure> {
    let Some(error) = message.error else { return Ok(message.parameters) };
    if ErrorCode::from_varlink_name(&error).is_some()
        && let Ok(failure) = serde_json::from_value::<Failure>(Value::Object(message.parameters.clone()))
    {
        return Err(failure);
    }
    let what = Value::Object(message.parameters);
    Err(Failure::new(ErrorCode::Internal, format!("could not understand the daemon: {error} {what}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_survives_the_wire() {
        let spec = JobRequest {
            reductions: vec!["sum".into()],
            sources: vec!["0..10".into()],
            ..JobRequest::default()
        };
        let requests = [
            Request::Hello(crate::version::CONTROL),
            Request::Submit(Box::new(spec.clone().check().unwrap())),
            Request::Start(Box::new(spec.check().unwrap())),
            Request::Next,
            Request::Jobs { all: true, after: None },
            Request::Jobs { all: false, after: Some(JobId(7)) },
            Request::Show(JobId(1)),
            Request::ShowHistory(JobId(1)),
            Request::Top(TopQuery { filter: "x".to_owned(), ..TopQuery::default() }),
            Request::Explain(JobId(1)),
            Request::Wait(vec![JobId(1), JobId(2)]),
            Request::Result(JobId(1)),
            Request::Follow(JobId(1)),
            Request::Cancel { jobs: vec![JobId(3)], all: false },
            Request::Pause(JobId(1)),
            Request::Resume(JobId(1)),
            Request::Retry(JobId(1)),
            Request::Status,
            Request::Workers,
            Request::Ping,
            Request::Drain,
            Request::Stop { now: true },
            Request::Upgrade { binary: Some("/usr/bin/tally".to_owned()) },
            Request::Upgrade { binary: None },
            Request::Dump,
            Request::Reprioritize { job: JobId(1), priority: -2 },
            Request::Reload,
            Request::Config,
            Request::Metrics,
            Request::Object(ObjectRequest::List),
            Request::Object(ObjectRequest::Transact(Vec::new())),
            Request::Object(ObjectRequest::Watch { object: "x".to_owned(), since: Some(3) }),
            Request::Object(ObjectRequest::Remove { object: "x".to_owned() }),
        ];
        for request in requests {
            let call = request.to_call(false);
            let name = call.method.strip_prefix("io.tally.").unwrap().to_owned();
            assert!(INTERFACE.contains(&format!("method {name}(")), "{name} is not in the description");
            assert_eq!(Request::from_call(call), Ok(request));
        }
    }

    #[test]
    fn every_field_of_a_job_is_described() {
        fn fields<T: serde::de::DeserializeOwned>() -> Vec<String> {
            // What knows no other fields names those that it knows.
            let Err(why) = serde_json::from_value::<T>(json!({ "no field of ours": 1 })) else {
                return Vec::new();
            };
            why.to_string().split('`').skip(3).step_by(2).map(str::to_owned).collect()
        }
        for (name, fields) in
            [("JobRequest", fields::<JobRequest>()), ("Command", fields::<crate::command::CommandRequest>())]
        {
            let described =
                INTERFACE.split_once(&format!("type {name} (")).and_then(|(_, rest)| rest.split_once("\n)"));
            let (described, _) = described.expect("the type is described");
            assert!(fields.len() > 10, "{fields:?}");
            for field in fields {
                assert!(
                    described.contains(&format!("\n  {field}: ")),
                    "{name} has {field}, which is not described"
                );
            }
        }
    }

    #[test]
    fn every_error_is_described() {
        for code in ErrorCode::ALL {
            assert!(INTERFACE.contains(&format!("error {code:?} (")), "{code:?}");
        }
    }

    #[test]
    fn bad_calls_name_what_is_bad() {
        let call = |method: &str, parameters: Value| {
            Request::from_call(Call {
                method: method.into(),
                parameters: object(parameters),
                ..Call::default()
            })
        };
        assert_eq!(call("org.example.X", json!({})), Err(BadCall::Interface("org.example".into())));
        assert_eq!(call("io.tally.Smu", json!({})), Err(BadCall::Method("io.tally.Smu".into())));
        let parameter = |name: &str| Err(BadCall::Parameter(name.to_owned()));
        assert_eq!(call("io.tally.Show", json!({"job": "x"})), parameter("job"));
        assert_eq!(call("io.tally.Show", json!({})), parameter("job"));
        assert_eq!(call("io.tally.Ping", json!({"x": 1})), parameter("x"));
        assert_eq!(call("io.tally.Top", json!({"filter": "x".repeat(1_000)})), parameter("filter"));
        let submit = json!({"request": {"reductions": ["sum"], "sources": ["0..x"]}});
        assert!(matches!(call("io.tally.Submit", submit), Err(BadCall::Meaning(_))));
    }

    #[test]
    fn refusals_read_back() {
        let failure = Failure::new(ErrorCode::NoSuchJob, "no job j9").hint("see 'tally jobs --all'");
        let message = Reply::Refused(failure.clone()).to_message(false);
        assert_eq!(accepted(message), Err(failure));
    }
}
