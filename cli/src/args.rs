//! What can be typed: the table of commands and options.
//!
//! This is only what was typed; `meaning` turns it into what it means. Parsing goes through `marks` (negative
//! numbers) and every refusal through `refusal` (the form of the contract's errors).

pub(crate) mod batch;
pub(crate) mod care;
pub(crate) mod help;
pub(crate) mod kernel;
pub(crate) mod lists;
pub(crate) mod locks;
mod marks;
pub(crate) mod objects;
pub(crate) mod parts;
mod refusal;
pub(crate) mod studies;
pub(crate) mod top;
mod topics;
pub(crate) mod values;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::builder::Resettable;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use tally_protocol::error::Failure;
use tally_protocol::ids::JobId;
use tally_protocol::job::{Nan, OnBad, StartMethod, Transport};

use values::{ConfigWhat, Mode, Partitions, ProgressWhen, When};

/// A command line as it was typed.
#[derive(Clone, Debug, PartialEq, Parser)]
#[command(
    name = "tally",
    version,
    about = help::ABOUT,
    disable_help_subcommand = true,
    disable_help_flag = true,
    override_help = help::SHORT,
    max_term_width = 80,
    color = clap::ColorChoice::Never,
    subcommand_value_name = "COMMAND"
)]
pub(crate) struct Line {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Options of every command.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Common {
    /// Socket of a daemon that must be there [or TALLY_SOCKET]
    #[arg(long, global = true, value_name = "PATH", value_parser = values::paths())]
    pub(crate) socket: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// No progress and no notes
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// What each worker did, on standard error
    #[arg(long, global = true)]
    pub(crate) verbose: bool,
    /// Colour: auto, always, never
    #[arg(long, global = true, value_name = "WHEN", hide_short_help = true, value_parser = values::when)]
    pub(crate) color: Option<When>,
    /// How long to wait for a daemon that went away in the middle [default: 10s]
    #[arg(long, global = true, value_name = "TIME", hide_short_help = true, value_parser = values::reconnect)]
    pub(crate) reconnect: Option<u64>,
    /// This help; --help tells more than -h
    #[arg(short, long, global = true, action = clap::ArgAction::Help)]
    pub(crate) help: Option<bool>,
}

/// The commands.
#[derive(Clone, Debug, PartialEq, Subcommand)]
pub(crate) enum Command {
    /// Add up
    #[command(before_long_help = help::SUM)]
    Sum(ReductionArgs),
    /// Multiply
    #[command(before_long_help = help::PRODUCT)]
    Product(ReductionArgs),
    /// Find the least
    #[command(before_long_help = help::MIN)]
    Min(ReductionArgs),
    /// Find the greatest
    #[command(before_long_help = help::MAX)]
    Max(ReductionArgs),
    /// Count
    #[command(before_long_help = help::COUNT)]
    Count(ReductionArgs),
    /// Compute the arithmetic mean, correctly rounded
    #[command(before_long_help = help::MEAN)]
    Mean(ReductionArgs),
    /// Compute the variance, correctly rounded
    #[command(before_long_help = help::VARIANCE)]
    Variance(ReductionArgs),
    /// Compute the standard deviation, correctly rounded
    #[command(before_long_help = help::STDDEV)]
    Stddev(ReductionArgs),
    /// Compute several reductions in one pass
    #[command(before_long_help = help::REDUCE)]
    Reduce(ReduceArgs),
    /// Compute the factorial of N, the product of 1..=N
    #[command(before_long_help = help::FACTORIAL)]
    Factorial(FactorialArgs),
    /// Run many jobs, one a line of a file or of standard input
    #[command(before_long_help = help::BATCH)]
    Batch(batch::BatchArgs),
    /// Read numbers, one a line, and print the reduction so far after each
    #[command(before_long_help = help::RUNNING)]
    Running(studies::RunningArgs),
    /// Run the same job inline, on threads, on processes: time, CPU, memory
    #[command(before_long_help = help::COMPARE)]
    Compare(Box<studies::CompareArgs>),
    /// Show what goes wrong when processes share things, and what cures it
    #[command(before_long_help = help::LAB)]
    Lab(studies::LabArgs),
    /// One datum that processes share: a number, a text, bytes
    #[command(before_long_help = help::VALUE, mut_arg("words", |one| one.help(objects::OF_A_VALUE)))]
    Value(objects::PlainArgs),
    /// Data by keys that processes share
    #[command(before_long_help = help::DICT, mut_arg("words", |one| one.help(objects::OF_A_DICT)))]
    Dict(objects::PlainArgs),
    /// Data in a row that processes share
    #[command(before_long_help = help::LIST)]
    List(objects::ListArgs),
    /// Items for one consumer each; none is lost when that dies
    #[command(before_long_help = help::QUEUE)]
    Queue(Box<objects::QueueArgs>),
    /// Wait until somebody sets it
    #[command(before_long_help = help::EVENT)]
    Event(objects::EventArgs),
    /// Wait for each other
    #[command(before_long_help = help::BARRIER)]
    Barrier(objects::BarrierArgs),
    /// Count, exact sum, least, greatest and mean of numbers from many processes
    #[command(before_long_help = help::STATS, mut_arg("words", |one| one.help(objects::OF_STATS)))]
    Stats(objects::PlainArgs),
    /// List what processes share, remove it, change much of it at once
    #[command(before_long_help = help::OBJECTS)]
    Objects(objects::ObjectsArgs),
    /// Print the changes of an object as they come
    #[command(before_long_help = help::WATCH)]
    Watch(objects::WatchArgs),
    /// List the jobs of the daemon
    #[command(before_long_help = help::JOBS)]
    Jobs(lists::JobsArgs),
    /// Show one job with all that happened to it
    #[command(before_long_help = help::SHOW)]
    Show(top::ShowArgs),
    /// Tell why a job waits
    #[command(before_long_help = help::EXPLAIN)]
    Explain(OneJob),
    /// Wait until jobs have ended; the exit code is the worst of theirs
    #[command(before_long_help = help::WAIT)]
    Wait {
        /// The jobs
        #[arg(value_name = "JOB", required = true, value_parser = values::job)]
        jobs: Vec<JobId>,
    },
    /// Print the answer of a job that has ended
    #[command(before_long_help = help::RESULT)]
    Result(OneJob),
    /// Show a job's progress until it ends, then its answer
    #[command(before_long_help = help::FOLLOW)]
    Follow {
        #[command(flatten)]
        one: OneJob,
        /// Progress: auto, always, never, json
        #[arg(long, value_name = "WHEN", value_parser = values::progress)]
        progress: Option<ProgressWhen>,
    },
    /// End jobs
    #[command(before_long_help = help::CANCEL)]
    Cancel {
        /// The jobs
        #[arg(value_name = "JOB", required_unless_present = "all", conflicts_with = "all", value_parser = values::job)]
        jobs: Vec<JobId>,
        /// Every open job
        #[arg(long)]
        all: bool,
    },
    /// Give a job no more work until it is resumed
    #[command(before_long_help = help::PAUSE)]
    Pause(OneJob),
    /// Go on with a paused job
    #[command(before_long_help = help::RESUME)]
    Resume(OneJob),
    /// Try a failed, cancelled or timed-out job again, from where it was
    #[command(before_long_help = help::RETRY)]
    Retry(OneJob),
    /// Run a command while it alone holds a lock of the daemon, or shares it
    #[command(before_long_help = help::LOCK)]
    Lock(locks::LockArgs),
    /// Run a command while it holds permits of a semaphore of the daemon
    #[command(before_long_help = help::SEMAPHORE)]
    Semaphore(locks::SemaphoreArgs),
    /// List who holds and who waits for locks and semaphores
    #[command(before_long_help = help::LOCKS)]
    Locks(lists::ListOptions),
    /// List the last deadlocks that were refused, with all that waited
    #[command(before_long_help = help::DEADLOCKS)]
    Deadlocks,
    /// Run the daemon
    #[command(before_long_help = help::DAEMON)]
    Daemon(Box<DaemonArgs>),
    /// Tell whether the daemon runs, and what it does; exit 0 or 3
    #[command(before_long_help = help::STATUS)]
    Status,
    /// List the daemon's workers
    #[command(before_long_help = help::WORKERS)]
    Workers(lists::ListOptions),
    /// Watch the daemon: jobs, workers, locks, objects; keys change what is shown
    #[command(before_long_help = help::TOP)]
    Top(Box<top::TopArgs>),
    /// Ask the daemon for a sign of life
    #[command(before_long_help = help::PING)]
    Ping {
        /// Give up after this time [default: 5s]
        #[arg(long, value_name = "TIME", value_parser = values::duration)]
        timeout: Option<u64>,
    },
    /// Let the daemon read its configuration again
    #[command(before_long_help = help::RELOAD)]
    Reload,
    /// Print the daemon's counters and figures as OpenMetrics text
    #[command(before_long_help = help::METRICS)]
    Metrics,
    /// Let the daemon finish the open jobs, take no new ones, then end
    #[command(before_long_help = help::DRAIN)]
    Drain,
    /// End the daemon
    #[command(before_long_help = help::STOP)]
    Stop {
        /// Without letting workers finish what they are at
        #[arg(long)]
        now: bool,
    },
    /// Have a new binary take the daemon over, on the same socket
    #[command(before_long_help = help::UPGRADE)]
    Upgrade {
        /// Which [default: the one that is now where the daemon's was]
        #[arg(long, value_name = "PATH", value_parser = values::paths())]
        binary: Option<PathBuf>,
    },
    /// Print the daemon's whole state, to look for a defect
    #[command(before_long_help = help::DUMP)]
    Dump,
    /// Check this installation: limits, links, socket, store; exit 0 or 1
    #[command(name = "self-test", before_long_help = help::SELF_TEST)]
    SelfTest,
    /// Collect what helps to find a defect
    #[command(before_long_help = help::DEBUG)]
    Debug(care::DebugArgs),
    /// Show settings with their origin, check them, print the defaults
    #[command(before_long_help = help::CONFIG)]
    Config(ConfigArgs),
    /// Explain a command or a topic
    #[command(before_long_help = help::HELP)]
    Help {
        /// A command or a topic
        #[arg(value_name = "COMMAND|TOPIC", value_parser = values::text)]
        about: Option<String>,
        /// With json: the name of a schema, such as jobs
        #[arg(value_name = "NAME", value_parser = values::text)]
        word: Option<String>,
    },
    /// Show a page of the manual, list the pages, or install them
    #[command(before_long_help = help::MAN)]
    Man {
        /// Such as sum, tally-sum, tally.toml, expressions
        #[arg(value_name = "PAGE", value_parser = values::text, conflicts_with = "install")]
        page: Option<String>,
        /// Write all pages into a directory [default: ~/.local/share/man]
        #[arg(long, value_name = "DIR", num_args = 0..=1, value_parser = values::paths())]
        install: Option<Option<PathBuf>>,
    },
    /// Print what has a shell complete command lines
    #[command(before_long_help = help::COMPLETION)]
    Completion {
        /// bash, zsh or fish
        #[arg(value_name = "SHELL", value_parser = values::text)]
        shell: String,
    },
}

/// A command about one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub(crate) struct OneJob {
    /// The job, such as j17
    #[arg(value_name = "JOB", value_parser = values::job)]
    pub(crate) job: JobId,
}

