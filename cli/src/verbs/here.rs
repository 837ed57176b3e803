//! `--mode inline` and `--mode threads`: the fold runs in this process, lent by the root binary.
//!
//! What comes out is made to look like a supervisor's job, so that it is shown by the same code.

use tally_protocol::answers::Answers;
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::ids::{JobId, SlotId};
use tally_protocol::job::{JobState, StartMethod, Transport};
use tally_protocol::source::Source;
use tally_protocol::view::{JobView, PartitionCounts, WorkerShare};
use tally_sys::clock;
use tally_sys::signal::Signal;

use super::Context;
use crate::conversation::{interrupted, interrupts};
use crate::meaning::Plan;
use crate::roles::{FoldMode, FoldOutcome, Share};
use crate::show::answer;
use crate::show::progress::{Progress, Step};

/// Why a fold was stopped before its end.
#[derive(Clone, Copy, Debug)]
enum Stopped {
    Signal(Signal),
    Deadline,
}

pub(super) fn run(
    context: &mut Context<'_, '_>,
    plan: &Plan,
    mode: FoldMode,
    begun_ns: u64,
) -> Result<u8, Failure> {
    if let Some(note) = &plan.note {
        context.terminal.note(note);
    }
    let mut signals = interrupts()?;
    let submitted_at_ms = clock::wall_ms();
    let elements = plan.spec.elements;
    let files = matches!(plan.spec.kernel.source, Source::Files(_));
    let deadline_ns =
        plan.spec.request.timeout_ms.map(|ms| begun_ns.saturating_add(ms.saturating_mul(1_000_000)));
    let mut progress = Progress::new(plan.progress, context.style.quiet, context.terminal, begun_ns);
    let mut stopped = None;
    let mut percent = 0;
    let terminal = &mut *context.terminal;
    let outcome = (context.roles.fold)(&plan.spec, &plan.inputs, mode, &mut |done| {
        let now_ns = clock::monotonic_ns();
        let step = step(done, elements, files, now_ns.saturating_sub(begun_ns), threads(mode));
        percent = step.percent();
        if let Some(signal) = signals.pending().ok().and_then(|pending| pending.first().copied()) {
            stopped = Some(Stopped::Signal(signal));
        } else if deadline_ns.is_some_and(|deadline| now_ns >= deadline) {
            stopped = Some(Stopped::Deadline);
        } else {
            progress.step(now_ns, step, terminal);
        }
        stopped.is_none()
    });
    let elapsed_ns = clock::monotonic_ns().saturating_sub(begun_ns);
    let mut job = JobView { submitted_at_ms, elapsed_ms: elapsed_ns / 1_000_000, ..blank(plan, mode) };
    match (outcome, stopped) {
        (Ok(outcome), _) => fill(&mut job, plan, outcome),
        (Err(_), Some(Stopped::Signal(signal))) => {
            progress.cut(context.terminal);
            let what = plan.spec.request.sources.join(", ");
            return Err(interrupted(signal, &format!("{percent}% of {what} was done")));
        }
        (Err(_), Some(Stopped::Deadline)) => {
            let ms = plan.spec.request.timeout_ms.unwrap_or(0);
            let message = format!("it passed its deadline of {ms} ms with {percent}% done");
            job.state = JobState::TimedOut;
            job.error = Some(Failure::new(ErrorCode::TimedOut, message));
        }
        (Err(failure), None) => {
            job.state = JobState::Failed;
            job.error = Some(failure);
        }
    }
    progress.end(Step { job: None, workers: u64::from(threads(mode)), ..Step::of(&job) }, context.terminal);
    answer::show(context.terminal, &job, plan.names, context.style, Some(elapsed_ns))
}

fn threads(mode: FoldMode) -> u16 {
    match mode {
        FoldMode::Inline => 1,
        FoldMode::Threads(count) => count,
    }
}

fn step(done: u64, elements: u64, bytes: bool, elapsed_ns: u64, threads: u16) -> Step {
    let per_ns = |count: u64, by: u64| {
        let scaled = u128::from(count) * 1_000_000_000;
        scaled.checked_div(u128::from(by)).and_then(|value| u64::try_from(value).ok())
    };
    let rate_per_s = per_ns(done, elapsed_ns);
    let left = elements.saturating_sub(done);
    let eta_ms = rate_per_s.and_then(|rate| per_ns(left, rate)).map(|ns| ns / 1_000_000);
    Step {
        job: None,
        state: JobState::Running,
        done,
        elements,
        folded: None,
        bytes,
        rate_per_s,
        eta_ms,
        workers: u64::from(threads),
        retries: 0,
        elapsed_ms: elapsed_ns / 1_000_000,
    }
}

