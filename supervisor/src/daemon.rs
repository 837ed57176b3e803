//! `tally daemon`: a supervisor that listens on a socket and outlives its clients.
//!
//! The order of the start: streams, configuration, background (where asked), what was passed on, log, forkserver
//! (before anything else exists), lock, sweep of what a killed predecessor left, socket, signals. Nothing is removed
//! that the lock does not cover. Last, before anybody is served, privileges are given up.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tally_machine::settings::Identity;
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::job::StartMethod;
use tally_sys::lockfile::{AcquireError, LockFile};
use tally_sys::process::Announcer;
use tally_sys::reason::reason;
use tally_sys::signal::{self, Signal};
use tally_sys::socket::{self, Listener};
use tally_sys::{activation, clock, fd, limits, privileges, process};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::WorkerMain;
use crate::background;
use crate::books::OpenedBooks;
use crate::config::{Access, Configuration, Reading, Sources};
use crate::doorway;
use crate::files::FileSets;
use crate::forkserver::Forkserver;
use crate::gather::input;
use crate::groups::Groups;
use crate::inherit::Inheritance;
use crate::metrics::scrapers::Door;
use crate::reload::{Reloader, daemon_settings, failure_of};
use crate::rights::Policy;
use crate::spawn::Nursery;
use crate::succession::{LOCKS, Succession};
use crate::turn::Supervisor;
use crate::upgrade::own_executable;

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
    /// Run in the background, and return when the daemon there listens.
    pub daemonize: bool,
    /// End at once when standard input does: whoever started the daemon holds the other end.
    pub until_eof: bool,
    /// Remove the directory of the socket at the end, if it is empty then: it is that of whoever started the daemon, who may
    /// have been killed.
    pub remove_directory: bool,
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
    // Before there is a log, a lock or a directory.
    policy(&configuration)?;
    if options.check {
        return Ok(());
    }
    let directory = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let life = |options: &DaemonOptions, announcer: &mut Announcer| {
        live(options, &configuration, sources, reading, worker, &directory, announcer)
    };
    if options.daemonize && activation::is_successor() {
        background::go_on(options.clone(), life)
    } else if options.daemonize {
        background::run(options.clone(), life)
    } else {
        life(options, &mut Announcer::nobody())
    }
}

/// The life of a daemon, wherever it runs.
fn live(
    options: &DaemonOptions,
    configuration: &Configuration,
    sources: Sources,
    reading: Reading,
    worker: WorkerMain,
    directory: &Path,
    announcer: &mut Announcer,
) -> Result<(), Failure> {
    let set_level = start_log(options, configuration)?;
    for warning in &reading.warnings {
        tracing::warn!("{warning}");
    }
    let reloader = Reloader::new(sources, reading, set_level, configuration.log_file.clone());
    let mut inherited = Inheritance::take()?;
    signal::ignore(Signal::Pipe).map_err(|why| failed("ignore SIGPIPE", &why))?;
    if options.until_eof {
        input::check().map_err(|why| failed("run the daemon", &why))?;
    }
    if let Err(why) = limits::raise_open_files() {
        tracing::warn!("could not raise the limit of open files: {why}");
    }
    let forkserver = match configuration.start {
        StartMethod::Forkserver => {
            Some(Forkserver::fork(worker, true).map_err(|why| failed("start the forkserver", &why))?)
        }
        StartMethod::Spawn | StartMethod::Fork => None,
    };
    tally_sys::crash::point("before-locks");
    let path = inherited.socket_path(options)?;
    let locks = lock(&path, options.pid_file.as_deref(), &configuration.access, &mut inherited)?;
    let nursery = Nursery { worker_main: worker, forkserver, confine: configuration.confine, groups: None };
    let around = Around { directory, until_eof: options.until_eof };
    match serve(&path, inherited, configuration, reloader, nursery, around, announcer) {
        // The locks stay where they are, in the program that takes over.
        Ok(Some(succession)) => Err(succession.take_place(locks, directory)),
        ended => {
            unlock(locks);
            if options.remove_directory
                && let Some(directory) = path.parent()
                && let Err(why) = std::fs::remove_dir(directory)
            {
                tracing::debug!("could not remove {}: {why}", directory.display());
            }
            ended.map(drop)
        }
    }
}

/// What the daemon was started in.
#[derive(Clone, Copy, Debug)]
struct Around<'a> {
    directory: &'a Path,
    /// It ends with its standard input.
    until_eof: bool,
}

