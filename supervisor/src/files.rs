//! The files of jobs: descriptors that clients passed, kept until their job has ended, handed to each worker it gets.
//!
//! The daemon opens no file for a client and reads none: what it was handed is what the client could read.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use tally_protocol::control::Passed;
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::source::{FileIdentity, FileSource};
use tally_sys::map::file_state;
use tally_sys::socket::send_packet;

/// Sets of descriptors by their number.
#[derive(Debug, Default)]
pub(crate) struct FileSets {
    last: u64,
    sets: BTreeMap<u64, Vec<OwnedFd>>,
}

impl FileSets {
    /// Takes descriptors in, and says what they are. None of them is no set at all.
    pub(crate) fn take_in(&mut self, fds: Vec<OwnedFd>) -> Result<Passed, Failure> {
        if fds.is_empty() {
            return Ok(Passed::default());
        }
        let files = fds.iter().map(describe).collect::<Result<_, Failure>>()?;
        self.last += 1;
        self.sets.insert(self.last, fds);
        Ok(Passed { set: self.last, files })
    }

    /// Closes a set.
    pub(crate) fn drop_set(&mut self, set: u64) {
        self.sets.remove(&set);
    }

    /// Hands copies of a set to a worker, over its lifeline, before it is told of the job.
    pub(crate) fn hand_over(&self, set: u64, lifeline: impl AsFd) -> Result<(), String> {
        let Some(fds) = self.sets.get(&set) else { return Err("hand over files that are closed".to_owned()) };
        let fds: Vec<BorrowedFd<'_>> = fds.iter().map(AsFd::as_fd).collect();
        send_packet(lifeline, b"f", &fds).map_err(|why| format!("hand over files: {why}"))
    }
}

fn describe(fd: &OwnedFd) -> Result<FileSource, Failure> {
    let bad = |why: String| Failure::new(ErrorCode::BadUsage, format!("could not take a descriptor: {why}"));
    let state = file_state(fd).map_err(|why| bad(why.to_string()))?;
    if !state.regular {
        return Err(bad("it is no regular file".to_owned()));
    }
    Ok(FileSource {
        name: String::new(),
        bytes: state.bytes,
        identity: FileIdentity {
            device: state.device,
            inode: state.inode,
            bytes: state.bytes,
            modified_ns: state.modified_ns,
        },
        format: None,
    })
}
