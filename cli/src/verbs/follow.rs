//! `follow JOB`: its progress until it ends, then its answer. The job goes on when this command is interrupted.

use tally_protocol::control::Request;
use tally_protocol::error::Failure;
use tally_protocol::ids::JobId;
use tally_sys::clock;

use super::reduce::{Watched, watch};
use super::show::Failures;
use super::{Context, talk_to};
use crate::args::values::ProgressWhen;
use crate::conversation::interrupted;
use crate::place::Reach;
use crate::report;
use crate::show::answer;

pub(super) fn run(
    context: &mut Context<'_, '_>,
    reach: &Reach,
    id: JobId,
    progress: ProgressWhen,
) -> Result<u8, Failure> {
    let mut talk = talk_to(reach.connect()?)?;
    // Who reads lines of JSON reads nothing else.
    let failures = (progress != ProgressWhen::Json).then(Failures::default);
    let request = Request::Follow(id);
    let watched = watch(context, &mut talk, &request, progress, clock::monotonic_ns(), failures);
    talk.end();
    match watched.map_err(|failure| report::about(&format!("follow {id}"), failure))? {
        Watched::Ended(job) => {
            answer::show(context.terminal, &job, job.reductions.len() > 1, context.style, None)
        }
        Watched::Interrupted(signal, _) => Err(interrupted(signal, &format!("{id} goes on without us"))),
    }
}
