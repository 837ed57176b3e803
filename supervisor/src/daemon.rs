//! `tally daemon`: a supervisor that listens on a socket and outlives its clients.
//!
//! The order of the start: streams, configuration, log, forkserver (before anything else exists), lock, sweep of what
//! a killed predecessor left, socket, signals. Nothing is removed that the lock does not cover.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::job::StartMethod;
use tally_sys::lockfile::{AcquireError, LockFile};
use tally_sys::signal::{self, Signal};
use tally_sys::socket::{self, Listener};
use tally_sys::{clock, fd, limits, privileges, process};

use crate::WorkerMain;
use crate::config::{Access, BadSetting, Configuration, Layers};
use crate::doorway;
use crate::forkserver::Forkserver;
use crate::rights::Policy;
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
    let configuration = read_configuration(options).map_err(|why| {
        Failure::new(ErrorCode::BadUsage, format!("could not read the configuration: {why}"))
    })?;
    if options.check {
        return Ok(());
    }
    start_log(&configuration);
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
    let locks = lock(options, &configuration.access)?;
    let nursery = Nursery { worker_main: worker, forkserver, confine: configuration.confine };
    let result = serve(options, &configuration, nursery);
    unlock(locks);
    result
}

/// All that happens under the lock.
fn serve(options: &DaemonOptions, configuration: &Configuration, nursery: Nursery) -> Result<(), Failure> {
    let swept = tally_transport::sweep();
    tracing::debug!("swept: {swept:?}");
    let policy = Policy::of(&configuration.access).map_err(|why| {
        Failure::new(ErrorCode::BadUsage, format!("could not read the configuration: {why}"))
    })?;
    let listener = listen(&options.socket, &configuration.access)?;
    let mut settings = configuration.settings();
    doorway::check_reach(&options.socket, &configuration.access);
    shed(configuration)?;
    settings.eager = true;
    settings.wall_ms_at_zero = clock::wall_ms();
    settings.seed = settings.wall_ms_at_zero;
    settings.identity.pid = process::own_pid().raw().unsigned_abs();
    settings.identity.socket = Some(options.socket.display().to_string());
    Supervisor::new(clock::monotonic_ns(), settings, nursery)
        .and_then(|mut supervisor| {
            supervisor.open_to(policy, configuration.connections_per_user);
            supervisor.listen(listener)?;
            tracing::info!("listening on {}", options.socket.display());
            supervisor.run()
        })
        .map_err(|why| failed("run the daemon", &why))
        .inspect(|()| tracing::info!("ended"))
}

/// What the start needed and serving does not is given up before anybody is served.
fn shed(configuration: &Configuration) -> Result<(), Failure> {
    privileges::shed().map_err(|why| Failure::new(ErrorCode::System, format!("could not {why}")))?;
    if configuration.access.serves_others() {
        privileges::hide_memory().map_err(|why| failed("hide its memory", &why))?;
    }
    Ok(())
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

fn read_configuration(options: &DaemonOptions) -> Result<Configuration, BadSetting> {
    let mut layers = Layers::built_in()?;
    for path in usual_files() {
        layers.add_file(&path)?;
    }
    if let Some(path) = &options.config {
        if let Err(error) = fs::metadata(path) {
            return Err(BadSetting { place: path.display().to_string(), why: error.to_string() });
        }
        layers.add_file(path)?;
    }
    layers.add_environment(std::env::vars())?;
    for (key, value) in &options.flags {
        layers.set(key, value.clone(), format!("--{}", key.replace('_', "-")))?;
    }
    Configuration::of(&layers)
}

/// The files that are read if they exist, in order.
pub(crate) fn usual_files() -> Vec<PathBuf> {
    let home = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".config")));
    let mut files = vec![PathBuf::from("/etc/tally/config.toml")];
    files.extend(home.map(|home| home.join("tally/config.toml")));
    files
}

fn start_log(configuration: &Configuration) {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(configuration.log)
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_target(false)
        .finish();
    if tracing::subscriber::set_global_default(subscriber).is_err() {
        drop(writeln!(io::stderr(), "tally: could not start the log: there is one already"));
    }
}

/// Takes the lock beside the socket, and the pid file's. Liveness is the lock, never "the file exists".
fn lock(options: &DaemonOptions, access: &Access) -> Result<Vec<LockFile>, Failure> {
    if let Some(directory) = options.socket.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        doorway::make_directory(directory, access)
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
fn listen(path: &Path, access: &Access) -> Result<Listener, Failure> {
    let what = format!("listen on {}", path.display());
    if !socket::unlink_stale(path).map_err(|why| failed(&what, &why))? {
        return Err(Failure::new(ErrorCode::System, format!("could not {what}: somebody else does")));
    }
    doorway::bind(path, access).map_err(|why| match fs::symlink_metadata(path) {
        Ok(_) => Failure::new(ErrorCode::System, format!("could not {what}: something else is there")),
        Err(_) => failed(&what, &why),
    })
}
