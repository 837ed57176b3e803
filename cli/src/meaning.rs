//! What a command line means: typed words become a verb with everything it needs.
//!
//! Done once, before anything is started or connected; what comes behind never looks at options again.

use std::path::{Path, PathBuf};

use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::ids::JobId;
use tally_protocol::job::{JobRequest, JobSpec};
use tally_protocol::range::parse_integer;
use tally_protocol::top::TopQuery;
use tally_reduce::Reduction;
use tally_sys::limits::cpu_count;

use self::objects::ObjectAsk;
use crate::args::care::{DebugArgs, DebugWhat};
use crate::args::top::TopArgs;
use crate::args::values::{ConfigWhat, Mode, Partitions, ProgressWhen, When};
use crate::args::{
    Command, Common, ConfigArgs, DaemonArgs, FactorialArgs, Line, ReduceArgs, ReductionArgs, ReductionOptions,
};
use crate::bundle::Wanted;
use crate::inputs::{self, Inputs};
use crate::place::{self, Reach};
use crate::roles::{DaemonOptions, FoldMode, PrivateOptions, SettingsOptions};
use crate::show::template::Template;
use crate::studies::StudyOptions;
use crate::suggest;
use crate::surroundings::Surroundings;
use crate::verbs::compare::Comparison;
use crate::verbs::running::Running;
use crate::verbs::top::Look;
use batch::Batch;

pub(crate) use locks::{Holding, TOKEN};

/// How long a sign of life may take.
const PING_MS: u64 = 5_000;
/// Between two looks of `top`.
const TOP_MS: u64 = 1_000;

/// How the command speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Style {
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
    pub(crate) color: When,
    /// How long to wait for a daemon that went away; `None` for the usual time.
    pub(crate) reconnect_ms: Option<u64>,
}

impl Style {
    pub(crate) fn of(common: &Common) -> Self {
        Self {
            json: common.json,
            quiet: common.quiet,
            verbose: common.verbose,
            color: common.color.unwrap_or_default(),
            reconnect_ms: common.reconnect,
        }
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verb {
    /// A reduction.
    Reduce(Box<Plan>),
    /// Something that the daemon knows or does.
    Ask(Reach, Ask),
    /// The daemon itself.
    Daemon(DaemonOptions),
    /// A study, and where to draw it.
    Lab(StudyOptions, Option<PathBuf>),
    /// A reduction after each line.
    Running(Running),
    /// Many reductions, one a line.
    Batch(Batch),
    /// The same job in several ways.
    Compare(Box<Comparison>),
    /// Settings.
    Config(Reach, ConfigAsk),
    /// A command that runs while something is held.
    Hold(Reach, Box<Holding>),
    /// Things that processes share.
    Object(Reach, ObjectAsk),
    /// Whether the installation is whole.
    SelfTest(Reach),
    /// An archive for those who look for a defect.
    Bundle(Reach, Wanted),
    /// A text: about this, and of it about that.
    Help(Option<String>, Option<String>),
    /// The manual.
    Man(ManAsk),
    /// The lines that have a shell complete command lines.
    Completion(String),
}

/// A reduction.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) spec: JobSpec,
    pub(crate) place: Place,
    pub(crate) progress: ProgressWhen,
    /// Answers are printed with the names of their reductions.
    pub(crate) names: bool,
    /// Its files.
    pub(crate) inputs: Inputs,
    /// What was said and changes nothing: a line.
    pub(crate) note: Option<String>,
}

/// Where a reduction is computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In this process.
    Here(FoldMode),
    /// By the daemon, which must be there.
    Daemon(Reach),
    /// By the daemon if one is at the default socket, else under a private supervisor.
    DaemonOrPrivate(Reach, PrivateOptions),
    /// Under a private supervisor.
    Private(PrivateOptions),
}