/// `tally sum SOURCE...`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct ReductionArgs {
    /// A range: 0..100, 1..=8_000_000, -5..5; or files
    #[arg(value_name = "SOURCE", required = true, value_parser = values::text)]
    pub(crate) sources: Vec<String>,
    #[command(flatten)]
    pub(crate) options: ReductionOptions,
}

/// `tally reduce LIST SOURCE...`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct ReduceArgs {
    /// Reductions with commas between them: sum,min,max,mean
    #[arg(value_name = "LIST", value_parser = values::text)]
    pub(crate) list: String,
    #[command(flatten)]
    pub(crate) rest: ReductionArgs,
}

/// `tally factorial N`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct FactorialArgs {
    /// An integer, 0 or more
    #[arg(value_name = "N", value_parser = values::text)]
    pub(crate) n: String,
    #[command(flatten)]
    pub(crate) options: ReductionOptions,
}

/// Options of every reduction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Options")]
pub(crate) struct ReductionOptions {
    /// An expression in i, or in the columns of a file
    #[arg(long, value_name = "EXPR", value_parser = values::text)]
    pub(crate) of: Option<String>,
    /// Only the elements for which this is true
    #[arg(long = "where", value_name = "EXPR", value_parser = values::text)]
    pub(crate) filter: Option<String>,
    /// One answer for each value of these columns
    #[arg(long, value_name = "COLUMN", value_delimiter = ',', hide_short_help = true)]
    pub(crate) by: Vec<String>,
    /// Cells that are no numbers, and what has no answer: error, skip, nan
    #[arg(long, value_name = "WHAT", hide_short_help = true, value_parser = values::on_bad)]
    pub(crate) on_bad: Option<OnBad>,
    /// Elements that are NaN: keep, skip
    #[arg(long, value_name = "WHAT", hide_short_help = true, value_parser = values::nan)]
    pub(crate) nan: Option<Nan>,
    /// Read and add decimal text exactly
    #[arg(long, hide_short_help = true)]
    pub(crate) decimal: bool,
    /// How files are read: csv, tsv, lines, npy, parquet, f64le, i32be, u8, ...
    #[arg(long, value_name = "FORMAT", hide_short_help = true, value_parser = values::text)]
    pub(crate) format: Option<String>,
    /// What stands between the cells of a row
    #[arg(long, value_name = "CHAR", hide_short_help = true, value_parser = values::text)]
    pub(crate) delimiter: Option<String>,
    /// The first row of a table has cells, not names
    #[arg(long, hide_short_help = true)]
    pub(crate) no_header: bool,
    /// Every N-th number; a negative step walks down
    #[arg(long, value_name = "N", hide_short_help = true, value_parser = values::step)]
    pub(crate) step: Option<String>,
    /// Variance of a population, not of a sample
    #[arg(long, hide_short_help = true)]
    pub(crate) population: bool,
    /// Processes or threads [default: one a processor]
    #[arg(long, value_name = "N", value_parser = values::workers)]
    pub(crate) workers: Option<u32>,
    /// Where the work is done: processes, threads, inline
    #[arg(long, value_name = "MODE", value_parser = values::mode)]
    pub(crate) mode: Option<Mode>,
    /// How workers are started: forkserver, spawn, fork
    #[arg(long, value_name = "METHOD", hide_short_help = true, value_parser = values::start)]
    pub(crate) start: Option<StartMethod>,
    /// How workers are linked: shm, shm-named, pipe, mqueue, channel
    #[arg(long, value_name = "LINK", hide_short_help = true, value_parser = values::transport)]
    pub(crate) transport: Option<Transport>,
    /// Pieces the work is cut into; auto chooses sizes as it measures
    #[arg(long, value_name = "N|auto", hide_short_help = true, value_parser = values::partitions)]
    pub(crate) partitions: Option<Partitions>,
    /// Failures of a range, the first one too, until it is taken for guilty
    #[arg(long, value_name = "N", hide_short_help = true, value_parser = values::retries)]
    pub(crate) retries: Option<u32>,
    /// Give up after this time: 30s, 500ms, 2m, 1h
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub(crate) timeout: Option<u64>,
    /// Address space of each worker, in binary units: 512M is 512 MiB
    #[arg(long, value_name = "SIZE", hide_short_help = true, value_parser = values::size)]
    pub(crate) memory_limit: Option<u64>,
    /// Niceness of the workers, 0 to 19
    #[arg(long, value_name = "N", hide_short_help = true, value_parser = values::nice)]
    pub(crate) nice: Option<i32>,
    /// Jobs of higher priority go first [default: 0]
    #[arg(long, value_name = "N", hide_short_help = true, value_parser = values::priority)]
    pub(crate) priority: Option<i32>,
    /// Leave the job with the daemon and print its id
    #[arg(long)]
    pub(crate) detach: bool,
    /// Never use a daemon
    #[arg(long, hide_short_help = true)]
    pub(crate) local: bool,
    /// Progress: auto, always, never, json
    #[arg(long, value_name = "WHEN", hide_short_help = true, value_parser = values::progress)]
    pub(crate) progress: Option<ProgressWhen>,
    #[command(flatten)]
    pub(crate) kernel: kernel::KernelArgs,
}

