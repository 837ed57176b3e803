//! What can be typed after a reduction: its sources and options.

use clap::Args;
use tally_protocol::job::{Nan, OnBad, StartMethod, Transport};

use super::values::{Mode, Partitions, ProgressWhen};
use super::{kernel, values};

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