/// What is asked of the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    Jobs(lists::Jobs),
    Show { job: JobId, history: bool, plot: Option<PathBuf> },
    Explain(JobId),
    Wait(Vec<JobId>),
    Result(JobId),
    Follow(JobId, ProgressWhen),
    Cancel { jobs: Vec<JobId>, all: bool },
    Pause(JobId),
    Resume(JobId),
    Retry(JobId),
    Status,
    Workers(Option<Template>),
    Top(Box<Look>),
    Ping { timeout_ms: u64 },
    Reload,
    Metrics,
    Drain,
    Stop { now: bool },
    Upgrade { binary: Option<PathBuf> },
    Dump,
    Locks(Option<Template>),
    Deadlocks,
}

/// What is asked about settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ConfigAsk {
    /// What is in force; of files that are named, what a daemon started with them would have.
    Show(SettingsOptions),
    /// What is wrong in these files.
    Check(SettingsOptions),
    /// The built-in file.
    Default,
}

/// What is asked of the manual.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ManAsk {
    /// Which pages there are.
    List,
    /// One of them.
    Show(String),
    /// All, as files below this directory.
    Install(PathBuf),
}

/// Finds out what a command line means.
pub(crate) fn understand(line: Line, around: &Surroundings) -> Result<Verb, Failure> {
    let Line { common, command } = line;
    let verbose = common.verbose;
    let socket = common.socket;
    let reduce = |reduction: Reduction, args: ReductionArgs, socket| {
        plan(&[reduction], false, args, verbose, Socket::of(socket, around))
    };
    let shared = |ask: Result<ObjectAsk, Failure>| Ok(Verb::Object(Reach::of(socket.clone(), around), ask?));
    let ask = match command {
        None => return Ok(Verb::Help(None, None)),
        Some(Command::Sum(args)) => return reduce(Reduction::Sum, args, socket),
        Some(Command::Product(args)) => return reduce(Reduction::Product, args, socket),
        Some(Command::Min(args)) => return reduce(Reduction::Min, args, socket),
        Some(Command::Max(args)) => return reduce(Reduction::Max, args, socket),
        Some(Command::Count(args)) => return reduce(Reduction::Count, args, socket),
        Some(Command::Mean(args)) => return reduce(Reduction::Mean, args, socket),
        Some(Command::Variance(args)) => return reduce(Reduction::Variance, args, socket),
        Some(Command::Stddev(args)) => return reduce(Reduction::Stddev, args, socket),
        Some(Command::Reduce(ReduceArgs { list, rest })) => {
            return plan(&reductions(&list)?, true, rest, verbose, Socket::of(socket, around));
        }
        Some(Command::Factorial(args)) => return reduce(Reduction::Product, factorial(args)?, socket),
        Some(Command::Daemon(args)) => return Ok(Verb::Daemon(daemon(*args, socket, around))),
        Some(Command::Config(args)) => {
            return Ok(Verb::Config(Reach::of(socket, around), settings_ask(args)?));
        }
        Some(Command::Lab(args)) => return Ok(studies::lab(args)),
        Some(Command::Batch(args)) => {
            return Ok(Verb::Batch(batch::batch(args, verbose, Socket::of(socket, around))?));
        }
        Some(Command::Running(args)) => return studies::running(args),
        Some(Command::Compare(args)) => return studies::compare(*args, Socket::of(socket, around)),
        Some(Command::Lock(args)) => return Ok(locks::lock(args, Reach::of(socket, around), around)),
        Some(Command::Semaphore(args)) => {
            return locks::semaphore(args, Reach::of(socket, around), around);
        }
        Some(Command::Locks(options)) => Ask::Locks(lists::template(options, "locks", common.json)?),
        Some(Command::Deadlocks) => Ask::Deadlocks,
        Some(Command::SelfTest) => return Ok(Verb::SelfTest(Reach::of(socket, around))),
        Some(Command::Debug(DebugArgs { what: DebugWhat::Bundle { output, force } })) => {
            return Ok(Verb::Bundle(Reach::of(socket, around), Wanted { output, force }));
        }
        Some(Command::Help { about, word }) => return Ok(Verb::Help(about, word)),
        Some(Command::Man { page, install }) => return Ok(Verb::Man(man_ask(page, install, around)?)),
        Some(Command::Completion { shell }) => return Ok(Verb::Completion(shell)),
        Some(Command::Value(args)) => return shared(objects::of_value(args)),
        Some(Command::Dict(args)) => return shared(objects::of_dict(args)),
        Some(Command::List(args)) => return shared(objects::of_list(args)),
        Some(Command::Queue(args)) => return shared(objects::of_queue(*args)),
        Some(Command::Event(args)) => return shared(objects::of_event(args)),
        Some(Command::Barrier(args)) => return shared(objects::of_barrier(args)),
        Some(Command::Stats(args)) => return shared(objects::of_stats(args)),
        Some(Command::Objects(args)) => return shared(objects::of_objects(args, common.json)),
        Some(Command::Watch(args)) => return shared(objects::of_watch(args)),
        Some(Command::Jobs(args)) => Ask::Jobs(lists::jobs(args, common.json)?),
        Some(Command::Show(args)) => Ask::Show { job: args.one.job, history: args.history, plot: args.plot },
        Some(Command::Explain(one)) => Ask::Explain(one.job),
        Some(Command::Wait { jobs }) => Ask::Wait(jobs),
        Some(Command::Result(one)) => Ask::Result(one.job),
        Some(Command::Follow { one, progress }) => Ask::Follow(one.job, progress.unwrap_or_default()),
        Some(Command::Cancel { jobs, all }) => Ask::Cancel { jobs, all },
        Some(Command::Pause(one)) => Ask::Pause(one.job),
        Some(Command::Resume(one)) => Ask::Resume(one.job),
        Some(Command::Retry(one)) => Ask::Retry(one.job),
        Some(Command::Status) => Ask::Status,
        Some(Command::Workers(options)) => Ask::Workers(lists::template(options, "workers", common.json)?),
        Some(Command::Top(args)) => Ask::Top(Box::new(look(*args, around))),
        Some(Command::Ping { timeout }) => Ask::Ping { timeout_ms: timeout.unwrap_or(PING_MS) },
        Some(Command::Reload) => Ask::Reload,
        Some(Command::Metrics) => Ask::Metrics,
        Some(Command::Drain) => Ask::Drain,
        Some(Command::Stop { now }) => Ask::Stop { now },
        Some(Command::Upgrade { binary }) => Ask::Upgrade { binary },
        Some(Command::Dump) => Ask::Dump,
    };
    Ok(Verb::Ask(Reach::of(socket, around), ask))
}