/// `tally config`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(next_help_heading = "Options")]
pub(crate) struct ConfigArgs {
    /// show, check or default
    #[arg(value_name = "WHAT", value_parser = values::config_what)]
    pub(crate) what: ConfigWhat,
    /// For show, this setting alone; or only this file on top of the built-in settings:
    /// no other file, no variable
    #[arg(value_name = "KEY|FILE", value_parser = values::paths())]
    pub(crate) file: Option<PathBuf>,
    /// Configuration file, on top of the usual ones
    #[arg(long, value_name = "FILE", value_parser = values::paths())]
    pub(crate) config: Option<PathBuf>,
}

/// `tally daemon`
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Options")]
pub(crate) struct DaemonArgs {
    /// Configuration file, on top of the usual ones
    #[arg(long, value_name = "FILE", value_parser = values::paths())]
    pub(crate) config: Option<PathBuf>,
    /// Stay in the foreground, which is the default
    #[arg(long, conflicts_with = "daemonize")]
    pub(crate) foreground: bool,
    /// Run in the background; returns when the daemon listens
    #[arg(long)]
    pub(crate) daemonize: bool,
    /// End at once when standard input ends: for a program that starts a daemon of its own
    #[arg(long, conflicts_with = "daemonize", hide_short_help = true)]
    pub(crate) until_eof: bool,
    /// Remove the directory of the socket at the end, if nothing is left in it
    #[arg(long, requires = "until_eof", hide = true)]
    pub(crate) remove_directory: bool,
    /// Write the log to this file instead of standard error or the journal
    #[arg(long, value_name = "PATH", value_parser = values::paths())]
    pub(crate) log_file: Option<PathBuf>,
    /// Write the process id to this file
    #[arg(long, value_name = "PATH", value_parser = values::paths())]
    pub(crate) pid_file: Option<PathBuf>,
    /// Only check the configuration
    #[arg(long)]
    pub(crate) check: bool,
    /// Worker processes, or auto for one a processor
    #[arg(long, value_name = "N", value_parser = values::workers_or_auto)]
    pub(crate) workers: Option<String>,
    /// How workers are linked: shm, shm-named, pipe, mqueue, channel
    #[arg(long, value_name = "LINK", value_parser = values::transport)]
    pub(crate) transport: Option<Transport>,
    /// How workers are started: forkserver, spawn, fork
    #[arg(long, value_name = "METHOD", value_parser = values::start)]
    pub(crate) start: Option<StartMethod>,
    /// What to log: error, warn, info, debug
    #[arg(long, value_name = "LEVEL", value_parser = values::log_level)]
    pub(crate) log: Option<String>,
    #[command(flatten)]
    pub(crate) settings: SettingArgs,
}

