//! Which studies there are, and which options each of them takes.

use std::path::PathBuf;
use std::time::Duration;

use crate::crew::Watch;
use crate::kind::LockKind;
use crate::place::PROCESSES_MAX;
use crate::report::Report;
use crate::{Error, coroutines, deadlock, locks, philosophers, processes, producer_consumer, race, spin};

/// A study.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Study {
    /// Lost updates of a shared counter and of a bank account.
    Race,
    /// Throughput and waiting by the number of processes.
    Locks,
    /// Busy waiting against sleeping.
    Spin,
    /// Two locks crosswise, and the cures.
    Deadlock,
    /// The dining philosophers.
    Philosophers,
    /// Producers and consumers with a bounded buffer.
    ProducerConsumer,
    /// Several functions side by side on one thread.
    Coroutines,
    /// What threads share and processes do not.
    Processes,
}

/// What a study is run with; absent is its default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Processes.
    pub processes: Option<u32>,
    /// Entries, meals, items: how often each process does it.
    pub count: Option<u32>,
    /// Only these locks.
    pub locks: Vec<LockKind>,
    /// The most time for each row of a table.
    pub limit: Option<Duration>,
    /// The program that has a daemon in it, for what needs one.
    pub program: Option<PathBuf>,
}

/// The most a process does.
const COUNT_MAX: u32 = 10_000_000;

impl Study {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Race,
        Self::Locks,
        Self::Spin,
        Self::Deadlock,
        Self::Philosophers,
        Self::ProducerConsumer,
        Self::Coroutines,
        Self::Processes,
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Race => "race",
            Self::Locks => "locks",
            Self::Spin => "spin",
            Self::Deadlock => "deadlock",
            Self::Philosophers => "philosophers",
            Self::ProducerConsumer => "producer-consumer",
            Self::Coroutines => "coroutines",
            Self::Processes => "processes",
        }
    }

    /// The study of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|study| study.name() == name)
    }

    /// The most processes it can have, if one can choose.
    fn processes(self) -> Option<std::ops::RangeInclusive<u32>> {
        match self {
            Self::Race => Some(2..=PROCESSES_MAX),
            Self::Locks => Some(1..=64),
            Self::Spin => Some(1..=32),
            Self::Philosophers => Some(2..=16),
            Self::ProducerConsumer => Some(2..=64),
            Self::Deadlock | Self::Coroutines | Self::Processes => None,
        }
    }

    fn takes_count(self) -> bool {
        !matches!(self, Self::Coroutines | Self::Processes)
    }

    fn takes_locks(self) -> bool {
        matches!(self, Self::Race | Self::Locks)
    }

    fn takes_limit(self) -> bool {
        !matches!(self, Self::Spin | Self::Coroutines | Self::Processes)
    }

    /// An option that does nothing is a mistake of who gave it.
    fn check(self, options: &Options) -> Result<(), Error> {
        let name = self.name();
        let useless = |option: &str| {
            Err(Error::BadOption(format!("use {option} with 'lab {name}': it has no use for it")))
        };
        match (options.processes, self.processes()) {
            (Some(_), None) => return useless("--processes"),
            (Some(asked), Some(range)) if !range.contains(&asked) => {
                let (least, most) = (range.start(), range.end());
                let why = format!("start {asked} processes for 'lab {name}': it takes {least} to {most}");
                return Err(Error::BadOption(why));
            }
            _ => {}
        }
        match options.count {
            Some(_) if !self.takes_count() => return useless("--count"),
            Some(count) if count == 0 || count > COUNT_MAX => {
                let why = format!("count to {count} for 'lab {name}': it takes 1 to {COUNT_MAX}");
                return Err(Error::BadOption(why));
            }
            _ => {}
        }
        if !options.locks.is_empty() && !self.takes_locks() {
            return useless("--lock");
        }
        if options.limit.is_some() && !self.takes_limit() {
            return useless("--timeout");
        }
        Ok(())
    }
}

/// Runs a study in the calling process, which must have one thread, and processes of its own.
///
/// # Errors
/// An option the study has no use for; an interrupt; what the system refuses.
pub fn run(study: Study, options: &Options) -> Result<Report, Error> {
    study.check(options)?;
    let watch = &mut Watch::new()?;
    match study {
        Study::Race => race::run(watch, options),
        Study::Locks => locks::run(watch, options),
        Study::Spin => spin::run(watch, options),
        Study::Deadlock => deadlock::run(watch, options),
        Study::Philosophers => philosophers::run(watch, options),
        Study::ProducerConsumer => producer_consumer::run(watch, options),
        Study::Coroutines => coroutines::run(watch),
        Study::Processes => processes::run(watch),
    }
}

impl Options {
    /// These locks, or all that there are.
    pub(crate) fn locks(&self) -> Vec<LockKind> {
        if self.locks.is_empty() { LockKind::ALL.to_vec() } else { self.locks.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(study: Study, options: Options) -> String {
        study.check(&options).unwrap_err().to_string()
    }

    #[test]
    fn options_without_use_are_refused() {
        let processes = |count| Options { processes: Some(count), ..Options::default() };
        let count = |count| Options { count: Some(count), ..Options::default() };
        assert!(refused(Study::Coroutines, processes(2)).contains("use --processes with 'lab coroutines'"));
        assert!(refused(Study::Race, processes(1)).contains("it takes 2 to 200"));
        assert!(refused(Study::Race, count(0)).contains("it takes 1 to 10000000"));
        let locks = Options { locks: vec![LockKind::Swap], ..Options::default() };
        assert!(refused(Study::Spin, locks).contains("use --lock"));
        let limit = Options { limit: Some(Duration::ZERO), ..Options::default() };
        assert!(refused(Study::Spin, limit).contains("use --timeout"));
        assert!(Study::Race.check(&processes(50)).is_ok() && Study::Race.check(&count(200_000)).is_ok());
    }

    #[test]
    fn names_and_studies_fit_each_other() {
        for study in Study::ALL {
            assert_eq!(Study::from_name(study.name()), Some(study));
        }
    }
}
