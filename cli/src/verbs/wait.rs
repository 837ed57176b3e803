//! `wait JOB...`: returns when all have ended, with the exit code of the worst outcome.

use tally_protocol::control::{Request, part};
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::ids::JobId;
use tally_protocol::job::JobState;
use tally_protocol::varlink::ReplyMessage;
use tally_protocol::view::JobView;

use super::{Context, answer_to, talk_to};
use crate::conversation::interrupted;
use crate::exit_code;
use crate::place::Reach;
use crate::reconnect::{Absence, Back};
use crate::report;
use crate::show::{answer, json};

pub(super) fn run(context: &mut Context<'_, '_>, reach: &Reach, jobs: Vec<JobId>) -> Result<u8, Failure> {
    let doing = match jobs[..] {
        [one] => format!("wait for {one}"),
        _ => "wait for the jobs".to_owned(),
    };
    let jobs: Vec<JobView> = part(wait(context, reach, &Request::Wait(jobs), &doing)?, "jobs")?;
    if context.style.json {
        context.terminal.answer(&json::jobs(&jobs))?;
    }
    for job in jobs.iter().filter(|job| job.state != JobState::Done) {
        report::failure(context.terminal, &answer::failure_of(job), context.style.json);
    }
    Ok(exit_code::worst(jobs.iter().map(exit_code::of_job)))
}

/// Asks, and asks the next daemon if this one goes away meanwhile.
fn wait(
    context: &mut Context<'_, '_>,
    reach: &Reach,
    request: &Request,
    doing: &str,
) -> Result<ReplyMessage, Failure> {
    let mut talk = talk_to(reach.connect()?)?;
    let mut absence = Absence::new(&mut talk, context.style.reconnect_ms);
    let answer = loop {
        match answer_to(context, &mut talk, request, doing) {
            Err(failure) if failure.code == ErrorCode::SupervisorGone => {
                match absence.outlast(&mut talk, context.terminal, failure) {
                    Ok(Back::Ask) => {}
                    Ok(Back::Signal(signal)) => break Err(interrupted(signal, "the jobs go on without us")),
                    Err(failure) => break Err(failure),
                }
            }
            answer => break answer,
        }
    };
    talk.end();
    answer
}
