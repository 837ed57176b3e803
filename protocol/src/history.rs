//! What happened to the partitions of a job, and when: enough for a picture, and bounded whatever its size.
//!
//! Neighbours on one slot are told as one when there are many. Wire types only.

use serde::{Deserialize, Serialize};

use crate::ids::SlotId;

/// The life of a job in bars and buckets. All times are milliseconds after its submission.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryView {
    /// When it began to be kept: later than 0 for a job that is older than its supervisor.
    pub from_ms: u64,
    /// Now, or the end of the job.
    pub to_ms: u64,
    /// Partitions that follow each other on one slot within so many milliseconds are one span.
    pub grain_ms: u64,
    /// What the slots did, by slot and time.
    pub spans: Vec<SpanView>,
    /// Spans that were left out, the oldest ones.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u64,
    /// Milliseconds of each bucket of `done`.
    pub bucket_ms: u64,
    /// Elements accepted in each bucket since `from_ms`, of files bytes.
    pub done: Vec<u64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// One or more partitions that one slot worked on without a break to speak of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpanView {
    /// The slot.
    pub slot: SlotId,
    /// The process.
    pub pid: u32,
    /// Its begin.
    pub from_ms: u64,
    /// Its end.
    pub to_ms: u64,
    /// How many partitions.
    pub partitions: u64,
    /// The highest attempt among them; more than 1 where something was tried again.
    pub attempt: u32,
    /// How it ended.
    pub how: SpanEnd,
}

/// How a span ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpanEnd {
    /// Its partials were accepted.
    Done,
    /// The kernel said that it has no answer.
    Failed,
    /// The worker was lost.
    Lost,
    /// It goes on.
    Running,
}