/// The rest of config.toml, a flag for each key; ranges are the configuration's to check.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Settings (see config.toml)")]
pub(crate) struct SettingArgs {
    /// Address space of a worker, or none
    #[arg(long, value_name = "MIB", hide_short_help = true)]
    memory_limit_mib: Option<String>,
    /// Workers a range may kill
    #[arg(long, value_name = "N", hide_short_help = true)]
    retries: Option<u64>,
    /// Priority of jobs that do not say
    #[arg(long, value_name = "N", hide_short_help = true, allow_hyphen_values = true)]
    priority: Option<String>,
    /// Silence after which a worker is killed
    #[arg(long, value_name = "MS", hide_short_help = true)]
    lease_ms: Option<u64>,
    /// Time a worker has to get ready
    #[arg(long, value_name = "MS", hide_short_help = true)]
    start_ms: Option<u64>,
    /// From the polite to the hard end of a worker
    #[arg(long, value_name = "MS", hide_short_help = true)]
    grace_ms: Option<u64>,
    /// Time open jobs have after the first SIGTERM
    #[arg(long, value_name = "MS", hide_short_help = true)]
    drain_ms: Option<u64>,
    /// Idle deaths borne without delay
    #[arg(long, value_name = "N", hide_short_help = true)]
    restart_intensity: Option<u64>,
    /// Window in which they are counted
    #[arg(long, value_name = "MS", hide_short_help = true)]
    restart_window_ms: Option<u64>,
    /// First delay of a restart
    #[arg(long, value_name = "MS", hide_short_help = true)]
    backoff_first_ms: Option<u64>,
    /// Longest delay of a restart
    #[arg(long, value_name = "MS", hide_short_help = true)]
    backoff_most_ms: Option<u64>,
    /// Health that resets the delay
    #[arg(long, value_name = "MS", hide_short_help = true)]
    backoff_reset_ms: Option<u64>,
    /// Least work of a partition
    #[arg(long, value_name = "MS", hide_short_help = true)]
    partition_least_ms: Option<u64>,
    /// Most work of a partition
    #[arg(long, value_name = "MS", hide_short_help = true)]
    partition_most_ms: Option<u64>,
    /// Partitions a worker may hold
    #[arg(long, value_name = "N", hide_short_help = true)]
    leases_max: Option<u64>,
    /// Jobs that may be open
    #[arg(long, value_name = "N", hide_short_help = true)]
    jobs_open_max: Option<u64>,
    /// Clients that may be connected
    #[arg(long, value_name = "N", hide_short_help = true)]
    clients_max: Option<u64>,
    /// Whether workers are confined: true, false
    #[arg(long, value_name = "YES", hide_short_help = true)]
    confine: Option<String>,
    /// Who may connect: 0600, 0660, 0666
    #[arg(long, value_name = "MODE", hide_short_help = true)]
    socket_mode: Option<String>,
    /// Where detached jobs are kept: auto, none, or a directory
    #[arg(long, value_name = "DIR", hide_short_help = true)]
    state_dir: Option<String>,
    /// Milliseconds between two writes of a job's progress
    #[arg(long, value_name = "N", hide_short_help = true)]
    checkpoint_ms: Option<u64>,
    /// Ended jobs that are remembered
    #[arg(long, value_name = "N", hide_short_help = true)]
    jobs_ended_max: Option<u64>,
    /// Days for which ended jobs are remembered, or none
    #[arg(long, value_name = "N", hide_short_help = true)]
    jobs_ended_days: Option<String>,
    /// The group of the socket
    #[arg(long, value_name = "GROUP", hide_short_help = true)]
    socket_group: Option<String>,
    /// Groups that may do everything
    #[arg(long, value_name = "GROUPS", hide_short_help = true)]
    operator_groups: Option<String>,
    /// Groups that may see everybody's jobs
    #[arg(long, value_name = "GROUPS", hide_short_help = true)]
    reader_groups: Option<String>,
    /// Connections one user may have open
    #[arg(long, value_name = "N", hide_short_help = true)]
    connections_per_user: Option<u64>,
    /// Jobs one user may have open
    #[arg(long, value_name = "N", hide_short_help = true)]
    jobs_open_per_user: Option<u64>,
    /// What the jobs of one user may make the daemon hold: MiB, or none
    #[arg(long, value_name = "MIB", hide_short_help = true)]
    memory_per_user_mib: Option<String>,
    /// Where metrics are served: none, 127.0.0.1:PORT, unix:/PATH
    #[arg(long, value_name = "WHERE", hide_short_help = true)]
    metrics_listen: Option<String>,
}

