//! The files of jobs: descriptors that clients passed, kept until their job has ended, handed to each worker it gets.
//!
//! The daemon opens no file for a client and reads none: what it was handed is what the client could read. Over an upgrade,
//! and a restart by a service manager that keeps descriptors, the files of detached jobs stay open. Others it opens again
//! after a start, by the name they had then, and keeps one only if it is the very same.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use tally_protocol::JobId;
use tally_protocol::control;
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::record::Saved;
use tally_protocol::source::{FileIdentity, FileSource, Source};
use tally_sys::activation::{self, Passed};
use tally_sys::map::{FileState, file_state, may_read, open_to_read};
use tally_sys::reason::reason;
use tally_sys::socket::{PACKET_FDS_MAX, send_packet};

use crate::succession::FILE;

/// Files kept open for the next daemon at the most; room is left for its socket, its locks, and the connections of those who
/// hold named ones.
const KEPT_MAX: usize = activation::PASSED_MAX - 1_024;

/// Sets of descriptors by their number.
#[derive(Debug, Default)]
pub(crate) struct FileSets {
    last: u64,
    sets: BTreeMap<u64, Vec<OwnedFd>>,
    /// How many of them were needed when that was last looked at.
    needed: usize,
    /// For which jobs the service manager keeps some of them.
    stored: BTreeMap<u64, JobId>,
    /// Jobs for which it need not, once their end is recorded.
    given_up: Vec<JobId>,
    /// Names of what it kept for the daemon before, if nobody needs it.
    stale: Vec<String>,
}

impl FileSets {
    /// Takes descriptors in, and says what they are. None of them is no set at all.
    pub(crate) fn take_in(&mut self, fds: Vec<OwnedFd>) -> Result<control::Passed, Failure> {
        if fds.is_empty() {
            return Ok(control::Passed::default());
        }
        let files = fds.iter().map(describe).collect::<Result<_, Failure>>()?;
        self.last += 1;
        self.sets.insert(self.last, fds);
        Ok(control::Passed { set: self.last, files })
    }

    /// Finds the files of jobs again that an earlier daemon had: among the descriptors that were `kept`, or by their
    /// names. A job whose files are not what they were is broken.
    ///
    /// No confused deputy: a name alone gets nobody anything. What is opened must have the device, number, size and times
    /// of change of a descriptor that its submitter had open for reading, so it holds what they could read already; what
    /// does not is not opened at all.
    pub(crate) fn reopen(&mut self, saved: &mut Saved, kept: Vec<Passed>) {
        self.stale = kept.iter().map(|one| one.name.clone()).collect();
        let kept = by_identity(kept.into_iter().map(|one| one.fd));
        for job in &mut saved.jobs {
            let Source::Files(files) = &mut job.spec.kernel.source else { continue };
            if job.ended.is_some() || job.broken.is_some() {
                continue;
            }
            match files.files.iter().map(|file| find_again(file, &kept)).collect::<Result<Vec<_>, _>>() {
                Ok(fds) => {
                    self.last += 1;
                    self.sets.insert(self.last, fds);
                    files.set = self.last;
                    self.stored.insert(self.last, job.job);
                }
                Err(why) => {
                    let why = format!("could not go on with {}: {why}", job.job);
                    job.broken = Some(Failure::new(ErrorCode::KernelFailed, why));
                }
            }
        }
    }

    /// Whether there are twice as many sets as were needed when that was last looked at: looking costs a walk over all
    /// open jobs, which not every submission is to pay for.
    pub(crate) fn are_many(&self) -> bool {
        self.sets.len() > 2 * self.needed + 16
    }

    /// Closes the sets that nobody needs.
    pub(crate) fn keep_only(&mut self, needed: impl Fn(u64) -> bool) {
        let idle: Vec<u64> = self.sets.keys().copied().filter(|&set| !needed(set)).collect();
        idle.into_iter().for_each(|set| self.drop_set(set));
        self.needed = self.sets.len();
    }

    /// The set of a job is to be kept by the service manager: under which name, and what is in it.
    pub(crate) fn store(&mut self, set: u64, job: JobId) -> Option<(String, &[OwnedFd])> {
        let fds = self.sets.get(&set)?;
        self.stored.insert(set, job);
        Some((stored_name(job), fds))
    }

