//! What a job is: as a client writes it (`JobRequest`) and as it is meant (`JobSpec`).
//!
//! A request is text and options; `JobRequest::check` parses it once, and only the spec is passed on.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tally_reduce::{Integer, Reduction, Shape, Tally};

use crate::command::{self, Command, CommandRequest, Feed, RunAs};
use crate::error::{ErrorCode, Failure};
use crate::limits;
use crate::range::{self, Progression, parse_integer, parse_range};
use crate::source::{self, FileSource, Files, Source};

/// Gives an enum of fixed words its name, the way back, and serde by name.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// All of them, in the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word users type and read.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The one a word names.
            #[must_use]
            pub fn from_name(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = String::deserialize(deserializer)?;
                Self::from_name(&word).ok_or_else(|| {
                    let known: Vec<_> = Self::ALL.iter().map(|one| one.name()).collect();
                    serde::de::Error::custom(format!("'{word}' is not one of {}", known.join(", ")))
                })
            }
        }
    };
}

words! {
    /// The kind of link between supervisor and worker.
    Transport {
        /// A sealed memory segment for each worker: the default.
        Shm = "shm",
        /// A named memory segment and a process-shared semaphore.
        ShmNamed = "shm-named",
        /// Two pipes.
        Pipe = "pipe",
        /// Two POSIX message queues.
        Mqueue = "mqueue",
        /// ipc-channel.
        Channel = "channel",
    }
}

words! {
    /// How worker processes are started.
    StartMethod {
        /// By a small helper process that forks on request: the default.
        Forkserver = "forkserver",
        /// By running the executable again.
        Spawn = "spawn",
        /// By a fork of the supervisor itself.
        Fork = "fork",
    }
}

words! {
    /// Where a job is in its life. The last four are outcomes.
    JobState {
        /// Accepted; no partition has been leased yet.
        Queued = "queued",
        /// Some partition has been leased.
        Running = "running",
        /// No new leases until it is resumed.
        Paused = "paused",
        /// Answered.
        Done = "done",
        /// It could not be answered.
        Failed = "failed",
        /// Ended by a client.
        Cancelled = "cancelled",
        /// Its deadline passed.
        TimedOut = "timed-out",
    }
}

words! {
    /// What is done about a cell that is no number, or a row with too few cells.
    OnBad {
        /// The job fails and names the place: the default.
        Error = "error",
        /// The row is left out and counted.
        Skip = "skip",
        /// It is a NaN.
        Nan = "nan",
    }
}

words! {
    /// What is done about an element that is NaN.
    Nan {
        /// It is an element, and the answer becomes NaN: the default.
        Keep = "keep",
        /// It is left out and counted.
        Skip = "skip",
    }
}

impl JobState {
    /// Whether the job has its outcome.
    #[must_use]
    pub fn is_over(self) -> bool {
        match self {
            Self::Done | Self::Failed | Self::Cancelled | Self::TimedOut => true,
            Self::Queued | Self::Running | Self::Paused => false,
        }
    }
}

