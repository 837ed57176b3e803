//! What survives the daemon: records of jobs, and the rows that a store keeps of them.
//!
//! A row is a table, a key and bytes: a version, a checksum, then JSON, and behind it the partial where there is one.
//! A row that cannot be read is named and left where it is; it never stops the others, and never becomes another job.
//! Nothing read here can panic: files get cut, flipped and exchanged.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tally_reduce::Tally;

use crate::command::RunAs;
use crate::error::Failure;
use crate::ids::{JobId, SlotId, WorkerId};
use crate::job::{JobRequest, JobSpec, JobState, KernelSpec};
use crate::limits;
use crate::objects::SavedObject;
use crate::objects::read_objects;
use crate::source::FileSource;
use crate::view::JobView;

/// Version of every row; a row of another one is not read.
const VERSION: u8 = 1;
/// Bytes before the JSON of a row: the version and the checksum of what follows.
const HEAD: usize = 5;
/// The key of the one row of `Meta`: job ids below its value may have been given out.
const IDS: u64 = 0;
/// The key of the row of `Meta` that has the first fencing number that can't have been given out.
const FENCES: u64 = 1;

/// The tables of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// What belongs to no job.
    Meta,
    /// By job: what was asked. Written once.
    Jobs,
    /// By job: what is done of it so far.
    Progress,
    /// By job: how it ended.
    Outcomes,
    /// Persistent objects and what is in them.
    Objects,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Meta, Self::Jobs, Self::Progress, Self::Outcomes, Self::Objects];

    /// Its name in a store.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Jobs => "jobs",
            Self::Progress => "progress",
            Self::Outcomes => "outcomes",
            Self::Objects => "objects",
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One change of a store. Those of one list are made together or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The row is this from now on.
    Put(Table, u64, Vec<u8>),
    /// There is no such row from now on.
    Delete(Table, u64),
}

/// Something that must be known after a crash.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// Job ids below this one may have been given out.
    Reserved {
        /// The first id that has not.
        to: u64,
    },
    /// Fencing numbers of locks below this one may have been given out.
    Fenced {
        /// The first number that has not.
        to: u64,
    },
    /// A job was taken in.
    Submitted(Box<Submission>),
    /// What is done of an open job, or of one that ended without an answer.
    Progress(Box<Progress>),
    /// A job ended. Its view is all that will be shown of it.
    Ended(Box<JobView>),
    /// An ended job goes on.
    Reopened {
        /// Which.
        job: JobId,
    },
    /// Nothing is known of a job any more.
    Forgotten {
        /// Which.
        job: JobId,
    },
}

/// A job as it was taken in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// Its id.
    pub job: JobId,
    /// Whose it is.
    pub uid: u32,
    /// When, in Unix milliseconds.
    pub submitted_at_ms: u64,
    /// What was asked.
    pub request: JobRequest,
    /// Its files, in the order of its sources.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileSource>,
    /// As whom its command runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_as: Option<RunAs>,
    /// It has ended, and the environment of its command was let go.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lightened: bool,
}

/// How far a job has come. The partial is that of exactly the covered positions.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Whose progress.
    pub job: JobId,
    /// No new leases until it is resumed.
    pub paused: bool,
    /// When it is given up, in Unix milliseconds.
    pub deadline_at_ms: Option<u64>,
    /// Its priority, where that is no longer the one it was submitted with.
    pub priority: Option<i32>,
    /// Partitions accepted.
    pub partitions: u64,
    /// Attempts lost and tried again.
    pub retries: u64,
    /// Partials that came too late.
    pub late: u64,
    /// Covered positions as (first, count), ascending, none touching the next.
    pub covered: Vec<(u64, u64)>,
    /// What each worker has done.
    pub shares: Vec<SavedShare>,
    /// The partial of what is covered.
    pub partial: Tally,
}

/// What one worker did for a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedShare {
    /// Its slot.
    pub slot: SlotId,
    /// Its name in its daemon's life.
    pub worker: WorkerId,
    /// Its process.
    pub pid: u32,
    /// Partitions accepted from it.
    pub partitions: u64,
    /// Elements accepted from it.
    pub elements: u64,
    /// Time it spent folding them.
    pub busy_ns: u64,
}

#[derive(Serialize, Deserialize)]
struct Ids {
    to: u64,
}

/// The JSON of a progress row; the bytes of the partial follow it.
#[derive(Serialize, Deserialize)]
struct ProgressHead {
    #[serde(default)]
    paused: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deadline_at_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    priority: Option<i32>,
    partitions: u64,
    retries: u64,
    late: u64,
    covered: Vec<(u64, u64)>,
    shares: Vec<SavedShare>,
}

