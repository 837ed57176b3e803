//! The files of jobs: descriptors that clients passed, kept until their job has ended, handed to each worker it gets.
//!
//! The daemon opens no file for a client and reads none: what it was handed is what the client could read. After a start
//! it opens again what a detached job had handed in, by the name it had then, and keeps it only if it is the very same.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use tally_protocol::control::Passed;
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::record::Saved;
use tally_protocol::source::{FileIdentity, FileSource, Source};
use tally_sys::map::{FileState, file_state, may_read, open_to_read};
use tally_sys::socket::{PACKET_FDS_MAX, send_packet};

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

    /// Opens the files of jobs again that an earlier daemon had. One whose files are not what they were is broken.
    ///
    /// No confused deputy: a name alone gets nobody anything. What is opened must have the device, number, size and time
    /// of change of a descriptor that its submitter had open for reading, so it holds what they could read already.
    pub(crate) fn reopen(&mut self, saved: &mut Saved) {
        for job in &mut saved.jobs {
            let Source::Files(files) = &mut job.spec.kernel.source else { continue };
            if job.ended.is_some() || job.broken.is_some() {
                continue;
            }
            match files.files.iter().map(open_again).collect::<Result<Vec<_>, _>>() {
                Ok(fds) => {
                    self.last += 1;
                    self.sets.insert(self.last, fds);
                    files.set = self.last;
                }
                Err(why) => {
                    let why = format!("could not go on with {}: {why}", job.job);
                    job.broken = Some(Failure::new(ErrorCode::KernelFailed, why));
                }
            }
        }
    }

    /// Closes the sets that nobody needs.
    pub(crate) fn keep_only(&mut self, needed: impl Fn(u64) -> bool) {
        self.sets.retain(|&set, _| needed(set));
    }

    /// Closes a set.
    pub(crate) fn drop_set(&mut self, set: u64) {
        self.sets.remove(&set);
    }

    /// Hands copies of a set to a worker, over its lifeline, before it is told of the job.
    pub(crate) fn hand_over(&self, set: u64, lifeline: impl AsFd) -> Result<(), String> {
        let Some(fds) = self.sets.get(&set) else { return Err("hand over files that are closed".to_owned()) };
        let fds: Vec<BorrowedFd<'_>> = fds.iter().map(AsFd::as_fd).collect();
        fds.chunks(PACKET_FDS_MAX)
            .try_for_each(|some| send_packet(&lifeline, b"f", some))
            .map_err(|why| format!("hand over files: {why}"))
    }
}

fn open_again(file: &FileSource) -> Result<OwnedFd, String> {
    let name = &file.name;
    let path = file.path.as_deref().ok_or_else(|| format!("{name} has no name to open it by again"))?;
    let opened = open_to_read(path).map_err(|why| match why.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => format!("{name} is gone since it was submitted"),
        ErrorKind::PermissionDenied => format!("{name} may not be read by the daemon"),
        _ => format!("{name} does not open again: {why}"),
    })?;
    let state = file_state(&opened).map_err(|why| format!("{name} does not open again: {why}"))?;
    if !state.regular || identity(&state) != file.identity || state.bytes != file.bytes {
        return Err(format!("{name} was changed since it was submitted"));
    }
    Ok(opened)
}

/// The absolute name of what a descriptor is of. A deleted file, or one that has no name, gets one that opens nothing of
/// its identity.
fn path_of(fd: &OwnedFd) -> Option<String> {
    let path = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).ok()?;
    path.is_absolute().then(|| path.to_str().map(str::to_owned)).flatten()
}

fn identity(state: &FileState) -> FileIdentity {
    FileIdentity {
        device: state.device,
        inode: state.inode,
        bytes: state.bytes,
        modified_ns: state.modified_ns,
    }
}

fn describe(fd: &OwnedFd) -> Result<FileSource, Failure> {
    let bad = |why: String| Failure::new(ErrorCode::BadUsage, format!("could not take a descriptor: {why}"));
    let state = file_state(fd).map_err(|why| bad(why.to_string()))?;
    if !state.regular {
        return Err(bad("it is no regular file".to_owned()));
    }
    if !may_read(fd).map_err(|why| bad(why.to_string()))? {
        return Err(bad("it is not open for reading".to_owned()));
    }
    Ok(FileSource {
        name: String::new(),
        bytes: state.bytes,
        identity: identity(&state),
        format: None,
        path: path_of(fd),
    })
}