impl SettingArgs {
    /// Keys of config.toml with the values given.
    pub(crate) fn given(&self) -> Vec<(String, String)> {
        let numbers = [
            ("retries", self.retries),
            ("lease_ms", self.lease_ms),
            ("start_ms", self.start_ms),
            ("grace_ms", self.grace_ms),
            ("drain_ms", self.drain_ms),
            ("restart_intensity", self.restart_intensity),
            ("restart_window_ms", self.restart_window_ms),
            ("backoff_first_ms", self.backoff_first_ms),
            ("backoff_most_ms", self.backoff_most_ms),
            ("backoff_reset_ms", self.backoff_reset_ms),
            ("partition_least_ms", self.partition_least_ms),
            ("partition_most_ms", self.partition_most_ms),
            ("leases_max", self.leases_max),
            ("jobs_open_max", self.jobs_open_max),
            ("checkpoint_ms", self.checkpoint_ms),
            ("jobs_ended_max", self.jobs_ended_max),
            ("clients_max", self.clients_max),
            ("connections_per_user", self.connections_per_user),
            ("jobs_open_per_user", self.jobs_open_per_user),
        ];
        let texts = [
            ("memory_limit_mib", &self.memory_limit_mib),
            ("priority", &self.priority),
            ("memory_per_user_mib", &self.memory_per_user_mib),
            ("confine", &self.confine),
            ("socket_mode", &self.socket_mode),
            ("socket_group", &self.socket_group),
            ("operator_groups", &self.operator_groups),
            ("reader_groups", &self.reader_groups),
            ("state_dir", &self.state_dir),
            ("jobs_ended_days", &self.jobs_ended_days),
            ("metrics_listen", &self.metrics_listen),
        ];
        let numbers = numbers.into_iter().filter_map(|(key, value)| Some((key, value?.to_string())));
        let texts = texts.into_iter().filter_map(|(key, value)| Some((key, value.clone()?)));
        numbers.chain(texts).map(|(key, value)| (key.to_owned(), value)).collect()
    }
}