impl Record {
    /// The changes that write it down.
    #[must_use]
    pub fn changes(&self) -> Vec<Change> {
        match self {
            Self::Reserved { to } => vec![Change::Put(Table::Meta, IDS, row(&Ids { to: *to }, &[]))],
            Self::Fenced { to } => vec![Change::Put(Table::Meta, FENCES, row(&Ids { to: *to }, &[]))],
            Self::Submitted(submission) => {
                vec![Change::Put(Table::Jobs, submission.job.0, row(submission, &[]))]
            }
            Self::Progress(progress) => {
                vec![Change::Put(Table::Progress, progress.job.0, progress.to_row())]
            }
            Self::Ended(view) => {
                let mut changes = vec![Change::Put(Table::Outcomes, view.job.0, row(view, &[]))];
                // Nobody will go on from there.
                if view.state == JobState::Done {
                    changes.push(Change::Delete(Table::Progress, view.job.0));
                }
                changes
            }
            Self::Reopened { job } => vec![Change::Delete(Table::Outcomes, job.0)],
            Self::Forgotten { job } => [Table::Jobs, Table::Progress, Table::Outcomes]
                .map(|table| Change::Delete(table, job.0))
                .into(),
        }
    }
}

impl Progress {
    fn to_row(&self) -> Vec<u8> {
        let head = ProgressHead {
            paused: self.paused,
            deadline_at_ms: self.deadline_at_ms,
            priority: self.priority,
            partitions: self.partitions,
            retries: self.retries,
            late: self.late,
            covered: self.covered.clone(),
            shares: self.shares.clone(),
        };
        row(&head, &self.partial.to_bytes())
    }

    fn from_row(job: JobId, bytes: &[u8]) -> Result<Self, String> {
        let (head, rest): (ProgressHead, &[u8]) = read_row(bytes)?;
        let partial =
            Tally::from_bytes(rest, limits::GROUPS_BYTES_MAX).map_err(|why| format!("its partial: {why}"))?;
        Ok(Self {
            job,
            paused: head.paused,
            deadline_at_ms: head.deadline_at_ms,
            priority: head.priority,
            partitions: head.partitions,
            retries: head.retries,
            late: head.late,
            covered: head.covered,
            shares: head.shares,
            partial,
        })
    }

    /// What is wrong with it, if it is not that of this job.
    fn fault(&self, spec: &JobSpec) -> Option<&'static str> {
        let mut covered = 0_u64;
        let mut free_from = 0_u64;
        for &(first, count) in &self.covered {
            let end = first.checked_add(count).filter(|&end| count > 0 && end <= spec.elements);
            let Some(end) = end.filter(|_| first >= free_from) else { return Some("its ranges cannot be") };
            covered += count;
            free_from = end;
        }
        if !self.partial.is_of(spec.kernel.shape(), &spec.kernel.reductions) {
            return Some("its partial is of other reductions");
        }
        (spec.kernel.counts_positions() && self.partial.elements() != covered)
            .then_some("its partial is not that of its ranges")
    }
}

/// A row: version, checksum, length of the JSON, JSON, rest.
pub(crate) fn row<T: Serialize>(head: &T, rest: &[u8]) -> Vec<u8> {
    // These types have names for keys and nothing that refuses: they cannot fail to be written.
    let json = serde_json::to_vec(head).unwrap_or_default();
    let mut bytes = Vec::with_capacity(HEAD + 4 + json.len() + rest.len());
    bytes.push(VERSION);
    bytes.extend([0; 4]);
    bytes.extend(u32::try_from(json.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend(json);
    bytes.extend(rest);
    let sum = crc32fast::hash(&bytes[HEAD..]);
    bytes[1..HEAD].copy_from_slice(&sum.to_le_bytes());
    bytes
}

pub(crate) fn read_row<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, &[u8]), String> {
    if bytes.len() > limits::ROW_BYTES_MAX {
        return Err(format!("it has more than {} bytes", limits::ROW_BYTES_MAX));
    }
    let (head, body) = bytes.split_at_checked(HEAD).ok_or("it is cut off")?;
    if head[0] != VERSION {
        return Err(format!("it is of version {}, this program reads version {VERSION}", head[0]));
    }
    if crc32fast::hash(body).to_le_bytes() != head[1..] {
        return Err("its checksum is wrong".to_owned());
    }
    let (length, rest) = body.split_first_chunk::<4>().ok_or("it is cut off")?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| "it is cut off")?;
    let (json, rest) = rest.split_at_checked(length).ok_or("it is cut off")?;
    let head = serde_json::from_slice(json).map_err(|why| why.to_string())?;
    Ok((head, rest))
}

