//! `show JOB`: all about one job, with what happened to its workers.

use std::path::Path;

use tally_protocol::control::{Request, part};
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::ids::JobId;
use tally_protocol::job::JobState;
use tally_protocol::view::{Incident, JobView};

use super::{Context, ask, jobs};
use crate::picture;
use crate::place::Reach;
use crate::report;
use crate::show::answer::failure_of;
use crate::show::progress::Step;
use crate::show::table::{Side, Table, facts};
use crate::show::{json, number, timeline};

/// Lines of standard error that are shown of each failed attempt.
const SAID_LINES_MAX: usize = 5;
/// What it means for a job that nobody needs to wait for it ...
const DETACHED: &str = "yes: it goes on when the command that submitted it has ended";
/// ... or that somebody does.
const ATTACHED: &str = "no: it ends with the command that submitted it";

pub(super) fn run(
    context: &mut Context<'_, '_>,
    reach: &Reach,
    job: JobId,
    history: bool,
    plot: Option<&Path>,
) -> Result<u8, Failure> {
    if history && !context.style.json {
        let failure = Failure::new(ErrorCode::BadUsage, "could not show a history as text");
        return Err(failure.hint("--json tells it, --plot FILE.svg draws it"));
    }
    let is_answer = picture::prepare(plot, context.style.json)?;
    let request = if history || plot.is_some() { Request::ShowHistory(job) } else { Request::Show(job) };
    let mut job: JobView = part(ask(context, reach, &request, &format!("show {job}"))?, "job")?;
    if let Some(path) = plot {
        let drawing = timeline::drawing(&job, &jobs::what(&job))?;
        picture::save(path, &(context.roles.studies.draw_time)(drawing), context.terminal)?;
        if is_answer {
            return Ok(0);
        }
    }
    if !history {
        job.history = None;
    }
    let text = if context.style.json { json::job(&job) } else { text(&job) };
    context.terminal.answer(&text)?;
    Ok(0)
}

fn text(job: &JobView) -> String {
    let mut text = facts(&facts_of(job));
    if !job.workers.is_empty() {
        text.push('\n');
        text.push_str(&workers(job).text("", str::to_owned));
    }
    if !job.incidents.is_empty() {
        text.push('\n');
        text.push_str(&incidents(job).text("", str::to_owned));
    }
    job.incidents.iter().filter_map(said).for_each(|said| text.push_str(&said));
    text
}

/// The last lines that a failed attempt wrote to its standard error.
fn said(incident: &Incident) -> Option<String> {
    let lines = last_words(incident);
    (!lines.is_empty()).then(|| format!("\nstderr of {}:\n{lines}", whose(incident)))
}

fn whose(incident: &Incident) -> String {
    match (&incident.range, incident.attempt) {
        (Some(range), Some(attempt)) => format!("attempt {attempt} at {range}"),
        _ => format!("worker-{}", incident.slot),
    }
}

/// The last lines of its standard error that are not empty.
fn last_words(incident: &Incident) -> String {
    let stderr = incident.stderr.as_deref().unwrap_or("");
    last_lines(stderr).into_iter().map(|line| format!("  {}\n", report::one_line(line))).collect()
}

/// Tells of failures as they come, each once.
#[derive(Debug, Default)]
pub(super) struct Failures {
    last: Option<Incident>,
}

impl Failures {
    /// Those that were not told yet, if there are any.
    pub(super) fn news(&mut self, job: &JobView) -> Option<String> {
        let told = job.incidents.iter().rposition(|one| self.last.as_ref() == Some(one));
        let fresh = &job.incidents[told.map_or(0, |at| at + 1)..];
        self.last = Some(fresh.last()?.clone());
        let lines = fresh.iter().map(|one| {
            format!("tally: {}: {}\n{}", whose(one), report::one_line(&one.what), last_words(one))
        });
        Some(lines.collect())
    }
}

fn last_lines(stderr: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = stderr.lines().filter(|line| !line.trim().is_empty()).collect();
    lines.split_off(lines.len().saturating_sub(SAID_LINES_MAX))
}

fn facts_of(job: &JobView) -> Vec<(&'static str, String)> {
    let step = Step::of(job);
    let mut facts = vec![("job", job.job.to_string()), ("what", jobs::what(job)), ("state", state(job))];
    facts.push(("submitted", format!("{} UTC", number::moment(job.submitted_at_ms / 1_000))));
    let (count, all, what) = match (&job.bytes_done, &job.bytes) {
        (Some(done), Some(all)) => (done, all, "bytes"),
        _ => (&job.elements_done, &job.elements, "elements"),
    };
    let done = format!("{} of {} {what}", number::grouped(count), number::grouped(all));
    facts.push(("done", format!("{}%, {done}", step.percent())));
    if let Some(rate) = job.rate_per_s.filter(|_| !step.waits) {
        facts.push(("rate", if step.bytes { number::byte_rate(rate) } else { number::rate(rate) }));
    }
    if let Some(eta) = job.eta_ms {
        facts.push(("eta", number::eta(eta)));
    }
    facts.extend(
        job.results.iter().map(|result| ("answer", format!("{} {}", result.reduction, result.value))),
    );
    if job.state.is_over() && job.state != JobState::Done {
        let failure = failure_of(job);
        facts.push(("why", failure.message));
        facts.extend(failure.hint.map(|hint| ("hint", hint)));
        let told =
            job.incidents.iter().any(|incident| incident.stderr.as_deref() == failure.stderr.as_deref());
        let stderr = failure.stderr.filter(|_| !told).unwrap_or_default();
        facts.extend(last_lines(&stderr).into_iter().map(|line| ("stderr", report::one_line(line))));
    }
    facts.extend(job.note.clone().map(|note| ("note", report::one_line(&note))));
    let counts = job.partitions;
    let mut partitions = format!("{} done, {} leased, {} queued", counts.done, counts.leased, counts.queued);
    if let Some(total) = counts.total {
        partitions.push_str(&format!(", {total} in all"));
    }
    facts.push(("partitions", partitions));
    facts.push(("retries", format!("{}, {} partials came too late", job.retries, job.late)));
    facts.push(("priority", job.priority.to_string()));
    facts.extend(job.uid.map(|uid| ("user", jobs::user(uid))));
    facts.push(("detached", if job.detached { DETACHED } else { ATTACHED }.to_owned()));
    facts.push(("how", format!("{}, {}, {}", job.mode, job.transport, job.start)));
    facts
}