fn daemon(args: DaemonArgs, socket: Option<PathBuf>, around: &Surroundings) -> DaemonOptions {
    DaemonOptions {
        config: args.config,
        socket: socket.or_else(|| around.path("TALLY_SOCKET")),
        default_socket: place::default_in(around),
        pid_file: args.pid_file,
        transport: args.transport,
        start: args.start,
        check: args.check,
        daemonize: args.daemonize,
        until_eof: args.until_eof,
        remove_directory: args.remove_directory,
        settings: [("workers", args.workers), ("log", args.log)]
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?)))
            .chain(args.log_file.map(|path| ("log_file".to_owned(), absolute(&path))))
            .chain(args.settings.given())
            .collect(),
    }
}

/// `config show [--config FILE]`, `config check [FILE]`, `config default`.
/// What `top` looks at, and what the terminal can show.
fn look(args: TopArgs, around: &Surroundings) -> Look {
    let TopArgs { once, watch, interval, sort, reverse, filter, all, own } = args;
    let query = TopQuery {
        sort: sort.unwrap_or_default(),
        reverse,
        filter: filter.unwrap_or_default(),
        all,
        own,
        ..TopQuery::default()
    };
    Look {
        query,
        interval_ms: interval.unwrap_or(TOP_MS),
        once,
        watch,
        columns: around.get("COLUMNS").and_then(|columns| columns.to_str()?.parse().ok()),
        ascii: !around.is_utf8(),
        dumb: around.get("TERM").is_none_or(|term| term == "dumb"),
    }
}