/// A job as the store has it.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedJob {
    /// Its id.
    pub job: JobId,
    /// Whose it is.
    pub uid: u32,
    /// When it was taken in, in Unix milliseconds.
    pub submitted_at_ms: u64,
    /// What it means; of nothing, where that can't be found out any more.
    pub spec: JobSpec,
    /// Why it can't go on: its request means nothing to this program, or its outcome can't be read.
    pub broken: Option<Failure>,
    /// How far it had come.
    pub progress: Option<Box<Progress>>,
    /// How it ended.
    pub ended: Option<Box<JobView>>,
    /// The environment of its command was let go.
    pub lightened: bool,
}

/// All that the store has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Saved {
    /// The first id that has never been given out.
    pub next_job: u64,
    /// The first fencing number that has never been given out.
    pub next_fence: u64,
    /// In the order of their ids.
    pub jobs: Vec<SavedJob>,
    /// In the order of their numbers.
    pub objects: Vec<SavedObject>,
    /// The last number of a row of theirs, readable or not.
    pub last_object_row: u64,
    /// Rows that could not be read, by table and key, and why. They are still in the store.
    pub problems: Vec<String>,
}

#[derive(Default)]
struct Rows {
    submission: Option<Vec<u8>>,
    progress: Option<Vec<u8>>,
    outcome: Option<Vec<u8>>,
}

impl Saved {
    /// Reads all rows of a store, in any order.
    #[must_use]
    pub fn read(rows: impl IntoIterator<Item = (Table, u64, Vec<u8>)>) -> Self {
        let mut saved = Self { next_job: 1, ..Self::default() };
        let mut jobs: BTreeMap<u64, Rows> = BTreeMap::new();
        let mut objects = BTreeMap::new();
        for (table, key, bytes) in rows {
            match table {
                Table::Meta => saved.read_meta(key, &bytes),
                Table::Jobs => jobs.entry(key).or_default().submission = Some(bytes),
                Table::Progress => jobs.entry(key).or_default().progress = Some(bytes),
                Table::Outcomes => jobs.entry(key).or_default().outcome = Some(bytes),
                Table::Objects => drop(objects.insert(key, bytes)),
            }
        }
        for (key, rows) in jobs {
            saved.next_job = saved.next_job.max(key.saturating_add(1));
            saved.read_job(JobId(key), &rows);
        }
        saved.last_object_row = objects.keys().next_back().copied().unwrap_or(0);
        saved.objects =
            read_objects(objects, |key, why| saved.problems.push(unreadable(Table::Objects, key, why)));
        saved
    }

    fn problem(&mut self, table: Table, key: u64, why: &str) {
        self.problems.push(unreadable(table, key, why));
    }

    fn read_meta(&mut self, key: u64, bytes: &[u8]) {
        let next = match key {
            IDS => &mut self.next_job,
            FENCES => &mut self.next_fence,
            _ => return self.problem(Table::Meta, key, "nothing is known of it"),
        };
        match read_row::<Ids>(bytes) {
            Ok((ids, _)) => *next = ids.to.max(*next),
            Err(why) => self.problem(Table::Meta, key, &why),
        }
    }

    fn read_job(&mut self, job: JobId, rows: &Rows) {
        let Some(submission) = &rows.submission else {
            for (table, row) in [(Table::Progress, &rows.progress), (Table::Outcomes, &rows.outcome)] {
                if row.is_some() {
                    self.problem(table, job.0, "there is no such job");
                }
            }
            return;
        };
        let submission = match read_row::<Submission>(submission) {
            Ok((submission, _)) if submission.job == job => submission,
            Ok((submission, _)) => {
                return self.problem(Table::Jobs, job.0, &format!("it is that of {}", submission.job));
            }
            Err(why) => return self.problem(Table::Jobs, job.0, &why),
        };
        let Submission { uid, submitted_at_ms, request, files, run_as, lightened, .. } = submission;
        let (mut spec, mut broken) = match request.clone().check_with(0, files) {
            Ok(spec) => (spec, None),
            Err(why) => (of_nothing(request), Some(why)),
        };
        if let Some(command) = &mut spec.kernel.command {
            command.run_as = run_as;
        }
        let ended = match rows.outcome.as_deref().map(read_row::<Box<JobView>>) {
            None => None,
            Some(Ok((view, _))) if view.job == job && view.state.is_over() => Some(view),
            Some(Ok((view, _))) => {
                let why = format!("it is that of {}, {}", view.job, view.state);
                broken = Some(self.lost_outcome(job, &why));
                None
            }
            Some(Err(why)) => {
                broken = Some(self.lost_outcome(job, &why));
                None
            }
        };
        let progress = rows.progress.as_deref().and_then(|row| self.read_progress(job, row, &spec));
        self.jobs.push(SavedJob { job, uid, submitted_at_ms, spec, broken, progress, ended, lightened });
    }

