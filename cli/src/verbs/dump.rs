//! `dump`: the daemon's whole state, for people who look for a defect.

use serde_json::Value;
use tally_protocol::control::{Request, part};
use tally_protocol::error::Failure;

use super::{Context, ask};
use crate::place::Reach;
use crate::show::json::{Document, Raw};

pub(super) fn run(context: &mut Context<'_, '_>, reach: &Reach) -> Result<u8, Failure> {
    let mut state: String = part(ask(context, reach, &Request::Dump, "dump the state")?, "state")?;
    if context.style.json {
        // The state is JSON text of its own; were it not, it would go in as a text.
        let line = if serde_json::from_str::<Value>(&state).is_ok() {
            Document::new("tally.dump/1").value("state", &Raw(state.replace('\n', " ")))
        } else {
            Document::new("tally.dump/1").value("state", &state)
        };
        context.terminal.answer(&line.line())?;
    } else {
        if !state.ends_with('\n') {
            state.push('\n');
        }
        context.terminal.answer(&state)?;
    }
    Ok(0)
}