/// `man [PAGE]`, `man --install [DIR]`.
fn man_ask(
    page: Option<String>,
    install: Option<Option<PathBuf>>,
    around: &Surroundings,
) -> Result<ManAsk, Failure> {
    let Some(named) = install else { return Ok(page.map_or(ManAsk::List, ManAsk::Show)) };
    // A relative path in the variable counts for nothing, as the standard of the XDG directories has it.
    let data = || around.path("XDG_DATA_HOME").filter(|path| path.is_absolute());
    let data = || data().or_else(|| around.path("HOME").map(|home| home.join(".local/share")));
    let directory = named.or_else(|| data().map(|data| data.join("man")));
    directory.map(ManAsk::Install).ok_or_else(|| {
        bad("could not find a place for the pages: neither XDG_DATA_HOME nor HOME is set")
            .hint("name one: tally man --install DIR")
    })
}

fn settings_ask(args: ConfigArgs) -> Result<ConfigAsk, Failure> {
    let ConfigArgs { what, file, config } = args;
    // What is shown may be a setting instead of a file.
    if what != ConfigWhat::Show && file.is_some() && config.is_some() {
        return Err(bad("could not read two files: name one"));
    }
    let none = file.is_none() && config.is_none();
    let sources = SettingsOptions { config, alone: file, flags: Vec::new() };
    match what {
        ConfigWhat::Show => Ok(ConfigAsk::Show(sources)),
        ConfigWhat::Check => Ok(ConfigAsk::Check(sources)),
        ConfigWhat::Default if none => Ok(ConfigAsk::Default),
        ConfigWhat::Default => {
            Err(bad("could not read a file for 'config default': it prints the built-in settings"))
        }
    }
}

/// A file named on the command line, wherever the daemon's directory will be. `none` is no file.
fn absolute(path: &Path) -> String {
    if path.as_os_str() == "none" {
        return "none".to_owned();
    }
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()).to_string_lossy().into_owned()
}

/// Where a daemon may be, and whether the command line says so itself.
struct Socket {
    reach: Reach,
    flag: bool,
}

impl Socket {
    fn of(flag: Option<PathBuf>, around: &Surroundings) -> Self {
        Self { flag: flag.is_some(), reach: Reach::of(flag, around) }
    }
}

/// A daemon that is named on the command line is meant to do the work.
fn check_company(options: &ReductionOptions, socket: &Socket) -> Result<(), Failure> {
    let why = match options.mode {
        Some(Mode::Threads) => "--mode threads computes in this very process",
        Some(Mode::Inline) => "--mode inline computes in this very process",
        _ if options.local => "--local never uses a daemon",
        _ => return Ok(()),
    };
    if socket.flag { Err(bad(format!("could not use the daemon of --socket: {why}"))) } else { Ok(()) }
}

fn plan(
    reductions: &[Reduction],
    names: bool,
    args: ReductionArgs,
    verbose: bool,
    socket: Socket,
) -> Result<Verb, Failure> {
    let ReductionArgs { sources, options } = args;
    let opened = open(&sources, options.timeout).map_err(|failure| match unquoted(&sources, &options) {
        Some(hint) if failure.code == ErrorCode::BadUsage => failure.hint(hint),
        _ => failure,
    })?;
    if options.detach && sources.iter().any(|source| source == "-") {
        return Err(bad(
            "could not detach the job: standard input would be gone after a restart of the daemon",
        ));
    }
    check_company(&options, &socket)?;
    let place = place_of(&options, socket.reach)?;
    let progress = options.progress.unwrap_or_default();
    let note = idle_options(&options);
    let request = request(reductions, sources, options, opened.as_ref(), verbose)?;
    let (inputs, facts) = opened.map(|opened| (opened.inputs, opened.facts)).unwrap_or_default();
    let spec = request.check_with(0, facts)?;
    Ok(Verb::Reduce(Box::new(Plan { spec, place, progress, names, inputs, note })))
}

