//! What a live view asks for, again and again: one page of jobs in one order, the workers beside them, the whole.
//!
//! The supervisor sorts and leaves out, so that ten thousand jobs cost a view no more than those it shows. Wire types
//! only.

use serde::{Deserialize, Serialize};

use crate::ids::JobId;
use crate::job::JobState;
use crate::limits;
use crate::view::{StatusView, WorkerView};

/// The order of the jobs in a view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TopSort {
    /// What runs first, then what waits, then what has ended; each by id.
    #[default]
    State,
    /// By id, the oldest first.
    Job,
    /// The furthest first.
    Done,
    /// The fastest first.
    Rate,
    /// What ends soonest first; what has no estimate last.
    Eta,
    /// Most retries first.
    Retries,
    /// The highest priority first.
    Priority,
    /// The one that has most workers first.
    Workers,
    /// By user id.
    User,
    /// The longest lived first.
    Age,
}

impl TopSort {
    /// Every order, as they follow each other at a key.
    pub const ALL: [Self; 10] = [
        Self::State,
        Self::Job,
        Self::Done,
        Self::Rate,
        Self::Eta,
        Self::Retries,
        Self::Priority,
        Self::Workers,
        Self::User,
        Self::Age,
    ];

    /// Its word on the wire and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Job => "job",
            Self::Done => "done",
            Self::Rate => "rate",
            Self::Eta => "eta",
            Self::Retries => "retries",
            Self::Priority => "priority",
            Self::Workers => "workers",
            Self::User => "user",
            Self::Age => "age",
        }
    }
}

/// Which page of what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TopQuery {
    /// The order.
    pub sort: TopSort,
    /// The other way round.
    pub reverse: bool,
    /// Only jobs whose id, state or text has this in it; letters of either case are the same. Empty: all.
    pub filter: String,
    /// Ended ones, too.
    pub all: bool,
    /// Only the client's own.
    pub own: bool,
    /// Jobs left out before the first one.
    pub offset: u64,
    /// Jobs at the most, and no more than [`limits::TOP_JOBS_MAX`].
    pub limit: u64,
    /// Slots left out before the first one.
    pub workers_offset: u64,
    /// Slots at the most, and no more than [`limits::TOP_WORKERS_MAX`].
    pub workers_limit: u64,
}

impl Default for TopQuery {
    fn default() -> Self {
        Self {
            sort: TopSort::default(),
            reverse: false,
            filter: String::new(),
            all: false,
            own: false,
            offset: 0,
            limit: limits::TOP_JOBS_MAX as u64,
            workers_offset: 0,
            workers_limit: limits::TOP_WORKERS_MAX as u64,
        }
    }
}

/// The supervisor at one moment, as far as it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopView {
    /// When, in Unix milliseconds.
    pub at_ms: u64,
    /// The whole.
    pub status: StatusView,
    /// Elements a second of all jobs over ranges that have workers.
    pub rate_per_s: u64,
    /// Bytes a second of all jobs over files that have workers.
    pub byte_rate_per_s: u64,
    /// One page of the jobs that were asked for.
    pub jobs: Vec<TopJob>,
    /// How many jobs there are on all pages.
    pub matched: u64,
    /// Not all jobs were looked at, because there are too many; those with workers were.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut_off: bool,
    /// One page of the slots, with what their processes use.
    pub workers: Vec<WorkerView>,
}

/// A job in one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopJob {
    /// Its id.
    pub job: JobId,
    /// Where it is in its life.
    pub state: JobState,
    /// What was asked, as one would type it; a long one is cut and ends in dots.
    pub what: String,
    /// Whose it is: a user id.
    pub uid: u32,
    /// Elements in all, of files bytes; decimal text.
    pub all: String,
    /// Of these, how many are done.
    pub done: String,
    /// Whether these are bytes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bytes: bool,
    /// The same a second, lately; only while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_per_s: Option<u64>,
    /// Estimated milliseconds to the end; only while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta_ms: Option<u64>,
    /// Milliseconds from its submission to now, or to its end.
    pub elapsed_ms: u64,
    /// Workers that hold leases of it.
    pub workers: u64,
    /// Attempts that were lost and tried again.
    pub retries: u64,
    /// Higher goes first.
    pub priority: i32,
    /// Whether it goes on without its client.
    pub detached: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_asked_for_has_a_default() {
        let query: TopQuery = serde_json::from_str("{}").unwrap();
        assert_eq!(query, TopQuery::default());
        assert!(serde_json::from_str::<TopQuery>("{\"sort\":\"size\"}").is_err());
    }

    #[test]
    fn orders_have_the_names_of_the_wire() {
        for sort in TopSort::ALL {
            assert_eq!(serde_json::to_value(sort).unwrap(), sort.name());
        }
    }
}
