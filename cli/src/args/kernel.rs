//! Options of a kernel of the user's own.

use std::path::PathBuf;

use clap::Args;

use super::values;

/// What is run for each partition, and what it may take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Your own kernel")]
pub(crate) struct KernelArgs {
    /// Have a command answer: ./k or './k {start} {end}'
    #[arg(long, value_name = "CMD", help_heading = "Options", value_parser = values::text)]
    pub(crate) command: Option<String>,
    /// Give it lines of files or of -: a block is the standard input of a process
    #[arg(long, requires = "command", conflicts_with = "files", hide_short_help = true)]
    pub(crate) lines: bool,
    /// Give it each file whole: as {file}, and as the standard input of a process
    #[arg(long, requires = "command", hide_short_help = true)]
    pub(crate) files: bool,
    /// Exit statuses that are no failure [default: 0]
    #[arg(long, value_name = "N,N", value_delimiter = ',', requires = "command", hide_short_help = true)]
    pub(crate) accept_status: Vec<u8>,
    /// Give up one attempt at a partition after this time
    #[arg(long, value_name = "TIME", requires = "command", hide_short_help = true, value_parser = values::duration)]
    pub(crate) partition_timeout: Option<u64>,
    /// Replace a process after so many partitions
    #[arg(long, value_name = "N", requires = "command", hide_short_help = true)]
    pub(crate) recycle_after: Option<u64>,
    /// Replace a process once it holds so much memory after a partition
    #[arg(long, value_name = "SIZE", requires = "command", hide_short_help = true, value_parser = values::size)]
    pub(crate) recycle_memory: Option<u64>,
    /// Processor time of each process, in whole seconds
    #[arg(long, value_name = "TIME", requires = "command", hide_short_help = true, value_parser = values::duration)]
    pub(crate) cpu_limit: Option<u64>,
    /// Files that each process may have open
    #[arg(long, value_name = "N", requires = "command", hide_short_help = true)]
    pub(crate) max_files: Option<u64>,
    /// Processes of one attempt at once
    #[arg(long, value_name = "N", requires = "command", hide_short_help = true)]
    pub(crate) max_processes: Option<u64>,
    /// Processors it may use: 0,2-3
    #[arg(long, value_name = "LIST", requires = "command", hide_short_help = true, value_parser = values::cpus)]
    pub(crate) cpus: Option<values::Cpus>,
    /// A variable of its environment beside yours
    #[arg(long, value_name = "KEY=VALUE", requires = "command", hide_short_help = true, value_parser = values::variable)]
    pub(crate) env: Vec<String>,
    /// Its directory [default: yours]
    #[arg(long, value_name = "DIR", requires = "command", hide_short_help = true, value_parser = values::paths())]
    pub(crate) chdir: Option<PathBuf>,
    /// Its umask in octal [default: yours]
    #[arg(long, value_name = "MASK", requires = "command", hide_short_help = true, value_parser = values::umask)]
    pub(crate) umask: Option<u32>,
}