/// A job as a client writes it. Absent options take the daemon's defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobRequest {
    /// Names of reductions: `["sum"]`, `["min", "max"]`.
    pub reductions: Vec<String>,
    /// Sources as typed: `["0..100"]`. Ranges, or files: then the descriptors come with the request, in this order.
    pub sources: Vec<String>,
    /// Step of every range, decimal text; 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// What is folded of each element: an expression in `i`, or in the columns of files. The element itself, or the
    /// only column of numbers, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// A condition: elements for which it does not hold are left out.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Columns that group: one answer for each of their values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<String>,
    /// What is done about cells that are no numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_bad: Option<OnBad>,
    /// What is done about elements that are NaN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nan: Option<Nan>,
    /// Exact decimal arithmetic on the text of cells.
    #[serde(default, skip_serializing_if = "is_false")]
    pub decimal: bool,
    /// Whether the sources are files.
    #[serde(default, skip_serializing_if = "is_false")]
    pub files: bool,
    /// How files are read: `csv`, `f64le`, ...; by their names when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// What stands between the cells of a row, one character; by the format when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<String>,
    /// Whether the first row is one of cells and not of names.
    #[serde(default, skip_serializing_if = "is_false")]
    pub no_header: bool,
    /// Population variance and standard deviation instead of those of a sample.
    #[serde(default, skip_serializing_if = "is_false")]
    pub population: bool,
    /// The most workers at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<u32>,
    /// How many partitions; absent lets the supervisor choose their sizes as it measures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitions: Option<u64>,
    /// How many workers a range may kill before it is taken for guilty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    /// Milliseconds until the job is given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Higher goes first; 0 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// Niceness of its workers, 0 to 19.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nice: Option<i32>,
    /// Bytes of address space for each of its workers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_limit_bytes: Option<u64>,
    /// Link of its workers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,
    /// Start method of its workers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<StartMethod>,
    /// Whether the job goes on when its client goes away.
    #[serde(default, skip_serializing_if = "is_false")]
    pub detach: bool,
    /// Whether ranges and partial answers of each worker are kept, for the table of `--verbose`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub breakdown: bool,
    /// What is folded is floats; tells the kind of the sum of nothing, where there is nothing to find that out from.
    #[serde(default, skip_serializing_if = "is_false")]
    pub of_floats: bool,
    /// A command of the user's own that answers for each partition, instead of an expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Arc<CommandRequest>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// What a worker folds: all it needs to know of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelSpec {
    /// The reductions, in the order asked.
    #[serde(with = "reduction_names")]
    pub reductions: Vec<Reduction>,
    /// The elements.
    pub source: Source,
    /// What is folded of each.
    pub of: Option<String>,
    /// Which are left out.
    pub filter: Option<String>,
    /// What groups them.
    pub by: Vec<String>,
    /// What is done about cells that are no numbers.
    pub on_bad: OnBad,
    /// What is done about NaN.
    pub nan: Nan,
    /// Exact decimal arithmetic.
    pub decimal: bool,
    /// What stands between cells.
    pub delimiter: Option<u8>,
    /// Whether tables have no row of names.
    pub no_header: bool,
    /// Columns that are floats, whatever their first rows look like: found out on the way.
    pub floats: Vec<String>,
    /// The answers are of floats, even of none.
    pub of_floats: bool,
    /// The command that answers instead.
    pub command: Option<Box<Command>>,
}

impl KernelSpec {
    /// A fold of ranges, element by element.
    #[must_use]
    pub fn of_ranges(reductions: Vec<Reduction>, ranges: Vec<Progression>) -> Self {
        Self {
            reductions,
            source: Source::Ranges(ranges),
            of: None,
            filter: None,
            by: Vec::new(),
            on_bad: OnBad::Error,
            nan: Nan::Keep,
            decimal: false,
            delimiter: None,
            no_header: false,
            floats: Vec::new(),
            of_floats: false,
            command: None,
        }
    }

    /// What the states of its partitions look like.
    #[must_use]
    pub fn shape(&self) -> Shape {
        match (self.by.is_empty(), self.decimal) {
            (true, false) => Shape::Plain,
            (true, true) => Shape::Decimal,
            (false, false) => Shape::Grouped { bytes_max: limits::GROUPS_BYTES_MAX },
            (false, true) => Shape::GroupedDecimal { bytes_max: limits::GROUPS_BYTES_MAX },
        }
    }

    /// The state of nothing of it.
    #[must_use]
    pub fn identity(&self) -> Tally {
        let mut identity = Tally::identity(self.shape(), &self.reductions);
        if self.of_floats {
            identity.expect_floats();
        }
        identity
    }

    /// How many positions there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.source.positions()
    }

    /// Whether each position is one element of the answer: not of files, not where some are left out, and not where a
    /// command answers.
    #[must_use]
    pub fn counts_positions(&self) -> bool {
        if self.command.is_some() {
            return false;
        }
        match self.source {
            Source::Ranges(_) => self.filter.is_none() && self.nan == Nan::Keep && self.on_bad != OnBad::Skip,
            Source::Files(_) => false,
        }
    }

    /// The runs of elements that `count` positions from `position` on cover, one for each range touched; none of files.
    pub fn runs(&self, position: u64, count: u64) -> impl Iterator<Item = Progression> + '_ {
        let ranges: &[Progression] = match &self.source {
            Source::Ranges(ranges) => ranges,
            Source::Files(_) => &[],
        };
        source::runs(ranges, position, count)
    }

    /// As whom its command runs, where that is settled.
    #[must_use]
    pub fn run_as(&self) -> Option<RunAs> {
        self.command.as_ref()?.run_as.clone()
    }

    /// Positions as a user would name them.
    #[must_use]
    pub fn describe(&self, position: u64, count: u64) -> String {
        self.source.describe(position, count)
    }
}

