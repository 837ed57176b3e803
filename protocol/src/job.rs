//! What a job is: as a client writes it (`JobRequest`) and as it is meant (`JobSpec`).
//!
//! A request is text and options; `JobRequest::check` parses it once, and only the spec is passed on.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tally_reduce::{Integer, Reduction};

use crate::error::{ErrorCode, Failure};
use crate::limits;
use crate::range::{Progression, parse_integer, parse_range};

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
    /// Sources as typed: `["0..100"]`.
    pub sources: Vec<String>,
    /// Step of every range, decimal text; 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
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
    /// The elements. Positions count through all of them in order.
    pub source: Vec<Progression>,
}

impl KernelSpec {
    /// How many elements there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.source.iter().map(|one| one.count).sum()
    }

    /// The runs of elements that `count` positions from `position` on cover, one for each source touched.
    /// Positions beyond the end are left out.
    pub fn runs(&self, position: u64, count: u64) -> impl Iterator<Item = Progression> + '_ {
        let end = position.saturating_add(count);
        let mut base = 0_u64;
        self.source.iter().filter_map(move |source| {
            let from = position.max(base);
            let to = end.min(base + source.count);
            let start_of_source = base;
            base += source.count;
            (from < to).then(|| Progression {
                first: source.at(from - start_of_source),
                step: source.step.clone(),
                count: to - from,
            })
        })
    }

    /// Positions as a user would write the range: `0..10`, or `0..10 step 2`; several sources joined by commas.
    #[must_use]
    pub fn describe(&self, position: u64, count: u64) -> String {
        let texts: Vec<String> = self.runs(position, count).map(|run| describe_run(&run)).collect();
        if texts.is_empty() { "nothing".to_owned() } else { texts.join(", ") }
    }
}

fn describe_run(run: &Progression) -> String {
    let one = Integer::from(1);
    let up = run.step > Integer::from(0);
    let last = run.at(run.count - 1);
    let end = if up { &last + &one } else { &last - &one };
    if run.step == one {
        format!("{}..{end}", run.first)
    } else {
        format!("{}..{end} step {}", run.first, run.step)
    }
}

/// A job as it is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSpec {
    /// What its workers fold.
    pub kernel: KernelSpec,
    /// Elements in all.
    pub elements: u64,
    /// The request it was made from, kept for people to read.
    pub request: JobRequest,
}

impl JobRequest {
    /// Parses the request.
    ///
    /// # Errors
    /// `BadUsage`, naming the word, range or number that cannot be.
    pub fn check(self) -> Result<JobSpec, Failure> {
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
            if !reductions.contains(&reduction) {
                reductions.push(reduction);
            }
        }
        if self.sources.is_empty() {
            return Err(
                bad("could not read the job: it has no source").hint("a range looks like 0..100 or 1..=100")
            );
        }
        if self.sources.len() > limits::SOURCES_MAX {
            return Err(bad(format!("could not read the job: more than {} sources", limits::SOURCES_MAX)));
        }
        let step = match &self.step {
            None => Integer::from(1),
            Some(text) => {
                parse_integer(text).map_err(|why| bad(format!("could not read the step '{text}': {why}")))?
            }
        };
        let mut source = Vec::new();
        let mut elements = 0_u64;
        for text in &self.sources {
            let range = parse_range(text, &step)
                .map_err(|why| bad(format!("could not read the range '{text}': {why}")))?;
            elements = elements
                .checked_add(range.count)
                .ok_or_else(|| bad("could not read the job: it has more than 2^64-1 elements"))?;
            source.push(range);
        }
        self.check_options()?;
        Ok(JobSpec { kernel: KernelSpec { reductions, source }, elements, request: self })
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
        let spec = request(&["sum", "max", "sum"], &["0..10", "-5..5"]).check().unwrap();
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
            message(request(&["sum"], &["0..x"])),
            "could not read the range '0..x': 'x' is not an integer"
        );
        let many = JobRequest { workers: Some(0), ..request(&["sum"], &["0..1"]) };
        assert_eq!(message(many), "workers is 0; it can be 1 to 1024");
        let long = request(&["sum"], &["0..18446744073709551615", "0..1"]);
        assert_eq!(message(long), "could not read the job: it has more than 2^64-1 elements");
    }

    #[test]
    fn unknown_fields_are_refused() {
        let text = r#"{"reductions":["sum"],"sources":["0..1"],"wrokers":3}"#;
        assert!(serde_json::from_str::<JobRequest>(text).unwrap_err().to_string().contains("wrokers"));
    }
}
