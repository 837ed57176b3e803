//! A supervisor for one command: forked from the command line when no daemon listens, gone when the command is.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::job::StartMethod;
use tally_sys::process::{self, Child};
use tally_sys::reason::reason;
use tally_sys::signal::{self, Signal};
use tally_sys::{clock, fd, socket, streams};

use crate::WorkerMain;
use crate::config::{Configuration, Sources};
use crate::files::FileSets;
use crate::forkserver::Forkserver;
use crate::spawn::Nursery;
use crate::turn::Supervisor;

/// What the command line says about its private supervisor.
#[derive(Clone, Debug, Default)]
pub struct PrivateOptions {
    /// Settings given as flags: key and value, as in `config.toml`.
    pub flags: Vec<(String, String)>,
    /// The command makes more than one request.
    pub many_requests: bool,
}

/// A running private supervisor. It ends by itself once the stream is closed.
#[derive(Debug)]
pub struct Private {
    /// The one connection it serves.
    pub stream: UnixStream,
    /// Its process.
    pub child: Child,
}

/// Forks a private supervisor. The caller must have one thread.
///
/// # Errors
/// `BadUsage` for a bad setting, `System` when the process cannot be made.
pub fn start_private(options: &PrivateOptions, worker: WorkerMain) -> Result<Private, Failure> {
    let (_, configuration) = crate::daemon::read(&Sources::of_this_process(None, &options.flags))?;
    let start = |why: std::io::Error| {
        Failure::new(ErrorCode::System, format!("could not start a private supervisor: {}", reason(&why)))
    };
    fd::open_standard_streams().map_err(start)?;
    let (ours, theirs) = socket::stream_pair().map_err(start)?;
    let one_request = !options.many_requests;
    let child = process::fork_child_with(vec![theirs.into()], move |mut handed| match handed.pop() {
        Some(stream) => live(&configuration, stream, worker, one_request),
        None => 1,
    })
    .map_err(start)?;
    Ok(Private { stream: ours, child })
}

fn live(configuration: &Configuration, stream: OwnedFd, worker: WorkerMain, one_request: bool) -> u8 {
    match serve(configuration, stream, worker, one_request) {
        Ok(()) => 0,
        Err(why) => {
            tracing::error!("could not run a private supervisor: {why}");
            1
        }
    }
}

fn serve(
    configuration: &Configuration,
    stream: OwnedFd,
    worker: WorkerMain,
    one_request: bool,
) -> std::io::Result<()> {
    // What a person types at the terminal is for the command line, which tells us by hanging up.
    process::become_group_leader()?;
    process::set_name(c"tally-supervise")?;
    signal::ignore(Signal::Pipe)?;
    streams::detach_input_and_output()?;
    // Before anything else exists, so that nothing else is in its memory.
    let forkserver = match configuration.start {
        StartMethod::Forkserver => Some(Forkserver::fork(worker, false)?),
        StartMethod::Spawn | StartMethod::Fork => None,
    };
    let mut settings = configuration.settings();
    settings.until_clients_gone = true;
    // Nobody else waits for it.
    settings.answer_at_once_bytes = usize::MAX;
    settings.trusting = true;
    settings.identity.uid = process::own_uid();
    settings.wall_ms_at_zero = clock::wall_ms();
    settings.seed = clock::monotonic_ns();
    settings.identity.pid = process::own_pid().raw().unsigned_abs();
    settings.identity.uid = process::own_uid();
    let nursery = Nursery { worker_main: worker, forkserver, confine: configuration.confine, groups: None };
    let mut supervisor =
        Supervisor::new(clock::monotonic_ns(), settings, nursery, FileSets::default(), None)?;
    supervisor.private = true;
    supervisor.one_request = one_request;
    fd::set_nonblocking(&stream, true)?;
    supervisor.admit(stream.into());
    supervisor.run()
}
