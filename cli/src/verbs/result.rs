//! `result JOB`: the answer of an ended job, printed as the reduction itself would have.

use tally_protocol::control::{Request, part};
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::ids::JobId;
use tally_protocol::view::JobView;

use super::{Context, ask};
use crate::place::Reach;
use crate::show::answer;

pub(super) fn run(context: &mut Context<'_, '_>, reach: &Reach, id: JobId) -> Result<u8, Failure> {
    let reply = ask(context, reach, &Request::Result(id), &format!("show the result of {id}"));
    let job: JobView = part(reply.map_err(|failure| with_hint(failure, id))?, "job")?;
    answer::show(context.terminal, &job, job.reductions.len() > 1, context.style, None)
}

fn with_hint(failure: Failure, id: JobId) -> Failure {
    match failure.code {
        ErrorCode::NotEnded if failure.hint.is_none() => {
            failure.hint(format!("'tally wait {id}' waits for it, 'tally follow {id}' shows its progress"))
        }
        _ => failure,
    }
}