/// Why a command line is not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It asks for a text: help or the version. Goes to standard output.
    Text {
        /// Its name in the JSON schema.
        name: &'static str,
        /// The text.
        text: String,
    },
    /// There is no command at all: a short help on standard error.
    Nothing,
    /// It is wrong.
    Wrong(Failure),
}

/// Reads a command line; `args` begins with the program's name.
pub(crate) fn parse(args: Vec<OsString>) -> Result<Line, Stop> {
    let args = marks::put(args);
    let matches = table().try_get_matches_from(&args).map_err(|why| refusal::stop(&why, &args))?;
    let line = Line::from_arg_matches(&matches).map_err(|why| refusal::stop(&why, &args))?;
    if line.command.is_none() { Err(Stop::Nothing) } else { Ok(line) }
}

/// Whether `--json` is among the arguments, for those that cannot be read as a whole.
pub(crate) fn asks_for_json(args: &[OsString]) -> bool {
    args.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--json")
}

/// What `--color` says, likewise.
pub(crate) fn asks_for_color(args: &[OsString]) -> When {
    let words: Vec<&str> =
        args.iter().take_while(|arg| *arg != "--").filter_map(|arg| arg.to_str()).collect();
    let said = words.iter().enumerate().rev().find_map(|(at, word)| match word.strip_prefix("--color") {
        Some("") => words.get(at + 1).copied(),
        Some(value) => value.strip_prefix('='),
        None => None,
    });
    said.and_then(|said| values::when(said).ok()).unwrap_or_default()
}

