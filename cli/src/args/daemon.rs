//! What can be typed after `daemon` and `config`: a flag for each setting, and what concerns one start alone.

use std::path::PathBuf;

use clap::Args;
use tally_protocol::job::{StartMethod, Transport};

use super::values;
use super::values::ConfigWhat;

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
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
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