/// Options that say how workers are started, reached and served, where there are none.
fn idle_options(options: &ReductionOptions) -> Option<String> {
    let mode = match options.mode? {
        Mode::Threads => "threads",
        Mode::Inline => "inline",
        Mode::Processes => return None,
    };
    let one = mode == "inline" && options.workers.is_some_and(|workers| workers > 1);
    let given = [
        ("--workers", one),
        ("--transport", options.transport.is_some()),
        ("--start", options.start.is_some()),
        ("--retries", options.retries.is_some()),
        ("--nice", options.nice.is_some()),
        ("--priority", options.priority.is_some()),
    ];
    let given: Vec<&str> = given.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
    let given = given.join(", ");
    (!given.is_empty())
        .then(|| format!("note: --mode {mode} has no worker processes: without effect: {given}\n"))
}

/// What is said of sources that cannot be opened, if they are likely words of an expression: the shell takes one without
/// quotes apart, and puts names of files in the place of a `*`.
fn unquoted(sources: &[String], options: &ReductionOptions) -> Option<String> {
    let given = [("--of", &options.of), ("--where", &options.filter)];
    let given: Vec<String> = given
        .into_iter()
        .filter_map(|(option, text)| Some(format!("{option} '{} ...'", text.as_ref()?)))
        .collect();
    let is_word = |source: &String| {
        let number = source.parse::<f64>().is_ok();
        (number || !source.contains(['.', '/']) && !source.starts_with("--"))
            && source.is_ascii()
            && std::fs::symlink_metadata(source).is_err()
    };
    (sources.len() > 1 && !given.is_empty() && sources.iter().any(is_word))
        .then(|| format!("an expression of several words stands in quotes: {}", given.join(", ")))
}

/// The files that sources name; none if they are ranges.
fn open(sources: &[String], timeout_ms: Option<u64>) -> Result<Option<inputs::Opened>, Failure> {
    match sources.iter().filter(|source| inputs::is_range(source)).count() {
        0 => inputs::open(sources, timeout_ms).map(Some),
        ranges if ranges == sources.len() => Ok(None),
        _ => Err(mixed(sources)),
    }
}

/// Why a range and something else are no sources of one job: mostly the other is a slip.
fn mixed(sources: &[String]) -> Failure {
    let others = || sources.iter().filter(|source| !inputs::is_range(source));
    // An option behind `--`, else what is no file.
    let slip = others().find(|other| other.starts_with("--")).or_else(|| others().next());
    // What is there is not opened: a pipe would have to be read to its end.
    let is_there = |other: &&String| other.as_str() == "-" || std::fs::metadata(other).is_ok();
    let slip = slip.filter(|other| !is_there(other));
    match slip.map(|other| (other, inputs::open(std::slice::from_ref(other), None))) {
        Some((other, Err(failure))) if parse_integer(other).is_ok() => {
            failure.hint(format!("a range looks like 0..100; every N-th number of it: --step {other}"))
        }
        Some((_, Err(failure))) => failure,
        _ => bad("could not fold them in one job: some are ranges and some are files")
            .hint("run one command for each"),
    }
}

fn request(
    reductions: &[Reduction],
    sources: Vec<String>,
    options: ReductionOptions,
    opened: Option<&inputs::Opened>,
    breakdown: bool,
) -> Result<JobRequest, Failure> {
    Ok(JobRequest {
        reductions: reductions.iter().map(|one| one.name().to_owned()).collect(),
        sources: opened.map_or(sources, |opened| opened.names.clone()),
        of: options.of,
        filter: options.filter,
        by: options.by,
        on_bad: options.on_bad,
        nan: options.nan,
        decimal: options.decimal,
        files: opened.is_some(),
        format: options.format,
        delimiter: options.delimiter,
        no_header: options.no_header,
        step: options.step,
        population: options.population,
        workers: options.workers,
        partitions: options.partitions.and_then(|Partitions(count)| count),
        retries: options.retries,
        timeout_ms: options.timeout,
        priority: options.priority,
        nice: options.nice,
        memory_limit_bytes: options.memory_limit,
        transport: options.transport,
        start: options.start,
        detach: options.detach,
        breakdown,
        of_floats: false,
        command: kernel::command(options.kernel)?,
    })
}

