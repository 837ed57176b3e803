//! `tally daemon`: a supervisor that listens on a socket and outlives its clients.
//!
//! The order of the start: streams, configuration, log, forkserver (before anything else exists), lock, sweep of what
//! a killed predecessor left, socket, signals. Nothing is removed that the lock does not cover.

use std::fs::{self, DirBuilder};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use tally_machine::settings::Identity;
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::job::StartMethod;
use tally_sys::lockfile::{AcquireError, LockFile};
use tally_sys::signal::{self, Signal};
use tally_sys::socket::{self, Listener};
use tally_sys::{clock, fd, limits, process};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::WorkerMain;
use crate::config::{Configuration, Reading, Sources};
use crate::forkserver::Forkserver;
use crate::metrics::scrapers::Door;
use crate::reload::{Reloader, daemon_settings, failure_of};
use crate::spawn::Nursery;
use crate::turn::Supervisor;

/// What the command line says about the daemon.
#[derive(Clone, Debug, Default)]
pub struct DaemonOptions {
    /// A configuration file besides the usual ones; it must exist.
    pub config: Option<PathBuf>,
    /// Where to listen.
    pub socket: PathBuf,
    /// A file that holds the pid and is locked while the daemon lives.
    pub pid_file: Option<PathBuf>,
    /// Read the configuration, say what is wrong with it, and end.
    pub check: bool,
    /// Settings given as flags: key and value, as in `config.toml`.
    pub flags: Vec<(String, String)>,
}

/// Runs the daemon until it is stopped. The caller must have one thread.
///
/// # Errors
/// When it could not start, or lost what it runs on.
pub fn run_daemon(options: &DaemonOptions, worker: WorkerMain) -> Result<(), Failure> {
    fd::open_standard_streams().map_err(|why| failed("open the standard streams", &why))?;
    let sources = Sources::of_this_process(options.config.as_deref(), &options.flags);
    let (reading, configuration) = read(&sources)?;
    if options.check {
        return Ok(());
    }
    let set_level = start_log(&configuration);
    for warning in &reading.warnings {
        tracing::warn!("{warning}");
    }
    let reloader = Reloader::new(sources, reading, set_level);
    signal::ignore(Signal::Pipe).map_err(|why| failed("ignore SIGPIPE", &why))?;
    if let Err(why) = limits::raise_open_files() {
        tracing::warn!("could not raise the limit of open files: {why}");
    }
    let forkserver = match configuration.start {
        StartMethod::Forkserver => {
            Some(Forkserver::fork(worker).map_err(|why| failed("start the forkserver", &why))?)
        }
        StartMethod::Spawn | StartMethod::Fork => None,
    };
    let locks = lock(options)?;
    let result = serve(options, &configuration, reloader, Nursery { worker_main: worker, forkserver });
    unlock(locks);
    result
}

/// All that happens under the lock.
fn serve(
    options: &DaemonOptions,
    configuration: &Configuration,
    reloader: Reloader,
    nursery: Nursery,
) -> Result<(), Failure> {
    let swept = tally_transport::sweep();
    tracing::debug!("swept: {swept:?}");
    let door = Door::open(&configuration.metrics_listen)
        .map_err(|why| failed(&format!("serve metrics at {}", configuration.metrics_listen), &why))?;
    let listener = match listen(&options.socket) {
        Ok(listener) => listener,
        Err(failure) => {
            door.into_iter().for_each(Door::close);
            return Err(failure);
        }
    };
    let identity = Identity {
        pid: process::own_pid().raw().unsigned_abs(),
        socket: Some(options.socket.display().to_string()),
    };
    let mut settings = daemon_settings(configuration, identity);
    settings.wall_ms_at_zero = clock::wall_ms();
    settings.seed = settings.wall_ms_at_zero;
    Supervisor::new(clock::monotonic_ns(), settings, nursery)
        .and_then(|mut supervisor| {
            supervisor.reloader = Some(reloader);
            supervisor.clients.make_room(configuration.workers, configuration.clients_max);
            supervisor.open_metrics_door(door)?;
            supervisor.listen(listener)?;
            tracing::info!("listening on {}", options.socket.display());
            supervisor.run()
        })
        .map_err(|why| failed("run the daemon", &why))
        .inspect(|()| tracing::info!("ended"))
}