/// A job as it is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSpec {
    /// What its workers fold.
    pub kernel: KernelSpec,
    /// Positions in all: elements of ranges, bytes of files.
    pub elements: u64,
    /// The request it was made from, kept for people to read.
    pub request: JobRequest,
}

impl JobSpec {
    /// Into how many pieces it is cut, where that was asked for: not into more than is worth its while. What a command
    /// makes of a piece may take any time.
    #[must_use]
    pub fn pieces(&self) -> Option<u64> {
        let most = match self.kernel.command {
            Some(_) if matches!(&self.kernel.source, Source::Files(files) if files.whole) => {
                return Some(self.elements);
            }
            Some(_) => self.elements.max(1),
            None => self.kernel.source.pieces_max(),
        };
        self.request.partitions.map(|pieces| pieces.min(most))
    }

    /// What is told if that are fewer than were asked for.
    #[must_use]
    pub fn pieces_note(&self) -> Option<String> {
        let (asked, pieces) = (self.request.partitions?, self.pieces()?);
        let why = match &self.kernel.source {
            _ if pieces < self.elements => "smaller ones take longer to hand out than to fold",
            Source::Ranges(_) => "there are no more elements",
            Source::Files(_) => "there are no more bytes",
        };
        (asked > pieces).then(|| format!("{asked} partitions were asked for and {pieces} cut: {why}"))
    }
}

impl JobRequest {
    /// Parses a request without files.
    ///
    /// # Errors
    /// `BadUsage`, naming the word, range or number that cannot be.
    pub fn check(self) -> Result<JobSpec, Failure> {
        self.check_with(0, Vec::new())
    }

    /// Parses the request. `files` are what its descriptors turned out to be, in order, and `set` names them.
    ///
    /// # Errors
    /// `BadUsage`, naming the word, range or number that cannot be.
    pub fn check_with(self, set: u64, files: Vec<FileSource>) -> Result<JobSpec, Failure> {
        if self.reductions.is_empty() {
            return Err(bad("could not read the job: no reduction is named"));
        }
        let mut reductions = Vec::new();
        for name in &self.reductions {
            let reduction = Reduction::from_name(name).ok_or_else(|| {
                let known: Vec<_> = Reduction::ALL.iter().map(|one| one.name()).collect();
                bad(format!("could not reduce by '{name}': no such reduction"))
                    .hint(format!("there are {}", known.join(", ")))
            })?;
            if reductions.contains(&reduction) {
                return Err(bad(format!("could not reduce by '{name}': it is asked for twice"))
                    .hint("one answer is enough"));
            }
            reductions.push(reduction);
        }
        if self.sources.is_empty() {
            return Err(
                bad("could not read the job: it has no source").hint("a range looks like 0..100 or 1..=100")
            );
        }
        if self.sources.len() > limits::SOURCES_MAX {
            return Err(bad(format!("could not read the job: more than {} sources", limits::SOURCES_MAX)));
        }
        self.check_options()?;
        if self.population
            && !reductions.iter().any(|one| matches!(one, Reduction::Variance | Reduction::Stddev))
        {
            let names: Vec<_> = reductions.iter().map(|one| one.name()).collect();
            return Err(bad(format!(
                "could not use --population with {}: it changes nothing",
                names.join(", ")
            ))
            .hint("it is for variance and stddev, which are those of a sample without it"));
        }
        self.check_shape(&reductions)?;
        let source = if self.files { self.files(set, files)? } else { self.ranges()? };
        let elements = source.positions();
        let delimiter = self.delimiter.as_deref().map(delimiter).transpose()?;
        let command = command::of(&self, &reductions, &source)?;
        let kernel = KernelSpec {
            reductions,
            source,
            of: self.of.clone(),
            filter: self.filter.clone(),
            by: self.by.clone(),
            on_bad: self.on_bad.unwrap_or(OnBad::Error),
            nan: self.nan.unwrap_or(Nan::Keep),
            decimal: self.decimal,
            delimiter,
            no_header: self.no_header,
            floats: Vec::new(),
            of_floats: self.of_floats,
            command,
        };
        Ok(JobSpec { kernel, elements, request: self })
    }

