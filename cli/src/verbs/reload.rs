//! `reload`: the daemon reads its configuration again; what has changed, or why it refused, is told.

use tally_protocol::control::{Request, part};
use tally_protocol::error::Failure;
use tally_protocol::settings::ReloadView;

use super::{Context, ask};
use crate::place::Reach;
use crate::report::one_line;
use crate::show::json::Document;

pub(super) fn run(context: &mut Context<'_, '_>, reach: &Reach) -> Result<u8, Failure> {
    let reply = ask(context, reach, &Request::Reload, "reload the configuration")?;
    let view: ReloadView = part(reply, "reload")?;
    if context.style.json {
        context.terminal.answer(&Document::new("tally.reload/1").flattened(&view).line())?;
    } else {
        for warning in &view.warnings {
            context.terminal.note(&format!("tally: {}\n", one_line(warning)));
        }
        context.terminal.note(&format!("tally: {}\n", one_line(&view.summary())));
    }
    Ok(0)
}
