//! `explain JOB`: why it waits, or what it does; a sentence a line, the weightiest first.

use tally_protocol::control::{Request, part};
use tally_protocol::error::Failure;
use tally_protocol::ids::JobId;
use tally_protocol::view::JobView;

use super::{Context, ask};
use crate::place::Reach;
use crate::show::json::Document;

pub(super) fn run(context: &mut Context<'_, '_>, reach: &Reach, job: JobId) -> Result<u8, Failure> {
    let reply = ask(context, reach, &Request::Explain(job), &format!("explain {job}"))?;
    let job: JobView = part(reply.clone(), "job")?;
    let reasons: Vec<String> = part(reply, "reasons")?;
    let text = if context.style.json {
        let document = Document::new("tally.explain/1").value("job", &job.job).value("state", &job.state);
        document.value("reasons", reasons.as_slice()).line()
    } else {
        reasons.iter().map(|reason| format!("{}\n", reason.replace(char::is_control, " "))).collect()
    };
    context.terminal.answer(&text)?;
    Ok(0)
}