    fn ranges(&self) -> Result<Source, Failure> {
        let step = match &self.step {
            None => Integer::from(1),
            Some(text) => {
                parse_integer(text).map_err(|why| bad(format!("could not read the step '{text}': {why}")))?
            }
        };
        if !self.by.is_empty() {
            return Err(bad("could not group a range: --by names columns, and a range has none"));
        }
        let of_files = [
            ("--format", self.format.is_some()),
            ("--delimiter", self.delimiter.is_some()),
            ("--no-header", self.no_header),
        ];
        if let Some((option, _)) = of_files.iter().find(|(_, given)| *given) {
            return Err(bad(format!("could not use {option} with a range: it says how files are read")));
        }
        let mut ranges = Vec::new();
        let mut elements = 0_u64;
        for text in &self.sources {
            let range = parse_range(text, &step).map_err(|why| {
                let failure = bad(format!("could not read the range '{text}': {why}"));
                Failure { hint: range::meant(text), ..failure }
            })?;
            elements = elements
                .checked_add(range.count)
                .ok_or_else(|| bad("could not read the job: it has more than 2^64-1 elements"))?;
            ranges.push(range);
        }
        Ok(Source::Ranges(ranges))
    }

    fn files(&self, set: u64, mut files: Vec<FileSource>) -> Result<Source, Failure> {
        if self.sources.len() > limits::FILES_MAX {
            return Err(bad(format!("could not read the job: more than {} files", limits::FILES_MAX)));
        }
        if files.len() != self.sources.len() {
            let (named, came) = (self.sources.len(), files.len());
            return Err(bad(format!(
                "could not read the job: it names {named} files and {came} descriptors came with it"
            )));
        }
        if self.step.is_some() {
            return Err(bad("could not step through a file: --step is for ranges"));
        }
        for (file, name) in files.iter_mut().zip(&self.sources) {
            file.name.clone_from(name);
            file.format.clone_from(&self.format);
        }
        if files.iter().try_fold(0_u64, |sum, file| sum.checked_add(file.bytes)).is_none() {
            return Err(bad("could not read the job: it has more than 2^64-1 bytes"));
        }
        let whole = self.command.as_ref().is_some_and(|command| command.feed == Some(Feed::Files));
        let grain = if whole { 1 } else { limits::FILE_GRAIN_BYTES };
        Ok(Source::Files(Files { set, files, grain, whole }))
    }

    /// What groups and decimals cannot be.
    fn check_shape(&self, reductions: &[Reduction]) -> Result<(), Failure> {
        within("by", Some(self.by.len() as u64), 0, limits::BY_MAX as u64)?;
        let twice = self.by.iter().enumerate().find(|(at, name)| self.by[..*at].contains(name));
        if let Some((_, name)) = twice {
            return Err(bad(format!("could not group by '{name}': it is named twice"))
                .hint("once makes the same groups"));
        }
        if !self.decimal {
            return Ok(());
        }
        if !self.files {
            return Err(bad("could not add a range as decimals: --decimal reads the text of files"));
        }
        if self.on_bad == Some(OnBad::Nan) {
            return Err(bad("could not read bad cells as NaN: decimals have none")
                .hint("--on-bad skip leaves such rows out"));
        }
        match reductions.iter().find(|one| !Tally::OF_DECIMALS.contains(one)) {
            Some(one) => Err(bad(format!(
                "could not compute the {one} in decimal: it would have to be rounded, or have digits without end"
            ))
            .hint("in decimal there are sum, min, max, count and mean")),
            None => Ok(()),
        }
    }

    fn check_options(&self) -> Result<(), Failure> {
        within("workers", self.workers.map(u64::from), 1, u64::from(limits::WORKERS_MAX))?;
        within("partitions", self.partitions, 1, limits::PARTITIONS_MAX)?;
        within("retries", self.retries.map(u64::from), 0, u64::from(limits::RETRIES_MAX))?;
        within("timeout_ms", self.timeout_ms, 1, limits::TIMEOUT_MS_MAX)?;
        within(
            "memory_limit_bytes",
            self.memory_limit_bytes,
            limits::MEMORY_LIMIT_BYTES_MIN,
            limits::MEMORY_LIMIT_BYTES_MAX,
        )?;
        if let Some(nice) = self.nice
            && !(0..=19).contains(&nice)
        {
            return Err(bad(format!("nice is {nice}; it can be 0 to 19")));
        }
        Ok(())
    }
}

