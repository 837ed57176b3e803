//! Options of `lab`, `running` and `compare`.

use std::path::PathBuf;

use clap::Args;
use tally_protocol::job::{Nan, OnBad};

use super::values::When;
use super::{ReductionOptions, values};

/// The studies, by name.
pub(crate) const STUDIES: [&str; 8] =
    ["race", "locks", "spin", "deadlock", "philosophers", "producer-consumer", "coroutines", "processes"];

/// The locks that studies compare, by name.
pub(crate) const LOCKS: [&str; 10] = [
    "none",
    "test-and-set",
    "bounded-test-and-set",
    "swap",
    "compare-and-swap",
    "ticket",
    "spin-then-block",
    "semaphore",
    "robust-mutex",
    "atomic",
];

/// `tally lab STUDY`
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Options")]
pub(crate) struct LabArgs {
    /// race, locks, spin, deadlock, philosophers, producer-consumer, coroutines, processes
    #[arg(value_name = "STUDY", value_parser = values::study)]
    pub(crate) study: String,
    /// Processes, or philosophers
    #[arg(long, value_name = "N", value_parser = values::workers)]
    pub(crate) processes: Option<u32>,
    /// How often each does it: entries, transfers, meals, items; for spin: ms of work
    #[arg(long, value_name = "N", value_parser = values::count)]
    pub(crate) count: Option<u32>,
    /// Only these locks, with commas between them
    #[arg(long = "lock", value_name = "NAME", value_delimiter = ',', value_parser = values::lock)]
    pub(crate) locks: Vec<String>,
    /// The most time for each row of a table: 500ms, 10s
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub(crate) timeout: Option<u64>,
    /// Draw the figures; - is standard output
    #[arg(long, value_name = "FILE.svg", value_parser = values::pictures())]
    pub(crate) plot: Option<PathBuf>,
}

/// `tally running LIST [FILE]`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(next_help_heading = "Options")]
pub(crate) struct RunningArgs {
    /// Reductions with commas between them: sum, or min,max
    #[arg(value_name = "LIST", value_parser = values::text)]
    pub(crate) list: String,
    /// A file with one number a line, or - for standard input [default: -]
    #[arg(value_name = "FILE", value_parser = values::paths())]
    pub(crate) file: Option<PathBuf>,
    /// Lines that are no numbers: error, skip, nan
    #[arg(long, value_name = "WHAT", value_parser = values::on_bad)]
    pub(crate) on_bad: Option<OnBad>,
    /// NaN: keep, skip
    #[arg(long, value_name = "WHAT", value_parser = values::nan)]
    pub(crate) nan: Option<Nan>,
    /// Read and add decimal text exactly
    #[arg(long)]
    pub(crate) decimal: bool,
    /// Variance of a population, not of a sample
    #[arg(long)]
    pub(crate) population: bool,
}

/// `tally compare SOURCE...`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(
    next_help_heading = "Options",
    mut_arg("mode", |one| one.hide(true)),
    mut_arg("detach", |one| one.hide(true)),
    mut_arg("command", |one| one.hide(true))
)]
pub(crate) struct CompareArgs {
    /// A range or files, as for sum
    #[arg(value_name = "SOURCE", required = true, value_parser = values::text)]
    pub(crate) sources: Vec<String>,
    /// What is computed [default: sum]
    #[arg(long, value_name = "LIST", value_parser = values::text)]
    pub(crate) reduce: Option<String>,
    /// Also over each of the other transports
    #[arg(long)]
    pub(crate) transports: bool,
    /// The same sum by the usual programs in Python: auto, always, never
    #[arg(long, value_name = "WHEN", hide_short_help = true, value_parser = values::when)]
    pub(crate) python: Option<When>,
    /// Draw the times; - is standard output
    #[arg(long, value_name = "FILE.svg", value_parser = values::pictures())]
    pub(crate) plot: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) options: ReductionOptions,
}
