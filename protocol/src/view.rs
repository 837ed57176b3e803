//! What the supervisor shows of itself: jobs, workers, status. Wire types only; nothing is decided from them.
//!
//! Rules of the contract: fields are only ever added; answers and counts that can exceed 2^53 are decimal text;
//! units are in the names; what is unknown is absent.

use serde::{Deserialize, Serialize};

use crate::error::Failure;
use crate::history::HistoryView;
use crate::ids::{JobId, SlotId};
use crate::job::{JobState, StartMethod, Transport};

/// A job, at any time of its life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobView {
    /// Its id.
    pub job: JobId,
    /// Where it is in its life.
    pub state: JobState,
    /// The reductions asked, by name.
    pub reductions: Vec<String>,
    /// The sources as typed.
    pub sources: Vec<String>,
    /// Step of the ranges, where one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// What is folded of each element, where that was said; perhaps cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// Which elements, where that was said; perhaps cut.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// The columns that group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<String>,
    /// The answers; empty until it is done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<ResultView>,
    /// The answers of each group, by key, where the job was asked to group and is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<GroupView>>,
    /// Why it has no answer, once it ended without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// Elements in all, decimal text; of files those folded so far, as nobody knows how many they have.
    pub elements: String,
    /// Elements whose partials have been accepted, decimal text.
    pub elements_done: String,
    /// Elements left out: bad rows, and NaN that were to be skipped; decimal text, absent when there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// Values made a NaN: bad cells, and elements without an answer; decimal text, absent when there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_nan: Option<String>,
    /// Bytes of its files in all, decimal text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<String>,
    /// Bytes of its files that have been folded, decimal text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_done: Option<String>,
    /// Milliseconds from its submission to now, or to its end.
    pub elapsed_ms: u64,
    /// When it was submitted, Unix milliseconds.
    pub submitted_at_ms: u64,
    /// When it ended, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at_ms: Option<u64>,
    /// Elements a second, of files bytes a second, lately; only while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_per_s: Option<u64>,
    /// Estimated milliseconds to the end; only while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta_ms: Option<u64>,
    /// How its partitions stand.
    pub partitions: PartitionCounts,
    /// What each worker did for it.
    pub workers: Vec<WorkerShare>,
    /// Attempts that were lost and tried again.
    pub retries: u64,
    /// Partials that came after their lease was over, and were dropped.
    pub late: u64,
    /// Higher goes first.
    pub priority: i32,
    /// Whether it goes on without its client.
    pub detached: bool,
    /// The link of its workers: what they used, once they have, else what was asked for.
    pub transport: Transport,
    /// How its workers are started.
    pub start: StartMethod,
    /// Where the work is done: `processes`, `threads` or `inline`.
    pub mode: String,
    /// Deaths and failures on the way, oldest first; at most the last 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incidents: Vec<Incident>,
    /// Whose it is: a user id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// False when the store has refused its newest state, so that a crash would take that back; absent when all is well,
    /// and for a job that is not recorded at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<bool>,
    /// What is odd about it without being wrong: that its workers have had several kinds of links.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What happened to its partitions and when, where that was asked for and is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<Box<HistoryView>>,
    /// The command that answers for its partitions, perhaps cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// The answers of one group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupView {
    /// Its key, a text for each column that groups.
    pub key: Vec<String>,
    /// Its answers, in the order asked.
    pub results: Vec<ResultView>,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultView {
    /// The reduction's name.
    pub reduction: String,
    /// `integer`, `float` or `decimal`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Exact decimal text; floats as the shortest text that reads back to the same bits.
    pub value: String,
    /// Of `min` and `max` of ranges: the first element that has it, decimal text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<Box<str>>,
    /// Of `min` and `max` of arrays: the file that has it first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<Box<str>>,
    /// And its first row there, decimal text; the first of a file is 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<Box<str>>,
    /// The same in positions, as partials have it; see [`Source::locate`](crate::source::Source::locate).
    #[serde(skip)]
    pub place: Option<u64>,
}

impl ResultView {
    /// An answer of which nobody knows where it stands.
    #[must_use]
    pub fn new(reduction: &str, kind: &str, value: String) -> Self {
        let (reduction, kind) = (reduction.to_owned(), kind.to_owned());
        Self { reduction, kind, value, index: None, file: None, row: None, place: None }
    }
}

/// Partitions by state. With sizes chosen as measured, those not cut yet are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionCounts {
    /// Accepted.
    pub done: u64,
    /// Leased to a worker now.
    pub leased: u64,
    /// Waiting for a worker: to be tried again.
    pub queued: u64,
    /// How many there will be in all, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