fn within(name: &str, value: Option<u64>, least: u64, most: u64) -> Result<(), Failure> {
    match value {
        Some(value) if value < least || value > most => {
            Err(bad(format!("{name} is {value}; it can be {least} to {most}")))
        }
        Some(_) | None => Ok(()),
    }
}

/// A delimiter as typed: one character of one byte, or `\\t`.
fn delimiter(text: &str) -> Result<u8, Failure> {
    match text.as_bytes() {
        b"\\t" => Ok(b'\t'),
        [byte] if byte.is_ascii() => Ok(*byte),
        _ => Err(bad(format!("could not use '{text}' as a delimiter: it is not one ASCII character"))
            .hint("a tab is written '\\t'")),
    }
}

fn bad(message: impl Into<String>) -> Failure {
    Failure::new(ErrorCode::BadUsage, message)
}

mod reduction_names {
    use super::{Deserialize, Deserializer, Reduction, Serializer};
    use serde::ser::SerializeSeq;

    pub(super) fn serialize<S: Serializer>(list: &[Reduction], serializer: S) -> Result<S::Ok, S::Error> {
        let mut names = serializer.serialize_seq(Some(list.len()))?;
        for one in list {
            names.serialize_element(one.name())?;
        }
        names.end()
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Reduction>, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        names
            .into_iter()
            .map(|name| {
                Reduction::from_name(&name)
                    .ok_or_else(|| serde::de::Error::custom(format!("'{name}' is not a reduction")))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(reductions: &[&str], sources: &[&str]) -> JobRequest {
        JobRequest {
            reductions: reductions.iter().map(|&s| s.to_owned()).collect(),
            sources: sources.iter().map(|&s| s.to_owned()).collect(),
            ..JobRequest::default()
        }
    }

    #[test]
    fn a_request_becomes_a_spec() {
        let spec = request(&["sum", "max"], &["0..10", "-5..5"]).check().unwrap();
        assert_eq!(spec.kernel.reductions, [Reduction::Sum, Reduction::Max]);
        assert_eq!(spec.elements, 20);
        assert_eq!(spec.kernel.describe(8, 4), "8..10, -5..-3");
        assert_eq!(spec.kernel.describe(20, 4), "nothing");
    }

    #[test]
    fn steps_are_described() {
        let spec = JobRequest { step: Some("-3".into()), ..request(&["sum"], &["10..0"]) }.check().unwrap();
        assert_eq!(spec.kernel.describe(1, 2), "7..3 step -3");
    }

    #[test]
    fn bad_requests_name_what_is_bad() {
        let message = |request: JobRequest| request.check().unwrap_err().message;
        assert_eq!(message(request(&["smu"], &["0..1"])), "could not reduce by 'smu': no such reduction");
        assert_eq!(
            message(request(&["sum", "max", "sum"], &["0..1"])),
            "could not reduce by 'sum': it is asked for twice"
        );
        assert_eq!(
            message(request(&["sum"], &["0..x"])),
            "could not read the range '0..x': 'x' is not an integer"
        );
        let many = JobRequest { workers: Some(0), ..request(&["sum"], &["0..1"]) };
        assert_eq!(message(many), "workers is 0; it can be 1 to 1024");
        let population =
            |names: &[&str]| JobRequest { population: true, ..request(names, &["0..9"]) }.check();
        let why = population(&["sum", "min"]).unwrap_err();
        assert_eq!(why.message, "could not use --population with sum, min: it changes nothing");
        assert!(population(&["sum", "stddev"]).is_ok());
        let header = JobRequest { no_header: true, ..request(&["sum"], &["0..1"]) };
        assert_eq!(message(header), "could not use --no-header with a range: it says how files are read");
        let long = request(&["sum"], &["0..18446744073709551615", "0..1"]);
        assert_eq!(message(long), "could not read the job: it has more than 2^64-1 elements");
    }

    #[test]
    fn unknown_fields_are_refused() {
        let text = r#"{"reductions":["sum"],"sources":["0..1"],"wrokers":3}"#;
        assert!(serde_json::from_str::<JobRequest>(text).unwrap_err().to_string().contains("wrokers"));
    }
}