    fn lost_outcome(&mut self, job: JobId, why: &str) -> Failure {
        self.problem(Table::Outcomes, job.0, why);
        Failure::new(crate::error::ErrorCode::StoreFailed, format!("could not read how {job} ended: {why}"))
    }

    /// Without it the job starts anew, which costs time and nothing else.
    fn read_progress(&mut self, job: JobId, row: &[u8], spec: &JobSpec) -> Option<Box<Progress>> {
        let read = Progress::from_row(job, row).and_then(|progress| match progress.fault(spec) {
            Some(why) => Err(why.to_owned()),
            None => Ok(Box::new(progress)),
        });
        read.map_err(|why| self.problem(Table::Progress, job.0, &why)).ok()
    }
}

fn unreadable(table: Table, key: u64, why: &str) -> String {
    format!("could not read row {key} of {table}: {why}")
}

fn of_nothing(request: JobRequest) -> JobSpec {
    JobSpec { kernel: KernelSpec::of_ranges(Vec::new(), Vec::new()), elements: 0, request }
}

#[cfg(test)]
mod tests {
    use tally_reduce::{Integer, Partial, Reduction};

    use super::*;
    use crate::error::ErrorCode;

    fn submission(job: u64, source: &str) -> Record {
        let request = JobRequest {
            reductions: vec!["sum".into()],
            sources: vec![source.into()],
            detach: true,
            ..JobRequest::default()
        };
        Record::Submitted(Box::new(Submission {
            job: JobId(job),
            uid: 7,
            submitted_at_ms: 5,
            request,
            files: Vec::new(),
            run_as: None,
            lightened: false,
        }))
    }

    fn progress(job: u64, covered: &[(u64, u64)]) -> Progress {
        let mut partial = Partial::identity(&[Reduction::Sum]);
        for &(first, count) in covered {
            assert!(
                partial.absorb_progression(&Integer::from(first), &Integer::from(1), count, &mut |_| true)
            );
        }
        Progress {
            job: JobId(job),
            paused: true,
            deadline_at_ms: Some(99),
            priority: Some(-3),
            partitions: 2,
            retries: 1,
            late: 4,
            covered: covered.to_vec(),
            shares: vec![SavedShare {
                slot: SlotId(1),
                worker: WorkerId(8),
                pid: 9,
                partitions: 2,
                elements: 5,
                busy_ns: 77,
            }],
            partial: partial.into(),
        }
    }

    fn view(job: u64, state: &str) -> Box<JobView> {
        let json = serde_json::json!({
            "job": format!("j{job}"), "state": state, "reductions": ["sum"], "sources": ["0..10"],
            "elements": "10", "elements_done": "10", "elapsed_ms": 3, "submitted_at_ms": 5,
            "partitions": {"done": 1, "leased": 0, "queued": 0}, "workers": [], "retries": 0, "late": 0,
            "priority": 0, "detached": true, "transport": "shm", "start": "spawn", "mode": "processes"
        });
        serde_json::from_value(json).unwrap()
    }

    /// A store in memory.
    fn kept(records: &[Record]) -> Vec<(Table, u64, Vec<u8>)> {
        let mut rows = BTreeMap::new();
        for change in records.iter().flat_map(Record::changes) {
            match change {
                Change::Put(table, key, bytes) => {
                    rows.insert((table, key), bytes);
                }
                Change::Delete(table, key) => {
                    rows.remove(&(table, key));
                }
            }
        }
        rows.into_iter().map(|((table, key), bytes)| (table, key, bytes)).collect()
    }

    #[test]
    fn what_is_recorded_is_read_again() {
        let half = progress(3, &[(0, 3), (5, 2)]);
        let rows = kept(&[
            Record::Reserved { to: 100 },
            submission(3, "0..10"),
            submission(4, "0..10"),
            Record::Progress(Box::new(half.clone())),
            Record::Ended(view(4, "failed")),
        ]);
        let saved = Saved::read(rows);
        assert_eq!(saved.problems, Vec::<String>::new());
        assert_eq!(saved.next_job, 100);
        assert_eq!(saved.jobs.len(), 2);
        assert_eq!(saved.jobs[0].progress.as_deref(), Some(&half));
        assert_eq!(saved.jobs[0].uid, 7);
        assert_eq!(saved.jobs[0].spec.elements, 10);
        assert_eq!(saved.jobs[1].ended, Some(view(4, "failed")));
    }

