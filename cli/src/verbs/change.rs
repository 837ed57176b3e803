//! `pause`, `resume`, `retry`: one job, one change, and the job as it is then.

use tally_protocol::control::{Request, part};
use tally_protocol::error::Failure;
use tally_protocol::ids::JobId;
use tally_protocol::view::JobView;

use super::{Context, ask, jobs};
use crate::place::Reach;
use crate::show::json;

/// What to do with a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Pause,
    Resume,
    Retry,
}

pub(super) fn run(
    context: &mut Context<'_, '_>,
    reach: &Reach,
    change: Change,
    id: JobId,
) -> Result<u8, Failure> {
    let (request, word) = match change {
        Change::Pause => (Request::Pause(id), "pause"),
        Change::Resume => (Request::Resume(id), "resume"),
        Change::Retry => (Request::Retry(id), "retry"),
    };
    let job: JobView = part(ask(context, reach, &request, &format!("{word} {id}"))?, "job")?;
    if context.style.json {
        context.terminal.answer(&json::job(&job))?;
    } else {
        context.terminal.note(&format!("tally: {} is {}\n", job.job, jobs::state_of(&job)));
    }
    Ok(0)
}
