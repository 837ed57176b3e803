//! What `lab`, `running` and `compare` mean.

use std::path::PathBuf;

use tally_protocol::error::Failure;
use tally_reduce::Reduction;

use super::{Socket, Verb, bad, plan, reductions, threads};
use crate::args::studies::{CompareArgs, LabArgs, RunningArgs};
use crate::args::{ReductionArgs, ReductionOptions};
use crate::studies::StudyOptions;
use crate::verbs::compare::Comparison;
use crate::verbs::running::Running;

pub(super) fn lab(args: LabArgs) -> Verb {
    let LabArgs { study, processes, count, locks, timeout, plot } = args;
    Verb::Lab(StudyOptions { study, processes, count, locks, limit_ms: timeout }, plot)
}

pub(super) fn running(args: RunningArgs) -> Result<Verb, Failure> {
    let RunningArgs { list, file, on_bad, population } = args;
    Ok(Verb::Running(Running {
        reductions: reductions(&list)?,
        file: file.filter(|file| *file != PathBuf::from("-")),
        skip_bad: Running::skips(on_bad)?,
        population,
    }))
}

pub(super) fn compare(args: CompareArgs, socket: Socket) -> Result<Verb, Failure> {
    let CompareArgs { sources, reduce, transports, plot, options } = args;
    let given = [
        ("--mode", options.mode.is_some()),
        ("--transport", options.transport.is_some()),
        ("--detach", options.detach),
        ("--memory-limit", options.memory_limit.is_some()),
    ];
    if let Some((option, _)) = given.iter().find(|(_, is_given)| *is_given) {
        return Err(bad(format!("could not use {option} with 'compare': it runs the job in every way")));
    }
    let list = match reduce {
        Some(list) => reductions(&list)?,
        None => vec![Reduction::Sum],
    };
    let workers = threads(options.workers);
    let options = ReductionOptions { local: true, ..options };
    match plan(&list, true, ReductionArgs { sources, options }, false, socket)? {
        Verb::Reduce(plan) => {
            Ok(Verb::Compare(Box::new(Comparison { plan: *plan, workers, transports, plot })))
        }
        other => Ok(other),
    }
}
