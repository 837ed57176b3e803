//! What a daemon was given before it began: a socket that listens already, and a service manager to report to.
//!
//! Taken out of the environment first thing, so that neither forkserver nor workers see or believe any of it.

use std::path::{Path, PathBuf};

use tally_protocol::error::{ErrorCode, Failure};
use tally_sys::activation::{self, Passed};
use tally_sys::lockfile::LockFile;
use tally_sys::notify::Notifier;
use tally_sys::socket::Listener;

use crate::daemon::{DaemonOptions, failed};
use crate::lockers::Lockers;
use crate::service::Service;
use crate::succession::{FILE, LENT, OWN};

/// What was there before.
#[derive(Debug, Default)]
pub(crate) struct Inheritance {
    /// The control socket, open and listening.
    pub(crate) listener: Option<Listener>,
    /// The manager that started this process.
    pub(crate) service: Service,
    /// Files of jobs that the daemon before this one had open.
    pub(crate) files: Vec<Passed>,
    /// Locks that this process holds, by name.
    locks: Vec<Passed>,
    /// Named locks of clients with their connections, as another program of this process had them.
    pub(crate) lockers: Lockers,
    /// This program takes over from another one in the same process.
    succeeds: bool,
}

impl Inheritance {
    /// Takes all there is, once.
    pub(crate) fn take() -> Result<Self, Failure> {
        let passed = activation::take().map_err(|why| failed("take the socket of systemd", &why))?;
        let (stored, passed) = apart(passed);
        let notifier = Notifier::from_environment().unwrap_or_else(|why| {
            tracing::warn!("could not report to the service manager: {why}");
            None
        });
        let succeeds = activation::is_successor();
        let kept = activation::take_kept().map_err(|why| failed("take over", &why))?;
        let (mut files, mut kept) = apart(kept);
        let control =
            kept.iter().position(|one| one.name == LENT || one.name == OWN).map(|at| kept.swap_remove(at));
        let listener = match control {
            Some(Passed { name, fd }) => {
                Some(Listener::adopt(fd, name == LENT).map_err(|why| failed("take over the socket", &why))?)
            }
            None => the_only(passed)?,
        };
        files.extend(stored);
        let (lockers, locks) = Lockers::among(kept);
        Ok(Self { listener, service: Service::new(notifier), files, locks, lockers, succeeds })
    }

    /// A lock that this process holds already.
    pub(crate) fn lock(&mut self, name: &str, path: &Path) -> Option<LockFile> {
        let at = self.locks.iter().position(|one| one.name == name)?;
        let held = self.locks.swap_remove(at).fd;
        let adopted = LockFile::adopt(held, path);
        adopted.inspect_err(|why| tracing::warn!("could not keep the lock {}: {why}", path.display())).ok()
    }

    /// Where the daemon listens: the socket that was named, the one that was passed, the usual one.
    pub(crate) fn socket_path(&self, options: &DaemonOptions) -> Result<PathBuf, Failure> {
        if let Some(listener) = &self.listener {
            let path = listener.path().to_path_buf();
            return match &options.socket {
                Some(named) if !self.succeeds && *named != path => Err(Failure::new(
                    ErrorCode::BadUsage,
                    format!(
                        "could not use the socket {} that systemd passed: --socket or TALLY_SOCKET names {}",
                        path.display(),
                        named.display()
                    ),
                )),
                _ => Ok(path),
            };
        }
        options.socket.clone().or_else(|| options.default_socket.clone()).ok_or_else(|| {
            Failure::new(ErrorCode::BadUsage, "could not choose a socket: XDG_RUNTIME_DIR is not set")
                .hint("name one with --socket PATH")
        })
    }
}

/// The files of jobs, and everything else.
fn apart(passed: Vec<Passed>) -> (Vec<Passed>, Vec<Passed>) {
    passed.into_iter().partition(|one| one.name.starts_with(FILE))
}

/// A daemon has one control socket; what else was passed is a mistake of the unit's.
fn the_only(passed: Vec<Passed>) -> Result<Option<Listener>, Failure> {
    let mut passed = passed.into_iter();
    let Some(first) = passed.next() else { return Ok(None) };
    if let Some(second) = passed.next() {
        let message = format!("could not use two sockets: systemd passed {} and {}", first.name, second.name);
        return Err(Failure::new(ErrorCode::BadUsage, message));
    }
    let what = format!("listen on the descriptor {} that systemd passed", first.name);
    Listener::adopt(first.fd, true).map(Some).map_err(|why| failed(&what, &why))
}