/// The job before anything is known of its end. It is the only one of this command, so it is the first.
fn blank(plan: &Plan, mode: FoldMode) -> JobView {
    let request = &plan.spec.request;
    let files = matches!(plan.spec.kernel.source, Source::Files(_));
    JobView {
        job: JobId(1),
        state: JobState::Running,
        reductions: plan.spec.kernel.reductions.iter().map(|one| one.name().to_owned()).collect(),
        sources: request.sources.clone(),
        step: request.step.clone(),
        of: request.of.clone(),
        filter: request.filter.clone(),
        by: request.by.clone(),
        results: Vec::new(),
        groups: None,
        error: None,
        elements: if files { "0".to_owned() } else { plan.spec.elements.to_string() },
        elements_done: "0".to_owned(),
        skipped: None,
        made_nan: None,
        bytes: files.then(|| plan.spec.elements.to_string()),
        bytes_done: files.then(|| "0".to_owned()),
        elapsed_ms: 0,
        submitted_at_ms: 0,
        ended_at_ms: None,
        rate_per_s: None,
        eta_ms: None,
        partitions: PartitionCounts::default(),
        workers: Vec::new(),
        retries: 0,
        late: 0,
        priority: 0,
        detached: false,
        transport: request.transport.unwrap_or(Transport::Shm),
        start: request.start.unwrap_or(StartMethod::Forkserver),
        mode: match mode {
            FoldMode::Inline => "inline".to_owned(),
            FoldMode::Threads(_) => "threads".to_owned(),
        },
        incidents: Vec::new(),
        uid: None,
        stored: None,
        note: plan.spec.pieces_note(),
        history: None,
        command: None,
    }
}

fn fill(job: &mut JobView, plan: &Plan, outcome: FoldOutcome) {
    let population = plan.spec.request.population;
    job.workers = (0_u16..).zip(&outcome.shares).map(|(slot, share)| worker(slot, share, plan)).collect();
    job.elements_done = plan.spec.elements.to_string();
    job.elements = outcome.partial.elements().to_string();
    if job.bytes.is_some() {
        job.elements_done.clone_from(&job.elements);
        job.bytes_done.clone_from(&job.bytes);
    }
    let some = |count: u64| (count > 0).then(|| count.to_string());
    job.skipped = some(outcome.partial.skipped());
    job.made_nan = some(outcome.partial.made_nan());
    match Answers::of(&outcome.partial, population) {
        Ok(answers) => {
            let answers = answers.located(&plan.spec.kernel.source);
            job.state = JobState::Done;
            job.results = answers.results;
            job.groups = answers.groups;
        }
        Err(failure) => {
            job.state = JobState::Failed;
            job.error = Some(failure);
        }
    }
}

fn worker(slot: u16, share: &Share, plan: &Plan) -> WorkerShare {
    let kernel = &plan.spec.kernel;
    WorkerShare {
        slot: SlotId(slot),
        pid: std::process::id(),
        partitions: u64::try_from(share.ranges.len()).unwrap_or(u64::MAX),
        elements: share.partial.elements().to_string(),
        busy_ms: share.busy_ns / 1_000_000,
        ranges: joined(&share.ranges).map(|(position, count)| kernel.describe(position, count)).collect(),
        // A share of nothing has no least element; that is no failure of the job.
        results: Answers::of_part(&share.partial, plan.spec.request.population),
    }
}

/// Pieces that follow each other as one, in order.
fn joined(ranges: &[(u64, u64)]) -> impl Iterator<Item = (u64, u64)> {
    let mut sorted: Vec<(u64, u64)> = ranges.iter().copied().filter(|(_, count)| *count > 0).collect();
    sorted.sort_unstable();
    sorted.dedup_by(|next, before| {
        let touches = before.0.checked_add(before.1) == Some(next.0);
        if touches {
            before.1 += next.1;
        }
        touches
    });
    sorted.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_in_a_row_are_one_range() {
        let pieces = [(10, 5), (0, 5), (5, 5), (20, 0), (30, 1), (u64::MAX, 1)];
        assert_eq!(joined(&pieces).collect::<Vec<_>>(), [(0, 15), (30, 1), (u64::MAX, 1)]);
        assert_eq!(joined(&[]).count(), 0);
    }

    #[test]
    fn a_pace_is_known_once_time_has_passed() {
        let begun = step(0, 100, false, 0, 2);
        assert_eq!((begun.rate_per_s, begun.eta_ms), (None, None));
        let half = step(50, 100, false, 2_000_000_000, 2);
        assert_eq!((half.rate_per_s, half.eta_ms, half.percent()), (Some(25), Some(2_000), 50));
        assert_eq!(step(0, 100, false, 1, 1).eta_ms, None, "at this pace it never ends");
    }
}
