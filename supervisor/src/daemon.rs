//! `tally daemon`: a supervisor that listens on a socket and outlives its clients.
//!
//! The order of the start: streams, configuration, background (where asked), what was passed on, log, forkserver
//! (before anything else exists), lock, sweep of what a killed predecessor left, socket, signals. Nothing is removed
//! that the lock does not cover.

use std::fs::{self, DirBuilder};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::job::StartMethod;
use tally_sys::lockfile::{AcquireError, LockFile};
use tally_sys::signal::{self, Signal};
use tally_sys::socket::{self, Listener};
use tally_sys::{clock, fd, limits, process};

use tally_sys::process::Announcer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::WorkerMain;
use crate::background;
use crate::config::{BadSetting, Configuration, Layers};
use crate::forkserver::Forkserver;
use crate::inherit::Inheritance;
use crate::spawn::Nursery;
use crate::turn::Supervisor;

/// What the command line says about the daemon.
#[derive(Clone, Debug, Default)]
pub struct DaemonOptions {
    /// A configuration file besides the usual ones; it must exist.
    pub config: Option<PathBuf>,
    /// Where to listen, as the user named it.
    pub socket: Option<PathBuf>,
    /// Where to listen if nobody named or passed a socket.
    pub default_socket: Option<PathBuf>,
    /// A file that holds the pid and is locked while the daemon lives.
    pub pid_file: Option<PathBuf>,
    /// A file that takes the log.
    pub log_file: Option<PathBuf>,
    /// Run in the background, and return when the daemon there listens.
    pub daemonize: bool,
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
    if options.daemonize {
        return background::run(options.clone(), |options, announcer| {
            live(options, &configuration, worker, announcer)
        });
    }
    live(options, &configuration, worker, &mut Announcer::nobody())
}

/// The life of a daemon, wherever it runs.
fn live(
    options: &DaemonOptions,
    configuration: &Configuration,
    worker: WorkerMain,
    announcer: &mut Announcer,
) -> Result<(), Failure> {
    start_log(options, configuration)?;
    let inherited = Inheritance::take()?;
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
    let path = inherited.socket_path(options)?;
    let locks = lock(&path, options.pid_file.as_deref())?;
    let result =
        serve(&path, inherited, configuration, Nursery { worker_main: worker, forkserver }, announcer);
    unlock(locks);
    result
}

/// All that happens under the lock.
fn serve(
    path: &Path,
    inherited: Inheritance,
    configuration: &Configuration,
    nursery: Nursery,
    announcer: &mut Announcer,
) -> Result<(), Failure> {
    let swept = tally_transport::sweep();
    tracing::debug!("swept: {swept:?}");
    let listener = match inherited.listener {
        Some(listener) => listener,
        None => listen(path)?,
    };
    let mut settings = configuration.settings();
    settings.eager = true;
    settings.wall_ms_at_zero = clock::wall_ms();
    settings.seed = settings.wall_ms_at_zero;
    settings.identity.pid = process::own_pid().raw().unsigned_abs();
    settings.identity.socket = Some(path.display().to_string());
    Supervisor::new(clock::monotonic_ns(), settings, nursery)
        .and_then(|mut supervisor| {
            supervisor.listen(listener)?;
            supervisor.service = inherited.service;
            tracing::info!("listening on {}", path.display());
            announcer.ready();
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
pub(crate) fn failed(what: &str, why: &io::Error) -> Failure {
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

fn start_log(options: &DaemonOptions, configuration: &Configuration) -> Result<(), Failure> {
    let places = crate::output::places(options.log_file.as_deref(), options.daemonize)?;
    let filter = LevelFilter::from_level(configuration.log);
    let subscriber = tracing_subscriber::registry().with(places).with(filter);
    if tracing::subscriber::set_global_default(subscriber).is_err() {
        drop(writeln!(io::stderr(), "tally: could not start the log: there is one already"));
    }
    Ok(())
}

/// Takes the lock beside the socket, and the pid file's. Liveness is the lock, never "the file exists".
fn lock(socket: &Path, pid_file: Option<&Path>) -> Result<Vec<LockFile>, Failure> {
    if let Some(directory) = socket.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|why| failed(&format!("make the directory {}", directory.display()), &why))?;
    }
    let mut beside = socket.as_os_str().to_owned();
    beside.push(".lock");
    let mut locks = Vec::new();
    for path in std::iter::once(PathBuf::from(beside)).chain(pid_file.map(Path::to_path_buf)) {
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
