//! What supervisor and worker say to each other over a link.
//!
//! Encoded by `frame`; both ends are the same build. A worker answers leases in the order it got them.

use serde::{Deserialize, Serialize};

use crate::ids::{Attempt, JobId, PartitionId, SlotId, WorkerId};
use crate::job::KernelSpec;
use crate::limits::ERROR_TEXT_BYTES_MAX;
use crate::site::Site;

/// The right to one attempt at one partition, as both sides name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LeaseId {
    /// The job.
    pub job: JobId,
    /// The partition of that job.
    pub partition: PartitionId,
    /// Which try this is.
    pub attempt: Attempt,
}

/// From the supervisor to one worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToWorker {
    /// A job it will get leases of.
    Job {
        /// The job.
        job: JobId,
        /// What to fold.
        kernel: KernelSpec,
    },
    /// Fold `count` elements from `position` on.
    Lease {
        /// Names this attempt in every answer.
        lease: LeaseId,
        /// First position.
        position: u64,
        /// How many elements; at least 1.
        count: u64,
    },
    /// Stop folding it if it runs, forget it if it waits; answered by `Cancelled` unless already answered.
    Cancel {
        /// The attempt.
        lease: LeaseId,
    },
    /// No more leases of this job will come.
    Forget {
        /// The job.
        job: JobId,
    },
    /// Finish nothing, end with status 0.
    Quit,
}

/// From a worker to the supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromWorker {
    /// It is up; always its first word.
    Ready,
    /// It begins to fold this one. A death from here on is charged to it.
    Started {
        /// The attempt.
        lease: LeaseId,
    },
    /// It is alive and has folded this many elements of the partition.
    Progress {
        /// The attempt.
        lease: LeaseId,
        /// Elements folded so far.
        done: u64,
    },
    /// The partial answer.
    Partial {
        /// The attempt.
        lease: LeaseId,
        /// Elements folded: must be the lease's count.
        elements: u64,
        /// Time spent folding.
        busy_ns: u64,
        /// Canonical bytes of `tally_reduce::Tally`.
        state: Vec<u8>,
    },
    /// The kernel cannot answer; another try would fail the same way.
    Failed {
        /// The attempt.
        lease: LeaseId,
        /// Why.
        complaint: Box<Complaint>,
    },
    /// A command of the user's failed at this attempt. Another one may fare better, unless it cannot be run at all.
    Broke {
        /// The attempt.
        lease: LeaseId,
        /// How: "exited with status 3"; after "could not" where it is for good.
        why: String,
        /// The tail of its standard error; may be empty.
        stderr: String,
        /// What to do.
        hint: Option<String>,
        /// It would fail the same way for every partition.
        for_good: bool,
    },
    /// A command has said more lines than it was asked for, or did not end when it was asked nothing more: which of its lines
    /// are answers to what, nobody can know, and some may have been told as partials already. The job fails.
    Surplus {
        /// The job.
        job: JobId,
        /// How it is known; after "the command".
        why: String,
        /// The tail of its standard error; may be empty.
        stderr: String,
        /// What to do.
        hint: Option<String>,
    },
    /// A column that was read as integers has a number that is none: the whole job is to be folded with that column as
    /// floats, whoever meets it first.
    NotIntegers {
        /// The attempt.
        lease: LeaseId,
        /// The column's name.
        column: String,
    },
    /// Given up because it was told to.
    Cancelled {
        /// The attempt.
        lease: LeaseId,
    },
}

/// Why a kernel has no answer, in the words of its worker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Complaint {
    /// A fragment after "could not".
    pub why: String,
    /// Lines that show where in the words of the job.
    pub place: Option<String>,
    /// What to do.
    pub hint: Option<String>,
    /// It is in what the user typed, not in the data.
    pub usage: bool,
    /// Where in the data.
    pub site: Option<Site>,
}

impl Complaint {
    /// It says why and no more.
    #[must_use]
    pub fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), ..Self::default() }
    }
}

/// A text of a worker, within the limit.
#[must_use]
pub fn shortened(text: &str) -> &str {
    let mut end = text.len().min(ERROR_TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The first packet on a worker's lifeline: all a fresh process needs to become a worker. The descriptors of its
/// link travel beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// The supervisor's process: the worker ends when this is not its parent.
    pub supervisor: u32,
    /// The worker's name.
    pub worker: WorkerId,
    /// The slot it fills.
    pub slot: SlotId,
    /// Niceness it sets for itself.
    pub nice: i32,
    /// Address space it allows itself.
    pub memory_limit_bytes: Option<u64>,
    /// It runs a user's command, and ends what that leaves behind before it ends itself.
    pub warden: bool,
    /// The control group that is made for it and all that it starts, where there may be one.
    pub group: Option<String>,
    /// Whether it gives up all it does not need before its first lease.
    pub confine: bool,
    /// How its link is opened; only the transport can read it.
    pub link: Vec<u8>,
}
