//! `upgrade`: another binary takes the daemon over. Returns when that one answers at the same socket.

use std::path::PathBuf;

use tally_protocol::control::{Request, part};
use tally_protocol::error::{ErrorCode, Failure};
use tally_protocol::view::StatusView;

use super::{Context, answer_to, talk_to};
use crate::conversation::interrupted;
use crate::place::Reach;
use crate::reconnect::{Absence, Back};
use crate::show::json::Document;

pub(super) fn run(
    context: &mut Context<'_, '_>,
    reach: &Reach,
    binary: Option<PathBuf>,
) -> Result<u8, Failure> {
    let binary = binary.map(absolute).transpose()?;
    let mut talk = talk_to(reach.connect()?)?;
    let mut absence = Absence::quiet(&mut talk, context.style.reconnect_ms);
    let on_its_way = "the new binary takes over all the same";
    answer_to(context, &mut talk, &Request::Upgrade { binary }, "upgrade the daemon")?;
    if let Some(signal) = talk.hear_end()? {
        return Err(interrupted(signal, on_its_way));
    }
    let mut failure = Failure::new(ErrorCode::SupervisorGone, "it is being replaced");
    let status: StatusView = loop {
        match absence.outlast(&mut talk, context.terminal, failure)? {
            Back::Signal(signal) => return Err(interrupted(signal, on_its_way)),
            Back::Ask => {}
        }
        match answer_to(context, &mut talk, &Request::Status, "read the status") {
            Ok(reply) => break part(reply, "status")?,
            Err(why) => failure = why,
        }
    };
    talk.end();
    if context.style.json {
        let document = Document::new("tally.upgrade/1").value("version", &status.version);
        context.terminal.answer(&document.value("pid", &u64::from(status.pid)).line())?;
    } else {
        let note = format!("tally: the daemon is {} now, process {}\n", status.version, status.pid);
        context.terminal.note(&note);
    }
    Ok(0)
}

/// The daemon's directory is another one.
fn absolute(path: PathBuf) -> Result<String, Failure> {
    if path.as_os_str().is_empty() {
        return Err(Failure::new(ErrorCode::BadUsage, "could not name the binary: its path is empty"));
    }
    let whole = std::path::absolute(&path).ok().and_then(|path| path.into_os_string().into_string().ok());
    whole.ok_or_else(|| {
        let message = format!("could not name the binary {}: its path is no text", path.display());
        Failure::new(ErrorCode::BadUsage, message)
    })
}
