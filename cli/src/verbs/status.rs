//! `status`: whether the daemon runs and what it does. Exit 0 when it runs, 3 when not.

use tally_protocol::control::{Request, part};
use tally_protocol::error::Failure;
use tally_protocol::version::PROGRAM;
use tally_protocol::view::StatusView;

use super::{Context, ask};
use crate::place::Reach;
use crate::show::json::Document;
use crate::show::number;
use crate::show::table::facts;

pub(super) fn run(context: &mut Context<'_, '_>, reach: &Reach) -> Result<u8, Failure> {
    let status: StatusView = part(ask(context, reach, &Request::Status, "read the status")?, "status")?;
    let text = if context.style.json {
        Document::new("tally.status/1").flattened(&status).line()
    } else {
        facts(&facts_of(&status))
    };
    context.terminal.answer(&text)?;
    if status.version != PROGRAM {
        let note = format!("tally: this program is {PROGRAM}, the daemon {}; restart it\n", status.version);
        context.terminal.note(&note);
    }
    Ok(0)
}

fn facts_of(status: &StatusView) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("daemon", format!("{} {}", status.version, status.phase)),
        ("pid", status.pid.to_string()),
        ("up", number::duration(status.uptime_ms)),
    ];
    facts.extend(status.socket.clone().map(|socket| ("socket", socket)));
    let StatusView { queued, running, paused, ended, .. } = status;
    facts.extend([
        ("workers", format!("{} of {} ready", status.workers, status.slots)),
        ("jobs", format!("{running} running, {queued} queued, {paused} paused, {ended} ended")),
        ("clients", status.clients.to_string()),
        ("restarts", number::grouped(&status.restarts.to_string())),
        ("late", number::grouped(&status.late.to_string())),
    ]);
    facts
}
