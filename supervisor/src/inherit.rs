//! What a daemon was given before it began: a socket that listens already, and a service manager to report to.
//!
//! Taken out of the environment first thing, so that neither forkserver nor workers see or believe any of it.

use std::path::PathBuf;

use tally_protocol::error::{ErrorCode, Failure};
use tally_sys::activation::{self, Passed};
use tally_sys::notify::Notifier;
use tally_sys::socket::Listener;

use crate::daemon::{DaemonOptions, failed};
use crate::service::Service;

/// What was there before.
#[derive(Debug, Default)]
pub(crate) struct Inheritance {
    /// The control socket, open and listening.
    pub(crate) listener: Option<Listener>,
    /// The manager that started this process.
    pub(crate) service: Service,
}

impl Inheritance {
    /// Takes all there is, once.
    pub(crate) fn take() -> Result<Self, Failure> {
        let passed = activation::take().map_err(|why| failed("take the socket of systemd", &why))?;
        let notifier = Notifier::from_environment().unwrap_or_else(|why| {
            tracing::warn!("could not report to the service manager: {why}");
            None
        });
        Ok(Self { listener: the_only(passed)?, service: Service::new(notifier) })
    }

    /// Where the daemon listens: the socket that was named, the one that was passed, the usual one.
    pub(crate) fn socket_path(&self, options: &DaemonOptions) -> Result<PathBuf, Failure> {
        if let Some(listener) = &self.listener {
            let path = listener.path().to_path_buf();
            return match &options.socket {
                Some(named) if *named != path => Err(Failure::new(
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
