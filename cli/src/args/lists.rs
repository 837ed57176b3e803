//! Options of the commands that list things: `jobs workers locks objects`.

use clap::Args;

use super::values;

/// How a list is printed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub(crate) struct ListOptions {
    /// A line for each, from a template: '{job}\t{state}' (tally help formats)
    #[arg(long, value_name = "TEMPLATE", value_parser = values::text)]
    pub(crate) format: Option<String>,
}

/// `tally jobs`
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Options")]
pub(crate) struct JobsArgs {
    /// Also those that have ended
    #[arg(long)]
    pub(crate) all: bool,
    /// Again and again, whenever something has changed
    #[arg(long)]
    pub(crate) watch: bool,
    /// How often to look with --watch [default: 1s]
    #[arg(long, value_name = "TIME", requires = "watch", value_parser = values::interval)]
    pub(crate) interval: Option<u64>,
    #[command(flatten)]
    pub(crate) list: ListOptions,
}