/// Locks go in the opposite order, with their files.
fn unlock(mut locks: Vec<LockFile>) {
    while let Some(lock) = locks.pop() {
        let path = lock.path().to_path_buf();
        if let Err(why) = lock.remove() {
            tracing::warn!("could not remove {}: {why}", path.display());
        }
    }
}

/// A failure of the system, with the exit code of its kind and without the system's number for it.
fn failed(what: &str, why: &io::Error) -> Failure {
    let code = match why.kind() {
        io::ErrorKind::PermissionDenied => ErrorCode::NotPermitted,
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidFilename => ErrorCode::BadUsage,
        _ => ErrorCode::System,
    };
    let why = why.to_string();
    let why = why.split(" (os error").next().unwrap_or("");
    Failure::new(code, format!("could not {what}: {why}"))
}

/// Reads the settings. Everything that is wrong is one failure.
pub(crate) fn read(sources: &Sources) -> Result<(Reading, Configuration), Failure> {
    let reading = sources.read();
    if let Some(failure) = failure_of(&reading, "read the configuration") {
        return Err(failure);
    }
    let configuration = reading.configuration().map_err(|fault| {
        Failure::new(ErrorCode::BadUsage, format!("could not read the configuration: {fault}"))
    })?;
    Ok((reading, configuration))
}

/// Starts the log, and returns what changes its level.
fn start_log(configuration: &Configuration) -> Box<dyn Fn(tracing::Level)> {
    let (filter, switch) = crate::log::level_filter(configuration.log);
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(false).with_target(false);
    let subscriber = tracing_subscriber::registry().with(filter).with(lines);
    if tracing::subscriber::set_global_default(subscriber).is_err() {
        drop(writeln!(io::stderr(), "tally: could not start the log: there is one already"));
    }
    Box::new(move |level| switch.set(level))
}

/// Takes the lock beside the socket, and the pid file's. Liveness is the lock, never "the file exists".
fn lock(options: &DaemonOptions) -> Result<Vec<LockFile>, Failure> {
    if let Some(directory) = options.socket.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|why| failed(&format!("make the directory {}", directory.display()), &why))?;
    }
    let mut beside = options.socket.clone().into_os_string();
    beside.push(".lock");
    let mut locks = Vec::new();
    for path in std::iter::once(PathBuf::from(beside)).chain(options.pid_file.clone()) {
        match LockFile::acquire(&path) {
            Ok(lock) => {
                let written = lock.write_owner();
                locks.push(lock);
                if let Err(why) = written {
                    unlock(locks);
                    return Err(failed(&format!("write {}", path.display()), &why));
                }
            }
            Err(why) => {
                unlock(locks);
                return Err(refused(why));
            }
        }
    }
    Ok(locks)
}

fn refused(why: AcquireError) -> Failure {
    match why {
        AcquireError::Held { path, pid } => {
            let who = pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
            Failure::new(
                ErrorCode::System,
                format!("could not start: a daemon is running already ({who} holds {})", path.display()),
            )
            .hint("'tally status' shows it, 'tally stop' ends it")
        }
        AcquireError::Io { path, error } => failed(&format!("lock {}", path.display()), &error),
    }
}

/// Binds the socket; one left behind by a daemon that was killed is replaced, which the lock makes safe.
fn listen(path: &Path) -> Result<Listener, Failure> {
    let what = format!("listen on {}", path.display());
    if !socket::unlink_stale(path).map_err(|why| failed(&what, &why))? {
        return Err(Failure::new(ErrorCode::System, format!("could not {what}: somebody else does")));
    }
    Listener::bind(path, 0o600).map_err(|why| match fs::symlink_metadata(path) {
        Ok(_) => Failure::new(ErrorCode::System, format!("could not {what}: something else is there")),
        Err(_) => failed(&what, &why),
    })
}
