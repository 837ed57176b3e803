//! `wait JOB...`: returns when all have ended, with the exit code of the worst outcome.

use tally_protocol::control::{Request, part};
use tally_protocol::error::Failure;
use tally_protocol::ids::JobId;
use tally_protocol::job::JobState;
use tally_protocol::view::JobView;

use super::{Context, ask};
use crate::exit_code;
use crate::place::Reach;
use crate::report;
use crate::show::{answer, json};

pub(super) fn run(context: &mut Context<'_, '_>, reach: &Reach, jobs: Vec<JobId>) -> Result<u8, Failure> {
    let doing = match jobs[..] {
        [one] => format!("wait for {one}"),
        _ => "wait for the jobs".to_owned(),
    };
    let jobs: Vec<JobView> = part(ask(context, reach, &Request::Wait(jobs), &doing)?, "jobs")?;
    if context.style.json {
        context.terminal.answer(&json::jobs(&jobs))?;
    } else {
        for job in jobs.iter().filter(|job| job.state != JobState::Done) {
            report::failure(context.terminal, &answer::failure_of(job), false);
        }
    }
    Ok(exit_code::worst(jobs.iter().map(exit_code::of_job)))
}
