//! What the root binary lends to the command line: it alone knows all roles.
//!
//! Plain data and function references. Nothing here may name a supervisor's or a worker's insides.

use std::fmt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use crate::inputs::Inputs;
use crate::studies::Studies;
use tally_protocol::error::Failure;
use tally_protocol::job::{JobSpec, StartMethod, Transport};
use tally_protocol::settings::{ConfigView, FaultView};
use tally_reduce::Tally;
use tally_sys::process::Child;

/// Told how many elements are folded so far, every few milliseconds, on the thread that called the fold.
/// Returning false stops the fold early.
pub type ProgressFn<'a> = dyn FnMut(u64) -> bool + 'a;

/// Folds a job over its files in this process.
pub type FoldFn<'a> =
    dyn Fn(&JobSpec, &Inputs, FoldMode, &mut ProgressFn<'_>) -> Result<FoldOutcome, Failure> + 'a;

/// Finds what is wrong with a job; `Ok` has what is told of its files, if anything.
pub type CheckFn<'a> = dyn Fn(&mut JobSpec, &Inputs) -> Result<Option<String>, Failure> + 'a;

/// The roles that the command line needs but is not.
#[derive(Clone, Copy)]
pub struct Roles<'a> {
    /// Forks a private supervisor that lives for this one command and ends when its client hangs up.
    pub private: &'a dyn Fn(&PrivateOptions) -> Result<PrivateSupervisor, Failure>,
    /// Folds in this very process. A fold that was stopped early is an `Err` of code `Cancelled`.
    pub fold: &'a FoldFn<'a>,
    /// Finds what is wrong with a job's expressions, columns and formats, without folding anything; notes whether it is
    /// of floats; says what its files were taken for, if that may be wrong.
    pub check: &'a CheckFn<'a>,
    /// Runs the daemon in this process until it ends.
    pub daemon: &'a dyn Fn(DaemonOptions) -> Result<(), Failure>,
    /// Reads the settings that a daemon started now would have.
    pub settings: &'a dyn Fn(&SettingsOptions) -> SettingsReading,
    /// Whether a daemon that started now could keep jobs.
    pub store: &'a dyn Fn() -> Result<StoreReading, Failure>,
    /// Studies, and the drawing of charts.
    pub studies: Studies<'a>,
    /// The built-in `config.toml`.
    pub built_in_settings: &'a str,
    /// What can be typed that other roles know.
    pub words: Words,
}

/// What can be typed into an expression or for a setting, for the completion of a line.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// The columns of a file by its first bytes, as an expression spells them.
    pub columns: fn(ColumnsOf<'_>) -> Vec<String>,
    /// The names of all functions.
    pub functions: fn() -> Vec<&'static str>,
    /// The keys of all settings.
    pub settings: fn() -> Vec<&'static str>,
}

/// A file whose columns are asked for.
#[derive(Clone, Debug)]
pub struct ColumnsOf<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its first bytes.
    pub head: Vec<u8>,
    /// What `--format` says.
    pub format: Option<&'a str>,
    /// What `--delimiter` says.
    pub delimiter: Option<u8>,
    /// Its first row has names.
    pub header: bool,
}

impl fmt::Debug for Roles<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roles").finish_non_exhaustive()
    }
}

/// How a private supervisor is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrivateOptions {
    /// Worker slots; the number of processors when absent.
    pub workers: Option<u32>,
    /// Link of its workers.
    pub transport: Option<Transport>,
    /// Start method of its workers.
    pub start: Option<StartMethod>,
    /// The command makes more than one request.
    pub many_requests: bool,
}

/// A private supervisor that runs.
#[derive(Debug)]
pub struct PrivateSupervisor {
    /// The client's end of a socket pair; blocking. When it closes, the supervisor ends.
    pub stream: UnixStream,
    /// The supervisor's process, to wait for its end and to tell how it ended. `None` only where it is no
    /// process of its own: in tests.
    pub child: Option<Child>,
}

/// Where a fold in this process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoldMode {
    /// On the calling thread.
    Inline,
    /// On this many threads, at least 1.
    Threads(u16),
}

/// What a fold in this process came to.
#[derive(Clone, Debug)]
pub struct FoldOutcome {
    /// The partial of all elements.
    pub partial: Tally,
    /// What each thread did.
    pub shares: Vec<Share>,
}

/// What one thread did.
#[derive(Clone, Debug)]
pub struct Share {
    /// Positions it folded: first position and how many, in order.
    pub ranges: Vec<(u64, u64)>,
    /// The partial of these.
    pub partial: Tally,
    /// Time it spent folding.
    pub busy_ns: u64,
}

impl DaemonOptions {
    /// All settings that the command line gave: key and value.
    #[must_use]
    pub fn flags(&self) -> Vec<(String, String)> {
        let given = [
            ("transport", self.transport.map(Transport::name)),
            ("start", self.start.map(StartMethod::name)),
        ];
        let given = given.into_iter().filter_map(|(key, name)| Some((key.to_owned(), name?.to_owned())));
        given.chain(self.settings.iter().cloned()).collect()
    }
}

/// What `tally daemon` was asked for. Absent settings take the configuration's values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DaemonOptions {
    /// A configuration file on top of the usual ones.
    pub config: Option<PathBuf>,
    /// The control socket, from `--socket` or `TALLY_SOCKET`.
    pub socket: Option<PathBuf>,
    /// The control socket where no setting names one; `None` when this user has no place for it.
    pub default_socket: Option<PathBuf>,
    /// Where to write the process id.
    pub pid_file: Option<PathBuf>,
    /// Link of the workers.
    pub transport: Option<Transport>,
    /// Start method of the workers.
    pub start: Option<StartMethod>,
    /// Only check the configuration.
    pub check: bool,
    /// Run in the background, and return when the daemon there listens.
    pub daemonize: bool,
    /// End when standard input does.
    pub until_eof: bool,
    /// Remove the directory of the socket at the end, if it is empty then.
    pub remove_directory: bool,
    /// Further settings: key of `config.toml` and value.
    pub settings: Vec<(String, String)>,
}

/// Which settings to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettingsOptions {
    /// A configuration file on top of the usual ones.
    pub config: Option<PathBuf>,
    /// This file on top of the built-in settings and nothing else.
    pub alone: Option<PathBuf>,
    /// Settings of the command line on top of all: key and value.
    pub flags: Vec<(String, String)>,
}

/// Settings as they were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettingsReading {
    /// What would be in force.
    pub view: ConfigView,
    /// Everything that is wrong.
    pub faults: Vec<FaultView>,
    /// The files that were there.
    pub files: Vec<PathBuf>,
}

/// What `tally self-test` finds of the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreReading {
    /// Where jobs would be kept; `None` for nowhere.
    pub directory: Option<PathBuf>,
    /// Bytes of the file that is there.
    pub bytes: Option<u64>,
    /// Records in it.
    pub rows: Option<u64>,
    /// Bytes that this user may still write there.
    pub free_bytes: Option<u64>,
    /// The process that has it open; 0 when it cannot be seen.
    pub held_by: Option<u32>,
    /// What an operator should know.
    pub notes: Vec<String>,
    /// What is wrong, as it reads after "could not", and what to do about it.
    pub fault: Option<(String, String)>,
}