/// What one worker did for one job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerShare {
    /// Its slot.
    pub slot: SlotId,
    /// Its process.
    pub pid: u32,
    /// Partitions accepted from it.
    pub partitions: u64,
    /// Elements accepted from it, decimal text.
    pub elements: String,
    /// Milliseconds it spent folding them.
    pub busy_ms: u64,
    /// Ranges accepted from it, where the breakdown was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranges: Vec<String>,
    /// Answers of its part alone, where the breakdown was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub results: Vec<ResultView>,
}

/// A worker lost, or a partition failed, while it worked for a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Milliseconds after the job's submission.
    pub after_ms: u64,
    /// The slot.
    pub slot: SlotId,
    /// The process.
    pub pid: u32,
    /// The range it was folding, as a user would write it; absent when it was between two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<String>,
    /// Which attempt that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// What happened: "killed by SIGKILL".
    pub what: String,
    /// Tail of its standard error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr: Option<String>,
}

/// One place for a worker, and who is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerView {
    /// The slot.
    pub slot: SlotId,
    /// `empty`, `starting`, `idle`, `busy`, `stopping` or `backing-off`.
    pub state: String,
    /// The process, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The job it works for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// What it folds now, as a user would write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<String>,
    /// Leases it holds, those ahead included.
    pub leases: u64,
    /// Partitions accepted from it since it started.
    pub partitions: u64,
    /// Workers this slot has lost.
    pub restarts: u64,
    /// Milliseconds until the next start, while backing off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff_ms: Option<u64>,
    /// Its link.
    pub transport: Transport,
    /// How it was started.
    pub start: StartMethod,
    /// What confines its process: of `seccomp`, `landlock` and `rlimits` those in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confined: Option<Vec<String>>,
    /// Milliseconds of processor time that its process and the children it waited for have used, all below it included
    /// where it runs a command; in a live view only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_ms: Option<u64>,
    /// Milliseconds since its process started; in a live view only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<u64>,
    /// Bytes of memory that its process holds in RAM, all below it included where it runs a command; in a live view only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rss_bytes: Option<u64>,
}

/// The supervisor as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusView {
    /// Version of the program.
    pub version: String,
    /// The supervisor's process.
    pub pid: u32,
    /// `running`, `draining` or `stopping`.
    pub phase: String,
    /// Milliseconds since it started.
    pub uptime_ms: u64,
    /// The control socket, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<String>,
    /// Slots in all.
    pub slots: u64,
    /// Workers that are ready.
    pub workers: u64,
    /// Jobs waiting.
    pub queued: u64,
    /// Jobs running.
    pub running: u64,
    /// Jobs paused.
    pub paused: u64,
    /// Jobs ended since the start.
    pub ended: u64,
    /// Clients connected.
    pub clients: u64,
    /// Workers lost since the start.
    pub restarts: u64,
    /// Partials that came too late and were dropped.
    pub late: u64,
    /// Whether detached jobs are recorded and survive the daemon.
    #[serde(default)]
    pub durable: bool,
    /// Jobs whose newest state the store has refused; it is offered again.
    #[serde(default)]
    pub unrecorded: u64,
    /// Why the store refused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_error: Option<String>,
    /// Workers that fold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busy: Option<u64>,
    /// Workers that are being started, or will be after a delay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarting: Option<u64>,
    /// Where jobs are kept, where they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreView>,
    /// Ended jobs that are remembered, those of earlier daemons too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remembered: Option<u64>,
    /// How commands of users are held together and limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commands: Option<String>,
    /// What is bounded, and how much of it is used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<LimitView>,
    /// Hosted objects, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects: Option<HostedView>,
}

/// Hosted objects, all together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostedView {
    /// How many there are.
    pub objects: u64,
    /// Bytes that they are counted with.
    pub bytes: u64,
    /// Clients that wait for one.
    pub waiting: u64,
}

/// Where jobs are kept over the daemon's end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreView {
    /// Its file.
    pub path: String,
    /// Bytes of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Records in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Its last failure, if it had one within a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<String>,
    /// When that was, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure_at_ms: Option<u64>,
    /// How long ago that was, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure_ago_ms: Option<u64>,
}

/// One bounded thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitView {
    /// `descriptors`, `clients`, `open-jobs` or `worker-memory-bytes`; `user-open-jobs` and `user-memory-bytes` are those
    /// of the user who has most.
    pub name: String,
    /// How much is used.
    pub used: u64,
    /// How much there may be.
    pub most: u64,
    /// At least four fifths are used.
    pub near: bool,
}

impl LimitView {
    /// One of them.
    #[must_use]
    pub fn new(name: &str, used: u64, most: u64) -> Self {
        let near = u128::from(used) * 5 >= u128::from(most) * 4;
        Self { name: name.to_owned(), used, most, near }
    }
}
