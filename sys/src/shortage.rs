//! Whom the system takes first when memory runs out: rather a program that was started than the process that watches it.
//!
//! A child has the score of its parent, so the parent has the child's for the moment of the start. The file is opened
//! early: it is root's once the process has become somebody else.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt as _;

const SCORE: &str = "/proc/self/oom_score_adj";
/// What is added for those who are to go first: half of all the memory that there is, as if they had it.
const MORE: i32 = 500;
const MOST: i32 = 1000;

/// This process's score, and that of what it starts.
#[derive(Debug)]
pub struct Shortage {
    file: File,
    own: i32,
    theirs: i32,
}

impl Shortage {
    /// Where this process may change its score, which most may.
    pub fn begin() -> Option<Self> {
        let own = fs::read_to_string(SCORE).ok()?.trim().parse().ok()?;
        let file = OpenOptions::new().write(true).open(SCORE).ok()?;
        Some(Self { file, own, theirs: theirs(own) })
    }

    /// What is started meanwhile goes before this process.
    pub fn offering<T>(&self, start: impl FnOnce() -> T) -> T {
        self.set(self.theirs);
        let started = start();
        self.set(self.own);
        started
    }

    /// What cannot be set stays: then the largest goes first.
    fn set(&self, score: i32) {
        drop(self.file.write_at(score.to_string().as_bytes(), 0));
    }
}

fn theirs(own: i32) -> i32 {
    own.saturating_add(MORE).min(MOST)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn what_is_started_goes_first_and_this_process_not() {
        let score = || fs::read_to_string(SCORE).unwrap().trim().parse::<i32>().unwrap();
        let before = score();
        let shortage = Shortage::begin().unwrap();
        let told = shortage.offering(|| Command::new("cat").arg(SCORE).output().unwrap());
        assert_eq!(String::from_utf8_lossy(&told.stdout).trim(), theirs(before).to_string());
        assert_eq!(score(), before);
        assert_eq!((theirs(0), theirs(-1000), theirs(600)), (500, -500, 1000));
    }
}
