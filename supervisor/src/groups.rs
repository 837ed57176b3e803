//! Control groups for commands: one for each warden, made where this process's own group was handed to it.
//!
//! Its guard makes and removes it. What a guard could not remove is this process's to remove, and what this process could
//! not is the next one's, which knows the groups by the socket that both serve.

use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tally_protocol::WorkerId;
use tally_sys::cgroup::{Ward, Wards};
use tally_sys::process::{self, Pid};

/// How long the end of what an earlier daemon has left may take.
const SWEEP_MAX: Duration = Duration::from_secs(2);

/// Where groups are made, and what they are called.
#[derive(Debug)]
pub(crate) struct Groups {
    wards: Wards,
    prefix: String,
}

impl Groups {
    /// The place for a daemon of this socket, if there is one; and nothing is left there of the one before. To be called
    /// while this program has no other processes than this one and its forkserver.
    pub(crate) fn begin(socket: &Path, forkserver: Option<Pid>) -> Option<Self> {
        let ours: Vec<Pid> = [process::own_pid()].into_iter().chain(forkserver).collect();
        let wards = Wards::find(&ours)?;
        let groups = Self { wards, prefix: format!("tally-{:016x}-", digest(socket.as_os_str().as_bytes())) };
        let swept = groups.wards.sweep(&groups.prefix, SWEEP_MAX);
        if swept > 0 {
            tracing::warn!("ended what an earlier daemon had left in {swept} control groups");
        }
        // Whether one can be made is known when one was made.
        let trial = Ward::make(&groups.path(WorkerId(0)));
        match trial {
            Ok(ward) if ward.end(Duration::ZERO) => Some(groups),
            Ok(_) => None,
            Err(why) => {
                tracing::debug!("commands get no control groups: {why}");
                None
            }
        }
    }

    /// The group of a worker.
    pub(crate) fn of(&self, worker: WorkerId) -> String {
        self.path(worker).display().to_string()
    }

    /// A worker is gone: so is its group, if its guard has not seen to that. False if somebody is still in it.
    pub(crate) fn end(&self, worker: WorkerId) -> bool {
        match Ward::open(&self.path(worker)) {
            Ok(ward) => ward.end(Duration::ZERO),
            // With any other failure it may be there, and is looked for again.
            Err(why) => why.kind() == io::ErrorKind::NotFound,
        }
    }

    /// How commands are held together, for those who want to know.
    pub(crate) fn text(&self) -> String {
        let limits = match self.wards.controllers.as_slice() {
            [] => "no limits".to_owned(),
            some => format!("limits of {}", some.join(" and ")),
        };
        format!("control groups in {}, {limits}", self.wards.base.display())
    }

    fn path(&self, worker: WorkerId) -> PathBuf {
        self.wards.base.join(format!("{}w{worker}", self.prefix))
    }
}

/// FNV-1a: the same for every build.
fn digest(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum, &byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
