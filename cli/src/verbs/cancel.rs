//! `cancel JOB...` and `cancel --all`: ends jobs.

use tally_protocol::control::{Request, part};
use tally_protocol::error::Failure;
use tally_protocol::ids::JobId;
use tally_protocol::view::JobView;

use super::{Context, ask, jobs};
use crate::place::Reach;
use crate::show::json;

pub(super) fn run(
    context: &mut Context<'_, '_>,
    reach: &Reach,
    ids: Vec<JobId>,
    all: bool,
) -> Result<u8, Failure> {
    let doing = match ids[..] {
        [one] => format!("cancel {one}"),
        _ => "cancel the jobs".to_owned(),
    };
    let ended: Vec<JobView> =
        part(ask(context, reach, &Request::Cancel { jobs: ids, all }, &doing)?, "jobs")?;
    if context.style.json {
        context.terminal.answer(&json::jobs(&ended))?;
    } else if ended.is_empty() {
        context.terminal.note("tally: no open jobs\n");
    }
    if !context.style.json {
        for job in &ended {
            context.terminal.note(&format!("tally: {} is {}\n", job.job, jobs::state_of(job)));
        }
    }
    Ok(0)
}