    #[test]
    fn later_records_take_back_earlier_ones() {
        let whole = Record::Progress(Box::new(progress(3, &[(0, 10)])));
        let end = Record::Ended(view(3, "done"));
        let rows = kept(&[submission(3, "0..10"), whole.clone(), end.clone()]);
        assert!(!rows.iter().any(|(table, ..)| *table == Table::Progress), "nobody goes on from it");
        let failed = Record::Ended(view(3, "failed"));
        let again = Record::Reopened { job: JobId(3) };
        let saved = Saved::read(kept(&[submission(3, "0..10"), whole.clone(), failed, again]));
        assert!(saved.jobs[0].ended.is_none() && saved.jobs[0].progress.is_some());
        let rows = kept(&[submission(3, "0..10"), whole, end, Record::Forgotten { job: JobId(3) }]);
        assert_eq!(rows, []);
    }

    #[test]
    fn an_id_of_any_row_is_given_out() {
        assert_eq!(Saved::read(kept(&[Record::Reserved { to: 5 }, submission(9, "0..10")])).next_job, 10);
        assert_eq!(Saved::read([]).next_job, 1);
        assert_eq!(Saved::read([(Table::Progress, u64::MAX, vec![1])]).next_job, u64::MAX);
    }

    #[test]
    fn a_bad_row_is_named_and_stops_nothing() {
        let good = || {
            kept(&[
                Record::Reserved { to: 9 },
                submission(3, "0..10"),
                Record::Progress(Box::new(progress(3, &[(0, 3)]))),
                submission(4, "0..10"),
                Record::Ended(view(4, "done")),
            ])
        };
        let names =
            ["row 0 of meta", "row 3 of jobs", "row 4 of jobs", "row 3 of progress", "row 4 of outcomes"];
        for (at, name) in names.into_iter().enumerate() {
            let length = good()[at].2.len();
            for flip in 0..length {
                let mut rows = good();
                rows[at].2[flip] ^= 0x20;
                let saved = Saved::read(rows);
                assert!(saved.problems[0].contains(name), "{flip}: {:?}", saved.problems);
            }
            for cut in 0..length {
                let mut rows = good();
                rows[at].2.truncate(cut);
                assert!(Saved::read(rows).problems[0].contains(name), "{cut}");
            }
        }
        let mut rows = good();
        rows.remove(4);
        rows.push((Table::Outcomes, 4, b"?".to_vec()));
        let saved = Saved::read(rows);
        assert_eq!(saved.jobs.len(), 2);
        assert_eq!(saved.jobs[1].broken.as_ref().map(|why| why.code), Some(ErrorCode::StoreFailed));
    }

    #[test]
    fn a_partial_that_is_not_that_of_its_ranges_does_not_count() {
        for covered in
            [&[(0, 2)][..], &[(0, 3), (2, 2)], &[(5, 2), (0, 3)], &[(0, 11)], &[(u64::MAX, 5)], &[(0, 0)]]
        {
            let mut progress = progress(3, &[(0, 3), (5, 2)]);
            progress.covered = covered.to_vec();
            let saved = Saved::read(kept(&[submission(3, "0..10"), Record::Progress(Box::new(progress))]));
            assert_eq!(saved.problems.len(), 1, "{covered:?}");
            assert!(saved.jobs[0].progress.is_none());
        }
    }

    #[test]
    fn a_request_that_means_nothing_any_more_is_kept_with_the_reason() {
        let saved = Saved::read(kept(&[submission(3, "somewhere.csv")]));
        assert_eq!(saved.problems, Vec::<String>::new());
        let why = saved.jobs[0].broken.clone().unwrap();
        assert!(why.message.contains("somewhere.csv"), "{why}");
        assert_eq!(saved.jobs[0].spec.elements, 0);
    }

    #[test]
    fn rows_in_each_other_s_place_are_refused() {
        let mut rows =
            kept(&[submission(3, "0..10"), submission(4, "0..10"), Record::Ended(view(4, "done"))]);
        rows[0].1 = 5;
        rows[2].1 = 5;
        let saved = Saved::read(rows);
        assert_eq!(saved.jobs.len(), 1);
        assert_eq!(saved.problems, ["could not read row 5 of jobs: it is that of j3"]);
    }
}
