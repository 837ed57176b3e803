//! What can be typed: the table of commands and options.
//!
//! This is only what was typed; `meaning` turns it into what it means. Parsing goes through `marks` (negative
//! numbers) and every refusal through `refusal` (the form of the contract's errors).

pub(crate) mod batch;
pub(crate) mod care;
mod daemon;
pub(crate) mod help;
pub(crate) mod kernel;
pub(crate) mod lists;
pub(crate) mod locks;
mod marks;
pub(crate) mod objects;
pub(crate) mod parts;
mod reduction;
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

pub(crate) use daemon::{ConfigArgs, DaemonArgs};
pub(crate) use reduction::{FactorialArgs, ReduceArgs, ReductionArgs, ReductionOptions};
use values::{ProgressWhen, When};

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
