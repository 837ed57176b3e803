//! `jobs`: the open jobs, or all that the daemon remembers.

mod watch;

use std::collections::{BTreeMap, BTreeSet};

use tally_protocol::control::{Request, part};
use tally_protocol::error::Failure;
use tally_protocol::ids::JobId;
use tally_protocol::job::JobState;
use tally_protocol::printable::in_quotes;
use tally_protocol::view::JobView;

use super::{Context, answer_to, talk_to};
use crate::conversation::Conversation;
use crate::meaning::lists::Jobs;
use crate::place::Reach;
use crate::show::progress::Step;
use crate::show::table::{Side, Table};
use crate::show::{json, number};

pub(super) fn run(context: &mut Context<'_, '_>, reach: &Reach, asked: &Jobs) -> Result<u8, Failure> {
    let Jobs { all, watch_ms, ref template } = *asked;
    let mut talk = talk_to(reach.connect()?)?;
    if let Some(every_ms) = watch_ms {
        return watch::run(context, &mut talk, asked, every_ms);
    }
    let jobs = list(context, &mut talk, all)?;
    talk.end();
    if let Some(template) = template {
        context.terminal.answer(&json::lines(template, jobs.as_slice()))?;
    } else if context.style.json {
        context.terminal.answer(&json::jobs(&jobs))?;
    } else if jobs.is_empty() {
        context.terminal.note(if all { "tally: no jobs\n" } else { "tally: no open jobs\n" });
    } else {
        let text = table(&jobs).for_answer(context.terminal);
        context.terminal.answer(&text)?;
    }
    Ok(0)
}

/// A long list comes in pieces, so that the daemon can turn to others between them.
fn list(context: &mut Context<'_, '_>, talk: &mut Conversation, all: bool) -> Result<Vec<JobView>, Failure> {
    let (mut jobs, mut after) = (Vec::new(), None);
    loop {
        let reply = answer_to(context, talk, &Request::Jobs { all, after }, "list the jobs")?;
        after = reply.parameters.get("next").and_then(|next| next.as_str()?.parse::<JobId>().ok());
        jobs.extend(part::<Vec<JobView>>(reply, "jobs")?);
        if after.is_none() {
            return Ok(jobs);
        }
    }
}

fn table(jobs: &[JobView]) -> Table {
    let users: BTreeMap<u32, String> = jobs
        .iter()
        .filter_map(|job| job.uid)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .map(|uid| (uid, user(uid)))
        .collect();
    // Whose they are matters where they are not all the same user's.
    let several = users.len() > 1;
    let mut columns = vec![
        ("JOB", Side::Left),
        ("STATE", Side::Left),
        ("DONE", Side::Right),
        ("RATE", Side::Right),
        ("ETA", Side::Right),
        ("RETRIES", Side::Right),
        ("WHAT", Side::Left),
    ];
    if several {
        columns.insert(1, ("USER", Side::Left));
    }
    let mut table = Table::new(&columns);
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    for job in jobs {
        let mut row = vec![
            job.job.to_string(),
            job.state.to_string(),
            format!("{}%", Step::of(job).percent()),
            or_dash(job.rate_per_s.map(number::rate)),
            or_dash(job.eta_ms.map(number::duration)),
            number::grouped(&job.retries.to_string()),
            what(job),
        ];
        if several {
            row.insert(1, or_dash(job.uid.and_then(|uid| users.get(&uid).cloned())));
        }
        table.row(row);
    }
    table
}

/// A user's name, or number.
pub(super) fn user(uid: u32) -> String {
    tally_sys::peers::user_name(uid).unwrap_or_else(|| uid.to_string())
}

/// A job as one would type it: `sum 0..1e9 --step 2 --of 'i * i'`.
pub(crate) fn what(job: &JobView) -> String {
    let reductions = match &job.reductions[..] {
        [one] => one.clone(),
        several => format!("reduce {}", several.join(",")),
    };
    let step = job.step.iter().map(|step| format!("--step {step}"));
    let of = job.of.iter().map(|of| format!("--of {}", in_quotes(of)));
    let filter = job.filter.iter().map(|filter| format!("--where {}", in_quotes(filter)));
    let by = (!job.by.is_empty()).then(|| format!("--by {}", job.by.join(",")));
    let words = job.sources.iter().cloned().chain(step).chain(of).chain(filter).chain(by);
    [reductions].into_iter().chain(words).collect::<Vec<_>>().join(" ")
}

/// `1 job is done`; the state as people say it.
pub(super) fn state_of(job: &JobView) -> String {
    match job.state {
        JobState::TimedOut => "timed out".to_owned(),
        JobState::Queued
        | JobState::Running
        | JobState::Paused
        | JobState::Done
        | JobState::Failed
        | JobState::Cancelled => job.state.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake;
    use tally_protocol::ids::JobId;

    #[test]
    fn users_are_named_where_there_are_several() {
        let (mut ours, mut theirs) = (fake::job_done("sum", "45"), fake::job_done("sum", "45"));
        (ours.uid, theirs.uid) = (Some(0), Some(4_294_967_290));
        let rows = |jobs: &[JobView]| table(jobs).text("", str::to_owned);
        assert!(!rows(&[ours.clone(), ours.clone()]).contains("USER"));
        let text = rows(&[ours, theirs]);
        let lines: Vec<Vec<&str>> =
            text.lines().map(|line| line.split_whitespace().take(3).collect()).collect();
        assert_eq!(lines, [["JOB", "USER", "STATE"], ["j1", "root", "done"], ["j1", "4294967290", "done"]]);
    }

    #[test]
    fn jobs_stand_in_a_table() {
        let mut other = fake::job_done("sum", "45");
        other.job = JobId(12);
        other.reductions.push("max".into());
        other.step = Some("2".into());
        (other.of, other.filter) = (Some("i * i".into()), Some("i > 3".into()));
        other.by = vec!["a".into(), "b".into()];
        let text = table(&[fake::job_running(), other]).text("", str::to_owned);
        assert_eq!(
            text,
            "\
JOB  STATE    DONE   RATE   ETA  RETRIES  WHAT
j1   running   50%  20 /s  0.2s        0  sum 0..10
j12  done     100%      -     -        0  reduce sum,max 0..10 --step 2 --of 'i * i' --where 'i > 3' --by a,b
"
        );
    }
}
