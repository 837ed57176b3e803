//! `drain` and `stop`: how a daemon ends. `stop` returns when it has ended, `drain` when it has agreed.

use tally_protocol::control::Request;
use tally_protocol::error::Failure;

use super::{Context, answer_to, ask, talk_to};
use crate::conversation::interrupted;
use crate::place::Reach;
use crate::show::json::Document;

pub(super) fn drain(context: &mut Context<'_, '_>, reach: &Reach) -> Result<u8, Failure> {
    ask(context, reach, &Request::Drain, "drain the daemon")?;
    if context.style.json {
        context.terminal.answer(&Document::new("tally.drain/1").value("draining", &true).line())?;
    } else {
        context.terminal.note("tally: the daemon takes no new jobs and ends when the open ones have\n");
    }
    Ok(0)
}

pub(super) fn stop(context: &mut Context<'_, '_>, reach: &Reach, now: bool) -> Result<u8, Failure> {
    let mut talk = talk_to(reach.connect()?)?;
    let ended = answer_to(context, &mut talk, &Request::Stop { now }, "stop the daemon")
        .and_then(|_| talk.hear_end());
    talk.end();
    if let Some(signal) = ended? {
        return Err(interrupted(signal, "the daemon has been told to stop and will"));
    }
    if context.style.json {
        context.terminal.answer(&Document::new("tally.stop/1").value("stopped", &true).line())?;
    }
    Ok(0)
}
