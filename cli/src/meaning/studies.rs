//! What `lab`, `running` and `compare` mean.

use tally_protocol::error::Failure;
use tally_protocol::job::{Nan, OnBad};
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
    let RunningArgs { list, file, on_bad, nan, decimal, population } = args;
    let running = Running {
        reductions: reductions(&list)?,
        file: file.filter(|file| file.as_os_str() != "-"),
        on_bad: on_bad.unwrap_or(OnBad::Error),
        nan: nan.unwrap_or(Nan::Keep),
        decimal,
        population,
    };
    running.checked().map(Verb::Running)
}

pub(super) fn compare(args: CompareArgs, socket: Socket) -> Result<Verb, Failure> {
    let CompareArgs { sources, reduce, transports, python, plot, options } = args;
    let given = [
        ("--mode", options.mode.is_some()),
        ("--transport", options.transport.is_some()),
        ("--detach", options.detach),
        ("--priority", options.priority.is_some()),
        ("--progress", options.progress.is_some()),
        ("--memory-limit", options.memory_limit.is_some()),
        ("--command", options.kernel.command.is_some()),
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
        Verb::Reduce(plan) => Ok(Verb::Compare(Box::new(Comparison {
            plan: *plan,
            workers,
            transports,
            python: python.unwrap_or_default(),
            plot,
        }))),
        other => Ok(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meaning::tests::meant;

    #[test]
    fn studies_are_named_with_their_options() {
        let line = "lab race --processes 50 --count 200_000 --lock none,ticket --timeout 2s --plot r.svg";
        let options = StudyOptions {
            study: "race".into(),
            processes: Some(50),
            count: Some(200_000),
            locks: vec!["none".into(), "ticket".into()],
            limit_ms: Some(2_000),
        };
        assert_eq!(meant(line), Ok(Verb::Lab(options, Some("r.svg".into()))));
    }

    #[test]
    fn running_reads_standard_input_unless_a_file_is_named() {
        let file_of = |line: &str| match meant(line) {
            Ok(Verb::Running(running)) => (running.file, running.on_bad, running.reductions.len()),
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(file_of("running sum"), (None, OnBad::Error, 1));
        assert_eq!(file_of("running sum,min - --on-bad skip"), (None, OnBad::Skip, 2));
        assert_eq!(file_of("running mean n.txt").0, Some("n.txt".into()));
        assert_eq!(meant("running sum --on-bad nan --decimal").unwrap_err().exit, 2);
        assert_eq!(meant("running total").unwrap_err().exit, 2);
    }

    #[test]
    fn a_comparison_chooses_the_ways_itself() {
        match meant("compare 0..10 --workers 3 --of i*2 --transports") {
            Ok(Verb::Compare(comparison)) => {
                assert_eq!((comparison.workers, comparison.transports), (3, true));
                assert_eq!(comparison.plan.spec.request.of.as_deref(), Some("i*2"));
            }
            other => panic!("{other:?}"),
        }
        for option in ["--mode inline", "--transport pipe", "--detach", "--memory-limit 1G"] {
            assert_eq!(meant(&format!("compare 0..10 {option}")).unwrap_err().exit, 2, "{option}");
        }
    }
}
