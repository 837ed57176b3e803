//! The exit codes of the contract, one meaning each. Scripts rely on them.
//!
//! Errors carry theirs (`Failure::exit`); this module names them and says which outcome of a job has which.

use tally_protocol::job::JobState;
use tally_protocol::view::JobView;

/// Answered.
pub const ANSWERED: u8 = 0;
/// The job failed, or the request could not be done.
pub const FAILED: u8 = 1;
/// Bad usage, expression or configuration.
pub const USAGE: u8 = 2;
/// No daemon there.
pub const NO_DAEMON: u8 = 3;
/// Cancelled.
pub const CANCELLED: u8 = 4;
/// Timed out.
pub const TIMED_OUT: u8 = 5;
/// Not permitted.
pub const NOT_PERMITTED: u8 = 6;
/// No such job or object.
pub const NO_SUCH: u8 = 7;
/// Somebody else has it, and the command was not to wait.
pub const BUSY: u8 = 8;
/// To wait would have been a deadlock.
pub const DEADLOCK: u8 = 9;
/// Interrupted from the keyboard; 128 plus the number for other signals.
pub const INTERRUPTED: u8 = 130;

/// Every exit code with its meaning, for `tally help exit-codes`.
pub const TABLE: [(u8, &str); 11] = [
    (ANSWERED, "answered"),
    (FAILED, "the job failed, or the request could not be done"),
    (USAGE, "bad usage or configuration"),
    (NO_DAEMON, "no daemon there"),
    (CANCELLED, "cancelled"),
    (TIMED_OUT, "timed out"),
    (NOT_PERMITTED, "not permitted"),
    (NO_SUCH, "no such job or object, or a closed queue with nothing left"),
    (BUSY, "the lock is busy (--nonblock)"),
    (DEADLOCK, "a deadlock was refused"),
    (INTERRUPTED, "interrupted (128 plus the signal's number for others)"),
];

/// The code of an ended job; 0 for one that has not ended.
#[must_use]
pub fn of_job(job: &JobView) -> u8 {
    match job.state {
        JobState::Queued | JobState::Running | JobState::Paused | JobState::Done => ANSWERED,
        JobState::Failed => job.error.as_ref().map_or(FAILED, |error| error.exit),
        JobState::Cancelled => CANCELLED,
        JobState::TimedOut => TIMED_OUT,
    }
}

/// The worst of several: a failure is worse than a passed deadline, that worse than a cancel.
pub fn worst(codes: impl Iterator<Item = u8>) -> u8 {
    let weight = |code: u8| match code {
        ANSWERED => 0,
        CANCELLED => 1,
        TIMED_OUT => 2,
        FAILED => 4,
        _ => 3,
    };
    codes.max_by_key(|&code| weight(code)).unwrap_or(ANSWERED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tally_protocol::error::ErrorCode;

    #[test]
    fn every_error_ends_with_a_code_of_the_table() {
        for code in ErrorCode::ALL {
            assert!(TABLE.iter().any(|(number, _)| *number == code.exit()), "{code:?}");
        }
    }

    #[test]
    fn a_failure_is_the_worst() {
        assert_eq!(worst([].into_iter()), 0);
        assert_eq!(worst([0, 4, 0].into_iter()), 4);
        assert_eq!(worst([4, 5, 0].into_iter()), 5);
        assert_eq!(worst([5, 1, 4].into_iter()), 1);
    }
}