    /// All that it is to keep, after a start.
    pub(crate) fn all_stored(&self) -> impl Iterator<Item = (String, &[OwnedFd])> {
        self.stored.iter().filter_map(|(set, &job)| Some((stored_name(job), self.sets.get(set)?.as_slice())))
    }

    /// Names under which it is to keep nothing any more. A job that is not over for good may need its files again.
    pub(crate) fn take_given_up(&mut self, is_over: impl Fn(JobId) -> bool) -> Vec<String> {
        let mut names = std::mem::take(&mut self.stale);
        if !names.is_empty() {
            let stored: BTreeSet<String> = self.stored.values().copied().map(stored_name).collect();
            names.retain(|name| !stored.contains(name));
        }
        names.extend(self.given_up.extract_if(.., |&mut job| is_over(job)).map(stored_name));
        names
    }

    /// All that is open, for the next daemon: each file once, however many jobs read it, and no more than can be passed.
    pub(crate) fn into_kept(self) -> Vec<OwnedFd> {
        let all = self.sets.into_values().flatten();
        by_identity(all).into_values().take(KEPT_MAX).collect()
    }

    /// Closes a set.
    pub(crate) fn drop_set(&mut self, set: u64) {
        self.sets.remove(&set);
        self.given_up.extend(self.stored.remove(&set));
    }

    /// Hands copies of a set to a worker, over its lifeline, before it is told of the job.
    pub(crate) fn hand_over(&self, set: u64, lifeline: impl AsFd) -> Result<(), String> {
        let Some(fds) = self.sets.get(&set) else { return Err("hand over files that are closed".to_owned()) };
        let fds: Vec<BorrowedFd<'_>> = fds.iter().map(AsFd::as_fd).collect();
        fds.chunks(PACKET_FDS_MAX)
            .try_for_each(|some| send_packet(&lifeline, b"f", some))
            .map_err(|why| format!("hand over files: {}", reason(&why)))
    }
}

/// What the files of a job are called while somebody keeps them.
fn stored_name(job: JobId) -> String {
    format!("{FILE}-{job}")
}

/// Descriptors by what they are of.
fn by_identity(fds: impl IntoIterator<Item = OwnedFd>) -> BTreeMap<FileIdentity, OwnedFd> {
    let known = |fd: OwnedFd| file_state(&fd).ok().map(|state| (identity(&state), fd));
    fds.into_iter().filter_map(known).collect()
}

fn find_again(file: &FileSource, kept: &BTreeMap<FileIdentity, OwnedFd>) -> Result<OwnedFd, String> {
    match kept.get(&file.identity) {
        Some(fd) => kept_open(file, fd),
        None => open_again(file),
    }
}

fn open_again(file: &FileSource) -> Result<OwnedFd, String> {
    let name = &file.name;
    let path = file.path.as_deref().ok_or_else(|| format!("{name} has no name to open it by again"))?;
    let same = |state: &FileState| {
        let same = state.regular && identity(state) == file.identity && state.bytes == file.bytes;
        // Somebody may have set the other time back.
        same && file.changed_ns.is_none_or(|before| before == state.changed_ns)
    };
    let opened = open_to_read(path, same).map_err(|why| match why.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            format!("{name} is not where it was submitted, as far as the daemon can see")
        }
        ErrorKind::PermissionDenied => format!("{name} may not be read by the daemon"),
        _ => format!("{name} does not open again: {}", reason(&why)),
    })?;
    opened.ok_or_else(|| changed(name))
}

fn changed(name: &str) -> String {
    format!("{name} was changed since it was submitted")
}

/// A file that was open all the while. That it has lost its name or got another one is no change of what it holds.
fn kept_open(file: &FileSource, fd: &OwnedFd) -> Result<OwnedFd, String> {
    let bad = |why: std::io::Error| format!("{} cannot be kept open: {}", file.name, reason(&why));
    let state = file_state(fd).map_err(bad)?;
    let touched = file.changed_ns.is_some_and(|before| before != state.changed_ns);
    if touched && file.path.is_some() && path_of(fd, &state) == file.path {
        return Err(changed(&file.name));
    }
    fd.try_clone().map_err(bad)
}

/// The absolute name of what a descriptor is of, if it has one still.
fn path_of(fd: &OwnedFd, state: &FileState) -> Option<String> {
    if !state.named {
        return None;
    }
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
        path: path_of(fd, &state),
        changed_ns: Some(state.changed_ns),
        nameless: !state.named,
    })
}