fn place_of(options: &ReductionOptions, reach: Reach) -> Result<Place, Failure> {
    let mode = options.mode.unwrap_or(Mode::Processes);
    let fold = match mode {
        Mode::Processes => None,
        Mode::Inline => Some(FoldMode::Inline),
        Mode::Threads => Some(FoldMode::Threads(threads(options.workers))),
    };
    if let Some(fold) = fold {
        let name = if mode == Mode::Inline { "inline" } else { "threads" };
        // Options that only say how workers are reached change nothing here; these two would be broken promises.
        if options.detach {
            return Err(bad(format!(
                "could not detach the job: --mode {name} computes in this very process"
            )));
        }
        if options.kernel.command.is_some() {
            return Err(bad(format!("could not run a command: --mode {name} has no worker processes")));
        }
        if options.memory_limit.is_some() {
            return Err(bad(format!("could not limit the memory: --mode {name} has no worker processes")));
        }
        return Ok(Place::Here(fold));
    }
    let private = PrivateOptions {
        workers: options.workers,
        transport: options.transport,
        start: options.start,
        many_requests: false,
    };
    match (options.detach, options.local) {
        (true, true) => Err(bad("could not detach the job: --local never uses a daemon")),
        (true, false) => Ok(Place::Daemon(reach)),
        (false, true) => Ok(Place::Private(private)),
        (false, false) if reach.named => Ok(Place::Daemon(reach)),
        (false, false) => Ok(Place::DaemonOrPrivate(reach, private)),
    }
}

fn threads(asked: Option<u32>) -> u16 {
    let count = asked.map_or_else(|| u16::try_from(cpu_count()), u16::try_from);
    count.unwrap_or(u16::MAX).max(1)
}

/// `sum,min,max`.
fn reductions(list: &str) -> Result<Vec<Reduction>, Failure> {
    let names = Reduction::ALL.map(Reduction::name);
    let one = |word: &str| {
        let word = word.trim();
        Reduction::from_name(word).ok_or_else(|| {
            let question = suggest::question(word, &names);
            bad(format!("could not reduce by '{word}': no such reduction{question}"))
                .hint(format!("there are {}", names.join(", ")))
        })
    };
    let list: Vec<Reduction> = list.split(',').map(one).collect::<Result<_, _>>()?;
    let twice = list.iter().enumerate().find(|(at, one)| list[..*at].contains(one));
    match twice {
        Some((_, one)) => {
            Err(bad(format!("could not reduce by '{one}': it is asked for twice"))
                .hint("one answer is enough"))
        }
        None => Ok(list),
    }
}

/// `factorial N` is the product of `1..=N`.
fn factorial(args: FactorialArgs) -> Result<ReductionArgs, Failure> {
    let FactorialArgs { n, options } = args;
    let could_not = |why: &str| bad(format!("could not compute the factorial of '{n}': {why}"));
    let number = parse_integer(&n).map_err(|_| could_not("it is not an integer"))?;
    if number < tally_reduce::Integer::ZERO {
        return Err(could_not("it is negative"));
    }
    if options.step.is_some() {
        return Err(bad("could not compute the factorial with --step: it takes every number"));
    }
    Ok(ReductionArgs { sources: vec![format!("1..={n}")], options })
}

fn bad(message: impl Into<String>) -> Failure {
    Failure::new(ErrorCode::BadUsage, message)
}

pub(crate) mod batch;
mod kernel;
pub(crate) mod lists;
mod locks;
pub(crate) mod objects;
mod studies;
#[cfg(test)]
pub(crate) mod tests;
