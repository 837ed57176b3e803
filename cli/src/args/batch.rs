//! `tally batch`, and what can stand on a line of its input.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::job::{StartMethod, Transport};
use tally_protocol::range::looks_like_range;

use super::{FactorialArgs, ReduceArgs, ReductionArgs, Stop, help, marks, refusal, values};
use crate::suggest;

/// `tally batch FILE|-`
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Options")]
pub(crate) struct BatchArgs {
    /// A file with one job a line, or - for standard input
    #[arg(value_name = "FILE", value_parser = values::paths())]
    pub(crate) file: PathBuf,
    /// Answers in the order of the lines, not as the jobs end
    #[arg(long)]
    pub(crate) ordered: bool,
    /// Jobs under way at once [default: 64]
    #[arg(long, value_name = "N", value_parser = values::in_flight)]
    pub(crate) in_flight: Option<u32>,
    /// Workers for each job that does not say [default: one a processor]
    #[arg(long, value_name = "N", value_parser = values::workers)]
    pub(crate) workers: Option<u32>,
    /// Time for each job that does not say: 30s, 500ms, 2m, 1h
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub(crate) timeout: Option<u64>,
    /// How workers are started: forkserver, spawn, fork
    #[arg(long, value_name = "METHOD", hide_short_help = true, value_parser = values::start)]
    pub(crate) start: Option<StartMethod>,
    /// How workers are linked: shm, shm-named, pipe, mqueue, channel
    #[arg(long, value_name = "LINK", hide_short_help = true, value_parser = values::transport)]
    pub(crate) transport: Option<Transport>,
    /// Never use a daemon
    #[arg(long)]
    pub(crate) local: bool,
}

/// One line: a reduction as on the command line.
#[derive(Clone, Debug, PartialEq, Parser)]
#[command(name = "tally", disable_help_subcommand = true, disable_help_flag = true)]
struct JobLine {
    #[command(subcommand)]
    command: JobCommand,
}

/// The commands that a line can have.
#[derive(Clone, Debug, PartialEq, Subcommand)]
pub(crate) enum JobCommand {
    Sum(ReductionArgs),
    Product(ReductionArgs),
    Min(ReductionArgs),
    Max(ReductionArgs),
    Count(ReductionArgs),
    Mean(ReductionArgs),
    Variance(ReductionArgs),
    Stddev(ReductionArgs),
    Reduce(ReduceArgs),
    Factorial(FactorialArgs),
}

/// Options of every command, which say how answers are shown and where the daemon is.
fn is_of_the_batch(word: &str) -> bool {
    let name = word.split('=').next().unwrap_or_default();
    ["--json", "--quiet", "-q", "--verbose", "--color", "--socket", "--reconnect"].contains(&name)
}

/// A parser of lines: made once, as making it costs more than a line.
#[derive(Debug)]
pub(crate) struct JobLines(clap::Command);

impl JobLines {
    pub(crate) fn new() -> Self {
        let table = JobLine::command().args_override_self(true);
        Self(table.mut_subcommands(|command| command.args_override_self(true)))
    }

    /// Whether a line begins with a command that a line can have, and asks for no help.
    fn check_command(&self, words: &[String]) -> Result<(), Failure> {
        let known = || self.0.get_subcommands().map(clap::Command::get_name);
        let takes = || format!("a batch takes {}", known().collect::<Vec<_>>().join(", "));
        let bad = |message: String| Failure::new(ErrorCode::BadUsage, message);
        let Some(first) = words.first() else { return Ok(()) };
        let is_known = known().any(|name| name == first);
        if let Some(option) = words.iter().find(|word| ["--help", "-h"].contains(&word.as_str())) {
            let failure = bad(format!("could not use {option} on a line: {}", takes()));
            let hint = || format!("'tally help {first}' tells of this one");
            return Err(if is_known { failure.hint(hint()) } else { failure });
        }
        if is_known || first.starts_with('-') {
            return Ok(());
        }
        let is_elsewhere = super::commands().iter().any(|command| command == first);
        let question = suggest::question(first, &known().collect::<Vec<_>>());
        if !is_elsewhere && !question.is_empty() {
            return Err(bad(format!("could not run '{first}': no such command{question}")));
        }
        let failure = bad(format!("could not run '{first}': {}", takes()));
        let hint = || format!("a command comes first: sum {first}");
        Err(if looks_like_range(first) { failure.hint(hint()) } else { failure })
    }

    /// Reads the words of a line.
    pub(crate) fn parse(&mut self, words: Vec<String>) -> Result<JobCommand, Failure> {
        if let Some(option) = words.iter().find(|word| is_of_the_batch(word)) {
            let message = format!("could not use {option} on a line: it goes to 'tally batch' itself");
            return Err(Failure::new(ErrorCode::BadUsage, message));
        }
        self.check_command(&words)?;
        let args: Vec<OsString> = std::iter::once("tally".to_owned()).chain(words).map(Into::into).collect();
        let args = marks::put(args);
        let matches = self.0.try_get_matches_from_mut(&args);
        let line = matches.and_then(|matches| JobLine::from_arg_matches(&matches));
        line.map(|line| line.command).map_err(|why| match refusal::stop(&why, &args) {
            Stop::Wrong(failure) => failure,
            Stop::Nothing | Stop::Text { .. } => help::no_job(),
        })
    }
}