/// All that happens under the lock.
fn serve(
    path: &Path,
    mut inherited: Inheritance,
    configuration: &Configuration,
    reloader: Reloader,
    mut nursery: Nursery,
    around: Around<'_>,
    announcer: &mut Announcer,
) -> Result<Option<Succession>, Failure> {
    let swept = tally_transport::sweep();
    tracing::debug!("swept: {swept:?}");
    let policy = policy(configuration)?;
    let door = Door::open(&configuration.metrics_listen)
        .map_err(|why| failed(&format!("serve metrics at {}", configuration.metrics_listen), &why))?;
    let books = OpenedBooks::open(&configuration.state_dir)?;
    let listener = match inherited.listener.map_or_else(|| listen(path, &configuration.access), Ok) {
        Ok(listener) => listener,
        Err(failure) => {
            door.into_iter().for_each(Door::close);
            return Err(failure);
        }
    };
    let identity = Identity {
        pid: process::own_pid().raw().unsigned_abs(),
        uid: process::own_uid(),
        socket: Some(path.display().to_string()),
    };
    let mut settings = daemon_settings(configuration, identity);
    shed(path)?;
    // With what is left of its rights, as its workers have no more when they make some.
    nursery.groups = Groups::begin(path, nursery.forkserver.as_ref().map(Forkserver::pid));
    settings.wall_ms_at_zero = clock::wall_ms();
    settings.seed = settings.wall_ms_at_zero;
    settings.durable = books.is_some();
    let (mut saved, store) = books.map(OpenedBooks::parts).unzip();
    let mut files = FileSets::default();
    if let Some(saved) = &mut saved {
        files.reopen(saved, std::mem::take(&mut inherited.files));
    }
    Supervisor::new(clock::monotonic_ns(), settings, nursery, files, saved)
        .and_then(|mut supervisor| {
            if let Some((lock, store)) = store {
                supervisor.keep_books(lock, store)?;
            }
            supervisor.work_aside()?;
            supervisor.reloader = Some(reloader);
            supervisor.clients.make_room(configuration.workers, configuration.clients_max);
            supervisor.clients.open_to(policy, configuration.access.connections_per_user);
            supervisor.open_metrics_door(door)?;
            supervisor.take_over_objects(inherited.lockers.objects.take());
            supervisor.take_over_lockers(inherited.lockers);
            supervisor.listen(listener)?;
            if around.until_eof {
                supervisor.live_by_input()?;
            }
            supervisor.service = inherited.service;
            for (name, fds) in supervisor.files.all_stored() {
                supervisor.service.store(&name, fds);
            }
            supervisor.tell_start(configuration);
            tracing::info!("listening on {}", path.display());
            announcer.ready();
            supervisor.executable = own_executable();
            around.directory.clone_into(&mut supervisor.directory);
            supervisor.run()?;
            let service = std::mem::take(&mut supervisor.service);
            let heir = supervisor.successor.take().zip(supervisor.resting.take());
            let files = std::mem::take(&mut supervisor.files).into_kept();
            let lockers = std::mem::take(&mut supervisor.handed_over);
            Ok(heir.map(|(binary, listener)| Succession { binary, listener, files, service, lockers }))
        })
        .map_err(|why| failed("run the daemon", &why))
        .inspect(|_| tracing::info!("ended"))
}

/// Who may do what. The groups must be there.
fn policy(configuration: &Configuration) -> Result<Policy, Failure> {
    doorway::group(&configuration.access)
        .and_then(|_| Policy::of(&configuration.access))
        .map_err(|why| Failure::new(ErrorCode::BadUsage, format!("could not read the configuration: {why}")))
}

/// What the start needed and serving does not is given up before anybody is served.
fn shed(socket: &Path) -> Result<(), Failure> {
    privileges::shed().map_err(|why| Failure::new(ErrorCode::System, format!("could not {why}")))?;
    if doorway::is_open_to_others(socket) {
        doorway::check_reach(socket);
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
pub(crate) fn failed(what: &str, why: &io::Error) -> Failure {
    let code = match why.kind() {
        io::ErrorKind::PermissionDenied => ErrorCode::NotPermitted,
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidFilename => ErrorCode::BadUsage,
        _ => ErrorCode::System,
    };
    Failure::new(code, format!("could not {what}: {}", reason(why)))
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
fn start_log(
    options: &DaemonOptions,
    configuration: &Configuration,
) -> Result<Box<dyn Fn(tracing::Level)>, Failure> {
    let places = crate::output::places(configuration.log_file.as_deref(), options.daemonize)?;
    let (filter, switch) = crate::log::level_filter(configuration.log);
    let subscriber = tracing_subscriber::registry().with(places).with(filter);
    if tracing::subscriber::set_global_default(subscriber).is_err() {
        drop(writeln!(io::stderr(), "tally: could not start the log: there is one already"));
    }
    Ok(Box::new(move |level| switch.set(level)))
}

/// Takes the lock beside the socket, and the pid file's. Liveness is the lock, never "the file exists".
fn lock(
    socket: &Path,
    pid_file: Option<&Path>,
    access: &Access,
    inherited: &mut Inheritance,
) -> Result<Vec<LockFile>, Failure> {
    if let Some(directory) = socket.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        doorway::make_directory(directory, access)
            .map_err(|why| failed(&format!("make the directory {}", directory.display()), &why))?;
    }
    let mut beside = socket.as_os_str().to_owned();
    beside.push(".lock");
    let mut locks = Vec::new();
    let paths = std::iter::once(PathBuf::from(beside)).chain(pid_file.map(Path::to_path_buf));
    for (path, name) in paths.zip(LOCKS) {
        match inherited.lock(name, &path).map_or_else(|| LockFile::acquire(&path), Ok) {
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