fn state(job: &JobView) -> String {
    let time = number::duration(job.elapsed_ms);
    let after = if job.state.is_over() { "after" } else { "for" };
    format!("{} {after} {time}", jobs::state_of(job))
}

fn workers(job: &JobView) -> Table {
    let mut table = Table::new(&[
        ("WORKER", Side::Left),
        ("PID", Side::Right),
        ("PARTITIONS", Side::Right),
        ("ELEMENTS", Side::Right),
        ("BUSY", Side::Right),
    ]);
    for share in &job.workers {
        table.row(vec![
            format!("worker-{}", share.slot),
            share.pid.to_string(),
            number::grouped(&share.partitions.to_string()),
            number::grouped(&share.elements),
            number::duration(share.busy_ms),
        ]);
    }
    table
}

fn incidents(job: &JobView) -> Table {
    let mut table = Table::new(&[
        ("AFTER", Side::Right),
        ("WORKER", Side::Left),
        ("PID", Side::Right),
        ("RANGE", Side::Left),
        ("ATTEMPT", Side::Right),
        ("WHAT", Side::Left),
    ]);
    for incident in &job.incidents {
        table.row(vec![
            number::duration(incident.after_ms),
            format!("worker-{}", incident.slot),
            incident.pid.to_string(),
            incident.range.clone().unwrap_or_else(|| "-".to_owned()),
            incident.attempt.map_or_else(|| "-".to_owned(), |attempt| attempt.to_string()),
            incident.what.clone(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake;
    use tally_protocol::error::ErrorCode;
    use tally_protocol::ids::SlotId;

    const SAID: &str = "one\n\ntwo \u{1b}[2J\nthree\nfour\nfive\nsix\n";

    #[test]
    fn a_job_with_an_incident() {
        let mut job = fake::job_failed(
            Failure {
                stderr: Some(Box::from(SAID)),
                ..Failure::new(ErrorCode::WorkerKilled, "range 5..6 killed 3 workers")
            }
            .hint("try again"),
        );
        job.workers = vec![fake::share(0, &[], "5000", &[])];
        job.incidents = vec![Incident {
            after_ms: 40,
            slot: SlotId(1),
            pid: 77,
            range: Some("5..6".into()),
            attempt: Some(2),
            what: "killed by SIGKILL".into(),
            stderr: Some(SAID.into()),
        }];
        assert_eq!(
            text(&job),
            "\
job         j1
what        sum 0..10
state       failed after 0.2s
submitted   2023-11-14 22:13:20 UTC
done        50%, 5 of 10 elements
why         could not finish j1: range 5..6 killed 3 workers
hint        try again
partitions  1 done, 1 leased, 0 queued
retries     0, 0 partials came too late
priority    0
detached    no: it ends with the command that submitted it
how         processes, shm, forkserver

WORKER    PID  PARTITIONS  ELEMENTS  BUSY
worker-0  100           1     5,000  0.2s

AFTER  WORKER    PID  RANGE  ATTEMPT  WHAT
 0.0s  worker-1   77  5..6         2  killed by SIGKILL

stderr of attempt 2 at 5..6:
  two  [2J
  three
  four
  five
  six
"
        );
    }

    #[test]
    fn each_failure_is_told_once() {
        let incident = |after_ms, what: &str, stderr: Option<&str>| Incident {
            after_ms,
            slot: SlotId(1),
            pid: 77,
            range: (after_ms < 50).then(|| "5..6".into()),
            attempt: Some(2),
            what: what.into(),
            stderr: stderr.map(Into::into),
        };
        let mut job = fake::job_running();
        let mut failures = Failures::default();
        assert_eq!(failures.news(&job), None);
        job.incidents = vec![incident(40, "exited with status 3", Some("bad luck\n"))];
        let first = "tally: attempt 2 at 5..6: exited with status 3\n  bad luck\n";
        assert_eq!(failures.news(&job).as_deref(), Some(first));
        assert_eq!(failures.news(&job), None);
        // The oldest may have been dropped meanwhile.
        job.incidents = vec![job.incidents[0].clone(), incident(60, "killed by SIGKILL", None)];
        assert_eq!(failures.news(&job).as_deref(), Some("tally: worker-1: killed by SIGKILL\n"));
        job.incidents = vec![incident(70, "killed by SIGHUP", None), incident(80, "killed by SIGKILL", None)];
        assert_eq!(failures.news(&job).unwrap().lines().count(), 2);
    }
}
