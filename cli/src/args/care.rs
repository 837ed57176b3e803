//! What is typed to look after an installation: `debug`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::values;

/// `tally debug`
#[derive(Clone, Debug, PartialEq, Eq, Args)]
#[command(next_help_heading = "Options")]
pub(crate) struct DebugArgs {
    #[command(subcommand)]
    pub(crate) what: DebugWhat,
}

/// What of it.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub(crate) enum DebugWhat {
    /// Collect what helps to find a defect into one archive, without data of jobs
    #[command(before_help = super::help::BUNDLE)]
    Bundle {
        /// Where it goes [default: tally-debug-DATE.tar.gz]
        #[arg(long, short, value_name = "FILE", value_parser = values::paths())]
        output: Option<PathBuf>,
        /// Replace one that is there
        #[arg(long)]
        force: bool,
    },
}
