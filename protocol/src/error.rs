//! The closed list of error codes, with the exit code each ends the command line with.
//!
//! Messages are lowercase fragments that fit after "tally: "; a hint is a whole sentence without a full stop.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::locks::view::DeadlockView;
use crate::site::{self, Site};

/// What went wrong, as a word that programs can rely on. The list only ever grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
    /// A range killed its workers as often as the job allows.
    WorkerKilled,
    /// The kernel reported an error of its own.
    KernelFailed,
    /// The data has no answer: a cell that is no number, a broken file, a division by zero at an element.
    BadData,
    /// There is no answer: the mean of nothing, the variance of one element.
    NoAnswer,
    /// Workers could not be started.
    NoWorkers,
    /// The supervisor ended before the job did.
    SupervisorGone,
    /// Something inside went wrong that should not have; a defect of tally.
    Internal,
    /// A bad option, source or setting.
    BadUsage,
    /// Nobody listens at the control socket.
    NoDaemon,
    /// The client and the daemon share no version of the protocol.
    VersionMismatch,
    /// Cancelled by a client, or its client went away.
    Cancelled,
    /// The job's deadline passed.
    TimedOut,
    /// The client may not do this.
    NotPermitted,
    /// There is no such job.
    NoSuchJob,
    /// The job has not ended yet, so it has no result.
    NotEnded,
    /// The job's state does not allow this.
    WrongState,
    /// A limit is reached: clients, open jobs.
    TooMany,
    /// The daemon is stopping: it takes no new jobs, and what it has not recorded ends with it.
    Stopping,
    /// It could not be written down: the store failed, or is full.
    StoreFailed,
    /// Somebody else has it, and the client did not want to wait.
    Busy,
    /// To wait would have closed a cycle of waits.
    Deadlock,
    /// Interrupted from the keyboard.
    Interrupted,
    /// There is no such object, or no such key or element in it.
    NoSuchObject,
    /// The queue is closed: nothing is put into it, and what was in it has been taken.
    Closed,
    /// It is not what it was said to be: a version, an old value.
    Conflict,
    /// The barrier is broken: a party died, or did not wait long enough.
    BarrierBroken,
    /// The system refused something: a file, a socket, a process.
    System,
}

/// How the message of a job ends that was cancelled only because its daemon ends.
pub const STOPPING: &str = "the daemon is stopping";

impl ErrorCode {
    /// Every code, in the order of the list.
    pub const ALL: [Self; 27] = [
        Self::WorkerKilled,
        Self::KernelFailed,
        Self::BadData,
        Self::NoAnswer,
        Self::NoWorkers,
        Self::SupervisorGone,
        Self::Internal,
        Self::BadUsage,
        Self::NoDaemon,
        Self::VersionMismatch,
        Self::Cancelled,
        Self::TimedOut,
        Self::NotPermitted,
        Self::NoSuchJob,
        Self::NotEnded,
        Self::WrongState,
        Self::TooMany,
        Self::Stopping,
        Self::StoreFailed,
        Self::Busy,
        Self::Deadlock,
        Self::Interrupted,
        Self::NoSuchObject,
        Self::Closed,
        Self::Conflict,
        Self::BarrierBroken,
        Self::System,
    ];

    /// The exit code of the contract.
    #[must_use]
    pub fn exit(self) -> u8 {
        match self {
            Self::WorkerKilled
            | Self::KernelFailed
            | Self::BadData
            | Self::NoAnswer
            | Self::NoWorkers
            | Self::SupervisorGone
            | Self::Internal
            | Self::NotEnded
            | Self::WrongState
            | Self::TooMany
            | Self::Stopping
            | Self::StoreFailed
            | Self::VersionMismatch
            | Self::Conflict
            | Self::BarrierBroken
            | Self::System => 1,
            Self::BadUsage => 2,
            Self::NoDaemon => 3,
            Self::Cancelled => 4,
            Self::TimedOut => 5,
            Self::NotPermitted => 6,
            Self::NoSuchJob | Self::NoSuchObject | Self::Closed => 7,
            Self::Busy => 8,
            Self::Deadlock => 9,
            Self::Interrupted => 130,
        }
    }

    /// The varlink error of the same meaning: `io.tally.NoSuchJob`.
    #[must_use]
    pub fn varlink_name(self) -> String {
        format!("io.tally.{self:?}")
    }

    /// The code behind a varlink error name.
    #[must_use]
    pub fn from_varlink_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.varlink_name() == name)
    }
}

/// One failure, as shown by `--json` and carried by the control protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of failure.
    pub code: ErrorCode,
    /// One line that says all, lowercase, after "tally: ".
    pub message: String,
    /// Lines that show where, with a caret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Box<str>>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The range of values that failed, as the user would write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<Box<str>>,
    /// Where in the data: the keys `file`, `row`, `column` and `element`, as far as they are known.
    #[serde(flatten, with = "site")]
    pub site: Option<Box<Site>>,
    /// Tail of what the worker wrote to its standard error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr: Option<Box<str>>,
    /// The waits of a deadlock that was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadlock: Option<Box<DeadlockView>>,
    /// The exit code the command line ends with.
    pub exit: u8,
}

impl Failure {
    /// A failure with its code's exit code and no hint.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            place: None,
            hint: None,
            range: None,
            site: None,
            stderr: None,
            deadlock: None,
            exit: code.exit(),
        }
    }

    /// The same failure with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_are_all_listed() {
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_varlink_name(&code.varlink_name()), Some(code));
        }
        assert_eq!(ErrorCode::NoSuchJob.varlink_name(), "io.tally.NoSuchJob");
        assert_eq!(serde_json::to_string(&ErrorCode::TimedOut).unwrap(), "\"timed-out\"");
    }

    #[test]
    fn where_it_is_in_the_data_stands_among_the_keys() {
        let mut failure = Failure::new(ErrorCode::KernelFailed, "why");
        let plain = r#"{"code":"kernel-failed","message":"why","exit":1}"#;
        assert_eq!(serde_json::to_string(&failure).unwrap(), plain);
        assert_eq!(serde_json::from_str::<Failure>(plain).unwrap(), failure);
        failure.range = Some("a.csv".into());
        failure.site = Some(Box::new(Site::of_file("a.csv").row(12).column("price")));
        let text = r#"{"code":"kernel-failed","message":"why","range":"a.csv","file":"a.csv","row":"12","column":"price","exit":1}"#;
        assert_eq!(serde_json::to_string(&failure).unwrap(), text);
        assert_eq!(serde_json::from_str::<Failure>(text).unwrap(), failure);
        failure.site = Some(Box::new(Site::of_element(&-7)));
        let text = r#"{"code":"kernel-failed","message":"why","range":"a.csv","element":"-7","exit":1}"#;
        assert_eq!(serde_json::from_str::<Failure>(text).unwrap(), failure);
        assert_eq!(serde_json::from_str::<Failure>(&text.replace("7", "8")).unwrap().message, "why");
    }
}