/// The first word that is neither an option of every command nor the value of one.
fn first_word<'a>(args: impl Iterator<Item = &'a OsStr>) -> Option<&'a OsStr> {
    let mut words = args.skip(1);
    while let Some(word) = words.next() {
        if ["--socket", "--color", "--reconnect"].iter().any(|option| word == OsStr::new(option)) {
            words.next();
        } else if word == OsStr::new("--") {
            return None;
        } else if !word.as_encoded_bytes().starts_with(b"-") {
            return Some(word);
        }
    }
    None
}

/// How a help is laid out.
const TEMPLATE: &str = "{about-with-newline}\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";

/// The parser. Repeated options are no error: the last one counts.
pub(crate) fn table() -> clap::Command {
    Line::command()
        .args_override_self(true)
        .mut_subcommands(|command| laid_out(command).mut_subcommands(laid_out))
}

fn laid_out(command: clap::Command) -> clap::Command {
    let command = command.help_template(TEMPLATE).args_override_self(true).max_term_width(80);
    // What has no name is no option, wherever it is declared.
    command.mut_args(|one| if one.is_positional() { one.help_heading(Resettable::Reset) } else { one })
}

/// The help of one command, as `--help` prints it.
pub(crate) fn help_of(command: &str) -> Option<String> {
    let mut table = table();
    table.build();
    let found = table.find_subcommand_mut(command)?;
    Some(found.render_long_help().to_string())
}

/// The help of a part of a command, such as `debug bundle` or `queue put`.
pub(crate) fn help_of_part(command: &str, part: &str) -> Option<String> {
    if let Some(part) = parts::called(command, part) {
        return Some(part.help(true));
    }
    let mut table = table();
    table.build();
    let found = table.find_subcommand_mut(command)?.find_subcommand_mut(part)?;
    Some(found.render_long_help().to_string())
}

/// The names of all commands, in the order of the table.
pub(crate) fn commands() -> Vec<String> {
    table().get_subcommands().map(|command| command.get_name().to_owned()).collect()
}

#[cfg(test)]
mod tests;
