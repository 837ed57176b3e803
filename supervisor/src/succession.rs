//! The last act of an upgrade: this process becomes the new binary, with the socket and the locks open, and with the
//! connections of those who hold or wait for named locks.
//!
//! The socket is never closed, so nobody is refused; the locks are never free, so nobody else starts meanwhile.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use tally_protocol::error::Failure;
use tally_sys::lockfile::LockFile;
use tally_sys::socket::Listener;
use tally_sys::{activation, process};

use crate::daemon::failed;
use crate::service::Service;
use crate::upgrade::own_arguments;

/// The control socket, made by somebody else.
pub(crate) const LENT: &str = "control";
/// The control socket, made by this daemon.
pub(crate) const OWN: &str = "own-control";
/// The locks, in the order in which they are taken.
pub(crate) const LOCKS: [&str; 2] = ["lock", "pid-lock"];

/// How the names of files of detached jobs begin.
pub(crate) const FILE: &str = "job-file";

/// What is handed over.
#[derive(Debug)]
pub(crate) struct Succession {
    /// The new program.
    pub(crate) binary: PathBuf,
    /// The control socket.
    pub(crate) listener: Listener,
    /// The files of jobs that go on.
    pub(crate) files: Vec<OwnedFd>,
    /// The manager, who must not notice.
    pub(crate) service: Service,
    /// Named locks with their connections.
    pub(crate) lockers: Vec<(String, OwnedFd)>,
}

impl Succession {
    /// Becomes the new program; if that fails, the running one anew. Returns only when both fail.
    pub(crate) fn take_place(self, locks: Vec<LockFile>, directory: &Path) -> Failure {
        let name = if self.listener.is_lent() { LENT } else { OWN };
        let socket = self.listener.path().to_path_buf();
        let lent = self.listener.is_lent();
        let control = self.listener.into_socket();
        let locks: Vec<OwnedFd> = locks.into_iter().map(LockFile::into_fd).collect();
        let mut fds = vec![(name, &control)];
        fds.extend(LOCKS.into_iter().zip(&locks));
        fds.extend(self.files.iter().map(|file| (FILE, file)));
        fds.extend(self.lockers.iter().map(|(name, fd)| (name.as_str(), fd)));
        let become_one = |program: &Path| -> io::Error {
            let kept = match activation::keep(&fds) {
                Ok((name, value)) => (name, value.into()),
                Err(why) => return why,
            };
            let variables = self.service.variables().chain([kept]);
            let why = process::exec(program, own_arguments(), variables, directory);
            activation::keep_no_more(&fds);
            why
        };
        let why = become_one(&self.binary);
        tracing::error!("could not run {}: {why}; the running version starts again", self.binary.display());
        let why = become_one(Path::new("/proc/self/exe"));
        if !lent && let Err(why) = std::fs::remove_file(&socket) {
            tracing::warn!("could not remove {}: {why}", socket.display());
        }
        failed("start again", &why)
    }
}
