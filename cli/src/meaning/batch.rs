//! What `batch` means, and what a line of it does.

use std::path::PathBuf;

use tally_protocol::error::Failure;
use tally_protocol::job::JobRequest;
use tally_reduce::Reduction;

use super::{Place, Socket, bad, factorial, reductions};
use crate::args::batch::{BatchArgs, JobCommand};
use crate::args::{ReduceArgs, ReductionArgs, ReductionOptions};
use crate::batch::Defaults;
use crate::inputs::Opened;
use crate::roles::PrivateOptions;

/// Jobs under way at once, unless told.
const IN_FLIGHT: u32 = 64;

/// A batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    /// Standard input without one.
    pub(crate) file: Option<PathBuf>,
    pub(crate) ordered: bool,
    /// Jobs under way at once.
    pub(crate) in_flight: usize,
    pub(crate) defaults: Defaults,
    pub(crate) place: Place,
}

pub(super) fn batch(args: BatchArgs, breakdown: bool, socket: Socket) -> Result<Batch, Failure> {
    let BatchArgs { file, ordered, in_flight, workers, timeout, start, transport, local } = args;
    if local && socket.flag {
        return Err(bad("could not use the daemon of --socket: --local never uses a daemon"));
    }
    let private = PrivateOptions { workers, transport, start, many_requests: true };
    let place = match (local, socket.reach.named) {
        (true, _) => Place::Private(private),
        (false, true) => Place::Daemon(socket.reach),
        (false, false) => Place::DaemonOrPrivate(socket.reach, private),
    };
    Ok(Batch {
        file: Some(file).filter(|file| file.as_os_str() != "-"),
        ordered,
        in_flight: usize::try_from(in_flight.unwrap_or(IN_FLIGHT)).unwrap_or(1).max(1),
        defaults: Defaults { workers, timeout_ms: timeout, transport, start, breakdown },
        place,
    })
}

/// What a line asks for, its files, and whether its answers have names.
pub(crate) fn request(command: JobCommand) -> Result<(JobRequest, Option<Opened>, bool), Failure> {
    let (list, names, args) = match command {
        JobCommand::Sum(args) => (vec![Reduction::Sum], false, args),
        JobCommand::Product(args) => (vec![Reduction::Product], false, args),
        JobCommand::Min(args) => (vec![Reduction::Min], false, args),
        JobCommand::Max(args) => (vec![Reduction::Max], false, args),
        JobCommand::Count(args) => (vec![Reduction::Count], false, args),
        JobCommand::Mean(args) => (vec![Reduction::Mean], false, args),
        JobCommand::Variance(args) => (vec![Reduction::Variance], false, args),
        JobCommand::Stddev(args) => (vec![Reduction::Stddev], false, args),
        JobCommand::Reduce(ReduceArgs { list, rest }) => (reductions(&list)?, true, rest),
        JobCommand::Factorial(args) => (vec![Reduction::Product], false, factorial(args)?),
    };
    let ReductionArgs { sources, options } = args;
    check_options(&options)?;
    let opened = open(&sources, options.timeout)?;
    Ok((super::request(&list, sources, options, opened.as_ref(), false)?, opened, names))
}

/// The files among the sources of a line, opened.
pub(crate) fn open(sources: &[String], timeout_ms: Option<u64>) -> Result<Option<Opened>, Failure> {
    if sources.iter().any(|source| source == "-") {
        return Err(bad("could not read '-': standard input is the batch's own"));
    }
    super::open(sources, timeout_ms)
}

fn check_options(options: &ReductionOptions) -> Result<(), Failure> {
    let given = [
        ("--detach", options.detach, "the jobs of a batch end with it"),
        ("--local", options.local, "it goes to 'tally batch' itself"),
        ("--mode", options.mode.is_some(), "the jobs of a batch run on workers"),
        ("--progress", options.progress.is_some(), "a batch shows answers as they come"),
    ];
    match given.iter().find(|(_, is_given, _)| *is_given) {
        Some((option, _, why)) => Err(bad(format!("could not use {option} on a line: {why}"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meaning::Verb;
    use crate::meaning::tests::meant;

    #[test]
    fn a_batch_has_its_defaults() {
        let Ok(Verb::Batch(batch)) = meant("batch -") else { panic!("no batch") };
        assert_eq!((batch.file, batch.ordered, batch.in_flight), (None, false, 64));
        assert!(matches!(batch.place, Place::DaemonOrPrivate(_, PrivateOptions { many_requests: true, .. })));
        let Ok(Verb::Batch(batch)) = meant("batch jobs.txt --ordered --in-flight 7 --workers 2 --local")
        else {
            panic!("no batch")
        };
        assert_eq!((batch.file, batch.ordered, batch.in_flight), (Some("jobs.txt".into()), true, 7));
        assert!(matches!(batch.place, Place::Private(PrivateOptions { workers: Some(2), .. })));
        assert_eq!(meant("batch - --local --socket /s").unwrap_err().exit, 2);
    }
}
